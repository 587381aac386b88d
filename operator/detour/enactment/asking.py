"""Asking authoritative name servers, without recursion."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from detour.enactment.exchange import NO_ROUTE, exchange

ASK_TIMEOUT = 2.0
"""Seconds for one question to one server."""

EDNS_TIMEOUT = 1.2
"""Seconds of these after which the question is asked again, and without EDNS: firewalls drop what they don't know."""

PAYLOAD = 1232
"""Octets of an answer over UDP that pass everywhere without fragments (DNS flag day 2020)."""

NO_EDNS = (dns.rcode.FORMERR, dns.rcode.NOTIMP)
"""What servers that don't know EDNS say to it (RFC 6891 §7)."""


class NoAnswerError(Exception):
    """The server did not answer, or not with authority over the name. The text says which and how."""


class UnreachableError(NoAnswerError):
    """This host has no route to the server: nothing was asked."""


class Answer(NamedTuple):
    """The values in presentation form, none where the name or type does not exist, and the set's TTL in seconds."""

    values: tuple[str, ...] = ()
    ttl: int | None = None


Ask = Callable[[str, str, str], Awaitable[Answer]]
"""`ask(server, name, type)` gives what the server has.

`server` is `address:port` (an IPv6 address in brackets). Raises NoAnswerError, and UnreachableError where nothing can
be sent there.
"""


async def ask(server: str, name: str, rrtype: str, *, within: float = ASK_TIMEOUT, edns: bool = True) -> Answer:
    """Ask `server` over UDP, and over TCP where the answer was cut short, for `within` seconds (see `Ask`)."""
    try:
        async with asyncio.timeout(within):
            address, port = split_server(server)
            answer = await (_answer if edns else _plain_answer)(address, port, name, rrtype)
    except TimeoutError:
        raise NoAnswerError(f"{server} does not answer for {name} within {ASK_TIMEOUT:g} s") from None
    except Exception as error:  # what a stranger sends may be anything, and is no answer
        raise no_answer(error, server, name) from error
    return judged(answer, server, name, rrtype)


async def _answer(address: str, port: int, name: str, rrtype: str) -> dns.message.Message:
    query = dns.message.make_query(dns.name.from_text(name), rrtype, use_edns=0, payload=PAYLOAD)
    query.flags &= ~dns.flags.RD
    try:
        async with asyncio.timeout(EDNS_TIMEOUT):
            answer = await exchange(query, address, port)
        if answer.rcode() not in NO_EDNS:
            return answer
    except TimeoutError:
        pass
    return await _plain_answer(address, port, name, rrtype)


async def _plain_answer(address: str, port: int, name: str, rrtype: str) -> dns.message.Message:
    query = dns.message.make_query(dns.name.from_text(name), rrtype, use_edns=False)
    query.flags &= ~dns.flags.RD
    return await exchange(query, address, port)


def no_answer(error: Exception, server: str, name: str) -> NoAnswerError:
    """Return what `error` says of a server that was asked for `name`: that it does not answer, or is out of reach."""
    if isinstance(error, OSError) and error.errno in NO_ROUTE:
        return UnreachableError(f"{server} cannot be reached from here ({error.strerror or type(error).__name__})")
    return NoAnswerError(f"{server} does not answer for {name} ({type(error).__name__})")


def judged(answer: dns.message.Message, server: str, name: str, rrtype: str) -> Answer:
    """Return what `answer` says. Raises NoAnswerError where it has no authority to say it."""
    if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise NoAnswerError(f"{server} answers {dns.rcode.to_text(answer.rcode())} for {name}")
    if not answer.flags & dns.flags.AA:
        if not answer.answer and any(each.rdtype == dns.rdatatype.NS for each in answer.authority):
            raise NoAnswerError(f"{server} refers to other servers for {name}: it does not serve the zone")
        raise NoAnswerError(
            f"{server} is not the authoritative server for {name}: its answer bears no AA flag, as that of a cache or "
            "a forwarder before the server"
        )
    wanted = dns.rdatatype.from_text(rrtype)
    found = [rrset for rrset in answer.answer if rrset.rdtype == wanted and rrset.name == answer.question[0].name]
    values = tuple(sorted(rdata.to_text() for rrset in found for rdata in rrset))
    return Answer(values, found[0].ttl if found else None)


def split_server(server: str) -> tuple[str, int]:
    """Return address and port of `address:port`; the port is 53 where it is missing."""
    if server.startswith("["):
        address, _, rest = server[1:].partition("]")
        return address, int(rest[1:]) if rest.startswith(":") else 53
    if server.count(":") > 1:
        return server, 53
    address, _, port = server.partition(":")
    return address, int(port) if port else 53
