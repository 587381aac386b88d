"""`detour doctor`: what would keep a failover from working today, or already does. Pure.

Facts come in as they were found: objects with their statuses, and what name servers and resolvers say of each zone.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import dns.dnssec
import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from detour.cli.overview import TITLES, Replica
from detour.cli.told import Told, lasting, mapping, mappings, seconds_of
from detour.model.objects import Kind
from detour.model.shares import majority

LEASE_IS_OLD = 60.0
"""Seconds without a renewal after which nobody leads: a Lease holds for ten, and is renewed every three."""

LONG_NEGATIVE_TTL = 60
"""Seconds; what the condition LongNegativeTTL of a DNSZone goes by."""

LONG_TTL = 300
"""Seconds for which clients stay with a failed place at least: a failover is meant to be quicker."""

NAMED = 5

OWN = "operator"
"""The name of the operator's own Vantage unless its settings say otherwise."""


class Severity(enum.StrEnum):
    """How bad a finding is."""

    FAILS = "FAILS"
    """A failover does not work now."""
    RISK = "RISK"
    """A failover works, and less well, or would not after one more thing goes wrong."""
    FINE = "fine"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: about what, how it is, and what to do where something is to be done."""

    severity: Severity
    about: str
    message: str
    cure: str = ""

    @property
    def line(self) -> str:
        return f"{self.severity:5}  {self.about}: {self.message}{f'; {self.cure}' if self.cure else ''}"


@dataclass(frozen=True, slots=True)
class ServerSeen:
    """What a name server of a zone said of it: its SOA, or why it did not."""

    server: str
    soa: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class ZoneSeen:
    """A zone as resolvers and its own servers show it. None is what could not be found out.

    `parent_ns` are the name servers that the world is sent to, `ds` what the parent says of its keys, `keys` its
    DNSKEY set, `is_signed` whether its SOA came with a signature.
    """

    servers: tuple[ServerSeen, ...] = ()
    parent_ns: frozenset[str] | None = None
    ds: tuple[str, ...] | None = None
    keys: tuple[str, ...] | None = None
    is_signed: bool | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was found. `zones` by `namespace/name`; `unread` are kinds that cannot be read, with the reason."""

    objects: tuple[Told, ...]
    replicas: tuple[Replica, ...]
    zones: Mapping[str, ZoneSeen]
    version: str
    now: float
    unread: Mapping[str, str] = field(default_factory=dict)

    def of(self, kind: Kind) -> list[Told]:
        """Return the objects of a kind."""
        return [each for each in self.objects if each.kind is kind]


def diagnosed(facts: Facts) -> list[Finding]:
    """Return what there is to say, the worst first."""
    found = [
        *_of_operator(facts),
        *_of_vantages(facts),
        *(finding for zone in facts.of(Kind.DNS_ZONE) for finding in _of_zone(facts, zone)),
        *_of_regions(facts),
        *_of_records(facts),
    ]
    order = list(Severity)
    return sorted(found, key=lambda each: order.index(each.severity))


def _of_operator(facts: Facts) -> Iterator[Finding]:
    for kind, why in facts.unread.items():
        yield Finding(Severity.RISK, kind, f"cannot be read: {why}", "ask for the permission, or they go unseen here")
    if not facts.replicas:
        yield Finding(
            Severity.RISK,
            "operator",
            "no Lease of an operator is to be seen",
            "is it installed, and may you list Leases (coordination.k8s.io)?",
        )
    for each in facts.replicas:
        renewed = seconds_of(each.renewed)
        age = facts.now - renewed if renewed is not None else None
        if not each.holder or age is None or age > LEASE_IS_OLD:
            since = f"for {lasting(age)}" if age is not None else "ever"
            told = f"nobody has led by Lease {each.lease} {since}: no failure is followed"
            yield Finding(Severity.FAILS, "operator", told, "look at the pods of the operator and their log")
        elif each.version != facts.version:
            told = f"{each.lease} is led by version {each.version or 'unknown'}, this command is {facts.version}"
            yield Finding(Severity.RISK, "operator", told, "install the same version here")
        else:
            yield Finding(Severity.FINE, "operator", f"{each.holder} leads by Lease {each.lease}, {each.version}")


def _of_vantages(facts: Facts) -> Iterator[Finding]:
    vantages = facts.of(Kind.VANTAGE)
    for each in vantages:
        bad = each.state not in ("Trusted", "Off", "New")
        if bad:
            told = f"{each.state}: {each.message}"
            yield Finding(
                Severity.RISK, f"vantage {each.name}", told, "its votes count and are not cast until it is well"
            )
    total, cast = votes(facts.objects)
    if vantages and cast < majority(total):
        told = f"{cast} of {total} votes can be cast: no majority can condemn anything"
        yield Finding(Severity.FAILS, "vantages", told, "bring the others back")
    if not vantages and TITLES[Kind.VANTAGE] not in facts.unread:
        told = "the operator alone checks: where its own network fails nothing is followed"
        yield Finding(Severity.RISK, "vantages", told, "declare vantages elsewhere (docs/vantages.md)")


def votes(objects: Iterable[Told]) -> tuple[int, int]:
    """Return how many votes there are, and how many of them can be cast.

    Those of vantages that count (a new one does not yet), and the operator's own where no Vantage is declared for it.
    """
    declared = [each for each in objects if each.kind is Kind.VANTAGE]
    counted = [each for each in declared if each.state not in ("Off", "New")]
    own = 0 if any(each.name == OWN for each in declared) else 1
    weights = [(int(each.spec.get("votes", 1)), each.state) for each in counted]
    cast = sum(number for number, state in weights if state == "Trusted")
    return sum(number for number, _ in weights) + own, cast + own


def _of_zone(facts: Facts, zone: Told) -> Iterator[Finding]:
    about = f"zone {zone.shown}"
    bad = {"Failing": Severity.FAILS, "Refused": Severity.FAILS, "Unseen": Severity.FAILS, "Frozen": Severity.FAILS}
    bad |= {"Held": Severity.FAILS, "Throttled": Severity.RISK, "Pending": Severity.RISK}
    if zone.state in bad:
        yield Finding(bad[zone.state], about, f"{zone.state}: {zone.message}")
    warning = zone.condition("Warning")
    if warning.get("status") == "True":
        yield Finding(Severity.RISK, about, str(warning.get("message")))
    negative = zone.status.get("negativeTTL")
    if isinstance(negative, int) and negative > LONG_NEGATIVE_TTL and warning.get("reason") != "LongNegativeTTL":
        told = f"resolvers keep an empty answer for {negative} s"
        yield Finding(Severity.RISK, about, told, "lower the minimum of the zone's SOA record")
    seen = facts.zones.get(zone.shown)
    if seen is not None:
        yield from _of_servers(about, seen)
        yield from _of_delegation(about, zone, seen)
        yield from _of_dnssec(about, str(zone.spec.get("domain", "")), seen)


def _of_servers(about: str, seen: ZoneSeen) -> Iterator[Finding]:
    silent = [each for each in seen.servers if each.trouble]
    if not seen.servers:
        yield Finding(Severity.RISK, about, "no name server of it is known", "see the DNSZone's status")
    elif len(silent) == len(seen.servers):
        told = f"none of its name servers answers from here ({silent[0].trouble})"
        yield Finding(Severity.RISK, about, told, "nothing that is published can be seen from here: try it elsewhere")
    elif silent:
        told = "; ".join(each.trouble for each in silent[:NAMED])
        yield Finding(Severity.RISK, about, f"{len(silent)} of {len(seen.servers)} name servers do not answer: {told}")
    else:
        number = f"{len(seen.servers)} name {'server answers' if len(seen.servers) == 1 else 'servers answer'}"
        yield Finding(Severity.FINE, about, number)


def _of_delegation(about: str, zone: Told, seen: ZoneSeen) -> Iterator[Finding]:
    served = {str(each).rstrip(".").lower() for each in zone.status.get("nameServers", ()) if isinstance(each, str)}
    names = {each for each in served if not each.replace(".", "").replace(":", "").isdigit() and ":" not in each}
    if seen.parent_ns is None or not names:
        return
    strange = sorted(seen.parent_ns - names)
    if seen.parent_ns.isdisjoint(names):
        told = f"the world is sent to {', '.join(strange[:NAMED])}, none of which serves this zone"
        yield Finding(Severity.FAILS, about, told, "have the parent zone delegate it to its own name servers")
    elif strange:
        told = f"the world is also sent to {', '.join(strange[:NAMED])}, which this zone is not at"
        yield Finding(Severity.RISK, about, told, "they must hold the same, or clients see two answers")


def _of_dnssec(about: str, domain: str, seen: ZoneSeen) -> Iterator[Finding]:
    if seen.ds is None or seen.keys is None:
        return
    if not seen.ds:
        if seen.keys:
            yield Finding(
                Severity.FINE, about, "it has DNSSEC keys, and the parent has no DS: resolvers do not validate it"
            )
        return
    if not seen.keys:
        told = "the parent has a DS record and the zone has no DNSKEY: validating resolvers refuse every answer"
        yield Finding(Severity.FAILS, about, told, "take the DS record away, or sign the zone")
    elif not _matches(domain, seen.ds, seen.keys):
        told = "no DNSKEY of the zone fits the parent's DS record: validating resolvers refuse every answer"
        yield Finding(Severity.FAILS, about, told, "have the parent publish the DS record of a key that the zone has")
    elif seen.is_signed is False:
        told = "its answers come without a signature (RRSIG), though the parent has a DS record"
        yield Finding(Severity.FAILS, about, told, "sign the zone, or take the DS record away")
    else:
        yield Finding(Severity.FINE, about, "it is signed, and a key of it fits the parent's DS record")


def _matches(domain: str, ds: Iterable[str], keys: Iterable[str]) -> bool:
    """Tell whether any key is one that a DS record speaks of (RFC 4034 §5.1.4)."""
    owner = dns.name.from_text(domain)
    return any(_is_of(owner, one, key) for one in ds for key in keys)


def _is_of(owner: dns.name.Name, ds: str, key: str) -> bool:
    try:
        wanted = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.DS, ds)
        read = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.DNSKEY, key)
        made = dns.dnssec.make_ds(owner, read, wanted.digest_type, validating=True)  # type: ignore[attr-defined]  # a DS
    except (dns.exception.DNSException, ValueError):
        return False  # a digest that nobody here knows: another DS record may speak of the same key
    return bool(made == wanted)


def _of_regions(facts: Facts) -> Iterator[Finding]:
    for each in facts.of(Kind.CLOUD_REGION):
        if each.state in ("Failing", "Suspect", "Drained"):
            severity = Severity.RISK
            yield Finding(severity, f"region {each.name}", f"{each.state}: {each.message}")


def _of_records(facts: Facts) -> Iterator[Finding]:
    alone, slow = [], []
    for record in facts.of(Kind.FAILOVER_RECORD):
        if record.state in ("Down", "Refused", "Held", "Suspended", "Unseen"):
            yield Finding(Severity.FAILS, f"record {record.shown}", f"{record.state}: {record.message}")
            continue
        healthy = [each for each in record.listed("endpoints") if each.get("verdict") == "Healthy"]
        regions = _regions(record, {str(each.get("name")) for each in healthy})
        if len(healthy) < 2 or len(regions) < 2:
            alone.append(record.shown)
        ttl = record.spec.get("ttl", 30)
        if isinstance(ttl, int) and ttl > LONG_TTL and not record.spec.get("degradedTTL"):
            slow.append(record.shown)
    if alone:
        told = f"{_named(alone)} healthy endpoints in fewer than two regions: there is nowhere to go if that one fails"
        yield Finding(Severity.RISK, "records", told, "give them an endpoint elsewhere, or mend the one that fails")
    if slow:
        told = f"{_named(slow)} a TTL of more than {LONG_TTL} s: clients stay with a failed place for that long"
        yield Finding(Severity.RISK, "records", told, "lower ttl, or set degradedTTL")


def _regions(record: Told, names: set[str]) -> set[str]:
    return {
        str(each.get("region")) for each in mappings(record.spec.get("endpoints")) if str(each.get("name")) in names
    }


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more} {'has' if len(names) == 1 else 'have'}"


def lines(found: Sequence[Finding]) -> list[str]:
    """Return the findings as text, and a summary."""
    fails = sum(each.severity is Severity.FAILS for each in found)
    risks = sum(each.severity is Severity.RISK for each in found)
    if fails:
        summary = f"{fails} {'thing keeps' if fails == 1 else 'things keep'} failovers from working today"
    else:
        summary = "Nothing is known that would keep a failover from working today"
    return [*(each.line for each in found), "", f"{summary}; {risks} {'risk' if risks == 1 else 'risks'}."]


def document(found: Sequence[Finding]) -> dict[str, object]:
    """Return the findings for programs."""
    return {
        "findings": [
            {"severity": each.severity.value, "about": each.about, "message": each.message, "cure": each.cure}
            for each in found
        ]
    }


def zone_lines(zone: Told, records: Sequence[Told], seen: ZoneSeen, now: float) -> list[str]:
    """Return a zone in full: its ledger, what it owns, what waits or is held, what its servers say."""
    status, ledger = zone.status, mapping(zone.status.get("ledger"))
    orphans = mapping(status.get("orphanedRecords"))
    found = [
        f"{zone.shown}  {zone.spec.get('domain', '')}  {zone.state}",
        f"  {zone.message}",
        "",
        f"  provider   {status.get('provider', 'unknown')}, its zone {status.get('zoneID', 'unknown')}",
        f"  ledger     {ledger.get('generation', 'none')}, written by site {ledger.get('site') or 'nobody'}",
        f"  names      {status.get('ownedRecords', 0)} owned, {status.get('pendingChanges', 0)} waiting to be written, "
        f"{orphans.get('count', 0)} orphaned",
    ]
    names = orphans.get("names")
    if isinstance(names, list) and names:
        found.append(f"             orphaned: {', '.join(map(str, names))}")
    looked = mapping(status.get("verification"))
    if looked.get("oldestLook"):
        age = now - (seconds_of(looked.get("oldestLook")) or now)
        found.append(f"  looked at  every name within the last {lasting(age)}")
    for server in seen.servers:
        serial = server.soa.split(" ")[2:3]
        found.append(
            f"  server     {server.server}: {server.trouble or f'serial {serial[0] if serial else server.soa}'}"
        )
    held = mapping(status.get("held"))
    for change in held.get("changes", ()) if isinstance(held.get("changes"), list) else ():
        found.append(f"  held       {change}")
    here = [each for each in records if _is_in(each, zone)]
    states: dict[str, int] = {}
    for each in here:
        states[each.state] = states.get(each.state, 0) + 1
    counted = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    found.append(f"  records    {len(here)}{f': {counted}' if counted else ''}")
    return found


def _is_in(record: Told, zone: Told) -> bool:
    return any(
        (each.get("namespace") or record.namespace, each.get("name")) == (zone.namespace, zone.name)
        for each in mappings(record.spec.get("zones"))
    )
