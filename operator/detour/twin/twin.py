"""The operator's own engine over a copy of what there is: objects, statuses, and what zones held by these.

It begins as a restarted operator does: with the verdicts and the history that the statuses tell. So what it does next
is what the operator would do. What it cannot know is what no status tells: names of others in the zones, other
vantages' next words, quotas.
"""

import asyncio
import copy
import random
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from prometheus_client import CollectorRegistry

from detour.app.assembly import Assembly, Ports
from detour.app.providers import PROVIDERS
from detour.checks.resolver import Resolution
from detour.enactment.asking import Answer
from detour.enactment.budget import Budget
from detour.enactment.contract import Pace, ProviderLimits, Secret
from detour.enactment.markers import Marker
from detour.enactment.sites import Site
from detour.engine.canaries import as_records
from detour.engine.clock import Clock
from detour.engine.clustersite import ClusterSite
from detour.engine.environment import Environment
from detour.engine.metrics import Metrics
from detour.kube.cluster import Cluster
from detour.kube.kinds import Listed, Seen
from detour.kube.translate import DeclarationError, record_from, region_from, without_ca_bundle
from detour.model.checks import CheckResult, Target
from detour.model.names import canonical
from detour.model.objects import Kind, RawObject
from detour.model.record import ObjectKey, Publish, Record
from detour.model.rrset import RRKey, RRset, RRType
from detour.model.zone import Zone
from detour.twin.believed import LATENCY, Believed
from detour.twin.cluster import TwinCluster
from detour.twin.loop import virtual_loop
from detour.twin.zone import LIMITS, NAME_SERVER, TwinProvider, TwinZone, answer_sets

SITE = "twin"
OWNER = "twin"

KINDS = (
    Kind.EXTERNAL_VERDICT,
    Kind.CLUSTER_OVERRIDE,
    Kind.OVERRIDE,
    Kind.CLOUD_REGION,
    Kind.DNS_ZONE,
    Kind.FAILOVER_RECORD,
)
"""Kinds that a twin knows, in the order in which they are listed. Vantages are not among them: what they have come to
stands in the statuses."""

STARTING = 60.0
"""Seconds that a twin has to come to rest; a restarted operator needs a few."""

QUIET = 20.0
"""Seconds without a write after which nothing more is expected to happen, beyond the longest detection."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a record stands in a twin: the values in each zone, its state and message, and who serves."""

    state: str
    message: str
    serving: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]


class Twin:
    """One operator over a copy of `raws`. `wall` is the time that it begins at, in seconds since the Unix epoch.

    `addresses` has those of hostnames of which no status tells any, `found` what stands in zones and is nobody's of
    ours, as far as anybody has looked.
    """

    def __init__(
        self,
        raws: Iterable[tuple[Kind, RawObject]],
        *,
        wall: float,
        regions_in_service: int = 1,
        addresses: Mapping[str, tuple[str, ...]] | None = None,
        found: Iterable[tuple[ObjectKey, RRset]] = (),
    ) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.believed = Believed(addresses=dict(addresses or {}))
        self.zones: dict[ObjectKey, TwinZone] = {}
        self._cluster = TwinCluster()
        self._clock = Clock(now=loop.time, wall=lambda: wall + loop.time() - began)
        budget = Budget(LIMITS, loop.time)
        site = Site(SITE)
        environment = Environment(
            owner=OWNER,
            site=site,
            named_site=ClusterSite(site, self._nobody),
            dry_run=False,
            clock=self._clock,
            randomness=random.Random(1),  # noqa: S311 - it spreads checks over time
            read_secret=self._no_secret,
            look_up=self._look_up,
            delegation_of=self._no_delegation,
            ask=self._ask,
            budget_of=lambda account, limits: budget,
            providers=replace(PROVIDERS, account_of=_account, limits_of=_limits, open_zone=self._open_zone),
            regions_in_service=regions_in_service,
        )
        self._parts = Assembly(
            environment,
            Ports(cast(Cluster, self._cluster), check=self._check, resolve=self._resolve),
            metrics=Metrics(CollectorRegistry()),
            checks_in_flight=10_000,
        )
        self.longest_detection = 0.0
        for kind, raw in raws:
            if kind in KINDS:
                self._cluster.put(kind, _bare(raw))
        self._learn()
        for zone, rrset in found:
            self.zones.setdefault(zone, TwinZone(str(zone))).sets.setdefault(rrset.key, rrset)
        self._work = [asyncio.ensure_future(run()) for run in self._parts.work.values()]
        for kind in Kind:
            listed = [copy.deepcopy(raw) for key, raw in self._cluster.objects.items() if key[0] is kind]
            self._parts.declarations.take(Listed(kind, cast(list[RawObject], listed), loop.time()), loop.time())
        self._parts.engine.zones_listed = True

    # -- what happens ----------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Come to rest after what has happened: nothing was written for a while, and every check has had its say."""
        began = asyncio.get_running_loop().time()
        deadline = began + max(STARTING, 2 * self.longest_detection) + 10 * QUIET
        while True:
            await asyncio.sleep(1.0)
            now = asyncio.get_running_loop().time()
            last = max((at for zone in self.zones.values() for at in zone.written_at.values()), default=began)
            rests = now - max(began + self.longest_detection, last) >= QUIET and not self._parts.engine.is_busy
            if rests or now >= deadline:
                return

    def fail(self, regions: Iterable[str], *, seen_by: int | None = None, votes: int = 1) -> None:
        """Let every check in these regions fail from now on, those of their canaries too.

        Of the `votes` that vantages have so many as `seen_by` see that, None where all do.
        """
        self.believed.failing |= set(regions)
        self.believed.seen_by, self.believed.votes = seen_by, votes

    def apply(self, kind: Kind, raw: RawObject) -> None:
        """Create or change an object."""
        self._cluster.put(kind, _bare(raw))
        key = (kind, str(raw["metadata"].get("namespace") or ""), str(raw["metadata"]["name"]))
        self._learn_one(kind, self._cluster.objects[key])
        self._parts.declarations.take(Seen(kind, copy.deepcopy(self._cluster.objects[key])), self._clock.now())

    # -- what there is to see --------------------------------------------------------------------------------------

    def standing(self, key: ObjectKey) -> Standing | None:
        """Return how a record stands."""
        raw = self._cluster.objects.get((Kind.FAILOVER_RECORD, key.namespace, key.name))
        if raw is None:
            return None
        status = raw.get("status") or {}
        hostname = canonical(str(raw["spec"].get("hostname", "")))
        zones = {
            str(zone): self.zones[zone].answers().get(hostname, ())
            for zone in (_key(each, key.namespace) for each in raw["spec"].get("zones", ()))
            if zone in self.zones
        }
        return Standing(
            state=str(status.get("state", "")),
            message=str(status.get("message", "")),
            serving=tuple(str(each.get("name")) for each in status.get("serving", ())),
            values=zones,
        )

    def answers(self) -> dict[ObjectKey, dict[str, tuple[str, ...]]]:
        """Return what each zone answers, by name."""
        return {key: zone.answers() for key, zone in self.zones.items()}

    def records(self) -> list[ObjectKey]:
        """Return all records."""
        return [
            ObjectKey(namespace, name)
            for kind, namespace, name in self._cluster.objects
            if kind is Kind.FAILOVER_RECORD
        ]

    def targets(self) -> int:
        """Return how many different checks are made."""
        return len(self.believed.regions)

    # -- what it knows ---------------------------------------------------------------------------------------------

    def _learn(self) -> None:
        for (kind, namespace, name), raw in self._cluster.objects.items():
            if kind is Kind.DNS_ZONE:
                zone_id = str((raw.get("status") or {}).get("zoneID") or f"{namespace}/{name}")
                self.zones[ObjectKey(namespace, name)] = TwinZone(zone_id)
        for (kind, _, _), raw in self._cluster.objects.items():
            self._learn_one(kind, raw)
            if kind is Kind.FAILOVER_RECORD and (record := _record(raw)) is not None:
                self._publish(record, raw.get("status") or {})

    def _learn_one(self, kind: Kind, raw: Mapping[str, Any]) -> None:
        """Take in what its status says of the checks of an object."""
        status = raw.get("status") or {}
        if kind is Kind.DNS_ZONE:
            key = ObjectKey(str(raw["metadata"]["namespace"]), str(raw["metadata"]["name"]))
            self.zones.setdefault(key, TwinZone(str(key)))
        elif kind is Kind.FAILOVER_RECORD and (record := _record(raw)) is not None:
            timing = record.timing
            bound = timing.interval + timing.timeout + timing.fall * max(timing.recheck_interval, timing.timeout)
            self.longest_detection = max(self.longest_detection, bound)
            self.believed.learn(record, status)
        elif kind is Kind.CLOUD_REGION:
            verdicts = {str(each.get("name")): each.get("verdict") for each in status.get("canaries", ())}
            for canary in _canaries(raw):
                self.believed.learn_canary(canary, verdicts.get(canary.endpoints[0].name, "Healthy"))

    def _publish(self, record: Record, status: Mapping[str, Any]) -> None:
        """Put into the zones what the status says that they hold of a record."""
        for each in status.get("zones", ()):
            zone = self.zones.get(_key(each, record.key.namespace))
            values = tuple(str(value) for value in each.get("values", ()))
            if zone is not None and values:
                marker = Marker(OWNER, record.key, record.uid).rrset(record.hostname)
                is_cname = record.publish is Publish.CNAME
                for rrset in (*answer_sets(record.hostname, record.ttl, values, is_cname=is_cname), marker):
                    zone.sets[rrset.key] = rrset

    # -- ports -----------------------------------------------------------------------------------------------------

    async def _check(self, target: Target) -> CheckResult:
        await asyncio.sleep(LATENCY)
        return self.believed.check(target)

    async def _resolve(self, hostname: str) -> Resolution:
        await asyncio.sleep(LATENCY)
        return self.believed.resolve(hostname)

    async def _open_zone(self, zone: Zone, *, secret: Secret | None, pace: Pace) -> TwinProvider:
        return TwinProvider(self.zones.setdefault(zone.key, TwinZone(str(zone.key))))

    async def _ask(self, server: str, name: str, rrtype: str) -> Answer:
        await asyncio.sleep(0.001)
        if rrtype == "SOA":
            return Answer(("present",))
        for zone in self.zones.values():
            if found := zone.sets.get(RRKey(canonical(name), RRType(rrtype))):
                return Answer(found.values, found.ttl)
        return Answer()

    async def _look_up(self, hostname: str) -> tuple[str, ...]:
        return (NAME_SERVER,)

    async def _no_secret(self, namespace: str, name: str) -> Secret:
        return {"twin": "opens every zone"}

    async def _no_delegation(self, domain: str) -> None:
        return None

    async def _nobody(self, namespace: str) -> str:
        return SITE


def play(story: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function on a clock of its own, where minutes take no time, and return what it returns."""
    loop = virtual_loop(most_callbacks=float("inf"))
    try:
        found: T = loop.run_until_complete(story())
        return found
    finally:
        loop.drain()
        loop.close()


def _bare(raw: RawObject) -> dict[str, Any]:
    """Return an object without what a twin has not: bundles of certificates, budgets."""
    made = without_ca_bundle(raw)
    spec = made.get("spec")
    if isinstance(spec, dict):
        spec.pop("budget", None)
    return made


def _record(raw: Mapping[str, Any]) -> Record | None:
    try:
        return record_from(raw, None)
    except DeclarationError:
        return None


def _canaries(raw: Mapping[str, Any]) -> list[Record]:
    try:
        return as_records(region_from(raw))
    except DeclarationError:
        return []


def _key(reference: Mapping[str, Any], namespace: str) -> ObjectKey:
    return ObjectKey(str(reference.get("namespace") or namespace), str(reference.get("name") or ""))


def _account(zone: Zone, secret: Secret | None) -> str:
    return "twin"


async def _limits(zone: Zone) -> ProviderLimits:
    return LIMITS
