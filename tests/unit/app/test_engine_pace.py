"""Checks take few places of a record away at once, by a minute that goes on over slow providers and restarts."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from detour.planning.pace import WINDOW

from .objects import dns_zone, failover_record
from .test_engine_vantages import Probes, probes
from .world import Clouds, World

__all__ = ["probes"]

Boot = Callable[..., World]
ALL = {f"192.0.2.{number}" for number in range(1, 9)}
DETECTED = 20.0
"""Seconds within which a failure is a verdict, and more."""


def balanced(**spec: Any) -> dict[str, Any]:
    """Return a record of eight places that all serve."""
    endpoints = [
        {"name": f"e{number}", "region": f"region-{number % 2}", "addresses": [f"192.0.2.{number}"]}
        for number in range(1, 9)
    ]
    failback = {"mode": "Automatic", "holdDown": "0s", "maxChangesPerHour": 0}
    return failover_record(endpoints=endpoints, strategy="MultiValue", failback=failback, **spec)


async def serving(boot: Boot, zone: dict[str, Any] | None = None, **options: Any) -> World:
    world = boot(zone or dns_zone(), balanced(), **options)
    await world.until(lambda: world.api.condition("Ready")[0] == "True" and world.answers() == ALL)
    return world


def reason(world: World) -> str:
    """Return why the record answers as it does, by its status."""
    return str(world.api.status()["plan"]["reason"])


def down(*numbers: int) -> set[str]:
    return {f"192.0.2.{number}" for number in numbers}


async def test_of_many_that_fail_a_quarter_leaves_each_minute(boot: Boot) -> None:
    world = await serving(boot)
    world.down = down(1, 2, 3, 4, 5)
    await world.until(lambda: len(world.answers()) == 6, DETECTED)
    assert await world.until(lambda: len(world.answers()) == 4, 2 * WINDOW) >= WINDOW - 1
    assert await world.until(lambda: len(world.answers()) == 3, 2 * WINDOW) >= WINDOW - 1


async def test_the_status_says_who_stays_and_why(boot: Boot) -> None:
    world = await serving(boot)
    world.down = down(1, 2, 3)
    await world.until(lambda: "safety.withdrawal: 25%" in reason(world), DETECTED)
    assert " keeps its place: checks take away no more than 2 of 8 endpoints within a minute" in reason(world)


async def test_a_zone_without_a_limit_lets_all_leave(boot: Boot) -> None:
    world = await serving(boot, dns_zone(safety={"withdrawal": 100}))
    world.down = down(1, 2, 3, 4, 5)
    await world.until(lambda: world.answers() == ALL - world.down, DETECTED)


async def test_the_minute_begins_when_the_zone_shows_it(boot: Boot, clouds: Clouds) -> None:
    world = await serving(boot, dns_zone(safety={"withdrawal": 1}))
    clouds.providers[-1].latency = 40.0
    world.down = down(1, 2)
    await world.until(lambda: len(world.answers()) == 7, DETECTED + 50)
    clouds.providers[-1].latency = 0.05
    assert await world.until(lambda: len(world.answers()) == 6, 2 * WINDOW) >= WINDOW - 1


async def test_the_minute_goes_on_over_a_restart(boot: Boot) -> None:
    world = await serving(boot)
    world.down = down(1, 2, 3)
    await world.until(lambda: len(world.answers()) == 6, DETECTED)
    await world.until(lambda: world.api.status()["summary"]["serving"].count(",") == 5)
    await world.kill()
    await asyncio.sleep(10.0)
    again = boot()
    again.down = world.down
    assert await again.until(lambda: len(again.answers()) == 5, 2 * WINDOW) >= WINDOW - 15


async def test_where_the_status_was_lost_nobody_leaves_for_a_minute(boot: Boot) -> None:
    world = await serving(boot)
    world.down = down(1, 2, 3)
    await world.until(lambda: len(world.answers()) == 6, DETECTED)
    await world.kill()
    world.api.status().clear()
    again = boot()
    again.down = world.down
    assert await again.until(lambda: len(again.answers()) == 5, 2 * WINDOW) >= WINDOW - 1


async def test_what_a_prober_finds_that_comes_late_takes_nothing_away(boot: Boot) -> None:
    world = await serving(boot, checks_in_flight=2)
    world.check_time = 2.0  # as many places fail at once there is no room for their checks
    world.down = down(1, 2, 3, 4, 5)
    await world.until(lambda: "the checks that failed came late" in reason(world), 2 * WINDOW)
    await world.until(lambda: world.answers() != ALL, 5 * WINDOW)
    assert world.clock.now() - world.targets.late_until > world.check_time, "a check that began on time has failed, too"


async def test_whom_all_vantages_call_down_leaves_at_once(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    east, west = await probes(world, "east", "west")
    for each in (world, east, west):
        each.down = down(1, 2, 3, 4, 5)
    await world.until(lambda: world.answers() == ALL - world.down, DETECTED)


async def test_whom_one_vantage_does_not_see_fail_leaves_slowly(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    east, _ = await probes(world, "east", "west")
    for each in (world, east):
        each.down = down(1, 2, 3)
    await world.until(lambda: len(world.answers()) == 6, DETECTED)
    assert await world.until(lambda: len(world.answers()) == 5, 2 * WINDOW) >= WINDOW - 1


@pytest.mark.parametrize("way", ["drained", "removed"])
async def test_whom_a_person_takes_out_leaves_at_once(boot: Boot, way: str) -> None:
    world = await serving(boot)
    raw = balanced()
    if way == "drained":
        for each in raw["spec"]["endpoints"][:5]:
            each["state"] = "Drained"
    else:
        del raw["spec"]["endpoints"][:5]
    raw["metadata"]["generation"] = 2
    world.api.apply(raw)
    await world.until(lambda: world.answers() == down(6, 7, 8), DETECTED)


async def test_a_zone_that_takes_no_write_keeps_nobody_in_the_others(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), dns_zone("other", uid="z-2"), balanced(zones=[{"name": "main"}, {"name": "other"}]))
    await world.until(lambda: world.answers() == world.answers(zone="other") == ALL)
    for provider in clouds.providers:
        if provider.zone is clouds.zone("other"):
            provider.latency = 1e6
    world.down = down(1, 2)
    await world.until(lambda: world.answers() == ALL - world.down, DETECTED)
    world.down = down(1, 2, 3)
    await world.until(lambda: world.answers() == ALL - world.down, DETECTED + 2 * WINDOW)


async def test_a_zone_that_is_frozen_lets_nobody_leave_the_others_faster(boot: Boot) -> None:
    other = dns_zone("other", uid="z-2", safety={"frozen": True})
    world = boot(dns_zone(), dns_zone("other", uid="z-2"), balanced(zones=[{"name": "main"}, {"name": "other"}]))
    await world.until(lambda: world.answers() == world.answers(zone="other") == ALL)
    other["metadata"]["generation"] = 2
    world.api.apply(other)
    await asyncio.sleep(5.0)
    world.down = down(1, 2, 3, 4, 5, 6)
    await world.until(lambda: len(world.answers()) == 6, DETECTED)
    await asyncio.sleep(WINDOW - 10)
    assert len(world.answers()) == 6
    assert world.answers(zone="other") == ALL


async def test_a_dry_run_goes_on_too(boot: Boot) -> None:
    world = await serving(boot)
    await world.kill()
    dry = boot(dry_run=True)
    dry.down = down(1, 2, 3, 4)
    await dry.until(lambda: len(would_publish(dry)) == 6, 60.0)
    await dry.until(lambda: len(would_publish(dry)) == 4, 60.0 + 2 * WINDOW)


def would_publish(world: World) -> list[str]:
    found: list[str] = world.api.status()["zones"][0].get("wouldPublish", [])
    return found
