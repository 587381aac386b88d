"""The servers that the suite runs against, each with its provider and with a way to edit the zone behind its back.

A backend says what it can do in class attributes; a test that needs more than every backend has says so with
`@pytest.mark.needs("faults")` and is made only for those that can.
"""

import abc
import asyncio
import base64
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import dns.asyncquery
import dns.message
import dns.name
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update

from detour.enactment.contract import Provider, Secret
from detour.model.record import ObjectKey
from detour.model.rrset import RRset
from detour.model.zone import (
    AzureDNSSettings,
    GoogleCloudDNSSettings,
    ProviderSettings,
    RFC2136Settings,
    Route53Settings,
    Zone,
)
from detour.providers import registry
from detour.providers.presentation import presented
from detour_lab.clouds.azuredns import AzureDNSEmulator
from detour_lab.clouds.clouddns import CloudDNSEmulator
from detour_lab.clouds.route53 import Route53Emulator
from detour_lab.dns.nameserver import NameServer
from detour_lab.dns.realservers import (
    RealBIND,
    RealKnot,
    RealServer,
    SignedInlineBIND,
    SignedInPlaceBIND,
    SignedKnot,
    UpdateKey,
)
from detour_lab.faults import Faults
from detour_lab.zones.store import RecordSet, ZoneStore

DOMAIN = "example.com"
NEGATIVE_TTL = 30
OUTSIDER = "an outsider"


async def no_pace(requests: int) -> None:
    """Let everything pass at once: budgets are the enactor's and tested there."""


class Backend(abc.ABC):
    """One server with one zone. Names that tests make lie below `base`."""

    name: ClassVar[str]
    own_zone: ClassVar[bool] = True  # the zone is this test's alone, and may be filled
    faults_on_demand: ClassVar[bool] = False
    throttles: ClassVar[bool] = False
    stoppable: ClassVar[bool] = True
    compares_ttl: ClassVar[bool] = True
    keeps_spelling: ClassVar[bool] = True  # how a text is cut into strings is kept
    routing: ClassVar[bool] = False  # has sets that are more than name, type, TTL and values
    wrong_key: ClassVar[bool] = True
    atomic: ClassVar[bool] = True
    refers: ClassVar[bool] = False  # is read by questions, and answers with a referral below a delegation
    redirects: ClassVar[bool] = False  # takes and follows DNAME
    keeps_changes: ClassVar[bool] = False  # tells what has changed since a mark

    domain = DOMAIN
    write_operation = "*"

    def __init__(self) -> None:
        self.base = self.domain
        self.faults = Faults()

    @abc.abstractmethod
    def settings(self) -> ProviderSettings:
        """Return what a DNSZone would say."""

    @abc.abstractmethod
    def secret(self) -> Secret | None:
        """Return the Secret that opens the zone."""

    @abc.abstractmethod
    def wrong_secret(self) -> Secret:
        """Return a well-formed Secret that the server doesn't accept."""

    async def open(self, *, domain: str | None = None, secret: Secret | None = None) -> Provider:
        """Return a provider, as the operator would make it. The caller closes it."""
        zone = Zone(ObjectKey("tests", self.name), "uid", 1, domain or self.domain, self.settings())
        return await registry.open_zone(zone, secret=self.secret() if secret is None else secret, pace=no_pace)

    @abc.abstractmethod
    async def start(self) -> None:
        """Start the server."""

    @abc.abstractmethod
    async def stop(self) -> None:
        """Stop it; again is harmless."""

    @abc.abstractmethod
    async def put(self, name: str, rrtype: str, ttl: int, values: tuple[str, ...]) -> None:
        """Write a set as an outsider would, whatever was there; values in presentation form."""

    async def put_set(self, rrset: RRset) -> None:
        """Write `rrset` as an outsider would."""
        await self.put(rrset.name, rrset.type.value, rrset.ttl, presented(rrset))

    async def put_hosts(self, names: Iterable[str]) -> None:
        """Write an A set with one and the same address at each of `names`, as an outsider would."""
        for name in names:
            await self.put(name, "A", 60, ("192.0.2.1",))

    @abc.abstractmethod
    async def remove(self, name: str, rrtype: str) -> None:
        """Remove a set as an outsider would."""

    async def put_routing(self, name: str) -> None:
        """Write a set of type A that carries more than values."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()


class Emulated(Backend):
    """An emulated service over a store that this test owns."""

    faults_on_demand = True
    throttles = True

    def __init__(self) -> None:
        super().__init__()
        self.store = ZoneStore(self.domain, negative_ttl=NEGATIVE_TTL)
        self.server: Any = None

    @abc.abstractmethod
    def make_server(self) -> Any:
        """Return the emulator, not started."""

    async def start(self) -> None:
        self.server = self.make_server()
        await self.server.start()

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.stop()

    async def put(self, name: str, rrtype: str, ttl: int, values: tuple[str, ...]) -> None:
        self.store.commit(added=[RecordSet(name, rrtype, ttl, values)], by=OUTSIDER)

    async def remove(self, name: str, rrtype: str) -> None:
        self.store.commit(removed=[(name, rrtype)], by=OUTSIDER)


class EmulatedRoute53(Emulated):
    name = "route53"
    routing = True
    write_operation = "ChangeResourceRecordSets"
    keys = ("AKIALABLABLABLABLAB1", "the-route53-secret")

    def make_server(self) -> Any:
        return Route53Emulator([self.store], faults=self.faults, access_keys=dict([self.keys]), throttle=None)

    def settings(self) -> Route53Settings:
        return Route53Settings(endpoint_url=self.server.url)

    def secret(self) -> Secret:
        return {"aws_access_key_id": self.keys[0], "aws_secret_access_key": self.keys[1]}

    def wrong_secret(self) -> Secret:
        return {"aws_access_key_id": self.keys[0], "aws_secret_access_key": "not-the-secret-at-all"}

    async def put_routing(self, name: str) -> None:
        extra = {"SetIdentifier": "one", "Weight": "10"}
        self.store.commit(added=[RecordSet(name, "A", 60, ("192.0.2.9",), extra=extra)], by=OUTSIDER)


class EmulatedAzureDNS(Emulated):
    name = "azuredns"
    routing = True
    atomic = False
    token = "the-azure-token"
    write_operation = "RecordSets_CreateOrUpdate"

    def make_server(self) -> Any:
        return AzureDNSEmulator(
            [self.store], subscription="sub", resource_group="dns", tokens=[self.token], faults=self.faults, quota=None
        )

    def settings(self) -> AzureDNSSettings:
        return AzureDNSSettings("sub", "dns", endpoint_url=self.server.url)

    def secret(self) -> Secret:
        return {"accessToken": self.token}

    def wrong_secret(self) -> Secret:
        return {"accessToken": "not-the-secret-at-all"}

    async def put_routing(self, name: str) -> None:
        target = {"id": "/subscriptions/sub/resourceGroups/dns/providers/Microsoft.Network/trafficManagerProfiles/web"}
        extra = {"targetResource": target}
        self.store.commit(added=[RecordSet(name, "A", 60, ("192.0.2.9",), extra=extra)], by=OUTSIDER)


class EmulatedCloudDNS(Emulated):
    name = "clouddns"
    routing = True
    keeps_changes = True
    token = "the-google-token"
    write_operation = "changes.create"

    def make_server(self) -> Any:
        return CloudDNSEmulator(
            {"example": self.store}, project="lab", tokens=[self.token], faults=self.faults, throttle=None
        )

    def settings(self) -> GoogleCloudDNSSettings:
        return GoogleCloudDNSSettings("lab", endpoint_url=self.server.url)

    def secret(self) -> Secret:
        return {"accessToken": self.token}

    def wrong_secret(self) -> Secret:
        return {"accessToken": "not-the-secret-at-all"}

    async def put_routing(self, name: str) -> None:
        policy = {"wrr": {"items": [{"weight": 1.0, "rrdatas": ["192.0.2.9"]}]}}
        extra = {"routingPolicy": policy}
        self.store.commit(added=[RecordSet(name, "A", 60, ("192.0.2.9",), extra=extra)], by=OUTSIDER)


class LabNameServer(Emulated):
    name = "rfc2136-lab"
    refers = True
    throttles = False
    compares_ttl = False
    write_operation = "UPDATE"

    def __init__(self) -> None:
        super().__init__()
        self.key = UpdateKey.random()

    def make_server(self) -> Any:
        key = dns.tsig.Key(self.key.name, self.key.secret, dns.tsig.HMAC_SHA256)
        return NameServer([self.store], keys={self.domain: key}, faults=self.faults)

    def settings(self) -> RFC2136Settings:
        return RFC2136Settings(self.server.address)

    def secret(self) -> Secret:
        return self.key.as_secret()

    def wrong_secret(self) -> Secret:
        return wrong_key(self.key)


class RealNameServer(Backend):
    """A real server with dynamic updates."""

    compares_ttl = False
    refers = True
    redirects = True
    keeps_changes = True
    kind: ClassVar[type[RealServer]]

    def __init__(self) -> None:
        super().__init__()
        self.key = UpdateKey.random()
        self.server = self.kind(self.domain, self.key, negative_ttl=NEGATIVE_TTL)

    async def start(self) -> None:
        await self.server.start()

    async def stop(self) -> None:
        await self.server.stop()

    def settings(self) -> RFC2136Settings:
        return RFC2136Settings(self.server.address)

    def secret(self) -> Secret:
        return self.key.as_secret()

    def wrong_secret(self) -> Secret:
        return wrong_key(self.key)

    async def put(self, name: str, rrtype: str, ttl: int, values: tuple[str, ...]) -> None:
        update = self._update()
        update.delete(dns.name.from_text(name), rrtype)
        update.add(dns.name.from_text(name), ttl, rrtype, *values)
        await self._send(update)

    async def remove(self, name: str, rrtype: str) -> None:
        update = self._update()
        update.delete(dns.name.from_text(name), rrtype)
        await self._send(update)

    async def put_hosts(self, names: Iterable[str]) -> None:
        update = self._update()
        for name in names:
            update.add(dns.name.from_text(name), 60, "A", "192.0.2.1")
        await self._send(update)

    def _update(self) -> dns.update.UpdateMessage:
        keyring = dns.tsigkeyring.from_text({self.key.name: (self.key.algorithm, self.key.secret)})
        return dns.update.UpdateMessage(self.domain, keyring=keyring)

    async def _send(self, update: dns.update.UpdateMessage) -> None:
        answer = await dns.asyncquery.tcp(update, self.server.host, port=self.server.port, timeout=5)
        assert answer.rcode() == dns.rcode.NOERROR


class BIND(RealNameServer):
    name = "bind"
    kind = RealBIND


class Knot(RealNameServer):
    name = "knot"
    kind = RealKnot


class BINDSigningInline(RealNameServer):
    """Answers and transfers come from the signed copy, which follows a moment after the zone."""

    name = "bind-inline"
    kind = SignedInlineBIND

    async def put_hosts(self, names: Iterable[str]) -> None:
        hosts = list(names)
        await super().put_hosts(hosts)
        query = dns.message.make_query(hosts[-1], "A")
        while True:
            shown = await dns.asyncquery.tcp(query, self.server.host, port=self.server.port, timeout=5)
            if shown.answer:
                return
            await asyncio.sleep(0.02)


class BINDSigningInPlace(RealNameServer):
    name = "bind-in-place"
    kind = SignedInPlaceBIND


class KnotSigning(RealNameServer):
    name = "knot-signing"
    kind = SignedKnot


SIGNING: tuple[type[Backend], ...] = (BINDSigningInline, BINDSigningInPlace, KnotSigning)

LAB: tuple[type[Backend], ...] = (
    EmulatedRoute53,
    EmulatedAzureDNS,
    EmulatedCloudDNS,
    LabNameServer,
    BIND,
    Knot,
    *SIGNING,
)


def wrong_key(key: UpdateKey) -> Secret:
    """Return a key of the same name with another secret."""
    return {**key.as_secret(), "secret": base64.b64encode(b"not-the-secret-at-all").decode()}
