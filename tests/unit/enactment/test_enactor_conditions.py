"""What a write depends on, and what it does not: the family that stays, readings that fail, what others have there."""

import asyncio
from collections.abc import Callable, Collection

import pytest

from detour.enactment.contract import OpaqueSet, UnavailableError, ZoneContents
from detour.enactment.ledger import HIGHEST_COUNT
from detour.model.names import marker_name
from detour.model.rrset import RRKey, RRType
from detour.model.withdrawal import Withdrawal
from detour_simulation.memoryzone import ONE_BY_ONE, Fault, MemoryProvider, MemoryZone

from .writer import API, ONE, SIX, TWO, Writer, a_ledger, a_set, key, marker_of, wish

Start = Callable[..., Writer]
WWW = "www.example.org"


async def test_a_family_is_withdrawn_only_while_the_other_stands(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE, SIX))
    writer.zone.drop(RRKey(API, RRType.A))  # a person deletes one family; nobody of ours has looked since
    writer.want(wish("api", ONE))  # the endpoint of the other one has failed
    await writer.until(lambda: writer.in_sync("api"))
    assert writer.zone.answers(API) == {ONE}
    assert not writer.zone.emptied


async def test_a_family_is_withdrawn_only_while_the_other_is_as_it_was_seen(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE, SIX))
    writer.zone.put(a_set(API, "203.0.113.9"))
    writer.want(wish("api", ONE))
    await writer.until(lambda: writer.in_sync("api"))
    assert writer.zone.answers(API) == {ONE}


async def test_a_family_is_withdrawn_also_where_the_other_is_changed_with_it(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE, SIX))
    await writer.publish(wish("api", TWO))
    assert writer.zone.answers(API) == {TWO}
    assert not writer.zone.emptied


async def test_a_zone_whose_ledger_counts_to_the_top_goes_on(start: Start) -> None:
    zone = MemoryZone()
    zone.put(a_ledger(HIGHEST_COUNT, 0, claim="beef"))
    writer = start(zone)
    await writer.publish(wish("api", ONE))
    await writer.publish(wish("api", TWO))
    assert len(writer.provider.writes) < 10


async def test_claims_that_do_not_last_come_with_growing_pauses(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    claims = writer.ledger.generation.epoch
    for _ in range(600):  # somebody deletes the ledger every second
        writer.zone.drop(writer.fence.key)
        writer.enactor.ledger_shown(None)
        await asyncio.sleep(1)
    claimed = [each for each in writer.provider.applied if not each.changes and each.ledger.old is None]
    assert claims == 1
    assert 15 < len(claimed) < 60


@pytest.mark.parametrize("asked", [3600.0, 86400.0, float("inf")])
async def test_a_failover_waits_a_minute_at_most_for_a_provider_that_asks_for_hours(start: Start, asked: float) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.trouble(Fault.THROTTLED, asked)
    writer.want(wish("api", TWO))
    assert await writer.until(lambda: writer.zone.answers(API) == {TWO}, within=7200) < 62


async def test_everything_else_waits_five_minutes_at_most(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.zone.put(a_set(API, "203.0.113.9"))
    writer.provider.trouble(Fault.THROTTLED, 86400.0)
    writer.enactor.suspect(API)
    seconds = await writer.until(lambda: writer.zone.answers(API) == {ONE}, within=7200)
    assert 290 < seconds < 310


async def test_a_failover_does_not_wait_for_readings_that_fail(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE), wish("www", ONE))
    writer.provider.reading_fails = UnavailableError("the list call answers 503")
    writer.enactor.suspect(WWW)
    await asyncio.sleep(1)
    trouble = writer.enactor.zone_report().trouble
    assert trouble is not None
    assert trouble.reason == "ProviderUnreachable"
    writer.want(wish("api", TWO))
    assert await writer.until(lambda: writer.zone.answers(API) == {TWO}) < 1
    writer.provider.reading_fails = None
    await writer.until(lambda: writer.enactor.zone_report().trouble is None, within=60)


class SlowReader(MemoryProvider):
    """Reads names in 90 s: 10,000 sets at Azure are 100 pages at 60 a minute."""

    is_slow = False

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        if self.is_slow:
            await asyncio.sleep(90)
        return await super().read_names(names)


async def test_a_failover_does_not_wait_for_readings_that_are_slow(start: Start) -> None:
    writer = start(provider=SlowReader)
    await writer.publish(wish("api", ONE), wish("www", ONE))
    SlowReader.is_slow = True
    try:
        writer.enactor.suspect(WWW)
        await asyncio.sleep(1)
        writer.want(wish("api", TWO))
        assert await writer.until(lambda: writer.zone.answers(API) == {TWO}) < 1
    finally:
        SlowReader.is_slow = False


async def test_a_failover_does_not_wait_for_the_reading_before_a_first_publication(start: Start) -> None:
    writer = start(provider=SlowReader)
    await writer.publish(wish("api", ONE))
    await asyncio.sleep(30)
    SlowReader.is_slow = True
    try:
        writer.want(wish("new", ONE))
        await asyncio.sleep(1)
        writer.want(wish("api", TWO))
        assert await writer.until(lambda: writer.zone.answers(API) == {TWO}) < 1
        await writer.settled("new", within=200)
    finally:
        SlowReader.is_slow = False


async def test_what_was_written_while_names_were_read_is_not_taken_back_by_the_reading(start: Start) -> None:
    writer = start(provider=SlowReader)
    await writer.publish(wish("api", ONE))
    SlowReader.is_slow = True
    try:
        writer.enactor.suspect(API)
        await asyncio.sleep(1)
        writes = len(writer.provider.applied)
        await writer.publish(wish("api", TWO))
        await asyncio.sleep(200)
        assert len(writer.provider.applied) == writes + 1
    finally:
        SlowReader.is_slow = False


@pytest.mark.parametrize(
    "opaque",
    [
        OpaqueSet(API, "TXT", "Detour cannot read its values: 'utf-8' codec can't decode byte 0xe9"),
        OpaqueSet(API, "TXT", "weighted routing"),
        OpaqueSet(API, "MX", "weighted routing"),
        OpaqueSet(API, "HTTPS"),
        OpaqueSet("*.example.org", "A", "geolocation routing"),
        OpaqueSet(marker_name(API), "TXT", "Detour cannot read its values"),
    ],
    ids=str,
)
async def test_a_foreign_set_of_another_type_does_not_stop_a_failover(start: Start, opaque: OpaqueSet) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.zone.opaque.append(opaque)
    if opaque.name == marker_name(API):
        writer.zone.drop(RRKey(opaque.name, RRType.TXT))
    writer.enactor.suspect(API)
    await asyncio.sleep(1)
    writer.want(wish("api", TWO))
    await writer.until(lambda: writer.zone.answers(API) == {TWO})


@pytest.mark.parametrize("kind", ["A", "AAAA", "CNAME", "ALIAS"])
async def test_an_opaque_set_that_answers_is_in_the_way(start: Start, kind: str) -> None:
    zone = MemoryZone()
    zone.opaque.append(OpaqueSet(API, kind, "weighted routing"))
    writer = start(zone)
    writer.want(wish("api", ONE, adopt=True))
    await writer.until(lambda: writer.refusal("api") == "OpaqueSet")


async def test_a_name_whose_marker_cannot_be_read_is_not_taken(start: Start) -> None:
    zone = MemoryZone()
    zone.opaque.append(OpaqueSet(marker_name(API), "TXT", "Detour cannot read its values"))
    writer = start(zone)
    writer.want(wish("api", ONE, adopt=True))
    await writer.until(lambda: writer.refusal("api") == "MarkerUnreadable")


async def test_a_record_that_is_withdrawn_and_wanted_again_in_one_breath_stays(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.enactor.withdraw(Withdrawal(key("api"), "uid-api", API))
    writer.want(wish("api", ONE, uid="uid-2"))
    await writer.until(lambda: writer.in_sync("api"))
    assert writer.zone.answers(API) == {ONE}
    assert writer.zone.rrset(marker_of("api").key) == marker_of("api", uid="uid-2")


async def test_a_zone_that_was_made_anew_ends_the_enactor(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.zone.zone_id = "another"
    writer.enactor._reader.look_for_zone()
    writer.enactor.suspect(API)
    await asyncio.wait_for(writer.task, 5)
    assert writer.enactor.is_replaced


async def test_at_a_provider_without_transactions_the_staying_family_is_a_condition_too(start: Start) -> None:
    writer = start(limits=ONE_BY_ONE)
    await writer.publish(wish("api", ONE, SIX))
    writer.zone.drop(RRKey(API, RRType.A))
    writer.want(wish("api", ONE))
    await writer.until(lambda: writer.in_sync("api"))
    assert not writer.zone.emptied
