"""Waiting for news: it ends by the news, by the time, and by a cancellation that comes together with the news."""

import asyncio

import pytest

from detour.enactment.waiting import news_within


async def test_news_end_the_waiting_and_so_does_the_time() -> None:
    news = asyncio.Event()
    await news_within(news, 0.01)
    waiting = asyncio.ensure_future(news_within(news, None))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    news.set()
    async with asyncio.timeout(1):
        await waiting


async def test_who_is_cancelled_while_the_news_arrive_stays_cancelled() -> None:
    news = asyncio.Event()
    waiting = asyncio.ensure_future(news_within(news, 60.0))
    await asyncio.sleep(0)
    news.set()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
