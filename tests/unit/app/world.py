"""The engine with everything around it that is pure or can be faked honestly: no Kubernetes, no cloud, no real time.

Real are the declarations, the engine, its zones and enactors, status and events. Faked by contract are the API server
(with resource versions, conflicts and finalizers), the zones' providers, the name servers, the checks.
"""

import asyncio
import copy
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from prometheus_client import CollectorRegistry

from detour.app.assembly import Assembly, Election, Ports
from detour.app.providers import PROVIDERS
from detour.checks.resolver import Resolution, ResolutionOutcome
from detour.checks.run import nobody_asked
from detour.enactment.asking import Answer, NoAnswerError
from detour.enactment.budget import Budget
from detour.enactment.contract import CredentialsRefusedError, Pace, ProviderLimits, Secret, ThrottledError
from detour.enactment.questionbudget import QuestionBudget
from detour.enactment.sites import Site
from detour.engine.clock import Clock
from detour.engine.clustersite import ClusterSite
from detour.engine.environment import Environment
from detour.engine.metrics import Metrics
from detour.engine.ports import ClusterError
from detour.engine.round import AT_ONCE
from detour.engine.vantages import THE_OPERATOR, OwnVantage
from detour.kube.cluster import Cluster
from detour.kube.kinds import DeletionSeen, Listed, Seen
from detour.kube.lease import VANTAGE, heartbeats_in
from detour.model.checks import CheckResult, ExternalCheck, PrometheusCheck, Target
from detour.model.names import canonical
from detour.model.objects import Kind
from detour.model.rrset import RRKey, RRType
from detour.model.signals import Reading, Source, Unreadable
from detour.model.vantage import SignOfLife
from detour.model.zone import Zone
from detour.planning.safety.departures import FREE_NAMES
from detour.twin.virtualtime import until
from detour_simulation.memoryzone import NO_QUOTA, MemoryProvider, MemoryZone

from .apiserver import WALL, ApiServer, Connection

LEASE = ("detour", "detour-leader")
HERE = Site("here")


class Clouds:
    """The zones in memory by the name of their DNSZone, and the name servers that serve them.

    Zones in `refusing` do not accept anybody's credentials, and those in `throttled` ask who opens them for patience.
    """

    def __init__(self) -> None:
        self.refusing: set[str] = set()
        self.throttled: dict[str, ThrottledError] = {}
        self.zones: dict[str, MemoryZone] = {}
        self.providers: list[MemoryProvider] = []
        self.limits: ProviderLimits = NO_QUOTA

    def zone(self, name: str = "main") -> MemoryZone:
        """Return the zone of a DNSZone."""
        return self.zones.setdefault(name, MemoryZone())

    async def limits_of(self, zone: Zone) -> ProviderLimits:
        return self.limits

    async def open_zone(self, zone: Zone, *, secret: Secret | None, pace: Pace) -> MemoryProvider:
        if zone.key.name in self.refusing:
            raise CredentialsRefusedError("the provider does not accept the key")
        if zone.key.name in self.throttled:
            raise self.throttled[zone.key.name]
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
    """One operator process. `down` are the addresses that fail their checks, `lost` those that tell nothing.

    With an `identity` it stands for election and otherwise leads. While `is_deaf` no name server answers, and never
    does one to questions of the types `is_silent_about`; while `is_blind` all its checks fail too. `secret` is what
    every Secret holds, `kinds` the order in which it learns of what there is, `readings` what the sources of signals
    say. A check takes `check_time` seconds, and says of `slow` addresses that they took 1.2 s; `checks` counts them by
    address.
    """

    def __init__(
        self,
        clouds: Clouds,
        api: ApiServer,
        *,
        dry_run: bool = False,
        site: Site = HERE,
        identity: str | None = None,
        free_departures: int = FREE_NAMES,
        at_once: int = AT_ONCE,
        pause: float = 0.0,
        kinds: Sequence[Kind] = tuple(Kind),
        questions_per_day: float = 0.0,
        own_vantage: OwnVantage = THE_OPERATOR,
        checks_in_flight: int = 1000,
        takes_reports: bool = False,
        requesters_verified: bool = False,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.clouds = clouds
        self.api = api
        self.connection = Connection(api)
        self.is_blind = self.is_deaf = False
        self.is_silent_about: set[str] = set()
        self.check_time = 0.01
        self.slow: set[str] = set()
        self._kinds = kinds
        self.down: set[str] = set()
        self.ports_down: set[tuple[str, int]] = set()
        self.elsewhere = nobody_asked
        self.lost: set[str] = set()
        self.names: dict[str, tuple[str, ...]] = {}
        self.readings: dict[Source, Reading] = {}
        self.checks: Counter[str] = Counter()
        self.audit: list[dict[str, Any]] = []
        self.secret = {"key": "value"}
        self.secret_error: ClusterError | None = None
        self.clock = Clock(now=loop.time, wall=lambda: WALL + loop.time())
        budget = Budget(clouds.limits, loop.time)
        environment = Environment(
            owner="production",
            site=site,
            named_site=ClusterSite(site, self.connection.namespace_uid),
            dry_run=dry_run,
            clock=self.clock,
            randomness=random.Random(1),
            read_secret=self._read_secret,
            look_up=self._look_up,
            delegation_of=self._no_delegation,
            ask=self._ask,
            budget_of=lambda account, limits: budget,
            providers=replace(PROVIDERS, limits_of=clouds.limits_of, open_zone=clouds.open_zone),
            free_departures=free_departures,
            at_once=at_once,
            pause=pause,
            questions=QuestionBudget(questions_per_day, loop.time) if questions_per_day else None,
            takes_reports=takes_reports,
            audit=self.audit.append,
            requesters_verified=requesters_verified,
        )
        self.metrics = Metrics(CollectorRegistry())
        self.parts = Assembly(
            environment,
            Ports(
                cast(Cluster, self.connection),
                check=self._check,
                resolve=self._resolve,
                heartbeats=self._heartbeats,
                read_signal=self._read_signal,
            ),
            metrics=self.metrics,
            checks_in_flight=checks_in_flight,
            election=Election(self.connection, *LEASE, identity) if identity else None,
            own_vantage=own_vantage,
        )
        self.engine, self.targets, self.elector = self.parts.engine, self.parts.targets, self.parts.elector
        self.declarations = self.parts.declarations
        api.watchers.append(self._watch)
        self._work = [asyncio.create_task(run()) for run in self.parts.work.values()]
        self.list()

    async def _heartbeats(self) -> Mapping[str, SignOfLife]:
        return heartbeats_in(await self.connection.list_leases(LEASE[0], VANTAGE))

    def list(self) -> None:
        """Take in a full list of every kind, as at each start and every minute."""
        for kind in self._kinds:
            raws = [copy.deepcopy(raw) for key, raw in self.api.objects.items() if key[0] is kind]
            self.declarations.take(Listed(kind, raws, self.clock.now()), self.clock.now())
        self.engine.zones_listed = True

    @property
    def leads(self) -> bool:
        """Tell whether this process should write."""
        return self.elector is None or self.elector.leads

    def cut_off(self) -> None:
        """Lose the API server, alone."""
        self.connection.is_cut = True

    def reconnect(self) -> None:
        """Reach the API server again, and list what was missed."""
        self.connection.is_cut = False
        self.list()

    def _watch(self, message: Seen | DeletionSeen) -> None:
        if self.connection.is_cut:
            return
        self.declarations.take(message, self.clock.now())

    def answers(self, hostname: str = "api.example.org", zone: str = "main") -> set[str]:
        """Return what a zone answers."""
        return self.clouds.zone(zone).answers(hostname)

    async def until(self, condition: Callable[[], object], within: float = 60.0) -> float:
        """Wait until `condition` holds, and return the (virtual) seconds that took."""
        return await until(condition, within)

    async def kill(self) -> None:
        """End at once, whatever is under way."""
        if self._watch in self.api.watchers:
            self.api.watchers.remove(self._watch)
        tasks = [*self._work, *self.engine.zones._tasks]  # a killed process asks nobody
        enactors = [keeper._enactor_task for keeper in self.engine.zones.keepers.values() if keeper._enactor_task]
        for task in (*tasks, *enactors):
            task.cancel()
        await asyncio.gather(*tasks, *enactors, return_exceptions=True)

    async def _read_signal(self, source: Source) -> Reading:
        await asyncio.sleep(0.1)
        return self.readings.get(source, Unreadable("nobody answers"))

    async def _check(self, target: Target) -> CheckResult:
        if isinstance(target.probe, ExternalCheck):
            return self.engine.external.verdict(target.probe)
        if isinstance(target.probe, PrometheusCheck):
            return await self.elsewhere(target.probe)
        self.checks[target.address] += 1
        await asyncio.sleep(self.check_time)
        if self.is_blind:
            return CheckResult(False, "Timeout", "nothing was heard", 0.0)
        if target.address in self.lost:
            return CheckResult(None, "NotAllowed", "refused to probe", 0.0)
        if target.address in self.down or (target.address, target.probe.port) in self.ports_down:
            return CheckResult(False, "Refused", "connection refused", 0.0)
        return CheckResult(True, "", "", 1.2 if target.address in self.slow else 0.01)

    async def _ask(self, server: str, name: str, rrtype: str) -> Answer:
        if self.is_blind or self.is_deaf or rrtype in self.is_silent_about:
            await asyncio.sleep(2.0)
            raise NoAnswerError(f"{server} does not answer for {name}")
        return await self.clouds.ask(server, name, rrtype)

    async def _resolve(self, hostname: str) -> Resolution:
        await asyncio.sleep(0.01)
        found = self.names.get(hostname)
        if found is None:
            return Resolution(ResolutionOutcome.FAILED, (), 5.0, message="SERVFAIL")
        return Resolution(ResolutionOutcome.ANSWERED if found else ResolutionOutcome.NO_ADDRESSES, found, 5.0)

    async def _look_up(self, hostname: str) -> tuple[str, ...]:
        return ("192.0.2.53",)

    async def _read_secret(self, namespace: str, name: str) -> Secret:
        if self.secret_error is not None:
            raise self.secret_error
        return dict(self.secret)

    async def _no_delegation(self, domain: str) -> None:
        return None
