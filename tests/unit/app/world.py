"""The engine with everything around it that is pure or can be faked honestly: no Kubernetes, no cloud, no real time.

Real are the declarations, the engine, its zones and enactors, status and events. Faked by contract are the API server
(with resource versions, conflicts and finalizers), the zones' providers, the name servers, the checks.
"""

import asyncio
import copy
import random
from collections.abc import Callable, Mapping
from typing import Any, cast

from prometheus_client import CollectorRegistry

from detour.app.clock import Clock
from detour.app.declarations import Declarations
from detour.app.engine import Engine
from detour.app.metrics import Metrics
from detour.app.observation import Observation
from detour.app.outlets import Outlets
from detour.app.zonekeeper import Workshop
from detour.checks.resolver import Resolution, ResolutionOutcome
from detour.enactment.asking import Answer
from detour.enactment.budget import Budget
from detour.enactment.contract import Pace, ProviderLimits, Secret
from detour.enactment.sites import Site
from detour.kube.cluster import Cluster, ClusterError
from detour.kube.kinds import DeletionSeen, Kind, Listed, RawObject, Seen
from detour.kube.metadata import MetadataWriter
from detour.kube.reporting import Reporter
from detour.model.checks import CheckResult, Target
from detour.model.names import canonical
from detour.model.rrset import RRKey, RRType
from detour.model.zone import Zone

from ..enactment.memoryzone import NO_QUOTA, MemoryProvider, MemoryZone  # noqa: TID252 - see conftest.py

WALL = 1_700_000_000.0
KINDS = {each.title: each for each in Kind}


class ApiServer:
    """Holds objects; every change is watched. Stands in for `detour.kube.cluster.Cluster`."""

    def __init__(self) -> None:
        self.objects: dict[tuple[Kind, str, str], dict[str, Any]] = {}
        self.events: list[tuple[str, str]] = []
        self.watch: Callable[[Seen | DeletionSeen], None] = lambda message: None
        self.is_away = False
        self._versions = 1

    def apply(self, raw: dict[str, Any]) -> None:
        """Create or change an object, as kubectl would."""
        kind, metadata = KINDS[raw["kind"]], raw["metadata"]
        key = (kind, metadata.get("namespace", ""), metadata["name"])
        before = self.objects.get(key)
        made = copy.deepcopy(raw)
        if before is not None:
            made["status"] = before.get("status", {})
            made["metadata"]["finalizers"] = before["metadata"].get("finalizers", [])
            made["metadata"]["generation"] = before["metadata"]["generation"] + (before["spec"] != raw["spec"])
        self._store(key, made)

    def delete(self, kind: Kind, name: str, namespace: str = "shop") -> None:
        """Delete an object: at once, or once its finalizers are gone."""
        key = (kind, namespace, name)
        gone = copy.deepcopy(self.objects[key])
        gone["metadata"]["deletionTimestamp"] = "2026-11-23T21:00:00Z"
        self._store(key, gone)

    def status(self, name: str = "api", kind: Kind = Kind.FAILOVER_RECORD, namespace: str = "shop") -> dict[str, Any]:
        """Return an object's status."""
        return cast(dict[str, Any], self.objects[kind, namespace, name].get("status", {}))

    def condition(self, type: str, name: str = "api", kind: Kind = Kind.FAILOVER_RECORD) -> tuple[str, str]:
        """Return status and reason of a condition."""
        found = [each for each in self.status(name, kind).get("conditions", ()) if each["type"] == type]
        return (found[0]["status"], found[0]["reason"]) if found else ("", "")

    async def patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, status: bool) -> RawObject:
        await self._answer()
        key = (kind, namespace, name)
        if key not in self.objects:
            raise ClusterError("not found", 404)
        patched = copy.deepcopy(self.objects[key])
        wanted = dict(body.get("metadata", {}))
        version = wanted.pop("resourceVersion", None)
        if version is not None and version != patched["metadata"]["resourceVersion"]:
            raise ClusterError("the object has been modified", 409)
        if status:
            patched["status"] = {
                k: v for k, v in {**patched.get("status", {}), **body["status"]}.items() if v is not None
            }
        for field, value in wanted.items():
            merged = {**patched["metadata"].get(field, {}), **value} if isinstance(value, Mapping) else value
            patched["metadata"][field] = (
                {k: v for k, v in merged.items() if v is not None} if isinstance(merged, Mapping) else merged
            )
        self._store(key, patched)
        return patched

    async def read_object(self, kind: Kind, namespace: str, name: str) -> Mapping[str, Any]:
        await self._answer()
        if (kind, namespace, name) not in self.objects:
            raise ClusterError("not found", 404)
        return copy.deepcopy(self.objects[kind, namespace, name])

    async def create_event(self, namespace: str, body: Mapping[str, Any]) -> None:
        await self._answer()
        self.events.append((body["reason"], body["message"]))

    async def read_config_map(self, namespace: str, name: str) -> Mapping[str, str]:
        await self._answer()
        raise ClusterError("not found", 404)

    async def _answer(self) -> None:
        await asyncio.sleep(0.02)
        if self.is_away:
            raise ClusterError("nobody there", 0)

    def _store(self, key: tuple[Kind, str, str], raw: dict[str, Any]) -> None:
        self._versions += 1
        raw["metadata"]["resourceVersion"] = str(self._versions)
        metadata = raw["metadata"]
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            self.objects.pop(key, None)
            message: Seen | DeletionSeen = DeletionSeen(key[0], raw)
        else:
            self.objects[key] = raw
            message = Seen(key[0], copy.deepcopy(raw))
        asyncio.get_running_loop().call_soon(self._tell, message)

    def _tell(self, message: Seen | DeletionSeen) -> None:
        if not self.is_away:
            self.watch(message)


class Clouds:
    """The zones in memory by the name of their DNSZone, and the name servers that serve them."""

    def __init__(self) -> None:
        self.zones: dict[str, MemoryZone] = {}
        self.providers: list[MemoryProvider] = []
        self.limits: ProviderLimits = NO_QUOTA

    def zone(self, name: str = "main") -> MemoryZone:
        """Return the zone of a DNSZone."""
        return self.zones.setdefault(name, MemoryZone())

    async def limits_of(self, zone: Zone) -> ProviderLimits:
        return self.limits

    async def open_zone(self, zone: Zone, *, secret: Secret | None, pace: Pace) -> MemoryProvider:
        self.providers.append(MemoryProvider(self.zone(zone.key.name), self.limits))
        return self.providers[-1]

    async def ask(self, server: str, name: str, rrtype: str) -> Answer:
        await asyncio.sleep(0.001)
        if rrtype == "SOA":
            return Answer(("present",))
        for zone in self.zones.values():
            if found := zone.rrset(RRKey(canonical(name), RRType(rrtype))):
                return Answer(found.values, found.ttl)
        return Answer()


class World:
    """One operator process. `down` are the addresses that fail their checks, `lost` those that tell nothing."""

    def __init__(self, clouds: Clouds, api: ApiServer, *, dry_run: bool = False) -> None:
        loop = asyncio.get_running_loop()
        self.clouds = clouds
        self.api = api
        self.down: set[str] = set()
        self.lost: set[str] = set()
        self.names: dict[str, tuple[str, ...]] = {}
        self.clock = Clock(now=loop.time, wall=lambda: WALL + loop.time())
        budget = Budget(clouds.limits, loop.time)
        workshop = Workshop(
            owner="production",
            site=Site("here"),
            dry_run=dry_run,
            clock=self.clock,
            randomness=random.Random(1),
            read_secret=self._no_secret,
            look_up=self._look_up,
            delegation_of=self._no_delegation,
            ask=clouds.ask,
            budget_of=lambda account, limits: budget,
            limits_of=clouds.limits_of,
            open_zone=clouds.open_zone,
        )
        self.metrics = Metrics(CollectorRegistry())
        self.observation = Observation(
            check=self._check,
            resolve=self._resolve,
            checks_in_flight=1000,
            clock=self.clock,
            randomness=random.Random(2),
            metrics=self.metrics,
            on_news=lambda keys: self.engine.decide(keys),  # noqa: PLW0108 - the engine is made below
        )
        cluster = cast(Cluster, api)
        metadata = MetadataWriter(cluster)
        outlets = Outlets(metadata, self.clock.wall)
        reporter = Reporter(cluster, component="detour", build=outlets.build, wall_clock=self.clock.wall)
        self.engine = Engine(
            workshop=workshop, observation=self.observation, outlets=outlets, clock=self.clock, metrics=self.metrics
        )
        outlets.connect(reporter, self.engine)
        self.declarations = Declarations(self.engine, read_config_map=api.read_config_map)
        api.watch = self._watch
        self._work = [asyncio.create_task(each.run()) for each in (self.observation, reporter, metadata)]
        self.list()

    def list(self) -> None:
        """Take in a full list of every kind, as at each start and every minute."""
        for kind in Kind:
            raws = [copy.deepcopy(raw) for key, raw in self.api.objects.items() if key[0] is kind]
            self.declarations.take(Listed(kind, raws, self.clock.now()), self.clock.now())
        self.engine.zones_listed = True

    def _watch(self, message: Seen | DeletionSeen) -> None:
        self.declarations.take(message, self.clock.now())

    def answers(self, hostname: str = "api.example.org", zone: str = "main") -> set[str]:
        """Return what a zone answers."""
        return self.clouds.zone(zone).answers(hostname)

    async def until(self, condition: Callable[[], object], within: float = 60.0) -> float:
        """Wait until `condition` holds, and return the (virtual) seconds that took."""
        began = self.clock.now()
        while not condition():
            assert self.clock.now() - began < within, f"not within {within} s"
            await asyncio.sleep(0.01)
        return self.clock.now() - began

    async def kill(self) -> None:
        """End at once, whatever is under way."""
        self.api.watch = lambda message: None
        tasks = [*self._work, *self.engine.zones._tasks]  # a killed process asks nobody
        enactors = [keeper._enactor_task for keeper in self.engine.zones.keepers.values() if keeper._enactor_task]
        for task in (*tasks, *enactors):
            task.cancel()
        await asyncio.gather(*tasks, *enactors, return_exceptions=True)

    async def _check(self, target: Target) -> CheckResult:
        await asyncio.sleep(0.01)
        if target.address in self.lost:
            return CheckResult(None, "NotAllowed", "refused to probe", 0.0)
        if target.address in self.down:
            return CheckResult(False, "Refused", "connection refused", 0.0)
        return CheckResult(True, "", "", 0.01)

    async def _resolve(self, hostname: str) -> Resolution:
        await asyncio.sleep(0.01)
        found = self.names.get(hostname)
        if found is None:
            return Resolution(ResolutionOutcome.FAILED, (), 5.0, message="SERVFAIL")
        return Resolution(ResolutionOutcome.ANSWERED if found else ResolutionOutcome.NO_ADDRESSES, found, 5.0)

    async def _look_up(self, hostname: str) -> tuple[str, ...]:
        return ("192.0.2.53",)

    async def _no_secret(self, namespace: str, name: str) -> Secret:
        return {"key": "value"}

    async def _no_delegation(self, domain: str) -> None:
        return None
