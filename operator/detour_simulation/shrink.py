"""Shortening a failing schedule: as few steps as still break the same promise (delta debugging)."""

from collections.abc import Callable
from dataclasses import replace

from detour_simulation.schedule import Schedule, Step

MOST_RUNS = 150
"""Runs that shortening may take."""


def shortened(schedule: Schedule, still_fails: Callable[[Schedule], bool]) -> Schedule:
    """Return `schedule` with steps taken out, in chunks and then one by one, for as long as it `still_fails`."""
    steps = schedule.steps
    chunk = max(1, len(steps) // 2)
    runs = 0
    while runs < MOST_RUNS:
        removed = False
        for start in range(0, len(steps), chunk):
            tried = _without(steps, start, chunk)
            runs += 1
            if len(tried) < len(steps) and still_fails(replace(schedule, steps=tried)):
                steps, removed = tried, True
                break
            if runs >= MOST_RUNS:
                break
        if not removed and chunk == 1:
            break
        if not removed:
            chunk = max(1, chunk // 2)
    return replace(schedule, steps=steps)


def _without(steps: tuple[Step, ...], start: int, count: int) -> tuple[Step, ...]:
    return steps[:start] + steps[start + count :]
