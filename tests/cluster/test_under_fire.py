"""The operator under one fault at a time, with two replicas, a real API server and all four providers in the lab.

Then come all kinds together, which is a short soak. Each fault falls together with the failure of a region, so that
there is something to do. Every test ends with the verdict of a soak: no empty answer, no stale write, nothing left
unrepaired. How long things take is judged by `make acceptance`.
"""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
import pytest_asyncio

from detour_lab.clouds.clouds import AZURE, BIND, GOOGLE, ROUTE53
from detour_lab.clouds.labzones import OUTSIDER
from detour_lab.stage.stage import Stage, wait_for
from detour_lab.stories.soak.conduct import play_on
from detour_lab.stories.soak.schedule import LEADER, Kind, Size
from detour_lab.stories.soak.truth import FOREIGN, Truth
from detour_lab.zones.store import RecordSet

from .operatorprocess import PATIENCE
from .scene import HOSTNAME, Scene, failed_over, judged, stage_with_two_replicas, values

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHORT = replace(
    Size.small(0.75),
    durations={kind: each for kind, each in Size.small(0.75).durations.items() if kind is not Kind.CLOCK},
    repair_within=float("inf"),
    patience=PATIENCE,
)
"""20 s of faults; in the end everything has to be right, whenever that is. `make soak` sets clocks wrong too."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[tuple[Stage, Truth]]:
    async with stage_with_two_replicas(clocks=False) as made:
        yield made


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
    world: tuple[Stage, Truth], seed: int
) -> None:
    told: list[str] = []
    outcome = await play_on(*world, SHORT, seed=seed, say=told.append)

    assert outcome.faults
    assert outcome.verdict.passed, "\n".join([*told, *outcome.verdict.complaints])
