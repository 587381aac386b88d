"""Why answers may change: FailsStatic.

The truth about each endpoint is in the history. What a vantage could have seen of it is the truth for as long as it was
not blind; a change of answers without anything to see, to be told or to repair has no cause.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from detour.model.record import Strategy, WhenAllUnhealthy
from detour.model.rrset import RRKey, RRset
from detour_simulation.canaries import SHOWS
from detour_simulation.history import (
    OUTSIDER,
    Approved,
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
from detour_simulation.invariants.permissions import NEVER, NEWS, OF_AN_API_SERVER
from detour_simulation.invariants.replay import Replay, answers_after, names_in, values_in

CROSSED = 0.5
"""Seconds after a write has landed in which another one may be sent that was decided before."""


@dataclass(slots=True)
class _Sight:
    """What one controller can see: since when it is blind, what it saw last of each address, and when that changed."""

    blind: bool = False
    is_unchecked: bool = False  # its checks fail, its DNS questions do not
    seen: dict[str, bool] = field(default_factory=dict)
    changed_at: dict[str, float] = field(default_factory=dict)
    paused_at: float | None = None
    blind_at: float = NEVER
    paused_for: float = 0.0

    def blindfold(self, at: float, *, blind: bool) -> None:
        """Note that it is blind from now on, or sees again: what came up meanwhile is dealt with from then on."""
        if blind:
            self.blind_at = at
        elif self.blind:
            self.paused_for += at - self.blind_at
        self.blind = blind

    def note(self, state: str, at: float) -> None:
        """Note that the process was paused, or goes on."""
        if state == "paused":
            self.paused_at = at
        elif self.paused_at is not None:
            self.paused_for += at - self.paused_at
            self.paused_at = None

    def look(self, truth: dict[str, bool], at: float) -> None:
        """See how things are, unless blind."""
        if self.blind:
            return
        for address, works in truth.items():
            if self.seen.get(address, True) != works:
                self.seen[address] = works
                self.changed_at[address] = at


class _Causes:
    """What there was to see, to be told and to repair, up to the event that is looked at."""

    def __init__(self, replay: Replay) -> None:
        self.sights = {controller: _Sight() for controller in replay.history.terms.sites}
        self._replay = replay
        self._truth: dict[str, bool] = {}
        self._told_at = NEVER  # when something was last declared, damaged or approved, of which everything may depend
        self._lost_at = NEVER  # when a status was lost, and with it the memory of what had failed
        self._ever_failed: set[str] = set()
        self._record_told_at: dict[str, float] = defaultdict(lambda: NEVER)
        self._heard_at = NEVER  # until when what is declared may not be heard
        self._created_at: dict[str, float] = {}
        self._published_at: dict[tuple[str, str], float] = {}  # zone and name: when we first wrote there after that
        self._drained: set[tuple[str, str]] = set()
        self._leaving: set[str] = set()  # regions whose canary fails

    def take(self, event: Event) -> None:
        """Take note of an event that is not a change of ours."""
        match event:
            case HealthChanged() | BlindChanged() | ProcessChanged():
                self._see(event)
            case Befell(fault=fault, until=until) if fault in OF_AN_API_SERVER:
                self._heard_at = max(self._heard_at, until + NEWS)
            case Approved():
                self._told_at = event.at
            case RegionDeclared():
                place = (event.site, event.region)
                if (place in self._drained) is not event.drained:
                    (self._drained.add if event.drained else self._drained.discard)(place)
                    self._told_at = event.at
            case CanaryChanged(region=region, works=works):
                (self._leaving.discard if works else self._leaving.add)(region)
                self._told_at = max(self._told_at, event.at + SHOWS)
            case StatusDamaged():
                self._lost_at = event.at
            case Declared():
                self._declare(event)
            case ZoneChanged():
                self._told_at = event.at if event.damage else self._told_at
                for hostname in names_in(event):
                    self._record_told_at[hostname] = event.at
            case _:
                pass

    def _see(self, event: HealthChanged | BlindChanged | ProcessChanged) -> None:
        match event:
            case HealthChanged():
                self._truth[event.address] = event.works
                self._ever_failed.add(event.address)
                for sight in self.sights.values():
                    sight.look(self._truth, event.at)
            case BlindChanged():
                self.sights[event.controller].blindfold(event.at, blind=event.blind)
                self.sights[event.controller].look(self._truth, event.at)
                sight = self.sights[event.controller]
                sight.is_unchecked = event.blind and event.sees_dns
                seen_again = event.sees_dns and not event.blind
                if seen_again or not self._replay.history.terms.doubts_at_once:
                    self._told_at = event.at
            case ProcessChanged():
                self.sights[event.controller].note(event.state, event.at)

    def _declare(self, event: Declared) -> None:
        if event.record is not None and (event.site, event.key) not in self._replay.records:
            self._created_at[event.record.hostname] = event.at
            return
        if event.record is not None and event.record == self._replay.records.get((event.site, event.key)):
            return  # a finalizer, or an annotation that was taken away
        hostnames = {name for name, key in self._replay.hostnames.items() if key == event.key}
        hostnames |= {each.hostname for (_, key), each in self._replay.records.items() if key == event.key}
        for hostname in hostnames | ({event.record.hostname} if event.record else set()):
            self._record_told_at[hostname] = max(event.at, self._heard_at)

    def publish(self, event: ZoneChanged, hostname: str) -> None:
        """Note that a name was written, for the first time since its record was created."""
        place = (event.zone, hostname)
        if self._created_at.get(hostname, NEVER) >= self._published_at.get(place, NEVER):
            self._published_at[place] = event.sent_at

    def all_belong(
        self, before: dict[RRKey, RRset], after: dict[RRKey, RRset], hostname: str, had: Mapping[str, set[str]]
    ) -> bool:
        """Tell whether there are only more answers, which all work, and had a place before or have one by priority."""
        came = values_in(after) - values_in(before)
        if not came or not values_in(before) <= values_in(after):
            return False
        return came <= had[hostname] | self.with_place(hostname, values_in(before)) and self.all_work(came)

    def only_undeclared_go(self, before: dict[RRKey, RRset], after: dict[RRKey, RRset], hostname: str) -> bool:
        """Tell whether all that happens is that values which nobody declares any more go, however late."""
        declared = _addresses(self._replay, hostname)
        gone = values_in(before) - values_in(after)
        return bool(declared and gone) and values_in(after) <= values_in(before) and not gone & declared

    def leaves(self, zone: str, before: dict[RRKey, RRset], after: dict[RRKey, RRset], hostname: str) -> bool:
        """Tell whether answers only go from a zone that the record of their name does not declare any more."""
        declared = self._replay.declared(hostname)
        is_left = bool(declared) and all(zone != each.name for record in declared for each in record.zones)
        return is_left and after.items() <= before.items()

    def with_place(self, hostname: str, values: frozenset[str]) -> set[str]:
        """Return the addresses that have a place beside `values` by their priority."""
        found: set[str] = set()
        for record in self._replay.declared(hostname)[:1]:
            tiers = [each.priority for each in record.endpoints if values.intersection(each.addresses)]
            best = math.inf if record.strategy is Strategy.MULTI_VALUE else min(tiers, default=math.inf)
            for each in record.endpoints:
                found.update(each.addresses if each.priority <= best else ())
        return found

    def all_work(self, addresses: Iterable[str]) -> bool:
        """Tell whether all of these really work."""
        return all(self._truth.get(each, True) for each in addresses)

    def none_works(self, addresses: Iterable[str]) -> bool:
        """Tell whether all of these really fail."""
        return not any(self._truth.get(each, True) for each in addresses)

    def serves_all(self, addresses: Collection[str], hostname: str) -> bool:
        """Tell whether nobody works, and everybody is to answer where that is so."""
        declared = self._replay.declared(hostname)
        wanted = bool(declared) and declared[0].when_all_unhealthy is WhenAllUnhealthy.SERVE_ALL
        return wanted and bool(addresses) and self.none_works(_addresses(self._replay, hostname))

    def serves_all_that_is(self, addresses: Collection[str], hostname: str) -> bool:
        """Tell whether everybody may answer: who sees nobody work cannot tell that from the truth."""
        declared = self._replay.declared(hostname)
        wanted = bool(declared) and declared[0].when_all_unhealthy is WhenAllUnhealthy.SERVE_ALL
        return wanted and bool(addresses)

    def last(self, event: ZoneChanged, hostname: str) -> float:
        """Return when the last thing came up that may be behind a change of the answers of `hostname`."""
        if self._leaving:
            return math.inf
        sight = self.sights[event.by]
        addresses = _addresses(self._replay, hostname)
        seen = max((sight.changed_at.get(each, NEVER) for each in addresses), default=NEVER)
        told = max(self._told_at, self._record_told_at[hostname])
        created_at = self._created_at.get(hostname, NEVER)
        published_at = self._published_at.get((event.zone, hostname), NEVER)
        if created_at >= published_at or event.sent_at < published_at + self._replay.history.terms.detection:
            told = max(told, created_at)  # the first verdicts of a new record come in one by one
        if not self._ever_failed & addresses:
            return max(told, seen)
        if _is_dark(self._replay, hostname, sight, event.sent_at):
            return told
        return max(told, seen, self._lost_at)


def fails_static(history: History) -> Iterator[Violation]:
    """We change no answer without a cause since the last change: something seen, declared, or damaged.

    What was decided while a write was on its way may be to keep what stood there before that.

    Who works, and had a place before or has one by its priority, may take it at any time; and whoever has just claimed
    a zone finds its verdicts one by one.

    Where sets are written one by one a plan may end halfway, with its writer; then each set has a last change. How old
    remembered verdicts are is told by wall clocks, so nothing is said of a run once one jumped.
    """
    replay = Replay(history)
    causes = _Causes(replay)
    last_sent: dict[tuple[str, str, str], float] = {}
    landed: dict[tuple[str, str, str], float] = {}
    replaced: dict[tuple[str, str, str], frozenset[str]] = {}  # by what landed last
    had: dict[str, set[str]] = defaultdict(set)
    terms: dict[tuple[str, str], float] = {}
    accepted: dict[tuple[str, str], tuple[str, float]] = {}
    for event in replay:
        if isinstance(event, ClockJumped):
            return
        if not isinstance(event, ZoneChanged) or event.by == OUTSIDER:
            causes.take(event)
            continue
        sight = causes.sights[event.by]
        for hostname in names_in(event):
            before = replay.answers(event.zone, hostname)
            after = answers_after(before, event, hostname)
            changed = [key.type for key in sorted(before.keys() | after.keys()) if _of(before, key) != _of(after, key)]
            if not changed:
                continue
            place = (event.zone, hostname, changed[0] if event.zone in history.terms.one_by_one else "")
            since = last_sent.get(place, NEVER) - history.terms.detection - sight.paused_for
            is_accepted = accepted.get((event.zone, hostname)) == (event.by, event.sent_at)  # another set of it was
            began_at = terms.setdefault((event.zone, event.ledger.claim if event.ledger else ""), event.sent_at)
            is_new = event.sent_at < began_at + history.terms.detection and not sight.blind
            gone = values_in(before) - values_in(after)
            settles = is_new and (
                causes.serves_all(values_in(after), hostname)
                or (values_in(after) <= values_in(before) and causes.none_works(gone))
                or (
                    causes.all_work(values_in(after))
                    and (causes.none_works(gone) or not gone & causes.with_place(hostname, values_in(after)))
                )
            )
            undoes = event.sent_at < landed.get(place, NEVER) + CROSSED and values_in(after) == replaced.get(place)
            belongs = is_accepted or settles or undoes or causes.all_belong(before, after, hostname, had)
            belongs = belongs or causes.only_undeclared_go(before, after, hostname)
            belongs = belongs or (sight.is_unchecked and causes.serves_all_that_is(values_in(after), hostname))
            belongs = belongs or causes.leaves(event.zone, before, after, hostname)
            if before and not belongs and causes.last(event, hostname) < since:
                yield _uncaused(event, hostname, blind=sight.blind)
            accepted[event.zone, hostname] = (event.by, event.sent_at)
            had[hostname] |= values_in(after)
            last_sent[place] = event.sent_at
            landed[place], replaced[place] = event.at, values_in(before)
            causes.publish(event, hostname)


def _of(answers: Mapping[RRKey, RRset], key: RRKey) -> tuple[str, ...]:
    return answers[key].values if key in answers else ()


def _is_dark(replay: Replay, hostname: str, sight: _Sight, at: float) -> bool:
    """Tell whether nobody has been healthy for long, as far as could be seen, so that what is published has to stay."""
    records = replay.declared(hostname)
    addresses = _addresses(replay, hostname)
    long_ago = at - 2 * replay.history.terms.detection - sight.paused_for
    return (
        bool(records)
        and records[0].when_all_unhealthy is WhenAllUnhealthy.KEEP_LAST
        and all(not sight.seen.get(each, True) and sight.changed_at[each] < long_ago for each in addresses)
    )


def _addresses(replay: Replay, hostname: str) -> set[str]:
    return {
        address
        for record in replay.declared(hostname)
        for endpoint in record.endpoints
        for address in endpoint.addresses
    }


def _uncaused(event: ZoneChanged, hostname: str, *, blind: bool) -> Violation:
    told = " while it was blind" if blind else ""
    message = f"{event.by} changed the answers of {hostname} in {event.zone} without a cause{told}"
    return Violation(invariant="FailsStatic", at=event.at, message=message)
