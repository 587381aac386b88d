"""When garbage is collected: a little at a time, so that the event loop does not stand still for it.

Left to itself CPython looks through every object whenever a quarter more have come to live long: with 3,000 names that
takes 0.3 s, during which no check ends and no name moves, and a sixth of all CPU while the names come in. Most of what
lives long here does so until its record goes, and is freed without a collector. So what has come to live long is looked
through once, and then set apart (`gc.freeze`). All is looked through again only where twice as much is set apart as
at the last time, and nothing else is to be done.
"""

import asyncio
import gc
from collections.abc import Callable

YOUNG = 5_000
"""Objects that come to be, beside those that went, between two looks through the young ones (`gc.set_threshold`)."""

MIDDLE = 10
"""Looks through the young ones between two looks through those that survived one."""

NEVER = 2**31 - 1

PERIOD = 0.25
"""Seconds between two looks at whether there is something to set apart."""

SETTLED_AFTER = 240
"""Looks in a row that find nothing else to do, after which all may be looked through."""

FEW = 500_000
"""Objects that may always be set apart: to look through them takes some 0.1 s."""


def must_look_through(apart: int, at_last: int) -> bool:
    """Tell whether so many more objects are set apart than at the last look through all that some may be garbage."""
    return apart > 2 * at_last + FEW


class GarbageCollection:
    """Collects garbage while it runs; `is_busy` tells whether there is work that a look through all would hold up."""

    def __init__(self, is_busy: Callable[[], bool]) -> None:
        self._is_busy = is_busy
        self._quiet_looks = 0
        self._at_last: int | None = None  # objects that were set apart

    async def run(self) -> None:
        """Collect until cancelled; then CPython does as it did before."""
        before = gc.get_threshold()
        gc.set_threshold(YOUNG, MIDDLE, NEVER)
        try:
            while True:
                await asyncio.sleep(PERIOD)
                self.look()
        finally:
            gc.set_threshold(*before)
            gc.unfreeze()

    def look(self) -> None:
        """Set apart what has come to live long; look through all where that is due."""
        if gc.get_count()[2]:
            gc.collect()
            gc.freeze()
        self._quiet_looks = 0 if self._is_busy() else self._quiet_looks + 1
        if self._quiet_looks < SETTLED_AFTER:
            return
        self._quiet_looks = 0
        apart = gc.get_freeze_count()
        if self._at_last is None:
            self._at_last = apart  # what came at the start is not garbage
        if must_look_through(apart, self._at_last):
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self._at_last = gc.get_freeze_count()
