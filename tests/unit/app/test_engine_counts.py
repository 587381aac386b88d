"""What the gate does not count: a failover must not wait for regions that nobody has just left."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from detour.model.rrset import address_sets
from detour.model.zone import Safety
from detour.planning.safety.departures import Departures
from detour.planning.safety.gate import ZoneGate
from detour.planning.safety.rules import Proposal

from ..planning.safety.test_gate import key, sets  # noqa: TID252 - the root is on no path, so a sibling is reached so
from .objects import dns_zone, failover_record
from .test_engine_gate import CALM, EAST, NORTH, WEST, WINDOW, ready, record
from .world import Clouds, World

Boot = Callable[..., World]
MANUAL = {"failback": {"mode": "Manual"}}
SOON = {"failback": {"mode": "Automatic", "holdDown": "60s"}}


async def test_a_region_that_idles_and_fails_is_not_evacuated(boot: Boot) -> None:
    three = record("api", (EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 2), (NORTH, "192.0.2.3", 3), **MANUAL)
    world = boot(dns_zone(**CALM), three)
    await world.until(lambda: world.answers() == {"192.0.2.1"} and ready(world))
    await asyncio.sleep(5)
    await world.kill()
    world = boot()
    await asyncio.sleep(60)
    world.down = {"192.0.2.1"}
    await world.until(lambda: world.answers() == {"192.0.2.2"})
    await asyncio.sleep(2 * WINDOW)
    world.down = set()
    await asyncio.sleep(2 * 3600)  # failback is manual: west serves on, east idles
    world.down = {"192.0.2.1"}
    await asyncio.sleep(60)
    world.down = {"192.0.2.1", "192.0.2.2"}
    await world.until(lambda: world.answers() == {"192.0.2.3"}, within=60)


async def test_a_region_that_most_names_came_back_to_is_evacuated_no_more(boot: Boot) -> None:
    def of_east(name: str, place: int, **failback: Any) -> dict[str, Any]:
        return record(name, (EAST, f"192.0.2.{place}", 1), (NORTH, f"192.0.2.{place + 10}", 2), **failback)

    others = record("www", (WEST, "192.0.2.50", 1), (NORTH, "192.0.2.51", 2))
    world = boot(dns_zone(**CALM), of_east("a", 1, **SOON), of_east("b", 2, **SOON), of_east("c", 3, **MANUAL), others)
    await world.until(lambda: ready(world, "a", "b", "c", "www"))
    world.down = {"192.0.2.1", "192.0.2.2", "192.0.2.3"}
    await world.until(
        lambda: [world.answers(f"{each}.example.org") for each in "ac"] == [{"192.0.2.11"}, {"192.0.2.13"}]
    )
    world.down = set()
    await world.until(lambda: world.answers("b.example.org") == {"192.0.2.2"}, within=200)
    await asyncio.sleep(60)
    world.down = {"192.0.2.50"}
    await world.until(lambda: world.answers("www.example.org") == {"192.0.2.51"}, within=60)


async def test_a_name_that_goes_back_to_the_first_of_two_equals_leaves_no_region(boot: Boot) -> None:
    equals = [
        {"name": "one", "region": EAST, "hostname": "lb1.example.net", "priority": 1},
        {"name": "two", "region": NORTH, "hostname": "lb2.example.net", "priority": 1},
    ]
    others = record("www", (WEST, "192.0.2.50", 1), ("aws-eu-west-1", "192.0.2.51", 2))
    world = boot(dns_zone(**CALM), failover_record(endpoints=equals, publish="CNAME", **SOON), others)
    world.names = {"lb1.example.net": ("192.0.2.1",), "lb2.example.net": ("192.0.2.2",)}
    await world.until(lambda: ready(world, "api", "www") and world.answers() == {"lb1.example.net"})
    world.down = {"192.0.2.2"}
    await asyncio.sleep(60)
    world.down = set()
    await asyncio.sleep(2 * 3600)
    world.down = {"192.0.2.1"}
    await world.until(lambda: world.answers() == {"lb2.example.net"})
    world.down = set()
    await world.until(lambda: world.answers() == {"lb1.example.net"}, within=200)
    await asyncio.sleep(60)
    world.down = {"192.0.2.50"}
    await world.until(lambda: world.answers("www.example.org") == {"192.0.2.51"}, within=60)


def test_a_departure_of_long_ago_ends_though_a_later_one_was_told_first() -> None:
    now = [10_000.0]
    gate = ZoneGate(Safety(), clock=lambda: now[0], departures=Departures())
    for name, absent in (("a", {"east": 9_990.0}), ("b", {"west": 9_410.0})):
        north = sets(name, ["north"])
        gate.survey(
            Proposal(
                record=key(name),
                hostname=f"{name}.example.org",
                before=north,
                after=north,
                regions_before=frozenset({"north"}),
                regions_after=frozenset({"north"}),
                failing=frozenset(),
                absent=absent,
            )
        )
    now[0] += 20
    assert set(gate.evacuated()) == {"east"}


async def test_a_suspension_ends_with_what_a_person_put_there_also_in_a_freeze(boot: Boot, clouds: Clouds) -> None:
    both = ((EAST, "192.0.2.1", 1), (NORTH, "192.0.2.3", 2))
    world = boot(dns_zone(**CALM), record("api", *both))
    await world.until(lambda: ready(world) and world.answers() == {"192.0.2.1"})
    await asyncio.sleep(5)
    world.api.apply(record("api", *both, suspend=True))
    await asyncio.sleep(5)
    world.down = {"192.0.2.1"}
    await asyncio.sleep(60)
    clouds.zone().put(address_sets("api.example.org", 30, ["192.0.2.3"])[0])
    await asyncio.sleep(120)
    world.api.apply(dns_zone(safety={"panicThreshold": 100, "frozen": True}))
    await asyncio.sleep(5)
    world.api.apply(record("api", *both))
    await asyncio.sleep(60)
    assert world.answers() == {"192.0.2.3"}


async def test_a_set_of_another_type_that_came_up_meanwhile_stays_its_owners(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(**CALM), record("other", (EAST, "192.0.2.9", 1)))
    await world.until(lambda: ready(world, "other"))
    await asyncio.sleep(60)
    (theirs,) = address_sets("api.example.org", 60, ["2001:db8::99"])
    clouds.zone().put(theirs)
    world.api.apply(record("api", (EAST, "192.0.2.1", 1), (NORTH, "192.0.2.3", 2)))
    await world.until(lambda: world.api.condition("Published") == ("False", "NameTaken"))
    await asyncio.sleep(900)
    assert clouds.zone().rrset(theirs.key) is not None


@pytest.mark.parametrize("rise", [2, 5])
@pytest.mark.parametrize("interval", [10, 30])
async def test_what_fails_during_a_restart_is_left_as_fast_as_ever(boot: Boot, rise: int, interval: int) -> None:
    check = {"tcp": {"port": 443}, "interval": f"{interval}s", "rise": rise}
    world = boot(dns_zone(**CALM), record("api", (EAST, "192.0.2.1", 1), (NORTH, "192.0.2.3", 2), healthCheck=check))
    await world.until(lambda: world.answers() == {"192.0.2.1"} and ready(world))
    await asyncio.sleep(2 * interval)
    await world.kill()
    again = boot()
    again.down = {"192.0.2.1"}
    await again.until(lambda: again.answers() == {"192.0.2.3"}, within=interval + 15)
