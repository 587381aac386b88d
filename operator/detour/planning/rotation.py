"""Load balancers rotate their addresses: each turn of theirs is no failover, and need not be a write of its own.

A hostname that leads to four of two hundred addresses, to others every minute, would else be written every few seconds
for ever. What is published works as well as what would be, as long as it passes and the hostname has not long dropped
it. So such changes wait for each other, a moment at first, and for minutes where they do not end, and are written
together. What fails, what comes or leaves for any other reason, and what the hostname has dropped for too long waits
for nothing, and takes along what waits. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from detour.model.health import Verdict
from detour.planning.candidates import Candidate

SETTLING = 10.0
"""Seconds for which a changed address waits for others: what comes in one answer has its verdicts in a few seconds."""
PERIOD = 240.0
"""Seconds in which one such write is made where changes do not end."""
AT_ONCE = 3
"""Writes that may be made ahead of that: a balancer that is scaled, or moved, is followed in seconds."""


@dataclass(frozen=True, slots=True)
class Turning:
    """What is known of a record's rotating addresses. Times in seconds on the engine's clock.

    `since` is when changes began to wait, None where none do; until `spent_until` the writes made so far are spread
    with one in each `PERIOD` (the theoretical arrival time of the generic cell rate algorithm, ITU-T I.371).
    """

    since: float | None = None
    spent_until: float = float("-inf")

    def waiting(self, now: float) -> "Turning":
        """Return this with changes that wait, since now unless they did already."""
        return Turning(now if self.since is None else self.since, self.spent_until)

    def written(self, now: float) -> "Turning":
        """Return this after a write."""
        return Turning(None, max(self.spent_until, now) + PERIOD)

    def settled(self) -> "Turning":
        """Return this with nothing that waits."""
        return Turning(None, self.spent_until)

    def due_at(self, now: float) -> float:
        """Return when what waits is to be written."""
        since = now if self.since is None else self.since
        return max(since + SETTLING, self.spent_until - (AT_ONCE - 1) * PERIOD)

    @classmethod
    def of_all(cls, turnings: Iterable["Turning"]) -> "Turning":
        """Return as one what is known of the zones of a record: what waits longest, and what was spent last."""
        turnings = tuple(turnings)
        waiting = [each.since for each in turnings if each.since is not None]
        return cls(min(waiting, default=None), max(each.spent_until for each in turnings))


AT_REST = Turning()


def is_rotation(
    candidates: Iterable[Candidate], standing: frozenset[str], wanted: frozenset[str], *, nobody_passes: bool = False
) -> bool:
    """Tell whether all that differs between what stands and what is wanted are addresses that a hostname turns over.

    Of such a hostname something stays that passes and that it still leads to, and what leaves (as it fades, or as a set
    can hold no more) does not fail; with `nobody_passes`, as where everybody answers because nobody works, verdicts do
    not count.
    """
    changed = standing ^ wanted
    turned: set[str] = set()
    for each in candidates:
        if each.endpoint.hostname is None or each.drained:
            continue
        verdicts = dict(each.health.addresses)
        own = standing.intersection(each.declared_values)
        staying = (own & wanted) - each.fading
        if any(nobody_passes or verdicts.get(value) is Verdict.HEALTHY for value in staying):
            turned.update(value for value in own if nobody_passes or verdicts.get(value) is not Verdict.UNHEALTHY)
            turned.update(value for value in each.declared_values if value not in standing)
    return bool(changed) and changed <= turned
