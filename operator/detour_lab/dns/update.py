"""Dynamic updates of a zone, all or nothing (RFC 2136 §3).

The order is the RFC's: every prerequisite is looked at, then every change is looked over, and only then is anything
changed, in one commit. So a refused update leaves no trace, and two updates never mix. Prerequisites are judged by the
newest state of the zone, not by what a lagging name server answers.

Some things surprise people, and are so in BIND too: a CNAME beside other data is ignored without an error (§3.4.2.2), a
value-dependent prerequisite must have TTL 0 (§3.2.5), and the TTL of a set is not compared. So are some that the RFC
leaves open, tried on BIND 9.18: a DS at the apex (RFC 4035 §2.4), and NS or DNAME of a wildcard, are ignored without an
error; and a DS that is left without the NS of its delegation goes with it.
"""

from collections.abc import Collection, Iterable

import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.SOA

from detour.model.names import is_within
from detour_lab.dns.answer import current_serial
from detour_lab.dns.wire import FormatError, Request, WireRecord, read_data, write_data
from detour_lab.zones.store import RecordSet, SetKey, ZoneStore

IN, ANY, NONE = dns.rdataclass.IN, dns.rdataclass.ANY, dns.rdataclass.NONE
ANY_TYPE = dns.rdatatype.ANY
PREREQUISITES, UPDATES = 1, 2
FIRST_META_TYPE, LAST_META_TYPE = 128, 255
NO_WILDCARD = frozenset({"NS", "DNAME"})
BESIDE_CNAME = frozenset({"CNAME", "RRSIG", "NSEC", "KEY"})
"""What may share a name with a CNAME (RFC 4034 §2.5, RFC 2136 §3.4.2.2 with RFC 4035 §2.5)."""


class UpdateRefused(Exception):  # noqa: N818 - the RFC's word; it carries a response code, not a fault
    """The update is answered with `rcode`, and nothing has changed."""

    def __init__(self, rcode: dns.rcode.Rcode) -> None:
        super().__init__(dns.rcode.to_text(rcode))
        self.rcode = rcode


def apply_update(request: Request, store: ZoneStore, *, by: str, refuse_names: Collection[str] = ()) -> None:
    """Apply the update to the zone, in one commit of author `by`, or in none where it changes nothing.

    `refuse_names` are names that the server's policy does not allow to be changed (BIND's `update-policy`): an update
    with one of them is REFUSED as a whole. Raises UpdateRefused, or FormatError for what breaks §3.2 or §3.4.1.
    """
    prerequisites = [each for each in request.records if each.section == PREREQUISITES]
    updates = [each for each in request.records if each.section == UPDATES]
    _check_prerequisites(request, store, prerequisites)
    _look_over(store.domain, updates)
    if any(each.name in refuse_names for each in updates):
        raise UpdateRefused(dns.rcode.REFUSED)
    draft = _Draft(store)
    for each in updates:
        draft.take(request, each)
    draft.commit(by)


def _check_prerequisites(request: Request, store: ZoneStore, prerequisites: Iterable[WireRecord]) -> None:
    expected: dict[SetKey, set[bytes]] = {}
    for each in prerequisites:
        if each.ttl:
            raise FormatError(f"{each.name}: a prerequisite has TTL 0")
        if not is_within(each.name, store.domain):
            raise UpdateRefused(dns.rcode.NOTZONE)
        if each.rrclass == IN:
            if _is_meta(each.type):
                raise FormatError(f"{each.name}: no set has such a type")
            data = read_data(request, each).to_digestable()
            expected.setdefault((each.name, _type_text(each)), set()).add(data)
        elif each.rrclass in (ANY, NONE) and not each.data_length:
            _check_existence(store, each)
        else:
            raise FormatError(f"{each.name}: a prerequisite of unknown kind")
    for key, values in expected.items():
        stored = store.get(*key)
        if stored is None or {_digest(key[1], value) for value in stored.values} != values:
            raise UpdateRefused(dns.rcode.NXRRSET)


def _check_existence(store: ZoneStore, prerequisite: WireRecord) -> None:
    """Check one of the four prerequisites of §2.4.1 and §2.4.3 to §2.4.5, which name no values."""
    at_name = [each.type for each in store.at_name(prerequisite.name) if each.values]
    if prerequisite.type == ANY_TYPE:
        present, missing, unwanted = bool(at_name), dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN
    else:
        present, missing, unwanted = _type_text(prerequisite) in at_name, dns.rcode.NXRRSET, dns.rcode.YXRRSET
    if prerequisite.rrclass == ANY and not present:
        raise UpdateRefused(missing)
    if prerequisite.rrclass == NONE and present:
        raise UpdateRefused(unwanted)


def _look_over(domain: str, updates: Iterable[WireRecord]) -> None:
    """Check every change before the first is made (§3.4.1)."""
    for each in updates:
        if not is_within(each.name, domain):
            raise UpdateRefused(dns.rcode.NOTZONE)
        if each.rrclass == IN:
            sound = not _is_meta(each.type)
        elif each.rrclass == ANY:
            sound = not each.ttl and not each.data_length and (each.type == ANY_TYPE or not _is_meta(each.type))
        else:
            sound = each.rrclass == NONE and not each.ttl and not _is_meta(each.type)
        if not sound:
            raise FormatError(f"{each.name}: a change of unknown kind")


class _Draft:
    """The sets at the names that an update touches, as they will be: by data in wire form, with the text stored."""

    def __init__(self, store: ZoneStore) -> None:
        self._store = store
        self._touched: dict[str, dict[str, tuple[int, dict[bytes, str]]]] = {}

    def take(self, request: Request, change: WireRecord) -> None:
        """Make one change (§3.4.2)."""
        node = self._node(change.name)
        at_apex = change.name == self._store.domain
        rrtype = _type_text(change)
        protected = ("SOA", "NS") if at_apex else ()
        if change.rrclass == ANY:
            for each in list(node) if change.type == ANY_TYPE else [rrtype]:
                if each not in protected:
                    node.pop(each, None)
            return
        data = read_data(request, change)
        if change.rrclass == IN:
            is_ignored = (at_apex and rrtype == "DS") or (change.name.startswith("*.") and rrtype in NO_WILDCARD)
            if not is_ignored:
                self._add(node, rrtype, change.ttl, data)
        elif rrtype != "SOA" and rrtype in node:
            values = node[rrtype][1]
            last_name_server = at_apex and rrtype == "NS" and len(values) == 1
            if not last_name_server:
                values.pop(data.to_digestable(), None)
            if not values:
                del node[rrtype]

    def commit(self, by: str) -> None:
        """Write what has become different, if anything."""
        removed: list[SetKey] = []
        added: list[RecordSet] = []
        for name, node in self._touched.items():
            if "DS" in node and "NS" not in node:
                del node["DS"]
            before = {each.type: each for each in self._store.at_name(name) if each.values}
            for rrtype in before.keys() | node.keys():
                old = before.get(rrtype)
                ttl, values = node.get(rrtype, (0, {}))
                texts = tuple(values.values())
                if old is not None and (old.ttl, sorted(old.values)) == (ttl, sorted(texts)):
                    continue
                if self._store.get(name, rrtype) is not None:
                    removed.append((name, rrtype))
                if texts:
                    added.append(RecordSet(name, rrtype, ttl, texts, extra=old.extra if old is not None else {}))
        if removed or added:
            self._store.commit(removed=removed, added=added, by=by)

    def _node(self, name: str) -> dict[str, tuple[int, dict[bytes, str]]]:
        if name not in self._touched:
            self._touched[name] = {
                each.type: (each.ttl, {_digest(each.type, value): value for value in each.values})
                for each in self._store.at_name(name)
                if each.values
            }
        return self._touched[name]

    def _add(self, node: dict[str, tuple[int, dict[bytes, str]]], rrtype: str, ttl: int, data: dns.rdata.Rdata) -> None:
        """Add one record (§3.4.2.2); the set takes its TTL, since a set has only one (RFC 2181 §5.2)."""
        value = data.to_text()
        if isinstance(data, dns.rdtypes.ANY.SOA.SOA):
            newer = self._newer_soa(node, data)
            if newer is not None:
                node[rrtype] = (ttl, {_digest(rrtype, newer): newer})
            return
        if rrtype == "CNAME":
            if node.keys() <= BESIDE_CNAME:
                node[rrtype] = (ttl, {data.to_digestable(): value})
            return
        if "CNAME" in node and rrtype not in BESIDE_CNAME:
            return
        _, values = node.get(rrtype, (ttl, {}))
        values.setdefault(data.to_digestable(), value)
        node[rrtype] = (ttl, values)

    def _newer_soa(self, node: dict[str, tuple[int, dict[bytes, str]]], data: dns.rdtypes.ANY.SOA.SOA) -> str | None:
        """Return the SOA to store, or None where it is ignored: none is there, or its serial is not greater."""
        current = self._store.get(self._store.domain, "SOA")
        if "SOA" not in node or current is None:
            return None
        served = current_serial(self._store.newest_index(), current)
        # Greater in the sense of RFC 1982 §3.2.
        if not 0 < (data.serial - served) % 2**32 < 2**31:
            return None
        # The serial served grows with each commit, this one included: store what makes it the one asked for.
        return data.replace(serial=(data.serial - self._store.serial) % 2**32).to_text()


def _is_meta(rrtype: int) -> bool:
    """Tell whether no record can have `rrtype`: OPT, and the range that RFC 6895 §3.1 keeps for questions."""
    return rrtype in (0, dns.rdatatype.OPT) or FIRST_META_TYPE <= rrtype <= LAST_META_TYPE


def _type_text(record: WireRecord) -> str:
    return dns.rdatatype.to_text(dns.rdatatype.RdataType.make(record.type))


def _digest(rrtype: str, value: str) -> bytes:
    """Return stored data in the form in which equal data are equal octets (RFC 4034 §6.2)."""
    if rrtype in ("A", "AAAA", "TXT", "NS", "CNAME"):
        return write_data(rrtype, value if rrtype == "TXT" else value.lower())
    return dns.rdata.from_text(IN, rrtype, value).to_digestable()
