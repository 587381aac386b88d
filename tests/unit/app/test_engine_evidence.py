"""What this prober saw, and when: a blind one moves nothing, an old sight neither; a real failure moves at once."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from detour.model.rrset import RRType
from detour.twin.virtualtime import holds

from .gating import DZ, EAST, NORTH, WEST, record
from .objects import cloud_region, dns_zone, failover_record
from .world import Clouds, World

Boot = Callable[..., World]
ONE, TWO, THREE = {"192.0.2.1"}, {"192.0.2.2"}, {"192.0.2.3"}
ADDRESSES = (RRType.A, RRType.AAAA)


def ready(world: World, name: str = "api") -> bool:
    return world.api.condition("Ready", name)[0] == "True"


def answers_changed(clouds: Clouds) -> int:
    """Count the changes of anybody's answers that were applied."""
    applied = [each for provider in clouds.providers for each in provider.writes if each.applied]
    return sum(change.key.type in ADDRESSES for write in applied for change in write.batch.changes)


async def answers_seen(world: World, seconds: float) -> list[set[str]]:
    """Return what the name answered within the next seconds, each answer once in a row."""
    loop = asyncio.get_running_loop()
    seen, end = [world.answers()], loop.time() + seconds
    while not await holds(lambda: world.answers() == seen[-1], end - loop.time()):
        seen.append(world.answers())
    return seen


async def serving(boot: Boot, *objects: dict[str, Any]) -> World:
    world = boot(dns_zone(), *objects)
    await world.until(lambda: all(ready(world, each["metadata"]["name"]) for each in objects))
    return world


# -- a prober without a way out --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name_servers", ["answer", "are away too"])
@pytest.mark.parametrize("strategy", ["Priority", "MultiValue"])
@pytest.mark.parametrize("lost_after", [0.0, 3.3, 7.1])
async def test_a_prober_that_loses_its_way_out_and_finds_it_again_moves_nothing(
    boot: Boot, clouds: Clouds, name_servers: str, strategy: str, lost_after: float
) -> None:
    world = await serving(boot, failover_record(strategy=strategy))
    await asyncio.sleep(lost_after)
    before = answers_changed(clouds)
    world.down = ONE | TWO
    world.is_blind = name_servers == "are away too"
    await asyncio.sleep(900)
    world.down, world.is_blind = set(), False
    await asyncio.sleep(900)
    assert answers_changed(clouds) == before
    assert world.api.condition("Healthy")[0] == "True"


@pytest.mark.slow
@pytest.mark.parametrize("number", [3, 10, 50])
async def test_nor_does_it_with_many_records_in_two_regions(boot: Boot, clouds: Clouds, number: int) -> None:
    pairs = [((EAST, f"192.0.2.{n + 1}", 1), (WEST, f"198.51.100.{n + 1}", 2)) for n in range(number)]
    world = await serving(boot, *(record(f"r{n}", *pair) for n, pair in enumerate(pairs)))
    before = answers_changed(clouds)
    world.down = {address for pair in pairs for _, address, _ in pair}
    await asyncio.sleep(600)
    world.down = set()
    await asyncio.sleep(600)
    assert answers_changed(clouds) == before


async def test_a_short_loss_of_the_way_out_moves_nothing_either(boot: Boot, clouds: Clouds) -> None:
    world = await serving(boot, failover_record())
    before = answers_changed(clouds)
    for seconds in (2.0, 3.0, 4.5, 8.0, 12.0):
        world.down = ONE | TWO
        await asyncio.sleep(seconds)
        world.down = set()
        await asyncio.sleep(31.7)
    assert answers_changed(clouds) == before


async def test_a_real_failure_during_a_blindness_is_acted_on_when_it_is_over(boot: Boot) -> None:
    world = await serving(boot, failover_record())
    world.down = ONE | TWO
    await asyncio.sleep(120)
    assert world.answers() == ONE
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO, within=20)


async def test_a_real_failure_is_acted_on_with_the_check_that_decides(boot: Boot, clouds: Clouds) -> None:
    """The other place was looked at while the first one was in question: nothing is waited for."""
    world = await serving(boot, failover_record())
    await asyncio.sleep(30)
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO)
    caused = world.targets.cause_at(next(iter(world.engine.record_keys())))
    written = max(each.at for provider in clouds.providers for each in provider.writes)
    assert caused is not None
    assert written - caused < 0.1


async def test_the_next_place_is_found_dead_before_it_is_gained(boot: Boot) -> None:
    world = await serving(boot, record("api", (EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 2), (NORTH, "192.0.2.3", 3)))
    await asyncio.sleep(11)
    world.down = ONE | TWO
    assert await answers_seen(world, 40) == [ONE, THREE]


# -- what was seen long ago ------------------------------------------------------------------------------------------


async def recovered_and_held_down(boot: Boot) -> World:
    """One has failed, Two serves, and One passes its checks again."""
    world = await serving(boot, failover_record())
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO)
    world.down = set()
    await asyncio.sleep(3)
    await world.until(lambda: world.api.condition("Healthy")[0] == "True")
    await asyncio.sleep(5)
    return world


async def test_an_operator_that_was_away_for_an_hour_does_not_go_back_to_a_place_that_died_meanwhile(
    boot: Boot,
) -> None:
    world = await recovered_and_held_down(boot)
    await world.kill()
    await asyncio.sleep(3600)
    again = boot()
    again.down = set(ONE)
    assert await answers_seen(again, 120) == [TWO]


async def test_an_operator_that_was_away_goes_back_where_the_first_place_works(boot: Boot) -> None:
    world = await recovered_and_held_down(boot)
    await world.kill()
    await asyncio.sleep(3600)
    again = boot()
    await again.until(lambda: again.answers() == ONE, within=15)


def suspend(seconds: float) -> None:
    """Let the process stand still: its timers fall due, and nothing was looked at meanwhile."""
    asyncio.get_running_loop().now += seconds  # type: ignore[attr-defined]  # the loop of virtual time


async def test_a_process_that_stood_still_does_not_go_back_to_a_place_that_died_meanwhile(boot: Boot) -> None:
    world = await recovered_and_held_down(boot)
    suspend(600)
    world.down = set(ONE)
    assert await answers_seen(world, 120) == [TWO]


async def test_failures_before_a_standstill_and_after_it_are_not_one_run(boot: Boot) -> None:
    world = await serving(boot, failover_record())
    await asyncio.sleep(30)
    world.down = set(ONE)
    failing = [each for each in world.targets._targets if each.address in ONE]
    await world.until(lambda: world.targets._targets[failing[0]].streak.failures == 2)
    suspend(60)
    await asyncio.sleep(1.5)  # one or two more failures of a network that is just coming back
    world.down = set()
    assert await answers_seen(world, 60) == [ONE]


async def test_a_restart_after_a_day_finds_the_one_place_that_works(boot: Boot) -> None:
    three = record("api", (EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 2), (NORTH, "192.0.2.3", 3))
    world = await serving(boot, three)
    await world.kill()
    await asyncio.sleep(86400)
    again = boot()
    again.down = ONE | TWO
    assert await answers_seen(again, 60) == [ONE, THREE]


# -- a person's drain ------------------------------------------------------------------------------------------------


async def test_a_drain_does_not_lead_to_a_place_that_has_just_died(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record(), cloud_region())
    await world.until(lambda: ready(world))
    await asyncio.sleep(11)
    world.down = set(TWO)
    world.api.apply(cloud_region(state="Drained"))
    assert await answers_seen(world, 60) == [ONE]


async def test_a_drain_takes_no_longer_than_a_look(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record(), cloud_region())
    await world.until(lambda: ready(world))
    await asyncio.sleep(7)
    world.api.apply(cloud_region(state="Drained"))
    assert await world.until(lambda: world.answers() == TWO) < 0.2


# -- a check that never passed ---------------------------------------------------------------------------------------


async def test_a_new_record_whose_check_is_wrong_publishes_its_first_place_alone(boot: Boot) -> None:
    world = boot(dns_zone())
    world.down = ONE | TWO
    world.api.apply(failover_record())
    world.clouds.zone().guarded.add("api.example.org")
    await world.until(lambda: world.answers() != set())
    assert await answers_seen(world, 120) == [ONE]


# -- what is told ----------------------------------------------------------------------------------------------------


async def test_status_tells_when_a_verdict_was_last_confirmed(boot: Boot) -> None:
    world = await serving(boot, failover_record())
    world.down = set(ONE)
    await world.until(lambda: world.api.condition("Healthy")[0] == "False")
    told = {each["name"]: each for each in world.api.status()["endpoints"]}
    assert told["one"]["confirmedAt"] == told["one"]["since"]
    assert told["two"]["confirmedAt"] > told["two"]["since"]


# -- name servers that cannot be asked -------------------------------------------------------------------------------

MOST = {"192.0.2.1", "192.0.2.11"}


def most_in_one_place() -> dict[str, Any]:
    """Return a record of which the first place has two of the three addresses."""
    raw = record("api", (EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 2))
    raw["spec"]["endpoints"][0]["addresses"] = sorted(MOST)
    return raw


async def test_name_servers_that_never_answered_hold_no_failover_and_are_named_before_one(boot: Boot) -> None:
    """A cluster that lets no DNS out: most of what is checked fails, and nobody can be asked whether it is us."""
    world = boot(dns_zone(), most_in_one_place())
    world.is_deaf = True
    await world.until(lambda: world.answers() == MOST)
    await world.until(lambda: world.api.condition("Warning", "main", DZ) == ("True", "NameServersSilent"), within=90)
    world.down = set(MOST)
    await world.until(lambda: world.answers() == TWO, within=20)
    world.is_deaf = False
    await world.until(lambda: world.api.condition("Warning", "main", DZ)[0] == "False", within=90)


async def test_name_servers_that_fell_silent_long_before_hold_no_failover_either(boot: Boot) -> None:
    world = await serving(boot, most_in_one_place())
    world.is_deaf = True
    await asyncio.sleep(900)
    world.down = set(MOST)
    await world.until(lambda: world.answers() == TWO, within=20)


@pytest.mark.slow
async def test_name_servers_that_fall_silent_with_everything_else_hold_what_health_asks_for(boot: Boot) -> None:
    world = await serving(boot, most_in_one_place())
    await asyncio.sleep(60)
    world.is_deaf = True
    world.down = set(MOST)
    assert await answers_seen(world, 900) == [MOST]


# -- hostnames -------------------------------------------------------------------------------------------------------


def by_name(*names: str) -> dict[str, Any]:
    regions = (EAST, WEST, NORTH)
    places = [
        {"name": f"e{tier}", "region": regions[tier - 1], "hostname": name, "priority": tier}
        for tier, name in enumerate(names, start=1)
    ]
    return failover_record(endpoints=places)


async def test_a_resolver_that_knows_no_names_any_more_moves_nothing(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), by_name("one.example.net", "two.example.net"))
    world.names |= {"one.example.net": ("192.0.2.1",), "two.example.net": ("192.0.2.2",)}
    await world.until(lambda: ready(world))
    await asyncio.sleep(31.3)
    before = answers_changed(clouds)
    world.names = {"one.example.net": (), "two.example.net": ()}
    await asyncio.sleep(300)
    world.names = {"one.example.net": ("192.0.2.1",), "two.example.net": ("192.0.2.2",)}
    await asyncio.sleep(600)
    assert answers_changed(clouds) == before


async def test_a_name_that_loses_its_addresses_alone_is_left(boot: Boot) -> None:
    world = boot(dns_zone(), by_name("one.example.net", "two.example.net"))
    world.names |= {"one.example.net": ("192.0.2.1",), "two.example.net": ("192.0.2.2",)}
    await world.until(lambda: ready(world))
    await asyncio.sleep(31.3)
    world.names["one.example.net"] = ()
    await world.until(lambda: world.answers() == TWO, within=15)


@pytest.mark.parametrize("blind", [True, False])
async def test_a_target_is_left_for_another_only_where_that_was_seen_to_work(boot: Boot, blind: bool) -> None:
    raw = by_name("one.example.net", "two.example.net")
    raw["spec"]["publish"] = "CNAME"
    world = boot(dns_zone(), raw)
    world.names |= {"one.example.net": ("192.0.2.1",), "two.example.net": ("192.0.2.2",)}
    await world.until(lambda: ready(world))
    await asyncio.sleep(31.3)
    world.down = ONE | TWO if blind else set(ONE)
    await asyncio.sleep(60)
    world.down = world.down - TWO
    await asyncio.sleep(5)
    world.down = set()
    await asyncio.sleep(200)
    assert world.answers() == ({"one.example.net"} if blind else {"two.example.net"})
