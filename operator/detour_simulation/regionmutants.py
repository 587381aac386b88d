"""Mutants of regions that are left as a whole."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from detour.engine import regionkeeper
from detour.engine.regionkeeper import RegionKeeper
from detour.health import regions
from detour.health.regions import Judgement
from detour.model.shared import NONE
from detour_simulation.mutant import Mutant, Replacement


def _no_region_is_left() -> tuple[Replacement, ...]:
    return ((RegionKeeper, "failing", lambda self: NONE),)


def _no_region_comes_back() -> tuple[Replacement, ...]:
    def judged(canaries: Any, endpoints: Any, rules: Any, course: Any, now: float) -> Judgement:
        found = _JUDGED(canaries, endpoints, rules, course, now)
        return replace(found, course=replace(found.course, is_out=found.course.is_out or course.is_out))

    return ((regionkeeper, "judged", judged),)


_JUDGED = regions.judged

OF_REGIONS: Mapping[str, Mutant] = {
    each.name: each
    for each in (
        Mutant(name="a region whose canaries fail is left", profile="canaries", off=_no_region_is_left),
        Mutant(name="a region whose canaries pass comes back", profile="canaries", off=_no_region_comes_back),
    )
}
