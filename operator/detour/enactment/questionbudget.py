"""What asking name servers may cost: a number of questions a day, for all zones whose servers somebody pays for.

Route 53, Azure DNS and Google Cloud DNS bill each answer, to their customers' monitoring as well. What was just
written, and ledgers, are looked at whatever that costs, and counted; the audits of names that stand as they should
take what is left, one name after the other.
"""

from collections.abc import Callable, Hashable

DAY = 86_400.0

PER_LOOK = 3
"""Questions at one look at a name: two families of addresses and the marker."""

DEFAULT_PER_DAY = 400_000
"""For all zones together: 4.80 USD a month at 0.40 USD a million, Route 53's list price ("Amazon Route 53 pricing")."""


class QuestionBudget:
    """So many questions a day, an hour's worth at once. `clock` gives engine seconds."""

    def __init__(self, per_day: float, clock: Callable[[], float]) -> None:
        self._per_day = per_day
        self._rate = per_day / DAY
        self._burst = max(float(PER_LOOK), per_day / 24)
        self._clock = clock
        self._left = self._burst
        self._at = clock()
        self._names: dict[Hashable, int] = {}
        self._total = 0

    def divide(self, shares: int) -> None:
        """Go on with one of so many equal shares of the questions: other processes have the others."""
        left = self._there()
        self._rate = self._per_day / shares / DAY
        self._burst = max(float(PER_LOOK), self._per_day / shares / 24)
        self._left = min(left, self._burst)

    def note(self, zone: Hashable, names: int) -> None:
        """So many names of a zone are audited."""
        self._total += names - self._names.pop(zone, 0)
        if names:
            self._names[zone] = names

    def asked(self, number: int = 1) -> None:
        """So many questions were asked. What was asked beyond the budget is made up for, but never for over a day."""
        self._left = max(self._there() - number, self._burst - self._rate * DAY)

    @property
    def period(self) -> float:
        """Seconds in which every audited name can be looked at once."""
        return self._total * PER_LOOK / self._rate

    def delay(self) -> float:
        """Return the seconds until the next look at a name that stands as it should, 0 where it may be taken now."""
        return max(0.0, (PER_LOOK - self._there()) / self._rate)

    def _there(self) -> float:
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        return self._left
