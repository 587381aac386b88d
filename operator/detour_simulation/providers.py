"""Providers that apply a batch as a whole or not at all: Route 53, Google Cloud DNS, and servers of RFC 2136.

They meet the contract to the letter and help with nothing: every change only where the zone holds exactly the old set,
a reading that is no snapshot where the real one reads page by page or set by set, and whatever the weather brings.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import TypeVar

from detour.enactment.contract import (
    Batch,
    BatchRefusedError,
    Change,
    ChangedNames,
    CredentialsRefusedError,
    OutcomeUnknownError,
    Pace,
    ProviderLimits,
    Secret,
    ThrottledError,
    UnavailableError,
    ZoneContents,
    ZoneFacts,
)
from detour.twin.loop import VirtualLoop
from detour_simulation.weather import Caller, CallFailedError, Network, Sky
from detour_simulation.zones import SimulatedZone, ledger_of

T = TypeVar("T")

ODD_ERRORS = (ValueError, KeyError, AttributeError, UnicodeError, RuntimeError, OSError, AssertionError)
ODD_ANSWERS = (None, "<html>", ZoneContents())
"""What a provider must not raise, and must not return."""

NEGATIVE_TTL = 60
LONGEST_PATIENCE = 8.0
"""Seconds of patience that a throttling provider asks for at most."""


class AtomicProvider:
    """One controller's connection to a zone. With `snapshot` a reading is one (AXFR), else several requests.

    One that `keeps_account` tells what others have changed.

    A `secret` that the zone does not accept (any more) is refused at each request.
    """

    def __init__(
        self,
        zone: SimulatedZone,
        *,
        limits: ProviderLimits,
        pace: Pace,
        caller: Caller,
        network: Network,
        loop: VirtualLoop,
        snapshot: bool,
        keeps_account: bool,
        secret: Secret | None = None,
    ) -> None:
        self.limits = limits
        self._zone = zone
        self._pace = pace
        self._caller = caller
        self._network = network
        self._loop = loop
        self._snapshot = snapshot
        self._keeps_account = keeps_account
        self._secret = (secret or {}).get("secret")

    async def describe(self) -> ZoneFacts:
        """Return the zone's name server, which goes by the zone's own name here."""
        facts = ZoneFacts(self._zone.name, (f"{self._zone.name}:53",), NEGATIVE_TTL)
        return await self._call(lambda: facts)

    async def read_zone(self) -> ZoneContents:
        """Read everything; in two pages where it is no snapshot."""
        asked_at = self._loop.now
        zone = self._zone
        first, began_at, mark = await self._call(lambda: (zone.read(), self._loop.now - zone.read_lag, self._mark()))
        if self._snapshot or len(first.sets) < 4:
            self._zone.was_read(self._caller, began_at, asked_at=asked_at)
            return replace(first, mark=mark)
        second = await self._call(self._zone.read)
        self._zone.was_read(self._caller, began_at, asked_at=asked_at)
        middle = sorted(first.sets)[len(first.sets) // 2]
        sets = {key: stored for key, stored in first.sets.items() if key < middle}
        sets |= {key: stored for key, stored in second.sets.items() if key >= middle}
        return ZoneContents(sets, second.opaque, mark=mark)

    async def read_names(self, names: Collection[str]) -> ZoneContents:
        """Read set by set where it is no snapshot: the first name a moment before the others."""
        ordered = sorted(names)
        if self._snapshot or len(ordered) < 2:
            return await self._call(lambda: self._zone.read(set(ordered)))
        first = await self._call(lambda: self._zone.read({ordered[0]}))
        others = await self._call(lambda: self._zone.read(set(ordered[1:])))
        return ZoneContents({**first.sets, **others.sets}, (*first.opaque, *others.opaque))

    async def changed_since(self, mark: str) -> ChangedNames | None:
        """Look up what others changed, as servers of RFC 2136 and Google keep it."""
        return await self._call(
            lambda: self._zone.changed_since(int(mark), self._caller.process) if self._keeps_account else None
        )

    def _mark(self) -> str | None:
        return str(self._zone.mark) if self._keeps_account else None

    async def apply(self, batch: Batch) -> ZoneContents:
        """Apply the batch as a whole."""
        sent_at = self._loop.now
        return await self._call(lambda: self._write(batch, sent_at), write=True)

    async def close(self) -> None:
        """Nothing is held."""

    def _write(self, batch: Batch, sent_at: float) -> ZoneContents:
        changes = (batch.ledger, *batch.changes)
        if not all(map(self._zone.holds, self._conditions(batch))):
            raise BatchRefusedError("a set is not as the batch expects it")
        if sum(map(self.limits.elements, changes)) > self.limits.batch_elements:
            raise BatchRefusedError("the batch is too large")
        made = [(change.key, change.new) for change in changes]
        self._zone.write(made, by=self._caller, ledger=ledger_of(batch), sent_at=sent_at)
        written = [change.new.key for change in changes if change.new is not None]
        return ZoneContents({key: self._zone.sets[key] for key in written})

    def _conditions(self, batch: Batch) -> tuple[Change, ...]:
        """Return the changes of which the provider compares the old sets."""
        return (batch.ledger, *batch.changes)

    def _admitted(self, act: Callable[[], T]) -> T:
        if self._secret is not None and self._secret not in self._zone.accepted:
            raise CredentialsRefusedError("the key is not known")
        return act()

    async def _call(self, act: Callable[[], T], *, write: bool = False) -> T:
        await self._pace(1)
        try:
            return await self._network.call(
                self._caller, self._zone.name, partial(self._admitted, act), write=write, latency=0.05
            )
        except CallFailedError as error:
            if error.sky is Sky.ODD_ERROR:
                raise self._caller.randomness.choice(ODD_ERRORS)("what nobody foresaw") from None
            if error.sky is Sky.ODD_ANSWER:
                answers = ODD_ANSWERS if write else ODD_ANSWERS[:-1]  # an empty reading is for adapters to refuse
                odd: T = self._caller.randomness.choice(answers)  # type: ignore[assignment]  # that is the point
                return odd
            if error.sky is Sky.THROTTLED:
                patience = self._caller.randomness.random() * LONGEST_PATIENCE
                raise ThrottledError("the provider asks for patience", patience if patience > 2 else None) from None
            if write and error.sent:
                raise OutcomeUnknownError("the answer was lost") from None
            raise UnavailableError(f"the provider does not answer: {error}") from None
