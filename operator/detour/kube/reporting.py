"""Writing status and events: only what changed, merged, a few at a time, and again when the API server was away."""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from detour.kube.cluster import Cluster, ClusterError
from detour.kube.kinds import GROUP, VERSION, Kind
from detour.kube.status import Status, timestamp
from detour.model.record import ObjectKey

logger = logging.getLogger(__name__)

MERGE_WINDOW = 0.1
"""Seconds for which news of an object gather before they are written."""

WRITES_IN_FLIGHT = 6
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0
"""Seconds to wait after a failed write: doubling from the first to the longest."""

EVENTS_KEPT = 1000
"""Events that wait while the API server is away; older ones are dropped."""

UNWATCHED_FIELDS = ("latencyMilliseconds", "confirmedAt")
"""Fields that are written along with others, but are no reason to write."""


class Subject(NamedTuple):
    """The object that a status or an event is about; its namespace is empty for a CloudRegion."""

    kind: Kind
    key: ObjectKey
    uid: str


class Reporter:
    """Brings the status of every object to the API server, eventually.

    `build` gives the present status of a subject on top of the one last written, or None where it is gone.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        component: str,
        build: Callable[[Subject, Mapping[str, Any]], Status | None],
        wall_clock: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._component = component
        self._build = build
        self._wall_clock = wall_clock
        self._clock = clock
        self._known_at: dict[Subject, float] = {}  # since when we know what it bears: we adopted it, or wrote it
        self._ours: set[Subject] = set()
        self._written: dict[Subject, Status] = {}
        self._versions: dict[Subject, int] = {}
        self._in_flight: set[Subject] = set()
        self._dirty: dict[Subject, None] = {}
        self._events: deque[tuple[str, Mapping[str, Any]]] = deque(maxlen=EVENTS_KEPT)
        self._news = asyncio.Event()
        self._told = asyncio.Event()
        self._event_number = 0
        self._is_cut_off = False

    def adopt(self, subject: Subject, status: Mapping[str, Any], version: str) -> None:
        """Start from the status that the object bears, with this resourceVersion."""
        if subject not in self._written:
            self._written[subject] = dict(status)
            if version.isdecimal():
                self._versions[subject] = int(version)
                self._known_at[subject] = self._clock()

    def seen(self, subject: Subject, status: Mapping[str, Any], version: str, listed_at: float | None) -> bool:
        """Compare what an object bears with what we wrote, or found; where somebody else changed it, that is undone.

        Return True where people should know: not where it may have been the last word of the leader before us.
        `version` is the object's resourceVersion, `listed_at` when the listing began that showed it (our clock), None
        where a watch did. What a watch shows of an older version is an echo of an earlier write of ours. A listing
        that began after our last write is none: there the API server's own data went back.
        """
        if subject not in self._versions or subject in self._in_flight or not version.isdecimal():
            return False
        is_listed_since = listed_at is not None and listed_at > self._known_at.get(subject, math.inf)
        if int(version) <= self._versions[subject] and not is_listed_since:
            return False
        if _is_same(status, self._written.get(subject, {})):
            return False
        self._written[subject] = dict(status)
        self._versions[subject] = int(version)
        self.mark(subject)
        return subject in self._ours or not status

    def forget(self, subject: Subject) -> None:
        """The object is gone."""
        self._written.pop(subject, None)
        self._versions.pop(subject, None)
        self._known_at.pop(subject, None)
        self._ours.discard(subject)
        self._dirty.pop(subject, None)

    def mark(self, subject: Subject) -> None:
        """There may be news of `subject`."""
        self._dirty[subject] = None
        self._news.set()

    def status_of(self, subject: Subject) -> Mapping[str, Any]:
        """Return the status last written, or found, at `subject`."""
        return self._written.get(subject, {})

    def tell(self, subject: Subject, reason: str, message: str, *, warning: bool = False) -> None:
        """Create an event about `subject`."""
        self._event_number += 1
        now = timestamp(self._wall_clock())
        namespace = subject.key.namespace or "default"
        stamp = f"{int(self._wall_clock() * 1000):x}.{self._event_number:x}"
        body = {
            "metadata": {"name": f"{subject.key.name[:200]}.{stamp}", "namespace": namespace},
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
        self._events.append((namespace, body))
        self._told.set()

    async def run(self) -> None:
        """Write what there is to write, until cancelled. Events never keep a status waiting."""
        await asyncio.gather(_again_and_again(self._news, self.flush), _again_and_again(self._told, self._flush_events))

    async def flush(self) -> bool:
        """Write every status that is due; False where the API server did not take one, which stays due."""
        slots = asyncio.Semaphore(WRITES_IN_FLIGHT)
        due = list(self._dirty)
        self._dirty.clear()
        return all(await asyncio.gather(*(self._write(subject, slots) for subject in due)))

    async def _flush_events(self) -> bool:
        while self._events:
            namespace, body = self._events[0]
            if not await self._create(namespace, body):
                return False
            if self._events and self._events[0][1] is body:
                self._events.popleft()
        return True

    async def _write(self, subject: Subject, slots: asyncio.Semaphore) -> bool:
        async with slots:
            written = self._written.get(subject, {})
            status = self._build(subject, written)
            if status is None or _is_same(status, written):
                return True
            self._in_flight.add(subject)
            try:
                patched = await self._cluster.patch(
                    subject.kind,
                    subject.key.namespace,
                    subject.key.name,
                    {"status": _replacing(written, status)},
                    status=True,
                )
            except ClusterError as error:
                return self._give_up(subject, error)
            finally:
                self._in_flight.discard(subject)
            self._written[subject] = status
            version = str(patched.get("metadata", {}).get("resourceVersion") or "")
            self._known_at[subject] = self._clock()
            self._ours.add(subject)
            if version.isdecimal():
                self._versions[subject] = int(version)
            if self._is_cut_off:
                self._is_cut_off = False
                logger.info("the API server takes status again")
            return True

    def _give_up(self, subject: Subject, error: ClusterError) -> bool:
        """Return True where writing again would be no use."""
        if error.status == 404:
            self.forget(subject)
            return True
        if error.status in (400, 422):
            logger.error("the status of %s %s is refused: %s", subject.kind.title, subject.key, error)
            return True
        self._dirty[subject] = None
        if not self._is_cut_off:
            self._is_cut_off = True
            logger.warning("status cannot be written (%s): it is kept for later, checks and DNS go on", error)
        return False

    async def _create(self, namespace: str, body: Mapping[str, Any]) -> bool:
        try:
            await self._cluster.create_event(namespace, body)
        except ClusterError as error:
            # Refused ones (a namespace that is going away, say) are dropped: an event is no reason to hold the rest.
            return 400 <= error.status < 500 and error.status != 429
        return True


def _replacing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch that makes `after` of `before`: what is gone is null, at any depth (RFC 7396)."""
    patch: dict[str, Any] = dict.fromkeys(key for key in before if key not in after)
    for key, value in after.items():
        old = before.get(key)
        patch[key] = _replacing(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return patch


async def _again_and_again(news: asyncio.Event, flush: Callable[[], Awaitable[bool]]) -> None:
    """Flush whenever there are news, and with growing pauses again where that failed."""
    pause = FIRST_PAUSE
    while True:
        await news.wait()
        await asyncio.sleep(MERGE_WINDOW)
        news.clear()
        if await flush():
            pause = FIRST_PAUSE
            continue
        news.set()
        await asyncio.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 2)


def _is_same(one: Any, other: Any) -> bool:
    """Tell whether two statuses differ in nothing that anybody waits for."""
    if one == other:
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        keys = one.keys() - UNWATCHED_FIELDS
        return keys == other.keys() - UNWATCHED_FIELDS and all(_is_same(one[key], other[key]) for key in keys)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return False
