"""The two kinds of work that are measured: names that share everything, and names that share nothing."""

import math
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.message
import dns.query
import dns.rdatatype
import dns.tsig
import dns.update
import dns.zone
from services import Service, TCPService, TLSService, prepare_tls

from detour_lab.dns.realservers import RealBIND, UpdateKey

NAMESPACE = "bench"
EAST, WEST = "127.0.0.10", "127.0.0.20"
EAST_V6 = "::1"
"""The only IPv6 address that a loopback interface has by itself: so the east alone is dual stack."""

PORT, TLS_PORT = 18_500, 18_789
DOMAIN = "bench.example"
SERVICES = "svc.example"
NAMES_IN_A_ZONE = 10_000
CHECKS_PER_SECOND = 250
"""What the HTTPS checks of all names ask for together, about a quarter of what one core can do."""

SHORTEST_INTERVAL = 5
TIMEOUT, RECHECK, FALL = 2, 1, 2


@dataclass(frozen=True)
class Place:
    """A zone, its domain, and the server that has it."""

    zone: str
    domain: str
    server: RealBIND

    def addresses(self) -> list[frozenset[str]]:
        """Return what each name with addresses answers, of both families, as a transfer tells."""
        key = self.server.key
        query = dns.message.make_query(self.domain, dns.rdatatype.AXFR)
        query.use_tsig(dns.tsig.Key(key.name, key.secret, key.algorithm))
        zone = dns.zone.Zone(self.domain)
        dns.query.inbound_xfr("127.0.0.1", zone, query, port=self.server.port, lifetime=300)
        found = []
        for node in zone.nodes.values():
            sets = (each for each in node if each.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA))
            if values := frozenset(str(each) for rdataset in sets for each in rdataset):
                found.append(values)
        return found

    async def answers(self, hostname: str) -> frozenset[str]:
        """Return the addresses of one name, of both families."""
        found = set[str]()
        for kind in ("A", "AAAA"):
            query = dns.message.make_query(hostname, kind)
            answer = await dns.asyncquery.udp(query, "127.0.0.1", port=self.server.port, timeout=5)
            found |= {str(each) for rrset in answer.answer for each in rrset}
        return frozenset(found)

    def manifests(self) -> list[dict[str, Any]]:
        """Return the zone, and the Secret with its key."""
        key = f"key-{self.zone}"
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": key, "namespace": NAMESPACE},
            "stringData": self.server.key.as_secret(),
        }
        spec = {
            "domain": self.domain,
            "rfc2136": {"server": self.server.address},
            "credentialsSecretRef": {"name": key},
            "verification": {"nameServers": [self.server.address]},
        }
        zone = {
            "apiVersion": "detour.dev/v1alpha1",
            "kind": "DNSZone",
            "metadata": {"name": self.zone, "namespace": NAMESPACE},
            "spec": spec,
        }
        return [secret, zone]


class Mix(ABC):
    """A kind of work. `east` and `west` are what a name answers while its endpoint there is chosen."""

    title: str
    files: str
    """What the files with the figures begin with."""

    east: frozenset[str]
    west: frozenset[str]
    detection: float
    """Seconds within which the declared timing of the checks finds out that a place fails."""

    places: tuple[Place, ...]
    flags: tuple[str, ...]
    """What the operator is started with, beside the ordinary."""

    failing: Service
    """What breaks when the region in the east fails."""

    @abstractmethod
    async def open(self, stack: AsyncExitStack) -> None:
        """Start the servers and services, until `stack` ends."""

    def manifests(self) -> list[dict[str, Any]]:
        """Return what the records need beside their zones."""
        return []

    @abstractmethod
    def record(self, number: int) -> dict[str, Any]:
        """Return one FailoverRecord."""

    @abstractmethod
    def endpoints(self, number: int, *, swapped: bool) -> list[dict[str, Any]]:
        """Return its two endpoints, the first by priority in the east unless `swapped`."""

    @abstractmethod
    def places_of(self, number: int) -> tuple[Place, ...]:
        """Return the zones that it is published in."""


def hostname(number: int, place: Place) -> str:
    return f"r{number}.{place.domain}"


def endpoints(*, swapped: bool = False) -> list[dict[str, Any]]:
    """Return two endpoints with addresses, the first by priority in the east unless `swapped`."""
    first, second = _priorities(swapped=swapped)
    return [
        {"name": "east", "region": "aws-us-east-1", "addresses": [EAST], "priority": first},
        {"name": "west", "region": "gcp-europe-west3", "addresses": [WEST], "priority": second},
    ]


def _priorities(*, swapped: bool) -> tuple[int, int]:
    return (2, 1) if swapped else (1, 2)


def manifest(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return one FailoverRecord that goes back soon."""
    return {
        "apiVersion": "detour.dev/v1alpha1",
        "kind": "FailoverRecord",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"ttl": 30, "failback": {"holdDown": "1s"}, **spec},
    }


def shared_record(name: str, hostname: str, zone: str) -> dict[str, Any]:
    """Return a FailoverRecord of one zone that has its targets in common with all others."""
    check = {"tcp": {"port": PORT}, **_timing(SHORTEST_INTERVAL, timeout=1)}
    return manifest(
        name, {"hostname": hostname, "zones": [{"name": zone}], "endpoints": endpoints(), "healthCheck": check}
    )


def _timing(interval: int, *, timeout: int = TIMEOUT) -> dict[str, Any]:
    return {
        "interval": f"{interval}s",
        "recheckInterval": f"{RECHECK}s",
        "timeout": f"{timeout}s",
        "fall": FALL,
        "rise": FALL,
    }


class SharedTargets(Mix):
    """All records share two endpoints and their TCP checks; a name is in one zone, and a zone has 10,000 at most."""

    title = "Names that share their targets"
    files = "names"
    east, west = frozenset({EAST}), frozenset({WEST})
    detection = SHORTEST_INTERVAL + 1 + (FALL - 1) * max(RECHECK, 1)
    flags = ("--allow-networks=127.0.0.0/8",)

    def __init__(self, size: int) -> None:
        domains = [f"z{number}.{DOMAIN}" for number in range(math.ceil(size / NAMES_IN_A_ZONE))]
        self._server = RealBIND(domains[0], UpdateKey.random(), negative_ttl=30, more_domains=domains[1:])
        self.places = tuple(Place(f"z{number}", domain, self._server) for number, domain in enumerate(domains))
        self.failing = TCPService(EAST, PORT)

    async def open(self, stack: AsyncExitStack) -> None:
        await stack.enter_async_context(self._server)
        for service in (self.failing, TCPService(WEST, PORT)):
            await service.mend()
            stack.push_async_callback(service.break_)

    def record(self, number: int) -> dict[str, Any]:
        (place,) = self.places_of(number)
        return shared_record(f"r{number}", hostname(number, place), place.zone)

    def endpoints(self, number: int, *, swapped: bool) -> list[dict[str, Any]]:
        return endpoints(swapped=swapped)

    def places_of(self, number: int) -> tuple[Place, ...]:
        return (self.places[number % len(self.places)],)


class OwnTargets(Mix):
    """Each record has its own HTTPS targets: the endpoints are hostnames, one of them dual stack, and SNI and Host are
    the record's own; each name is in two zones.
    """

    title = "Names with HTTPS targets of their own"
    files = "https"
    east, west = frozenset({EAST, EAST_V6}), frozenset({WEST})

    def __init__(self, size: int) -> None:
        targets = size * len(self.east | self.west)
        self._interval = max(SHORTEST_INTERVAL, math.ceil(targets / CHECKS_PER_SECOND))
        self.detection = self._interval + TIMEOUT + (FALL - 1) * max(RECHECK, TIMEOUT)
        self._resolver = RealBIND(SERVICES, UpdateKey.random(), negative_ttl=300)
        servers = [RealBIND(DOMAIN, UpdateKey.random(), negative_ttl=30) for _ in range(2)]
        self.places = tuple(Place(f"zone-{number}", DOMAIN, each) for number, each in enumerate(servers))
        self._authority = ""

    async def open(self, stack: AsyncExitStack) -> None:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self._authority = prepare_tls(work, f"*.{DOMAIN}")
        self.failing = TLSService(work, "east", sorted(self.east), TLS_PORT)
        for service in (self.failing, TLSService(work, "west", sorted(self.west), TLS_PORT)):
            await service.mend()
            stack.push_async_callback(service.break_)
        for server in (self._resolver, *(each.server for each in self.places)):
            await stack.enter_async_context(server)
        self.flags = ("--allow-networks=127.0.0.0/8,::1/128", f"--resolver={self._resolver.address}")
        await self._name_services()

    async def _name_services(self) -> None:
        key = self._resolver.key
        update = dns.update.UpdateMessage(SERVICES, keyring=dns.tsig.Key(key.name, key.secret, key.algorithm))
        for side, addresses in (("east", self.east), ("west", self.west)):
            for address in addresses:
                update.add(f"*.{side}", 300, "AAAA" if ":" in address else "A", address)
        await dns.asyncquery.tcp(update, "127.0.0.1", port=self._resolver.port, timeout=5)

    def manifests(self) -> list[dict[str, Any]]:
        metadata = {"name": "authority", "namespace": NAMESPACE}
        return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.crt": self._authority}}]

    def record(self, number: int) -> dict[str, Any]:
        check = {"port": TLS_PORT, "caBundleRef": {"name": "authority"}}
        return manifest(
            f"r{number}",
            {
                "hostname": hostname(number, self.places[0]),
                "zones": [{"name": each.zone} for each in self.places],
                "endpoints": self.endpoints(number, swapped=False),
                "healthCheck": {"https": check, **_timing(self._interval)},
            },
        )

    def endpoints(self, number: int, *, swapped: bool) -> list[dict[str, Any]]:
        first, second = _priorities(swapped=swapped)
        name = f"n{number}"
        return [
            {"name": "east", "region": "aws-us-east-1", "hostname": f"{name}.east.{SERVICES}", "priority": first},
            {"name": "west", "region": "gcp-europe-west3", "hostname": f"{name}.west.{SERVICES}", "priority": second},
        ]

    def places_of(self, number: int) -> tuple[Place, ...]:
        return self.places


MIXES: dict[str, Callable[[int], Mix]] = {"shared": SharedTargets, "https": OwnTargets}
