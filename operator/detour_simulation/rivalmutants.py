"""Mutants of what concerns rivals, evidence and credentials: who has a name, who may lead, which Secret is used."""

from collections.abc import Mapping
from typing import Any

from detour.app.handover import Handover
from detour.enactment import reconcile
from detour.enactment.takeover import STANDSTILL, Takeover
from detour.engine.existing import ExistingRecords
from detour.engine.targets import Targets
from detour.engine.zonekeeper import ZoneKeeper
from detour.planning import planner
from detour.planning.grounds import Grounded
from detour.planning.safety.departures import Departures
from detour.planning.selection import choose
from detour_simulation.mutant import Mutant, Replacement


def _newest_has_it() -> tuple[Replacement, ...]:
    return (
        (reconcile, "_winner", lambda wishes, marker: max(wishes, key=lambda each: (each.adopt, each.record))),
        (ExistingRecords, "may_be", lambda self, record: False),
    )


def _nobody_is_ever_gone() -> tuple[Replacement, ...]:
    return ((ExistingRecords, "may_be", lambda self, record: True),)


def _old_evidence_counts() -> tuple[Replacement, ...]:
    def chosen(record: Any, candidates: Any, now: float, **rest: Any) -> Grounded:
        return Grounded(choose(record, candidates, now))

    return ((planner, "choose_on_grounds", chosen),)


def _remembered_is_known() -> tuple[Replacement, ...]:
    return ((Targets, "remembered", lambda *_: frozenset()), *_old_evidence_counts())


def _no_handover() -> tuple[Replacement, ...]:
    async def make_way(self: Handover, give: Any) -> None:
        """Stay."""

    return ((Handover, "_make_way", make_way),)


def _no_patience_with_namesakes() -> tuple[Replacement, ...]:
    return ((Takeover, "_standstill", lambda self: 0.0),)


def _same_patience_each_time() -> tuple[Replacement, ...]:
    return ((Takeover, "_standstill", lambda self: STANDSTILL),)


def _decided_is_gone() -> tuple[Replacement, ...]:
    def evacuates_nothing(self: Departures, record: Any, *, has_other_place: bool) -> bool:
        return bool(self._left.get(record)) and not has_other_place

    return ((Departures, "evacuates_nothing", evacuates_nothing),)


def _back_in_one_is_back() -> tuple[Replacement, ...]:
    before = Departures.come_back

    def come_back(self: Departures, record: Any, region: str, *, zone: object) -> float | None:
        if (departure := self._left.get(record, {}).get(region)) is not None:
            departure.zones &= {zone}
        return before(self, record, region, zone=zone)

    return ((Departures, "come_back", come_back),)


def _new_secret_at_any_price() -> tuple[Replacement, ...]:
    """What is in use is given up for a new Secret before anybody knows whether that one is good."""
    before = ZoneKeeper._connect

    async def connect(self: Any, zone: Any, secret: Any, site: Any) -> Any:
        await self._stop_enactor()
        return await before(self, zone, secret, site)

    return ((ZoneKeeper, "_connect", connect),)


def _first_secret() -> tuple[Replacement, ...]:
    before = ZoneKeeper._read_secret

    async def read(self: Any, zone: Any) -> Any:
        return self._secret or await before(self, zone)

    return ((ZoneKeeper, "_read_secret", read),)


OF_RIVALS: Mapping[str, Mutant] = {
    each.name: each
    for each in (
        Mutant(name="a name keeps its owner", profile="claimants", off=_newest_has_it),
        Mutant(name="who is gone claims nothing", profile="claimants", seed=3, off=_nobody_is_ever_gone),
        Mutant(name="age of evidence after hours", profile="power cuts", seed=3, off=_remembered_is_known),
        Mutant(name="age of evidence after minutes", profile="pauses", seed=58, off=_old_evidence_counts),
        Mutant(name="evidence of whose checks fail", profile="unchecked", seed=81, off=_old_evidence_counts),
        Mutant(name="who sees nothing makes way", profile="unchecked", seed=125, off=_no_handover),
        Mutant(name="a refused Secret replaces nothing", profile="rotations", seed=4, off=_new_secret_at_any_price),
        Mutant(name="patience with namesakes", profile="clones", off=_no_patience_with_namesakes),
        Mutant(name="more patience each time", profile="clones", seed=2, off=_same_patience_each_time),
        Mutant(name="what is decided has not left yet", profile="frozen regions", seed=113, off=_decided_is_gone),
        Mutant(name="back in every zone", profile="one of two frozen", seed=30, off=_back_in_one_is_back),
        Mutant(name="a new Secret is used", profile="rotations", off=_first_secret),
    )
}
