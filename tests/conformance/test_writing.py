"""A batch replaces exactly what it was told to replace, on the condition that nothing has changed, or does nothing."""

import asyncio
import dataclasses

import pytest

from detour.enactment.contract import (
    Batch,
    BatchRefusedError,
    Change,
    OutcomeUnknownError,
    Provider,
    StoredSet,
    ThrottledError,
)
from detour.model.rrset import RRKey, RRset, RRType

from .backends import Backend
from .zonework import Work, creations

WRITERS = 5


async def test_sets_are_created_replaced_and_deleted_in_one_batch(work: Work) -> None:
    replaced, deleted = await work.create(work.a("replaced"), work.a("deleted"))
    await work.apply(
        Change(replaced, work.a("replaced", "192.0.2.2", "192.0.2.3")),
        Change(deleted, None),
        Change(None, work.cname("created")),
    )
    assert await work.stored("replaced", "deleted", "created") == {
        work.a("replaced", "192.0.2.2", "192.0.2.3"),
        work.cname("created"),
    }
    assert work.ledger is not None
    assert await work.stored_ledger() == work.ledger.rrset


async def test_what_apply_returns_is_enough_for_the_next_batch(work: Work) -> None:
    (current,) = await work.create(work.a("www"))
    for number in range(2, 5):
        wanted = work.a("www", f"192.0.2.{number}")
        current = (await work.apply(Change(current, wanted)))[wanted]
    read = await work.provider.read_names([work.name("www")])
    assert read.sets[current.rrset.key] == current


async def test_a_ttl_alone_can_be_replaced(work: Work) -> None:
    (old,) = await work.create(work.a("www", ttl=60))
    await work.apply(Change(old, work.a("www", ttl=30)))
    assert await work.stored("www") == {work.a("www", ttl=30)}


async def test_one_address_family_is_withdrawn_while_the_other_stays(work: Work) -> None:
    four, six = await work.create(work.a("dual"), work.aaaa("dual"))
    await work.apply(Change(four, work.a("dual", "192.0.2.9")), Change(six, None))
    assert await work.stored("dual") == {work.a("dual", "192.0.2.9")}


@pytest.mark.parametrize("turned", [False, True], ids=["A stays", "AAAA stays"])
async def test_a_family_goes_on_the_condition_of_the_one_that_stays(work: Work, turned: bool) -> None:
    staying, going = reversed(await both_families(work)) if turned else await both_families(work)
    await work.apply(Change(going, None, staying))
    assert await work.stored("dual") == {staying.rrset}


async def test_a_family_goes_beside_one_that_an_outsider_wrote_and_leaves_that_as_it_is(
    backend: Backend, work: Work
) -> None:
    await backend.put(work.name("dual"), "AAAA", 77, ("2001:db8::1", "2001:db8::2"))
    (going,) = await work.create(work.a("dual"))
    sets = (await work.provider.read_names([work.name("dual")])).sets
    staying = sets[RRKey(work.name("dual"), RRType.AAAA)]
    await work.apply(Change(going, None, staying))
    assert await work.stored("dual") == {staying.rrset}
    assert staying.rrset.ttl == 77


async def test_a_family_does_not_go_when_an_outsider_has_removed_the_one_that_stays(
    backend: Backend, work: Work
) -> None:
    staying, going = await both_families(work)
    before = await work.stored_ledger()
    await backend.remove(work.name("dual"), "A")
    with pytest.raises(BatchRefusedError):
        await work.apply(Change(going, None, staying))
    assert await work.stored("dual") == {going.rrset}
    assert await work.stored_ledger() == before


async def test_a_family_does_not_go_when_the_one_that_stays_has_other_values(backend: Backend, work: Work) -> None:
    staying, going = await both_families(work)
    await backend.put_set(work.a("dual", "192.0.2.66"))
    with pytest.raises(BatchRefusedError):
        await work.apply(Change(going, None, staying))
    assert await work.stored("dual") == {going.rrset, work.a("dual", "192.0.2.66")}


async def test_nothing_of_a_batch_is_done_when_a_staying_family_is_gone(backend: Backend, work: Work) -> None:
    staying, going = await both_families(work)
    (other,) = await work.create(work.a("other"))
    await backend.remove(work.name("dual"), "A")
    with pytest.raises(BatchRefusedError):
        await work.apply(Change(other, work.a("other", "192.0.2.2")), Change(going, None, staying))
    assert await work.stored("dual", "other") == {going.rrset, work.a("other")}


async def test_of_two_writers_that_withdraw_one_family_each_one_is_refused(backend: Backend, work: Work) -> None:
    four, six = await both_families(work)
    other = Work(backend, await backend.open())
    other.ledger_at = f"other.{work.ledger_at.split('.', 1)[1]}"
    try:
        await other.claim()
        outcomes = await asyncio.gather(
            _try(work.provider, work.batch(Change(four, None, six))),
            _try(other.provider, other.batch(Change(six, None, four))),
        )
    finally:
        await other.provider.close()
    assert await work.stored("dual") in ({four.rrset}, {six.rrset}, {four.rrset, six.rrset})
    refused = [each for each in outcomes if each is not None]
    assert refused
    assert all(isinstance(each, BatchRefusedError | ThrottledError | OutcomeUnknownError) for each in refused)


async def both_families(work: Work) -> tuple[StoredSet, StoredSet]:
    """Create a name with both families and return them as stored."""
    four, six = await work.create(work.a("dual"), work.aaaa("dual"))
    return four, six


@pytest.mark.needs("atomic")
@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "middle", "last"])
async def test_a_batch_with_one_false_expectation_changes_nothing(work: Work, place: int) -> None:
    (existing,) = await work.create(work.a("existing"))
    before = await work.stored_ledger()
    changes = [Change(existing, work.a("existing", "192.0.2.2")), Change(None, work.a("fresh"))]
    changes.insert(place, Change(StoredSet(work.a("never-was")), work.a("never-was", "192.0.2.3")))
    with pytest.raises(BatchRefusedError):
        await work.apply(*changes)
    assert await work.stored("existing", "fresh", "never-was") == {work.a("existing")}
    assert await work.stored_ledger() == before


@pytest.mark.needs("not atomic")
async def test_without_transactions_nothing_after_the_refused_change_is_applied(work: Work) -> None:
    first, _ = await work.create(work.a("first"), work.a("second"))
    with pytest.raises(BatchRefusedError):
        await work.apply(
            Change(first, work.a("first", "192.0.2.2")),
            Change(None, work.a("second", "192.0.2.2")),
            Change(None, work.a("third")),
        )
    assert await work.stored("first", "second", "third") == {work.a("first", "192.0.2.2"), work.a("second")}


async def test_a_batch_on_a_ledger_that_has_moved_on_changes_nothing(work: Work) -> None:
    (www,) = await work.create(work.a("www"))
    stale = work.ledger
    await work.apply()
    newest = await work.stored_ledger()
    work.ledger = stale
    with pytest.raises(BatchRefusedError):
        await work.apply(Change(www, work.a("www", "192.0.2.66")), Change(None, work.a("other")))
    assert await work.stored("www", "other") == {work.a("www")}
    assert await work.stored_ledger() == newest


async def test_a_ledger_cannot_be_created_twice(work: Work) -> None:
    before = await work.stored_ledger()
    work.ledger = None
    with pytest.raises(BatchRefusedError):
        await work.apply()
    assert await work.stored_ledger() == before


async def test_a_batch_on_a_ledger_that_was_deleted_changes_nothing(backend: Backend, work: Work) -> None:
    await backend.remove(work.ledger_at, "TXT")
    with pytest.raises(BatchRefusedError):
        await work.apply(Change(None, work.a("www")))
    assert await work.stored("www") == set()
    assert await work.stored_ledger() is None


async def test_a_set_that_exists_is_not_created_again(work: Work) -> None:
    await work.create(work.a("www"))
    with pytest.raises(BatchRefusedError):
        await work.create(work.a("www", "192.0.2.2"))
    assert await work.stored("www") == {work.a("www")}


@pytest.mark.parametrize(
    "values", [("192.0.2.66",), ("192.0.2.1", "192.0.2.66")], ids=["other value", "one value more"]
)
async def test_values_that_an_outsider_changed_are_not_overwritten(
    backend: Backend, work: Work, values: tuple[str, ...]
) -> None:
    (www,) = await work.create(work.a("www", "192.0.2.1"))
    await backend.put_set(work.a("www", *values))
    with pytest.raises(BatchRefusedError):
        await work.apply(Change(www, work.a("www", "192.0.2.2")))
    assert await work.stored("www") == {work.a("www", *values)}


async def test_values_that_an_outsider_changed_are_not_deleted(backend: Backend, work: Work) -> None:
    (www,) = await work.create(work.a("www", "192.0.2.1"))
    await backend.put_set(work.a("www", "192.0.2.66"))
    with pytest.raises(BatchRefusedError):
        await work.apply(Change(www, None))
    assert await work.stored("www") == {work.a("www", "192.0.2.66")}


async def test_a_set_that_an_outsider_deleted_is_not_replaced_blindly(backend: Backend, work: Work) -> None:
    (www,) = await work.create(work.a("www"))
    await backend.remove(work.name("www"), "A")
    with pytest.raises(BatchRefusedError):
        await work.apply(Change(www, work.a("www", "192.0.2.2")))
    assert await work.stored("www") == set()


@pytest.mark.needs("compares_ttl")
async def test_a_ttl_that_an_outsider_changed_counts_as_a_change(backend: Backend, work: Work) -> None:
    (www,) = await work.create(work.a("www", ttl=60))
    await backend.put_set(work.a("www", ttl=61))
    with pytest.raises(BatchRefusedError):
        await work.apply(Change(www, work.a("www", "192.0.2.2")))
    assert await work.stored("www") == {work.a("www", ttl=61)}


@pytest.mark.needs("not compares_ttl")
async def test_where_ttls_are_not_compared_the_new_one_wins(backend: Backend, work: Work) -> None:
    (www,) = await work.create(work.a("www", ttl=60))
    await backend.put_set(work.a("www", ttl=61))
    await work.apply(Change(www, work.a("www", "192.0.2.2", ttl=60)))
    assert await work.stored("www") == {work.a("www", "192.0.2.2", ttl=60)}


async def test_an_alias_name_is_not_put_beside_addresses(work: Work) -> None:
    await work.create(work.a("www"))
    with pytest.raises(BatchRefusedError):
        await work.create(work.cname("www"))
    assert await work.stored("www") == {work.a("www")}


async def test_addresses_are_not_put_beside_an_alias_name(work: Work) -> None:
    await work.create(work.cname("www"))
    with pytest.raises(BatchRefusedError):
        await work.create(work.a("www"))
    assert await work.stored("www") == {work.cname("www")}


async def test_a_set_may_have_as_many_values_as_the_limits_say(work: Work) -> None:
    values = [f"192.0.2.{number}" for number in range(work.provider.limits.values_per_set)]
    await work.create(work.a("many", *values))
    assert await work.stored("many") == {work.a("many", *values)}


@pytest.mark.needs("own_zone")
async def test_a_batch_may_be_as_large_as_the_limits_say(work: Work) -> None:
    limits = work.provider.limits
    room = limits.batch_elements - limits.elements_per_replacement
    rrsets = {work.a(f"host-{number}.some-service.some-team") for number in range(min(room, 1_000))}
    await work.apply(*creations(rrsets))
    everything = await work.provider.read_zone()
    assert rrsets <= {each.rrset for each in everything.sets.values()}


@pytest.mark.needs("own_zone")
async def test_a_batch_of_replacements_may_be_as_large_as_the_limits_say(work: Work) -> None:
    limits = work.provider.limits
    room = (limits.batch_elements - limits.elements_per_replacement) // limits.elements_per_replacement
    rrsets = [work.aaaa(f"host-{number}.some-service.some-team") for number in range(min(room, 500))]
    half = len(rrsets) // 2
    stored = await work.create(*rrsets[:half]) + await work.create(*rrsets[half:])
    wanted = {dataclasses.replace(each.rrset, values=("2001:db8:ffff:ffff:ffff:ffff:ffff:2",)) for each in stored}
    by_name = {each.name: each for each in wanted}
    await work.apply(*(Change(each, by_name[each.rrset.name]) for each in stored))
    everything = await work.provider.read_zone()
    assert wanted <= {each.rrset for each in everything.sets.values()}


async def test_of_concurrent_batches_on_one_ledger_exactly_one_wins(backend: Backend, work: Work) -> None:
    (www,) = await work.create(work.a("www"))
    writers = [await backend.open() for _ in range(WRITERS)]
    batches = [
        work.batch(Change(www, work.a("www", f"192.0.2.{10 + number}")), word=f"writer-{number}")
        for number in range(WRITERS)
    ]
    try:
        outcomes = await asyncio.gather(*(_try(each, batch) for each, batch in zip(writers, batches, strict=True)))
    finally:
        for each in writers:
            await each.close()
    winners = [number for number, outcome in enumerate(outcomes) if outcome is None]
    assert len(winners) == 1
    assert all(isinstance(each, BatchRefusedError | ThrottledError) for each in outcomes if each is not None)
    assert await work.stored("www") == {work.a("www", f"192.0.2.{10 + winners[0]}")}
    assert await work.stored_ledger() == _new_ledger(batches[winners[0]])


async def _try(provider: Provider, batch: Batch) -> Exception | None:
    try:
        await provider.apply(batch)
    except Exception as error:
        return error
    return None


def _new_ledger(batch: Batch) -> RRset:
    assert batch.ledger.new is not None
    return batch.ledger.new
