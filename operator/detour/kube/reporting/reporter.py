"""Writing status and events: only what changed, merged, a few at a time, and again when the API server was away."""

import asyncio
import contextlib
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from detour.kube.cluster import NOT_REACHED, Cluster, ClusterError
from detour.kube.kinds import GROUP, VERSION, Kind
from detour.kube.status import Status, timestamp
from detour.kube.turns import Turns
from detour.model.defects import told
from detour.model.record import ObjectKey

logger = logging.getLogger(__name__)

MERGE_WINDOW = 0.1
"""Seconds for which news of an object gather before they are written."""

WRITES_IN_FLIGHT = 6
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0
"""Seconds to wait while the API server is away: doubling from the first to the longest."""

LONGEST_REST = 60.0
"""Seconds for which an object whose status is not taken is left alone at most."""

EVENTS_KEPT = 1000
"""Events that wait while the API server is away; older ones are dropped."""

EVENT_TRIES = 5
"""How often an event is sent that the API server answers, but does not take."""

REFUSALS = (400, 413, 422)
"""Answers that mean the status itself, which no other try will change until the status does."""

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
        clock: Callable[[], float],
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
        self._turns: Turns[Subject] = Turns(first=FIRST_PAUSE, longest=LONGEST_REST, clock=clock)
        self._refused: dict[tuple[Subject | str, int], Subject] = {}  # told of an object or namespace, and by which
        self._events: deque[tuple[str, Mapping[str, Any], int]] = deque(maxlen=EVENTS_KEPT)
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
        self._turns.went_well(subject)
        self._forget_refusals(subject)

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
        self._events.append((namespace, body, 0))
        self._told.set()

    async def run(self) -> None:
        """Write what there is to write, until cancelled. Events never keep a status waiting."""
        await asyncio.gather(
            _again_and_again(self._news, self.flush, self._next_turn),
            _again_and_again(self._told, self._flush_events, lambda: None),
        )

    async def flush(self) -> bool:
        """Write every status that is due; False where the API server was away, and what it did not take stays due.

        What goes wrong with one object, a defect of ours included, costs that object its turn.
        """
        slots = asyncio.Semaphore(WRITES_IN_FLIGHT)
        due = [subject for subject in self._dirty if self._turns.is_due(subject)]
        for subject in due:
            del self._dirty[subject]
        is_away = asyncio.Event()
        await asyncio.gather(*(self._write(subject, slots, is_away) for subject in due))
        return not is_away.is_set()

    def _next_turn(self) -> float | None:
        return self._turns.next_in(self._dirty)

    async def _flush_events(self) -> bool:
        later = []
        while self._events:
            namespace, body, tries = first = self._events[0]
            status = await self._create(namespace, body)
            if status == NOT_REACHED:
                break
            if self._events and self._events[0] is first:
                self._events.popleft()
            if status is not None and tries + 1 < EVENT_TRIES:
                later.append((namespace, body, tries + 1))  # the others first
        is_done = not (self._events or later)
        self._events.extend(later)
        return is_done

    async def _write(self, subject: Subject, slots: asyncio.Semaphore, is_away: asyncio.Event) -> None:
        async with slots:
            if is_away.is_set():
                self._dirty.setdefault(subject)
                return
            try:
                await self._write_now(subject)
            except ClusterError as error:
                self._give_up(subject, error)
                if error.status == NOT_REACHED:
                    is_away.set()
            except Exception as error:
                self._dirty.setdefault(subject)
                if self._turns.failed(subject):
                    what = f"{subject.kind.title} {subject.key}"
                    logger.error("the status of %s could not be made; it is tried again: %s", what, told(error))

    async def _write_now(self, subject: Subject) -> None:
        written = self._written.get(subject, {})
        status = self._build(subject, written)
        if status is None or _is_same(status, written):
            self._turns.went_well(subject)
            return
        self._in_flight.add(subject)
        try:
            patched = await self._cluster.patch(
                subject.kind,
                subject.key.namespace,
                subject.key.name,
                {"status": _replacing(written, status)},
                status=True,
            )
        finally:
            self._in_flight.discard(subject)
        self._written[subject] = status
        metadata = patched.get("metadata")
        version = str(metadata.get("resourceVersion") or "") if isinstance(metadata, Mapping) else ""
        self._known_at[subject] = self._clock()
        self._ours.add(subject)
        if version.isdecimal():
            self._versions[subject] = int(version)
        self._turns.went_well(subject)
        self._forget_refusals(subject)
        if self._is_cut_off:
            self._is_cut_off = False
            logger.info("the API server takes status again")

    def _give_up(self, subject: Subject, error: ClusterError) -> None:
        """Leave a status for later: all of them where the API server is away, else this one alone, longer each time."""
        if error.status == 404:
            self.forget(subject)
            return
        self._dirty.setdefault(subject)
        if error.status == NOT_REACHED:
            if not self._is_cut_off:
                self._is_cut_off = True
                logger.warning("status cannot be written (%s): it is kept for later, checks and DNS go on", error)
            return
        self._turns.failed(subject)
        is_about_it = error.status in REFUSALS
        key = (subject if is_about_it else subject.key.namespace, error.status)
        if key in self._refused:
            return
        self._refused[key] = subject
        logger.error("the status of %s %s is not taken: %s", subject.kind.title, subject.key, error)
        if is_about_it:
            message = f"{error} to this object's status, so what it shows is old; checks and DNS go on"
            self.tell(subject, "StatusRefused", message, warning=True)

    def _forget_refusals(self, subject: Subject) -> None:
        if self._refused:
            self._refused = {key: by for key, by in self._refused.items() if by != subject}

    async def _create(self, namespace: str, body: Mapping[str, Any]) -> int | None:
        """Return None where an event was taken, or will never be, else the status of the error."""
        try:
            await self._cluster.create_event(namespace, body)
        except ClusterError as error:
            # Refused ones (a namespace that is going away, say) are dropped: an event is no reason to hold the rest.
            return None if 400 <= error.status < 500 and error.status != 429 else error.status
        except Exception as error:
            logger.error("an event could not be made, and is dropped: %s", told(error))
        return None


def _replacing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch that makes `after` of `before`: what is gone is null, at any depth (RFC 7396)."""
    patch: dict[str, Any] = dict.fromkeys(key for key in before if key not in after)
    for key, value in after.items():
        old = before.get(key)
        patch[key] = _replacing(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return patch


async def _again_and_again(
    news: asyncio.Event, flush: Callable[[], Awaitable[bool]], next_turn: Callable[[], float | None]
) -> None:
    """Flush whenever there are news or it is somebody's turn again, and with growing pauses where all of it failed."""
    pause = FIRST_PAUSE
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(news.wait(), next_turn())
        await asyncio.sleep(MERGE_WINDOW)
        news.clear()
        if await flush():
            pause = FIRST_PAUSE
            continue
        await asyncio.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 2)
        news.set()


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
