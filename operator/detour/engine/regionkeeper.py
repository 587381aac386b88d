"""All CloudRegions: who is drained, and how each fares by the endpoints that name it.

A drain with an end ends at the first of two moments: when the wall clock shows that time, or when as much time has
passed as was left when the end was declared. So a clock that is set back keeps no drain alive, and one that is set
right after a wrong start, or that ran on while the machine was suspended, ends it in time. A drain that is over stays
over, also for the next process, which reads that in status; whoever wants another one gives another end.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from detour.engine.clock import Clock
from detour.engine.pictures import RegionPicture
from detour.health.regions import RegionHealth, region_health
from detour.model.endpoint import AdminState, Region
from detour.model.health import Verdict
from detour.model.objects import Subject
from detour.model.record import ObjectKey

SAME = 1.0
"""Seconds: ends of a drain that differ by less are one, as a status has whole seconds."""


@dataclass(slots=True)
class _Known:
    """`ends_at` (engine seconds) is when the drain is over at the latest, None where it has no end."""

    subject: Subject
    region: Region
    since: float
    health: RegionHealth
    ends_at: float | None
    has_ended: bool

    @property
    def effective(self) -> Region:
        """The region as it counts now, without an end that would have to be looked up on a clock."""
        state = AdminState.ACTIVE if self.has_ended else self.region.state
        return replace(self.region, state=state, until=None)


Placed = tuple[str, Verdict]
"""The region of an endpoint, and its verdict."""


class RegionKeeper:
    """Judges regions by the verdicts of their endpoints, which it counts; `on_news` gets whose status has news."""

    def __init__(self, clock: Clock, *, on_news: Callable[[Subject], None]) -> None:
        self._clock = clock
        self._on_news = on_news
        self._known: dict[str, _Known] = {}
        self._counts: dict[str, Counter[Verdict]] = {}
        self._counted: dict[ObjectKey, tuple[Placed, ...]] = {}
        self._elsewhere: dict[str, Counter[Verdict]] = {}

    def count_elsewhere(self, tallies: Iterable[Mapping[str, Mapping[Verdict, int]]]) -> None:
        """Other processes count the endpoints of the records that they decide for: so many of each region."""
        found: dict[str, Counter[Verdict]] = {}
        for tally in tallies:
            for region, counts in tally.items():
                found.setdefault(region, Counter()).update(counts)
        before, self._elsewhere = self._elsewhere, found
        for region in {*before, *found}:
            if before.get(region) != found.get(region):
                self.judge(region)

    def counted_here(self) -> dict[str, Mapping[Verdict, int]]:
        """Return how many endpoints of the records that are decided for here each region has, by verdict."""
        return {region: +counts for region, counts in self._counts.items()}

    def note(self, record: ObjectKey, endpoints: Iterable[Placed]) -> set[str]:
        """Count the endpoints of a record, in place of those counted before; return the regions that this changes."""
        after = tuple(endpoints)
        before = self._counted.pop(record, ())
        if after:
            self._counted[record] = after
        if before == after:
            return set()
        for region, verdict in after:
            self._counts.setdefault(region, Counter())[verdict] += 1
        for region, verdict in before:
            self._counts[region][verdict] -= 1
            if not +self._counts[region]:
                del self._counts[region]
        found, gone = Counter(after), Counter(before)
        return {region for region, _ in (found - gone) + (gone - found)}

    def counted(self, region: str) -> Mapping[Verdict, int]:
        """Return how many endpoints a region has, by verdict."""
        return self._counts.get(region, Counter()) + self._elsewhere.get(region, Counter())

    def declare(self, subject: Subject, region: Region, *, ended: float | None = None) -> None:
        """A CloudRegion is new or changed; `ended` is the end of a drain that is over, as its status tells."""
        now = self._clock.wall()
        before = self._known.get(region.name)
        known = _Known(
            subject,
            region,
            before.since if before else now,
            before.health if before else region_health(region, {}, now),
            ends_at=None if region.until is None else self._clock.now() + region.until - now,
            has_ended=region.until is not None and ended is not None and abs(region.until - ended) < SAME,
        )
        if before is not None and before.region.until == region.until:
            known.ends_at, known.has_ended = before.ends_at, before.has_ended
        self._known[region.name] = known
        self._end_drain(known)
        self.judge(region.name)

    @property
    def names(self) -> Collection[str]:
        """The regions that are declared."""
        return self._known.keys()

    def remove(self, name: str) -> None:
        """A CloudRegion is gone: nothing drains its endpoints any more."""
        self._known.pop(name, None)

    def drained(self) -> frozenset[str]:
        """Return the names of the regions that are drained now."""
        for known in self._known.values():
            self._end_drain(known)
        return frozenset(name for name, each in self._known.items() if each.effective.state is AdminState.DRAINED)

    def drain_ends_in(self, name: str) -> float | None:
        """Return the seconds until a region's drain is over at the latest, None where none with an end is in force."""
        known = self._known.get(name)
        if known is None or known.ends_at is None:
            return None
        self._end_drain(known)
        return None if known.has_ended else max(0.0, known.ends_at - self._clock.now())

    def _end_drain(self, known: _Known) -> None:
        until, ends_at = known.region.until, known.ends_at
        if until is not None and ends_at is not None:
            known.has_ended = known.has_ended or self._clock.now() >= ends_at or self._clock.wall() >= until

    def judge(self, name: str) -> None:
        """Look at a region's endpoints anew; a name without a CloudRegion is ignored."""
        known = self._known.get(name)
        if known is None:
            return
        now = self._clock.wall()
        self._end_drain(known)
        health = region_health(known.effective, self.counted(name), now)
        if health.phase is not known.health.phase:
            known.since = now
        known.health = health
        self._on_news(known.subject)

    def judge_all(self) -> None:
        """Look at every region anew."""
        for name in list(self._known):
            self.judge(name)

    def picture(self, name: str) -> RegionPicture | None:
        """Return what there is to tell of a region."""
        known = self._known.get(name)
        if known is None:
            return None
        ended = known.region.until if known.has_ended else None
        return RegionPicture(name, known.region.generation, known.health, known.since, ended)
