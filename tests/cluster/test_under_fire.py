"""The operator under one fault at a time, with two replicas, a real API server and all four providers in the lab.

Each fault falls together with the failure of a region, so that there is something to do. Every test ends with the
verdict of a soak: no empty answer, no stale write, nothing left unrepaired. The last one plays a short soak, faults of
every kind together; for as long as you like that is `make soak`. How long things take is judged by `make acceptance`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest
import pytest_asyncio

from detour_lab.clouds import AZURE, BIND, GOOGLE, ROUTE53
from detour_lab.labzones import OUTSIDER, EmulatedZone
from detour_lab.operatorprocess import LogLine, OperatorProcess
from detour_lab.soak.conduct import allow_outages, play_on
from detour_lab.soak.fire import Fire
from detour_lab.soak.schedule import LEADER, Event, Kind, Size
from detour_lab.soak.truth import FOREIGN, Truth
from detour_lab.soak.watch import Watch
from detour_lab.stage import Stage, StageError, condition, wait_for
from detour_lab.store import Commit, RecordSet

from .operatorprocess import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

REGION = "aws-us-east-1"
ASKED_EVERY = 0.2
"""Seconds between two questions for a name. The change logs tell what fell between them."""

HOSTNAME = "api.shop.example.com"
SHORT = replace(Size.small(0.75), repair_within=float("inf"), patience=PATIENCE)
"""20 s of faults; in the end everything has to be right, whenever that is."""


class Scene:
    """What every test here has: the stage, what should be answered, the witnesses, and the faults."""

    def __init__(self, stage: Stage, truth: Truth, watch: Watch) -> None:
        self.stage = stage
        self.truth = truth
        self.watch = watch
        self.fire = Fire(stage, watch, lambda _: None)

    def event(self, kind: Kind, target: str = "", seconds: float = 0.0) -> Event:
        return Event(0.0, kind, seconds, target)

    async def break_region(self) -> None:
        await self.stage.lab.break_region(REGION)

    async def moved(self, zones: Sequence[str]) -> None:
        """Wait until every name in `zones` answers what it should now."""

        async def right() -> bool:
            wanted, shown = self.truth.answers(), self.watch.shown()
            return all(shown[place] == values for place, values in wanted.items() if place[0] in zones)

        try:
            await wait_for(right, timeout=PATIENCE, what="the move")
        except StageError as error:
            raise StageError(f"{error}: {'; '.join(self.watch.wrong())}") from error

    def published(self, zone: str) -> dict[str, tuple[str, ...]]:
        """Return what a zone holds for each name, whether its name server answers now or not."""
        found = self.zone(zone).store
        sets = {name: found.get(name, "A") for name in self.truth.hostnames[zone]}
        return {name: each.values if each else () for name, each in sets.items()}

    def zone(self, name: str) -> EmulatedZone:
        found = self.stage.lab.zone(name)
        assert isinstance(found, EmulatedZone)
        return found

    async def holds_right(self, zones: Sequence[str]) -> None:
        """Wait until each of `zones` holds what it should now."""

        async def right() -> bool:
            held = {zone: self.published(zone) for zone in zones}
            wanted = self.truth.answers().items()
            return all(set(held[zone][name]) == values for (zone, name), values in wanted if zone in held)

        await wait_for(right, timeout=PATIENCE, what=f"the right values in {', '.join(zones)}")

    def writes_since(self, zone: str, moment: float) -> list[Commit]:
        """Return the operator's commits that touched the main record."""
        return [
            each
            for each in self.zone(zone).store.log
            if each.at > moment and each.by != OUTSIDER and any(one.name == HOSTNAME for one in each.added)
        ]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[tuple[Stage, Truth]]:
    """One stage for all tests here, with two replicas whose clocks can be moved."""
    flags = ("--audit-every=2", "--read-every=20")
    async with Stage(records=False, replicas=2, clocks=True, real_bind=False, flags=flags) as stage:
        truth = Truth(stage.lab)
        await allow_outages(stage)
        await stage.apply(truth.manifest)
        await stage.wait_until_ready()
        yield stage, truth
        await asyncio.gather(*(each.kill() for each in stage.operators))


@asynccontextmanager
async def judged(stage: Stage, truth: Truth) -> AsyncIterator[Scene]:
    async with Watch(stage, truth, repair_within=float("inf"), interval=ASKED_EVERY) as watch:
        yield Scene(stage, truth, watch)
        await stage.lab.mend_region(REGION)
        await watch.until_right(PATIENCE)
        await wait_for(lambda: ready(stage), timeout=PATIENCE, what="Ready on every record", interval=0.3)
        verdict = watch.verdict(left=[])
    assert verdict.passed, "\n".join(verdict.complaints)


async def ready(stage: Stage) -> bool:
    return all(condition(each, "Ready") == "True" for each in (await stage.records()).values())


@pytest_asyncio.fixture(loop_scope="module")
async def scene(world: tuple[Stage, Truth]) -> AsyncIterator[Scene]:
    async with judged(*world) as made:
        yield made


async def test_a_killed_leader_is_replaced_and_the_region_that_failed_meanwhile_is_left(scene: Scene) -> None:
    leader = await scene.fire.leader()
    async with scene.fire.fault(scene.event(Kind.KILL, LEADER)):
        await scene.break_region()
        await scene.moved(list(scene.stage.lab.zones))

        assert (await scene.fire.leader()).name != leader.name


async def test_a_leader_that_stood_still_is_overtaken_and_writes_nothing_when_it_wakes(scene: Scene) -> None:
    sleeper = await scene.fire.leader()
    async with scene.fire.fault(scene.event(Kind.PAUSE, LEADER)):
        await scene.break_region()
        await scene.moved(list(scene.stage.lab.zones))
    woken_at = time.monotonic()
    await sleeper.until(lambda line: line.get("event") == "leads-no-longer", timeout=PATIENCE)

    azure = scene.writes_since(AZURE, woken_at)
    assert not [each for each in azure if each.by.endswith(sleeper.identity)]
    assert (await scene.fire.leader()).name != sleeper.name


async def test_without_an_api_server_dns_follows_a_failing_region_and_status_catches_up(scene: Scene) -> None:
    async with scene.fire.fault(scene.event(Kind.API_SERVER_AWAY)):
        await scene.break_region()
        await scene.moved(list(scene.stage.lab.zones))
    await wait_for(lambda: failed_over(scene.stage), timeout=PATIENCE, what="the status of the failover")


async def test_etcd_from_before_a_failover_takes_nothing_back_and_status_tells_the_truth_again(scene: Scene) -> None:
    async with scene.fire.fault(scene.event(Kind.ETCD_RESTORED)):
        await scene.break_region()
        await scene.moved(list(scene.stage.lab.zones))
        moved_at = time.monotonic()
        await wait_for(lambda: failed_over(scene.stage), timeout=PATIENCE, what="the status of the failover")
    await wait_for(lambda: failed_over(scene.stage), timeout=PATIENCE, what="the status of the failover again")

    assert not scene.watch.wrong()
    assert not scene.writes_since(ROUTE53, moved_at)


@pytest.mark.parametrize(("failing", "hanging"), [(ROUTE53, AZURE), (AZURE, ROUTE53), (GOOGLE, BIND), (BIND, GOOGLE)])
async def test_providers_at_fault_hold_up_their_own_zones_alone(scene: Scene, failing: str, hanging: str) -> None:
    before = scene.published(failing)
    async with (
        scene.fire.fault(scene.event(Kind.PROVIDER_ERROR, failing)),
        scene.fire.fault(scene.event(Kind.PROVIDER_HANG, hanging)),
    ):
        await scene.break_region()
        await scene.moved([each for each in scene.stage.lab.zones if each not in (failing, hanging)])
        assert scene.published(failing) == before
    await scene.moved([failing, hanging])


async def test_changes_whose_answers_are_lost_happen_once(scene: Scene) -> None:
    atomic = (ROUTE53, GOOGLE, BIND)
    began = time.monotonic()
    async with AsyncExitStack() as losses:
        for zone in scene.stage.lab.zones:
            await losses.enter_async_context(scene.fire.fault(scene.event(Kind.LOST_ANSWERS, zone)))
        await scene.break_region()
        await scene.moved(atomic)
    await scene.moved([AZURE])  # there the ledger's own answer is lost before any set is written

    for zone in atomic:
        wanted = scene.truth.answers()[zone, HOSTNAME]
        assert [values(each) for each in scene.writes_since(zone, began)] == [wanted]


async def test_a_leader_whose_clock_is_an_hour_off_writes_nothing_wrong_and_goes_on_when_it_is_set(
    scene: Scene,
) -> None:
    before = {zone: scene.published(zone) for zone in (ROUTE53, BIND)}
    async with scene.fire.fault(scene.event(Kind.CLOCK, LEADER)):
        leader = await scene.fire.leader()
        await leader.until(is_ahead, timeout=PATIENCE, start=await break_and_count(scene, leader))
        await scene.moved([AZURE])
        # The signatures of the other two hold the time.
        assert {zone: scene.published(zone) for zone in (ROUTE53, BIND)} == before
    await scene.moved(list(scene.stage.lab.zones))


async def test_what_name_servers_do_not_show_yet_is_not_written_again(scene: Scene) -> None:
    began = time.monotonic()
    async with scene.fire.fault(scene.event(Kind.NAME_SERVERS_LAG, ROUTE53, seconds=12.0)):
        await scene.break_region()
        await scene.moved([each for each in scene.stage.lab.zones if each != ROUTE53])
        await scene.moved([ROUTE53])

    wanted = scene.truth.answers()[ROUTE53, HOSTNAME]
    assert [values(each) for each in scene.writes_since(ROUTE53, began)] == [wanted]


async def test_a_name_that_was_deleted_while_nobody_led_is_put_back_by_the_next_leader(scene: Scene) -> None:
    async with scene.fire.fault(scene.event(Kind.KILL, LEADER)):
        scene.zone(GOOGLE).store.commit(removed=[(HOSTNAME, "A")], by=OUTSIDER)
        scene.zone(AZURE).store.commit(added=[RecordSet(HOSTNAME, "A", 10, FOREIGN)], by=OUTSIDER)
        await scene.holds_right([GOOGLE, AZURE])


async def test_under_faults_of_every_kind_nothing_is_empty_stale_or_left_unrepaired(
    world: tuple[Stage, Truth], new_seed: int
) -> None:
    told: list[str] = []
    outcome = await play_on(*world, SHORT, seed=new_seed, say=told.append)

    assert outcome.faults
    assert outcome.verdict.passed, "\n".join([*told, *outcome.verdict.complaints])


async def failed_over(stage: Stage) -> bool:
    return condition((await stage.records()).get("api", {}), "FailedOver") == "True"


def values(commit: Commit) -> frozenset[str]:
    return frozenset(
        value for each in commit.added if (each.name, each.type) == (HOSTNAME, "A") for value in each.values
    )


async def break_and_count(scene: Scene, operator: OperatorProcess) -> int:
    """Break the region, and return how many lines the operator had said before."""
    start = len(operator.lines)
    await scene.break_region()
    return start


def is_ahead(line: LogLine) -> bool:
    return str(line.get("time", "")) > time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 1800))
