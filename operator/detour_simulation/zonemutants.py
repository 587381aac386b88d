"""Mutants of what concerns zones: when a name leaves one, who writes it, and what is done after an edit of either."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from detour.app import declarations
from detour.enactment.leaving import ParentView
from detour.enactment.wishes import Explanation
from detour.engine import leaving, recordkeeper
from detour.engine.leaving import ZoneLeavers
from detour.engine.zonekeeper import ZoneKeeper
from detour.engine.zones import Zones
from detour.model.record import DeletionPolicy, Record
from detour_simulation.mutant import Mutant, Off, Replacement


def _staying(**changes: Any) -> Off:
    """Let the decision whether a name may leave a zone not know of something."""

    def off() -> tuple[Replacement, ...]:
        before = vars(leaving)["reason_to_stay"]

        def reason_to_stay(zone: Any, **known: Any) -> Explanation | None:
            found: Explanation | None = before(zone, **{**known, **changes})
            return found

        return ((leaving, "reason_to_stay", reason_to_stay),)

    return off


def _no_patience_with_caches() -> tuple[Replacement, ...]:
    keeps, is_fresh = ParentView.keeps, ParentView.is_fresh
    return (
        (ParentView, "keeps", lambda self, zone, now: keeps(replace(self, ttl=-1.0), zone, now)),
        (ParentView, "is_fresh", lambda self, now: is_fresh(replace(self, ttl=-1.0), now)),
    )


def _old_looks_count() -> tuple[Replacement, ...]:
    return ((ParentView, "is_fresh", lambda self, now: True),)


def _no_proof_since_the_edit() -> tuple[Replacement, ...]:
    before = ZoneKeeper.report

    def report(self: ZoneKeeper, record: Any) -> Any:
        found = before(self, record)
        return found and replace(found, proved_at=float("inf"))

    return ((ZoneKeeper, "report", report), (ZoneKeeper, "prove", lambda self, hostname: None))


def _never_leave() -> tuple[Replacement, ...]:
    return ((ZoneLeavers, "review", lambda self, known: None),)


def _never_come_back() -> tuple[Replacement, ...]:
    return ((ZoneLeavers, "_come_back", lambda self, known, zone: None),)


def _no_twins() -> tuple[Replacement, ...]:
    return ((Zones, "_look_for_twins", lambda self: None), (Zones, "namesakes_of", lambda self, key: []))


def _no_namesakes() -> tuple[Replacement, ...]:
    return ((Zones, "namesakes_of", lambda self, key: []),)


def _first_zones() -> tuple[Replacement, ...]:
    before = recordkeeper.RecordKeeper.update

    def update(self: recordkeeper.RecordKeeper, record: Record) -> None:
        before(self, replace(record, zones=self.declared.zones))

    return ((recordkeeper.RecordKeeper, "update", update),)


def _everything_deleted() -> tuple[Replacement, ...]:
    before = vars(declarations)["record_from"]

    def record_from(raw: Any, bundle: Any) -> Record:
        record: Record = before(raw, bundle)
        return replace(record, deletion_policy=DeletionPolicy.DELETE)

    return ((declarations, "record_from", record_from),)


def _once_a_twin() -> tuple[Replacement, ...]:
    """Who once stood aside for an older DNSZone does so for ever."""
    before, aside = Zones.twin_of, dict[tuple[int, Any], Explanation]()

    def twin_of(self: Zones, key: Any) -> Explanation | None:
        if (found := before(self, key)) is not None:
            aside[id(self), key] = found
        return aside.get((id(self), key))

    return ((Zones, "twin_of", twin_of),)


OF_ZONES: Mapping[str, Mutant] = {
    each.name: each
    for each in (
        Mutant(name="leaves only where it has arrived", profile="zones", seed=36, off=_staying(arrivals=())),
        Mutant(name="leaves once the parent has let go", profile="zones", seed=2, off=_staying(parent=ParentView())),
        Mutant(name="leaves once caches have forgotten", profile="zones", seed=9, off=_no_patience_with_caches),
        Mutant(name="looks at the parent before it leaves", profile="parents", seed=40, off=_old_looks_count),
        Mutant(name="proof since the edit", profile="left for nothing", off=_no_proof_since_the_edit),
        Mutant(name="one hosted zone is not left by one of its names", profile="zones", seed=9, off=_no_namesakes),
        Mutant(name="one hosted zone is written by one DNSZone", profile="zones", seed=14, off=_no_twins),
        Mutant(name="a younger DNSZone goes on for an older one", profile="zones", off=_once_a_twin),
        Mutant(name="leaves zones", profile="zones", seed=2, off=_never_leave),
        Mutant(name="comes back to a zone", profile="zones", seed=9, off=_never_come_back),
        Mutant(name="edited zones", profile="zones", off=_first_zones),
        Mutant(name="Retain stays", profile="zones", seed=2, off=_everything_deleted),
    )
}
