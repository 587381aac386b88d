"""Mass deletions: held before the first name goes, through restarts, until a person approves or calls them off."""

import asyncio
import copy
from typing import Any

import pytest

from detour.enactment.contract import Batch, UnavailableError, ZoneContents
from detour.engine.ports import ClusterError
from detour.model.objects import Kind
from detour.model.rrset import RRset, RRType
from detour.twin.virtualtime import holds
from detour_simulation.memoryzone import Fault

from .gating import (
    CALM,
    DZ,
    EAST,
    FR,
    RECORDS_FIRST,
    WEST,
    WINDOW,
    ZONES_FIRST,
    Boot,
    annotate,
    digest,
    held,
    message,
    ready,
    record,
)
from .objects import changed, dns_zone, failover_record
from .world import Clouds, World

LATER = "2026-11-24T20:00:00Z"


def many(number: int, **spec: Any) -> list[dict[str, Any]]:
    return [
        record(f"n{place}", (EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 2), deletionPolicy="Delete", **spec)
        for place in range(number)
    ]


async def delete_all(world: World, clouds: Clouds, number: int) -> None:
    await world.until(
        lambda: (
            all(each["metadata"].get("finalizers") for (kind, _, _), each in world.api.objects.items() if kind is FR)
            and all(world.answers(f"n{place}.example.org") for place in range(number))
        )
    )
    await asyncio.sleep(30)
    clouds.zone().guarded.clear()
    for place in range(number):
        world.api.delete(FR, f"n{place}")
    await world.until(lambda: held(world) == ("True", "TooManyDeletions"))
    await asyncio.sleep(10)


def standing(world: World, number: int) -> int:
    return sum(bool(world.answers(f"n{place}.example.org")) for place in range(number))


@pytest.mark.slow
async def test_a_mass_deletion_takes_nothing_and_waits_for_a_person(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), *many(25))
    await delete_all(world, clouds, 25)
    assert standing(world, 25) == 25
    await asyncio.sleep(2 * WINDOW)
    assert standing(world, 25) == 25
    assert world.api.status("main", DZ)["held"]["count"] == 25
    annotate(world, dns_zone(), approve=digest(world))
    await world.until(lambda: standing(world, 25) == 0)
    await world.until(lambda: not [key for key in world.api.objects if key[0] is FR])
    await world.until(lambda: held(world) == ("False", "NothingHeld"))


async def test_a_record_whose_deletion_is_held_says_so_and_what_to_do(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), *many(12))
    await delete_all(world, clouds, 12)
    await world.until(lambda: world.api.condition("Ready", "n3") == ("False", "Held"))
    told = message(world, "Published", "n3", FR)
    assert told == (
        "the name is to be removed from zone shop/main; the safety gate holds that (TooManyDeletions),"
        " see `kubectl describe dz main -n shop`"
    )
    annotate(world, dns_zone(), approve=digest(world))
    await world.until(lambda: not [key for key in world.api.objects if key[0] is FR])


async def test_a_restart_during_a_mass_deletion_deletes_nothing_more(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), *many(25))
    await delete_all(world, clouds, 25)
    for _ in range(2):
        await world.kill()
        world = boot(kinds=ZONES_FIRST)
        await asyncio.sleep(60)
        assert standing(world, 25) == 25


@pytest.mark.parametrize("kinds", [ZONES_FIRST, RECORDS_FIRST], ids=["zones listed first", "records listed first"])
async def test_a_deletion_under_way_is_finished_after_a_restart(
    boot: Boot, clouds: Clouds, kinds: tuple[Kind, ...]
) -> None:
    """The watches of the kinds deliver in any order."""
    world = boot(dns_zone(), *many(2))
    await world.until(lambda: ready(world, "n0", "n1"))
    clouds.zone().guarded.clear()
    for provider in clouds.providers:
        provider.latency = 60.0
    world.api.delete(FR, "n0")
    await asyncio.sleep(1)
    await world.kill()
    again = boot(kinds=kinds)
    await again.until(lambda: (FR, "shop", "n0") not in again.api.objects)
    assert again.answers("n0.example.org") == set()
    assert again.answers("n1.example.org")


async def test_a_held_deletion_is_called_off_by_the_policy_retain(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), *many(12))
    await delete_all(world, clouds, 12)
    held = sorted(name for kind, _, name in world.api.objects if kind is FR)
    assert len(held) == 12
    for name in held:
        spared = record(name, (EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 2), deletionPolicy="Retain")
        spared["metadata"]["deletionTimestamp"] = "2026-11-23T21:00:00Z"
        world.api.apply(spared)
    await world.until(lambda: not [key for key in world.api.objects if key[0] is FR])
    assert all(world.answers(f"{name}.example.org") for name in held)


@pytest.mark.parametrize("change", [{"credentialsSecretRef": {"name": "new"}}, {"budget": {"requestsPerSecond": 2}}])
async def test_a_new_connection_goes_on_with_the_names_that_are_to_go(
    boot: Boot, clouds: Clouds, change: dict[str, Any]
) -> None:
    world = boot(dns_zone(**CALM), record("old", (EAST, "192.0.2.9", 1), deletionPolicy="Delete"))
    await world.until(lambda: ready(world, "old"))
    clouds.zone().guarded.discard("old.example.org")
    clouds.providers[-1].trouble(Fault.THROTTLED, 300.0, times=1)
    world.api.delete(FR, "old")
    await world.until(lambda: not clouds.providers[-1].troubles)
    world.api.apply(dns_zone(**change, **CALM))
    await world.until(lambda: not world.answers("old.example.org"), within=400.0)
    await world.until(lambda: (FR, "shop", "old") not in world.api.objects)


# -- who may ask -----------------------------------------------------------------------------------------------------

SHARED = {"allowedNamespaces": {"from": "All"}}


def of_others(name: str, **spec: Any) -> dict[str, Any]:
    """Return a record of another namespace in the zone of `shop`."""
    zones = [{"name": "main", "namespace": "shop"}]
    raw = record(name, (EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 2), deletionPolicy="Delete", zones=zones, **spec)
    return changed(raw, namespace="others")


async def test_the_deletion_of_a_record_that_a_zone_refuses_does_not_wait_for_that_zone(
    boot: Boot, clouds: Clouds
) -> None:
    world = boot(dns_zone(**CALM), of_others("n0"))
    await world.until(lambda: world.api.condition("Published", "n0", FR, "others")[1] == "NamespaceNotAllowed")
    for provider in clouds.providers:
        provider.reading_fails = UnavailableError("away")
    world.api.delete(FR, "n0", "others")
    await world.until(lambda: (FR, "others", "n0") not in world.api.objects, within=5)


@pytest.mark.parametrize("is_restarted", [False, True], ids=["at once", "after a restart"])
async def test_a_name_goes_with_its_record_though_the_zone_has_come_to_refuse_its_namespace(
    boot: Boot, clouds: Clouds, is_restarted: bool
) -> None:
    world = boot(dns_zone(**SHARED, **CALM), of_others("n0"))
    await world.until(lambda: world.api.condition("Ready", "n0", FR, "others")[0] == "True")
    await asyncio.sleep(10)
    world.api.apply(dns_zone(**CALM))
    await world.until(lambda: world.api.condition("Published", "n0", FR, "others")[1] == "NamespaceNotAllowed")
    clouds.zone().guarded.clear()
    if is_restarted:
        await world.kill()
        world = boot()
        await asyncio.sleep(30)
    world.api.delete(FR, "n0", "others")
    await world.until(lambda: not world.answers("n0.example.org"))
    await world.until(lambda: (FR, "others", "n0") not in world.api.objects)


async def test_a_namespace_of_duplicates_that_is_dropped_holds_nobodys_deletion(boot: Boot, clouds: Clouds) -> None:
    """Fifteen claims on names that others have published are deleted at once, and one name that is to go."""
    duplicates = [changed(of_others(f"n{place}", uid=f"d-{place}"), creationTimestamp=LATER) for place in range(15)]
    world = boot(dns_zone(**SHARED, **CALM), *many(15))
    await world.until(lambda: ready(world, *(f"n{place}" for place in range(15))))
    for raw in duplicates:
        world.api.apply(raw)
    await world.until(lambda: world.api.condition("Published", "n14", FR, "others")[1] == "NameConflict")
    clouds.zone().guarded.discard("n0.example.org")
    for place in range(15):
        world.api.delete(FR, f"n{place}", "others")
    world.api.delete(FR, "n0")
    await world.until(lambda: not world.answers("n0.example.org"), within=10)
    await asyncio.sleep(60)
    assert standing(world, 15) == 14
    assert not [key for key in world.api.objects if key[1] == "others"]


async def test_a_deletion_waits_in_a_zone_that_was_frozen_while_its_secret_was_away(boot: Boot, clouds: Clouds) -> None:
    secret = {"credentialsSecretRef": {"name": "account"}}
    world = boot(dns_zone(**secret), failover_record(deletionPolicy="Delete"))
    await world.until(lambda: world.api.condition("Ready")[0] == "True")
    for provider in clouds.providers:
        provider.trouble(Fault.UNAVAILABLE, times=100_000)
    world.api.delete(FR, "api")
    await asyncio.sleep(10)
    world.secret_error = ClusterError("not found", 404)
    await world.until(lambda: world.api.condition("Ready", "main", DZ)[1] == "SecretMissing")
    world.api.apply(dns_zone(**secret, safety={"frozen": True}))
    await asyncio.sleep(10)
    world.secret_error = None
    assert await holds(world.answers, 300), "deleted in a frozen zone"


async def test_a_claimant_that_is_deleted_goes_while_another_one_is_refused_too(boot: Boot, clouds: Clouds) -> None:
    clouds.zone().put(RRset("api.example.org", RRType.A, 300, ("203.0.113.9",)))
    spec = {"hostname": "api.example.org", "deletionPolicy": "Delete"}
    world = boot(dns_zone(), *(failover_record(name, uid=f"u-{name}", **spec) for name in ("first", "second")))
    await asyncio.sleep(60)
    world.api.delete(FR, "first")
    await world.until(lambda: (FR, "shop", "first") not in world.api.objects)
    assert world.answers() == {"203.0.113.9"}


@pytest.mark.parametrize("frozen", [False, True])
async def test_deletions_are_counted_also_where_nobody_knows_yet_whether_the_names_are_theirs(
    boot: Boot, clouds: Clouds, *, frozen: bool
) -> None:
    """The answer to the batch that marked them was lost, and nothing can be read."""
    number, zone = 30, clouds.zone()
    names = [f"n{place}.example.org" for place in range(number)]
    for place, name in enumerate(names):
        zone.put(RRset(name, RRType.A, 300, (f"192.0.2.{place + 100}",)))
    world = boot(dns_zone(**CALM), record("api", (EAST, "192.0.2.1", 1)))
    await world.until(lambda: ready(world))
    zone.guarded.clear()
    provider = clouds.providers[-1]
    provider.latency = 4.0
    whole = provider.apply

    async def apply(batch: Batch) -> ZoneContents:
        if len(batch.changes) > number and provider.reading_fails is None:
            provider.trouble(Fault.LOST_AFTER, times=1)
            provider.reading_fails = UnavailableError("away")
        return await whole(batch)

    provider.apply = apply  # type: ignore[method-assign]
    for place in range(number):
        address = f"192.0.2.{place + 100}"
        world.api.apply(record(f"n{place}", (EAST, address, 1), adopt=True, deletionPolicy="Delete"))
    await world.until(lambda: sum("_detour.n" in key.name for key in zone.sets) == number)
    assert provider.reading_fails, "the answer to the last batch is to be lost"
    provider.latency = 0.05
    world.api.apply(dns_zone(safety={"panicThreshold": 100, "frozen": frozen}))
    for place in range(number):
        world.api.delete(FR, f"n{place}")
    await asyncio.sleep(10)
    provider.reading_fails = None
    assert await holds(lambda: all(world.answers(name) for name in names), 120.0)


@pytest.mark.parametrize("meanwhile", ["nothing", "restart", "zone made anew"])
async def test_what_was_deleted_counts_whoever_goes_on(boot: Boot, clouds: Clouds, meanwhile: str) -> None:
    world = boot(dns_zone(**CALM), *many(40))
    await world.until(lambda: all(ready(world, f"n{place}") for place in range(40)))
    clouds.zone().guarded.clear()
    for place in range(10):
        world.api.delete(FR, f"n{place}")
    await world.until(lambda: not any((FR, "shop", f"n{place}") in world.api.objects for place in range(10)))
    await asyncio.sleep(5)
    if meanwhile == "restart":
        await world.kill()
        world = boot()
    elif meanwhile == "zone made anew":
        world.api.objects[DZ, "shop", "main"]["metadata"]["finalizers"] = []
        world.api.delete(DZ, "main")
        world.api.apply(dns_zone(uid="z-2", **CALM))
    await asyncio.sleep(20)
    for place in range(10, 20):
        world.api.delete(FR, f"n{place}")
    await asyncio.sleep(60)
    assert standing(world, 40) == 30


async def test_a_replica_that_does_not_lead_keeps_no_deletion_that_the_leader_has_made(
    boot: Boot, clouds: Clouds
) -> None:
    leader = boot(dns_zone(**CALM), record("api", (EAST, "192.0.2.1", 1)), identity="a")
    await leader.until(lambda: leader.leads and ready(leader))
    follower = boot(identity="b")
    await asyncio.sleep(20)
    clouds.zone().guarded.clear()
    leader.api.apply(many(1)[0])
    await leader.until(lambda: ready(leader, "n0"))
    leader.api.delete(FR, "n0")
    await leader.until(lambda: (FR, "shop", "n0") not in leader.api.objects)
    await asyncio.sleep(5)
    assert not any(each.gate.deletions.are_waiting for each in follower.engine.zones.keepers.values())


async def test_a_freeze_that_begins_while_a_deletion_is_on_its_way_keeps_no_object_of_a_name_that_is_gone(
    boot: Boot, clouds: Clouds
) -> None:
    world = boot(dns_zone(**CALM), many(1)[0], record("www", (EAST, "192.0.2.1", 1)))
    await world.until(lambda: ready(world, "n0", "www"))
    clouds.zone().guarded.clear()
    clouds.providers[-1].latency = 3.0
    world.api.delete(FR, "n0")
    await asyncio.sleep(3.5)
    assert standing(world, 1)
    world.api.apply(dns_zone(safety={"panicThreshold": 100, "frozen": True}))
    await world.until(lambda: not standing(world, 1))
    await world.until(lambda: (FR, "shop", "n0") not in world.api.objects)


async def test_a_deletion_that_was_undone_before_the_zones_are_listed_is_none(boot: Boot) -> None:
    """The API server's data went back to a time before it, as they do with a restored etcd."""
    world = boot(dns_zone(**CALM), many(1)[0])
    await world.until(lambda: ready(world, "n0"))
    await asyncio.sleep(5)
    await world.kill()
    place = FR, "shop", "n0"
    before = copy.deepcopy(world.api.objects[place])
    world.api.objects[place]["metadata"]["deletionTimestamp"] = LATER
    again = boot()
    again.engine.zones_listed = False
    await asyncio.sleep(0.2)
    again.api.objects[place] = before
    again.list()
    again.engine.zones_listed = False
    await asyncio.sleep(0.2)
    again.engine.zones_listed = True
    assert await holds(lambda: standing(again, 1) == 1, 60.0)


async def test_a_held_deletion_is_called_off_under_every_name_of_the_zone(boot: Boot, clouds: Clouds) -> None:
    clouds.zones["second"] = clouds.zone("main")
    second = dns_zone("second", uid="z-2", route53={"zoneID": "Z123"}, **CALM)
    zones = [{"name": "main"}, {"name": "second"}]
    places = (EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 2)
    world = boot(dns_zone(**CALM), changed(second, creationTimestamp=LATER))
    world.api.apply(record("api", *places, zones=zones, deletionPolicy="Delete"))
    await world.until(lambda: ready(world))
    await asyncio.sleep(5)
    world.api.apply(dns_zone(safety={"panicThreshold": 100, "frozen": True}))
    await asyncio.sleep(5)
    world.api.delete(FR, "api")
    await asyncio.sleep(10)
    kept = record("api", *places, zones=zones, deletionPolicy="Retain")
    world.api.apply(changed(kept, deletionTimestamp=LATER))
    await world.until(lambda: (FR, "shop", "api") not in world.api.objects)
