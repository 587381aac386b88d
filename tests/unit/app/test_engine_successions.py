"""One trouble after another: chains of failures, clocks that are set, full sets, freezes and damage together."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from detour.model.rrset import RRKey, RRType
from detour_simulation.memoryzone import NO_QUOTA

from .gating import EAST, NORTH, WEST, ready, record
from .objects import dns_zone, failover_record
from .world import WALL, Clouds, World

Boot = Callable[..., World]
API = "api.example.org"
ONE, TWO, THREE = {"192.0.2.1"}, {"192.0.2.2"}, {"192.0.2.3"}
SOON = 30.0
"""Seconds within which what checks say is acted on, with the timing of these records."""


@pytest.mark.parametrize("pause", [0.0, 180.0, 601.0])
async def test_the_second_place_breaks_under_the_load_and_the_third_takes_over(boot: Boot, pause: float) -> None:
    world = boot(dns_zone(), record("api", (EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 2), (NORTH, "192.0.2.3", 3)))
    await world.until(lambda: ready(world))
    world.down = {"192.0.2.1"}
    await world.until(lambda: world.answers() == TWO)
    await asyncio.sleep(pause)
    world.down = {"192.0.2.1", "192.0.2.2"}
    assert await world.until(lambda: world.answers() == THREE) < SOON


async def test_of_a_multivalue_set_each_address_that_fails_goes_as_long_as_one_works(boot: Boot) -> None:
    places = ((EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 1), (NORTH, "192.0.2.3", 1))
    world = boot(dns_zone(), record("api", *places, strategy="MultiValue"))
    await world.until(lambda: ready(world))
    for down in ({"192.0.2.1"}, {"192.0.2.1", "192.0.2.2"}):
        world.down = down
        assert await world.until(lambda: not world.down & world.answers()) < SOON
        await asyncio.sleep(60)
    world.down = {"192.0.2.1", "192.0.2.2", "192.0.2.3"}
    await asyncio.sleep(60)
    assert world.answers()


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
async def test_a_hold_down_lasts_as_long_as_it_says_though_the_wall_clock_is_set_meanwhile(
    boot: Boot, step: float
) -> None:
    world, loop = boot(dns_zone(), failover_record()), asyncio.get_running_loop()
    await world.until(lambda: ready(world))
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO)
    world.down = set()
    await asyncio.sleep(10)
    object.__setattr__(world.clock, "wall", lambda: WALL + loop.time() + step)
    assert 280 < await world.until(lambda: world.answers() == ONE, within=2000) < 310


async def test_no_region_is_left_out_of_a_set_that_is_full(boot: Boot, clouds: Clouds) -> None:
    clouds.limits = replace(NO_QUOTA, values_per_set=20)
    raw = failover_record(
        strategy="MultiValue",
        endpoints=[
            {"name": "east", "region": EAST, "addresses": [f"192.0.2.{n}" for n in range(100, 120)]},
            {"name": "west", "region": WEST, "addresses": [f"198.51.100.{n}" for n in range(1, 11)]},
        ],
    )
    world = boot(dns_zone(), raw)
    world.down = {f"198.51.100.{n}" for n in range(1, 11)}
    await world.until(lambda: len(world.answers()) == 20)
    world.down = set()
    await world.until(lambda: sum(each.startswith("198.") for each in world.answers()) == 10, within=600)
    assert len(world.answers()) == 20
    await world.until(lambda: world.api.status()["summary"]["serving"] == "east,west")


async def test_a_family_that_an_outsider_takes_from_a_frozen_zone_is_put_back(boot: Boot, clouds: Clouds) -> None:
    raw = failover_record(endpoints=[{"name": "one", "region": EAST, "addresses": ["192.0.2.1", "2001:db8::1"]}])
    world = boot(dns_zone(), raw)
    await world.until(lambda: ready(world) and len(world.answers()) == 2)
    world.api.apply(dns_zone(safety={"frozen": True}))
    await asyncio.sleep(5)
    clouds.zone().drop(RRKey(API, RRType.A))
    await world.until(lambda: len(world.answers()) == 2)
