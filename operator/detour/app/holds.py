"""The safety gate of one zone at work: it remembers what was let through, what is held, and what a person approved.

A change that is held stays undone: what was let through before is written, and put back where somebody changes it.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from detour.app.deletions import Deletions
from detour.enactment.wishes import Withdrawal
from detour.kube.picture import HeldChange, Holds, values_of
from detour.model.record import ObjectKey
from detour.model.rrset import RRset
from detour.model.zone import Safety
from detour.planning.gate import (
    HoldReason,
    Proposal,
    ZoneSituation,
    evacuated_regions,
    held_digest,
    hold,
    staying_in,
)


@dataclass(frozen=True, slots=True)
class _Held:
    """A change that waits since `since` (engine seconds); `after` is what was proposed."""

    reason: HoldReason
    line: str
    since: float
    after: tuple[RRset, ...]


class ZoneGate:
    """Lets changes of one zone through, or holds them. `clock` gives engine seconds.

    `evacuated` are regions with the time at which an earlier leader evacuated them.
    """

    def __init__(self, safety: Safety, *, clock: Callable[[], float], evacuated: Mapping[str, float]) -> None:
        self.is_suspected = False
        self.deletions = Deletions(clock)
        self._clock = clock
        self._evacuated = dict(evacuated)
        self._let_through: dict[ObjectKey, tuple[RRset, ...]] = {}
        self._regions: dict[ObjectKey, frozenset[str]] = {}
        self._serving: Counter[str] = Counter()
        self._departures: list[tuple[float, str, ObjectKey]] = []  # a heap
        self._returning: dict[str, dict[ObjectKey, float]] = {}  # let back into a region that does not show them yet
        self._began_at = clock()
        self._left: dict[str, dict[ObjectKey, float]] = {}
        self._leaving: dict[ObjectKey, frozenset[str]] = {}  # regions let go of, which the zone may still show
        self._held: dict[ObjectKey, _Held] = {}
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
        if not safety.frozen:
            self._thawed.clear()

    # -- changes ---------------------------------------------------------------------------------------------------

    def last(self, record: ObjectKey) -> tuple[RRset, ...] | None:
        """Return the sets of `record` that were let through last."""
        return self._let_through.get(record)

    def freezes(self, record: ObjectKey) -> bool:
        """Tell whether the zone is frozen, and no person approved a change of `record` since."""
        return self.safety.frozen and record not in self._thawed

    def submit(self, proposal: Proposal) -> tuple[RRset, ...]:
        """Return the sets to write: those proposed, or where that has to wait, those before (which may be none).

        Where a name would leave several failing regions at once, it leaves as many as it may and stays in the others.
        """
        key = proposal.record
        self.survey(proposal)
        reason = None if self._is_approved(proposal) else self._reason_to_hold(proposal)
        if reason is None:
            self._held.pop(key, None)
            return self._let(proposal)
        before = self._held.get(key)
        since = before.since if before and before.after == proposal.after else self._clock()
        self._held[key] = _Held(reason, _change_line(proposal), since, proposal.after)
        if reason is HoldReason.FREEZE:
            self._let_through.pop(key, None)  # what a freeze stopped is decided anew when it ends, and counted then
            self._leaving.pop(key, None)
        if reason is HoldReason.REGIONS:
            for region in sorted(proposal.evacuates):
                partial = staying_in(proposal, proposal.evacuates - {region})
                if partial is not None and self._reason_to_hold(partial) is None:
                    return self._let(partial)
        return proposal.before

    def survey(self, proposal: Proposal) -> None:
        """Take note of where the name stands before anything passes: how much leaves a region is judged by that."""
        key = proposal.record
        if not self._leaving.get(key, frozenset()) & proposal.regions_shown:
            self.arrived(key)
        self._place(key, proposal.regions_before)
        for region in proposal.regions_before & proposal.regions_shown:
            self._returning.get(region, {}).pop(key, None)  # it has come back
        for region in proposal.regions_before - proposal.regions_after:
            if (left_at := self._returning.get(region, {}).pop(key, None)) is not None:
                self._leave(key, region, left_at)  # it never did
        if self._clock() < self._began_at + self.safety.window:
            for region, since in sorted(proposal.absent.items()):  # the leader before us may have evacuated it, untold
                if key not in self._left.get(region, ()):
                    self._leave(key, region, since)

    def _is_approved(self, proposal: Proposal) -> bool:
        """Tell whether a person approved exactly this; an approval counts once."""
        key = proposal.record
        is_approved = key in self._approved and self._approved.pop(key) == proposal.after
        if is_approved and self.safety.frozen:
            self._thawed.add(key)
        return is_approved

    def _let(self, proposal: Proposal) -> tuple[RRset, ...]:
        key = proposal.record
        if proposal.after != proposal.before:
            for region in sorted(proposal.evacuates):
                self._leave(key, region, self._clock())
            self._leaving[key] = (self._leaving.get(key, frozenset()) | proposal.evacuates) - proposal.regions_after
        for region in proposal.regions_after:
            if (left_at := self._left.get(region, {}).pop(key, None)) is not None:
                self._returning.setdefault(region, {})[key] = left_at
        self._let_through[key] = proposal.after
        self._place(key, proposal.regions_after)
        return proposal.after

    def arrived(self, record: ObjectKey) -> None:
        """What was let through last stands in the zone, or is not to be had there: the window begins now."""
        for region in sorted(self._leaving.pop(record, ())):
            if record in self._left.get(region, ()):
                self._leave(record, region, self._clock())

    def _leave(self, record: ObjectKey, region: str, at: float) -> None:
        if at >= self._clock() - self.safety.window:
            self._left.setdefault(region, {})[record] = at
            heapq.heappush(self._departures, (at, region, record))

    def _reason_to_hold(self, proposal: Proposal) -> HoldReason | None:
        if proposal.after == proposal.before:
            return None
        self._forget_old()
        key = proposal.record
        returns = frozenset(region for region in proposal.regions_after if key in self._left.get(region, ()))
        return hold(replace(proposal, returns=returns), self._situation(), self.safety)

    def _situation(self) -> ZoneSituation:
        left = {region: len(records) for region, records in self._left.items()}
        return ZoneSituation(self._serving, left, frozenset(self._evacuated), is_suspected=self.is_suspected)

    def _place(self, record: ObjectKey, regions: frozenset[str]) -> None:
        """Take note that a name has, or is to have, values in these regions."""
        before = self._regions.pop(record, frozenset())
        self._serving.subtract(before)
        self._serving.update(regions)
        if regions:
            self._regions[record] = regions
        for region in regions - before if before else ():
            self._evacuated.pop(region, None)  # names come back to it

    def forget(self, record: ObjectKey) -> None:
        """The record wants nothing here any more."""
        self._place(record, frozenset())
        self.set_aside(record)
        for records in self._returning.values():
            records.pop(record, None)

    def set_aside(self, record: ObjectKey) -> None:
        """What was let through, held or approved for the record does not count any more: it is suspended."""
        self._let_through.pop(record, None)
        self._held.pop(record, None)
        self._approved.pop(record, None)
        self._thawed.discard(record)
        self._leaving.pop(record, None)  # it may never leave: what it counts for ends with the window

    def begin_term(self, evacuated: Mapping[str, float]) -> None:
        """The zone comes into force here: what was let through, held or approved before does not count."""
        self._began_at = self._clock()
        self._evacuated.update(evacuated)
        self._returning.clear()
        self._leaving.clear()
        self._let_through.clear()
        self._held.clear()
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

    def holds(self) -> Holds:
        """Return all that is held. The digest stands for these changes, held since then: not for others like them."""
        changes = [(each.reason, each.line, each.since) for each in self._held.values()]
        changes += [(reason, f"delete {each.hostname}", at) for reason, each, at in self.deletions.held()]
        digest = held_digest(f"{line} {since:.3f}" for _, line, since in changes) if changes else ""
        return Holds(tuple(HeldChange(reason, line) for reason, line, _ in changes), digest)

    def evacuated(self) -> dict[str, float]:
        """Return the regions evacuated within the window, and when (engine seconds)."""
        self._forget_old()
        regions = evacuated_regions(self._situation())
        found = {region: at for region, at in self._evacuated.items() if region in regions}
        for region, records in self._left.items():
            if region in regions and records:
                found[region] = max(records.values())
        return found

    def _forget_old(self) -> None:
        since = self._clock() - self.safety.window
        while self._departures and self._departures[0][0] < since:
            at, region, record = heapq.heappop(self._departures)
            if self._left.get(region, {}).get(record) == at:
                del self._left[region][record]
                if region in self._leaving.get(record, ()):
                    self._leave(record, region, self._clock())  # the provider has not taken it yet
        self._evacuated = {region: at for region, at in self._evacuated.items() if at >= since}


def _change_line(proposal: Proposal) -> str:
    before, after = (", ".join(values_of(sets)) for sets in (proposal.before, proposal.after))
    return f"{proposal.hostname}: {before or 'nothing'} -> {after}"
