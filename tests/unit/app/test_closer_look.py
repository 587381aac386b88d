"""Looking more closely: by so much, of so many, and also by vantages elsewhere."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from detour.app.probe.declared import Checked
from detour.checks.resolver import Resolution, ResolutionOutcome
from detour.checks.scheduler import CheckScheduler, closer_interval
from detour.engine.clock import Clock
from detour.engine.metrics import Metrics
from detour.engine.ports import Origin
from detour.engine.targets import Targets
from detour.kube.origins import origin_of
from detour.kube.translate import record_from, region_from
from detour.model.checks import CheckResult, CheckTiming, Target, TCPCheck
from detour.model.objects import Kind, Subject
from detour.model.record import ObjectKey
from detour.model.timestamps import timestamp

from .objects import cloud_region, failover_record

WALL = 1_700_000_000.0
EAST = "aws-us-east-1"


def timing(interval: float, recheck: float) -> CheckTiming:
    return CheckTiming(interval=interval, recheck_interval=recheck, timeout=0.5, fall=3, rise=2)


@given(
    st.lists(st.tuples(st.floats(1.0, 3600.0), st.floats(0.1, 1.0)), min_size=1, max_size=20),
    st.floats(0.0, 100.0),
)
def test_it_at_most_doubles_what_is_checked(closer: list[tuple[float, float]], others: float) -> None:
    timings = [timing(interval, interval * share) for interval, share in closer]
    wanted = others + sum(1 / each.interval for each in timings)
    more = sum(1 / each.recheck_interval - 1 / each.interval for each in timings)
    found = [closer_interval(each, more=more, at_most=wanted) for each in timings]
    for each, seconds in zip(timings, found, strict=True):
        assert each.recheck_interval * 0.999 <= seconds <= each.interval * 1.001
    assert others + sum(1 / seconds for seconds in found) <= 2.001 * wanted
    if more <= wanted:
        assert found == pytest.approx([each.recheck_interval for each in timings])


async def test_targets_come_and_go_while_they_are_looked_at() -> None:
    checked: Counter[str] = Counter()

    async def check(target: Target) -> CheckResult:
        checked[target.address] += 1
        return CheckResult(True, "", "", 0.01)

    scheduler = CheckScheduler(
        check, on_result=lambda target, *_: target.timing.interval, in_flight=50, random=random.Random(1)
    )
    targets = [Target(f"192.0.2.{number}", TCPCheck(443), timing(10.0, 1.0)) for number in range(100)]
    for each in targets:
        scheduler.add(each)
    work = asyncio.create_task(scheduler.run())
    scheduler.look_closer(targets[0])
    scheduler.look_closer(targets[0])
    scheduler.look_closer(targets[1])
    scheduler.discard(targets[1])
    await asyncio.sleep(20.0)
    checked.clear()
    await asyncio.sleep(100.0)
    assert 95 <= checked["192.0.2.0"] <= 115
    assert not checked["192.0.2.1"]
    assert 9 <= checked["192.0.2.2"] <= 12
    scheduler.look_no_closer(targets[0])
    scheduler.look_no_closer(targets[0])
    await asyncio.sleep(2.0)
    checked.clear()
    await asyncio.sleep(100.0)
    assert 9 <= checked["192.0.2.0"] <= 12
    assert scheduler._more == 0.0
    work.cancel()


class Probe:
    """A probe's part that knows what is declared, and which addresses it has checked."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        clock = Clock(now=loop.time, wall=lambda: WALL + loop.time())
        self.checked: Counter[str] = Counter()
        self.targets = Targets(
            check=self._check,
            resolve=self._resolve,
            checks_in_flight=50,
            clock=clock,
            randomness=random.Random(1),
            metrics=Metrics(CollectorRegistry()),
            on_news=lambda _: None,
        )
        self.declared = Checked(self.targets, clock)
        self.work = asyncio.create_task(self.targets.run())

    async def _check(self, target: Target) -> CheckResult:
        self.checked[target.address] += 1
        return CheckResult(True, "", "", 0.01)

    async def _resolve(self, hostname: str) -> Resolution:
        return Resolution(ResolutionOutcome.ANSWERED, ("198.51.100.9",), 5.0)

    async def rate(self, address: str) -> float:
        before = self.checked[address]
        await asyncio.sleep(200.0)
        return (self.checked[address] - before) / 200.0


def region_at(until: float | None) -> tuple[Subject, Any, Origin]:
    canaries = [{"name": "api", "hostname": "api.east.cloud"}]
    raw = cloud_region(EAST, canaries=canaries)
    raw["status"] = {} if until is None else {"closerLookUntil": timestamp(until)}
    return Subject(Kind.CLOUD_REGION, ObjectKey("", EAST), "u"), region_from(raw), origin_of(raw)


@pytest.mark.parametrize("is_status_alone", [False, True])
async def test_a_probe_looks_more_closely_for_as_long_as_the_region_says(is_status_alone: bool) -> None:
    probe = Probe()
    raw = failover_record()
    subject = Subject(Kind.FAILOVER_RECORD, ObjectKey("shop", "api"), "u")
    probe.declared.record_declared(subject, record_from(raw, None), origin_of(raw))
    for number in range(20):
        other = failover_record(f"other{number}")
        for place, endpoint in enumerate(other["spec"]["endpoints"]):
            endpoint |= {"region": "elsewhere", "addresses": [f"203.0.113.{2 * number + place}"]}
        key = ObjectKey("shop", f"other{number}")
        probe.declared.record_declared(
            Subject(Kind.FAILOVER_RECORD, key, "u"), record_from(other, None), origin_of(other)
        )
    probe.declared.region_declared(*region_at(None))
    await asyncio.sleep(60.0)
    usual, canary = await probe.rate("192.0.2.1"), await probe.rate("198.51.100.9")
    of, region, origin = region_at(WALL + asyncio.get_running_loop().time() + 700.0)
    if is_status_alone:
        probe.declared.status_seen(of, origin, None)
    else:
        probe.declared.region_declared(of, region, origin)
    await asyncio.sleep(60.0)
    assert await probe.rate("192.0.2.1") > 2 * usual
    assert await probe.rate("198.51.100.9") > 2 * canary
    await asyncio.sleep(300.0)  # its time is over
    assert await probe.rate("192.0.2.1") == pytest.approx(usual, rel=0.1)
    probe.work.cancel()


async def test_a_region_that_is_gone_is_looked_at_no_more() -> None:
    probe = Probe()
    raw = failover_record()
    probe.declared.record_declared(
        Subject(Kind.FAILOVER_RECORD, ObjectKey("shop", "api"), "u"), record_from(raw, None), origin_of(raw)
    )
    of, region, origin = region_at(WALL + asyncio.get_running_loop().time() + 1e6)
    probe.declared.region_declared(of, region, origin)
    assert probe.declared._looked_closer == {EAST}
    probe.declared.gone(of, observed=True)
    assert not probe.declared._looked_closer
    probe.work.cancel()
