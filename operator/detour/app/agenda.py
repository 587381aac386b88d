"""Which records are to be planned, and when: now, with everything else that is due, or at a time of their own."""

import asyncio
from collections.abc import Callable, Hashable, Iterable

from detour.model.record import ObjectKey


class Agenda:
    """Gathers records that are due and hands them to `sweep` together. `clock` gives the event loop's seconds."""

    def __init__(self, sweep: Callable[[tuple[ObjectKey, ...]], None], clock: Callable[[], float]) -> None:
        self._sweep = sweep
        self._clock = clock
        self._due: dict[ObjectKey, None] = {}  # in the order of their coming, so that a run can be repeated exactly
        self._next: asyncio.Handle | None = None
        self._alarms: dict[Hashable, asyncio.TimerHandle] = {}

    def add(self, keys: Iterable[ObjectKey]) -> None:
        """These records are due."""
        self._due.update(dict.fromkeys(keys))
        if self._due and self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._hand_over)

    def ring_at(self, name: Hashable, at: float, ring: Callable[[], None]) -> None:
        """Call `ring` at `at` (engine seconds), in place of what was to be called for `name` before."""
        self.silence(name)
        self._alarms[name] = asyncio.get_running_loop().call_later(max(0.0, at - self._clock()), ring)

    def silence(self, name: Hashable) -> None:
        """Call nothing for `name`."""
        if alarm := self._alarms.pop(name, None):
            alarm.cancel()

    def _hand_over(self) -> None:
        self._next = None
        due, self._due = tuple(self._due), {}
        self._sweep(due)
