"""How fast checks may take places away where several serve."""

import math
from dataclasses import replace

import pytest

from detour.model.endpoint import AdminState, Endpoint
from detour.model.health import EndpointHealth, Evidence, Verdict
from detour.model.record import Publish, Strategy
from detour.model.rrset import address_sets
from detour.planning.decision import Decision
from detour.planning.pace import WINDOW, Pace, at_most
from detour.planning.planner import plan
from detour.planning.situation import Situation

from .situations import HOSTNAME, NOW, ZONES, alike, changed, decided, record

PLACES = tuple(Endpoint(f"e{number}", f"region-{number % 2}", (f"192.0.2.{number}",)) for number in range(8))
ALL = frozenset(each.addresses[0] for each in PLACES)
A_QUARTER = Pace(0.25)


def health(endpoint: Endpoint, *, fails: bool, since: float = NOW - 1.0, is_unanimous: bool = False) -> EndpointHealth:
    verdict = Verdict.UNHEALTHY if fails else Verdict.HEALTHY
    seen = Evidence(not fails, NOW - 0.5, since, NOW - 0.5)
    address = endpoint.addresses[0]
    return EndpointHealth(
        verdict,
        since,
        failed_at=since if fails else None,
        addresses=((address, verdict),),
        evidence=((address, seen),),
        has_passed=True,
        is_unanimous=is_unanimous,
    )


def situation(*failing: int, pace: Pace = A_QUARTER, serving: frozenset[str] = ALL, **changes: object) -> Situation:
    """Return the situation of a record of which all but who fails passed before the others failed."""
    healths = {
        each.name: health(each, fails=number in failing, since=NOW - 1.0 if number in failing else 0.0)
        for number, each in enumerate(PLACES)
    }
    plain = Situation(
        record=record(*PLACES, strategy=Strategy.MULTI_VALUE),
        healths=healths,
        drained_regions=frozenset(),
        standings=alike(
            {ZONES[0]: address_sets(HOSTNAME, 30, sorted(serving))},
            serving=frozenset(each.name for each in PLACES if each.addresses[0] in serving),
            on_the_way=serving,
        ),
        value_limit=20,
        patience_until=0.0,
        pace=pace,
    )
    return changed(plain, **changes)


def left(known: Situation, now: float = NOW) -> set[str]:
    """Return the names of who does not answer any more."""
    outcome = plan(known, now)
    assert isinstance(outcome, Decision)
    return {each.name for each in PLACES if each.addresses[0] not in decided(outcome)}


def reason(known: Situation) -> str:
    outcome = plan(known, NOW)
    assert isinstance(outcome, Decision)
    return outcome.reason


@pytest.mark.parametrize(
    ("share", "endpoints", "number"),
    [(0.25, 1, 1), (0.25, 4, 1), (0.25, 7, 1), (0.25, 8, 2), (0.3, 10, 3), (0.01, 50, 1), (0.99, 3, 2), (1.0, 3, 3)],
)
def test_so_many_may_leave_within_a_minute(share: float, endpoints: int, number: int) -> None:
    assert at_most(share, endpoints) == number


def test_a_quarter_of_eight_leaves_at_once_and_the_others_stay_for_a_minute() -> None:
    outcome = plan(situation(1, 2, 3, 4), NOW)
    assert isinstance(outcome, Decision)
    assert len(decided(outcome)) == 6
    assert outcome.decide_again_at == NOW + WINDOW


def test_who_has_failed_for_longest_leaves_first() -> None:
    known = situation(1, 2, 3, 4)
    healths = {
        **known.healths,
        "e3": replace(known.healths["e3"], since=NOW - 9),
        "e4": replace(known.healths["e4"], since=NOW - 8),
    }
    assert left(replace(known, healths=healths)) == {"e3", "e4"}


def test_it_says_who_stays_and_by_what_setting() -> None:
    assert (
        "e3, e4 keep their places: checks take away no more than 2 of 8 endpoints within a minute"
        " (safety.withdrawal: 25%)" in reason(situation(1, 2, 3, 4))
    )


def test_who_left_within_the_minute_counts_and_who_left_before_does_not() -> None:
    serving = ALL - {PLACES[0].addresses[0]}
    lately = Pace(0.25, {ZONES[0]: {"e0": NOW - WINDOW + 5.0}})
    assert len(left(situation(0, 1, 2, serving=serving, pace=lately))) == 2
    outcome = plan(situation(0, 1, 2, serving=serving, pace=lately), NOW)
    assert outcome.decide_again_at == NOW + 5.0
    assert left(situation(0, 1, 2, serving=serving, pace=Pace(0.25, {ZONES[0]: {"e0": NOW - WINDOW}}))) == {
        "e0",
        "e1",
        "e2",
    }


def test_who_is_to_leave_and_is_still_shown_counts_for_as_long() -> None:
    serving = ALL - {PLACES[0].addresses[0], PLACES[5].addresses[0]}
    under_way = Pace(0.25, {ZONES[0]: {"e0": math.inf, "e5": math.inf}})
    outcome = plan(situation(0, 1, 5, serving=serving, pace=under_way), NOW)
    assert isinstance(outcome, Decision)
    assert decided(outcome) == serving
    assert outcome.decide_again_at is None, "what the zone shows is what it waits for"


def test_who_is_back_does_not_count() -> None:
    assert left(situation(1, 2, pace=Pace(0.25, {ZONES[0]: {"e0": NOW - 5.0, "e7": NOW - 5.0}}))) == {"e1", "e2"}


def test_whom_a_person_takes_out_leaves_at_once_and_counts_for_nothing() -> None:
    drained = tuple(
        replace(each, state=AdminState.DRAINED) if number in (5, 6, 7) else each for number, each in enumerate(PLACES)
    )
    known = situation(1, 2)
    known = replace(
        known, record=replace(known.record, endpoints=drained), drained_since={"e5": 0.0, "e6": 0.0, "e7": 0.0}
    )
    assert left(known) == {"e5", "e6", "e7", "e1"}, "one of five, as a quarter of those that are not drained"


def test_whom_all_of_several_vantages_call_down_leaves_at_once() -> None:
    known = situation(1, 2, 3, 4)
    healths = {
        name: replace(each, is_unanimous=each.verdict is Verdict.UNHEALTHY) for name, each in known.healths.items()
    }
    assert left(replace(known, healths=healths)) == {"e1", "e2", "e3", "e4"}


def test_who_was_seen_to_fail_by_late_checks_alone_stays_until_the_next_one() -> None:
    late = situation(1, pace=Pace(0.25, late_until=NOW - 0.4))
    outcome = plan(late, NOW)
    assert isinstance(outcome, Decision)
    assert decided(outcome) == ALL
    assert outcome.looks.awaited == {PLACES[1].addresses[0]}
    assert "e1 keeps its place: the checks that failed came late" in outcome.reason
    assert left(situation(1, pace=Pace(0.25, late_until=NOW - 0.6))) == {"e1"}


def test_the_best_tier_alone_answers_where_that_is_asked_for_however_many_fail() -> None:
    known = situation(1, 2, 3, 4)
    for spec in ({"strategy": Strategy.PRIORITY}, {"publish": Publish.CNAME}):
        outcome = plan(replace(known, record=replace(known.record, **spec)), NOW)
        assert "safety.withdrawal" not in outcome.reason


def test_without_a_limit_all_leave() -> None:
    assert left(situation(1, 2, 3, 4, pace=Pace(1.0))) == {"e1", "e2", "e3", "e4"}


def test_where_nobody_works_everything_stays_and_then_the_dead_leave_one_after_the_other() -> None:
    assert left(situation(*range(8))) == set()
    assert len(left(situation(*range(1, 8)))) == 2


def test_what_has_left_another_zone_does_not_count_in_this_one() -> None:
    serving = ALL - {PLACES[0].addresses[0]}
    elsewhere = Pace(0.25, {ZONES[1]: {"e0": math.inf, "e5": math.inf}})
    assert left(situation(0, 1, 5, serving=serving, pace=elsewhere)) == {"e0", "e1", "e5"}


def test_who_has_failed_for_long_leaves_though_checks_come_late() -> None:
    known = situation(1, pace=Pace(0.25, late_until=NOW))
    assert left(known) == set()
    long_ago = health(PLACES[1], fails=True, since=NOW - 80.0)
    assert left(replace(known, healths={**known.healths, "e1": long_ago})) == {"e1"}


def test_an_address_that_tells_nothing_any_more_keeps_no_dead_endpoint() -> None:
    known = situation(1)
    found = known.healths["e1"]
    old = Evidence(passed=False, began_at=NOW - 900.0, run_since=NOW - 950.0, looked_at=NOW - 1.0)
    dual = replace(
        found,
        addresses=(*found.addresses, ("2001:db8::1", Verdict.UNKNOWN)),
        evidence=(*found.evidence, ("2001:db8::1", old)),
    )
    assert left(replace(known, healths={**known.healths, "e1": dual})) == {"e1"}
