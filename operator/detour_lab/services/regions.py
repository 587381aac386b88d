"""Three regions in a box: services at fixed loopback addresses, and the names under which clouds publish them.

Breaking a region is what happened in October 2025: its services refuse connections, and the name of its regional API
still exists but answers nothing. Single services and names can be broken in other ways.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from detour_lab.clouds.clouds import DOMAIN
from detour_lab.loopback import LoopbackBlock
from detour_lab.services.certificates import CertificateAuthority
from detour_lab.services.names import ServiceNames
from detour_lab.services.services import Mode, RegionalService, ServiceCertificates

HTTP_PORT = 18080
HTTPS_PORT = 18443
DATABASE_PORT = 15432


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """One service that every region has: the last octet of its address, its port, and what it speaks."""

    octet: int
    port: int = HTTP_PORT
    tls_names: tuple[str, ...] = ()
    http: bool = True


SERVICES: Mapping[str, ServicePlan] = {
    "regional-api": ServicePlan(5),
    "www": ServicePlan(10),
    "api": ServicePlan(20),
    "checkout": ServicePlan(30, HTTPS_PORT, tls_names=(f"checkout.{DOMAIN}",)),
    "images": ServicePlan(40),
    "orders-db": ServicePlan(50, DATABASE_PORT, http=False),
}


@dataclass(frozen=True, slots=True)
class RegionPlan:
    """A region: the third octet of its addresses, the domain of its cloud's names, and which service each names."""

    octet: int
    domain: str
    regional_api: str
    load_balancer: str

    @property
    def hostnames(self) -> Mapping[str, str]:
        """The service behind each host name."""
        return {self.regional_api: "regional-api", self.load_balancer: "images"}


REGIONS: Mapping[str, RegionPlan] = {
    "aws-us-east-1": RegionPlan(
        1, "amazonaws.test", "dynamodb.us-east-1.amazonaws.test", "images.us-east-1.elb.amazonaws.test"
    ),
    "azure-westeurope": RegionPlan(
        2, "azure.test", "management.westeurope.azure.test", "images.westeurope.cloudapp.azure.test"
    ),
    "gcp-europe-west3": RegionPlan(
        3, "googleapis.test", "compute.europe-west3.googleapis.test", "images.europe-west3.lb.googleapis.test"
    ),
}


class LabRegion:
    """One region. `services` are by name (see SERVICES), `hostnames` give the service behind each host name."""

    def __init__(self, name: str, block: LoopbackBlock, authority: CertificateAuthority) -> None:
        plan = REGIONS[name]
        self.name = name
        self.names = ServiceNames(plan.domain)
        self.regional_api = plan.regional_api
        self.hostnames = plan.hostnames
        self.is_broken = False
        self.services: dict[str, RegionalService] = {}
        for service, each in SERVICES.items():
            address = block.address(plan.octet, each.octet)
            tls = ServiceCertificates.issue(authority, *each.tls_names, address) if each.tls_names else None
            self.services[service] = RegionalService(address, each.port, tls=tls, http=each.http, body="ok\n")
        for hostname in self.hostnames:
            self.restore(hostname)

    async def start(self) -> None:
        """Open every service. Raises OSError where an address is taken."""
        for service in self.services.values():
            await service.start()

    async def stop(self) -> None:
        """Close every service."""
        for service in self.services.values():
            await service.stop()

    async def fail(self, mode: Mode = Mode.REFUSING, *, seconds: float = 0.0) -> None:
        """Put every service into `mode` and let the regional API's name answer nothing."""
        self.names.vanish(self.regional_api)
        for service in self.services.values():
            await service.switch(mode, seconds=seconds)
        self.is_broken = True

    async def mend(self) -> None:
        """Let every service and every name be as at the start."""
        for hostname in self.hostnames:
            self.restore(hostname)
        for service in self.services.values():
            await service.switch(Mode.UP)
        self.is_broken = False

    def vanish(self, hostname: str) -> None:
        """Let one name exist and answer nothing. Raises ValueError for a name of another cloud."""
        self.names.vanish(hostname)

    def restore(self, hostname: str) -> None:
        """Let one of `hostnames` lead to its service again. Raises ValueError for another name."""
        if hostname not in self.hostnames:
            raise ValueError(f"{hostname} is not a name of {self.name}: it has {', '.join(self.hostnames)}")
        self.names.set_addresses(hostname, self.services[self.hostnames[hostname]].address)

    def service(self, name: str) -> RegionalService:
        """Return a service. Raises ValueError, naming those that there are, for an unknown one."""
        if name not in self.services:
            raise ValueError(f"{self.name} has no service {name!r}: it has {', '.join(self.services)}")
        return self.services[name]
