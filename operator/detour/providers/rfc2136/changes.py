"""What has changed in a zone since a serial: IXFR (RFC 1995).

An answer is one of three: the present SOA alone (nothing has changed), the whole zone (the server's journal does not
reach back), or step by step what went and what came. A step that brings a ledger of ours with the values that we sent
is our own UPDATE. Pure, but for what was taken so far.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import dns.message
import dns.name
import dns.rdatatype
import dns.rdtypes.ANY.SOA
import dns.rrset

from detour.enactment.contract import UnexpectedAnswerError
from detour.providers.rfc2136.wire import IN, SIGNING_TYPES, absolute, plain_name

LONGEST = 50_000
"""Records of an answer; beyond that, reading the zone costs less."""

Text = tuple[bytes, ...]


def question_since(domain: str, serial: int) -> dns.message.QueryMessage:
    """Return the question for all changes since `serial` (RFC 1995 §3)."""
    name = absolute(domain)
    query = dns.message.make_query(name, dns.rdatatype.IXFR)
    query.flags = dns.flags.Flag(0)
    soa = dns.rdtypes.ANY.SOA.SOA(  # type: ignore[no-untyped-call]  # dnspython leaves it without types
        IN, dns.rdatatype.SOA, dns.name.root, dns.name.root, serial, 0, 0, 0, 0
    )
    query.authority.append(dns.rrset.from_rdata(name, 0, soa))
    return query


@dataclass(slots=True)
class _Step:
    """The names that one step touches, and the texts that it brings by name."""

    names: set[str] = field(default_factory=set)
    texts: dict[str, Text] = field(default_factory=dict)


class ChangesSince:
    """What came of one answer so far. `own` are the texts of ledgers that we sent, with the names written behind each.

    Once it `is_over`: `serial` is the zone's present one, and `names` are those at which others changed anything, None
    where the answer does not say; `recognised` are those of `own` that were among the changes.
    """

    def __init__(self, domain: str, since: int, server: str, own: Mapping[tuple[str, Text], Collection[str]]) -> None:
        self._apex = absolute(domain)
        self._since = since
        self._server = server
        self._own = own
        self._count = 0
        self._step: _Step | None = None
        self._is_adding = False
        self._reached = since
        self._names: set[str] = set()
        self.serial: int | None = None
        self.names: frozenset[str] | None = None
        self.recognised: list[tuple[str, Text]] = []
        self.is_over = False

    def take(self, message: dns.message.Message) -> bool:
        """Add one message, whose records are apart; True says that no more is needed. Raises UnexpectedAnswerError."""
        if not message.answer and self.serial is None:
            raise self._odd("is empty")
        for rrset in message.answer:
            if not self.is_over:
                self._count += 1
                self._take(rrset)
        if self._count == 1 and self.serial is not None and not _is_newer(self.serial, self._since):
            self.is_over = True  # the SOA alone; of a zone that went back to an earlier state it says nothing
            self.names = frozenset() if self.serial == self._since else None
        return self.is_over

    def _take(self, rrset: dns.rrset.RRset) -> None:
        soa = rrset[0] if rrset.rdtype == dns.rdatatype.SOA and rrset.name == self._apex else None
        serial = soa.serial if isinstance(soa, dns.rdtypes.ANY.SOA.SOA) else None
        if self.serial is None:
            if serial is None:
                raise self._odd("does not begin with the zone's SOA")
            self.serial = serial
        elif self._count == 2 and serial != self._since:
            self.is_over = True  # the whole zone, or changes since another serial: neither tells
        elif self._count > LONGEST:
            self.is_over = True
        elif serial is not None:
            self._turn(serial)
        elif self._step is not None and rrset.rdtype not in SIGNING_TYPES:
            self._note(self._step, rrset)

    def _turn(self, serial: int) -> None:
        """Go on from what a step takes away to what it brings, or to the next step, or to the end."""
        if self._step is not None and not self._is_adding:
            self._is_adding, self._reached = True, serial
            return
        if self._step is not None and not self._is_own(self._step):
            self._names |= self._step.names
        if self._step is not None and self._reached == self.serial:
            self.names, self.is_over = frozenset(self._names), True
            return
        if serial != self._reached:
            raise self._odd("leaves out a step")
        self._step, self._is_adding = _Step(), False

    def _note(self, step: _Step, rrset: dns.rrset.RRset) -> None:
        name = plain_name(rrset.name)
        step.names.add(name)
        if self._is_adding and rrset.rdtype == dns.rdatatype.TXT:
            step.texts[name] = tuple(rrset[0].strings)

    def _is_own(self, step: _Step) -> bool:
        for place in step.texts.items():
            if place in self._own and step.names <= {place[0], *self._own[place]}:
                self.recognised.append(place)
                return True
        return False

    def _odd(self, how: str) -> UnexpectedAnswerError:
        domain = self._apex.to_text(omit_final_dot=True)
        return UnexpectedAnswerError(f"the changes of {domain} from {self._server}: the answer {how}")


def _is_newer(serial: int, other: int) -> bool:
    """Tell whether `serial` comes after `other` (RFC 1982 §3.2)."""
    return 0 < (serial - other) % 2**32 < 2**31
