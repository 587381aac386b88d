"""How fast checks may take serving places away from a name, where several serve.

In October 2025 the health checks of AWS's load balancers alternated, as the network behind new machines was not ready
yet, and each turn took capacity away that worked; the remedy was a limit on how fast checks may withdraw it. So within
a sliding minute checks take away no more than a share of a record's endpoints, and at least one.

    counted       who was found Unhealthy, or slow, and left within the last minute, and is not back
    free          whom a person takes out, who is in a region that fails as a whole, and whom all of several vantages
                  call down: a single one may be wrong
    doubted       who was seen to fail only long ago, or by checks that came late, as of a prober without CPU: for a
                  minute; who has failed for longer has failed
    exempt        Priority, where one place is left for another: damping covers what repeats

Pure; times in seconds on the engine's clock.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from detour.model.health import Evidence, Verdict
from detour.model.record import ObjectKey, Publish, Record, Strategy
from detour.planning.candidates import Candidate
from detour.planning.grounds import LATE, NEVER

WINDOW = 60.0
LONGEST_DOUBT = 60.0
"""Seconds, beside those that a check takes, after which a failure counts though the checks that show it come late."""

NAMES_TOLD = 4


@dataclass(frozen=True, slots=True)
class Pace:
    """What is known of how fast places have left.

    Checks may take away `share` of the endpoints within `WINDOW`, above 0 and at most 1, which is no limit. `lately`
    has by zone the endpoints that they took away, each with the time (infinity: the zone may show it yet). Until
    `late_until` checks came late.
    """

    share: float = 1.0
    lately: Mapping[ObjectKey, Mapping[str, float]] = field(default_factory=dict)
    late_until: float = NEVER

    def of(self, zones: Iterable[ObjectKey]) -> "ZonePace":
        """Return what counts for these zones: who has left any of them, and when it did last."""
        found: dict[str, float] = {}
        for zone in zones:
            for name, at in self.lately.get(zone, {}).items():
                found[name] = max(at, found.get(name, at))
        return ZonePace(self.share, found, self.late_until)


@dataclass(frozen=True, slots=True)
class ZonePace:
    """The same for zones that stand alike: who has `left`, and when."""

    share: float
    left: Mapping[str, float]
    late_until: float


@dataclass(frozen=True, slots=True)
class Slowed:
    """The endpoints that stay though they fail: the `limited` as enough have left, `late` as theirs came late.

    Of those `late` the next check counts; at `again_at` one of the limited may leave. `allowed` of `total` endpoints
    may leave within a minute.
    """

    limited: tuple[Candidate, ...] = ()
    late: tuple[Candidate, ...] = ()
    again_at: float | None = None
    allowed: int = 0
    total: int = 0

    @property
    def stays(self) -> tuple[Candidate, ...]:
        """All who stay."""
        return (*self.limited, *self.late)


NOBODY_SLOWED = Slowed()
UNLIMITED = Pace()


def is_paced(record: Record) -> bool:
    """Tell whether several endpoints of a record serve at once, so that checks can take a part of them away."""
    return record.strategy is Strategy.MULTI_VALUE and record.publish is Publish.ADDRESS and len(record.endpoints) > 1


def at_most(share: float, endpoints: int) -> int:
    """Return how many of so many endpoints may leave within a minute: at least one."""
    return max(1, int(share * endpoints + 1e-9))  # 0.3 of ten is three


def taken_away(candidates: Iterable[Candidate], chosen: Iterable[Candidate]) -> list[Candidate]:
    """Return the endpoints that leave because checks found them Unhealthy, or slow, those found first in front."""
    staying = {each.name for each in chosen}
    gone = [
        each
        for each in candidates
        if each.in_place and not (each.drained or each.is_evacuated) and each.name not in staying
        if each.health.should_leave
    ]
    return sorted(gone, key=lambda each: each.health.since)


def slowed(
    record: Record,
    candidates: tuple[Candidate, ...],
    chosen: tuple[Candidate, ...],
    pace: ZonePace,
    now: float,
) -> Slowed:
    """Return who stays of those that checks would take away, where `chosen` are to answer."""
    if pace.share >= 1.0 or not is_paced(record):
        return NOBODY_SLOWED
    leaving = [each for each in taken_away(candidates, chosen) if each.present]
    in_time = record.timing.interval + record.timing.timeout
    oldest = max(now - in_time - LATE, pace.late_until)
    late = tuple(
        each for each in leaving if _looked_at(each) <= oldest and now - _failing_since(each) < in_time + LONGEST_DOUBT
    )
    bound = [each for each in leaving if each not in late and not each.health.is_unanimous]
    if not bound and not late:
        return NOBODY_SLOWED
    serving = {each.name for each in candidates if each.in_place}
    undrained = {each.name for each in candidates if not each.drained}
    recent = [at for name, at in pace.left.items() if at > now - WINDOW and name in undrained and name not in serving]
    allowed = at_most(pace.share, len(undrained))
    free = max(0, allowed - len(recent))
    limited = tuple(bound[free:])
    ends = [at + WINDOW for at in (*recent, *([now] if bound[:free] else [])) if at < math.inf]
    again_at = min(ends, default=None) if limited else None
    return Slowed(tuple(map(_staying, limited)), tuple(map(_staying, late)), again_at, allowed, len(undrained))


def _staying(candidate: Candidate) -> Candidate:
    """Return a failing endpoint with what DNS has of it as all that it is to have."""
    kept = tuple(value for value in candidate.declared_values if value in candidate.present)
    return replace(candidate, values=kept, keeps_place=True)


def _looked_at(candidate: Candidate) -> float:
    """Return when the newest check began of that address of an endpoint that leaves which was looked at longest ago."""
    return min((seen.began_at for seen in _bearing(candidate)), default=NEVER)


def _failing_since(candidate: Candidate) -> float:
    """Return since when all that bears it out has been seen."""
    return max((seen.run_since for seen in _bearing(candidate)), default=math.inf)


def _bearing(candidate: Candidate) -> list[Evidence]:
    """Return what bears out that an endpoint is to leave: what was seen of the addresses that fail, or are slow."""
    verdict = Verdict.HEALTHY if candidate.health.is_slow else Verdict.UNHEALTHY
    counted = {address for address, found in candidate.health.addresses if found is verdict}
    seen = candidate.evidence
    return [each for address, each in seen.items() if address in counted] or list(seen.values())


def told_of(found: Slowed, share: float) -> str:
    """Return why those stay who stay, empty where nobody does."""
    told = []
    if found.limited:
        much = f"checks take away no more than {found.allowed} of {found.total} endpoints within a minute"
        told.append(f"{_keep_their_places(found.limited)}: {much} (safety.withdrawal: {share:.0%})")
    if found.late:
        told.append(f"{_keep_their_places(found.late)}: the checks that failed came late, so newer ones are awaited")
    return "; ".join(told)


def _keep_their_places(who: tuple[Candidate, ...]) -> str:
    names = ", ".join(each.name for each in who[:NAMES_TOLD])
    more = f" and {len(who) - NAMES_TOLD} more" if len(who) > NAMES_TOLD else ""
    return f"{names}{more} {'keeps its place' if len(who) == 1 else 'keep their places'}"
