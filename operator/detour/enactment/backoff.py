"""Errors of a provider, one after the other: how long to wait, and what to tell."""

from collections.abc import Callable

from detour.enactment.budget import FAILOVER_PATIENCE, ZoneBudget
from detour.enactment.contract import ProviderError, Scope, ThrottledError
from detour.enactment.delivery import Tally
from detour.enactment.wishes import Explanation

FIRST_BACKOFF = 0.25
LONGEST_BACKOFF = 30.0
"""Seconds to wait after an error: doubling from the first to the longest."""


class Backoff:
    """What went wrong last in one zone, and until when to wait for it. Times are engine seconds.

    `on_change` is called when `trouble` is another one than before.
    """

    def __init__(
        self, tally: Tally, *, clock: Callable[[], float], random: Callable[[], float], on_change: Callable[[], None]
    ) -> None:
        self._tally = tally
        self._clock = clock
        self._random = random
        self._on_change = on_change
        self._backoff = 0.0
        self._retry_at = 0.0
        self.trouble: Explanation | None = None

    @property
    def delay(self) -> float:
        """The seconds for which nothing is to be tried."""
        return max(0.0, self._retry_at - self._clock())

    def met(self, error: ProviderError, budget: ZoneBudget) -> float:
        """Note `error`; return the seconds to wait before the next step. What throttles us pauses the whole account."""
        self._tally.errors += 1
        self._backoff = min(LONGEST_BACKOFF, max(FIRST_BACKOFF, self._backoff * 2))
        delay = self._backoff * (0.5 + self._random() / 2)
        if isinstance(error, ThrottledError):
            self._tally.throttled += 1
            asked = error.retry_after if error.retry_after is not None else delay
            if error.scope is Scope.ACCOUNT:
                budget.account.pause(asked)  # after FAILOVER_PATIENCE nothing but a failover is let through by it
            delay = min(FAILOVER_PATIENCE, asked)
        self._retry_at = self._clock() + delay
        self._set(Explanation(error.reason, str(error)))
        return delay

    def wait_until(self, at: float) -> None:
        """Try nothing before `at`."""
        self._retry_at = max(self._retry_at, at)

    def over(self) -> None:
        """A step has succeeded."""
        self._backoff = 0.0
        self._set(None)

    def reset(self) -> None:
        """Try again at once: the circumstances are others."""
        self._backoff = self._retry_at = 0.0

    def _set(self, trouble: Explanation | None) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self._on_change()
