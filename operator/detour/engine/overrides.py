"""The overrides that people declare, which of them are in force, and when each ends.

One ends at the first of two moments: when the wall clock shows its end, or when as much time has passed as was left
when it was seen first. So a clock that is set back keeps none alive. One that is over stays over, also for the next
process, which reads that in status. All are looked at when one is due, and now and then: never for each that comes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from detour.engine.clock import Clock
from detour.engine.pictures import OverridePicture
from detour.model.objects import Kind, Subject
from detour.model.overrides import Action, Override
from detour.model.record import ObjectKey
from detour.model.states import OverrideState

Place = tuple[Kind, ObjectKey]
"""What an override is about: a FailoverRecord, a CloudRegion or a DNSZone."""


@dataclass(slots=True)
class _Known:
    """`ends_at` in engine seconds; `ended_at`, where it is over, in seconds since the Unix epoch."""

    subject: Subject
    override: Override
    ends_at: float
    ended_at: float | None

    @property
    def is_in_force(self) -> bool:
        return self.ended_at is None and not self.override.lasts_too_long


class Overrides:
    """Knows them all. `on_change` gets one that comes into force, or does not count any more.

    `missing` tells what an override is about that is not there, empty where everything is.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        on_change: Callable[[Override], None],
        on_news: Callable[[Subject], None],
        missing: Callable[[Override], str],
        is_verified: bool,
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._on_news = on_news
        self._missing = missing
        self._is_verified = is_verified
        self._known: dict[Subject, _Known] = {}
        self._about: dict[Place, dict[Subject, Override]] = {}  # those that are in force

    def declare(self, subject: Subject, override: Override, ended_at: float | None) -> None:
        """An override is new or was changed; at `ended_at` it was over, as its status tells (None where it is not)."""
        before = self._known.get(subject)
        if before is not None and before.override == override:
            return
        self._drop(subject)
        ends_at = self._clock.now() + override.expires - self._clock.wall()
        known = self._known[subject] = _Known(subject, override, ends_at, ended_at)
        self._look_at(known)
        if known.is_in_force:
            self._about.setdefault(_place(override), {})[subject] = override
            self._on_change(override)
        self._on_news(subject)

    def remove(self, subject: Subject) -> None:
        """An override is gone: what it was about is as it was."""
        self._drop(subject)

    def left_of(self, subject: Subject) -> float | None:
        """Return the seconds until one is over at the latest, None where it is not in force."""
        known = self._known.get(subject)
        return max(0.0, known.ends_at - self._clock.now()) if known is not None and known.is_in_force else None

    def end_those_that_are_over(self) -> float | None:
        """Let go of those whose time is over; return the seconds until the next one's is, None without one."""
        left = []
        for known in list(self._known.values()):
            if not known.is_in_force:
                continue
            self._look_at(known)
            if known.is_in_force:
                left.append(known.ends_at - self._clock.now())
            else:
                self._take_out(known)
                self._on_news(known.subject)
        return max(0.0, min(left)) if left else None

    def on_record(self, record: ObjectKey) -> tuple[Override, ...]:
        """Return those in force that are about a record."""
        return tuple(self._about.get((Kind.FAILOVER_RECORD, record), {}).values())

    def on_region(self, region: str) -> tuple[Override, ...]:
        """Return those in force that are about a region."""
        return tuple(self._about.get((Kind.CLOUD_REGION, ObjectKey("", region)), {}).values())

    def on_zone(self, zone: ObjectKey) -> tuple[Override, ...]:
        """Return those in force that are about a zone."""
        return tuple(self._about.get((Kind.DNS_ZONE, zone), {}).values())

    def look_again_at_those_on(self, kind: Kind, key: ObjectKey) -> None:
        """An object has come, or gone, or is another now."""
        for subject in self._about.get((kind, key), ()):
            self._on_news(subject)

    def ages(self) -> Mapping[Action, tuple[int, float]]:
        """Return of each action how many are in force, and the seconds for which the oldest of them has been."""
        found: dict[Action, tuple[int, float]] = {}
        for known in self._known.values():
            if known.is_in_force:
                count, oldest = found.get(known.override.action, (0, 0.0))
                age = max(0.0, self._clock.wall() - known.override.created)
                found[known.override.action] = (count + 1, max(oldest, age))
        return found

    def picture(self, subject: Subject) -> OverridePicture | None:
        """Return what there is to tell of one."""
        known = self._known.get(subject)
        if known is None:
            return None
        missing = self._missing(known.override) if known.is_in_force else ""
        return OverridePicture(known.override, self._state(known, missing), missing, known.ended_at, self._is_verified)

    def _state(self, known: _Known, missing: str) -> OverrideState:
        if known.ended_at is not None:
            return OverrideState.EXPIRED
        if known.override.lasts_too_long:
            return OverrideState.REFUSED
        return OverrideState.WAITING if missing else OverrideState.IN_FORCE

    def _look_at(self, known: _Known) -> None:
        is_over = self._clock.now() >= known.ends_at or self._clock.wall() >= known.override.expires
        if known.ended_at is None and is_over:
            known.ended_at = min(self._clock.wall(), known.override.expires)

    def _drop(self, subject: Subject) -> None:
        known = self._known.pop(subject, None)
        if known is not None:
            self._take_out(known)

    def _take_out(self, known: _Known) -> None:
        place = _place(known.override)
        found = self._about.get(place, {})
        if found.pop(known.subject, None) is not None:
            if not found:
                del self._about[place]
            self._on_change(known.override)


def _place(override: Override) -> Place:
    """Return what an override is about."""
    if override.record is not None:
        return Kind.FAILOVER_RECORD, override.record
    if override.zone is not None:
        return Kind.DNS_ZONE, override.zone
    return Kind.CLOUD_REGION, ObjectKey("", override.region or "")


def told_of(override: Override) -> str:
    """Return which override, by whom and why, for sentences."""
    return f"override {override.key.name} ({override.requested_by}: {override.reason})"
