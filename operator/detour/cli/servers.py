"""What the authoritative name servers of a record's zones answer for its name, asked from here."""

import asyncio
from collections.abc import Mapping

import dns.asyncresolver
import dns.exception

from detour.cli.explain import Served
from detour.cli.told import Told, mapping, words
from detour.enactment.asking import Answer, NoAnswerError, ask, split_server

PORT = 53
MOST_SERVERS = 8
"""Servers of a zone that are asked."""

LOOK_UP_TIMEOUT = 2.0
"""Seconds for the address of a name server."""


async def answers_of(record: Told, zones: Mapping[str, Told], resolver: str | None) -> tuple[Served, ...]:
    """Ask the name servers of all zones of a record. `resolver` (`address:port`) looks their names up."""
    hostname = str(record.spec.get("hostname", "")).replace("*", "any", 1)
    types = ("CNAME",) if record.spec.get("publish") == "CNAME" else ("A", "AAAA")
    asked = [
        _asked(name, server, hostname, types, resolver)
        for name, zone in zones.items()
        for server in _servers(zone)[:MOST_SERVERS]
    ]
    return tuple(await asyncio.gather(*asked))


def _servers(zone: Told) -> list[str]:
    """Return the servers that the operator looks at, too: those that are declared, else the provider's."""
    declared = words(mapping(zone.spec.get("verification")).get("nameServers"))
    return declared or words(zone.status.get("nameServers"))


async def _asked(zone: str, server: str, hostname: str, types: tuple[str, ...], resolver: str | None) -> Served:
    try:
        address = await _address(server, resolver)
        found: list[Answer] = await asyncio.gather(*(ask(address, hostname, each) for each in types))
    except NoAnswerError as error:
        return Served(zone, server, trouble=str(error))
    except (dns.exception.DNSException, OSError) as error:
        return Served(zone, server, trouble=f"its address cannot be found ({type(error).__name__})")
    ttl = next((each.ttl for each in found if each.ttl is not None), None)
    return Served(zone, server, tuple(sorted(value for each in found for value in each.values)), ttl)


async def _address(server: str, resolver: str | None) -> str:
    """Return address and port of a name server."""
    try:
        host, port = split_server(server)
    except ValueError:
        host, port = server, PORT
    if host.replace(".", "").isdigit() or ":" in host:
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    asking = dns.asyncresolver.Resolver(configure=resolver is None)
    if resolver is not None:
        place, resolver_port = split_server(resolver)
        asking.nameservers, asking.port = [place], resolver_port
    found = await asking.resolve(host, "A", lifetime=LOOK_UP_TIMEOUT)
    return f"{next(iter(found)).to_text()}:{port}"
