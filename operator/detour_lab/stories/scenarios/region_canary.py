"""region-canary: as in October 2025 the name of a region's API leads nowhere, while every endpoint there still answers.

The region's canaries tell, and its names leave it before its services fail. When the name leads somewhere again they
come back after a hold-down.
"""

import json
import time
from collections.abc import Callable
from functools import partial

from detour_lab.dns.sampling import Question, Sampler
from detour_lab.services.names import ADDRESS_TTL
from detour_lab.services.regions import HTTP_PORT
from detour_lab.stage.stage import PATIENCE, Stage, wait_for
from detour_lab.stories.expectation import expected_values, zones_of
from detour_lab.stories.scenarios.result import Result
from detour_lab.stories.showing import until_all_show

REGION = "aws-us-east-1"
MAIN_RECORD = "api"
"""The record that is in all four zones."""

AFTER, HOLD_DOWN = 4.0, 6.0
TIMING = {"interval": "1s", "recheckInterval": "500ms", "timeout": "500ms", "fall": 2, "rise": 2}
DETECTION = ADDRESS_TTL + 0.5 + 0.5
"""Seconds until an empty name is a failing canary: the TTL, the look-up that repeats it, and what both take."""

SLOWNESS = 2.0
"""Seconds for the rest: a decision, and its way into every zone."""


async def play(stage: Stage, say: Callable[[str], None], *, slack: float = 1.0) -> Result:
    """Play on a stage whose records are Ready; `slack` is by how much longer than stated things may take."""
    place = stage.lab.region(REGION)
    spec = (await stage.records())[MAIN_RECORD]["spec"]
    hostname, zones = spec["hostname"], zones_of(spec)
    there = expected_values(spec, lost=(), addresses_of=lambda _: ())
    elsewhere = expected_values(spec, lost=(REGION,), addresses_of=lambda _: ())
    servers = {zone: stage.lab.name_servers[zone] for zone in zones}
    names = dict(sorted(place.hostnames.items()))
    canaries = [
        {"name": service, "hostname": name, "http": {"port": HTTP_PORT, "path": "/healthz"}}
        for name, service in names.items()
    ]
    say(f"{REGION} gets a canary for each of {', '.join(names)}; one that fails for {AFTER:g} s is enough")
    failing = {"canaries": 1, "after": f"{AFTER:g}s", "holdDown": f"{HOLD_DOWN:g}s"}
    await _patch(stage, {"canaries": canaries, "canaryTiming": TIMING, "failing": failing})
    await wait_for(lambda: _has(stage, "CanariesPass"), timeout=PATIENCE, what="canaries that pass")

    async with Sampler(servers, [Question(hostname)], clock=time.time) as sampler:
        all_show = partial(until_all_show, sampler, zones, hostname)
        await all_show(there, time.time())
        sampler.begin()
        say(f"{place.regional_api} exists and leads nowhere; every endpoint in {REGION} answers")
        began_at = time.time()
        place.names.vanish(place.regional_api)
        moved = await all_show(elsewhere, began_at)
        await wait_for(lambda: _serves_nothing(stage), timeout=PATIENCE, what="a status without records there")
        table, told = await stage.kubectl("get", "regions"), await _told(stage, "message")
        say(f"every zone answers with another place after {moved:.1f} s\n\n{table}\n{told}\n")

        say("the name leads to its address again")
        mended_at = time.time()
        place.names.set_addresses(place.regional_api, place.services["regional-api"].address)
        returned = await all_show(there, mended_at)
        tally = sampler.tally
        wrong = sampler.wrong_answers({(zone, hostname): (there, elsewhere) for zone in zones})
    await wait_for(lambda: _has(stage, "CanariesPass"), timeout=PATIENCE, what="a region that is well")
    say(
        f"every zone answers with {REGION} again {returned:.1f} s after that\n\n{await stage.kubectl('get', 'regions')}"
    )
    await _patch(stage, {"canaries": None, "canaryTiming": None, "failing": None})

    in_time = AFTER <= moved <= (DETECTION + AFTER + SLOWNESS) * slack
    not_too_soon = returned >= HOLD_DOWN
    passed = in_time and not_too_soon and returned < PATIENCE and place.regional_api in told
    figures = {
        "moved_seconds": round(moved, 1),
        "returned_seconds": round(returned, 1),
        "empty_answers": tally.empty,
        "wrong_answers": sum(each.count for each in wrong),
    }
    return Result(passed and not tally.empty and not wrong, figures)


async def _patch(stage: Stage, spec: dict[str, object]) -> None:
    await stage.kubectl("patch", "region", REGION, "--type=merge", "-p", json.dumps({"spec": spec}))


async def _told(stage: Stage, field: str) -> str:
    return await stage.kubectl("get", "region", REGION, "-o", f"jsonpath={{.status.{field}}}")


async def _has(stage: Stage, reason: str) -> bool:
    return await _told(stage, "reason") == reason


async def _serves_nothing(stage: Stage) -> bool:
    return await _told(stage, "records") == "0"
