"""A record whose zones do not stand alike: one is frozen, away, another's, or its name there is not ours yet."""

import asyncio
from collections.abc import Callable

from detour.model.objects import Kind, RawObject
from detour.model.rrset import address_sets

from .gating import annotate, message, ready
from .objects import changed, cloud_region, dns_zone, failover_record
from .world import Clouds, World

Boot = Callable[..., World]
BOTH = [{"name": "main"}, {"name": "second"}]
CALM = {"panicThreshold": 100}
HOSTNAME, ONE, TWO = "api.example.org", "192.0.2.1", "192.0.2.2"


def second(**safety: object) -> RawObject:
    return dns_zone("second", uid="z-2", safety={**CALM, **safety})


async def on_the_backup_by_hand(boot: Boot) -> tuple[World, RawObject]:
    """Boot a record in two zones that has moved to its backup; its primary has recovered, and waits for a person."""
    raw = failover_record(zones=BOTH, failback={"mode": "Manual"})
    world = boot(dns_zone(safety=CALM), second(), raw)
    await world.until(lambda: ready(world))
    world.down.add(ONE)
    await world.until(lambda: answers(world) == ({TWO}, {TWO}))
    world.down.clear()
    await asyncio.sleep(40)
    assert answers(world) == ({TWO}, {TWO})
    return world, raw


def answers(world: World) -> tuple[set[str], set[str]]:
    return world.answers(), world.answers(zone="second")


def history(world: World) -> list[list[str]]:
    return [each["values"] for each in world.api.status("api", Kind.FAILOVER_RECORD)["history"]]


async def test_a_zone_that_is_frozen_when_a_person_sends_a_record_back_follows_once_it_is_let(boot: Boot) -> None:
    world, raw = await on_the_backup_by_hand(boot)
    world.api.apply(changed(second(frozen=True), generation=2))
    await asyncio.sleep(2)
    annotate(world, raw, failback="5")
    await world.until(lambda: answers(world) == ({ONE}, {TWO}))
    await world.until(lambda: f"{TWO} -> {ONE}" in message(world, "Held", "second"))
    world.api.apply(changed(second(), generation=3))
    await world.until(lambda: answers(world) == ({ONE}, {ONE}))


async def test_a_zone_that_was_away_when_a_person_sent_a_record_back_follows_also_after_a_restart(
    boot: Boot, clouds: Clouds
) -> None:
    world, raw = await on_the_backup_by_hand(boot)
    await world.kill()
    clouds.refusing.add("second")
    world = boot()
    await asyncio.sleep(40)
    annotate(world, raw, failback="5")
    await world.until(lambda: answers(world) == ({ONE}, {TWO}))
    await asyncio.sleep(5)
    await world.kill()
    world = boot()
    await asyncio.sleep(40)
    clouds.refusing.clear()
    await world.until(lambda: answers(world) == ({ONE}, {ONE}))


async def test_who_fails_again_after_a_person_sent_the_record_back_waits_again(boot: Boot) -> None:
    world, raw = await on_the_backup_by_hand(boot)
    annotate(world, raw, failback="5")
    await world.until(lambda: answers(world) == ({ONE}, {ONE}))
    world.down.add(ONE)
    await world.until(lambda: answers(world) == ({TWO}, {TWO}))
    world.down.clear()
    await asyncio.sleep(900)
    assert answers(world) == ({TWO}, {TWO})


async def test_each_set_that_a_zone_was_given_is_a_revision_and_no_other(boot: Boot) -> None:
    world, raw = await on_the_backup_by_hand(boot)
    world.api.apply(changed(second(frozen=True), generation=2))
    await asyncio.sleep(2)
    annotate(world, raw, failback="5")
    await world.until(lambda: answers(world) == ({ONE}, {TWO}))
    world.api.apply(changed(second(), generation=3))
    await world.until(lambda: answers(world) == ({ONE}, {ONE}))
    await asyncio.sleep(5)
    assert history(world) == [[ONE], [TWO], [ONE]]
    await world.kill()
    world = boot()
    await world.until(lambda: ready(world))
    await asyncio.sleep(40)
    assert history(world) == [[ONE], [TWO], [ONE]], "a restart is no news"


async def test_a_drain_does_not_wait_for_a_zone_where_the_name_is_not_ours_yet(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(safety=CALM), second(), failover_record())
    await world.until(lambda: ready(world))
    await asyncio.sleep(30)
    await world.kill()
    clouds.zone("second").put(*address_sets(HOSTNAME, 30, (ONE,)))
    for (kind, *_), each in world.api.objects.items():
        if kind is Kind.FAILOVER_RECORD:
            each.pop("status", None)
    world = boot(changed(failover_record(zones=BOTH, adopt=True), generation=2))
    world.lost.add(ONE)  # it is not known how this place is
    await asyncio.sleep(103.3)
    assert answers(world) == ({ONE}, {ONE})
    drained_at = asyncio.get_running_loop().time()
    world.api.apply(cloud_region("aws-us-east-1", state="Drained"))
    await world.until(lambda: world.answers() == {TWO})
    assert asyncio.get_running_loop().time() - drained_at < 15
