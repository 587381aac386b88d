"""What users report of names that do not work for them, counted for the regions that Detour published then.

Who reports is known as a number that says nothing outside this process, and is forgotten after minutes. What is kept is
how many reports there were in each hour of the last weeks.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from detour.engine.clock import Clock
from detour.health.reports import (
    HOUR,
    WEEK,
    WEEKS_KEPT,
    WINDOW,
    Heard,
    Weeks,
    begins,
    hour_number,
    said_by_users,
    usual,
)
from detour.health.signals import REPORTS, SignalCourse, SignalFinding, SignalState, finding, heard
from detour.model.record import ObjectKey
from detour.model.shared import NONE
from detour.model.signals import ReportRules

SLOT = 60.0
"""Seconds in which one client counts once for a region."""

MOST_CLIENTS = 10_000
"""Clients of a region that are told apart in one slot; more change nothing any more."""

LOOK_EVERY = 5.0
"""Seconds between two looks at what was reported lately, while there is any."""

TOLD_EVERY = 1.0
"""Seconds between two pieces of news of a region."""

FULL_ENOUGH = 0.5
"""The share of an hour that must have been listened to, so that its reports count as those of the hour."""


@dataclass(slots=True)
class _Region:
    rules: ReportRules
    course: SignalCourse
    weeks: dict[int, dict[int, int]]
    hour: int
    listened_since: float
    reports: int = 0  # in this hour
    told_at: float = float("-inf")
    slots: dict[int, set[int]] = field(default_factory=dict)


class UserReports:
    """Counts reports, if it `is_listening`. `on_news` gets the names of regions of which enough may have come.

    Only who `leads` knows what is published: what others do not count is not taken for silence.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        on_news: Callable[[Iterable[str]], None],
        is_listening: bool = True,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._clock = clock
        self._leads = leads
        self._is_listening = is_listening
        self._on_news = on_news
        self._regions: dict[str, _Region] = {}
        self._remembered: dict[str, Weeks] = {}
        self._served: dict[str, dict[ObjectKey, frozenset[str]]] = {}
        self._hostnames: dict[ObjectKey, str] = {}

    def watch(self, name: str, rules: ReportRules | None) -> None:
        """Count what concerns a region by these rules, or count nothing for it any more."""
        known = self._regions.get(name)
        if rules is None:
            self._regions.pop(name, None)
        elif known is None:
            wall = self._clock.wall()
            weeks = {week: dict(hours) for week, hours in self._remembered.pop(name, {}).items()}
            course = SignalCourse(since=self._clock.now())
            self._regions[name] = _Region(rules, course, weeks, hour_number(wall), wall)
        else:
            known.rules = rules

    def remember(self, name: str, weeks: Weeks) -> None:
        """Go on from what was counted before this process began, unless it counts already."""
        if name not in self._regions:
            self._remembered[name] = weeks

    def lead(self, remembered: Mapping[str, Weeks]) -> None:
        """Count from now on, on top of what whoever led before has counted."""
        wall = self._clock.wall()
        for name, region in self._regions.items():
            region.weeks = {week: dict(hours) for week, hours in remembered.get(name, region.weeks).items()}
            region.hour, region.listened_since, region.reports = hour_number(wall), wall, 0

    def published(self, record: ObjectKey, hostname: str, regions: frozenset[str]) -> None:
        """The name of a record leads to places in these regions now."""
        if not self._is_listening:
            return
        before = self._hostnames.get(record)
        if before is not None and (before != hostname or not regions):
            self._served[before].pop(record, None)
            if not self._served[before]:
                del self._served[before]
            del self._hostnames[record]
        if regions:
            self._hostnames[record] = hostname
            self._served.setdefault(hostname, {})[record] = regions

    def reported(self, hostname: str, client: int) -> bool:
        """A client says that a name does not work for it; return whether that counts anywhere."""
        served = self._served.get(hostname)
        if not served or not self._leads():
            return False
        counts = False
        for name in sorted(frozenset().union(*served.values())):
            if (region := self._regions.get(name)) is not None:
                counts = self._count(name, region, client) or counts
        return counts

    def _count(self, name: str, region: _Region, client: int) -> bool:
        now = self._clock.now()
        self._turn_hour(region)
        slot = region.slots.setdefault(int(now // SLOT), set())
        if client in slot or len(slot) >= MOST_CLIENTS:
            return False
        slot.add(client)
        region.reports += 1
        if now >= region.told_at + TOLD_EVERY:
            region.told_at = now
            self._on_news((name,))
        return True

    def finding(self, name: str) -> SignalFinding | None:
        """Return what users say of a region by now, None where they are not asked."""
        region = self._regions.get(name)
        if region is None:
            return None
        if self._is_listening and not self._leads():
            told = "the replica that leads takes what users report"
            return SignalFinding(REPORTS, SignalState.UNKNOWN, told, region.course.since)
        if not self._is_listening:
            told = "nobody takes users' reports: switch userReports on in the chart"
            return SignalFinding(REPORTS, SignalState.UNKNOWN, told, region.course.since)
        now, lasting = self._clock.now(), region.rules.lasting
        self._turn_hour(region)
        oldest = int((now - WINDOW) // SLOT)
        for slot in [each for each in region.slots if each <= oldest]:
            del region.slots[slot]
        clients: frozenset[int] = NONE.union(*region.slots.values())
        lately = Heard(sum(map(len, region.slots.values())), len(clients))
        said = said_by_users(lately, usual(region.weeks, region.hour), region.rules)
        region.course = heard(region.course, said, lasting=lasting, now=now)
        found = finding(REPORTS, region.course, lasting=lasting)
        hour_ends = now + begins(region.hour + 1) - self._clock.wall() + 1.0
        times = [hour_ends, *([now + LOOK_EVERY] if region.slots else [])]
        return replace(found, look_at=min(times if found.look_at is None else [found.look_at, *times]))

    def weeks(self, name: str) -> Weeks:
        """Return how many reports there were for a region in the hours of the last weeks."""
        region = self._regions.get(name)
        if region is None:
            return self._remembered.get(name, {})
        if self._is_listening and self._leads():
            self._turn_hour(region)
        return region.weeks

    def _turn_hour(self, region: _Region) -> None:
        """Keep what was reported in the hours that are over, as far as enough of each was listened to."""
        wall = self._clock.wall()
        hour = hour_number(wall)
        if not 0 <= hour - region.hour <= WEEK:  # the wall clock was set
            region.hour, region.reports, region.listened_since = hour, 0, wall
        while region.hour < hour:
            ended = begins(region.hour + 1)
            share = min(1.0, (ended - region.listened_since) / HOUR)
            week, of_week = divmod(region.hour, WEEK)
            if share >= FULL_ENOUGH:
                region.weeks.setdefault(week, {})[of_week] = round(region.reports / share)
            region.hour, region.reports, region.listened_since = region.hour + 1, 0, ended
        for old in [each for each in region.weeks if each < hour // WEEK - WEEKS_KEPT]:
            del region.weeks[old]
