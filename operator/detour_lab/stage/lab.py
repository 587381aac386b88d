"""The lab: four DNS services, three regions and a resolver on one block of loopback addresses.

    async with Lab() as lab:
        lab.write_manifests(folder)               # kubectl apply -f folder
        await lab.break_region("aws-us-east-1")

Inside the block 127.N.0.0/16 every address is fixed:

    127.N.0.2:5300              resolver for the names of regional services
    127.N.0.11 to 13, 5300      name servers of the zones at Route 53, Azure and Google
    127.0.0.1:153NN             BIND, which listens on the interface's own address only; 15353 for the block 53
    127.N.0.21 to 23, 8053      the APIs of Route 53, Azure and Google
    127.N.1.x, 2.x, 3.x         the services in aws-us-east-1, azure-westeurope and gcp-europe-west3

Everything but BIND runs in this process and event loop, and ends with it.
"""

import datetime
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from detour_lab.clouds.clouds import BIND, NAME_SERVER_PORT, Clouds
from detour_lab.clouds.labzones import EDIT_TTL, EmulatedZone, LabZone
from detour_lab.dns.nameserver import NameServer
from detour_lab.faults import Fault, Faults
from detour_lab.loopback import FIRST_BLOCK, LoopbackBlock
from detour_lab.services.certificates import CertificateAuthority
from detour_lab.services.regions import REGIONS, LabRegion
from detour_lab.services.services import Mode
from detour_lab.stage import quickstart
from detour_lab.stage.operatorprocess import PERMITTED_ENDPOINTS

ALLOWED_NETWORKS = "127.0.0.0/8"
"""What the operator must be allowed to probe, as it refuses loopback by default."""


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Lab:
    """An async context manager. `notes` are sentences for people about what is not as it should be."""

    def __init__(
        self,
        *,
        throttled: bool = True,
        real_bind: bool = True,
        first_block: int = FIRST_BLOCK,
        now: Callable[[], datetime.datetime] = _now,
    ) -> None:
        """Prepare. `throttled` False lifts the APIs' quotas; `real_bind` False does without BIND."""
        self._throttled = throttled
        self._real_bind = real_bind
        self._first_block = first_block
        self._now = now
        self._stack = AsyncExitStack()
        self.authority: CertificateAuthority
        self.block: LoopbackBlock
        self.clouds: Clouds
        self.regions: Mapping[str, LabRegion] = {}
        self.resolver: NameServer

    async def __aenter__(self) -> Self:
        """Start everything.

        Raises LoopbackError without a free block, OSError where a port is taken, RuntimeError where BIND fails.
        """
        async with AsyncExitStack() as stack:
            self.block = LoopbackBlock.claim(self._first_block)
            stack.callback(self.block.release)
            self.authority = CertificateAuthority(self._now())
            self.regions = {name: LabRegion(name, self.block, self.authority) for name in REGIONS}
            for region in self.regions.values():
                stack.push_async_callback(region.stop)
                await region.start()
            stores = [region.names.store for region in self.regions.values()]
            self.resolver = NameServer(stores, host=self.block.address(0, 2), port=NAME_SERVER_PORT)
            await self.resolver.start()
            stack.push_async_callback(self.resolver.stop)
            self.clouds = Clouds(self.block, throttled=self._throttled, real_bind=self._real_bind)
            await self.clouds.start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    # -- what there is ---------------------------------------------------------------------------------------------

    @property
    def notes(self) -> Sequence[str]:
        return self.clouds.notes

    @property
    def zones(self) -> Mapping[str, LabZone]:
        """The four zones by the names of their DNSZones."""
        return self.clouds.zones

    @property
    def name_servers(self) -> Mapping[str, str]:
        """`address:port` of each zone's name server, by the name of its DNSZone."""
        return {name: zone.address for name, zone in self.zones.items()}

    @property
    def name_server_list(self) -> str:
        """`domain=address:port` of every name server, separated by blanks, for scripts."""
        return " ".join(f"{zone.domain}={zone.address}" for zone in self.zones.values())

    @property
    def operator_arguments(self) -> tuple[str, ...]:
        """The arguments that `detour run` needs in order to see this lab, besides --owner and --kubeconfig."""
        return (
            f"--resolver={self.resolver.address}",
            f"--allow-networks={ALLOWED_NETWORKS}",
            f"--permitted-endpoints={PERMITTED_ENDPOINTS}",
        )

    def secrets_manifest(self) -> str:
        """Return YAML with this lab's credentials as Secrets and its certificate authority as a ConfigMap."""
        return quickstart.secrets_manifest(self.clouds.credentials(), self.authority.pem)

    def manifests(self) -> Mapping[str, str]:
        """Return the quickstart for this lab, credentials included: YAML by file name, in the order to apply it."""
        files = {**quickstart.static_manifests(self.block), quickstart.CREDENTIALS: self.secrets_manifest()}
        return dict(sorted(files.items()))

    def write_manifests(self, folder: Path) -> None:
        """Write `manifests` into `folder`, for `kubectl apply -f`."""
        quickstart.write_folder(folder, self.manifests())

    # -- what can go wrong -----------------------------------------------------------------------------------------

    def region(self, name: str) -> LabRegion:
        """Return a region. Raises ValueError, naming those that there are, for an unknown one."""
        if name not in self.regions:
            raise ValueError(f"there is no region {name!r} in the lab: it has {', '.join(self.regions)}")
        return self.regions[name]

    def zone(self, name: str) -> LabZone:
        """Return a zone. Raises ValueError, naming those that there are, for an unknown one."""
        if name not in self.zones:
            raise ValueError(f"there is no zone {name!r} in the lab: it has {', '.join(self.zones)}")
        return self.zones[name]

    async def break_region(self, name: str, mode: Mode = Mode.REFUSING, *, seconds: float = 0.0) -> None:
        """Make every service of a region fail in this way, and its regional API's name answer nothing."""
        await self.region(name).fail(mode, seconds=seconds)

    async def mend_region(self, name: str) -> None:
        """Make a region work again."""
        await self.region(name).mend()

    async def set_service(self, region: str, service: str, mode: Mode, *, seconds: float = 0.0) -> None:
        """Make one service behave as `mode` says; `seconds` is the delay of SLOW."""
        await self.region(region).service(service).switch(mode, seconds=seconds)

    async def edit(self, zone: str, name: str, rrtype: str, values: Sequence[str], *, ttl: int = EDIT_TTL) -> None:
        """Change a set behind Detour's back; no values remove it."""
        await self.zone(zone).edit(name, rrtype, values, ttl=ttl)

    def set_lag(self, zone: str, seconds: float) -> None:
        """Let a zone's name server follow its API by this much, for later changes. Raises ValueError for real BIND."""
        self.zone(zone).set_lag(seconds)

    def api_faults(self, zone: str) -> Faults:
        """Return the faults of a zone's API. Raises ValueError for real BIND, which has none on demand."""
        found = self.zone(zone)
        if not isinstance(found, EmulatedZone):
            raise ValueError(f"{zone} is a real {found.provider} server without faults on demand; use another zone")
        return found.api_faults

    def inject(self, zone: str, fault: Fault) -> Fault:
        """Put a fault of a zone's API into force and return it."""
        return self.api_faults(zone).inject(fault)

    @property
    def has_real_bind(self) -> bool:
        """Whether the zone for RFC 2136 is at a real BIND."""
        return not isinstance(self.zones[BIND], EmulatedZone)
