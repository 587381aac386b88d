"""One zone, several processes of one cluster: who leads writes, and what a term leaves behind counts for the next."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from detour.enactment.takeover import STANDSTILL
from detour.model.withdrawal import Withdrawal
from detour_simulation.memoryzone import NO_QUOTA, Fault, MemoryZone

from .writer import API, ONE, THREE, TWO, Writer, a_ledger, a_set, key, marker_of, wish

Start = Callable[..., Writer]
RENEWS, PATIENCE = 20.0, 90.0


class Office:
    """The election as one replica sees it."""

    def __init__(self, *, leads: bool = True) -> None:
        self.leads = leads
        self.confirmed_at = float("-inf")
        self.is_cut_off = False

    def confirmed_since(self, at: float) -> bool:
        now = asyncio.get_running_loop().time()
        return self.leads and not self.is_cut_off and now - 3.0 > at


def depose(writer: Writer, office: Office) -> None:
    office.leads = False
    writer.enactor.reconsider()


def elect(writer: Writer, office: Office) -> None:
    office.leads = True
    writer.enactor.reconsider()


async def dies(writer: Writer) -> None:
    writer.task.cancel()
    await asyncio.gather(writer.task, return_exceptions=True)


async def test_a_replica_that_does_not_lead_reads_and_writes_nothing(start: Start) -> None:
    zone = MemoryZone()
    zone.put(a_ledger(3, 7), a_set(API, ONE), marker_of("api"))
    standby = start(zone, leadership=Office(leads=False))
    standby.want(wish("api", TWO))
    await standby.until(lambda: standby.enactor.report(key("api")))
    await asyncio.sleep(1200)
    assert not standby.provider.writes
    assert zone.answers(API) == {ONE}
    assert not standby.enactor.in_force
    assert standby.report("api").published == (a_set(API, ONE),)


async def test_a_take_over_by_a_replica_that_wants_the_same_writes_its_claim_and_nothing_else(start: Start) -> None:
    first = start()
    await first.publish(wish("api", ONE))
    second = start(first.zone, leadership=Office())
    await dies(first)
    second.want(wish("api", ONE))
    await second.until(lambda: second.enactor.in_force)
    await second.settled("api")
    assert [batch.changes for batch in second.provider.applied] == [()]
    assert second.ledger.generation.epoch == 2


async def test_what_a_standby_wishes_before_its_term_is_not_written_by_its_term(start: Start) -> None:
    """Before it is in force wishes claim names and say nothing of sets; the keeper hands the rest in later."""
    first = start()
    await first.publish(wish("api", ONE))
    office = Office(leads=False)
    second = start(first.zone, leadership=office)
    second.want(wish("api"))
    await asyncio.sleep(5)
    await dies(first)
    elect(second, office)
    await second.until(lambda: second.enactor.in_force)
    await asyncio.sleep(5)
    assert first.zone.answers(API) == {ONE}


async def test_a_leader_that_is_deposed_writes_nothing_more(start: Start) -> None:
    office = Office()
    writer = start(leadership=office)
    await writer.publish(wish("api", ONE))
    written = len(writer.provider.writes)
    depose(writer, office)
    writer.want(wish("api", TWO))
    await asyncio.sleep(1200)
    assert len(writer.provider.writes) == written
    assert not writer.enactor.in_force


async def test_a_leader_deposed_while_it_waits_for_budget_writes_nothing_more(start: Start) -> None:
    limits = replace(NO_QUOTA, changes_per_second=0.1, changes_burst=10.0)
    office = Office()
    writer = start(limits=limits, leadership=office)
    await writer.publish(wish("api", ONE))
    writer.budget.count_changes(40)
    writer.want(wish("api", TWO))
    await asyncio.sleep(1)
    depose(writer, office)
    await asyncio.sleep(1200)
    assert writer.zone.answers(API) == {ONE}


async def test_a_leader_deposed_while_a_batch_is_in_flight_learns_what_became_of_it_and_stops(start: Start) -> None:
    office = Office()
    writer = start(leadership=office)
    await writer.publish(wish("api", ONE))
    writer.provider.trouble(Fault.LOST_AFTER)
    writer.want(wish("api", TWO))
    await asyncio.sleep(0.02)
    depose(writer, office)
    await asyncio.sleep(60)
    assert writer.zone.answers(API) == {TWO}
    assert writer.fence.held is None
    assert not writer.enactor.in_force
    assert writer.report("api").published == (a_set(API, TWO),)


async def test_a_leader_deposed_for_a_moment_while_a_batch_is_in_doubt_reads_the_zone_before_it_goes_on(
    start: Start,
) -> None:
    """What it had decided is void; without a reading it would hold the zone and decide nothing for it."""
    office = Office()
    writer = start(leadership=office)
    await writer.publish(wish("api", ONE))
    reads = len(writer.provider.zone_reads)
    writer.provider.trouble(Fault.LOST_AFTER)
    writer.want(wish("api", TWO))
    await asyncio.sleep(0.02)
    depose(writer, office)
    await writer.until(lambda: not writer.enactor.in_force)
    assert writer.zone.answers(API) == {TWO}
    elect(writer, office)  # while it reads what became of the batch
    await writer.until(lambda: writer.enactor.in_force, within=5)
    assert len(writer.provider.zone_reads) > reads
    await writer.publish(wish("api", THREE))


async def test_two_replicas_that_both_believe_to_lead_do_not_take_the_zone_from_each_other(start: Start) -> None:
    """The first was cut off from the API server when the second was elected; its Lease is never renewed again."""
    cut, elected = Office(), Office()
    first = start(leadership=cut)
    await first.publish(wish("api", ONE))
    cut.is_cut_off = True
    second = start(first.zone, leadership=elected)
    second.want(wish("api", THREE))
    await second.settled("api", within=5)
    first.want(wish("api", TWO))
    epoch = second.ledger.generation.epoch
    await asyncio.sleep(1800)
    assert second.ledger.generation.epoch == epoch
    assert first.zone.answers(API) == {THREE}
    assert not first.enactor.in_force
    trouble = first.enactor.zone_report().trouble
    assert trouble is not None
    assert trouble.reason == "Superseded"


async def test_a_replica_that_is_elected_again_takes_over_at_once_from_who_superseded_it(start: Start) -> None:
    office = Office()
    first = start(leadership=office)
    await first.publish(wish("api", ONE))
    second = start(first.zone, leadership=Office())
    second.want(wish("api", TWO))
    await second.settled("api", within=5)
    first.enactor.suspect(API)
    await first.until(lambda: not first.enactor.in_force)
    depose(first, office)
    await dies(second)
    await asyncio.sleep(1)
    elect(first, office)
    assert await first.until(lambda: first.enactor.in_force) < STANDSTILL / 2
    assert first.zone.answers(API) == {TWO}, "what it wished in its first term is void"


async def test_a_process_that_slept_for_a_minute_cannot_apply_what_it_had_decided(start: Start) -> None:
    """SIGSTOP: the batch leaves after the other replica has claimed the zone and written."""
    asleep = start(leadership=Office())
    await asleep.publish(wish("api", ONE))
    asleep.provider.latency = 60.0
    asleep.want(wish("api", TWO))
    await asyncio.sleep(1)
    other = start(asleep.zone, leadership=Office())
    other.want(wish("api", THREE))
    await other.settled("api", within=5)
    await asyncio.sleep(120)
    assert asleep.zone.answers(API) == {THREE}
    assert not asleep.enactor.in_force


async def test_a_deletion_that_one_leader_began_the_next_one_finishes(start: Start) -> None:
    office = Office(leads=False)
    first, gone = start(), Withdrawal(key("api"), "uid-api", API)
    await first.publish(wish("api", ONE), wish("www", ONE))
    second = start(first.zone, leadership=office)
    second.want(wish("api"), wish("www"))
    await asyncio.sleep(5)
    await dies(first)
    first.zone.guarded.discard(API)
    second.enactor.withdraw(gone)
    await asyncio.sleep(30)
    assert first.zone.answers(API) == {ONE}, "it does not lead yet"
    elect(second, office)
    await second.until(lambda: gone in second.notes.withdrawals)
    assert first.zone.answers(API) == set()


async def test_a_deletion_that_the_leader_made_is_no_news_for_the_standby_once_it_has_read_the_zone(
    start: Start,
) -> None:
    office = Office(leads=False)
    first, gone = start(), Withdrawal(key("api"), "uid-api", API)
    await first.publish(wish("api", ONE), wish("www", ONE))
    second = start(first.zone, leadership=office)
    second.want(wish("api"), wish("www"))
    await asyncio.sleep(5)
    first.zone.guarded.discard(API)
    for each in (first, second):
        each.enactor.withdraw(gone)
    await first.until(lambda: gone in first.notes.withdrawals)
    await first.publish(wish("api", TWO, uid="uid-2"))
    await dies(first)
    elect(second, office)
    second.want(wish("api", uid="uid-2"))
    await second.until(lambda: second.enactor.in_force)
    await asyncio.sleep(5)
    assert first.zone.answers(API) == {TWO}, "the new record of that name is not the one that was deleted"
