"""The ledger moves on in time whatever else is going on: short budgets, bursts, throttling, long readings."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from detour.enactment.budget import Budget
from detour.enactment.contract import ZoneContents
from detour.enactment.ledger import parse_ledger
from detour.enactment.sites import Site
from detour.enactment.takeover import LOOK_PERIOD
from detour_simulation.memoryzone import NO_QUOTA, Fault, MemoryProvider

from .writer import API, DOMAIN, LEDGER, ONE, THREE, TWO, Writer, a_ledger, a_set, wish

Start = Callable[..., Writer]
RENEWS, PATIENCE = 20.0, 90.0


def site(name: str, rank: int = 0) -> Site:
    return Site(name, rank=rank, renew_every=RENEWS, take_over_after=PATIENCE)


class Office:
    """The election as one replica sees it."""

    def __init__(self, *, leads: bool = True) -> None:
        self.leads = leads
        self.confirmed_at = float("-inf")
        self.is_cut_off = False

    def confirmed_since(self, at: float) -> bool:
        now = asyncio.get_running_loop().time()
        return self.leads and not self.is_cut_off and now - 3.0 > at


@pytest.fixture
async def looking() -> AsyncIterator[Callable[[Writer], None]]:
    """Show a standby, again and again, what the zone's name servers have of its ledger, as its keeper would."""
    tasks: list[asyncio.Task[None]] = []

    async def look(writer: Writer) -> None:
        while True:
            await asyncio.sleep(LOOK_PERIOD)
            if (found := parse_ledger(writer.zone.rrset(LEDGER))) and writer.enactor.takeover.watched:
                writer.enactor.takeover.saw(found)

    def begin(writer: Writer) -> None:
        tasks.append(asyncio.create_task(look(writer)))

    yield begin
    for task in tasks:
        task.cancel()


class Paged(MemoryProvider):
    """A provider that gives a zone page by page, a second each (Azure DNS: 100 sets, 60 lists a minute)."""

    pages = 2

    async def read_zone(self) -> ZoneContents:
        await asyncio.sleep(self.pages)
        return await super().read_zone()


async def longest_stillness(writer: Writer, seconds: float) -> float:
    """Return for how long the ledger stood still at most, within so many seconds."""
    now = asyncio.get_running_loop().time
    end, last, moved_at, longest = now() + seconds, writer.zone.rrset(LEDGER), now(), 0.0
    while now() < end:
        await asyncio.sleep(0.1)
        if writer.zone.rrset(LEDGER) != last:
            last, moved_at = writer.zone.rrset(LEDGER), now()
        longest = max(longest, now() - moved_at)
    return longest


async def test_renewals_come_first_in_a_short_budget(start: Start) -> None:
    """A burst of 300 names takes minutes; the ledger goes on moving, and so nobody takes the zone over."""
    limits = replace(NO_QUOTA, changes_per_second=1.0, changes_burst=200.0, batch_elements=600)
    writer = start(limits=limits, site=site("a"))
    names = [f"n{place}" for place in range(100)]
    writer.want(*(wish(name, ONE) for name in names))
    await writer.settled(*names, within=600)
    writer.want(*(wish(name, TWO) for name in names))
    assert await longest_stillness(writer, 400) < RENEWS + 10
    assert writer.in_sync(*names)


async def test_renewals_go_on_while_another_zone_of_the_account_bursts(start: Start) -> None:
    limits = replace(NO_QUOTA, changes_per_second=2.0, changes_burst=100.0, batch_elements=100)
    budget = Budget(limits, asyncio.get_running_loop().time)
    quiet = start(limits=limits, budget=budget, site=site("a"))
    await quiet.publish(wish("api", ONE))
    busy = start(limits=limits, budget=budget, site=site("a"))
    busy.want(*(wish(f"n{place}", ONE) for place in range(300)))
    assert await longest_stillness(quiet, 400) < RENEWS + 10


async def test_renewals_go_on_after_a_pause_that_the_provider_asked_for(start: Start) -> None:
    writer = start(site=site("a"))
    await writer.publish(wish("api", ONE))
    for _ in range(5):
        writer.provider.trouble(Fault.THROTTLED, 30.0)
        assert await longest_stillness(writer, 60) < RENEWS + 30 + 1


async def test_renewals_go_on_over_lost_answers(start: Start) -> None:
    writer = start(site=site("a"))
    await writer.publish(wish("api", ONE))
    for fault in (Fault.LOST_BEFORE, Fault.LOST_AFTER, Fault.UNAVAILABLE):
        writer.provider.trouble(fault, times=2)
        assert await longest_stillness(writer, 60) < RENEWS + 5


@pytest.mark.parametrize("pages", [2, 20])
async def test_renewals_go_on_while_a_zone_is_read(start: Start, pages: int) -> None:
    writer = start(site=site("a"), provider=type("Pages", (Paged,), {"pages": pages}))
    writer.want(wish("api", ONE))
    await writer.settled("api", within=100)
    assert await longest_stillness(writer, 1500) < RENEWS + pages + 5


async def test_a_large_zone_is_not_taken_over_because_it_is_being_read(
    start: Start, looking: Callable[[Writer], None]
) -> None:
    first = start(site=site("a"), provider=type("Pages", (Paged,), {"pages": 100}))
    first.want(wish("api", ONE))
    await first.settled("api", within=500)
    second = start(first.zone, site=site("b"))
    looking(second)
    second.want(wish("api"))
    await asyncio.sleep(1500)
    assert first.ledger.site == "a"


async def test_a_failover_does_not_wait_for_the_reading_of_a_large_zone(start: Start) -> None:
    writer = start(provider=type("Pages", (Paged,), {"pages": 100}))
    writer.want(wish("api", ONE))
    await writer.settled("api", within=500)
    reads = len(writer.provider.zone_reads)
    await asyncio.sleep(550 - (asyncio.get_running_loop().time() - writer.provider.zone_reads[-1]))
    waits = []
    for values in (TWO, ONE) * 60:
        writer.want(wish("api", values))
        waits.append(await writer.settled("api", within=500))
        await asyncio.sleep(2)
        if len(writer.provider.zone_reads) > reads:
            break
    assert len(writer.provider.zone_reads) > reads, "a reading fell into this time"
    assert max(waits) < 5


class Snapshot(MemoryProvider):
    """A provider whose reading of a zone takes `seconds` and shows it as it was when the reading began."""

    seconds = 100.0
    began: float | None = None

    async def read_zone(self) -> ZoneContents:
        self.began = asyncio.get_running_loop().time()
        contents = await super().read_zone()
        await asyncio.sleep(self.seconds)
        return contents


async def reading(start: Start, **options: object) -> Writer:
    """Return a writer that has published `api` and `www` and has just begun to read its zone again."""
    writer = start(provider=Snapshot, **options)
    writer.want(wish("api", ONE), wish("www", ONE))
    await writer.settled("api", "www", within=500)
    assert isinstance(writer.provider, Snapshot)
    first = writer.provider.began
    await writer.until(lambda: writer.provider.began != first, within=1000)  # type: ignore[attr-defined]
    return writer


async def test_what_was_written_while_a_zone_was_read_is_not_taken_back_by_the_reading(start: Start) -> None:
    writer = await reading(start)
    await asyncio.sleep(5)
    await writer.publish(wish("api", TWO))
    await asyncio.sleep(200)
    assert writer.report("api").published == (a_set(API, TWO),)
    assert writer.in_sync("api", "www")
    assert writer.zone.answers(API) == {TWO}


async def test_an_answer_lost_while_a_zone_was_read_is_not_taken_back_by_the_reading(start: Start) -> None:
    writer = await reading(start)
    writer.provider.trouble(Fault.LOST_AFTER)
    await writer.publish(wish("api", TWO))
    await asyncio.sleep(200)
    assert writer.report("api").published == (a_set(API, TWO),)
    assert writer.enactor.tally.repairs == 0


async def test_a_zone_is_read_after_a_claim_also_where_a_reading_was_under_way(start: Start) -> None:
    """After the ledger was lost it is claimed anew; what was read before the claim does not count."""
    writer = await reading(start)
    await asyncio.sleep(5)
    writer.zone.put(a_set(f"www.{DOMAIN}", THREE))
    writer.zone.drop(LEDGER)
    writer.enactor.suspect(API)
    await writer.until(lambda: writer.zone.rrset(LEDGER), within=60)
    await asyncio.sleep(300)
    assert writer.zone.answers(f"www.{DOMAIN}") == {ONE}


async def test_a_zone_is_in_force_only_on_a_reading_begun_after_the_claim(start: Start) -> None:
    """A rival took the zone over while we read it, published, and died; we claim above it before our reading ends."""
    writer = await reading(start, leadership=Office())
    await asyncio.sleep(5)
    writer.zone.put(a_ledger(9, 1), a_set(f"www.{DOMAIN}", THREE))
    writer.enactor.suspect(API)
    await writer.until(lambda: not writer.enactor.in_force)
    await writer.until(lambda: writer.enactor.in_force, within=400)
    assert writer.report("www").published == (a_set(f"www.{DOMAIN}", THREE),)
