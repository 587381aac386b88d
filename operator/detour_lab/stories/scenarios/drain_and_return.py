"""drain-and-return: a person drains a region for maintenance, with a reason and then an end, which nobody has to type.

The region works all the while: nothing but the person's word moves the names, and nothing but the end brings them back.
"""

import json
import time
from collections.abc import Callable
from functools import partial

from detour_lab.dns.sampling import Question, Sampler
from detour_lab.stage.stage import PATIENCE, Stage, condition, wait_for
from detour_lab.stories.expectation import expected_values, zones_of
from detour_lab.stories.scenarios.result import Result
from detour_lab.stories.showing import until_all_show

REGION = "aws-us-east-1"
MAIN_RECORD = "api"
"""The record that is in all four zones."""

REASON = "new switches in us-east-1"
WITHIN = 2.0
"""Seconds from the person's word, and from the end, until every zone answers otherwise."""

REMAINING = 6.0
"""Seconds from the moment at which the end is declared until then."""


async def play(stage: Stage, say: Callable[[str], None], *, slack: float = 1.0) -> Result:
    """Play on a stage whose records are Ready; `slack` is by how much longer than stated things may take."""
    records = await stage.records()
    spec = records[MAIN_RECORD]["spec"]
    hostname, zones = spec["hostname"], zones_of(spec)
    there = expected_values(spec, lost=(), addresses_of=lambda _: ())
    elsewhere = expected_values(spec, lost=(REGION,), addresses_of=lambda _: ())
    servers = {zone: stage.lab.name_servers[zone] for zone in zones}

    async with Sampler(servers, [Question(hostname)], clock=time.time) as sampler:
        all_show = partial(until_all_show, sampler, zones, hostname)
        await all_show(there, time.time())
        sampler.begin()
        say(f"a person drains {REGION}: {REASON}")
        drained_at = time.time()
        await _patch(stage, {"state": "Drained", "reason": REASON})
        moved = await all_show(elsewhere, drained_at)
        await wait_for(lambda: _failed_over(stage, "True"), timeout=PATIENCE, what="the status of each record")
        drained_table = await stage.kubectl("get", "region")
        told = await stage.kubectl("get", "region", REGION, "-o", "jsonpath={.status.message}")
        say(f"every zone answers with another place after {moved:.2f} s\n\n{drained_table}\n{told}\n")

        end = float(int(time.time() + REMAINING))  # as RFC 3339 without fractions says it
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end))
        say(f"it is said to end at {stamp}; nobody does anything more")
        await _patch(stage, {"until": stamp})
        returned = await all_show(there, end)
        early = any(
            each.answer.values == there and drained_at + moved < each.first_at < end
            for each in sampler.sightings(name=hostname)
        )
        tally = sampler.tally
        wrong = sampler.wrong_answers({(zone, hostname): (there, elsewhere) for zone in zones})
    await wait_for(lambda: _failed_over(stage, "False"), timeout=PATIENCE, what="the way back of each record")
    say(f"every zone answers with {REGION} again {returned:.2f} s after that\n\n{await stage.table()}")
    await _patch(stage, {"state": None, "reason": None, "until": None})

    in_time = max(moved, returned) <= WITHIN * slack
    passed = in_time and not early and not tally.empty and not wrong and REASON in told and "Drained" in drained_table
    figures = {
        "moved_seconds": round(moved, 2),
        "returned_seconds": round(returned, 2),
        "returned_early": int(early),
        "empty_answers": tally.empty,
        "wrong_answers": sum(each.count for each in wrong),
    }
    return Result(passed, figures)


async def _patch(stage: Stage, spec: dict[str, object]) -> None:
    await stage.kubectl("patch", "region", REGION, "--type=merge", "-p", json.dumps({"spec": spec}))


async def _failed_over(stage: Stage, status: str) -> bool:
    """Tell whether this is the condition of every record that has a place in the region."""
    return all(
        condition(each, "FailedOver") == status
        for each in (await stage.records()).values()
        if any(place["region"] == REGION for place in each["spec"]["endpoints"])
    )
