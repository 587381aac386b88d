"""One zone, several writers of one installation: replicas that take turns, and sites that watch each other."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from detour.enactment.ledger import parse_ledger
from detour.enactment.sites import STAGGER, Site
from detour.enactment.takeover import LOOK_PERIOD, STANDBY
from detour.model.rrset import RRset, RRType
from detour_simulation.memoryzone import MemoryZone

from .writer import API, LEDGER, ONE, TWO, Writer, a_ledger, a_set, marker_of, wish

Start = Callable[..., Writer]
RENEWS, PATIENCE = 20.0, 90.0


def site(name: str, rank: int = 0) -> Site:
    return Site(name, rank=rank, renew_every=RENEWS, take_over_after=PATIENCE)


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


async def dies(writer: Writer) -> None:
    writer.task.cancel()
    await asyncio.gather(writer.task, return_exceptions=True)


async def test_the_site_in_force_moves_its_ledger_on_when_nothing_else_does(start: Start) -> None:
    writer = start(site=site("a"))
    await writer.publish(wish("api", ONE))
    before = writer.ledger
    assert before.renew == RENEWS
    for _ in range(20):
        last = writer.ledger.generation
        await asyncio.sleep(RENEWS + 1)
        assert writer.ledger.generation > last
    assert writer.ledger.claim == before.claim
    assert all(not batch.changes for batch in writer.provider.applied[2:])


async def test_the_only_site_renews_nothing(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    written = len(writer.provider.writes)
    await asyncio.sleep(500)
    assert len(writer.provider.writes) == written
    assert writer.ledger.renew == 0


async def test_a_standby_site_leaves_the_zone_alone_while_the_other_lives(
    start: Start, looking: Callable[[Writer], None]
) -> None:
    first = start(site=site("a"))
    await first.publish(wish("api", ONE))
    second = start(first.zone, site=site("b", rank=1))
    looking(second)
    second.want(wish("api"))
    await asyncio.sleep(3600)
    assert not second.provider.writes
    report = second.enactor.zone_report()
    assert report.standby is not None
    assert (report.standby.reason, report.site, report.ready, report.in_force) == (STANDBY, "a", True, False)


@pytest.mark.parametrize("rank", [0, 1, 2])
async def test_a_standby_site_takes_over_when_the_ledger_has_stood_still(
    start: Start, looking: Callable[[Writer], None], rank: int
) -> None:
    first = start(site=site("a"))
    await first.publish(wish("api", ONE))
    second = start(first.zone, site=site("b", rank=rank))
    looking(second)
    second.want(wish("api"))
    await asyncio.sleep(100)
    await dies(first)
    seconds = await second.until(lambda: second.enactor.in_force, within=300)
    assert PATIENCE - RENEWS + STAGGER * rank <= seconds <= PATIENCE + STAGGER * rank + 2 * LOOK_PERIOD + 1
    assert first.zone.answers(API) == {ONE}
    assert second.ledger.site == "b"


async def test_of_two_standbys_the_lower_rank_takes_over_and_the_other_yields_to_it(
    start: Start, looking: Callable[[Writer], None]
) -> None:
    first = start(site=site("a"))
    await first.publish(wish("api", ONE))
    standbys = [start(first.zone, site=site(name, rank=rank)) for name, rank in (("b", 1), ("c", 2))]
    for each in standbys:
        looking(each)
        each.want(wish("api"))
    await asyncio.sleep(100)
    await dies(first)
    await asyncio.sleep(600)
    assert [each.enactor.in_force for each in standbys] == [True, False]
    assert first.ledger.generation.epoch == 2


async def test_a_site_that_wakes_up_late_becomes_the_standby(start: Start, looking: Callable[[Writer], None]) -> None:
    first = start(site=site("a"))
    looking(first)
    await first.publish(wish("api", ONE))
    first.provider.latency = 400.0  # its network is away, and what it had sent arrives much later
    second = start(first.zone, site=site("b", rank=1))
    looking(second)
    second.want(wish("api"))
    await second.until(lambda: second.enactor.in_force, within=300)
    second.want(wish("api", TWO))
    await second.settled("api")
    first.provider.latency = 0.05
    await asyncio.sleep(1000)
    assert second.enactor.in_force
    assert not first.enactor.in_force
    assert first.zone.answers(API) == {TWO}
    standby = first.enactor.zone_report().standby
    assert standby is not None
    assert standby.reason == STANDBY
    assert first.ledger.generation.epoch == 2, "they do not take it from each other"


async def test_a_take_over_by_hand_moves_the_zone_and_it_stays_there(
    start: Start, looking: Callable[[Writer], None]
) -> None:
    first = start(site=site("a"))
    looking(first)
    await first.publish(wish("api", ONE))
    second = start(first.zone, site=site("b", rank=1))
    looking(second)
    second.want(wish("api"))
    await second.until(lambda: second.enactor.zone_report().standby)
    second.enactor.allow_take_over(allowed=True)
    assert await second.until(lambda: second.enactor.in_force) < LOOK_PERIOD * 2
    await asyncio.sleep(3600)
    assert second.enactor.in_force
    assert not first.enactor.in_force
    assert second.ledger.generation.epoch == 2


async def test_a_site_that_lost_its_api_to_the_zone_but_sees_the_name_servers_does_not_claim_blindly(
    start: Start, looking: Callable[[Writer], None]
) -> None:
    """The name servers show one old ledger for ever; before a claim it is read through the provider's own API."""
    first = start(site=site("a"))
    await first.publish(wish("api", ONE))
    second = start(first.zone, site=site("b"))
    second.want(wish("api"))
    await second.until(lambda: second.enactor.takeover.watched)
    stale = second.enactor.takeover.watched
    assert stale is not None
    for _ in range(60):
        await asyncio.sleep(LOOK_PERIOD)
        second.enactor.takeover.saw(stale)  # name servers that have stopped transferring the zone
    assert not second.enactor.in_force
    assert first.enactor.in_force
    assert first.ledger.generation.epoch == 1


async def test_the_ledger_of_a_site_that_does_not_renew_waits_for_a_person(
    start: Start, looking: Callable[[Writer], None]
) -> None:
    zone = MemoryZone()
    zone.put(a_ledger(4, 4, site="a", renew=0), a_set(API, ONE), marker_of("api"))
    second = start(zone, site=site("b"))
    looking(second)
    second.want(wish("api"))
    await asyncio.sleep(3600)
    assert not second.provider.writes
    trouble = second.enactor.zone_report().trouble
    assert trouble is not None
    assert trouble.reason == "HeldByAnotherSite"


@pytest.mark.parametrize("damage", ["deleted", "garbled"])
@pytest.mark.parametrize("rank", [0, 1])
async def test_the_site_in_force_puts_its_own_lost_ledger_back_at_once(start: Start, damage: str, rank: int) -> None:
    """A standby leaves it that time; who was in force has nobody to wait for, and cannot fail over until it is back."""
    writer = start(site=site("a", rank=rank))
    await writer.publish(wish("api", ONE))
    if damage == "deleted":
        writer.zone.drop(LEDGER)
    else:
        writer.zone.put(RRset(LEDGER.name, RRType.TXT, 5, ("not a ledger",)))
    writer.enactor.suspect(API)
    assert await writer.until(lambda: parse_ledger(writer.zone.rrset(LEDGER)), within=60) < 5


async def test_a_lost_ledger_does_not_keep_a_failover_waiting(start: Start) -> None:
    writer = start(site=site("a"))
    await writer.publish(wish("api", ONE))
    writer.zone.drop(LEDGER)
    writer.want(wish("api", TWO))
    await writer.until(lambda: writer.zone.answers(API) == {TWO} or not writer.enactor.in_force)
    writer.want(wish("api", TWO))
    assert await writer.until(lambda: writer.zone.answers(API) == {TWO}, within=60) < 5


async def test_a_lost_ledger_leaves_the_zone_where_it_is_also_with_a_standby(
    start: Start, looking: Callable[[Writer], None]
) -> None:
    first = start(site=site("a"))
    await first.publish(wish("api", ONE))
    second = start(first.zone, site=site("b", rank=1))
    looking(second)
    second.want(wish("api"))
    await second.until(lambda: second.enactor.zone_report().standby)
    first.zone.drop(LEDGER)
    await asyncio.sleep(300)
    assert first.enactor.in_force
    assert not second.enactor.in_force
    assert first.ledger.site == "a"
