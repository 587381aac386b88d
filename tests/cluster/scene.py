"""What the tests under fire have in common: a stage with two replicas at all four providers, faults, and a verdict."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from detour_lab.clouds.labzones import OUTSIDER, EmulatedZone
from detour_lab.stage.stage import Stage, StageError, condition, wait_for
from detour_lab.stories.soak.conduct import allow_outages
from detour_lab.stories.soak.fire import Fire
from detour_lab.stories.soak.schedule import Event, Kind
from detour_lab.stories.soak.truth import Truth
from detour_lab.stories.soak.watch import Watch
from detour_lab.zones.store import Commit

from .operatorprocess import PATIENCE

REGION = "aws-us-east-1"
ASKED_EVERY = 0.5
"""Seconds between two questions for a name. The change logs tell what fell between them."""

HOSTNAME = "api.shop.example.com"
AUDITS = ("--audit-every=4", "--read-every=20")


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


@asynccontextmanager
async def stage_with_two_replicas(*, clocks: bool) -> AsyncIterator[tuple[Stage, Truth]]:
    """One stage for all tests of a file; with `clocks` the wall clock of each replica can be moved."""
    async with Stage(records=False, replicas=2, clocks=clocks, real_bind=False, flags=AUDITS) as stage:
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


async def failed_over(stage: Stage) -> bool:
    return condition((await stage.records()).get("api", {}), "FailedOver") == "True"


def values(commit: Commit) -> frozenset[str]:
    return frozenset(
        value for each in commit.added if (each.name, each.type) == (HOSTNAME, "A") for value in each.values
    )
