"""While checks are paused (`healthCheck.pausedUntil`) nothing moves for those that fail; then it does, at once."""

import asyncio
from collections.abc import Callable
from typing import Any

from detour.model.timestamps import timestamp

from .objects import changed, dns_zone, failover_record
from .world import WALL, World

Boot = Callable[..., World]
ONE, TWO = {"192.0.2.1"}, {"192.0.2.2"}


def paused_until(world_seconds: float, **spec: Any) -> dict[str, Any]:
    """Return a record whose checks are paused until then, by the loop's clock."""
    raw = failover_record(**spec)
    raw["spec"]["healthCheck"]["pausedUntil"] = timestamp(WALL + world_seconds)
    return raw


async def serving(boot: Boot, raw: dict[str, Any]) -> World:
    world = boot(dns_zone(), raw)
    await world.until(lambda: world.api.condition("Ready")[0] == "True" and world.answers() == ONE)
    return world


async def test_nothing_moves_for_failures_until_the_pause_is_over_and_then_at_once(boot: Boot) -> None:
    until = asyncio.get_running_loop().time() + 120.0
    world = await serving(boot, paused_until(until))
    world.down = ONE
    await asyncio.sleep(until - asyncio.get_running_loop().time() - 1.0)
    assert world.answers() == ONE
    verdicts = {each["name"]: (each["verdict"], each.get("reason")) for each in world.api.status()["endpoints"]}
    assert verdicts["one"] == ("Unknown", "ChecksPaused")
    assert world.api.condition("Warning")[1] == "ChecksPaused"
    await world.until(lambda: world.answers() == TWO, 5.0)
    await world.until(lambda: world.api.condition("Warning")[0] == "False", 5.0)


async def test_a_pause_that_is_taken_back_ends_at_once(boot: Boot) -> None:
    raw = paused_until(asyncio.get_running_loop().time() + 3600.0)
    world = await serving(boot, raw)
    world.down = ONE
    await asyncio.sleep(60.0)
    assert world.answers() == ONE
    ended = changed(raw, generation=2)
    del ended["spec"]["healthCheck"]["pausedUntil"]
    world.api.apply(ended)
    await world.until(lambda: world.answers() == TWO, 15.0)


async def test_a_drain_is_heeded_while_checks_are_paused(boot: Boot) -> None:
    raw = paused_until(asyncio.get_running_loop().time() + 3600.0)
    world = await serving(boot, raw)
    drained = changed(raw, generation=2)
    drained["spec"]["endpoints"][0]["state"] = "Drained"
    world.api.apply(drained)
    await world.until(lambda: world.answers() == TWO, 15.0)
