"""When a drain is over, whatever becomes of the clocks."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from detour.engine.clock import Clock
from detour.engine.regionevidence import Placed
from detour.engine.regionkeeper import RegionKeeper
from detour.health.regions import EndpointCounts, RegionPhase
from detour.kube.resources.memory import region_memory_in
from detour.kube.status.regions import region_conditions, region_status
from detour.model.endpoint import AdminState
from detour.model.health import Verdict
from detour.model.memory import NO_REGION_MEMORY, RegionMemory
from detour.model.objects import Kind, Subject
from detour.model.record import ObjectKey
from detour.model.region import Region, SafetyRule
from detour.model.shared import NONE

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
    again.declare(SUBJECT, drained(NOON + 60), region_memory_in(status_of(keeper, time)))
    assert not is_drained(again), "the status tells the next process"
    again.declare(SUBJECT, drained(NOON + 120), region_memory_in(status_of(keeper, time)))
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


def placed(region: str, verdict: Verdict, place: str = "192.0.2.1", *, has_worked: bool = True) -> Placed:
    return Placed(region, verdict, (place,), has_worked)


def endpoints(regions: RegionKeeper, name: str = "east") -> EndpointCounts:
    regions.declare(SUBJECT, Region(name, "AWS", "us-east-1"))
    picture = regions.picture(name)
    assert picture is not None
    return picture.endpoints


def test_endpoints_are_counted_by_region_and_verdict_and_only_what_changes_is_told() -> None:
    regions = Time().keeper()
    api, www = ObjectKey("shop", "api"), ObjectKey("shop", "www")
    east_fails, east_works = placed("east", Verdict.UNHEALTHY), placed("east", Verdict.HEALTHY)
    west_works = placed("west", Verdict.HEALTHY)
    assert regions.note(api, [east_works, east_works, west_works]) == {"east", "west"}
    assert regions.note(www, [east_works]) == {"east"}
    assert regions.note(www, [east_works]) == set()
    assert regions.note(api, [east_works, east_fails, west_works]) == {"east"}
    assert (endpoints(regions).healthy, endpoints(regions).unhealthy) == (2, 1)
    assert regions.note(api, []) == {"east", "west"}
    assert (endpoints(regions).healthy, endpoints(regions).unhealthy) == (1, 0)
    assert endpoints(regions, "west").total == 0


def votes(regions: RegionKeeper) -> tuple[int, int]:
    found = endpoints(regions)
    return found.namespaces, found.failing_namespaces


def test_each_namespace_has_one_vote_and_each_place_counts_once() -> None:
    regions = Time().keeper()
    for number in range(50):  # one place of fifty records, and another one that works
        regions.note(ObjectKey("shop", f"r{number}"), [placed("east", Verdict.UNHEALTHY, "192.0.2.1")])
    regions.note(ObjectKey("shop", "www"), [placed("east", Verdict.HEALTHY, "192.0.2.2")])
    assert votes(regions) == (1, 0), "one of two places fails, which is not most"
    regions.note(ObjectKey("shop", "db"), [placed("east", Verdict.UNHEALTHY, "192.0.2.3")])
    assert votes(regions) == (1, 1)
    for team in ("blog", "mail"):
        regions.note(ObjectKey(team, "api"), [placed("east", Verdict.HEALTHY, "192.0.2.1")])
    assert votes(regions) == (3, 1)
    regions.note(ObjectKey("mail", "api"), [])
    assert votes(regions) == (2, 1)


def test_what_never_worked_says_nothing_of_its_region() -> None:
    regions = Time().keeper()
    regions.note(ObjectKey("shop", "api"), [placed("east", Verdict.UNHEALTHY, has_worked=False)])
    assert votes(regions) == (0, 0)
    regions.note(ObjectKey("shop", "api"), [placed("east", Verdict.UNKNOWN)])
    assert votes(regions) == (0, 0)


def test_what_is_counted_goes_when_its_records_go() -> None:
    regions = Time().keeper()
    keys = [ObjectKey(f"n{number % 3}", f"r{number}") for number in range(20)]
    for verdict in (Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.UNKNOWN, Verdict.UNHEALTHY):
        for number, key in enumerate(keys):
            regions.note(key, [placed("east", verdict, f"192.0.2.{number % 5}")])
    for key in keys:
        regions.note(key, [])
    evidence = regions._evidence
    kept = (evidence._places, evidence._known, evidence._bad, evidence._namespaces, evidence._failing)
    assert not any(kept), "memory that grows for ever"


def keeper_of(
    *used: str, in_use: set[str] | None = None, in_service: int = 1, effects: list[str] | None = None
) -> RegionKeeper:
    """Return who keeps regions of which these are used; with `in_use` only once that has any is it known which are."""
    time = Time()
    clock = Clock(now=lambda: time.now, wall=lambda: time.wall)
    told = effects if effects is not None else []
    found = set(used) if in_use is None else in_use
    regions = RegionKeeper(
        clock,
        on_news=lambda _: None,
        on_effect=told.extend,
        in_use=lambda: found,
        is_use_known=lambda: bool(found),
        in_service=in_service,
    )
    for name in used:
        regions.note(ObjectKey("shop", name), [placed(name, Verdict.HEALTHY)] if name != "esat" else [])
    return regions


def declare(regions: RegionKeeper, name: str, memory: RegionMemory = NO_REGION_MEMORY, **spec: Any) -> None:
    region = Region(name, "AWS", "us-east-1", AdminState.DRAINED, **spec)
    regions.declare(Subject(Kind.CLOUD_REGION, ObjectKey("", name), f"r-{name}"), region, memory)


def test_the_last_region_in_service_is_not_drained_unless_that_is_said() -> None:
    regions = keeper_of("east", "west")
    declare(regions, "east")
    declare(regions, "west")
    assert regions.drained() == {"east"}
    picture = regions.picture("west")
    assert picture is not None
    assert picture.phase is not RegionPhase.DRAINED
    (condition,) = region_conditions(picture)
    assert (condition.reason, condition.holds) == ("MinRegionsInService", True)
    assert "fewer than 1 region would be left in service" in condition.message
    assert """kubectl patch region west --type=merge -p '{"spec":{"setAside":["MinRegionsInService"]}}'""" in (
        condition.message
    )
    declare(regions, "west", sets_aside=frozenset({SafetyRule.MIN_REGIONS_IN_SERVICE}))
    assert regions.drained() == {"east", "west"}


def test_who_was_drained_stays_so_over_a_restart_and_who_was_refused_too() -> None:
    in_use: set[str] = set()
    regions = keeper_of(in_use=in_use)
    declare(regions, "east")
    declare(regions, "west", RegionMemory(was_drained=True))
    assert regions.drained() == {"west"}, "nobody knows yet which regions are used"
    in_use.update(("east", "west"))
    regions.judge_all()
    assert regions.drained() == {"west"}


def test_a_drain_counts_those_regions_that_fail_by_then() -> None:
    regions = keeper_of("east", "west")
    east = Region("east", "AWS", "us-east-1")
    regions.declare(Subject(Kind.CLOUD_REGION, ObjectKey("", "east"), "r-east"), east, RegionMemory(was_out=True))
    assert regions.failing() == {"east"}
    declare(regions, "west")
    assert regions.drained() == frozenset()


def test_what_the_status_says_of_a_drain_that_is_over_counts_for_no_other_one() -> None:
    regions = keeper_of("east", "west")
    declare(regions, "east")
    west = Subject(Kind.CLOUD_REGION, ObjectKey("", "west"), "r-west")
    regions.declare(west, Region("west", "AWS", "us-west-2"), RegionMemory(was_drained=True))
    declare(regions, "west")
    assert regions.drained() == {"east"}


def test_a_region_that_only_a_slip_of_the_pen_names_is_none_to_stay_in_service() -> None:
    regions = keeper_of("east", "esat")
    declare(regions, "east")
    assert regions.drained() == frozenset()
    regions.note(ObjectKey("shop", "api"), [placed("esat", Verdict.HEALTHY)])
    regions.judge_all()
    assert regions.drained() == {"east"}, "one where something works is"


def test_a_drain_that_waited_is_followed_once_another_one_ends() -> None:
    effects: list[str] = []
    regions = keeper_of("east", "west", effects=effects)
    declare(regions, "east")
    declare(regions, "west")
    regions.declare(Subject(Kind.CLOUD_REGION, ObjectKey("", "east"), "r-east"), Region("east", "AWS", "us-east-1"))
    assert regions.drained() == {"west"}
    assert effects[-2:] == ["east", "west"], "the records of both are decided for anew"


def test_a_region_that_nobody_uses_may_always_be_drained() -> None:
    regions = keeper_of("east")
    declare(regions, "west")
    assert regions.drained() == {"west"}


def test_as_many_stay_in_service_as_are_asked_for() -> None:
    regions = keeper_of("east", "north", "west", in_service=2)
    for name in ("east", "north", "west"):
        declare(regions, name)
    assert regions.drained() == {"east"}


def test_records_served_from_a_region_are_counted_and_those_that_are_stuck_are_named() -> None:
    regions = Time().keeper()
    east = frozenset({"east"})
    keys = [ObjectKey("shop", f"r{number:02}") for number in range(12)]
    for key in keys:
        assert regions.note_served(key, east, east) == east
    assert regions.note_served(keys[0], east, east) == set()
    declare(regions, "east")
    picture = regions.picture("east")
    assert picture is not None
    assert (picture.records, picture.stuck_count, len(picture.stuck)) == (12, 12, 10)
    told = region_conditions(picture)[0].message
    assert told.endswith(
        "12 records stay there, as no other endpoint of theirs is fit, or the change is held: shop/r00, shop/r01,"
        " shop/r02 and 9 more"
    )
    for key in keys[1:]:
        assert regions.note_served(key, NONE) == east
    picture = regions.picture("east")
    assert picture is not None
    assert (picture.records, picture.stuck) == (1, ("shop/r00",))
    assert "1 record stays there" in region_conditions(picture)[0].message
    regions.note_served(keys[0], NONE)
    assert not regions._served
    assert not regions._served_in
