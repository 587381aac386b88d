"""A zone on any server that takes dynamic updates: BIND, Knot, PowerDNS and others.

The server is the zone's primary. What it answers is proven by UPDATEs that consist of prerequisites (`looking`), and a
transfer is begun only once the answers have caught up with what was written last: a server that signs a copy of the
zone serves that copy, a moment later.
"""

import asyncio
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
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
    ChangedNames,
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
from detour.providers.presentation import character_strings
from detour.providers.rfc2136.changes import ChangesSince, Text, question_since
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

NO_CHANGES_KEPT = (dns.rcode.REFUSED, dns.rcode.NOTIMP, dns.rcode.FORMERR)
"""What a server says to IXFR that does not know it, or does not let us have it; a transfer it does."""

SERIAL_MOVES_WITHIN = 5.0
"""Seconds from a write to another serial: a server that signs a copy of the zone takes well below one."""

OWN_REMEMBERED = 256
"""Batches of ours that are known again among the zone's changes."""

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
        self._own: dict[tuple[str, Text], frozenset[str]] = {}  # ledgers that were sent, and the names behind each
        self._serials_seen = 0
        self._moved_at: float | None = None  # since when the serial must be another one than that seen last

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
        sent_before = set(self._own)
        transfer = Transfer(absolute(self._domain), self._server.address)
        async with aclosing(self._transferred(question(self._domain, "AXFR"))) as messages:
            async for message, octets in messages:
                if message.rcode() != dns.rcode.NOERROR:
                    raise self._transfer_refused(message)
                if await self._threads.run(transfer.take, message, octets):
                    if self._server.signs and not message.had_tsig:
                        raise UnexpectedAnswerError(f"{self._server.address} left the end of the transfer unsigned")
                    self._see_serial()
                    self._own = {each: names for each, names in self._own.items() if each not in sent_before}
                    return await self._threads.run(transfer.contents)
        raise AssertionError("a stream ends only by an error")

    @reading
    async def changed_since(self, mark: str) -> ChangedNames | None:
        """Ask for what has changed since a serial (IXFR, RFC 1995).

        None where the server does not keep that, or its serial does not move with every change of ours.
        """
        await self._pace(1)
        changes = ChangesSince(self._domain, int(mark), self._server.address, self._own)
        async with aclosing(self._transferred(question_since(self._domain, int(mark)), apart=True)) as messages:
            async for message, _ in messages:
                if message.rcode() in NO_CHANGES_KEPT:
                    return None
                if await self._threads.run(changes.take, message):
                    break
        if changes.names is not None and self._server.signs and not message.had_tsig:
            raise UnexpectedAnswerError(f"{self._server.address} left the end of what has changed unsigned")
        for each in changes.recognised:
            self._own.pop(each, None)
        if changes.serial == int(mark):
            return None if self._is_overdue() else ChangedNames(mark, frozenset())
        self._see_serial()
        return ChangedNames(str(changes.serial), changes.names)

    def _see_serial(self) -> None:
        self._serials_seen += 1
        self._moved_at = None

    def _is_overdue(self) -> bool:
        """Tell whether the serial should have moved by a write of ours, and has not: it tells nothing here."""
        return self._moved_at is not None and asyncio.get_running_loop().time() > self._moved_at + SERIAL_MOVES_WITHIN

    async def _transferred(
        self, query: dns.message.QueryMessage, *, apart: bool = False
    ) -> AsyncGenerator[tuple[dns.message.Message, int]]:
        """Give each message of a transfer, its signature verified, and its length in octets."""
        context: dns.tsig.HMACTSig | dns.tsig.GSSTSig | None = None
        first = True
        async with aclosing(self._server.stream(query)) as wires:
            async for wire in wires:
                message = await self._threads.run(
                    self._server.parse, wire, query, transfer=True, apart=apart, first=first, context=context
                )
                context, first = message.tsig_ctx, False
                yield message, len(wire)

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
        self._remember(batch)
        serials_seen = self._serials_seen
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
        if serials_seen == self._serials_seen and self._moved_at is None:
            self._moved_at = asyncio.get_running_loop().time()
        new = [change.new for change in (batch.ledger, *batch.changes) if change.new is not None]
        return ZoneContents({rrset.key: StoredSet(rrset) for rrset in new})

    def _remember(self, batch: Batch) -> None:
        """Know the batch again where it shows among the zone's changes."""
        while len(self._own) >= OWN_REMEMBERED:
            del self._own[next(iter(self._own))]
        if batch.ledger.new is not None:
            text = tuple(character_strings(batch.ledger.new.values[0]))
            self._own[batch.ledger.key.name, text] = frozenset(each.key.name for each in batch.changes)

    @reading
    async def _composed(self, batch: Batch) -> tuple[dns.message.Message, bytes]:
        """Return the UPDATE and its signed octets; nothing is sent yet."""
        try:
            return await self._threads.run(self._signed, batch)
        except dns.exception.TooBig:
            raise BatchRefusedError("the batch is longer than a DNS message can be (65,535 octets): split it") from None

    def _signed(self, batch: Batch) -> tuple[dns.message.Message, bytes]:
        message = update_for(self._domain, batch)
        return message, self._server.sign(message)

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
