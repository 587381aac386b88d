"""Token buckets, as the emulated clouds meter their callers.

A bucket holds up to `burst` tokens and gains `rate` of them per second. A call that asks for more than there is takes
nothing and learns how long to wait, so that an emulator can refuse it and name a Retry-After.
"""

from collections.abc import Callable


class TokenBucket:
    """`rate` in tokens per second (above 0), `burst` in tokens (at least 1); `clock` gives seconds, never backwards."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError(f"a token bucket needs a rate above 0 and a burst of at least 1, not {rate} and {burst}")
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._tokens = burst
        self._filled_at = clock()

    def take(self, count: float = 1) -> float:
        """Take `count` tokens and return 0.0, or take none and return the seconds until that many are there.

        More than `burst` tokens never come together: such a call waits for ever (`math.inf`).
        """
        now = self._clock()
        self._tokens = min(self.burst, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        if count > self.burst:
            return float("inf")
        if count <= self._tokens:
            self._tokens -= count
            return 0.0
        return (count - self._tokens) / self.rate
