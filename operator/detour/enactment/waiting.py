"""Waiting for news, but not for ever, and for several things at once."""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

Result = TypeVar("Result")


async def news_within(news: asyncio.Event, seconds: float | None) -> None:
    """Return once there is `news`, or after `seconds` (None: however long it takes).

    `asyncio.wait_for` would do, were it not for a cancellation that comes together with the news: until Python 3.12 it
    takes the news and forgets that it was cancelled.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await news.wait()


async def together(work: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Return what each of these gives; they run side by side, and one alone without a task of its own."""
    return [await work[0]] if len(work) == 1 else list(await asyncio.gather(*work))
