"""When a name may leave a zone that its record does not declare any more: what NeverEmpty grants after an edit.

An edit of `spec.zones` is no deletion. By the truth of the history, not by what a controller believed, the name may go
only once it answers in every zone that is declared now, and did so since the edit; once the parent has named the
servers of the zone it leaves for longer than caches keep that no more; and where only one DNSZone stands for that zone.
"""

from collections import defaultdict

from detour.model.record import DeletionPolicy, ObjectKey, Record
from detour_simulation.history import (
    OUTSIDER,
    Befell,
    Declared,
    Event,
    ParentChanged,
    ProcessChanged,
    ZoneChanged,
    ZoneDeclared,
)
from detour_simulation.invariants.permissions import FOREVER, NEVER, NEWS, OF_AN_API_SERVER
from detour_simulation.invariants.replay import Replay, answers_after, names_in

FAST = 0.94
"""The share of a time that a clock which runs fast leaves of it."""

SEEN_LATELY = 15.0
"""Seconds for which a look at the parent counts: ten, and what follows takes its time."""

UNSEEN = 35.0
"""Seconds for which the parent may name a zone again unseen, where no name waits to leave: looks are 30 s apart."""

TWIN_KNOWN = 30.0
"""Seconds until everybody knows for which hosted zone a DNSZone stands that is new."""


class Departing:
    """What was declared, and where each name answered when, up to the event that is looked at."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._edited_at: dict[tuple[str, ObjectKey], float] = {}  # by site and record: when its zones became these
        self._edited_before: dict[tuple[str, ObjectKey], float] = {}
        self._astray: dict[tuple[str, ObjectKey], tuple[str, ...]] = {}
        self._empty: dict[tuple[str, str], float] = {}  # zone and name: since when it has had no answer
        self._away_since: dict[str, float] = {}  # zones that the parent names no more
        self._away_unseen: dict[str, tuple[float, float]] = {}  # since when, but for a time unseen, and its end
        self._away_before: dict[str, tuple[float, float]] = {}  # the same of those that it names again, and since when
        self._counts: dict[tuple[str, str], tuple[int, float]] = {}  # by site and zone: its DNSZones, and since when
        self._former: dict[tuple[str, ObjectKey], list[tuple[Record, tuple[str, ...], float]]] = defaultdict(list)
        self._deaf_until = NEVER
        self._resumed_at: dict[str, float] = defaultdict(lambda: NEVER)

    def take(self, event: Event) -> None:
        """Take note of an event, before it has taken effect."""
        match event:
            case Declared():
                self._declare(event)
            case ZoneChanged():
                self._change(event)
            case ParentChanged(zone=zone, named=named, at=now):
                if named:
                    self._away_before[zone] = (self._away_since.pop(zone, now), now)
                else:  # what lasted no longer than from one look to the next may have been seen by none
                    since, until = self._away_before.get(zone, (now, NEVER))
                    self._away_since[zone] = since if now < until + SEEN_LATELY else now
                    self._away_unseen[zone] = (since if now < until + UNSEEN else now, now)
            case ZoneDeclared(site=site, zone=zone, count=count, at=now) if count is not None:
                if self._counts.get((site, zone), (None, 0.0))[0] != count:
                    self._counts[site, zone] = (count, now)
            case Befell(fault=fault, until=until) if fault in OF_AN_API_SERVER:
                self._deaf_until = max(self._deaf_until, until)
            case ProcessChanged(controller=controller, at=now):
                self._resumed_at[controller] = now
            case _:
                pass

    def _declare(self, event: Declared) -> None:
        place, record = (event.site, event.key), event.record
        before, astray = self._replay.records.get(place), self._astray.get(place, ())
        if before is None:
            self._edited_at[place] = event.at
        elif record is None or before.zones != record.zones or astray != event.astray:
            former = self._former[place]
            left, left_astray, left_at = former[-1] if former else (None, (), NEVER)
            zones = record.zones if record is not None else ()
            is_back = left is not None and (left.zones, left_astray) == (zones, event.astray)
            if is_back and event.at <= left_at + NEWS:
                self._edited_at[place] = self._edited_before[place]  # the moment between may have been seen by nobody
            else:
                self._edited_before[place] = self._edited_at.get(place, NEVER)
                self._edited_at[place] = event.at
            former.append((before, astray, event.at))
        self._astray[place] = event.astray

    def _change(self, event: ZoneChanged) -> None:
        for hostname in names_in(event):
            held = self._replay.answers(event.zone, hostname)
            if answers_after(held, event, hostname):
                self._empty.pop((event.zone, hostname), None)
            elif held:
                self._empty[event.zone, hostname] = event.at

    def may_leave(self, event: ZoneChanged, hostname: str) -> bool:
        """Tell whether the name may leave the zone of `event` by it."""
        _, marker = self._replay.marker(event.zone, hostname)
        terms = self._replay.history.terms
        if marker is None or event.by == OUTSIDER or terms.parent_ttl is None:
            return False
        place = (terms.sites[event.by], marker.record)
        edited_at = self._edited_at.get(place, NEVER)
        if not self._is_forgotten(event.zone, event.sent_at, terms.parent_ttl * FAST, edited_at):
            return False
        count, since = self._counts.get((place[0], event.zone), (1, NEVER))
        if count > 1 and event.sent_at > since + TWIN_KNOWN:
            return False
        heard = max(self._deaf_until, self._resumed_at[event.by]) + NEWS
        declared = [(self._replay.records.get(place), self._astray.get(place, ()), self._edited_at.get(place, NEVER))]
        for record, astray, at in self._former[place]:  # what was declared then, or by who had not heard of the edit
            if event.sent_at < max(at + NEWS, heard):
                declared.append((record, astray, NEVER))
        return any(self._permits(event, hostname, *each) for each in declared)

    def _is_forgotten(self, zone: str, at: float, ttl: float, edited_at: float) -> bool:
        """Tell whether nobody is sent to a zone any more, as far as a look shortly before could tell.

        Until a name waits to leave, which it does since `edited_at`, looks are few.
        """
        since, until = self._away_since.get(zone, FOREVER), FOREVER
        if since is FOREVER:
            since, until = self._away_before.get(zone, (FOREVER, NEVER))
        unseen_since, seen_from = self._away_unseen.get(zone, (FOREVER, FOREVER))
        if edited_at > seen_from:
            since = min(since, unseen_since)
        return min(at, until) > since + ttl and at < until + SEEN_LATELY

    def _permits(
        self, event: ZoneChanged, hostname: str, record: Record | None, astray: tuple[str, ...], edited_at: float
    ) -> bool:
        if record is None or astray or not record.zones or record.deletion_policy is not DeletionPolicy.DELETE:
            return False
        zones = [each.name for each in record.zones]
        return event.zone not in zones and all(self._answered(zone, hostname, record, edited_at) for zone in zones)

    def _answered(self, zone: str, hostname: str, record: Record, since: float) -> bool:
        """Tell whether a name of ours answers in a zone, or did so since then and an outsider ended that."""
        _, marker = self._replay.marker(zone, hostname)
        if self._replay.answers(zone, hostname):
            return marker is None or marker.record == record.key
        return self._empty.get((zone, hostname), NEVER) > since
