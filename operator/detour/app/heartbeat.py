"""How late the event loop is: while it stands still, no check ends and no name moves."""

import asyncio
from collections.abc import Callable

PERIOD = 0.25
"""Seconds between two measurements."""


class Heartbeat:
    """Measures by how many seconds the event loop comes late to what is due, and hands that to `observe`."""

    def __init__(self, observe: Callable[[float], None]) -> None:
        self._observe = observe

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PERIOD
            await asyncio.sleep(PERIOD)
            self._observe(max(0.0, loop.time() - due))
