"""Whole zones that are read again and again: as often as quotas let us, and only what differs is looked at."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from detour.enactment.contract import OpaqueSet, ProviderLimits, ZoneContents
from detour.enactment.reading import AT_ONCE, compared
from detour.enactment.view import ZoneView
from detour.model.names import marker_name
from detour.model.rrset import RRKey, RRType
from detour_simulation.memoryzone import NO_QUOTA, MemoryProvider, MemoryZone

from .writer import API, DOMAIN, LEDGER, ONE, THREE, TWO, Writer, a_set, key, marker_of, wish

Start = Callable[..., Writer]
PAGES = 40
LISTED = replace(NO_QUOTA, reading_requests_per_second=0.5)
ADDRESSES = a_set(API, ONE).key
MARKER = RRKey(marker_name(API), RRType.TXT)


class Paged(MemoryProvider):
    """A provider that reads a zone in many requests, and takes its time."""

    takes = 1.0

    def __init__(self, zone: MemoryZone, limits: ProviderLimits = NO_QUOTA) -> None:
        super().__init__(zone, limits)
        self.writer: Writer | None = None

    async def read_zone(self) -> ZoneContents:
        if self.writer is not None:
            await self.writer.zone_budget.request(PAGES)
        contents = await super().read_zone()
        await asyncio.sleep(self.takes)
        return contents


async def published(start: Start) -> Writer:
    """Return a writer that has published two names, and whose zone was read beside the work once."""
    writer = start(limits=LISTED, provider=Paged)
    writer.provider.writer = writer
    await writer.publish(wish("api", ONE), wish("web", TWO))
    await asyncio.sleep(60)
    return writer


async def test_a_zone_is_read_again_as_soon_as_the_quota_lets_us(start: Start) -> None:
    writer = await published(start)
    reads = len(writer.provider.zone_reads)
    await asyncio.sleep(10 * PAGES / 0.5)
    assert len(writer.provider.zone_reads) - reads == pytest.approx(10, abs=1)


@pytest.mark.parametrize("at", [ADDRESSES, MARKER, LEDGER], ids=["addresses", "marker", "ledger"])
async def test_damage_is_repaired_by_what_a_reading_shows(start: Start, at: RRKey) -> None:
    writer = await published(start)
    before = writer.zone.rrset(at)
    writer.zone.drop(at)
    await writer.until(lambda: writer.zone.rrset(at), within=1.2 * PAGES / 0.5)
    assert at == LEDGER or writer.zone.rrset(at) == before


async def test_names_that_stand_as_they_should_are_not_looked_at(start: Start) -> None:
    writer = await published(start)
    told, names = len(writer.notes.records), len(writer.provider.name_reads)
    await asyncio.sleep(1000)
    assert len(writer.notes.records) == told
    assert len(writer.provider.name_reads) == names


async def test_what_is_written_while_the_zone_is_read_is_not_taken_for_a_difference(start: Start) -> None:
    writer = await published(start)
    writer.provider.takes = 10.0
    reads = len(writer.provider.zone_reads)
    await writer.until(lambda: len(writer.provider.zone_reads) > reads, within=200)  # it was read, and is on its way
    await writer.publish(wish("api", TWO))
    writes, names = len(writer.provider.writes), len(writer.provider.name_reads)
    await asyncio.sleep(20)
    assert writer.zone.answers(API) == {TWO}
    assert (len(writer.provider.writes), len(writer.provider.name_reads)) == (writes, names)


async def test_damage_beside_what_is_written_meanwhile_is_found(start: Start) -> None:
    writer = await published(start)
    writer.provider.takes = 10.0
    writer.zone.drop(MARKER)
    reads = len(writer.provider.zone_reads)
    await writer.until(lambda: len(writer.provider.zone_reads) > reads, within=200)
    await writer.publish(wish("api", TWO))
    await writer.until(lambda: writer.zone.rrset(MARKER), within=15)


async def test_an_orphan_and_a_delegation_that_come_up_are_seen(start: Start) -> None:
    writer = await published(start)
    writer.want(wish("api.eu", ONE, record=key("eu"), uid="uid-eu"))
    await writer.settled("eu")
    writer.zone.put(marker_of("lost"))
    writer.zone.opaque.append(OpaqueSet(f"eu.{DOMAIN}", "NS"))
    await writer.until(lambda: writer.refusal("eu") == "BelowZoneCut", within=1.2 * PAGES / 0.5)
    assert writer.enactor.zone_report().orphans == (f"lost.{DOMAIN}",)


async def test_a_large_zone_is_compared_some_names_at_a_time() -> None:
    sets = {each.key: each for each in (a_set(f"n{number}.{DOMAIN}", ONE) for number in range(3 * AT_ONCE))}
    zone = MemoryZone()
    zone.put(*sets.values())
    contents = ZoneContents(dict(zone.sets))
    view = ZoneView(contents)
    zone.put(a_set(f"n7.{DOMAIN}", THREE), a_set(f"new.{DOMAIN}", ONE))
    zone.drop(a_set(f"n9.{DOMAIN}", ONE).key)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    found = await compared(view, ZoneContents(dict(zone.sets)))
    beside.cancel()
    assert found.differing == {f"n7.{DOMAIN}", f"new.{DOMAIN}", f"n9.{DOMAIN}"}
    assert turns >= 6
