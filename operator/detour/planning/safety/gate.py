"""The safety gate of one zone at work: it remembers what was let through, what is held, and what a person approved.

A change that is held stays undone: what was let through before is written, and put back where somebody changes it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from detour.model.record import ObjectKey
from detour.model.rrset import RRset, values_of
from detour.model.shared import NONE, shared
from detour.model.withdrawal import Withdrawal
from detour.model.zone import Safety
from detour.planning.safety.deletions import Deletions
from detour.planning.safety.departures import Departures
from detour.planning.safety.held import HeldChange, Holds
from detour.planning.safety.rules import HoldReason, Proposal, held_digest, hold, staying_in

NOTHING: Mapping[str, frozenset[str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Held:
    """A change that waits since `since` (engine seconds); `after` is what was proposed.

    Where departures keep the name from leaving `regions` that fail, they are those of `blocked`; it answers
    `elsewhere` too, or does not.
    """

    reason: HoldReason
    line: str
    since: float
    after: tuple[RRset, ...]
    blocked: frozenset[str] | None = None
    regions: frozenset[str] = frozenset()
    elsewhere: bool = False


@dataclass(slots=True, eq=False)
class _Name:
    """What the gate knows of one name.

    `let_through` are the sets that passed last, `regions` where it has, or is to have, values. It was let out of the
    regions `leaving`, in which the zone may still show it; of those in `unshown` before the zone showed it there; and
    of those in `stopped`, before a freeze stopped that: each with the values by which it would show. `excused` are
    regions that it left without counting, until it is back there.
    """

    let_through: tuple[RRset, ...] | None = None
    regions: frozenset[str] = NONE
    leaving: frozenset[str] = NONE
    unshown: Mapping[str, frozenset[str]] = field(default_factory=lambda: NOTHING)
    stopped: Mapping[str, frozenset[str]] = field(default_factory=lambda: NOTHING)
    excused: frozenset[str] = NONE


UNKNOWN = _Name()
"""What is known of a name that the gate has not met: never written to."""


class ZoneGate:
    """Lets changes of one zone through, or holds them. `clock` gives engine seconds.

    `departures` are those of the whole installation.
    """

    def __init__(self, safety: Safety, *, clock: Callable[[], float], departures: Departures) -> None:
        self.is_suspected = False
        self.deletions = Deletions(clock)
        self._clock = clock
        self._departures = departures
        self._names: dict[ObjectKey, _Name] = {}
        self._began_at = clock()
        self._last_left: dict[str, float] = {}  # when a name of this zone left a region last, for its status
        self._held: dict[ObjectKey, _Held] = {}
        self._blocked: dict[ObjectKey, _Held] = {}  # of these, what departures hold
        self._changes = 0
        self._judged_by = 0  # the departures' version by which what they block was judged last
        self._approved: dict[ObjectKey, tuple[RRset, ...]] = {}
        self._thawed: set[ObjectKey] = set()  # in a freeze: what a person approved since it began
        self.safety = safety

    @property
    def safety(self) -> Safety:
        """What the zone's declaration says of it."""
        return self._safety

    @safety.setter
    def safety(self, safety: Safety) -> None:
        self._safety = safety
        self._departures.keep_for(self, safety.window)
        if not safety.frozen:
            self._thawed.clear()

    # -- changes ---------------------------------------------------------------------------------------------------

    def last(self, record: ObjectKey) -> tuple[RRset, ...] | None:
        """Return the sets of `record` that were let through last."""
        return self._names.get(record, UNKNOWN).let_through

    def _name(self, record: ObjectKey) -> _Name:
        return self._names.setdefault(record, _Name())

    def freezes(self, record: ObjectKey) -> bool:
        """Tell whether the zone is frozen, and no person approved a change of `record` since."""
        return self.safety.frozen and record not in self._thawed

    def submit(self, proposal: Proposal) -> tuple[RRset, ...]:
        """Return the sets to write: those proposed, or where that has to wait, those before (which may be none).

        Where a name would leave several failing regions at once, it leaves as many as it may and stays in the others.
        """
        key = proposal.record
        self.survey(proposal)
        self._departures.expire(self._clock())
        blocked = self._blocks(proposal)
        reason = None if self._is_approved(proposal) else self._reason_to_hold(proposal, blocked)
        if reason is None:
            self._hold(key, None)
            return self._let(proposal)
        before = self._held.get(key)
        since = before.since if before and before.after == proposal.after else self._clock()
        leaves, elsewhere = self._leaves(proposal), _has_other_place(proposal)
        self._hold(key, _Held(reason, _change_line(proposal), since, proposal.after, blocked, leaves, elsewhere))
        if reason is HoldReason.FREEZE:
            name = self._name(key)
            name.let_through = None  # what a freeze stopped is decided anew when it ends, and counted then
            for region in sorted(self._set_leaving(key, NONE)):
                if region in proposal.regions_shown:
                    if not proposal.may_land:
                        self._departures.come_back(key, region, zone=self)
                    if values := proposal.values_in.get(region):  # unless it has been written, and we don't know yet
                        name.stopped = {**name.stopped, region: values}
                else:
                    self._is_gone(key, region, self._clock())
        if reason is not HoldReason.FREEZE and proposal.before:
            self._name(key).let_through = proposal.before  # what is wished until then, and put back
        if reason is HoldReason.REGIONS:
            for region in sorted(proposal.evacuates):
                partial = staying_in(proposal, proposal.evacuates - {region})
                if partial is not None and self._reason_to_hold(partial, self._blocks(partial)) is None:
                    return self._let(partial)
        return proposal.before

    def _hold(self, record: ObjectKey, held: _Held | None) -> None:
        if self._held.get(record) == held:
            return
        self._changes += 1
        self._held.pop(record, None)
        self._blocked.pop(record, None)
        if held is not None:
            self._held[record] = held
            if held.reason is HoldReason.REGIONS:
                self._blocked[record] = held

    def survey(self, proposal: Proposal) -> None:
        """Take note of where the name stands before anything passes: how much leaves a region is judged by that."""
        key, name = proposal.record, self._name(proposal.record)
        if not name.leaving & proposal.regions_shown:
            self._has_gone(key)
        if proposal.regions_before or not proposal.before:  # of an edited place nobody knows the region any more
            self._place(key, proposal.regions_before)
        uncertain = {*name.leaving, *name.stopped} if proposal.may_land else ()
        self._is_back(key, (proposal.regions_before & proposal.regions_shown).difference(uncertain))
        if self._clock() < self._began_at + self._departures.window:
            for region, since in sorted(proposal.absent.items()):  # the leader before us may have evacuated it, untold
                is_known = region in name.excused or self._departures.was_seen_gone(key, region, zone=self)
                if region not in proposal.regions_shown and not is_known:
                    self._is_gone(key, region, since)

    def _is_approved(self, proposal: Proposal) -> bool:
        """Tell whether a person approved exactly this; an approval counts once."""
        key = proposal.record
        is_approved = key in self._approved and self._approved.pop(key) == proposal.after
        if is_approved and self.safety.frozen:
            self._thawed.add(key)
        return is_approved

    def _let(self, proposal: Proposal) -> tuple[RRset, ...]:
        key, name = proposal.record, self._name(proposal.record)
        if proposal.after != proposal.before:
            is_nothing = self._departures.evacuates_nothing(key, has_other_place=_has_other_place(proposal))
            leaves = self._leaves(proposal)
            if proposal.may_land:  # what was let through there may be written yet: no place to keep, but it counts
                leaves |= proposal.evacuates & name.regions
            evacuated = NONE if is_nothing else leaves
            name.excused = shared(name.excused | proposal.regions_before - proposal.regions_after - evacuated)
            self._let_go_unshown(proposal, frozenset() if is_nothing else proposal.evacuates - leaves)
            for region in sorted(evacuated):
                self._note(region, self._clock())
                self._departures.leave(key, region, self._clock(), zone=self)
            self._set_leaving(key, (name.leaving | evacuated) - proposal.regions_after)
        name.let_through, name.stopped = proposal.after, NOTHING
        self._place(key, proposal.regions_after)
        return proposal.after

    def _let_go_unshown(self, proposal: Proposal, regions: frozenset[str]) -> None:
        """Take note of regions that the name is to leave, though the zone does not show it there.

        A write that puts it there may be on its way.
        """
        name = self._name(proposal.record)
        if name.unshown or regions:
            new = {region: values for region, values in proposal.values_in.items() if region in regions}
            known = {**name.unshown, **new}
            name.unshown = {region: its for region, its in known.items() if region not in proposal.regions_after}

    def shows(self, record: ObjectKey, values: Iterable[str]) -> None:
        """The zone has these values.

        A region that the name was let out of unseen is one that it is leaving, where it is among them; one that a
        freeze was to keep it in has been left, where it is not.
        """
        shown, name = frozenset(values), self._names.get(record, UNKNOWN)
        if name.unshown:
            leaving = {region for region, its in name.unshown.items() if not its.isdisjoint(shown)}
            name.unshown = {region: its for region, its in name.unshown.items() if region not in leaving}
            for region in sorted(leaving):
                self._note(region, self._clock())
                self._departures.leave(record, region, self._clock(), zone=self)
            self._set_leaving(record, name.leaving | leaving)
        if name.stopped:
            gone = {region for region, its in name.stopped.items() if its.isdisjoint(shown)}
            name.stopped = {region: its for region, its in name.stopped.items() if region not in gone}
            for region in sorted(gone):
                self._is_gone(record, region, self._clock())

    def arrived(self, record: ObjectKey, *, stands: bool = True) -> None:
        """What was let through last stands in the zone, or is not to be had there."""
        self._has_gone(record)
        if stands and (name := self._names.get(record)) is not None:
            name.unshown = NOTHING
            self._is_back(record, name.regions)

    def _is_back(self, record: ObjectKey, regions: frozenset[str]) -> None:
        """The zone shows the name in these regions: what it counted for there ends, or would not have counted."""
        for region in regions:
            self._departures.come_back(record, region, zone=self)
        if (name := self._names.get(record)) is not None and name.excused:
            name.excused = shared(name.excused - regions)

    def _has_gone(self, record: ObjectKey) -> None:
        """What the name was to leave it has left, or never will: the window begins now."""
        for region in sorted(self._set_leaving(record, NONE)):
            if self._departures.has_left(record, region, zone=self):
                self._is_gone(record, region, self._clock())

    def _set_leaving(self, record: ObjectKey, regions: frozenset[str]) -> frozenset[str]:
        """Take note which regions the zone may still show the name in; return those of before."""
        before = self._names.get(record, UNKNOWN).leaving
        if regions != before:
            self._name(record).leaving = shared(regions)
        for region in regions - before:
            self._departures.begin(record, region)
        for region in before - regions:
            self._departures.end(record, region)
        return before

    def _is_gone(self, record: ObjectKey, region: str, at: float) -> None:
        """The zone shows since `at` that the name has left a region: within the window that counts."""
        if at >= self._clock() - self._departures.window:
            self._note(region, at)
            self._departures.seen_gone(record, region, at, zone=self)

    def _note(self, region: str, at: float) -> None:
        self._last_left[region] = max(at, self._last_left.get(region, at))

    def _reason_to_hold(self, proposal: Proposal, blocked: frozenset[str] | None) -> HoldReason | None:
        if proposal.after == proposal.before:
            return None
        return hold(proposal, self.safety, is_suspected=self.is_suspected, is_blocked=blocked is not None)

    def _blocks(self, proposal: Proposal) -> frozenset[str] | None:
        """Return the regions that keep a name from leaving those that fail, None where it may or leaves none.

        What was let through and is not written yet is no place that could be kept: it would be brought in, dead.
        """
        return self._blocks_leaving(proposal.record, self._leaves(proposal), elsewhere=_has_other_place(proposal))

    def _leaves(self, proposal: Proposal) -> frozenset[str]:
        """Return the failing regions that a name would leave.

        Those are of the ones that the zone shows it in, or that it is held in and a write puts back.
        """
        held = self._held.get(proposal.record)
        put_back = held.regions if held is not None and (proposal.may_land or proposal.is_due) else frozenset()
        return proposal.evacuates & (proposal.regions_shown | put_back)

    def _blocks_leaving(self, record: ObjectKey, regions: frozenset[str], *, elsewhere: bool) -> frozenset[str] | None:
        if not regions:
            return None
        allowed = self.safety.max_regions_evacuated
        return self._departures.blocks(record, regions, allowed=allowed, has_other_place=elsewhere)

    def _place(self, record: ObjectKey, regions: frozenset[str]) -> None:
        """Take note that a name has, or is to have, values in these regions."""
        before = self._names.get(record, UNKNOWN).regions
        if regions != before:
            self._name(record).regions = shared(regions)
        if regions and not before:
            self._departures.manage(record)
        elif before and not regions:
            self._departures.release(record, zone=self)

    def forget(self, record: ObjectKey) -> None:
        """The record wants nothing here any more."""
        self._place(record, NONE)
        self.set_aside(record)
        self._names.pop(record, None)

    def set_aside(self, record: ObjectKey) -> None:
        """What was let through, held or approved for the record does not count any more: it is suspended."""
        self._hold(record, None)
        self._approved.pop(record, None)
        self._thawed.discard(record)
        if (name := self._names.get(record)) is not None:
            name.let_through, name.unshown, name.stopped = None, NOTHING, NOTHING
        self._set_leaving(record, NONE)  # it may never leave: what it counts for ends with the window

    def end_term(self) -> None:
        """The zone is written here no more: what was let through may never be seen to arrive."""
        for record, name in self._names.items():
            if name.leaving:
                self._set_leaving(record, NONE)

    def begin_term(self) -> None:
        """The zone comes into force here: what was let through, held or approved before does not count."""
        self._began_at = self._clock()
        self._departures.keep_for(self, self.safety.window)
        self.end_term()
        for name in self._names.values():
            name.let_through, name.excused, name.unshown, name.stopped = None, NONE, NOTHING, NOTHING
        self._held.clear()
        self._blocked.clear()
        self._changes += 1
        self._approved.clear()
        self._thawed.clear()

    # -- what is held ----------------------------------------------------------------------------------------------

    def approve(self, digest: str) -> list[Withdrawal] | None:
        """Let through what is held, if that is what `digest` stands for; return the deletions among it, else None."""
        if not digest or digest != self.holds().digest:
            return None
        self._approved = {key: each.after for key, each in self._held.items()}
        return self.deletions.take_held()

    def held(self, record: ObjectKey) -> HoldReason | None:
        """Return why the newest change of `record` is held, or None."""
        found = self._held.get(record)
        return found.reason if found else None

    def held_records(self) -> list[ObjectKey]:
        """Return the records with a change that is held; deletions are not among them."""
        return list(self._held)

    def due(self) -> list[ObjectKey]:
        """Return the records that departures keep from leaving, where they may leave some region now, or others block.

        Whatever else holds a change gives news of its own: checks, a declaration, the end of a suspicion. To ask the
        rule costs microseconds, to decide anew a thousand times that.
        """
        self._departures.expire(self._clock())
        if self._judged_by == self._departures.version:
            return []
        self._judged_by = self._departures.version
        return [record for record, each in self._blocked.items() if self._is_judged_anew(record, each)]

    def _is_judged_anew(self, record: ObjectKey, held: _Held) -> bool:
        if self._blocks_leaving(record, held.regions, elsewhere=held.elsewhere) != held.blocked:
            return True
        staying = [each for each in held.regions if not self._departures.has_left(record, each, zone=self)]
        single = [frozenset([each]) for each in staying if len(staying) > 1]  # it leaves as many as it may
        return any(self._blocks_leaving(record, each, elsewhere=True) is None for each in single)

    @property
    def is_pressing(self) -> bool:
        """Tell whether something is held that time alone may let through."""
        return self.deletions.are_waiting or bool(self._blocked)

    @property
    def version(self) -> int:
        """Another one whenever anything else is held than before."""
        return self._changes + self.deletions.version

    @property
    def held_count(self) -> int:
        """How many changes are held."""
        return len(self._held) + len(self.deletions.held())

    def hand_over(self, record: ObjectKey) -> None:
        """Another process decides for a name from now on, and counts what it has left."""
        self._set_leaving(record, NONE)
        self._departures.hand_over(record, zone=self)

    def close(self) -> None:
        """The zone is written here no more. What has left it counts until the window ends, or it is seen to be back."""
        self.end_term()
        for record, name in self._names.items():
            if name.regions:
                self._departures.release(record, zone=self)
                name.regions = NONE
        self._departures.keep_for(self, 0.0)

    def holds(self) -> Holds:
        """Return all that is held. The digest stands for these changes, held since then: not for others like them."""
        changes = [(each.reason, each.line, each.since) for each in self._held.values()]
        changes += [(reason, f"delete {each.hostname}", at) for reason, each, at in self.deletions.held()]
        digest = held_digest(f"{line} {since:.3f}" for _, line, since in changes) if changes else ""
        regions = next((each.blocked for each in self._held.values() if each.blocked is not None), None)
        blocked = self._departures.explain(regions, window=self._departures.window) if regions is not None else None
        return Holds(tuple(HeldChange(reason, line) for reason, line, _ in changes), digest, blocked)

    @property
    def counts_for(self) -> float:
        """Seconds for which a departure counts: the longest window of all zones, not this one's own."""
        return self._departures.window

    def evacuated(self) -> dict[str, tuple[int, float]]:
        """Return the regions that names of this zone have left within the window: how many in all, and when last."""
        now = self._clock()
        self._departures.expire(now)
        self._last_left = {region: at for region, at in self._last_left.items() if at >= now - self._departures.window}
        counts = {region: self._departures.count(region) for region in self._last_left}
        return {region: (number, self._last_left[region]) for region, number in counts.items() if number}


def _has_other_place(proposal: Proposal) -> bool:
    return bool(proposal.regions_before - proposal.evacuates)


def _change_line(proposal: Proposal) -> str:
    before, after = (", ".join(values_of(sets)) for sets in (proposal.before, proposal.after))
    return f"{proposal.hostname}: {before or 'nothing'} -> {after}"
