"""The audit trail of a zone: what is about to be written, before it is sent, and what became of it. Pure.

Whoever keeps it is a port. A write without an outcome was cut off: by a kill, or as this replica stopped to lead. What
came of it is then the first thing that whoever goes on finds out, under the same identity.
"""

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from detour.enactment.contract import Batch, Change
from detour.enactment.ledger import parse_ledger
from detour.enactment.wishes import NameChange
from detour.model.timestamps import format_time

SCHEMA = "detour.dev/audit/v1"


class Outcome(enum.StrEnum):
    """What became of a write."""

    APPLIED = "Applied"
    PARTLY_APPLIED = "PartlyApplied"
    """The ledger has moved, and the names before the one that is told; where a provider has no transactions."""
    NOT_APPLIED = "NotApplied"
    UNCLEAR = "Unclear"
    """No answer came, or a refusal that says little: what the zone holds is read next, and told as another outcome."""
    SUPERSEDED = "Superseded"
    """Another writer holds the zone."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the trail: an intent where there is no `outcome` yet; `why` is the reason for a bad one.

    A `write` has an identity that its outcomes share. Of one that was applied in part, `undone` is the first name that
    was not: those before it were, and those after it were not tried.
    """

    write: str
    batch: Batch
    work: tuple[NameChange, ...]
    outcome: Outcome | None = None
    why: str = ""
    undone: str | None = None


Audit = Callable[[Entry], None]
"""Keeps an entry. It must not raise, and must not take long: a failover waits for it."""


def nobody_audits(entry: Entry) -> None:
    """Keep nothing."""


def document(entry: Entry, *, zone: str, domain: str, site: str, at: float) -> dict[str, Any]:
    """Return an entry as one JSON object (docs/audit.md); `at` is in seconds since the Unix epoch."""
    ledger = parse_ledger(entry.batch.ledger.new)
    generation = str(ledger.generation) if ledger is not None else ""
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "time": format_time(at),
        "stage": "intent" if entry.outcome is None else "outcome",
        "write": entry.write,
        "zone": zone,
        "domain": domain,
        "site": site,
        "generation": generation,
    }
    if entry.outcome is not None:
        told["result"] = entry.outcome.value
    if entry.why:
        told["reason"] = entry.why
    if entry.undone is not None:
        told["undone"] = entry.undone
    told["names"] = [_name(each) for each in entry.work]
    known = {change.key for each in entry.work for change in each.changes}
    if others := [each for each in entry.batch.changes if each.key not in known]:
        told["others"] = _sets(others)
    return told


def _name(change: NameChange) -> dict[str, Any]:
    """Return what changes at one name: its own sets, and what marks them as ours."""
    sets = [each for each in change.changes if each.key.name == change.hostname]
    rest = [each for each in change.changes if each.key.name != change.hostname]
    told: dict[str, Any] = {"hostname": change.hostname, "record": str(change.record), "action": _action(change, sets)}
    told["sets"] = _sets(sets)
    return told | ({"markers": _sets(rest)} if rest else {})


def _action(change: NameChange, sets: Sequence[Change]) -> str:
    """Return in one word what is done to a name."""
    if change.was_there:
        return "adopt"
    if change.is_repair:
        return "repair"
    if sets and all(each.new is None for each in sets):
        return "delete"
    if change.is_first:
        return "create"
    return "update"


def _sets(changes: Iterable[Change]) -> list[dict[str, Any]]:
    found = []
    for each in changes:
        before, after = each.old.rrset if each.old is not None else None, each.new
        told: dict[str, Any] = {"name": each.key.name, "type": each.key.type.value}
        for when, rrset in (("before", before), ("after", after)):
            told[when] = None if rrset is None else {"values": list(rrset.values), "ttl": rrset.ttl}
        found.append(told)
    return found
