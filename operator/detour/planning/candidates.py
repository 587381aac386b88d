"""The endpoints of a record as the failover decision sees them.

What serves now is read from the zone (or remembered from the last decision of this process), never from status.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from detour.model.endpoint import AdminState, Endpoint, Forced
from detour.model.health import EndpointHealth, Evidence, Verdict
from detour.model.record import Publish, Record, RegionFailover
from detour.model.shared import NONE


@dataclass(frozen=True, slots=True)
class Candidate:
    """One endpoint with everything the decision needs.

    `values` are what it would publish now, `hopeful_values` what it could if nothing but failures ruled out a value,
    `declared_values` everything it stands for; `in_place` says that it is among those that serve; `drained` that a
    person took it, or its region, out. Of its values `present` are those that DNS has, or is about to have, and
    `failing` those of these that are found Unhealthy; `evidence` is what the newest checks of each showed.
    `keeps_place` says that what is held against it is not enough to take its place away. `fading` are declared values
    that its hostname leads to no more: they leave while another one that is in DNS passes. `is_sent_back` says that a
    person sent the record back since it recovered. It `is_evacuated` where its region is failing as a whole, or
    a person forces it down.
    """

    endpoint: Endpoint
    health: EndpointHealth
    drained: bool
    in_place: bool
    values: tuple[str, ...]
    hopeful_values: tuple[str, ...]
    declared_values: tuple[str, ...]
    present: frozenset[str] = frozenset()
    failing: frozenset[str] = frozenset()
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    keeps_place: bool = False
    fading: frozenset[str] = frozenset()
    is_sent_back: bool = False
    is_evacuated: bool = False

    @property
    def name(self) -> str:
        return self.endpoint.name

    @property
    def is_forced_down(self) -> bool:
        """Tell whether a person wants it to answer only where nobody else is fit."""
        return self.endpoint.forced is Forced.DOWN

    @property
    def is_forced_up(self) -> bool:
        """Tell whether a person wants it to answer where nobody passes, whatever its checks say."""
        return self.endpoint.forced is Forced.UP and not self.drained

    @property
    def lasting_values(self) -> tuple[str, ...]:
        """Everything it stands for, without what fades, unless nothing else is left."""
        return tuple(value for value in self.declared_values if value not in self.fading) or self.declared_values

    @property
    def is_eligible(self) -> bool:
        """Healthy, or Unknown and already in place: who is Unknown keeps a place but never gains one."""
        if self.drained or not self.values:
            return False
        if self.health.verdict is Verdict.HEALTHY:
            return True
        return self.in_place and (self.health.verdict is Verdict.UNKNOWN or self.keeps_place)


def is_drained(endpoint: Endpoint, drained_regions: frozenset[str]) -> bool:
    """Tell whether a person took the endpoint, or its region, out."""
    return endpoint.state is AdminState.DRAINED or endpoint.region in drained_regions


def candidates(
    record: Record,
    healths: Mapping[str, EndpointHealth],
    *,
    drained_regions: frozenset[str],
    published: frozenset[str],
    serving: frozenset[str] | None,
    on_the_way: frozenset[str] = frozenset(),
    failback_at: float | None = None,
    failing_regions: frozenset[str] = NONE,
) -> tuple[Candidate, ...]:
    """Return the candidates of `record` in the order of its declaration.

    `published` are the values of the record's own kind that zones hold which stand alike; `serving` the names that
    this process decided for last, None where it has not decided yet, and `on_the_way` the values that it let through
    then. At `failback_at` (engine seconds) a person sent the record back, None if nobody did. `failing_regions` fail as
    a whole, which the record may ignore.
    """
    known = {value for endpoint in record.endpoints for value in _declared(record, endpoint, healths[endpoint.name])}
    unattributed = tuple(sorted(published - known))
    evacuated = failing_regions if record.region_failover is RegionFailover.FOLLOW else NONE
    return tuple(
        _candidate(
            record,
            endpoint,
            healths[endpoint.name],
            drained_regions=drained_regions,
            published=published,
            on_the_way=on_the_way,
            unattributed=unattributed,
            serving=serving,
            failback_at=failback_at,
            is_evacuated=endpoint.region in evacuated or endpoint.forced is Forced.DOWN,
        )
        for endpoint in record.endpoints
    )


def _candidate(
    record: Record,
    endpoint: Endpoint,
    health: EndpointHealth,
    *,
    drained_regions: frozenset[str],
    published: frozenset[str],
    on_the_way: frozenset[str],
    unattributed: tuple[str, ...],
    serving: frozenset[str] | None,
    failback_at: float | None,
    is_evacuated: bool,
) -> Candidate:
    declared = _declared(record, endpoint, health)
    if not declared:
        declared = unattributed  # not resolved since the start: what nobody else stands for may well be its own
    present = (published | on_the_way).intersection(declared)
    return Candidate(
        endpoint=endpoint,
        health=health,
        drained=is_drained(endpoint, drained_regions),
        in_place=endpoint.name in serving if serving is not None else bool(published.intersection(declared)),
        values=_values(record, health, declared, published | on_the_way),
        hopeful_values=_values(record, health, declared, frozenset(declared)),
        declared_values=declared,
        present=present,
        failing=_failing(record, health, present),
        evidence=_evidence(record, health, declared),
        fading=health.fading,
        is_sent_back=failback_at is not None
        and max(health.since, health.failed_at or 0.0, health.slow_until or 0.0) <= failback_at,
        is_evacuated=is_evacuated,
    )


def _failing(record: Record, health: EndpointHealth, present: frozenset[str]) -> frozenset[str]:
    if health.verdict is Verdict.UNHEALTHY:
        return present
    if record.publish is Publish.CNAME:
        return frozenset()
    bad = {address for address, verdict in health.addresses if verdict is Verdict.UNHEALTHY}
    return present & bad


def _evidence(record: Record, health: EndpointHealth, declared: tuple[str, ...]) -> dict[str, Evidence]:
    """Return what was seen of each value; of a hostname without addresses the look-ups speak, not the old addresses.

    Of an endpoint that is Unhealthy its failures speak also for an address that cannot be checked from here.
    """
    if health.emptiness is not None:
        return dict.fromkeys(declared, health.emptiness)
    if record.publish is not Publish.CNAME:
        seen = {address: found for address, found in health.evidence if address in declared}
        whole = _of_target(health) if health.verdict is Verdict.UNHEALTHY else None
        return {**dict.fromkeys(declared, whole), **seen} if whole is not None else seen
    found = _of_target(health)
    return dict.fromkeys(declared, found) if found is not None else {}


def _of_target(health: EndpointHealth) -> Evidence | None:
    """Return what was seen of a CNAME target: one address that passes is enough, and only if all fail it does."""
    seen = [found for _, found in health.evidence]
    if passing := [each for each in seen if each.passed]:
        return max(passing, key=lambda each: each.began_at)
    checked = [verdict for _, verdict in health.addresses if verdict is not Verdict.UNKNOWN]
    if not seen or len(seen) < (len(checked) if health.verdict is Verdict.UNHEALTHY else len(health.addresses)):
        return None
    return Evidence(
        passed=False,
        began_at=min(each.began_at for each in seen),
        run_since=max(each.run_since for each in seen),
        looked_at=min(each.looked_at for each in seen),
    )


def _declared(record: Record, endpoint: Endpoint, health: EndpointHealth) -> tuple[str, ...]:
    if record.publish is Publish.CNAME:
        return (endpoint.hostname,) if endpoint.hostname else ()
    return endpoint.addresses or tuple(address for address, _ in health.addresses)


def _values(
    record: Record, health: EndpointHealth, declared: tuple[str, ...], published: frozenset[str]
) -> tuple[str, ...]:
    """Return the addresses that pass, and the Unknown ones that are published; a CNAME target as it is.

    Those that fade are not among them once one is published that passes, and does not.
    """
    if record.publish is Publish.CNAME:
        return declared
    verdicts = dict(health.addresses)
    able = tuple(
        value
        for value in declared
        if (verdict := verdicts.get(value, Verdict.UNKNOWN)) is Verdict.HEALTHY
        or (verdict is Verdict.UNKNOWN and value in published)
    )
    lasting = tuple(value for value in able if value not in health.fading)
    has_successor = any(value in published and verdicts.get(value) is Verdict.HEALTHY for value in lasting)
    return lasting if has_successor else able
