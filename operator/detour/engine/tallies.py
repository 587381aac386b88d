"""How many records stand how, in all, by zone and by region: kept as news come, never counted anew."""

from collections import Counter
from typing import NamedTuple, TypeVar

from detour.model.record import ObjectKey, Record
from detour.model.shared import shared
from detour.model.states import RecordState

Key = TypeVar("Key")


class Tallied(NamedTuple):
    """One record as it counts. Where it `lacks_spare` a single endpoint of several is healthy, or none."""

    state: RecordState
    zones: tuple[ObjectKey, ...] = ()
    regions: tuple[str, ...] = ()
    lacks_spare: bool = False


def tallied(record: Record, state: RecordState, healthy: int) -> Tallied:
    """Return how a record counts of which so many endpoints are healthy."""
    regions = tuple(dict.fromkeys(each.region for each in record.endpoints))
    return shared(Tallied(state, record.zones, regions, lacks_spare=len(record.endpoints) > 1 and healthy < 2))


class RecordTallies:
    """Counts records; `states` has the one of each."""

    def __init__(self) -> None:
        self.by_state = Counter[RecordState]()
        self.by_zone = Counter[tuple[ObjectKey, RecordState]]()
        self.by_region = Counter[tuple[str, RecordState]]()
        self.without_spare = 0
        self._known: dict[ObjectKey, Tallied] = {}

    def note(self, record: ObjectKey, now: Tallied | None) -> None:
        """Count a record as it is now, in place of how it was counted before; None where it is gone."""
        before = self._known.get(record)
        if before == now:
            return
        if before is not None:
            self._count(before, -1)
        if now is None:
            self._known.pop(record, None)
        else:
            self._known[record] = now
            self._count(now, 1)

    def _count(self, each: Tallied, number: int) -> None:
        self.by_state[each.state] += number
        self.without_spare += number * each.lacks_spare
        for zone in each.zones:
            _add(self.by_zone, (zone, each.state), number)
        for region in each.regions:
            _add(self.by_region, (region, each.state), number)

    def __len__(self) -> int:
        return len(self._known)

    def states(self) -> list[tuple[ObjectKey, RecordState]]:
        """Return the state of each record."""
        return [(key, each.state) for key, each in self._known.items()]


def _add(counter: Counter[Key], key: Key, number: int) -> None:
    counter[key] += number
    if not counter[key]:
        del counter[key]  # zones and regions come and go
