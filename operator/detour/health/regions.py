"""From the endpoints of a region to the region."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from detour.model.endpoint import Region
from detour.model.health import Verdict


class RegionPhase(enum.StrEnum):
    """Suspect: some endpoints are Unhealthy. Failing: all whose verdict is known are."""

    HEALTHY = "Healthy"
    SUSPECT = "Suspect"
    FAILING = "Failing"
    DRAINED = "Drained"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class RegionHealth:
    """A region's phase, why, and the count of its endpoints by verdict."""

    phase: RegionPhase
    reason: str
    message: str
    healthy: int
    unhealthy: int
    unknown: int

    @property
    def total(self) -> int:
        return self.healthy + self.unhealthy + self.unknown


def region_health(region: Region, verdicts: Mapping[Verdict, int], now: float) -> RegionHealth:
    """Judge `region` by how many endpoints name it, by verdict; `now` in seconds since the Unix epoch."""
    healthy, unhealthy, unknown = (
        verdicts.get(each, 0) for each in (Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.UNKNOWN)
    )
    phase, reason, message = _phase(region, healthy, unhealthy, unknown, now)
    return RegionHealth(phase, reason, message, healthy, unhealthy, unknown)


def _phase(region: Region, healthy: int, unhealthy: int, unknown: int, now: float) -> tuple[RegionPhase, str, str]:
    total = healthy + unhealthy + unknown
    if region.is_drained(now):
        why = f" ({region.why})" if region.why else ""
        return RegionPhase.DRAINED, "DrainRequested", f"drained by request{why}: its endpoints take no traffic"
    if total == 0:
        return RegionPhase.UNKNOWN, "NoEndpoints", "no FailoverRecord has an endpoint in this region"
    if unhealthy and not healthy:
        return RegionPhase.FAILING, "EndpointsUnhealthy", f"none of {total} endpoints is healthy, {unhealthy} fail"
    if unhealthy:
        return RegionPhase.SUSPECT, "EndpointsUnhealthy", f"{unhealthy} of {total} endpoints fail"
    if healthy:
        return RegionPhase.HEALTHY, "EndpointsHealthy", f"{healthy} of {total} endpoints are healthy, none fails"
    return RegionPhase.UNKNOWN, "NotCheckedYet", "no endpoint has a verdict yet"
