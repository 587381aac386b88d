"""A probe in another place, with all its parts, and what may be amiss with one.

Real is the whole of `detour probe` but its process. It reaches the API server by the network that all use, and the
endpoints as they are, unless it lies, or sees the region that it is in fail where nobody else does.
"""

import asyncio
import random
from functools import partial

from prometheus_client import CollectorRegistry

from detour.app.probe.assembly import WATCHED, ProbeAssembly, ProbePorts
from detour.checks.resolver import Resolution
from detour.engine.clock import Clock
from detour.engine.metrics import Metrics
from detour.engine.ports import ClusterError
from detour.kube.kinds import DeletionSeen, Listed, Seen
from detour.kube.lease import VANTAGE
from detour.kube.vantagereport import report_body, report_from
from detour.model.checks import CheckResult, Target
from detour.model.health import Verdict
from detour.model.objects import Kind
from detour.model.vantage import Finding, VantageReport
from detour.twin.loop import START, VirtualProcess
from detour_simulation.apiserver import WALL, ApiServer, Connection, Message, Watch
from detour_simulation.controller import CHECK_TIME, LEASE, WATCH_AGAIN, Surroundings, resolved
from detour_simulation.schedule import VantageSetting
from detour_simulation.weather import Caller

LEASES = LEASE[0]
"""The namespace of the Leases in which probes give signs of life."""


def vantage(setting: VantageSetting) -> dict[str, object]:
    """Return the Vantage of a place."""
    metadata = {"name": setting.name, "creationTimestamp": "2026-11-23T20:00:00Z"}
    spec = {"cloud": "Other", "votes": 1, **({"region": setting.region} if setting.region else {})}
    return {"apiVersion": "detour.dev/v1alpha1", "kind": "Vantage", "metadata": metadata, "spec": spec}


def lease(setting: VantageSetting) -> dict[str, object]:
    """Return the Lease of a place, as an administrator makes it."""
    return {"metadata": {"name": _lease_of(setting.name), "labels": {VANTAGE: setting.name}}, "spec": {}}


def _lease_of(name: str) -> str:
    return f"vantage-{name}"


class Probe:
    """One place: it runs until `end`, and again from `start` on."""

    def __init__(self, setting: VantageSetting, *, surroundings: Surroundings, server: ApiServer, seed: int) -> None:
        self.name = setting.name
        self.region = setting.region
        self._setting = setting
        self._around = surroundings
        self._server = server
        self._seed = seed
        self._starts = 0
        self._process: VirtualProcess | None = None
        self._watch: Watch | None = None
        self._work: list[asyncio.Task[None]] = []
        self._thefts = 0
        self.past: list[VirtualProcess] = []

    def start(self) -> None:
        """Begin to run, unless it does."""
        if self._process is not None:
            return
        self._starts += 1
        self._process = VirtualProcess(f"{self.name}#{self._starts}", self._setting.rate)
        self.past.append(self._process)
        self._process.context.run(self._assemble, self._process)

    def end(self) -> None:
        """End at once."""
        if self._process is not None:
            self._around.loop.end(self._process)
            self._process = None
        self.lose_watch()

    def lose_watch(self) -> None:
        """Let the connection of its watch break."""
        if self._watch is not None:
            self._watch.end()
            self._watch = None

    def abuse_token(self) -> None:
        """Write with its token what serves a thief: that all fails, or passes, or nonsense."""
        raw = self._server.read(Kind.VANTAGE, "", self.name)
        try:
            known = list(report_from(raw).findings)
        except ValueError:
            known = []
        self._thefts += 1
        lie = (Verdict.UNHEALTHY, Verdict.HEALTHY, Verdict.UNKNOWN)[self._thefts % 3]
        report = VantageReport("thief", self._thefts, 9, {key: Finding(lie, 900.0, 0.0) for key in known})
        body = report_body(report, version="", at=0.0)
        if self._thefts % 7 == 0:
            body["status"] = {
                "state": "Trusted",
                "report": {"instance": "thief", "number": self._thefts, "findings": "?"},
            }
        self._server.patch(Kind.VANTAGE, "", self.name, body, status=True)
        beat = {
            "metadata": {"annotations": {"detour.dev/report": str(self._thefts)}},
            "spec": {"holderIdentity": "thief"},
        }
        self._server.patch_lease(LEASES, _lease_of(self.name), beat)

    def _assemble(self, process: VirtualProcess) -> None:
        around, loop = self._around, self._around.loop
        caller = Caller(process.name, random.Random(f"{self._seed} calls of {process.name}"), self.end)
        connection = Connection(self._server, caller, around.network)
        clock = Clock(now=loop.time, wall=self._wall)
        parts = ProbeAssembly(
            ProbePorts(
                connection, read_config_map=connection.read_config_map, check=self._check, resolve=self._resolve
            ),
            name=self.name,
            lease=(LEASES, _lease_of(self.name)),
            instance=process.name.replace("#", "_"),
            clock=clock,
            randomness=random.Random(f"{self._seed} {process.name}"),
            metrics=Metrics(CollectorRegistry()),
            checks_in_flight=1000,
        )
        runs = [run() for run in parts.work.values()]
        self._work = [asyncio.ensure_future(each) for each in (*runs, self._follow(parts, connection, process))]

    def _wall(self) -> float:
        """Return what its wall clock shows, which is kept by others: that its own runs fast or slow does not matter."""
        off = self._setting.wall_offset + self._around.clock_errors.get(self.name, 0.0)
        return WALL + off + self._around.loop.now - START

    async def _follow(self, parts: ProbeAssembly, connection: Connection, process: VirtualProcess) -> None:
        """Watch the API server, beginning anew whenever the connection broke."""

        def take(message: Message) -> None:
            if isinstance(message, Seen | DeletionSeen) and message.kind in WATCHED:
                parts.take(message)

        def hand_in(message: Message) -> None:
            process.context.run(self._around.loop.call_soon, take, message)

        def hand_in_end(ended: asyncio.Event) -> None:
            process.context.run(self._around.loop.call_soon, ended.set)

        while True:
            began_at = self._around.loop.time()
            try:
                raws = await connection.list_one(Kind.FAILOVER_RECORD)
            except ClusterError:
                await asyncio.sleep(WATCH_AGAIN)
                continue
            parts.take(Listed(Kind.FAILOVER_RECORD, raws, began_at))
            ended = asyncio.Event()
            self._watch = Watch(self._server, hand_in, partial(hand_in_end, ended))
            await ended.wait()
            await asyncio.sleep(WATCH_AGAIN)

    async def _check(self, target: Target) -> CheckResult:
        self._around.network.steps += 1
        await asyncio.sleep(CHECK_TIME)
        if self._around.fails_for(self.name, self.region, target.address):
            return CheckResult(False, "Timeout", "no answer in time", target.timing.timeout)
        return CheckResult(True, "", "", CHECK_TIME)

    async def _resolve(self, hostname: str) -> Resolution:
        await asyncio.sleep(CHECK_TIME)
        return resolved(self._around.leads_to(hostname))
