"""What may happen to a name: NeverEmpty, OnlyOurs, AsSeen, DeletionsHeld."""

from collections import defaultdict
from collections.abc import Iterator

from detour.enactment.markers import parse_marker
from detour.model.names import hostname_of_marker, marker_name
from detour.model.record import DeletionPolicy, ObjectKey
from detour.model.rrset import ANSWER_TYPES, RRKey, RRset, RRType
from detour_simulation.history import (
    OUTSIDER,
    Approved,
    Declared,
    History,
    SetChange,
    Violation,
    ZoneChanged,
    ZoneRead,
)
from detour_simulation.invariants.leaving import Departing
from detour_simulation.invariants.replay import Replay, answers_after, names_in

APPROVAL_LASTS = 60.0
"""Seconds in which what a person approved is done."""

FREE = 10
FREE_SHARE = 0.2
FREE_OF_SMALL = 0.5
ALWAYS_FREE = 3
"""Within the window so many names of a zone may be deleted unasked, or that share of those owned if it is more; of a
small zone no more than half, but three always."""


def never_empty(history: History) -> Iterator[Violation]:
    """No write of ours leaves a name without an answer, but for the observed deletion of the object it belongs to.

    Nor but for a zone that its record declares no more, once it may leave that (`leaving`).

    With several sites, each of which has an object of its own, that is any object of the namespace and name in the
    marker; with one it is the object with the UID in the marker, and no other. Where sets are written one by one the
    marker counts as it was when the batch was sent.
    """
    replay = Replay(history)
    several_sites = len(set(history.terms.sites.values())) > 1 and history.terms.shares_markers
    doomed: set[str | ObjectKey] = set()
    policies: dict[str, DeletionPolicy] = {}
    tampered: dict[tuple[str, RRKey], tuple[float, RRset | None]] = {}
    departing = Departing(replay)
    for event in replay:
        departing.take(event)
        if isinstance(event, ZoneChanged) and event.by == OUTSIDER:
            tampered.update({(event.zone, each.key): (event.at, each.before) for each in event.changes})
        if isinstance(event, Declared):
            if event.record is not None:
                policies[event.uid] = event.record.deletion_policy
            elif event.observed and policies.get(event.uid) is DeletionPolicy.DELETE:
                doomed |= {event.uid, event.key} if several_sites else {event.uid}
        if not isinstance(event, ZoneChanged) or event.by not in history.terms.sites:
            continue
        for hostname in names_in(event):
            before = replay.answers(event.zone, hostname)
            if not before or answers_after(before, event, hostname):
                continue
            _, marker = replay.marker(event.zone, hostname)
            at, earlier = tampered.get((event.zone, RRKey(marker_name(hostname), RRType.TXT)), (0.0, None))
            if event.zone in history.terms.one_by_one and at > event.sent_at:
                marker = parse_marker(earlier)
            is_doomed = marker is not None and doomed.intersection((marker.uid, marker.record))
            if not is_doomed and not departing.may_leave(event, hostname):
                yield Violation(
                    invariant="NeverEmpty",
                    at=event.at,
                    message=f"{event.by} left {hostname} in {event.zone} without an answer",
                )


def only_ours(history: History) -> Iterator[Violation]:
    """Only our ledger, names that a record declares, and their markers are written; and only where they are ours."""
    replay = Replay(history)
    ours: set[tuple[str, str]] = set()
    reads: dict[tuple[str, str], list[ZoneRead]] = defaultdict(list)
    damaged_at: dict[str, float] = {}
    for event in replay:
        if isinstance(event, ZoneRead):
            reads[event.zone, event.by].append(event)
        if isinstance(event, ZoneChanged) and event.by == OUTSIDER:
            damaged_at[event.zone] = event.at
        if not isinstance(event, ZoneChanged) or event.by == OUTSIDER:
            continue
        # A reading that ended in that very moment was not taken in yet.
        known = (each.began_at for each in reversed(reads[event.zone, event.by]) if each.at < event.sent_at)
        # What an outsider did a moment ago nobody can know of, and no provider can be asked to exclude.
        is_excused = damaged_at.get(event.zone, 0.0) > next(known, 0.0)
        for change in event.changes:
            if change.key == replay.ledger_key:
                continue
            hostname = _hostname(change)
            told = f"{event.by} changed {change.key.name} {change.key.type} in {event.zone}"
            if hostname is None or hostname not in replay.hostnames:
                if not is_excused:
                    yield Violation(invariant="OnlyOurs", at=event.at, message=f"{told}, which nobody declared")
                continue
            if not is_excused and (why := _trespass(replay, event, hostname, is_known=(event.zone, hostname) in ours)):
                yield Violation(invariant="OnlyOurs", at=event.at, message=f"{told}: {why}")
            if change.key.type in ANSWER_TYPES:
                kept = answers_after(replay.answers(event.zone, hostname), event, hostname)
                (ours.add if kept else ours.discard)((event.zone, hostname))


def _hostname(change: SetChange) -> str | None:
    if change.key.type in ANSWER_TYPES:
        return change.key.name
    return hostname_of_marker(change.key.name) if change.key.type is RRType.TXT else None


def _trespass(replay: Replay, event: ZoneChanged, hostname: str, *, is_known: bool) -> str | None:
    """Return why the name was not ours to change, or None where it was."""
    _, marker = replay.marker(event.zone, hostname)
    owner = replay.history.terms.owner
    if marker is not None:
        return None if marker.owner == owner else f"its marker is of {marker.owner}"
    adopted = any(each.adopt for each in replay.declared(hostname))
    if is_known or adopted or not replay.answers(event.zone, hostname):
        return None
    return "the name was there before, and had no marker of ours"


def as_seen(history: History) -> Iterator[Violation]:
    """A set is changed only if it still is as it was when the batch was sent: what anybody wrote since then stays."""
    changed: dict[tuple[str, RRKey], list[tuple[float, RRset | None]]] = defaultdict(list)
    for event in history:
        if not isinstance(event, ZoneChanged):
            continue
        for change in event.changes:
            past = changed[event.zone, change.key]
            if event.by != OUTSIDER:
                expected = next((rrset for at, rrset in reversed(past) if at <= event.sent_at), None)
                if change.before != expected:
                    message = f"{event.by} changed {change.key.name} {change.key.type} in {event.zone} unseen"
                    yield Violation(invariant="AsSeen", at=event.at, message=message)
            past.append((event.at, change.after))


def deletions_held(history: History) -> Iterator[Violation]:
    """Within the window no more names are deleted than are free, by number and by share, unless a person approved.

    A name that is created and deleted again and again is one name.
    """
    replay = Replay(history)
    deleted: dict[str, dict[str, float]] = defaultdict(dict)
    approved_at: dict[str, float] = {}
    for event in replay:
        if isinstance(event, Approved):
            approved_at[event.zone] = event.at
        if not isinstance(event, ZoneChanged) or event.by not in history.terms.sites:
            continue
        gone = [
            hostname
            for hostname in names_in(event)
            if (before := replay.answers(event.zone, hostname)) and not answers_after(before, event, hostname)
        ]
        if not gone or event.at < approved_at.get(event.zone, float("-inf")) + APPROVAL_LASTS:
            continue
        since = event.at - history.terms.window
        lately = {hostname: at for hostname, at in deleted[event.zone].items() if at > since}
        deleted[event.zone] = {**lately, **dict.fromkeys(gone, event.at)}
        owned = _owned(replay, event.zone) + len(deleted[event.zone]) - len(gone)
        most = max(ALWAYS_FREE, min(FREE, int(FREE_OF_SMALL * owned)), int(FREE_SHARE * owned))
        if len(deleted[event.zone]) > most:
            yield Violation(
                invariant="DeletionsHeld",
                at=event.at,
                message=f"{len(deleted[event.zone])} of {owned} names in {event.zone} were deleted unasked",
            )


def _owned(replay: Replay, zone: str) -> int:
    owner = replay.history.terms.owner
    held = replay.sets.get(zone, {})
    return sum(1 for rrset in held.values() if (marker := parse_marker(rrset)) and marker.owner == owner)
