"""Waiting for news, but not for ever."""

import asyncio
import contextlib


async def news_within(news: asyncio.Event, seconds: float | None) -> None:
    """Return once there is `news`, or after `seconds` (None: however long it takes).

    `asyncio.wait_for` would do, were it not for a cancellation that comes together with the news: until Python 3.12 it
    takes the news and forgets that it was cancelled.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await news.wait()
