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
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
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
THREADS = 8
ORDINARY = (404, 409)
"""Answers that are part of life: an object that is gone, or newer than we knew."""

GONE = 410

MERGE_PATCH = "application/merge-patch+json"
ONE_S_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
METADATA_ALONE = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

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

    def __init__(self, kubeconfig: str | None, *, on_error: Callable[[str], None] = lambda _: None) -> None:
        """Connect with the first call. `on_error` is told of calls that failed, by what they were to do."""
        self._kubeconfig = kubeconfig
        self._on_error = on_error
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="kubernetes")
        self._client: client.ApiClient | None = None

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
        listed = await self._call("namespaces", lambda api: _page(_get(client.CoreV1Api(api).list_namespace)))
        found = [_mapping(each.get("metadata")) for each in listed.items if isinstance(each, Mapping)]
        return {
            str(each.get("name")): {str(key): str(value) for key, value in _mapping(each.get("labels")).items()}
            for each in found
        }

    async def namespace_uid(self, name: str) -> str:
        """Return the UID of a namespace."""
        found = await self._call("namespace", lambda api: _get(client.CoreV1Api(api).read_namespace, name))
        return str(_mapping(found.get("metadata")).get("uid") or "")

    async def read_secret(self, namespace: str, name: str) -> dict[str, str]:
        """Return the decoded data of a Secret; values that are no text are left out, a byte order mark is no text."""
        read = client.CoreV1Api.read_namespaced_secret
        found = await self._call("secret", lambda api: _get(partial(read, client.CoreV1Api(api)), name, namespace))
        data = _mapping(found.get("data"))
        return {str(key): text for key, value in data.items() if (text := _decode(value)) is not None}

    async def read_config_map(self, namespace: str, name: str) -> dict[str, str]:
        """Return the data of a ConfigMap, with what stands in its `binaryData` for not being UTF-8, read as text."""
        read = client.CoreV1Api.read_namespaced_config_map
        found = await self._call("config-map", lambda api: _get(partial(read, client.CoreV1Api(api)), name, namespace))
        binary = {str(key): _as_text(value) for key, value in _mapping(found.get("binaryData")).items()}
        plain = {str(key): value for key, value in _mapping(found.get("data")).items() if isinstance(value, str)}
        return binary | plain

    async def patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, status: bool) -> RawObject:
        """Merge `body` into an object, or into its status subresource; return the object, of which only metadata count.

        A server that can leaves the rest out: to write it down and to read it takes as long as all else.
        """
        return await self._call(
            "status" if status else "metadata", lambda api: _patch(api, kind, namespace, name, body, status=status)
        )

    async def create_event(self, namespace: str, body: Mapping[str, Any]) -> None:
        """Create a core/v1 Event."""
        await self._call("event", lambda api: _create_event(api, namespace, body))

    async def read_lease(self, namespace: str, name: str) -> RawObject:
        """Return a coordination.k8s.io/v1 Lease."""
        return await self._lease_call("read_namespaced_lease", name, namespace)

    async def create_lease(self, namespace: str, body: Mapping[str, Any]) -> RawObject:
        """Create a Lease and return it."""
        return await self._lease_call("create_namespaced_lease", namespace, dict(body))

    async def replace_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> RawObject:
        """Replace a Lease, of the version that `body` names, and return it."""
        return await self._lease_call("replace_namespaced_lease", name, namespace, dict(body))

    async def list_leases(self, namespace: str, selector: str) -> list[RawObject]:
        """Return the Leases with a label, as they were at one moment."""

        def call(api: client.ApiClient) -> RawObject:
            read = partial(client.CoordinationV1Api(api).list_namespaced_lease, label_selector=selector)
            return _get(read, namespace, timeout=LEASE_TIMEOUT)

        items = (await self._call("lease", call)).get("items")
        return [each for each in items if isinstance(each, Mapping)] if isinstance(items, list) else []

    async def delete_lease(self, namespace: str, name: str, version: str) -> None:
        """Delete a Lease that is still of this version."""
        body = {"preconditions": {"resourceVersion": version}}

        def call(api: client.ApiClient) -> RawObject:
            delete = client.CoordinationV1Api(api).delete_namespaced_lease
            return _get(delete, name, namespace, timeout=LEASE_TIMEOUT, body=body)

        await self._call("lease", call)

    async def _lease_call(self, method: str, *arguments: Any) -> RawObject:
        def call(api: client.ApiClient) -> RawObject:
            return _get(getattr(client.CoordinationV1Api(api), method), *arguments, timeout=LEASE_TIMEOUT)

        return await self._call("lease", call)

    def close(self) -> None:
        """Give up calls that wait and end the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _call(self, what: str, call: Callable[[client.ApiClient], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._call_now, what, call)

    def _call_now(self, what: str, call: Callable[[client.ApiClient], Answer]) -> Answer:
        try:
            return self._try(call)
        except ClusterError as error:
            if error.status not in ORDINARY:
                self._on_error(what)
            raise

    def _try(self, call: Callable[[client.ApiClient], Answer]) -> Answer:
        try:
            if self._client is None:
                self._client = client.ApiClient(configuration(self._kubeconfig))
                self._client.user_agent = USER_AGENT
            return call(self._client)
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


def _get(
    method: Callable[..., Any], *arguments: Any, timeout: tuple[float, float] = CALL_TIMEOUT, **more: Any
) -> RawObject:
    """Call a method of the client and return the object that it answers with. Raises NonsenseError where it is none."""
    answer = method(*arguments, _request_timeout=timeout, _preload_content=False, **more)
    try:
        return _object(answer.data)
    finally:
        answer.release_conn()


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
    custom = client.CustomObjectsApi(api)
    paging: dict[str, Any] = {"limit": PAGE, **({"_continue": token} if token else {})}
    if namespace is None:
        return _page(_get(custom.list_cluster_custom_object, GROUP, VERSION, kind.plural, **paging))
    return _page(_get(custom.list_namespaced_custom_object, GROUP, VERSION, namespace, kind.plural, **paging))


def _open_watch(api: client.ApiClient, kind: Kind, namespace: str | None, version: str) -> None:
    """Open a watch and close it again: the API server has told by then whether it lets us."""
    custom = client.CustomObjectsApi(api)
    method: Any = custom.list_cluster_custom_object if namespace is None else custom.list_namespaced_custom_object
    where = (kind.plural,) if namespace is None else (namespace, kind.plural)
    options = {"watch": True, "timeout_seconds": 1, "resource_version": version or "0"}
    method(GROUP, VERSION, *where, **options, _request_timeout=CALL_TIMEOUT, _preload_content=False).close()


def _read(api: client.ApiClient, kind: Kind, namespace: str, name: str) -> RawObject:
    custom = client.CustomObjectsApi(api)
    read: Any = custom.get_namespaced_custom_object if kind.is_namespaced else custom.get_cluster_custom_object
    where = (namespace, kind.plural) if kind.is_namespaced else (kind.plural,)
    return _get(read, GROUP, VERSION, *where, name)


def _patch(
    api: client.ApiClient, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, status: bool
) -> RawObject:
    """Patch an object."""
    path = f"{_path(kind, namespace)}/{quote(name)}{'/status' if status else ''}"
    answer = _request(
        api,
        "PATCH",
        path,
        {"fieldManager": MANAGER},
        headers={"Accept": ONE_S_METADATA, "Content-Type": MERGE_PATCH},
        body=json.dumps(body),
    )
    _refuse_errors(answer)
    return _object(answer.data)


def _create_event(api: client.ApiClient, namespace: str, body: Mapping[str, Any]) -> None:
    answer = _request(
        api,
        "POST",
        f"/api/v1/namespaces/{quote(namespace)}/events",
        {"fieldManager": MANAGER},
        headers={"Accept": ONE_S_METADATA, "Content-Type": "application/json"},
        body=json.dumps(body),
    )
    _refuse_errors(answer)


def _list_metadata(api: client.ApiClient, kind: Kind, namespace: str | None, token: str | None) -> MetadataPage:
    asked = {"limit": str(PAGE), **({"continue": token} if token else {})}
    answer = _request(api, "GET", _path(kind, namespace), asked, headers={"Accept": METADATA_ALONE})
    if answer.status == GONE and token:
        following = _mapping(_object(answer.data).get("metadata")).get("continue")
        if isinstance(following, str) and following and following != token:
            return _list_metadata(api, kind, namespace, following)
    _refuse_errors(answer)
    found = _object(answer.data)
    page, rest = _page(found), _mapping(found.get("metadata")).get("remainingItemCount")
    rest = rest if isinstance(rest, int) else (None if page.token else 0)
    return MetadataPage(page.items, page.version, page.token, rest)


def _path(kind: Kind, namespace: str | None) -> str:
    place = f"/namespaces/{quote(namespace)}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{place}/{kind.plural}"


def _request(
    api: client.ApiClient,
    method: str,
    path: str,
    query: Mapping[str, str],
    *,
    headers: Mapping[str, str],
    body: str | None = None,
) -> Any:
    """Send a request without the library's own checks of every argument, which take longer than the call."""
    sent = {**headers, "User-Agent": api.user_agent}
    api.update_params_for_auth(sent, [], ["BearerToken"], path, method, None)
    return api.rest_client.pool_manager.request(
        method,
        f"{api.configuration.host}{path}?{urlencode(query)}",
        body=body,
        headers=sent,
        timeout=Timeout(*CALL_TIMEOUT),
    )


def _refuse_errors(answer: Any) -> None:
    """Raise what the library does where an answer tells of an error."""
    if answer.status >= 300:
        raise client.ApiException(status=answer.status, reason=answer.reason)


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
