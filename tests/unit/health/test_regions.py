"""From the endpoints of a region to its phase."""

from collections import Counter

import pytest

from detour.health.regions import RegionPhase, region_health
from detour.model.endpoint import AdminState, Region
from detour.model.health import Verdict

H, U, N = Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.UNKNOWN
ACTIVE = Region("aws-us-east-1", "aws", "us-east-1")


@pytest.mark.parametrize(
    ("verdicts", "phase"),
    [
        ((H, H), RegionPhase.HEALTHY),
        ((H, N), RegionPhase.HEALTHY),
        ((H, U), RegionPhase.SUSPECT),
        ((U, U), RegionPhase.FAILING),
        ((U, N), RegionPhase.FAILING),
        ((N, N), RegionPhase.UNKNOWN),
        ((), RegionPhase.UNKNOWN),
    ],
)
def test_a_region_is_judged_by_its_endpoints(verdicts: tuple[Verdict, ...], phase: RegionPhase) -> None:
    health = region_health(ACTIVE, Counter(verdicts), 0.0)
    assert health.phase is phase
    assert health.total == len(verdicts)
    assert health.reason


def test_a_drained_region_is_drained_however_healthy() -> None:
    drained = Region("r", "aws", "us-east-1", AdminState.DRAINED, until=10.0)
    assert region_health(drained, {H: 2}, 5.0).phase is RegionPhase.DRAINED
    assert region_health(drained, {H: 2}, 10.0).phase is RegionPhase.HEALTHY
