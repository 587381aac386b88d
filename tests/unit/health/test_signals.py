"""From what a source says to a hint, from a hint to a closer look; and what it is worth to a region."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.health.regions import CanaryFinding, Course, EndpointCounts, Judgement, RegionPhase, judged
from detour.health.signals import (
    LONGEST_CLOSER_LOOK,
    NOT_CLOSER,
    Said,
    SignalCourse,
    SignalFinding,
    SignalState,
    after,
    finding,
    heard,
    looked_closer,
    means,
    said_by_query,
    said_of_location,
)
from detour.model.health import Verdict
from detour.model.region import FailingRules, SignalledRules
from detour.model.signals import Incident, Incidents, Samples, Unreadable

H, U, N = Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.UNKNOWN
HERE = frozenset({"us-east-1"})


# -- what is said ------------------------------------------------------------------------------------------------------


def test_a_status_page_speaks_of_the_regions_that_it_names() -> None:
    reading = Incidents((Incident("Increased Error Rates", HERE), Incident("Slow consoles", HERE)))
    said = said_of_location(reading, "AWS", "us-east-1")
    assert said == Said(True, "AWS reports: Increased Error Rates; and 1 more")
    assert said_of_location(reading, "AWS", "us-west-2") == Said(False)


def test_one_that_cannot_be_read_says_nothing_good_or_bad() -> None:
    assert said_of_location(Unreadable("HTTP 503"), "AWS", "us-east-1") == Said(None, "HTTP 503")
    assert said_by_query(Unreadable("away"), 1.0, None, "errors").against is None


def test_where_regions_are_only_named_in_prose_it_is_not_sure() -> None:
    reading = Incidents((Incident("Storage - West Europe", text="Storage - West Europe\nWe are looking into it"),))
    said = said_of_location(reading, "Azure", "westeurope")
    assert (said.against, said.is_sure) == (True, False)
    assert said_of_location(reading, "Azure", "northeurope") == Said(False)


@pytest.mark.parametrize(
    ("text", "location", "expected"),
    [
        ("Storage - West Europe - Mitigating", "westeurope", True),
        ("westeurope is slow", "westeurope", True),
        ("Virtual Machines in East US 2", "eastus2", True),
        ("Virtual Machines in East US 2", "eastus", False),
        ("Virtual Machines in East US, and more", "eastus", True),
        ("North Central US", "centralus", False),
        ("Central US", "centralus", True),
        ("UK South, Central US", "centralus", True),
        ("Western Europe", "westeurope", False),
        ("", "westeurope", False),
    ],
)
def test_azure_names_its_regions_in_words(text: str, location: str, expected: bool) -> None:
    assert means(text, location) is expected


@given(st.text(), st.from_regex("[a-z0-9]([a-z0-9-]*[a-z0-9])?", fullmatch=True))
def test_no_text_breaks_that(text: str, location: str) -> None:
    assert means(text, location) in (True, False)


Bounds = tuple[float | None, float | None]


def bounds(above: float | None = None, below: float | None = None) -> Bounds:
    return above, below


@pytest.mark.parametrize(
    ("values", "rules", "expected"),
    [
        ((0.1, 0.6), bounds(above=0.5), True),
        ((0.5,), bounds(above=0.5), False),
        ((), bounds(above=0.5), False),
        ((10.0, 0.2), bounds(below=1.0), True),
        ((1.0,), bounds(below=1.0), False),
        ((), bounds(below=1.0), False),
        ((-0.5,), bounds(below=0.0), True),
        ((0.5,), bounds(above=0.0), True),
    ],
)
def test_a_query_says_so_while_any_value_is_beyond_its_bound(
    values: tuple[float, ...], rules: Bounds, expected: bool
) -> None:
    assert said_by_query(Samples(values), *rules, "errors").against is expected


# -- how it goes on ----------------------------------------------------------------------------------------------------


def test_a_signal_stands_once_it_was_said_for_long_enough() -> None:
    course = heard(SignalCourse(), Said(True, "errors"), lasting=60.0, now=100.0)
    found = finding("errors", course, lasting=60.0)
    assert (found.state, found.look_at) == (SignalState.QUIET, 160.0)
    course = after(course, lasting=60.0, now=159.0)
    assert course.state is SignalState.QUIET
    course = after(course, lasting=60.0, now=160.0)
    found = finding("errors", course, lasting=60.0)
    assert (found.state, found.since, found.message) == (SignalState.STANDING, 160.0, "errors")


@pytest.mark.parametrize(("against", "state"), [(False, SignalState.QUIET), (None, SignalState.UNKNOWN)])
def test_it_stands_no_longer_once_its_source_says_otherwise_or_nothing(
    against: bool | None, state: SignalState
) -> None:
    course = heard(SignalCourse(), Said(True, "errors"), lasting=0.0, now=100.0)
    assert course.state is SignalState.STANDING
    assert heard(course, Said(against), lasting=0.0, now=130.0).state is state


def test_the_time_begins_anew_where_it_was_quiet_in_between() -> None:
    course = heard(SignalCourse(), Said(True), lasting=60.0, now=0.0)
    course = heard(course, Said(False), lasting=60.0, now=50.0)
    course = heard(course, Said(True), lasting=60.0, now=55.0)
    assert after(course, lasting=60.0, now=110.0).state is SignalState.QUIET
    assert after(course, lasting=60.0, now=115.0).state is SignalState.STANDING


# -- the closer look ---------------------------------------------------------------------------------------------------


def test_a_closer_look_ends_after_half_an_hour_though_the_signal_stands() -> None:
    look = looked_closer(NOT_CLOSER, stands=True, now=0.0)
    assert look.is_on
    assert look.ends_at == LONGEST_CLOSER_LOOK
    assert looked_closer(look, stands=True, now=LONGEST_CLOSER_LOOK - 1).is_on
    ended = looked_closer(look, stands=True, now=LONGEST_CLOSER_LOOK)
    assert not ended.is_on
    assert not looked_closer(ended, stands=True, now=10 * LONGEST_CLOSER_LOOK).is_on


def test_a_signal_that_comes_and_goes_costs_no_more_than_one_that_stays() -> None:
    look, closer = NOT_CLOSER, 0.0
    for minute in range(600):
        look = looked_closer(look, stands=minute % 2 == 0, now=60.0 * minute)
        closer += 60.0 * look.is_on
    assert closer <= LONGEST_CLOSER_LOOK


def test_after_as_long_a_calm_there_may_be_another() -> None:
    look = looked_closer(looked_closer(NOT_CLOSER, stands=True, now=0.0), stands=False, now=LONGEST_CLOSER_LOOK)
    assert not looked_closer(look, stands=True, now=2 * LONGEST_CLOSER_LOOK - 1).is_on
    assert looked_closer(look, stands=True, now=2 * LONGEST_CLOSER_LOOK).is_on


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 2000.0)), max_size=60))
def test_it_is_never_on_without_a_signal_nor_for_too_long_between_calms(steps: list[tuple[bool, float]]) -> None:
    look, now, on_since, on = NOT_CLOSER, 0.0, 0.0, 0.0
    calm_since: float | None = None
    for stands, passes in steps:
        was_on = look.is_on
        look = looked_closer(look, stands=stands, now=now)
        assert stands or not look.is_on
        if was_on:
            on += now - on_since
        on_since = now
        if stands and calm_since is not None and now - calm_since >= LONGEST_CLOSER_LOOK:
            on = 0.0
        calm_since = None if stands else (now if calm_since is None else calm_since)
        if look.is_on:
            assert on <= LONGEST_CLOSER_LOOK
            assert look.ends_at is not None
            now = min(now + passes, look.ends_at)  # somebody looks when it is to end
        else:
            now += passes


# -- what it is worth to a region --------------------------------------------------------------------------------------

RULES = FailingRules(after=60.0, hold_down=600.0)
SIGNALLED = SignalledRules(number=1, after=20.0)
FINE = EndpointCounts(healthy=4, namespaces=2)
DOWN = EndpointCounts(unhealthy=4, namespaces=3, failing_namespaces=2)
STANDS = SignalFinding("status-feed", SignalState.STANDING, "AWS reports: Increased Error Rates")
UNSURE = SignalFinding("status-feed", SignalState.STANDING, "Azure seems to report", is_sure=False)
UNKNOWN = SignalFinding("status-feed", SignalState.UNKNOWN, "HTTP 503")
NOW = 1000.0


def judge(
    *verdicts: Verdict,
    signals: tuple[SignalFinding, ...] = (STANDS,),
    signalled: SignalledRules = SIGNALLED,
    endpoints: EndpointCounts = FINE,
    rules: FailingRules = RULES,
    course: Course = Course(),  # noqa: B008 - it is frozen
    now: float = NOW,
) -> Judgement:
    canaries = tuple(CanaryFinding(f"c{number}", verdict) for number, verdict in enumerate(verdicts, 1))
    return judged(canaries, endpoints, rules, course, now, signals=signals, signalled=signalled)


@pytest.mark.parametrize("verdicts", [(H, H, H), (N, N, N), ()])
@pytest.mark.parametrize("signals", [(STANDS,), (UNSURE,), (STANDS, UNSURE)])
def test_a_signal_alone_makes_it_suspect_and_moves_nothing(
    verdicts: tuple[Verdict, ...], signals: tuple[SignalFinding, ...]
) -> None:
    found = judge(*verdicts, signals=signals)
    for _ in range(100):
        assert (found.phase, found.reason, found.course.is_out) == (RegionPhase.SUSPECT, "SignalStands", False)
        assert signals[0].message in found.message
        found = judge(*verdicts, signals=signals, course=found.course, now=NOW + 10_000)


def test_while_one_stands_less_is_enough() -> None:
    first = judge(U, H, H)
    assert (first.phase, first.look_at) == (RegionPhase.SUSPECT, NOW + 20)
    later = judge(U, H, H, course=first.course, now=NOW + 20)
    assert (later.phase, later.course.is_out) == (RegionPhase.FAILING, True)
    assert "AWS reports" in later.message


@pytest.mark.parametrize("signals", [(), (UNSURE,), (UNKNOWN,)])
def test_without_a_sure_one_it_is_not(signals: tuple[SignalFinding, ...]) -> None:
    first = judge(U, H, H, signals=signals)
    assert judge(U, H, H, signals=signals, course=first.course, now=NOW + 600).phase is RegionPhase.SUSPECT


def test_one_that_goes_before_that_was_long_enough_leaves_all_as_it_was() -> None:
    first = judge(U, H, H)
    gone = judge(U, H, H, signals=(), course=first.course, now=NOW + 10)
    assert judge(U, H, H, course=gone.course, now=NOW + 25).phase is RegionPhase.SUSPECT


def test_what_failed_by_it_must_be_as_well_again_as_that_though_the_signal_is_gone() -> None:
    out = judge(U, H, H, course=judge(U, H, H).course, now=NOW + 20).course
    still = judge(U, H, H, signals=(), course=out, now=NOW + 30)
    assert still.phase is RegionPhase.FAILING
    well = judge(H, H, H, signals=(), course=still.course, now=NOW + 40)
    assert well.phase is RegionPhase.RECOVERING
    assert judge(H, H, H, signals=(), course=well.course, now=NOW + 640).course == Course()


def test_what_failed_without_it_asks_for_no_more_because_of_it() -> None:
    out = judge(U, U, H, signals=(), course=judge(U, U, H, signals=()).course, now=NOW + 60).course
    assert out.is_out
    assert judge(U, H, H, course=out, now=NOW + 70).phase is RegionPhase.RECOVERING


def test_it_never_asks_for_more_than_without_it() -> None:
    strict = SignalledRules(number=3, after=600.0)
    first = judge(U, U, H, signalled=strict)
    assert judge(U, U, H, signalled=strict, course=first.course, now=NOW + 60).phase is RegionPhase.FAILING


def test_endpoints_alone_are_enough_then_where_an_administrator_says_so() -> None:
    trusting = SignalledRules(after=20.0, by_endpoints=True)
    first = judge(endpoints=DOWN, signalled=trusting)
    assert judge(endpoints=DOWN, signalled=trusting, course=first.course, now=NOW + 20).course.is_out
    assert not judge(endpoints=DOWN, course=first.course, now=NOW + 20).course.is_out


@given(
    st.lists(st.sampled_from([H, U, N]), max_size=5),
    st.lists(st.sampled_from([STANDS, UNSURE, UNKNOWN]), max_size=3),
    st.booleans(),
)
def test_no_signal_takes_a_region_out_in_which_nothing_fails(
    verdicts: list[Verdict], signals: list[SignalFinding], by_endpoints: bool
) -> None:
    course, now = Course(), NOW
    fine = [each for each in verdicts if each is not U]
    for _ in range(20):
        found = judge(
            *fine, signals=tuple(signals), course=course, now=now, signalled=SignalledRules(1, None, 0.0, by_endpoints)
        )
        assert not found.course.is_out
        course, now = found.course, now + 60.0


def test_once_the_signal_is_gone_the_usual_time_begins_anew() -> None:
    first = judge(U, H, H)
    second = judge(U, U, H, signals=(), course=first.course, now=NOW + 19)
    assert (second.phase, second.look_at) == (RegionPhase.SUSPECT, NOW + 79)
