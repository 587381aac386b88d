"""Events: told in order, tried a few times, and dropped rather than kept for ever."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from detour.engine.ports import NOT_REACHED, ClusterError
from detour.kube.cluster import Cluster
from detour.kube.kinds import GROUP, VERSION
from detour.model.defects import told
from detour.model.objects import Subject
from detour.model.timestamps import timestamp

logger = logging.getLogger(__name__)

EVENTS_KEPT = 1000
"""Events that wait while the API server is away; older ones are dropped."""

EVENT_TRIES = 5
"""How often an event is sent that the API server answers, but does not take."""


class Events:
    """The events that are to be created. `news` is set when there is one."""

    def __init__(self, cluster: Cluster, *, component: str, wall_clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._component = component
        self._wall_clock = wall_clock
        self._waiting: deque[tuple[str, Mapping[str, Any], int]] = deque(maxlen=EVENTS_KEPT)
        self._number = 0
        self.news = asyncio.Event()

    def tell(self, subject: Subject, reason: str, message: str, *, warning: bool = False) -> None:
        """Create an event about `subject`."""
        self._number += 1
        now = timestamp(self._wall_clock())
        namespace = subject.key.namespace or "default"
        stamp = f"{int(self._wall_clock() * 1000):x}.{self._number:x}"
        body = {
            "metadata": {"name": f"{subject.key.name[:200].rstrip('-.')}.{stamp}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": subject.kind.title,
                "name": subject.key.name,
                "namespace": subject.key.namespace or None,
                "uid": subject.uid,
            },
            "reason": reason,
            "message": message[:1024],
            "type": "Warning" if warning else "Normal",
            "source": {"component": self._component},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        self._waiting.append((namespace, body, 0))
        self.news.set()

    async def flush(self) -> bool:
        """Create what waits; False where some of it has to be tried again."""
        later = []
        while self._waiting:
            namespace, body, tries = first = self._waiting[0]
            status = await self._create(namespace, body)
            if status == NOT_REACHED:
                break
            if self._waiting and self._waiting[0] is first:
                self._waiting.popleft()
            if status is not None and tries + 1 < EVENT_TRIES:
                later.append((namespace, body, tries + 1))  # the others first
        is_done = not (self._waiting or later)
        self._waiting.extend(later)
        return is_done

    async def _create(self, namespace: str, body: Mapping[str, Any]) -> int | None:
        """Return None where an event was taken, or will never be, else the status of the error."""
        try:
            await self._cluster.create_event(namespace, body)
        except ClusterError as error:
            # Refused ones (a namespace that is going away, say) are dropped: an event is no reason to hold the rest.
            return None if 400 <= error.status < 500 and error.status != 429 else error.status
        except Exception as error:  # what is wrong with one event keeps no other waiting
            logger.error("an event could not be made, and is dropped: %s", told(error))
        return None
