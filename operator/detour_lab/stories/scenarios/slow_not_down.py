"""slow-not-down: a place still passes every check, and takes so long for it that users would rather be elsewhere.

The record says what is too long. Its name leaves the place for one that is fast, and goes back once it is fast again;
with all places slow it stays where it is.
"""

import json
import time
from collections.abc import Callable
from functools import partial

from detour_lab.dns.sampling import Question, Sampler
from detour_lab.services.services import Mode
from detour_lab.stage.stage import NAMESPACE, PATIENCE, Stage, wait_for
from detour_lab.stories.expectation import expected_values, zones_of
from detour_lab.stories.scenarios.result import Result
from detour_lab.stories.showing import until_all_show

REGION, SERVICE, RECORD = "aws-us-east-1", "api", "api"
OTHERS = ("azure-westeurope", "gcp-europe-west3")
ABOVE, LASTING, TAKES = 0.15, 4.0, 0.3
"""Seconds: what is too long, for how long it must be, and what the slow place takes."""

SLOWNESS = 3.0
"""Seconds for the rest: the checks at both ends of that time, a decision, and its way into every zone."""


async def play(stage: Stage, say: Callable[[str], None], *, slack: float = 1.0) -> Result:
    """Play on a stage whose records are Ready; `slack` is by how much longer than stated things may take."""
    spec = (await stage.records())[RECORD]["spec"]
    hostname, zones = spec["hostname"], zones_of(spec)
    there = expected_values(spec, lost=(), addresses_of=lambda _: ())
    elsewhere = expected_values(spec, lost=(REGION,), addresses_of=lambda _: ())
    servers = {zone: stage.lab.name_servers[zone] for zone in zones}
    interval = float(str(spec["healthCheck"]["interval"]).removesuffix("s"))
    await _patch(stage, {"above": f"{ABOVE * 1000:.0f}ms", "for": f"{LASTING:g}s"})

    async with Sampler(servers, [Question(hostname)], clock=time.time) as sampler:
        all_show = partial(until_all_show, sampler, zones, hostname)
        await all_show(there, time.time())
        sampler.begin()
        say(f"{hostname} is slow in {REGION}: each check passes, and takes {TAKES * 1000:.0f} ms")
        slow_at = time.time()
        await stage.lab.set_service(REGION, SERVICE, Mode.SLOW, seconds=TAKES)
        moved = await all_show(elsewhere, slow_at)
        await wait_for(lambda: _are_slow(stage, 0), timeout=PATIENCE, what="a status that says so")
        say(f"every zone answers with another place after {moved:.1f} s\n\n{await stage.table()}")
        say(await stage.kubectl("get", "fr", RECORD, "-n", NAMESPACE, "-o", "jsonpath={.status.plan.reason}"))

        say("it is fast again")
        fast_at = time.time()
        await stage.lab.set_service(REGION, SERVICE, Mode.UP)
        returned = await all_show(there, fast_at)
        say(f"every zone answers with {REGION} again {returned:.1f} s after that; now the others are slow, then all")
        for region in OTHERS:
            await stage.lab.set_service(region, SERVICE, Mode.SLOW, seconds=TAKES)
        await wait_for(lambda: _are_slow(stage, 1, 2), timeout=PATIENCE, what="a status that says so of the others")
        await stage.lab.set_service(REGION, SERVICE, Mode.SLOW, seconds=TAKES)
        await wait_for(lambda: _are_slow(stage, 0, 1, 2), timeout=PATIENCE, what="a status that says so of all")
        stays = all(sampler.shown(zone, hostname) == there for zone in zones)
        for region in (REGION, *OTHERS):
            await stage.lab.set_service(region, SERVICE, Mode.UP)
        tally = sampler.tally
        wrong = sampler.wrong_answers({(zone, hostname): (there, elsewhere) for zone in zones})
    await _patch(stage, None)
    await stage.wait_until_ready()

    in_time = LASTING <= moved <= (LASTING + 2 * interval + SLOWNESS) * slack
    passed = in_time and LASTING <= returned < PATIENCE and stays and not tally.empty and not wrong
    figures = {
        "moved_seconds": round(moved, 1),
        "returned_seconds": round(returned, 1),
        "stays_where_all_are_slow": int(stays),
        "empty_answers": tally.empty,
        "wrong_answers": sum(each.count for each in wrong),
    }
    return Result(passed, figures)


async def _patch(stage: Stage, latency: dict[str, str] | None) -> None:
    patch = json.dumps({"spec": {"healthCheck": {"latency": latency}}})
    await stage.kubectl("patch", "fr", RECORD, "-n", NAMESPACE, "--type=merge", "-p", patch)


async def _are_slow(stage: Stage, *places: int) -> bool:
    """Tell whether these places count as slow, by their number in the declaration."""
    endpoints = (await stage.records())[RECORD]["status"]["endpoints"]
    return all(endpoints[place].get("reason") == "Slow" for place in places)
