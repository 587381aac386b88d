"""What was decided for a record, zone by zone."""

import enum
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from detour.model.record import ObjectKey
from detour.model.rrset import RRset
from detour.planning.grounds import NO_LOOKS, Looks, joined
from detour.planning.rotation import AT_REST, Turning


class Basis(enum.StrEnum):
    """Why these values: chosen on health, pinned by a person, or nobody was fit and a person or a rule filled in."""

    CHOSEN = "Chosen"
    FORCED = "Forced"
    PINNED = "Pinned"
    KEEP_LAST = "KeepLast"
    SERVE_ALL = "ServeAll"


@dataclass(frozen=True, slots=True)
class Serving:
    """An endpoint that answers, with the values published for it."""

    endpoint: str
    region: str
    priority: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one zone should hold, at least one set, why, and who answers by it."""

    basis: Basis
    reason: str
    serving: tuple[Serving, ...]
    sets: tuple[RRset, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What zones of a record should hold. `looks` may change it.

    `waiting` are zones for which nothing is decided anew yet: what was decided for them before stands. `turning` is
    what is known of addresses that rotate: while some wait, what stood before is decided for.
    """

    rulings: Mapping[ObjectKey, Ruling]
    decide_again_at: float | None = None
    looks: Looks = NO_LOOKS
    turning: Turning = AT_REST
    waiting: frozenset[ObjectKey] = frozenset()

    @property
    def _first(self) -> Ruling:
        return next(iter(self.rulings.values()))

    @property
    def basis(self) -> Basis:
        """Why these values, in the first zone: with few exceptions it is the same in all."""
        return self._first.basis

    @property
    def reason(self) -> str:
        """Why, in the first zone, and in those for which there is another reason."""
        told = {self._first.reason: ""}
        for zone, each in self.rulings.items():
            told.setdefault(each.reason, f"in {zone}: ")
        return "; ".join(f"{where}{reason}" for reason, where in told.items())

    @property
    def sets(self) -> dict[ObjectKey, tuple[RRset, ...]]:
        """What each zone should hold."""
        return {zone: each.sets for zone, each in self.rulings.items()}

    def without(self, zones: Collection[ObjectKey], why: str) -> "Decision | Undecided":
        """Return this without what it says for `zones`; where nothing is left that is undecided, for this reason."""
        rulings = {zone: each for zone, each in self.rulings.items() if zone not in zones}
        if rulings:
            return replace(self, rulings=rulings)
        return Undecided(why, self.decide_again_at, self.looks, self.waiting)

    def of(self, zones: Collection[ObjectKey]) -> "Decision | None":
        """Return what this says for `zones`, None where that is nothing."""
        rulings = {zone: each for zone, each in self.rulings.items() if zone in zones}
        return replace(self, rulings=rulings) if rulings else None

    def after(self, before: "Decision | None") -> "Decision":
        """Return this with what was decided before for those zones that wait."""
        if before is None or not self.waiting:
            return self
        carried = {zone: each for zone, each in before.rulings.items() if zone in self.waiting}
        return replace(self, rulings={**self.rulings, **carried})


@dataclass(frozen=True, slots=True)
class Undecided:
    """For `zones` nothing is decided anew: what was decided before stands. `decide_again_at` None waits for news."""

    reason: str
    decide_again_at: float | None = None
    looks: Looks = NO_LOOKS
    zones: frozenset[ObjectKey] = field(default=frozenset())


def together(outcomes: Iterable[Decision | Undecided]) -> Decision | Undecided:
    """Return what was decided for several zones, each for some, as one; undecided where it all is."""
    outcomes = tuple(outcomes)
    first, *others = outcomes
    if not others:
        return first
    decided = [each for each in outcomes if isinstance(each, Decision)]
    waiting = [each for each in outcomes if isinstance(each, Undecided)]
    times = [each.decide_again_at for each in outcomes if each.decide_again_at is not None]
    again_at, looks = min(times, default=None), joined(*(each.looks for each in outcomes))
    zones = frozenset().union(*(each.zones for each in waiting))
    if not decided:
        return replace(waiting[0], decide_again_at=again_at, looks=looks, zones=zones)
    return Decision(
        rulings={zone: each for found in decided for zone, each in found.rulings.items()},
        decide_again_at=again_at,
        looks=looks,
        turning=Turning.of_all([each.turning for each in decided]),
        waiting=zones,
    )
