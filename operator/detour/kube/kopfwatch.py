"""One kind of objects, watched with kopf in a thread and an event loop of its own.

kopf cancels every task of its loop when it ends, takes over the signal handlers, and ends whenever the API server is
away at the wrong moment, or forbids one of the namespaces. So it lives apart, and each kind has its own.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import kopf
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory

from detour.kube.kinds import GROUP, VERSION, DeletionSeen, Seen, slim
from detour.kube.login import connection_info
from detour.model.objects import Kind, RawObject

logger = logging.getLogger(__name__)


IDLE = 0.05
"""Seconds for which kopf keeps a task and a queue for an object of which nothing more comes. It lists all objects when
it begins: by its own default thousands of them would be there at the same time, for 5 s."""


IDENTITY = ("namespace", "name", "uid")
"""What is left of an object in kopf's hands once it was delivered."""


class KopfWatch:
    """Watches `kind` in `namespaces`, or in the whole cluster without any, from `start` until it ends or is stopped.

    It begins with all objects that there are; of these, who `is_known` just so is not delivered. That, `deliver` and
    `on_end` are called from threads of its own. After `stop` nothing is delivered.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        kubeconfig: str | None,
        namespaces: Sequence[str],
        is_known: Callable[[RawObject], bool],
        deliver: Callable[[Seen | DeletionSeen], None],
        on_end: Callable[[], None],
    ) -> None:
        self.namespaces = tuple(namespaces)
        self._kind = kind
        self._kubeconfig = kubeconfig
        self._is_known = is_known
        self._deliver = deliver
        self._on_end = on_end
        self._stopped = threading.Event()
        self._stop_kopf = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"kopf-{kind.plural}", daemon=True)

    @property
    def runs(self) -> bool:
        """Tell whether it still watches."""
        return not (self._ended.is_set() or self._stopped.is_set())

    @property
    def has_ended(self) -> bool:
        """Tell whether it came to an end though nobody stopped it."""
        return self._ended.is_set() and not self._stopped.is_set()

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """Deliver nothing more, and end soon."""
        self._stopped.set()
        self._stop_kopf.set()

    def join(self, timeout: float) -> None:
        """Wait at most `timeout` seconds for the end."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            asyncio.run(self._watch())
        except (Exception, asyncio.CancelledError) as error:
            # kopf ends with whatever its watches met (LoginError, APIError, cancellations): it is started again.
            logger.debug("kopf ended: %r", error)
        finally:
            self._ended.set()
            self._on_end()

    async def _watch(self) -> None:
        # kopf leaves tasks behind when the API server goes away; that it went is told once, by the watcher.
        asyncio.get_running_loop().set_exception_handler(lambda _, context: logger.debug("in kopf: %s", context))
        registry = kopf.OperatorRegistry()
        kopf.on.event(GROUP, VERSION, self._kind.plural, registry=registry, id=self._kind.plural)(self._hand_over)
        kopf.on.login(registry=registry)(self._log_in)
        try:
            await kopf.operator(
                registry=registry,
                settings=_settings(),
                memories=_NoMemories(),
                clusterwide=not self.namespaces,
                namespaces=self.namespaces,
                standalone=True,
                stop_flag=self._stop_kopf,
            )
        finally:
            self._stop_kopf.set()  # a thread of this loop waits for the flag, and the loop for that thread

    async def _hand_over(self, event: Any, **_: Any) -> None:
        if self._stopped.is_set():
            return
        raw: dict[str, Any] = event["object"]
        if event["type"] is None and self._is_known(raw):
            _empty(raw)
            return
        found = slim(raw)
        _empty(raw)
        self._deliver(DeletionSeen(self._kind, found) if event["type"] == "DELETED" else Seen(self._kind, found))

    def _log_in(self, **_: Any) -> kopf.ConnectionInfo:
        return connection_info(self._kubeconfig)


def _empty(raw: dict[str, Any]) -> None:
    """Leave nothing in kopf's own copy of an object but what tells which it is.

    kopf lets go of an object in a circle of references. Whoever is in one while what lives long is set apart from the
    collector (`detour.app.garbage`) stays for ever, as at the start, when it holds all objects at once.
    """
    metadata = raw.get("metadata")
    known = {each: metadata.get(each) for each in IDENTITY} if isinstance(metadata, Mapping) else {}
    raw.clear()
    raw["metadata"] = known


class _NoMemories(ResourceMemories):
    """Remembers no object. kopf would keep the whole of each as it was last, for daemons and timers; there are none.

    `kopf.operator` takes memories, and kopf has no public class to derive them from.
    """

    async def recall(self, raw_body: kopf.RawBody, **rest: Any) -> ResourceMemory:
        return await super().recall(raw_body, **{**rest, "ephemeral": True})


class _NoDiffBase(kopf.DiffBaseStorage):
    """Keeps nothing on the objects: kopf only hands them over."""

    def fetch(self, *, body: kopf.Body) -> None:
        return None

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()  # kopf would copy the whole object, twice, for a difference that nobody asks for

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
    settings.queueing.idle_timeout = IDLE
    return settings
