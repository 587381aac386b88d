"""majority-sees-it: two of three vantages see a place fail, the operator does not. The name moves, and how fast."""

import time
from collections.abc import Callable

from detour_lab.controlplane import Binaries
from detour_lab.dns.sampling import Question, Sampler
from detour_lab.stage.stage import PATIENCE
from detour_lab.stories.scenarios.result import Result
from detour_lab.stories.vantages import DETECTION, ZONE, Vantages

WITHIN = 1.5
"""Seconds from the second vantage's verdict until the name servers answer otherwise."""

SEEN_BY = ("east", "west")


def set_up(*, say: Callable[[str], None], binaries: Binaries | None = None) -> Vantages:
    """Return the cluster that this story needs."""
    return Vantages(say=say, binaries=binaries)


async def play(vantages: Vantages, say: Callable[[str], None], *, slack: float = 1.0) -> Result:
    """Play on a cluster whose record is Ready; `slack` is by how much longer than stated things may take."""
    name, after = vantages.hostname(), vantages.addresses("two")
    servers = {ZONE: vantages.lab.name_servers[ZONE]}
    async with Sampler(servers, [Question(name)], clock=time.time) as sampler:
        await sampler.until(lambda: bool(sampler.shown(ZONE, name)), PATIENCE)
        sampler.begin()
        broken_at = time.time()
        say(f"place one fails, as {' and '.join(SEEN_BY)} see it; the operator reaches it all the same")
        await vantages.fail("one", seen_by=SEEN_BY)
        moved = await sampler.until(lambda: sampler.shown(ZONE, name) == after, PATIENCE)
        moved_at = sampler.first_shown(ZONE, name, after, since=broken_at) or time.time()
        empty = sum(each.count for each in sampler.empty_answers())
    second = max((min(times) for each in SEEN_BY if (times := vantages.verdicts_at(each, "one"))), default=moved_at)
    say(f"the second of them knew after {second - broken_at:.2f} s; DNS had moved {moved_at - second:.2f} s later")
    message = await vantages.told_of("one", "2 of 3 votes")
    say(f"{message}\n\n{await vantages.table()}")
    await vantages.mend()
    in_time = moved_at - second <= WITHIN * slack and moved_at - broken_at <= (DETECTION + WITHIN) * slack
    passed = moved and in_time and empty == 0 and "2 of 3 votes" in message
    figures = {
        "moved_seconds": round(moved_at - broken_at, 2),
        "after_second_verdict": round(moved_at - second, 2),
        "empty_answers": empty,
    }
    return Result(passed, figures)
