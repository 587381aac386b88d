"""Mutants of how replicas divide the zones: who has what, who decides, and what they keep together."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from detour.app.sharding import agreement, division, replica
from detour.app.sharding.division import Division
from detour.app.sharding.leases import Free
from detour.app.sharding.placement import Scene
from detour.app.sharding.share import Share
from detour.enactment.accounts import Accounts
from detour.engine.engine import Engine
from detour_simulation.mutant import Mutant, Replacement


def _with_any_of_its_zones() -> tuple[Replacement, ...]:
    """A record is shown to whoever has any of its zones."""

    def belongs_here(self: Share, record: Any) -> bool:
        there = [zone for zone in self.ties.zones_of(record) if self.ties.exists(zone)]
        return any(map(self.has, there)) if there else self._is_first

    return ((Share, "_belongs_here", belongs_here),)


def _ties_stay_apart() -> tuple[Replacement, ...]:
    return ((division, "gifts", lambda scene: []),)


def _nobody_goes_on() -> tuple[Replacement, ...]:
    """Only zones that nobody ever had are taken."""

    async def take(self: Division, scene: Scene) -> None:
        had = {zone: lease.holder for zone, lease in self._book.zones.items()}
        await _TAKE(self, replace(scene, holders={**had, **scene.holders}))

    return ((Division, "_take", take), (division, "replica_of", lambda identity: identity))


_TAKE = Division._take


def _whole_quotas() -> tuple[Replacement, ...]:
    return ((Accounts, "divide", lambda self, shares: None),)


def _unasked() -> tuple[Replacement, ...]:
    return ((Scene, "is_admitted", property(lambda self: True)),)


def _any_region_is_free() -> tuple[Replacement, ...]:
    def with_all(free: Free, wanted: Iterable[Any]) -> Free:
        regions = {*free.regions, *(each.region for each in wanted)}
        return Free(tuple(sorted(regions)), free.namespaces)

    def agree(self: agreement.Agreement) -> None:
        _DIVIDE(self)
        agreed = self._departures._agreed
        if agreed is not None:
            self._departures.agree(replace(agreed, names=1_000.0))

    return ((agreement, "_with", with_all), (agreement.Agreement, "divide", agree))


_DIVIDE = agreement.Agreement.divide


def _by_the_clock_of_another() -> tuple[Replacement, ...]:
    return ((Engine, "was_elsewhere", lambda self, subject: None),)


def _ties_of_declarations_alone() -> tuple[Replacement, ...]:
    """What a record leaves ties nothing."""
    return (
        (replica, "zones_told_of", lambda origin: ()),
        (Engine, "zones_left_behind", lambda self, record: ()),
    )


OF_SHARDS: Mapping[str, Mutant] = {
    each.name: each
    for each in (
        Mutant(name="one replica decides for a record", profile="shards and ties", seed=8, off=_with_any_of_its_zones),
        Mutant(name="tied zones come into one hand", profile="shards and ties", seed=2, off=_ties_stay_apart),
        Mutant(name="zones of who is gone are taken", profile="shards", seed=2, off=_nobody_goes_on),
        Mutant(name="quotas are divided", profile="shards", seed=2, off=_whole_quotas),
        Mutant(name="a replica waits for its share", profile="shards", seed=69, off=_unasked),
        Mutant(name="one region for all replicas", profile="shards and regions", seed=2, off=_any_region_is_free),
        Mutant(
            name="hold-down by one clock",
            profile="shards on the move",
            seed=226,
            within=300,
            off=_by_the_clock_of_another,
        ),
        Mutant(name="zones that are left are tied", profile="shards and ties", seed=6, off=_ties_of_declarations_alone),
    )
}
