"""Whether names answer as they should, in time: Serves.

The oracle says what is wrong with an answer by the truth, not by what a controller believed. It has to be put right
within a bound that the declaration itself gives (how often is checked, how many results decide, how long a hold-down
lasts), counted from the last thing that changed what is right, and from the end of what stood in the way
(`permissions`).
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from detour.model.names import hostname_of_marker
from detour.model.record import FailbackMode, ObjectKey, Publish, Record, Strategy
from detour.model.rrset import RRType
from detour_simulation.canaries import AFTER, HOLD_DOWN, SEEN
from detour_simulation.history import (
    BlindChanged,
    CanaryChanged,
    ClockJumped,
    Declared,
    Event,
    HealthChanged,
    History,
    Pinned,
    RegionDeclared,
    Violation,
    ZoneChanged,
    ZoneDeclared,
)
from detour_simulation.invariants.permissions import DRIFT, FOREVER, NEVER, Permissions
from detour_simulation.invariants.replay import Replay, answers_after, names_in, values_in
from detour_simulation.oracle import Flaw, Truth, as_sets, flaw, places

STEP = 3.0
"""Seconds for what follows once something is known: a decision, a batch within the budget, and the answer of it."""

FIRST_VERDICTS = 6.0
"""Seconds that a record which is new may wait for its first verdicts, beside the time that they take."""

OF_A_PERSON = frozenset({Flaw.PINNED, Flaw.TAKEN_OUT, Flaw.UNDECLARED})

Place = tuple[str, str]
"""A zone and a name in it."""


@dataclass(slots=True)
class _Wrong:
    """What is wrong with an answer, since when, and which regions to leave; its time is not over `not_before`."""

    flaw: Flaw
    since: float
    leaving: frozenset[str]
    not_before: float = NEVER


def detection(record: Record) -> float:
    """Return the longest time in which a change of an endpoint's health becomes a verdict, in seconds.

    `interval + timeout + (n - 1) * max(recheckInterval, timeout)` of design.md, for the greater of fall and rise, and
    one more timeout in which the places to go to are looked at.
    """
    timing = record.timing
    more = max(timing.fall, timing.rise) - 1
    return (timing.interval + 2 * timing.timeout + more * max(timing.recheck_interval, timing.timeout)) * DRIFT


def bound(record: Record, found: Flaw) -> float:
    """Return within how many seconds a flaw has to be gone where nothing stands in the way."""
    match found:
        case Flaw.PINNED | Flaw.TAKEN_OUT | Flaw.UNDECLARED:
            return STEP
        case Flaw.DEAD | Flaw.NOT_EVERYBODY:
            return detection(record) + STEP
        case Flaw.REGION:
            return detection(record) + (SEEN + AFTER) * DRIFT + STEP
        case Flaw.EMPTY:
            return detection(record) + STEP + FIRST_VERDICTS
        case Flaw.NOT_BEST:
            hold_down = record.failback.hold_down if record.failback.mode is FailbackMode.AUTOMATIC else 0.0
            return detection(record) + hold_down * DRIFT + STEP


class _Watch:
    """What is wrong with which name, up to the event that is looked at."""

    def __init__(self, replay: Replay) -> None:
        self.wrong: dict[Place, _Wrong] = {}
        self._replay = replay
        self._permissions = Permissions(replay.history.terms)
        self._failing: set[str] = set()
        self._ever_failed: set[str] = set()
        self._turns: dict[str, int] = defaultdict(int)  # by address: how often it failed or recovered, within the hour
        self._drained: dict[str, set[str]] = {site: set() for site in replay.history.terms.sites.values()}
        self._turned_at: dict[str, float] = defaultdict(lambda: NEVER)  # by name: when one of its places changed
        self._told_at: dict[str, float] = defaultdict(lambda: NEVER)  # by name: when a person declared something
        self._names_of: dict[str, set[str]] = defaultdict(set)  # by address
        self._pinned: dict[str, frozenset[str]] = {}
        self._leaving: set[str] = set()  # regions whose canary fails
        self._clock_jumped = False

    def overdue(self, now: float) -> Iterator[tuple[Place, _Wrong, float]]:
        """Give what is still wrong at `now` though its time was over, and when that was."""
        for place, wrong in self.wrong.items():
            if now <= wrong.not_before:  # what stands in the way only ever puts it off
                continue
            record = self._record(place[1])
            if record is None or (self._clock_jumped and wrong.flaw is Flaw.NOT_BEST):
                continue
            due = self._due(place, wrong, record)
            if now > due:
                yield place, wrong, due
            elif due < FOREVER:
                wrong.not_before = due

    def _due(self, place: Place, wrong: _Wrong, record: Record) -> float:
        is_told = wrong.flaw in OF_A_PERSON or wrong.since == self._told_at[place[1]]
        free = self._permissions.since(*place, leaving=wrong.leaving, told=is_told)
        allowed = bound(record, wrong.flaw) + self._slowed(record, wrong.flaw)
        if wrong.flaw is Flaw.NOT_BEST and self._replay.history.terms.has_canaries:
            allowed += (SEEN + HOLD_DOWN) * DRIFT
        known = self._turned_at[place[1]] + max(allowed, detection(record) + STEP)
        if wrong.flaw is Flaw.NOT_BEST:  # who has failed is held down anew where a zone changes hands
            free = max(free, self._permissions.changed_hands_at[place[0]])
        return max(known, max(wrong.since, free, self._told_at[place[1]]) + allowed)

    def _slowed(self, record: Record, found: Flaw) -> float:
        """Return for how many seconds failing places may stay because only some of them may leave within a minute."""
        share, several = self._replay.history.terms.withdrawal, record.strategy is Strategy.MULTI_VALUE
        if share >= 1.0 or not several or found is not Flaw.DEAD:
            return 0.0
        endpoints = len(record.endpoints)
        return math.ceil(endpoints / max(1, int(share * endpoints))) * 60.0 * DRIFT

    def take(self, event: Event) -> set[Place]:
        """Take note of an event, before it has taken effect; return the names to be looked at after it."""
        self._permissions.take(event)
        match event:
            case HealthChanged(address=address, works=works, at=now):
                (self._failing.discard if works else self._failing.add)(address)
                if not works:
                    self._ever_failed.add(address)
                self._turns[address] += 1
                for hostname in self._names_of[address]:
                    self._turned_at[hostname] = now
                return {place for name in self._names_of[address] for place in self._places(name)}
            case CanaryChanged(region=region, works=works, at=now):
                (self._leaving.discard if works else self._leaving.add)(region)
                return self._region_turns(region, now)
            case Declared(key=key, record=record, at=now):
                return self._declare(key, record, now)
            case Pinned(hostname=hostname, values=values, at=now):
                self._pinned[hostname] = values
                self._told_at[hostname] = now
                return self._places(hostname)
            case RegionDeclared(site=site, region=region, drained=drained, at=now):
                (self._drained[site].add if drained else self._drained[site].discard)(region)
                names = {each.hostname for each in self._replay.records.values()}
                self._told_at.update(dict.fromkeys(names, now))
                return {place for name in names for place in self._places(name)}
            case BlindChanged():
                self._ever_failed |= set(self._names_of)  # of whoever could not see any of it may have been believed
            case ClockJumped():
                self._clock_jumped = True
            case ZoneDeclared():
                pass
            case ZoneChanged():
                self._note_departures(event)
                markers = {name for each in event.changes if (name := hostname_of_marker(each.key.name))}
                return {(event.zone, each) for each in {*names_in(event), *markers} if self._record(each)}
            case _:
                pass
        return set()

    def _region_turns(self, region: str, now: float) -> set[Place]:
        names = set()
        for record in self._replay.records.values():
            if addresses := [each for place in record.endpoints if place.region == region for each in place.addresses]:
                self._ever_failed.update(addresses)  # as far as a person has to send it back
                self._turned_at[record.hostname] = now
                names.add(record.hostname)
        return {place for name in names for place in self._places(name)}

    def _declare(self, key: ObjectKey, record: Record | None, now: float) -> set[Place]:
        known = {each.hostname for (_, at), each in self._replay.records.items() if at == key}
        names = known | {each.hostname for each in (record,) if each is not None}
        for hostname in names:
            self._told_at[hostname] = now
        if record is not None:
            for each in record.endpoints:
                for address in each.addresses:
                    self._names_of[address].add(record.hostname)
        found = {place for name in names for place in self._places(name)}
        if record is not None:
            found |= {(zone.name, record.hostname) for zone in record.zones}
        return found

    def _note_departures(self, event: ZoneChanged) -> None:
        if event.ledger is None:
            return
        for hostname in names_in(event):
            before = self._replay.answers(event.zone, hostname)
            if (record := self._record(hostname)) is not None:
                gone = values_in(before) - values_in(answers_after(before, event, hostname))
                for each in record.endpoints:
                    if gone & set(each.addresses):
                        self._permissions.leaves(event.zone, each.region, event.at)

    def _places(self, hostname: str) -> set[Place]:
        records = [each for each in self._replay.records.values() if each.hostname == hostname]
        return {(zone.name, hostname) for each in records for zone in each.zones}

    def _record(self, hostname: str) -> Record | None:
        """Return the one record that all sites have for a name, None where they differ; of rivals who has the name."""
        found = self._replay.declared(hostname)
        found = [each for each in found if each.key == found[0].key]
        if not found or len(found) != len(self._drained):
            return None
        first = found[0]
        same = all(replace(each, uid=first.uid, generation=0, created=0.0) == _plain(first) for each in found)
        return first if same and len({each.key for each in found}) == 1 else None

    def look(self, place: Place, now: float) -> None:
        """See what is wrong with a name now."""
        zone, hostname = place
        found, leaving = self._flaw(zone, hostname)
        if found is None:
            self.wrong.pop(place, None)
        elif (before := self.wrong.get(place)) is None or before.flaw is not found:
            self.wrong[place] = _Wrong(found, now, leaving)
        else:
            before.leaving = leaving

    def _flaw(self, zone: str, hostname: str) -> tuple[Flaw | None, frozenset[str]]:
        record = self._record(hostname)
        nothing: frozenset[str] = frozenset()
        if record is None or record.suspend or all(each.name != zone for each in record.zones):
            return None, nothing
        states = list(self._drained.values())
        if any(each != states[0] for each in states) or not self._is_ours(zone, record):
            return None, nothing
        held = self._replay.answers(zone, hostname)
        truth = Truth(self._failing, states[0])
        found = flaw(
            record,
            truth,
            values_in(held),
            pinned=self._pin_of(record),
            failed=self._ever_failed,
            flapping=self._flapping(record),
            leaving=self._leaving,
        )
        if found is None and set(held.values()) != set(as_sets(record, values_in(held))):
            found = Flaw.NOT_BEST
        left = [each.region for each in places(record, truth) if each.values & values_in(held) and not each.is_up]
        return found, frozenset(left) if found is Flaw.DEAD else nothing

    def _flapping(self, record: Record) -> list[str]:
        """Return the addresses that may have changed too often for a record, by its checks."""
        most = record.failback.most_changes
        addresses = (address for each in record.endpoints for address in each.addresses)
        return [each for each in addresses if most and self._turns[each] > most]

    def _pin_of(self, record: Record) -> frozenset[str]:
        return self._pinned.get(record.hostname, frozenset()) if record.pin else frozenset()

    def _is_ours(self, zone: str, record: Record) -> bool:
        """Tell whether the name is the record's to write: else a person has to say so, and a condition asks for it."""
        stored, marker = self._replay.marker(zone, record.hostname)
        held = self._replay.answers(zone, record.hostname)
        if any((key.type is RRType.CNAME) is not (record.publish is Publish.CNAME) for key in held):
            return False
        if stored is None:
            return not held
        return marker is not None and marker.owner == self._replay.history.terms.owner and marker.record == record.key


def _plain(record: Record) -> Record:
    return replace(record, generation=0, created=0.0)


def serves(history: History) -> Iterator[Violation]:
    """A name that answers wrongly is put right in time, unless something permitted stands in the way.

    Wrong is what the oracle finds so: a place that is down while another one is up, one that a person took out, one of
    a lower tier, a missing one. How long it may last is `bound`, from the last change of what is right on.
    """
    replay = Replay(history)
    watch = _Watch(replay)
    pending: set[Place] = set()
    before = 0.0
    for event in replay:
        for place in pending:
            watch.look(place, before)
        for (zone, hostname), wrong, due in watch.overdue(event.at):
            answers = " ".join(sorted(values_in(replay.answers(zone, hostname)))) or "nothing"
            message = f"{hostname} in {zone} {wrong.flaw.value} since {wrong.since - _origin(history):.1f}: {answers}"
            yield Violation(invariant="Serves", at=due, message=message)
            return
        pending, before = watch.take(event), event.at


def _origin(history: History) -> float:
    return next((each.at for each in history), 0.0)
