"""Mutants of what concerns rivals, evidence and credentials: who has a name, who may lead, which Secret is used."""

from collections.abc import Mapping
from typing import Any

from detour.app import observation
from detour.app.engine import Engine
from detour.app.handover import Handover
from detour.app.observation import Observation
from detour.app.zonekeeper import ZoneKeeper
from detour.checks.scheduler import CheckScheduler
from detour.enactment import reconcile
from detour.enactment.contract import Batch, Change
from detour.planning import planner
from detour.planning.grounds import Grounded
from detour.planning.selection import choose
from detour_lab.simulation.mutant import Mutant, Replacement
from detour_lab.simulation.providers import AtomicProvider


def _newest_has_it() -> tuple[Replacement, ...]:
    return (
        (reconcile, "_winner", lambda wishes, marker: max(wishes, key=lambda each: (each.adopt, each.record))),
        (Engine, "record_exists", lambda self, record: False),
    )


def _nobody_is_ever_gone() -> tuple[Replacement, ...]:
    return ((Engine, "record_exists", lambda self, record: True),)


def _old_evidence_counts() -> tuple[Replacement, ...]:
    def chosen(record: Any, candidates: Any, now: float, **rest: Any) -> Grounded:
        return Grounded(choose(record, candidates, now))

    return ((planner, "choose_on_grounds", chosen),)


def _remembered_is_known() -> tuple[Replacement, ...]:
    return ((Observation, "remembered", lambda self, record: frozenset()), *_old_evidence_counts())


def _never_stood_still() -> tuple[Replacement, ...]:
    never = property(lambda self: float("-inf"))
    return ((CheckScheduler, "stood_still_until", never), (observation, "STANDSTILL", float("inf")))


def _no_handover() -> tuple[Replacement, ...]:
    async def make_way(self: Handover, give: Any) -> None:
        """Stay."""

    return ((Handover, "_make_way", make_way),)


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


def _no_exact_old_values() -> tuple[Replacement, ...]:
    def conditions(self: AtomicProvider, batch: Batch) -> tuple[Change, ...]:
        return (batch.ledger,)

    return ((AtomicProvider, "_conditions", conditions),)


OF_RIVALS: Mapping[str, Mutant] = {
    each.name: each
    for each in (
        Mutant(name="a name keeps its owner", profile="claimants", off=_newest_has_it),
        Mutant(name="who is gone claims nothing", profile="claimants", off=_nobody_is_ever_gone),
        Mutant(name="age of evidence after hours", profile="power cuts", off=_remembered_is_known),
        Mutant(name="a standstill is no failure", profile="pauses", off=_never_stood_still),
        Mutant(name="age of evidence after minutes", profile="pauses", off=_old_evidence_counts),
        Mutant(name="evidence of whose checks fail", profile="unchecked", off=_old_evidence_counts),
        Mutant(name="who sees nothing makes way", profile="unchecked", off=_no_handover),
        Mutant(name="a refused Secret replaces nothing", profile="rotations", off=_new_secret_at_any_price),
        Mutant(name="a new Secret is used", profile="rotations", off=_first_secret),
        Mutant(name="exact old values behind old readings", profile="old readings", off=_no_exact_old_values),
    )
}
