"""How many results in a row decide, and how fast that is."""

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from detour.health.thresholds import Streak, afresh, is_in_question, next_delay, observe
from detour.model.checks import CheckResult, CheckTiming
from detour.model.health import Evidence, Verdict

TIMING = CheckTiming(interval=10.0, recheck_interval=1.0, timeout=2.0, fall=3, rise=2)
RESULTS = {
    "+": CheckResult(True, "", "", 0.01),
    "-": CheckResult(False, "Refused", "connection refused", 0.0),
    "?": CheckResult(None, "NotAllowed", "refused to probe", 0.0),
}


def after(results: str, start: Verdict = Verdict.UNKNOWN, timing: CheckTiming = TIMING) -> Streak:
    streak = Streak(start, 0.0)
    for at, result in enumerate(results, start=1):
        streak = observe(streak, RESULTS[result], timing, float(at))
    return streak


def test_fall_failures_in_a_row_and_no_fewer_make_a_target_unhealthy() -> None:
    assert after("--", Verdict.HEALTHY).verdict is Verdict.HEALTHY
    fallen = after("---", Verdict.HEALTHY)
    assert (fallen.verdict, fallen.since, fallen.reason) == (Verdict.UNHEALTHY, 3.0, "Refused")
    assert after("--+--", Verdict.HEALTHY).verdict is Verdict.HEALTHY


def test_rise_passes_in_a_row_and_no_fewer_make_a_target_healthy() -> None:
    assert after("+", Verdict.UNHEALTHY).verdict is Verdict.UNHEALTHY
    risen = after("++", Verdict.UNHEALTHY)
    assert (risen.verdict, risen.since, risen.reason, risen.message) == (Verdict.HEALTHY, 2.0, "", "")
    assert after("+-+-", Verdict.UNHEALTHY).verdict is Verdict.UNHEALTHY


def test_a_first_verdict_takes_as_many_results_as_a_change() -> None:
    assert after("+").verdict is Verdict.UNKNOWN
    assert after("++").verdict is Verdict.HEALTHY
    assert after("--").verdict is Verdict.UNKNOWN
    assert after("---").verdict is Verdict.UNHEALTHY


SLOW_OR_FAST = replace(TIMING, slow_above=0.8, slow_for=10.0)


def timed(*taken: float, every: float = 5.0, start: Streak | None = None) -> Streak:
    """Return the streak after passes that took so long (seconds), one every five seconds."""
    streak = start or Streak(Verdict.HEALTHY, 0.0)
    for number, latency in enumerate(taken):
        streak = observe(streak, CheckResult(True, "", "", latency), SLOW_OR_FAST, number * every)
    return streak


def test_it_is_slow_once_all_passes_have_taken_too_long_for_long_enough() -> None:
    assert not timed(1.0, 1.0).is_slow
    assert timed(1.0, 1.0, 1.0).is_slow
    assert not timed(1.0, 1.0, 0.8, 1.0, 1.0).is_slow, "the time begins anew"
    assert not timed(0.8, 0.8, 0.8, 0.8).is_slow, "what takes no longer is not slow"


def test_it_is_fast_again_once_none_has_for_as_long() -> None:
    slow = timed(1.0, 1.0, 1.0)
    assert timed(0.1, 0.1, start=slow).is_slow
    assert timed(0.1, 1.0, 0.1, 0.1, start=slow).is_slow
    assert not timed(0.1, 0.1, 0.1, start=slow).is_slow


def test_a_failure_neither_makes_it_slow_nor_fast() -> None:
    failed = observe(timed(1.0, 1.0), RESULTS["-"], SLOW_OR_FAST, 7.0)
    assert observe(failed, CheckResult(True, "", "", 1.0), SLOW_OR_FAST, 10.0).is_slow


def test_without_a_limit_nothing_is_slow() -> None:
    streak = Streak(Verdict.HEALTHY, 0.0)
    for at in range(100):
        streak = observe(streak, CheckResult(True, "", "", 1.9), TIMING, float(at))
    assert not streak.is_slow


def test_a_result_that_taught_nothing_ends_no_run() -> None:
    assert after("--?-", Verdict.HEALTHY).verdict is Verdict.UNHEALTHY
    assert after("?", Verdict.HEALTHY).verdict is Verdict.HEALTHY


def test_enough_results_that_taught_nothing_make_a_verdict_unknown() -> None:
    assert after("??", Verdict.HEALTHY).verdict is Verdict.HEALTHY
    blind = after("???", Verdict.HEALTHY)
    assert (blind.verdict, blind.reason) == (Verdict.UNKNOWN, "NotAllowed")
    assert after("??+?", Verdict.HEALTHY).verdict is Verdict.HEALTHY


@given(st.text("+-?", max_size=30), st.sampled_from(list(Verdict)))
def test_since_is_when_the_verdict_began(results: str, start: Verdict) -> None:
    streak, began = Streak(start, 0.0), 0.0
    for at, result in enumerate(results, start=1):
        before = streak.verdict
        streak = observe(streak, RESULTS[result], TIMING, float(at))
        began = began if streak.verdict is before else float(at)
    assert streak.since == began


@given(st.text("+-?", max_size=30))
def test_a_turn_needs_its_run(results: str) -> None:
    streak = Streak(Verdict.UNKNOWN, 0.0)
    for end in range(1, len(results) + 1):
        before, streak = streak.verdict, observe(streak, RESULTS[results[end - 1]], TIMING, float(end))
        if streak.verdict is before or streak.verdict is Verdict.UNKNOWN:
            continue
        sign, needed = ("+", TIMING.rise) if streak.verdict is Verdict.HEALTHY else ("-", TIMING.fall)
        told = [each for each in results[:end] if each != "?"]
        assert told[-needed:] == [sign] * needed


def test_the_next_check_comes_soon_only_while_the_verdict_is_in_question() -> None:
    assert next_delay(after("++"), TIMING) == TIMING.interval
    assert next_delay(after("++-"), TIMING) == TIMING.recheck_interval
    assert next_delay(after("---"), TIMING) == TIMING.interval
    assert next_delay(after("---+"), TIMING) == TIMING.recheck_interval
    assert next_delay(after(""), TIMING) == TIMING.recheck_interval
    assert is_in_question(after("++-"))
    assert not is_in_question(after("++-+"))


def test_a_target_that_may_not_be_probed_is_not_asked_every_second() -> None:
    assert next_delay(after("???"), TIMING) == TIMING.interval


@given(
    interval=st.floats(1, 60),
    recheck=st.floats(0.1, 10),
    timeout=st.floats(0.1, 10),
    fall=st.integers(1, 6),
    broken_at=st.floats(0, 1, exclude_max=True),
)
def test_detection_takes_no_longer_than_promised(
    interval: float, recheck: float, timeout: float, fall: int, broken_at: float
) -> None:
    """Every failing check takes its whole timeout, the worst case; the target breaks somewhere within the interval."""
    timing = CheckTiming(interval, recheck, timeout, fall, rise=1)
    streak = Streak(Verdict.HEALTHY, 0.0)
    broke, started = broken_at * interval, interval
    while streak.verdict is Verdict.HEALTHY:
        ended = started + timeout
        streak = observe(streak, RESULTS["-"], timing, ended)
        started = max(ended, started + next_delay(streak, timing))
    bound = interval + timeout + (fall - 1) * max(recheck, timeout)
    assert streak.since - broke <= bound or math.isclose(streak.since - broke, bound)


def told(results: str) -> Evidence | None:
    """Return the evidence after checks of half a second that end at 1.0, 2.0, ..."""
    streak = Streak(Verdict.UNKNOWN, 0.0)
    for at, result in enumerate(results, start=1):
        streak = observe(streak, RESULTS[result], TIMING, float(at), began_at=at - 0.5)
    return streak.evidence


def test_evidence_is_what_the_newest_check_showed_and_since_when_they_show_that() -> None:
    assert told("") is None
    assert told("?") is None
    assert told("+++") == Evidence(passed=True, began_at=2.5, run_since=1.0, looked_at=2.5)
    assert told("++--") == Evidence(passed=False, began_at=3.5, run_since=3.0, looked_at=3.5)
    assert told("+-+") == Evidence(passed=True, began_at=2.5, run_since=3.0, looked_at=2.5)


def test_a_check_that_taught_nothing_is_a_look_and_no_evidence() -> None:
    assert told("-?") == Evidence(passed=False, began_at=0.5, run_since=1.0, looked_at=1.5)
    assert told("-?-") == Evidence(passed=False, began_at=2.5, run_since=1.0, looked_at=2.5)


def test_a_verdict_is_confirmed_by_every_check_that_agrees_and_by_no_other() -> None:
    assert after("+").confirmed_at is None
    assert after("++").confirmed_at == 2.0
    assert after("+++").confirmed_at == 3.0
    assert after("+++-").confirmed_at == 3.0
    assert after("+++---").confirmed_at == 6.0
    assert after("+++---?").confirmed_at == 6.0


def test_after_a_gap_a_verdict_stands_and_its_run_begins_anew() -> None:
    wavering = after("--", Verdict.HEALTHY)
    again = observe(afresh(wavering), RESULTS["-"], TIMING, 100.0)
    assert (again.verdict, again.failures) == (Verdict.HEALTHY, 1)
    assert afresh(wavering).evidence is None
