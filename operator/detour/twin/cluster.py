"""The API server as a twin meets it: it takes statuses and keeps them, and nobody else is there."""

import copy
from collections.abc import Mapping
from typing import Any

from detour.engine.ports import ClusterError
from detour.model.objects import Kind, RawObject

Key = tuple[Kind, str, str]


class TwinCluster:
    """Objects by kind, namespace and name."""

    def __init__(self) -> None:
        self.objects: dict[Key, dict[str, Any]] = {}
        self._version = 1

    def put(self, kind: Kind, raw: RawObject) -> None:
        """Hold an object; one that was there keeps its status, and has another generation where its spec differs."""
        made: dict[str, Any] = copy.deepcopy(dict(raw))
        metadata = made["metadata"]
        key = (kind, str(metadata.get("namespace") or ""), str(metadata["name"]))
        before = self.objects.get(key)
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        if before is not None:
            made["status"] = before.get("status", {})
            generation = int(before["metadata"].get("generation") or 0)
            metadata |= {each: before["metadata"][each] for each in ("uid", "creationTimestamp")}
            metadata["generation"] = generation + (before.get("spec") != made.get("spec"))
            # What people have annotated stays where a manifest does not name it, whichever way it is applied.
            kept = {**(before["metadata"].get("annotations") or {}), **(metadata.get("annotations") or {})}
            metadata |= {"annotations": kept} if kept else {}
        self.objects[key] = made

    async def patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, status: bool) -> RawObject:
        """Merge a patch (RFC 7396)."""
        found = self.objects.get((kind, namespace, name))
        if found is None:
            raise ClusterError("not found", 404)
        self._version += 1
        patched = merged(found, {each: body[each] for each in body if each == "status" or not status})
        patched["metadata"] = {**patched["metadata"], "resourceVersion": str(self._version)}
        self.objects[kind, namespace, name] = patched
        return patched

    async def create_event(self, namespace: str, body: Mapping[str, Any]) -> None:
        """Nobody reads them."""

    async def read_config_map(self, namespace: str, name: str) -> Mapping[str, str]:
        """There is none."""
        raise ClusterError("not found", 404)


def merged(before: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return `before` with a merge patch applied (RFC 7396): objects are merged, null removes, all else replaces."""
    result = {key: value for key, value in before.items() if key not in patch}
    for key, value in patch.items():
        if isinstance(value, Mapping):
            old = before.get(key)
            result[key] = merged(old if isinstance(old, Mapping) else {}, value)
        elif value is not None:
            result[key] = value
    return result
