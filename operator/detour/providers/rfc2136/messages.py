"""A batch as one UPDATE message, and RRsets as they travel.

RFC 2136 applies an UPDATE whole or not at all, and only if every prerequisite holds. "This RRset exists with exactly
these values" (§2.4.2) is compare-and-swap for a set that is replaced or deleted; its TTL isn't part of the comparison
and must be 0 in the message. A set that is created must not exist (§2.4.3). Servers pass silently over an address
added beside a CNAME and over a CNAME added beside anything (§3.4.2.2), so both creations say so in prerequisites:
no CNAME at the address's name, nothing at all at the CNAME's (§2.4.5).
"""

import json
from collections.abc import Callable, Iterable, Mapping

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rdtypes.ANY.CNAME
import dns.rdtypes.ANY.TXT
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.update

from detour.enactment.contract import Batch, Change, OpaqueSet, StoredSet, ZoneContents
from detour.model.names import canonical
from detour.model.rrset import RRKey, RRset, RRType
from detour.providers.contents import gathered
from detour.providers.presentation import WRITTEN_TYPES, character_strings

IN = dns.rdataclass.IN

SIGNING_TYPES = frozenset({dns.rdatatype.RRSIG, dns.rdatatype.NSEC, dns.rdatatype.NSEC3})
"""Sets that a signing server makes by itself for others: not data of the zone's owner."""

# Built directly: going through zone-file text takes four times as long, which counts at 10,000 sets.
MAKERS: Mapping[RRType, Callable[..., dns.rdata.Rdata]] = {
    RRType.A: dns.rdtypes.IN.A.A,
    RRType.AAAA: dns.rdtypes.IN.AAAA.AAAA,
    RRType.CNAME: dns.rdtypes.ANY.CNAME.CNAME,
    RRType.TXT: dns.rdtypes.ANY.TXT.TXT,
}

FoundSets = dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rdataset.Rdataset]


def absolute(name: str) -> dns.name.Name:
    """Return canonical `name` as the wire has it."""
    return dns.name.from_text(name + ".")


def update_for(domain: str, batch: Batch) -> dns.update.UpdateMessage:
    """Return the UPDATE that applies `batch` to the zone `domain`, all of it or nothing."""
    message = dns.update.UpdateMessage(absolute(domain))
    changes = sorted((batch.ledger, *batch.changes), key=lambda change: change.new is not None)
    leaving = {change.key for change in changes if change.new is None}
    for change in changes:
        _add_change(message, change, leaving)
    return message


def _add_change(message: dns.update.UpdateMessage, change: Change, leaving: Iterable[RRKey]) -> None:
    name, rrtype = absolute(change.key.name), change.key.type
    if change.old is not None:
        message.present(name, _rdataset(change.old.rrset, 0, _strings(change.old)))
        message.delete(name, rrtype.value)
    elif rrtype is RRType.CNAME:
        message.absent(name)
    else:
        message.absent(name, rrtype.value)
        if RRKey(change.key.name, RRType.CNAME) not in leaving:
            message.absent(name, RRType.CNAME.value)
    if change.new is not None:
        message.add(name, _rdataset(change.new, change.new.ttl, {}))


def existence_of(domain: str, keys: Iterable[RRKey]) -> dns.update.UpdateMessage:
    """Return an UPDATE that changes nothing and succeeds only where all of `keys` exist with any values (§2.4.1).

    Values would make it fail where a set was changed since it was asked for, as ledgers are all the time.
    """
    message = dns.update.UpdateMessage(absolute(domain))
    for key in keys:
        message.present(absolute(key.name), key.type.value)
    return message


def contents_of(found: FoundSets) -> ZoneContents:
    """Return what was found on the wire in Detour's terms."""
    return gathered(
        _in_words(canonical(name.to_text()), dns.rdatatype.to_text(rrtype), rdataset)
        for (name, rrtype), rdataset in found.items()
        if rrtype not in SIGNING_TYPES
    )


def _in_words(name: str, rrtype: str, rdataset: dns.rdataset.Rdataset) -> StoredSet | OpaqueSet:
    if rrtype not in WRITTEN_TYPES:
        return OpaqueSet(name, rrtype)
    spellings: dict[str, list[bytes]] = {}
    try:
        for rdata in rdataset:
            if isinstance(rdata, dns.rdtypes.ANY.TXT.TXT):
                spellings[b"".join(rdata.strings).decode()] = list(rdata.strings)
        values = tuple(spellings) or tuple(rdata.to_text() for rdata in rdataset)
        if len(values) < len(rdataset):
            return OpaqueSet(name, rrtype, "the same text in two spellings")
        rrset = RRset(name, RRType(rrtype), rdataset.ttl, values)
    except ValueError as error:
        return OpaqueSet(name, rrtype, f"Detour cannot read its values: {error}")
    if all(strings == character_strings(text) for text, strings in spellings.items()):
        return StoredSet(rrset)
    return StoredSet(rrset, json.dumps({text: [each.hex() for each in strings] for text, strings in spellings.items()}))


def _strings(stored: StoredSet) -> dict[str, list[bytes]]:
    """Return how the texts of a TXT set were split, where that was not Detour's way."""
    if stored.version is None:
        return {}
    return {text: [bytes.fromhex(each) for each in strings] for text, strings in json.loads(stored.version).items()}


def _rdataset(rrset: RRset, ttl: int, spelled: dict[str, list[bytes]]) -> dns.rdataset.Rdataset:
    rdataset = dns.rdataset.Rdataset(IN, dns.rdatatype.from_text(rrset.type))
    for value in rrset.values:
        rdataset.add(_rdata(rrset.type, value, spelled), ttl)
    return rdataset


def _rdata(rrtype: RRType, value: str, spelled: dict[str, list[bytes]]) -> dns.rdata.Rdata:
    content: str | dns.name.Name | list[bytes] = value
    if rrtype is RRType.CNAME:
        content = absolute(value)
    elif rrtype is RRType.TXT:
        content = spelled.get(value) or character_strings(value)
    return MAKERS[rrtype](IN, dns.rdatatype.from_text(rrtype), content)
