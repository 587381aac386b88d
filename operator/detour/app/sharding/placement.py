"""Which replica takes which zones, and which it gives away: by what all of them see on the Leases. Pure.

Who has a zone keeps it. Zones that nobody has go to the replica that a hash ranks first for their unit, where that has
room; if it does not take them the next one does. A replica gives zones away where another one has most of the same
unit, where it is blind and others are not, and, one unit at a time, where another one has much less to do.
"""

import enum
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from detour.app.sharding.ties import Unit
from detour.model.record import ObjectKey

PATIENCE = 9.0
"""Seconds for which zones that nobody has are left to the replica that is ranked before this one."""

FIRST_LOOK_AROUND = 10.0
"""Seconds for which the first replica of all waits for others, before it takes zones that nobody ever had."""

JOINED = 60.0
"""Seconds after which a replica that joined is given zones that others have."""

ROOM = 1.25
"""A replica is ranked for more while it would have no more than so many times its share."""

UNEVEN = 1.25
"""A replica gives a unit away where it has more than so many times what another one would have with it."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica that lives. `since` is when it was seen first (engine seconds), `shares` in how many it divides quotas.

    `sees` says that its checks are to be believed.
    """

    identity: str
    since: float
    shares: int = 1
    sees: bool = True


@dataclass(frozen=True, slots=True)
class Scene:
    """What one replica, `me`, sees at `now` (engine seconds).

    `holders` has who has each zone, as far as that one lives; `free_since` since when nobody has the others. `counted`
    is in how many shares quotas are divided, those of replicas that may be back among them. `is_new` says that nobody
    ever had any zone.
    """

    me: str
    now: float
    replicas: Sequence[Replica]
    units: Sequence[Unit]
    holders: Mapping[ObjectKey, str] = field(default_factory=dict)
    free_since: Mapping[ObjectKey, float] = field(default_factory=dict)
    counted: int = 1
    is_new: bool = False

    @property
    def eligible(self) -> list[Replica]:
        """The replicas that may be given zones: those that see, or all where none does."""
        return [each for each in self.replicas if each.sees] or list(self.replicas)

    @property
    def is_admitted(self) -> bool:
        """Tell whether the others leave this replica its share of the quotas, or it has its share already."""
        taken = sum(1 / each.shares for each in self.replicas if each.identity != self.me)
        return self.me in self.holders.values() or taken + 1 / self.counted <= 1 + 1e-9


class Why(enum.Enum):
    """Why a replica gives zones away."""

    UNITE = "the other one has most names of the same unit"
    BLIND = "this one is blind, and the other one sees"
    EVEN = "the other one has much less to do"


@dataclass(frozen=True, slots=True)
class Gift:
    """Zones of this replica that another one is to have."""

    zones: frozenset[ObjectKey]
    to: str
    why: Why


def rank(unit: Unit, replica: Replica) -> bytes:
    """Return the place of a replica for a unit: the greatest comes first (highest random weight)."""
    return hashlib.blake2b(f"{unit.place}|{replica.identity}".encode(), digest_size=8).digest()


def takes(scene: Scene) -> list[ObjectKey]:
    """Return the zones that this replica is to take now."""
    found: list[ObjectKey] = []
    waits = scene.is_new and scene.now - min(each.since for each in scene.replicas) < FIRST_LOOK_AROUND
    if not scene.is_admitted or waits:
        return found
    loads = _loads(scene)
    allowed = ROOM * sum(_weight(each) for each in scene.units) / max(1, len(scene.eligible))
    for unit in sorted(scene.units, key=lambda each: each.place):
        free = sorted(zone for zone in unit.zones if zone not in scene.holders)
        if not free:
            continue
        order = _order(scene, unit, loads, allowed)
        if not order:
            continue
        loads[order[0]] = loads.get(order[0], 0) + _weight(unit)
        if scene.me not in order:
            continue
        turn = order.index(scene.me) * PATIENCE
        found += [zone for zone in free if scene.now - scene.free_since.get(zone, scene.now) >= turn]
    return found


def _order(scene: Scene, unit: Unit, loads: Mapping[str, float], allowed: float) -> list[str]:
    """Return who is to take what is free of a unit, the first one first."""
    if (main := main_holder(scene, unit)) is not None:
        return [main]
    ranked = sorted(scene.eligible, key=lambda each: rank(unit, each), reverse=True)
    fits = [each for each in ranked if loads.get(each.identity, 0) + _weight(unit) <= allowed]
    rest = sorted((each for each in ranked if each not in fits), key=lambda each: loads.get(each.identity, 0))
    return [each.identity for each in (*fits, *rest)]


def main_holder(scene: Scene, unit: Unit) -> str | None:
    """Return the replica that has most names of a unit, None where nobody has any zone of it."""
    counts: dict[str, int] = {}
    for zone, names in unit.names_of.items():
        if (holder := scene.holders.get(zone)) is not None:
            counts[holder] = counts.get(holder, 0) + names
    return min(counts, key=lambda each: (-counts[each], each), default=None)


def gifts(scene: Scene) -> list[Gift]:
    """Return what this replica is to give away."""
    found: list[Gift] = []
    mine = [(unit, held) for unit in scene.units if (held := _held(scene, unit, scene.me))]
    for unit, held in mine:
        main = main_holder(scene, unit)
        if main is not None and main != scene.me:
            found.append(Gift(held, main, Why.UNITE))
    if scene.me not in {each.identity for each in scene.eligible}:
        uniting = {zone for each in found for zone in each.zones}
        return found + _gifts_of_the_blind(scene, [each for each in mine if not each[1] & uniting])
    if not found and (even := _evening(scene, mine)) is not None:
        return [even]
    return found


def _gifts_of_the_blind(scene: Scene, mine: Iterable[tuple[Unit, frozenset[ObjectKey]]]) -> list[Gift]:
    loads, found = _loads(scene), []
    for unit, held in mine:
        order = [each for each in _order(_without(scene, unit), unit, loads, 0.0) if each != scene.me]
        if order:
            loads[order[0]] = loads.get(order[0], 0) + _weight(unit)
            found.append(Gift(held, order[0], Why.BLIND))
    return found


def _without(scene: Scene, unit: Unit) -> Scene:
    """Return the scene as if nobody had this unit."""
    holders = {zone: holder for zone, holder in scene.holders.items() if zone not in unit.zones}
    return replace(scene, holders=holders)


def _evening(scene: Scene, mine: Iterable[tuple[Unit, frozenset[ObjectKey]]]) -> Gift | None:
    """Return the unit to give to who has least, where that makes the work more even; only who has most gives."""
    loads = _loads(scene)
    others = [each for each in scene.eligible if each.identity != scene.me and scene.now - each.since >= JOINED]
    if not others or max(loads.items(), key=lambda each: (each[1], each[0]), default=("", 0))[0] != scene.me:
        return None
    least = min(others, key=lambda each: (loads.get(each.identity, 0), each.identity))
    have, its = loads[scene.me], loads.get(least.identity, 0)
    fitting = [(unit, held) for unit, held in mine if held == unit.zones and have > UNEVEN * (its + _weight(unit))]
    unit, held = max(fitting, key=lambda each: (_weight(each[0]), each[0].place), default=(None, frozenset()))
    return None if unit is None else Gift(held, least.identity, Why.EVEN)


def _held(scene: Scene, unit: Unit, identity: str) -> frozenset[ObjectKey]:
    return frozenset(zone for zone in unit.zones if scene.holders.get(zone) == identity)


def _loads(scene: Scene) -> dict[str, float]:
    """Return how much each replica has to do."""
    loads = {each.identity: 0.0 for each in scene.replicas}
    for unit in scene.units:
        if (main := main_holder(scene, unit)) is not None:
            loads[main] = loads.get(main, 0.0) + _weight(unit)
    return loads


def _weight(unit: Unit) -> int:
    """Return what a unit counts for: its names, and a little for each zone."""
    return unit.names + 10 * len(unit.zones)
