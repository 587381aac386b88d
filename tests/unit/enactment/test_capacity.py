"""Zones that may hold so many sets: room is kept for failovers, at the expense of new names."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from detour.enactment.capacity import Capacity, nearly_full
from detour.model.rrset import RRKey, RRType
from detour.model.withdrawal import Withdrawal
from detour_simulation.memoryzone import NO_QUOTA, ONE_BY_ONE

from .writer import DOMAIN, ONE, SIX, TWO, Writer, a_set, key, wish

Start = Callable[..., Writer]
BOTH = frozenset({RRType.A, RRType.AAAA})
LIMIT = 40


def test_what_is_kept_and_planned_counts_as_held() -> None:
    capacity = Capacity(20)
    assert capacity.refusal(17, 3) is None
    assert capacity.refusal(18, 3) is not None
    capacity.reserve("one", 2)
    capacity.reserve("two", 1)
    capacity.reserve("one", 1)
    assert capacity.reserved == 2
    assert capacity.refusal(16, 3) is not None
    capacity.reserve("two", 0)
    assert capacity.refusal(16, 3) is None
    capacity.plan(3)
    assert capacity.refusal(16, 3) is not None
    capacity.begin()
    assert capacity.refusal(16, 3) is None
    assert Capacity(None).refusal(10**9, 3) is None


@pytest.mark.parametrize(("held", "told"), [(79, False), (80, True), (100, True)])
def test_people_are_told_before_a_zone_is_full(held: int, told: bool) -> None:
    assert (nearly_full(held, 100) is not None) is told
    assert nearly_full(held, None) is None


@pytest.mark.parametrize("limits", [NO_QUOTA, ONE_BY_ONE], ids=["atomic", "one-by-one"])
async def test_new_names_are_refused_while_failovers_have_room(start: Start, limits: object) -> None:
    """Each name has one set and its marker, and may come to need one more."""
    writer = start(limits=replace(limits, sets_per_zone=LIMIT))  # type: ignore[type-var]
    names = [f"n{number:02}" for number in range(20)]
    writer.want(*(wish(name, ONE, families=BOTH) for name in names))
    await writer.until(lambda: sum(map(writer.in_sync, names)) == 13, within=60)
    await asyncio.sleep(10)
    served = [name for name in names if writer.in_sync(name)]
    assert len(served) == 13, "a ledger, and 13 times three"
    assert all(writer.refusal(name) == "ZoneFull" for name in set(names) - {*served})
    assert len(writer.zone.sets) == 1 + 2 * 13
    writer.want(*(wish(name, SIX, TWO, families=BOTH) for name in served))
    await writer.settled(*served)
    assert len(writer.zone.sets) == LIMIT


async def test_a_name_that_was_refused_is_had_once_there_is_room(start: Start) -> None:
    writer = start(limits=replace(NO_QUOTA, sets_per_zone=LIMIT))
    writer.zone.put(*(a_set(f"other-{number}.{DOMAIN}", ONE) for number in range(38)))
    writer.want(wish("api", ONE))
    await writer.until(lambda: writer.refusal("api") == "ZoneFull")
    assert writer.enactor.zone_report().sets == 39
    assert writer.enactor.zone_report().sets_limit == LIMIT
    for number in range(5):
        writer.zone.drop(a_set(f"other-{number}.{DOMAIN}", ONE).key)
    writer.enactor.suspect(f"api.{DOMAIN}")  # as who audits does with names that are refused
    await asyncio.sleep(5)
    assert writer.refusal("api") == "ZoneFull", "nobody has read the others yet"
    await writer.settled("api", within=700)


async def test_a_name_of_ours_that_goes_makes_room_at_once(start: Start) -> None:
    writer = start(limits=replace(NO_QUOTA, sets_per_zone=3))
    await writer.publish(wish("api", ONE))
    writer.want(wish("web", ONE))
    await writer.until(lambda: writer.refusal("web") == "ZoneFull")
    writer.enactor.withdraw(Withdrawal(key("api"), "uid-api", f"api.{DOMAIN}"))
    await writer.settled("web", within=10)
    writer.zone.emptied.clear()  # that was the order


async def test_names_of_ours_are_changed_in_a_full_zone(start: Start) -> None:
    writer = start(limits=replace(NO_QUOTA, sets_per_zone=3))
    await writer.publish(wish("api", ONE))
    await writer.publish(wish("api", TWO))
    writer.zone.drop(RRKey(f"_detour.api.{DOMAIN}", RRType.TXT))
    writer.enactor.suspect(f"api.{DOMAIN}")
    await writer.until(lambda: len(writer.zone.sets) == 3)
    writer.want(wish("web", ONE))
    await writer.until(lambda: writer.refusal("web") == "ZoneFull")


async def test_the_count_of_sets_is_kept_with_every_change(start: Start) -> None:
    writer = start()
    writer.zone.put(*(a_set(f"other-{number}.{DOMAIN}", ONE) for number in range(5)))
    await writer.publish(wish("api", ONE, SIX), wish("web", TWO))
    for change in (wish("api", TWO), wish("web", SIX), wish("api", ONE, SIX)):
        await writer.publish(change)
        assert writer.enactor.zone_report().sets == len(writer.zone.sets)
    writer.zone.drop(a_set(f"other-1.{DOMAIN}", ONE).key)
    writer.zone.put(a_set(f"more.{DOMAIN}", ONE), a_set(f"other-2.{DOMAIN}", TWO))
    await asyncio.sleep(700)
    assert writer.enactor.zone_report().sets == len(writer.zone.sets)
