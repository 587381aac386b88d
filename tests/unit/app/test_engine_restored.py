"""What an operator does with memories: of a status, of another leader, and of an API server that was set back."""

import asyncio
import copy
from collections.abc import Callable

from detour.model.objects import Kind
from detour.twin.virtualtime import holds

from .objects import dns_zone, failover_record
from .test_engine_gate import CALM, EAST, NORTH, ready, record
from .world import World

Boot = Callable[..., World]
FR = Kind.FAILOVER_RECORD


def both(**spec: object) -> dict[str, object]:
    return record("api", (EAST, "192.0.2.1", 1), (NORTH, "192.0.2.3", 1), **spec)


async def test_a_verdict_from_an_earlier_status_removes_nobody_until_it_was_seen_here(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), both())
    await world.until(lambda: world.answers() == {"192.0.2.1", "192.0.2.3"} and ready(world))
    await world.kill()
    raw = world.api.objects[FR, "shop", "api"]
    lying = copy.deepcopy(raw)
    for each in lying["status"]["endpoints"]:
        if each["name"] == "e0":
            each["verdict"] = "Unhealthy"
            each["addresses"] = [{**one, "verdict": "Unhealthy"} for one in each["addresses"]]
    world.api._store((FR, "shop", "api"), lying)

    again = boot()
    assert await holds(lambda: again.answers() == {"192.0.2.1", "192.0.2.3"}, 60)


async def test_a_status_that_was_lost_while_nobody_ran_is_told_and_a_first_one_is_not(boot: Boot) -> None:
    world = boot(dns_zone(), both())
    await world.until(lambda: ready(world))
    assert "StatusRestored" not in [reason for reason, _ in world.api.events]
    await world.kill()
    wiped = copy.deepcopy(world.api.objects[FR, "shop", "api"])
    wiped["status"] = {}
    world.api._store((FR, "shop", "api"), wiped)

    again = boot()
    await again.until(lambda: ready(again) and any(reason == "StatusRestored" for reason, _ in again.api.events))
    assert [told for reason, told in again.api.events if reason == "StatusRestored"] == [
        "this status was lost: it is written again from what the zones hold"
    ]
    assert again.api.status()["lastIncident"]["reason"] == "StatusRestored"


async def test_a_record_that_comes_back_with_the_api_servers_data_is_published_again(boot: Boot) -> None:
    world = boot(dns_zone(), both(deletionPolicy="Delete"))
    await world.until(lambda: ready(world))
    await asyncio.sleep(5)
    backup = copy.deepcopy(world.api.objects[FR, "shop", "api"])
    world.api.delete(FR, "api")
    await asyncio.sleep(0.5)  # seen, and gathering

    world.api._store((FR, "shop", "api"), backup)
    await asyncio.sleep(90)

    assert world.answers() == {"192.0.2.1", "192.0.2.3"}
    world.clouds.zone().guarded.clear()
    world.api.delete(FR, "api")
    await world.until(lambda: (FR, "shop", "api") not in world.api.objects)
    assert world.answers() == set()


async def test_a_name_without_addresses_by_an_earlier_status_keeps_its_place_until_it_was_asked(boot: Boot) -> None:
    endpoints = [
        {"name": "one", "region": EAST, "hostname": "lb1.example.net", "priority": 1},
        {"name": "two", "region": NORTH, "hostname": "lb2.example.net", "priority": 2},
    ]
    names = {"lb1.example.net": ("192.0.2.1",), "lb2.example.net": ("192.0.2.2",)}
    world = boot(dns_zone(**CALM), failover_record(endpoints=endpoints))
    world.names = names
    await world.until(lambda: ready(world) and world.answers() == {"192.0.2.1"})
    await asyncio.sleep(30)
    await world.kill()
    lying = copy.deepcopy(world.api.objects[FR, "shop", "api"])
    for each in lying["status"]["endpoints"]:
        if each["name"] == "one":
            each["verdict"], each["reason"] = "Unhealthy", "NoAddresses"
    world.api._store((FR, "shop", "api"), lying)

    again = boot()
    again.names = names
    assert await holds(lambda: again.answers() == {"192.0.2.1"}, 30)


async def test_a_status_of_a_backup_is_told_also_by_who_knew_the_zone_before_leading(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), failover_record(), identity="a_1")
    await world.until(lambda: world.answers() == {"192.0.2.1"} and ready(world))
    backup = copy.deepcopy(world.api.objects[FR, "shop", "api"]["status"])
    world.down = {"192.0.2.1"}
    await world.until(lambda: world.answers() == {"192.0.2.2"} and ready(world))
    await asyncio.sleep(60)
    await world.kill()
    raw = copy.deepcopy(world.api.objects[FR, "shop", "api"])
    world.api._store((FR, "shop", "api"), {**raw, "status": backup})

    again = boot(identity="b_1")  # another Lease's holder: it waits, and reads the zone meanwhile
    again.down = {"192.0.2.1"}
    assert not again.leads
    await again.until(lambda: again.leads and any(reason == "StatusRestored" for reason, _ in again.api.events))
    assert again.answers() == {"192.0.2.2"}
