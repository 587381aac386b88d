"""One installation in two clusters: two API servers, the chart installed in each, two operators, one set of clouds.

    async with TwoSites() as sites:
        await sites.wait_until_ready()        # site a is in force, site b stands by
        sites.a.vanish()                      # its API server, etcd and operator are gone at once
        ...
        await sites.a.come_back()             # with the data that it had

Both clusters hold the same declarations, which somebody else's tooling puts there; here it is `declare`. The sites know
nothing of each other but what they write into DNS.
"""

import asyncio
import os
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from detour_lab.clouds.clouds import DOMAIN
from detour_lab.clouds.labzones import EmulatedZone
from detour_lab.controlplane import Binaries
from detour_lab.stage.lab import Lab
from detour_lab.stage.operatorprocess import OperatorProcess
from detour_lab.stage.stage import CUSTOM, NAMESPACE, OWNER, PATIENCE, Stage, StageError, wait_for
from detour_lab.stories.soak.truth import Truth

LEDGER = f"{OWNER}._detour.{DOMAIN}"
READY_TIMEOUT = PATIENCE

_LEDGER = re.compile(r"site=(\S+) .*\brenew=(\d+) epoch=(\d+) seq=(\d+)")


class Position(NamedTuple):
    """What a zone's ledger says: who is in force, how often they renew (seconds), and the generation."""

    site: str
    renew: int
    epoch: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds, as in the chart's values. The default is the chart's, with the standby as the first that waits."""

    renew_every: int = 20
    take_over_after: int = 90
    standby_rank: int = 1

    @classmethod
    def short(cls, take_over_after: int) -> "Times":
        """For tests: several renewals within `take_over_after`, and no rank, which would add its 15 s."""
        return cls(max(1, take_over_after // 4), take_over_after, standby_rank=0)


class SiteCluster(Stage):
    """The cluster of one site, on clouds that it shares. `site` is its name."""

    def __init__(self, site: str, rank: int, *, lab: Lab, times: Times, **options: Any) -> None:
        self.site = site
        values = {
            "name": site,
            "enabled": True,
            "rank": rank,
            "renewEvery": times.renew_every,
            "takeOverAfter": times.take_over_after,
        }
        super().__init__(lab=lab, records=False, name=f"site-{site}", values={"site": values}, **options)

    def vanish(self) -> None:
        """Kill the operator, the API server and etcd (SIGKILL) in one moment, as when the whole cluster is lost."""
        running = [each.pid for each in self.operators if each.running]
        for pid in (*running, *self.plane.pids):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def come_back(self, *, operator: OperatorProcess | None = None) -> None:
        """Start everything again after `vanish`, with etcd's data as they were then.

        `operator` is started in the place of the first. Raises ControlPlaneError or OperatorError where it fails.
        """
        for each in self.operators:
            await each.kill()  # it is dead: this only tidies up
        data = await asyncio.to_thread(self.plane.snapshot_etcd)
        await asyncio.to_thread(self.plane.restore_etcd, data)
        await (operator or self.operator).start()

    async def zone_condition(self, zone: str, kind: str) -> dict[str, Any]:
        """Return a condition of a DNSZone, empty where it has none of that type."""
        return _condition(await self.get("dnszone", zone), kind)

    async def record_condition(self, record: str, kind: str) -> dict[str, Any]:
        """Return a condition of a FailoverRecord, empty where it has none of that type."""
        return _condition(await self.get("failoverrecord", record), kind)

    async def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object of the lab's namespace. Raises CommandError where there is none."""
        return await asyncio.to_thread(self.plane.read, f"{CUSTOM}/{kind}s/{name}")

    async def stands_by(self, zone: str) -> bool:
        """Tell whether this site says of a zone that another one is in force, as it should be."""
        found = await self.zone_condition(zone, "InForce")
        return (found.get("status"), found.get("reason")) == ("False", "Standby")


class TwoSites:
    """An async context manager: site `a` comes first, site `b` waits. `say` is told each step.

    `flags` are added to both operators' arguments; `real_bind` False puts the lab's own server, which keeps a log and
    can fail, in BIND's place.
    """

    def __init__(
        self,
        *,
        times: Times | None = None,
        say: Callable[[str], None] = lambda _: None,
        binaries: Binaries | None = None,
        real_bind: bool = True,
        flags: Sequence[str] = (),
    ) -> None:
        self.times = times or Times()
        self.lab = Lab(real_bind=real_bind)
        self._say = say
        self._stack = AsyncExitStack()
        ranks = {"a": 0, "b": self.times.standby_rank}
        self.a, self.b = (
            SiteCluster(
                site,
                rank,
                lab=self.lab,
                times=self.times,
                binaries=binaries,
                flags=flags,
                say=lambda text, site=site: say(f"site {site}: {text}"),
            )
            for site, rank in ranks.items()
        )
        self.truth: Truth

    @property
    def clusters(self) -> tuple[SiteCluster, SiteCluster]:
        """Both, site a first."""
        return self.a, self.b

    async def __aenter__(self) -> Self:
        """Start everything; no FailoverRecord is declared yet. Raises what a Stage raises."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.lab)
            for note in self.lab.notes:
                self._say(f"note: {note}")
            try:
                async with asyncio.TaskGroup() as group:
                    for each in self.clusters:
                        group.create_task(stack.enter_async_context(each))
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from errors
            self.truth = Truth(self.lab)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def wait_until_ready(self) -> None:
        """Declare the quickstart's records at site a, and at site b once a is in force. Raises StageError."""
        self._say("declaring the same records in both clusters")
        for each in self.clusters:
            await each.apply(self.truth.manifest)
            await each.wait_until_ready(READY_TIMEOUT)
            await wait_for(self._settled, timeout=READY_TIMEOUT, what="site a in force in every zone", interval=0.3)
        await self.until_standby(self.b)

    async def until_standby(self, cluster: SiteCluster, timeout: float = READY_TIMEOUT) -> None:
        """Wait until `cluster` says of every zone that it stands by, and its records are Ready. Raises StageError."""

        async def says_so() -> bool:
            return all([await cluster.stands_by(zone) for zone in self.lab.zones])

        try:
            await wait_for(says_so, timeout=timeout, what=f"site {cluster.site} as the standby", interval=0.3)
        except StageError as error:
            raise StageError(
                f"{error}:\n{await cluster.kubectl('get', 'dz', '-n', NAMESPACE, '-o', 'wide')}"
            ) from error
        await cluster.wait_until_ready(timeout)

    async def positions(self) -> dict[str, Position | None]:
        """Return what each zone's ledger says, None where it says nothing."""
        return {name: await self.position(name) for name in self.lab.zones}

    async def position(self, zone: str) -> Position | None:
        """Return what the ledger of `zone` says, None where it says nothing."""
        found = await self.lab.zone(zone).read(LEDGER, "TXT")
        match = _LEDGER.search(" ".join(found.values)) if found else None
        return Position(match[1], int(match[2]), int(match[3]), int(match[4])) if match else None

    async def renewed_by(self, site: str, *, times: int, timeout: float) -> None:
        """Wait until `site` has moved the ledger of every zone on `times` times more. Raises StageError."""
        await self.renewed(dict.fromkeys(self.lab.zones, site), times=times, timeout=timeout)

    async def renewed(self, sites: Mapping[str, str], *, times: int, timeout: float) -> None:
        """Wait until each zone's ledger was moved on `times` times more by its site. Raises StageError."""
        before = await self.positions()

        async def moved() -> bool:
            now = await self.positions()
            return all(_has_moved(before[zone], now[zone], site, times) for zone, site in sites.items())

        await wait_for(moved, timeout=timeout, what=f"{times} renewals in every zone ({sites})", interval=0.3)

    def emulated(self, zone: str) -> EmulatedZone:
        """Return a zone whose log can be read. Raises StageError for one at a real server."""
        found = self.lab.zone(zone)
        if not isinstance(found, EmulatedZone):
            raise StageError(f"{zone} is at a real server, which keeps no commits for us")
        return found

    async def _settled(self) -> bool:
        return all(each is not None and each.site == "a" for each in (await self.positions()).values())


def _has_moved(before: Position | None, now: Position | None, site: str, times: int) -> bool:
    if before is None or now is None or now.site != site:
        return False
    return now.epoch > before.epoch or now.sequence >= before.sequence + times


def _condition(item: dict[str, Any], kind: str) -> dict[str, Any]:
    conditions = item.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})
