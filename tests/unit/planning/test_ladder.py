"""Who answers before whom: one ladder, rung by rung; and the TTL while somebody is missing."""

import pytest

from detour.model.endpoint import AdminState, Endpoint
from detour.model.health import EndpointHealth, Evidence, Verdict
from detour.model.record import Failback, Strategy, TierNeeds, WhenAllUnhealthy
from detour.model.rrset import address_sets
from detour.planning.decision import Decision
from detour.planning.planner import plan
from detour.planning.situation import Situation

from .situations import HOSTNAME, NOW, ZONES, alike, decided, record

A1, A2, A3, B1, B2, LAST = (f"192.0.2.{number}" for number in range(1, 7))
PLACES = {
    A1: Endpoint("a1", "east", (A1,), priority=1),
    A2: Endpoint("a2", "east", (A2,), priority=1),
    A3: Endpoint("a3", "east", (A3,), priority=1),
    B1: Endpoint("b1", "west", (B1,), priority=2),
    B2: Endpoint("b2", "west", (B2,), priority=2),
    LAST: Endpoint("sorry", "north", (LAST,), priority=1, is_last_resort=True),
}
TIER_ONE = frozenset({A1, A2, A3})


def health(address: str, state: str) -> EndpointHealth:
    """Return the health of a place: up, down, slow, held (down until later) or damped."""
    verdict = Verdict.UNHEALTHY if state == "down" else Verdict.HEALTHY
    since = NOW - 5.0 if state == "held" else NOW - 500.0 if state != "down" else NOW - 2.0
    return EndpointHealth(
        verdict,
        since,
        failed_at=NOW - 60.0 if state in ("held", "damped", "down") else None,
        addresses=((address, verdict),),
        evidence=((address, Evidence(state != "down", NOW - 1.0, NOW - 1.5, NOW - 1.0)),),
        has_passed=True,
        changes=(NOW - 10.0,) * 4 if state == "damped" else (),
        is_slow=state == "slow",
    )


def situation(
    states: dict[str, str], *, serving: frozenset[str] = TIER_ONE, failing: frozenset[str] = frozenset(), **spec: object
) -> Situation:
    """Return the situation of a record with these places, all up but for `states`."""
    spec = {"strategy": Strategy.PRIORITY, "failback": Failback(hold_down=60.0, most_changes=3), **spec}
    return Situation(
        record=record(*PLACES.values(), **spec),
        healths={each.name: health(address, states.get(address, "up")) for address, each in PLACES.items()},
        drained_regions=frozenset(),
        standings=alike(
            {ZONES[0]: address_sets(HOSTNAME, 30, sorted(serving))},
            serving=frozenset(PLACES[each].name for each in serving),
            on_the_way=serving,
        ),
        value_limit=20,
        patience_until=0.0,
        failing_regions=failing,
    )


def answers(states: dict[str, str], **options: object) -> set[str]:
    return set(decided(decision(states, **options)))


def decision(states: dict[str, str], **options: object) -> Decision:
    outcome = plan(situation(states, **options), NOW)  # type: ignore[arg-type]  # checked by its use
    assert isinstance(outcome, Decision)
    return outcome


def all_of(state: str, *addresses: str) -> dict[str, str]:
    return dict.fromkeys(addresses, state)


def test_the_best_tier_answers_and_the_last_resort_does_not() -> None:
    assert answers({}) == set(TIER_ONE)


@pytest.mark.parametrize(
    ("above", "below"),
    [("up", "slow"), ("up", "held"), ("up", "damped"), ("slow", "held"), ("slow", "damped"), ("held", "damped")],
)
def test_each_rung_comes_before_those_below_it(above: str, below: str) -> None:
    """A better tier on a lower rung comes behind a worse tier on a higher one, also where neither is in place."""
    states = all_of(below, *TIER_ONE) | all_of(above, B1, B2)
    assert answers(states, serving=frozenset({LAST})) == {B1, B2}


@pytest.mark.parametrize("state", ["up", "slow", "held", "damped"])
def test_a_region_that_fails_as_a_whole_comes_behind_every_rung_of_the_others(state: str) -> None:
    assert answers(all_of(state, B1, B2), failing=frozenset({"east"})) == {B1, B2}


def test_in_a_region_that_fails_as_a_whole_somebody_answers_before_the_last_resort() -> None:
    assert answers(all_of("down", B1, B2), failing=frozenset({"east"})) == set(TIER_ONE)


def test_the_last_resort_answers_where_nobody_else_does_and_never_beside_them() -> None:
    assert answers(all_of("down", *TIER_ONE, B1, B2)) == {LAST}
    assert answers(all_of("down", A1, A2, B1, B2), minimum_serving=3) == {A3}


def test_where_the_last_resort_fails_too_what_is_published_stays() -> None:
    down = all_of("down", *PLACES)
    assert answers(down, when_all_unhealthy=WhenAllUnhealthy.KEEP_LAST) == set(TIER_ONE)


@pytest.mark.parametrize(
    ("needs", "down", "expected"),
    [
        (TierNeeds(1), (A1, A2), {A3}),
        (TierNeeds(2), (A1,), {A2, A3}),
        (TierNeeds(2), (A1, A2), {B1, B2}),
        (TierNeeds(share=0.5), (A1,), {A2, A3}),
        (TierNeeds(share=0.5), (A1, A2), {B1, B2}),
        (TierNeeds(share=0.5), (A1, A2, B1, B2), {A3}),
        (TierNeeds(9), (A1,), {B1, B2}),
    ],
)
def test_a_tier_with_too_few_makes_way_for_one_with_enough(
    needs: TierNeeds, down: tuple[str, ...], expected: set[str]
) -> None:
    found = decision(all_of("down", *down), tier_needs=needs)
    assert set(decided(found)) == expected
    if expected == {B1, B2}:
        assert "a3 is in a tier of which too few are fit" in found.reason or "a2 is in a tier" in found.reason


def test_a_tier_is_not_back_before_enough_of_it_have_waited_for_their_hold_down() -> None:
    serving, needs = frozenset({B1, B2}), TierNeeds(2)
    assert answers({A1: "down", A2: "held"}, serving=serving, tier_needs=needs) == {B1, B2}
    assert answers({A1: "down"}, serving=serving, tier_needs=needs) == {A2, A3}


def ttl(states: dict[str, str], **options: object) -> set[int]:
    found = decision(states, ttl=30, degraded_ttl=10, **options)
    return {rrset.ttl for ruling in found.rulings.values() for rrset in ruling.sets}


def test_while_somebody_is_missing_the_ttl_is_lower() -> None:
    assert ttl({}) == {30}
    assert ttl({A1: "down"}) == {10}
    assert ttl(all_of("down", *TIER_ONE)) == {10}
    assert ttl({B1: "down"}) == {30}, "one that would not answer is not missing"
    assert ttl(all_of("down", *TIER_ONE, B1, B2)) == {10}
    assert ttl({B1: "down"}, strategy=Strategy.MULTI_VALUE, serving=frozenset(PLACES) - {LAST}) == {10}


def test_who_is_drained_is_not_missing() -> None:
    known = situation({}, degraded_ttl=10)
    drained = tuple(
        Endpoint(each.name, each.region, each.addresses, priority=1, state=AdminState.DRAINED)
        if each.name == "a1"
        else each
        for each in known.record.endpoints
    )
    changed = Situation(
        record=record(*drained, degraded_ttl=10),
        healths=known.healths,
        drained_regions=frozenset(),
        standings=known.standings,
        value_limit=20,
        patience_until=0.0,
    )
    outcome = plan(changed, NOW)
    assert isinstance(outcome, Decision)
    assert {rrset.ttl for ruling in outcome.rulings.values() for rrset in ruling.sets} == {30}
