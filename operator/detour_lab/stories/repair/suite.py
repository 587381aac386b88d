"""The suite: every cell is published, damaged, measured, failed over and brought back, all side by side.

publish, with the first region broken ─► back up every status ─► mend: everything fails back
for the operator running, then down while the damage is done:
    damage all ─► look until all is as it should be, or asked ─► answer what was asked ─► fail over ─► fail back
"""

import asyncio
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from detour_lab.controlplane import CommandError
from detour_lab.stage.operatorprocess import OperatorProcess
from detour_lab.stage.stage import OWNER, Stage
from detour_lab.stories.repair.answers import Answers
from detour_lab.stories.repair.cells import Cell, Region, as_list
from detour_lab.stories.repair.damages import Asks, Column, ObjectDamage, Remedy
from detour_lab.stories.repair.judging import Standard, command_in, generation_of, unasked, unwell
from detour_lab.stories.repair.looking import look_again, until_answered, until_as_expected, until_well
from detour_lab.stories.repair.outsider import Outsider
from detour_lab.stories.repair.servers import Servers
from detour_lab.stories.repair.survey import Seen, Survey, condition
from detour_lab.stories.repair.trials import Limits, Trial, Verdict

FIRST_REGION, SECOND_REGION = "aws-us-east-1", "azure-westeurope"
SERVICE = "api"
SITE = "lab"
DEFAULT_LIMITS = Limits()


class Suite:
    """Plays `cells` on a stage that has their namespaces; an async context manager once stage and servers run."""

    def __init__(
        self,
        stage: Stage,
        servers: Servers,
        cells: Sequence[Cell],
        *,
        limits: Limits = DEFAULT_LIMITS,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        first, second = (_region(stage, name) for name in (FIRST_REGION, SECOND_REGION))
        self._stage = stage
        self._servers = servers
        self._cells = tuple(cells)
        self._limits = limits
        self._say = say
        self._regions = (first, second)
        self._survey = Survey(stage.plane.kubeconfig, servers.zones, OWNER)
        self._outsider = Outsider(stage, servers.zones, self._survey, first=first, second=second)
        self._answers = Answers(servers.zones, cells)
        self._standard = Standard(OWNER, SITE, first.address)

    async def __aenter__(self) -> Self:
        await self._answers.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._answers.__aexit__(*error)

    async def publish(self) -> Mapping[Cell, Sequence[str]]:
        """Declare everything, back up what status says while the first region is down, and let it fail back.

        Returns what is wrong with each cell that did not get so far.
        """
        self._say(f"publishing {len(self._cells)} records, each in a zone of its own")
        await self._stage.lab.break_region(FIRST_REGION)
        objects: list[Mapping[str, Any]] = []
        for cell in self._cells:
            objects += [*cell.zone_manifests(self._servers), cell.record_manifest(*self._regions)]
        await self._stage.apply(as_list(objects))
        second = Standard(OWNER, SITE, self._regions[1].address)
        wrong = await until_well(self._survey, self._cells, second, self._limits.publish)
        await self._outsider.back_up(self._cells)
        await self._stage.lab.mend_region(FIRST_REGION)
        return wrong | await until_well(self._survey, self._cells, self._standard, self._limits.publish)

    async def play(
        self, column: Column, *, restarted: OperatorProcess | None = None, limits: Limits | None = None
    ) -> list[Verdict]:
        """Play one column; `restarted` is the operator to start after the damage, by default the one that ran.

        `limits` are for this column alone.
        """
        limits = limits or self._limits
        before = await self._survey.look(self._cells)
        unfit = {cell: wrong for cell, seen in before.items() if (wrong := unwell(cell, seen, self._standard))}
        self._answers.begin()
        if column is Column.RESTARTED:
            await self._stage.operator.terminate()
        trials = await self._damage({cell: seen for cell, seen in before.items() if cell not in unfit}, column)
        if column is Column.RESTARTED:
            for trial in trials:
                trial.visible_at = time.monotonic()
            await (restarted or self._stage.operator).start()
        await self._measure(trials, limits.repair)
        await self._answer([trial for trial in trials if isinstance(trial.expectation, Asks)], limits.repair)
        await self._fail_over(trials, limits.failover)
        allowed = tuple(frozenset({region.address}) for region in self._regions)
        verdicts = [trial.verdict(column, self._answers, allowed) for trial in trials]
        for cell, wrong in unfit.items():
            complaints = tuple(f"before the damage: {each}" for each in wrong)
            verdicts.append(Verdict(cell=cell, column=column, complaints=complaints))
        return verdicts

    async def _damage(self, before: Mapping[Cell, Seen], column: Column) -> list[Trial]:
        self._say(f"operator {column}: damaging {len(before)} cells")
        damaged_at = {}
        for cell, seen in before.items():
            damaged_at[cell] = time.monotonic()
            await self._outsider.damage_zone(cell, seen.names)
        left = dict(zip(before, await asyncio.gather(*map(self._survey.names, before)), strict=True))
        await asyncio.gather(*map(self._outsider.damage_status, before))
        deleted = [cell for cell in before if cell.damage.objects is ObjectDamage.RECORDS_DELETED]
        wrong = await self._outsider.delete_and_restore_records(deleted, column)
        restored_at = time.monotonic()
        return [
            Trial(
                cell=cell,
                expectation=cell.damage.expectation(cell.service, column),
                floor=max(generation_of(each.ledger) or (0, 0) for each in (seen.names, left[cell])),
                left=left[cell],
                known_events=frozenset(each.uid for each in seen.events),
                damaged_at=damaged_at[cell],
                visible_at=restored_at if cell in deleted else damaged_at[cell],
                complaints=list(wrong) if cell in deleted else [],
            )
            for cell, seen in before.items()
        ]

    async def _measure(self, trials: Sequence[Trial], limit: float) -> None:
        await until_as_expected(self._survey, trials, self._standard, limit)
        taken = [each.seconds for each in trials if each.seconds is not None]
        slowest = max(taken, default=0.0)
        self._say(f"{len(taken)} of {len(trials)} cells are as expected, the last of them after {slowest:.1f} s")

    async def _answer(self, asking: Sequence[Trial], limit: float) -> None:
        """Do what a person was asked for, once it is sure that nothing was done without."""
        for trial in await look_again(self._survey, asking):
            assert isinstance(trial.expectation, Asks)  # noqa: S101 - the caller has chosen them so
            assert trial.last is not None  # noqa: S101 - it was just looked at
            if trial.settled_at is not None:
                trial.complaints += unasked(trial.cell, trial.expectation, trial.last, trial.left)
            try:
                await self._remedy(trial.cell, trial.expectation, trial.last)
            except CommandError as error:
                trial.complaints.append(f"what a person was asked to do fails: {error}")
        began = time.monotonic()
        cells = [trial.cell for trial in asking]
        wrong = await until_well(self._survey, cells, self._standard, limit)
        for trial in asking:
            trial.mended_at = time.monotonic()
            trial.complaints += [
                f"{limit:g} s after a person did as asked: {each}" for each in wrong.get(trial.cell, ())
            ]
        seconds = time.monotonic() - began
        self._say(f"{len(asking) - len(wrong)} of {len(asking)} that asked are well {seconds:.1f} s after the answer")

    async def _remedy(self, cell: Cell, asked: Asks, seen: Seen) -> None:
        match asked.remedy:
            case Remedy.DELETE_MARKER:
                await self._outsider.remove(cell, cell.marker_name)
            case Remedy.DELETE_TARGET:
                await self._outsider.remove(cell, cell.hostname)
            case Remedy.RUN_COMMAND:
                message = str(condition(seen.object(asked.kind), asked.condition).get("message", ""))
                given = command_in(message)
                words = shlex.split(given) if given else [cell.fill(each) for each in asked.command]
                await self._stage.kubectl(*words)

    async def _fail_over(self, trials: Sequence[Trial], limit: float) -> None:
        """Break the first region, then mend it: every name has to follow, whatever became of it before."""
        first, second = (region.address for region in self._regions)
        await self._stage.lab.break_region(FIRST_REGION)
        moved = await until_answered(self._survey, trials, second, limit)
        await self._stage.lab.mend_region(FIRST_REGION)
        back = await until_answered(self._survey, moved, first, limit)
        wrong = await until_well(self._survey, [trial.cell for trial in back], self._standard, limit)
        for trial in trials:
            trial.failed_over = trial in moved
            if trial not in moved:
                trial.complaints.append(f"expected the failover to {second} within {limit:g} s, it did not come")
            elif trial not in back:
                trial.complaints.append(f"expected the way back to {first} within {limit:g} s, it did not come")
            trial.complaints += [f"after the way back: {each}" for each in wrong.get(trial.cell, ())]
        self._say(f"{len(moved)} of {len(trials)} failed over, {len(back)} of them came back")


def _region(stage: Stage, name: str) -> Region:
    service = stage.lab.region(name).service(SERVICE)
    return Region(name, service.address, service.port)
