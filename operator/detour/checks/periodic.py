"""Work that repeats per key, at times that each result decides: two heaps, one timer, a task per piece of work in hand.

100,000 keys cost 100,000 small heap entries, not tasks. Time is the running event loop's, so that a loop with a virtual
clock drives it as well. When more is due than may be in flight, what is urgent goes before what is not, and of each the
longest overdue first; but one place in four is for what is not urgent, where any of it is due.
"""

import asyncio
import heapq
import itertools
import logging
import math
import random
import traceback
from collections.abc import Awaitable, Callable, Hashable, Iterator
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")

RETRY_AFTER_ERROR = 10.0
"""Seconds until a key is tried again whose work or result raised."""

TIMER_SLACK = 1e-3
"""Seconds by which a key counts as due too early: event loops round their timers, some to milliseconds."""

URGENT_IN_A_ROW = 3
"""Urgent runs that begin before one that is not, where both are due."""

MOST_COUNTED = 1000
"""Keys that wait which are counted at most: how many more they are nobody needs to know."""

STANDSTILL = 1.0
"""Seconds by which a timer comes late where the process itself has stood still: stopped, suspended, or out of CPU."""


_Item = tuple[float, int, K]
"""When a key is due, the number of its entry then, and the key."""


class _Entry:
    """`number` tells the one valid heap item of a key from those that were replaced.

    `began_at` is when the run under way did, `is_urgent` is said of the next one.
    """

    __slots__ = ("again", "began_at", "is_urgent", "number", "removed", "running")

    def __init__(self, *, is_urgent: bool) -> None:
        self.number = -1
        self.began_at = 0.0
        self.is_urgent = is_urgent
        self.running = False
        self.removed = False
        self.again = False


class Periodic(Generic[K, R]):
    """Runs `run(key)` for every key, again and again, at most `in_flight` at once and never twice for one key.

    `on_result(key, result, started)` returns the seconds from the start of this run until the next one; a run that took
    longer is followed at once. An exception in either is logged and the key tried again after RETRY_AFTER_ERROR.
    All methods belong to the thread of one event loop. `stood_still_until` is when the process last went on after it
    had stood still (the loop's seconds): what was under way then was not attended to.
    """

    def __init__(
        self,
        run: Callable[[K], Awaitable[R]],
        *,
        on_result: Callable[[K, R, float], float],
        in_flight: int,
        random: random.Random,
    ) -> None:
        if in_flight < 1:
            raise ValueError(f"in_flight is {in_flight}; at least one run must be possible at a time")
        self._run = run
        self._on_result = on_result
        self._limit = in_flight
        self._random = random
        self._entries: dict[K, _Entry] = {}
        self._urgent: list[_Item[K]] = []
        self._settled: list[_Item[K]] = []
        self._urgent_in_a_row = 0
        self._numbers = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0
        self._closed = asyncio.Event()
        self._active = False
        self.stood_still_until = float("-inf")

    def __len__(self) -> int:
        return sum(not entry.removed for entry in self._entries.values())

    def __contains__(self, key: K) -> bool:
        entry = self._entries.get(key)
        return entry is not None and not entry.removed

    def __iter__(self) -> Iterator[K]:
        return iter([key for key, entry in self._entries.items() if not entry.removed])

    @property
    def in_flight(self) -> int:
        """Runs under way."""
        return len(self._tasks)

    @property
    def overdue(self) -> int:
        """Keys that are due and wait for a place, as far as they are counted (MOST_COUNTED).

        Grows where `in_flight` is too small for the load.
        """
        urgent = self._due_in(self._urgent, MOST_COUNTED)
        return urgent + self._due_in(self._settled, MOST_COUNTED - urgent)

    def _due_in(self, heap: list["_Item[K]"], at_most: int) -> int:
        now = asyncio.get_running_loop().time()
        count, places = 0, [0]
        while places and count < at_most:  # only the top of the heap, where the due items are
            place = places.pop()
            if place < len(heap) and heap[place][0] <= now:
                count += self._is_valid(heap[place])
                places += (2 * place + 1, 2 * place + 2)
        return count

    @property
    def lateness(self) -> float:
        """Seconds that the longest waiting key is overdue; 0 where none is."""
        return max(self.urgent_lateness, self.settled_lateness)

    @property
    def urgent_lateness(self) -> float:
        """Seconds that the longest waiting key is overdue of those that are urgent; 0 where none is."""
        return self._late_in(self._urgent)

    @property
    def settled_lateness(self) -> float:
        """Seconds that the longest waiting key is overdue of those that are not urgent; 0 where none is."""
        return self._late_in(self._settled)

    def _late_in(self, heap: list["_Item[K]"]) -> float:
        self._drop_replaced(heap)
        return max(0.0, asyncio.get_running_loop().time() - heap[0][0]) if heap else 0.0

    def add(self, key: K, *, within: float = 0.0, is_urgent: bool = False) -> None:
        """Add `key`, to run first at a random moment within so many seconds. A key that is there stays as it is."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.removed = False  # it came back while its last run is under way
            return
        entry = self._entries[key] = _Entry(is_urgent=is_urgent)
        self._schedule(key, entry, asyncio.get_running_loop().time() + self._random.random() * within)
        self._arm()

    def discard(self, key: K) -> None:
        """Remove `key` if it is there. The result of a run under way is dropped."""
        entry = self._entries.get(key)
        if entry is None:
            return
        if entry.running:
            entry.removed = True
            return
        del self._entries[key]
        self._compact()

    def hasten(self, key: K, *, unless_since: float = math.inf) -> None:
        """Make `key` due now, and urgent; where a run is under way, once more after it. Unknown keys are ignored.

        A run under way that began at `unless_since` or later is as good (the loop's seconds).
        """
        entry = self._entries.get(key)
        if entry is None or entry.removed:
            return
        if entry.running:
            entry.again = entry.again or entry.began_at < unless_since
            return
        entry.is_urgent = True
        self._schedule(key, entry, asyncio.get_running_loop().time())
        self._arm()

    def keep_pace(self, key: K) -> None:
        """Let the run of `key` that ends just now be followed by an urgent one, and not at once, whoever asked."""
        if (entry := self._entries.get(key)) is not None:
            entry.again = False
            entry.is_urgent = True

    async def run(self) -> None:
        """Work until `close` or until cancelled; no run is under way after that."""
        self._active = True
        self._arm()
        try:
            await self._closed.wait()
        finally:
            self._active = False
            if self._timer is not None:
                self._timer.cancel()
            tasks = tuple(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def limit(self) -> int:
        """How many runs may be under way at once."""
        return self._limit

    def limit_to(self, in_flight: int) -> None:
        """Let at most so many runs, 1 or more, be under way from now on; more that are under way already go on."""
        self._limit = max(1, in_flight)
        self._pump()

    def close(self) -> None:
        """Make `run` return, cancelling the runs under way."""
        self._closed.set()

    def _schedule(self, key: K, entry: _Entry, due: float) -> None:
        entry.number = next(self._numbers)
        heapq.heappush(self._urgent if entry.is_urgent else self._settled, (due, entry.number, key))
        self._compact()

    def _is_valid(self, item: "_Item[K]") -> bool:
        entry = self._entries.get(item[2])
        return entry is not None and entry.number == item[1]

    def _drop_replaced(self, heap: list["_Item[K]"]) -> None:
        while heap and not self._is_valid(heap[0]):
            heapq.heappop(heap)

    def _compact(self) -> None:
        if len(self._urgent) + len(self._settled) > 2 * len(self._entries) + 64:
            for heap in (self._urgent, self._settled):
                heap[:] = [item for item in heap if self._is_valid(item)]
                heapq.heapify(heap)

    def _arm(self) -> None:
        """See to it that `_pump` runs when the next key is due; a full house is pumped by whoever leaves it."""
        if not self._active or len(self._tasks) >= self._limit:
            return
        due = min(heap[0][0] if heap else math.inf for heap in (self._urgent, self._settled))
        if due == math.inf:
            return
        if self._timer is not None:
            if self._timer_at <= due:
                return
            self._timer.cancel()
        self._timer_at = due
        self._timer = asyncio.get_running_loop().call_at(due, self._pump_on_time)

    def _pump_on_time(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._timer is not None and now - self._timer_at > STANDSTILL:
            self.stood_still_until = now
        self._timer = None
        self._pump()

    def _pump(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time() + TIMER_SLACK
        while self._active and len(self._tasks) < self._limit:
            heap = self._next_heap(now)
            if heap is None:
                break
            _, _, key = heapq.heappop(heap)
            entry = self._entries[key]
            entry.running = True
            entry.began_at = loop.time()
            task = loop.create_task(self._work(key, entry))
            self._tasks.add(task)
            task.add_done_callback(self._leave)
        self._arm()

    def _next_heap(self, now: float) -> list["_Item[K]"] | None:
        """Return the heap whose first key is the next to run, None where none is due."""
        is_urgent, is_settled = self._is_due(self._urgent, now), self._is_due(self._settled, now)
        if is_urgent and is_settled:
            is_urgent = self._urgent_in_a_row < URGENT_IN_A_ROW
            self._urgent_in_a_row = self._urgent_in_a_row + 1 if is_urgent else 0
        return self._urgent if is_urgent else self._settled if is_settled else None

    def _is_due(self, heap: list["_Item[K]"], now: float) -> bool:
        self._drop_replaced(heap)
        return bool(heap) and heap[0][0] <= now

    def _leave(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._pump()

    async def _work(self, key: K, entry: _Entry) -> None:
        loop = asyncio.get_running_loop()
        started = entry.began_at = loop.time()
        delay = RETRY_AFTER_ERROR
        try:
            result = await self._run(key)
            entry.is_urgent = False
            if not entry.removed:
                delay = self._on_result(key, result, started)
        except asyncio.CancelledError:
            if not self._active:
                raise
            _log.error("a periodic run cancelled itself; it is tried again in %g s", RETRY_AFTER_ERROR)
        except Exception as error:
            # The stack, not the exception's text: that may quote a target, with the headers of its request
            kind, stack = type(error).__qualname__, "".join(traceback.format_tb(error.__traceback__))
            _log.error("a periodic run ended in %s; it is tried again in %g s\n%s", kind, RETRY_AFTER_ERROR, stack)
        finally:
            entry.running = False
        if entry.removed:
            del self._entries[key]
            return
        now = loop.time()
        due = now if entry.again else max(started + delay, now)
        entry.is_urgent |= entry.again
        entry.again = False
        self._schedule(key, entry, due)
