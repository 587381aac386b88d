"""What a person forces up or down: it stands above the verdicts, and never before an endpoint that passes."""

from dataclasses import replace

import pytest

from detour.model.endpoint import Forced
from detour.model.record import RegionFailover, Strategy, WhenAllUnhealthy
from detour.planning.decision import Basis, Decision
from detour.planning.planner import plan

from .situations import NOW, decided
from .test_ladder import A1, A2, A3, B1, B2, LAST, PLACES, all_of, situation


def decision(states: dict[str, str], forced: dict[str, Forced], **options: object) -> Decision:
    known = situation(states, **options)  # type: ignore[arg-type]  # checked by its use
    by_name = {PLACES[address].name: how for address, how in forced.items()}
    endpoints = tuple(replace(each, forced=by_name.get(each.name)) for each in known.record.endpoints)
    outcome = plan(replace(known, record=replace(known.record, endpoints=endpoints)), NOW)
    assert isinstance(outcome, Decision)
    return outcome


def answers(states: dict[str, str], forced: dict[str, Forced], **options: object) -> set[str]:
    return set(decided(decision(states, forced, **options)))


def all_down(*addresses: str) -> dict[str, Forced]:
    return dict.fromkeys(addresses, Forced.DOWN)


DEAD = all_of("down", A1, A2, A3, B1, B2, LAST)


def test_who_is_forced_down_makes_way_for_the_next_who_is_fit_at_once() -> None:
    found = decision({}, all_down(A1, A2, A3))
    assert set(decided(found)) == {B1, B2}
    assert "is forced down" in found.reason
    assert answers({}, all_down(A1)) == {A2, A3}


def test_it_also_counts_where_the_record_ignores_that_regions_fail() -> None:
    assert answers({}, all_down(A1, A2, A3), region_failover=RegionFailover.IGNORE) == {B1, B2}


def test_who_is_forced_down_answers_where_nobody_else_is_fit_also_before_the_last_resort() -> None:
    assert answers(all_of("down", A2, A3, B1, B2), all_down(A1)) == {A1}


@pytest.mark.parametrize("state", ["held", "damped", "slow"])
def test_whoever_passes_goes_before_who_is_forced_down(state: str) -> None:
    assert answers(all_of(state, B1, B2), all_down(A1, A2, A3)) == {B1, B2}


def test_who_is_forced_up_answers_where_nobody_passes() -> None:
    found = decision(DEAD, {B1: Forced.UP})
    assert set(decided(found)) == {B1}
    assert (found.basis, found.reason) == (Basis.FORCED, "no endpoint passes; b1 is forced up by a person")


def test_it_stands_above_what_fills_in_where_nobody_is_healthy() -> None:
    assert answers(DEAD, {B1: Forced.UP}, when_all_unhealthy=WhenAllUnhealthy.SERVE_ALL) == {B1}


@pytest.mark.parametrize("state", ["up", "held", "damped", "slow"])
def test_it_never_goes_before_an_endpoint_that_passes(state: str) -> None:
    dead = {address: how for address, how in DEAD.items() if address != B1}
    assert answers({**dead, B1: state}, {A1: Forced.UP}) == {B1}


def test_nor_before_the_last_resort_that_passes() -> None:
    assert answers({address: how for address, how in DEAD.items() if address != LAST}, {A1: Forced.UP}) == {LAST}


def test_but_before_one_that_passes_and_is_forced_down() -> None:
    dead = {address: how for address, how in DEAD.items() if address != A1}
    assert answers(dead, {A1: Forced.DOWN, B1: Forced.UP}) == {B1}


def test_of_several_that_are_forced_up_the_strategy_picks() -> None:
    up = dict.fromkeys((A1, A2, B1), Forced.UP)
    assert answers(DEAD, up) == {A1, A2}
    assert answers(DEAD, up, strategy=Strategy.MULTI_VALUE) == {A1, A2, B1}
