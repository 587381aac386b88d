"""From the canaries and endpoints of a region to its phase, and from there on."""

from dataclasses import replace

import pytest

from detour.health.regions import CanaryFinding, Course, EndpointCounts, Judgement, RegionPhase, judged
from detour.model.health import Verdict
from detour.model.region import FailingRules

H, U, N = Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.UNKNOWN
RULES = FailingRules(after=60.0, hold_down=600.0)
FINE = EndpointCounts(healthy=4, namespaces=2)
DOWN = EndpointCounts(unhealthy=4, namespaces=3, failing_namespaces=2)
NOW = 1000.0
OUT = Course(is_out=True)


def canaries(*verdicts: Verdict) -> tuple[CanaryFinding, ...]:
    return tuple(CanaryFinding(f"c{number}", verdict) for number, verdict in enumerate(verdicts, 1))


def judge(
    *verdicts: Verdict,
    endpoints: EndpointCounts = FINE,
    rules: FailingRules = RULES,
    course: Course = Course(),  # noqa: B008 - it is frozen
    now: float = NOW,
) -> Judgement:
    return judged(canaries(*verdicts), endpoints, rules, course, now)


@pytest.mark.parametrize(
    ("verdicts", "phase"),
    [
        ((H, H, H), RegionPhase.HEALTHY),
        ((H, N, N), RegionPhase.HEALTHY),
        ((H, H, U), RegionPhase.SUSPECT),
        ((U, U, H), RegionPhase.SUSPECT),
        ((N, N, N), RegionPhase.UNKNOWN),
        ((U, N, N), RegionPhase.SUSPECT),
    ],
)
def test_it_is_judged_by_its_canaries(verdicts: tuple[Verdict, ...], phase: RegionPhase) -> None:
    found = judge(*verdicts)
    assert found.phase is phase
    assert not found.course.is_out
    assert found.reason
    assert found.message


def test_it_fails_once_enough_canaries_have_failed_for_long_enough() -> None:
    first = judge(U, U, H)
    assert (first.phase, first.look_at) == (RegionPhase.SUSPECT, NOW + 60)
    still = judge(U, U, H, course=first.course, now=NOW + 59)
    assert (still.phase, still.look_at) == (RegionPhase.SUSPECT, NOW + 60)
    assert judge(U, U, H, course=still.course, now=NOW + 60).phase is RegionPhase.FAILING


def test_the_time_begins_anew_where_fewer_fail_in_between() -> None:
    first = judge(U, U, H)
    between = judge(U, H, H, course=first.course, now=NOW + 30)
    again = judge(U, U, H, course=between.course, now=NOW + 40)
    assert again.look_at == NOW + 100


@pytest.mark.parametrize(
    ("rules", "failing", "is_enough"),
    [
        (RULES, 2, False),
        (RULES, 3, True),
        (replace(RULES, number=1), 1, True),
        (replace(RULES, number=9), 4, True),
        (replace(RULES, share=0.75), 2, False),
        (replace(RULES, share=0.75), 3, True),
    ],
)
def test_so_many_of_four_are_enough(rules: FailingRules, failing: int, is_enough: bool) -> None:
    found = judge(*[U] * failing, *[H] * (4 - failing), rules=replace(rules, after=0.0))
    assert found.course.is_out is is_enough


def test_it_is_back_after_its_hold_down_and_not_before() -> None:
    back = judge(H, H, H, course=OUT)
    assert (back.phase, back.look_at, back.course.is_out) == (RegionPhase.RECOVERING, NOW + 600, True)
    assert judge(H, H, H, course=back.course, now=NOW + 599).phase is RegionPhase.RECOVERING
    done = judge(H, H, H, course=back.course, now=NOW + 600)
    assert (done.phase, done.course) == (RegionPhase.HEALTHY, Course())


def test_one_that_fails_again_while_it_recovers_fails_at_once_and_waits_anew() -> None:
    back = judge(H, H, H, course=OUT)
    again = judge(U, U, H, course=back.course, now=NOW + 300)
    assert again.phase is RegionPhase.FAILING
    once_more = judge(H, H, H, course=again.course, now=NOW + 310)
    assert once_more.look_at == NOW + 910


def test_endpoints_that_fail_put_its_return_off_by_as_much_again_and_no_more() -> None:
    found = judge(H, H, H, course=OUT, endpoints=DOWN)
    assert (found.phase, found.course.is_out, found.look_at) == (RegionPhase.RECOVERING, True, NOW + 1200)
    assert judge(H, H, H, course=found.course, endpoints=DOWN, now=NOW + 1199).course.is_out
    assert not judge(H, H, H, course=found.course, endpoints=DOWN, now=NOW + 1200).course.is_out
    assert not judge(H, H, H, course=found.course, now=NOW + 600).course.is_out, "they are well by then"


def test_canaries_that_never_passed_condemn_nothing() -> None:
    wrong = tuple(CanaryFinding(f"c{number}", U, "no such name", has_passed=False) for number in range(3))
    found = judged(wrong, FINE, replace(RULES, after=0.0), Course(), NOW)
    assert (found.phase, found.reason, found.course.is_out) == (RegionPhase.SUSPECT, "NeverPassed", False)
    assert "none of those has ever passed" in found.message
    assert judged(wrong, FINE, RULES, OUT, NOW).course.is_out, "nor do they acquit"


@pytest.mark.parametrize("verdicts", [(N, N, N), (H, N, N), (U, H, N)])
def test_of_which_too_little_is_known_it_stays_as_it_was(verdicts: tuple[Verdict, ...]) -> None:
    out = judge(*verdicts, course=OUT)
    assert (out.phase, out.course.is_out) == (RegionPhase.UNKNOWN, True)
    assert not judge(*verdicts).course.is_out


def test_endpoints_alone_make_it_suspect_at_most() -> None:
    found = judge(endpoints=DOWN, now=NOW + 1e6)
    assert (found.phase, found.course.is_out, found.look_at) == (RegionPhase.SUSPECT, False, None)
    assert "in 2 of 3 namespaces" in found.message
    assert judge(H, H, H, endpoints=DOWN).phase is RegionPhase.SUSPECT


def test_endpoints_alone_make_it_fail_where_the_administrator_says_so() -> None:
    opted_in = replace(RULES, by_endpoints=True)
    first = judge(endpoints=DOWN, rules=opted_in)
    assert judge(endpoints=DOWN, rules=opted_in, course=first.course, now=NOW + 60).phase is RegionPhase.FAILING
    assert judge(endpoints=FINE, rules=opted_in, course=OUT).phase is RegionPhase.RECOVERING


def test_one_namespace_of_several_speaks_for_itself_alone() -> None:
    assert judge(endpoints=EndpointCounts(unhealthy=90, healthy=2, namespaces=3, failing_namespaces=1)).phase is (
        RegionPhase.HEALTHY
    )


@pytest.mark.parametrize(
    ("endpoints", "phase", "reason"),
    [
        (EndpointCounts(), RegionPhase.UNKNOWN, "NoEndpoints"),
        (EndpointCounts(unknown=2), RegionPhase.UNKNOWN, "NotCheckedYet"),
        (EndpointCounts(healthy=1, unknown=2, namespaces=1), RegionPhase.HEALTHY, "EndpointsHealthy"),
        (EndpointCounts(unhealthy=2), RegionPhase.UNKNOWN, "NeverWorked"),
    ],
)
def test_without_canaries_its_endpoints_are_all_that_is_known(
    endpoints: EndpointCounts, phase: RegionPhase, reason: str
) -> None:
    found = judge(endpoints=endpoints)
    assert (found.phase, found.reason) == (phase, reason)


def test_it_says_which_canaries_fail_and_why() -> None:
    failing = [CanaryFinding(f"c{number}", U, "leads nowhere") for number in range(5)]
    told = judged(tuple(failing), FINE, RULES, OUT, NOW)
    assert told.message == "5 of 5 canaries fail (c0: leads nowhere; c1: leads nowhere; c2: leads nowhere; and 2 more)"
    assert told.effect == "its endpoints take no traffic where others are fit"
    assert judged(tuple(failing[:1]), FINE, RULES, OUT, NOW).message.startswith("1 of 1 canary fails (c0: ")
