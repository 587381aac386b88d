"""A zone in memory, and a provider for it that goes wrong on request.

It meets `detour.enactment.contract` to the letter: a batch is applied as a whole or not at all (or, without `atomic`,
one change after the other behind the ledger), every change only where the zone holds exactly the old set. What it does
not do is help: lost answers, late writes and refusals come as the test orders them.
"""

import asyncio
import enum
import itertools
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from detour.enactment.contract import (
    Batch,
    BatchRefusedError,
    Change,
    ChangedNames,
    CredentialsRefusedError,
    OpaqueSet,
    OutcomeUnknownError,
    ProviderError,
    ProviderLimits,
    StoredSet,
    ThrottledError,
    UnavailableError,
    ZoneContents,
    ZoneFacts,
)
from detour.model.rrset import ANSWER_TYPES, RRKey, RRset

NO_QUOTA = ProviderLimits(
    batch_elements=1000,
    batch_characters=100_000,
    values_per_set=100,
    elements_per_replacement=2,
    requests_per_second=None,
    requests_burst=1,
    changes_per_second=None,
    changes_burst=1,
)
ONE_BY_ONE = replace(NO_QUOTA, batch_elements=25, elements_per_replacement=1, atomic=False)
LATENCY = 0.05

_zones = itertools.count(1)


class Fault(enum.Enum):
    """What becomes of one write."""

    LOST_BEFORE = "nothing was applied, no answer came"
    LOST_AFTER = "it was applied, no answer came"
    LATE = "no answer came, and it is applied `Trouble.seconds` later if its conditions still hold"
    THROTTLED = "the provider asks for `Trouble.seconds` of patience"
    UNAVAILABLE = "it was never sent"
    CREDENTIALS = "we are not who we say"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault; `seconds` None with THROTTLED names no time."""

    fault: Fault
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """A batch that reached the zone: when, and whether it was applied."""

    at: float
    batch: Batch
    applied: bool


class MemoryZone:
    """The data. Every write is looked at: `emptied` lists which `guarded` names lost their answers by it, and when."""

    def __init__(self, *, versions: bool = False) -> None:
        self.sets: dict[RRKey, StoredSet] = {}
        self.opaque: list[OpaqueSet] = []
        self.guarded: set[str] = set()
        self.emptied: list[tuple[float, str]] = []
        self.zone_id = f"zone-{next(_zones)}"
        self._versions = versions
        self._count = 0
        self.account: list[str] | None = None  # the names that outsiders changed, where an account is kept
        self.forgotten = 0  # so many of these it does not tell any more

    def put(self, *rrsets: RRset) -> None:
        """Write these sets, as an outsider would."""
        self.note_change(each.name for each in rrsets)
        for each in rrsets:
            self.keep(each)

    def keep(self, rrset: RRset) -> None:
        """Hold a set as it is."""
        self._count += 1
        self.sets[rrset.key] = StoredSet(rrset, f"v{self._count}" if self._versions else None)

    def drop(self, *keys: RRKey) -> None:
        """Delete these sets, as an outsider would."""
        self.note_change(each.name for each in keys)
        for key in keys:
            self.sets.pop(key, None)

    def note_change(self, names: Iterable[str]) -> None:
        """Others changed something at these names."""
        if self.account is not None:
            self.account += names

    def rrset(self, key: RRKey) -> RRset | None:
        """Return what stands there."""
        stored = self.sets.get(key)
        return stored.rrset if stored else None

    def answers(self, hostname: str) -> set[str]:
        """Return every value that the name answers with."""
        return {
            value
            for kind in ANSWER_TYPES
            if (stored := self.sets.get(RRKey(hostname, kind)))
            for value in stored.rrset.values
        }

    def holds(self, change: Change) -> bool:
        """Tell whether the precondition of `change` holds."""
        stored = self.sets.get(change.key)
        if change.beside is not None and not self._stands(change.beside):
            return False
        if change.old is None or stored is None:
            return change.old is None and stored is None
        return self._stands(change.old)

    def _stands(self, old: StoredSet) -> bool:
        stored = self.sets.get(old.rrset.key)
        return stored is not None and stored.rrset == old.rrset and old.version in (None, stored.version)

    def make(self, changes: Collection[Change], at: float) -> None:
        """Make the changes in one step and look whether a guarded name went empty by them."""
        before = {name for name in self.guarded if self.answers(name)}
        for change in changes:
            if change.new is None:
                del self.sets[change.key]
            else:
                self.keep(change.new)
        self.emptied += [(at, name) for name in sorted(before) if not self.answers(name)]


class MemoryProvider:
    """One account's way to a MemoryZone. `troubles` befall the next writes, one each; `refused` names are not taken."""

    def __init__(self, zone: MemoryZone, limits: ProviderLimits = NO_QUOTA) -> None:
        self.zone = zone
        self.limits = limits
        self.troubles: deque[Trouble | None] = deque()
        self.refused: set[str] = set()
        self.reading_fails: ProviderError | None = None
        self.writes: list[Write] = []
        self.zone_reads: list[float] = []
        self.name_reads: list[tuple[float, frozenset[str]]] = []
        self.changes_asked: list[float] = []
        self.is_closed = False
        self.latency = LATENCY

    def trouble(self, fault: Fault, seconds: float | None = None, *, times: int = 1) -> None:
        """Let the next writes meet `fault`."""
        self.troubles.extend([Trouble(fault, seconds)] * times)

    async def describe(self) -> ZoneFacts:
        await self._travel()
        return ZoneFacts(self.zone.zone_id, ("192.0.2.53:53",), 60)

    async def read_zone(self) -> ZoneContents:
        await self._travel()
        self.zone_reads.append(self._now())
        mark = None if self.zone.account is None else str(len(self.zone.account))
        return ZoneContents(dict(self.zone.sets), tuple(self.zone.opaque), mark=mark)

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        await self._travel()
        self.name_reads.append((self._now(), frozenset(names)))
        found = {key: stored for key, stored in self.zone.sets.items() if key.name in names}
        return ZoneContents(found, tuple(each for each in self.zone.opaque if each.name in names))

    async def changed_since(self, mark: str) -> ChangedNames | None:
        await self._travel()
        account, since = self.zone.account, int(mark)
        self.changes_asked.append(self._now())
        if account is None:
            return None
        names = frozenset(account[since:]) if since >= self.zone.forgotten else None
        return ChangedNames(str(len(account)), names)

    async def apply(self, batch: Batch) -> ZoneContents:
        trouble = self.troubles.popleft() if self.troubles else None
        await asyncio.sleep(self.latency)
        match trouble:
            case None:
                return self._write(batch)
            case Trouble(Fault.THROTTLED, seconds):
                raise ThrottledError("the provider asks for patience", seconds)
            case Trouble(Fault.UNAVAILABLE):
                raise UnavailableError("the provider refuses connections")
            case Trouble(Fault.CREDENTIALS):
                raise CredentialsRefusedError("the provider does not accept the key")
            case Trouble(Fault.LATE, seconds):
                asyncio.get_running_loop().call_later(seconds or 0.0, self._write_unheard, batch)
            case Trouble(Fault.LOST_AFTER):
                self._write_unheard(batch)
        raise OutcomeUnknownError("the connection broke")

    async def close(self) -> None:
        self.is_closed = True

    async def _travel(self) -> None:
        await asyncio.sleep(self.latency)
        if self.reading_fails is not None:
            raise self.reading_fails

    def _write_unheard(self, batch: Batch) -> None:
        try:
            self._write(batch)
        except BatchRefusedError:
            return

    def _write(self, batch: Batch) -> ZoneContents:
        if self.limits.atomic:
            self._check([batch.ledger, *batch.changes], batch)
            self.zone.make([batch.ledger, *batch.changes], self._now())
        else:
            for place, change in enumerate((batch.ledger, *batch.changes)):
                self._check([change], batch if place == 0 else None)
                self.zone.make([change], self._now())
        self.writes.append(Write(self._now(), batch, True))
        written = [change.new.key for change in (batch.ledger, *batch.changes) if change.new is not None]
        return ZoneContents({key: self.zone.sets[key] for key in written})

    def _check(self, changes: Collection[Change], batch: Batch | None) -> None:
        elements = sum(map(self.limits.elements, changes))
        bad = [each for each in changes if not self.zone.holds(each) or each.key.name in self.refused]
        if bad or (self.limits.atomic and elements > self.limits.batch_elements):
            if batch is not None:
                self.writes.append(Write(self._now(), batch, False))
            raise BatchRefusedError("the provider does not like the batch")

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def applied(self) -> list[Batch]:
        """The batches that were applied, in order."""
        return [write.batch for write in self.writes if write.applied]
