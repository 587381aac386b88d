"""Turns with growing pauses: what fails is tried again later and later, and keeps nobody else waiting."""

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Turns(Generic[Key]):
    """Says whose turn it is. Pauses in seconds of `clock`, doubling from `first` to `longest` for each failure."""

    def __init__(self, *, first: float, longest: float, clock: Callable[[], float]) -> None:
        self._first = first
        self._longest = longest
        self._clock = clock
        self._paused: dict[Key, tuple[float, float]] = {}  # until when, and how long the next pause is

    def is_due(self, key: Key) -> bool:
        """Tell whether `key` may be tried now."""
        return self._clock() >= self._paused.get(key, (0.0, 0.0))[0]

    def failed(self, key: Key) -> bool:
        """`key` has to wait; True where this is its first failure since it last went well."""
        is_first = key not in self._paused
        pause = self._first if is_first else self._paused[key][1]
        self._paused[key] = (self._clock() + pause, min(self._longest, pause * 2))
        return is_first

    def went_well(self, key: Key) -> None:
        """`key` waits for nothing any more."""
        self._paused.pop(key, None)

    def next_in(self, keys: Iterable[Key]) -> float | None:
        """Return the seconds until the first of `keys` may be tried, None where there is none."""
        now = self._clock()
        return min((max(0.0, self._paused.get(key, (now, 0.0))[0] - now) for key in keys), default=None)
