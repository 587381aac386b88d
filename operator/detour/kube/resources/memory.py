"""What the operator reads of its own earlier status when it starts again.

A restart must change nothing in DNS, so it begins with the verdicts and the history that it had written. But a status
can be edited, cut short or restored from an old backup: whatever does not make sense here counts as not there, and
nothing raises. What is *published* is never taken from here; the zone itself says that.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from detour.health.reports import WEEK, hour_number
from detour.kube.resources.rules import shaped
from detour.kube.resources.values import LABEL, NAME_LABEL, is_address
from detour.model.generation import NEVER, Generation
from detour.model.health import Verdict
from detour.model.memory import DNSZoneMemory, EndpointMemory, HistoryMemory, RecordMemory, RegionMemory, ZoneMemory
from detour.model.record import ObjectKey
from detour.model.timestamps import parse_time

_TARGET = shaped(f"({NAME_LABEL}[.])+{LABEL}", "a CNAME target")
LARGEST_COUNTER = 2**63 - 1
MAXIMUM_ENTRIES = 256
"""Entries of one list that are looked at; the schema allows fewer."""


def memory_in(status: object, namespace: str) -> RecordMemory:
    """Return what makes sense of a status; `namespace` is the record's, for zones that name none. Never raises."""
    root = _mapping(status)
    plan = _mapping(root.get("plan"))
    return RecordMemory(
        observed_generation=_counter(root.get("observedGeneration")),
        revision=_counter(plan.get("revision")),
        plan_reason=_text(plan.get("reason")),
        decided_at=_time(plan.get("decidedAt")),
        serving=tuple(name for each in _mappings(root.get("serving")) if (name := _text(each.get("name")))),
        endpoints=_distinct_endpoints(root.get("endpoints")),
        zones=_distinct_zones(root.get("zones"), namespace),
        history=_distinct_history(root.get("history")),
        failed_back_at=_time(root.get("failedBackAt")),
    )


def zones_in(status: object, namespace: str) -> Iterator[ObjectKey]:
    """Give the zones that a FailoverRecord's status says it is in, or may be. Never raises."""
    for each in _mappings(_mapping(status).get("zones")):
        is_in = each.get("published") is True or each.get("leaving") is True or each.get("generation")
        if is_in and (name := _text(each.get("name"))):
            yield ObjectKey(_text(each.get("namespace")) or namespace, name)


def dns_zone_memory_in(status: object) -> DNSZoneMemory:
    """Return what makes sense of a DNSZone's status. Never raises."""
    generation = _generation(_mapping(_mapping(status).get("ledger")).get("generation"))
    return DNSZoneMemory(generation or NEVER, deletions_in(status), tuple(evacuations_in(status)))


def evacuations_in(status: object) -> Iterator[tuple[str, int, float]]:
    """Give the regions that names have left by a DNSZone's status: how many, and when (seconds since the epoch)."""
    for each in _mappings(_mapping(status).get("evacuations")):
        region, at = _text(each.get("region")), _time(each.get("at"))
        if region and at is not None:
            yield region, max(1, _counter(each.get("names"))), at


def deletions_in(status: object) -> tuple[int, float] | None:
    """Return how many names were deleted lately by a DNSZone's status, and when the last was (seconds since 1970)."""
    found = _mapping(_mapping(status).get("deletions"))
    names, at = _counter(found.get("names")), _time(found.get("at"))
    return (names, at) if names and at is not None else None


def region_memory_in(status: object) -> RegionMemory:
    """Return what a CloudRegion's status tells. Garbage is ignored; never raises."""
    told = _mapping(status)
    return RegionMemory(
        drain_ended=_time(told.get("drainEnded")),
        was_drained=told.get("phase") == "Drained",
        was_out=told.get("endpointsOut") is True,
        was_signalled=told.get("failedBySignal") is True,
        passed=frozenset(
            _text(each.get("name")) for each in _mappings(told.get("canaries")) if each.get("hasPassed") is True
        ),
        reported=dict(_weeks(told.get("reportsByHour"))),
    )


def ended_in(status: object) -> float | None:
    """Return when the status of an override says that it was over (seconds since the epoch). Never raises."""
    return _time(_mapping(status).get("endedAt"))


def closer_look_in(status: object) -> float | None:
    """Return until when a CloudRegion's status says that its checks are made more often (seconds since the epoch)."""
    return _time(_mapping(status).get("closerLookUntil"))


def _weeks(value: object) -> Iterator[tuple[int, dict[int, int]]]:
    """Give what users reported in the hours of some weeks, each week by its number."""
    for each in _mappings(value):
        begins, hours = _time(each.get("week")), _text(each.get("hours")).split()
        if begins is not None and len(hours) <= WEEK:
            counts = {hour: int(count) for hour, count in enumerate(hours) if _is_count(count)}
            yield hour_number(begins) // WEEK, counts


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def _distinct_endpoints(value: object) -> tuple[EndpointMemory, ...]:
    found: dict[str, EndpointMemory] = {}
    for each in _mappings(value):
        name, verdict = _text(each.get("name")), _verdict(each.get("verdict"))
        if name and verdict is not None:
            memory = EndpointMemory(
                name=name,
                verdict=verdict,
                since=_time(each.get("since")),
                failed_at=_time(each.get("lastFailureAt")),
                reason=_text(each.get("reason")),
                message=_text(each.get("message")),
                latency=_latency(each.get("latencyMilliseconds")),
                addresses=tuple(_addresses(each.get("addresses"))),
                confirmed_at=_time(each.get("confirmedAt")),
                held_out_until=_time(each.get("heldOutUntil")),
            )
            found.setdefault(name, memory)
    return tuple(found.values())


def _addresses(value: object) -> Iterator[tuple[str, Verdict]]:
    for each in _mappings(value):
        address, verdict = _text(each.get("address")), _verdict(each.get("verdict"))
        if is_address(address) and verdict is not None:
            yield address, verdict


def _distinct_zones(value: object, namespace: str) -> tuple[ZoneMemory, ...]:
    found: dict[ObjectKey, ZoneMemory] = {}
    for each in _mappings(value):
        name = _text(each.get("name"))
        if name:
            key = ObjectKey(_text(each.get("namespace")) or namespace, name)
            memory = ZoneMemory(
                key=key,
                published=each.get("published") is True,
                generation=_generation(each.get("generation")),
                values=_values(each.get("values")),
                verified_at=_time(each.get("verifiedAt")),
                zone_id=_text(each.get("zoneID")) or None,
                is_leaving=each.get("leaving") is True,
            )
            found.setdefault(key, memory)
    return tuple(found.values())


def _distinct_history(value: object) -> tuple[HistoryMemory, ...]:
    found: dict[int, HistoryMemory] = {}
    for each in _mappings(value):
        revision, values = _counter(each.get("revision")), _values(each.get("values"))
        # An entry without values is no set that could have been published.
        if revision and values:
            reason, at, was_there = _text(each.get("reason")), _time(each.get("at")), each.get("wasThere") is True
            found.setdefault(revision, HistoryMemory(revision, values, reason, at, was_there))
    return tuple(sorted(found.values(), key=lambda entry: entry.revision, reverse=True))


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> Iterator[Mapping[Any, Any]]:
    if isinstance(value, (list, tuple)):
        yield from (each for each in value[:MAXIMUM_ENTRIES] if isinstance(each, Mapping))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _counter(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    valid = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_COUNTER
    return value if valid and isinstance(value, int) else 0


def _latency(value: object) -> float | None:
    plausible = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 3_600_000
    return value / 1000 if plausible and isinstance(value, (int, float)) else None


def _time(value: object) -> float | None:
    try:
        return parse_time(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _verdict(value: object) -> Verdict | None:
    try:
        return Verdict(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _generation(value: object) -> Generation | None:
    epoch, dot, sequence = _text(value).partition(".")
    numbers = [int(part) for part in (epoch, sequence) if part.isascii() and part.isdecimal() and len(part) < 20]
    return Generation(*numbers) if dot and len(numbers) == 2 else None


def _values(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        return ()
    texts = (each for each in value if isinstance(each, str) and len(each) <= 253)
    return tuple(text for text in texts if is_address(text) or (_TARGET.holds is not None and _TARGET.holds(text)))
