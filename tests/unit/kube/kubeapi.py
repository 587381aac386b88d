"""An API server over HTTP, as far as the operator calls it: pages, watches, patches, and everything that it may refuse.

What it holds is put there as it is, so an object may be anything. The real client and the real kopf talk to it.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from detour.kube.kinds import GROUP, VERSION
from detour.model.objects import Kind
from detour_lab.clouds.apiserver import APIServer

Mangle = Callable[[web.Request], web.Response | None]
Hook = Callable[[], Awaitable[None]]

NAMESPACED = {each.plural: each.is_namespaced for each in Kind}
TITLES = {each.plural: each.title for each in Kind}


class KubeApi:
    """Serves between `start` and `stop`. `objects` are by plural, namespace and name.

    Only requests with `token` are answered. `forbidden` has pairs of plural and namespace ("" for the whole cluster)
    that are answered with 403, `unwatchable` those where only watches are. `mangle` may answer in its place,
    `after_page` is awaited before each page but the first. Where `tokens_expire` the next one does, as after minutes.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Any] = {}
        self.secrets: dict[tuple[str, str], dict[str, Any]] = {}
        self.config_maps: dict[tuple[str, str], dict[str, Any]] = {}
        self.leases: dict[tuple[str, str], Any] = {}
        self.events: list[dict[str, Any]] = []
        self.forbidden: set[tuple[str, str]] = set()
        self.unwatchable: set[tuple[str, str]] = set()
        self.mangle: Mangle = lambda _: None
        self.token = "the first token"
        self.after_page: Hook | None = None
        self.version = 1000
        self.tokens_expire, self.tells_where_to_go_on = False, True
        self.requests: list[str] = []
        self.watches: list[tuple[str, str, int, asyncio.Queue[Any]]] = []
        self.history: list[tuple[int, str, str, dict[str, Any]]] = []
        app = web.Application(middlewares=[self._answer])
        base = f"/apis/{GROUP}/{VERSION}"
        app.router.add_get("/apis", self._groups)
        app.router.add_get("/api", self._core_versions)
        app.router.add_get("/api/v1", self._core_resources)
        app.router.add_get(base, self._resources)
        app.router.add_get(base + "/namespaces/{namespace}/{plural}", self._list)
        app.router.add_get(base + "/{plural}", self._list)
        app.router.add_get(base + "/namespaces/{namespace}/{plural}/{name}", self._read)
        app.router.add_patch(base + "/namespaces/{namespace}/{plural}/{name}{status:(/status)?}", self._patch)
        app.router.add_get("/api/v1/namespaces/{namespace}/{what:secrets|configmaps}/{name}", self._get)
        app.router.add_post("/api/v1/namespaces/{namespace}/events", self._event)
        lease = "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
        app.router.add_get(lease, self._lease)
        self._server = APIServer(app)

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        for *_, queue in self.watches:
            queue.put_nowait(None)
        await self._server.stop()

    def kubeconfig(self, folder: Path) -> str:
        """Write a kubeconfig file for it, and its token into a file of its own, and return the path of the first."""
        path, token = folder / "kubeconfig", folder / "token"
        token.write_text(self.token)
        named = {"name": "lab"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{**named, "cluster": {"server": self._server.url}}],
            "users": [{**named, "user": {"tokenFile": str(token)}}],
            "contexts": [{**named, "context": {"cluster": "lab", "user": "lab"}}],
            "current-context": "lab",
        }
        path.write_text(yaml.safe_dump(config))
        return str(path)

    def put(self, raw: dict[str, Any], *, quietly: bool = False) -> None:
        """Create or replace an object; everybody who watches is told, unless that is to be missed."""
        plural = next(plural for plural, title in TITLES.items() if title == raw["kind"])
        metadata = raw["metadata"]
        self.version += 1
        metadata["resourceVersion"] = str(self.version)
        if quietly:
            self.objects[plural, metadata.get("namespace", ""), metadata["name"]] = raw
        else:
            self.put_as_is(plural, metadata.get("namespace", ""), metadata["name"], raw)

    def put_as_is(self, plural: str, namespace: str, name: str, raw: Any) -> None:
        """Put anything at all in an object's place."""
        kind = "MODIFIED" if (plural, namespace, name) in self.objects else "ADDED"
        self.objects[plural, namespace, name] = raw
        self._tell(kind, plural, namespace, raw)

    def delete(self, plural: str, namespace: str, name: str) -> None:
        """Delete an object at once."""
        raw = self.objects.pop((plural, namespace, name))
        self.version += 1
        self._tell("DELETED", plural, namespace, raw)

    def restore(self, version: int) -> None:
        """Be restored from a backup of this version: the objects are those that there are."""
        self.version = version
        self.history.clear()
        for raw in self.objects.values():
            raw["metadata"]["resourceVersion"] = str(min(version, int(raw["metadata"]["resourceVersion"])))

    def _tell(self, kind: str, plural: str, namespace: str, raw: Any) -> None:
        for watched, space, since, queue in self.watches:
            if watched == plural and space in ("", namespace) and self.version > since:
                queue.put_nowait({"type": kind, "object": raw})

    @web.middleware
    async def _answer(self, request: web.Request, handler: Any) -> web.StreamResponse:
        watching = " watch" if request.query.get("watch") == "true" else ""
        self.requests.append(f"{request.method} {request.path}{watching}")
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return _status(401, "Unauthorized")
        place = (request.match_info.get("plural", ""), request.match_info.get("namespace", ""))
        if place in self.forbidden or (watching and place in self.unwatchable):
            return _status(403, "Forbidden")
        if (mangled := self.mangle(request)) is not None:
            return mangled
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _groups(self, _: web.Request) -> web.Response:
        version = {"groupVersion": f"{GROUP}/{VERSION}", "version": VERSION}
        group = {"name": GROUP, "versions": [version], "preferredVersion": version}
        return web.json_response({"kind": "APIGroupList", "groups": [group]})

    async def _core_versions(self, _: web.Request) -> web.Response:
        return web.json_response({"kind": "APIVersions", "versions": ["v1"]})

    async def _core_resources(self, _: web.Request) -> web.Response:
        namespaces = {"name": "namespaces", "singularName": "namespace", "kind": "Namespace", "namespaced": False}
        listed = [{**namespaces, "verbs": ["list", "watch"]}]
        return web.json_response({"kind": "APIResourceList", "groupVersion": "v1", "resources": listed})

    async def _resources(self, _: web.Request) -> web.Response:
        listed = [
            {
                "name": each.plural,
                "singularName": each.title.lower(),
                "kind": each.title,
                "namespaced": each.is_namespaced,
                "verbs": ["get", "list", "watch", "patch"],
                "shortNames": [],
                "categories": [],
            }
            for each in Kind
        ]
        return web.json_response({"kind": "APIResourceList", "groupVersion": f"{GROUP}/{VERSION}", "resources": listed})

    async def _list(self, request: web.Request) -> web.StreamResponse:
        plural, namespace = request.match_info["plural"], request.match_info.get("namespace", "")
        if request.query.get("watch") == "true":
            return await self._watch(request, plural, namespace)
        held = sorted(self.objects.items(), key=lambda each: f"{each[0][1]}/{each[0][2]}")  # as etcd orders them
        found = [raw for (kind, space, _), raw in held if kind == plural and namespace in ("", space)]
        token = request.query.get("continue")
        if token and self.tokens_expire:
            now = {"at": json.loads(base64.b64decode(token))["at"], "items": found, "version": self.version}
            following = base64.b64encode(json.dumps(now).encode()).decode()
            self.tokens_expire = False
            where = {"continue": following} if self.tells_where_to_go_on else {}
            return web.json_response({"kind": "Status", "metadata": where}, status=410)
        snapshot = json.loads(base64.b64decode(token)) if token else {"items": found, "version": self.version, "at": 0}
        if token and self.after_page is not None:
            await self.after_page()
        limit = int(request.query.get("limit", "0")) or len(found) or 1
        items, at = snapshot["items"], snapshot["at"] + limit
        metadata: dict[str, Any] = {"resourceVersion": str(snapshot["version"])}
        if at < len(items):
            rest = {**snapshot, "at": at}
            metadata["continue"] = base64.b64encode(json.dumps(rest).encode()).decode()
            metadata["remainingItemCount"] = len(items) - at
        page = items[snapshot["at"] : at]
        if "as=PartialObjectMetadataList" in request.headers.get("Accept", ""):
            page = [
                {"metadata": each["metadata"]} if isinstance(each, dict) and "metadata" in each else each
                for each in page
            ]
        return web.json_response({"kind": f"{TITLES[plural]}List", "metadata": metadata, "items": page})

    async def _watch(self, request: web.Request, plural: str, namespace: str) -> web.StreamResponse:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        watch = (plural, namespace, int(request.query.get("resourceVersion") or 0), queue)
        self.watches.append(watch)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        try:
            await response.prepare(request)
            while (event := await queue.get()) is not None:
                await response.write(json.dumps(event).encode() + b"\n")
        except ConnectionError:
            pass
        finally:
            self.watches.remove(watch)
        return response

    async def _read(self, request: web.Request) -> web.Response:
        found = self.objects.get(_key(request))
        return _status(404, "Not Found") if found is None else web.json_response(found)

    async def _patch(self, request: web.Request) -> web.Response:
        key = _key(request)
        if key not in self.objects:
            return _status(404, "Not Found")
        raw = _merged(self.objects[key], await request.json())
        self.version += 1
        raw["metadata"]["resourceVersion"] = str(self.version)
        self.put_as_is(*key, raw)
        return web.json_response(raw)

    async def _get(self, request: web.Request) -> web.Response:
        held = self.secrets if request.match_info["what"] == "secrets" else self.config_maps
        found = held.get((request.match_info["namespace"], request.match_info["name"]))
        return _status(404, "Not Found") if found is None else web.json_response(found)

    async def _event(self, request: web.Request) -> web.Response:
        self.events.append(await request.json())
        return web.json_response(self.events[-1], status=201)

    async def _lease(self, request: web.Request) -> web.Response:
        found = self.leases.get((request.match_info["namespace"], request.match_info["name"]))
        return _status(404, "Not Found") if found is None else web.json_response(found)


def _key(request: web.Request) -> tuple[str, str, str]:
    return request.match_info["plural"], request.match_info["namespace"], request.match_info["name"]


def _status(code: int, reason: str) -> web.Response:
    return web.json_response({"kind": "Status", "status": "Failure", "code": code, "reason": reason}, status=code)


def _merged(before: Any, patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outcome of a merge patch (RFC 7396)."""
    result = dict(before) if isinstance(before, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value) if isinstance(value, Mapping) else value
    return result
