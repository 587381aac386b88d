"""Which references count: those that answered before the trouble began."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from detour.checks.reference import LATELY, Counting, References


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[str, asyncio.Server]]:
    """Accept connections on a port of loopback."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"127.0.0.1:{port}", server
    finally:
        server.close()


async def unused() -> str:
    async with listening() as (address, _):
        return address


class Now:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


async def look_once(references: References) -> None:
    """Let the watch have its first look."""
    watch = asyncio.create_task(references.watch())
    async with asyncio.timeout(30):
        while not references._accepted_at and not references._told:  # noqa: ASYNC110 - the log is all that it tells
            await asyncio.sleep(0.01)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)


async def test_references_that_never_answered_prove_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    silent = await unused()
    references = References([silent], Now())
    await look_once(references)
    assert await references.pass_now()
    assert silent in caplog.text


async def test_a_reference_that_ceases_to_answer_speaks_against_us_however_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = Now()
    async with listening() as (address, server):
        references = References([address], now)
        await look_once(references)
        assert await references.pass_now()
        server.close()
        await server.wait_closed()
    assert not await references.pass_now()
    now.seconds += 10 * LATELY
    assert not await references.pass_now()
    assert not caplog.text


async def test_a_reference_that_ceased_to_answer_long_before_the_trouble_proves_nothing() -> None:
    now = Now()
    async with listening() as (address, _):
        references = References([address], now)
        await look_once(references)
    now.seconds += LATELY + 1
    assert await references.pass_now()


async def test_most_of_those_that_count_must_accept() -> None:
    async with listening() as (one, _), listening() as (two, second), listening() as (three, third):
        references = References([one, two, three], Now())
        await look_once(references)
        second.close()
        assert await references.pass_now()
        third.close()
        assert not await references.pass_now()


def test_those_that_count_are_the_same_from_the_first_failure_to_the_first_pass() -> None:
    counting: Counting[str] = Counting()
    first = counting.of(["a"])
    assert not counting.asked(first, passed=False)
    assert counting.of([]) == {"a"}
    assert counting.asked(counting.of([]), passed=True)
    assert counting.of(["b"]) == {"b"}
