"""What a person froze: StaysFrozen."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from detour.model.names import hostname_of_marker
from detour.model.rrset import RRKey, RRset
from detour_simulation.history import (
    OUTSIDER,
    Approved,
    Event,
    History,
    ProcessChanged,
    SetChange,
    Violation,
    ZoneChanged,
    ZoneDeclared,
)
from detour_simulation.invariants.replay import Replay, answers_after, names_in

NEWS = 1.0
"""Seconds until a process that runs has heard of a freeze."""

Answers = dict[RRKey, RRset]


@dataclass(slots=True)
class _Freeze:
    """A zone that is frozen in a site since `at`; `stood` is what its names have held since then."""

    at: float
    stood: dict[str, list[Answers]] = field(default_factory=dict)


class _Freezes:
    """The zones that are frozen, and what we had written to each set, up to the event that is looked at."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._frozen: dict[tuple[str, str], _Freeze] = {}  # by site and zone
        self._resumed_at: dict[str, float] = {}
        self._written: dict[tuple[str, RRKey], SetChange] = {}
        self._marked: dict[tuple[str, str], float] = {}  # zone and name: when the batch was sent that marks it as ours
        self._filled: dict[tuple[str, str], float] = {}  # the same of the one that fills it

    def take(self, event: Event) -> None:
        """Take note of an event that is no change of a zone."""
        match event:
            case ZoneDeclared(frozen=True):
                self._frozen.setdefault((event.site, event.zone), _Freeze(event.at))
            case ZoneDeclared():
                self._frozen.pop((event.site, event.zone), None)
            case Approved():
                self._frozen = {place: each for place, each in self._frozen.items() if place[1] != event.zone}
            case ProcessChanged():
                self._resumed_at[event.controller] = event.at
            case _:
                pass

    def note_markers(self, event: ZoneChanged) -> None:
        """Take note of the markers that come and go."""
        for change in event.changes:
            if (hostname := hostname_of_marker(change.key.name)) is not None and event.by != OUTSIDER:
                if change.after is None:
                    self._marked.pop((event.zone, hostname), None)
                elif change.before is None:
                    self._marked[event.zone, hostname] = event.sent_at

    def forbids(self, event: ZoneChanged, hostname: str, before: Answers, after: Answers) -> bool:
        """Tell whether who made this change knew that the zone is frozen, and made of the name what it never was."""
        freeze = self._frozen.get((self._history.terms.sites.get(event.by, ""), event.zone))
        if freeze is None or event.sent_at < max(freeze.at, self._resumed_at.get(event.by, 0.0)) + NEWS:
            return False
        if not before and self._marked.get((event.zone, hostname), event.sent_at) != event.sent_at:
            self._filled[event.zone, hostname] = event.sent_at
        fills = self._filled.get((event.zone, hostname)) == event.sent_at
        return not (fills or after in freeze.stood.get(hostname, [before]) or self._takes_back(event, hostname))

    def _takes_back(self, event: ZoneChanged, hostname: str) -> bool:
        """Tell whether every set of a name becomes what we had left there, or (set by set) what it was before that."""
        for change in event.changes:
            if change.key.name == hostname:
                ours = self._written.get((event.zone, change.key))
                is_halfway = event.zone in self._history.terms.one_by_one
                if ours is None or change.after not in (ours.after, *([ours.before] if is_halfway else [])):
                    return False
        return True

    def note(self, event: ZoneChanged, hostname: str, before: Answers, after: Answers) -> None:
        """Take note of what a name holds before and after."""
        for (_, zone), freeze in self._frozen.items():
            if zone == event.zone:
                freeze.stood.setdefault(hostname, [before]).append(after)
        if event.by != OUTSIDER:
            self._written.update({(event.zone, each.key): each for each in event.changes})


def stays_frozen(history: History) -> Iterator[Violation]:
    """In a frozen zone nothing is written but what we had left there, or what stood there since, unless approved.

    A name of ours that was emptied is filled. Where sets are written one by one what was halfway may be taken back to
    what it was before.
    """
    replay = Replay(history)
    freezes = _Freezes(history)
    for event in replay:
        if not isinstance(event, ZoneChanged):
            freezes.take(event)
            continue
        freezes.note_markers(event)
        for hostname in names_in(event):
            before = replay.answers(event.zone, hostname)
            after = answers_after(before, event, hostname)
            if event.by != OUTSIDER and freezes.forbids(event, hostname, before, after):
                message = f"{event.by} changed the answers of {hostname} in {event.zone}, which is frozen"
                yield Violation(invariant="StaysFrozen", at=event.at, message=message)
            freezes.note(event, hostname, before, after)
