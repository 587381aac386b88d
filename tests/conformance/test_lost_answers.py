"""When an answer is lost, the provider says that it doesn't know; what is true is then learned by reading."""

import asyncio

import pytest

from detour.enactment.contract import (
    BatchRefusedError,
    Change,
    OutcomeUnknownError,
    ThrottledError,
    UnavailableError,
)
from detour_lab.faults import Fault, FaultKind

from .backends import Backend
from .zonework import Work

LATE = 2.0
"""Seconds by which a write arrives late: far more than another one takes that is sent instead."""

pytestmark = pytest.mark.needs("faults_on_demand")


async def test_a_write_whose_answer_is_lost_may_have_been_applied(backend: Backend, work: Work) -> None:
    batch = work.batch(Change(None, work.a("www")))
    backend.faults.inject(Fault(FaultKind.RESET_AFTER, backend.write_operation, times=1))
    with pytest.raises(OutcomeUnknownError):
        await work.provider.apply(batch)
    assert await work.stored_ledger() == batch.ledger.new
    assert await work.stored("www") == ({work.a("www")} if backend.atomic else set())


@pytest.mark.parametrize("kind", [FaultKind.RESET_BEFORE, FaultKind.SERVER_ERROR])
async def test_a_write_that_failed_underway_may_not_have_been_applied(
    backend: Backend, work: Work, kind: FaultKind
) -> None:
    before = await work.stored_ledger()
    backend.faults.inject(Fault(kind, backend.write_operation, times=1))
    with pytest.raises(OutcomeUnknownError):
        await work.apply(Change(None, work.a("www")))
    assert await work.stored_ledger() == before
    assert await work.stored("www") == set()


async def test_a_write_is_sent_once_and_never_repeated_by_an_sdk(backend: Backend, work: Work) -> None:
    fault = backend.faults.inject(Fault(FaultKind.RESET_BEFORE, backend.write_operation, times=100))
    with pytest.raises(OutcomeUnknownError):
        await work.apply()
    assert fault.times == 99


async def test_a_write_that_arrives_late_stops_the_batch_that_was_sent_instead(backend: Backend, work: Work) -> None:
    late = work.batch(word="late")
    instead = work.batch(Change(None, work.a("www")), word="instead")
    backend.faults.inject(Fault(FaultKind.APPLY_LATE, backend.write_operation, seconds=0.1, times=1))
    with pytest.raises(OutcomeUnknownError):
        await work.provider.apply(late)
    await work.until_ledger_is(late.ledger.new)
    with pytest.raises(BatchRefusedError):
        await work.provider.apply(instead)
    assert await work.stored("www") == set()


async def test_a_batch_that_was_sent_instead_stops_the_write_that_arrives_late(backend: Backend, work: Work) -> None:
    late = work.batch(Change(None, work.a("www")), word="late")
    instead = work.batch(word="instead")
    fault = backend.faults.inject(Fault(FaultKind.APPLY_LATE, backend.write_operation, seconds=LATE, times=1))
    with pytest.raises(OutcomeUnknownError):
        await work.provider.apply(late)
    backend.faults.remove(fault)
    await work.provider.apply(instead)
    await asyncio.sleep(LATE + 0.5)  # nothing tells when a refused late arrival has been refused
    assert await work.stored_ledger() == instead.ledger.new
    assert await work.stored("www") == set()


@pytest.mark.needs("throttles")
async def test_a_throttled_write_says_so_and_was_not_applied(backend: Backend, work: Work) -> None:
    before = await work.stored_ledger()
    backend.faults.inject(Fault(FaultKind.THROTTLE, backend.write_operation, times=1))
    with pytest.raises(ThrottledError) as refusal:
        await work.apply()
    assert refusal.value.retry_after is None or refusal.value.retry_after >= 0
    assert await work.stored_ledger() == before


@pytest.mark.needs("throttles")
async def test_a_throttled_read_says_so(backend: Backend, work: Work) -> None:
    backend.faults.inject(Fault(FaultKind.THROTTLE))
    with pytest.raises(ThrottledError):
        await work.provider.read_zone()


@pytest.mark.parametrize("kind", [FaultKind.RESET_BEFORE, FaultKind.SERVER_ERROR])
async def test_a_read_that_fails_underway_is_only_unavailable(backend: Backend, work: Work, kind: FaultKind) -> None:
    backend.faults.inject(Fault(kind))
    for call in (
        work.provider.describe(),
        work.provider.read_zone(),
        work.provider.read_names([work.name("www")]),
    ):
        with pytest.raises(UnavailableError):
            await call
    backend.faults.clear()
    assert await work.stored_ledger() is not None
