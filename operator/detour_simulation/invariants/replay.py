"""Going through a history with what the zones held at each moment."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from detour.enactment.ledger import Ledger, parse_ledger
from detour.enactment.markers import Marker, parse_marker
from detour.model.names import ledger_name, marker_name
from detour.model.record import ObjectKey, Record
from detour.model.rrset import ANSWER_TYPES, RRKey, RRset, RRType
from detour_simulation.history import OUTSIDER, Declared, Event, History, ZoneChanged


@dataclass(slots=True)
class Replay:
    """What the zones hold and what is declared, up to the event that is looked at."""

    history: History
    sets: dict[str, dict[RRKey, RRset]] = field(default_factory=dict)
    records: dict[tuple[str, ObjectKey], Record] = field(default_factory=dict)
    hostnames: dict[str, ObjectKey] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Event]:
        """Give each event before it has taken effect here."""
        for event in self.history:
            yield event
            if isinstance(event, ZoneChanged):
                held = self.sets.setdefault(event.zone, {})
                for change in event.changes:
                    if change.after is None:
                        held.pop(change.key, None)
                    else:
                        held[change.key] = change.after
            elif isinstance(event, Declared):
                place = (event.site, event.key)
                if event.record is None:
                    self.records.pop(place, None)
                else:
                    self.records[place] = event.record
                    self.hostnames[event.record.hostname] = event.key

    def changes_of_ours(self) -> Iterator[ZoneChanged]:
        """Give the changes that controllers made, each before it has taken effect here."""
        for event in self:
            if isinstance(event, ZoneChanged) and event.by != OUTSIDER:
                yield event

    def answers(self, zone: str, hostname: str) -> dict[RRKey, RRset]:
        """Return the sets that answer for a name before the event."""
        held = self.sets.get(zone, {})
        return {key: held[key] for kind in ANSWER_TYPES if (key := RRKey(hostname, kind)) in held}

    def marker(self, zone: str, hostname: str) -> tuple[RRset | None, Marker | None]:
        """Return the marker of a name before the event, as it stands and as it reads."""
        stored = self.sets.get(zone, {}).get(RRKey(marker_name(hostname), RRType.TXT))
        return stored, parse_marker(stored)

    @property
    def ledger_key(self) -> RRKey:
        """The key of our ledger."""
        return RRKey(ledger_name(self.history.terms.owner, self.history.terms.domain), RRType.TXT)

    def ledger(self, zone: str) -> Ledger | None:
        """Return the ledger before the event."""
        return parse_ledger(self.sets.get(zone, {}).get(self.ledger_key))

    def owner(self, hostname: str) -> ObjectKey | None:
        """Return the record in the marker of a name, in whichever zone there is one, before the event."""
        markers = (self.marker(zone, hostname)[1] for zone in self.sets)
        return next((each.record for each in markers if each is not None), None)

    def declared(self, hostname: str) -> list[Record]:
        """Return the records that claim a name before the event, one for each site that has it.

        Where several claim it, those of the one that has it come first.
        """
        found = [each for each in self.records.values() if each.hostname == hostname]
        if len({each.key for each in found}) > 1:
            owner = self.owner(hostname)
            found.sort(key=lambda each: each.key != owner)
        return found


def answers_after(before: dict[RRKey, RRset], event: ZoneChanged, hostname: str) -> dict[RRKey, RRset]:
    """Return what answers for a name after `event`."""
    after = dict(before)
    for change in event.changes:
        if change.key.name == hostname and change.key.type in ANSWER_TYPES:
            if change.after is None:
                after.pop(change.key, None)
            else:
                after[change.key] = change.after
    return after


def names_in(event: ZoneChanged) -> list[str]:
    """Return the names whose answers an event changes."""
    return list(dict.fromkeys(change.key.name for change in event.changes if change.key.type in ANSWER_TYPES))


def values_in(sets: dict[RRKey, RRset]) -> frozenset[str]:
    """Return every value that answers."""
    return frozenset(value for each in sets.values() for value in each.values)
