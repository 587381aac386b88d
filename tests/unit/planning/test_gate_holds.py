"""What the safety gate holds, and what it must not hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.model.record import ObjectKey
from detour.model.rrset import RRset, address_sets
from detour.model.zone import Safety
from detour.planning.gate import (
    HoldReason,
    Proposal,
    ZoneSituation,
    deletions_allowed,
    evacuated_regions,
    held_digest,
    hold,
)

ADDRESSES = {"east": "192.0.2.1", "west": "192.0.2.2", "north": "192.0.2.3"}
CALM = ZoneSituation({}, {})


def key(name: str) -> ObjectKey:
    return ObjectKey("shop", name)


def sets(name: str, *regions: str) -> tuple[RRset, ...]:
    return address_sets(f"{name}.example.org", 30, [ADDRESSES[each] for each in regions])


def proposal(name: str, before: str, after: str, *, failing: str = "", **more: bool) -> Proposal:
    """Return the proposal that `name` goes from the regions `before` to those `after` (words)."""
    return Proposal(
        record=key(name),
        hostname=f"{name}.example.org",
        before=sets(name, *before.split()),
        after=sets(name, *after.split()),
        regions_before=frozenset(before.split()),
        regions_after=frozenset(after.split()),
        failing=frozenset(failing.split()),
        **more,
    )


def situation(left: dict[str, int], serving: dict[str, int], *evacuated_before: str) -> ZoneSituation:
    """Return the situation after so many names `left` a region, with so many that are `serving` from one now."""
    return ZoneSituation(serving, left, frozenset(evacuated_before))


def leaves(region: str, to: str = "s") -> Proposal:
    """Return the proposal that a name leaves a failing region for another."""
    return Proposal(
        record=key("api"),
        hostname="api.example.org",
        before=sets("api", "east"),
        after=sets("api", "west"),
        regions_before=frozenset({region}),
        regions_after=frozenset({to}),
        failing=frozenset({region}),
    )


def test_one_region_may_fail() -> None:
    assert hold(leaves("east"), situation({}, {"east": 1}), Safety()) is None


def test_a_second_region_is_held_once_most_of_its_names_would_have_left_it() -> None:
    others_stay = situation({"east": 1}, {"west": 2})
    assert hold(leaves("west"), others_stay, Safety()) is None
    alone = situation({"east": 1}, {"west": 1})
    assert hold(leaves("west"), alone, Safety()) is HoldReason.REGIONS


@pytest.mark.parametrize("allowed", [1, 2, 3])
def test_as_many_regions_may_fail_as_was_declared(allowed: int) -> None:
    left: dict[str, int] = {}
    serving = {"r1": 1, "r2": 1, "r3": 1, "r4": 1}
    for place, region in enumerate(list(serving)):
        found = hold(leaves(region), situation(left, serving), Safety(max_regions_evacuated=allowed))
        assert found is (None if place < allowed else HoldReason.REGIONS)
        if found is None:
            left[region], serving[region] = 1, 0


def test_more_names_may_leave_a_region_that_is_evacuated_already() -> None:
    assert hold(leaves("east"), situation({"east": 3}, {"east": 1}), Safety()) is None


def test_what_a_person_or_a_recovery_moves_is_not_counted() -> None:
    after_east = situation({"east": 1}, {"west": 1})
    assert hold(proposal("www", "west", "north"), after_east, Safety()) is None


def test_a_region_is_evacuated_once_more_than_half_of_its_names_left_it() -> None:
    assert evacuated_regions(situation({"east": 2}, {"east": 2})) == frozenset()
    assert evacuated_regions(situation({"east": 3}, {"east": 1})) == {"east"}


def test_a_region_that_another_leader_evacuated_counts() -> None:
    earlier = situation({}, {"west": 1}, "east")
    assert hold(leaves("west"), earlier, Safety()) is HoldReason.REGIONS
    assert hold(leaves("east"), earlier, Safety()) is None


def test_a_region_that_another_leader_evacuated_counts_also_while_some_names_are_there_still() -> None:
    """More than half had left it, not all: a restart must not make that half as many."""
    earlier = situation({}, {"west": 1, "east": 2}, "east")
    assert hold(leaves("west"), earlier, Safety()) is HoldReason.REGIONS


def test_a_suspected_vantage_moves_nothing_on_its_own_word() -> None:
    doubted = ZoneSituation({}, {}, is_suspected=True)
    assert hold(proposal("api", "east", "west", failing="east"), doubted, Safety()) is HoldReason.PANIC
    assert hold(proposal("api", "east", "west"), doubted, Safety()) is HoldReason.PANIC
    assert hold(proposal("api", "east", "west", is_declared=True), doubted, Safety()) is None


def test_a_name_without_an_answer_gets_one_whatever_is_suspected() -> None:
    doubted = situation({"east": 1}, {"west": 1}, "east", "north")
    for is_ours in (True, False):
        change = proposal("www", "", "west", is_ours=is_ours)
        assert hold(change, doubted, Safety()) is None


def test_a_frozen_zone_changes_nothing_but_puts_back_an_emptied_name_of_ours() -> None:
    frozen = Safety(frozen=True)
    assert hold(proposal("api", "east", "west", failing="east"), CALM, frozen) is HoldReason.FREEZE
    assert hold(proposal("api", "east", "west", is_declared=True), CALM, frozen) is HoldReason.FREEZE
    assert hold(proposal("new", "", "west", is_ours=False), CALM, frozen) is HoldReason.FREEZE
    assert hold(proposal("api", "", "west"), CALM, frozen) is None


REGIONS = st.sampled_from(["r1", "r2", "r3"])


@given(st.lists(REGIONS, max_size=40), st.integers(1, 3))
def test_whatever_fails_no_more_regions_are_evacuated_than_was_declared(failures: list[str], allowed: int) -> None:
    """Names leave failing regions one after the other, each for a place outside; the gate is asked every time."""
    serving = {"r1": 2, "r2": 3, "r3": 4}
    left: dict[str, int] = {}
    for region in failures:
        if not serving[region]:
            continue
        if hold(leaves(region), situation(left, serving), Safety(max_regions_evacuated=allowed)) is None:
            left[region], serving[region] = left.get(region, 0) + 1, serving[region] - 1
        assert len(evacuated_regions(situation(left, serving))) <= allowed


@pytest.mark.parametrize(("owned", "allowed"), [(0, 10), (10, 10), (50, 10), (51, 10), (55, 11), (1000, 200)])
def test_ten_names_or_a_fifth_may_be_deleted(owned: int, allowed: int) -> None:
    assert deletions_allowed(owned) == allowed


@given(st.sets(st.text(), min_size=1))
def test_a_digest_stands_for_a_set_of_changes_in_any_order(lines: set[str]) -> None:
    assert held_digest(sorted(lines)) == held_digest(sorted(lines, reverse=True))
    assert held_digest(lines) != held_digest({*lines, "".join(lines) + "more"})
