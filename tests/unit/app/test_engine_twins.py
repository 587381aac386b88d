"""Several DNSZones for one zone at a provider: one is written for all, and what waits is handed on with it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from detour.enactment.ledger import Ledger
from detour.enactment.wishes import Wish
from detour.engine.ports import ClusterError
from detour.model.generation import Generation
from detour.model.objects import Kind
from detour.model.rrset import RRset, RRType
from detour.twin.virtualtime import holds
from detour_simulation.memoryzone import Fault, MemoryZone

from .gating import CALM
from .objects import changed, dns_zone, failover_record
from .world import Clouds, World

Boot = Callable[..., World]
DZ, FR = Kind.DNS_ZONE, Kind.FAILOVER_RECORD
API = "api.example.org"
ONE, TWO = {"192.0.2.1"}, {"192.0.2.2"}
OLD, NEW = "2026-11-20T20:00:00Z", "2026-11-24T20:00:00Z"
SECRET = {"credentialsSecretRef": {"name": "account"}}
GONE = ClusterError("not found", 404)


def zone(name: str, created: str, *, namespace: str = "shop", **spec: Any) -> dict[str, Any]:
    """Return one more DNSZone for the same hosted zone."""
    raw = dns_zone(name, uid=f"z-{name}-{created}", route53={"zoneID": "Z123"}, **CALM, **spec)
    return changed(raw, creationTimestamp=created, namespace=namespace)


@pytest.fixture(autouse=True)
def one_hosted_zone(clouds: Clouds) -> None:
    """Let all these DNSZones stand for one zone."""
    for name in ("older", "younger", "theirs"):
        clouds.zones[name] = clouds.zone("main")


def writes(world: World, name: str) -> bool:
    """Tell whether this DNSZone is the one that is written."""
    return any(keeper.in_force for key, keeper in world.engine.zones.keepers.items() if key.name == name)


def standing(world: World, name: str, namespace: str = "shop") -> str:
    """Return the reason of a DNSZone's condition Ready."""
    return world.api.condition("Ready", name, DZ, namespace)[1]


def ready(world: World, name: str = "api", namespace: str = "shop") -> bool:
    return world.api.condition("Ready", name, FR, namespace)[0] == "True"


def record(zone_name: str, name: str = "api", **spec: Any) -> dict[str, Any]:
    return failover_record(name, uid=f"u-{name}", zones=[{"name": zone_name}], **spec)


def theirs(**spec: Any) -> dict[str, Any]:
    """Return a record of a stranger's, in the stranger's own DNSZone."""
    return changed(record("theirs", "www", **spec), namespace="elsewhere")


def goes_at_once(world: World, kind: Kind, name: str) -> None:
    """Delete an object by force, as who takes its finalizers off does."""
    world.api.objects[kind, "shop", name]["metadata"]["finalizers"] = []
    world.api.delete(kind, name)


async def fails_over(world: World) -> None:
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO)


# -- what waits is handed on -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["gathered", "sent"])
@pytest.mark.parametrize("to", ["an older one that comes", "a younger one that stays"])
async def test_a_deletion_that_waits_is_made_by_the_dnszone_that_is_written_next(
    boot: Boot, clouds: Clouds, what: str, to: str
) -> None:
    both = to == "a younger one that stays"
    first, other = (zone("older", OLD), zone("younger", NEW)) if both else (zone("younger", NEW), zone("older", OLD))
    used = "younger"
    world = boot(first, *([other] if both else []), record(used, deletionPolicy="Delete"))
    await world.until(lambda: ready(world))
    if both:
        await world.until(lambda: standing(world, "younger") == "DuplicateZone")
    if what == "sent":
        for provider in clouds.providers:
            provider.trouble(Fault.UNAVAILABLE, times=100_000)
    world.api.delete(FR, "api")
    await asyncio.sleep(0.5 if what == "gathered" else 10)
    assert world.answers() == ONE
    clouds.zone().guarded.discard(API)
    if both:
        world.api.objects[DZ, "shop", "older"]["metadata"]["finalizers"] = []
        world.api.delete(DZ, "older")
    else:
        world.api.apply(other)
    await world.until(lambda: not world.answers(zone="main"))
    await world.until(lambda: (FR, "shop", "api") not in world.api.objects)


async def test_a_deletion_that_waits_outlives_a_secret_that_is_deleted_and_made_anew(
    boot: Boot, clouds: Clouds
) -> None:
    world = boot(zone("older", OLD, **SECRET), record("older", deletionPolicy="Delete"))
    await world.until(lambda: ready(world))
    for provider in clouds.providers:
        provider.trouble(Fault.UNAVAILABLE, times=100_000)
    world.api.delete(FR, "api")
    await asyncio.sleep(10)
    world.secret_error = GONE
    await world.until(lambda: standing(world, "older") == "SecretMissing")
    await asyncio.sleep(60)
    clouds.zone().guarded.discard(API)
    world.secret_error = None
    await world.until(lambda: not world.answers(zone="main"))
    await world.until(lambda: (FR, "shop", "api") not in world.api.objects)


# -- who cannot write --------------------------------------------------------------------------------------------------


async def test_a_duplicate_stops_to_write_though_its_secret_cannot_be_read_just_then(
    boot: Boot, clouds: Clouds
) -> None:
    world = boot(zone("younger", NEW, **SECRET), record("younger"))
    await world.until(lambda: ready(world))
    world.secret_error = ClusterError("nobody there", 500)
    world.api.apply(zone("older", OLD))
    await world.until(lambda: writes(world, "older") and not writes(world, "younger"))
    await world.until(lambda: standing(world, "younger") == "DuplicateZone")
    await fails_over(world)


async def test_an_older_dnszone_whose_secret_is_gone_stands_in_nobodys_way(boot: Boot, clouds: Clouds) -> None:
    world = boot(zone("older", OLD, **SECRET), zone("younger", NEW), record("younger"))
    await world.until(lambda: ready(world) and writes(world, "older"))
    world.secret_error = GONE
    await world.until(lambda: writes(world, "younger"))
    await fails_over(world)
    await asyncio.sleep(60)
    version = world.api.objects[FR, "shop", "api"]["metadata"]["resourceVersion"]
    await asyncio.sleep(300)
    assert world.api.objects[FR, "shop", "api"]["metadata"]["resourceVersion"] == version, "and it goes on so"
    assert standing(world, "older") == "SecretMissing"
    world.secret_error = None
    await world.until(lambda: writes(world, "older") and not writes(world, "younger"))
    world.down = {"192.0.2.2"}
    await world.until(lambda: world.answers() == ONE, within=400)


async def test_records_of_a_duplicate_follow_failures_while_its_secret_cannot_be_read(
    boot: Boot, clouds: Clouds
) -> None:
    world = boot(zone("older", OLD), zone("younger", NEW, **SECRET), record("younger"))
    await world.until(lambda: ready(world))
    world.secret_error = ClusterError("nobody there", 0)
    await asyncio.sleep(120)
    await fails_over(world)
    assert standing(world, "younger") == "DuplicateZone"


# -- strangers ---------------------------------------------------------------------------------------------------------


async def strangers(boot: Boot, clouds: Clouds, *identities: str) -> list[World]:
    """Return replicas in whose world a stranger's older DNSZone comes when another one is at work.

    Nothing is published in either.
    """
    clouds.refusing.add("theirs")
    ours = (zone("younger", NEW), record("younger", suspend=True))
    world = boot(zone("theirs", OLD, namespace="elsewhere"), *ours, theirs(), identity=identities[0])
    worlds = [world, *(boot(identity=each) for each in identities[1:])]
    await world.until(lambda: writes(world, "younger"))
    clouds.refusing.discard("theirs")
    await world.until(lambda: standing(world, "theirs", "elsewhere") == "DuplicateZone", within=120)
    return worlds


async def test_a_strangers_older_dnszone_does_not_displace_one_at_work(boot: Boot, clouds: Clouds) -> None:
    (world,) = await strangers(boot, clouds, "a")
    await asyncio.sleep(120)
    assert writes(world, "younger")
    assert not writes(world, "theirs")
    assert not world.answers("www.example.org")


async def test_nor_does_it_after_a_restart(boot: Boot, clouds: Clouds) -> None:
    (world,) = await strangers(boot, clouds, "a_1")
    await asyncio.sleep(60)
    await world.kill()
    again = boot(identity="a_2")
    await again.until(lambda: writes(again, "younger"))
    await asyncio.sleep(120)
    assert writes(again, "younger")
    assert not world.answers("www.example.org")


async def test_nor_does_it_under_another_leader(boot: Boot, clouds: Clouds) -> None:
    leader, standby = await strangers(boot, clouds, "a", "b")
    await asyncio.sleep(60)
    await leader.kill()
    await standby.until(lambda: standby.leads and writes(standby, "younger"))
    await asyncio.sleep(120)
    assert writes(standby, "younger")
    assert not standby.answers("www.example.org")


@pytest.mark.parametrize("meanwhile", ["nothing", "the stranger publishes", "a restart afterwards"])
async def test_a_dnszone_that_is_made_anew_comes_before_a_stranger_that_is_older_now(
    boot: Boot, clouds: Clouds, meanwhile: str
) -> None:
    other = theirs() if meanwhile != "nothing" else theirs(suspend=True)
    world = boot(zone("younger", OLD), zone("theirs", NEW, namespace="elsewhere"), record("younger"), other)
    await world.until(lambda: ready(world))
    await world.until(lambda: standing(world, "theirs", "elsewhere") == "DuplicateZone")
    await asyncio.sleep(60)
    goes_at_once(world, DZ, "younger")
    await world.until(lambda: writes(world, "theirs"))
    await asyncio.sleep(60)
    world.api.apply(zone("younger", "2026-11-25T20:00:00Z"))
    await world.until(lambda: writes(world, "younger") and not writes(world, "theirs"))
    if meanwhile == "a restart afterwards":
        await asyncio.sleep(30)
        await world.kill()
        world = boot()
        await world.until(lambda: ready(world))
    await fails_over(world)
    assert standing(world, "theirs", "elsewhere") == "DuplicateZone"


async def test_a_dnszone_that_was_gone_for_long_comes_after_who_took_its_place(boot: Boot, clouds: Clouds) -> None:
    world = boot(zone("younger", OLD), zone("theirs", NEW, namespace="elsewhere"), record("younger"), theirs())
    await world.until(lambda: ready(world))
    await asyncio.sleep(60)
    goes_at_once(world, DZ, "younger")
    await world.until(lambda: writes(world, "theirs"))
    await asyncio.sleep(3700)
    world.api.apply(zone("younger", "2026-11-25T20:00:00Z"))
    await world.until(lambda: standing(world, "younger") == "DuplicateZone")
    await asyncio.sleep(60)
    assert writes(world, "theirs")


async def test_a_duplicate_that_comes_to_stand_for_another_hosted_zone_leaves_the_first_ones_alone(
    boot: Boot, clouds: Clouds
) -> None:
    world = boot(zone("older", OLD), zone("younger", NEW), record("younger"))
    await world.until(lambda: ready(world) and standing(world, "younger") == "DuplicateZone")
    clouds.zones["younger"] = MemoryZone()
    world.api.apply(changed(zone("younger", NEW), generation=2) | {"spec": dns_zone(route53={"zoneID": "Z9"})["spec"]})
    await world.until(lambda: clouds.zone("younger").answers(API) == ONE)
    clouds.zone("main").put(RRset(API, RRType.A, 300, ("203.0.113.9",)))
    world.down = ONE
    await world.until(lambda: clouds.zone("younger").answers(API) == TWO)
    assert await holds(lambda: clouds.zone("main").answers(API) == {"203.0.113.9"}, 600)


@pytest.mark.parametrize("what", ["gathered", "sent"])
async def test_a_deletion_goes_on_in_the_other_dnszone_when_the_first_loses_its_secret(
    boot: Boot, clouds: Clouds, what: str
) -> None:
    first = zone("older", OLD, **SECRET)
    world = boot(first, zone("younger", NEW), record("younger", deletionPolicy="Delete"))
    await world.until(lambda: ready(world) and writes(world, "older"))
    await world.until(lambda: standing(world, "younger") == "DuplicateZone")
    for provider in clouds.providers:
        provider.trouble(Fault.UNAVAILABLE, times=100_000)
    if what == "gathered":
        world.secret_error = GONE
        await asyncio.sleep(29)
    clouds.zone().guarded.discard(API)
    world.api.delete(FR, "api")
    await asyncio.sleep(10)
    world.secret_error = GONE
    await world.until(lambda: not world.answers(), within=900)
    await world.until(lambda: (FR, "shop", "api") not in world.api.objects)


async def test_a_record_whose_first_dnszone_goes_waits_for_the_other_one_to_remove_its_name(
    boot: Boot, clouds: Clouds
) -> None:
    world = boot(zone("older", OLD), zone("younger", NEW), record("older", deletionPolicy="Delete"))
    await world.until(lambda: ready(world))
    await world.until(lambda: standing(world, "younger") == "DuplicateZone")
    for provider in clouds.providers:
        provider.trouble(Fault.UNAVAILABLE, times=100_000)
    world.api.delete(FR, "api")
    await asyncio.sleep(10)
    clouds.zone().guarded.discard(API)
    goes_at_once(world, DZ, "older")
    await world.until(lambda: (FR, "shop", "api") not in world.api.objects)
    assert not world.answers()
    assert not [text for reason, text in world.api.events if reason == "LeftBehind"]


async def test_a_name_stays_where_the_dnszone_that_is_left_does_not_permit_its_record(
    boot: Boot, clouds: Clouds
) -> None:
    closed = zone("younger", NEW, namespace="elsewhere")
    world = boot(zone("older", OLD), closed, record("older", deletionPolicy="Delete"))
    await world.until(lambda: ready(world))
    await world.until(lambda: standing(world, "younger", "elsewhere") == "DuplicateZone")
    for provider in clouds.providers:
        provider.trouble(Fault.UNAVAILABLE, times=100_000)
    world.api.delete(FR, "api")
    await asyncio.sleep(10)
    goes_at_once(world, DZ, "older")
    await world.until(lambda: (FR, "shop", "api") not in world.api.objects)
    assert await holds(lambda: world.answers() == ONE, 120)
    (told,) = [text for reason, text in world.api.events if reason == "LeftBehind"]
    assert "stays as it is in shop/older" in told


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_a_dnszone_that_was_away_for_long_displaces_nobody_after_a_restart_either(
    boot: Boot, clouds: Clouds, is_restarted: bool
) -> None:
    stranger = zone("theirs", NEW, namespace="elsewhere")
    world = boot(zone("younger", OLD, **SECRET), stranger, record("younger"), theirs())
    await world.until(lambda: ready(world))
    await asyncio.sleep(60)
    if is_restarted:
        await world.kill()
        world = boot()
        await world.until(lambda: writes(world, "younger"))
        await asyncio.sleep(60)
    world.secret_error = GONE
    await world.until(lambda: writes(world, "theirs"), within=200)
    await asyncio.sleep(3700)
    world.secret_error = None
    assert await holds(lambda: writes(world, "theirs") and not writes(world, "younger"), 120)


async def test_a_record_that_names_both_dnszones_of_a_hosted_zone_wants_one_thing_there(
    boot: Boot, clouds: Clouds
) -> None:
    """Two wishes that differ in what each DNSZone's status tells would undo each other for ever."""
    both = failover_record(zones=[{"name": "older"}, {"name": "younger"}])
    world = boot(zone("older", OLD), both)
    await world.until(lambda: world.answers() == ONE)
    await world.kill()
    clouds.zone().put(Ledger("elsewhere", "feed", Generation(50, 0)).rrset("production", "example.org"))
    world = boot(zone("younger", NEW))
    await world.until(lambda: standing(world, "younger") == "DuplicateZone")
    (keeper,) = set(world.engine.zones.serving.values())
    wishes: list[Wish] = []
    want = keeper.want

    def count(wish: Wish) -> None:
        wishes.append(wish)
        want(wish)

    keeper.want = count  # type: ignore[method-assign]  # counts the wishes, and hands them in
    await asyncio.sleep(60)
    assert len(wishes) < 100


async def test_a_record_in_both_dnszones_ends_when_one_goes_that_alone_permits_it(boot: Boot, clouds: Clouds) -> None:
    first = zone("older", OLD, allowedNamespaces={"from": "All"})
    zones = [{"name": name, "namespace": "shop"} for name in ("older", "younger")]
    raw = changed(failover_record(zones=zones, deletionPolicy="Delete"), namespace="team")
    world = boot(first, zone("younger", NEW), raw)
    await world.until(lambda: world.answers() == ONE)
    await world.until(lambda: standing(world, "younger") == "DuplicateZone")
    for provider in clouds.providers:
        provider.trouble(Fault.UNAVAILABLE, times=100_000)
    clouds.zone().guarded.discard(API)
    world.api.delete(FR, "api", "team")
    await asyncio.sleep(10)
    goes_at_once(world, DZ, "older")
    await world.until(lambda: (FR, "team", "api") not in world.api.objects, within=600)


async def test_a_dnszone_that_worked_alone_comes_before_a_stranger_that_came_while_its_secret_was_gone(
    boot: Boot, clouds: Clouds
) -> None:
    world = boot(zone("younger", OLD, **SECRET), record("younger"))
    await world.until(lambda: ready(world))
    await asyncio.sleep(300)
    world.secret_error = GONE
    await world.until(lambda: standing(world, "younger") == "SecretMissing", within=120)
    world.api.apply(zone("theirs", NEW, namespace="elsewhere"))
    world.api.apply(theirs(suspend=True))
    await world.until(lambda: writes(world, "theirs"))
    await asyncio.sleep(60)
    world.secret_error = None
    await world.until(lambda: writes(world, "younger") and not writes(world, "theirs"), within=120)


async def test_a_record_whose_dnszone_goes_waits_for_the_first_one_that_is_written_for_it(
    boot: Boot, clouds: Clouds
) -> None:
    world = boot(zone("older", OLD), zone("younger", NEW), record("younger", deletionPolicy="Delete"))
    await world.until(lambda: ready(world) and standing(world, "younger") == "DuplicateZone")
    for provider in clouds.providers:
        provider.trouble(Fault.UNAVAILABLE, times=3)
    clouds.zone().guarded.discard(API)
    world.api.delete(FR, "api")
    await asyncio.sleep(2.5)
    goes_at_once(world, DZ, "younger")
    await world.until(lambda: (FR, "shop", "api") not in world.api.objects)
    assert not world.answers()
    assert not [text for reason, text in world.api.events if reason == "LeftBehind"]


async def test_nothing_is_remembered_of_a_record_whose_finalizer_was_taken_off(boot: Boot, clouds: Clouds) -> None:
    world = boot(zone("older", OLD), record("older", deletionPolicy="Delete"))
    await world.until(lambda: ready(world))
    for provider in clouds.providers:
        provider.trouble(Fault.UNAVAILABLE, times=100_000)
    clouds.zone().guarded.discard(API)
    world.api.delete(FR, "api")
    await asyncio.sleep(10)
    goes_at_once(world, FR, "api")
    await asyncio.sleep(5)
    assert not world.engine._removals._leaving
