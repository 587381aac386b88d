"""The failover decision: which endpoints answer for a record.

Read `choose` from top to bottom; it needs neither Kubernetes nor a cloud to be understood.
"""

import enum
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from detour.health.damping import held_out_until
from detour.model.endpoint import Endpoint
from detour.model.health import EndpointHealth, Verdict
from detour.model.record import ONE_IS_ENOUGH, FailbackMode, Publish, Record, Strategy
from detour.model.shared import NONE
from detour.planning.candidates import Candidate, is_drained


class Rung(enum.IntEnum):
    """The ladder: who answers before whom. In a weak tier fewer are fit than the record's `tier_needs` asks for."""

    FIT = 0
    WEAK_TIER = 1
    SLOW = 2
    HELD_DOWN = 3
    DAMPED = 4


@dataclass(frozen=True, slots=True)
class Choice:
    """The endpoints that should answer, why, and when to decide again (engine seconds) if nothing happens before."""

    chosen: tuple[Candidate, ...]
    reason: str
    decide_again_at: float | None = None


def choose(record: Record, candidates: tuple[Candidate, ...], now: float) -> Choice:
    """Choose the endpoints that answer; an empty choice means that nobody is fit to.

    1. Drained and Unhealthy endpoints are out; Unknown ones stay only where they are.
    2. One ladder: those who are fit; those in a tier of which too few are; who is slow; who has recovered and waits
       for its hold-down (or for a person); who comes and goes too often; then the same in regions that fail as a whole,
       or forced down by a person; and, only where nobody else is there, last resorts.
    3. Of each rung Priority takes the best tier, and further tiers until `minimum_serving` answer; MultiValue takes
       everyone. The next rung is trodden only where too few are left: hold-down delays failback, never failover.
    """
    eligible = [candidate for candidate in candidates if candidate.is_eligible]
    waiting = [candidate for candidate in eligible if _waits(record, candidate, now)]
    weak = _weak_tiers(record, candidates, now)
    ranks: dict[tuple[bool, bool, Rung], list[Candidate]] = {}
    for each in eligible:
        place = each.endpoint.is_last_resort, each.is_evacuated, _rung(record, each, weak, now)
        ranks.setdefault(place, []).append(each)
    ready: list[Candidate] = []
    chosen: list[Candidate] = []
    for rank in sorted(ranks):
        is_last_resort = rank[0]
        if len(chosen) < record.minimum_serving and not (chosen and is_last_resort):
            # Once they serve they count like the others: so the tiers are gone through as they will be then.
            ready += _take(record, ranks[rank], weak, already=len(chosen))
            chosen = _take(record, ready, weak, already=0)
    left_waiting = [candidate for candidate in waiting if candidate not in chosen]
    return Choice(
        chosen=tuple(candidate for candidate in candidates if candidate in chosen),
        reason=_reason(record, candidates, chosen, left_waiting, now),
        decide_again_at=_decide_again_at(record, left_waiting, now),
    )


def usually_serving(record: Record, drained_regions: frozenset[str]) -> frozenset[str]:
    """Return the endpoints that answer where all is well: of those that nobody drained the best tiers, or all."""
    present = [each for each in record.endpoints if not (each.is_last_resort or is_drained(each, drained_regions))]
    found: list[Endpoint] = []
    for tier in sorted({each.priority for each in present}):
        if record.strategy is Strategy.PRIORITY and found and len(found) >= record.minimum_serving:
            break
        found += [each for each in present if each.priority == tier]
    if record.publish is Publish.CNAME:
        found = found[:1]
    return frozenset(each.name for each in found)


def _waits(record: Record, candidate: Candidate, now: float) -> bool:
    health = candidate.health
    has_never = health.failed_at is None and health.slow_until is None
    if candidate.in_place or has_never or candidate.is_sent_back:
        return False
    if record.failback.mode is FailbackMode.MANUAL:
        return True
    return now < returns_at(record, candidate.health, now)


def _weak_tiers(record: Record, candidates: Iterable[Candidate], now: float) -> frozenset[int]:
    """Return the tiers of which fewer endpoints are fit than the record asks for."""
    if record.tier_needs == ONE_IS_ENOUGH or record.strategy is not Strategy.PRIORITY:
        return NONE
    fit: Counter[int] = Counter()
    declared: Counter[int] = Counter()
    for each in candidates:
        if not (each.drained or each.endpoint.is_last_resort):
            declared[each.endpoint.priority] += 1
            fit[each.endpoint.priority] += _is_fit(record, each, now)
    return frozenset(tier for tier, number in declared.items() if fit[tier] < record.tier_needs.of(number))


def _is_fit(record: Record, candidate: Candidate, now: float) -> bool:
    is_well = candidate.is_eligible and not candidate.is_evacuated and not candidate.health.is_slow
    return is_well and not _waits(record, candidate, now)


def _rung(record: Record, candidate: Candidate, weak: frozenset[int], now: float) -> Rung:
    """Return where on the ladder an endpoint stands, the regions apart."""
    if not _waits(record, candidate, now):
        if candidate.health.is_slow:
            return Rung.SLOW
        return Rung.WEAK_TIER if candidate.endpoint.priority in weak else Rung.FIT
    return Rung.HELD_DOWN if _held_out_until(record, candidate.health, now) is None else Rung.DAMPED


def returns_at(record: Record, health: EndpointHealth, now: float) -> float:
    """Return when an endpoint that has recovered takes its place again by itself (engine seconds)."""
    since = health.since if health.slow_until is None else max(health.since, health.slow_until)
    held_down_until = since + record.failback.hold_down
    return max(held_down_until, _held_out_until(record, health, now) or held_down_until)


def _held_out_until(record: Record, health: EndpointHealth, now: float) -> float | None:
    return held_out_until(health.changes, record.failback.most_changes, now)


def _take(record: Record, candidates: Iterable[Candidate], weak: frozenset[int], *, already: int) -> list[Candidate]:
    by_tier: dict[tuple[bool, bool, bool, int], list[Candidate]] = {}
    for candidate in candidates:
        by_tier.setdefault(_tier(record, candidate, weak), []).append(candidate)
    taken: list[Candidate] = []
    for tier in sorted(by_tier):
        if taken and already + len(taken) >= record.minimum_serving:
            break
        taken += by_tier[tier]
    return taken


def _tier(record: Record, candidate: Candidate, weak: frozenset[int]) -> tuple[bool, bool, bool, int]:
    tier = candidate.endpoint.priority if record.strategy is Strategy.PRIORITY else 0
    return candidate.is_evacuated, candidate.health.is_slow, tier in weak, tier


def _decide_again_at(record: Record, waiting: list[Candidate], now: float) -> float | None:
    if record.failback.mode is FailbackMode.MANUAL or not waiting:
        return None
    return min(returns_at(record, candidate.health, now) for candidate in waiting)


def _reason(
    record: Record, candidates: tuple[Candidate, ...], chosen: list[Candidate], waiting: list[Candidate], now: float
) -> str:
    if not chosen:
        return "no endpoint is healthy"
    if record.strategy is Strategy.PRIORITY:
        tiers = sorted({candidate.endpoint.priority for candidate in chosen})
        what = f"priority {' and '.join(str(tier) for tier in tiers)} {'is' if len(tiers) == 1 else 'are'} healthy"
        passed_over = [each for each in candidates if each not in chosen and each.endpoint.priority <= tiers[-1]]
    else:
        what = f"{len(chosen)} of {len(candidates)} endpoints are healthy"
        passed_over = [each for each in candidates if each not in chosen]
    if any(each.keeps_place or each.health.verdict is Verdict.UNKNOWN for each in chosen):
        what = what.replace("healthy", "healthy or keep their place")
    why = [f"{candidate.name} {_state(record, candidate, waiting, now)}" for candidate in passed_over]
    return f"{what}; {', '.join(why[:4])}" if why else what


def _state(record: Record, candidate: Candidate, waiting: list[Candidate], now: float) -> str:
    if candidate.drained:
        return "is drained"
    if candidate.is_forced_down:
        return "is forced down"
    if candidate.is_evacuated and candidate.health.verdict is not Verdict.UNHEALTHY:
        return f"is in {candidate.endpoint.region}, which is failing"
    if candidate in waiting and record.failback.mode is FailbackMode.MANUAL:
        return "waits for a new value of the annotation detour.dev/failback"
    if candidate in waiting:
        return "is held down" if _held_out_until(record, candidate.health, now) is None else "comes and goes too often"
    if candidate.endpoint.is_last_resort:
        return "is the last resort"
    if candidate.is_eligible and not candidate.health.is_slow and record.tier_needs != ONE_IS_ENOUGH:
        return "is in a tier of which too few are fit"
    return "is slow" if candidate.health.is_slow else f"is {candidate.health.verdict.lower()}"
