"""The endpoints of a record as the failover decision sees them.

What serves now is read from the zone (or remembered from the last decision of this process), never from status.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from detour.model.endpoint import AdminState, Endpoint
from detour.model.health import EndpointHealth, Verdict
from detour.model.record import Publish, Record


@dataclass(frozen=True, slots=True)
class Candidate:
    """One endpoint with everything the decision needs.

    `values` are what it would publish now, `hopeful_values` what it could if nothing but failures ruled out a value,
    `declared_values` everything it stands for; `in_place` says that it is among those that serve; `drained` that a
    person took it, or its region, out.
    """

    endpoint: Endpoint
    health: EndpointHealth
    drained: bool
    in_place: bool
    values: tuple[str, ...]
    hopeful_values: tuple[str, ...]
    declared_values: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.endpoint.name

    @property
    def is_eligible(self) -> bool:
        """Healthy, or Unknown and already in place: who is Unknown keeps a place but never gains one."""
        if self.drained or not self.values:
            return False
        return self.health.verdict is Verdict.HEALTHY or (self.health.verdict is Verdict.UNKNOWN and self.in_place)


def candidates(
    record: Record,
    healths: Mapping[str, EndpointHealth],
    *,
    drained_regions: frozenset[str],
    published: frozenset[str],
    serving: frozenset[str] | None,
    on_the_way: frozenset[str] = frozenset(),
) -> tuple[Candidate, ...]:
    """Return the candidates of `record` in the order of its declaration.

    `published` are the values of the record's own kind that any of its zones holds; `serving` the names that this
    process decided for last, None where it has not decided yet, and `on_the_way` the values that it let through then.
    """
    known = {value for endpoint in record.endpoints for value in _declared(record, endpoint, healths[endpoint.name])}
    unattributed = tuple(sorted(published - known))
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
) -> Candidate:
    declared = _declared(record, endpoint, health)
    if not declared:
        declared = unattributed  # not resolved since the start: what nobody else stands for may well be its own
    return Candidate(
        endpoint=endpoint,
        health=health,
        drained=endpoint.state is AdminState.DRAINED or endpoint.region in drained_regions,
        in_place=endpoint.name in serving if serving is not None else bool(published.intersection(declared)),
        values=_values(record, health, declared, published | on_the_way),
        hopeful_values=_values(record, health, declared, frozenset(declared)),
        declared_values=declared,
    )


def _declared(record: Record, endpoint: Endpoint, health: EndpointHealth) -> tuple[str, ...]:
    if record.publish is Publish.CNAME:
        return (endpoint.hostname,) if endpoint.hostname else ()
    return endpoint.addresses or tuple(address for address, _ in health.addresses)


def _values(
    record: Record, health: EndpointHealth, declared: tuple[str, ...], published: frozenset[str]
) -> tuple[str, ...]:
    """Return the addresses that pass, and the Unknown ones that are published; a CNAME target as it is."""
    if record.publish is Publish.CNAME:
        return declared
    verdicts = dict(health.addresses)
    return tuple(
        value
        for value in declared
        if (verdict := verdicts.get(value, Verdict.UNKNOWN)) is Verdict.HEALTHY
        or (verdict is Verdict.UNKNOWN and value in published)
    )
