"""What is wrong with what is seen: pure, and reckoned from the design, not with the product's own code.

Every function returns sentences that say what was expected and what was seen; none where all is well.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from detour_lab.stories.repair.cells import TTL, Cell
from detour_lab.stories.repair.damages import Asks, Place, WrittenBack
from detour_lab.stories.repair.survey import Event, Names, Seen, condition
from detour_lab.zones.store import RecordSet

_LEDGER = re.compile(
    r'"detour/1 site=(?P<site>\S+) claim=[0-9a-f]+ renew=\d+ epoch=(?P<epoch>\d+) seq=(?P<seq>\d+) batch=\S+"'
)
INCIDENTS = frozenset({"Repaired", "LedgerRestored", "StatusRestored"})
"""Reasons of events that stay in the status too."""

_COMMAND = re.compile(r"`?kubectl ([^`;]+)`?")

Generation = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Standard:
    """What holds for every cell that is well: the installation's owner and site, and the address that should answer."""

    owner: str
    site: str
    address: str


def generation_of(ledger: RecordSet | None) -> Generation | None:
    """Return epoch and sequence of a ledger; None where there is none that can be read."""
    found = _LEDGER.fullmatch(ledger.values[0]) if ledger is not None and len(ledger.values) == 1 else None
    return (int(found["epoch"]), int(found["seq"])) if found else None


def unwell(cell: Cell, seen: Seen, standard: Standard, *, floor: Generation = (0, 0)) -> list[str]:
    """Return what of a cell is not as it should be; its ledger must be at `floor` or above."""
    return [
        *_wrong_answers(cell, seen.names, standard),
        *_wrong_marker(cell, seen, standard),
        *_wrong_ledger(seen, standard, floor),
        *_wrong_status(seen, standard),
    ]


def untold(expectation: WrittenBack, events: Sequence[Event]) -> list[str]:
    """Return what should have been told by an event and was not."""
    if any(each.kind == expectation.kind and each.reason in expectation.reasons for each in events):
        return []
    seen = ", ".join(sorted({f"{each.reason} ({each.kind})" for each in events})) or "none"
    return [f"expected an event {' or '.join(expectation.reasons)} about the {expectation.kind}, seen {seen}"]


def unrecorded(expectation: WrittenBack, seen: Seen) -> list[str]:
    """Return what an event told of an incident, and the status does not."""
    told = {each.reason for each in seen.events if each.kind == expectation.kind} & INCIDENTS
    item = seen.record if expectation.kind == "FailoverRecord" else seen.zone
    last = ((item.get("status") or {}).get("lastIncident") or {}).get("reason")
    if not told & {*expectation.reasons} or last in told:
        return []
    return [f"expected {' or '.join(sorted(told))} as the {expectation.kind}'s last incident, seen {last}"]


def unasked(cell: Cell, expectation: Asks, seen: Seen, left: Names) -> list[str]:
    """Return what is missing of the question that a person should be asked; `left` is what the damage left.

    A ledger that is ours may be moved on meanwhile: by that nothing is decided about anybody's name.
    """
    found = condition(seen.object(expectation.kind), expectation.condition)
    wanted = f"{expectation.condition}=False {expectation.reason} on the {expectation.kind}"
    wrong = []
    if (found.get("status"), found.get("reason")) != ("False", expectation.reason):
        wrong.append(f"expected the condition {wanted}, seen {_told(found)}")
    else:
        missing = [text for each in expectation.says if (text := cell.fill(each)) not in found["message"]]
        if expectation.command and command_in(found["message"]) is None:
            missing.append("a kubectl command")
        wrong += [f"expected {', '.join(missing)} in the message of {wanted}, seen {_told(found)}"] if missing else []
    if not any(
        (each.kind, each.reason, each.is_warning) == (expectation.kind, expectation.reason, True)
        for each in seen.events
    ):
        told = ", ".join(sorted({each.reason for each in seen.events})) or "none"
        wrong.append(f"expected a Warning event {expectation.reason} about the {expectation.kind}, seen {told}")
    stays = left if Place.LEDGER in cell.damage.edits else replace(left, ledger=seen.names.ledger)
    if seen.names != stays:
        wrong.append(f"expected DNS to stay as it is ({_shown(left)}), seen {_shown(seen.names)}")
    return wrong


def command_in(message: str) -> str | None:
    """Return the arguments of the kubectl command that a message gives, or None where it gives none."""
    found = _COMMAND.search(message)
    return found[1].strip() if found else None


def _wrong_answers(cell: Cell, names: Names, standard: Standard) -> Iterator[str]:
    wanted = (RecordSet(cell.hostname, "A", TTL, (standard.address,)),)
    if names.answers != wanted:
        yield f"expected {_sets(wanted)} at {cell.hostname}, seen {_sets(names.answers)}"


def _wrong_marker(cell: Cell, seen: Seen, standard: Standard) -> Iterator[str]:
    uid = (seen.record.get("metadata") or {}).get("uid")
    wanted = f'"detour/1 owner={standard.owner} namespace={cell.namespace} name={cell.name} uid={uid}"'
    marker = seen.names.marker
    if marker is None or marker.values != (wanted,):
        yield f"expected the marker {wanted}, seen {' '.join(marker.values) if marker else 'none'}"


def _wrong_ledger(seen: Seen, standard: Standard, floor: Generation) -> Iterator[str]:
    ledger, generation = seen.names.ledger, generation_of(seen.names.ledger)
    shown = " ".join(ledger.values) if ledger else "none"
    if generation is None or ledger is None:
        yield f"expected a ledger, seen {shown}"
        return
    if f" site={standard.site} " not in ledger.values[0]:
        yield f"expected a ledger of site {standard.site}, seen {shown}"
    if generation < floor:
        yield f"expected a ledger at {_dotted(floor)} or above, seen {shown}"
    told = ((seen.zone.get("status") or {}).get("ledger") or {}).get("generation")
    if told != _dotted(generation):
        yield f"expected the DNSZone's status to tell generation {_dotted(generation)}, seen {told}"


def _wrong_status(seen: Seen, standard: Standard) -> Iterator[str]:
    for item, kind in ((seen.record, "FailoverRecord"), (seen.zone, "DNSZone")):
        ready = condition(item, "Ready")
        if ready.get("status") != "True" or ready.get("observedGeneration") != item["metadata"]["generation"]:
            yield f"expected the {kind} to be Ready, seen {_told(ready)}"
    status: Mapping[str, Any] = seen.record.get("status") or {}
    values = [value for each in status.get("serving") or () for value in each["values"]]
    zones = [(each.get("published"), each.get("values")) for each in status.get("zones") or ()]
    if values != [standard.address] or zones != [(True, [standard.address])]:
        yield f"expected the record's status to show {standard.address}, seen serving {values} and zones {zones}"
    history = status.get("history") or ()
    if not history or history[0].get("revision") != (status.get("plan") or {}).get("revision"):
        yield f"expected the newest revision in the record's status, seen {len(history)} of them"


def _told(found: Mapping[str, Any]) -> str:
    if not found:
        return "no such condition"
    return f"{found['type']}={found['status']} {found['reason']}: {found['message']}"


def _sets(sets: Sequence[RecordSet]) -> str:
    return "; ".join(f"{each.type} {each.ttl} {' '.join(each.values)}" for each in sets) or "nothing"


def _shown(names: Names) -> str:
    texts = [each.values[0] if each else "none" for each in (names.marker, names.ledger)]
    return f"{_sets(names.answers)}, marker {texts[0]}, ledger {texts[1]}"


def _dotted(generation: Generation) -> str:
    return f"{generation[0]}.{generation[1]}"
