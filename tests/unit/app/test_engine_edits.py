"""An edit that brings only places which nobody has seen to work does not take away what does."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from detour.model.objects import Kind
from detour.twin.virtualtime import holds

from .gating import EAST, WEST, annotate, digest, held, message
from .objects import dns_zone, failover_record
from .world import World

Boot = Callable[..., World]
FR = Kind.FAILOVER_RECORD
ONE, TWO, NEW = {"192.0.2.1"}, {"192.0.2.2"}, {"192.0.2.91"}


def at(*addresses: str, **spec: Any) -> dict[str, Any]:
    """Return the record with these addresses, a tier each."""
    endpoints = [
        {"name": f"e{tier}", "region": region, "addresses": [address], "priority": tier}
        for tier, (address, region) in enumerate(zip(addresses, (EAST, WEST), strict=False), start=1)
    ]
    return failover_record(endpoints=endpoints, **spec)


async def published(boot: Boot, raw: dict[str, Any]) -> World:
    world = boot(dns_zone(), raw)
    await world.until(lambda: world.api.condition("Ready")[0] == "True")
    await asyncio.sleep(30)
    return world


@pytest.mark.parametrize("number", [1, 2])
async def test_a_mistyped_address_does_not_take_down_what_works_for_a_minute(boot: Boot, number: int) -> None:
    world = (
        await published(boot, at("192.0.2.1", "192.0.2.2")) if number == 2 else await published(boot, at("192.0.2.1"))
    )
    world.down = {"192.0.2.91", "192.0.2.92"}
    world.api.apply(at(*("192.0.2.91", "192.0.2.92")[:number]))
    assert await holds(lambda: world.answers() == ONE, 60)
    assert held(world) == ("True", "NeverPassed")
    assert world.api.condition("Published") == ("False", "Held")
    assert "no check has passed yet" in message(world, "Held")
    await world.until(lambda: world.answers() <= NEW, within=5)


async def test_new_addresses_that_pass_their_checks_are_published_with_the_first_verdict(boot: Boot) -> None:
    world = await published(boot, at("192.0.2.1"))
    world.api.apply(at("192.0.2.91"))
    assert await world.until(lambda: world.answers() == NEW) < 5
    await world.until(lambda: held(world) == ("False", "NothingHeld"))


async def test_a_person_who_knows_better_need_not_wait(boot: Boot) -> None:
    world = await published(boot, at("192.0.2.1"))
    world.down = set(NEW)
    world.api.apply(at("192.0.2.91"))
    await world.until(lambda: held(world) == ("True", "NeverPassed"))
    await asyncio.sleep(10)
    annotate(world, dns_zone(), approve=digest(world))
    await world.until(lambda: world.answers() == NEW, within=5)


async def test_what_is_replaced_is_given_up_when_it_fails(boot: Boot) -> None:
    world = await published(boot, at("192.0.2.1"))
    world.down = set(NEW)
    world.api.apply(at("192.0.2.91"))
    await asyncio.sleep(10)
    assert world.answers() == ONE
    world.down = ONE | NEW
    await world.until(lambda: world.answers() == NEW, within=20)


async def test_a_second_edit_that_corrects_the_first_is_published_at_once(boot: Boot) -> None:
    world = await published(boot, at("192.0.2.1"))
    world.down = set(NEW)
    world.api.apply(at("192.0.2.91"))
    await asyncio.sleep(10)
    world.api.apply(at("192.0.2.2"))
    assert await world.until(lambda: world.answers() == TWO) < 5
    world.api.apply(at("192.0.2.91"))
    await asyncio.sleep(10)
    world.api.apply(at("192.0.2.2"))
    await asyncio.sleep(90)
    assert world.answers() == TWO


async def test_what_was_replaced_is_checked_no_longer_than_the_new_have_time(boot: Boot) -> None:
    world = await published(boot, at("192.0.2.1"))
    world.api.apply(at("192.0.2.91"))
    await asyncio.sleep(30)
    assert {each.address for each in world.targets._targets} == ONE | NEW
    await asyncio.sleep(40)
    assert {each.address for each in world.targets._targets} == NEW


async def test_a_new_hostname_that_does_not_resolve_does_not_take_down_what_works(boot: Boot) -> None:
    by_name = [{"name": "e1", "region": EAST, "hostname": "lb.example.net"}]
    moved = [{"name": "e1", "region": EAST, "hostname": "typo.example.net"}]
    world = boot(dns_zone(), failover_record(endpoints=by_name))
    world.names |= {"lb.example.net": ("192.0.2.1",), "typo.example.net": ()}
    await world.until(lambda: world.api.condition("Ready")[0] == "True")
    world.api.apply(failover_record(endpoints=moved))
    await asyncio.sleep(120)
    assert world.answers() == ONE


async def test_a_target_that_leads_nowhere_yet_does_not_replace_one_that_works(boot: Boot) -> None:
    def to(name: str) -> dict[str, Any]:
        return failover_record(publish="CNAME", endpoints=[{"name": "e1", "region": EAST, "hostname": name}])

    world = boot(dns_zone(), to("lb.example.net"))
    world.names |= {"lb.example.net": ("192.0.2.1",), "new.example.net": ("192.0.2.91",)}
    await world.until(lambda: world.answers() == {"lb.example.net"})
    await asyncio.sleep(30)
    world.down = set(NEW)
    world.api.apply(to("new.example.net"))
    await asyncio.sleep(59)
    assert world.answers() == {"lb.example.net"}
    world.down = set()
    await world.until(lambda: world.answers() == {"new.example.net"}, within=15)


async def test_whatever_else_is_edited_meanwhile_does_not_end_the_trial(boot: Boot) -> None:
    world = await published(boot, at("192.0.2.1"))
    world.down = set(NEW)
    world.api.apply(at("192.0.2.91"))
    await asyncio.sleep(5)
    world.api.apply(at("192.0.2.91", ttl=60))
    annotate(world, at("192.0.2.91", ttl=60), note="being looked into")
    await asyncio.sleep(50)
    assert world.answers() == ONE
    await world.until(lambda: world.answers() == NEW, within=15)


async def test_an_edit_that_is_taken_back_leaves_no_trace(boot: Boot) -> None:
    world = await published(boot, at("192.0.2.1"))
    world.down = set(NEW)
    world.api.apply(at("192.0.2.91"))
    await asyncio.sleep(5)
    world.api.apply(at("192.0.2.1"))
    await asyncio.sleep(300)
    assert world.answers() == ONE
    assert held(world) == ("False", "NothingHeld")
    assert {each.address for each in world.targets._targets} == ONE


async def test_an_edit_that_leaves_some_of_what_was_there_is_followed_as_health_asks(boot: Boot) -> None:
    world = await published(boot, at("192.0.2.1", "192.0.2.2"))
    world.down = set(NEW)
    world.api.apply(at("192.0.2.91", "192.0.2.2"))
    await world.until(lambda: world.answers() == TWO, within=5)
    await asyncio.sleep(120)
    assert world.answers() == TWO


@pytest.mark.parametrize("edited", ["before the restart", "while nobody ran"])
async def test_a_mistyped_address_does_not_take_down_what_works_because_of_a_restart(boot: Boot, edited: str) -> None:
    world = await published(boot, at("192.0.2.1"))
    world.down = set(NEW)
    if edited == "before the restart":
        world.api.apply(at("192.0.2.91"))
        await asyncio.sleep(20)
        await world.kill()
    else:
        await world.kill()
        world.api.apply(at("192.0.2.91"))
    await asyncio.sleep(10)
    again = boot()
    again.down = set(NEW)
    for _ in range(600):
        await asyncio.sleep(0.1)
        assert again.answers() == ONE
    assert held(again) == ("True", "NeverPassed")
    await again.until(lambda: again.answers() == NEW, within=20)
    assert {each.address for each in again.targets._targets} == NEW


async def test_new_addresses_that_pass_their_checks_are_published_soon_after_a_restart(boot: Boot) -> None:
    world = await published(boot, at("192.0.2.1"))
    await world.kill()
    world.api.apply(at("192.0.2.91"))
    again = boot()
    assert await again.until(lambda: again.answers() == NEW) < 15


async def test_a_restart_puts_nothing_on_trial_where_some_of_what_is_published_is_declared(boot: Boot) -> None:
    world = await published(boot, at("192.0.2.1", "192.0.2.2", strategy="MultiValue"))
    await world.kill()
    world.api.apply(at("192.0.2.1", "192.0.2.91", strategy="MultiValue"))
    again = boot()
    await asyncio.sleep(1)
    assert {each.address for each in again.targets._targets} == ONE | NEW


async def test_what_was_replaced_before_a_restart_is_given_up_when_it_fails(boot: Boot) -> None:
    world = await published(boot, at("192.0.2.1"))
    await world.kill()
    world.api.apply(at("192.0.2.91"))
    others = [failover_record(f"n{place}", uid=f"u-{place}") for place in range(2)]
    for each in others:
        each["spec"]["endpoints"] = [{"name": "e1", "region": WEST, "addresses": ["192.0.2.7"]}]
    again = boot(dns_zone(safety={"panicThreshold": 100}), *others)  # which shows that this vantage sees
    again.down = ONE | NEW
    await again.until(lambda: again.answers() == NEW, within=20)
