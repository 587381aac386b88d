"""Whether this prober sees anything, by all its checks together."""

from collections.abc import Callable

from detour.model.checks import Target

BLIND_AFTER = 15.0
"""Seconds without a check that passes, after which a prober of which all checks fail is blind."""

SEEN_LATELY = 60.0
"""Seconds for which a check that passed shows that this prober sees."""


class Sight:
    """Keeps when a check passed last, and what has failed since. `clock` gives engine seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._passed_at = clock()  # at first the start
        self._has_seen = False
        self._failed_since: set[Target] = set()

    def saw(self, target: Target, *, passed: bool) -> None:
        """A check of `target` told something."""
        if passed:
            self._passed_at, self._has_seen = self._clock(), True
            self._failed_since.clear()
        else:
            self._failed_since.add(target)

    def forget(self, target: Target) -> None:
        """Nobody asks for this target any more."""
        self._failed_since.discard(target)

    def is_blind(self, telling: Callable[[], int]) -> bool:
        """Tell whether nothing has passed for a while, and as many targets as tell anything have failed since."""
        if not self._failed_since or self._clock() - self._passed_at < BLIND_AFTER:
            return False
        return len(self._failed_since) >= telling()

    @property
    def has_ever_seen(self) -> bool:
        """Tell whether any check has passed since this process began."""
        return self._has_seen

    def has_seen(self) -> bool:
        """Tell whether a check passed lately."""
        return self._has_seen and self._clock() - self._passed_at <= SEEN_LATELY
