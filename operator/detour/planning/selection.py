"""The failover decision: which endpoints answer for a record.

Read `choose` from top to bottom; it needs neither Kubernetes nor a cloud to be understood.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from detour.model.health import Verdict
from detour.model.record import FailbackMode, Record, Strategy
from detour.planning.candidates import Candidate


@dataclass(frozen=True, slots=True)
class Choice:
    """The endpoints that should answer, why, and when to decide again (engine seconds) if nothing happens before."""

    chosen: tuple[Candidate, ...]
    reason: str
    decide_again_at: float | None = None


def choose(record: Record, candidates: tuple[Candidate, ...], now: float) -> Choice:
    """Choose the endpoints that answer; an empty choice means that nobody is fit to.

    1. Drained and Unhealthy endpoints are out; Unknown ones stay only where they are.
    2. Who has recovered waits for its hold-down (or for a person), behind everybody who did not fail.
    3. Priority takes the best tier, and further tiers until `minimum_serving` answer; MultiValue takes everyone.
    4. Those who wait are taken all the same where too few are left: hold-down delays failback, never failover.
    """
    eligible = [candidate for candidate in candidates if candidate.is_eligible]
    waiting = [candidate for candidate in eligible if _waits(record, candidate, now)]
    ready = [candidate for candidate in eligible if candidate not in waiting]
    chosen = _take(record, ready, already=0)
    if len(chosen) < record.minimum_serving:
        # Once they serve they count like the others: so the tiers are gone through as they will be then.
        chosen = _take(record, [*ready, *_take(record, waiting, already=len(chosen))], already=0)
    left_waiting = [candidate for candidate in waiting if candidate not in chosen]
    return Choice(
        chosen=tuple(candidate for candidate in candidates if candidate in chosen),
        reason=_reason(record, candidates, chosen, left_waiting),
        decide_again_at=_decide_again_at(record, left_waiting),
    )


def _waits(record: Record, candidate: Candidate, now: float) -> bool:
    if candidate.in_place or candidate.health.failed_at is None or candidate.is_sent_back:
        return False
    if record.failback.mode is FailbackMode.MANUAL:
        return True
    return now < candidate.health.since + record.failback.hold_down


def _take(record: Record, candidates: Iterable[Candidate], *, already: int) -> list[Candidate]:
    by_tier: dict[int, list[Candidate]] = {}
    for candidate in candidates:
        by_tier.setdefault(_tier(record, candidate), []).append(candidate)
    taken: list[Candidate] = []
    for tier in sorted(by_tier):
        if taken and already + len(taken) >= record.minimum_serving:
            break
        taken += by_tier[tier]
    return taken


def _tier(record: Record, candidate: Candidate) -> int:
    return candidate.endpoint.priority if record.strategy is Strategy.PRIORITY else 0


def _decide_again_at(record: Record, waiting: list[Candidate]) -> float | None:
    if record.failback.mode is FailbackMode.MANUAL or not waiting:
        return None
    return min(candidate.health.since for candidate in waiting) + record.failback.hold_down


def _reason(
    record: Record, candidates: tuple[Candidate, ...], chosen: list[Candidate], waiting: list[Candidate]
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
    why = [f"{candidate.name} {_state(record, candidate, waiting)}" for candidate in passed_over]
    return f"{what}; {', '.join(why[:4])}" if why else what


def _state(record: Record, candidate: Candidate, waiting: list[Candidate]) -> str:
    if candidate.drained:
        return "is drained"
    if candidate in waiting:
        return (
            "waits for a new value of the annotation detour.dev/failback"
            if record.failback.mode is FailbackMode.MANUAL
            else "is held down"
        )
    return f"is {candidate.health.verdict.lower()}"
