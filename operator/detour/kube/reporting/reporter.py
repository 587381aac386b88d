"""Writing status: only what changed, merged, a few at a time, and again when the API server was away."""

import asyncio
import contextlib
import logging
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from detour.engine.ports import NOT_REACHED, ClusterError
from detour.kube.cluster import Cluster
from detour.kube.reporting.events import GIVES_WAY, LOOK_AGAIN, Events
from detour.kube.reporting.reported import Reported
from detour.kube.status.conditions import Status
from detour.kube.turns import Turns
from detour.model.defects import told
from detour.model.objects import Subject
from detour.model.timestamps import parse_time

logger = logging.getLogger(__name__)

MERGE_WINDOW = 0.1
"""Seconds for which news of an object gather before they are written."""

WRITES_IN_FLIGHT = 6
REST = 0.05
"""Seconds after a status before the next one is written, one at a time, while names wait to be changed."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0
"""Seconds to wait while the API server is away: doubling from the first to the longest."""

LONGEST_REST = 60.0
"""Seconds for which an object whose status is not taken is left alone at most."""

REFUSALS = (400, 413, 422)
"""Answers that mean the status itself, which no other try will change until the status does."""

UNWATCHED_FIELDS = frozenset({"latencyMilliseconds", "confirmedAt"})
"""Fields that are written along with others, but are no reason to write."""

LAST_SEEN_FIELDS = frozenset({"verifiedAt"})
"""Times of which only that there is one is a reason to write: after a restart it is another one for every name."""

EXACT_FIELDS = frozenset({"commands"})
"""Fields in which a time is a word of somebody's: another one is another."""

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z", re.ASCII)
"""A time as statuses have it."""

CLOCKS_DIFFER = 2.0
"""Seconds by which one moment may be told otherwise: clocks are set right, and times are told to the second."""


class Reporter:
    """Brings the status of every object to the API server, eventually.

    `build` gives the present status of a subject on top of the one last written, or None where it is gone; `is_busy`
    tells whether there is more urgent work on this event loop. `instance` is this replica's name in events.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        component: str,
        build: Callable[[Subject, Mapping[str, Any]], Status | None],
        wall_clock: Callable[[], float],
        clock: Callable[[], float],
        is_busy: Callable[[], bool] = lambda: False,
        instance: str = "",
    ) -> None:
        self._cluster = cluster
        self._is_busy = is_busy
        self._in_flight = 0
        self._wrote_at = float("-inf")
        self._build = build
        self._clock = clock
        self._due: deque[Subject] = deque()  # whose turn it is to be written
        self.events = Events(
            cluster,
            component=component,
            instance=instance,
            wall_clock=wall_clock,
            clock=clock,
            statuses_wait=lambda: len(self._due) > WRITES_IN_FLIGHT,
        )
        self.objects: dict[Subject, Reported] = {}
        self._dirty: dict[Subject, None] = {}
        self._turns: Turns[Subject] = Turns(first=FIRST_PAUSE, longest=LONGEST_REST, clock=clock)
        self._refused: dict[tuple[Subject | str, int], Subject] = {}  # told of an object or namespace, and by which
        self._news = asyncio.Event()
        self._is_cut_off = False

    def of(self, subject: Subject) -> Reported:
        """Return what is known of `subject`, which is kept from now on."""
        known = self.objects.get(subject)
        if known is None:
            known = self.objects[subject] = Reported(subject)
        return known

    def adopt(self, subject: Subject, status: Mapping[str, Any], version: str) -> None:
        """Start from the status that the object bears, with this resourceVersion."""
        known = self.of(subject)
        if known.is_found:
            return
        known.is_found, known.status = True, dict(status)
        if version.isdecimal():
            known.version, known.known_at = int(version), self._clock()

    def seen(self, subject: Subject, status: Mapping[str, Any], version: str, listed_at: float | None) -> bool:
        """Compare what an object bears with what we wrote, or found; where somebody else changed it, that is undone.

        Return True where people should know: not where it may have been the last word of the leader before us.
        `version` is the object's resourceVersion, `listed_at` when the listing began that showed it (our clock), None
        where a watch did. What a watch shows of an older version is an echo of an earlier write of ours. A listing
        that began after our last write is none: there the API server's own data went back.
        """
        known = self.objects.get(subject)
        if known is None or known.version is None or known.is_in_flight or not version.isdecimal():
            return False
        is_listed_since = listed_at is not None and known.known_at is not None and listed_at > known.known_at
        if int(version) <= known.version and not is_listed_since:
            return False
        if _is_same(status, known.status):
            return False
        known.status, known.version = dict(status), int(version)
        self.mark(subject)
        return known.is_ours or not status

    def forget(self, subject: Subject) -> None:
        """The object is gone."""
        self.objects.pop(subject, None)
        self._leave_alone(subject)

    def _leave_alone(self, subject: Subject) -> None:
        self._dirty.pop(subject, None)
        self._turns.went_well(subject)
        self._forget_refusals(subject)

    def mark(self, subject: Subject) -> None:
        """There may be news of `subject`."""
        self._dirty[subject] = None
        self._news.set()

    def status_of(self, subject: Subject) -> Mapping[str, Any]:
        """Return the status last written, or found, at `subject`."""
        known = self.objects.get(subject)
        return known.status if known is not None else {}

    async def run(self) -> None:
        """Write what there is to write, until cancelled. Events never keep a status waiting."""
        await asyncio.gather(
            _again_and_again(self._news, self.flush, self._next_turn),
            _again_and_again(self.events.news, self.events.flush, lambda: None),
        )

    async def flush(self) -> bool:
        """Write every status that is due; False where the API server was away, and what it did not take stays due.

        What goes wrong with one object, a defect of ours included, costs that object its turn.
        """
        due = self._due = deque(subject for subject in self._dirty if self._turns.is_due(subject))
        is_away = asyncio.Event()

        async def write() -> None:
            while due:
                await self._write(due.popleft(), is_away)
                await asyncio.sleep(0)  # to find that a status has no news takes no call, and there may be thousands

        await asyncio.gather(*(write() for _ in range(min(len(due), WRITES_IN_FLIGHT))))
        return not is_away.is_set()

    def _next_turn(self) -> float | None:
        return self._turns.next_in(self._dirty)

    async def _write(self, subject: Subject, is_away: asyncio.Event) -> None:
        until = self._clock() + GIVES_WAY
        while self._is_resting and self._is_busy() and self._clock() < until:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(LOOK_AGAIN)
        if is_away.is_set() or subject not in self._dirty:
            return
        del self._dirty[subject]
        self._in_flight += 1
        try:
            await self._write_now(subject)
        except asyncio.CancelledError:
            self._dirty.setdefault(subject)
            raise
        except ClusterError as error:
            self._give_up(subject, error)
            if error.status == NOT_REACHED:
                is_away.set()
        except Exception as error:  # a defect of ours costs this object its turn, and no other
            self._dirty.setdefault(subject)
            if self._turns.failed(subject):
                what = f"{subject.kind.title} {subject.key}"
                logger.error("the status of %s could not be made; it is tried again: %s", what, told(error))
        finally:
            self._in_flight -= 1

    @property
    def _is_resting(self) -> bool:
        return self._in_flight > 0 or self._clock() < self._wrote_at + REST

    async def _write_now(self, subject: Subject) -> None:
        known = self.objects.get(subject) or Reported(subject)
        before = known.status
        status = self._build(subject, before)
        if status is None or _is_same(status, before):
            self._turns.went_well(subject)
            return
        known.is_in_flight = True
        try:
            patched = await self._cluster.patch(
                subject.kind,
                subject.key.namespace,
                subject.key.name,
                {"status": _replacing(before, status)},
                status=True,
            )
        finally:
            known.is_in_flight = False
            self._wrote_at = self._clock()
        metadata = patched.get("metadata")
        version = str(metadata.get("resourceVersion") or "") if isinstance(metadata, Mapping) else ""
        if not known.is_found:
            self.objects.setdefault(subject, known)
        known.status, known.known_at, known.is_found, known.is_ours = status, self._clock(), True, True
        if version.isdecimal():
            known.version = int(version)
        self._turns.went_well(subject)
        self._forget_refusals(subject)
        if self._is_cut_off:
            self._is_cut_off = False
            logger.info("the API server takes status again")

    def _give_up(self, subject: Subject, error: ClusterError) -> None:
        """Leave a status for later: all of them where the API server is away, else this one alone, longer each time."""
        if error.status == 404:
            if (known := self.objects.get(subject)) is not None:
                known.is_gone()
            self._leave_alone(subject)
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
            self.events.tell(subject, "StatusRefused", message, warning=True)

    def _forget_refusals(self, subject: Subject) -> None:
        if self._refused:
            self._refused = {key: by for key, by in self._refused.items() if by != subject}


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
        if keys != other.keys() - UNWATCHED_FIELDS:
            return False
        return all(
            one[key] == other[key] if key in EXACT_FIELDS else _is_same(one[key], other[key])
            for key in keys - LAST_SEEN_FIELDS
        )
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return isinstance(one, str) and isinstance(other, str) and _is_same_time(one, other)


def _is_same_time(one: str, other: str) -> bool:
    """Tell whether two texts differ in nothing but times that are the same moments, such as in a sentence."""
    if TIME.sub("", one) != TIME.sub("", other):
        return False
    try:
        pairs = zip(TIME.findall(one), TIME.findall(other), strict=True)
        return all(abs(parse_time(left) - parse_time(right)) <= CLOCKS_DIFFER for left, right in pairs)
    except ValueError:
        return False
