"""The three clouds on loopback, each behind a relay that a test can spoil."""

import abc
import contextlib
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from detour.enactment.contract import Batch, Change, Provider, Secret, StoredSet
from detour.model.record import ObjectKey
from detour.model.rrset import RRset, RRType
from detour.model.zone import AzureDNSSettings, GoogleCloudDNSSettings, ProviderSettings, Route53Settings, Zone
from detour.providers import registry
from detour_lab.clouds.azuredns import AzureDNSEmulator
from detour_lab.clouds.clouddns import CloudDNSEmulator
from detour_lab.clouds.route53 import Route53Emulator
from detour_lab.faults import Faults
from detour_lab.zones.store import ZoneStore

from .relay import Relay

DOMAIN = "example.com"
API = f"api.{DOMAIN}"
LEDGER = RRset(f"prod._detour.{DOMAIN}", RRType.TXT, 60, ("detour/1 seq=1",))
MOVED = RRset(LEDGER.name, RRType.TXT, 60, ("detour/1 seq=2",))


async def no_pace(_: int) -> None:
    """Let everything pass."""


class Cloud(abc.ABC):
    """One emulated service; `writes` are the methods of its calls that change something."""

    name: ClassVar[str]
    writes: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        self.store = ZoneStore(DOMAIN)

    @abc.abstractmethod
    def emulator(self) -> Any:
        """Return the emulator, not started."""

    @abc.abstractmethod
    def settings(self, url: str) -> ProviderSettings:
        """Return what a DNSZone would say."""

    @abc.abstractmethod
    def secret(self) -> Secret:
        """Return the Secret that opens the zone."""

    @contextlib.asynccontextmanager
    async def behind_a_relay(self) -> AsyncIterator[tuple[Relay, Provider]]:
        """Serve it and open the zone."""
        async with self.emulator() as api, Relay(api.url) as relay:
            provider = await self.opened(relay.url)
            try:
                yield relay, provider
            finally:
                await provider.close()

    async def opened(self, url: str, *, secret: Secret | None = None) -> Provider:
        """Return the provider of the zone at `url`."""
        zone = Zone(ObjectKey("tests", self.name), "uid", 1, DOMAIN, self.settings(url))
        return await registry.open_zone(zone, secret=self.secret() if secret is None else secret, pace=no_pace)


class AWS(Cloud):
    name = "route53"
    writes = ("POST",)

    def emulator(self) -> Any:
        return Route53Emulator([self.store], faults=Faults(), access_keys=None, throttle=None)

    def settings(self, url: str) -> ProviderSettings:
        return Route53Settings(endpoint_url=url)

    def secret(self) -> Secret:
        return {"aws_access_key_id": "AKIALABLABLABLABLAB1", "aws_secret_access_key": "hush-hush"}


class Azure(Cloud):
    name = "azuredns"
    writes = ("PUT", "DELETE")

    def emulator(self) -> Any:
        return AzureDNSEmulator(
            [self.store], subscription="sub", resource_group="dns", tokens=["hush-hush"], faults=Faults(), quota=None
        )

    def settings(self, url: str) -> ProviderSettings:
        return AzureDNSSettings("sub", "dns", endpoint_url=url)

    def secret(self) -> Secret:
        return {"accessToken": "hush-hush"}


class Google(Cloud):
    name = "clouddns"
    writes = ("POST",)

    def emulator(self) -> Any:
        return CloudDNSEmulator(
            {"example": self.store}, project="lab", tokens=["hush-hush"], faults=Faults(), throttle=None
        )

    def settings(self, url: str) -> ProviderSettings:
        return GoogleCloudDNSSettings("lab", endpoint_url=url)

    def secret(self) -> Secret:
        return {"accessToken": "hush-hush"}


CLOUDS: tuple[type[Cloud], ...] = (AWS, Azure, Google)


async def claim(provider: Provider, *rrsets: RRset) -> dict[RRset, StoredSet]:
    """Create the ledger and `rrsets`, and return them as stored."""
    contents = await provider.apply(Batch(Change(None, LEDGER), tuple(Change(None, each) for each in rrsets)))
    return {each.rrset: each for each in contents.sets.values()}


def moving(held: dict[RRset, StoredSet], *changes: Change) -> Batch:
    """Return a batch that moves the ledger on and makes `changes`."""
    return Batch(Change(held[LEDGER], MOVED), changes)
