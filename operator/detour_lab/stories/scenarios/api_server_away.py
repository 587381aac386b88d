"""api-server-away: the API server stops, a region fails; DNS must move all the same, and status must catch up later."""

import asyncio
import time
from collections.abc import Callable

from detour_lab.dns.sampling import Question, Sampler
from detour_lab.stage.stage import PATIENCE, Stage, StageError, wait_for
from detour_lab.stories.scenarios.result import Result

HOSTNAME = "api.shop.example.com"
REGION = "aws-us-east-1"
MOVE_WITHIN = 15.0
CATCH_UP_WITHIN = 60.0
"""Seconds."""


async def play(stage: Stage, say: Callable[[str], None], *, slack: float = 1.0) -> Result:
    """Play on a stage whose records are Ready; `slack` is by how much longer than stated things may take."""
    servers = stage.lab.name_servers
    record = (await stage.records())["api"]["spec"]
    after = frozenset(next(each["addresses"] for each in record["endpoints"] if each["name"] == "netherlands"))
    async with Sampler(servers, [Question(HOSTNAME)], clock=time.time) as sampler:
        await sampler.until(lambda: all(sampler.shown(zone, HOSTNAME) for zone in servers), PATIENCE)
        sampler.begin()
        say("the API server stops")
        await asyncio.to_thread(stage.plane.stop_api_server)
        say(f"{REGION} fails")
        broken_at = time.time()
        await stage.lab.break_region(REGION)
        moved = await sampler.until(lambda: all(sampler.shown(zone, HOSTNAME) == after for zone in servers), PATIENCE)
        seconds = time.time() - broken_at
        say(f"every zone has {'moved' if moved else 'not moved'} after {seconds:.1f} s")
        say("the API server starts again")
        await asyncio.to_thread(stage.plane.start_api_server)
        back_at = time.time()
        try:
            await wait_for(lambda: _caught_up(stage), timeout=PATIENCE, what="the status of the failover")
            caught_up = 1
        except StageError as error:
            say(str(error))
            caught_up = 0
        status_seconds = time.time() - back_at
        empty = sum(each.count for each in sampler.empty_answers())
    say(await stage.table())
    await stage.lab.mend_region(REGION)
    in_time = seconds <= MOVE_WITHIN * slack and status_seconds <= CATCH_UP_WITHIN * slack
    passed = moved and in_time and empty == 0 and caught_up == 1
    return Result(
        passed,
        {
            "moved_seconds": round(seconds, 1),
            "status_seconds": round(status_seconds, 1),
            "caught_up": caught_up,
            "empty_answers": empty,
        },
    )


async def _caught_up(stage: Stage) -> bool:
    try:
        status = (await stage.records())["api"].get("status", {})
    except Exception as error:
        if type(error).__name__ != "CommandError":  # the API server may still be on its way
            raise
        return False
    return bool(status.get("summary", {}).get("serving") == "netherlands")
