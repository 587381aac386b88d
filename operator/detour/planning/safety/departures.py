"""Which names have left which regions because those failed: counted over all zones of an installation.

One region may fail, and everything in it may leave. That several fail at once is unlikely, and that the checks are
wrong is likelier. So the regions that most names have left are free, and all the others together may lose but a few:

    free       the `Safety.max_regions_evacuated` regions with most departures
    the rest   together no more than FREE_NAMES names, or FREE_SHARE of all managed names where that is more

Where more have left the rest all the same (they went on from one failing place to the next, or a person approved it),
only the regions that were free before lose more.

A namespace whose own names leave no more regions than are free is never held: what others do is none of its business.
Nor is a name held that was counted already and has nothing left but what fails: it evacuates nothing.

Where several replicas divide the names each counts its own, and what is free is agreed upon: see `Agreed`. Then a name
is held until its region, or its namespace's, is agreed to be free.

Tallies are kept as names leave and come back. Times are engine seconds and come in from outside.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from detour.model.record import ObjectKey

FREE_NAMES = 10
FREE_SHARE = 0.05
"""So many names, or this share of the managed ones if that is more, may leave regions beside the free ones."""

ANY_NUMBER = 1_000
"""How many regions may be free where nobody asks whether they may: names have left them."""

NAMES_TOLD = 3


@dataclass(frozen=True, slots=True)
class Blocked:
    """What holds a departure: `regions` beside the free ones with the names that left, until when they count.

    `until` is 0 where nothing counts any more: what is held is about to be let go.
    """

    regions: tuple[tuple[str, int], ...]
    names: tuple[str, ...]
    until: float


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the replicas that divide the names have agreed upon.

    `regions` are free, those for a namespace in `namespaces`, each in the order in which it came to be: a zone that
    allows fewer goes by the first ones. Those in `asked`, by namespace (empty: for all) and region, this replica has
    asked for, so that they stay free while it needs them. Here `names` may leave others.
    """

    regions: tuple[str, ...] = ()
    namespaces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asked: frozenset[tuple[str, str]] = frozenset()
    names: float = 0.0

    def free(self, namespace: str, allowed: int) -> set[str]:
        """Return the regions that are free here, or for one namespace, in a zone that allows so many."""
        found = self.namespaces.get(namespace, ()) if namespace else self.regions
        return {each for each in found[:allowed] if (namespace, each) in self.asked}


@dataclass(frozen=True, slots=True, order=True)
class Wanted:
    """A region that names would leave if it were agreed to be free: of one namespace, or of all where that is empty.

    So many are `allowed` to be.
    """

    namespace: str
    region: str
    allowed: int


@dataclass(slots=True)
class _Departure:
    """Since when a name goes without a region, in which zones, and whether any of these was seen to show it."""

    at: float
    zones: set[object] = field(default_factory=set)
    is_seen: bool = False


class Departures:
    """The departures within a window, of all zones. `on_change` hears of every change of `version`."""

    def __init__(self, free_names: int = FREE_NAMES, *, on_change: Callable[[], None] = lambda: None) -> None:
        self._on_change = on_change
        self._free_names = free_names
        self._left: dict[ObjectKey, dict[str, _Departure]] = {}
        self._by_region: dict[str, dict[ObjectKey, float]] = {}
        self._by_namespace: dict[str, Counter[str]] = {}
        self._oldest: list[tuple[float, str, ObjectKey]] = []  # a heap
        self._managed: Counter[ObjectKey] = Counter()
        self._remembered: dict[str, tuple[int, float]] = {}
        self._under_way: Counter[tuple[ObjectKey, str]] = Counter()
        self._windows: dict[object, float] = {}  # by zone
        self._agreed: Agreed | None = None
        self._wanted: set[Wanted] = set()
        self.on_want: Callable[[], None] = lambda: None
        self.on_agreed: Callable[[], None] = lambda: None
        self.window = 0.0
        self.version = 0  # another one whenever the rule may say something else than before

    def _change(self) -> None:
        self.version += 1
        self._on_change()

    def keep_for(self, zone: object, window: float) -> None:
        """A zone has departures count for `window` seconds, 0 where it is gone: the longest of all holds for each.

        After the last zone the window stays what it was, for those that are made anew.
        """
        self._windows[zone] = window
        if not window:
            del self._windows[zone]
        self.window = max(self._windows.values(), default=self.window)

    def remember(self, region: str, names: int, at: float) -> None:
        """An earlier leader wrote that so many names had left `region`, the last at `at`: at least so many count."""
        before = self._remembered.get(region, (0, 0.0))
        self._remembered[region] = (max(before[0], names), max(before[1], at))
        self._change()

    # -- several replicas -----------------------------------------------------------------------------------------

    def agree(self, agreed: Agreed) -> None:
        """Go by what the replicas have agreed upon."""
        if agreed != self._agreed:
            self._agreed = agreed
            self._change()
            self.on_agreed()

    def take_wanted(self) -> frozenset[Wanted]:
        """Return the regions that names wait for to be free since this was asked last."""
        wanted, self._wanted = frozenset(self._wanted), set()
        return wanted

    @property
    def managed(self) -> int:
        """How many names are managed here."""
        return len(self._managed)

    def left(self) -> dict[str, int]:
        """Return how many names have left each region."""
        return self._counts()

    def left_by_namespace(self) -> dict[str, tuple[str, ...]]:
        """Return which regions names of each namespace have left."""
        return {namespace: tuple(sorted(regions)) for namespace, regions in self._by_namespace.items()}

    # -- what is managed -----------------------------------------------------------------------------------------

    def manage(self, record: ObjectKey) -> None:
        """A zone has a name of `record`."""
        self._managed[record] += 1
        self._change()

    def hand_over(self, record: ObjectKey, *, zone: object) -> None:
        """Another process decides for the name of `record` in `zone` from now on, and counts what it has left."""
        for region, departure in list(self._left.get(record, {}).items()):
            departure.zones.discard(zone)
            if not departure.zones:
                self._end(record, region)

    def release(self, record: ObjectKey, *, zone: object) -> None:
        """A zone has the name of `record` no more.

        What it has left counts on, until the window ends or any zone shows it there: records and zones are deleted and
        made anew also while a region fails.
        """
        self._managed[record] -= 1
        self._change()
        for departure in self._left.get(record, {}).values():
            departure.zones.discard(zone)
        if self._managed[record] <= 0:
            del self._managed[record]

    # -- leaving and coming back -----------------------------------------------------------------------------------

    def leave(self, record: ObjectKey, region: str, at: float, *, zone: object) -> None:
        """The name of `record` is to leave `region` in `zone` because it fails there, as was decided at `at`."""
        regions = self._left.setdefault(record, {})
        if region not in regions:
            self._change()
            self._by_namespace.setdefault(record.namespace, Counter())[region] += 1
            regions[region] = _Departure(at)
        departure = regions[region]
        departure.zones.add(zone)
        self._date(record, region, max(at, departure.at))
        if self._agreed is not None and region not in self._agreed.regions:
            self._tell_what_was_left(self._agreed)

    def _tell_what_was_left(self, agreed: Agreed) -> None:
        """Have regions count for all replicas that names have left unasked, where these are more than may."""
        rest = {region: number for region, number in self._counts().items() if region not in agreed.regions}
        if sum(rest.values()) > agreed.names:
            self._want(Wanted("", region, ANY_NUMBER) for region in rest)

    def _want(self, wanted: Iterable[Wanted]) -> None:
        before = len(self._wanted)
        self._wanted.update(wanted)
        if len(self._wanted) != before:
            self.on_want()

    def seen_gone(self, record: ObjectKey, region: str, at: float, *, zone: object) -> None:
        """The zone shows since `at` that the name has left `region`."""
        self.leave(record, region, at, zone=zone)
        departure = self._left[record][region]
        if not departure.is_seen:
            self._change()
        departure.is_seen = True

    def come_back(self, record: ObjectKey, region: str, *, zone: object) -> float | None:
        """The name is let back into `region` in `zone`; return when it had left, None where it had not left there.

        It counts for as long as any other zone goes without.
        """
        departure = self._left.get(record, {}).get(region)
        if departure is None or (departure.zones and zone not in departure.zones):
            return None
        departure.zones.discard(zone)
        if not departure.zones:
            self._end(record, region)
        return departure.at

    def has_left(self, record: ObjectKey, region: str, *, zone: object) -> bool:
        """Tell whether the name counts as having left `region` in `zone`."""
        departure = self._left.get(record, {}).get(region)
        return departure is not None and zone in departure.zones

    def was_seen_gone(self, record: ObjectKey, region: str, *, zone: object) -> bool:
        """Tell whether the name counts as having left `region` in `zone`, and any zone was seen to show it."""
        return self.has_left(record, region, zone=zone) and self._left[record][region].is_seen

    def _date(self, record: ObjectKey, region: str, at: float) -> None:
        self._left[record][region].at = at
        self._by_region.setdefault(region, {})[record] = at
        heapq.heappush(self._oldest, (at, region, record))

    def _end(self, record: ObjectKey, region: str) -> None:
        self._change()
        del self._left[record][region]
        if not self._left[record]:
            del self._left[record]
        del self._by_region[region][record]
        if not self._by_region[region]:
            del self._by_region[region]
        counts = self._by_namespace[record.namespace]
        counts[region] -= 1
        if counts[region] <= 0:
            del counts[region]
        if not counts:
            del self._by_namespace[record.namespace]

    def begin(self, record: ObjectKey, region: str) -> None:
        """A zone is about to show that the name has left `region`: until it does, the window does not begin."""
        self._under_way[record, region] += 1

    def end(self, record: ObjectKey, region: str) -> None:
        """A zone shows it, or never will."""
        self._under_way[record, region] -= 1
        if self._under_way[record, region] <= 0:
            del self._under_way[record, region]

    def expire(self, now: float) -> None:
        """Forget what left longer ago than the window."""
        since = now - self.window
        for region in [region for region, (_, at) in self._remembered.items() if at < since]:
            del self._remembered[region]
            self._change()
        while self._oldest and self._oldest[0][0] < since:
            at, region, record = heapq.heappop(self._oldest)
            departure = self._left.get(record, {}).get(region)
            if departure is None or departure.at != at:
                continue
            if (record, region) in self._under_way:
                self._date(record, region, now)
            else:
                self._end(record, region)

    def count(self, region: str) -> int:
        """Return how many names have left `region`."""
        return max(len(self._by_region.get(region, ())), self._remembered.get(region, (0, 0.0))[0])

    def evacuates_nothing(self, record: ObjectKey, *, has_other_place: bool) -> bool:
        """Tell whether a name that leaves failing places was seen to leave one already, and has none that works."""
        return not has_other_place and any(each.is_seen for each in self._left.get(record, {}).values())

    # -- the rule --------------------------------------------------------------------------------------------------

    def blocks(
        self,
        record: ObjectKey,
        regions: Iterable[str],
        *,
        allowed: int,
        has_other_place: bool,
    ) -> frozenset[str] | None:
        """Return the regions beside the free ones that keep the name of `record` from leaving `regions`, which fail.

        None where it may. `allowed` regions are free; `has_other_place` says that it answers elsewhere too.
        """
        own = self._left.get(record, {})
        new = [each for each in regions if each not in own]
        if not new or self.evacuates_nothing(record, has_other_place=has_other_place):
            return None
        before = self._counts()
        counts = {**before, **{region: before.get(region, 0) + 1 for region in new}}
        if self._agreed is not None:
            return self._blocks_by_agreement(self._agreed, record.namespace, new, counts, allowed)
        free = set(heapq.nlargest(allowed, counts, key=lambda region: counts[region]))
        rest = {region: number for region, number in counts.items() if region not in free}
        if sum(rest.values()) <= max(self._free_names, FREE_SHARE * len(self._managed)):
            return None
        # Once the rest is full, no departure makes its own region a free one. Of equals the first one is free.
        free = set(heapq.nlargest(allowed, counts, key=lambda region: before.get(region, 0)))
        rest = {region: number for region, number in counts.items() if region not in free}
        if free.issuperset(new):
            return None
        namespace = {*self._by_namespace.get(record.namespace, ()), *self._remembered, *new}  # whose, it does not say
        if len(namespace) <= allowed:
            return None
        return frozenset(rest)

    def _blocks_by_agreement(
        self, agreed: Agreed, namespace: str, new: Sequence[str], counts: Mapping[str, int], allowed: int
    ) -> frozenset[str] | None:
        free = agreed.free("", allowed)
        rest = {region: number for region, number in counts.items() if region not in free}
        if sum(rest.values()) <= agreed.names or set(new).issubset(free):
            return None
        own = {*self._by_namespace.get(namespace, ()), *new}
        if own.issubset(agreed.free(namespace, allowed)):
            return None
        self._want(Wanted(each, region, allowed) for region in {*new, *own} for each in ("", namespace))
        return frozenset(rest)

    def explain(self, rest: Iterable[str], *, window: float) -> Blocked:
        """Return what a person is told of departures from these regions."""
        rest = frozenset(rest)
        left = {region: self._by_region.get(region, {}) for region in rest}
        names = sorted({str(each) for found in left.values() for each in found})
        times = [at for found in left.values() for at in found.values()]
        times += [at for region, (_, at) in self._remembered.items() if region in rest]
        counts = self._counts()
        regions = sorted(
            ((each, counts[each]) for each in rest if each in counts), key=lambda each: (-each[1], each[0])
        )
        return Blocked(tuple(regions), tuple(names), min(times) + window if times else 0.0)

    def _counts(self) -> dict[str, int]:
        """Return how many names have left each region, first those that names began to leave first."""
        counts = {region: names for region, (names, _) in self._remembered.items()}
        for region, found in self._by_region.items():
            counts[region] = max(len(found), counts.get(region, 0))
        return counts
