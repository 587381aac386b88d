"""How late the event loop is: while it stands still, no check ends and no name moves."""

import asyncio
import time
from collections.abc import Callable

PERIOD = 0.1
"""Seconds between two measurements."""


class Heartbeat:
    """Measures by how many seconds the event loop comes late to what is due, and hands that to `observe`.

    `observe_work` gets how much of that was work of its own at most, in seconds of its thread's CPU by `cpu`: the rest
    are other threads, other processes, and machines that are shared.
    """

    def __init__(
        self,
        observe: Callable[[float], None],
        observe_work: Callable[[float], None],
        *,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._observe = observe
        self._observe_work = observe_work
        self._cpu = cpu

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due, worked = loop.time() + PERIOD, self._cpu()
            await asyncio.sleep(PERIOD)
            late = max(0.0, loop.time() - due)
            self._observe(late)
            self._observe_work(min(late, self._cpu() - worked))
