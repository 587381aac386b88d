"""How many record sets a zone may hold, and how many of these are kept free for failovers.

Route 53, Azure DNS and Cloud DNS hold 10,000 sets in a zone unless the quota is raised. A name needs two or three: its
addresses, of one family or two, and its marker. Where a failover brings a family that was not published before, it
needs one set more, in the very moment in which nothing must be refused. So the last sets of a zone are for the names
that are there: a new name is refused once it could only be had at their expense.
"""

from detour.enactment.wishes import Explanation

NEARLY = 0.8
"""The share of a zone's sets from which on people are told."""


class Capacity:
    """Sets of one zone. `limit` is None where none is known."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._reserved: dict[str, int] = {}
        self._total = 0
        self._planned = 0

    @property
    def reserved(self) -> int:
        """How many sets failovers may add at names that are there."""
        return self._total

    def reserve(self, hostname: str, number: int) -> None:
        """Keep so many sets for what a failover may add at a name."""
        self._total += number - self._reserved.pop(hostname, 0)
        if number:
            self._reserved[hostname] = number

    def begin(self) -> None:
        """Nothing is planned yet of what is written next."""
        self._planned = 0

    def plan(self, number: int) -> None:
        """A new name is to be written that needs so many sets at most."""
        self._planned += number

    def refusal(self, held: int, number: int) -> Explanation | None:
        """Say why a new name that needs so many sets at most cannot be had in a zone that holds `held`."""
        if self.limit is None or held + self._total + self._planned + number <= self.limit:
            return None
        kept = f", and {self._total} are kept for what failovers may add at the names that are there" * bool(
            self._total
        )
        return Explanation(
            "ZoneFull",
            f"the zone holds {held} record sets of {self.limit}{kept}: have the provider raise the quota and say so in "
            "spec.budget.setsPerZone of the DNSZone, or use another zone",
        )


def nearly_full(held: int, limit: int | None) -> Explanation | None:
    """Say that a zone is nearly full, None where it is not."""
    if limit is None or held < NEARLY * limit:
        return None
    return Explanation(
        "ZoneNearlyFull",
        f"the zone holds {held} record sets of {limit}: have the provider raise the quota, and say so in "
        "spec.budget.setsPerZone, before new names are refused",
    )
