"""What others have changed since a mark is told, name by name, whoever keeps an account of it."""

import asyncio

import pytest

from detour.enactment.contract import Change
from detour.model.rrset import RRset, RRType
from detour.providers.presentation import presented

from .backends import Backend
from .zonework import Work

PATIENCE = 20.0
"""Seconds for a server that signs a copy of its zone to show a change in it."""

LONG_AGO = "7"
"""A mark that no zone's account reaches back to."""


async def marked(work: Work) -> str:
    """Return where the account of changes stands once the zone was read.

    BIND does not tell changes that take more octets than the zone itself (max-ixfr-ratio): a zone of ours has some.
    """
    if work.backend.own_zone:
        await work.backend.put_hosts(f"before-{number}.{work.backend.base}" for number in range(600))
    mark = (await work.provider.read_zone()).mark
    assert mark is not None
    return mark


async def told(work: Work, mark: str, name: str) -> tuple[frozenset[str], str]:
    """Return all that is told from `mark` on until `name` is among it, and the mark then."""
    found: frozenset[str] = frozenset()
    async with asyncio.timeout(PATIENCE):
        while name not in found:
            changed = await work.provider.changed_since(mark)
            assert changed is not None
            assert changed.names is not None
            found, mark = found | changed.names, changed.mark
    return found, mark


@pytest.mark.needs("keeps_changes")
async def test_what_others_changed_is_told_and_what_this_connection_wrote_is_not(backend: Backend, work: Work) -> None:
    (old,) = await work.create(work.a("ours"))
    mark = await marked(work)
    await work.apply(Change(old, work.a("ours", "192.0.2.2")), Change(None, work.aaaa("ours")))
    await backend.put_set(work.a("theirs"))
    await work.create(work.txt("later", "ours"))
    found, mark = await told(work, mark, work.name("theirs"))
    assert found == {work.name("theirs")}
    await backend.put_set(work.a("end"))
    found, mark = await told(work, mark, work.name("end"))
    assert found == {work.name("end")}
    assert await work.provider.changed_since(mark) is not None


@pytest.mark.needs("keeps_changes")
@pytest.mark.parametrize("how", ["removes", "replaces", "adds beside", "removes and puts back"])
async def test_whatever_others_do_to_a_set_of_ours_is_told(backend: Backend, work: Work, how: str) -> None:
    await work.create(work.a("ours"))
    mark, name = await marked(work), work.name("ours")
    match how:
        case "removes":
            await backend.remove(name, "A")
        case "replaces":
            await backend.put_set(work.a("ours", "192.0.2.66"))
        case "adds beside":
            await backend.put_set(work.aaaa("ours"))
        case _:
            await backend.remove(name, "A")
            await backend.put_set(work.a("ours"))
    found, _ = await told(work, mark, name)
    assert found == {name}


@pytest.mark.needs("keeps_changes")
async def test_a_ledger_of_ours_that_somebody_puts_back_is_told(backend: Backend, work: Work) -> None:
    mark, before = await marked(work), work.ledger
    assert before is not None
    await work.apply()
    await backend.put(work.ledger_at, "TXT", before.rrset.ttl, presented(before.rrset))
    found, _ = await told(work, mark, work.ledger_at)
    assert found == {work.ledger_at}


@pytest.mark.needs("keeps_changes", "own_zone")
async def test_many_changes_are_told_whole_or_the_zone_is_to_be_read(backend: Backend, work: Work) -> None:
    mark = await marked(work)
    names = {f"host-{number}.{backend.base}" for number in range(250)}
    await backend.put_hosts(names)
    await backend.put_set(RRset(work.name("end"), RRType.A, 60, ("192.0.2.1",)))
    found, _ = await told(work, mark, work.name("end"))
    assert names <= found


@pytest.mark.needs("keeps_changes")
async def test_an_account_that_does_not_reach_back_says_so(work: Work) -> None:
    changed = await work.provider.changed_since(LONG_AGO)
    assert changed is not None
    assert changed.names is None
    again = await work.provider.changed_since(changed.mark)
    assert again is not None
    assert again.names is not None


@pytest.mark.needs("not keeps_changes")
async def test_who_keeps_no_account_says_so(work: Work) -> None:
    mark = (await work.provider.read_zone()).mark
    if mark is None:
        assert await work.provider.changed_since(LONG_AGO) is None
        return
    await work.create(work.a("ours"))
    changed = await work.provider.changed_since(mark)
    assert changed is not None
    assert changed.names is None, "an answer with the whole zone tells no changes"
