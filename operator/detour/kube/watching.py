"""Watching the API server with kopf, in a thread and an event loop of its own.

kopf cancels every task of its loop when it ends, takes over the signal handlers, and ends whenever the API server is
away at the wrong moment. So it lives apart, is started again whenever it ended, and hands each object to the engine
as it is. What its watches missed meanwhile is caught by listing everything before each start.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import kopf

from detour.kube.cluster import Cluster, ClusterError
from detour.kube.kinds import GROUP, VERSION, DeletionSeen, Kind, Listed, Message, Seen
from detour.kube.login import connection_info

logger = logging.getLogger(__name__)

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 3.0
"""Seconds between the end of kopf, or a failed listing, and the next try: doubling from the first to the longest."""

MISSING_RESOURCES = "the API server does not know Detour's custom resources: apply crds/ or install the chart with them"
UNCHANGED = "going on with what was declared before"


class Watcher:
    """Delivers what the API server holds until `stop`.

    `deliver` is called from the watcher's thread, `clock` must be safe to call there. Without `namespaces` the whole
    cluster is watched.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        kubeconfig: str | None,
        namespaces: Sequence[str],
        deliver: Callable[[Message], None],
        clock: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._kubeconfig = kubeconfig
        self._namespaces = tuple(namespaces)
        self._deliver = deliver
        self._clock = clock
        self._stop = threading.Event()
        self._stop_kopf = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)
        self._troubled = False
        self._highest_version = 0

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End, waiting at most `timeout` seconds for kopf."""
        self._stop.set()
        self._stop_kopf.set()
        self._thread.join(timeout)

    def list_all(self) -> None:
        """List every kind and deliver it. Raises ClusterError."""
        for kind in (Kind.CLOUD_REGION, Kind.DNS_ZONE, Kind.FAILOVER_RECORD):
            began_at = self._clock()
            spaces: Sequence[str | None] = self._namespaces if self._namespaces and kind.is_namespaced else (None,)
            listings = [self._cluster.list_now(kind, space) for space in spaces]
            self._deliver(Listed(kind, [raw for each in listings for raw in each.items], began_at))
            self._compare_versions([each.version for each in listings])

    def _compare_versions(self, versions: Sequence[str]) -> None:
        """Start the watches anew where the API server's data went back, as after a restore of etcd.

        A watch goes on from a version that then lies in the future, and would show nothing until it is reached.
        """
        found = [int(each) for each in versions if each.isdecimal()]
        if found and min(found) < self._highest_version:
            logger.warning("the API server's data went back (restored from a backup?): starting the watches anew")
            self._highest_version = 0
            self._stop_kopf.set()
        self._highest_version = max(self._highest_version, *found) if found else self._highest_version

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            try:
                self.list_all()
            except ClusterError as error:
                self._tell_trouble(MISSING_RESOURCES if error.status == 404 else f"{error}: {UNCHANGED}")
                self._stop.wait(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
                continue
            if self._troubled:
                logger.info("the API server answers again")
                self._troubled = False
            pause = FIRST_PAUSE
            self._watch_until_it_ends()
            if not self._stop.is_set():
                self._tell_trouble("the watch on the API server ended: starting it again")
                self._stop.wait(FIRST_PAUSE)

    def _tell_trouble(self, message: str) -> None:
        """Log the first of a series of troubles; the series ends with the next good listing."""
        if not self._troubled:
            logger.warning("%s", message)
        self._troubled = True

    def _watch_until_it_ends(self) -> None:
        try:
            asyncio.run(self._watch())
        except Exception as error:
            # kopf ends with whatever its watches met (LoginError, APIError, cancellations): it is started again.
            logger.debug("kopf ended: %r", error)

    async def _watch(self) -> None:
        # kopf leaves tasks behind when the API server goes away; that it went is told once, by `_tell_trouble`.
        asyncio.get_running_loop().set_exception_handler(lambda _, context: logger.debug("in kopf: %s", context))
        self._stop_kopf = threading.Event()
        if self._stop.is_set():
            return
        try:
            await kopf.operator(
                registry=self._registry(),
                settings=_settings(),
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                standalone=True,
                stop_flag=self._stop_kopf,
            )
        finally:
            self._stop_kopf.set()  # a thread of this loop waits for the flag, and the loop for that thread

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        for kind in Kind:
            kopf.on.event(GROUP, VERSION, kind.plural, registry=registry, id=kind.plural)(self._handler(kind))
        kopf.on.login(registry=registry)(self._log_in)
        return registry

    def _handler(self, kind: Kind) -> Any:
        async def hand_over(event: Any, **_: Any) -> None:
            raw = dict(event["object"])
            version = str(raw.get("metadata", {}).get("resourceVersion") or "")
            self._highest_version = max(self._highest_version, int(version) if version.isdecimal() else 0)
            self._deliver(DeletionSeen(kind, raw) if event["type"] == "DELETED" else Seen(kind, raw))

        return hand_over

    def _log_in(self, **_: Any) -> kopf.ConnectionInfo:
        return connection_info(self._kubeconfig)


class _NoDiffBase(kopf.DiffBaseStorage):
    """Keeps nothing on the objects: kopf only hands them over."""

    def fetch(self, *, body: kopf.Body) -> None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: Any) -> None:
        return None


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.process.ultimate_exiting_timeout = None
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.watching.chunk_size = 500
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.networking.error_backoffs = (0.5, 1, 2)
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.queueing.exit_timeout = 1.0
    return settings
