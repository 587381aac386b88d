"""Sets as they travel in DNS messages, and as Detour has them.

A text is several character strings on the wire, and two sets with one text cut differently are different data to a
server, though the same to whoever reads it. So a text is compared joined, and replaced by exactly the strings that
stand in the zone: how they were cut travels in `StoredSet.version` where that is not Detour's way.
"""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rdtypes.ANY.CNAME
import dns.rdtypes.ANY.TXT
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.rrset

from detour.enactment.contract import OpaqueSet, StoredSet, ZoneContents
from detour.model.rrset import RRset, RRType
from detour.providers.contents import gathered
from detour.providers.presentation import WRITTEN_TYPES, character_strings

IN = dns.rdataclass.IN

REMEMBERED = 1 << 12
"""Places that are not made a second time."""

SIGNING_TYPES = frozenset(
    {
        dns.rdatatype.RRSIG,
        dns.rdatatype.SIG,
        dns.rdatatype.NSEC,
        dns.rdatatype.NSEC3,
        dns.rdatatype.NSEC3PARAM,
        dns.rdatatype.DNSKEY,
        dns.rdatatype.CDNSKEY,
        dns.rdatatype.CDS,
        dns.rdatatype.from_text("TYPE65534"),
    }
)
"""Sets that a signing server makes by itself (RFC 4034, 5155, 7344; BIND's own TYPE65534): not the owner's data."""

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


def plain_name(name: dns.name.Name) -> str:
    """Return `name` as Detour has it; octets that no host name has stay escaped, as in zone files."""
    return name.to_text(omit_final_dot=True).lower()


def add_found(rrset: dns.rrset.RRset, found: FoundSets) -> None:
    """Add `rrset` to `found`, to the rest of a set that a transfer cut in two. What only signs others is left out."""
    if rrset.rdtype in SIGNING_TYPES or rrset.rdclass != IN:
        return
    held = found.setdefault((rrset.name, rrset.rdtype), dns.rdataset.Rdataset(IN, rrset.rdtype))
    for rdata in rrset:
        held.add(rdata, rrset.ttl)


def contents_of(found: FoundSets) -> ZoneContents:
    """Return what was found on the wire in Detour's terms."""
    return gathered(
        _in_words(plain_name(name), dns.rdatatype.to_text(rrtype), rdataset)
        for (name, rrtype), rdataset in found.items()
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
    except UnicodeDecodeError:
        return OpaqueSet(name, rrtype, "its text is not UTF-8")
    except ValueError as error:
        return OpaqueSet(name, rrtype, f"Detour cannot read its values: {error}")
    if all(strings == character_strings(text) for text, strings in spellings.items()):
        return StoredSet(rrset)
    return StoredSet(rrset, json.dumps({text: [each.hex() for each in strings] for text, strings in spellings.items()}))


def as_found(stored: StoredSet, ttl: int) -> dns.rdataset.Rdataset:
    """Return the set with exactly the strings that the zone has, and `ttl`."""
    spelled: dict[str, list[bytes]] = {}
    if stored.version is not None:
        texts = json.loads(stored.version).items()
        spelled = {text: [bytes.fromhex(each) for each in strings] for text, strings in texts}
    return _rdataset(stored.rrset, ttl, spelled)


def as_written(rrset: RRset) -> dns.rdataset.Rdataset:
    """Return the set as Detour writes it."""
    return _rdataset(rrset, rrset.ttl, {})


def _rdataset(rrset: RRset, ttl: int, spelled: Mapping[str, list[bytes]]) -> dns.rdataset.Rdataset:
    rdataset = dns.rdataset.Rdataset(IN, dns.rdatatype.from_text(rrset.type))
    for value in rrset.values:
        rdataset.add(_rdata(rrset.type, value, spelled), ttl)
    return rdataset


def _rdata(rrtype: RRType, value: str, spelled: Mapping[str, list[bytes]]) -> dns.rdata.Rdata:
    if rrtype is RRType.TXT:
        return MAKERS[rrtype](IN, dns.rdatatype.TXT, spelled.get(value) or character_strings(value))
    return _place(rrtype, value)


@lru_cache(maxsize=REMEMBERED)
def _place(rrtype: RRType, value: str) -> dns.rdata.Rdata:
    """Return an address, or a name that is pointed at: thousands of names have the same."""
    content = absolute(value) if rrtype is RRType.CNAME else value
    return MAKERS[rrtype](IN, dns.rdatatype.from_text(rrtype), content)
