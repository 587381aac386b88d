"""Endpoints behind a load balancer whose DNS answer rotates through a pool, on zones in memory and virtual time."""

import asyncio
import random
from collections.abc import Callable

import pytest

from detour.health.resolution import FADING, RETENTION
from detour.model.rrset import ANSWER_TYPES
from detour.planning import planner
from detour.planning.rotation import AT_ONCE, PERIOD, SETTLING
from detour.twin.virtualtime import holds

from .gating import EAST, WEST, ready
from .objects import dns_zone, failover_record
from .world import Clouds, World

Boot = Callable[..., World]
BALANCER = "lb.example.net"
OTHER = "198.51.100.2"
BY_NAME = failover_record(
    endpoints=[
        {"name": "lb", "region": EAST, "hostname": BALANCER, "priority": 1},
        {"name": "two", "region": WEST, "addresses": [OTHER], "priority": 2},
    ]
)
AT_MOST = AT_ONCE + 1800.0 / PERIOD
"""Writes in half an hour."""


def turns(how: str, minutes: int) -> list[tuple[str, ...]]:
    """Return what the balancer answers in each minute: four addresses of its pool, the next ones or any."""
    order, size = how.split(" of ")
    pool = [f"192.0.2.{number}" for number in range(1, int(size) + 1)]
    draw = random.Random(7)
    if order == "any":
        return [tuple(draw.sample(pool, 4)) for _ in range(minutes)]
    return [tuple(pool[(4 * minute + place) % len(pool)] for place in range(4)) for minute in range(minutes)]


def writes(clouds: Clouds) -> int:
    """Count the batches that changed what a name answers."""
    applied = [write.batch for provider in clouds.providers for write in provider.writes if write.applied]
    return sum(any(change.key.type in ANSWER_TYPES for change in batch.changes) for batch in applied)


async def writes_in_half_an_hour(world: World, clouds: Clouds, how: str) -> int:
    first, *later = turns(how, 31)
    world.names[BALANCER] = first
    await world.until(lambda: ready(world))
    before = writes(clouds)
    for answer in later:
        world.names[BALANCER] = answer
        await asyncio.sleep(60)
        assert OTHER not in world.answers()
        assert world.answers()
    return writes(clouds) - before


@pytest.mark.parametrize("how", ["next of 12", "any of 12", "any of 60", "next of 240"])
async def test_a_balancer_that_rotates_is_written_once_in_some_minutes(boot: Boot, clouds: Clouds, how: str) -> None:
    world = boot(dns_zone(), BY_NAME)
    assert await writes_in_half_an_hour(world, clouds, how) <= AT_MOST < 12
    assert len(world.answers()) > 8


async def test_without_gathering_it_would_be_written_at_nearly_every_turn(
    boot: Boot, clouds: Clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "is_rotation", lambda *arguments, **rest: False)
    assert await writes_in_half_an_hour(boot(dns_zone(), BY_NAME), clouds, "next of 240") > 30


async def test_two_balancers_of_one_record_are_written_together(boot: Boot, clouds: Clouds) -> None:
    both = failover_record(
        strategy="MultiValue",
        endpoints=[
            {"name": "lb", "region": EAST, "hostname": BALANCER},
            {"name": "lb2", "region": WEST, "hostname": "lb2.example.net"},
        ],
    )
    world = boot(dns_zone(), both)
    world.names["lb2.example.net"] = ("203.0.113.1",)
    world.names[BALANCER] = ("192.0.2.1",)
    await world.until(lambda: ready(world))
    before = writes(clouds)
    for turn in range(2, 32):
        world.names[BALANCER] = tuple(f"192.0.2.{turn + place}" for place in range(4))
        world.names["lb2.example.net"] = tuple(f"203.0.113.{turn + place}" for place in range(4))
        await asyncio.sleep(60)
    assert writes(clouds) - before <= AT_MOST


async def test_an_address_that_fails_is_removed_at_once_though_others_wait(boot: Boot) -> None:
    world = boot(dns_zone(), BY_NAME)
    world.names[BALANCER] = ("192.0.2.1", "192.0.2.2")
    await world.until(lambda: world.answers() == {"192.0.2.1", "192.0.2.2"})
    for place in range(3, 12):
        world.names[BALANCER] = (*world.names[BALANCER], f"192.0.2.{place}")
        await asyncio.sleep(20)
    waiting = set(world.names[BALANCER]) - world.answers()
    assert waiting
    world.down = {"192.0.2.1"}
    took = await world.until(lambda: "192.0.2.1" not in world.answers())
    assert took < PERIOD / 4  # the checks took it, and nothing else
    assert waiting < world.answers()


async def test_all_addresses_of_a_new_balancer_and_of_one_that_recovers_answer_within_seconds(boot: Boot) -> None:
    four = {f"192.0.2.{place}" for place in range(1, 5)}
    world = boot(dns_zone(), BY_NAME)
    world.names[BALANCER] = tuple(sorted(four))
    await world.until(world.answers)
    assert await world.until(lambda: world.answers() == four) < SETTLING + 5
    world.down = set(four)
    await world.until(lambda: world.answers() == {OTHER})
    world.down = set()
    await world.until(lambda: world.answers() != {OTHER}, within=600)
    assert await world.until(lambda: world.answers() == four) < SETTLING + 5


async def test_a_balancer_that_moves_for_good_is_followed_and_its_old_address_leaves_dns(boot: Boot) -> None:
    world = boot(dns_zone(), BY_NAME)
    world.names[BALANCER] = ("192.0.2.1",)
    await world.until(lambda: world.answers() == {"192.0.2.1"})
    world.names[BALANCER] = ("192.0.2.9",)
    await world.until(lambda: world.answers() == {"192.0.2.1", "192.0.2.9"}, within=SETTLING + 30)
    left = await world.until(lambda: world.answers() == {"192.0.2.9"}, within=RETENTION + FADING)
    assert left > RETENTION - 60


async def test_gathering_goes_on_over_a_restart_and_ends(boot: Boot) -> None:
    world = boot(dns_zone(), BY_NAME)
    world.names[BALANCER] = ("192.0.2.1",)
    await world.until(lambda: ready(world))
    world.names[BALANCER] = ("192.0.2.1", "192.0.2.9")
    await asyncio.sleep(SETTLING / 2)
    await world.kill()
    again = boot()
    again.names[BALANCER] = ("192.0.2.1", "192.0.2.9")
    await again.until(lambda: again.answers() == {"192.0.2.1", "192.0.2.9"}, within=SETTLING + 60)


async def test_a_place_that_works_is_not_given_up_for_what_its_hostname_says_now_and_does_not(boot: Boot) -> None:
    """The name has led elsewhere for long, and nothing there answers: what DNS has is all that there is."""
    only = failover_record(endpoints=[{"name": "lb", "region": EAST, "hostname": BALANCER}])
    world = boot(dns_zone(), only)
    world.names[BALANCER] = ("192.0.2.1",)
    await world.until(lambda: ready(world))
    world.down = {"192.0.2.9"}
    world.names[BALANCER] = ("192.0.2.9",)
    await asyncio.sleep(RETENTION + FADING + 120)
    assert world.answers() == {"192.0.2.1"}
    world.down = set()
    await world.until(lambda: world.answers() == {"192.0.2.9"})


@pytest.mark.parametrize("seconds", [500, 1200, 3700])
async def test_a_resolver_that_was_away_moves_nothing_when_it_is_back(boot: Boot, seconds: float) -> None:
    world = boot(dns_zone(), BY_NAME)
    world.names[BALANCER] = tuple(f"192.0.2.{number}" for number in range(1, 5))
    await world.until(lambda: ready(world))
    await asyncio.sleep(300)
    del world.names[BALANCER]
    await asyncio.sleep(seconds)
    world.names[BALANCER] = tuple(f"192.0.2.{number}" for number in range(5, 9))
    assert await holds(lambda: OTHER not in world.answers(), 600)
