"""From a choice of endpoints to the RRsets that each zone should hold. Never to nothing.

Where nobody is healthy, the worst that can be done is to empty the name: resolvers keep an empty answer for minutes
after the repair (RFC 2308). So what is published stays, or everybody answers.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from detour.model.health import EndpointHealth, Verdict
from detour.model.record import ObjectKey, Publish, Record, WhenAllUnhealthy
from detour.model.rrset import RRset, RRType, address_sets, address_type
from detour.planning.candidates import Candidate, candidates
from detour.planning.selection import choose


class Basis(enum.StrEnum):
    """Why these values: endpoints were chosen on their health, or nobody was fit and a rule filled in."""

    CHOSEN = "Chosen"
    KEEP_LAST = "KeepLast"
    SERVE_ALL = "ServeAll"


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision rests on. Times in seconds on the engine's clock.

    `published` holds, for each zone whose contents are known, the sets of the record's name (none: an empty tuple).
    `serving` are the names decided for last by this process; `value_limit` the most values that a set can have in
    all of the record's zones; `patience_until` bounds the wait for first verdicts of a record never published.
    """

    record: Record
    healths: Mapping[str, EndpointHealth]
    drained_regions: frozenset[str]
    published: Mapping[ObjectKey, tuple[RRset, ...]]
    serving: frozenset[str] | None
    value_limit: int
    patience_until: float


@dataclass(frozen=True, slots=True)
class Serving:
    """An endpoint that answers, with the values published for it."""

    endpoint: str
    region: str
    priority: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What each zone should hold for the record: at least one set for each zone named."""

    basis: Basis
    reason: str
    serving: tuple[Serving, ...]
    sets: Mapping[ObjectKey, tuple[RRset, ...]]
    decide_again_at: float | None = None


@dataclass(frozen=True, slots=True)
class Undecided:
    """Nothing is decided yet, so nothing is written; `decide_again_at` None waits for news."""

    reason: str
    decide_again_at: float | None = None


def plan(situation: Situation, now: float) -> Decision | Undecided:
    """Decide what the record's zones should hold. The same situation always gives the same decision."""
    record = situation.record
    published = frozenset(value for sets in situation.published.values() for each in sets for value in each.values)
    contenders = candidates(
        record,
        situation.healths,
        drained_regions=situation.drained_regions,
        published=published,
        serving=situation.serving,
    )
    if wait := _reason_to_wait(situation, contenders, published, now):
        return wait
    choice = choose(record, contenders, now)
    if choice.chosen:
        sets = _publish(situation, {each.name: each.values for each in choice.chosen}, published)
        return _decision(
            situation,
            contenders,
            Basis.CHOSEN,
            choice.reason,
            sets=dict.fromkeys(record.zones, sets),
            decide_again_at=choice.decide_again_at,
        )
    if record.when_all_unhealthy is WhenAllUnhealthy.SERVE_ALL and (everyone := _first_filled(_everyone(contenders))):
        sets = _publish(situation, everyone, published)
        reason = f"{choice.reason}: every endpoint answers"
        return _decision(situation, contenders, Basis.SERVE_ALL, reason, sets=dict.fromkeys(record.zones, sets))
    held = {zone: kept for zone in record.zones if (kept := _keep(situation, contenders, published, zone))}
    if not held:
        return Undecided("no endpoint has an address yet: its hostname has not been resolved")
    return _decision(situation, contenders, Basis.KEEP_LAST, f"{choice.reason}: what is published stays", sets=held)


def _reason_to_wait(
    situation: Situation, contenders: tuple[Candidate, ...], published: frozenset[str], now: float
) -> Undecided | None:
    if not situation.published:
        return Undecided("none of the record's zones has been read yet")
    unknown = [each.name for each in contenders if not each.drained and each.health.verdict is Verdict.UNKNOWN]
    if not published and situation.serving is None and unknown and now < situation.patience_until:
        return Undecided(f"waiting for the first verdicts of {', '.join(unknown[:4])}", situation.patience_until)
    return None


def _everyone(contenders: tuple[Candidate, ...]) -> Iterable[dict[str, tuple[str, ...]]]:
    """Give the last resorts in order: every endpoint that is not drained; every endpoint."""
    yield {each.name: each.declared_values for each in contenders if not each.drained and each.declared_values}
    yield {each.name: each.declared_values for each in contenders if each.declared_values}


def _first_filled(options: Iterable[dict[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]] | None:
    return next((option for option in options if option), None)


def _keep(
    situation: Situation, contenders: tuple[Candidate, ...], published: frozenset[str], zone: ObjectKey
) -> tuple[RRset, ...]:
    """Return the first not empty: what this zone holds and is still declared; what another zone does; everyone."""
    declared = {value for each in contenders for value in each.declared_values}
    others = [each for each in situation.record.zones if each != zone]
    for source in (zone, *others):
        values = {value for each in situation.published.get(source, ()) for value in each.values if value in declared}
        if values:
            return _sets(situation.record, values)
    everyone = _first_filled(_everyone(contenders))
    return _publish(situation, everyone, published) if everyone else ()


def _publish(
    situation: Situation, values: Mapping[str, tuple[str, ...]], published: frozenset[str]
) -> tuple[RRset, ...]:
    """Return the sets for the values of these endpoints, capped to what every zone can hold."""
    record = situation.record
    if record.publish is Publish.CNAME:
        best = min((each for each in record.endpoints if each.name in values), key=lambda each: each.priority)
        return _sets(record, values[best.name])
    families: dict[RRType, list[str]] = {}
    for value in sorted({value for each in values.values() for value in each}):
        families.setdefault(address_type(value), []).append(value)
    # Where more values than fit compete, those already published win, so that the cap alone moves nothing.
    capped = (
        sorted(family, key=lambda value: (value not in published, value))[: situation.value_limit]
        for family in families.values()
    )
    return _sets(record, [value for family in capped for value in family])


def _sets(record: Record, values: Iterable[str]) -> tuple[RRset, ...]:
    if record.publish is Publish.CNAME:
        return (RRset(record.hostname, RRType.CNAME, record.ttl, tuple(values)),)
    return address_sets(record.hostname, record.ttl, values)


def _decision(
    situation: Situation,
    contenders: tuple[Candidate, ...],
    basis: Basis,
    reason: str,
    *,
    sets: Mapping[ObjectKey, tuple[RRset, ...]],
    decide_again_at: float | None = None,
) -> Decision:
    written = {value for each in sets.values() for rrset in each for value in rrset.values}
    serving = tuple(
        Serving(each.name, each.endpoint.region, each.endpoint.priority, values)
        for each in contenders
        if (values := tuple(value for value in each.declared_values if value in written))
    )
    return Decision(basis, reason, serving, sets, decide_again_at)
