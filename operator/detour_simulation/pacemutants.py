"""Mutants of how fast checks may take places away."""

from collections.abc import Mapping
from typing import Any

from detour.engine.recordkeeper import RecordKeeper
from detour.engine.takenaway import TakenAway
from detour.planning import planner
from detour.planning.pace import NOBODY_SLOWED
from detour_simulation.mutant import Mutant, Replacement


def _any_number_may_leave() -> tuple[Replacement, ...]:
    return ((planner, "slowed", lambda *situation: NOBODY_SLOWED),)


def _who_left_before_is_forgotten() -> tuple[Replacement, ...]:
    return ((RecordKeeper, "_left_before", lambda self, zone, zones, now: {}),)


def _who_leaves_is_not_counted() -> tuple[Replacement, ...]:
    def nobody(self: TakenAway, *leaving: Any) -> None:
        """Only who leaves in one go is."""

    return ((TakenAway, "leave", nobody),)


OF_PACE: Mapping[str, Mutant] = {
    each.name: each
    for each in (
        Mutant(name="checks take few places away at once", profile="withdrawals", off=_any_number_may_leave),
        Mutant(name="who was taken away counts for a minute", profile="withdrawals", off=_who_leaves_is_not_counted),
        Mutant(name="who left before a restart counts", profile="withdrawals", off=_who_left_before_is_forgotten),
    )
}
