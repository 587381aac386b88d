"""Calls to the API server: reading lists, secrets and config maps, writing status, metadata and events.

The client is synchronous: it runs in threads of its own, and every call has a deadline, so that an API server that is
away costs nobody else anything.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from urllib3.exceptions import HTTPError

from detour.kube.kinds import GROUP, VERSION, Kind, RawObject
from detour.kube.login import configuration

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

PAGE = 500
THREADS = 8
ORDINARY = (404, 409)
"""Answers that are part of life: an object that is gone, or newer than we knew."""

MERGE_PATCH = "application/merge-patch+json"

Answer = TypeVar("Answer")


class Listing(NamedTuple):
    """Objects, and the version of the API server's data that shows them."""

    items: list[RawObject]
    version: str


class ClusterError(Exception):
    """A call to the API server failed. `status` is the HTTP status, 0 where it was not reached."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


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
        found: list[RawObject] = []
        token: str | None = None
        while True:
            page = self._call_now("list", partial(_list_page, kind=kind, namespace=namespace, token=token))
            found += page["items"]
            metadata = page.get("metadata", {})
            token = metadata.get("continue")
            if not token:
                return Listing(found, str(metadata.get("resourceVersion") or ""))

    async def read_object(self, kind: Kind, namespace: str, name: str) -> RawObject:
        """Return one object; `namespace` is empty for a kind that has none."""
        return await self._call("read", lambda api: _read(api, kind, namespace, name))

    async def namespace_labels(self) -> dict[str, dict[str, str]]:
        """Return the labels of every namespace."""
        listed = await self._call(
            "namespaces", lambda api: client.CoreV1Api(api).list_namespace(_request_timeout=CALL_TIMEOUT)
        )
        found = [each.metadata for each in listed.items if each.metadata is not None]
        return {str(each.name): {key: str(value) for key, value in (each.labels or {}).items()} for each in found}

    async def namespace_uid(self, name: str) -> str:
        """Return the UID of a namespace."""
        found = await self._call(
            "namespace", lambda api: client.CoreV1Api(api).read_namespace(name, _request_timeout=CALL_TIMEOUT)
        )
        return str(found.metadata.uid) if found.metadata is not None else ""

    async def read_secret(self, namespace: str, name: str) -> dict[str, str]:
        """Return the decoded data of a Secret; values that are no text are left out."""
        found = await self._call(
            "secret",
            lambda api: client.CoreV1Api(api).read_namespaced_secret(name, namespace, _request_timeout=CALL_TIMEOUT),
        )
        return {key: text for key, value in (found.data or {}).items() if (text := _decode(value)) is not None}

    async def read_config_map(self, namespace: str, name: str) -> dict[str, str]:
        """Return the data of a ConfigMap."""
        found = await self._call(
            "config-map",
            lambda api: client.CoreV1Api(api).read_namespaced_config_map(
                name, namespace, _request_timeout=CALL_TIMEOUT
            ),
        )
        return dict(found.data or {})

    async def patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, status: bool) -> RawObject:
        """Merge `body` into an object, or into its status subresource, and return the object."""
        return await self._call(
            "status" if status else "metadata", lambda api: _patch(api, kind, namespace, name, body, status=status)
        )

    async def create_event(self, namespace: str, body: Mapping[str, Any]) -> None:
        """Create a core/v1 Event."""
        event = client.CoreV1Event.from_dict(dict(body))
        assert event is not None  # noqa: S101 - only without a body
        await self._call(
            "event",
            lambda api: client.CoreV1Api(api).create_namespaced_event(namespace, event, _request_timeout=CALL_TIMEOUT),
        )

    async def read_lease(self, namespace: str, name: str) -> RawObject:
        """Return a coordination.k8s.io/v1 Lease."""
        return await self._lease_call("read_namespaced_lease", name, namespace)

    async def create_lease(self, namespace: str, body: Mapping[str, Any]) -> RawObject:
        """Create a Lease and return it."""
        return await self._lease_call("create_namespaced_lease", namespace, dict(body))

    async def replace_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> RawObject:
        """Replace a Lease, of the version that `body` names, and return it."""
        return await self._lease_call("replace_namespaced_lease", name, namespace, dict(body))

    async def _lease_call(self, method: str, *arguments: Any) -> RawObject:
        def call(api: client.ApiClient) -> RawObject:
            found = getattr(client.CoordinationV1Api(api), method)(*arguments, _request_timeout=LEASE_TIMEOUT)
            serialise: Callable[[object], RawObject] = api.sanitize_for_serialization
            return serialise(found)

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
            return call(self._client)
        except client.ApiException as error:
            if error.status == 401:
                self._client = None  # a token that has expired: read the connection anew
            raise ClusterError(f"the API server answers {error.status} {error.reason}", error.status or 0) from error
        except (HTTPError, OSError, client.exceptions.OpenApiException) as error:
            raise ClusterError(f"the API server cannot be reached ({type(error).__name__})", 0) from error
        except Exception as error:
            # A kubeconfig that is being rewritten raises whatever its parser does: that call failed, no more.
            self._client = None
            raise ClusterError(f"no connection to the API server ({type(error).__name__}: {error})", 0) from error


def _list_page(api: client.ApiClient, kind: Kind, namespace: str | None, token: str | None) -> Any:
    custom = client.CustomObjectsApi(api)
    paging: dict[str, Any] = {"limit": PAGE, "_request_timeout": CALL_TIMEOUT}
    if token:
        paging["_continue"] = token
    if namespace is None:
        return custom.list_cluster_custom_object(GROUP, VERSION, kind.plural, **paging)
    return custom.list_namespaced_custom_object(GROUP, VERSION, namespace, kind.plural, **paging)


def _read(api: client.ApiClient, kind: Kind, namespace: str, name: str) -> RawObject:
    custom = client.CustomObjectsApi(api)
    read: Any = custom.get_namespaced_custom_object if kind.is_namespaced else custom.get_cluster_custom_object
    where = (namespace, kind.plural) if kind.is_namespaced else (kind.plural,)
    found: RawObject = read(GROUP, VERSION, *where, name, _request_timeout=CALL_TIMEOUT)
    return found


def _patch(
    api: client.ApiClient, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, status: bool
) -> RawObject:
    custom = client.CustomObjectsApi(api)
    write: Any
    where: tuple[str, ...]
    if kind.is_namespaced:
        write = custom.patch_namespaced_custom_object_status if status else custom.patch_namespaced_custom_object
        where = (GROUP, VERSION, namespace, kind.plural, name)
    else:
        write = custom.patch_cluster_custom_object_status if status else custom.patch_cluster_custom_object
        where = (GROUP, VERSION, kind.plural, name)
    patched: RawObject = write(*where, dict(body), _content_type=MERGE_PATCH, _request_timeout=CALL_TIMEOUT)
    return patched


def _decode(value: str | bytes) -> str | None:
    try:
        return base64.b64decode(value).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
