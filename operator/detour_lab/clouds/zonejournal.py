"""The change log of a zone at a real BIND, as BIND itself keeps it: the journal beside the zone's file.

The emulators keep every commit. BIND has a journal: each update with what it removed and what it added, in order, which
its own `named-journalprint` prints. Here it becomes the same commits that the emulators have, so that one judge can
read both. An incremental transfer would say the same, but BIND sends the whole zone once its history is longer. When
an update came and by whose hand, the journal does not tell.
"""

import asyncio
import math
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from detour.model.names import canonical
from detour_lab.clouds.labzones import RealZone
from detour_lab.zones.store import Commit, RecordSet, SetKey

PROGRAM = "named-journalprint"
"""It comes with named, in Debian's package bind9."""

FIRST_SERIAL = 1
"""The serial that the lab's servers begin with."""

PRINT_TIMEOUT = 10.0
SIGNED_UPDATE = "a signed update"
SERIAL_FIELD = 2  # of a SOA's data: RFC 1035 §3.3.13


class JournalError(RuntimeError):
    """The server's history cannot be read in full; the message says why."""


class _Line(NamedTuple):
    """One record that an update removed or added."""

    is_added: bool
    key: SetKey
    ttl: int
    value: str


@dataclass(slots=True)
class _Update:
    removed: list[_Line] = field(default_factory=list)
    added: list[_Line] = field(default_factory=list)


async def commits_of(zone: RealZone) -> list[Commit]:
    """Return every change of `zone` since it was made, oldest first; the number of each is the serial that it made.

    Times are nan. Raises JournalError where the journal cannot be read, or doesn't reach back to the beginning.
    """
    journal = zone.server.folder / f"{zone.domain}.zone.jnl"
    if not journal.exists():
        return []  # nothing has changed yet
    program = shutil.which(PROGRAM) or shutil.which(PROGRAM, path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise JournalError(f"{PROGRAM}, which comes with named, is not installed: {zone.name} has no history")
    command = [program, str(journal)]
    printed = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=PRINT_TIMEOUT, check=False
    )
    if printed.returncode != 0:
        raise JournalError(f"{PROGRAM} cannot read the journal of {zone.name}: {printed.stderr.strip()}")
    return _commits([_line(each) for each in printed.stdout.splitlines()], zone.domain)


def _line(text: str) -> _Line:
    """Read `add name TTL class type data`."""
    parts = text.split(None, 5)
    if len(parts) != 6 or parts[0] not in ("add", "del"):
        raise JournalError(f"{PROGRAM} printed what is no change: {text!r}")
    word, name, ttl, _, rrtype, value = parts
    return _Line(word == "add", (canonical(name), rrtype), int(ttl), value)


def _commits(lines: Sequence[_Line], domain: str) -> list[Commit]:
    """Each update removes the SOA with the old serial first, and adds the one with the new."""
    serials: list[tuple[int, int]] = []
    updates: list[_Update] = []
    before = FIRST_SERIAL
    for line in lines:
        if line.key == (domain, "SOA"):
            serial = int(line.value.split()[SERIAL_FIELD])
            if line.is_added:
                serials.append((before, serial))
            else:
                before = serial
                updates.append(_Update())
        else:
            (updates[-1].added if line.is_added else updates[-1].removed).append(line)
    if serials and serials[0][0] != FIRST_SERIAL:
        raise JournalError(f"{domain}: the journal begins at serial {serials[0][0]}: what came before was dropped")
    state: dict[SetKey, dict[str, int]] = {}
    return [_commit(serial, state, update) for (_, serial), update in zip(serials, updates, strict=True)]


def _commit(serial: int, state: dict[SetKey, dict[str, int]], update: _Update) -> Commit:
    """Apply one update to `state`, and return it in whole sets: a set that only lost a value was replaced."""
    touched = list(dict.fromkeys(each.key for each in (*update.removed, *update.added)))
    before = _sets(state, touched)
    for each in update.removed:
        state.get(each.key, {}).pop(each.value, None)
    for each in update.added:
        state.setdefault(each.key, {})[each.value] = each.ttl
    return Commit(serial, math.nan, SIGNED_UPDATE, before, _sets(state, touched), math.nan)


def _sets(state: dict[SetKey, dict[str, int]], keys: Iterable[SetKey]) -> tuple[RecordSet, ...]:
    found = ((key, state.get(key)) for key in keys)
    return tuple(RecordSet(*key, max(values.values()), tuple(sorted(values))) for key, values in found if values)
