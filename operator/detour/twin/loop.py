"""An event loop whose time passes only while everybody waits, with several processes on it.

A simulated process is a name for callbacks: whatever it starts carries it in the context. So a process can have a clock
that runs fast or slow, can be frozen in the middle of anything (its callbacks queue up until it thaws), and can end as
a killed process does: nothing of it runs any more, no `finally` and no answer.

There is no selector and there are no threads: minutes of virtual time take milliseconds, and the same callbacks come
in the same order every time.
"""

import asyncio
import contextvars
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

START = 1000.0
"""Seconds that the clock shows at first."""

TURN = 1e-6
"""Seconds that one turn takes: as with a real clock, no two turns of the loop happen at the same time."""

MOST_CALLBACKS = 300_000
"""Callbacks after which a run is taken for one that spins: twenty times what the longest needs."""

T = TypeVar("T")


class VirtualProcess:
    """Whose callbacks these are. `rate` is how fast its clock runs."""

    __slots__ = ("context", "ended", "frozen", "name", "parked", "rate")

    def __init__(self, name: str, rate: float = 1.0) -> None:
        self.name = name
        self.rate = rate
        self.frozen = False
        self.ended = False
        self.parked: list[asyncio.Handle] = []
        self.context = contextvars.Context()
        self.context.run(PROCESS.set, self)


PROCESS: contextvars.ContextVar[VirtualProcess | None] = contextvars.ContextVar("PROCESS", default=None)

OUTSIDE = contextvars.Context()
"""The context of what happens in no process: requests that travel, steps of a schedule."""


class _Handle(asyncio.Handle):
    """A callback that is to run: what asyncio's own has for debugging takes a third of the time to make one."""

    __slots__ = ()

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context | None,
    ) -> None:
        self._context = contextvars.copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None


class VirtualLoop(asyncio.AbstractEventLoop):
    """Minutes of virtual time take milliseconds. `errors` are the exceptions that nobody caught."""

    def __init__(self, *, most_callbacks: float = MOST_CALLBACKS) -> None:
        self.now = START
        self.callbacks = 0
        self._most_callbacks = most_callbacks
        self.errors: list[dict[str, Any]] = []
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.Handle]] = []
        self._places = itertools.count()
        self._stopping = False
        self._running = False
        self._closed = False
        self._mistake: BaseException | None = None
        self._awaited: list[tuple[Callable[[], object], asyncio.Future[bool]]] = []

    # -- time ------------------------------------------------------------------------------------------------------

    def time(self) -> float:
        process = PROCESS.get()
        return self.now if process is None else START + (self.now - START) * process.rate

    def call_soon(  # type: ignore[override]  # the base gives it type variables that say no more than this
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]  # one thread is all there is

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        """Call `callback` at `when` by the clock of the process that asks for it."""
        process = PROCESS.get()
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        due = when if process is None else START + (when - START) / process.rate
        heapq.heappush(self._timers, (due, next(self._places), handle))
        return handle

    def later(self, delay: float, callback: Callable[..., object], *args: Any) -> asyncio.Handle:
        """Call `callback` in `delay` seconds of true time, in no process."""
        handle = _Handle(callback, args, self, OUTSIDE)
        heapq.heappush(self._timers, (self.now + delay, next(self._places), handle))
        return handle

    async def comes_true(self, condition: Callable[[], object], *, within: float) -> bool:
        """Wait until `condition` holds, which is looked at whenever anything has happened; False after `within` s."""
        if condition():
            return True
        found: asyncio.Future[bool] = self.create_future()

        def give_up() -> None:
            if not found.done():
                found.set_result(False)

        self._awaited.append((condition, found))
        deadline = self.call_later(within, give_up)
        try:
            return await found
        finally:
            deadline.cancel()
            self._awaited = [each for each in self._awaited if each[1] is not found]

    def _look(self) -> None:
        for condition, found in self._awaited:
            if found.done():
                continue
            try:
                if condition():
                    found.set_result(True)
            except Exception as error:  # whoever waits is told, not the loop
                found.set_exception(error)

    # -- running ---------------------------------------------------------------------------------------------------

    def run_forever(self) -> None:
        """Run until `stop`. Raises RuntimeError where nothing will ever happen, or the run spins."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        self._running, self._stopping = True, False
        ready, timers = self._ready, self._timers
        try:
            while not self._stopping:
                if not ready:
                    self._leap()
                for _ in range(len(ready)):
                    handle = ready.popleft()
                    if handle._cancelled:
                        continue
                    process = handle._context.get(PROCESS)  # type: ignore[attr-defined]
                    if process is not None and (process.frozen or process.ended):
                        process.parked.append(handle)
                        continue
                    self.callbacks += 1
                    try:
                        handle._context.run(handle._callback, *handle._args)  # type: ignore[attr-defined]
                    except (SystemExit, KeyboardInterrupt):
                        raise
                    except BaseException as error:
                        told = f"exception in callback {handle._callback!r}"  # type: ignore[attr-defined]
                        self.call_exception_handler({"message": told, "exception": error, "handle": handle})
                if self._awaited:
                    self._look()
                self.now += TURN
                while timers and timers[0][0] <= self.now:
                    ready.append(heapq.heappop(timers)[2])
                if self._mistake is not None:
                    raise self._mistake
                if self.callbacks > self._most_callbacks:
                    raise RuntimeError(f"the run spins: {self.callbacks} callbacks by {self.now:.1f} s")
        finally:
            self._running = False
            asyncio._set_running_loop(before)

    def _leap(self) -> None:
        """Go to the next timer."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if not timers:
            raise RuntimeError("nothing will ever happen: the loop waits without a timer")
        due, _, handle = heapq.heappop(timers)
        self.now = max(self.now, due)
        self._ready.append(handle)

    def run_until_complete(self, future: Any) -> Any:
        """Run until `future` (an awaitable) is done and return its result."""
        task = asyncio.ensure_future(future, loop=self)
        task.add_done_callback(self._end_run)
        self.run_forever()
        task.remove_done_callback(self._end_run)
        return task.result()

    def _end_run(self, _: Any) -> None:
        self._stopping = True

    def stop(self) -> None:
        self._stopping = True

    def freeze(self, process: VirtualProcess) -> None:
        """Let no callback of `process` run from now on."""
        process.frozen = True

    def thaw(self, process: VirtualProcess) -> None:
        """Let `process` go on: with everything that fell due meanwhile, in order."""
        process.frozen = False
        self._ready.extend(process.parked)
        process.parked.clear()

    def end(self, process: VirtualProcess) -> None:
        """Let no callback of `process` run ever again."""
        process.ended = True

    def revive(self, process: VirtualProcess) -> None:
        """Let an ended process run once more, so that its tasks can be cancelled when all is over."""
        process.ended = False
        self.thaw(process)

    def drain(self) -> None:
        """Cancel every task and run until all are done.

        A process that is killed between the end of something and the news of it leaves a task that nobody wakes any
        more: its callbacks were dropped, as they should be. Such tasks are given up in silence.
        """
        for _ in range(50):
            tasks = [task for task in asyncio.all_tasks(self) if not task.done()]
            if not tasks:
                return
            for task in tasks:
                task.cancel()
            self.later(0.001, self.stop)
            self.run_forever()
        for task in asyncio.all_tasks(self):
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own way to say so

    # -- what asyncio asks of a loop -------------------------------------------------------------------------------

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: contextvars.Context | None = None
    ) -> asyncio.Task[T]:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        self._ready.clear()
        self._timers.clear()

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        return None

    async def shutdown_asyncgens(self) -> None:
        return None

    async def shutdown_default_executor(self) -> None:
        return None

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what went wrong in a process; what goes wrong outside is a mistake of the simulation, and ends it."""
        handle = context.get("handle")
        if handle is not None and handle._context.get(PROCESS) is None:
            self._mistake = context.get("exception")
            self._stopping = True
        else:
            self.errors.append(context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Called by asyncio; a cancelled timer is dropped when its time comes."""


class VirtualPolicy(asyncio.DefaultEventLoopPolicy):
    """Gives virtual loops."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return virtual_loop()


def virtual_loop(*, most_callbacks: float = MOST_CALLBACKS) -> VirtualLoop:
    """Return a new loop; a run of more than `most_callbacks` is taken for one that spins."""
    return VirtualLoop(most_callbacks=most_callbacks)  # type: ignore[abstract]  # files, sockets and signals are not there
