"""Which targets are checked, how often, and what is believed of them at the start."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from detour.checks.periodic import STANDSTILL
from detour.checks.resolver import Resolution, ResolutionOutcome
from detour.engine.clock import Clock
from detour.engine.metrics import Metrics
from detour.engine.moment import Moment
from detour.engine.targets import SETTLED, Targets
from detour.kube.translate import record_from
from detour.model.checks import CheckResult, Target
from detour.model.health import Verdict
from detour.model.memory import EndpointMemory
from detour.model.record import ObjectKey, Record
from detour.model.rrset import RRType
from detour.model.shared import number_kept
from detour.twin.virtualtime import until

from .objects import failover_record

ONE, TWO = "192.0.2.1", "192.0.2.2"
WALL = 1_700_000_000.0
ENDPOINT = {"name": "one", "region": "aws-us-east-1", "addresses": [ONE], "priority": 7}


class World:
    """An observation with checks and a resolver that do as told."""

    def __init__(self, *, checks_in_flight: int = 100) -> None:
        loop = asyncio.get_running_loop()
        self.takes = 0.0  # seconds that a check and a look-up take
        self.checked: Counter[str] = Counter()
        self.down: set[str] = set()
        self.answer = Resolution(ResolutionOutcome.ANSWERED, (ONE,), 5.0)
        self.news: list[ObjectKey] = []
        self.clock = Clock(now=loop.time, wall=lambda: WALL + loop.time())
        self.targets = Targets(
            check=self._check,
            resolve=self._resolve,
            checks_in_flight=checks_in_flight,
            clock=self.clock,
            randomness=random.Random(1),
            metrics=Metrics(CollectorRegistry()),
            on_news=self.news.extend,
        )

    async def _check(self, target: Target) -> CheckResult:
        self.checked[target.address] += 1
        await asyncio.sleep(self.takes)
        passed = target.address not in self.down
        return CheckResult(passed, "" if passed else "Refused", "", 0.01)

    async def _resolve(self, hostname: str) -> Resolution:
        await asyncio.sleep(self.takes)
        return self.answer

    def verdicts(self, record: Record) -> dict[str, Verdict]:
        return {
            name: each.verdict
            for name, each in self.targets.health(record, {}, Moment(self.clock.now(), frozenset())).items()
        }


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    task = asyncio.create_task(made.targets.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def record(name: str = "api", **spec: Any) -> Record:
    return record_from(failover_record(name, **spec), None)


BY_NAME = [{"name": "one", "region": "r", "hostname": "lb.example.net"}]


async def test_equal_checks_run_once_however_many_records_share_them(world: World) -> None:
    for place in range(20):
        world.targets.watch(record(f"n{place}"))
    await asyncio.sleep(300)
    assert set(world.checked) == {ONE, TWO}
    assert world.checked[ONE] <= 300 / 10 * 1.06 + 5
    assert len(set(world.news)) == 20


async def test_a_verdict_is_told_to_every_record_that_shares_the_target(world: World) -> None:
    world.targets.watch(record("api"))
    world.targets.watch(record("www"))
    await asyncio.sleep(60)
    world.news.clear()
    world.down.add(ONE)
    await asyncio.sleep(20)
    assert set(world.news) == {ObjectKey("shop", "api"), ObjectKey("shop", "www")}
    assert world.verdicts(record()) == {"one": Verdict.UNHEALTHY, "two": Verdict.HEALTHY}
    cause = world.targets.cause_at(ObjectKey("shop", "api"))
    assert cause is not None
    assert world.clock.now() - 20 < cause < world.clock.now()


@pytest.mark.parametrize("what", ["checks", "look-ups"])
async def test_first_checks_and_look_ups_that_come_late_are_told_of(what: str) -> None:
    world = World(checks_in_flight=1)
    world.takes = 4.0
    task = asyncio.create_task(world.targets.run())
    assert not world.targets.is_behind
    for place in range(100):
        endpoint = {**BY_NAME[0], "hostname": f"lb-{place}.example.net"}
        world.targets.watch(record(f"n{place}", **({"endpoints": [endpoint]} if what == "look-ups" else {})))
    await asyncio.sleep(3)
    assert world.targets.is_behind
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_new_targets_that_never_worked_cast_no_doubt_on_what_this_process_sees(world: World) -> None:
    world.targets.watch(record())
    await asyncio.sleep(SETTLED + 1)
    new = {f"192.0.2.{number}" for number in range(10, 20)}
    world.down |= new
    endpoints = [{"name": f"e{each[-2:]}", "region": "r", "addresses": [each]} for each in sorted(new)]
    world.targets.watch(record("new", endpoints=endpoints))
    await asyncio.sleep(60)
    assert set(world.verdicts(record("new", endpoints=endpoints)).values()) == {Verdict.UNHEALTHY}
    assert world.targets.bad_share(600.0) == 0.0
    world.down.add(ONE)
    await asyncio.sleep(30)
    assert world.targets.bad_share(600.0) == 1 / 12, "who did work and fails counts"


async def test_what_fails_from_the_start_counts_as_it_may_be_this_process_that_is_blind(world: World) -> None:
    world.down |= {ONE, TWO}
    world.targets.watch(record())
    await asyncio.sleep(30)
    assert world.targets.bad_share(600.0) == 1.0


async def test_who_is_in_time_is_not_behind(world: World) -> None:
    world.targets.watch(record())
    for _ in range(30):
        await asyncio.sleep(1)
        assert not world.targets.is_behind


async def test_a_shared_target_is_checked_until_its_last_record_goes(world: World) -> None:
    for name in ("api", "www"):
        world.targets.watch(record(name))
    await asyncio.sleep(30)
    world.targets.forget(ObjectKey("shop", "api"))
    before = world.checked[ONE]
    await asyncio.sleep(60)
    assert world.checked[ONE] > before
    world.targets.forget(ObjectKey("shop", "www"))
    await asyncio.sleep(1)
    before = world.checked[ONE]
    await asyncio.sleep(60)
    assert world.checked[ONE] == before


async def test_remembered_verdicts_hold_from_the_start(world: World) -> None:
    memory = [
        EndpointMemory("one", Verdict.UNHEALTHY, since=WALL, addresses=((ONE, Verdict.UNHEALTHY),)),
        EndpointMemory("two", Verdict.HEALTHY, since=WALL, addresses=((TWO, Verdict.HEALTHY),)),
    ]
    world.targets.watch(record(), memory)
    assert world.verdicts(record()) == {"one": Verdict.UNHEALTHY, "two": Verdict.HEALTHY}


async def test_nothing_is_believed_of_what_nobody_remembers(world: World) -> None:
    world.targets.watch(record())
    assert set(world.verdicts(record()).values()) == {Verdict.UNKNOWN}


async def test_an_address_that_is_only_remembered_is_not_checked(world: World) -> None:
    """The spec may have changed while nobody watched, and a status can be edited: only what is declared is probed."""
    memory = [EndpointMemory("one", Verdict.HEALTHY, since=WALL, addresses=(("203.0.113.66", Verdict.HEALTHY),))]
    world.targets.watch(record(), memory)
    await asyncio.sleep(60)
    assert set(world.checked) == {ONE, TWO}


async def test_a_changed_check_starts_anew(world: World) -> None:
    world.targets.watch(record())
    await asyncio.sleep(60)
    other = record(healthCheck={"tcp": {"port": 8443}})
    world.targets.watch(other)
    assert set(world.verdicts(other).values()) == {Verdict.UNKNOWN}
    await asyncio.sleep(60)
    assert set(world.verdicts(other).values()) == {Verdict.HEALTHY}


async def test_a_hostname_is_resolved_and_each_of_its_addresses_checked(world: World) -> None:
    by_name = record(endpoints=BY_NAME)
    world.targets.watch(by_name)
    await until(lambda: world.verdicts(by_name)["one"] is Verdict.HEALTHY)
    world.answer = Resolution(ResolutionOutcome.ANSWERED, (TWO,), 5.0)
    await until(lambda: world.checked[TWO])
    addresses = world.targets.health(by_name, {}, Moment(world.clock.now(), frozenset()))["one"].addresses
    assert {address for address, _ in addresses} == {ONE, TWO}  # the one that rotated out is kept for a while


async def test_an_empty_answer_sinks_the_endpoint_and_a_dead_resolver_does_not(world: World) -> None:
    by_name = record(endpoints=BY_NAME)
    world.targets.watch(by_name)
    await until(lambda: world.verdicts(by_name)["one"] is Verdict.HEALTHY)
    world.answer = Resolution(ResolutionOutcome.FAILED, (), 5.0, message="SERVFAIL")
    await asyncio.sleep(120)
    assert world.verdicts(by_name)["one"] is Verdict.UNKNOWN
    world.answer = Resolution(ResolutionOutcome.NO_ADDRESSES, (), 5.0, message="NXDOMAIN")
    await until(lambda: world.verdicts(by_name)["one"] is Verdict.UNHEALTHY)


async def test_a_family_without_an_answer_keeps_its_addresses(world: World) -> None:
    by_name = record(endpoints=BY_NAME)
    world.answer = Resolution(ResolutionOutcome.ANSWERED, (ONE, "2001:db8::1"), 5.0)
    world.targets.watch(by_name)
    await until(lambda: world.verdicts(by_name)["one"] is Verdict.HEALTHY)
    world.answer = Resolution(ResolutionOutcome.ANSWERED, (ONE,), 5.0, unanswered=(RRType.AAAA,))
    await asyncio.sleep(1800)
    addresses = world.targets.health(by_name, {}, Moment(world.clock.now(), frozenset()))["one"].addresses
    assert {address for address, _ in addresses} == {ONE, "2001:db8::1"}


async def test_a_name_that_leads_back_to_the_record_is_noticed(world: World) -> None:
    by_name = record(endpoints=BY_NAME)
    world.targets.watch(by_name)
    assert world.targets.loop_in(by_name) is None
    world.answer = Resolution(ResolutionOutcome.ANSWERED, (ONE,), 5.0, canonical_names=("x.net", "api.example.org"))
    await until(lambda: world.targets.loop_in(by_name) == "lb.example.net")


async def test_the_first_failure_of_one_place_has_the_others_looked_at_and_no_faster_pace_for_itself(
    world: World,
) -> None:
    world.targets.watch(record())
    await asyncio.sleep(60)
    one, two = (next(each for each in world.targets._targets if each.address == name) for name in (ONE, TWO))
    world.down = {ONE, TWO}
    await until(lambda: world.targets._targets[one].streak.failures + world.targets._targets[two].streak.failures)
    began, before = world.clock.now(), world.checked.copy()
    await asyncio.sleep(0.01)
    failures = [world.targets._targets[each].streak.failures for each in (one, two)]
    assert failures == [1, 1]
    await until(lambda: set(world.verdicts(record()).values()) == {Verdict.UNHEALTHY})
    assert world.clock.now() - began >= 2 * record().timing.recheck_interval
    assert sum((world.checked - before).values()) <= 6


async def test_a_result_that_comes_long_after_its_deadline_condemns_nobody(world: World) -> None:
    world.targets.watch(record())
    await asyncio.sleep(60)
    late = CheckResult(False, "Timeout", "nothing was heard", 0.0)
    (target,) = [each for each in world.targets._targets if each.address == ONE]
    timeout = target.timing.timeout
    for _ in range(2):
        world.targets._checked(target, late, world.clock.now() - timeout - STANDSTILL - 0.1)
    assert world.targets._targets[target].streak.failures == 0
    world.targets._checked(target, late, world.clock.now() - timeout)
    assert world.targets._targets[target].streak.failures == 1


async def test_a_prober_is_blind_only_where_nothing_at_all_passes(world: World) -> None:
    world.targets.watch(record())
    await asyncio.sleep(60)
    assert world.targets.has_seen()
    world.down = {ONE}
    await asyncio.sleep(120)
    assert not world.targets.is_blind()
    world.down = {ONE, TWO}
    await asyncio.sleep(60)
    assert world.targets.is_blind()
    assert not world.targets.has_seen()
    world.down = {ONE}
    await asyncio.sleep(20)
    assert not world.targets.is_blind()


async def test_a_prober_that_checks_nothing_is_not_blind_and_sees_nothing(world: World) -> None:
    await asyncio.sleep(600)
    assert not world.targets.is_blind()
    assert not world.targets.has_seen()


async def test_records_that_share_everything_share_what_is_believed_of_their_endpoints(world: World) -> None:
    """So a decision for one of them is one for all (`planning.alike`)."""
    one, like_it = (record_from(failover_record(name, uid=name, hostname=f"{name}.example.org"), None) for name in "ab")
    for each in (one, like_it):
        world.targets.watch(each)
    moment = Moment(world.clock.now(), frozenset())
    first = world.targets.health(one, {}, moment)
    assert world.targets.health(like_it, first, moment) is world.targets.health(one, first, moment)
    other = record_from(failover_record("c", uid="c", hostname="c.example.org", endpoints=[ENDPOINT]), None)
    world.targets.watch(other)
    assert world.targets.health(other, first, moment) is not world.targets.health(one, first, moment)


async def test_what_a_hostname_turns_over_is_not_kept_for_others(world: World) -> None:
    endpoint = {"name": "one", "region": "aws-us-east-1", "hostname": "lb.example.net"}
    world.targets.watch(record_from(failover_record(endpoints=[endpoint]), None))
    task = asyncio.create_task(world.targets.run())
    await until(lambda: world.checked[ONE])
    declared = number_kept()
    for turn in range(20):
        world.answer = Resolution(ResolutionOutcome.ANSWERED, (f"192.0.2.{100 + turn}",), 5.0)
        await until(lambda turn=turn: world.checked[f"192.0.2.{100 + turn}"])
    task.cancel()
    assert number_kept() == declared
