"""Until when the checks of a record that fail count for nothing, by two clocks."""

import math

LOOK_AGAIN = 60.0
"""Seconds after which a pause is looked at again: the clock by which people gave its end may have been set."""


class Pause:
    """A pause ends when the wall clock shows its end, and at the latest when as much time has passed as was left.

    So a clock that is set back keeps none alive. One that is over stays over, until another end is given.
    """

    __slots__ = ("_ends_at", "_look_again_at", "_until")

    def __init__(self) -> None:
        self._until: float | None = None
        self._ends_at = self._look_again_at = -math.inf

    def is_on(self, until: float | None, now: float, wall: float) -> bool:
        """Tell whether a pause with that end is on at `now` (engine seconds); the others in seconds since the epoch."""
        if until != self._until:
            self._until, self._ends_at = until, -math.inf if until is None else now + until - wall
        if until is None or now >= self._ends_at or wall >= until:
            self._ends_at = -math.inf
        self._look_again_at = min(self._ends_at, now + LOOK_AGAIN)
        return self._ends_at > now

    @property
    def until(self) -> float | None:
        """The end of the pause that was on when it was last asked for, None where none was."""
        return self._until if math.isfinite(self._ends_at) else None

    @property
    def look_again_at(self) -> float | None:
        """When to ask again (engine seconds), None where no pause was on."""
        return self._look_again_at if math.isfinite(self._ends_at) else None
