"""A leader that sees nothing makes way for a replica that sees.

The node of a leader can lose its way out and still reach the API server and the providers: then it moves nothing, and
rightly so, and nobody else may. So the replicas that do not lead, and see, publish that: one of them holds a second
Lease, named like the first with `-successor`, and renews it only while checks of its own pass. A leader that is blind
gives the lead to that replica, by name, once it has watched the second Lease being renewed: no clocks are compared. If
nobody renews it all are blind, and the leader stays. What the first Lease says of the last handover keeps the next one
away for some minutes, whoever leads by then.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from detour.engine.clock import Clock
from detour.engine.ports import ClusterError
from detour.kube.lease import Lease, Move, Sighting, lease_body, lease_from, next_move, sight

logger = logging.getLogger(__name__)

HANDOVER_PAUSE = 300.0
"""Seconds between two handovers, by the clock of whoever leads: two replicas that see now and then take no turns."""

GONE = 404
CONFLICT = 409


class LeaseStore(Protocol):
    """Where Leases are kept: the API server. Every method raises ClusterError."""

    async def read_lease(self, namespace: str, name: str) -> Mapping[str, Any]:
        """Return the Lease object."""
        ...

    async def create_lease(self, namespace: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create the Lease and return it; 409 where there is one."""
        ...

    async def replace_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Replace the Lease and return it; 409 where it is not of the version that `body` names."""
        ...


@dataclass(frozen=True, slots=True)
class Eyes:
    """What this replica sees. `is_blind`: nothing passes, or it is doubted; `sees`: checks passed lately."""

    is_blind: Callable[[], bool]
    sees: Callable[[], bool]


class Handover:
    """The second Lease of one replica, `identity`; `name` is that of the first."""

    def __init__(self, store: LeaseStore, *, namespace: str, name: str, identity: str, clock: Clock) -> None:
        self.eyes: Eyes | None = None
        self._store = store
        self._namespace = namespace
        self._name = f"{name}-successor"
        self._identity = identity
        self._clock = clock
        self._sighting: Sighting | None = None
        self._last: tuple[str, float] | None = None

    async def look(self, first: Lease | None, *, leads: bool, give: Callable[[str], Awaitable[None]]) -> None:
        """Publish that this replica sees, or, where it leads and is blind, `give` the lead to one that has done so.

        `first` is the Lease of the election as it was seen last.
        """
        if self.eyes is None or first is None:
            return
        self._note(first)
        try:
            if leads and self.eyes.is_blind():
                await self._make_way(give)
                return
            if not leads and self.eyes.sees():
                await self._publish()
            else:
                self._sighting = None  # who does not look does not know for how long it stood still
        except ClusterError as error:
            self._sighting = None
            if error.status not in (GONE, CONFLICT):
                logger.debug("the Lease %s cannot be read or renewed: %s", self._name, error)

    def _note(self, first: Lease) -> None:
        """Take note of when the last handover was seen first."""
        if self._last is None or self._last[0] != first.handed_over:
            self._last = (first.handed_over, self._clock.now())

    def _may_hand_over(self) -> bool:
        if self._last is None or not self._last[0]:
            return True
        return self._clock.now() - self._last[1] >= HANDOVER_PAUSE

    async def _make_way(self, give: Callable[[str], Awaitable[None]]) -> None:
        before = self._sighting.lease if self._sighting else None
        found = await self._read()
        self._sighting = sight(self._sighting, found, self._clock.now())
        if found is None or not found.holder or found.holder == self._identity:
            return
        if before is not None and before.version != found.version and self._may_hand_over():
            logger.warning(
                "no check of this replica passes, and %s says that its checks do: it is given the lead", found.holder
            )
            await give(found.holder)

    async def _publish(self) -> None:
        self._sighting = sight(self._sighting, await self._read(), self._clock.now())
        lease = self._sighting.lease
        match next_move(self._sighting, self._identity, self._clock.now()):
            case Move.WAIT:
                return
            case Move.CREATE:
                body = lease_body(self._name, None, self._identity, self._clock.wall())
                found = await self._store.create_lease(self._namespace, body)
            case Move.TAKE | Move.RENEW:
                body = lease_body(self._name, lease, self._identity, self._clock.wall())
                found = await self._store.replace_lease(self._namespace, self._name, body)
        self._sighting = sight(self._sighting, lease_from(found), self._clock.now())

    async def _read(self) -> Lease | None:
        try:
            return lease_from(await self._store.read_lease(self._namespace, self._name))
        except ClusterError as error:
            if error.status == GONE:
                return None
            raise
