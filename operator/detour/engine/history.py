"""What was let through for one record, as the revisions of its status, of which a person may pin one."""

from collections.abc import Mapping
from dataclasses import dataclass

from detour.engine.clock import Clock
from detour.engine.pictures import Revision
from detour.model.memory import RecordMemory
from detour.model.record import ObjectKey
from detour.model.rrset import RRset, values_of
from detour.planning.decision import Basis, Ruling

HISTORY_LENGTH = 10

Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Transition:
    """A decision that changed what is published."""

    before: Values
    after: Values
    reason: str
    basis: Basis
    is_first: bool


class History:
    """Keeps the last sets that were let through. Where a record's zones differ, each set is a revision of its own."""

    __slots__ = (
        *("_clock", "_last_number", "_let_through", "_newest", "_pinned", "_recalled", "_wished", "revisions"),
    )

    def __init__(self, memory: RecordMemory, clock: Clock) -> None:
        self._clock = clock
        self._pinned: tuple[str, Revision] | None = None
        self.recall(memory)

    def recall(self, memory: RecordMemory) -> None:
        """Go on from the history in a status."""
        self.revisions: tuple[Revision, ...] = tuple(
            Revision(each.revision, each.values, each.reason, each.at or 0.0, each.was_there) for each in memory.history
        )[:HISTORY_LENGTH]
        self._last_number = max((memory.revision, *(each.number for each in self.revisions)))
        self._let_through: dict[ObjectKey, Values] = {}
        self._wished: dict[ObjectKey, Values] = {}
        newest = self.revisions[0].values if self.revisions else ()
        apart = {tuple(sorted(each.values)) for each in memory.zones if each.published}
        self._newest, self._recalled = newest, (newest, *sorted(apart if len(apart) > 1 else ()))

    def stands(self, zone: ObjectKey, sets: tuple[RRset, ...]) -> None:
        """Go on from what `zone` holds, not from a status that tells something else."""
        if values := _values(sets):
            self._let_through[zone] = self._newest = values

    def let_through(
        self,
        sets: Mapping[ObjectKey, tuple[RRset, ...]],
        rulings: Mapping[ObjectKey, Ruling],
        *,
        pin: str | None,
        counts: bool,
    ) -> Transition | None:
        """Take note of what passed the safety gate of each zone; return the first change of it, None without one.

        It becomes a revision where it `counts`: not if nothing is to be written, as with a suspended record.
        """
        known = self._let_through if counts else {**self._let_through, **self._wished}
        after = {zone: values for zone, each in sets.items() if zone in rulings and (values := _values(each))}
        new: dict[Values, ObjectKey] = {}
        for zone, values in after.items():
            if values not in known.values() and (zone in known or values not in self._recalled):
                new.setdefault(values, zone)
        self._wished = {**known, **after}
        if counts:
            self._let_through = self._wished
            for values, zone in reversed(new.items()):
                self._keep(values, rulings[zone].reason, pin)
        if not new:
            return None
        values, zone = next(iter(new.items()))
        before = known.get(zone, self._newest)
        return Transition(before, values, rulings[zone].reason, rulings[zone].basis, is_first=not before)

    def found(self, values: Values, told: str, *, pin: str | None) -> None:
        """Keep what a name had when it was taken over, so that it can be pinned."""
        if values and all(each.values != values for each in self.revisions):
            self._keep(values, told, pin, was_there=True)

    def _keep(self, values: Values, reason: str, pin: str | None, *, was_there: bool = False) -> None:
        self._last_number += 1
        revision = Revision(self._last_number, values, reason, self._clock.wall(), was_there)
        kept = [revision, *self.revisions]
        while len(kept) > HISTORY_LENGTH:  # the one that is pinned stays among them
            kept.remove(next(each for each in reversed(kept) if str(each.number) != pin))
        self.revisions = tuple(kept)

    def pinned(self, pin: str | None) -> Revision | None:
        """Return the revision with this number, also once it has left the history; None where there never was one."""
        if pin is None:
            return None
        if self._pinned is None or self._pinned[0] != pin:
            found = [each for each in self.revisions if str(each.number) == pin]
            self._pinned = (pin, found[0]) if found else None
        return self._pinned[1] if self._pinned else None


def _values(sets: tuple[RRset, ...]) -> Values:
    return tuple(sorted(values_of(sets)))
