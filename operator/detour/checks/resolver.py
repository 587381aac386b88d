"""From an endpoint's hostname to addresses, with the difference between "none" and "no idea" kept.

A name that certainly has no addresses takes its endpoint down; a resolver that times out or fails says nothing about
the endpoint, and the last answer stays. Each address family has an answer of its own: where one of them is missing, the
caller keeps what it last knew of that family.
"""

import asyncio
import enum
import ipaddress
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver

from detour.model.defects import told
from detour.model.names import canonical
from detour.model.rrset import RRType

_log = logging.getLogger(__name__)

MINIMUM_TTL = 1.0
MAXIMUM_TTL = 60.0
"""Seconds between which the time until the next question is kept, whatever TTL the zone gives."""
MAXIMUM_ADDRESSES = 256
"""Addresses taken of one family, smallest first: each is checked, so a hostile name must not bring thousands."""
RETRY_AFTER_FAILURE = 5.0
DEFAULT_TIMEOUT = 5.0
DNS_PORT = 53

_SERVER = re.compile(r"(?:\[(?P<bracketed>[^]]+)\]|(?P<bare>[^]:[]+))(?::(?P<port>[0-9]{1,5}))?")


class ResolutionOutcome(enum.StrEnum):
    """NoAddresses is certain knowledge; Failed is none."""

    ANSWERED = "Answered"
    NO_ADDRESSES = "NoAddresses"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a hostname resolves to now. `addresses` are sorted, in shortest form; `ttl` (1..60 s) until asking again.

    `unanswered` names the families of which nothing was learned; the caller keeps its last addresses of those.
    `canonical_names` are the names that CNAMEs lead to, in order. `message` says what went wrong, if anything.
    """

    outcome: ResolutionOutcome
    addresses: tuple[str, ...]
    ttl: float
    unanswered: tuple[RRType, ...] = ()
    canonical_names: tuple[str, ...] = ()
    message: str = ""


def with_enough(resolution: Resolution, hostname: str, wanted: int) -> Resolution:
    """Return a resolution with fewer addresses than are wanted as one that led nowhere.

    Of a family that got no answer nothing was learned, so there may be more.
    """
    if resolution.outcome is not ResolutionOutcome.ANSWERED or len(resolution.addresses) >= wanted:
        return resolution
    if resolution.unanswered:
        return resolution
    message = too_few(hostname, len(resolution.addresses), wanted)
    return replace(resolution, outcome=ResolutionOutcome.NO_ADDRESSES, addresses=(), message=message)


def too_few(hostname: str, found: int, wanted: int) -> str:
    """Return the sentence that says so."""
    return f"{hostname} leads to {found} of at least {wanted} addresses"


@dataclass(frozen=True, slots=True)
class _FamilyAnswer:
    addresses: tuple[str, ...] = ()
    ttl: float = RETRY_AFTER_FAILURE
    canonical_names: tuple[str, ...] = ()
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Delegation:
    """The name servers that a recursive resolver knows for a domain, and whether the domain has DNSSEC keys.

    `ttl` is how long that set lives in caches from now on, in seconds.
    """

    name_servers: tuple[str, ...]
    is_signed: bool
    ttl: float = 172800.0


class Resolver:
    """Asks one recursive resolver, or the system's (`/etc/resolv.conf`; neither its search list nor `/etc/hosts`).

    `server` is `address`, `address:port` or `[address]:port`; `timeout` bounds one resolution, in seconds.
    Raises ValueError where `server` is none, or where it is None and the system names no resolver.
    """

    def __init__(self, server: str | None = None, *, timeout: float = DEFAULT_TIMEOUT) -> None:
        self._timeout = timeout
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=server is None)
        except dns.resolver.NoResolverConfiguration:
            raise ValueError("this system names no DNS resolver; give one in the operator's settings") from None
        if server is not None:
            address, self._resolver.port = parse_server(server)
            self._resolver.nameservers = [address]
        self._resolver.timeout = min(2.0, timeout / 2)  # so that one lost packet is made up for
        self._asked = server or "the system's resolver"

    async def resolve(self, hostname: str) -> Resolution:
        """Ask for A and AAAA of `hostname`, taken as absolute. Raises nothing but CancelledError."""
        answers = dict(
            zip(
                (RRType.A, RRType.AAAA),
                await asyncio.gather(self._ask(hostname, RRType.A), self._ask(hostname, RRType.AAAA)),
                strict=True,
            )
        )
        addresses = sorted(
            {address for answer in answers.values() for address in answer.addresses},
            key=lambda address: (":" in address, int(ipaddress.ip_address(address))),
        )
        unanswered = tuple(family for family, answer in answers.items() if answer.failure)
        if addresses:
            outcome = ResolutionOutcome.ANSWERED
        elif unanswered:
            outcome = ResolutionOutcome.FAILED
        else:
            outcome = ResolutionOutcome.NO_ADDRESSES
        message = "; ".join(f"{family}: {answer.failure}" for family, answer in answers.items() if answer.failure)
        if outcome is ResolutionOutcome.NO_ADDRESSES:
            message = f"{hostname} has no addresses, says {self._asked}"
        ttl = min(answer.ttl for answer in answers.values())
        return Resolution(
            outcome=outcome,
            addresses=tuple(addresses),
            ttl=min(max(ttl, MINIMUM_TTL), MAXIMUM_TTL),
            unanswered=unanswered,
            canonical_names=_in_order(name for answer in answers.values() for name in answer.canonical_names),
            message=message,
        )

    async def delegation(self, domain: str) -> "Delegation | None":
        """Return to which name servers the world is sent for `domain`, None where that could not be learned."""
        try:
            name = dns.name.from_text(domain)
            servers = await self._resolver.resolve(name, "NS", search=False, lifetime=self._timeout)
            keys = await self._resolver.resolve(
                name, "DNSKEY", raise_on_no_answer=False, search=False, lifetime=self._timeout
            )
            hosts = tuple(sorted(canonical(each.target.to_text()) for each in servers))
        except (dns.exception.DNSException, OSError):
            return None
        except Exception as error:
            _log.error("looking up the delegation of %s ended in an unforeseen %s", domain, told(error))
            return None
        ttl = float(servers.rrset.ttl) if servers.rrset is not None else 0.0
        return Delegation(hosts, is_signed=keys.rrset is not None, ttl=ttl)

    async def _ask(self, hostname: str, family: RRType) -> _FamilyAnswer:
        try:
            return await self._answer(hostname, family)
        except Exception as error:
            _log.error("asking for %s ended in an unforeseen %s", hostname, told(error))
            failure = f"asking {self._asked} for {hostname} broke on an unforeseen {type(error).__qualname__}"
            return _FamilyAnswer(failure=f"{failure}; please report it")

    async def _answer(self, hostname: str, family: RRType) -> _FamilyAnswer:
        try:
            name = dns.name.from_text(hostname)
        except (dns.exception.DNSException, ValueError):
            return _FamilyAnswer(failure=f"{hostname!r} is not a valid host name")
        try:
            return self._read(await self._response(name, family), hostname)
        except dns.exception.Timeout:
            return _FamilyAnswer(failure=f"{self._asked} did not answer for {hostname} within {self._timeout:g} s")
        except dns.resolver.NoNameservers as error:
            return _FamilyAnswer(failure=f"{self._asked} failed for {hostname}: {_cause(error)}")
        except (dns.exception.DNSException, OSError, ValueError) as error:
            return _FamilyAnswer(failure=f"asking {self._asked} for {hostname} failed: {type(error).__name__}")

    async def _response(self, name: dns.name.Name, family: RRType) -> dns.message.Message:
        try:
            answer = await self._resolver.resolve(
                name, family.value, raise_on_no_answer=False, search=False, lifetime=self._timeout
            )
        except dns.resolver.NXDOMAIN as error:
            response: dns.message.Message = error.kwargs["responses"][name]
            return response
        return answer.response

    def _read(self, response: dns.message.Message, hostname: str) -> _FamilyAnswer:
        if not isinstance(response, dns.message.QueryMessage):
            return _FamilyAnswer(failure=f"{self._asked} did not answer the question for {hostname}")
        chain = response.resolve_chaining()
        names = tuple(canonical(cname[0].target.to_text()) for cname in chain.cnames)
        if chain.answer is not None:
            addresses = sorted({ipaddress.ip_address(rdata.address) for rdata in chain.answer})[:MAXIMUM_ADDRESSES]
            return _FamilyAnswer(tuple(map(str, addresses)), float(chain.minimum_ttl), names)
        if not _is_certain(response):
            failure = f"{self._asked} does not resolve {hostname} to the end; it must be a recursive resolver"
            return _FamilyAnswer(canonical_names=names, failure=failure)
        return _FamilyAnswer((), float(chain.minimum_ttl), names)


def _is_certain(response: dns.message.QueryMessage) -> bool:
    """Tell NODATA and NXDOMAIN from a referral and from a chain that was not followed (RFC 2308 §2.1, §2.2)."""
    types = {rrset.rdtype for rrset in response.authority}
    if dns.rdatatype.SOA in types or response.rcode() == dns.rcode.NXDOMAIN:
        return True
    is_referral = dns.rdatatype.NS in types
    is_unfollowed = bool(response.answer) and not response.flags & dns.flags.RA
    return not is_referral and not is_unfollowed


def _cause(error: dns.resolver.NoNameservers) -> str:
    """Return in a few words what the last server answered."""
    errors = error.kwargs.get("errors") or []
    if not errors:
        return "no server could be asked"
    response = errors[-1][4]
    return dns.rcode.to_text(response.rcode()) if response is not None else type(errors[-1][3]).__name__


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def parse_server(text: str) -> tuple[str, int]:
    """Return address and port (53 where not given) of `address`, `address:port` or `[address]:port`.

    Raises ValueError, naming the text, where it is none of these.
    """
    form = _SERVER.fullmatch(text)
    try:
        address = str(ipaddress.ip_address((form["bracketed"] or form["bare"]) if form else text))
        port = int(form["port"] or DNS_PORT) if form else DNS_PORT
    except ValueError:
        address, port = "", 0
    if not address or not 0 < port < 2**16:
        raise ValueError(f"{text!r} is not a DNS server; write address:port, such as 192.0.2.53:53")
    return address, port
