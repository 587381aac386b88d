"""A site's API server: objects with versions, conflicts and finalizers, watches that break, leases, and backups.

Objects are never changed in place: each change makes a new one, so that everybody may keep what he was given. One
process reaches it through its own `Connection`, which stands in for `detour.kube.cluster.Cluster`.
"""

import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from detour.engine.ports import ClusterError
from detour.kube.kinds import DeletionSeen, Listed, Seen
from detour.kube.translate import override_from, record_from
from detour.kube.watching import ORDER
from detour.model.objects import Kind, RawObject
from detour.model.overrides import overruled
from detour.model.record import ObjectKey, Record
from detour.model.timestamps import timestamp
from detour.twin.cluster import merged
from detour.twin.loop import START, VirtualLoop
from detour_simulation.history import Declared, History, RegionDeclared, StatusDamaged, ZoneDeclared
from detour_simulation.hosted import hosted_zone
from detour_simulation.hostnames import as_judged
from detour_simulation.weather import Caller, CallFailedError, Network
from detour_simulation.zones import FIRST_SECRET

T = TypeVar("T")

KINDS = {each.title: each for each in Kind}
WALL = 1_790_000_000.0
"""Seconds since the Unix epoch at the start of a run."""

WATCH_DELAY = 0.01
"""Seconds until a change reaches those who watch."""

SELDOM = (Kind.VANTAGE, Kind.EXTERNAL_VERDICT, Kind.OVERRIDE, Kind.CLUSTER_OVERRIDE)
"""Kinds of which most schedules have no object."""

Key = tuple[Kind, str, str]
Message = Seen | DeletionSeen
Backup = dict[Key, dict[str, Any]]


class ApiServer:
    """Holds the objects of one site. Everything here happens at once; `Connection` brings the delays.

    `records` are the FailoverRecords that are not being deleted, by name, as the product reads them. `copied` is the
    site whose objects these are a copy of, down to their UIDs.
    """

    def __init__(self, site: str, copied: str, *, loop: VirtualLoop, history: History) -> None:
        self.site = site
        self._copied = copied
        self.objects: dict[Key, dict[str, Any]] = {}
        self.records: dict[str, Record] = {}
        self._zones_told: dict[str, tuple[tuple[ObjectKey, ...], tuple[str, ...]]] = {}
        self.secrets: dict[str, str] = {}
        self.leases: dict[tuple[str, str], dict[str, Any]] = {}
        self.watches: list[Watch] = []
        self.events: list[tuple[str, str, str]] = []
        self._loop = loop
        self._history = history
        self._versions = itertools.count(1)
        self.version = "0"
        self._uids = itertools.count(1)

    # -- as kubectl does -------------------------------------------------------------------------------------------

    def apply(self, raw: Mapping[str, Any]) -> None:
        """Create an object, or change its spec and annotations."""
        kind, metadata = KINDS[raw["kind"]], raw["metadata"]
        key = (kind, metadata.get("namespace", ""), metadata["name"])
        before = self.objects.get(key)
        if before is None:
            fresh = {"uid": f"{self._copied}-{next(self._uids)}", "generation": 1, **metadata}
            self._store(key, {**raw, "metadata": fresh})
            return
        generation = before["metadata"]["generation"] + (before["spec"] != raw["spec"])
        changed = {**before["metadata"], "generation": generation}
        if "annotations" in metadata:
            changed["annotations"] = metadata["annotations"]
        self._store(key, {**before, "spec": raw["spec"], "metadata": changed})

    def change(self, kind: Kind, name: str, namespace: str, **spec: Any) -> None:
        """Change fields of an object's spec, where there is such an object."""
        if (raw := self.objects.get((kind, namespace, name))) and "deletionTimestamp" not in raw["metadata"]:
            self.apply({**raw, "spec": {**raw["spec"], **spec}})

    def annotate(self, kind: Kind, name: str, namespace: str, **annotations: str) -> None:
        """Set annotations of an object, or remove those that are empty; `_` in their names stands for `-`."""
        if raw := self.objects.get((kind, namespace, name)):
            named = {f"detour.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
            held = {**(raw["metadata"].get("annotations") or {}), **named}
            held = {key: value for key, value in held.items() if value}
            self.apply({**raw, "metadata": {**raw["metadata"], "annotations": held}})

    def delete(self, kind: Kind, name: str, namespace: str) -> None:
        """Delete an object: at once, or once its finalizers are gone."""
        key = (kind, namespace, name)
        if raw := self.objects.get(key):
            self._store(key, {**raw, "metadata": {**raw["metadata"], "deletionTimestamp": timestamp(self._loop.now)}})

    def _next_version(self) -> str:
        self.version = str(next(self._versions))
        return self.version

    def is_ending(self, kind: Kind, name: str, namespace: str) -> bool:
        """Tell whether an object is deleted, and not gone yet."""
        raw = self.objects.get((kind, namespace, name))
        return raw is not None and "deletionTimestamp" in raw["metadata"]

    # -- mishaps ---------------------------------------------------------------------------------------------------

    def break_watches(self) -> None:
        """Let every watch end; messages on their way are lost."""
        for each in tuple(self.watches):
            each.end()

    def lose_status(self, backup: Backup | None = None) -> None:
        """Wipe the status of every object, or set it back to that in `backup`."""
        for key, raw in tuple(self.objects.items()):
            status = (backup or {}).get(key, {}).get("status", {})
            self._store(key, {**raw, "status": status}, quiet=True)
        self._history.add(StatusDamaged(at=self._loop.now, site=self.site))

    def backup(self) -> Backup:
        """Return a copy of everything."""
        return dict(self.objects)

    def restore(self, backup: Backup) -> None:
        """Set everything back, as a restored etcd does: watches break, and nobody sees what went."""
        self.break_watches()
        for key in [key for key in self.objects if key not in backup]:
            self._forget(key, observed=False)
        for key, raw in backup.items():
            self._store(key, raw, quiet=_declares_alike(self.objects.get(key), raw))
        self._history.add(StatusDamaged(at=self._loop.now, site=self.site))

    def recreate(self, kind: Kind) -> None:
        """Delete all objects of a kind and create them again with new UIDs and no status, while nobody watches."""
        self.break_watches()
        for key, raw in tuple(self.objects.items()):
            if key[0] is kind:
                self._forget(key, observed=False)
                if "deletionTimestamp" not in raw["metadata"]:
                    kept = {name: value for name, value in raw["metadata"].items() if name not in ("uid", "finalizers")}
                    self.apply({"kind": raw["kind"], "metadata": kept, "spec": raw["spec"]})
        self._history.add(StatusDamaged(at=self._loop.now, site=self.site))

    # -- as a client asks ------------------------------------------------------------------------------------------

    def read(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """Return an object. Raises ClusterError."""
        if (found := self.objects.get((kind, namespace, name))) is None:
            raise ClusterError("not found", 404)
        return found

    def listed(self, kind: Kind) -> list[RawObject]:
        """Return all objects of a kind."""
        return [raw for key, raw in self.objects.items() if key[0] is kind]

    def patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, status: bool) -> RawObject:
        """Merge `body` into an object or its status, and return the object. Raises ClusterError."""
        raw = self.read(kind, namespace, name)
        wanted = dict(body.get("metadata", {}))
        version = wanted.pop("resourceVersion", None)
        if version is not None and version != raw["metadata"]["resourceVersion"]:
            raise ClusterError("the object has been modified", 409)
        patched = dict(raw)
        if status:
            patched["status"] = merged(raw.get("status", {}), body["status"])
        patched["metadata"] = {
            **raw["metadata"],
            **{
                field: merged(raw["metadata"].get(field) or {}, value) if isinstance(value, Mapping) else value
                for field, value in wanted.items()
            },
        }
        self._store((kind, namespace, name), patched, quiet=status)
        return self.read(kind, namespace, name)

    def read_lease(self, namespace: str, name: str) -> dict[str, Any]:
        """Return a Lease. Raises ClusterError."""
        if (found := self.leases.get((namespace, name))) is None:
            raise ClusterError("not found", 404)
        return found

    def create_lease(self, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create a Lease. Raises ClusterError."""
        if (namespace, body["metadata"]["name"]) in self.leases:
            raise ClusterError("it exists already", 409)
        return self._keep_lease(namespace, body)

    def replace_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Replace a Lease of the version that `body` names. Raises ClusterError."""
        if self.read_lease(namespace, name)["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise ClusterError("the object has been modified", 409)
        return self._keep_lease(namespace, body)

    def list_leases(self, namespace: str, selector: str) -> list[dict[str, Any]]:
        """Return the Leases with a label."""
        label, has_value, value = selector.partition("=")
        found = (lease for (where, _), lease in self.leases.items() if where == namespace)
        labelled = [each for each in found if label in each["metadata"].get("labels", {})]
        return [each for each in labelled if not has_value or each["metadata"]["labels"][label] == value]

    def delete_lease(self, namespace: str, name: str, version: str) -> None:
        """Delete a Lease of this version. Raises ClusterError."""
        if self.read_lease(namespace, name)["metadata"]["resourceVersion"] != version:
            raise ClusterError("the object has been modified", 409)
        del self.leases[namespace, name]

    def patch_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> float:
        """Merge `body` into a Lease; return the time that the server tells, in whole seconds. Raises ClusterError."""
        self._keep_lease(namespace, merged(self.read_lease(namespace, name), body))
        return float(int(WALL + self._loop.now - START))

    def _keep_lease(self, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        kept = {**body, "metadata": {**body["metadata"], "resourceVersion": self._next_version()}}
        self.leases[namespace, body["metadata"]["name"]] = kept
        return kept

    # -- inside ----------------------------------------------------------------------------------------------------

    def _store(self, key: Key, raw: dict[str, Any], *, quiet: bool = False) -> None:
        """Keep `raw` under `key` and tell those who watch; `quiet` where nothing declared has changed."""
        before = self.objects.get(key)
        raw = {**raw, "metadata": {**raw["metadata"], "resourceVersion": self._next_version()}}
        if raw["metadata"].get("deletionTimestamp") and not raw["metadata"].get("finalizers"):
            self._tell(DeletionSeen(key[0], raw))
            self._forget(key, observed=bool(self.watches) or bool(before and before["metadata"].get("finalizers")))
            return
        self.objects[key] = raw
        self._tell(Seen(key[0], raw))
        if not quiet or before is None or before["metadata"]["uid"] != raw["metadata"]["uid"]:
            self._write_down(key, raw)

    def _write_down(self, key: Key, raw: dict[str, Any]) -> None:
        now, metadata = self._loop.now, raw["metadata"]
        if key[0] is Kind.FAILOVER_RECORD:
            record = None if "deletionTimestamp" in metadata else self._judged(raw)
            self.records.pop(key[2], None)
            self._zones_told.pop(key[2], None)
            if record is not None:
                self.records[key[2]] = record
                self._declare(record)
                return
            gone = Declared(at=now, site=self.site, key=ObjectKey(key[1], key[2]), uid=metadata["uid"], record=None)
            self._history.add(gone)
        elif key[0] is Kind.OVERRIDE:
            self._overridden(raw)
        elif key[0] is Kind.CLOUD_REGION:
            drained = raw["spec"].get("state") == "Drained"
            self._history.add(RegionDeclared(at=now, site=self.site, region=key[2], drained=drained))
        elif key[0] is Kind.DNS_ZONE:
            frozen = raw["spec"].get("safety", {}).get("frozen", False)
            self._tell_zone(key[2], frozen=frozen)

    def _judged(self, raw: RawObject) -> Record:
        """Return a record as it is to be served: as it is declared, and as people override it."""
        record = as_judged(record_from(raw, None))
        found = (override_from(each, namespaced=True) for each in self.listed(Kind.OVERRIDE))
        return overruled(record, (each for each in found if each.record == record.key))

    def _overridden(self, raw: RawObject) -> None:
        """Write down the record that an override is about."""
        key = (Kind.FAILOVER_RECORD, raw["metadata"]["namespace"], raw["spec"]["record"])
        if (record := self.objects.get(key)) is not None:
            self._write_down(key, record)

    def _tell_zone(self, name: str, *, frozen: bool) -> None:
        """Write down how many DNSZones there are for a hosted zone, and what that means for records."""
        zone = hosted_zone(name)
        count = sum(1 for kind, _, each in self.objects if kind is Kind.DNS_ZONE and hosted_zone(each) == zone)
        self._history.add(ZoneDeclared(at=self._loop.now, site=self.site, zone=zone, frozen=frozen, count=count))
        for record in tuple(self.records.values()):
            if self._zones_told.get(record.key.name) != self._zones_of(record):
                self._declare(record)

    def _zones_of(self, record: Record) -> tuple[tuple[ObjectKey, ...], tuple[str, ...]]:
        """Return the hosted zones that a record declares, and the DNSZones that there are not."""
        present = [each for each in record.zones if (Kind.DNS_ZONE, each.namespace, each.name) in self.objects]
        hosted = (ObjectKey(each.namespace, hosted_zone(each.name)) for each in present)
        return tuple(dict.fromkeys(hosted)), tuple(each.name for each in record.zones if each not in present)

    def _declare(self, record: Record) -> None:
        """Write down a record with the zones that it declares."""
        zones, astray = self._zones_told[record.key.name] = self._zones_of(record)
        seen = replace(record, zones=zones)
        declared = Declared(
            at=self._loop.now, site=self.site, key=record.key, uid=record.uid, record=seen, astray=astray
        )
        self._history.add(declared)

    def _forget(self, key: Key, *, observed: bool) -> None:
        raw = self.objects.pop(key, None)
        if raw is not None and key[0] is Kind.FAILOVER_RECORD:
            self.records.pop(key[2], None)
            self._zones_told.pop(key[2], None)
            gone = Declared(
                at=self._loop.now,
                site=self.site,
                key=ObjectKey(key[1], key[2]),
                uid=raw["metadata"]["uid"],
                record=None,
                observed=observed,
            )
            self._history.add(gone)
        elif raw is not None and key[0] is Kind.DNS_ZONE:
            self._tell_zone(key[2], frozen=False)
        elif raw is not None and key[0] is Kind.OVERRIDE:
            self._overridden(raw)

    def _tell(self, message: Message) -> None:
        for each in self.watches:
            self._loop.later(WATCH_DELAY, each.deliver, message)


class Watch:
    """One process's watch: messages come in order until it ends."""

    def __init__(self, server: ApiServer, take: Callable[[Message], None], on_end: Callable[[], None]) -> None:
        self._server = server
        self._take = take
        self._on_end = on_end
        self.is_open = True
        self.is_deaf = False
        server.watches.append(self)

    def deliver(self, message: Message) -> None:
        """Hand a message over, unless the connection broke meanwhile."""
        if self.is_open and not self.is_deaf:
            self._take(message)

    def end(self) -> None:
        """Break the connection."""
        if self.is_open:
            self.is_open = False
            self._server.watches.remove(self)
            self._on_end()


class Connection:
    """One process's way to its API server. Stands in for `detour.kube.cluster.Cluster`."""

    def __init__(self, server: ApiServer, caller: Caller, network: Network) -> None:
        self.server = server
        self._caller = caller
        self._network = network
        self._service = f"api-{server.site}"

    async def list_all(self, now: Callable[[], float]) -> AsyncIterator[Listed]:
        """Give a full list of each kind, as soon as it is there."""
        for kind in ORDER:
            began_at = now()
            if kind in SELDOM and not self.server.listed(kind):
                yield Listed(kind, [], began_at)  # in no time: schedules without them stay what they were
                continue
            yield Listed(kind, await self._call(partial(self.server.listed, kind)), began_at)

    async def namespace_uid(self, name: str) -> str:
        return await self._call(lambda: f"{name}-{self.server.site}")

    async def read_object(self, kind: Kind, namespace: str, name: str) -> RawObject:
        return await self._call(lambda: self.server.read(kind, namespace, name))

    async def patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, status: bool) -> RawObject:
        return await self._call(lambda: self.server.patch(kind, namespace, name, body, status=status), write=True)

    async def create_event(self, namespace: str, body: Mapping[str, Any]) -> None:
        told = (body["involvedObject"]["name"], body["reason"], body["message"])
        await self._call(lambda: self.server.events.append(told), write=True)

    async def read_secret(self, namespace: str, name: str) -> dict[str, str]:
        return await self._call(
            lambda: {
                "keyName": "key",
                "secret": self.server.secrets.get(name, FIRST_SECRET),
                "algorithm": "hmac-sha256",
            }
        )

    async def read_config_map(self, namespace: str, name: str) -> dict[str, str]:
        raise ClusterError("not found", 404)

    async def read_lease(self, namespace: str, name: str) -> Mapping[str, Any]:
        return await self._call(lambda: self.server.read_lease(namespace, name))

    async def create_lease(self, namespace: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._call(lambda: self.server.create_lease(namespace, body), write=True)

    async def replace_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._call(lambda: self.server.replace_lease(namespace, name, body), write=True)

    async def patch_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> float | None:
        return await self._call(lambda: self.server.patch_lease(namespace, name, body), write=True)

    async def list_one(self, kind: Kind) -> list[RawObject]:
        """Return all objects of a kind."""
        return await self._call(lambda: self.server.listed(kind))

    async def list_leases(self, namespace: str, selector: str) -> list[Mapping[str, Any]]:
        return await self._call(lambda: list[Mapping[str, Any]](self.server.list_leases(namespace, selector)))

    async def delete_lease(self, namespace: str, name: str, version: str) -> None:
        await self._call(lambda: self.server.delete_lease(namespace, name, version), write=True)

    async def _call(self, act: Callable[[], T], *, write: bool = False) -> T:
        try:
            return await self._network.call(self._caller, self._service, act, write=write)
        except CallFailedError as error:
            raise ClusterError(f"the API server cannot be reached ({error})", 0) from None


def _declares_alike(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> bool:
    deletions = [(each or {}).get("metadata", {}).get("deletionTimestamp") for each in (before, after)]
    return before is not None and before["spec"] == after["spec"] and deletions[0] == deletions[1]
