"""Mutants of regions that are left as a whole, and of the ladder by which they, and others, come behind who is fit."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from detour.engine import regionkeeper
from detour.engine.regionkeeper import RegionKeeper
from detour.health import regions
from detour.health.regions import Judgement
from detour.model.health import Verdict
from detour.model.shared import NONE
from detour.planning import selection
from detour_simulation.mutant import Mutant, Replacement


def _no_region_is_left() -> tuple[Replacement, ...]:
    return ((RegionKeeper, "failing", lambda self: NONE),)


def _no_region_comes_back() -> tuple[Replacement, ...]:
    def judged(canaries: Any, endpoints: Any, rules: Any, course: Any, now: float, **signals: Any) -> Judgement:
        found = _JUDGED(canaries, endpoints, rules, course, now, **signals)
        return replace(found, course=replace(found.course, is_out=found.course.is_out or course.is_out))

    return ((regionkeeper, "judged", judged),)


_JUDGED = regions.judged


def _a_signal_is_enough() -> tuple[Replacement, ...]:
    def judged(canaries: Any, *given: Any, signals: Any = (), **rest: Any) -> Judgement:
        condemned = any(each.stands for each in signals)
        found = [replace(each, verdict=Verdict.UNHEALTHY, has_passed=True) if condemned else each for each in canaries]
        return _JUDGED(tuple(found), *given, signals=signals, **rest)

    return ((regionkeeper, "judged", judged),)


def _who_waits_comes_first() -> tuple[Replacement, ...]:
    def rung(record: Any, candidate: Any, weak: Any, now: float) -> selection.Rung:
        return selection.Rung(selection.Rung.DAMPED - _RUNG(record, candidate, weak, now))

    return ((selection, "_rung", rung),)


_RUNG = selection._rung

OF_REGIONS: Mapping[str, Mutant] = {
    each.name: each
    for each in (
        Mutant(name="a region whose canaries fail is left", profile="canaries", off=_no_region_is_left),
        Mutant(name="a region whose canaries pass comes back", profile="canaries", off=_no_region_comes_back),
        Mutant(name="a signal alone is enough to leave a region", profile="canaries", off=_a_signal_is_enough),
        Mutant(name="the ladder is gone down from its top", profile="returns", off=_who_waits_comes_first),
    )
}
