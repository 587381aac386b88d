"""Whose a name is where several records claim it: OneOwner.

Of two records that claim one name the one in the marker keeps it, however long the other one waits, and whatever that
one may adopt.
"""

from collections import defaultdict
from collections.abc import Iterator

from detour.enactment.markers import parse_marker
from detour.model.names import hostname_of_marker
from detour.model.record import ObjectKey
from detour_simulation.history import (
    OUTSIDER,
    Befell,
    Declared,
    Event,
    History,
    ProcessChanged,
    StatusDamaged,
    Violation,
    ZoneChanged,
)
from detour_simulation.invariants.permissions import NEVER, NEWS, OF_AN_API_SERVER
from detour_simulation.invariants.replay import Replay, answers_after, names_in, values_in


class _Owners:
    """Who is declared since when, with which addresses, and what a controller may not have heard of."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self.came_at: dict[tuple[str, ObjectKey], float] = {}
        self.addresses: dict[ObjectKey, set[str]] = defaultdict(set)
        self._deaf_until = NEVER
        self._changed_at: dict[str, float] = defaultdict(lambda: NEVER)

    def take(self, event: Event) -> None:
        """Take note of an event, before it has taken effect."""
        match event:
            case Declared(site=site, key=key, record=record, at=now):
                before = self._replay.records.get((site, key))
                if before is None or record is None or before.zones != record.zones:
                    self.came_at[site, key] = now
                if record is not None:
                    self.addresses[key].update(each for place in record.endpoints for each in place.addresses)
            case Befell(fault=fault, until=until) if fault in OF_AN_API_SERVER:
                self._deaf_until = max(self._deaf_until, until)
            case StatusDamaged(at=now):
                self._deaf_until = max(self._deaf_until, now)
            case ProcessChanged(controller=controller, at=now):
                self._changed_at[controller] = now
            case _:
                pass

    def is_known_to_want(self, record: ObjectKey, hostname: str, event: ZoneChanged) -> bool:
        """Tell whether whoever wrote knew that `record` claims the name in that zone."""
        place = (self._replay.history.terms.sites[event.by], record)
        found = self._replay.records.get(place)
        if found is None or found.hostname != hostname or all(each.name != event.zone for each in found.zones):
            return False
        return event.sent_at > max(self.came_at[place], self._deaf_until, self._changed_at[event.by]) + NEWS


def one_owner(history: History) -> Iterator[Violation]:
    """A name passes from one record to another only once the first one wants it no more, and has that one's places."""
    replay = Replay(history)
    owners = _Owners(replay)
    for event in replay:
        owners.take(event)
        if not isinstance(event, ZoneChanged) or event.by == OUTSIDER:
            continue
        for change in event.changes:
            before, after = parse_marker(change.before), parse_marker(change.after)
            hostname = hostname_of_marker(change.key.name)
            if before is None or after is None or hostname is None or before.record == after.record:
                continue
            is_ours = before.owner == after.owner == history.terms.owner
            if is_ours and owners.is_known_to_want(before.record, hostname, event):
                told = f"{event.by} gave {hostname} in {event.zone} to {after.record.name}"
                message = f"{told}, though {before.record.name} claims it"
                yield Violation(invariant="OneOwner", at=event.at, message=message)
        for hostname in names_in(event):
            held = replay.answers(event.zone, hostname)
            came = values_in(answers_after(held, event, hostname)) - values_in(held)
            _, marker = replay.marker(event.zone, hostname)
            if marker is None or not owners.is_known_to_want(marker.record, hostname, event):
                continue
            others = {each.key for each in replay.declared(hostname)} - {marker.record}
            theirs = {value for key in others for value in owners.addresses[key]} - owners.addresses[marker.record]
            if found := sorted(came & theirs):
                told = f"{event.by} brought {found[0]} into {hostname} in {event.zone}"
                message = f"{told}, which is no place of {marker.record.name}"
                yield Violation(invariant="OneOwner", at=event.at, message=message)
