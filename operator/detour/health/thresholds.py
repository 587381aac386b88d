"""How many results in a row decide.

One lost packet is not an outage: `fall` failures in a row make a target Unhealthy, `rise` passes make it Healthy.
Until then the old verdict stands, and the check repeats sooner, so that a real outage is still found within
`interval + timeout + (fall - 1) * max(recheck_interval, timeout)` seconds.
"""

from dataclasses import dataclass, replace

from detour.model.checks import CheckResult, CheckTiming
from detour.model.health import CheckFinding, Evidence, Verdict


@dataclass(frozen=True, slots=True)
class Streak:
    """What the checks of one target say so far: a verdict, and the run of like results that may end it.

    Times in seconds on the engine's clock; `latency` (seconds) is that of the last passed check. `confirmed_at` is when
    a check last agreed with the verdict; `evidence` what the newest one showed; `has_passed` says that one ever passed.
    Where it `lacks_quorum` vantages disagree, or too few have a say, so that the verdict is the one of before. That it
    fails `is_unanimous` where several vantages have a say, and all of them say so. It `is_slow` once its passes have
    taken too long for long enough; `turning_since` is since when all of them have said otherwise. What several
    checks make of an address together has what is believed of each in `checks`.
    """

    verdict: Verdict
    since: float
    passes: int = 0
    failures: int = 0
    blanks: int = 0
    reason: str = ""
    message: str = ""
    latency: float | None = None
    confirmed_at: float | None = None
    evidence: Evidence | None = None
    has_passed: bool = False
    lacks_quorum: bool = False
    is_unanimous: bool = False
    is_slow: bool = False
    turning_since: float | None = None
    checks: tuple[CheckFinding, ...] = ()


def observe(
    streak: Streak, result: CheckResult, timing: CheckTiming, now: float, *, began_at: float | None = None
) -> Streak:
    """Return the streak after `result` of a check that began at `began_at` (None: just now) and ended at `now`.

    A result that taught nothing ends no run; `fall` of them in a row make the verdict Unknown.
    """
    evidence = _add(streak.evidence, result, now if began_at is None else began_at, now)
    if result.passed and timing.slow_above is not None:
        streak = _timed(streak, result, timing.slow_above, timing.slow_for, now)
    if result.passed and streak.verdict is Verdict.HEALTHY:  # nearly every check: `replace` takes thrice the time
        return Streak(
            Verdict.HEALTHY,
            streak.since,
            streak.passes + 1,
            latency=result.latency,
            confirmed_at=now,
            evidence=evidence,
            has_passed=True,
            is_slow=streak.is_slow,
            turning_since=streak.turning_since,
        )
    streak = replace(streak, evidence=evidence)
    if result.passed is None:
        blank = replace(streak, blanks=streak.blanks + 1, reason=result.reason, message=result.message)
        return _turn(blank, Verdict.UNKNOWN, now) if blank.blanks >= timing.fall else blank
    if result.passed:
        passes = streak.passes + 1
        passed = replace(streak, passes=passes, failures=0, blanks=0, latency=result.latency, has_passed=True)
        if passes < timing.rise:
            return passed
        return _turn(replace(passed, reason="", message="", confirmed_at=now), Verdict.HEALTHY, now)
    failed = replace(streak, passes=0, failures=streak.failures + 1, blanks=0)
    if failed.failures < timing.fall and streak.verdict is not Verdict.UNHEALTHY:
        return failed
    told = replace(failed, reason=result.reason, message=result.message, confirmed_at=now)
    return _turn(told, Verdict.UNHEALTHY, now)


def afresh(streak: Streak) -> Streak:
    """Return the streak with its verdict and no run: what was seen before a gap says nothing of what comes after it."""
    return replace(streak, passes=0, failures=0, blanks=0, evidence=None, turning_since=None)


def _timed(streak: Streak, result: CheckResult, above: float, lasting: float, now: float) -> Streak:
    """Return the streak after a pass that took some time: it turns slow, or back, once all passes say so for long."""
    is_slow = result.latency > above
    if is_slow is streak.is_slow:
        return streak if streak.turning_since is None else replace(streak, turning_since=None)
    since = now if streak.turning_since is None else streak.turning_since
    if now - since >= lasting:
        return replace(streak, is_slow=is_slow, turning_since=None)
    return replace(streak, turning_since=since)


def _add(before: Evidence | None, result: CheckResult, began_at: float, now: float) -> Evidence | None:
    if result.passed is None:
        return replace(before, looked_at=began_at) if before else None
    goes_on = before is not None and before.passed is result.passed
    run_since = before.run_since if before is not None and goes_on else now
    return Evidence(result.passed, began_at, run_since, looked_at=began_at)


def _turn(streak: Streak, verdict: Verdict, now: float) -> Streak:
    return streak if streak.verdict is verdict else replace(streak, verdict=verdict, since=now)


def is_in_question(streak: Streak) -> bool:
    """Tell whether the next result may change the verdict soon: no verdict yet, or a contrary result has come."""
    match streak.verdict:
        case Verdict.HEALTHY:
            return streak.failures > 0
        case Verdict.UNHEALTHY:
            return streak.passes > 0
        case Verdict.UNKNOWN:
            return True


def is_out_of_reach(streak: Streak, timing: CheckTiming) -> bool:
    """Tell whether a check that never passed teaches nothing again and again: it cannot be made from here."""
    return streak.verdict is Verdict.UNKNOWN and not streak.has_passed and streak.blanks >= timing.fall


def next_delay(streak: Streak, timing: CheckTiming) -> float:
    """Return the seconds from the start of the last check to the start of the next one."""
    if streak.blanks >= timing.fall:
        return timing.interval
    return timing.recheck_interval if is_in_question(streak) else timing.interval
