"""Faults on demand, for one call or one zone of an emulated API.

The most telling one is RESET_AFTER: the change was applied, but its answer is lost. A Hold is for stories that need one
certain call to arrive late: it keeps that call on its way until it is told to let go.
"""

import asyncio
import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

ANY = "*"


class FaultKind(enum.StrEnum):
    """What goes wrong."""

    LATENCY = "latency"  # the answer comes `seconds` later; the change is applied after the wait
    HANG = "hang"  # nothing happens until the fault is removed; then the call is carried out
    THROTTLE = "throttle"
    SERVER_ERROR = "server-error"
    RESET_BEFORE = "reset-before"  # the connection breaks, nothing was applied
    RESET_AFTER = "reset-after"  # the connection breaks, the change was applied
    APPLY_LATE = "apply-late"  # the connection breaks at once, the change is applied `seconds` later


@dataclass(slots=True)
class Fault:
    """A fault for calls of `operation` (the API's own name for it) on zone `domain`, `times` times (None: for ever).

    `over` is set when it is removed.
    """

    kind: FaultKind
    operation: str = ANY
    domain: str = ANY
    seconds: float = 0.0
    times: int | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False, compare=False)

    def fits(self, operation: str, domain: str) -> bool:
        return self.operation in (ANY, operation) and self.domain in (ANY, domain) and self.times != 0


class Hold:
    """Keeps the first call of `operation` whose body contains `containing` on its way, until `let_go`.

    The call was received whole and its sender waits for the answer, or doesn't any more: it is carried out all the
    same, as late as it then is.
    """

    def __init__(self, operation: str, *, containing: bytes = b"") -> None:
        self.operation = operation
        self._containing = containing
        self._caught: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._released = asyncio.Event()
        self._landed: asyncio.Future[web.StreamResponse] = asyncio.get_running_loop().create_future()

    async def caught(self) -> bytes:
        """Wait until a call was caught, and return its body."""
        return await asyncio.shield(self._caught)

    def let_go(self) -> None:
        """Let the call be carried out now, or at once where none was caught yet."""
        self._released.set()

    async def landed(self) -> web.StreamResponse:
        """Wait until the call was carried out, and return what the API answered."""
        return await asyncio.shield(self._landed)

    async def keep(
        self, request: web.Request, operation: str, handle: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse | None:
        """Carry out a call that is to be held once it may go on; None for any other call, which is left alone."""
        if self._caught.done() or operation != self.operation:
            return None
        body = await request.read()
        if self._containing not in body or self._caught.done():
            return None
        self._caught.set_result(body)
        await self._released.wait()
        answer = await handle()
        self._landed.set_result(answer)
        return answer


class Faults:
    """The faults in force at one emulated API."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._holds: list[Hold] = []
        self._late: set[asyncio.Task[object]] = set()

    def inject(self, fault: Fault) -> Fault:
        """Put `fault` into force and return it; `remove` takes it away again."""
        self._faults.append(fault)
        return fault

    def hold(self, operation: str, *, containing: bytes = b"") -> Hold:
        """Catch the next such call (see Hold), before any fault meets it."""
        held = Hold(operation, containing=containing)
        self._holds.append(held)
        return held

    def remove(self, fault: Fault) -> None:
        """Take `fault` away. Raises ValueError where it is not in force."""
        left = [each for each in self._faults if each is not fault]
        if len(left) == len(self._faults):
            raise ValueError(f"{fault} is not in force")
        self._faults = left
        fault.over.set()

    def clear(self) -> None:
        """Take all faults away, and let go of what is held."""
        for fault in tuple(self._faults):
            self.remove(fault)
        for held in self._holds:
            held.let_go()
        self._holds.clear()

    def draw(self, operation: str, domain: str) -> list[Fault]:
        """Return the faults that this call meets, counting it against their `times`."""
        drawn = [fault for fault in self._faults if fault.fits(operation, domain)]
        for fault in drawn:
            if fault.times is not None:
                fault.times -= 1
        return drawn

    async def around(
        self,
        request: web.Request,
        operation: str,
        domain: str,
        *,
        handle: Callable[[], Awaitable[web.StreamResponse]],
        throttled: Callable[[], web.StreamResponse],
        server_error: Callable[[], web.StreamResponse],
    ) -> web.StreamResponse:
        """Run `handle` under the faults that fit; `throttled` and `server_error` make the API's own error bodies."""
        for hold in list(self._holds):
            if (kept := await hold.keep(request, operation, handle)) is not None:
                return kept
        drawn = {fault.kind: fault for fault in self.draw(operation, domain)}
        if latency := drawn.get(FaultKind.LATENCY):
            await asyncio.sleep(latency.seconds)
        if hang := drawn.get(FaultKind.HANG):
            await hang.over.wait()
        if FaultKind.THROTTLE in drawn:
            return throttled()
        if FaultKind.SERVER_ERROR in drawn:
            return server_error()
        if FaultKind.RESET_BEFORE in drawn:
            return _reset(request)
        if late := drawn.get(FaultKind.APPLY_LATE):
            task: asyncio.Task[object] = asyncio.ensure_future(_apply_late(late.seconds, handle))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            return _reset(request)
        response = await handle()
        return _reset(request) if FaultKind.RESET_AFTER in drawn else response


async def _apply_late(seconds: float, handle: Callable[[], Awaitable[web.StreamResponse]]) -> object:
    await asyncio.sleep(seconds)
    return await handle()


def _reset(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
