"""Waiting on the virtual clock: what is waited for is looked at whenever anything has happened, never in between."""

import asyncio
from collections.abc import Callable

from detour.twin.loop import VirtualLoop


async def until(condition: Callable[[], object], within: float = 60.0) -> float:
    """Wait until `condition` holds, and return the (virtual) seconds that took. Raises TimeoutError after `within`."""
    loop = _loop()
    began = loop.time()
    if not await loop.comes_true(condition, within=within):
        raise TimeoutError(f"not within {within} s")
    return loop.time() - began


async def holds(condition: Callable[[], object], seconds: float) -> bool:
    """Tell whether `condition` holds at every moment of so many (virtual) seconds; return early where it does not."""
    return not await _loop().comes_true(lambda: not condition(), within=seconds)


def _loop() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise TypeError("this clock is not virtual")
    return loop
