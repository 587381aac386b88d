"""What counts for the region limit stays counted, whatever people do meanwhile; and what is over holds nobody.

In each world `api` has left the east, which failed, and `www` is in the west: it may not leave that within the window.
"""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from detour.enactment.contract import Pace, Secret
from detour.engine.ports import ClusterError
from detour.model.zone import Zone
from detour.twin.virtualtime import holds
from detour_simulation.memoryzone import Fault, MemoryProvider, MemoryZone

from .gating import CALM, DZ, EAST, NORTH, WEST, WINDOW, Boot, api, held, ready, record, www
from .objects import changed, dns_zone
from .world import Clouds, World

WWW = "www.example.org"
API_PLACES = ((EAST, "192.0.2.1", 1), (NORTH, "192.0.2.3", 2))
WWW_PLACES = ((WEST, "192.0.2.2", 1), (NORTH, "192.0.2.4", 2))
BOTH = [{"name": "main"}, {"name": "second"}]
OTHER = [{"name": "other"}]
EARLIER, LATER = "2026-11-20T20:00:00Z", "2026-11-24T20:00:00Z"
FROZEN: dict[str, Any] = {"safety": {"panicThreshold": 100, "frozen": True}}


@pytest.fixture
def boot(boot: Boot) -> Boot:
    """Start operators that let nothing leave beside the free region: one name is as good as eleven here."""
    return partial(boot, free_departures=0)


async def east_is_left(world: World) -> None:
    await world.until(lambda: ready(world, "api", "www"))
    world.down = {"192.0.2.1"}
    await world.until(lambda: world.answers() == {"192.0.2.3"})
    await asyncio.sleep(5)


async def west_is_kept(world: World) -> None:
    world.down |= {"192.0.2.2"}
    assert await holds(lambda: world.answers(WWW) == {"192.0.2.2"}, 60.0), "a second region was left"


def twin(created: str, name: str = "second") -> dict[str, Any]:
    return changed(dns_zone(name, uid=f"z-{name}", route53={"zoneID": "Z123"}, **CALM), creationTimestamp=created)


def lose_zone(world: World, name: str = "main") -> None:
    world.api.objects[DZ, "shop", name]["metadata"]["finalizers"] = []
    world.api.delete(DZ, name)


async def test_where_nothing_else_happens(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), api(), www())
    await east_is_left(world)
    await west_is_kept(world)


async def test_where_the_place_that_a_name_moved_to_gets_another_address(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), api(), www())
    await east_is_left(world)
    world.api.apply(record("api", (EAST, "192.0.2.1", 1), (NORTH, "192.0.2.33", 2)))
    await world.until(lambda: world.answers() == {"192.0.2.33"})
    await west_is_kept(world)


async def test_where_the_zone_is_deleted_and_made_anew(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), api(), www())
    await east_is_left(world)
    lose_zone(world)
    world.api.apply(dns_zone(uid="z-2", **CALM))
    await asyncio.sleep(20)
    await west_is_kept(world)


async def test_where_another_name_of_the_zone_goes_on_with_it(boot: Boot, clouds: Clouds) -> None:
    clouds.zones["second"] = clouds.zone("main")
    records = record("api", *API_PLACES, zones=BOTH), record("www", *WWW_PLACES, zones=BOTH)
    world = boot(dns_zone(**CALM), twin(LATER), *records)
    await east_is_left(world)
    await asyncio.sleep(30)
    lose_zone(world)
    await asyncio.sleep(30)
    await west_is_kept(world)


async def test_where_a_record_declares_one_name_of_the_zone_less(boot: Boot, clouds: Clouds) -> None:
    clouds.zones["second"] = clouds.zone("main")
    world = boot(dns_zone(**CALM), twin(LATER), record("api", *API_PLACES, zones=BOTH), www())
    await east_is_left(world)
    world.api.apply(record("api", *API_PLACES, zones=BOTH[:1]))
    await asyncio.sleep(5)
    await west_is_kept(world)


async def test_where_a_freeze_begins_while_the_change_is_on_its_way(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(**CALM), api(), www())
    await world.until(lambda: ready(world, "api", "www"))
    provider = clouds.providers[-1]
    provider.latency = 1.0
    world.down = {"192.0.2.1"}
    await world.until(lambda: "evacuations" in world.api.status("main", DZ))
    world.api.apply(dns_zone(**FROZEN))
    await world.until(lambda: world.answers() == {"192.0.2.3"})
    provider.latency = 0.05
    await asyncio.sleep(10)
    world.api.apply(dns_zone(**CALM))
    await asyncio.sleep(10)
    await west_is_kept(world)


async def test_where_who_is_gone_finds_out_late_which_zone_it_stood_for(boot: Boot, clouds: Clouds) -> None:
    """Its name is another one's by then: what it found says nothing of that."""
    one, two = MemoryZone(), MemoryZone()
    clouds.zones |= {"main": one, "other": one}
    opened, real = [], clouds.open_zone

    async def open_zone(zone: Zone, *, secret: Secret | None, pace: Pace) -> MemoryProvider:
        provider = await real(zone, secret=secret, pace=pace)
        provider.latency = 0.05 if opened else 25.0
        opened.append(provider)
        return provider

    clouds.open_zone = open_zone  # type: ignore[method-assign]
    world = boot()
    world.api.apply(dns_zone(**CALM, route53={"zoneID": "Z1"}))
    await asyncio.sleep(1)
    lose_zone(world)
    clouds.zones["main"] = two
    world.api.apply(changed(dns_zone(uid="z-9", **CALM, route53={"zoneID": "Z2"}), creationTimestamp=LATER))
    world.api.apply(changed(dns_zone("other", uid="z-2", **CALM, route53={"zoneID": "Z1"}), creationTimestamp=EARLIER))
    world.api.apply(api())
    world.api.apply(www())
    await east_is_left(world)
    await asyncio.sleep(20)
    await west_is_kept(world)


async def test_what_was_to_leave_a_zone_that_is_written_no_more_holds_nobody_once_the_window_is_over(
    boot: Boot, clouds: Clouds
) -> None:
    main = dns_zone(**CALM, route53={}, credentialsSecretRef={"name": "account"})
    world = boot(main, dns_zone("other", uid="z-2", domain="example.net", **CALM), api())
    places = (WEST, "192.0.2.5", 1), (NORTH, "192.0.2.6", 2)
    world.api.apply(record("web", *places, hostname="web.example.net", zones=OTHER))
    await world.until(lambda: ready(world, "api", "web"))
    for each in [each for each in clouds.providers if each.zone is clouds.zone("main")]:
        each.trouble(Fault.UNAVAILABLE, times=10_000)
    world.down = {"192.0.2.1"}
    await world.until(lambda: "evacuations" in world.api.status("main", DZ))
    world.secret_error = ClusterError("not found", 404)
    await asyncio.sleep(3 * WINDOW)
    world.down |= {"192.0.2.5"}
    await world.until(lambda: world.answers("web.example.net", "other") == {"192.0.2.6"})


async def test_a_change_of_a_name_that_was_lost_to_another_owner_is_held_no_more(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(**CALM), api(), www())
    await east_is_left(world)
    await west_is_kept(world)
    zone = clouds.zone()
    marker = next(each.rrset for key, each in zone.sets.items() if key.name == "_detour.www.example.org")
    zone.put(replace(marker, values=tuple(value.replace("production", "another") for value in marker.values)))
    await world.until(lambda: held(world)[0] == "False")
