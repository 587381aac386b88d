"""What the safety gate holds, and what it must not hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.model.record import ObjectKey
from detour.model.rrset import RRset, address_sets
from detour.model.zone import Safety
from detour.planning.safety.rules import (
    HoldReason,
    Proposal,
    deletions_allowed,
    held_digest,
    hold,
)

ADDRESSES = {"east": "192.0.2.1", "west": "192.0.2.2", "north": "192.0.2.3"}


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


def test_a_suspected_vantage_moves_nothing_on_its_own_word() -> None:
    failing = proposal("api", "east", "west", failing="east")
    assert hold(failing, Safety(), is_suspected=True) is HoldReason.PANIC
    assert hold(proposal("api", "east", "west"), Safety(), is_suspected=True) is HoldReason.PANIC
    assert hold(proposal("api", "east", "west", is_declared=True), Safety(), is_suspected=True) is None


def test_what_too_many_departures_block_is_held() -> None:
    failing = proposal("api", "east", "west", failing="east")
    assert hold(failing, Safety(), is_blocked=True) is HoldReason.REGIONS
    assert hold(failing, Safety()) is None


def test_a_name_without_an_answer_gets_one_whatever_is_suspected() -> None:
    for is_ours in (True, False):
        change = proposal("www", "", "west", is_ours=is_ours)
        assert hold(change, Safety(), is_suspected=True, is_blocked=True) is None


def test_a_frozen_zone_changes_nothing_but_puts_back_an_emptied_name_of_ours() -> None:
    frozen = Safety(frozen=True)
    assert hold(proposal("api", "east", "west", failing="east"), frozen) is HoldReason.FREEZE
    assert hold(proposal("api", "east", "west", is_declared=True), frozen) is HoldReason.FREEZE
    assert hold(proposal("new", "", "west", is_ours=False), frozen) is HoldReason.FREEZE
    assert hold(proposal("api", "", "west"), frozen) is None


@pytest.mark.parametrize(("owned", "allowed"), [(0, 3), (3, 3), (10, 5), (20, 10), (50, 10), (55, 11), (1000, 200)])
def test_ten_names_or_a_fifth_may_be_deleted_and_of_a_small_zone_half(owned: int, allowed: int) -> None:
    assert deletions_allowed(owned) == allowed


@given(st.sets(st.text(), min_size=1))
def test_a_digest_stands_for_a_set_of_changes_in_any_order(lines: set[str]) -> None:
    assert held_digest(sorted(lines)) == held_digest(sorted(lines, reverse=True))
    assert held_digest(lines) != held_digest({*lines, "".join(lines) + "more"})
