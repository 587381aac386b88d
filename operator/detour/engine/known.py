"""FailoverRecords at work, with the objects that they came from, by key, by zone and by region."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from detour.engine.ports import Origin
from detour.engine.recordkeeper import RecordKeeper
from detour.model.objects import Subject
from detour.model.record import ObjectKey
from detour.model.shared import NONE, shared

Place = TypeVar("Place")


@dataclass(slots=True, eq=False)
class KnownRecord:
    """What the engine has of a record; `awaiting` are the zones that still hold the name of one being deleted.

    `zones` are those that it has, or had, to do with; `regions` those of its endpoints.
    """

    subject: Subject
    origin: Origin
    keeper: RecordKeeper
    awaiting: set[ObjectKey] | None = None
    zones: frozenset[ObjectKey] = NONE
    regions: frozenset[str] = NONE


class KnownRecords:
    """All records. Who asks for those of a zone or a region need not look at the others."""

    def __init__(self) -> None:
        self._known: dict[ObjectKey, KnownRecord] = {}
        self._in_zone: dict[ObjectKey, dict[ObjectKey, None]] = {}
        self._in_region: dict[str, dict[ObjectKey, None]] = {}

    def get(self, key: ObjectKey) -> KnownRecord | None:
        """Return a record, None where there is none of that key."""
        return self._known.get(key)

    def __iter__(self) -> Iterator[ObjectKey]:
        return iter(self._known)

    def values(self) -> Collection[KnownRecord]:
        """Return every record."""
        return self._known.values()

    @property
    def regions(self) -> Collection[str]:
        """The regions of all endpoints."""
        return self._in_region.keys()

    def in_zones(self, zones: Iterable[ObjectKey]) -> list[ObjectKey]:
        """Return the records that have to do with any of these zones, or had, in the order of their coming."""
        return list(dict.fromkeys(key for zone in zones for key in self._in_zone.get(zone, ())))

    def in_region(self, region: str) -> list[ObjectKey]:
        """Return the records that have an endpoint in a region."""
        return list(self._in_region.get(region, ()))

    def keep(self, key: ObjectKey, known: KnownRecord) -> bool:
        """Take over a record as it is by now; tell whether that changes which regions there are."""
        keeper = known.keeper
        is_another = self._known.get(key) not in (None, known) and self.drop(key)
        self._known[key] = known
        known.zones = shared(known.zones.union(keeper.record.zones, keeper.zones_left_behind()))
        for zone in known.zones:
            self._in_zone.setdefault(zone, {})[key] = None
        regions = shared(frozenset(each.region for each in keeper.record.endpoints))
        is_new = any(region not in self._in_region for region in regions)
        is_gone = self._leave_regions(known.regions - regions, key)
        known.regions = regions
        for region in sorted(regions):
            self._in_region.setdefault(region, {})[key] = None
        return is_new or is_gone or is_another

    def drop(self, key: ObjectKey) -> bool:
        """Let go of a record; tell whether that changes which regions there are."""
        known = self._known.pop(key)
        _leave(self._in_zone, known.zones, key)
        return self._leave_regions(known.regions, key)

    def _leave_regions(self, regions: Iterable[str], key: ObjectKey) -> bool:
        before = len(self._in_region)
        _leave(self._in_region, regions, key)
        return len(self._in_region) != before


def _leave(index: dict[Place, dict[ObjectKey, None]], places: Iterable[Place], key: ObjectKey) -> None:
    for place in places:
        found = index.get(place, {})
        found.pop(key, None)
        if not found:
            index.pop(place, None)
