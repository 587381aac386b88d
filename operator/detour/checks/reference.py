"""Reference checks: whether this vantage can see at all, asked of servers that somebody named for that.

Only who has answered lately counts. A reference that never does, behind a firewall or with a mistake in its address,
tells nothing of the moment at which everything seems to fail; so it would keep every failover from being made.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from detour.enactment.asking import split_server

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 1.0
"""Seconds for one server to accept a connection."""

LOOK_PERIOD = 60.0
"""Seconds between two looks at the servers while nothing is wrong."""

LATELY = 300.0
"""Seconds for which it counts that a reference answered."""

K = TypeVar("K", bound=Hashable)


class Counting(Generic[K]):
    """Which references count: those that answered lately, before they ceased to."""

    def __init__(self) -> None:
        self._before: frozenset[K] | None = None

    def of(self, answered_lately: Iterable[K]) -> frozenset[K]:
        """Return those that count now; while they fail they go on counting, however long that is ago."""
        return frozenset(answered_lately) if self._before is None else self._before

    def asked(self, counted: frozenset[K], *, passed: bool) -> bool:
        """Take note of a round, and return whether it passed."""
        self._before = None if passed else counted
        return passed


class References:
    """The servers (`address:port`) that the operator's settings name as references. `clock` gives seconds."""

    def __init__(self, servers: Sequence[str], clock: Callable[[], float]) -> None:
        self._servers = tuple(servers)
        self._clock = clock
        self._accepted_at: dict[str, float] = {}
        self._counting: Counting[str] = Counting()
        self._told: frozenset[str] = frozenset()

    async def watch(self) -> None:
        """Look at the servers now and then until cancelled, and say which of them accept no connection."""
        while True:
            await self._ask(self._servers)
            silent = frozenset(self._servers) - self._accepted_lately()
            if silent - self._told:
                logger.warning(
                    "reference checks: %s accept no connection from here, so they say nothing of whether this vantage "
                    "sees: correct the setting, or permit the connection",
                    ", ".join(sorted(silent)),
                )
            self._told = silent
            await asyncio.sleep(LOOK_PERIOD)

    async def pass_now(self) -> bool:
        """Tell whether most of those that count accept a connection now; or none counts."""
        counted = self._counting.of(self._accepted_lately())
        accepted = await self._ask(sorted(counted))
        return self._counting.asked(counted, passed=not counted or 2 * accepted > len(counted))

    def _accepted_lately(self) -> frozenset[str]:
        since = self._clock() - LATELY
        return frozenset(server for server, at in self._accepted_at.items() if at >= since)

    async def _ask(self, servers: Sequence[str]) -> int:
        accepted = await asyncio.gather(*(_accepts(each) for each in servers))
        now = self._clock()
        self._accepted_at |= {server: now for server, does in zip(servers, accepted, strict=True) if does}
        return sum(accepted)


async def _accepts(server: str) -> bool:
    try:
        address, port = split_server(server)
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError, ValueError, OverflowError):  # the last two: a text that is no address and port
        return False
    writer.close()
    return True
