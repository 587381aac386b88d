"""kill: the operator is killed (SIGKILL) at random moments during failovers and started again, `size` times.

After each start DNS must equal the plan within 15 s, and no answer may ever be empty.
"""

import asyncio
import random
import time
from collections.abc import Mapping

from detour_lab.dns.sampling import Question, Sampler
from detour_lab.stage.stage import Stage, StageError, spread
from detour_lab.stories.acceptance import Say
from detour_lab.stories.expectation import expected_values
from detour_lab.stories.scenarios.result import Result

REGION = "aws-us-east-1"
RECORDS = ("api", "www")
ZONES = ("shop-route53", "shop-azure", "shop-google", "shop-bind")
"""The records that are looked at, and the zones that hold each of them."""

LIMIT = 15.0
"""Seconds from the start of the new process until DNS equals the plan."""

GIVE_UP = 180.0
"""Seconds after which a wait is given up, on whatever machine."""

LATEST_KILL = 4.0
"""Seconds after a region broke, or was mended, within which the kill falls."""


async def play(size: int, say: Say, *, slack: float = 1.0) -> Result:
    """Kill `size` times."""
    chance = random.Random(20251019)
    async with Stage() as stage:
        await stage.wait_until_ready()
        specs = {name: item["spec"] for name, item in (await stage.records()).items() if name in RECORDS}
        servers = {zone: stage.lab.name_servers[zone] for zone in ZONES}
        plans = {
            broken: {
                (zone, spec["hostname"]): expected_values(spec, lost=(REGION,) if broken else (), addresses_of=_none)
                for spec in specs.values()
                for zone in ZONES
            }
            for broken in (False, True)
        }
        questions = [Question(spec["hostname"]) for spec in specs.values()]
        async with Sampler(servers, questions, clock=time.time) as sampler:
            await _equal(sampler, plans[False], 30.0)
            sampler.begin()
            seconds: list[float] = []
            broken = False
            for number in range(1, size + 1):
                broken = not broken
                await (stage.lab.break_region(REGION) if broken else stage.lab.mend_region(REGION))
                await asyncio.sleep(chance.random() * LATEST_KILL)
                await stage.operator.kill()
                await stage.operator.start(wait_until_ready=False)
                started_at = time.time()
                if not await _equal(sampler, plans[broken], GIVE_UP):
                    raise StageError(f"{GIVE_UP:g} s after kill {number} DNS does not equal the plan")
                seconds.append(time.time() - started_at)
                say(f"kill {number} of {size}: DNS equals the plan after {seconds[-1]:.1f} s")
            empty = sum(each.count for each in sampler.empty_answers())
    passed = empty == 0 and max(seconds) <= LIMIT * slack
    return Result(
        passed,
        {
            "kills": size,
            "median_seconds": round(spread(seconds, 0.5), 1),
            "slowest_seconds": round(max(seconds), 1),
            "empty_answers": empty,
        },
    )


async def _equal(sampler: Sampler, plan: Mapping[tuple[str, str], frozenset[str]], timeout: float) -> bool:
    return await sampler.until(
        lambda: all(sampler.shown(zone, name) == values for (zone, name), values in plan.items()), timeout
    )


def _none(hostname: str) -> tuple[str, ...]:
    raise ValueError(f"{hostname}: the records of this row have addresses only")
