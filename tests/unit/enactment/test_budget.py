"""The account's quota: bursts, refills, pauses, and who goes first."""

import asyncio
import math
from collections.abc import Awaitable
from dataclasses import replace

import pytest

from detour.enactment.budget import WORTHWHILE_SHARE, Budget, TokenBucket, ZoneBudget, beside
from detour.enactment.wishes import Urgency
from detour_simulation.memoryzone import NO_QUOTA


def now() -> float:
    return asyncio.get_running_loop().time()


async def seconds(waiting: object) -> float:
    began = now()
    assert asyncio.iscoroutine(waiting)
    await waiting
    return now() - began


async def test_a_burst_is_free_and_then_the_rate_holds() -> None:
    bucket = TokenBucket(2.0, 10.0, now)
    for _ in range(10):
        assert await seconds(bucket.wait(1, charge=True, urgency=Urgency.FAILOVER)) < 0.01
    assert await seconds(bucket.wait(1, charge=True, urgency=Urgency.FAILOVER)) == pytest.approx(0.5, abs=0.01)
    assert await seconds(bucket.wait(4, charge=True, urgency=Urgency.FAILOVER)) == pytest.approx(2.0, abs=0.01)


async def test_tokens_never_pile_up_above_the_burst() -> None:
    bucket = TokenBucket(2.0, 10.0, now)
    await asyncio.sleep(3600)
    assert bucket.available() == 10.0


async def test_who_wants_more_than_the_burst_waits_for_the_burst() -> None:
    bucket = TokenBucket(2.0, 10.0, now)
    bucket.charge(10)
    assert await seconds(bucket.wait(50, charge=True, urgency=Urgency.FAILOVER)) == pytest.approx(5.0, abs=0.01)
    assert bucket.available() == pytest.approx(-40, abs=0.1)  # the debt is paid by those who come after


async def test_without_a_rate_nobody_waits_but_for_a_pause() -> None:
    bucket = TokenBucket(None, 1.0, now)
    assert await seconds(bucket.wait(10_000, charge=True, urgency=Urgency.FAILOVER)) < 0.01
    bucket.pause(now() + 7)
    assert await seconds(bucket.wait(1, charge=True, urgency=Urgency.FAILOVER)) == pytest.approx(7, abs=0.01)


async def test_failover_goes_ahead_of_repair_ahead_of_housekeeping() -> None:
    bucket = TokenBucket(1.0, 1.0, now)
    bucket.charge(1)
    served: list[str] = []

    async def queue(name: str, urgency: Urgency) -> None:
        await bucket.wait(1, charge=True, urgency=urgency)
        served.append(name)

    waiting = [
        ("housekeeping", Urgency.HOUSEKEEPING),
        ("repair", Urgency.REPAIR),
        ("failover 1", Urgency.FAILOVER),
        ("failover 2", Urgency.FAILOVER),
        ("repair 2", Urgency.REPAIR),
    ]
    async with asyncio.TaskGroup() as group:
        for each in waiting:
            group.create_task(queue(*each))
            await asyncio.sleep(0)
    assert served == ["failover 1", "failover 2", "repair", "repair 2", "housekeeping"]


async def test_who_gives_up_waiting_costs_nobody_anything() -> None:
    bucket = TokenBucket(1.0, 1.0, now)
    bucket.charge(1)
    first = asyncio.create_task(bucket.wait(1, charge=True, urgency=Urgency.FAILOVER))
    second = asyncio.create_task(bucket.wait(1, charge=True, urgency=Urgency.REPAIR))
    await asyncio.sleep(0.1)
    first.cancel()
    began = now()
    await second
    assert now() - began == pytest.approx(0.9, abs=0.01)
    assert bucket.available() == pytest.approx(0, abs=0.01)


LIMITED = replace(
    NO_QUOTA, requests_per_second=10.0, requests_burst=10.0, changes_per_second=100.0, changes_burst=1000.0
)


async def test_a_batch_goes_out_once_a_worthwhile_share_is_there() -> None:
    budget = Budget(LIMITED, now)
    budget.count_changes(1000)
    began = now()
    room = await budget.changes(400, Urgency.FAILOVER)
    assert now() - began == pytest.approx(400 * WORTHWHILE_SHARE / 100, abs=0.01)
    assert room == pytest.approx(400 * WORTHWHILE_SHARE, abs=1)


async def test_a_full_bucket_gives_all_it_has() -> None:
    assert await Budget(LIMITED, now).changes(10, Urgency.FAILOVER) == 1000
    assert await Budget(NO_QUOTA, now).changes(10, Urgency.FAILOVER) == float("inf")


async def test_a_pause_holds_requests_and_changes_alike() -> None:
    budget = Budget(LIMITED, now)
    budget.pause(5.0)
    assert budget.is_paused
    async with asyncio.TaskGroup() as group:
        requests = group.create_task(seconds(budget.request()))
        changes = group.create_task(seconds(budget.changes(1, Urgency.FAILOVER)))
    assert requests.result() == pytest.approx(5, abs=0.01)
    assert changes.result() == pytest.approx(5, abs=0.01)
    assert not budget.is_paused


async def test_a_shorter_pause_does_not_cut_a_longer_one() -> None:
    budget = Budget(LIMITED, now)
    budget.pause(30.0)
    budget.pause(1.0)
    assert await seconds(budget.request()) == pytest.approx(30, abs=0.01)


async def test_who_listens_is_told_when_a_pause_begins_and_when_it_is_over_however_long_it_became() -> None:
    budget = Budget(LIMITED, now)
    told: list[tuple[float, bool]] = []

    def listener() -> None:
        told.append((round(now() - began), budget.is_paused))

    began = now()
    budget.tell(listener)
    budget.pause(5.0)
    await asyncio.sleep(2)
    budget.pause(10.0)
    await asyncio.sleep(60)
    assert told == [(0, True), (12, False)]
    budget.tell_no_more(listener)
    budget.pause(5.0)
    await asyncio.sleep(60)
    assert len(told) == 2


async def test_other_quotas_hold_from_when_they_are_declared() -> None:
    budget = Budget(LIMITED, now)
    budget.count_changes(1000)
    budget.limit(replace(LIMITED, changes_per_second=1000.0))
    assert await seconds(budget.changes(400, Urgency.FAILOVER)) == pytest.approx(0.1, abs=0.01)
    budget.limit(replace(LIMITED, changes_per_second=None))
    assert await seconds(budget.changes(10_000, Urgency.FAILOVER)) < 0.01


async def test_a_batch_has_its_request_before_it_is_filled() -> None:
    """What is decided or forbidden while it waits for one is not too late."""
    budget = Budget(replace(NO_QUOTA, requests_per_second=1.0, requests_burst=1), now)
    zone = ZoneBudget(budget, NO_QUOTA)
    await budget.request()  # another zone of the account
    news = asyncio.Event()
    room = zone.room(5, Urgency.FAILOVER, news=news, due=math.inf, unless=lambda: False)
    assert await seconds(room) == pytest.approx(1.0, abs=0.01)
    assert await seconds(zone.request()) == 0.0
    assert await seconds(zone.request()) == pytest.approx(1.0, abs=0.01)


async def test_a_request_in_hand_does_not_pass_a_pause() -> None:
    budget = Budget(NO_QUOTA, now)
    zone = ZoneBudget(budget, NO_QUOTA)
    assert await zone.room(5, Urgency.FAILOVER, news=asyncio.Event(), due=math.inf, unless=lambda: False)
    budget.pause(30.0)
    assert await seconds(zone.request()) == pytest.approx(30.0, abs=0.01)


async def test_a_short_pause_during_a_long_one_keeps_a_failover_no_longer() -> None:
    """A failover is tried once a minute though the provider asks for five: each try is refused for a moment only."""
    budget = Budget(NO_QUOTA, now)
    budget.pause(300.0)
    await asyncio.sleep(50.0)
    budget.pause(1.0)
    assert await seconds(budget.request(1, Urgency.FAILOVER)) == pytest.approx(10.0, abs=0.1)
    budget.pause(1.0)
    assert await seconds(budget.request(1, Urgency.FAILOVER)) == pytest.approx(1.0, abs=0.1)
    assert await seconds(budget.request(1, Urgency.REPAIR)) > 230.0


async def test_what_is_read_beside_a_failover_waits_behind_what_is_more_urgent_in_other_zones() -> None:
    budget = Budget(replace(NO_QUOTA, requests_per_second=1.0, requests_burst=1.0), now)
    await budget.request()
    zone, served = ZoneBudget(budget, NO_QUOTA), []
    zone.urgency = Urgency.FAILOVER  # what is sent just now; the reading began before

    async def note(name: str, waiting: Awaitable[None]) -> None:
        await waiting
        served.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(note("audit", beside(Urgency.HOUSEKEEPING, zone.request)))
        await asyncio.sleep(0)
        group.create_task(note("repair", budget.request(1, Urgency.REPAIR)))
        await asyncio.sleep(0)
        group.create_task(note("failover", zone.request()))
    assert served == ["failover", "repair", "audit"]


async def test_a_request_that_is_counted_for_a_batch_is_not_sent_by_a_reading() -> None:
    budget = Budget(replace(NO_QUOTA, requests_per_second=0.1, requests_burst=1.0), now)
    zone = ZoneBudget(budget, NO_QUOTA)
    room = await zone.room(1, Urgency.FAILOVER, news=asyncio.Event(), due=math.inf, unless=lambda: False)
    assert room is not None
    reading = asyncio.create_task(beside(Urgency.HOUSEKEEPING, zone.request))
    await asyncio.sleep(0)
    assert await seconds(zone.request()) < 0.01
    assert not reading.done()
    await reading


async def test_zones_of_an_account_share_what_reading_them_again_may_take() -> None:
    limits = replace(NO_QUOTA, reading_requests_per_second=0.5)
    account = Budget(limits, now)
    one, two = ZoneBudget(account, limits), ZoneBudget(account, limits)
    for zone in (one, two):
        await beside(Urgency.HOUSEKEEPING, lambda zone=zone: zone.request(10))
    assert (one.pause_after_reading(), two.pause_after_reading()) == (20.0, 40.0)
    await asyncio.sleep(60.0)
    assert one.pause_after_reading() == 0.0, "nothing was read since"


async def test_where_each_zone_has_a_quota_of_its_own_they_do_not_wait_for_each_other() -> None:
    limits = replace(NO_QUOTA, reading_requests_per_second=0.5, reads_by_zone=True)
    account = Budget(limits, now)
    one, two = ZoneBudget(account, limits), ZoneBudget(account, limits)
    for zone in (one, two):
        await beside(Urgency.HOUSEKEEPING, lambda zone=zone: zone.request(10))
        assert zone.pause_after_reading() == 20.0


async def test_readings_take_a_tenth_of_a_lower_quota() -> None:
    limits = replace(NO_QUOTA, reading_requests_per_second=0.5, requests_per_second=1.0, requests_burst=100.0)
    zone = ZoneBudget(Budget(limits, now), limits)
    await beside(Urgency.HOUSEKEEPING, lambda: zone.request(10))
    assert zone.pause_after_reading() == pytest.approx(100.0)


async def test_without_a_quota_the_periods_say_when_to_read_again() -> None:
    assert ZoneBudget(Budget(NO_QUOTA, now), NO_QUOTA).pause_after_reading() is None


async def test_who_waits_for_a_quota_says_so() -> None:
    """Then it is not busy: what else is to be done goes on (`Enactor.is_busy`)."""
    budget = Budget(replace(NO_QUOTA, requests_per_second=1.0, requests_burst=1), now)
    zone = ZoneBudget(budget, NO_QUOTA)
    await budget.request()  # another zone of the account
    room = zone.room(5, Urgency.FAILOVER, news=asyncio.Event(), due=math.inf, unless=lambda: False)
    waiting = asyncio.create_task(room)
    await asyncio.sleep(0.5)
    assert zone.is_waiting
    await waiting
    assert not zone.is_waiting
