"""Whether any answer was ever empty, or was changed without a reason, apart from the damage itself.

The stores of the emulated services log every commit with its author, so nothing escapes there. Real servers have no
such log: they are asked ten times a second throughout.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self

from detour_lab.clouds.labzones import OUTSIDER, EmulatedZone, LabZone, RealZone
from detour_lab.dns.sampling import Outcome, Question, Sampler
from detour_lab.stories.repair.cells import Cell
from detour_lab.zones.store import Commit

SAMPLING_INTERVAL = 0.1
SLACK = 0.3
"""Seconds by which a sample may be late."""

ANSWER_TYPES = ("A", "AAAA", "CNAME")


@dataclass(frozen=True, slots=True)
class Span:
    """From one moment to another, in `time.monotonic` seconds."""

    start: float
    end: float

    def covers(self, first: float, last: float) -> bool:
        return self.start - SLACK <= first and last <= self.end + SLACK

    def meets(self, first: float, last: float) -> bool:
        return self.start < last and first < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What may have been seen of one cell: `allowed` answers at any time, others only while it was `damaged`.

    While `steady` there was no reason to change what was answered.
    """

    cell: Cell
    allowed: tuple[frozenset[str], ...]
    damaged: Span | None
    steady: Span | None


class Answers:
    """An async context manager over the zones by domain; `begin` forgets what was."""

    def __init__(self, zones: Mapping[str, LabZone], cells: Iterable[Cell]) -> None:
        self._zones = zones
        self._cells = tuple(cells)
        self._began = 0.0
        self._present: dict[str, frozenset[str]] = {}
        self._samplers: dict[str, Sampler] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        servers: dict[str, list[Cell]] = {}
        for cell in self._cells:
            if isinstance(zone := self._zones[cell.domain], RealZone):
                servers.setdefault(zone.address, []).append(cell)
        for address, cells in servers.items():
            questions = [Question(cell.hostname) for cell in cells]
            sampler = Sampler({address: address}, questions, interval=SAMPLING_INTERVAL)
            await self._stack.enter_async_context(sampler)
            self._samplers.update(dict.fromkeys((cell.hostname for cell in cells), sampler))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    def begin(self) -> None:
        """Judge what comes from now on, when every cell is well."""
        self._began = time.monotonic()
        for sampler in set(self._samplers.values()):
            sampler.begin()
        for cell in self._cells:
            if isinstance(zone := self._zones[cell.domain], EmulatedZone):
                at_name = zone.store.at_name(cell.hostname)
                self._present[cell.hostname] = frozenset(each.type for each in at_name if each.type in ANSWER_TYPES)

    def complaints(self, story: Story) -> list[str]:
        """Return what was answered and should not have been since `begin`."""
        zone = self._zones[story.cell.domain]
        found = self._logged(zone, story) if isinstance(zone, EmulatedZone) else self._sampled(story)
        return list(dict.fromkeys(found))

    def _logged(self, zone: EmulatedZone, story: Story) -> Iterator[str]:
        hostname = story.cell.hostname
        present = set(self._present[hostname])
        for commit in [each for each in zone.store.log if each.at >= self._began]:
            removed, added = _touched(commit, hostname)
            was_present = bool(present)
            present = (present - set(removed)) | set(added)
            if commit.by == OUTSIDER or not (removed or added):
                continue
            if was_present and not present:
                yield f"expected {hostname} never to be emptied, seen {commit.by} do it in commit {commit.number}"
            values = frozenset(value for each in added.values() for value in each)
            if values and values not in story.allowed:
                yield f"expected only declared addresses at {hostname}, seen {', '.join(sorted(values))}"
            if story.steady is not None and story.steady.meets(commit.at, commit.at):
                shown = ", ".join(sorted(values)) or "a removal"
                yield f"expected the answers of {hostname} to be left alone, seen {shown}"

    def _sampled(self, story: Story) -> Iterator[str]:
        hostname = story.cell.hostname
        for each in self._samplers[hostname].sightings(name=hostname):
            if not each.count or (story.damaged is not None and story.damaged.covers(each.first_at, each.last_at)):
                continue
            if each.answer.outcome is Outcome.EMPTY:
                yield f"expected {hostname} never to be empty, seen {each.count} empty answers"
            elif each.answer.values not in story.allowed:
                yield f"expected only declared addresses at {hostname}, seen {each}"
            elif (
                story.steady is not None
                and story.steady.meets(each.first_at, each.last_at)
                and each.answer.values != story.allowed[0]
            ):
                yield f"expected the answers of {hostname} to be left alone, seen {each}"


def _touched(commit: Commit, hostname: str) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Return what a commit removed and added of the sets that answer for a name, values by type."""
    removed, added = (
        {each.type: each.values for each in sets if each.name == hostname and each.type in ANSWER_TYPES}
        for sets in (commit.removed, commit.added)
    )
    return removed, added
