"""detection: how long after a place has failed its verdict comes, against what the timing of its check promises.

`size` failures, of places that refuse, swallow, or answer with an error, in turns; several checks of each, so that they
begin at all moments. The promise is interval + timeout + (fall - 1) * max(recheckInterval, timeout), plus by how much
the operator's event loop came late at most, which it measures itself.
"""

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime

import aiohttp

from detour_lab.services.services import Mode
from detour_lab.stage.stage import PATIENCE, StageError
from detour_lab.stories.acceptance import Say
from detour_lab.stories.scenarios.flapping import CHECK, Flapping
from detour_lab.stories.scenarios.result import Result

NAMES = 10
"""Records, each with a check of its own of every place: so many failures are seen when one place fails."""

MODES = (Mode.REFUSING, Mode.BLACK_HOLE, Mode.STATUS_500)
RECOVERY = 3.0
"""Seconds for a place to be found well again, before the next one fails."""


def promised() -> float:
    """Return the seconds within which a failure has its verdict, by the timing of the check."""
    interval, recheck, timeout = (_seconds(str(CHECK[each])) for each in ("interval", "recheckInterval", "timeout"))
    return interval + timeout + (int(str(CHECK["fall"])) - 1) * max(recheck, timeout)


async def play(size: int, say: Say, *, slack: float = 1.0) -> Result:
    """Let places fail until `size` failures were seen."""
    async with Flapping(NAMES, say=lambda _: None, binaries=None) as stage:
        await stage.wait_until_ready()
        before = await _lags(stage.operator.url)
        took: list[float] = []
        turn = 0
        while len(took) < size:
            place, mode = stage.places[turn % len(stage.places)], MODES[turn % len(MODES)]
            began_at = time.time()
            await place.switch(mode)
            found = await _verdicts(stage, place.address, began_at)
            took += found
            say(f"{len(took):4} {mode}: {min(found):.2f} to {max(found):.2f} s")
            await place.switch(Mode.UP)
            await asyncio.sleep(RECOVERY)
            turn += 1
        lateness = _worst(before, await _lags(stage.operator.url))
    limit = promised() + lateness
    late = [each for each in took if each > limit * slack]
    figures = {
        "failures": len(took),
        "worst_seconds": round(max(took), 2),
        "promised_seconds": promised(),
        "lateness_seconds": lateness,
        "late": len(late),
    }
    return Result(not late, figures)


async def _verdicts(stage: Flapping, address: str, since: float) -> list[float]:
    """Wait until each check of a place has found that it fails, and return after how many seconds each did."""
    give_up = time.monotonic() + PATIENCE
    while len(found := list(_found(stage, address, since))) < NAMES:
        if time.monotonic() > give_up:
            raise StageError(f"{len(found)} of {NAMES} checks of {address} have found that it fails")
        await asyncio.sleep(0.1)
    return found


def _found(stage: Flapping, address: str, since: float) -> Iterator[float]:
    for line in reversed(stage.operator.lines):
        at = datetime.fromisoformat(str(line["time"])).timestamp()
        if at < since:
            return
        if line.get("event") == "verdict" and (line.get("target"), line.get("verdict")) == (address, "Unhealthy"):
            yield at - since


async def _lags(url: str) -> dict[float, float]:
    """Return how often the event loop came late by so many seconds at most, by its own account."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    prefix = 'detour_loop_lag_seconds_bucket{le="'
    pairs = [each.removeprefix(prefix).split('"} ') for each in lines if each.startswith(prefix)]
    return {float(le): float(count) for le, count in pairs}


def _worst(before: dict[float, float], after: dict[float, float]) -> float:
    """Return the upper bound of the worst lateness between two looks."""
    counts = {le: count - before.get(le, 0.0) for le, count in sorted(after.items())}
    whole = max(counts.values(), default=0.0)
    return next((le for le, count in counts.items() if count >= whole), 0.0)


def _seconds(text: str) -> float:
    return float(text.removesuffix("ms")) / 1000 if text.endswith("ms") else float(text.removesuffix("s"))
