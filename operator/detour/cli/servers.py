"""What name servers and resolvers say, asked from here: of a record's name, and of a zone as a whole."""

import asyncio
from collections.abc import Mapping

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.rdatatype

from detour.cli.diagnosis import ServerSeen, ZoneSeen
from detour.cli.explain import Served
from detour.cli.told import Told, mapping, words
from detour.enactment.asking import PAYLOAD, Answer, NoAnswerError, ask, split_server

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
    found = await _asking(resolver).resolve(host, "A", lifetime=LOOK_UP_TIMEOUT)
    return f"{next(iter(found)).to_text()}:{port}"


async def looked_at(zone: Told, resolver: str | None) -> ZoneSeen:
    """Ask a zone's servers and the resolver for what keeps answers from being found or believed."""
    domain = str(zone.spec.get("domain", ""))
    servers = _servers(zone)[:MOST_SERVERS]
    seen = await asyncio.gather(*(_soa(each, domain, resolver) for each in servers))
    keys, parent_ns, ds, is_signed = await asyncio.gather(
        _first_answer(servers, domain, "DNSKEY", resolver),
        _resolved(domain, "NS", resolver),
        _resolved(domain, "DS", resolver),
        _is_signed(domain, resolver),
    )
    hosts = frozenset(each.rstrip(".").lower() for each in parent_ns) if parent_ns is not None else None
    return ZoneSeen(tuple(seen), hosts, ds, keys, is_signed)


async def _soa(server: str, domain: str, resolver: str | None) -> ServerSeen:
    try:
        answer = await ask(await _address(server, resolver), domain, "SOA")
    except NoAnswerError as error:
        return ServerSeen(server, trouble=str(error))
    except (dns.exception.DNSException, OSError) as error:
        return ServerSeen(server, trouble=f"the address of {server} cannot be found ({type(error).__name__})")
    return ServerSeen(server, soa=answer.values[0] if answer.values else "none")


async def _first_answer(servers: list[str], domain: str, rrtype: str, resolver: str | None) -> tuple[str, ...] | None:
    """Return what the first server that answers has, None where none does."""
    for server in servers:
        try:
            return (await ask(await _address(server, resolver), domain, rrtype)).values
        except (NoAnswerError, dns.exception.DNSException, OSError):
            continue
    return None


def _asking(resolver: str | None) -> dns.asyncresolver.Resolver:
    asking = dns.asyncresolver.Resolver(configure=resolver is None)
    if resolver is not None:
        place, port = split_server(resolver)
        asking.nameservers, asking.port = [place], port
    return asking


async def _resolved(domain: str, rrtype: str, resolver: str | None) -> tuple[str, ...] | None:
    """Return what the resolver finds, None where it cannot tell."""
    try:
        found = await _asking(resolver).resolve(domain, rrtype, raise_on_no_answer=False, lifetime=LOOK_UP_TIMEOUT)
    except (dns.exception.DNSException, OSError):
        return None
    return tuple(each.to_text() for each in found.rrset) if found.rrset is not None else ()


async def _is_signed(domain: str, resolver: str | None) -> bool | None:
    """Tell whether answers of a zone come with signatures, by its SOA; None where that cannot be found out."""
    asking = _asking(resolver)
    asking.use_edns(0, dns.flags.DO, PAYLOAD)
    try:
        found = await asking.resolve(domain, "SOA", lifetime=LOOK_UP_TIMEOUT)
    except (dns.exception.DNSException, OSError):
        return None
    return any(each.rdtype == dns.rdatatype.RRSIG for each in found.response.answer)
