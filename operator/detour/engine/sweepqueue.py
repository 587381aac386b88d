"""When the next sweep is, and which records it plans: now, with all else that is due, or at a time of their own."""

import asyncio
from collections.abc import Callable, Hashable, Iterable

from detour.model.record import ObjectKey


class SweepQueue:
    """Calls `sweep` once there is something to do, which takes what is due. `clock` gives the event loop's seconds.

    A sweep begins `pause` seconds after there is, on virtual clocks, where work takes no time by itself.
    """

    def __init__(self, sweep: Callable[[], None], clock: Callable[[], float], *, pause: float = 0.0) -> None:
        self._pause = pause
        self._sweep = sweep
        self._clock = clock
        self._due: dict[ObjectKey, None] = {}  # in the order of their coming, so that a run can be repeated exactly
        self._news: dict[ObjectKey, None] = {}
        self._next: asyncio.Handle | None = None
        self._alarms: dict[Hashable, asyncio.TimerHandle] = {}

    def add(self, keys: Iterable[ObjectKey]) -> None:
        """These records are due."""
        added = dict.fromkeys(keys)
        self._due |= added
        self._news |= added
        if self._due:
            self.wake()

    def wake(self) -> None:
        """There is something to do, if not for records that are due already."""
        if self._next is None:
            loop = asyncio.get_running_loop()
            self._next = loop.call_later(self._pause, self._begin) if self._pause else loop.call_soon(self._begin)

    def take(self) -> tuple[ObjectKey, ...]:
        """Return the records that are due, in the order in which they came to be."""
        due, self._due = tuple(self._due), {}
        self._news = {}
        return due

    def take_news(self) -> tuple[ObjectKey, ...]:
        """Return the records that have come to be due, or have again, since this was asked or all were taken."""
        news, self._news = tuple(self._news), {}
        return news

    @property
    def is_empty(self) -> bool:
        """Tell whether no record is due."""
        return not self._due

    def strike(self, key: ObjectKey) -> bool:
        """Take a record off those that are due; True where it was."""
        was_due = key in self._due
        self._due.pop(key, None)
        return was_due

    def ring_at(self, name: Hashable, at: float, ring: Callable[[], None]) -> None:
        """Call `ring` at `at` (engine seconds), in place of what was to be called for `name` before."""
        self.silence(name)
        self._alarms[name] = asyncio.get_running_loop().call_later(max(0.0, at - self._clock()), ring)

    def silence(self, name: Hashable) -> None:
        """Call nothing for `name`."""
        if alarm := self._alarms.pop(name, None):
            alarm.cancel()

    def _begin(self) -> None:
        self._next = None
        self._sweep()
