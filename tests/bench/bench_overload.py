"""A prober that has twice as much to check as it can: how its intervals stretch, and when it knows of a failed region.

Run `make bench-overload`; Debian has nginx-light. All targets are HTTPS with a hostname of their own, certificates are
checked. First it is measured how many such checks end in a second, then an interval is chosen with which the targets
ask for twice as many; once the intervals have settled, half of the targets break. The bound of detection is what the
declared timing promises where all can be checked: interval + fall x (recheck interval + timeout).
"""

import argparse
import asyncio
import contextlib
import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import uvloop
from bench_probers import RESULTS
from services import TLSService, prepare_tls

from detour.checks.guard import NetworkGuard
from detour.checks.http import HTTPProber
from detour.checks.run import run_check
from detour.checks.scheduler import CheckScheduler
from detour.health.thresholds import Streak, next_delay, observe
from detour.model.checks import CheckResult, CheckTiming, HTTPCheck, StatusRange, Target
from detour.model.health import Verdict

PORT = 18_788
EAST, WEST = "127.0.0.30", "127.0.0.40"
TWICE = 2.0
RECHECK, TIMEOUT, FALL = 1.0, 2.0, 3
CALIBRATION = 15.0
"""Seconds in which it is measured how many checks end in one."""

SETTLING = 3.0
"""Intervals, as stretched as is expected, before the region breaks."""


class Observer:
    """Checks targets as the operator does, without what is made of the verdicts."""

    def __init__(self, timing: CheckTiming, ca_bundle: str, count: int) -> None:
        self._prober, self._guard = HTTPProber(), NetworkGuard.from_text(["127.0.0.0/8"])
        now = asyncio.get_running_loop().time()
        self.targets = [_target(number, timing, ca_bundle) for number in range(count)]
        self.streaks = {each: Streak(Verdict.HEALTHY, now) for each in self.targets}
        self.ended = 0
        self.failing = Counter[str]()
        self.half_fails = asyncio.Event()
        self.scheduler = CheckScheduler(self._run, on_result=self._ended, in_flight=500, random=random.Random(1))

    async def _run(self, target: Target) -> CheckResult:
        return await run_check(target, guard=self._guard, http=self._prober, clock=asyncio.get_running_loop().time)

    def _ended(self, target: Target, result: CheckResult, started: float) -> float:
        now = asyncio.get_running_loop().time()
        self.ended += 1
        before = self.streaks[target]
        streak = self.streaks[target] = observe(before, result, target.timing, now, began_at=started)
        self.failing[target.address] += _fails(streak) - _fails(before)
        if 2 * self.failing[EAST] >= len(self.targets):
            self.half_fails.set()
        return next_delay(streak, target.timing)


def _fails(streak: Streak) -> bool:
    return streak.verdict is Verdict.UNHEALTHY


def _target(number: int, timing: CheckTiming, ca_bundle: str) -> Target:
    name = f"n{number}.svc.example"
    probe = HTTPCheck(
        tls=True,
        port=PORT,
        path="/",
        host=name,
        server_name=name,
        expected_statuses=(StatusRange(200, 299),),
        ca_bundle=ca_bundle,
    )
    return Target((EAST, WEST)[number % 2], probe, timing)


async def measure(count: int, ca_bundle: str, break_east: Callable[[], None]) -> dict[str, float]:
    """Find out what can be checked, ask for twice as much, and break the east."""
    figures: dict[str, float] = {"targets": count}
    busy = Observer(CheckTiming(0.1, RECHECK, TIMEOUT, FALL, FALL), ca_bundle, 1_000)
    busy.scheduler.update(busy.targets)
    task = asyncio.create_task(busy.scheduler.run())
    await asyncio.sleep(5)
    before = busy.ended
    await asyncio.sleep(CALIBRATION)
    busy.scheduler.close()
    await task
    figures["checks_per_second"] = rate = (busy.ended - before) / CALIBRATION
    figures["interval"] = interval = count / (TWICE * rate)
    print(f"checks_per_second={rate:.0f}: an interval of {interval:.1f} s asks for twice as many", flush=True)

    observer = Observer(CheckTiming(interval, RECHECK, TIMEOUT, FALL, FALL), ca_bundle, count)
    observer.scheduler.update(observer.targets)
    task = asyncio.create_task(observer.scheduler.run())
    await asyncio.sleep(SETTLING * TWICE * interval)
    figures |= {"stretch": observer.scheduler.stretch, "lateness": observer.scheduler.lateness}
    assert not +observer.failing, "a prober that is busy takes nobody for failed"
    broken_at = asyncio.get_running_loop().time()
    break_east()
    await asyncio.wait_for(observer.half_fails.wait(), 20 * interval)
    assert not observer.failing[WEST], "nobody else fails"
    figures["all_known_after"] = asyncio.get_running_loop().time() - broken_at
    figures["bound"] = interval + FALL * (RECHECK + TIMEOUT)
    observer.scheduler.close()
    await task
    return figures


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", type=int, default=20_000)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        work = Path(folder)
        ca_bundle = prepare_tls(work, "*.svc.example")
        east, west = TLSService(work, "east", [EAST], PORT), TLSService(work, "west", [WEST], PORT)
        for service in (east, west):
            service.start()
            stack.callback(service.stop)
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        figures = runner.run(measure(options.targets, ca_bundle, east.stop))
    print(" ".join(f"{name}={value:.2f}" for name, value in figures.items()))
    print(f"all known after {figures['all_known_after'] / figures['bound']:.2f} x the bound of detection")
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "overload.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
