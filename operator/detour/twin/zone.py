"""A zone in memory, and a provider for it that never fails (`detour.enactment.contract`)."""

import asyncio
from collections.abc import Collection

from detour.enactment.contract import (
    Batch,
    BatchRefusedError,
    Change,
    ChangedNames,
    ProviderLimits,
    StoredSet,
    ZoneContents,
    ZoneFacts,
)
from detour.model.rrset import ANSWER_TYPES, RRKey, RRset, RRType, address_sets

LIMITS = ProviderLimits(
    batch_elements=1000,
    batch_characters=100_000,
    values_per_set=400,
    elements_per_replacement=2,
    requests_per_second=None,
    requests_burst=1,
    changes_per_second=None,
    changes_burst=1,
)
LATENCY = 0.05
"""Seconds that each call takes."""

NAME_SERVER = "192.0.2.53"


def answer_sets(hostname: str, ttl: int, values: tuple[str, ...], *, is_cname: bool) -> tuple[RRset, ...]:
    """Return the sets of values as a status, or a server, tells them: addresses, or the target of a CNAME."""
    if is_cname:
        return (RRset(hostname, RRType.CNAME, ttl, values[:1]),) if values else ()
    return address_sets(hostname, ttl, values)


class TwinZone:
    """The sets of a zone, and when each name was written last (seconds of the loop's clock)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sets: dict[RRKey, RRset] = {}
        self.written_at: dict[str, float] = {}

    def answers(self) -> dict[str, tuple[str, ...]]:
        """Return what every name answers with, the sets of all types together."""
        found: dict[str, list[str]] = {}
        for key, rrset in self.sets.items():
            if key.type in ANSWER_TYPES:
                found.setdefault(key.name, []).extend(rrset.values)
        return {name: tuple(sorted(values)) for name, values in found.items()}

    def holds(self, change: Change) -> bool:
        """Tell whether the zone holds what a change expects."""
        for wanted in (change.old, change.beside):
            if wanted is not None and self.sets.get(wanted.rrset.key) != wanted.rrset:
                return False
        return change.old is not None or change.key not in self.sets

    def make(self, change: Change, at: float) -> None:
        """Make a change."""
        if change.new is None:
            del self.sets[change.key]
        else:
            self.sets[change.key] = change.new
        self.written_at[change.key.name] = at


class TwinProvider:
    """The only account that writes a TwinZone."""

    limits = LIMITS

    def __init__(self, zone: TwinZone) -> None:
        self._zone = zone

    async def describe(self) -> ZoneFacts:
        await asyncio.sleep(LATENCY)
        return ZoneFacts(self._zone.name, (f"{NAME_SERVER}:53",), 60)

    async def read_zone(self) -> ZoneContents:
        await asyncio.sleep(LATENCY)
        return ZoneContents({key: StoredSet(rrset) for key, rrset in self._zone.sets.items()})

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        await asyncio.sleep(LATENCY)
        return ZoneContents({key: StoredSet(found) for key, found in self._zone.sets.items() if key.name in names})

    async def changed_since(self, mark: str) -> ChangedNames | None:
        return None

    async def apply(self, batch: Batch) -> ZoneContents:
        await asyncio.sleep(LATENCY)
        changes = (batch.ledger, *batch.changes)
        if not all(map(self._zone.holds, changes)):
            raise BatchRefusedError("the zone does not hold what the batch expects")
        for change in changes:
            self._zone.make(change, asyncio.get_running_loop().time())
        written = [change.new for change in changes if change.new is not None]
        return ZoneContents({each.key: StoredSet(each) for each in written})

    async def close(self) -> None:
        """Nothing was opened."""
