"""The enactor when all goes well: few batches, the newest wish, nothing twice, nothing that nobody wished."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from detour.enactment.budget import Budget, ZoneBudget
from detour.model.names import marker_name
from detour.model.record import Importance, ObjectKey
from detour.model.rrset import RRKey, RRset, RRType
from detour.model.withdrawal import Withdrawal
from detour_simulation.memoryzone import NO_QUOTA, ONE_BY_ONE, Fault, MemoryProvider, MemoryZone

from .writer import API, DOMAIN, LEDGER, ONE, SIX, THREE, TWO, Writer, a_set, key, marker_of, wish

Start = Callable[..., Writer]
BOTH = pytest.mark.parametrize("limits", [NO_QUOTA, ONE_BY_ONE], ids=["atomic", "one-by-one"])


@BOTH
async def test_a_new_name_is_published_with_its_marker_behind_a_claimed_ledger(start: Start, limits: object) -> None:
    writer = start(limits=limits)
    await writer.publish(wish("api", ONE, SIX))
    assert writer.zone.answers(API) == {ONE, SIX}
    assert writer.zone.rrset(RRKey(marker_name(API), RRType.TXT)) == marker_of("api")
    assert writer.ledger.generation == (1, 1)
    assert writer.report("api").generation == (1, 1)


async def test_the_zone_is_read_again_after_it_was_claimed(start: Start) -> None:
    """Between the first reading and the claim the writer before us may have gone on."""
    zone = MemoryZone()
    zone.put(a_set(API, ONE), marker_of("api"))
    writer = start(zone)
    writer.want(wish("api", TWO))
    await writer.until(lambda: writer.provider.zone_reads)
    zone.put(a_set(API, THREE))
    await writer.settled("api")
    assert zone.answers(API) == {TWO}
    assert writer.enactor.tally.refused == 0
    assert len(writer.provider.zone_reads) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "batches"),
    [
        (NO_QUOTA, 3),  # 1,000 replacements of two elements each, and the ledger in every batch
        (replace(NO_QUOTA, batch_elements=300, elements_per_replacement=1), 4),
        (replace(NO_QUOTA, counts_values=True), 3),
    ],
)
async def test_a_thousand_changes_at_once_take_as_few_batches_as_the_limits_allow(
    start: Start, limits: object, batches: int
) -> None:
    writer = start(limits=limits)
    names = [f"n{place}" for place in range(1000)]
    await writer.publish(*(wish(name, ONE) for name in names))
    before = len(writer.provider.applied)
    writer.want(*(wish(name, TWO) for name in names))
    await writer.settled(*names)
    assert len(writer.provider.applied) - before == batches
    assert {value for name in names for value in writer.zone.answers(f"{name}.{DOMAIN}")} == {TWO}


async def test_names_with_many_values_still_share_a_batch(start: Start) -> None:
    """Where values count, a name may take far more elements than the four that are reckoned on."""
    writer = start(limits=replace(NO_QUOTA, counts_values=True))
    names = [f"n{place}" for place in range(20)]
    values = [f"192.0.2.{n}" for n in range(1, 21)]
    await writer.publish(*(wish(name, *values[:10]) for name in names))
    before = len(writer.provider.applied)
    writer.want(*(wish(name, *values[10:]) for name in names))
    await writer.settled(*names)
    assert len(writer.provider.applied) - before == 1


async def test_the_newest_wish_wins_while_a_batch_is_under_way(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    written = len(writer.provider.applied)
    writer.provider.latency = 1.0
    writer.want(wish("api", TWO))
    await asyncio.sleep(0.5)
    writer.want(wish("api", ONE))
    writer.want(wish("api", THREE))
    await writer.settled("api")
    assert writer.zone.answers(API) == {THREE}
    assert len(writer.provider.applied) - written == 2


async def test_the_newest_wish_wins_while_the_budget_is_waited_for(start: Start) -> None:
    limits = replace(NO_QUOTA, changes_per_second=1.0, changes_burst=10.0)
    writer = start(limits=limits)
    await writer.publish(wish("api", ONE))
    written = len(writer.provider.applied)
    writer.budget.count_changes(40)
    writer.want(wish("api", TWO))
    await asyncio.sleep(5.0)
    assert len(writer.provider.applied) == written
    writer.want(wish("api", THREE))
    await writer.settled("api", within=60)
    assert len(writer.provider.applied) == written + 1
    assert writer.zone.answers(API) == {THREE}


async def test_the_newest_wish_wins_while_the_account_is_paused(start: Start) -> None:
    """Another zone of the account met the limit: what was decided before the pause is old after it."""
    limits = replace(NO_QUOTA, requests_per_second=10.0, requests_burst=10.0)
    writer = start(limits=limits)
    await writer.publish(wish("api", ONE))
    written = len(writer.provider.applied)
    writer.budget.pause(20.0)
    writer.want(wish("api", TWO))
    await asyncio.sleep(10.0)
    writer.want(wish("api", THREE))
    await writer.settled("api")
    assert len(writer.provider.applied) == written + 1


async def test_nothing_is_written_when_nothing_changes(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    written = len(writer.provider.writes)
    writer.want(wish("api", ONE))
    await asyncio.sleep(3600)
    assert len(writer.provider.writes) == written
    assert 5 <= len(writer.provider.zone_reads) <= 9  # every ten minutes, more or less
    assert not writer.provider.name_reads[1:]


async def test_an_idle_zone_without_wishes_is_only_read(start: Start) -> None:
    writer = start()
    await asyncio.sleep(60)
    assert not writer.provider.writes
    assert writer.enactor.zone_report().ready


async def test_a_restart_writes_nothing_but_the_claim(start: Start) -> None:
    zone = MemoryZone()
    first = start(zone)
    await first.publish(wish("api", ONE))
    await first.stop()
    second = start(zone)
    second.want(wish("api", ONE))
    await second.settled("api")
    assert second.ledger.generation == (2, 0)
    assert [batch.changes for batch in second.provider.applied] == [()]


async def test_a_record_that_has_not_decided_yet_changes_nothing(start: Start) -> None:
    zone = MemoryZone()
    zone.put(a_set(API, ONE), marker_of("api"))
    writer = start(zone)
    writer.want(wish("api"))
    await writer.until(lambda: writer.report("api").owns if writer.enactor.report(key("api")) else False)
    await asyncio.sleep(5)
    assert zone.answers(API) == {ONE}
    assert writer.report("api").published == (a_set(API, ONE),)


async def test_what_is_published_is_not_disowned_before_it_was_looked_at(start: Start) -> None:
    """The engine decides by the first report: one that denies our own name would pass for an empty zone."""
    zone = MemoryZone()
    zone.put(a_set(API, ONE), marker_of("api"))
    writer = start(zone)
    writer.want(wish("api"))
    while not writer.enactor.is_read:  # noqa: ASYNC110 - the very first moment counts, which no event tells
        await asyncio.sleep(0.001)
    report = writer.enactor.report(key("api"))
    assert report is None or report.owns


async def test_a_wish_that_comes_after_the_reading_is_not_disowned_either(start: Start) -> None:
    zone = MemoryZone()
    zone.put(a_set(API, ONE), marker_of("api"))
    writer = start(zone)
    await writer.publish(wish("other", TWO))
    writer.provider.latency = 5.0
    writer.want(wish("other", THREE))
    await asyncio.sleep(1.0)
    writer.want(wish("api"))
    report = writer.enactor.report(key("api"))
    assert report is None or report.owns


async def test_a_family_is_withdrawn_only_while_the_other_answers(start: Start) -> None:
    for limits in (NO_QUOTA, ONE_BY_ONE):
        writer = start(limits=limits)
        await writer.publish(wish("api", ONE, SIX))
        await writer.publish(wish("api", TWO))
        assert writer.zone.answers(API) == {TWO}
        await writer.publish(wish("api", SIX))
        assert writer.zone.answers(API) == {SIX}
        await writer.stop()


async def test_an_atomic_provider_swaps_types_in_one_batch(start: Start) -> None:
    zone = MemoryZone()
    writer = start(zone)
    await writer.publish(wish("api", "lb.example.net"))
    zone.drop(RRKey(API, RRType.CNAME))
    zone.put(a_set(API, ONE))
    writer.enactor.suspect(API)
    await writer.until(lambda: zone.answers(API) == {"lb.example.net"})
    assert zone.rrset(RRKey(API, RRType.A)) is None


# -- leaving -------------------------------------------------------------------------------------------------------


@BOTH
async def test_a_deleted_record_takes_exactly_its_own_name_along(start: Start, limits: object) -> None:
    writer = start(limits=limits)
    await writer.publish(wish("api", ONE, SIX), wish("www", TWO))
    writer.zone.guarded.discard(API)
    gone = Withdrawal(key("api"), "uid-api", API)
    writer.enactor.withdraw(gone)
    await writer.until(lambda: writer.notes.withdrawals == [gone])
    assert {each.name for each in writer.zone.sets} == {LEDGER.name, f"www.{DOMAIN}", marker_name(f"www.{DOMAIN}")}


async def test_a_withdrawal_with_another_uid_removes_nothing(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    gone = Withdrawal(key("api"), "uid-of-an-older-object", API)
    writer.enactor.withdraw(gone)
    await writer.until(lambda: writer.notes.withdrawals == [gone])
    await asyncio.sleep(60)
    assert writer.zone.answers(API) == {ONE}


async def test_a_record_made_anew_keeps_its_name_through_the_old_ones_deletion(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.enactor.withdraw(Withdrawal(key("api"), "uid-api", API))
    writer.want(wish("api", ONE, uid="uid-new"))
    await writer.settled("api")
    assert writer.zone.rrset(RRKey(marker_name(API), RRType.TXT)) == marker_of("api", uid="uid-new")


async def test_a_forgotten_record_leaves_its_name_as_it_is(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    written = len(writer.provider.writes)
    writer.enactor.forget(key("api"))
    await asyncio.sleep(700)
    assert writer.zone.answers(API) == {ONE}
    assert len(writer.provider.writes) == written
    assert writer.enactor.zone_report().orphans == (API,)


async def test_a_withdrawal_survives_a_lost_answer(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.zone.guarded.discard(API)
    writer.provider.trouble(Fault.LOST_BEFORE)
    gone = Withdrawal(key("api"), "uid-api", API)
    writer.enactor.withdraw(gone)
    await writer.until(lambda: writer.notes.withdrawals == [gone])
    assert writer.zone.answers(API) == set()


async def test_a_second_claimant_takes_over_what_the_deleted_first_one_gives_up(start: Start) -> None:
    """X owns the name, Y waits for it. X's observed deletion frees the name: Y goes on without an empty moment."""
    writer = start()
    await writer.publish(wish("api", ONE))
    second = wish("api", TWO, record=key("second"), uid="uid-second", created=2.0)
    writer.want(second)
    await writer.until(lambda: writer.refusal("second") == "NameConflict")
    writer.enactor.withdraw(Withdrawal(key("api"), "uid-api", API))
    await writer.settled("second")
    assert writer.zone.answers(API) == {TWO}
    assert not writer.zone.emptied


# -- who may write -------------------------------------------------------------------------------------------------


async def test_a_dry_run_writes_nothing_and_says_what_it_would(start: Start) -> None:
    zone = MemoryZone()
    zone.put(a_set(API, ONE), marker_of("api"))
    writer = start(zone, dry_run=True)
    writer.want(wish("api", TWO), wish("new", THREE))
    writer.enactor.withdraw(Withdrawal(key("www"), "uid-www", f"www.{DOMAIN}"))
    await writer.until(lambda: (report := writer.enactor.report(key("api"))) and report.would_publish)
    assert writer.report("api").would_publish == (a_set(API, TWO),)
    assert writer.report("new").would_publish == (a_set(f"new.{DOMAIN}", THREE),)
    assert not writer.in_sync("api")
    await asyncio.sleep(3600)
    assert not writer.provider.writes
    assert writer.enactor.zone_report().ready


async def test_a_suspended_record_is_not_written_while_others_are(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.want(wish("api", TWO, suspended=True), wish("www", THREE))
    await writer.settled("www")
    await writer.until(lambda: writer.report("api").would_publish)
    assert writer.report("api").would_publish == (a_set(API, TWO),)
    writer.zone.put(a_set(API, THREE))
    writer.enactor.suspect(API)
    await asyncio.sleep(60)
    assert writer.zone.answers(API) == {THREE}
    await writer.publish(wish("api", TWO))
    assert writer.zone.answers(API) == {TWO}


async def test_stop_finishes_the_batch_in_flight(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.latency = 2.0
    writer.want(wish("api", TWO))
    await asyncio.sleep(1.0)
    assert writer.zone.answers(API) == {ONE}
    await writer.stop()
    assert writer.zone.answers(API) == {TWO}
    assert writer.provider.is_closed


async def test_stop_begins_nothing_new(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.want(wish("api", TWO))
    await writer.stop()
    assert writer.zone.answers(API) == {ONE}


async def test_fresh_credentials_are_used_without_a_restart(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.trouble(Fault.CREDENTIALS, times=100)
    writer.want(wish("api", TWO))
    await writer.until(lambda: writer.notes.incidents)
    trouble = writer.enactor.zone_report().trouble
    assert trouble is not None
    assert trouble.reason == "CredentialsRefused"
    old, fresh = writer.provider, MemoryProvider(writer.zone)
    await writer.enactor.use(fresh, ZoneBudget(Budget(NO_QUOTA, asyncio.get_running_loop().time), NO_QUOTA))
    await writer.settled("api", within=1)
    assert old.is_closed
    assert writer.enactor.zone_report().trouble is None


async def test_a_set_beside_the_name_that_is_not_ours_is_never_touched(start: Start) -> None:
    zone = MemoryZone()
    foreign = RRset(API, RRType.TXT, 300, ("v=spf1 -all",))
    zone.put(foreign, a_set(f"mail.{DOMAIN}", THREE))
    writer = start(zone)
    await writer.publish(wish("api", ONE))
    await writer.publish(wish("api", TWO))
    assert zone.rrset(foreign.key) == foreign
    assert zone.answers(f"mail.{DOMAIN}") == {THREE}


SLOW = replace(NO_QUOTA, changes_per_second=2.0, changes_burst=4.0)
"""Room for a name in a second, about."""


async def test_under_a_quota_important_names_go_first_and_namespaces_take_turns(start: Start) -> None:
    writer = start(limits=SLOW)
    many = [wish(f"many-{number}", ONE) for number in range(20)]
    other = [wish(f"other-{number}", ONE, record=ObjectKey("desk", f"other-{number}")) for number in range(3)]
    urgent = wish("urgent", ONE, importance=Importance.HIGH)
    writer.want(*many, *other, urgent)
    await writer.until(lambda: writer.zone.answers(f"other-2.{DOMAIN}"), within=120)
    assert writer.zone.answers(f"urgent.{DOMAIN}")
    written = [sum(bool(writer.zone.answers(each.hostname)) for each in group) for group in (many, other)]
    assert written[0] <= 10, "though they were wanted first"
    await writer.settled(*(each.record.name for each in many), within=300)


async def test_what_waits_for_a_quota_says_until_when(start: Start) -> None:
    writer = start(limits=SLOW)
    await writer.publish(wish("first", ONE))
    writer.want(*(wish(f"n{number}", ONE) for number in range(30)))
    began = asyncio.get_running_loop().time()
    await writer.until(lambda: writer.enactor.zone_report().sent_within > 10)
    told = asyncio.get_running_loop().time() + writer.enactor.zone_report().sent_within - began
    took = began + told - asyncio.get_running_loop().time()
    await writer.until(lambda: writer.in_sync(*(f"n{number}" for number in range(30))), within=600)
    assert asyncio.get_running_loop().time() - began == pytest.approx(told, rel=0.5)
    assert took > 0
    assert writer.enactor.zone_report().sent_within == 0.0
