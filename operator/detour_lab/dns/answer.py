"""The authoritative answer of one zone to one question, as a pure function (RFC 1034 §4.3.2, RFC 2308, RFC 4592).

    below a zone cut? ── referral
    name exists? ── no ── wildcard at the closest encloser? ── no ── NXDOMAIN + SOA
         │                        │ yes: its sets, under the name asked for
         ├── CNAME, another type asked ── the CNAME, and on from its target while that is in the zone
         ├── set of that type ── the set
         └── none ── an empty answer + SOA ("NODATA")

A stored set without values makes its name exist and answers nothing: what DynamoDB's name did in October 2025.
An ALIAS, which Google Cloud DNS has, is never shown: its name answers with the addresses of its target, where this zone
has them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import dns.rcode
import dns.rdatatype

from detour.model.names import is_within
from detour_lab.dns.wire import WireSet, write_data
from detour_lab.zones.setindex import SetIndex
from detour_lab.zones.store import RecordSet

MAXIMUM_CHAIN = 16
ALIAS = "ALIAS"
ADDRESSES = ("A", "AAAA")
SOA_MINIMUM_FIELD = 6
SOA_SERIAL_FIELD = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes into the sections of a response. `authoritative` is the AA bit."""

    rcode: dns.rcode.Rcode = dns.rcode.NOERROR
    authoritative: bool = True
    answer: tuple[WireSet, ...] = ()
    authority: tuple[WireSet, ...] = ()
    additional: tuple[WireSet, ...] = ()


def answer(zone: SetIndex, domain: str, name: str, rrtype: str) -> Answer:
    """Answer a question for canonical `name`, which lies in `domain`, and `rrtype` (in capitals, ANY included)."""
    found: list[WireSet] = []
    visited: set[str] = set()
    while True:
        cut = _zone_cut(zone, domain, name)
        if cut is not None and not (name == cut.name and rrtype == "DS"):
            return _referral(zone, cut, tuple(found))
        node = _node(zone, domain, name)
        if node is None:
            return Answer(dns.rcode.NXDOMAIN, answer=tuple(found), authority=(_negative(zone, domain),))
        alias = node.get("CNAME")
        if alias is None or not alias.values or rrtype in ("CNAME", "ANY"):
            break
        found.append(wire_set(zone, alias, name))
        visited.add(name)
        name = alias.values[0].rstrip(".").lower()
        if not is_within(name, domain) or name in visited or len(visited) > MAXIMUM_CHAIN:
            return Answer(answer=tuple(found))
    sets = node.values() if rrtype == "ANY" else filter(None, (node.get(rrtype),))
    present = [wire_set(zone, each, name) for each in sets if each.values and each.type != ALIAS]
    if rrtype in ADDRESSES and not present and ALIAS in node:
        present = _of_target(zone, domain, node[ALIAS], rrtype)
    if not present:
        return Answer(answer=tuple(found), authority=(_negative(zone, domain),))
    return Answer(answer=(*found, *present))


def _of_target(zone: SetIndex, domain: str, alias: RecordSet, rrtype: str) -> list[WireSet]:
    """Return the addresses that an ALIAS stands for, under its own name; none where the target is in another zone."""
    target = alias.values[0].rstrip(".").lower()
    node = _node(zone, domain, target) if is_within(target, domain) else None
    found = node.get(rrtype) if node is not None else None
    return [wire_set(zone, found, alias.name)] if found is not None and found.values else []


def wire_set(zone: SetIndex, stored: RecordSet, name: str | None = None) -> WireSet:
    """Return `stored` in wire form, under `name` where a wildcard stands for it."""
    values = (_current_soa(zone, stored),) if stored.type == "SOA" and stored.values else stored.values
    data = tuple(write_data(stored.type, value) for value in values)
    return WireSet(name or stored.name, dns.rdatatype.from_text(stored.type), stored.ttl, data)


def current_serial(zone: SetIndex, soa: RecordSet) -> int:
    """Return the serial that is served: the stored one, raised by one for every commit after the zone's creation.

    In a zone that does not count its commits it is the stored one.
    """
    if not zone.counts_commits:
        return int(soa.values[0].split()[SOA_SERIAL_FIELD])
    return (int(soa.values[0].split()[SOA_SERIAL_FIELD]) + zone.serial - 1) % 2**32


def _current_soa(zone: SetIndex, soa: RecordSet) -> str:
    fields = soa.values[0].split()
    fields[SOA_SERIAL_FIELD] = str(current_serial(zone, soa))
    return " ".join(fields)


def _node(zone: SetIndex, domain: str, name: str) -> Mapping[str, RecordSet] | None:
    """Return the sets that answer for `name`, a wildcard's included; None where the name does not exist."""
    if zone.exists(name):
        return zone.at_name(name)
    for ancestor in _ancestors(name, domain):
        if zone.exists(ancestor):  # the closest encloser; only a wildcard right below it counts (RFC 4592 §3.3.1)
            wildcard = f"*.{ancestor}"
            return zone.at_name(wildcard) if zone.exists(wildcard) else None
    return None


def _zone_cut(zone: SetIndex, domain: str, name: str) -> RecordSet | None:
    """Return the NS set of the highest delegation at or above `name`."""
    if name == domain:
        return None
    cut = None
    for candidate in (name, *_ancestors(name, domain)):
        delegation = zone.at_name(candidate).get("NS") if candidate != domain else None
        if delegation is not None and delegation.values:
            cut = delegation
    return cut


def _referral(zone: SetIndex, cut: RecordSet, found: tuple[WireSet, ...]) -> Answer:
    """Refer to the servers of a delegation; the AA bit belongs to the CNAMEs that led there, if any did."""
    hosts = [value.rstrip(".").lower() for value in cut.values]
    glue = [zone.at_name(host).get(family) for host in hosts for family in ("A", "AAAA")]
    return Answer(
        authoritative=bool(found),
        answer=found,
        authority=(wire_set(zone, cut),),
        additional=tuple(wire_set(zone, each) for each in glue if each is not None and each.values),
    )


def _negative(zone: SetIndex, domain: str) -> WireSet:
    """Return the SOA for a negative answer, which may be kept for the smaller of its TTL and MINIMUM (RFC 2308 §3)."""
    soa = zone.sets[(domain, "SOA")]
    minimum = int(soa.values[0].split()[SOA_MINIMUM_FIELD])
    whole = wire_set(zone, soa)
    return WireSet(whole.name, whole.type, min(soa.ttl, minimum), whole.data)


def _ancestors(name: str, domain: str) -> Iterator[str]:
    """Yield the names above `name`, nearest first, up to and with `domain`."""
    while name != domain:
        name = name.partition(".")[2]
        yield name
