"""What is read beside the work: it holds up nothing, and nothing that was suspected is lost by it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

import pytest

from detour.enactment.backoff import LONGEST_BACKOFF
from detour.enactment.budget import Budget, ZoneBudget
from detour.enactment.contract import (
    Batch,
    ProviderLimits,
    UnavailableError,
    ZoneContents,
    ZoneFacts,
    ZoneMissingError,
)
from detour.enactment.ledger import parse_ledger
from detour.enactment.names import LOOKS_AT_ONCE
from detour.enactment.periods import Periods
from detour.enactment.zonereader import ZoneReader
from detour.model.names import marker_name
from detour.model.rrset import RRKey, RRType
from detour.twin.virtualtime import until
from detour_simulation.memoryzone import NO_QUOTA, Fault, MemoryProvider, MemoryZone

from .writer import API, DOMAIN, LEDGER, ONE, THREE, TWO, Writer, a_ledger, a_set, marker_of, wish

Start = Callable[..., Writer]
LONG = 90.0
MARKER = RRKey(marker_name(API), RRType.TXT)


class LosesItsZone(MemoryProvider):
    """A provider that says of a zone that it isn't there, and takes its time to say so when asked for it."""

    is_missing = False

    async def describe(self) -> ZoneFacts:
        if self.is_missing:
            await asyncio.sleep(LONG)
            raise ZoneMissingError("there is no such zone")
        return await super().describe()

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        if self.is_missing:
            raise ZoneMissingError("there is no such zone")
        return await super().read_names(names)


async def test_a_zone_that_is_looked_for_again_is_written_meanwhile(start: Start) -> None:
    writer = start(provider=LosesItsZone)
    await writer.publish(wish("api", ONE))
    writer.provider.is_missing = True
    writer.enactor.suspect(API)
    await writer.until(lambda: writer.enactor.zone_report().trouble)
    await asyncio.sleep(5)  # the look for the zone is under way
    writer.want(wish("api", TWO))
    await writer.until(lambda: writer.zone.answers(API) == {TWO}, within=1)
    writer.provider.is_missing = False
    await asyncio.sleep(2 * LONG)
    assert writer.enactor.zone_report().trouble is None


class SeesTheStart(MemoryProvider):
    """A provider whose whole readings show the zone as it was when they began."""

    takes = 0.05

    async def read_zone(self) -> ZoneContents:
        contents = ZoneContents(dict(self.zone.sets))
        await asyncio.sleep(self.takes)
        self.zone_reads.append(self._now())
        return contents


async def test_what_is_suspected_while_the_zone_is_read_is_read_by_itself(start: Start) -> None:
    writer = start(provider=SeesTheStart)
    writer.provider.takes = 5.0
    writer.want(wish("api", ONE))
    await writer.until(lambda: len(writer.provider.zone_reads) == 1)
    await writer.until(lambda: writer.enactor._holding.holds)
    writer.zone.put(a_set(f"www.{API}", TWO))  # the second reading, after the claim, has begun
    writer.want(wish("api", ONE))
    await asyncio.sleep(1)
    assert len(writer.provider.zone_reads) == 1
    writer.enactor.suspect(f"www.{API}")
    await writer.until(lambda: any(f"www.{API}" in names for _, names in writer.provider.name_reads), within=10)


async def test_what_is_suspected_is_read_through_the_next_connection(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.latency = LONG
    writer.zone.put(a_set(API, THREE))
    writer.enactor.suspect(API)
    await asyncio.sleep(1)
    fresh = MemoryProvider(writer.zone)
    await writer.enactor.use(fresh, ZoneBudget(Budget(NO_QUOTA, asyncio.get_running_loop().time), NO_QUOTA))
    await writer.until(lambda: writer.zone.answers(API) == {ONE}, within=5)


async def test_a_name_that_is_known_to_be_ours_waits_for_no_reading_before_its_marker_is_put_back(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    await asyncio.sleep(60)
    writer.provider.trouble(Fault.UNAVAILABLE, times=6)
    writer.zone.drop(MARKER)
    writer.enactor.suspect(API)
    await writer.until(lambda: len(writer.provider.troubles) < 6)
    writer.provider.reading_fails = UnavailableError("no reading")
    await asyncio.sleep(10)  # what was read of the name is old now
    writer.want(wish("api", TWO))
    await writer.until(lambda: writer.zone.answers(API) == {TWO})
    assert writer.zone.rrset(MARKER)


async def test_a_reading_that_goes_well_does_not_shorten_the_wait_for_writes_that_fail(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.trouble(Fault.UNAVAILABLE, times=1000)
    writer.want(wish("api", TWO))
    for _ in range(600):
        writer.enactor.suspect(f"www.{DOMAIN}")
        await asyncio.sleep(1)
    assert len(writer.provider.name_reads) > 10
    assert writer.enactor.tally.errors < 2 * 600 / LONGEST_BACKOFF + 10
    assert writer.enactor.zone_report().trouble


async def test_a_zone_that_is_found_and_cannot_be_read_is_asked_seldom(start: Start) -> None:
    writer = start()
    writer.provider.reading_fails = ZoneMissingError("there is no such zone")
    found = MemoryProvider(writer.zone)
    writer.provider.describe = found.describe  # type: ignore[method-assign]  # the provider finds the zone again
    writer.want(wish("api", ONE))
    await asyncio.sleep(600)
    assert writer.enactor.tally.errors < 2 * 600 / LONGEST_BACKOFF + 10
    assert writer.enactor.zone_report().trouble


# -- the quota -------------------------------------------------------------------------------------------------------


class Paged(MemoryProvider):
    """A provider that waits for the account's quota before each request; a whole reading takes many."""

    PAGES = 100
    pace: Callable[[], Awaitable[None]]

    async def read_zone(self) -> ZoneContents:
        for _ in range(self.PAGES if self.zone_reads else 1):
            await self.pace()
        return await super().read_zone()

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        await self.pace()
        return await super().read_names(names)

    async def apply(self, batch: Batch) -> ZoneContents:
        await self.pace()
        return await super().apply(batch)


async def test_a_long_reading_takes_no_request_that_a_failover_waits_for(start: Start) -> None:
    limits = replace(NO_QUOTA, requests_per_second=0.1, requests_burst=1.0)
    writer = start(limits=limits, provider=Paged)
    writer.provider.PAGES = 1
    writer.provider.pace = writer.enactor._budget.request
    await writer.until(lambda: writer.enactor.is_read)
    writer.want(wish("api", ONE))
    await writer.settled("api", within=120)
    writer.provider.PAGES = 10_000
    writer.enactor._reader._due_at = 0.0  # an audit
    await asyncio.sleep(100)
    for value in (TWO, ONE, TWO, ONE):
        writer.want(wish("api", value))
        await writer.until(lambda value=value: writer.zone.answers(API) == {value}, within=12)  # one request's wait


async def test_what_failed_to_be_read_beside_the_work_is_no_trouble_once_the_zone_was_read_as_a_standby(
    start: Start,
) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.reading_fails = UnavailableError("nobody answers")
    writer.enactor.suspect(API)
    await writer.until(lambda: writer.enactor.zone_report().trouble)
    writer.provider.reading_fails = None
    writer.zone.put(a_ledger(9, 1))
    writer.enactor.ledger_shown(parse_ledger(a_ledger(9, 1)))
    writer.want(wish("api", TWO))
    await writer.until(lambda: not writer.enactor.in_force and writer.enactor.standby)
    await writer.until(lambda: writer.enactor._reading_backoff.trouble is None)


class Waits(MemoryProvider):
    """A provider whose readings wait until they are let go on."""

    def __init__(self, zone: MemoryZone, limits: ProviderLimits = NO_QUOTA) -> None:
        super().__init__(zone, limits)
        self.may_go_on = asyncio.Event()

    async def read_zone(self) -> ZoneContents:
        await self.may_go_on.wait()
        return await super().read_zone()

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        await self.may_go_on.wait()
        return await super().read_names(names)


def reader() -> ZoneReader:
    now = asyncio.get_running_loop().time
    return ZoneReader(LEDGER.name, Periods(), clock=now, random=lambda: 0.5, on_news=lambda: None)


async def test_what_is_suspected_while_the_zone_is_read_is_read_again_also_where_it_was_suspected_before() -> None:
    provider, read = Waits(MemoryZone()), reader()
    read.suspect(API)
    reading = asyncio.create_task(read.read(provider))
    await asyncio.sleep(1)
    read.suspect(API)
    provider.may_go_on.set()
    await reading
    assert read.has_suspects


async def test_what_was_suspected_before_a_reading_that_fails_still_is() -> None:
    provider, read = Waits(MemoryZone()), reader()
    provider.may_go_on.set()
    provider.reading_fails = UnavailableError("nobody answers")
    read.suspect(API)
    with pytest.raises(UnavailableError):
        await read.read(provider)
    assert read.has_suspects


async def test_a_name_that_is_to_be_read_first_is_not_served_by_a_reading_that_began_before() -> None:
    provider, read = Waits(MemoryZone()), reader()
    provider.may_go_on.set()
    await read.read(provider)
    await asyncio.sleep(60)
    provider.may_go_on.clear()
    read.suspect(API)
    read.begin_suspects(provider)
    await asyncio.sleep(30)
    read.read_first([API])
    provider.may_go_on.set()
    await until(lambda: read.has_news)
    assert read.take_names() == [API]
    assert API in read.awaited
    assert read.unfresh([API]) == [API]
    await read.read_suspects(provider)
    assert API not in read.awaited
    assert not read.unfresh([API])


async def test_a_large_zone_is_looked_at_by_turns(start: Start) -> None:
    """Others have their turn on the event loop meanwhile, and every name is told of in the end."""
    zone, count = MemoryZone(), 4 * LOOKS_AT_ONCE
    names = [f"n{number}" for number in range(count)]
    for name in names:
        zone.put(a_set(f"{name}.{DOMAIN}", ONE), marker_of(name))
    writer = start(zone)
    writer.want(*(wish(name, ONE) for name in names))
    await writer.until(lambda: all(map(writer.in_sync, names)))
    await asyncio.sleep(1)
    assert len(writer.notes.records) >= 2 * count
    assert writer.notes.most_in_a_turn <= 2 * LOOKS_AT_ONCE
    assert len(writer.provider.writes) == 1, "nothing but the claim"


@pytest.mark.parametrize("turns", range(8))
async def test_who_is_told_to_stop_does_in_whatever_turn_of_the_event_loop(start: Start, turns: int) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    await asyncio.sleep(10)
    writer.enactor.need(True)  # which is news, and nothing to do
    for _ in range(turns):
        await asyncio.sleep(0)
    writer.enactor.stop()
    await asyncio.wait_for(asyncio.shield(writer.task), 1.0)
