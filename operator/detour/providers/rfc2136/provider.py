"""A zone on any server that takes dynamic updates: BIND, Knot, PowerDNS and others.

The server is the zone's primary: what it answers without recursion is what is stored, but for one thing. A missing
name under a wildcard is answered with the wildcard's data, so what a query found counts only after an UPDATE that
consists of prerequisites alone has confirmed that it exists.
"""

from collections.abc import Collection, Iterable, Sequence

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rdtypes.ANY.SOA
import dns.rrset
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
    ZoneContents,
    ZoneFacts,
    ZoneMissingError,
)
from detour.model.rrset import RRType
from detour.model.zone import RFC2136Settings
from detour.providers.contents import only_at
from detour.providers.rfc2136.keys import key_from
from detour.providers.rfc2136.messages import FoundSets, absolute, contents_of, existence_of, update_for
from detour.providers.rfc2136.server import Server
from detour.providers.threads import Threads

NAMES_BY_QUERY = 40
"""Up to so many names are asked for one by one; for more of them one zone transfer costs less."""

REFUSALS = {
    dns.rcode.NXRRSET: "a set does not have the values that it was expected to have",
    dns.rcode.YXRRSET: "a set that was to be created exists",
    dns.rcode.YXDOMAIN: "a name that was to be created exists",
    dns.rcode.NXDOMAIN: "a name that was expected does not exist",
    dns.rcode.REFUSED: "the server's policy does not let this key change one of these names: see its update policy",
    dns.rcode.NOTZONE: "a name lies outside of the zone",
    dns.rcode.NOTIMP: "the server does not take dynamic updates: allow them for this zone",
}


class RFC2136Provider:
    """One zone at one server. TSIG-signed where there is a key."""

    def __init__(self, *, domain: str, server: Server, limits: ProviderLimits, pace: Pace) -> None:
        """Connect nowhere yet; `domain` is canonical."""
        self._domain = domain
        self._server = server
        self._limits = limits
        self._pace = pace
        self._threads = Threads(f"rfc2136 {domain}")

    @property
    def limits(self) -> ProviderLimits:
        return self._limits

    async def describe(self) -> ZoneFacts:
        """Ask for the zone's SOA. Raises ZoneMissingError where the server has no authority over the domain."""
        (answer,) = await self._ask([_query(self._domain, "SOA")])
        soa = answer.get_rrset(answer.answer, absolute(self._domain), dns.rdataclass.IN, dns.rdatatype.SOA)
        if answer.rcode() == dns.rcode.SERVFAIL:
            raise UnavailableError(
                f"{self._server.address} has trouble with the zone {self._domain} (SERVFAIL): see its log"
            )
        if soa is None or not answer.flags & dns.flags.AA:
            raise self._missing(answer)
        record = soa[0]
        assert isinstance(record, dns.rdtypes.ANY.SOA.SOA)  # noqa: S101 - the RRset was asked for by this type
        # A resolver caches "no such name" for the smaller of the two (RFC 2308 §5).
        return ZoneFacts(self._domain, (self._server.address,), min(record.minimum, soa.ttl))

    async def read_zone(self) -> ZoneContents:
        """Transfer the whole zone (AXFR, RFC 5936)."""
        await self._pace(1)
        query = dns.message.make_query(absolute(self._domain), dns.rdatatype.AXFR)
        query.flags = dns.flags.Flag(0)
        found: FoundSets = {}
        context: dns.tsig.HMACTSig | dns.tsig.GSSTSig | None = None
        ends = 0
        async for wire in self._server.stream(query):
            message = await self._threads.run(self._server.parse, wire, query, transfer=True, context=context)
            context = message.tsig_ctx
            if message.rcode() != dns.rcode.NOERROR:
                raise self._transfer_refused(message)
            ends += await self._threads.run(_gather, message.answer, found)
            if ends >= 2:  # the SOA opens and closes a transfer (RFC 5936 §2.2)
                if query.had_tsig and not message.had_tsig:
                    raise UnavailableError(f"{self._server.address} left the end of the transfer unsigned")
                return await self._threads.run(contents_of, found)
        raise AssertionError("a stream ends only by an error")

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        """Ask for every type at each name and confirm what was found; many names are read by a transfer."""
        if len(names) > NAMES_BY_QUERY:
            return only_at(names, await self.read_zone())
        answers = await self._ask([_query(name, rrtype) for name in names for rrtype in RRType])
        found: FoundSets = {}
        for answer in answers:
            if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                raise self._missing(answer)
            at_name = [each for each in answer.answer if each.name == answer.question[0].name]
            _gather(at_name if answer.flags & dns.flags.AA else (), found)
        contents = contents_of(found)
        proven = await self._existing(list(contents.sets.values()))
        return ZoneContents({each.rrset.key: each for each in proven}, contents.opaque)

    async def _existing(self, sets: Sequence[StoredSet]) -> Sequence[StoredSet]:
        """Return those of `sets` that the zone really holds, and doesn't merely answer with from a wildcard."""
        if not sets or await self._confirm([sets]) == [True]:
            return sets
        confirmed = await self._confirm([[each] for each in sets])
        return [each for each, exists in zip(sets, confirmed, strict=True) if exists]

    async def _confirm(self, groups: Sequence[Sequence[StoredSet]]) -> list[bool]:
        answers = await self._ask([existence_of(self._domain, [each.rrset.key for each in group]) for group in groups])
        for answer in answers:
            code = answer.rcode()
            if code in (dns.rcode.NOTAUTH, dns.rcode.SERVFAIL):
                raise self._missing(answer)
            if code not in (dns.rcode.NOERROR, dns.rcode.NXRRSET, dns.rcode.NXDOMAIN):
                raise CredentialsRefusedError(
                    f"{self._server.address} does not say what exists in {self._domain} ({dns.rcode.to_text(code)}): "
                    "the key must be allowed to update the zone"
                )
        return [answer.rcode() == dns.rcode.NOERROR for answer in answers]

    async def apply(self, batch: Batch) -> ZoneContents:
        """Send the whole batch as one UPDATE."""
        message = update_for(self._domain, batch)
        try:
            wire = await self._threads.run(self._server.sign, message)
        except dns.exception.TooBig:
            raise BatchRefusedError("the batch is longer than a DNS message can be (65,535 octets): split it") from None
        await self._pace(1)
        answer = await self._server.exchange(wire, message, lost=OutcomeUnknownError)
        code = answer.rcode()
        if code == dns.rcode.NOTAUTH:
            raise self._missing(answer)
        if code == dns.rcode.SERVFAIL:
            raise OutcomeUnknownError(f"{self._server.address} failed at the update (SERVFAIL): see its log")
        if code != dns.rcode.NOERROR:
            text = dns.rcode.to_text(code)
            raise BatchRefusedError(
                f"{self._server.address} refused the update ({text}): {REFUSALS.get(code, 'see its log')}"
            )
        new = [change.new for change in (batch.ledger, *batch.changes) if change.new is not None]
        return ZoneContents({rrset.key: StoredSet(rrset) for rrset in new})

    async def close(self) -> None:
        """Release the threads; connections last for one exchange only."""
        self._threads.close()

    async def _ask(self, messages: Sequence[dns.message.Message]) -> list[dns.message.Message]:
        await self._pace(len(messages))
        return await self._server.ask(messages, lost=UnavailableError)

    def _missing(self, answer: dns.message.Message) -> ZoneMissingError | UnavailableError:
        code = dns.rcode.to_text(answer.rcode())
        if answer.rcode() == dns.rcode.SERVFAIL:
            return UnavailableError(
                f"{self._server.address} has trouble with the zone {self._domain} ({code}): see its log"
            )
        return ZoneMissingError(
            f"{self._server.address} does not answer for the zone {self._domain} ({code}): it must be "
            "the zone's primary and let us read it, with the key that we use"
        )

    def _transfer_refused(self, answer: dns.message.Message) -> ProviderError:
        if answer.rcode() == dns.rcode.REFUSED:
            return CredentialsRefusedError(
                f"{self._server.address} refuses to transfer {self._domain}: allow AXFR to the key that Detour uses"
            )
        return self._missing(answer)


def _query(name: str, rrtype: str) -> dns.message.QueryMessage:
    message = dns.message.make_query(absolute(name), rrtype)
    message.flags = dns.flags.Flag(0)  # without recursion: what this server itself holds
    return message


def _gather(rrsets: Iterable[dns.rrset.RRset], found: FoundSets) -> int:
    """Add `rrsets` to `found`, joining sets that a transfer cut in two; return how many SOA sets went by."""
    starts = 0
    for rrset in rrsets:
        starts += rrset.rdtype == dns.rdatatype.SOA
        held = found.setdefault((rrset.name, rrset.rdtype), dns.rdataset.Rdataset(rrset.rdclass, rrset.rdtype))
        for rdata in rrset:
            held.add(rdata, rrset.ttl)
    return starts


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
