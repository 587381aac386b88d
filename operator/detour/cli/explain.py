"""`detour explain`: one record, from its checks to what name servers answer, in the order in which a person asks. Pure.

It is made of what the operator wrote, so it works while no operator runs, and of what the name servers say themselves.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detour.cli.told import Told, ago, clock, mapping, mappings, words
from detour.model.objects import Kind


@dataclass(frozen=True, slots=True)
class Served:
    """What a name server answered: values by type, or why it did not."""

    zone: str
    server: str
    values: tuple[str, ...] = ()
    ttl: int | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else there is, by name; zones by `namespace/name`."""

    zones: Mapping[str, Told]
    regions: Mapping[str, Told]
    vantages: Mapping[str, Told]


@dataclass(frozen=True, slots=True)
class Part:
    """A heading, and lines below it."""

    title: str
    lines: tuple[str, ...]


def explanation(record: Told, around: Surroundings, served: Sequence[Served], now: float) -> list[Part]:
    """Return what there is to say of a record, part by part."""
    return [
        Part(
            f"{record.shown}  {record.spec.get('hostname', '')}  {record.state}",
            (record.message or "nothing is said of it",),
        ),
        Part("Checks: what is found of each endpoint", tuple(_checks(record, now))),
        Part("Votes: who says so", tuple(_votes(record, around))),
        Part("Regions", tuple(_regions(record, around, now))),
        Part("Decision: who should answer", tuple(_decision(record, now))),
        Part("Safety gate: what is kept back", tuple(_gate(record, around))),
        Part("Zones: what is written", tuple(_zones(record, around, now))),
        Part("Name servers: what they answer now", tuple(_served(record, served))),
    ]


def text_of(parts: Sequence[Part]) -> list[str]:
    """Return the parts as lines of text."""
    found: list[str] = []
    for number, part in enumerate(parts):
        found += ["", part.title] if number else [part.title]
        found += [f"  {line}" for line in part.lines]
    return found


def document(parts: Sequence[Part]) -> dict[str, Any]:
    """Return the parts for programs."""
    return {"parts": [{"title": each.title, "lines": list(each.lines)} for each in parts]}


def _checks(record: Told, now: float) -> Iterator[str]:
    check = mapping(record.spec.get("healthCheck"))
    yield (
        f"{_probe(check)} every {check.get('interval', '10s')}; {check.get('fall', 3)} failures in a row make an"
        f" endpoint Unhealthy, {check.get('rise', 2)} passes Healthy"
    )
    if until := check.get("pausedUntil"):
        yield f"failures count for nothing until {clock(until, now)} (healthCheck.pausedUntil)"
    declared = {str(each.get("name")): each for each in mappings(record.spec.get("endpoints"))}
    known = {str(each.get("name")): each for each in record.listed("endpoints")}
    width = max((len(name) for name in declared), default=0)
    for name, spec in declared.items():
        status = known.get(name, {})
        drained = ", drained" if spec.get("state") == "Drained" else ""
        verdict = f"{status.get('verdict', 'Unknown')} for {ago(status.get('since'), now)}"
        told = f": {status['message']}" if status.get("message") else ""
        yield f"{name:{width}}  {spec.get('region', '')}, tier {spec.get('priority', 1)}{drained}  {verdict}{told}"
        for each in mappings(status.get("addresses")):
            if each.get("verdict") != status.get("verdict"):
                yield f"{'':{width}}  {each.get('address')} is {each.get('verdict')}"
        for each in mappings(status.get("checks")):
            told = f": {each['message']}" if each.get("message") else ""
            yield f"{'':{width}}  check {each.get('name')}: {each.get('verdict')}{told}"


def _probe(check: Mapping[str, Any]) -> str:
    for kind in ("https", "http"):
        if found := check.get(kind):
            return f"{kind.upper()} GET {mapping(found).get('path', '/')}"
    if found := check.get("dns"):
        return f"DNS {mapping(found).get('name', '')}"
    return f"TCP port {mapping(check.get('tcp')).get('port', '')}"


def _votes(record: Told, around: Surroundings) -> Iterator[str]:
    quorum = mapping(record.spec.get("quorum"))
    others = [each for each in around.vantages.values() if each.spec.get("votes", 1)]
    if not others:
        yield "the operator's own checks alone: no Vantage is declared"
        return
    needed = quorum.get("unhealthy", "more than half")
    yield f"{needed} of the votes of {_many(len(others), 'vantage')} condemn an endpoint"
    for each in others:
        where = ", ".join(filter(None, (str(each.spec.get("cloud", "")), str(each.spec.get("region", "")))))
        yield f"{each.name} ({where}): {each.state}{f', {each.message}' if each.message else ''}"


def _regions(record: Told, around: Surroundings, now: float) -> Iterator[str]:
    for name in dict.fromkeys(str(each.get("region")) for each in mappings(record.spec.get("endpoints"))):
        region = around.regions.get(name)
        if region is None:
            yield f"{name}: no CloudRegion of that name; it counts as a region by itself, and has no canaries"
        else:
            since = ago(region.status.get("since"), now)
            yield f"{name}: {region.state} for {since}{f': {region.message}' if region.message else ''}"
    if record.spec.get("regionFailover") == "Ignore":
        yield "regionFailover is Ignore: a region that fails as a whole is not left for that alone"


def _decision(record: Told, now: float) -> Iterator[str]:
    spec, plan = record.spec, mapping(record.status.get("plan"))
    tiers: dict[int, list[str]] = {}
    for each in mappings(spec.get("endpoints")):
        tiers.setdefault(int(each.get("priority", 1)), []).append(str(each.get("name")))
    if spec.get("strategy") == "MultiValue":
        yield "MultiValue: every endpoint that is fit answers"
    else:
        order = ", then ".join(" and ".join(tiers[each]) for each in sorted(tiers))
        yield f"Priority: {order}; at least {spec.get('minServing', 1)} should answer"
    if plan:
        yield f"revision {plan.get('revision')}, decided {clock(plan.get('decidedAt'), now)}: {plan.get('reason', '')}"
    for each in record.listed("endpoints"):
        if at := each.get("returnsAt"):
            yield f"{each.get('name')} returns {clock(at, now)} if it stays healthy"
        elif at := each.get("heldOutUntil"):
            yield f"{each.get('name')} is held out until {clock(at, now)}, as it comes and goes too often"
    failback = mapping(spec.get("failback"))
    if failback.get("mode") == "Manual":
        yield f"who has failed returns when a person says so: `detour failback {record.name} -n {record.namespace}`"
    pinned = record.condition("Pinned")
    if pinned.get("status") == "True" or pinned.get("reason") == "PinInvalid":
        yield str(pinned.get("message"))
    if spec.get("suspend"):
        yield "spec.suspend is true: nothing is written"


def _gate(record: Told, around: Surroundings) -> Iterator[str]:
    nothing = True
    for zone in _zones_of(record, around):
        frozen, held = zone.condition("Frozen"), zone.condition("Held")
        for each in (frozen, held):
            if each.get("status") == "True":
                nothing = False
                yield f"zone {zone.shown}: {each.get('message')}"
    if nothing:
        yield "nothing is held"


def _zones_of(record: Told, around: Surroundings) -> list[Told]:
    return [around.zones[each] for each in zone_names(record) if each in around.zones]


def zone_names(record: Told) -> list[str]:
    """Return the zones that a record declares, as `namespace/name`."""
    return [
        f"{each.get('namespace') or record.namespace}/{each.get('name')}" for each in mappings(record.spec.get("zones"))
    ]


def _zones(record: Told, around: Surroundings, now: float) -> Iterator[str]:
    stands = {f"{each.get('namespace')}/{each.get('name')}": each for each in record.listed("zones")}
    for name in dict.fromkeys((*zone_names(record), *stands)):
        zone, here = around.zones.get(name), stands.get(name, {})
        if zone is None:
            yield f"{name}: no such DNSZone can be read"
            continue
        ledger = mapping(zone.status.get("ledger"))
        writer = (
            f"site {ledger['site']} writes it, ledger {ledger.get('generation')}" if ledger.get("site") else "no ledger"
        )
        yield f"{name}: {zone.state} at {zone.status.get('provider', 'an unknown provider')}; {writer}"
        values = ", ".join(words(here.get("values"))) or "nothing"
        seen = f", seen at its name servers {clock(here.get('verifiedAt'), now)}" if here.get("verifiedAt") else ""
        yield f"  holds {values}{'' if here.get('published') else ', which is not what was decided'}{seen}"
        if here.get("message"):
            yield f"  {here['message']}"
        if zone.message and zone.state != "OK":
            yield f"  {zone.message}"


def _served(record: Told, served: Sequence[Served]) -> Iterator[str]:
    wanted = {value for each in record.listed("serving") for value in words(each.get("values"))}
    if not served:
        yield "no name server is known"
    for each in served:
        if each.trouble:
            yield f"{each.server} ({each.zone}): {each.trouble}"
            continue
        ttl = f", TTL {each.ttl} s" if each.ttl is not None else ""
        strange = "" if not wanted or set(each.values) <= wanted else ", which is not what the status says"
        yield f"{each.server} ({each.zone}): {', '.join(each.values) or 'no answer'}{ttl}{strange}"


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


KINDS = (Kind.DNS_ZONE, Kind.CLOUD_REGION, Kind.VANTAGE)
"""What is looked at beside the record."""
