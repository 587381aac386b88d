"""All CloudRegions: who is drained, and how each fares by the endpoints that name it."""

from collections.abc import Callable
from dataclasses import dataclass

from detour.app.clock import Clock
from detour.health.regions import RegionHealth, region_health
from detour.kube.picture import RegionPicture
from detour.kube.reporting import Subject
from detour.model.endpoint import Region
from detour.model.health import Verdict


@dataclass(slots=True)
class _Known:
    subject: Subject
    region: Region
    since: float
    health: RegionHealth


class RegionKeeper:
    """Judges regions by `verdicts_in`, the verdicts of a region's endpoints; `on_news` gets whose status has news."""

    def __init__(
        self, clock: Clock, *, verdicts_in: Callable[[str], list[Verdict]], on_news: Callable[[Subject], None]
    ) -> None:
        self._clock = clock
        self._verdicts_in = verdicts_in
        self._on_news = on_news
        self._known: dict[str, _Known] = {}

    def declare(self, subject: Subject, region: Region) -> None:
        """A CloudRegion is new or changed."""
        now = self._clock.wall()
        before = self._known.get(region.name)
        health = before.health if before else region_health(region, self._verdicts_in(region.name), now)
        self._known[region.name] = _Known(subject, region, before.since if before else now, health)
        self.judge(region.name)

    def remove(self, name: str) -> None:
        """A CloudRegion is gone: nothing drains its endpoints any more."""
        self._known.pop(name, None)

    def drained(self) -> frozenset[str]:
        """Return the names of the regions that are drained now."""
        now = self._clock.wall()
        return frozenset(name for name, known in self._known.items() if known.region.is_drained(now))

    def judge(self, name: str) -> None:
        """Look at a region's endpoints anew; a name without a CloudRegion is ignored."""
        known = self._known.get(name)
        if known is None:
            return
        now = self._clock.wall()
        health = region_health(known.region, self._verdicts_in(name), now)
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
        return RegionPicture(name, known.region.generation, known.health, known.since)
