"""Sites: the clusters that run one installation, and how long each waits before it takes a zone over from another."""

from dataclasses import dataclass

STAGGER = 15.0
"""Seconds that each rank waits longer than the one before it, so that standbys do not all claim at once."""


@dataclass(frozen=True, slots=True)
class Site:
    """This cluster among those that share the owner.

    While it is in force for a zone it moves the ledger on every `renew_every` seconds; 0 means that there is no other
    site, so nothing is renewed and nothing taken over. A standby claims a zone whose ledger stood still for
    `take_over_after` seconds and a stagger for its `rank` (0 comes first). `name` stands in the ledger; it is empty
    only before it is known (`ClusterSite`).
    """

    name: str
    rank: int = 0
    renew_every: float = 0.0
    take_over_after: float = 90.0

    @property
    def has_others(self) -> bool:
        """Tell whether the installation runs in other clusters too."""
        return self.renew_every > 0

    @property
    def stagger(self) -> float:
        """Seconds by which those of a lower rank come first."""
        return STAGGER * self.rank
