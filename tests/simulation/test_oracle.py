"""The oracle, on examples written by hand: what people declared, how the places are, and what the name must answer."""

from dataclasses import replace

import pytest

from detour.model.endpoint import AdminState, Endpoint
from detour.model.record import Failback, FailbackMode, Publish, Record, Strategy, WhenAllUnhealthy
from detour_simulation.oracle import Flaw, Truth, everybody, first_choice, flaw, permitted

from .histories import record

A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"
A6 = "2001:db8::1"


def place(
    name: str, *addresses: str, priority: int = 1, region: str = "aws-us-east-1", drained: bool = False
) -> Endpoint:
    state = AdminState.DRAINED if drained else AdminState.ACTIVE
    return Endpoint(name=name, region=region, addresses=addresses, priority=priority, state=state)


def tiers(**changes: object) -> Record:
    """Return a record of three places, one in each tier."""
    found = (place("a", A), place("b", B, priority=2, region="azure"), place("c", C, priority=3, region="gcp"))
    return record(*found, **changes)  # type: ignore[arg-type]  # the fields are checked by their use


def test_the_best_tier_answers() -> None:
    assert first_choice(tiers(), Truth()) == {A}


def test_the_next_tier_answers_where_the_best_is_down() -> None:
    assert first_choice(tiers(), Truth(failing={A})) == {B}
    assert first_choice(tiers(), Truth(failing={A, B})) == {C}


def test_tiers_are_added_until_enough_places_answer() -> None:
    two = tiers(minimum_serving=2)
    assert first_choice(two, Truth()) == {A, B}
    assert first_choice(two, Truth(failing={A})) == {B, C}
    assert first_choice(two, Truth(failing={A, B})) == {C}


def test_a_tier_is_taken_as_a_whole() -> None:
    both = record(place("a", A), place("b", B), place("c", C, priority=2), minimum_serving=1)
    assert first_choice(both, Truth()) == {A, B}


def test_everybody_who_is_up_answers_in_a_multivalue_set() -> None:
    all_of_them = tiers(strategy=Strategy.MULTI_VALUE)
    assert first_choice(all_of_them, Truth()) == {A, B, C}
    assert first_choice(all_of_them, Truth(failing={B})) == {A, C}


def test_who_is_drained_or_in_a_drained_region_does_not_answer() -> None:
    assert first_choice(record(place("a", A, drained=True), place("b", B, priority=2)), Truth()) == {B}
    assert first_choice(tiers(), Truth(drained={"aws-us-east-1", "azure"})) == {C}


def test_of_a_place_only_the_addresses_that_work_answer() -> None:
    two = record(place("a", A, A6), place("b", B, priority=2))
    assert first_choice(two, Truth(failing={A})) == {A6}
    assert first_choice(two, Truth(failing={A, A6})) == {B}


def test_a_hostname_answers_with_what_it_leads_to() -> None:
    named = record(Endpoint(name="a", region="aws", hostname="lb.example.net"), place("b", B, priority=2))
    assert first_choice(named, Truth(names={"lb.example.net": (A, C)}, failing={C})) == {A}
    assert first_choice(named, Truth(names={"lb.example.net": ()})) == {B}


def test_a_canonical_name_answers_as_it_is() -> None:
    named = record(
        Endpoint(name="a", region="aws", hostname="one.example.net"),
        Endpoint(name="b", region="azure", hostname="two.example.net", priority=2),
        publish=Publish.CNAME,
    )
    names = {"one.example.net": (A,), "two.example.net": (B,)}
    assert first_choice(named, Truth(names=names)) == {"one.example.net"}
    assert first_choice(named, Truth(names=names, failing={A})) == {"two.example.net"}


def test_everybody_is_who_was_not_taken_out_and_else_all() -> None:
    assert everybody(tiers(), Truth(drained={"aws-us-east-1"})) == {B, C}
    assert everybody(tiers(), Truth(drained={"aws-us-east-1", "azure", "gcp"})) == {A, B, C}


def test_who_failed_may_wait_for_a_person_while_enough_others_answer() -> None:
    manual = tiers(failback=Failback(FailbackMode.MANUAL))
    assert set(permitted(manual, Truth(), failed={A}, published=frozenset({B}))) == {frozenset({A}), frozenset({B})}
    assert set(permitted(manual, Truth(failing={B, C}), failed={A}, published=frozenset({B}))) == {frozenset({A})}
    assert set(permitted(manual, Truth(), failed=(), published=frozenset({B}))) == {frozenset({A})}


def test_who_comes_and_goes_may_wait_while_enough_others_answer() -> None:
    rights = [frozenset({A}), frozenset({B})]
    assert list(permitted(tiers(), Truth(), failed=(), published=frozenset({B}), flapping={A})) == rights
    assert list(permitted(tiers(), Truth(), failed={A}, published=frozenset({B}))) == rights[:1]
    alone = Truth(failing={B, C})
    assert set(permitted(tiers(), alone, failed=(), published=frozenset({B}), flapping={A})) == {frozenset({A})}
    assert flaw(tiers(), Truth(), frozenset({B}), flapping={A}) is None
    assert flaw(tiers(), Truth(), frozenset({B}), failed={A}) is Flaw.NOT_BEST


@pytest.mark.parametrize(
    ("declared", "truth", "answers", "wanted"),
    [
        (tiers(), Truth(), {A}, None),
        (tiers(), Truth(), set(), Flaw.EMPTY),
        (tiers(), Truth(), {B}, Flaw.NOT_BEST),
        (tiers(), Truth(), {A, B}, Flaw.NOT_BEST),
        (tiers(), Truth(failing={A}), {A}, Flaw.DEAD),
        (tiers(), Truth(failing={A}), {A, B}, Flaw.DEAD),
        (tiers(), Truth(drained={"aws-us-east-1"}), {A}, Flaw.TAKEN_OUT),
        (tiers(), Truth(), {A, "203.0.113.9"}, Flaw.UNDECLARED),
        (tiers(), Truth(failing={A, B, C}), {B}, None),
        (tiers(), Truth(failing={A, B, C}), {B, "203.0.113.9"}, Flaw.UNDECLARED),
        (tiers(when_all_unhealthy=WhenAllUnhealthy.SERVE_ALL), Truth(failing={A, B, C}), {B}, Flaw.NOT_EVERYBODY),
        (tiers(when_all_unhealthy=WhenAllUnhealthy.SERVE_ALL), Truth(failing={A, B, C}), {A, B, C}, None),
        (tiers(strategy=Strategy.MULTI_VALUE), Truth(failing={B}), {A, B, C}, Flaw.DEAD),
        (tiers(minimum_serving=2), Truth(), {A}, Flaw.NOT_BEST),
    ],
)
def test_a_flaw_is_found_where_there_is_one(
    declared: Record, truth: Truth, answers: set[str], wanted: Flaw | None
) -> None:
    assert flaw(declared, truth, frozenset(answers)) is wanted


def test_what_a_person_pinned_comes_before_health_and_not_before_what_is_declared() -> None:
    dead = Truth(failing={B})
    assert flaw(tiers(), dead, frozenset({B}), pinned=frozenset({B})) is None
    assert flaw(tiers(), dead, frozenset({A}), pinned=frozenset({B})) is Flaw.PINNED
    assert flaw(tiers(), dead, frozenset({A}), pinned=frozenset({"203.0.113.9"})) is None


def test_the_oracle_does_not_mind_the_order_of_the_declaration() -> None:
    turned = replace(tiers(), endpoints=tuple(reversed(tiers().endpoints)))
    assert first_choice(turned, Truth(failing={A})) == first_choice(tiers(), Truth(failing={A}))
