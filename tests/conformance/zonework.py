"""What a test does to a zone, in few words: sets by short names, and a ledger that moves with every batch."""

import asyncio
from collections.abc import Iterable

from detour.enactment.contract import Batch, Change, Provider, StoredSet
from detour.model.names import ledger_name
from detour.model.rrset import RRset, RRType

from .backends import Backend

TTL = 60


class Work:
    """One writer at one zone."""

    def __init__(self, backend: Backend, provider: Provider) -> None:
        self.backend = backend
        self.provider = provider
        self.ledger_at = ledger_name("conformance", backend.base)
        self.ledger: StoredSet | None = None
        self._steps = 0

    def name(self, label: str) -> str:
        """Return the full name of `label`."""
        return f"{label}.{self.backend.base}"

    def a(self, label: str, *values: str, ttl: int = TTL) -> RRset:
        """Return an A set."""
        return RRset(self.name(label), RRType.A, ttl, values or ("192.0.2.1",))

    def aaaa(self, label: str, *values: str, ttl: int = TTL) -> RRset:
        """Return an AAAA set."""
        return RRset(self.name(label), RRType.AAAA, ttl, values or ("2001:db8::1",))

    def cname(self, label: str, target: str = "target.example.net") -> RRset:
        """Return a CNAME set."""
        return RRset(self.name(label), RRType.CNAME, TTL, (target,))

    def txt(self, label: str, *values: str) -> RRset:
        """Return a TXT set."""
        return RRset(self.name(label), RRType.TXT, TTL, values)

    def next_ledger(self, word: str = "") -> RRset:
        """Return a ledger that no batch has written yet."""
        self._steps += 1
        return RRset(self.ledger_at, RRType.TXT, TTL, (f"detour/1 seq={self._steps} {word}".strip(),))

    def batch(self, *changes: Change, word: str = "") -> Batch:
        """Return a batch that moves the ledger on from where it was last seen."""
        return Batch(Change(self.ledger, self.next_ledger(word)), changes)

    async def claim(self) -> None:
        """Create the ledger."""
        await self.apply()

    async def apply(self, *changes: Change) -> dict[RRset, StoredSet]:
        """Apply a batch, keep the new ledger in mind and return the new sets as stored."""
        batch = self.batch(*changes)
        assert batch.ledger.new is not None
        contents = await self.provider.apply(batch)
        self.ledger = contents.sets[batch.ledger.new.key]
        return {each.rrset: each for each in contents.sets.values()}

    async def create(self, *rrsets: RRset) -> list[StoredSet]:
        """Create sets and return them as stored."""
        made = await self.apply(*(Change(None, each) for each in rrsets))
        return [made[each] for each in rrsets]

    async def stored(self, *labels: str) -> set[RRset]:
        """Return the sets at these labels, as read back."""
        contents = await self.provider.read_names([self.name(label) for label in labels])
        return {each.rrset for each in contents.sets.values()}

    async def stored_ledger(self) -> RRset | None:
        """Return the ledger as read back."""
        contents = await self.provider.read_names([self.ledger_at])
        return next((each.rrset for each in contents.sets.values()), None)

    async def until_ledger_is(self, expected: RRset | None) -> None:
        """Wait until the zone holds this ledger, however slow the machine is."""
        async with asyncio.timeout(180):
            while await self.stored_ledger() != expected:  # noqa: ASYNC110 - only the zone knows
                await asyncio.sleep(0.01)


def creations(rrsets: Iterable[RRset]) -> tuple[Change, ...]:
    """Return the changes that create `rrsets`."""
    return tuple(Change(None, each) for each in rrsets)
