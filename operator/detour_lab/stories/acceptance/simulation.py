"""simulation: `size` schedules, from the first seed, in one process; none breaks a promise.

How fast they are played counts only where nothing else runs beside them (no `slack`).
"""

import asyncio
import re
import sys

from detour_lab.stories.acceptance import Say
from detour_lab.stories.scenarios.result import Result

LEAST_RATE = 20.0
"""Schedules that are played in a second, at least, on one core."""

_SUMMARY = re.compile(r"(PASS|FAIL) schedules=(\d+) steps=(\d+) violations=(\d+) azure_undone=(\d+) seconds=([\d.]+)")


async def play(size: int, say: Say, *, slack: float = 1.0) -> Result:
    """Play `size` schedules with the command that a person would use."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "detour_simulation", "simulate", f"--schedules={size}", "--seed=1"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode(errors="replace")
    found = _SUMMARY.search(text)
    if process.returncode != 0 or found is None:
        say(text[-4000:])
        return Result(passed=False, values={"schedules": size})
    rate = size / float(found[6])
    return Result(
        rate >= LEAST_RATE or slack > 1.0,
        {
            "schedules": found[2],
            "violations": found[4],
            "azure_undone": found[5],
            "schedules_per_second": round(rate, 1),
        },
    )
