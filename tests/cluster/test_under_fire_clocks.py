"""The operator while its clock is wrong."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from detour_lab.clouds.clouds import AZURE, BIND, ROUTE53
from detour_lab.stage.operatorprocess import LogLine, OperatorProcess
from detour_lab.stage.stage import Stage
from detour_lab.stories.soak.schedule import LEADER, Kind
from detour_lab.stories.soak.truth import Truth

from .operatorprocess import PATIENCE
from .scene import Scene, judged, stage_with_two_replicas

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[tuple[Stage, Truth]]:
    async with stage_with_two_replicas(clocks=True) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def scene(world: tuple[Stage, Truth]) -> AsyncIterator[Scene]:
    async with judged(*world) as made:
        yield made


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


async def break_and_count(scene: Scene, operator: OperatorProcess) -> int:
    """Break the region, and return how many lines the operator had said before."""
    start = len(operator.lines)
    await scene.break_region()
    return start


def is_ahead(line: LogLine) -> bool:
    return str(line.get("time", "")) > time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 1800))
