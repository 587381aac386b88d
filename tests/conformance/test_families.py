"""A family of addresses goes only on the condition that the other one stands, in the same request."""

import pytest

from detour.enactment.contract import BatchRefusedError, Change

from .backends import Backend
from .zonework import Work

pytestmark = pytest.mark.needs("refers")


async def test_a_family_goes_while_the_other_one_stands_as_it_was_read(work: Work) -> None:
    four, six = await work.create(work.a("dual"), work.aaaa("dual"))
    await work.apply(Change(six, None, beside=four))
    assert await work.stored("dual") == {work.a("dual")}


async def test_a_family_stays_where_the_other_one_was_deleted_meanwhile(backend: Backend, work: Work) -> None:
    four, six = await work.create(work.a("dual"), work.aaaa("dual"))
    before = await work.stored_ledger()
    await backend.remove(work.name("dual"), "A")
    with pytest.raises(BatchRefusedError):
        await work.apply(Change(six, None, beside=four))
    assert await work.stored("dual") == {work.aaaa("dual")}
    assert await work.stored_ledger() == before


async def test_a_family_stays_where_the_other_one_was_replaced_meanwhile(backend: Backend, work: Work) -> None:
    four, six = await work.create(work.a("dual"), work.aaaa("dual"))
    await backend.put_set(work.a("dual", "192.0.2.66"))
    with pytest.raises(BatchRefusedError):
        await work.apply(Change(six, None, beside=four))
    assert await work.stored("dual") == {work.a("dual", "192.0.2.66"), work.aaaa("dual")}
