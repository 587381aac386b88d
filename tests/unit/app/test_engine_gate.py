"""The safety gate as a user meets it: what is held, how that shows, what lets it through, and what a restart does."""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any

import pytest

from .gating import (
    CALM,
    DZ,
    EAST,
    FR,
    NORTH,
    WEST,
    WINDOW,
    Boot,
    annotate,
    api,
    digest,
    held,
    message,
    ready,
    record,
    told,
    www,
)
from .objects import changed, cloud_region, dns_zone
from .world import Clouds, World


@pytest.fixture
def boot(boot: Boot) -> Boot:
    """Start operators that let nothing leave beside the free region: one name is as good as eleven here."""
    return partial(boot, free_departures=0)


async def two_regions_fail(world: World) -> None:
    """East fails and is left; then west fails, and is held."""
    await world.until(lambda: ready(world, "api", "www"))
    world.down = {"192.0.2.1"}
    await world.until(lambda: world.answers() == {"192.0.2.3"})
    world.down = {"192.0.2.1", "192.0.2.2"}
    await world.until(lambda: held(world) == ("True", "TooManyRegions"))


async def test_a_second_region_within_the_window_is_held_and_shown_with_the_command(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), api(), www())
    await two_regions_fail(world)
    assert world.answers("www.example.org") == {"192.0.2.2"}
    assert f"kubectl annotate dz/main -n shop --overwrite detour.dev/approve={digest(world)}" in message(world, "Held")
    await world.until(lambda: world.api.condition("Published", "www") == ("False", "Held"))
    await world.until(lambda: told(world, "TooManyRegions"))
    assert world.api.status("main", DZ)["held"]["count"] == 1


@pytest.mark.slow
async def test_the_second_region_goes_by_itself_when_the_window_is_over(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), api(), www())
    await two_regions_fail(world)
    seconds = await world.until(lambda: world.answers("www.example.org") == {"192.0.2.4"}, within=WINDOW + 60)
    assert seconds > WINDOW - 60
    await world.until(lambda: held(world) == ("False", "NothingHeld"))


async def test_a_held_change_that_is_not_needed_any_more_disappears_by_itself(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), api(), www())
    await two_regions_fail(world)
    world.down = {"192.0.2.1"}
    await world.until(lambda: held(world) == ("False", "NothingHeld"))
    await asyncio.sleep(2 * WINDOW)
    assert world.answers("www.example.org") == {"192.0.2.2"}
    assert "held" not in world.api.status("main", DZ)


async def test_the_right_digest_lets_it_through_and_is_used_up(boot: Boot) -> None:
    zone = dns_zone(**CALM)
    world = boot(zone, api(), www())
    await two_regions_fail(world)
    annotate(world, zone, approve=digest(world))
    assert await world.until(lambda: world.answers("www.example.org") == {"192.0.2.4"}) < 2
    await world.until(lambda: not world.api.objects[DZ, "shop", "main"]["metadata"].get("annotations"))
    await world.until(lambda: told(world, "Approved"))


async def test_a_wrong_digest_lets_nothing_through_and_the_condition_says_so(boot: Boot) -> None:
    zone = dns_zone(**CALM)
    world = boot(zone, api(), www())
    await two_regions_fail(world)
    annotate(world, zone, approve="0123456789ab")
    await world.until(lambda: "0123456789ab stands for other changes" in message(world, "Held"))
    assert world.answers("www.example.org") == {"192.0.2.2"}


async def test_a_digest_of_before_more_was_held_is_stale(boot: Boot) -> None:
    zone = dns_zone(**CALM)
    world = boot(zone, api(), www(), record("web", (WEST, "192.0.2.5", 1), (NORTH, "192.0.2.6", 2)))
    await world.until(lambda: ready(world, "api", "www", "web"))
    world.api.apply(changed(dns_zone(safety={"frozen": True, "panicThreshold": 100}), generation=1))
    await asyncio.sleep(1)
    world.down = {"192.0.2.2"}
    await world.until(lambda: "held" in world.api.status("main", DZ))
    first = digest(world)
    world.down = {"192.0.2.2", "192.0.2.5"}
    await world.until(lambda: world.api.status("main", DZ)["held"]["count"] == 2)
    annotate(world, dns_zone(safety={"frozen": True, "panicThreshold": 100}), approve=first)
    await asyncio.sleep(10)
    assert world.answers("www.example.org") == {"192.0.2.2"}
    annotate(world, dns_zone(safety={"frozen": True, "panicThreshold": 100}), approve=digest(world))
    await world.until(lambda: world.answers("www.example.org") == {"192.0.2.4"})
    await world.until(lambda: world.answers("web.example.org") == {"192.0.2.6"})


async def test_an_approval_that_came_too_late_does_not_stand_for_the_next_time(boot: Boot) -> None:
    zone = dns_zone(**CALM)
    world = boot(zone, api(), www())
    await two_regions_fail(world)
    late = digest(world)
    world.down = set()
    await world.until(lambda: held(world) == ("False", "NothingHeld"))
    annotate(world, zone, approve=late)
    unused = f"nothing is held; detour.dev/approve={late} approves nothing"
    await world.until(lambda: message(world, "Held") == unused)
    await asyncio.sleep(2 * 3600)
    world.down = {"192.0.2.1"}
    await world.until(lambda: world.answers() == {"192.0.2.3"})
    world.down = {"192.0.2.1", "192.0.2.2"}
    await asyncio.sleep(60)
    assert world.answers("www.example.org") == {"192.0.2.2"}


async def test_a_restart_during_a_hold_lets_nothing_through(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), api(), www())
    await two_regions_fail(world)
    await asyncio.sleep(5)
    down = world.down
    for _ in range(3):
        await world.kill()
        world = boot()
        world.down = down
        await asyncio.sleep(60)
        assert world.answers("www.example.org") == {"192.0.2.2"}
        assert world.answers() == {"192.0.2.3"}
        assert held(world) == ("True", "TooManyRegions")


async def test_what_had_left_a_region_before_a_restart_is_counted_with_what_leaves_after_it(boot: Boot) -> None:
    names = ["a", "b", "c"]
    multi = [
        record(
            each,
            *((region, f"192.0.2.{place}{number}", 1) for number, region in enumerate((EAST, WEST, NORTH), 1)),
            strategy="MultiValue",
        )
        for place, each in enumerate(names, 1)
    ]
    world = boot(dns_zone(**CALM), *multi)
    await world.until(lambda: ready(world, *names))
    west = {"192.0.2.12", "192.0.2.22", "192.0.2.32"}
    world.down = set(west)
    await world.until(lambda: all(not west & world.answers(f"{each}.example.org") for each in names))
    await asyncio.sleep(5)
    await world.kill()

    again = boot()
    again.down = west | {"192.0.2.21"}
    await again.until(lambda: held(again) == ("True", "TooManyRegions"))
    assert again.answers("b.example.org") == {"192.0.2.21", "192.0.2.23"}


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["MultiValue", "Priority"])
async def test_a_name_in_two_failing_regions_leaves_one_now_and_the_other_after_the_window(
    boot: Boot, strategy: str
) -> None:
    both = {"192.0.2.1", "192.0.2.2"}
    spec = {"strategy": strategy} if strategy == "MultiValue" else {"minServing": 2}
    world = boot(
        dns_zone(**CALM), record("api", (EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 1), (NORTH, "192.0.2.3", 2), **spec)
    )
    await world.until(lambda: ready(world))
    assert both <= world.answers()
    world.api.apply(dns_zone(safety={"frozen": True, "panicThreshold": 100}))
    world.down = both
    await asyncio.sleep(60)
    world.api.apply(dns_zone(**CALM))
    await world.until(lambda: not both <= world.answers(), within=60)
    await world.until(lambda: world.answers() == {"192.0.2.3"}, within=2 * WINDOW)


async def test_one_region_under_many_names_of_two_zones_moves_at_once(boot: Boot) -> None:
    zones = [{"name": "main"}, {"name": "second"}]
    names = [f"n{place}" for place in range(12)]
    records = [record(name, (EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 2), zones=zones) for name in names]
    world = boot(dns_zone(**CALM), dns_zone("second", uid="z-2", route53={"zoneID": "Z0123456789"}, **CALM), *records)
    await world.until(lambda: ready(world, *names))
    world.down = {"192.0.2.1"}
    for zone in ("main", "second"):
        await world.until(
            lambda zone=zone: all(world.answers(f"{each}.example.org", zone) == {"192.0.2.2"} for each in names)
        )


# -- panic -----------------------------------------------------------------------------------------------------------


def four() -> list[dict[str, Any]]:
    """Return four names with eight endpoints in all: the first of each in the east."""
    return [
        record(f"n{place}", (EAST, f"192.0.2.{place + 1}", 1), (NORTH, f"198.51.100.{place + 1}", 2))
        for place in range(4)
    ]


def all_in(world: World, network: str, names: Iterable[int] = range(4)) -> bool:
    return all(world.answers(f"n{place}.example.org") == {f"{network}.{place + 1}"} for place in names)


async def test_a_vantage_that_sees_nothing_moves_nothing_and_believes_again_what_it_sees_later(boot: Boot) -> None:
    world = boot(dns_zone(safety={"panicThreshold": 10}), *four())
    await world.until(lambda: ready(world, "n0", "n1", "n2", "n3"))
    world.is_blind = True
    for _ in range(300):
        await asyncio.sleep(1)
        assert all_in(world, "192.0.2")
    world.is_blind = False
    for _ in range(300):
        await asyncio.sleep(1)
        assert all_in(world, "192.0.2")
    assert held(world) == ("False", "NothingHeld")
    world.down = {f"192.0.2.{place + 1}" for place in range(4)}
    assert await world.until(lambda: all_in(world, "198.51.100")) < 20


async def test_most_of_the_world_may_fail_where_the_name_servers_answer(boot: Boot) -> None:
    world = boot(dns_zone(safety={"panicThreshold": 10}), *four())
    await world.until(lambda: ready(world, "n0", "n1", "n2", "n3"))
    world.down = {f"192.0.2.{place + 1}" for place in range(4)}
    assert await world.until(lambda: all_in(world, "198.51.100")) < 10 + 2 + 2 * 2 + 1


async def test_a_zone_that_could_never_be_opened_says_nothing_of_this_vantage(boot: Boot, clouds: Clouds) -> None:
    clouds.refusing.add("broken")
    broken = dns_zone("broken", uid="z-2", route53={"zoneID": "Z0123456789"})
    world = boot(dns_zone(safety={"panicThreshold": 10}), broken, *four())
    await world.until(lambda: ready(world, "n0", "n1", "n2", "n3"))
    world.down = {f"192.0.2.{place + 1}" for place in range(4)}
    assert await world.until(lambda: all_in(world, "198.51.100")) < 20


async def panicking(world: World) -> None:
    """The first endpoints of all names fail while no name server answers, so that nothing of it is believed."""
    await world.until(lambda: ready(world, "n0", "n1", "n2", "n3"))
    world.is_deaf = True
    world.down = {f"192.0.2.{place + 1}" for place in range(4)}
    await world.until(lambda: world.api.status("main", DZ).get("held", {}).get("count") == 4)
    assert held(world) == ("True", "VantageSuspected")


async def test_an_edit_of_something_else_does_not_let_a_blind_vantage_move_a_name(boot: Boot) -> None:
    world = boot(dns_zone(safety={"panicThreshold": 10}), *four())
    await panicking(world)
    world.api.apply(record("n0", (EAST, "192.0.2.1", 1), (NORTH, "198.51.100.1", 2), ttl=60))
    for _ in range(60):
        await asyncio.sleep(1)
        assert world.answers("n0.example.org") == {"192.0.2.1"}


async def test_a_drain_by_a_person_counts_also_while_the_vantage_is_doubted(boot: Boot) -> None:
    world = boot(dns_zone(safety={"panicThreshold": 10}), cloud_region(EAST), *four())
    await panicking(world)
    world.api.apply(cloud_region(EAST, state="Drained"))
    await world.until(lambda: all_in(world, "198.51.100"))


async def test_a_name_that_is_new_is_published_also_while_the_vantage_is_doubted(boot: Boot) -> None:
    world = boot(dns_zone(safety={"panicThreshold": 10}), *four())
    await panicking(world)
    world.api.apply(record("new", (EAST, "192.0.2.9", 1), (NORTH, "198.51.100.9", 2)))
    await world.until(lambda: world.answers("new.example.org") == {"192.0.2.9"})


async def test_a_region_that_nobody_knows_is_told_with_the_nearest_one(boot: Boot) -> None:
    misspelt = record("api", ("aws-us-esat-1", "192.0.2.1", 1), (WEST, "192.0.2.2", 2))
    world = boot(dns_zone(), cloud_region(EAST), cloud_region(WEST), misspelt)
    await world.until(lambda: world.api.condition("Warning") == ("True", "UnknownRegion"))
    assert f"the nearest is {EAST}" in message(world, "Warning", "api", FR)
    world.api.apply(record("api", (EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 2)))
    await world.until(lambda: world.api.condition("Warning") == ("False", "None"))


# -- how often what is held is looked at -----------------------------------------------------------------------------


async def decisions(world: World, seconds: float) -> int:
    """Count how often any record is decided within so many seconds."""
    counted, plan = 0, world.engine._plan

    def counting(*arguments: Any) -> Any:
        nonlocal counted
        counted += 1
        return plan(*arguments)

    world.engine._plan = counting  # type: ignore[method-assign]  # counts the decisions, and makes them
    await asyncio.sleep(seconds)
    world.engine._plan = plan  # type: ignore[method-assign]  # as it was
    return counted


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["FrozenByUser", "TooManyRegions"])
async def test_what_is_held_is_decided_anew_only_when_something_has_changed(boot: Boot, reason: str) -> None:
    east = [record(f"e{place}", (EAST, "192.0.2.1", 1), (NORTH, "192.0.2.4", 2)) for place in range(21)]
    west = [record(f"n{place}", (WEST, "192.0.2.2", 1), (NORTH, "192.0.2.4", 2)) for place in range(20)]
    names = [each["metadata"]["name"] for each in (*east, *west)]
    world = boot(dns_zone(**CALM), *east, *west)
    await world.until(lambda: ready(world, *names))
    world.down = {"192.0.2.1"}
    await world.until(lambda: world.answers("e20.example.org") == {"192.0.2.4"})
    await asyncio.sleep(60)
    world.api.apply(dns_zone(safety={"panicThreshold": 100, "frozen": reason == "FrozenByUser"}))
    world.down |= {"192.0.2.2"}
    await world.until(lambda: held(world) == ("True", reason))
    await asyncio.sleep(60)
    assert await decisions(world, 300) < 500, "20 records held, twice a second, are 12,000"
    world.api.apply(dns_zone(**CALM))
    await world.until(lambda: held(world) == ("False", "NothingHeld"), within=2 * WINDOW)
    assert world.answers("n19.example.org") == {"192.0.2.4"}
