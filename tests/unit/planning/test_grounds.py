"""What a move rests on: evidence of both places, each newer than the other's change."""

import dataclasses

import pytest

from detour.model.endpoint import AdminState
from detour.model.health import EndpointHealth, Evidence, Verdict
from detour.model.record import Failback, Strategy, WhenAllUnhealthy
from detour.model.rrset import address_sets
from detour.planning.decision import Basis, Decision, Undecided
from detour.planning.grounds import LATE, is_fresh, takes_over_from
from detour.planning.planner import plan
from detour.planning.situation import Situation

from .situations import HOSTNAME, NOW, TIMING, ZONES, alike, changed, decided, record
from .test_planner_examples import TIERS, A, B, C

H, U, N = Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.UNKNOWN
FAILED_FROM = NOW - 3.0
"""When the first failing check of the place that serves ended."""


def passed(began_at: float, since: float = 0.0) -> Evidence:
    return Evidence(True, began_at, since, began_at)


def failed(began_at: float = NOW - 1, since: float = FAILED_FROM) -> Evidence:
    return Evidence(False, began_at, since, began_at)


def health(verdict: Verdict, address: str, evidence: Evidence | None, since: float = NOW - 0.1) -> EndpointHealth:
    known = ((address, evidence),) if evidence else ()
    return EndpointHealth(verdict, since, addresses=((address, verdict),), evidence=known, has_passed=verdict is not U)


def situation(*healths: EndpointHealth, published: tuple[str, ...] = (A,), **changes: object) -> Situation:
    fields = {each.name for each in dataclasses.fields(record())}
    spec = {name: changes.pop(name) for name in list(changes) if name in fields}
    names = [each.name for each in TIERS]
    plain = Situation(
        record=record(*TIERS[: len(healths)], **spec),
        healths=dict(zip(names, healths, strict=False)),
        drained_regions=frozenset(),
        standings=alike(
            {ZONES[0]: address_sets(HOSTNAME, 30, published)},
            serving=frozenset(each.name for each in TIERS if each.addresses[0] in published),
            on_the_way=frozenset(published),
        ),
        value_limit=20,
        patience_until=0.0,
    )
    return changed(plain, **changes)


def decide(situation: Situation, now: float = NOW) -> Decision:
    outcome = plan(situation, now)
    assert isinstance(outcome, Decision)
    return outcome


DEAD = health(U, A, failed())
ALIVE = health(H, B, passed(FAILED_FROM + 0.1))


def test_a_place_that_was_seen_to_work_while_the_other_failed_is_gained_at_once() -> None:
    moved = decide(situation(DEAD, ALIVE))
    assert (decided(moved), moved.basis) == ({B}, Basis.CHOSEN)
    assert not moved.looks.wanted


@pytest.mark.parametrize(
    "alternative",
    [passed(FAILED_FROM - 0.1), failed(), None],
    ids=["passed before", "failed since", "never looked at"],
)
def test_a_place_that_was_not_seen_to_work_meanwhile_is_not_gained(alternative: Evidence | None) -> None:
    kept = decide(situation(DEAD, health(H, B, alternative)))
    assert decided(kept) == {A}
    assert B in kept.looks.awaited


def test_what_a_look_would_tell_is_looked_at_and_what_has_its_own_pace_is_not() -> None:
    assert decide(situation(DEAD, health(H, B, passed(FAILED_FROM - 0.1)))).looks.wanted == {B: FAILED_FROM}
    assert B in decide(situation(DEAD, health(H, B, None))).looks.wanted
    assert B not in decide(situation(DEAD, health(H, B, failed()))).looks.wanted


def test_who_recovers_first_after_a_blindness_gains_nothing_until_the_other_was_looked_at() -> None:
    """Both failed; B passes again since a moment, and A has not been checked since."""
    back = health(H, B, passed(NOW - 0.5, since=NOW - 2.5))
    unseen = decide(situation(health(U, A, failed(began_at=NOW - 4)), back))
    assert decided(unseen) == {A}
    assert unseen.looks.wanted == {A: NOW - 2.5}
    passes = decide(situation(health(U, A, passed(NOW - 0.1, since=NOW - 0.1)), back))
    assert decided(passes) == {A}
    assert decided(decide(situation(health(U, A, failed(began_at=NOW - 0.2)), back))) == {B}


def test_a_lower_tier_waits_for_the_look_at_a_better_one_and_no_longer_than_a_timeout() -> None:
    unseen = health(H, B, passed(FAILED_FROM - 0.1))
    spare = health(H, C, passed(FAILED_FROM + 0.1))
    waits = decide(situation(DEAD, unseen, spare))
    assert decided(waits) == {A}
    assert waits.decide_again_at == DEAD.since + TIMING.timeout
    assert decided(decide(situation(DEAD, unseen, spare), waits.decide_again_at)) == {C}
    assert decided(decide(situation(DEAD, health(H, B, failed()), spare))) == {C}


def test_an_address_of_many_goes_only_while_another_published_one_was_seen_to_work() -> None:
    many = {"strategy": Strategy.MULTI_VALUE, "published": (A, B)}
    assert decided(decide(situation(DEAD, ALIVE, **many))) == {B}
    assert decided(decide(situation(DEAD, health(H, B, failed()), **many))) == {A, B}
    assert decided(decide(situation(DEAD, health(N, B, None), **many))) == {A, B}


def test_what_is_merely_old_keeps_places_and_gains_none() -> None:
    old = NOW - TIMING.interval - TIMING.timeout - LATE - 0.1
    recovered = dataclasses.replace(health(H, A, passed(old), since=NOW - 900), failed_at=NOW - 950)
    serves = health(H, B, passed(NOW - 5))
    stays = decide(situation(recovered, serves, published=(B,), failback=Failback(hold_down=300.0)))
    assert decided(stays) == {B}
    assert A in stays.looks.wanted
    seen = dataclasses.replace(recovered, evidence=((A, passed(NOW - 5)),))
    assert decided(decide(situation(seen, serves, published=(B,)))) == {A}
    assert decided(decide(situation(health(H, A, passed(old)), serves))) == {A}


def test_a_better_place_is_not_gained_while_the_one_that_serves_has_just_begun_to_fail() -> None:
    wavers = health(H, B, failed(began_at=NOW - 0.1, since=NOW - 0.05))
    better = health(H, A, passed(NOW - 5))
    assert decided(decide(situation(better, wavers, published=(B,)))) == {B}
    seen = health(H, A, passed(NOW - 0.01))
    assert decided(decide(situation(seen, wavers, published=(B,)))) == {A}


def drained(alternative: Evidence | None, *, since: float) -> Situation:
    out = dataclasses.replace(TIERS[0], state=AdminState.DRAINED)
    found = situation(health(H, A, passed(NOW - 1)), health(H, B, alternative), drained_since={"a": since})
    return dataclasses.replace(found, record=record(out, TIERS[1]))


def test_a_drain_goes_ahead_as_soon_as_where_it_leads_was_seen_to_work() -> None:
    waits = plan(drained(passed(NOW - 1), since=NOW), NOW)
    assert isinstance(waits, Undecided)
    assert B in waits.looks.wanted
    assert waits.decide_again_at == NOW + TIMING.timeout
    assert decided(decide(drained(passed(NOW + 0.01), since=NOW), NOW + 0.02)) == {B}


def test_a_drain_goes_ahead_after_a_timeout_where_nothing_was_heard_but_not_to_a_place_that_fails() -> None:
    later = NOW + TIMING.timeout
    assert decided(decide(drained(passed(NOW - 500), since=NOW), later)) == {B}
    assert decided(decide(drained(None, since=NOW), later)) == {B}
    assert isinstance(plan(drained(failed(), since=NOW), later), Undecided)


def test_a_pin_waits_for_nothing() -> None:
    pinned = situation(health(H, A, passed(NOW - 1)), health(U, B, failed()), pin="3", pinned=(B,))
    assert (decide(pinned).basis, decided(decide(pinned))) == (Basis.PINNED, {B})


def test_a_name_that_has_nothing_is_filled_without_a_look() -> None:
    empty = situation(health(H, A, None), health(H, B, None), published=(), serving=None)
    assert decided(decide(empty)) == {A}


def test_serve_all_waits_while_somebody_may_still_work() -> None:
    waits = situation(DEAD, health(H, B, failed()), when_all_unhealthy=WhenAllUnhealthy.SERVE_ALL)
    assert decided(decide(waits)) == {A}
    over = situation(DEAD, health(U, B, failed()), when_all_unhealthy=WhenAllUnhealthy.SERVE_ALL)
    assert (decide(over).basis, decided(decide(over))) == (Basis.SERVE_ALL, {A, B})


def test_a_check_that_never_passed_puts_no_two_tiers_side_by_side() -> None:
    new = situation(health(U, A, failed()), health(U, B, failed()), published=(), serving=None)
    assert decided(decide(new)) == {A}
    works = dataclasses.replace(health(U, B, failed()), has_passed=True)
    assert decided(decide(situation(health(U, A, failed()), works, published=(), serving=None))) == {A, B}
    other = {ZONES[0]: address_sets(HOSTNAME, 30, ("203.0.113.9",))}
    assert decided(decide(changed(new, published=other))) == {A}


def test_two_sightings_speak_of_each_other_only_where_they_overlap() -> None:
    assert takes_over_from(passed(10.0, since=5.0), failed(began_at=9.0, since=8.0))
    assert not takes_over_from(passed(7.9, since=5.0), failed(began_at=9.0, since=8.0))
    assert not takes_over_from(passed(10.0, since=9.5), failed(began_at=9.0, since=8.0))
    assert not takes_over_from(failed(), failed())
    assert not takes_over_from(passed(10.0), passed(10.0))


def test_evidence_is_fresh_as_long_as_checks_on_time_make_it() -> None:
    limit = TIMING.interval + TIMING.timeout + LATE
    assert is_fresh(passed(NOW - limit), TIMING, NOW)
    assert not is_fresh(passed(NOW - limit - 0.01), TIMING, NOW)
