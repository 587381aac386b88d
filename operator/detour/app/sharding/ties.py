"""Which zones have to be in one hand: those that share a record, and DNSZones that stand for one zone at a provider.

A record is decided by one replica, so all its zones are that replica's; and a zone at a provider only one may write.
What a DNSZone stands for is what its provider said, as its status tells: a declaration alone ties nobody's zone. Pure;
nothing here walks all records.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from detour.model.record import ObjectKey


class Standing(NamedTuple):
    """What a DNSZone stands for: a zone at a provider, by the provider's own name for it."""

    provider: str
    zone_id: str


@dataclass(frozen=True, slots=True)
class Unit:
    """DNSZones that only one replica may have, each with how many records use it, or did."""

    names_of: Mapping[ObjectKey, int]

    @property
    def zones(self) -> frozenset[ObjectKey]:
        """Its zones."""
        return frozenset(self.names_of)

    @property
    def names(self) -> int:
        """How many records use any of them."""
        return sum(self.names_of.values())

    @property
    def place(self) -> ObjectKey:
        """What stands for the unit where replicas are ranked for it."""
        return min(self.names_of)


class Ties:
    """Keeps what ties zones together. `version` is another one whenever the units may be others."""

    def __init__(self) -> None:
        self.version = 0
        self._standing: dict[ObjectKey, Standing | None] = {}  # of the DNSZones that there are
        self._standing_for: dict[Standing, set[ObjectKey]] = {}
        self._zones: dict[ObjectKey, tuple[ObjectKey, ...]] = {}  # by record
        self._users: dict[ObjectKey, dict[ObjectKey, None]] = {}  # by zone
        self._tied: dict[ObjectKey, dict[ObjectKey, dict[ObjectKey, None]]] = {}  # by both zones, the records in them
        self._units: dict[ObjectKey, frozenset[ObjectKey]] = {}

    # -- what there is ---------------------------------------------------------------------------------------------

    def keep(self, record: ObjectKey, zones: Iterable[ObjectKey]) -> bool:
        """A record uses these zones, or may still be in them; tell whether they are others than before."""
        after = tuple(sorted(set(zones)))
        before = self._zones.get(record)
        if after == before:
            return False
        self.drop(record)
        self._zones[record] = after
        for zone in after:
            self._users.setdefault(zone, {})[record] = None
        for zone, other in _pairs(after):
            records = self._tied.setdefault(zone, {}).setdefault(other, {})
            if not records:
                self._change()
            records[record] = None
        return True

    def drop(self, record: ObjectKey) -> None:
        """A record is gone."""
        before = self._zones.pop(record, ())
        for zone in before:
            del self._users[zone][record]
            if not self._users[zone]:
                del self._users[zone]
        for zone, other in _pairs(before):
            del self._tied[zone][other][record]
            if not self._tied[zone][other]:
                del self._tied[zone][other]
                self._change()
            if not self._tied[zone]:
                del self._tied[zone]

    def declare(self, zone: ObjectKey, standing: Standing | None) -> None:
        """There is a DNSZone that stands for this, None where nobody knows yet."""
        if zone in self._standing and self._standing[zone] == standing:
            return
        self.remove(zone)
        self._standing[zone] = standing
        if standing is not None:
            self._standing_for.setdefault(standing, set()).add(zone)
        self._change()

    def remove(self, zone: ObjectKey) -> None:
        """A DNSZone is gone."""
        if zone not in self._standing:
            return
        standing = self._standing.pop(zone)
        if standing is not None:
            self._standing_for[standing].discard(zone)
            if not self._standing_for[standing]:
                del self._standing_for[standing]
        self._change()

    def _change(self) -> None:
        self.version += 1
        self._units.clear()

    # -- what follows ----------------------------------------------------------------------------------------------

    def zones(self) -> Iterable[ObjectKey]:
        """Return all DNSZones."""
        return self._standing.keys()

    def exists(self, zone: ObjectKey) -> bool:
        """Tell whether there is such a DNSZone."""
        return zone in self._standing

    def zones_of(self, record: ObjectKey) -> tuple[ObjectKey, ...]:
        """Return the zones that a record uses, or may still be in."""
        return self._zones.get(record, ())

    def users_of(self, zone: ObjectKey) -> Iterable[ObjectKey]:
        """Return the records that use a zone, or may still be in it."""
        return self._users.get(zone, ())

    def is_known(self, zone: ObjectKey) -> bool:
        """Tell whether it is known what a DNSZone stands for."""
        return self._standing.get(zone) is not None

    def twins_of(self, zone: ObjectKey) -> frozenset[ObjectKey]:
        """Return the DNSZones that stand for the same zone as this one, itself among them."""
        standing = self._standing.get(zone)
        return frozenset((zone,)) if standing is None else frozenset(self._standing_for[standing])

    def tied_to(self, zone: ObjectKey, most: int) -> list[tuple[ObjectKey, tuple[ObjectKey, ...]]]:
        """Return the zones that a zone is tied to, each with so many of the records in both at most."""
        tied = self._tied.get(zone, {})
        others = {*(each for each in tied if each in self._standing), *self.twins_of(zone)} - {zone}
        return [(other, tuple(islice(tied.get(other, ()), most))) for other in sorted(others)]

    def unit_of(self, zone: ObjectKey) -> frozenset[ObjectKey]:
        """Return the DNSZones that have to be in one hand with this one, itself among them."""
        if (known := self._units.get(zone)) is not None:
            return known
        found, ahead = {zone}, [zone]
        while ahead:
            here = ahead.pop()
            near = {*self._tied.get(here, ()), *self.twins_of(here)}
            for each in near - found:
                if each in self._standing:  # one that is not there ties nothing
                    found.add(each)
                    ahead.append(each)
        unit = frozenset(each for each in found if each in self._standing)
        self._units.update(dict.fromkeys(unit, unit))
        return unit

    def units(self) -> list[Unit]:
        """Return every unit."""
        found = dict.fromkeys(self.unit_of(zone) for zone in self._standing)
        return [Unit({zone: len(self._users.get(zone, ())) for zone in unit}) for unit in found]


def _pairs(zones: tuple[ObjectKey, ...]) -> Iterable[tuple[ObjectKey, ObjectKey]]:
    return ((zone, other) for zone in zones for other in zones if zone != other)
