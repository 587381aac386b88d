"""History and rollback: what counts as a revision, and a record pinned to one of them."""

import asyncio
from collections.abc import Callable
from typing import Any

from detour.model.objects import Kind

from .objects import changed, dns_zone, failover_record, override
from .world import World

Boot = Callable[..., World]
FR, DZ = Kind.FAILOVER_RECORD, Kind.DNS_ZONE
ONE, TWO = "192.0.2.1", "192.0.2.2"
QUICK: dict[str, Any] = {"failback": {"holdDown": "1s"}}
CALM: dict[str, Any] = {"safety": {"panicThreshold": 100, "maxRegionsEvacuated": 100}}


def pin(world: World, to: int, **spec: Any) -> None:
    """Declare the record so, and pin it."""
    world.api.apply(failover_record(**{**QUICK, **spec}))
    world.api.apply(override("pin", action="Pin", revision=to))


def history(world: World) -> list[tuple[int, list[str]]]:
    return [(each["revision"], each["values"]) for each in world.api.status().get("history", ())]


def ready(world: World) -> bool:
    return world.api.condition("Ready")[0] == "True"


async def settled(world: World, *values: str) -> None:
    await world.until(lambda: world.answers() == set(values) and ready(world), within=120)


async def failed_over(boot: Boot, *others: dict[str, Any]) -> World:
    """Return a world whose record has published ONE (revision 1) and then TWO (revision 2), and whose ONE is well."""
    world = boot(dns_zone(**CALM), failover_record(failback={"mode": "Manual"}), *others)
    await settled(world, ONE)
    world.down = {ONE}
    await settled(world, TWO)
    world.down = set()
    await asyncio.sleep(30)
    assert history(world) == [(2, [TWO]), (1, [ONE])]
    return world


async def test_each_set_that_was_published_is_one_revision_with_its_reason(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), failover_record(**QUICK))
    for number in range(1, 14):
        world.down = {TWO} if number % 2 else {ONE}
        await settled(world, ONE if number % 2 else TWO)
        await world.until(lambda number=number: history(world)[0][0] == number)
    assert [number for number, _ in history(world)] == list(range(13, 3, -1))
    assert all(each["reason"] and each["at"] for each in world.api.status()["history"])
    assert world.api.status()["plan"]["revision"] == 13


async def test_a_pin_publishes_that_earlier_set_and_is_shown(boot: Boot) -> None:
    world = await failed_over(boot)
    pin(world, 1, failback={"mode": "Manual"})
    await settled(world, ONE)
    await world.until(lambda: world.api.condition("Pinned") == ("True", "PinnedByUser"))
    assert world.api.status()["summary"]["pinned"] == "1"
    assert history(world)[0] == (3, [ONE])


async def test_a_pin_holds_against_health_until_it_is_removed(boot: Boot) -> None:
    world = await failed_over(boot)
    pin(world, 2)
    await asyncio.sleep(30)
    world.down = {TWO}
    await asyncio.sleep(120)
    assert world.answers() == {TWO}
    world.api.delete(Kind.OVERRIDE, "pin")
    assert await world.until(lambda: world.answers() == {ONE}) < 5
    await world.until(lambda: world.api.condition("Pinned") == ("False", "NotPinned"))
    assert "pinned" not in world.api.status()["summary"]


async def test_a_pin_to_an_unknown_revision_changes_nothing_and_says_which_there_are(boot: Boot) -> None:
    world = await failed_over(boot)
    pin(world, 99, failback={"mode": "Manual"})
    await world.until(lambda: world.api.condition("Pinned") == ("False", "PinInvalid"))
    told = next(each["message"] for each in world.api.status()["conditions"] if each["type"] == "Pinned")
    assert "2, 1" in told
    await asyncio.sleep(60)
    assert world.answers() == {TWO}


async def test_a_pin_to_what_is_not_declared_any_more_changes_nothing(boot: Boot) -> None:
    world = await failed_over(boot)
    only = [{"name": "two", "region": "azure-westeurope", "addresses": [TWO], "priority": 2}]
    pin(world, 1, endpoints=only)
    await world.until(lambda: world.api.condition("Pinned") == ("False", "PinInvalid"))
    assert world.answers() == {TWO}


async def test_a_pin_to_what_is_partly_declared_publishes_that_part(boot: Boot) -> None:
    both = [
        {"name": "one", "region": "aws-us-east-1", "addresses": [ONE, "192.0.2.11"], "priority": 1},
        {"name": "two", "region": "azure-westeurope", "addresses": [TWO], "priority": 2},
    ]
    world = boot(dns_zone(**CALM), failover_record(endpoints=both, failback={"mode": "Manual"}))
    await settled(world, ONE, "192.0.2.11")
    whole = next(number for number, values in history(world) if values == [ONE, "192.0.2.11"])
    world.down = {ONE, "192.0.2.11"}
    await settled(world, TWO)
    pin(world, whole, failback={"mode": "Manual"})
    await settled(world, ONE)


async def test_an_endpoint_that_goes_while_it_is_pinned_never_leaves_the_name_empty(boot: Boot) -> None:
    world = await failed_over(boot)
    pin(world, 1)
    await settled(world, ONE)
    only = [{"name": "two", "region": "azure-westeurope", "addresses": [TWO], "priority": 2}]
    pin(world, 1, endpoints=only)
    await settled(world, TWO)


async def test_a_pin_outlives_a_restart(boot: Boot) -> None:
    world = await failed_over(boot)
    pin(world, 1)
    await settled(world, ONE)
    world.down = {ONE}
    await asyncio.sleep(30)
    await world.kill()
    again = boot()
    again.down = {ONE}
    for _ in range(60):
        await asyncio.sleep(1)
        assert again.answers() == {ONE}
    assert again.api.condition("Pinned") == ("True", "PinnedByUser")


async def test_a_pin_to_the_oldest_revision_outlives_a_restart(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), failover_record(**QUICK))
    for number in range(1, 11):
        world.down = {TWO} if number % 2 else {ONE}
        await settled(world, ONE if number % 2 else TWO)
    await world.until(lambda: len(history(world)) == 10)
    world.down = set()
    pin(world, 1, failback={"mode": "Manual"})
    await settled(world, ONE)
    world.down = {ONE}
    await asyncio.sleep(30)
    await world.kill()
    again = boot()
    again.down = {ONE}
    await asyncio.sleep(60)
    assert again.answers() == {ONE}


async def test_a_pin_in_a_freeze_waits_and_is_approved_like_any_change(boot: Boot) -> None:
    world = await failed_over(boot)
    freeze = dns_zone(safety={"frozen": True})
    world.api.apply(freeze)
    await asyncio.sleep(1)
    pin(world, 1)
    await world.until(lambda: world.api.status("main", DZ).get("held"))
    assert world.answers() == {TWO}
    digest = world.api.status("main", DZ)["held"]["digest"]
    world.api.apply(changed(freeze, annotations={"detour.dev/approve": digest}))
    await settled(world, ONE)


async def test_a_pin_is_a_persons_word_also_while_the_vantage_is_doubted(boot: Boot) -> None:
    world = boot(dns_zone(safety={"panicThreshold": 10}), failover_record(failback={"mode": "Manual"}))
    await settled(world, ONE)
    world.down = {ONE}
    await settled(world, TWO)
    world.down = set()
    await asyncio.sleep(700)
    world.is_deaf = True
    world.down = {TWO}
    await world.until(lambda: world.api.condition("Held", "main", DZ) == ("True", "VantageSuspected"))
    world.down = set()
    pin(world, 1, failback={"mode": "Manual"})
    await world.until(lambda: world.answers() == {ONE})


async def test_a_pin_on_a_suspended_record_writes_nothing(boot: Boot) -> None:
    world = await failed_over(boot)
    pin(world, 1, suspend=True)
    await world.until(lambda: world.api.condition("Published") == ("False", "WouldPublish"))
    await asyncio.sleep(60)
    assert world.answers() == {TWO}
    assert [number for number, _ in history(world)] == [2, 1]


async def test_what_is_published_when_a_suspension_ends_is_a_revision(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), failover_record(**QUICK))
    await settled(world, ONE)
    world.api.apply(failover_record(suspend=True, **QUICK))
    world.down = {ONE}
    await world.until(lambda: world.api.condition("Published") == ("False", "WouldPublish"))
    world.api.apply(failover_record(**QUICK))
    await settled(world, TWO)
    await asyncio.sleep(5)
    assert history(world)[0] == (2, [TWO])
    assert [text for reason, text in world.api.events if reason == "Rerouted"]


async def test_a_revision_is_a_set_that_was_decided(boot: Boot) -> None:
    second = dns_zone("second", uid="z-2", route53={"zoneID": "Z0123456789"}, safety={"frozen": True})
    thawed = dns_zone("second", uid="z-2", route53={"zoneID": "Z0123456789"})
    world = boot(dns_zone(**CALM), thawed, failover_record(zones=[{"name": "main"}, {"name": "second"}], **QUICK))
    await settled(world, ONE)
    world.api.apply(second)
    await asyncio.sleep(2)
    world.down = {ONE}
    await world.until(lambda: world.answers() == {TWO})
    await asyncio.sleep(10)
    assert world.answers(zone="second") == {ONE}
    assert [values for _, values in history(world)] == [[TWO], [ONE]]
