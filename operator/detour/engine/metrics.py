"""What Prometheus is told. One registry per process, made by `main` and handed to whoever counts."""

import math
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from detour import __version__
from detour.enactment.delivery import Tally
from detour.enactment.wishes import ZoneReport
from detour.engine.tallies import RecordTallies
from detour.health.regions import RegionPhase
from detour.model.checks import CheckResult, DNSCheck, ExternalCheck, HTTPCheck, PrometheusCheck, Target
from detour.model.health import Verdict
from detour.model.objects import Kind
from detour.model.overrides import Action
from detour.model.record import ObjectKey
from detour.model.states import RecordState

CHECK_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10)
STAGE_BUCKETS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120)
RECORD_SERIES = 1000
"""FailoverRecords that have a series of their own at most, unless the settings say otherwise."""

LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

ZoneState = tuple[ObjectKey, str, ZoneReport, Tally | None]
"""Key of a DNSZone, its provider, how it stands, and what its enactor counted."""


class Metrics:
    """The operator's metrics, all named `detour_*`. Durations in seconds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.checks = Counter("detour_checks", "Checks that ended.", ["kind", "result"], registry=registry)
        self.check_seconds = Histogram(
            "detour_check_duration_seconds", "How long checks took.", ["kind"], buckets=CHECK_BUCKETS, registry=registry
        )
        self._check_counts: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        self.verdicts = Counter(
            "detour_verdict_changes", "Changes of a target's verdict.", ["verdict"], registry=registry
        )
        self.targets = Gauge("detour_targets", "Targets under check.", registry=registry)
        self.check_places = Gauge(
            "detour_check_places",
            "Checks that may be under way at once: fewer than the setting while these keep the event loop busy.",
            registry=registry,
        )
        self.checks_overdue = Gauge(
            "detour_checks_overdue",
            "Checks that are due and wait for a place; 1000 are counted at most.",
            registry=registry,
        )
        self.replicas = Gauge(
            "detour_replicas",
            "Replicas that divide the zones, as this one sees it; 0 where none do.",
            registry=registry,
        )
        self.zones_without_replica = Gauge(
            "detour_zones_without_replica",
            "DNSZones that no replica has, of those that divide them.",
            registry=registry,
        )
        self.check_stretch = Gauge(
            "detour_check_stretch",
            "How many times as long as declared the intervals of settled checks are, 1 where all can be checked.",
            registry=registry,
        )
        self.loop_lag = Histogram(
            "detour_loop_lag_seconds",
            "By how much the event loop came late to what was due: meanwhile no check ended and no name moved.",
            buckets=LAG_BUCKETS,
            registry=registry,
        )
        self.loop_work = Histogram(
            "detour_loop_work_seconds",
            "How much of that was the event loop's own work at most, in CPU seconds of its thread.",
            buckets=LAG_BUCKETS,
            registry=registry,
        )
        self.decisions = Counter("detour_decisions", "Sets decided for records.", ["basis"], registry=registry)
        self.stage_seconds = Histogram(
            "detour_failover_stage_seconds",
            "Seconds from the check that changed a verdict to the stage: decided, accepted by the provider, visible "
            "at every authoritative server.",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self.repairs = Counter("detour_repairs", "Names put back after somebody else changed them.", registry=registry)
        self.user_reports = Counter(
            "detour_user_reports",
            "Users' reports that a name does not work: counted, or dropped (of an unknown name, or repeated).",
            ["result"],
            registry=registry,
        )
        self.kubernetes_requests = Counter(
            "detour_kubernetes_requests",
            "Calls to the API server, by what they are for.",
            ["call"],
            registry=registry,
        )
        Info("detour_build", "The version that runs.", registry=registry).info({"version": __version__})
        self.kubernetes_errors = Counter(
            "detour_kubernetes_errors", "Calls to the API server that failed.", ["call"], registry=registry
        )

    def check_ended(self, target: Target, result: CheckResult) -> None:
        """Count a check."""
        kind = _kind(target)
        told = {True: "passed", False: "failed", None: "inconclusive"}[result.passed]
        counted = self._check_counts.get((kind, told))  # `labels` takes longer than all the rest of it
        if counted is None:
            counted = self._check_counts[kind, told] = self.checks.labels(kind, told), self.check_seconds.labels(kind)
        count, seconds = counted
        count.inc()
        seconds.observe(result.latency)


def _kind(target: Target) -> str:
    match target.probe:
        case HTTPCheck(tls=tls):
            return "https" if tls else "http"
        case DNSCheck():
            return "dns"
        case PrometheusCheck():
            return "prometheus"
        case ExternalCheck():
            return "external"
        case _:
            return "tcp"


class StateCollector(Collector):
    """Reads how zones and records stand when Prometheus asks; `readiness` counts records by their condition Ready.

    `tallies` counts them by state; each has a series of its own while there are no more of them than `record_series`.
    `phases` has that of each declared region, `endpoints` how many endpoints each region has by verdict.
    `unread` are the namespaces where objects of a kind cannot be read (the empty one: anywhere), with the reasons.
    `vantages` tells of each that is declared whether it is believed. `overrides` says of each action how many are in
    force, and for how many seconds the oldest has been.
    `leads` tells whether this replica is the leader, `clock` gives the engine's seconds.
    """

    def __init__(
        self,
        states: Callable[[], Iterable[ZoneState]],
        readiness: Callable[[], Mapping[str, int]],
        *,
        leads: Callable[[], bool],
        clock: Callable[[], float],
        unread: Callable[[], Mapping[Kind, Mapping[str, str]]] = dict,
        vantages: Callable[[], Mapping[str, bool]] = dict,
        signals: Callable[[], Mapping[tuple[str, str], bool | None]] = dict,
        tallies: Callable[[], RecordTallies] = RecordTallies,
        phases: Callable[[], Mapping[str, RegionPhase]] = dict,
        endpoints: Callable[[], Mapping[str, Mapping[Verdict, int]]] = dict,
        overrides: Callable[[], Mapping[Action, tuple[int, float]]] = dict,
        record_series: int = RECORD_SERIES,
    ) -> None:
        self._overrides = overrides
        self._tallies = tallies
        self._phases = phases
        self._endpoints = endpoints
        self._record_series = record_series
        self._unread = unread
        self._vantages = vantages
        self._signals = signals
        self._states = states
        self._readiness = readiness
        self._leads = leads
        self._clock = clock

    def _of_signals(self) -> Iterable[Metric]:
        labels = ["region", "signal"]
        text = "1 while a source outside says that something is wrong in a region, 0 while it says that nothing is."
        standing = GaugeMetricFamily("detour_region_signal", text, labels=labels)
        unknown = GaugeMetricFamily("detour_region_signal_unknown", "1 while a source cannot be read.", labels=labels)
        for of, stands in self._signals().items():
            unknown.add_metric(of, float(stands is None))
            if stands is not None:
                standing.add_metric(of, float(stands))
        return [standing, unknown]

    def _of_records(self) -> Iterable[Metric]:
        tallies = self._tallies()
        by_state = GaugeMetricFamily("detour_records", "FailoverRecords by state.", labels=["state"])
        for state in RecordState:
            by_state.add_metric([state], tallies.by_state[state])
        ready = GaugeMetricFamily("detour_records_ready", "FailoverRecords by readiness.", labels=["ready"])
        for each, count in self._readiness().items():
            ready.add_metric([each], count)
        labels = ["namespace", "zone", "state"]
        by_zone = GaugeMetricFamily("detour_zone_records", "FailoverRecords of a zone by state.", labels=labels)
        for (zone, state), count in tallies.by_zone.items():
            by_zone.add_metric([zone.namespace, zone.name, state], count)
        text = "FailoverRecords with an endpoint in a region by state."
        by_region = GaugeMetricFamily("detour_region_records", text, labels=["region", "state"])
        for (region, state), count in tallies.by_region.items():
            by_region.add_metric([region, state], count)
        text = "FailoverRecords of several endpoints of which fewer than two are healthy."
        without_spare = GaugeMetricFamily("detour_records_without_spare", text)
        without_spare.add_metric([], tallies.without_spare)
        text = "1 for the present state of each FailoverRecord; absent where there are more than --record-series."
        each_one = GaugeMetricFamily("detour_record_state", text, labels=["namespace", "record", "state"])
        if len(tallies) <= self._record_series:
            for key, state in tallies.states():
                each_one.add_metric([key.namespace, key.name, state], 1.0)
        return [by_state, ready, by_zone, by_region, without_spare, each_one]

    def _of_regions(self) -> Iterable[Metric]:
        text = "1 for the present phase of each CloudRegion."
        phases = GaugeMetricFamily("detour_region_state", text, labels=["region", "state"])
        for region, phase in self._phases().items():
            phases.add_metric([region, phase], 1.0)
        labels = ["region", "verdict"]
        endpoints = GaugeMetricFamily("detour_region_endpoints", "Endpoints of a region by verdict.", labels=labels)
        for region, counts in self._endpoints().items():
            for verdict, count in counts.items():
                endpoints.add_metric([region, verdict], count)
        return [phases, endpoints]

    def _of_overrides(self) -> Iterable[Metric]:
        text = "Overrides and ClusterOverrides in force, by action."
        number = GaugeMetricFamily("detour_overrides", text, labels=["action"])
        text = "For how long the oldest override of an action that is in force has been."
        oldest = GaugeMetricFamily("detour_override_oldest_seconds", text, labels=["action"])
        found = self._overrides()
        for action in Action:
            count, age = found.get(action, (0, 0.0))
            number.add_metric([action], count)
            oldest.add_metric([action], age)
        return [number, oldest]

    def collect(self) -> Iterable[Metric]:
        """Give the metrics of every zone, and of all records."""
        unread = GaugeMetricFamily(
            "detour_kubernetes_unread", "1 where objects of a kind cannot be read.", labels=["kind", "namespace"]
        )
        for kind, namespaces in self._unread().items():
            for namespace in namespaces:
                unread.add_metric([kind.title, namespace], 1.0)
        trusted = GaugeMetricFamily(
            "detour_vantage_trusted", "1 while a vantage has a say, 0 while it abstains.", labels=["vantage"]
        )
        for name, is_trusted in self._vantages().items():
            trusted.add_metric([name], float(is_trusted))
        leader = GaugeMetricFamily("detour_leader", "1 for the replica that leads.")
        leader.add_metric([], float(self._leads()))
        labels = ["namespace", "zone", "provider"]
        gauges = {
            name: GaugeMetricFamily(f"detour_zone_{name}", text, labels=labels)
            for name, text in {
                "ready": "1 where the zone is read and can be written.",
                "in_force": "1 where this replica writes the zone.",
                "ledger_unseen_seconds": "On a standby site: since when no name server showed the ledger in force.",
                "held_changes": "Changes that the safety gate holds.",
                "superseded": "How often another writer took the zone over from this replica.",
                "owned_names": "Names that Detour owns in the zone.",
                "orphaned_names": "Names marked as ours that no FailoverRecord cares for.",
                "pending_names": "Names whose change is decided but not yet made.",
                "throttled": "1 while the provider asks for patience.",
                "generation_epoch": "Epoch of the ledger in force.",
                "generation_sequence": "Sequence of the ledger in force.",
                "damage_noticed_within_seconds": "Seconds within which what somebody else changes is noticed.",
                "oldest_look_age_seconds": "Age of the oldest look through the name servers, of all names.",
                "negative_ttl_seconds": "How long resolvers keep an empty answer of this zone.",
            }.items()
        }
        requests = CounterMetricFamily(
            "detour_provider_requests", "Batches sent and errors met, by result.", labels=[*labels, "result"]
        )
        for key, provider, report, tally in self._states():
            who = [key.namespace, key.name, provider]
            gauges["ready"].add_metric(who, float(report.ready))
            gauges["held_changes"].add_metric(who, report.held)
            gauges["in_force"].add_metric(who, float(report.in_force))
            if report.standby is not None and report.ledger_seen_at is not None:
                gauges["ledger_unseen_seconds"].add_metric(who, max(0.0, self._clock() - report.ledger_seen_at))
            if report.noticed_within < math.inf:
                gauges["damage_noticed_within_seconds"].add_metric(who, report.noticed_within)
            if report.oldest_look is not None:
                gauges["oldest_look_age_seconds"].add_metric(who, max(0.0, self._clock() - report.oldest_look))
            gauges["owned_names"].add_metric(who, report.owned)
            gauges["orphaned_names"].add_metric(who, len(report.orphans))
            gauges["pending_names"].add_metric(who, report.pending)
            gauges["throttled"].add_metric(who, float(report.is_throttled))
            if report.generation is not None:
                gauges["generation_epoch"].add_metric(who, report.generation.epoch)
                gauges["generation_sequence"].add_metric(who, report.generation.sequence)
            if report.negative_ttl is not None:
                gauges["negative_ttl_seconds"].add_metric(who, report.negative_ttl)
            if tally is not None:
                gauges["superseded"].add_metric(who, tally.superseded)
                counts = {
                    "sent": tally.batches,
                    "refused": tally.refused,
                    "lost": tally.lost,
                    "throttled": tally.throttled,
                    "error": tally.errors,
                }
                for result, count in counts.items():
                    requests.add_metric([*who, result], count)
        told = (*self._of_records(), *self._of_regions(), *self._of_signals(), *self._of_overrides())
        return [*told, unread, trusted, leader, *gauges.values(), requests]
