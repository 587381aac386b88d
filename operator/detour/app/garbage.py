"""When garbage is collected: a little at a time, so that the event loop does not stand still for it.

Left to itself CPython looks through every object whenever a quarter more have come to live long: with thousands of
names that takes a good part of a second, during which no check ends and no name moves. Most of what lives long here
does so until its record goes, and is freed without a collector. So what has come to live long is looked through once,
and then set apart (`gc.freeze`). All is looked through again only where the process has grown much since the last time,
in a quiet minute if there is one.
"""

import asyncio
import gc
import resource
from collections.abc import Callable
from pathlib import Path

YOUNG = 5_000
"""Objects that come to be, beside those that went, between two looks through the young ones (`gc.set_threshold`)."""

MIDDLE = 10
"""Looks through the young ones between two looks through those that survived one."""

NEVER = 2**31 - 1

PERIOD = 0.25
"""Seconds between two looks at whether there is something to set apart."""

LOOKS_A_MINUTE = 240

ROOM = 100
"""Megabytes by which the process may always grow: to look through so much takes some 0.1 s."""

STATM = Path("/proc/self/statm")


def must_look_through(now: float, at_last: float, *, is_quiet: bool) -> bool:
    """Tell whether the process (in megabytes) has grown so much since the last look through all that it may be garbage.

    A third is reason enough for a quiet moment; where none comes it is twice as much.
    """
    return now > (4 / 3 if is_quiet else 2) * at_last + ROOM


def megabytes() -> float:
    """Return how much memory the process has; 0 where that is not told, so that nothing is looked through."""
    try:
        return int(STATM.read_text().split()[1]) * resource.getpagesize() / 1e6
    except (OSError, ValueError, IndexError):
        return 0.0


class GarbageCollection:
    """Collects garbage while it runs.

    `is_busy` tells whether there is work that a look through all would hold up, `memory` the megabytes of the process.
    """

    def __init__(self, is_busy: Callable[[], bool], memory: Callable[[], float] = megabytes) -> None:
        self._is_busy = is_busy
        self._memory = memory
        self._looks = self._quiet_looks = 0
        self._at_last: float | None = None

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
        """Set apart what has come to live long; look through all where that is due, which is seen once a minute."""
        if gc.get_count()[2]:
            gc.collect()
            gc.freeze()
        self._looks += 1
        self._quiet_looks = 0 if self._is_busy() else self._quiet_looks + 1
        if self._looks < LOOKS_A_MINUTE:
            return
        is_quiet = self._quiet_looks >= LOOKS_A_MINUTE
        self._looks = 0
        now = self._memory()
        if self._at_last is None:
            self._at_last = now if is_quiet else None  # what came at the start is not garbage
        elif must_look_through(now, self._at_last, is_quiet=is_quiet):
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self._at_last = self._memory()
