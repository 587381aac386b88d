"""When a drain is over, whatever becomes of the clocks."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from detour.engine.clock import Clock
from detour.engine.regionkeeper import RegionKeeper
from detour.kube.resources.memory import drain_ended_in
from detour.kube.status import region_conditions, region_status
from detour.model.endpoint import AdminState, Region
from detour.model.health import Verdict
from detour.model.objects import Kind, Subject
from detour.model.record import ObjectKey

from .objects import cloud_region, dns_zone, failover_record
from .world import World

Boot = Callable[..., World]
NOON = 1_764_331_200.0
HOUR = 3600.0
SUBJECT = Subject(Kind.CLOUD_REGION, ObjectKey("", "east"), "r-1")
ONE, TWO = {"192.0.2.1"}, {"192.0.2.2"}


class Time:
    """Two clocks: `now` never jumps, the wall is at noon in the beginning and is off by `shift`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.shift = 0.0

    @property
    def wall(self) -> float:
        return NOON + self.now - 1000.0 + self.shift

    def keeper(self) -> RegionKeeper:
        clock = Clock(now=lambda: self.now, wall=lambda: self.wall)
        return RegionKeeper(clock, on_news=lambda _: None)


def drained(until: float | None) -> Region:
    return Region("east", "AWS", "us-east-1", AdminState.DRAINED, until)


def is_drained(keeper: RegionKeeper) -> bool:
    return keeper.drained() == {"east"}


def status_of(keeper: RegionKeeper, time: Time) -> dict[str, Any]:
    keeper.judge_all()
    picture = keeper.picture("east")
    assert picture is not None
    return region_status(picture, {}, time.wall, region_conditions(picture))


@pytest.mark.parametrize("shift", [0.0, -HOUR, -365 * 24 * HOUR])
def test_a_drain_ends_when_its_time_has_passed_also_where_the_clock_was_set_back(shift: float) -> None:
    time = Time()
    keeper = time.keeper()
    keeper.declare(SUBJECT, drained(NOON + HOUR))
    time.now += 60
    time.shift = shift
    assert is_drained(keeper)
    time.now += HOUR - 61
    assert is_drained(keeper)
    time.now += 1
    assert not is_drained(keeper)
    assert status_of(keeper, time)["phase"] != "Drained"


def test_a_drain_that_is_over_does_not_come_back_when_the_clock_is_set_back() -> None:
    time = Time()
    keeper = time.keeper()
    keeper.declare(SUBJECT, drained(NOON + 60))
    time.now += 61
    assert not is_drained(keeper)
    time.shift = -HOUR
    keeper.declare(SUBJECT, drained(NOON + 60))  # the same object, listed again
    assert not is_drained(keeper)
    again = time.keeper()
    again.declare(SUBJECT, drained(NOON + 60), ended=drain_ended_in(status_of(keeper, time)))
    assert not is_drained(again), "the status tells the next process"
    again.declare(SUBJECT, drained(NOON + 120), ended=drain_ended_in(status_of(keeper, time)))
    assert is_drained(again), "another end is another drain"


def test_a_drain_ends_when_the_wall_clock_shows_that_time_also_where_it_was_set_right_meanwhile() -> None:
    time = Time()
    time.shift = -2 * HOUR  # the machine came up with a wrong clock
    keeper = time.keeper()
    keeper.declare(SUBJECT, drained(NOON + HOUR))
    time.shift = 0.0
    time.now += HOUR - 1
    assert is_drained(keeper)
    time.now += 1
    assert not is_drained(keeper)


def test_a_drain_without_an_end_lasts_whatever_the_clock_says() -> None:
    time = Time()
    keeper = time.keeper()
    keeper.declare(SUBJECT, drained(None))
    for time.shift in (-HOUR, HOUR, 1e9):
        time.now += 1e6
        assert is_drained(keeper)
    assert keeper.drain_ends_in("east") is None
    assert "drainEnded" not in status_of(keeper, time)


async def test_traffic_comes_back_at_the_end_of_a_drain_though_the_clock_was_set_back(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record(), cloud_region())
    await world.until(lambda: world.answers() == ONE)
    set_wall(world, NOON)
    world.api.apply(cloud_region(state="Drained", until="2025-11-28T12:10:00Z"))
    await world.until(lambda: world.answers() == TWO)
    set_wall(world, NOON - HOUR)
    took = await world.until(lambda: world.answers() == ONE, within=700)
    assert took > 500
    await world.until(lambda: world.api.status("aws-us-east-1", Kind.CLOUD_REGION, "").get("drainEnded"))
    await world.kill()
    again = boot()
    set_wall(again, NOON - HOUR)
    await asyncio.sleep(300)
    assert again.answers() == ONE


async def test_a_clock_that_is_set_right_ends_a_drain_within_a_minute(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record(), cloud_region())
    await world.until(lambda: world.answers() == ONE)
    set_wall(world, NOON)
    world.api.apply(cloud_region(state="Drained", until="2025-11-28T18:00:00Z"))
    await world.until(lambda: world.answers() == TWO)
    set_wall(world, NOON + 7 * HOUR)
    await world.until(lambda: world.answers() == ONE, within=60)


def set_wall(world: World, wall: float) -> None:
    """Set the wall clock of an operator's machine."""
    since = world.clock.now()
    object.__setattr__(world.clock, "wall", lambda: wall + world.clock.now() - since)


def test_endpoints_are_counted_by_region_and_verdict_and_only_what_changes_is_told() -> None:
    regions = Time().keeper()
    api, www = ObjectKey("shop", "api"), ObjectKey("shop", "www")
    east_fails, east_works = ("east", Verdict.UNHEALTHY), ("east", Verdict.HEALTHY)
    west_works = ("west", Verdict.HEALTHY)
    assert regions.note(api, [east_works, east_works, west_works]) == {"east", "west"}
    assert regions.note(www, [east_works]) == {"east"}
    assert regions.note(www, [east_works]) == set()
    assert regions.note(api, [east_works, east_fails, west_works]) == {"east"}
    assert regions.counted("east") == {Verdict.HEALTHY: 2, Verdict.UNHEALTHY: 1}
    assert regions.note(api, []) == {"east", "west"}
    assert regions.counted("east") == {Verdict.HEALTHY: 1}
    assert regions.counted("west") == {}
