"""Events: told in order, tried a few times, and dropped rather than kept for ever.

Thousands of names may move at once, and each has an event. These give way to statuses, which say the same and last;
those about zones and regions come first of all.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from detour.engine.ports import NOT_REACHED, ClusterError
from detour.kube.cluster import Cluster
from detour.kube.kinds import GROUP, VERSION
from detour.model.defects import told
from detour.model.objects import Kind, Subject
from detour.model.timestamps import timestamp

logger = logging.getLogger(__name__)

EVENTS_KEPT = 1000
"""Events of each rank that wait at most; older ones are left out."""

EVENT_TRIES = 5
"""How often an event is sent that the API server answers, but does not take."""

TRIED_AGAIN_AFTER = 1.0
"""Seconds until such an event is sent again, at the earliest."""

GIVES_WAY = 1.0
LOOK_AGAIN = 0.02
"""Seconds for which what is less urgent gives way at most, and after which it looks again: an event about a record to
statuses, and a status to names that wait to be changed."""

OF_A_PLACE, OF_A_WARNING, OF_A_RECORD = range(3)
"""The ranks of events: about a zone or a region; a warning about a record; what else there is about one."""


class _Waiting(NamedTuple):
    rank: int
    namespace: str
    body: Mapping[str, Any]
    tries: int = 0
    not_before: float = 0.0


class Events:
    """The events that are to be created, told by the replica `instance`. `news` is set when there is one.

    `statuses_wait` tells whether there are more statuses to be written than are written at once.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        component: str,
        instance: str,
        wall_clock: Callable[[], float],
        clock: Callable[[], float],
        statuses_wait: Callable[[], bool],
    ) -> None:
        self._cluster = cluster
        self._component = component
        self._instance = instance
        self._wall_clock = wall_clock
        self._clock = clock
        self._statuses_wait = statuses_wait
        self._queues = tuple(deque[_Waiting](maxlen=EVENTS_KEPT) for _ in (OF_A_PLACE, OF_A_WARNING, OF_A_RECORD))
        self._left_out = 0
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
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        rank = OF_A_PLACE if subject.kind is not Kind.FAILOVER_RECORD else OF_A_WARNING if warning else OF_A_RECORD
        self._keep(_Waiting(rank, namespace, body))
        self.news.set()

    def _keep(self, event: _Waiting) -> None:
        queue = self._queues[event.rank]
        self._left_out += len(queue) == EVENTS_KEPT
        queue.append(event)

    @property
    def waiting(self) -> int:
        """How many events are still to be created."""
        return sum(map(len, self._queues))

    async def flush(self) -> bool:
        """Create what waits; False where some of it has to be tried again."""
        while (event := await self._next()) is not None:
            status = await self._create(event.namespace, event.body)
            if status == NOT_REACHED:
                break
            self._take_off(event)
            if status is not None and event.tries + 1 < EVENT_TRIES:  # the others first
                self._keep(event._replace(tries=event.tries + 1, not_before=self._clock() + TRIED_AGAIN_AFTER))
        is_done = not self.waiting
        if self._left_out and is_done:
            logger.warning("events that were left out, as too many came at once: %d", self._left_out)
            self._left_out = 0
        return is_done

    def _take_off(self, event: _Waiting) -> None:
        queue = self._queues[event.rank]
        if queue and queue[0] is event:
            queue.popleft()
        elif event in queue:  # else it was left out meanwhile
            queue.remove(event)

    async def _next(self) -> _Waiting | None:
        """Return the event whose turn it is, None where none is due; those about records give way to statuses."""
        until = self._clock() + GIVES_WAY
        while (event := self._first_due()) is not None:
            if event.rank == OF_A_PLACE or not self._statuses_wait() or self._clock() >= until:
                return event
            await asyncio.sleep(LOOK_AGAIN)
        return None

    def _first_due(self) -> _Waiting | None:
        now = self._clock()
        return next((each for queue in self._queues for each in queue if each.not_before <= now), None)

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
