"""Writing what a probe finds into the status of its Vantage, and a sign of life into its Lease.

What has changed is written at once, and no more than once a second. For a while after a change it is written again:
what follows it are looks at other places, which a failover waits for. While nothing changes the Lease alone is renewed:
it names the report that still holds.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from detour import __version__
from detour.enactment.waiting import news_within
from detour.engine.clock import Clock
from detour.engine.ports import ClusterError, is_away
from detour.health.vantages import HEARTBEAT, LATE, MOST_CLOCK_OFFSET, STALE_AFTER
from detour.kube.lease import REPORT
from detour.kube.vantagereport import report_body
from detour.model.health import Verdict
from detour.model.objects import Kind, RawObject
from detour.model.vantage import CheckKey, References, VantageReport

logger = logging.getLogger(__name__)

APART = 1.0
"""Seconds between two reports at least."""

STILL_MOVES = 3.0
"""Seconds after a change during which each second is reported."""

SETTLES, SETTLING_APART = 120.0, 5.0
"""Seconds after a change until all has settled, and between two reports until then: others may need newer looks."""

REFRESH = 60.0
"""Seconds after which a report is written again though nothing has changed: its figures, and the ages of looks."""

GONE, FORBIDDEN = 404, 403


class Place(Protocol):
    """Where it is written: the API server."""

    async def patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, status: bool) -> RawObject:
        """Merge `body` into an object's status. Raises ClusterError."""

    async def patch_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> float | None:
        """Merge `body` into a Lease and return the API server's time. Raises ClusterError."""


@dataclass(frozen=True, slots=True)
class Told:
    """What of a report is worth a new one when it changes."""

    states: Mapping[CheckKey, Verdict]
    references: References
    is_late: bool
    is_off: bool


class Writer:
    """Writes for the vantage `name`, whose Lease is `lease` (namespace and name). `look` gives what there is to report.

    Its number and the clock's offset are filled in here. `instance` names this process.
    """

    def __init__(
        self,
        place: Place,
        *,
        name: str,
        lease: tuple[str, str],
        instance: str,
        clock: Clock,
        look: Callable[[], VantageReport],
    ) -> None:
        self._place = place
        self._name = name
        self._lease = lease
        self._instance = instance
        self._clock = clock
        self._look = look
        self._news = asyncio.Event()
        self._told: Told | None = None
        self._written_at = self._held_at = float("-inf")
        self._moved_at = float("-inf")
        self._number = 0
        self._is_refused = False
        self._offset: float | None = None
        self._trouble: dict[str, str] = {}

    @property
    def is_heard(self) -> bool:
        """Tell whether a report has been written, and the Lease renewed without trouble."""
        return self._told is not None and not self._trouble

    def wake(self) -> None:
        """There may be something new to report."""
        self._news.set()

    async def report(self) -> None:
        """Report again and again until cancelled."""
        while True:
            holds = await self._report()
            await asyncio.sleep(HEARTBEAT if self._is_refused else APART)
            if holds and self._clock.now() >= self._moved_at + STILL_MOVES:
                await news_within(self._news, HEARTBEAT)

    async def _report(self) -> bool:
        """Report what is new, if anything is; tell whether what stands there holds now."""
        self._news.clear()
        now = self._clock.now()
        report = replace(self._look(), clock_offset=self._offset)
        told = Told(
            {key: each.state for key, each in report.findings.items()},
            report.references,
            report.lateness > LATE,
            report.clock_offset is not None and abs(report.clock_offset) > MOST_CLOCK_OFFSET,
        )
        is_new = told != self._told
        if not is_new and now < self._written_at + self._pause(now):
            self._held_at = now
            return True
        report = replace(report, instance=self._instance, number=self._number + 1)
        body = report_body(report, version=__version__, at=self._clock.wall())
        try:
            await self._place.patch(Kind.VANTAGE, "", self._name, body, status=True)
        except ClusterError as error:
            self._tell("report", f"Vantage {self._name}", error)
            self._is_refused = not is_away(error)  # it will be so again a second later
            return False
        self._is_refused = False
        self._tell("report", f"Vantage {self._name}", None)
        if is_new:
            self._moved_at = now
        self._told, self._written_at, self._held_at, self._number = told, now, now, report.number
        return True

    def _pause(self, now: float) -> float:
        """Return the seconds after which what has not changed is written again."""
        if now < self._moved_at + STILL_MOVES:
            return 0.0
        return SETTLING_APART if now < self._moved_at + SETTLES else REFRESH

    async def beat(self) -> None:
        """Renew the Lease again and again until cancelled."""
        while True:
            await self._beat()
            await asyncio.sleep(HEARTBEAT)

    async def _beat(self) -> None:
        if self._clock.now() - self._held_at > STALE_AFTER:
            return  # nothing to vouch for: what was reported last need not hold any more
        before = self._clock.wall()
        body = {
            "metadata": {"annotations": {REPORT: str(self._number)}},
            "spec": {
                "holderIdentity": self._instance,
                "leaseDurationSeconds": int(STALE_AFTER),
                "renewTime": datetime.fromtimestamp(before, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            },
        }
        try:
            told = await self._place.patch_lease(*self._lease, body)
        except ClusterError as error:
            self._tell("lease", f"Lease {'/'.join(self._lease)}", error)
            return
        self._tell("lease", f"Lease {'/'.join(self._lease)}", None)
        if told is not None:
            self._offset = (before + self._clock.wall()) / 2 - (told + 0.5)

    def _tell(self, what: str, where: str, error: ClusterError | None) -> None:
        """Say, once, what keeps a report or a heartbeat from being written."""
        before, after = self._trouble.get(what), str(error) if error is not None else None
        if after is None:
            self._trouble.pop(what, None)
            if before is not None:
                logger.info("%s can be written again", where)
            return
        self._trouble[what] = after
        if before != after and error is not None:
            logger.warning("%s cannot be written, so this vantage has no say: %s%s", where, error, _advice(error))


def _advice(error: ClusterError) -> str:
    if error.status == GONE:
        return "; an administrator creates it, with the chart (mode: probe) or by hand: a probe creates nothing"
    if error.status == FORBIDDEN:
        return "; its service account needs the role that the chart gives it (mode: probe)"
    return ""
