"""A provider's every fault is one of the contract's, also a cancellation that nobody ordered."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

import pytest

from detour.enactment.contract import (
    Batch,
    Change,
    OutcomeUnknownError,
    UnexpectedAnswerError,
    ZoneContents,
    ZoneFacts,
)
from detour.enactment.guarded import GuardedProvider
from detour_simulation.memoryzone import MemoryProvider, MemoryZone

from .writer import API, ONE, TWO, Writer, a_ledger, a_set, wish

Start = Callable[..., Writer]


class Cancels(MemoryProvider):
    """A provider whose SDK awaits something of its own that was cancelled."""

    is_odd = True
    takes = 0.0

    async def _meet(self) -> None:
        await asyncio.sleep(self.takes)
        if self.is_odd:
            raise asyncio.CancelledError

    async def describe(self) -> ZoneFacts:
        await self._meet()
        return await super().describe()

    async def read_zone(self) -> ZoneContents:
        await self._meet()
        return await super().read_zone()

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        await self._meet()
        return await super().read_names(names)

    async def apply(self, batch: Batch) -> ZoneContents:
        await self._meet()
        return await super().apply(batch)


CALLS: dict[str, tuple[Callable[[GuardedProvider], Awaitable[object]], type[Exception]]] = {
    "describe": (lambda provider: provider.describe(), UnexpectedAnswerError),
    "read_zone": (lambda provider: provider.read_zone(), UnexpectedAnswerError),
    "read_names": (lambda provider: provider.read_names({API}), UnexpectedAnswerError),
    "apply": (lambda provider: provider.apply(Batch(Change(None, a_ledger(1)))), OutcomeUnknownError),
}


@pytest.mark.parametrize("call", CALLS)
async def test_a_cancellation_that_nobody_ordered_is_an_error_of_the_call(call: str) -> None:
    ask, expected = CALLS[call]
    with pytest.raises(expected, match="CancelledError"):
        await ask(GuardedProvider(Cancels(MemoryZone())))


@pytest.mark.parametrize("call", CALLS)
async def test_a_caller_that_is_cancelled_is_cancelled(call: str) -> None:
    provider = Cancels(MemoryZone())
    provider.takes = 10.0
    task = asyncio.ensure_future(CALLS[call][0](GuardedProvider(provider)))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_reading_beside_the_work_that_ends_as_if_cancelled_is_made_again(start: Start) -> None:
    writer = start(provider=Cancels)
    writer.provider.is_odd = False
    await writer.publish(wish("api", ONE))
    writer.provider.is_odd = True
    writer.zone.put(a_set(API, TWO))
    writer.enactor.suspect(API)
    await writer.until(lambda: writer.enactor.zone_report().trouble)
    writer.provider.is_odd = False
    await writer.until(lambda: writer.zone.answers(API) == {ONE})
