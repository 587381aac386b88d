"""Who comes first where the ledger of a zone is somebody else's: when we may claim it, and why not yet.

    its writer is of ...          we may claim ...
    nobody (missing, garbled)     at once; with several sites, once the one in force had time to put it back
    our own site, never met       at once: whoever wrote it lost the Lease to us
    our own site, superseded us   once it stood still for STANDSTILL, if we still hold the Lease then; each further time
                                  within CONTEST_WINDOW after twice as long: two clusters with one name must not flap
    another site that renews      once it stood still for the site's patience, as its own name servers showed
    another site that does not    never: only a person knows which of the two is meant

What another site wrote is watched through DNS, which costs the provider's API nothing. Only a ledger that was seen
counts: a server that does not answer says nothing about whether the other site lives.
"""

from collections.abc import Callable
from dataclasses import dataclass

from detour.enactment.leadership import Leadership
from detour.enactment.ledger import Ledger, parse_ledger
from detour.enactment.sites import Site
from detour.enactment.wishes import Explanation
from detour.model.rrset import RRset

STANDSTILL = 20.0
"""Seconds for which a ledger that superseded ours has to stand still before we claim above it."""

CONTEST_WINDOW = 7200.0
LONGEST_STANDSTILL = 3600.0
"""Seconds: how long a take-over by a writer of our own site counts, and what it makes us wait at most."""

CONTESTS_TOLD = 2
"""A person is told from so many take-overs on: one may be a process that was slow to die."""

SITE_NAME_TWICE = "SiteNameTwice"
"""The reason of a zone for which two clusters contend that both have the name of this site."""

LOOK_PERIOD = 5.0
"""Seconds between two looks at a ledger that keeps us out."""

RENEWALS_MISSED = 3
"""Renewals that another site has to miss at least before it is taken for dead, whatever this one was told."""

LOST_LEDGER_PATIENCE = 2.5
"""Renewal periods for which a standby leaves a missing ledger to the site in force, which puts it back."""

STANDBY = "Standby"
"""The reason of a zone that another site keeps, as it should be."""

HELD_BY_ANOTHER_SITE = "HeldByAnotherSite"
"""The reason of a zone that another site wrote, and no sites were agreed on."""


@dataclass(slots=True)
class _Rival:
    """A ledger that is not ours, since when it has not moved, and when it was seen last (engine seconds)."""

    ledger: Ledger | None
    since: float
    seen_at: float
    superseded_us: bool = False


@dataclass(frozen=True, slots=True)
class Yielding:
    """Leave the zone to somebody else for `wait` seconds; `trouble` is what a person should know of it, if anything."""

    wait: float
    trouble: Explanation | None = None


class Takeover:
    """Decides for one zone. Times in engine seconds."""

    def __init__(
        self, *, owner: str, domain: str, site: Site, leadership: Leadership, clock: Callable[[], float]
    ) -> None:
        self._owner = owner
        self._domain = domain
        self._site = site
        self._leadership = leadership
        self._clock = clock
        self._rival: _Rival | None = None
        self._taken_by_namesakes: list[float] = []
        self.may_take_over = False

    @property
    def contested(self) -> Explanation | None:
        """What to say where writers of this very site take the zone from each other, None where they do not."""
        if self._contests() < CONTESTS_TOLD:
            return None
        return Explanation(
            SITE_NAME_TWICE,
            f"another writer that also calls itself site {self._site.name!r} takes this zone over again and again: two "
            "clusters run with one name, or one was cloned from the other. Give each a name of its own with the "
            "chart's site.name, or stop one of them",
        )

    def _contests(self) -> int:
        since = self._clock() - CONTEST_WINDOW
        self._taken_by_namesakes = [at for at in self._taken_by_namesakes if at >= since]
        return len(self._taken_by_namesakes)

    def _standstill(self) -> float:
        return min(LONGEST_STANDSTILL, STANDSTILL * 2.0 ** max(0, self._contests() - 1))

    @property
    def watched(self) -> Ledger | None:
        """The ledger of another site that keeps us out, to be looked for through DNS."""
        rival = self._rival.ledger if self._rival else None
        return rival if rival is not None and self._is_anothers(rival) and self._site.has_others else None

    @property
    def seen_at(self) -> float | None:
        """When the ledger that keeps us out was seen last, None where there is none."""
        return self._rival.seen_at if self._rival else None

    @property
    def moved_at(self) -> float | None:
        """When the ledger that keeps us out was last seen to have moved, None where there is none."""
        return self._rival.since if self._rival else None

    def saw(self, ledger: Ledger) -> None:
        """A name server shows this ledger. An older one than was seen before comes from a server that lags."""
        now = self._clock()
        rival = self._rival
        if rival is None or rival.ledger is None or ledger.generation > rival.ledger.generation:
            self._rival = _Rival(ledger, now, now, superseded_us=bool(rival and rival.superseded_us))
        elif ledger == rival.ledger:
            rival.seen_at = now

    def superseded_by(self, stored: RRset | None) -> None:
        """Our claim is void: the zone holds this ledger now."""
        now = self._clock()
        found = parse_ledger(stored)
        self._rival = _Rival(found, now, now, superseded_us=True)
        if found is not None and not self._is_anothers(found):
            self._taken_by_namesakes.append(now)

    def claimed(self) -> None:
        """The zone is ours; whoever takes it from us next is yielded to again."""
        self._rival = None
        self.may_take_over = False

    def begin_term(self) -> None:
        """A new term as leader begins: who superseded the last one does not count; another site does."""
        if self._rival is not None and (self._rival.ledger is None or not self._is_anothers(self._rival.ledger)):
            self._rival = None

    def keeps_waiting(self) -> Yielding | None:
        """Return how long to wait where what is known already says so, without reading the zone; None: read it."""
        if self._rival is None or self.may_take_over:
            return None
        ledger = self._rival.ledger
        if ledger is None or not self._is_anothers(ledger) or not self._site.has_others or not ledger.renew:
            return None
        if self._stood_still(self._rival) < self._patience(ledger) and self._blind_for() < self._site.take_over_after:
            return Yielding(self._next_look(), self._standby(ledger))
        return None

    def judge(self, stored: RRset | None, *, is_fresh: bool, was_ours: bool = False) -> Yielding | None:
        """Return how long to leave the zone to the writer of the ledger just read, or None where we may claim it.

        `is_fresh` says that nothing in the zone bears our owner's mark, `was_ours` that the zone was ours until the
        ledger was lost: there is nobody to wait for.
        """
        now = self._clock()
        found = parse_ledger(stored)
        rival = self._rival
        if found is None:
            return None if was_ours else self._judge_missing(now, is_fresh=is_fresh)
        if rival is None or rival.ledger != found:
            superseded = rival is not None and rival.superseded_us
            rival = self._rival = _Rival(found, now, now, superseded_us=superseded)
        rival.seen_at = now
        if self._is_anothers(found):
            return self._judge_anothers(found, rival)
        if not rival.superseded_us:
            return None
        still = now - rival.since >= self._standstill()
        may = still and self._leadership.confirmed_since(rival.since)
        return None if may else Yielding(LOOK_PERIOD, self.contested)

    def _judge_missing(self, now: float, *, is_fresh: bool) -> Yielding | None:
        if not self._site.has_others or self.may_take_over:
            return None
        if is_fresh and self._site.rank == 0:
            return None
        if self._rival is None or self._rival.ledger is not None:
            self._rival = _Rival(None, now, now)
        self._rival.seen_at = now
        patience = self._site.stagger + (0.0 if is_fresh else LOST_LEDGER_PATIENCE * self._site.renew_every)
        return None if now - self._rival.since >= patience else Yielding(min(LOOK_PERIOD, self._site.renew_every))

    def _judge_anothers(self, found: Ledger, rival: _Rival) -> Yielding | None:
        if self.may_take_over:
            return None
        if not self._site.has_others or not found.renew:
            return Yielding(LOOK_PERIOD, self._held_by_another(found))
        if self._stood_still(rival) >= self._patience(found):
            return None
        return Yielding(self._next_look(), self._standby(found))

    def _patience(self, ledger: Ledger) -> float:
        """Return for how long a ledger has to stand still: never less than three of its own writer's renewals."""
        return max(self._site.take_over_after, RENEWALS_MISSED * ledger.renew) + self._site.stagger

    def _is_anothers(self, ledger: Ledger) -> bool:
        return ledger.site != self._site.name

    def _stood_still(self, rival: _Rival) -> float:
        """Return for how long the ledger was seen not to move: from its first sighting to its last."""
        return rival.seen_at - rival.since

    def _blind_for(self) -> float:
        return self._clock() - self._rival.seen_at if self._rival else 0.0

    def _next_look(self) -> float:
        return min(LOOK_PERIOD, self._site.renew_every / 2)

    def _standby(self, found: Ledger) -> Explanation:
        return Explanation(
            STANDBY,
            f"site {found.site!r} is in force here, this is {self._site.name!r}: it takes over once that site's ledger "
            f"has stood still for {self._patience(found):g} s, or at once by hand",
        )

    def _held_by_another(self, found: Ledger) -> Explanation:
        return Explanation(
            HELD_BY_ANOTHER_SITE,
            f"the ledger of owner {self._owner!r} in {self._domain} was written by site {found.site!r}, this is "
            f"{self._site.name!r}. If both are meant to run, give both clusters the chart's site.enabled=true; if they "
            "are installations of their own, give this one another owner; if that site is gone for good, take the zone "
            "over by hand",
        )
