"""A place that works and is slow is left where others are fit, and not before it has been slow for long."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from detour.model.rrset import RRKey, RRType

from .objects import dns_zone, failover_record
from .world import Clouds, World

Boot = Callable[..., World]
ONE, TWO = {"192.0.2.1"}, {"192.0.2.2"}
LONG, HOLD_DOWN, SEEN = 30.0, 40.0, 25.0
"""Seconds: for which it must be slow, after which it returns, and to see either."""


def record(**spec: Any) -> dict[str, Any]:
    check = {"tcp": {"port": 443}, "latency": {"above": "800ms", "for": f"{LONG:g}s"}}
    return failover_record(healthCheck=check, failback={"holdDown": f"{HOLD_DOWN:g}s"}, **spec)


async def serving(boot: Boot, raw: dict[str, Any] | None = None, **options: Any) -> World:
    world = boot(dns_zone(), raw or record(), **options)
    await world.until(lambda: world.api.condition("Ready")[0] == "True" and world.answers() == ONE)
    return world


def endpoint(world: World, number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = world.api.status()["endpoints"][number]
    return found


async def test_a_place_that_has_been_slow_for_long_makes_way_for_one_that_is_fit(boot: Boot) -> None:
    world = await serving(boot)
    world.slow = ONE
    took = await world.until(lambda: world.answers() == TWO, LONG + SEEN)
    assert took >= LONG - 1
    await world.until(lambda: endpoint(world).get("reason") == "Slow", 5.0)
    assert endpoint(world)["verdict"] == "Healthy"
    await world.until(lambda: "one is slow" in world.api.status()["plan"]["reason"], 5.0)


async def test_it_returns_once_it_has_been_fast_for_as_long_and_was_held_down(boot: Boot) -> None:
    world = await serving(boot)
    world.slow = ONE
    await world.until(lambda: world.answers() == TWO, LONG + SEEN)
    world.slow = set()
    took = await world.until(lambda: world.answers() == ONE, LONG + HOLD_DOWN + 2 * SEEN)
    assert took >= LONG + HOLD_DOWN - 2


async def test_what_is_slow_for_a_moment_moves_nothing(boot: Boot) -> None:
    world = await serving(boot)
    for _ in range(5):
        world.slow = ONE
        await asyncio.sleep(LONG - 12)
        world.slow = set()
        await asyncio.sleep(12)
    assert world.answers() == ONE


async def test_where_all_are_slow_the_best_of_them_stays(boot: Boot) -> None:
    world = await serving(boot)
    world.slow = ONE | TWO
    await asyncio.sleep(3 * LONG)
    assert world.answers() == ONE


async def test_a_slow_place_answers_where_no_other_works(boot: Boot) -> None:
    world = await serving(boot)
    world.slow, world.down = ONE, TWO
    await asyncio.sleep(3 * LONG)
    assert world.answers() == ONE
    world.down = ONE
    world.slow = TWO
    await world.until(lambda: world.answers() == TWO, SEEN + 10)


async def test_it_is_still_slow_for_the_process_after_this_one(boot: Boot) -> None:
    world = await serving(boot)
    world.slow = ONE
    await world.until(lambda: world.answers() == TWO, LONG + SEEN)
    await world.until(lambda: endpoint(world).get("reason") == "Slow", 5.0)
    await world.kill()
    again = boot()
    again.slow = ONE
    await asyncio.sleep(3 * LONG)
    assert again.answers() == TWO


@pytest.mark.parametrize("withdrawal", [25, 100])
async def test_slow_places_are_taken_away_no_faster_than_others(boot: Boot, withdrawal: int) -> None:
    places = [f"192.0.2.{number}" for number in range(1, 5)]
    endpoints = [{"name": f"e{each[-1]}", "region": "r", "addresses": [each]} for each in places]
    world = boot(dns_zone(safety={"withdrawal": withdrawal}), record(endpoints=endpoints, strategy="MultiValue"))
    await world.until(lambda: world.answers() == set(places))
    world.slow = set(places[:2])
    await world.until(lambda: world.answers() != set(places), LONG + SEEN)
    await asyncio.sleep(12.0)
    assert len(world.answers()) == (3 if withdrawal == 25 else 2)


async def test_a_slow_place_that_waits_leaves_once_the_minute_of_another_is_over(boot: Boot, clouds: Clouds) -> None:
    """It waits for the zone to show that the other one is gone: the news of that is what it goes on by."""
    places = [f"192.0.2.{number}" for number in range(1, 5)]
    endpoints = [{"name": f"e{each[-1]}", "region": "r", "addresses": [each]} for each in places]
    world = boot(dns_zone(), record(endpoints=endpoints, strategy="MultiValue"))
    await world.until(lambda: world.answers() == set(places))
    clouds.providers[-1].latency = 20.0
    world.slow = set(places[:2])
    await world.until(lambda: len(world.answers()) == 3, LONG + SEEN + 25)
    clouds.providers[-1].latency = 0.05
    await world.until(lambda: len(world.answers()) == 2, 100.0)


async def test_a_lower_ttl_is_written_with_the_move_and_the_usual_one_with_the_way_back(boot: Boot) -> None:
    world = await serving(boot, record(ttl=60, degradedTTL=15))
    zone = world.clouds.zone()

    def shown() -> tuple[set[str], int]:
        found = zone.rrset(RRKey("api.example.org", RRType.A))
        assert found is not None
        return set(found.values), found.ttl

    seen = {(frozenset(values), ttl) for values, ttl in [shown()]}
    world.down = ONE
    await world.until(lambda: _noted(seen, shown())[0] == TWO, SEEN + 10)
    world.down = set()
    await world.until(lambda: _noted(seen, shown())[0] == ONE, HOLD_DOWN + SEEN + 10)
    assert seen == {(frozenset(ONE), 60), (frozenset(TWO), 15)}


def _noted(seen: set[tuple[frozenset[str], int]], found: tuple[set[str], int]) -> tuple[set[str], int]:
    seen.add((frozenset(found[0]), found[1]))
    return found
