"""Looking at many cells again and again, until each is as it should be or its time is over."""

import asyncio
import time
from collections.abc import Iterable, Sequence

from detour_lab.stories.repair.cells import Cell
from detour_lab.stories.repair.judging import Standard, unwell
from detour_lab.stories.repair.survey import Survey
from detour_lab.stories.repair.trials import Trial

LOOK_INTERVAL = 0.5
"""Seconds between two looks, which are short beside what they wait for."""


async def look_again(survey: Survey, trials: Sequence[Trial]) -> Sequence[Trial]:
    """Keep in each trial what is seen of it now, and return them."""
    known = {trial.cell: trial.known_events for trial in trials}
    seen = await survey.look(known, known)
    for trial in trials:
        trial.last = seen[trial.cell]
    return trials


async def until_as_expected(survey: Survey, trials: Sequence[Trial], standard: Standard, limit: float) -> None:
    """Look until each trial is as expected; what is wrong with one `limit` seconds later becomes its complaint."""
    rest = list(trials)
    while rest:
        looked_at = time.monotonic()
        undecided = []
        for trial in await look_again(survey, rest):
            trial.judged_at = looked_at
            wrong = trial.wrong(standard)
            if not wrong:
                trial.settled_at = looked_at
            elif looked_at < trial.visible_at + limit:
                undecided.append(trial)
            else:
                trial.complaints += [f"after {limit:g} s: {each}" for each in wrong]
        rest = undecided
        await asyncio.sleep(LOOK_INTERVAL)


async def until_well(survey: Survey, cells: Iterable[Cell], standard: Standard, limit: float) -> dict[Cell, list[str]]:
    """Look until all of `cells` are well; return what is wrong with the others after `limit` seconds."""
    give_up = time.monotonic() + limit
    rest: dict[Cell, list[str]] = {cell: [] for cell in cells}
    while rest:
        seen = await survey.look(rest)
        rest = {cell: wrong for cell in rest if (wrong := unwell(cell, seen[cell], standard))}
        if time.monotonic() > give_up:
            break
        await asyncio.sleep(LOOK_INTERVAL)
    return rest


async def until_answered(survey: Survey, trials: Sequence[Trial], address: str, limit: float) -> list[Trial]:
    """Return the trials whose names have come to answer with `address` alone within `limit` seconds."""
    give_up = time.monotonic() + limit
    rest, done = list(trials), []
    while rest and time.monotonic() < give_up:
        found = await asyncio.gather(*(survey.names(trial.cell) for trial in rest))
        done += [trial for trial, names in zip(rest, found, strict=True) if names.values == (address,)]
        rest = [trial for trial, names in zip(rest, found, strict=True) if names.values != (address,)]
        await asyncio.sleep(LOOK_INTERVAL)
    return done
