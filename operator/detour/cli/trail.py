"""`detour history --audit`: what an audit file tells of writes to DNS, whether or not a cluster can be reached."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detour.cli.connection import CommandError
from detour.cli.told import clock, mapping, mappings, words
from detour.enactment.audit import SCHEMA

PUT_ASIDE = 99
"""Files beside one, put aside before it, that are looked for: `FILE.1` is the newest of them."""

NO_OUTCOME = "cut off"
"""The result of a write of which the file has no outcome: the process was killed, or lost the lead."""


@dataclass(slots=True)
class Change:
    """What one write was to change of one name. `before` and `after` are values, by type."""

    time: str
    zone: str
    generation: str
    hostname: str
    record: str
    action: str
    before: str
    after: str
    result: str = NO_OUTCOME
    reason: str = ""

    def line(self, now: float) -> str:
        """Return the change for people."""
        why = f" ({self.reason})" if self.reason else ""
        told = f"{clock(self.time, now):19}  {self.zone} {self.generation}  {self.action} {self.hostname}"
        return f"{told}: {self.before} -> {self.after}  {self.result}{why}"


@dataclass(slots=True)
class Trail:
    """The changes that a file tells of, the oldest first, and how many of its lines are no entries."""

    changes: list[Change] = field(default_factory=list)
    unread: int = 0


def lines_of(path: Path) -> Iterator[str]:
    """Give the lines of an audit file, and before them those of the files that were put aside, the oldest first.

    Raises CommandError where the file cannot be read.
    """
    before = [path.with_name(f"{path.name}.{number}") for number in range(PUT_ASIDE, 0, -1)]
    for each in (*(one for one in before if one.exists()), path):
        try:
            with each.open(encoding="utf-8", errors="replace") as file:
                yield from file
        except OSError as error:
            raise CommandError(f"{each} cannot be read: {error.strerror}", 2) from None


def trail_of(lines: Iterable[str], about: Collection[str] | None = None) -> Trail:
    """Return the changes that some lines tell of: of these records (`namespace/name`) and hostnames, or of all."""
    found, open_writes = Trail(), dict[str, list[Change]]()
    for line in lines:
        entry = _entry(line)
        if entry is None:
            found.unread += bool(line.strip())
            continue
        write = str(entry.get("write"))
        if entry.get("stage") == "intent":
            made = [each for each in _changes(entry) if about is None or {each.record, each.hostname} & set(about)]
            if made:
                open_writes[write] = made
                found.changes += made
        for each in open_writes.get(write, ()) if entry.get("stage") == "outcome" else ():
            each.result, each.reason = str(entry.get("result")), str(entry.get("reason") or "")
    return found


def _entry(line: str) -> Mapping[str, Any] | None:
    try:
        entry = mapping(json.loads(line))
    except ValueError:
        return None
    return entry if entry.get("schema") == SCHEMA and entry.get("stage") in ("intent", "outcome") else None


def _changes(entry: Mapping[str, Any]) -> Iterator[Change]:
    for name in mappings(entry.get("names")):
        sets = list(mappings(name.get("sets")))
        yield Change(
            time=str(entry.get("time")),
            zone=str(entry.get("zone")),
            generation=str(entry.get("generation")),
            hostname=str(name.get("hostname")),
            record=str(name.get("record")),
            action=str(name.get("action")),
            before=_values(sets, "before"),
            after=_values(sets, "after"),
        )


def _values(sets: Iterable[Mapping[str, Any]], side: str) -> str:
    found = [value for each in sets for value in words(mapping(each.get(side)).get("values"))]
    return ", ".join(found) or "nothing"
