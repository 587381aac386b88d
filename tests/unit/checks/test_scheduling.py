"""When work runs, on an event loop whose time is virtual."""

import asyncio
import contextlib
import itertools
import logging
import random
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import uvloop

from detour.checks.periodic import RETRY_AFTER_ERROR, STANDSTILL, Periodic
from detour.checks.scheduler import FEWEST_PLACES, CheckScheduler, places_after, stretch_after
from detour.model.checks import CheckResult, CheckTiming, Target, TCPCheck

PASSED = CheckResult(True, "", "", 0.01)
TIMING = CheckTiming(10.0, 1.0, 2.0, 3, 3)


def now() -> float:
    return asyncio.get_running_loop().time()


class Diary:
    """Work that takes `duration` seconds, and the times at which it began, per key."""

    def __init__(self, duration: float = 0.0) -> None:
        self.duration = duration
        self.begun: dict[Any, list[float]] = {}
        self.at_once = 0
        self.most_at_once = 0
        self.running: set[Any] = set()

    async def work(self, key: Any) -> CheckResult:
        assert key not in self.running, f"{key} overlaps itself"
        self.running.add(key)
        self.begun.setdefault(key, []).append(now())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.duration)
        finally:
            self.at_once -= 1
            self.running.discard(key)
        return PASSED


def periodic(run: Callable[[Any], Awaitable[Any]], *, every: float = 10.0, in_flight: int = 100) -> Periodic[Any, Any]:
    return Periodic(run, on_result=lambda *_: every, in_flight=in_flight, random=random.Random(1))


@contextlib.asynccontextmanager
async def working(work: Any) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work.run())
    yield
    work.close()
    await task


def targets(count: int, timing: CheckTiming = TIMING) -> list[Target]:
    return [Target(f"192.0.2.{each % 256}", TCPCheck(each), timing) for each in range(count)]


def test_a_key_runs_at_the_pace_that_its_results_ask_for(run_virtually: Any) -> None:
    async def scenario() -> None:
        diary = Diary(duration=2.0)
        delays = iter([10.0, 5.0, 1.0, 10.0, 100.0])
        work = Periodic(diary.work, on_result=lambda *_: next(delays), in_flight=1, random=random.Random(1))
        work.add("a")
        async with working(work):
            await asyncio.sleep(40)
        # counted from the start of a run; after one that took longer than the delay the next follows at once
        assert diary.begun["a"] == pytest.approx([0, 10, 15, 17, 27])

    run_virtually(scenario())


def test_a_result_comes_with_its_key_and_the_start_of_its_run(run_virtually: Any) -> None:
    async def scenario() -> None:
        results: list[Any] = []

        def note(*result: Any) -> float:
            results.append((*result, now()))
            return 100.0

        work = Periodic(Diary(duration=3.0).work, on_result=note, in_flight=1, random=random.Random(1))
        await asyncio.sleep(7)
        work.add("a")
        async with working(work):
            await asyncio.sleep(5)
        assert results == [("a", PASSED, 7.0, 10.0)]

    run_virtually(scenario())


def test_no_more_than_the_limit_is_in_flight_and_the_longest_overdue_goes_first(run_virtually: Any) -> None:
    async def scenario() -> None:
        diary = Diary(duration=1.0)
        work = periodic(diary.work, every=1000.0, in_flight=3)
        for key in range(30):
            work.add(key)
        assert work.overdue == 30
        async with working(work):
            await asyncio.sleep(0.5)
            assert (work.in_flight, work.overdue) == (3, 27)
            await asyncio.sleep(4)
            assert work.overdue == 15
            assert work.lateness == pytest.approx(4.5)
            await asyncio.sleep(6)
            assert (work.in_flight, work.overdue, work.lateness) == (0, 0, 0.0)
        assert diary.most_at_once == 3
        assert list(diary.begun) == list(range(30))

    run_virtually(scenario())


def test_what_is_urgent_goes_first_and_leaves_one_place_in_four(run_virtually: Any) -> None:
    async def scenario() -> None:
        diary = Diary(duration=1.0)
        work = periodic(diary.work, every=1000.0, in_flight=1)
        for key in range(8):
            work.add(("settled", key))
            work.add(("urgent", key), is_urgent=True)
        async with working(work):
            await asyncio.sleep(20)
        order = [kind for kind, _ in diary.begun]
        assert order == [*(["urgent"] * 3 + ["settled"]) * 2, *["urgent"] * 2, *["settled"] * 6]

    run_virtually(scenario())


def test_where_there_is_too_much_to_check_all_intervals_stretch_alike_and_what_is_in_question_is_checked_in_time(
    run_virtually: Any,
) -> None:
    """Some fifty checks of a second each, every 10 s or every 20 s, at two places: half of what would be needed."""
    slow = CheckTiming(20.0, 1.0, 2.0, 3, 3)
    quick_ones = [Target(f"192.0.2.{number}", TCPCheck(443), TIMING) for number in range(26)]
    slow_ones = [Target(f"198.51.100.{number}", TCPCheck(443), slow) for number in range(26)]
    questioned = Target("203.0.113.1", TCPCheck(443), TIMING)

    async def scenario() -> None:
        diary = Diary(duration=1.0)
        scheduler = CheckScheduler(
            diary.work,
            on_result=lambda target, *_: 3.0 if target is questioned else target.timing.interval,
            in_flight=2,
            random=random.Random(1),
        )
        scheduler.update([*quick_ones, *slow_ones, questioned])
        async with working(scheduler):
            await asyncio.sleep(400)
            assert scheduler.stretch > 1.5
            before = {target: len(times) for target, times in diary.begun.items()}
            await asyncio.sleep(600)
            made = {target: len(times) - before[target] for target, times in diary.begun.items()}
            assert made[questioned] >= 600 / (3.0 + 2.0), "it waits for a place at most, not for its turn"
            quick, others = (sum(made[each] for each in group) for group in (quick_ones, slow_ones))
            assert 1.7 < quick / others < 2.3, "each is checked as much less often as the others"
            for target in slow_ones[:13]:
                scheduler.discard(target)
            for target in quick_ones[:20]:
                scheduler.discard(target)
            await asyncio.sleep(300)
            assert scheduler.stretch == 1.0
            assert scheduler.lateness < 2.0

    run_virtually(scenario())


def test_what_is_in_question_goes_first_though_it_is_rechecked_as_rarely_as_it_is_checked(run_virtually: Any) -> None:
    alike = CheckTiming(10.0, 10.0, 2.0, 3, 3)
    targets = [Target(f"192.0.2.{number}", TCPCheck(443), alike) for number in range(40)]
    questioned = targets[0]

    async def scenario() -> None:
        diary = Diary(duration=1.0)
        scheduler = CheckScheduler(
            diary.work,
            on_result=lambda *_: 10.0,
            in_flight=2,
            random=random.Random(1),
            is_in_question=lambda target: target is questioned,
        )
        scheduler.update(targets)
        async with working(scheduler):
            await asyncio.sleep(400)
            before = {target: len(times) for target, times in diary.begun.items()}
            await asyncio.sleep(400)
        made = {target: len(times) - before[target] for target, times in diary.begun.items()}
        assert made[questioned] >= 400 / (10.0 + 2.0)
        assert max(made[each] for each in targets[1:]) < made[questioned] * 0.7

    run_virtually(scenario())


@pytest.mark.parametrize(
    ("is_late", "made", "expected"),
    [(False, None, 1.96), (True, None, 2.0), (True, 50.0, 2.2), (True, 110.0, 2.0), (True, 200.0, 1.1)],
)
def test_intervals_stretch_a_little_at_a_time(is_late: bool, made: float | None, expected: float) -> None:
    """Two hundred checks a second are wanted, and intervals are twice as long as they should be."""
    assert stretch_after(2.0, 1.0, is_late=is_late, wanted=200.0, made=made) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("worked", "taken", "expected"),
    [
        (0.11, 200, 140),
        (0.11, 140, 140),
        (0.11, 100, 200),
        (0.07, 200, 200),
        (0.04, 200, 251),
        (0.04, 199, 200),
    ],
    ids=[
        "crowded",
        "crowded, and most are taken",
        "crowded by others",
        "neither",
        "roomy",
        "roomy, and not all are taken",
    ],
)
def test_so_many_checks_are_under_way_as_leave_the_event_loop_to_others(
    worked: float, taken: int, expected: int
) -> None:
    assert places_after(200, worked, taken=taken, most=500) == expected


def test_there_are_never_more_places_than_were_asked_for() -> None:
    assert places_after(8, 0.04, taken=8, most=8) == 8
    assert places_after(8, 0.11, taken=8, most=8) == 8
    assert places_after(70, 0.11, taken=70, most=500) == FEWEST_PLACES


def test_checks_that_keep_the_event_loop_busy_are_fewer_at_once_and_more_once_they_wait(run_virtually: Any) -> None:
    async def scenario() -> None:
        async def run(target: Target) -> CheckResult:
            await asyncio.sleep(1.0)
            return PASSED

        scheduler = CheckScheduler(run, on_result=lambda *_: 0.0, in_flight=200, random=random.Random(1))
        probe = TCPCheck(80)
        scheduler.update(Target(f"192.0.2.{number}", probe, TIMING) for number in range(250))
        task = asyncio.create_task(scheduler.run())
        await asyncio.sleep(20)
        assert scheduler.in_flight == 200
        for _ in range(20):
            scheduler.felt(0.5)
            await asyncio.sleep(1.1)
        assert scheduler.in_flight == FEWEST_PLACES
        for _ in range(20):
            await asyncio.sleep(0.1)
            scheduler.felt(0.0)
        assert scheduler.in_flight == 200
        scheduler.close()
        await task

    run_virtually(scenario())


def test_an_overloaded_schedule_stays_fair_and_never_overlaps_a_key(run_virtually: Any) -> None:
    async def scenario() -> None:
        diary = Diary(duration=1.0)
        work = periodic(diary.work, every=1.0, in_flight=4)
        for key in range(20):
            work.add(key)
        async with working(work):
            await asyncio.sleep(100.5)
        counts = [len(times) for times in diary.begun.values()]
        assert max(counts) - min(counts) <= 1
        assert sum(counts) == 404

    run_virtually(scenario())


def test_hastened_work_runs_now_and_once_more_after_a_run_under_way(run_virtually: Any) -> None:
    async def scenario() -> None:
        diary = Diary(duration=2.0)
        work = periodic(diary.work)
        work.add("a")
        async with working(work):
            await asyncio.sleep(5)
            work.hasten("a")
            await asyncio.sleep(1)
            work.hasten("a")
            work.hasten("a")
            work.hasten("unknown")
            await asyncio.sleep(12)
        assert diary.begun == {"a": pytest.approx([0, 5, 7, 17])}

    run_virtually(scenario())


def test_a_run_under_way_that_began_late_enough_is_not_repeated(run_virtually: Any) -> None:
    async def scenario() -> None:
        diary = Diary(duration=2.0)
        work = periodic(diary.work)
        work.add("a")
        async with working(work):
            await asyncio.sleep(1)
            work.hasten("a", unless_since=0.0)
            await asyncio.sleep(10)
            work.hasten("a", unless_since=10.1)
            await asyncio.sleep(4)
        assert diary.begun == {"a": pytest.approx([0, 10, 12])}

    run_virtually(scenario())


def test_a_run_that_was_to_be_repeated_at_once_keeps_its_pace_where_that_is_said_meanwhile(run_virtually: Any) -> None:
    async def scenario() -> None:
        diary = Diary(duration=2.0)
        work = periodic(diary.work)
        work.add("a")
        async with working(work):
            await asyncio.sleep(1)
            work.hasten("a")
            work.keep_pace("a")
            work.keep_pace("unknown")
            await asyncio.sleep(12)
        assert diary.begun == {"a": pytest.approx([0, 10])}

    run_virtually(scenario())


@pytest.mark.parametrize("passed", [True, False])
def test_a_check_in_question_that_was_to_be_repeated_at_once_keeps_its_pace(
    run_virtually: Any, *, passed: bool
) -> None:
    """Else two checks of one moment would make a rise, or a fall, of two."""

    async def scenario() -> None:
        (target,) = targets(1)
        diary = Diary(duration=0.5)
        is_under_way = asyncio.Event()

        async def run(target: Target) -> CheckResult:
            is_under_way.set()
            return replace(await diary.work(target), passed=passed)

        checks = CheckScheduler(run, on_result=lambda *_: TIMING.recheck_interval, in_flight=1, random=random.Random(1))
        checks.update([target], unknown=[target])
        async with working(checks):
            await is_under_way.wait()
            checks.hasten(target)
            await asyncio.sleep(2)
        began = diary.begun[target]
        assert [later - before for before, later in pairwise(began)] == pytest.approx(
            [TIMING.recheck_interval] * (len(began) - 1)
        )

    run_virtually(scenario())


def test_a_timer_that_comes_late_shows_that_the_process_stood_still(run_virtually: Any) -> None:
    async def scenario() -> None:
        diary = Diary()
        work = periodic(diary.work, every=1.0)
        work.add("a")
        async with working(work):
            await asyncio.sleep(5.5)
            assert work.stood_still_until == float("-inf")
            asyncio.get_running_loop()._leaping.now += STANDSTILL + 5  # type: ignore[attr-defined]  # LeapingLoop
            went_on_at = now()
            await asyncio.sleep(0.1)
            assert work.stood_still_until == pytest.approx(went_on_at)

    run_virtually(scenario())


def test_discarded_work_stops_and_its_last_result_is_dropped(run_virtually: Any) -> None:
    async def scenario() -> None:
        diary = Diary(duration=2.0)
        results: list[Any] = []

        def note(key: Any, *_: Any) -> float:
            results.append(key)
            return 10.0

        work = Periodic(diary.work, on_result=note, in_flight=9, random=random.Random(1))
        for key in "ab":
            work.add(key)
        async with working(work):
            await asyncio.sleep(1)
            work.discard("a")
            assert ("a" in work, "b" in work, len(work), list(work)) == (False, True, 1, ["b"])
            await asyncio.sleep(5)
            work.discard("b")
            work.discard("never there")
            await asyncio.sleep(50)
            assert len(work) == 0
        assert diary.begun == {"a": [0], "b": [0]}
        assert results == ["b"]

    run_virtually(scenario())


def test_work_that_comes_back_during_its_last_run_does_not_overlap_it(run_virtually: Any) -> None:
    async def scenario() -> None:
        diary = Diary(duration=2.0)
        work = periodic(diary.work)
        work.add("a")
        async with working(work):
            await asyncio.sleep(1)
            work.discard("a")
            work.add("a")
            await asyncio.sleep(14)
        assert diary.begun == {"a": pytest.approx([0, 10])}

    run_virtually(scenario())


def test_an_error_or_a_stray_cancellation_stops_neither_the_key_nor_the_others(
    run_virtually: Any, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "s3cr" + "3t"

    async def scenario() -> None:
        diary = Diary()

        async def work_or_fail(key: str) -> CheckResult:
            result = await diary.work(key)
            if key == "raises":
                raise ValueError(f"broken: {secret}")
            if key == "cancels":
                raise asyncio.CancelledError
            return result

        work = periodic(work_or_fail, every=4.0)
        for key in ("raises", "cancels", "works"):
            work.add(key)
        async with working(work):
            await asyncio.sleep(2 * RETRY_AFTER_ERROR + 1)
        retries = pytest.approx([0, RETRY_AFTER_ERROR, 2 * RETRY_AFTER_ERROR])
        assert diary.begun == {"raises": retries, "cancels": retries, "works": pytest.approx([0, 4, 8, 12, 16, 20])}

    with caplog.at_level(logging.ERROR):
        run_virtually(scenario())
    assert "ValueError" in caplog.text
    assert "broken" in caplog.text  # the line that raised, out of the stack
    assert secret not in caplog.text


@pytest.mark.parametrize("how", ["close", "cancel"])
def test_nothing_is_under_way_after_the_end(run_virtually: Any, how: str) -> None:
    async def scenario() -> None:
        diary = Diary(duration=60.0)
        tidied: list[int] = []

        async def work_and_tidy_up(key: int) -> CheckResult:
            try:
                return await diary.work(key)
            finally:
                await asyncio.sleep(1)
                tidied.append(key)

        work = periodic(work_and_tidy_up, in_flight=2)
        for key in range(5):
            work.add(key)
        task = asyncio.ensure_future(work.run())
        await asyncio.sleep(1)
        assert diary.at_once == 2
        if how == "close":
            work.close()
        else:
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() is (how == "cancel")
        assert (sorted(tidied), diary.at_once) == ([0, 1], 0)  # both start at one moment, in any order
        await asyncio.sleep(1000)
        assert work.in_flight == 0
        assert sum(map(len, diary.begun.values())) == 2

    run_virtually(scenario())


def test_hastening_again_and_again_leaves_no_litter(run_virtually: Any) -> None:
    async def scenario() -> None:
        work = periodic(Diary().work)
        for key in range(10):
            work.add(key, within=1000.0)
        for _ in range(1000):
            for key in range(10):
                work.hasten(key)
        assert len(work._urgent) + len(work._settled) < 200
        assert work.overdue == 10

    run_virtually(scenario())


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="in_flight is 0"):
        periodic(Diary().work, in_flight=0)


def scheduler(diary: Diary, delay: Callable[..., float], *, in_flight: int = 1000, seed: int = 1) -> CheckScheduler:
    return CheckScheduler(diary.work, on_result=delay, in_flight=in_flight, random=random.Random(seed))


def test_first_checks_are_spread_over_the_interval(run_virtually: Any) -> None:
    async def scenario() -> None:
        diary = Diary()
        checks = scheduler(diary, lambda target, *_: target.timing.interval)
        checks.update(targets(1000))
        async with working(checks):
            await asyncio.sleep(9.999)
        firsts = [times[0] for times in diary.begun.values()]
        assert len(firsts) == 1000
        for second in range(10):
            assert 60 < sum(second <= first < second + 1 for first in firsts) < 140

    run_virtually(scenario())


def test_targets_whose_verdict_is_unknown_are_checked_within_the_recheck_interval(run_virtually: Any) -> None:
    async def scenario() -> None:
        diary = Diary()
        checks = scheduler(diary, lambda target, *_: target.timing.interval)
        everyone = targets(1000)
        unknown = set(everyone[::2])
        checks.update(everyone, unknown=unknown)
        async with working(checks):
            await asyncio.sleep(1)
            assert unknown <= diary.begun.keys()
            assert 10 < len(diary.begun.keys() - unknown) < 100

    run_virtually(scenario())


def test_jitter_only_shortens_the_settled_interval_and_leaves_the_recheck_interval_alone(run_virtually: Any) -> None:
    async def scenario() -> None:
        settled, questioned = targets(2)
        diary = Diary()
        checks = scheduler(diary, lambda target, *_: 10.0 if target is settled else 1.0)
        checks.update([settled, questioned])
        async with working(checks):
            await asyncio.sleep(1000)
        steps = {target: [b - a for a, b in itertools.pairwise(times)] for target, times in diary.begun.items()}
        assert steps[questioned] == pytest.approx([1.0] * len(steps[questioned]))
        assert all(9.5 <= step <= 10.0 + 1e-6 for step in steps[settled])
        assert max(steps[settled]) - min(steps[settled]) > 0.3

    run_virtually(scenario())


def test_updating_keeps_the_times_of_those_that_stay(run_virtually: Any) -> None:
    async def scenario() -> None:
        diary = Diary()
        checks = scheduler(diary, lambda *_: 5.0)
        stays, goes, comes = targets(3)
        checks.update([stays, goes])
        async with working(checks):
            await asyncio.sleep(11)
            first = diary.begun[stays][0]
            for _ in range(50):
                checks.update([stays, comes])
                await asyncio.sleep(0.1)
            assert len(checks) == 2
            await asyncio.sleep(20)
        assert diary.begun[stays] == pytest.approx([first + 5 * each for each in range(len(diary.begun[stays]))])
        assert len(diary.begun[stays]) >= 6
        assert all(time < 11 for time in diary.begun[goes])
        assert all(time >= 11 for time in diary.begun[comes])
        assert len(diary.begun[comes]) >= 4

    run_virtually(scenario())


def test_the_seed_and_the_order_of_the_targets_decide_the_schedule_and_nothing_else(run_virtually: Any) -> None:
    async def scenario() -> None:
        diary = Diary()
        checks = scheduler(diary, lambda *_: 1000.0, seed=7)
        everyone = targets(50)
        checks.update(everyone)
        async with working(checks):
            await asyncio.sleep(20)
        draws = random.Random(7)
        assert [diary.begun[each][0] for each in everyone] == pytest.approx([10 * draws.random() for _ in everyone])

    run_virtually(scenario())


def test_the_promised_time_to_detection_holds(run_virtually: Any) -> None:
    """interval + timeout + (fall - 1) x max(recheckInterval, timeout), as the design says, for hanging targets."""

    async def scenario() -> None:
        broken_at = 100.0
        failures: dict[Target, int] = {}
        detected: dict[Target, float] = {}

        async def hang_once_broken(target: Target) -> CheckResult:
            if now() < broken_at:
                return PASSED
            await asyncio.sleep(target.timing.timeout)
            return CheckResult(False, "Timeout", "", 2.0)

        def decide(target: Target, result: CheckResult, _started: float) -> float:
            if result.passed:
                return target.timing.interval
            failures[target] = failures.get(target, 0) + 1
            if failures[target] == target.timing.fall:
                detected[target] = now() - broken_at
            return target.timing.recheck_interval if failures[target] < target.timing.fall else target.timing.interval

        checks = CheckScheduler(hang_once_broken, on_result=decide, in_flight=1000, random=random.Random(3))
        checks.update(targets(500))
        async with working(checks):
            await asyncio.sleep(200)
        assert len(detected) == 500
        assert max(detected.values()) <= 10 + 2 + 2 * max(1.0, 2.0) + 1e-3

    run_virtually(scenario())


@pytest.mark.slow
def test_a_hundred_thousand_targets_cost_little_memory_and_no_tasks(run_virtually: Any) -> None:
    async def scenario() -> None:
        everyone = targets(100_000)
        checks = scheduler(Diary(), lambda *_: 10.0)
        tracemalloc.start()
        checks.update(everyone)
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert grown / len(everyone) < 400
        assert len(asyncio.all_tasks()) == 1

    run_virtually(scenario())


def test_on_the_operators_own_loop_what_is_due_already_is_run_as_well() -> None:
    """That loop gives no time with the handle of a timer whose time has come."""
    ran: list[str] = []

    async def play() -> None:
        async def run(key: str) -> str:
            return key

        def done(key: str, result: str, started: float) -> float:
            ran.append(result)
            if len(ran) == 30:
                work.close()
            return 0.001

        work: Periodic[str, str] = Periodic(run, on_result=done, in_flight=1, random=random.Random(1))
        for key in ("one", "two", "three"):
            work.add(key)
        async with asyncio.timeout(10):
            await work.run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play())
    assert set(ran) == {"one", "two", "three"}
