"""What BIND's own journal tells: every update since the zone was made, in whole sets."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from detour_lab.clouds.labzones import RealZone
from detour_lab.clouds.zonejournal import JournalError, commits_of
from detour_lab.dns.realservers import RealBIND, UpdateKey
from detour_lab.zones.store import RecordSet

DOMAIN = "journal.example.com"
NAME = f"api.{DOMAIN}"


@pytest_asyncio.fixture
async def zone() -> AsyncIterator[RealZone]:
    """A zone at a real BIND, still without data."""
    async with RealBIND(DOMAIN, UpdateKey.random()) as server:
        yield RealZone("journal", "BIND", DOMAIN, server)


async def test_a_zone_that_nobody_has_changed_has_no_history(zone: RealZone) -> None:
    assert await commits_of(zone) == []


async def test_each_update_is_one_commit_with_the_sets_before_and_after_it(zone: RealZone) -> None:
    await zone.edit(NAME, "A", ["192.0.2.1", "192.0.2.2"])
    await zone.edit(NAME, "A", ["192.0.2.2"])
    await zone.edit(f"owner.{DOMAIN}", "TXT", ['"epoch=1 seq=0"'])
    await zone.edit(NAME, "A", [])

    both = RecordSet(NAME, "A", 60, ("192.0.2.1", "192.0.2.2"))
    one = RecordSet(NAME, "A", 60, ("192.0.2.2",))
    text = RecordSet(f"owner.{DOMAIN}", "TXT", 60, ('"epoch=1 seq=0"',))
    found = [(each.number, each.removed, each.added) for each in await commits_of(zone)]
    assert found == [(2, (), (both,)), (3, (both,), (one,)), (4, (), (text,)), (5, (one,), ())]


async def test_a_history_longer_than_the_zone_is_told_in_full(zone: RealZone) -> None:
    for number in range(150):
        await zone.edit(NAME, "TXT", [f'"{number}"'])

    texts = [each.added[0].values[0] for each in await commits_of(zone)]
    assert texts == [f'"{number}"' for number in range(150)]


async def test_a_journal_that_cannot_be_read_is_not_taken_for_an_empty_one(zone: RealZone) -> None:
    await zone.edit(NAME, "A", ["192.0.2.1"])
    (zone.server.folder / f"{DOMAIN}.zone.jnl").write_bytes(b"no journal")

    with pytest.raises(JournalError, match="journal"):
        await commits_of(zone)
