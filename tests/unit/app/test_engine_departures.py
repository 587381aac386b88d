"""Which names count as having left a region because it failed: those that did, and no others."""

import asyncio

from detour.engine.inbox import Withdrawn
from detour.model.record import ObjectKey
from detour.model.rrset import RRset, RRType
from detour_simulation.memoryzone import Fault

from .gating import CALM, DZ, EAST, NORTH, WEST, WINDOW, Boot, api, ready, record, told, www
from .objects import cloud_region, dns_zone
from .world import Clouds, World


async def test_a_record_that_is_suspended_before_it_left_its_region_keeps_no_other_from_leaving(
    boot: Boot, clouds: Clouds
) -> None:
    world = boot(dns_zone(**CALM), api(), www())
    await world.until(lambda: ready(world, "api", "www"))
    clouds.providers[-1].trouble(Fault.THROTTLED, 20.0, times=1)
    world.down = {"192.0.2.1"}
    await world.until(lambda: not clouds.providers[-1].troubles)
    await asyncio.sleep(1)
    world.api.apply(record("api", (EAST, "192.0.2.1", 1), (NORTH, "192.0.2.3", 2), suspend=True))
    await asyncio.sleep(WINDOW + 60)
    assert world.answers() == {"192.0.2.1"}
    assert "evacuations" not in world.api.status("main", DZ)
    world.down = {"192.0.2.1", "192.0.2.2"}
    await world.until(lambda: world.answers("www.example.org") == {"192.0.2.4"})


async def test_a_record_that_adopts_a_name_has_lost_no_status_and_left_no_region(boot: Boot, clouds: Clouds) -> None:
    clouds.zone().put(RRset("api.example.org", RRType.A, 300, ("192.0.2.1",)))
    world = boot(dns_zone(**CALM))
    world.down = {"192.0.2.2"}
    three = ((EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 2), (NORTH, "192.0.2.3", 3))
    world.api.apply(record("api", *three, adopt=True))
    await world.until(lambda: world.api.condition("Published")[0] == "True")
    await asyncio.sleep(20)
    world.down = {"192.0.2.1", "192.0.2.2"}
    await world.until(lambda: world.answers() == {"192.0.2.3"})
    assert not told(world, "StatusRestored")


async def test_a_region_that_was_drained_and_then_shut_down_has_not_failed_for_the_next_leader(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), cloud_region(EAST), api(), www())
    await world.until(lambda: ready(world, "api", "www"))
    world.api.apply(cloud_region(EAST, state="Drained"))
    await world.until(lambda: world.answers() == {"192.0.2.3"})
    await asyncio.sleep(30)
    world.down = {"192.0.2.1"}
    await asyncio.sleep(60)
    await world.kill()
    again = boot()
    again.down = {"192.0.2.1"}
    await asyncio.sleep(30)
    assert "evacuations" not in again.api.status("main", DZ)
    again.down = {"192.0.2.1", "192.0.2.2"}
    await again.until(lambda: again.answers("www.example.org") == {"192.0.2.4"})


async def test_every_zone_tells_how_many_names_have_left_also_once_one_of_another_zone_counts_no_more(
    boot: Boot,
) -> None:
    """The next leader goes by the most that any zone tells."""
    world = boot(dns_zone(**CALM), dns_zone("other", uid="z-2", domain="example.net", **CALM))
    world.api.apply(
        record("web", (EAST, "192.0.2.5", 1), (NORTH, "192.0.2.6", 2), hostname="web.example.net", zones=OTHER)
    )
    world.api.apply(record("api", (EAST, "192.0.2.1", 1), (NORTH, "192.0.2.3", 2), failback={"holdDown": "1s"}))
    await world.until(lambda: ready(world, "api", "web"))
    world.down = {"192.0.2.1", "192.0.2.5"}
    await world.until(lambda: evacuated(world, "main") == evacuated(world, "other") == {EAST: 2})
    world.down = {"192.0.2.5"}
    await world.until(lambda: evacuated(world, "other") == {EAST: 1})


OTHER = [{"name": "other"}]


def evacuated(world: World, zone: str) -> dict[str, int]:
    told = world.api.status(zone, DZ).get("evacuations", ())
    return {each["region"]: each["names"] for each in told}


async def test_a_status_tells_of_departures_for_as_long_as_they_count_and_nobody_polls_for_that(boot: Boot) -> None:
    """The longest window of all zones counts, not that of the zone itself."""
    longer = dns_zone("second", uid="z-2", domain="example.net", safety={"panicThreshold": 100, "window": "20m"})
    world = boot(dns_zone(safety={"panicThreshold": 100, "window": "1m"}), longer, api())
    await world.until(lambda: ready(world))
    world.down = {"192.0.2.1"}
    await world.until(lambda: "evacuations" in world.api.status("main", DZ))
    await asyncio.sleep(120)
    looks = 0
    gate = next(each.gate for each in world.engine.zones.keepers.values() if each.zone.domain == "example.org")
    evacuated = gate.evacuated

    def counted() -> dict[str, tuple[int, float]]:
        nonlocal looks
        looks += 1
        return evacuated()

    gate.evacuated = counted  # type: ignore[method-assign]  # nothing else tells how often it is looked at
    await asyncio.sleep(600)
    assert "evacuations" in world.api.status("main", DZ), "it counts for twenty minutes"
    assert looks < 60
    await asyncio.sleep(600)
    assert "evacuations" not in world.api.status("main", DZ)


async def test_news_of_a_zone_that_break_something_stop_no_others(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), api())
    await world.until(lambda: ready(world))
    world.engine._inbox.put(Withdrawn(ObjectKey("shop", "main"), None))  # type: ignore[arg-type]  # odd on purpose
    world.engine.decide((ObjectKey("shop", "api"),))
    world.down = {"192.0.2.1"}
    await world.until(lambda: world.answers() == {"192.0.2.3"})
