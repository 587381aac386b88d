"""The engine's clock: seconds that never jump, and what they mean on the wall."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`now` gives monotonic seconds for every decision, `wall` the seconds since the Unix epoch for people."""

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time

    def on_the_wall(self, at: float) -> float:
        """Return the engine time `at` in seconds since the Unix epoch."""
        return self.wall() + (at - self.now())

    def from_the_wall(self, at: float) -> float:
        """Return the engine time of `at` (seconds since the Unix epoch); the future counts as now."""
        return min(self.now(), self.now() + (at - self.wall()))
