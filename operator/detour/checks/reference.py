"""Reference checks: whether this vantage can see at all, asked of servers that somebody named for that."""

import asyncio
from collections.abc import Sequence

from detour.enactment.asking import split_server

CONNECT_TIMEOUT = 1.0
"""Seconds for one server to accept a connection."""


async def most_accept(servers: Sequence[str]) -> bool:
    """Tell whether more than half of `servers` (`address:port`) accept a TCP connection."""
    accepted = await asyncio.gather(*(_accepts(each) for each in servers))
    return 2 * sum(accepted) > len(servers)


async def _accepts(server: str) -> bool:
    try:
        address, port = split_server(server)
        async with asyncio.timeout(CONNECT_TIMEOUT):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError, ValueError, OverflowError):  # the last two: a text that is no address and port
        return False
    writer.close()
    return True
