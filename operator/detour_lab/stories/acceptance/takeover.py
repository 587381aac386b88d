"""takeover: the leader of two replicas is killed (SIGKILL) while a region fails, or recovers, `size` times.

The new leader's first write must come within 20 s of the kill, and the old one's last before it: the epochs in each
zone's change log tell. After each take-over DNS must follow the region, and the killed replica comes back as a standby.
"""

import asyncio
import time

from detour_lab.stage.stage import Stage, spread, wait_for
from detour_lab.stories.acceptance import Say
from detour_lab.stories.scenarios.result import Result
from detour_lab.stories.soak.fire import Fire
from detour_lab.stories.soak.truth import Truth
from detour_lab.stories.soak.watch import Watch

REGION = "aws-us-east-1"
LIMIT = 20.0
"""Seconds from the kill to the first write of the new leader."""

PATIENCE = 180.0
"""Seconds after which a wait is given up, on whatever machine."""


async def play(size: int, say: Say, *, slack: float = 1.0) -> Result:
    """Kill `size` leaders."""
    seconds: list[float] = []
    async with Stage(records=False, replicas=2, real_bind=False) as stage:
        truth = Truth(stage.lab)
        await stage.apply(truth.manifest)
        await stage.wait_until_ready()
        async with Watch(stage, truth) as watch:
            fire = Fire(stage, watch, say)
            for number in range(1, size + 1):
                leader = await fire.leader()
                await (stage.lab.mend_region if stage.lab.region(REGION).is_broken else stage.lab.break_region)(REGION)
                killed_at = time.monotonic()
                await leader.kill()
                first = await _first_claims(watch, since=killed_at)
                seconds.append(min(first) - killed_at)
                say(
                    f"kill {number} of {size}: the new leader writes after {seconds[-1]:.1f} s, "
                    f"in every zone after {max(first) - killed_at:.1f} s"
                )
                await watch.until_right(PATIENCE)
                await leader.start()
            verdict = watch.verdict(left=[])
        await asyncio.gather(*(each.kill() for each in stage.operators))
    for complaint in verdict.complaints:
        say(f"wrong: {complaint}")
    both = verdict.stale_writes + verdict.overtaken
    return Result(
        max(seconds) <= LIMIT * slack and both == verdict.empty_answers == 0,
        {
            "kills": size,
            "median_seconds": round(spread(seconds, 0.5), 1),
            "slowest_seconds": round(max(seconds), 1),
            "writes_by_both": both,
            "empty_answers": verdict.empty_answers,
        },
    )


async def _first_claims(watch: Watch, *, since: float) -> list[float]:
    """Wait until every zone was claimed anew after `since`, and return when that was (monotonic seconds)."""

    def claims() -> list[list[float]]:
        return [[at for at in story.claims if at > since] for story in watch.histories()]

    async def everywhere() -> bool:
        return all(claims())

    await wait_for(everywhere, timeout=PATIENCE, what="a new leader's first write in every zone")
    return [each[0] for each in claims()]
