"""The enactor when answers are lost, writes come late, names are refused and the provider asks for patience."""

import asyncio
import random
from collections.abc import Callable, Collection
from dataclasses import replace

import pytest

from detour.enactment.backoff import LONGEST_BACKOFF
from detour.enactment.contract import Batch, OutcomeUnknownError, UnavailableError, ZoneContents
from detour.enactment.enactor import QUARANTINE
from detour.model.record import ObjectKey
from detour_simulation.memoryzone import NO_QUOTA, ONE_BY_ONE, Fault, MemoryProvider

from .writer import API, DOMAIN, ONE, THREE, TWO, Writer, a_set, wish

Start = Callable[..., Writer]
BOTH = pytest.mark.parametrize("limits", [NO_QUOTA, ONE_BY_ONE], ids=["atomic", "one-by-one"])
LOST = pytest.mark.parametrize("fault", [Fault.LOST_BEFORE, Fault.LOST_AFTER])


@BOTH
@LOST
async def test_a_lost_answer_is_decided_by_reading(start: Start, limits: object, fault: Fault) -> None:
    writer = start(limits=limits)
    await writer.publish(wish("api", ONE))
    writer.provider.trouble(fault)
    writer.want(wish("api", TWO))
    await writer.settled("api", within=5)
    assert writer.zone.answers(API) == {TWO}
    written = [batch for batch in writer.provider.applied if any(each.new == a_set(API, TWO) for each in batch.changes)]
    assert len(written) == 1


class MovesOnlyTheLedger(MemoryProvider):
    """Loses the answer of the next batch, whose ledger comes `late` (seconds) and of which nothing else is sent."""

    late: float | None = None

    async def apply(self, batch: Batch) -> ZoneContents:
        if self.late is None:
            return await super().apply(batch)
        late, self.late = self.late, None
        alone = replace(batch, changes=())
        asyncio.get_running_loop().call_later(late, self._write_unheard, alone)
        raise OutcomeUnknownError("the connection broke")


async def test_a_name_is_not_blamed_for_a_ledger_that_an_earlier_request_of_ours_has_moved(start: Start) -> None:
    writer = start(limits=ONE_BY_ONE, provider=MovesOnlyTheLedger)
    await writer.publish(wish("api", ONE))
    writer.provider.late = 0.3  # after it was read that nothing has changed, and before the next try
    writer.want(wish("api", TWO))
    await writer.settled("api", within=5)
    assert writer.zone.answers(API) == {TWO}


async def test_a_lost_answer_that_was_applied_is_not_sent_again(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    sent = len(writer.provider.writes)
    writer.provider.trouble(Fault.LOST_AFTER)
    writer.want(wish("api", TWO))
    await writer.settled("api", within=1)
    await asyncio.sleep(60)
    assert len(writer.provider.writes) == sent + 1
    assert [change.hostname for change in writer.notes.accepted_changes] == [API, API]


@LOST
async def test_a_lost_claim_is_decided_by_reading(start: Start, fault: Fault) -> None:
    writer = start()
    writer.provider.trouble(fault)
    await writer.publish(wish("api", ONE))
    assert writer.zone.answers(API) == {ONE}


@pytest.mark.parametrize("late", [0.3, 0.58, 0.61, 0.62, 0.63, 0.64, 0.7])
async def test_a_claim_that_lands_late_does_not_make_us_stand_by(start: Start, late: float) -> None:
    """The rival that the second claim meets is our own first one."""
    writer = start()
    writer.provider.trouble(Fault.LATE, late)
    writer.want(wish("api", ONE))
    assert await writer.settled("api") < 5


@pytest.mark.parametrize("late", [0.01, 0.1, 0.3, 0.5, 0.56, 0.6, 0.61, 0.65, 0.7, 1.0, 3.0, 20.0])
async def test_a_write_that_lands_late_never_leaves_a_wrong_answer(start: Start, late: float) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.trouble(Fault.LATE, late)
    writer.want(wish("api", TWO))
    await writer.settled("api", within=10)
    await asyncio.sleep(60)
    assert writer.zone.answers(API) == {TWO}


@pytest.mark.parametrize("late", [0.01, 0.1, 0.3, 0.5, 0.56, 0.6, 0.61, 0.65, 0.7, 1.0, 3.0, 20.0])
async def test_a_late_write_never_overtakes_a_newer_wish(start: Start, late: float) -> None:
    writer = start()
    await writer.publish(wish("api", ONE), wish("www", ONE))
    writer.provider.trouble(Fault.LATE, late)
    writer.want(wish("api", TWO))
    await asyncio.sleep(0.02)
    writer.want(wish("api", THREE), wish("www", TWO))
    await writer.settled("api", "www", within=10)
    await asyncio.sleep(60)
    assert writer.zone.answers(API) == {THREE}
    assert writer.zone.answers(f"www.{DOMAIN}") == {TWO}


@pytest.mark.parametrize("late", [2.0, 20.0])
async def test_a_wish_taken_back_settles_the_lost_batch_all_the_same(start: Start, late: float) -> None:
    """Nothing is left to change, yet the lost batch may still land: a batch that moves only the ledger shuts it out."""
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.trouble(Fault.LATE, late)
    writer.want(wish("api", TWO))
    await asyncio.sleep(0.02)
    writer.want(wish("api", ONE))
    await writer.settled("api", within=1.5)
    assert writer.provider.applied[-1].changes == ()
    await asyncio.sleep(late)
    assert writer.zone.answers(API) == {ONE}


async def test_an_earlier_batch_that_lands_after_all_is_read_in_full(start: Start) -> None:
    """The later batch is about another name: only a reading tells what the earlier one did to this one."""
    writer = start()
    await writer.publish(wish("api", ONE), wish("www", ONE))
    writer.provider.trouble(Fault.LATE, 0.3)
    writer.want(wish("www", TWO))
    await asyncio.sleep(0.2)
    writer.want(wish("www", ONE), wish("api", TWO))
    await writer.settled("www", "api", within=3)
    assert writer.zone.answers(f"www.{DOMAIN}") == {ONE}


async def test_what_an_unsettled_write_concerns_is_not_in_sync(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE), wish("www", ONE))
    writer.provider.trouble(Fault.LOST_BEFORE, times=3)
    writer.want(wish("api", TWO))
    await writer.until(lambda: writer.fence.unsettled)
    assert not writer.in_sync("api")
    assert writer.in_sync("www"), "nothing that was sent touches it"
    await writer.settled("api", "www")
    assert not writer.fence.unsettled


async def test_a_series_of_lost_answers_ends_in_the_right_one(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    faults = (Fault.LOST_BEFORE, Fault.LATE, Fault.LOST_AFTER, Fault.LATE, Fault.LOST_BEFORE, Fault.LOST_AFTER)
    for place, fault in enumerate(faults):
        writer.provider.trouble(fault, place * 0.4)
    for place in range(20):
        writer.want(wish("api", (ONE, TWO, THREE)[place % 3]))
        await asyncio.sleep(0.11)
    writer.want(wish("api", THREE))
    await writer.settled("api")
    await asyncio.sleep(60)
    assert writer.zone.answers(API) == {THREE}


async def test_a_lost_answer_never_overwrites_an_outsiders_newer_value_blindly(start: Start) -> None:
    """The change was applied and then an outsider wrote: what is sent next is conditional on the outsider's value."""
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.trouble(Fault.LOST_AFTER)
    writer.want(wish("api", TWO))
    await asyncio.sleep(0.055)
    writer.zone.put(a_set(API, THREE))
    await writer.settled("api")
    last = writer.provider.applied[-1].changes[0]
    assert last.old is not None
    assert (last.old.rrset, last.new) == (a_set(API, THREE), a_set(API, TWO))


@BOTH
async def test_one_bad_name_is_found_and_named_while_the_others_go_through(start: Start, limits: object) -> None:
    writer = start(limits=limits)
    names = [f"n{place}" for place in range(40)]
    writer.provider.refused.add(f"n17.{DOMAIN}")
    good = [name for name in names if name != "n17"]
    writer.want(*(wish(name, ONE) for name in names))
    await writer.settled(*good, within=60)
    await writer.until(lambda: writer.refusal("n17") == "RefusedByProvider")
    assert not writer.in_sync("n17")
    assert not writer.zone.answers(f"n17.{DOMAIN}")
    assert not [name for name in good if writer.refusal(name)]
    assert len(writer.provider.writes) < 30


async def test_several_bad_names_do_not_hold_up_the_good_ones(start: Start) -> None:
    writer = start()
    names = [f"n{place}" for place in range(64)]
    bad = {"n0", "n1", "n33", "n63"}
    writer.provider.refused |= {f"{name}.{DOMAIN}" for name in bad}
    writer.want(*(wish(name, ONE) for name in names))
    await writer.settled(*(set(names) - bad), within=60)
    await writer.until(lambda: all(writer.refusal(name) for name in bad))


@BOTH
async def test_a_bad_name_does_not_hold_up_a_zone_after_a_lost_answer(start: Start, limits: object) -> None:
    writer = start(limits=limits)
    await writer.publish(wish("api", ONE))
    writer.provider.refused.add(f"bad.{DOMAIN}")
    writer.provider.trouble(Fault.LOST_BEFORE)
    writer.want(wish("bad", ONE), wish("api", TWO))
    await writer.settled("api", within=10)
    await writer.until(lambda: writer.refusal("bad") == "RefusedByProvider")


async def test_a_refused_name_is_tried_again_after_its_quarantine(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.refused.add(f"bad.{DOMAIN}")
    writer.want(wish("bad", ONE))
    await writer.until(lambda: writer.refusal("bad") == "RefusedByProvider")
    tries = len(writer.provider.writes)
    await asyncio.sleep(QUARANTINE / 2)
    assert len(writer.provider.writes) == tries
    writer.provider.refused.clear()
    await writer.settled("bad", within=QUARANTINE)


async def test_a_quarantine_costs_no_turns_of_the_loop(start: Start) -> None:
    writer = start()
    writer.provider.refused.add(f"bad.{DOMAIN}")
    writer.want(wish("bad", ONE))
    await writer.until(lambda: writer.refusal("bad") == "RefusedByProvider")
    steps = 0
    step = writer.enactor._step

    async def counted() -> float:
        nonlocal steps
        steps += 1
        return await step()

    writer.enactor._step = counted  # type: ignore[method-assign]  # nothing else tells how often it wakes
    await asyncio.sleep(3 * QUARANTINE)
    assert steps < 40


async def test_a_new_wish_ends_the_quarantine(start: Start) -> None:
    writer = start()
    writer.provider.refused.add(API)
    writer.want(wish("api", ONE))
    await writer.until(lambda: writer.refusal("api") == "RefusedByProvider")
    writer.provider.refused.clear()
    writer.want(wish("api", TWO))
    await writer.settled("api", within=2)


async def test_a_refused_name_is_tried_again_once_it_stands_otherwise(start: Start) -> None:
    """What was read was old, say, so that the condition was: what is read since may fit."""
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.refused.add(API)
    writer.want(wish("api", TWO))
    await writer.until(lambda: writer.refusal("api") == "RefusedByProvider")
    writer.provider.refused.clear()
    writer.enactor.suspect(API)
    await asyncio.sleep(QUARANTINE / 4)
    assert writer.zone.answers(API) == {ONE}
    writer.zone.put(a_set(API, THREE))
    writer.enactor.suspect(API)
    await writer.settled("api", within=2)
    assert writer.zone.answers(API) == {TWO}


class ReadsSomeTypes(MemoryProvider):
    """Reads of a name only the types that are ours, as over DNS."""

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        found = await super().read_names(names)
        return replace(found, partial=dict.fromkeys(names, frozenset({"A", "AAAA", "CNAME", "TXT"})))


@BOTH
@pytest.mark.parametrize("provider", [MemoryProvider, ReadsSomeTypes])
async def test_what_a_refused_name_had_is_remembered_however_it_is_read(
    start: Start, limits: object, provider: type[MemoryProvider]
) -> None:
    writer = start(limits=limits, provider=provider)
    await writer.publish(wish("api", ONE))
    writer.provider.refused.add(API)
    writer.want(wish("api", TWO))
    await writer.until(lambda: writer.refusal("api") == "RefusedByProvider")
    writer.provider.refused.clear()
    writer.zone.put(a_set(API, THREE))
    writer.enactor.suspect(API)
    await writer.settled("api", within=2)


async def test_whoever_changes_a_refused_name_at_will_sets_no_pace(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.refused.add(API)
    writer.want(wish("api", TWO))
    await writer.until(lambda: writer.refusal("api") == "RefusedByProvider")
    tries = len(writer.provider.writes)
    for number in range(4 * int(QUARANTINE)):
        writer.zone.put(a_set(API, f"192.0.2.{100 + number % 100}"))
        writer.enactor.suspect(API)
        await asyncio.sleep(0.5)
    assert 4 <= len(writer.provider.writes) - tries <= 16
    writer.provider.refused.clear()
    writer.zone.put(a_set(API, THREE))
    writer.enactor.suspect(API)
    await writer.settled("api", within=QUARANTINE)


async def test_a_refused_name_that_is_changed_for_a_day_is_still_tried(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.refused.add(API)
    writer.want(wish("api", TWO))
    await writer.until(lambda: writer.refusal("api") == "RefusedByProvider")
    for number in range(3000):
        writer.zone.put(a_set(API, f"192.0.2.{100 + number % 100}"))
        writer.enactor.suspect(API)
        await asyncio.sleep(QUARANTINE / 2)
    writer.provider.refused.clear()
    await writer.settled("api", within=2 * QUARANTINE)


async def test_once_a_lost_write_is_settled_by_another_whom_it_concerned_is_told(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    await writer.publish(wish("www", ONE))
    record = wish("api", ONE).record
    writer.provider.trouble(Fault.LOST_BEFORE)
    writer.want(wish("api", TWO))
    await writer.until(lambda: writer.report("api").may_land and not writer.report("api").in_sync)
    assert writer.report("www").in_sync, "nothing of it was sent"
    told: list[bool] = []

    def note(of: ObjectKey) -> None:
        if of == record:
            told.append(writer.report("api").in_sync)

    writer.notes.record_changed = note  # type: ignore[method-assign]  # what is told is read at once, as by a status
    writer.want(wish("api", ONE))
    writer.provider.trouble(Fault.LOST_AFTER)
    await writer.until(lambda: writer.report("api").in_sync)
    await asyncio.sleep(5)
    assert told[-1]


async def test_a_change_that_was_refused_cannot_land_while_another_one_is_on_its_way(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    await writer.publish(wish("www", ONE))
    writer.provider.refused.add(API)
    writer.want(wish("api", TWO))
    await writer.until(lambda: writer.refusal("api") == "RefusedByProvider")
    writer.provider.latency = 5.0
    writer.want(wish("www", TWO))
    await writer.until(lambda: writer.report("www").may_land)
    assert not writer.report("api").may_land


async def test_a_refused_name_keeps_what_it_had(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.refused.add(API)
    writer.want(wish("api", TWO))
    await writer.until(lambda: writer.refusal("api") == "RefusedByProvider")
    assert writer.zone.answers(API) == {ONE}


async def test_a_throttled_write_waits_as_long_as_the_provider_says(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.trouble(Fault.THROTTLED, 17.0)
    writer.want(wish("api", TWO))
    await asyncio.sleep(1.0)
    assert writer.enactor.zone_report().is_throttled
    writer.want(wish("api", THREE))
    assert 15.0 < await writer.settled("api") < 17.0
    assert writer.zone.answers(API) == {THREE}
    assert not writer.enactor.zone_report().is_throttled
    assert writer.enactor.zone_report().trouble is None


async def test_throttles_without_a_time_back_off_further_and_further(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.trouble(Fault.THROTTLED, times=8)
    writer.want(wish("api", TWO))
    seconds = await writer.settled("api", within=120)
    assert 15 < seconds < 8 * LONGEST_BACKOFF
    assert writer.enactor.tally.throttled == 8


async def test_a_provider_that_is_away_is_tried_again_and_named_meanwhile(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.trouble(Fault.UNAVAILABLE, times=5)
    writer.want(wish("api", TWO))
    await asyncio.sleep(0.5)
    trouble = writer.enactor.zone_report().trouble
    assert trouble is not None
    assert trouble.reason == "ProviderUnreachable"
    await writer.settled("api", within=60)
    assert writer.enactor.zone_report().trouble is None


async def test_news_do_not_shorten_the_wait_for_a_provider_that_is_away(start: Start) -> None:
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.trouble(Fault.UNAVAILABLE, times=1000)
    for place in range(1000):
        writer.want(wish("api", (TWO, THREE)[place % 2]))
        await asyncio.sleep(0.01)
    assert writer.enactor.tally.errors < 10


async def test_a_provider_away_for_hours_is_asked_seldom(start: Start) -> None:
    writer = start()
    writer.provider.reading_fails = UnavailableError("nobody there")
    writer.want(wish("api", ONE))
    await asyncio.sleep(3600)
    assert not writer.enactor.is_read
    assert 3600 / LONGEST_BACKOFF <= writer.enactor.tally.errors < 3 * 3600 / LONGEST_BACKOFF
    writer.provider.reading_fails = None
    await writer.settled("api", within=LONGEST_BACKOFF + 1)


async def test_a_crash_while_the_answer_is_awaited_leaves_nothing_wrong(start: Start) -> None:
    """kill -9 in the middle of a batch: the next process starts from what the zone says."""
    writer = start()
    await writer.publish(wish("api", ONE))
    writer.provider.trouble(Fault.LATE, 1.0)
    writer.want(wish("api", TWO))
    await asyncio.sleep(0.02)
    writer.task.cancel()
    successor = start(writer.zone)
    successor.want(wish("api", THREE))
    await successor.settled("api")
    await asyncio.sleep(5)
    assert writer.zone.answers(API) == {THREE}


@pytest.mark.parametrize("seed", range(30))
async def test_whatever_comes_together_the_newest_wish_is_what_stands_at_last(start: Start, seed: int) -> None:
    draw = random.Random(seed)
    writer = start(limits=replace(NO_QUOTA, batch_elements=8) if seed % 2 else ONE_BY_ONE)
    names = ("api", "www", "shop")
    await writer.publish(*(wish(name, ONE) for name in names))
    faults = [None, None, *(each for each in Fault if each is not Fault.CREDENTIALS)]
    if seed % 2 == 0:
        faults.remove(Fault.LATE)  # one set at a time, a late creation is only undone by the next audit
    for _ in range(25):
        fault = draw.choice(faults)
        if fault is not None:
            writer.provider.trouble(fault, draw.uniform(0, 2))
        writer.enactor.want(wish(draw.choice(names), *draw.sample((ONE, TWO, THREE, "2001:db8::1"), 2)[:1]))
        if draw.random() < 0.2:
            hostname = f"{draw.choice(names)}.{DOMAIN}"
            if draw.random() < 0.5:
                writer.zone.put(a_set(hostname, "203.0.113.9"))
            else:
                writer.zone.drop(a_set(hostname, ONE).key)
            writer.enactor.suspect(hostname)
        await asyncio.sleep(draw.uniform(0, 0.5))
    writer.provider.troubles.clear()
    last = {name: draw.choice((ONE, TWO)) for name in names}
    for name, value in last.items():
        writer.enactor.want(wish(name, value))
    await writer.settled(*names, within=120)
    await asyncio.sleep(5)
    for name in names:
        writer.enactor.suspect(f"{name}.{DOMAIN}")
    await asyncio.sleep(1)
    await writer.settled(*names)
    assert {name: writer.zone.answers(f"{name}.{DOMAIN}") for name in names} == {n: {v} for n, v in last.items()}
