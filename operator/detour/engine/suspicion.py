"""Panic: when most of what this vantage checks turns bad at once, the vantage is doubted before the world is.

Its own reference checks decide: the zones' authoritative servers by default. While they fail, nothing that the
verdicts ask for is written. They run the moment that the share of bad checks passes a zone's threshold, and again and
again while it stays there.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable

from detour.enactment.waiting import news_within
from detour.model.defects import told

logger = logging.getLogger(__name__)

PROMPT = 1.5
"""Seconds within which reference checks pass where this vantage sees. Those that take longer waited for it to see
again, and say nothing of what it found before."""

REFERENCE_PERIOD = 5.0
"""Seconds between two rounds of reference checks."""


class Suspicion:
    """Whether to believe this vantage. `clock` gives engine seconds.

    `bad_share` gives the share of checks that turned bad within so many seconds, `newest` when the last one did,
    `references` runs the reference checks once, `doubt` withdraws the bad verdicts formed since a time, and `on_change`
    is called when something that waits may be due.
    """

    def __init__(
        self,
        *,
        bad_share: Callable[[float], float],
        newest: Callable[[], float],
        references: Callable[[], Awaitable[bool]],
        on_change: Callable[[], None],
        doubt: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._bad_share = bad_share
        self._newest = newest
        self._references = references
        self._on_change = on_change
        self._doubt = doubt
        self._clock = clock
        self._cleared_at = float("-inf")  # what turned bad before was believed by a round that began then
        self._look_again = asyncio.Event()
        self._checking: asyncio.Task[None] | None = None
        self._blind_since = float("-inf")
        self.is_blind = False

    def covers(self, threshold: float, window: float) -> bool:
        """Tell whether what the checks of this vantage say must wait; it then finds out whether to believe them.

        `threshold` is a share of all checks, `window` in seconds.
        """
        if self._bad_share(window) <= threshold and not self.is_blind:
            return False
        if not self.is_blind and self._newest() < self._cleared_at:
            return False
        self._look_again.set()
        if self._checking is None:
            self._checking = asyncio.get_running_loop().create_task(self._check(threshold, window))
        return True

    def believes_before(self, threshold: float, window: float) -> float:
        """Return until when what turned bad is believed (engine seconds): infinity where there was not so much of it.

        `covers` has it found out whether to believe the rest.
        """
        is_much = self._bad_share(window) > threshold and self._newest() >= self._cleared_at
        return self._cleared_at if is_much else math.inf

    async def _check(self, threshold: float, window: float) -> None:
        try:
            while self.is_blind or self._bad_share(window) > threshold:
                self._look_again.clear()
                began_at = self._clock()
                passed = await self.sees() and self._clock() - began_at <= PROMPT
                if self.is_blind is passed:
                    self._turn(blind=not passed, window=window)
                if passed:
                    self._cleared_at = began_at
                self._on_change()
                await self._pause(cut_short=passed)
            self._on_change()  # what waits in zones with another threshold is looked at by a round of its own
        finally:
            self._checking = None

    async def sees(self) -> bool:
        """Run the reference checks; those that break prove nothing."""
        try:
            return await self._references()
        except Exception as error:  # a round that breaks has seen nothing, and ends no task
            logger.error("the reference checks of this vantage could not be run: %s", told(error))
            return False

    async def _pause(self, *, cut_short: bool) -> None:
        """Wait for the next round; what turns bad after a round that passed needs one of its own at once."""
        await news_within(self._look_again if cut_short else asyncio.Event(), REFERENCE_PERIOD)

    def _turn(self, *, blind: bool, window: float) -> None:
        """Whoever cannot see has no verdict: what it found bad is withdrawn when that shows, and again when it ends."""
        now = self._clock()
        if blind:
            self._blind_since = now
        self._doubt(min(now, self._blind_since) - window)
        self.is_blind = blind
        what = "fail too: nothing is written on its word" if blind else "pass again: it is believed"
        logger.warning("most checks of this vantage turned bad; its reference checks %s", what)
