"""Who has a zone: whether we hold its ledger, whether it is in force here, and to whom it is left otherwise.

We hold a zone once our claim was written into its ledger. It is in force here once it was also read since: only then is
known what the one before us left behind.
"""

import math
from collections.abc import Callable

from detour.enactment.contract import Batch, StoredSet
from detour.enactment.events import STANDING_CHANGED, EnactorEvent, Incident
from detour.enactment.fence import Fence
from detour.enactment.leadership import Leadership
from detour.enactment.ledger import Ledger
from detour.enactment.sites import Site
from detour.enactment.takeover import Takeover, Yielding
from detour.enactment.wishes import Explanation

PROPAGATION = 60.0
"""Seconds for which a name server may lag behind (Route 53: "usually within 60 seconds")."""

CLAIM_LASTS = 60.0
FIRST_CLAIM_PAUSE = 0.25
LONGEST_CLAIM_PAUSE = 30.0
"""Seconds: a claim within the first of another one is followed by a pause, doubling from the second to the third."""


class Holding:
    """Of one zone. Times are engine seconds. `in_force` is set by who has read the zone."""

    def __init__(
        self,
        fence: Fence,
        takeover: Takeover,
        *,
        site: Site,
        leadership: Leadership,
        clock: Callable[[], float],
        emit: Callable[[EnactorEvent], None],
    ) -> None:
        self.takeover = takeover
        self.in_force = False
        self._fence = fence
        self._site = site
        self._leadership = leadership
        self._clock = clock
        self._emit = emit
        self._renewed_at = 0.0
        self._yielding: Explanation | None = None
        self._lost_ledger: str | None = None
        self._last_claim_at = -math.inf
        self._next_claim_at = 0.0
        self._claim_pause = 0.0

    @property
    def holds(self) -> bool:
        """Tell whether the ledger bears our claim, as far as is known."""
        return self._fence.held is not None

    @property
    def has_lapsed(self) -> bool:
        """Tell whether the zone is ours though this process should not write any more."""
        return (self.holds or self.in_force) and not self._leadership.leads

    @property
    def standby(self) -> Explanation | None:
        """Why the zone is left to somebody else, None where it is not."""
        return None if self.holds else self._yielding

    @property
    def renewal_due(self) -> float:
        """When the ledger must move on, so that no other site takes the zone over; never where none would."""
        return self._renewed_at + self._site.renew_every if self.holds and self._site.has_others else math.inf

    def moved(self) -> None:
        """A write of ours has moved the ledger on."""
        self._renewed_at = self._clock()

    def is_contradicted_by(self, shown: Ledger | None) -> bool:
        """Tell whether a ledger that a name server shows is another than ours, and not just ours of a moment ago."""
        held = self._fence.held
        if held is None or shown == held:
            return False
        lags = shown is not None and shown.claim == held.claim and shown.generation < held.generation
        return not (lags and self._clock() - self._renewed_at < PROPAGATION)

    # -- gaining it ------------------------------------------------------------------------------------------------

    def allow_take_over(self, allowed: bool) -> None:
        """A person says whether to claim the zone also where another site is in force."""
        self.takeover.may_take_over = allowed and not self.holds

    def reconsider(self) -> None:
        """The leadership has changed, or another site's ledger was looked at."""
        if self._leadership.leads and not self.holds:
            self.takeover.begin_term()

    def claim(self, stored: StoredSet | None, *, is_fresh: bool) -> Batch | Yielding:
        """Return the batch that claims the zone over the ledger just read, or for how long to leave it to its writer.

        `is_fresh` says that nothing in the zone bears our owner's mark.
        """
        found = stored.rrset if stored else None
        yielding = self.takeover.judge(found, is_fresh=is_fresh, was_ours=self.in_force)
        if yielding is not None:
            return yielding
        self._lost_ledger = None if is_fresh else self._fence.what_is_odd(stored)
        self._pause_claims()
        return self._fence.claim(stored)

    @property
    def claim_delay(self) -> float:
        """The seconds until the zone may be claimed (again): claims that do not last come with growing pauses."""
        return max(0.0, self._next_claim_at - self._clock())

    def _pause_claims(self) -> None:
        now = self._clock()
        is_again = now - self._last_claim_at < CLAIM_LASTS
        self._claim_pause = min(LONGEST_CLAIM_PAUSE, max(FIRST_CLAIM_PAUSE, self._claim_pause * 2)) if is_again else 0.0
        self._last_claim_at, self._next_claim_at = now, now + self._claim_pause

    def claimed(self) -> None:
        """The claim was written."""
        self.takeover.claimed()
        self.leave_to(None)
        if self._lost_ledger is not None:
            told = f"{self._lost_ledger}; it was claimed anew as {self._fence.generation}, and the zone is read in full"
            self._emit(Incident(Explanation("LedgerRestored", told)))
            self._lost_ledger = None
        if (contested := self.takeover.contested) is not None:
            self._emit(Incident(contested))

    # -- losing it -------------------------------------------------------------------------------------------------

    def superseded_by(self, stored: StoredSet | None) -> None:
        """Another writer holds the zone: stand by while its ledger, `stored`, moves."""
        self.takeover.superseded_by(stored.rrset if stored else None)
        self.leave_to(
            Explanation("Superseded", "another writer of this installation has taken the zone over: standing by")
        )

    def leave_to(self, why: Explanation | None) -> None:
        """Leave the zone to somebody else for this reason, or (None) to nobody."""
        if why != self._yielding:
            self._yielding = why
            self._emit(STANDING_CHANGED)

    def yield_to(self, yielding: Yielding) -> None:
        """Leave the zone to who has precedence; where that says nothing new, for the reason that held before."""
        self.leave_to(yielding.trouble or self._yielding)
