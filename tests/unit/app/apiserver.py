"""The API server as the operator meets it: objects with versions and finalizers, Leases, watches, outages."""

import asyncio
import copy
import uuid
from collections.abc import Callable, Mapping
from typing import Any, cast

from detour.engine.ports import ClusterError
from detour.kube.kinds import DeletionSeen, Seen
from detour.model.objects import Kind, RawObject
from detour.twin.cluster import merged

WALL = 1_700_000_000.0
"""What the clock on the wall shows when the loop begins."""

KINDS = {each.title: each for each in Kind}


class ApiServer:
    """Holds objects and Leases; every change of an object is watched by everyone in `watchers`."""

    def __init__(self) -> None:
        self.uid = str(uuid.uuid4())
        self.uid_refused = False
        self.objects: dict[tuple[Kind, str, str], dict[str, Any]] = {}
        self.leases: dict[tuple[str, str], dict[str, Any]] = {}
        self.events: list[tuple[str, str]] = []
        self.watchers: list[Callable[[Seen | DeletionSeen], None]] = []
        self.is_away = self.leases_refused = False
        self._versions = 1

    def apply(self, raw: dict[str, Any]) -> None:
        """Create or change an object, as kubectl would."""
        kind, metadata = KINDS[raw["kind"]], raw["metadata"]
        key = (kind, metadata.get("namespace", ""), metadata["name"])
        before = self.objects.get(key)
        made = copy.deepcopy(raw)
        if before is not None:
            made["status"] = before.get("status", {})
            made["metadata"]["finalizers"] = before["metadata"].get("finalizers", [])
            made["metadata"]["generation"] = before["metadata"]["generation"] + (before["spec"] != raw["spec"])
        self._store(key, made)

    def delete(self, kind: Kind, name: str, namespace: str = "shop") -> None:
        """Delete an object: at once, or once its finalizers are gone."""
        key = (kind, namespace, name)
        gone = copy.deepcopy(self.objects[key])
        gone["metadata"]["deletionTimestamp"] = "2026-11-23T21:00:00Z"
        self._store(key, gone)

    def status(self, name: str = "api", kind: Kind = Kind.FAILOVER_RECORD, namespace: str = "shop") -> dict[str, Any]:
        """Return an object's status."""
        return cast(dict[str, Any], self.objects[kind, namespace, name].get("status", {}))

    def condition(
        self, type: str, name: str = "api", kind: Kind = Kind.FAILOVER_RECORD, namespace: str = "shop"
    ) -> tuple[str, str]:
        """Return status and reason of a condition."""
        found = [each for each in self.status(name, kind, namespace).get("conditions", ()) if each["type"] == type]
        return (found[0]["status"], found[0]["reason"]) if found else ("", "")

    async def patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, status: bool) -> RawObject:
        await self._answer()
        key = (kind, namespace, name)
        if key not in self.objects:
            raise ClusterError("not found", 404)
        patched = copy.deepcopy(self.objects[key])
        wanted = dict(body.get("metadata", {}))
        version = wanted.pop("resourceVersion", None)
        if version is not None and version != patched["metadata"]["resourceVersion"]:
            raise ClusterError("the object has been modified", 409)
        if status:
            patched["status"] = merged(patched.get("status", {}), body["status"])
        for field, value in wanted.items():
            old = patched["metadata"].get(field, {})
            patched["metadata"][field] = merged(old, value) if isinstance(value, Mapping) else value
        self._store(key, patched)
        return patched

    async def read_object(self, kind: Kind, namespace: str, name: str) -> Mapping[str, Any]:
        await self._answer()
        if (kind, namespace, name) not in self.objects:
            raise ClusterError("not found", 404)
        return copy.deepcopy(self.objects[kind, namespace, name])

    async def create_event(self, namespace: str, body: Mapping[str, Any]) -> None:
        await self._answer()
        self.events.append((body["reason"], body["message"]))

    async def read_config_map(self, namespace: str, name: str) -> Mapping[str, str]:
        await self._answer()
        raise ClusterError("not found", 404)

    async def read_lease(self, namespace: str, name: str) -> Mapping[str, Any]:
        await self._answer()
        if (namespace, name) not in self.leases:
            raise ClusterError("not found", 404)
        return copy.deepcopy(self.leases[namespace, name])

    async def create_lease(self, namespace: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        await self._answer()
        if (namespace, body["metadata"]["name"]) in self.leases:
            raise ClusterError("there is one already", 409)
        return self._keep_lease(namespace, body)

    async def replace_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        await self._answer()
        if (namespace, name) not in self.leases:
            raise ClusterError("not found", 404)
        if body["metadata"]["resourceVersion"] != self.leases[namespace, name]["metadata"]["resourceVersion"]:
            raise ClusterError("the object has been modified", 409)
        return self._keep_lease(namespace, body)

    async def patch_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> float | None:
        await self._answer()
        if (namespace, name) not in self.leases:
            raise ClusterError("not found", 404)
        self._keep_lease(namespace, merged(self.leases[namespace, name], body))
        return self.wall()

    async def list_leases(self, namespace: str, selector: str) -> list[Mapping[str, Any]]:
        await self._answer()
        if self.leases_refused:
            raise ClusterError("the API server answers 403 Forbidden", 403)
        found = [lease for (there, _), lease in self.leases.items() if there == namespace]
        return [copy.deepcopy(each) for each in found if selector in each["metadata"].get("labels", {})]

    def wall(self) -> float:
        """Return the time that it tells, in whole seconds."""
        return WALL + int(asyncio.get_running_loop().time())

    def _keep_lease(self, namespace: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self._versions += 1
        kept = copy.deepcopy(dict(body))
        kept["metadata"]["resourceVersion"] = str(self._versions)
        self.leases[namespace, kept["metadata"]["name"]] = kept
        return copy.deepcopy(kept)

    async def _answer(self) -> None:
        await asyncio.sleep(0.02)
        if self.is_away:
            raise ClusterError("nobody there", 0)

    def _store(self, key: tuple[Kind, str, str], raw: dict[str, Any]) -> None:
        self._versions += 1
        raw["metadata"]["resourceVersion"] = str(self._versions)
        metadata = raw["metadata"]
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            self.objects.pop(key, None)
            message: Seen | DeletionSeen = DeletionSeen(key[0], raw)
        else:
            self.objects[key] = raw
            message = Seen(key[0], copy.deepcopy(raw))
        asyncio.get_running_loop().call_soon(self._tell, message)

    def _tell(self, message: Seen | DeletionSeen) -> None:
        if not self.is_away:
            for watch in tuple(self.watchers):
                watch(message)


class Connection:
    """One process's way to the API server; stands in for `detour.kube.cluster.Cluster`. `is_cut` cuts it alone,
    `is_mute` keeps it from writing any status."""

    def __init__(self, server: ApiServer) -> None:
        self.is_cut = self.is_mute = False
        self._server = server

    async def namespace_uid(self, name: str) -> str:
        assert name == "kube-system"
        await self._pass()
        if self._server.uid_refused:
            raise ClusterError("the API server answers 403 Forbidden", 403)
        return self._server.uid

    async def patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, status: bool) -> RawObject:
        if self.is_mute:
            raise ClusterError("away", 0)
        await self._pass()
        return await self._server.patch(kind, namespace, name, body, status=status)

    async def read_object(self, kind: Kind, namespace: str, name: str) -> Mapping[str, Any]:
        await self._pass()
        return await self._server.read_object(kind, namespace, name)

    async def create_event(self, namespace: str, body: Mapping[str, Any]) -> None:
        await self._pass()
        await self._server.create_event(namespace, body)

    async def read_config_map(self, namespace: str, name: str) -> Mapping[str, str]:
        await self._pass()
        return await self._server.read_config_map(namespace, name)

    async def read_lease(self, namespace: str, name: str) -> Mapping[str, Any]:
        await self._pass()
        return await self._server.read_lease(namespace, name)

    async def patch_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> float | None:
        await self._pass()
        return await self._server.patch_lease(namespace, name, body)

    async def list_leases(self, namespace: str, selector: str) -> list[Mapping[str, Any]]:
        await self._pass()
        return await self._server.list_leases(namespace, selector)

    async def create_lease(self, namespace: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        await self._pass()
        return await self._server.create_lease(namespace, body)

    async def replace_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        await self._pass()
        return await self._server.replace_lease(namespace, name, body)

    async def _pass(self) -> None:
        if self.is_cut:
            await asyncio.sleep(0.02)
            raise ClusterError("nobody there", 0)
