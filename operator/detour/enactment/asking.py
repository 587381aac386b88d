"""Asking authoritative name servers, without recursion."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

ASK_TIMEOUT = 2.0
"""Seconds for one question to one server."""


class NoAnswerError(Exception):
    """The server did not answer, or not with authority over the name. The text says which and how."""


class Answer(NamedTuple):
    """The values in presentation form, none where the name or type does not exist, and the set's TTL in seconds."""

    values: tuple[str, ...] = ()
    ttl: int | None = None


Ask = Callable[[str, str, str], Awaitable[Answer]]
"""`ask(server, name, type)` gives what the server has.

`server` is `address:port` (an IPv6 address in brackets). Raises NoAnswerError.
"""


async def ask(server: str, name: str, rrtype: str) -> Answer:
    """Ask `server` over UDP, and over TCP where the answer was cut short (see `Ask`)."""
    address, port = split_server(server)
    query = dns.message.make_query(dns.name.from_text(name), rrtype, use_edns=0, payload=1232)
    query.flags &= ~dns.flags.RD
    try:
        answer, _ = await dns.asyncquery.udp_with_fallback(query, address, timeout=ASK_TIMEOUT, port=port)
    except (dns.exception.DNSException, OSError, EOFError) as error:
        raise NoAnswerError(f"{server} does not answer for {name} ({type(error).__name__})") from error
    if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise NoAnswerError(f"{server} answers {dns.rcode.to_text(answer.rcode())} for {name}")
    wanted = dns.rdatatype.from_text(rrtype)
    found = [rrset for rrset in answer.answer if rrset.rdtype == wanted and rrset.name == query.question[0].name]
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
