"""A zone on any server that takes dynamic updates: BIND, Knot, PowerDNS and others.

The server is the zone's primary. What it answers is proven by UPDATEs that consist of prerequisites (`looking`), and a
transfer is begun only once the answers have caught up with what was written last: a server that signs a copy of the
zone serves that copy, a moment later.
"""

import functools
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import ParamSpec, TypeVar

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.SOA
import dns.tsig

from detour.enactment.contract import (
    Batch,
    BatchRefusedError,
    CredentialsRefusedError,
    OutcomeUnknownError,
    Pace,
    ProviderError,
    ProviderLimits,
    Secret,
    StoredSet,
    UnavailableError,
    UnexpectedAnswerError,
    ZoneContents,
    ZoneFacts,
    ZoneMissingError,
)
from detour.model.zone import RFC2136Settings
from detour.providers.contents import only_at
from detour.providers.rfc2136.keys import key_from
from detour.providers.rfc2136.messages import question, update_for
from detour.providers.rfc2136.reading import NameReader
from detour.providers.rfc2136.refusals import is_refusal, why
from detour.providers.rfc2136.server import Server
from detour.providers.rfc2136.transfer import Transfer
from detour.providers.rfc2136.wire import absolute
from detour.providers.threads import Threads

NAMES_BY_QUERY = 40
"""Up to so many names are asked for one by one; for more of them one zone transfer costs less."""

P = ParamSpec("P")
T = TypeVar("T")


def reading(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Let only the contract's errors out of a method that changes nothing: what a server sends is a stranger's."""

    @functools.wraps(method)
    async def judged(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(*args, **kwargs)
        except ProviderError:
            raise
        except Exception as error:
            raise UnexpectedAnswerError(
                f"the name server's answer is one that Detour cannot make sense of ({type(error).__name__})"
            ) from error

    return judged


class RFC2136Provider:
    """One zone at one server. TSIG-signed where there is a key."""

    def __init__(self, *, domain: str, server: Server, limits: ProviderLimits, pace: Pace) -> None:
        """Connect nowhere yet; `domain` is canonical."""
        self._domain = domain
        self._server = server
        self._limits = limits
        self._pace = pace
        self._threads = Threads(f"rfc2136 {domain}")
        self._names = NameReader(domain, server.address, ask=self._ask, missing=self._missing)
        self._written: str | None = None

    @property
    def limits(self) -> ProviderLimits:
        return self._limits

    @reading
    async def describe(self) -> ZoneFacts:
        """Ask for the zone's SOA. Raises ZoneMissingError where the server has no authority over the domain."""
        (answer,) = await self._ask([question(self._domain, "SOA")])
        soa = answer.get_rrset(answer.answer, absolute(self._domain), dns.rdataclass.IN, dns.rdatatype.SOA)
        record = soa[0] if soa else None
        if soa is None or not isinstance(record, dns.rdtypes.ANY.SOA.SOA) or not answer.flags & dns.flags.AA:
            raise self._missing(answer)
        # A resolver caches "no such name" for the smaller of the two (RFC 2308 §5).
        negative_ttl = min(record.minimum, soa.ttl)
        return ZoneFacts(f"{self._server.address}/{self._domain}", (self._server.address,), negative_ttl)

    @reading
    async def read_zone(self) -> ZoneContents:
        """Transfer the whole zone (AXFR, RFC 5936)."""
        if self._written is not None:
            await self._names.read([self._written])  # so that the answers show what we wrote last, and all before it
        await self._pace(1)
        query = question(self._domain, "AXFR")
        transfer = Transfer(absolute(self._domain), self._server.address)
        context: dns.tsig.HMACTSig | dns.tsig.GSSTSig | None = None
        first = True
        async for wire in self._server.stream(query):
            message = await self._threads.run(
                self._server.parse, wire, query, transfer=True, first=first, context=context
            )
            context, first = message.tsig_ctx, False
            if message.rcode() != dns.rcode.NOERROR:
                raise self._transfer_refused(message)
            if await self._threads.run(transfer.take, message, len(wire)):
                if query.had_tsig and not message.had_tsig:
                    raise UnexpectedAnswerError(f"{self._server.address} left the end of the transfer unsigned")
                return await self._threads.run(transfer.contents)
        raise AssertionError("a stream ends only by an error")

    @reading
    async def read_names(self, names: Collection[str]) -> ZoneContents:
        """Ask for what matters at each name and prove it; many names are read by a transfer."""
        if len(names) > NAMES_BY_QUERY:
            return only_at(names, await self.read_zone())
        return await self._names.read(names)

    async def apply(self, batch: Batch) -> ZoneContents:
        """Send the whole batch as one UPDATE."""
        message, wire = await self._composed(batch)
        await self._pace(1)
        self._written = batch.ledger.key.name
        try:
            answer = await self._server.write(wire, message, lost=OutcomeUnknownError)
        except ProviderError:
            raise
        except Exception as error:
            raise OutcomeUnknownError(f"what came after the update makes no sense ({type(error).__name__})") from error
        code = answer.rcode()
        if code == dns.rcode.NOTAUTH:
            raise self._missing(answer)
        if is_refusal(code):
            text = dns.rcode.to_text(code)
            raise BatchRefusedError(f"{self._server.address} refused the update ({text}): {why(code, batch)}")
        if code != dns.rcode.NOERROR:
            text = dns.rcode.to_text(code)
            raise OutcomeUnknownError(f"{self._server.address} failed at the update ({text}): see its log")
        new = [change.new for change in (batch.ledger, *batch.changes) if change.new is not None]
        return ZoneContents({rrset.key: StoredSet(rrset) for rrset in new})

    @reading
    async def _composed(self, batch: Batch) -> tuple[dns.message.Message, bytes]:
        """Return the UPDATE and its signed octets; nothing is sent yet."""
        message = update_for(self._domain, batch)
        try:
            return message, await self._threads.run(self._server.sign, message)
        except dns.exception.TooBig:
            raise BatchRefusedError("the batch is longer than a DNS message can be (65,535 octets): split it") from None

    async def close(self) -> None:
        """Release the threads; connections last for one exchange only."""
        self._threads.close()
        self._server.close()

    async def _ask(self, messages: Sequence[dns.message.Message]) -> list[dns.message.Message]:
        await self._pace(len(messages))
        return await self._server.ask(messages)

    def _missing(self, answer: dns.message.Message) -> ZoneMissingError | UnavailableError:
        code = answer.rcode()
        if code == dns.rcode.SERVFAIL:
            return UnavailableError(
                f"{self._server.address} has trouble with the zone {self._domain} (SERVFAIL): see its log"
            )
        how = "without authority" if code == dns.rcode.NOERROR else dns.rcode.to_text(code)
        return ZoneMissingError(
            f"{self._server.address} does not answer for the zone {self._domain} ({how}): it must be "
            "the zone's primary and let us read it, with the key that we use"
        )

    def _transfer_refused(self, answer: dns.message.Message) -> ProviderError:
        if answer.rcode() == dns.rcode.REFUSED:
            return CredentialsRefusedError(
                f"{self._server.address} refuses to transfer {self._domain}: allow AXFR to the key that Detour uses"
            )
        return self._missing(answer)


async def open_zone(
    *, domain: str, settings: RFC2136Settings, secret: Secret | None, limits: ProviderLimits, pace: Pace
) -> RFC2136Provider:
    """Return the provider of `domain` at `settings.server`.

    Raises CredentialsRefusedError where the Secret holds no usable TSIG key, ZoneMissingError where the server's
    address is malformed.
    """
    key = key_from(secret)
    try:
        server = Server(settings.server, key)
    except ValueError as error:
        raise ZoneMissingError(str(error)) from None
    return RFC2136Provider(domain=domain, server=server, limits=limits, pace=pace)
