"""What has to be waited for, and what is not to be done: Patient (`fall`, `rise`), NeverToTheDead, StaysSuspended.

They go by the truth and by what was declared, not by what a controller believed.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from detour.model.endpoint import AdminState, Endpoint
from detour.model.record import FailbackMode, Publish, Record, Strategy, WhenAllUnhealthy
from detour_simulation.canaries import SHOWS
from detour_simulation.history import (
    OUTSIDER,
    Befell,
    BlindChanged,
    CanaryChanged,
    ClockJumped,
    Declared,
    Event,
    HealthChanged,
    History,
    ProcessChanged,
    RegionDeclared,
    StatusDamaged,
    Violation,
    ZoneChanged,
)
from detour_simulation.invariants.liveness import detection
from detour_simulation.invariants.permissions import (
    DRIFT,
    LONGEST_PAUSE,
    NEVER,
    NEWS,
    OF_A_PROVIDER,
    OF_AN_API_SERVER,
)
from detour_simulation.invariants.replay import Replay, answers_after, names_in, values_in
from detour_simulation.schedule import Fault

FAST = 0.94
"""The share of a time that a clock which runs fast leaves of it."""

CROSSED = 3.0
"""Seconds after a write has landed in which what it took away may be put back, by a decision made before."""

LATELY = 90.0
"""Seconds within which a failure may be behind a write: it may have waited for a provider."""

AT_ONCE = 0.5
"""Seconds apart by which two failures are two."""

Values = frozenset[str]


@dataclass(frozen=True, slots=True)
class _Spell:
    """For how long an address worked, or failed; `end` is when it turned."""

    works: bool
    start: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.start


class _Past:
    """How each address did, and since when nothing but health was at work."""

    def __init__(self, calm_for: float) -> None:
        self._calm_for = calm_for
        self._calm_since = NEVER
        self._clear_since = NEVER  # as that, but for processes that start, end or pause
        self._region_told_at = NEVER
        self._told_at: dict[str, float] = defaultdict(lambda: NEVER)
        self.left_at: dict[tuple[str, str, str], float] = defaultdict(lambda: NEVER)  # zone, name, value
        self._spells: dict[str, list[_Spell]] = defaultdict(list)
        self._turned: dict[str, tuple[bool, float]] = {}
        self._drained: set[str] = set()
        self._leaving: set[str] = set()  # regions whose canary fails
        self._unheard: dict[str, tuple[float, float]] = {}  # by zone: since and until when answers may be lost

    def take(self, event: Event) -> None:
        """Take note of an event."""
        match event:
            case HealthChanged(address=address, works=works, at=now):
                before, since = self._turned.get(address, (not works, NEVER))
                self._spells[address].append(_Spell(before, since, now))
                self._turned[address] = (works, now)
            case RegionDeclared(region=region, drained=drained):
                self._region_told_at = event.at
                self._disturb(event.at)
                (self._drained.add if drained else self._drained.discard)(region)
            case CanaryChanged(region=region, works=works):
                (self._leaving.discard if works else self._leaving.add)(region)
                self._disturb(event.at + SHOWS)
            case ProcessChanged():
                self._calm_since = max(self._calm_since, event.at)
            case BlindChanged() | StatusDamaged() | ClockJumped():
                self._disturb(event.at)
            case Befell(fault=fault, where=where, until=until, at=now) if fault in OF_A_PROVIDER:
                began, ended = self._unheard.get(where, (now, NEVER))
                self._unheard[where] = (began if ended >= now else now, max(ended, until))
            case Befell(fault=fault, until=until) if fault in (Fault.DECLARATIONS_OLD, Fault.WATCHES_DEAF):
                self._disturb(until)  # a person's word is heard as late as that
            case Declared(record=record) if record is not None:
                self._told_at[record.hostname] = math.inf if record.pin else event.at  # a person's word, not health's
            case ZoneChanged(by=by) if by == OUTSIDER:
                self._disturb(event.at)
            case _:
                pass

    def _disturb(self, at: float) -> None:
        self._calm_since = max(self._calm_since, at)
        self._clear_since = max(self._clear_since, at)

    def is_clear(self, at: float) -> bool:
        """Tell whether by `at` nothing had disturbed sight or memory for long, but that processes end and start."""
        return not self._leaving and at > self._clear_since + self._calm_for

    def is_calm(self, hostname: str, at: float) -> bool:
        """Tell whether by `at` only the health of places had changed for long."""
        return not self._leaving and at > max(self._calm_since, self._told_at[hostname]) + self._calm_for

    def has_been(self, address: str, at: float, seconds: float, *, works: bool) -> bool:
        """Tell whether an address had worked, or failed, for so many seconds by `at`."""
        works_now, turned_at = self._turned.get(address, (True, NEVER))
        return works_now is works and turned_at < at - seconds

    def left_unseen(self, zone: str, hostname: str, value: str, at: float) -> bool:
        """Tell whether who wrote at `at` may not have known that a value had left: it then stays, for all he knows."""
        left_at = self.left_at[zone, hostname, value]
        since, until = self._unheard.get(zone, (math.inf, NEVER))
        return left_at > at - CROSSED or (since <= left_at <= until and at <= until + LONGEST_PAUSE)

    def is_taken_out(self, endpoint: Endpoint) -> bool:
        """Tell whether a person took an endpoint, or its region at any site, out."""
        return endpoint.state is AdminState.DRAINED or endpoint.region in self._drained

    def is_dark(self, record: Record, at: float) -> bool:
        """Tell whether of all places that no person took out none had worked for long."""
        asked = [each for each in record.endpoints if not self.is_taken_out(each)]
        long = detection(record)
        return not any(self.has_been(value, at, long, works=True) for each in asked for value in each.addresses)

    def is_untold(self, hostname: str, at: float) -> bool:
        """Tell whether no person had said anything of a name lately, or of a region."""
        return at > max(self._told_at[hostname], self._region_told_at) + self._calm_for

    def left_for_failing(self, came: str, left: list[str], at: float) -> str | None:
        """Return one of these addresses that failed lately, if all did, and only after `came` had begun to.

        Where one of them works, it was no failure that took the name away from them: a hold-down was over.
        """
        works, since = self._turned.get(came, (True, NEVER))
        failed = {
            other: [each.start for each in self.spells(other, at, since=at - LATELY) if not each.works]
            for other in left
        }
        if works or not all(failed.values()):
            return None
        return next((other for other, starts in failed.items() if since < min(starts) - AT_ONCE), None)

    def spells(self, address: str, at: float, *, since: float) -> list[_Spell]:
        """Return how an address did between `since` and `at`, the newest first."""
        works, turned_at = self._turned.get(address, (True, NEVER))
        spells = [_Spell(works, turned_at, at), *reversed(self._spells[address])]
        return [each for each in spells if each.end >= since and each.start < at]


def patient(history: History) -> Iterator[Violation]:
    """A place is left for failing only after `fall` checks, and gained after a failure only after `rise`.

    Less time than these take, from the first check to the last, proves that somebody did not wait. Nothing is said
    where something else was at work lately: a process that started, a blind vantage, a declaration, damage. Nor where
    one vantage lies and another is gone: the third one's delay is enough then for two to agree on what is not so.
    """
    if history.terms.may_lack_votes:
        return
    replay = Replay(history)
    past = _Past(history.terms.detection)
    for event in replay:
        if not isinstance(event, ZoneChanged) or event.by == OUTSIDER:
            past.take(event)
            continue
        for hostname in names_in(event):
            before = replay.answers(event.zone, hostname)
            after = values_in(answers_after(before, event, hostname))
            records = [each for each in replay.declared(hostname) if any(at.name == event.zone for at in each.zones)]
            if before and after and records and past.is_calm(hostname, event.sent_at):
                for told in _hasty(records[0], past, values_in(before), after, event.sent_at):
                    message = f"{event.by} {told} {hostname} in {event.zone} before its checks had decided"
                    yield Violation(invariant="Patient", at=event.at, message=message)


def _hasty(record: Record, past: _Past, before: Values, after: Values, at: float) -> Iterator[str]:
    timing = record.timing
    declared = {address for each in record.endpoints for address in each.addresses}
    best = min((each.priority for each in record.endpoints if after & set(each.addresses)), default=0)
    for each in record.endpoints:
        rank = best - (record.publish is Publish.CNAME)  # of equals one is published, and may give way to the other
        has_place = record.strategy is Strategy.MULTI_VALUE or each.priority <= rank
        if past.is_taken_out(each) or not has_place:
            continue
        for value in sorted((before - after) & set(each.addresses)):
            falls = (timing.fall - 1) * timing.recheck_interval * FAST
            spells = _as_checked(
                past.spells(value, at, since=at - detection(record) - _held_down(record)), record, works=False
            )
            if not any(not spell.works and spell.length >= falls for spell in spells):
                yield f"took {value} out of"
        for value in sorted((after - before) & set(each.addresses)):
            others_work = any(past.has_been(other, at, detection(record), works=True) for other in before & declared)
            if others_work and _has_not_risen(past.spells(value, at, since=NEVER), record):
                yield f"brought {value} into"


def _held_down(record: Record) -> float:
    """Return the seconds for which a failure goes on to keep a place out after it has ended."""
    return record.failback.hold_down * DRIFT if record.failback.mode is FailbackMode.AUTOMATIC else math.inf


def _as_checked(spells: list[_Spell], record: Record, *, works: bool) -> list[_Spell]:
    """Return the spells, the newest first, in which one that no check need have met counts as what is around it."""
    found: list[_Spell] = []
    for each in spells:
        unseen = each.works is not works and each.length < record.timing.recheck_interval / FAST
        if found and found[-1].works is works and (unseen or each.works is works):
            found[-1] = _Spell(works, each.start, found[-1].end)
        else:
            found.append(each)
    return found


def _has_not_risen(spells: list[_Spell], record: Record) -> bool:
    """Tell whether the last failure that nobody could overlook was not followed by `rise` checks yet."""
    rises = (record.timing.rise - 1) * record.timing.recheck_interval * FAST
    for spell in _as_checked(spells, record, works=True):
        if spell.works and spell.length >= rises:
            return False
        if not spell.works and spell.length >= detection(record):
            return True
    return False


def never_to_the_dead(history: History) -> Iterator[Violation]:
    """No write of ours brings in a place that had failed for so long that everybody knew it.

    Nor, for one that fails, one that had failed before it did: a check of it that began since then would have shown
    that, whatever was believed before, also by a process that has just begun. A person's word is no matter of health.
    Where nobody works, or has only begun to, and everybody is to answer then, they all come. A name that was empty, or
    had nothing of what is declared, takes what there is: never empty comes before a person's word, that before health.
    Where of several vantages only one that lies has looked at a place since, and the others are gone, it is believed.
    """
    if history.terms.may_lack_votes:
        return
    replay = Replay(history)
    past = _Past(history.terms.detection)
    for event in replay:
        if not isinstance(event, ZoneChanged) or event.by == OUTSIDER:
            past.take(event)
            continue
        for hostname in names_in(event):
            held = replay.answers(event.zone, hostname)
            before, after = values_in(held), values_in(answers_after(held, event, hostname))
            for record in replay.declared(hostname)[:1]:
                declared = {value for each in record.endpoints for value in each.addresses}
                at, long = event.sent_at, detection(record)
                came, gone = after - before, before - after
                undone = {each for each in came if past.left_unseen(event.zone, hostname, each, at)}
                past.left_at.update({(event.zone, hostname, each): event.at for each in gone})
                serves_all = record.when_all_unhealthy is WhenAllUnhealthy.SERVE_ALL and past.is_dark(record, at)
                if not before & declared or serves_all or not past.is_untold(hostname, at):
                    continue
                told = f"{event.by} brought {{}} into {hostname} in {event.zone}"
                for each in sorted(came & declared - undone):
                    is_dead = past.has_been(each, at, long, works=False)
                    working = [other for other in sorted(gone & declared) if past.has_been(other, at, long, works=True)]
                    if is_dead and past.is_calm(hostname, at):
                        message = f"{told.format(each)}, which had failed for long"
                        yield Violation(invariant="NeverToTheDead", at=event.at, message=message)
                    elif is_dead and working and past.is_clear(at):
                        message = f"{told.format(each)}, which had failed for long, for {working[0]}, which works"
                        yield Violation(invariant="NeverToTheDead", at=event.at, message=message)
                    elif left := past.left_for_failing(each, sorted(gone & declared), at):
                        message = f"{told.format(each)}, which had failed before {left} did"
                        yield Violation(invariant="NeverToTheDead", at=event.at, message=message)


def stays_suspended(history: History) -> Iterator[Violation]:
    """Whoever knows that a record is suspended changes no answer of it, not even to put it back."""
    replay = Replay(history)
    suspended_at: dict[tuple[str, str], float] = {}  # by site and name
    busy_until: dict[str, float] = defaultdict(lambda: NEVER)  # by controller: until when it may not have heard
    api_until = NEVER
    for event in replay:
        match event:
            case Befell(fault=fault, until=until) if fault in OF_AN_API_SERVER:
                api_until = max(api_until, until)
            case ProcessChanged(controller=controller, at=now):
                busy_until[controller] = now
            case Declared(site=site, key=key, record=record, at=now):
                known = [each.hostname for (at, it), each in replay.records.items() if (at, it) == (site, key)]
                if record is not None and record.suspend:
                    suspended_at.setdefault((site, record.hostname), now)
                else:
                    for hostname in known:
                        suspended_at.pop((site, hostname), None)
            case ZoneChanged(by=by, sent_at=sent_at) if by != OUTSIDER:
                for hostname in names_in(event):
                    since = suspended_at.get((history.terms.sites[by], hostname))
                    if since is not None and sent_at > max(since, busy_until[by], api_until) + NEWS:
                        message = f"{by} changed the answers of {hostname} in {event.zone}, which is suspended"
                        yield Violation(invariant="StaysSuspended", at=event.at, message=message)
            case _:
                pass
