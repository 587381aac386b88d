"""Which targets the checks of a record's endpoints are."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from detour.health.combined import MAIN
from detour.model.checks import NOWHERE, CheckRole, CheckTiming, ExternalCheck, NamedCheck, PrometheusCheck, Target
from detour.model.endpoint import Endpoint
from detour.model.record import Record
from detour.model.shared import shared

ENDPOINT, REGION = "$endpoint", "$region"
"""What stands in a query for the name of the endpoint that it is about, and for that of its region."""

ELSEWHERE_INTERVAL, ELSEWHERE_RECHECK, ELSEWHERE_TIMEOUT = 10.0, 5.0, 5.0
"""Seconds: verdicts that are made elsewhere are asked for no more often than that."""


ALREADY_JUDGED = CheckTiming(ELSEWHERE_INTERVAL, ELSEWHERE_RECHECK, ELSEWHERE_TIMEOUT, fall=1, rise=1)
"""Of a verdict that somebody else has made by thresholds of his own."""


def checks_of(record: Record) -> Iterator[NamedCheck]:
    """Give all checks of a record's endpoints, the one that every endpoint has first."""
    yield NamedCheck(MAIN, CheckRole.REQUIRED, record.probe)
    yield from record.more_checks.checks


def target_of(record: Record, endpoint: Endpoint, check: NamedCheck, address: str) -> Target:
    """Return the target that one check of an address is."""
    probe = check.probe
    if isinstance(probe, PrometheusCheck):
        return Target(NOWHERE, replace(probe, query=_meant(probe.query, endpoint)), _elsewhere(record.timing))
    if isinstance(probe, ExternalCheck):
        return elsewhere_target(replace(probe, name=_meant(probe.name, endpoint)))
    return Target(address, probe, record.timing)


def elsewhere_target(check: ExternalCheck) -> Target:
    """Return the target that somebody else's verdict is, for all who go by it."""
    return Target(NOWHERE, check, ALREADY_JUDGED)


def _meant(text: str, endpoint: Endpoint) -> str:
    return text.replace(ENDPOINT, endpoint.name).replace(REGION, endpoint.region)


def targets_at(record: Record, endpoint: Endpoint, addresses: Iterable[str]) -> Iterator[Target]:
    """Give the targets of an endpoint at these addresses."""
    if not record.more_checks:
        for address in addresses:
            yield Target(address, record.probe, record.timing)
        return
    for address in addresses:
        for check in checks_of(record):
            yield target_of(record, endpoint, check, address)


def _elsewhere(timing: CheckTiming) -> CheckTiming:
    return shared(
        CheckTiming(
            interval=max(ELSEWHERE_INTERVAL, timing.interval),
            recheck_interval=max(ELSEWHERE_RECHECK, timing.recheck_interval),
            timeout=ELSEWHERE_TIMEOUT,
            fall=timing.fall,
            rise=timing.rise,
        )
    )
