"""What the answers to some questions say of one name, and the prerequisites that prove it. Pure.

Answers alone do not tell what a zone holds. A missing name under a wildcard is answered with the wildcard's data, a
name below a delegation with a referral, one below a DNAME with an alias made up for it; and a server that signs a copy
of the zone (BIND's inline-signing), or that passes updates on to another, answers from what stood there a moment ago.
So what was answered counts once an UPDATE that consists of prerequisites says the same of the zone itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataset
import dns.rdatatype
import dns.update

from detour.model.rrset import RRType
from detour.providers.rfc2136.wire import FoundSets, absolute, add_found, plain_name

NS, DNAME = dns.rdatatype.NS, dns.rdatatype.DNAME

SHADOWING = (NS, DNAME)
"""Types that take a name, or what lies below it, out of the zone's own answers."""

DATA_TYPES = tuple(dns.rdatatype.from_text(each) for each in RRType)

READ_TYPES = (*DATA_TYPES, *SHADOWING)
"""The types that are asked for at each name."""


class NoLookError(Exception):
    """An answer that says nothing of the name; `answer` is the one."""

    def __init__(self, answer: dns.message.Message) -> None:
        super().__init__("an answer without authority")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Look:
    """What was answered for one name.

    `shadow` is the delegation at or above it, or the DNAME above it, for which nothing else of it can be asked.
    """

    name: dns.name.Name
    found: FoundSets = field(default_factory=dict)
    shadow: tuple[dns.name.Name, dns.rdatatype.RdataType] | None = None

    def demand(self, update: dns.update.UpdateMessage) -> None:
        """Add to `update` the prerequisites that hold where the zone is as this look says."""
        if self.shadow is not None:
            update.present(*self.shadow)
            return
        for rrtype in READ_TYPES:
            rdataset = self.found.get((self.name, rrtype))
            if rdataset is None:
                update.absent(self.name, rrtype)
            elif rrtype in SHADOWING:
                update.present(self.name, rrtype)
            else:
                update.present(self.name, _without_ttl(rdataset))

    def without(self, ghosts: Sequence[dns.rdatatype.RdataType]) -> "Look":
        """Return the look without sets of these types, which a wildcard answered with."""
        return replace(self, found={key: each for key, each in self.found.items() if key[1] not in ghosts})

    def read_types(self, domain: dns.name.Name) -> dict[str, frozenset[str]]:
        """Return which types were read, at the name and above it."""
        if self.shadow is not None:
            name, rrtype = self.shadow
            return {plain_name(self.name): frozenset(), plain_name(name): frozenset({dns.rdatatype.to_text(rrtype)})}
        above = {each: frozenset(map(dns.rdatatype.to_text, SHADOWING)) for each in _between(self.name, domain)}
        if self.name != domain:
            above[plain_name(domain)] = frozenset({dns.rdatatype.to_text(DNAME)})  # an apex has NS sets in any case
        return {**above, plain_name(self.name): frozenset(map(dns.rdatatype.to_text, READ_TYPES))}


def look_of(name: str, domain: dns.name.Name, answers: Sequence[dns.message.Message]) -> Look:
    """Return what `answers`, one for each of READ_TYPES, say of `name`. Raises NoLookError."""
    look = Look(absolute(name))
    for answer in answers:
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise NoLookError(answer)
        shadow = _shadow(look.name, domain, answer)
        if shadow is not None:
            return Look(look.name, shadow=shadow)
        if not answer.flags & dns.flags.AA:
            raise NoLookError(answer)
        for rrset in answer.answer:
            if rrset.name == look.name and rrset.rdtype in READ_TYPES:
                add_found(rrset, look.found)
    return look


def _shadow(
    name: dns.name.Name, domain: dns.name.Name, answer: dns.message.Message
) -> tuple[dns.name.Name, dns.rdatatype.RdataType] | None:
    """Return what the answer says to stand at or above `name` in its place."""
    for rrset in answer.answer:
        if rrset.rdtype == DNAME and rrset.name != name and _holds(rrset.name, name) and _holds(domain, rrset.name):
            return rrset.name, DNAME
    if answer.flags & dns.flags.AA or answer.answer:
        return None
    for rrset in answer.authority:
        below_apex = rrset.name != domain and _holds(domain, rrset.name)
        if rrset.rdtype == NS and below_apex and _holds(rrset.name, name):
            return rrset.name, NS
    return None


def _holds(above: dns.name.Name, name: dns.name.Name) -> bool:
    return name.is_subdomain(above)


def _between(name: dns.name.Name, domain: dns.name.Name) -> list[str]:
    """Return the names above `name` and below `domain`."""
    between: list[str] = []
    while name != domain and (name := name.parent()) != domain:
        between.append(plain_name(name))
    return between


def _without_ttl(rdataset: dns.rdataset.Rdataset) -> dns.rdataset.Rdataset:
    bare = dns.rdataset.Rdataset(rdataset.rdclass, rdataset.rdtype)
    for rdata in rdataset:
        bare.add(rdata, 0)
    return bare
