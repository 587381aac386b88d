"""Calls to the API server: reading lists, secrets and config maps, writing status, metadata and events.

The client is synchronous: it runs in threads of its own, and every call has a deadline, so that an API server that is
away costs nobody else anything. Answers are read as plain JSON and looked at here: whatever else one holds (an error
page, half a document, no object at all), it fails that call and nothing more.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from detour import __version__
from detour.engine.ports import NONSENSE, NOT_REACHED, ClusterError
from detour.kube.kinds import GROUP, VERSION, slim
from detour.kube.login import configuration
from detour.kube.packed import PackedObjects
from detour.model.cabundle import text_of
from detour.model.objects import Kind, RawObject

if TYPE_CHECKING:
    from kubernetes import client
else:

    class _Client:
        """The client library, imported with the first call: that takes a second, which only who calls need spend."""

        def __getattr__(self, name: str) -> Any:
            return getattr(import_module("kubernetes.client"), name)

    client = _Client()

logger = logging.getLogger(__name__)

CALL_TIMEOUT = (3.0, 20.0)
LEASE_TIMEOUT = (2.0, 3.0)
"""Seconds to connect and to wait for an answer; short where a leader has to know in time."""

PAGE = 250
MOST_EVENTS = 1000
THREADS = 8
ORDINARY = (404, 409)
"""Answers that are part of life: an object that is gone, or newer than we knew."""

GONE = 410

EXPLAINED = (400, 403, 409, 422)
"""Answers with words of why that are worth telling to the person who asked."""

MERGE_PATCH = "application/merge-patch+json"
ONE_S_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
METADATA_ALONE = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

PLAIN = {"Accept": "application/json", "Content-Type": "application/json"}
NO_QUERY: Mapping[str, str] = {}

MANAGER = "detour"
"""What our changes are called in `managedFields`."""

USER_AGENT = f"detour/{__version__}"

Answer = TypeVar("Answer")


class Listing(NamedTuple):
    """Objects, and the version of the API server's data that shows them all: that of the first page."""

    items: PackedObjects
    version: str


class MetadataPage(NamedTuple):
    """Objects by their metadata, the version of the API server's data, where to go on (None: that is the end).

    `rest` is about how many objects come after the page, None where the API server does not say.
    """

    items: list[RawObject]
    version: str
    token: str | None
    rest: int | None


class Cluster:
    """The API server, for one event loop. Every method raises ClusterError."""

    def __init__(
        self,
        kubeconfig: str | None,
        *,
        context: str | None = None,
        manager: str = MANAGER,
        on_call: Callable[[str], None] = lambda _: None,
        on_error: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Connect with the first call. `on_call` is told of each call by what it is for, `on_error` of those that fail.

        `manager` is what changes of objects are called in `managedFields`.
        """
        self._kubeconfig = kubeconfig
        self._context = context
        self._manager = manager
        self._on_call = on_call
        self._on_error = on_error
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="kubernetes")
        self._client: client.ApiClient | None = None
        self._connecting = threading.Lock()  # also of threads that would import the library at the same time

    def list_now(self, kind: Kind, namespace: str | None = None) -> Listing:
        """Return every object of `kind`, in one namespace or in all. It runs in the calling thread."""
        try:
            return self._list_pages(kind, namespace)
        except ClusterError as error:
            if error.status != GONE:
                raise
            return self._list_pages(kind, namespace)  # a page was asked for too late: from the beginning

    def list_metadata_now(self, kind: Kind, namespace: str | None, token: str | None) -> MetadataPage:
        """Return a page of the objects of `kind`, by their metadata alone. It runs in the calling thread.

        A `token` that is too old is followed to where it pointed, in the data as they are now.
        """
        call = partial(_list_metadata, kind=kind, namespace=namespace, token=token)
        return self._call_now("list", call)

    def read_now(self, kind: Kind, namespace: str, name: str) -> RawObject:
        """Return one object; `namespace` is empty for a kind that has none. It runs in the calling thread."""
        return slim(self._call_now("read", lambda api: _read(api, kind, namespace, name)))

    def may_watch_now(self, kind: Kind, namespace: str | None, version: str) -> bool:
        """Tell whether the API server lets us watch `kind` there, from `version` on; False only where it forbids it."""
        try:
            self._call_now("watch", partial(_open_watch, kind=kind, namespace=namespace, version=version))
        except ClusterError as error:
            return error.status != 403
        return True

    def _list_pages(self, kind: Kind, namespace: str | None) -> Listing:
        found = PackedObjects()
        version, token = "", None
        while True:
            call = partial(_list_page, kind=kind, namespace=namespace, token=token)
            page = self._call_now("list", call)
            found.add(map(slim, page.items))
            version = version or page.version
            if not page.token or page.token == token:
                return Listing(found, version)
            token = page.token

    async def read_object(self, kind: Kind, namespace: str, name: str) -> RawObject:
        """Return one object; `namespace` is empty for a kind that has none."""
        return await self._call("read", lambda api: _read(api, kind, namespace, name))

    async def namespace_labels(self) -> dict[str, dict[str, str]]:
        """Return the labels of every namespace."""
        listed = await self._call("namespaces", lambda api: _page(_get(api, "/api/v1/namespaces")))
        found = [_mapping(each.get("metadata")) for each in listed.items if isinstance(each, Mapping)]
        return {
            str(each.get("name")): {str(key): str(value) for key, value in _mapping(each.get("labels")).items()}
            for each in found
        }

    async def namespace_uid(self, name: str) -> str:
        """Return the UID of a namespace."""
        found = await self._call("namespace", lambda api: _get(api, f"/api/v1/namespaces/{_quote(name)}"))
        return str(_mapping(found.get("metadata")).get("uid") or "")

    async def read_secret(self, namespace: str, name: str) -> dict[str, str]:
        """Return the decoded data of a Secret; values that are no text are left out, a byte order mark is no text."""
        found = await self._call("secret", lambda api: _get(api, _core_path(namespace, "secrets", name)))
        data = _mapping(found.get("data"))
        return {str(key): text for key, value in data.items() if (text := _decode(value)) is not None}

    async def read_config_map(self, namespace: str, name: str) -> dict[str, str]:
        """Return the data of a ConfigMap, with what stands in its `binaryData` for not being UTF-8, read as text."""
        found = await self._call("config-map", lambda api: _get(api, _core_path(namespace, "configmaps", name)))
        binary = {str(key): _as_text(value) for key, value in _mapping(found.get("binaryData")).items()}
        plain = {str(key): value for key, value in _mapping(found.get("data")).items() if isinstance(value, str)}
        return binary | plain

    async def patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, status: bool) -> RawObject:
        """Merge `body` into an object, or into its status subresource; return the object, of which only metadata count.

        A server that can leaves the rest out: to write it down and to read it takes as long as all else.
        """
        return await self._call(
            "status" if status else "metadata",
            lambda api: _patch(api, kind, namespace, name, body, status=status, manager=self._manager),
        )

    async def create(self, kind: Kind, namespace: str, body: Mapping[str, Any]) -> None:
        """Create an object."""
        query = {"fieldManager": self._manager}
        await self._call("object", lambda api: _request(api, "POST", _path(kind, namespace), query, body=body))

    async def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete an object."""
        path = f"{_path(kind, namespace)}/{_quote(name)}"
        await self._call("object", lambda api: _request(api, "DELETE", path))

    async def who_am_i(self) -> str:
        """Return the user's name by which the API server knows us (SelfSubjectReview)."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        found = await self._call("user", lambda api: _object(_request(api, "POST", path, body=body).data))
        return str(_mapping(_mapping(found.get("status")).get("userInfo")).get("username") or "")

    async def create_event(self, namespace: str, body: Mapping[str, Any]) -> None:
        """Create a core/v1 Event."""
        await self._call("event", lambda api: _create_event(api, namespace, body))

    async def list_events(self, component: str) -> list[RawObject]:
        """Return the core/v1 Events that a component has created, in all namespaces."""
        query = {"fieldSelector": f"source={component}", "limit": str(MOST_EVENTS)}
        items = (await self._call("event", lambda api: _get(api, "/api/v1/events", query))).get("items")
        return [each for each in items if isinstance(each, Mapping)] if isinstance(items, list) else []

    async def read_lease(self, namespace: str, name: str) -> RawObject:
        """Return a coordination.k8s.io/v1 Lease."""
        return await self._lease_call("GET", _lease_path(namespace, name))

    async def create_lease(self, namespace: str, body: Mapping[str, Any]) -> RawObject:
        """Create a Lease and return it."""
        return await self._lease_call("POST", _lease_path(namespace), body)

    async def replace_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> RawObject:
        """Replace a Lease, of the version that `body` names, and return it."""
        return await self._lease_call("PUT", _lease_path(namespace, name), body)

    async def list_leases(self, namespace: str | None, selector: str) -> list[RawObject]:
        """Return the Leases with a label, in one namespace or in all, as they were at one moment."""
        items = (await self._lease_call("GET", _lease_path(namespace), query={"labelSelector": selector})).get("items")
        return [each for each in items if isinstance(each, Mapping)] if isinstance(items, list) else []

    async def delete_lease(self, namespace: str, name: str, version: str) -> None:
        """Delete a Lease that is still of this version."""
        await self._lease_call("DELETE", _lease_path(namespace, name), {"preconditions": {"resourceVersion": version}})

    async def patch_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> float | None:
        """Merge `body` into a Lease; return what time the API server tells with its answer (seconds since the epoch).

        It tells whole seconds; None where it tells none.
        """

        def call(api: client.ApiClient) -> float | None:
            kinds = {"Accept": ONE_S_METADATA, "Content-Type": MERGE_PATCH}
            path, query = _lease_path(namespace, name), {"fieldManager": MANAGER}
            answer = _request(api, "PATCH", path, query, headers=kinds, body=body, timeout=LEASE_TIMEOUT)
            return _told_time(answer.headers.get("Date"))

        return await self._call("lease", call)

    async def _lease_call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, query: Mapping[str, str] = NO_QUERY
    ) -> RawObject:
        def call(api: client.ApiClient) -> RawObject:
            return _object(_request(api, method, path, query, body=body, timeout=LEASE_TIMEOUT).data)

        return await self._call("lease", call)

    def close(self) -> None:
        """Give up calls that wait and end the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _call(self, what: str, call: Callable[[client.ApiClient], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._call_now, what, call)

    def _call_now(self, what: str, call: Callable[[client.ApiClient], Answer]) -> Answer:
        self._on_call(what)
        try:
            return self._try(call)
        except ClusterError as error:
            if error.status not in ORDINARY:
                self._on_error(what)
            raise

    def _try(self, call: Callable[[client.ApiClient], Answer]) -> Answer:
        try:
            return call(self._connected())
        except client.ApiException as error:
            if error.status == 401:
                self._client = None  # a token that has expired: read the connection anew
            raise ClusterError(f"the API server answers {error.status} {error.reason}", error.status or 0) from error
        except NonsenseError as error:
            raise ClusterError(f"the API server's answer is not what it should be: {error}", NONSENSE) from None
        except (HTTPError, OSError, client.exceptions.OpenApiException) as error:
            raise ClusterError(f"the API server cannot be reached ({type(error).__name__})", NOT_REACHED) from error
        except Exception as error:
            # A kubeconfig that is being rewritten raises whatever its parser does: that call failed, no more.
            self._client = None
            kind = type(error).__name__  # the library's own says where it looked; others may quote what they read
            told = f"{kind}: {error}" if kind == "ConfigException" else kind
            raise ClusterError(f"no connection to the API server ({told})", NOT_REACHED) from error

    def _connected(self) -> client.ApiClient:
        with self._connecting:
            if self._client is None:
                self._client = client.ApiClient(configuration(self._kubeconfig, self._context))
                self._client.user_agent = USER_AGENT
            return self._client


class NonsenseError(Exception):
    """An answer is not what it should be. The text says what it lacks, and quotes nothing."""


class _Page(NamedTuple):
    items: list[Any]
    version: str
    token: str | None


def _page(answer: Mapping[str, Any]) -> _Page:
    """Return what a page of a list holds. Raises NonsenseError where it is none."""
    items, metadata = answer.get("items"), _mapping(answer.get("metadata"))
    if not isinstance(items, list) and not (items is None and "items" in answer):  # Go writes an empty list as null too
        raise NonsenseError("no list of objects")
    token = metadata.get("continue")
    version = metadata.get("resourceVersion")
    return _Page(items or [], str(version or ""), token if isinstance(token, str) else None)


def _get(api: client.ApiClient, path: str, query: Mapping[str, str] = NO_QUERY) -> RawObject:
    """Return the object that is there. Raises NonsenseError where the answer is none."""
    return _object(_request(api, "GET", path, query).data)


def _object(text: bytes) -> RawObject:
    """Return the object that an answer is. Raises NonsenseError where it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise NonsenseError("no JSON, or half of it") from None
    if not isinstance(found, dict):
        raise NonsenseError("JSON, but no object")
    return found


def _list_page(api: client.ApiClient, kind: Kind, namespace: str | None, token: str | None) -> _Page:
    return _page(_get(api, _path(kind, namespace), _paging(token)))


def _paging(token: str | None) -> Mapping[str, str]:
    return {"limit": str(PAGE), **({"continue": token} if token else {})}


def _open_watch(api: client.ApiClient, kind: Kind, namespace: str | None, version: str) -> None:
    """Open a watch and close it again: the API server has told by then whether it lets us."""
    options = {"watch": "true", "timeoutSeconds": "1", "resourceVersion": version or "0"}
    _request(api, "GET", _path(kind, namespace), options, is_stream=True).close()


def _read(api: client.ApiClient, kind: Kind, namespace: str, name: str) -> RawObject:
    return _get(api, f"{_path(kind, namespace)}/{_quote(name)}")


def _patch(
    api: client.ApiClient,
    kind: Kind,
    namespace: str,
    name: str,
    body: Mapping[str, Any],
    *,
    status: bool,
    manager: str,
) -> RawObject:
    """Patch an object."""
    path = f"{_path(kind, namespace)}/{_quote(name)}{'/status' if status else ''}"
    kinds = {"Accept": ONE_S_METADATA, "Content-Type": MERGE_PATCH}
    return _object(_request(api, "PATCH", path, {"fieldManager": manager}, headers=kinds, body=body).data)


def _create_event(api: client.ApiClient, namespace: str, body: Mapping[str, Any]) -> None:
    kinds = {"Accept": ONE_S_METADATA}
    _request(api, "POST", _core_path(namespace, "events"), {"fieldManager": MANAGER}, headers=kinds, body=body)


def _list_metadata(api: client.ApiClient, kind: Kind, namespace: str | None, token: str | None) -> MetadataPage:
    kinds = {"Accept": METADATA_ALONE}
    answer = _request(api, "GET", _path(kind, namespace), _paging(token), headers=kinds, may_be_gone=token is not None)
    if answer.status == GONE and token:
        following = _mapping(_object(answer.data).get("metadata")).get("continue")
        if isinstance(following, str) and following and following != token:
            return _list_metadata(api, kind, namespace, following)
        raise client.ApiException(status=answer.status, reason=answer.reason)
    found = _object(answer.data)
    page, rest = _page(found), _mapping(found.get("metadata")).get("remainingItemCount")
    rest = rest if isinstance(rest, int) else (None if page.token else 0)
    return MetadataPage(page.items, page.version, page.token, rest)


def _path(kind: Kind, namespace: str | None) -> str:
    place = f"/namespaces/{_quote(namespace)}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{place}/{kind.plural}"


def _core_path(namespace: str, plural: str, name: str | None = None) -> str:
    return f"/api/v1/namespaces/{_quote(namespace)}/{plural}{f'/{_quote(name)}' if name is not None else ''}"


def _lease_path(namespace: str | None, name: str | None = None) -> str:
    place = f"/namespaces/{_quote(namespace)}" if namespace else ""
    where = f"/apis/coordination.k8s.io/v1{place}/leases"
    return where if name is None else f"{where}/{_quote(name)}"


def _request(
    api: client.ApiClient,
    method: str,
    path: str,
    query: Mapping[str, str] = NO_QUERY,
    *,
    headers: Mapping[str, str] = PLAIN,
    body: Mapping[str, Any] | None = None,
    timeout: tuple[float, float] = CALL_TIMEOUT,
    is_stream: bool = False,
    may_be_gone: bool = False,
) -> Any:
    """Send a request and return the answer; raise what the library does where it tells of an error.

    The library's own methods take longer than the call to check every argument, and 20 MB for classes of every kind of
    object that there is. Its connection, and who we are to the API server, are used.
    """
    sent = {**PLAIN, **headers, "User-Agent": api.user_agent}
    api.update_params_for_auth(sent, [], ["BearerToken"], path, method, None)
    answer = api.rest_client.pool_manager.request(
        method,
        f"{api.configuration.host}{path}{f'?{urlencode(query)}' if query else ''}",
        body=json.dumps(body) if body is not None else None,
        headers=sent,
        timeout=Timeout(*timeout),
        preload_content=not is_stream,
    )
    if answer.status >= 300 and not (may_be_gone and answer.status == GONE):
        refused = client.ApiException(status=answer.status, reason=answer.reason)
        if answer.status in EXPLAINED and not is_stream:
            refused.body = answer.data.decode(errors="replace")
        answer.close()
        raise refused
    return answer


def why_refused(error: ClusterError) -> str:
    """Return the API server's own words for a refusal, for a person who asked for it; empty where there are none.

    They quote what was sent, so they stand in no log and no status.
    """
    try:
        message = _object(str(getattr(error.__cause__, "body", None) or "").encode()).get("message")
    except NonsenseError:
        return ""
    return message if isinstance(message, str) else ""


def _told_time(date: str | None) -> float | None:
    """Return the time of a header `Date` (RFC 9110 §6.6.1)."""
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def _quote(name: str) -> str:
    """Return a name as one part of a path."""
    return quote(name, safe="")


def _as_text(value: object) -> str:
    try:
        return text_of(base64.b64decode(value)) if isinstance(value, str) else ""
    except ValueError:
        return ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _decode(value: object) -> str | None:
    """Return a value of a Secret as text, without the mark that Windows puts before it; None where it is none."""
    try:
        return base64.b64decode(value).decode("utf-8-sig") if isinstance(value, str) else None
    except ValueError:
        return None
