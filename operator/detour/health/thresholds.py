"""How many results in a row decide.

One lost packet is not an outage: `fall` failures in a row make a target Unhealthy, `rise` passes make it Healthy.
Until then the old verdict stands, and the check repeats sooner, so that a real outage is still found within
`interval + timeout + (fall - 1) * max(recheck_interval, timeout)` seconds.
"""

from dataclasses import dataclass, replace

from detour.model.checks import CheckResult, CheckTiming
from detour.model.health import Verdict


@dataclass(frozen=True, slots=True)
class Streak:
    """What the checks of one target say so far: a verdict, and the run of like results that may end it.

    Times in seconds on the engine's clock; `latency` (seconds) is that of the last passed check.
    """

    verdict: Verdict
    since: float
    passes: int = 0
    failures: int = 0
    blanks: int = 0
    reason: str = ""
    message: str = ""
    latency: float | None = None


def observe(streak: Streak, result: CheckResult, timing: CheckTiming, now: float) -> Streak:
    """Return the streak after `result`, which arrived at `now`.

    A result that taught nothing ends no run; `fall` of them in a row make the verdict Unknown.
    """
    if result.passed is None:
        blank = replace(streak, blanks=streak.blanks + 1, reason=result.reason, message=result.message)
        return _turn(blank, Verdict.UNKNOWN, now) if blank.blanks >= timing.fall else blank
    if result.passed:
        passes = streak.passes + 1
        if streak.verdict is Verdict.HEALTHY:  # nearly every check is one of these: `replace` takes thrice the time
            return Streak(Verdict.HEALTHY, streak.since, passes, latency=result.latency)
        passed = replace(streak, passes=passes, failures=0, blanks=0, latency=result.latency)
        if passes < timing.rise:
            return passed
        return _turn(replace(passed, reason="", message=""), Verdict.HEALTHY, now)
    failed = replace(streak, passes=0, failures=streak.failures + 1, blanks=0)
    if failed.failures < timing.fall and streak.verdict is not Verdict.UNHEALTHY:
        return failed
    return _turn(replace(failed, reason=result.reason, message=result.message), Verdict.UNHEALTHY, now)


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


def next_delay(streak: Streak, timing: CheckTiming) -> float:
    """Return the seconds from the start of the last check to the start of the next one."""
    if streak.blanks >= timing.fall:
        return timing.interval
    return timing.recheck_interval if is_in_question(streak) else timing.interval
