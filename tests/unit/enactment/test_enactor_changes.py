"""Zones that keep an account of their changes: what others do there is read within seconds, and nothing else is."""

import asyncio
from collections.abc import Callable

import pytest

from detour.enactment.contract import (
    ChangedNames,
    CredentialsRefusedError,
    OpaqueSet,
    Scope,
    ThrottledError,
    ZoneContents,
)
from detour.enactment.periods import DEFAULT_PERIODS
from detour.model.names import marker_name
from detour.model.rrset import RRKey, RRType
from detour_simulation.memoryzone import MemoryProvider, MemoryZone

from .writer import API, DOMAIN, LEDGER, ONE, TWO, Writer, a_set, key, marker_of, wish

Start = Callable[..., Writer]
SOON = DEFAULT_PERIODS.changes + 1.0
"""Seconds: the account is asked, the name is read and written."""

ADDRESSES = a_set(API, ONE).key


class Talking(MemoryProvider):
    """A provider that may refuse to tell what has changed, or keep nothing that it could tell."""

    refuses = is_silent = asks_for_patience = False
    read_takes = 0.0

    async def read_zone(self) -> ZoneContents:
        contents = await super().read_zone()
        await asyncio.sleep(self.read_takes)
        return contents

    async def changed_since(self, mark: str) -> ChangedNames | None:
        if self.asks_for_patience:
            raise ThrottledError("not so fast", 1.0, scope=Scope.ZONE)
        if self.refuses:
            raise CredentialsRefusedError("the key may not ask for changes")
        changed = await super().changed_since(mark)
        return None if self.is_silent else changed


async def published(start: Start, *, account: bool = True) -> Writer:
    """Return a writer that has published two names, and rests."""
    zone = MemoryZone()
    zone.account = [] if account else None
    writer = start(zone, provider=Talking)
    await writer.publish(wish("api", ONE), wish("web", TWO))
    await asyncio.sleep(30)
    return writer


async def test_damage_is_repaired_once_the_account_tells_of_it(start: Start) -> None:
    writer = await published(start)
    writer.zone.drop(ADDRESSES)
    await writer.until(lambda: writer.zone.answers(API) == {ONE}, within=SOON)


async def test_without_an_account_the_next_reading_of_the_zone_tells(start: Start) -> None:
    writer = await published(start, account=False)
    writer.zone.drop(ADDRESSES)
    await asyncio.sleep(SOON)
    assert not writer.zone.answers(API)
    await writer.until(lambda: writer.zone.answers(API) == {ONE}, within=1.1 * DEFAULT_PERIODS.reading)


@pytest.mark.parametrize("mark", [RRKey(marker_name(API), RRType.TXT), LEDGER], ids=["marker", "ledger"])
async def test_marks_of_ours_are_put_back(start: Start, mark: RRKey) -> None:
    writer = await published(start)
    writer.zone.drop(mark)
    await writer.until(lambda: writer.zone.rrset(mark), within=SOON)


async def test_our_own_writes_are_not_read_for_it(start: Start) -> None:
    writer = await published(start)
    reads, asked = len(writer.provider.name_reads), len(writer.provider.changes_asked)
    await writer.publish(wish("api", TWO))
    await asyncio.sleep(300)
    assert len(writer.provider.changes_asked) - asked >= 300 // DEFAULT_PERIODS.changes
    assert len(writer.provider.name_reads) == reads
    assert len(writer.provider.zone_reads) == 2


async def test_names_that_nobody_wishes_for_are_not_read(start: Start) -> None:
    writer = await published(start)
    reads = len(writer.provider.name_reads)
    writer.zone.put(*(a_set(f"other-{number}.{DOMAIN}", ONE) for number in range(100)))
    await asyncio.sleep(SOON)
    assert len(writer.provider.name_reads) == reads


async def test_a_marker_of_ours_that_comes_up_is_an_orphan_at_once(start: Start) -> None:
    writer = await published(start)
    writer.zone.put(marker_of("lost"))
    await writer.until(lambda: writer.enactor.zone_report().orphans == (f"lost.{DOMAIN}",), within=SOON)


async def test_an_account_that_does_not_reach_back_has_the_zone_read(start: Start) -> None:
    writer = await published(start)
    writer.zone.drop(ADDRESSES)
    assert writer.zone.account is not None
    writer.zone.forgotten = len(writer.zone.account)
    await writer.until(lambda: writer.zone.answers(API) == {ONE}, within=SOON)


async def test_a_delegation_that_comes_up_above_a_name_has_the_zone_read(start: Start) -> None:
    writer = start(zone := MemoryZone())
    zone.account = []
    writer.want(wish("api.eu", ONE, record=key("api"), uid="uid-api"))
    await writer.settled("api")
    await asyncio.sleep(30)
    zone.opaque.append(OpaqueSet(f"eu.{DOMAIN}", "NS"))
    zone.note_change([f"eu.{DOMAIN}"])
    await writer.until(lambda: writer.refusal("api") == "BelowZoneCut", within=SOON)


async def test_who_cannot_tell_what_has_changed_is_not_asked_before_the_zone_is_read_again(start: Start) -> None:
    writer = await published(start)
    writer.provider.is_silent = True
    await asyncio.sleep(SOON)
    asked = len(writer.provider.changes_asked)
    await asyncio.sleep(300)
    assert len(writer.provider.changes_asked) == asked
    writer.provider.is_silent = False
    await asyncio.sleep(1.1 * DEFAULT_PERIODS.reading)
    writer.zone.drop(ADDRESSES)
    await writer.until(lambda: writer.zone.answers(API) == {ONE}, within=SOON)


async def test_an_account_that_is_refused_holds_nothing_up_and_is_left_until_the_next_reading(start: Start) -> None:
    writer = await published(start)
    writer.provider.refuses = True
    await asyncio.sleep(60)
    assert not writer.enactor.hears_of_changes
    writer.want(wish("api", TWO))
    await writer.until(lambda: writer.zone.answers(API) == {TWO}, within=1)
    assert writer.enactor.trouble is None
    assert writer.enactor.zone_report().ready
    writer.provider.refuses = False
    await asyncio.sleep(1.1 * DEFAULT_PERIODS.reading)
    writer.zone.drop(ADDRESSES)
    await writer.until(lambda: writer.zone.answers(API) == {TWO}, within=SOON)


@pytest.mark.parametrize("way", ["refuses", "is_silent"])
async def test_an_account_that_tells_no_more_has_the_zone_read_soon(start: Start, way: str) -> None:
    writer = await published(start)
    await asyncio.sleep(5)  # no question is on its way
    setattr(writer.provider, way, True)
    writer.zone.drop(ADDRESSES)
    await writer.until(lambda: writer.zone.answers(API) == {ONE}, within=60)
    reads = len(writer.provider.zone_reads)
    await asyncio.sleep(300)
    assert len(writer.provider.zone_reads) == reads, "an account that tells nothing since is no reason to read again"


async def test_an_account_that_fails_before_it_told_anything_has_the_zone_read_soon(start: Start) -> None:
    writer = start(zone := MemoryZone(), provider=Talking)
    zone.account = []
    await writer.publish(wish("api", ONE), wish("web", TWO))
    assert not writer.provider.changes_asked
    writer.provider.refuses = True
    zone.drop(ADDRESSES)
    await writer.until(lambda: zone.answers(API) == {ONE}, within=60)


async def test_patience_that_was_asked_for_an_account_ends_with_it(start: Start) -> None:
    writer = await published(start)
    writer.provider.asks_for_patience = True
    await writer.until(lambda: writer.enactor.zone_report().is_throttled, within=SOON)
    await writer.until(lambda: not writer.enactor.zone_report().is_throttled, within=60)


async def test_a_gap_that_shows_while_the_zone_is_read_is_not_filled_by_that_reading(start: Start) -> None:
    writer = await published(start)
    writer.provider.read_takes, reader = 6.0, writer.enactor._reader
    reads = len(writer.provider.zone_reads)
    await writer.until(lambda: reader.changes.due_at - asyncio.get_running_loop().time() < 3)
    reader._due_at = 0.0
    writer.enactor.suspect(f"www.{DOMAIN}")
    await writer.until(lambda: len(writer.provider.zone_reads) > reads, within=2)  # it is on its way, as it was then
    writer.zone.drop(ADDRESSES)
    assert writer.zone.account is not None
    writer.zone.forgotten = len(writer.zone.account)
    await writer.until(lambda: writer.zone.answers(API) == {ONE}, within=200)


async def test_who_is_not_in_force_rests_though_nobody_asks_what_has_changed(start: Start) -> None:
    zone = MemoryZone()
    zone.account = []
    writer = start(zone, provider=Talking, dry_run=True)
    writer.want(wish("api", ONE))
    await asyncio.sleep(60)
    steps, step = 0, writer.enactor._step

    async def counted() -> float | None:
        nonlocal steps
        steps += 1
        return await step()

    writer.enactor._step = counted  # type: ignore[method-assign]
    await asyncio.sleep(300)
    assert steps < 100
