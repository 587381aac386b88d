"""When a name may leave a zone that its record does not declare any more. Pure.

An edit of `spec.zones` is no deletion: the name goes on elsewhere. So it leaves only once it is there, as read from the
provider after the edit, and once the world is not sent to the zone that it leaves. A typing mistake in the new entry, a
renamed DNSZone or a delegation that was forgotten must not take a name off the internet.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from detour.enactment.wishes import Explanation
from detour.model.record import ObjectKey

NOT_THERE_YET = "NotThereYet"
STILL_DELEGATED = "StillDelegated"
SAME_HOSTED_ZONE = "SameHostedZone"
SUSPENDED = "Suspended"

UNKNOWN_TTL = 172800.0
"""Seconds that an NS set is taken to live in caches where its TTL was never seen: two days, as at most parents."""


LOOKED_AT_LATELY = 10.0
"""Seconds for which a look at the parent counts where a name is to go: it may name the zone again by now."""


@dataclass(slots=True)
class LeavingZone:
    """A zone that a record leaves, since `since` (engine seconds).

    `why` says what keeps its name there for now; `is_asked` that the name is to be removed.
    """

    since: float
    why: Explanation | None = None
    is_asked: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a record stands in one of the zones that it declares: `trouble` says what is missing, None where nothing."""

    zone: ObjectKey
    trouble: str | None


@dataclass(frozen=True, slots=True)
class ParentView:
    """Where the parent sends the world for the domain of a zone, as a resolver tells. Times are engine seconds.

    `sends_here` None says that it could not be asked; `first_away_at` is since when it was seen to name none of the
    zone's servers, `ttl` how long the last set that named them, or else the present one, lives in caches.
    `applies` is False where the provider names no servers that a parent could name, `was_named` says that some
    were seen to be named, `looked_at` when that was looked for last.
    """

    applies: bool = False
    sends_here: bool | None = None
    first_away_at: float | None = None
    ttl: float = UNKNOWN_TTL
    was_named: bool = False
    looked_at: float | None = None

    def seen(self, name_servers: Iterable[str] | None, *, ours: Iterable[str], ttl: float, now: float) -> "ParentView":
        """Return the view after a look: `name_servers` the world is sent to (None: unknown), `ours` the zone's own."""
        own = frozenset(ours)
        if not own:
            return ParentView()
        if name_servers is None:
            return replace(self, applies=True, sends_here=None, looked_at=now)
        if own.intersection(name_servers):
            goes_on = self.was_named and self.first_away_at is None
            longest = max(ttl, self.ttl) if goes_on else ttl  # a cache counts down
            return ParentView(True, True, None, longest, was_named=True, looked_at=now)
        since = now if self.first_away_at is None else self.first_away_at
        is_known = self.was_named or self.first_away_at is not None
        ttl = self.ttl if is_known else ttl
        return ParentView(True, False, since, ttl, was_named=self.was_named, looked_at=now)

    def is_fresh(self, now: float) -> bool:
        """Tell whether it is new enough to let a name go by it: that caches have forgotten has to be seen since."""
        if not self.applies:
            return True
        forgotten_at = self.first_away_at + self.ttl if self.first_away_at is not None else 0.0
        return self.looked_at is not None and self.looked_at >= max(now - LOOKED_AT_LATELY, forgotten_at)

    def keeps(self, zone: ObjectKey, now: float) -> str | None:
        """Return why the world may still ask the zone's servers, None where it certainly does not."""
        if not self.applies:
            return None
        if self.sends_here is None:
            return f"where the world is sent for the domain of {zone} could not be asked"
        if self.sends_here or self.first_away_at is None:
            return f"the parent still sends the world to the servers of {zone}"
        left = self.first_away_at + self.ttl - now
        if left >= 0:
            return f"resolvers may know the servers of {zone} for another {left:.0f} s (the TTL of its NS set)"
        return None


def reason_to_stay(
    zone: ObjectKey,
    *,
    arrivals: Iterable[Arrival],
    same_zone: ObjectKey | None,
    parent: ParentView,
    is_suspended: bool,
    is_approved: bool,
    now: float,
) -> Explanation | None:
    """Return why the name stays in `zone` for now, None where it may go.

    `same_zone` is another DNSZone for the same hosted zone that the record may use: removing the name from one would
    remove it from both, which nobody can approve.
    """
    if same_zone is not None:
        return Explanation(SAME_HOSTED_ZONE, f"DNSZone {same_zone} stands for the same hosted zone as {zone}")
    if is_suspended:
        return Explanation(SUSPENDED, "the record is suspended: nothing is written")
    if is_approved:
        return None
    missing = [f"{each.zone}: {each.trouble}" for each in arrivals if each.trouble is not None]
    if missing:
        return Explanation(NOT_THERE_YET, f"it has not arrived everywhere else yet ({'; '.join(missing[:3])})")
    if (why := parent.keeps(zone, now)) is not None:
        return Explanation(STILL_DELEGATED, why)
    return None


def leaving_digest(hostname: str, zones: Iterable[ObjectKey]) -> str:
    """Return what a person quotes to let `hostname` leave exactly these zones."""
    text = "\n".join([hostname, *sorted(map(str, zones))])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
