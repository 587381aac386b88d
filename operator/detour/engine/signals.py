"""What sources outside say of the regions: each source is read once, however many regions it speaks of."""

import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from detour.checks.periodic import Periodic
from detour.engine.clock import Clock
from detour.engine.userreports import UserReports
from detour.health.signals import (
    FEED,
    Said,
    SignalCourse,
    SignalFinding,
    after,
    finding,
    heard,
    said_by_query,
    said_of_location,
)
from detour.model.region import Region
from detour.model.signals import FeedSource, QuerySource, Reading, Source, Unreadable

SOURCES_IN_FLIGHT = 8

READ_EVERY = 60.0
"""Seconds between two readings of a status page, unless the installation says otherwise."""

QUERY_EVERY = 15.0
"""Seconds between two times that a query is made, at most."""

MISSES = 3
"""Times in a row that a source cannot be read until what it said last counts for nothing any more."""


async def nothing_read(_: Source) -> Reading:
    """Return that nothing can be read: where there are no sources."""
    return Unreadable("this process reads no signals")


@dataclass(slots=True)
class _Source:
    """`reading` is the last that told something, None where none has; `misses` have come since, the last one `why`."""

    users: dict[str, None] = field(default_factory=dict)
    reading: Reading | None = None
    misses: int = 0
    why: str = ""

    @property
    def latest(self) -> Reading:
        if self.reading is None or self.misses >= MISSES:
            return Unreadable(self.why)
        return self.reading


@dataclass(frozen=True, slots=True)
class _Signal:
    """One of a region's signals: its name, where it is read, what a reading says, and for how long that must last."""

    name: str
    source: Source
    said: Callable[[Reading], Said]
    lasting: float


class Signals:
    """Reads what regions declare as signals. `on_news` gets the names of regions of which a source says otherwise.

    `read` never raises: it returns Unreadable. Status pages are read every so many seconds (`every`), and
    users' reports come in where this process `takes_reports`, and count while it `leads`.
    """

    def __init__(
        self,
        read: Callable[[Source], Awaitable[Reading]],
        *,
        clock: Clock,
        randomness: random.Random,
        on_news: Callable[[Iterable[str]], None],
        every: float = READ_EVERY,
        takes_reports: bool = False,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._clock = clock
        self._on_news = on_news
        self._every = every
        self._regions: dict[str, Region] = {}
        self._signals: dict[str, tuple[_Signal, ...]] = {}
        self._courses: dict[tuple[str, str], SignalCourse] = {}
        self._sources: dict[Source, _Source] = {}
        self._work: Periodic[Source, Reading] = Periodic(
            read, on_result=self._took, in_flight=SOURCES_IN_FLIGHT, random=randomness
        )
        self.reports = UserReports(clock, on_news=on_news, is_listening=takes_reports, leads=leads)

    async def run(self) -> None:
        """Read until cancelled."""
        await self._work.run()

    # -- what is asked for -----------------------------------------------------------------------------------------

    def watch(self, region: Region) -> None:
        """Read what a region declares as its signals, and nothing else for it."""
        before = {each.name: each for each in self._signals.get(region.name, ())}
        signals = _signals_of(region)
        self._regions[region.name], self._signals[region.name] = region, signals
        for each in before.values():
            if each.source not in {other.source for other in signals}:
                self._leave(each.source, region.name)
        for name in before.keys() - {each.name for each in signals}:
            self._courses.pop((region.name, name), None)
        for each in signals:
            if each.name in before and before[each.name].source != each.source:
                self._courses.pop((region.name, each.name), None)
            if each.source not in self._sources:
                self._sources[each.source] = _Source()
                self._work.add(each.source)
            self._sources[each.source].users[region.name] = None
            self._hear(region.name, each)
        self.reports.watch(region.name, region.signals.reports)

    def forget(self, name: str) -> None:
        """A region is gone."""
        self._regions.pop(name, None)
        for each in self._signals.pop(name, ()):
            self._courses.pop((name, each.name), None)
            self._leave(each.source, name)
        self.reports.watch(name, None)

    def _leave(self, source: Source, region: str) -> None:
        if (known := self._sources.get(source)) is not None:
            known.users.pop(region, None)
            if not known.users:
                del self._sources[source]
                self._work.discard(source)

    # -- what they say ---------------------------------------------------------------------------------------------

    def findings(self, name: str) -> tuple[SignalFinding, ...]:
        """Return what is known of the signals of a region by now."""
        now, found = self._clock.now(), []
        for each in self._signals.get(name, ()):
            course = self._courses.get((name, each.name), SignalCourse(since=now))
            self._courses[name, each.name] = course = after(course, lasting=each.lasting, now=now)
            found.append(finding(each.name, course, lasting=each.lasting))
        if (reported := self.reports.finding(name)) is not None:
            found.append(reported)
        return tuple(found)

    def _took(self, source: Source, reading: Reading, _: float) -> float:
        known = self._sources.get(source)
        if known is None:
            return self._every
        if isinstance(reading, Unreadable):
            known.misses, known.why = known.misses + 1, reading.message
        else:
            known.reading, known.misses = reading, 0
        touched = [
            name
            for name in known.users
            for each in self._signals.get(name, ())
            if each.source == source and self._hear(name, each)
        ]
        if touched:
            self._on_news(dict.fromkeys(touched))
        return min(QUERY_EVERY, self._every) if isinstance(source, QuerySource) else self._every

    def _hear(self, region: str, signal: _Signal) -> bool:
        """Take in what a signal's source says; tell whether that is news."""
        source = self._sources[signal.source]
        if source.reading is None and not source.misses:
            return False
        before = self._courses.get((region, signal.name), SignalCourse(since=self._clock.now()))
        said = signal.said(source.latest)
        course = heard(before, said, lasting=signal.lasting, now=self._clock.now())
        self._courses[region, signal.name] = course
        return course != before


def _signals_of(region: Region) -> tuple[_Signal, ...]:
    found = []
    if region.signals.feed:
        found.append(
            _Signal(
                FEED,
                FeedSource(region.cloud),
                partial(said_of_location, cloud=region.cloud, location=region.location),
                lasting=0.0,
            )
        )
    for rules in region.signals.queries:
        said = partial(said_by_query, above=rules.above, below=rules.below, name=rules.name)
        found.append(_Signal(rules.name, rules.source, said, rules.lasting))
    return tuple(found)
