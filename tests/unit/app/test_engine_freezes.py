"""A freeze from the zone's point of view: what was decided before it, what waits, and what counts when it ends."""

import asyncio
from functools import partial
from typing import Any

import pytest

from detour.model.rrset import RRKey, RRset, RRType
from detour.twin.virtualtime import holds
from detour_simulation.memoryzone import Fault

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
    www,
)
from .objects import dns_zone
from .world import Clouds, World


@pytest.fixture
def boot(boot: Boot) -> Boot:
    """Start operators that let nothing leave beside the free region: one name is as good as eleven here."""
    return partial(boot, free_departures=0)


def api_in_two() -> dict[str, Any]:
    """Return a record of two places that answer side by side, and a third behind them."""
    return record("api", (EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 1), (NORTH, "192.0.2.3", 2))


async def east_is_let_go_of_and_frozen(world: World, clouds: Clouds, **safety: object) -> None:
    """East fails, and before the throttled provider takes the change the zone is frozen."""
    clouds.providers[-1].trouble(Fault.THROTTLED, 20.0, times=1)
    world.down = {"192.0.2.1"}
    await world.until(lambda: not clouds.providers[-1].troubles)
    await asyncio.sleep(1)
    world.api.apply(dns_zone(safety={"frozen": True, **safety}))
    await asyncio.sleep(60)
    assert world.answers() == {"192.0.2.1"}


@pytest.mark.slow
async def test_what_leaves_its_region_after_a_freeze_counts_from_then(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(**CALM), api(), www())
    await world.until(lambda: ready(world, "api", "www"))
    await east_is_let_go_of_and_frozen(world, clouds, panicThreshold=100)
    await asyncio.sleep(WINDOW + 60)
    world.down = {"192.0.2.1", "192.0.2.2"}
    await asyncio.sleep(60)
    world.api.apply(dns_zone(**CALM))
    await world.until(lambda: held(world) == ("True", "TooManyRegions"))
    await asyncio.sleep(60)
    has_moved = [world.answers() == {"192.0.2.3"}, world.answers("www.example.org") == {"192.0.2.4"}]
    assert sorted(has_moved) == [False, True]
    evacuated = [each["region"] for each in world.api.status("main", DZ)["evacuations"]]
    assert evacuated == [EAST if has_moved[0] else WEST]


async def test_a_name_whose_places_all_fail_leaves_no_more_regions_after_a_freeze_than_it_may(
    boot: Boot, clouds: Clouds
) -> None:
    """What was decided before the freeze was never written: it is no departure that excuses the next."""
    world = boot(dns_zone(**CALM), api_in_two())
    await world.until(lambda: ready(world))
    clouds.providers[-1].trouble(Fault.THROTTLED, 20.0, times=1)
    world.down = {"192.0.2.1"}
    await world.until(lambda: not clouds.providers[-1].troubles)
    world.api.apply(dns_zone(safety={"frozen": True, "panicThreshold": 100}))
    await asyncio.sleep(30)
    assert world.answers() == {"192.0.2.1", "192.0.2.2"}
    world.down = {"192.0.2.1", "192.0.2.2"}
    await asyncio.sleep(30)
    world.api.apply(dns_zone(**CALM))
    await world.until(lambda: "192.0.2.3" in world.answers())
    assert len(world.answers()) == 2, "it left two regions in one write"
    await world.until(lambda: held(world) == ("True", "TooManyRegions"))
    await world.until(lambda: world.answers() == {"192.0.2.3"}, WINDOW + 10)


async def test_nor_after_a_restart_while_what_was_decided_is_not_written(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(**CALM), api_in_two())
    await world.until(lambda: ready(world))
    await world.kill()
    world = boot()
    await world.until(lambda: ready(world))
    await asyncio.sleep(10)
    clouds.providers[-1].trouble(Fault.THROTTLED, 30.0, times=1)
    world.down = {"192.0.2.1"}
    await world.until(lambda: not clouds.providers[-1].troubles)
    await asyncio.sleep(5)
    world.down = {"192.0.2.1", "192.0.2.2"}
    await world.until(lambda: world.answers() != {"192.0.2.1", "192.0.2.2"})
    assert world.answers() != {"192.0.2.3"}, "it left two regions in one write"


async def test_a_name_leaves_a_second_region_once_the_zone_shows_that_it_has_left_the_first(
    boot: Boot, clouds: Clouds
) -> None:
    world = boot(dns_zone(**CALM), api_in_two())
    await world.until(lambda: ready(world))
    clouds.providers[-1].trouble(Fault.THROTTLED, 30.0, times=1)
    world.down = {"192.0.2.1"}
    await world.until(lambda: not clouds.providers[-1].troubles)
    world.down = {"192.0.2.1", "192.0.2.2"}
    await world.until(lambda: len(world.answers()) == 1)
    assert world.answers() != {"192.0.2.3"}, "it left two regions in one write"
    await world.until(lambda: world.answers() == {"192.0.2.3"})


@pytest.mark.slow
async def test_what_was_decided_before_a_freeze_is_not_written_after_it_for_what_is_held_then(
    boot: Boot, clouds: Clouds
) -> None:
    three = record("api", (EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 2), (NORTH, "192.0.2.3", 3))
    addresses = [f"198.51.100.{place}" for place in range(4)]
    others = [record(f"n{place}", (NORTH, each, 1)) for place, each in enumerate(addresses)]
    world = boot(dns_zone(safety={"panicThreshold": 30}), three, *others)
    await world.until(lambda: ready(world, "api", "n0", "n1", "n2", "n3"))
    await east_is_let_go_of_and_frozen(world, clouds, panicThreshold=30)
    world.down = {"192.0.2.1", "192.0.2.2"}
    await asyncio.sleep(1200)
    world.is_deaf = True
    world.down |= set(addresses)
    await asyncio.sleep(60)
    world.api.apply(dns_zone(safety={"panicThreshold": 30}))
    await world.until(lambda: held(world) == ("True", "VantageSuspected"))
    assert await holds(lambda: world.answers() == {"192.0.2.1"}, 60)
    assert "192.0.2.1 -> 192.0.2.3" in str(world.api.status("main", DZ)["held"]["changes"])


@pytest.mark.slow
async def test_a_name_to_be_adopted_is_not_marked_in_a_freeze(boot: Boot, clouds: Clouds) -> None:
    clouds.zone().put(RRset("api.example.org", RRType.A, 300, ("192.0.2.1",)))
    world = boot(dns_zone(safety={"frozen": True}))
    world.api.apply(record("api", (EAST, "192.0.2.1", 1), (NORTH, "192.0.2.3", 2), adopt=True))
    await world.until(lambda: world.api.condition("Published") == ("False", "Held"))
    await asyncio.sleep(1200)
    assert RRKey("_detour.api.example.org", RRType.TXT) not in clouds.zone().sets


async def test_a_frozen_zone_keeps_what_it_has_and_repairs_it(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(safety={"frozen": True, "panicThreshold": 100}))
    world.api.apply(dns_zone(**CALM))
    world.api.apply(api())
    await world.until(lambda: ready(world))
    world.api.apply(dns_zone(safety={"frozen": True, "panicThreshold": 100}))
    await world.until(lambda: world.api.condition("Frozen", "main", DZ) == ("True", "FrozenByUser"))
    world.down = {"192.0.2.1"}
    await world.until(lambda: world.api.status("main", DZ).get("held"))
    for key in [each for each in clouds.zone().sets if each.name == "api.example.org"]:
        clouds.zone().drop(key)
    await world.until(lambda: world.answers() == {"192.0.2.1"})
    world.api.apply(dns_zone(**CALM))
    await world.until(lambda: world.answers() == {"192.0.2.3"})


async def test_a_freeze_stops_what_is_decided_and_not_written_yet(boot: Boot, clouds: Clouds) -> None:
    """Whoever freezes a zone while its provider is slow wants nothing more to happen, not what was decided before."""
    frozen_zone = dns_zone(safety={"frozen": True, "panicThreshold": 100})
    world = boot(dns_zone(**CALM), api(), record("old", (EAST, "192.0.2.9", 1), deletionPolicy="Delete"))
    await world.until(lambda: ready(world, "api", "old"))
    clouds.providers[-1].trouble(Fault.THROTTLED, 20.0, times=2)
    world.down = {"192.0.2.1"}
    world.api.delete(FR, "old")
    await world.until(lambda: len(clouds.providers[-1].troubles) < 2)
    world.api.apply(frozen_zone)
    world.api.apply(record("new", (EAST, "192.0.2.8", 1)))
    await world.until(lambda: world.api.status("main", DZ).get("held", {}).get("count") == 3)
    await asyncio.sleep(90)
    assert (world.answers(), world.answers("old.example.org")) == ({"192.0.2.1"}, {"192.0.2.9"})
    assert world.api.condition("Published") == ("False", "Held")
    clouds.zone().guarded.discard("old.example.org")
    annotate(world, frozen_zone, approve=digest(world))
    await world.until(lambda: world.answers() == {"192.0.2.3"})
    await world.until(lambda: world.answers("new.example.org") == {"192.0.2.8"})
    await world.until(lambda: not world.answers("old.example.org"))


async def test_a_write_that_was_sent_before_a_freeze_stays_where_it_lands(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(**CALM), api())
    await world.until(lambda: ready(world))
    writes = clouds.providers[-1].writes
    before = len(writes)
    clouds.providers[-1].latency = 3.0
    world.down = {"192.0.2.1"}
    await world.until(lambda: world.api.condition("Published")[0] == "False")
    world.api.apply(dns_zone(safety={"frozen": True, "panicThreshold": 100}))
    await world.until(lambda: world.answers() == {"192.0.2.3"})
    await world.until(lambda: ready(world))
    await asyncio.sleep(90)
    assert "held" not in world.api.status("main", DZ)
    assert len([each for each in writes[before:] if each.batch.changes]) == 1
    assert world.answers() == {"192.0.2.3"}


async def test_a_new_name_waits_until_a_freeze_is_over(boot: Boot) -> None:
    world = boot(dns_zone(safety={"frozen": True}), api())
    await world.until(lambda: world.api.condition("Published") == ("False", "Held"))
    await asyncio.sleep(60)
    assert world.answers() == set()
    world.api.apply(dns_zone())
    await world.until(lambda: world.answers() == {"192.0.2.1"})


async def test_a_name_emptied_while_the_operator_was_down_is_published_again_also_in_a_freeze(
    boot: Boot, clouds: Clouds
) -> None:
    world = boot(dns_zone(), api())
    await world.until(lambda: ready(world))
    world.api.apply(dns_zone(safety={"frozen": True}))
    await asyncio.sleep(5)
    await world.kill()
    for key in [each for each in clouds.zone().sets if each.name == "api.example.org"]:
        clouds.zone().drop(key)
    again = boot()
    assert await again.until(lambda: again.answers() == {"192.0.2.1"}) < 60


async def test_what_an_outsider_changed_while_the_operator_was_down_is_held_in_a_freeze_and_put_back_on_approval(
    boot: Boot, clouds: Clouds
) -> None:
    """Only a process that saw the name before knows whose values they are; a status may come from an old backup."""
    world = boot(dns_zone(), api())
    await world.until(lambda: ready(world))
    world.api.apply(dns_zone(safety={"frozen": True}))
    await asyncio.sleep(5)
    await world.kill()
    key = next(each for each in clouds.zone().sets if each.name == "api.example.org" and each.type == "A")
    stored = clouds.zone().rrset(key)
    assert stored is not None
    clouds.zone().put(type(stored)(key.name, key.type, 30, ("203.0.113.9",)))
    again = boot()
    await again.until(lambda: "203.0.113.9 -> 192.0.2.1" in message(again, "Held"))
    annotate(again, dns_zone(safety={"frozen": True}), approve=digest(again))
    await again.until(lambda: again.answers() == {"192.0.2.1"})
