"""The hand that damages: it edits zones behind Detour's back, and objects as a backup or a slip of kubectl would."""

from collections.abc import Iterable, Mapping
from typing import Any

from detour_lab.clouds.labzones import LabZone
from detour_lab.stage.stage import Stage, StageError, wait_for
from detour_lab.stories.repair.cells import Cell, Region, as_list, namespaces_of
from detour_lab.stories.repair.damages import Column, ObjectDamage, Place
from detour_lab.stories.repair.survey import Names, Survey, condition

DELETION_TIMEOUT = 30.0
KINDS = ("FailoverRecord", "DNSZone")


class Outsider:
    """Does the damage. `first` and `second` are the regions that every record declares."""

    def __init__(
        self, stage: Stage, zones: Mapping[str, LabZone], survey: Survey, *, first: Region, second: Region
    ) -> None:
        self._stage = stage
        self._zones = zones
        self._survey = survey
        self._regions = (first, second)
        self._backups: dict[Cell, dict[str, Mapping[str, Any]]] = {}

    async def back_up(self, cells: Iterable[Cell]) -> None:
        """Keep every status as it is now, for whoever restores it later."""
        for cell, seen in (await self._survey.look(cells)).items():
            self._backups[cell] = {kind: seen.object(kind).get("status") or {} for kind in KINDS}

    async def damage_zone(self, cell: Cell, before: Names) -> None:
        """Do the damage of a cell's zone; `before` is what it holds."""
        zone = self._zones[cell.domain]
        if cell.damage.empties_zone:
            await zone.empty()
        places = {
            Place.ANSWERS: before.answers[0] if before.answers else None,
            Place.MARKER: before.marker,
            Place.LEDGER: before.ledger,
        }
        for place, edit in cell.damage.edits.items():
            present = places[place]
            if present is None:
                raise StageError(f"{cell}: there is nothing to damage at {place.value}")
            await zone.leave(present.name, edit(present))

    async def damage_status(self, cell: Cell) -> None:
        """Do the damage of the status of a cell's objects, if any."""
        for kind in KINDS:
            if cell.damage.objects is ObjectDamage.STATUS_WIPED:
                await self._survey.replace_status(kind, cell, {})
            elif cell.damage.objects is ObjectDamage.STATUS_RESTORED:
                await self._survey.replace_status(kind, cell, self._backups[cell][kind])

    async def delete_and_restore_records(self, cells: Iterable[Cell], column: Column) -> list[str]:
        """Delete every record of these cells' namespaces and declare them again; return what went wrong on the way.

        While the operator runs they are gone until it has said so.
        """
        listed = tuple(cells)
        if not listed:
            return []
        for namespace in namespaces_of(listed):
            await self._stage.kubectl("delete", "failoverrecords", "--all", "--wait=true", "-n", namespace)
        wrong: list[str] = []
        if column is Column.RUNNING:
            try:
                await wait_for(
                    lambda: self._all_orphaned(listed),
                    timeout=DELETION_TIMEOUT,
                    what="the warning of orphaned names on every zone",
                    interval=0.3,
                )
            except StageError as error:
                wrong.append(str(error))
        await self._stage.apply(as_list(cell.record_manifest(*self._regions) for cell in listed))
        return wrong

    async def remove(self, cell: Cell, name: str) -> None:
        """Remove everything at one name of a cell's zone."""
        await self._zones[cell.domain].leave(name, ())

    async def _all_orphaned(self, cells: Iterable[Cell]) -> bool:
        seen = await self._survey.look(cells)
        return all(condition(each.zone, "Warning").get("reason") == "OrphanedNames" for each in seen.values())
