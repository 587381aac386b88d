"""Reading and writing the Leases by which replicas divide the zones: the one place that talks to the API server here.

What is written into one zone's Lease may fail by itself, and then holds up no other; only where a replica's own Lease
cannot be renewed, or nothing be listed, is the API server held to be away.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from detour.app.handover import CONFLICT, GONE, LeaseStore
from detour.app.sharding.leases import Listed, Names, Told
from detour.engine.clock import Clock
from detour.engine.ports import ClusterError
from detour.kube.lease import Lease, lease_from
from detour.model.record import ObjectKey

logger = logging.getLogger(__name__)

REFUSED_FOR = 30.0
"""Seconds for which a Lease is left alone that could not be written or deleted for a reason of its own."""


class LeasesStore(LeaseStore, Protocol):
    """Where many Leases are kept. Every method raises ClusterError."""

    async def list_leases(self, namespace: str, selector: str) -> list[Mapping[str, Any]]:
        """Return the Leases with a label, as they were at one moment."""
        ...

    async def delete_lease(self, namespace: str, name: str, version: str) -> None:
        """Delete a Lease that is still of this version; 409 where it is of another."""
        ...


class LeaseBook:
    """The Leases of zones and replicas, as replica `identity` knows them. `first` is what their names begin with."""

    def __init__(self, store: LeasesStore, *, namespace: str, first: str, identity: str, clock: Clock) -> None:
        self.names = Names(first)
        self.zones: dict[ObjectKey, Lease] = {}
        self._store = store
        self._namespace = namespace
        self._identity = identity
        self._clock = clock
        self._own: Lease | None = None
        self._wrote_at: dict[ObjectKey, float] = {}
        self._left_alone_until: dict[str, float] = {}

    # -- one's own -------------------------------------------------------------------------------------------------

    async def renew(self, told: Told, *, has_ended: bool = False) -> None:
        """Say that this replica lives, or that it has ended. Raises ClusterError."""
        name = self.names.of_replica(self._identity)
        for again in (True, False):
            body = self.names.replica_body(self._own, self._identity, told, self._clock.wall(), has_ended=has_ended)
            try:
                if self._own is None:
                    found = await self._store.create_lease(self._namespace, body)
                else:
                    found = await self._store.replace_lease(self._namespace, name, body)
            except ClusterError as error:
                if error.status not in (GONE, CONFLICT) or not again:
                    raise
                self._own = await self._read_own(name)
            else:
                self._own = lease_from(found)
                return

    async def _read_own(self, name: str) -> Lease | None:
        try:
            return lease_from(await self._store.read_lease(self._namespace, name))
        except ClusterError as error:
            if error.status == GONE:
                return None
            raise

    # -- all of them -----------------------------------------------------------------------------------------------

    async def read(self) -> Listed:
        """Return all Leases; what was written since the list began is newer than it. Raises ClusterError."""
        began_at = self._clock.now()
        found = self.names.listed(await self._store.list_leases(self._namespace, self.names.selector))
        self._wrote_at = {zone: at for zone, at in self._wrote_at.items() if at >= began_at}
        newer = {zone: self.zones[zone] for zone in self._wrote_at if zone in self.zones}
        self.zones = {**found.zones, **newer}
        return replace(found, zones=dict(self.zones))

    async def write(self, zone: ObjectKey, holder: str) -> bool:
        """Write into a zone's Lease who has it; False where that was not to be had."""
        lease, name = self.zones.get(zone), self.names.of_zone(zone)
        if self._is_left_alone(name):
            return False
        body = self.names.zone_body(zone, lease, holder, self._clock.wall())
        try:
            if lease is None:
                found = await self._store.create_lease(self._namespace, body)
            else:
                found = await self._store.replace_lease(self._namespace, name, body)
        except ClusterError as error:
            if error.status not in (GONE, CONFLICT):  # else somebody was quicker
                self._leave_alone(name, error)
            return False
        self.zones[zone], self._wrote_at[zone] = lease_from(found), self._clock.now()
        return True

    async def delete_zone(self, zone: ObjectKey) -> None:
        """Delete the Lease of a DNSZone that is gone."""
        if (lease := self.zones.get(zone)) is not None:
            await self.delete(self.names.of_zone(zone), lease)

    async def delete(self, name: str, lease: Lease) -> None:
        """Delete a Lease, unless it has changed."""
        if not self._is_left_alone(name):
            try:
                await self._store.delete_lease(self._namespace, name, lease.version)
            except ClusterError as error:
                if error.status not in (GONE, CONFLICT):
                    self._leave_alone(name, error)

    def _is_left_alone(self, name: str) -> bool:
        return self._clock.now() < self._left_alone_until.get(name, 0.0)

    def _leave_alone(self, name: str, error: ClusterError) -> None:
        now = self._clock.now()
        self._left_alone_until = {each: until for each, until in self._left_alone_until.items() if until > now}
        self._left_alone_until[name] = now + REFUSED_FOR
        logger.warning("Lease %s/%s could not be written or deleted: %s", self._namespace, name, error)
