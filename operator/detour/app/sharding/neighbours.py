"""The other replicas: who of them lives, by the Leases that they renew.

A replica lives while its Lease was seen to change lately. One that ends says so, and is forgotten at once. Of one that
just stops, or whose Lease somebody deletes, nobody knows whether it still writes: its zones are free after the time of
a Lease, and it counts for the quotas for minutes more. Times are engine seconds of who looks; no clocks are compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from detour.app.sharding.leases import Listed, Told
from detour.app.sharding.placement import Replica

FORGOTTEN_AFTER = 300.0
"""Seconds for which a replica that was not seen to end counts for the quotas, and its Lease stays."""


@dataclass(slots=True, eq=False)
class Others:
    """What is known of the other replicas: the division notes it, and the agreement goes by it.

    `told` is what those who live tell, by their identities. Quotas are divided in `counted` shares; of these so many
    as `shares` are used until the others have heard of a larger one. This replica `is_alone` while the API server says
    nothing, so that nobody knows what the others do.
    """

    told: Mapping[str, Told] = field(default_factory=dict)
    counted: int = 1
    shares: int = 1
    is_alone: bool = False

    @property
    def replicas(self) -> int:
        """How many replicas live, this one among them, as far as is known."""
        return 1 + len(self.told)


@dataclass(slots=True)
class _Neighbour:
    """A replica whose Lease is of this `version` since then, which holds for so many `seconds`."""

    identity: str
    version: str
    since: float
    seconds: float
    first_seen: float
    told: Told

    def lives(self, now: float) -> bool:
        """Tell whether it was seen to renew its Lease within the time for which that holds."""
        return now - self.since < self.seconds

    def may_live(self, now: float) -> bool:
        """Tell whether it has to be reckoned with still."""
        return now - self.since < FORGOTTEN_AFTER


def replica_of(identity: str) -> str:
    """Return the name that a replica keeps when it is started again: all before the last underscore."""
    return identity.rpartition("_")[0] or identity


class Neighbours:
    """Who lives beside the replica `identity`; the process before it, of the same replica, does not."""

    def __init__(self, identity: str) -> None:
        self._identity = identity
        self._known: dict[str, _Neighbour] = {}  # by the name of the Lease
        self._began_at: float | None = None
        self._now = 0.0
        self._was_silent = False

    def see(self, listed: Listed, now: float) -> None:
        """Take note of what the Leases say."""
        self._now = now
        self._began_at = now if self._began_at is None else self._began_at
        for each in self._known.values() if self._was_silent else ():
            each.since = now
        self._was_silent = False
        for name, (lease, told) in listed.replicas.items():
            if replica_of(lease.holder) == replica_of(self._identity):
                continue
            known = self._known.get(name)
            first_seen = known.first_seen if known is not None and known.identity == lease.holder else now
            since = known.since if known is not None and known.version == lease.version else now
            self._known[name] = _Neighbour(lease.holder, lease.version, since, lease.seconds, first_seen, told)
        for name in listed.ended:
            self._known.pop(name, None)
        listed_no_more = self._known.keys() - listed.replicas.keys()
        for name in [name for name in listed_no_more if not self._known[name].may_live(now)]:
            del self._known[name]

    def could_not_look(self) -> None:
        """Nobody answered: who cannot look does not know for how long a Lease stood still."""
        self._was_silent = True

    @property
    def others(self) -> Mapping[str, Told]:
        """What those who live tell, by their identities."""
        return {each.identity: each.told for each in self._known.values() if each.lives(self._now)}

    @property
    def counted(self) -> int:
        """In how many shares quotas are divided: among those who live, this one, and those who may."""
        living = {replica_of(each.identity) for each in self._known.values() if each.lives(self._now)}
        may_be = {replica_of(each.identity) for each in self._known.values() if each.may_live(self._now)}
        return 1 + len(self.others) + len(may_be - living)

    @property
    def forgotten(self) -> list[str]:
        """The Leases of replicas that have stopped long ago, by name."""
        return [name for name, each in self._known.items() if not each.may_live(self._now)]

    def living(self, own: Told) -> list[Replica]:
        """Return the replicas that live, this one among them."""
        found = [
            Replica(each.identity, each.first_seen, each.told.shares, each.told.sees)
            for _, each in sorted(self._known.items())
            if each.lives(self._now)
        ]
        began_at = self._now if self._began_at is None else self._began_at
        return [*found, Replica(self._identity, began_at, own.shares, own.sees)]
