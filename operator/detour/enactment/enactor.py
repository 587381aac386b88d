"""The enactor: the one writer of a zone.

It holds what each record wishes for (the newest wish replaces the older), and in a loop takes one step at a time:
settle what is in doubt, read what is suspect, claim the zone, write the next batch, or wait. Every step may fail;
the next one starts from what was read, never from what was meant to happen.

    doubt? ──► read the ledger and the names in doubt
    never read, or audit due? ──► read the zone
    suspicion? ──► read those names
    not in force? ──► claim the ledger, read the zone
    names to change? ──► fill a batch within budget, write it behind the ledger
    unsettled? ──► move the ledger alone
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from detour.enactment.batches import BatchFiller
from detour.enactment.budget import Budget
from detour.enactment.contract import (
    Batch,
    BatchRefusedError,
    CredentialsRefusedError,
    OutcomeUnknownError,
    Provider,
    ProviderError,
    StoredSet,
    ThrottledError,
    ZoneFacts,
)
from detour.enactment.fence import Fence
from detour.enactment.ledger import parse_ledger
from detour.enactment.names import Names
from detour.enactment.periods import DEFAULT_PERIODS, Periods
from detour.enactment.settlement import Settlement, first_undone
from detour.enactment.view import ZoneView
from detour.enactment.wishes import (
    NameChange,
    Refusal,
    Urgency,
    Wish,
    WishReport,
    Withdrawal,
    ZoneReport,
)
from detour.model.generation import Generation
from detour.model.names import marker_name
from detour.model.record import ObjectKey

STANDSTILL = 20.0
"""Seconds for which another writer's ledger of our own site must stand still before we claim above it."""

STANDSTILL_LOOK = 5.0
"""Seconds between two looks at that ledger."""

FIRST_BACKOFF = 0.25
LONGEST_BACKOFF = 30.0
"""Seconds to wait after an error: doubling from the first to the longest."""

QUARANTINE = 60.0
"""Seconds after which a set that the provider refused by itself is tried again."""


class Observer(Protocol):
    """Who is told what happens in a zone."""

    def record_changed(self, record: ObjectKey) -> None:
        """`Enactor.report` has news of this record."""

    def zone_changed(self) -> None:
        """`Enactor.zone_report` has news."""

    def accepted(self, change: NameChange, generation: Generation) -> None:
        """The provider has applied `change`."""

    def withdrawn(self, withdrawal: Withdrawal) -> None:
        """The name of a deleted record is gone, or was found not to be its own."""

    def credentials_refused(self) -> None:
        """The provider does not accept our credentials: fresh ones may help."""


@dataclass(slots=True)
class Tally:
    """Counts since the start, for metrics."""

    batches: int = 0
    refused: int = 0
    lost: int = 0
    throttled: int = 0
    errors: int = 0
    repairs: int = 0


@dataclass(slots=True)
class _Doubt:
    """A batch whose outcome must be read; `lost` that no answer came, `error` what was said otherwise."""

    batch: Batch
    work: Sequence[NameChange]
    lost: bool
    error: ProviderError


@dataclass(frozen=True, slots=True)
class EnactorSettings:
    """What does not change while a zone is being written. `dry_run` writes nothing at all."""

    owner: str
    domain: str
    site: str
    dry_run: bool = False
    periods: Periods = DEFAULT_PERIODS


class Enactor:
    """Writes one zone. All methods belong to one event loop; times are engine seconds."""

    def __init__(
        self,
        settings: EnactorSettings,
        *,
        provider: Provider,
        budget: Budget,
        fence: Fence,
        clock: Callable[[], float],
        random: Callable[[], float],
        observer: Observer,
    ) -> None:
        self._settings = settings
        self._provider = provider
        self._budget = budget
        self._fence = fence
        self._clock = clock
        self._random = random
        self._observer = observer
        self._names = Names(settings.owner, settings.domain, atomic=provider.limits.atomic)
        self._facts: ZoneFacts | None = None
        self._must_describe = True
        self._view: ZoneView | None = None
        self._doubt: _Doubt | None = None
        self._suspects: set[str] = set()
        self._read_zone_at = 0.0
        self._names_per_batch: int | None = None
        self._rival: tuple[float, str] | None = None
        self._trouble: Refusal | None = None
        self._backoff = 0.0
        self._retry_at = 0.0
        self._losses = 0
        self._may_take_over = False
        self._stopping = False
        self._news = asyncio.Event()
        self.tally = Tally()

    # -- what is wished ------------------------------------------------------------------------------------------

    def want(self, wish: Wish) -> None:
        """Make `wish` true; it replaces what the same record wished before."""
        if self._names.want(wish):
            self._news.set()

    def forget(self, record: ObjectKey) -> None:
        """Leave what `record` published as it is, and care for it no more."""
        self._names.forget(record)
        self._news.set()

    def withdraw(self, withdrawal: Withdrawal) -> None:
        """Remove the name of a deleted record, if its marker names exactly that object."""
        self._names.withdraw(withdrawal)
        self._news.set()

    def suspect(self, hostname: str) -> None:
        """Read `hostname` through the API and repair what differs."""
        self._suspects.add(hostname)
        self._news.set()

    async def use(self, provider: Provider, budget: Budget) -> None:
        """Go on with another connection to the same zone (fresh credentials), at once."""
        before, self._provider, self._budget = self._provider, provider, budget
        self._must_describe = True  # at once, so that wrong credentials show now and not at the next failover
        self._backoff = self._retry_at = 0.0
        self._news.set()
        await before.close()

    def allow_take_over(self) -> None:
        """Claim the zone also where its ledger bears another site's name."""
        self._may_take_over = True
        self._news.set()

    # -- what is the case ----------------------------------------------------------------------------------------

    @property
    def is_read(self) -> bool:
        """Tell whether the zone's contents are known."""
        return self._view is not None

    def report(self, record: ObjectKey) -> WishReport | None:
        """Return how `record` stands in this zone, or None where it wishes nothing here."""
        return self._names.report(record, self._view, unsettled=self._fence.unsettled)

    def zone_report(self) -> ZoneReport:
        """Return how the zone stands."""
        ledger = parse_ledger(stored.rrset) if self._view and (stored := self._view.get(self._fence.key)) else None
        holds = self._fence.held is not None
        idle = self._settings.dry_run or not self._names.has_wishes
        return ZoneReport(
            ready=self._view is not None and self._trouble is None and (holds or idle),
            zone_id=self._facts.zone_id if self._facts else None,
            name_servers=self._facts.name_servers if self._facts else (),
            negative_ttl=self._facts.negative_ttl if self._facts else None,
            generation=self._fence.generation or (ledger.generation if ledger else None),
            site=ledger.site if ledger else None,
            owned=self._names.owned_count,
            orphans=self._names.orphans(self._view) if self._view else (),
            pending=self._names.pending_count,
            trouble=self._trouble,
            throttled_until=self._budget.paused_until,
        )

    # -- the loop ------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Finish the step under way and end `run`."""
        self._stopping = True
        self._news.set()

    async def run(self) -> None:
        """Write until `stop`. Never ends by a provider's error."""
        try:
            await self._work()
        finally:
            await self._provider.close()

    async def _work(self) -> None:
        while not self._stopping:
            self._news.clear()
            delay = max(0.0, self._retry_at - self._clock())
            if delay == 0.0:
                try:
                    delay = await self._step()
                except ProviderError as error:
                    delay = self._fail(error)
                else:
                    self._recover()
            if delay > 0.0:
                await self._rest(delay)

    async def _rest(self, delay: float) -> None:
        try:
            await asyncio.wait_for(self._news.wait(), delay)
        except TimeoutError:
            return

    def _fail(self, error: ProviderError) -> float:
        """Note `error` and return the seconds to wait before the next step."""
        self.tally.errors += 1
        self._backoff = min(LONGEST_BACKOFF, max(FIRST_BACKOFF, self._backoff * 2))
        delay = self._backoff * (0.5 + self._random() / 2)
        if isinstance(error, ThrottledError):
            self.tally.throttled += 1
            delay = error.retry_after if error.retry_after is not None else delay
            self._budget.pause(delay)
        self._retry_at = self._clock() + delay
        self._set_trouble(Refusal(error.reason, str(error)))
        if isinstance(error, CredentialsRefusedError):
            self._observer.credentials_refused()
        return delay

    def _recover(self) -> None:
        self._backoff = 0.0
        if self._trouble and self._rival is None:
            self._set_trouble(None)

    def _set_trouble(self, trouble: Refusal | None) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._observer.zone_changed()

    async def _step(self) -> float:
        """Do the one thing that is most due, and return the seconds until the next may be."""
        if self._must_describe:
            self._facts = await self._provider.describe()
            self._must_describe = False
            self._observer.zone_changed()
        self._names.end_quarantines(self._clock())
        if self._doubt is not None:
            await self._resolve(self._doubt)
        elif self._view is None or self._clock() >= self._read_zone_at:
            await self._read_zone()
        elif self._suspects:
            await self._read_suspects()
        elif self._must_hold() and self._fence.held is None:
            return await self._take_over()
        elif self._names.is_dirty and await self._write():
            return 0.0
        elif self._fence.unsettled:
            await self._send([])
        else:
            return self._idle_time()
        return 0.0

    def _must_hold(self) -> bool:
        return not self._settings.dry_run and self._names.has_wishes

    def _idle_time(self) -> float:
        due = min((at for at in (self._read_zone_at, self._names.next_retry) if at is not None), default=0.0)
        return max(0.01, due - self._clock())

    # -- reading -------------------------------------------------------------------------------------------------

    async def _read_zone(self) -> None:
        contents = await self._provider.read_zone()
        self._view = ZoneView(contents)
        self._read_zone_at = self._clock() + self._settings.periods.reading * (0.9 + self._random() / 5)
        self._suspects.clear()
        if self._fence.held is not None:
            self._watch_ledger()
        self._names.all_reread(self._view)
        self._tell_all()

    async def _read_suspects(self) -> None:
        hostnames = sorted(self._suspects)
        await self._reread(hostnames)
        self._suspects.difference_update(hostnames)
        if self._fence.held is not None:
            self._watch_ledger()
        for hostname in hostnames:
            self._names.reread(hostname)

    async def _reread(self, hostnames: Iterable[str]) -> None:
        """Read the ledger and these hostnames with their markers."""
        hostnames = list(hostnames)
        names = {self._fence.key.name, *hostnames, *map(marker_name, hostnames)}
        contents = await self._provider.read_names(names)
        if self._view is not None:
            self._view.reread(names, contents)

    def _watch_ledger(self) -> None:
        assert self._view is not None  # noqa: S101 - called right after a reading
        stored = self._view.get(self._fence.key)
        match self._fence.watch(stored):
            case Settlement.SUPERSEDED:
                self._stand_by(stored)
            case Settlement.LOST:
                self._observer.zone_changed()
            case Settlement.EARLIER_APPLIED:
                self._read_zone_at = 0.0
            case _:
                pass

    # -- the fence -----------------------------------------------------------------------------------------------

    async def _take_over(self) -> float:
        """Claim the zone and read it; return the seconds to wait where somebody else has to give way first."""
        assert self._view is not None  # noqa: S101 - the step before read it
        await self._reread(())
        stored = self._view.get(self._fence.key)
        found = parse_ledger(stored.rrset if stored else None)
        if found is not None and (wait := self._yield_to(found.text(), anothers=self._fence.is_anothers(found))):
            return wait
        self._rival = None
        await self._apply(self._fence.claim(stored), [])
        if self._fence.held is not None:
            self._claimed()
        return 0.0

    def _claimed(self) -> None:
        self._may_take_over = False  # whoever takes the zone from us next is yielded to again
        self._read_zone_at = 0.0  # what was read before the claim may have been changed by the one before us

    def _yield_to(self, found: str, *, anothers: bool) -> float:
        """Return the seconds to leave the zone to whoever wrote the ledger `found`; 0 where we may claim above it."""
        if anothers and not self._may_take_over:
            self._rival = self._rival or (self._clock(), found)
            site = found.split("site=", 1)[1].split(" ", 1)[0]
            self._set_trouble(
                Refusal(
                    "HeldByAnotherSite",
                    f"the ledger of owner {self._settings.owner!r} in {self._settings.domain} was written by site "
                    f"{site!r}, this is {self._settings.site!r}: if that site is gone, annotate this DNSZone with "
                    "detour.dev/take-over=now",
                )
            )
            return STANDSTILL_LOOK
        if self._rival is None:
            return 0.0
        since, text = self._rival
        if text != found:
            self._rival = (self._clock(), found)
            return STANDSTILL_LOOK
        return 0.0 if self._clock() - since >= STANDSTILL else STANDSTILL_LOOK

    async def _resolve(self, doubt: _Doubt) -> None:
        """Read what a batch of unclear outcome was about, and go on from there."""
        assert self._view is not None  # noqa: S101 - nothing is written before the zone was read
        claiming = self._fence.held is None
        expected = {change.key: change.old for change in (doubt.batch.ledger, *doubt.batch.changes)}
        await self._reread(each.hostname for each in doubt.work)
        self._doubt = None
        stored = self._view.get(self._fence.key)
        match self._fence.settle(stored, lost=doubt.lost):
            case Settlement.APPLIED if claiming:
                self._claimed()
            case Settlement.APPLIED if self._provider.limits.atomic:
                self._applied(doubt.work)
            case Settlement.APPLIED if isinstance(doubt.error, BatchRefusedError):
                self._quarantine(first_undone(doubt.work, self._view), doubt.error)
            case Settlement.EARLIER_APPLIED:
                self._read_zone_at = 0.0
            case Settlement.UNCHANGED if isinstance(doubt.error, OutcomeUnknownError):
                self._losses += 1
                self._retry_at = self._clock() + min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**self._losses)
            case Settlement.UNCHANGED if all(self._view.get(key) == old for key, old in expected.items()):
                self._narrow(doubt)
            case Settlement.SUPERSEDED:
                self._stand_by(stored)
            case _:
                pass
        for each in doubt.work:
            self._names.reread(each.hostname)

    def _stand_by(self, stored: StoredSet | None) -> None:
        """Another writer holds the zone: leave it alone while its ledger moves."""
        self._rival = (self._clock(), stored.rrset.values[0] if stored else "")
        self._set_trouble(
            Refusal("Superseded", "another writer of this installation has taken the zone over: standing by")
        )

    def _narrow(self, doubt: _Doubt) -> None:
        """Nothing stood against the batch, and yet it was refused: look for the name that the provider dislikes."""
        if not doubt.work:
            raise doubt.error
        if len(doubt.work) > 1:
            self._names_per_batch = len(doubt.work) // 2
            return
        self._quarantine(doubt.work[0], doubt.error)

    def _quarantine(self, refused: NameChange | None, error: ProviderError) -> None:
        if refused is not None:
            until = self._clock() + QUARANTINE
            self._names.quarantine(refused.hostname, Refusal("RefusedByProvider", str(error)), until)
            self._observer.record_changed(refused.record)

    # -- writing -------------------------------------------------------------------------------------------------

    async def _write(self) -> bool:
        """Write the next batch; False where nothing is left to write."""
        assert self._view is not None  # noqa: S101 - the step before read it
        limits = self._provider.limits
        ledger_elements = limits.elements_per_replacement
        wanted = min(limits.batch_elements, ledger_elements + 4 * self._names.dirty_count)
        room = await self._budget.changes(wanted, self._names.urgency) if self._fence.held else wanted
        filler = BatchFiller(limits, ledger_elements=ledger_elements, budget=room, names=self._names_per_batch)
        settled = self._names.fill(filler, self._view, now=self._clock(), writable=self._fence.held is not None)
        for record in settled.records:
            self._observer.record_changed(record)
        for withdrawal in settled.withdrawals:
            self._observer.withdrawn(withdrawal)
        if not filler.taken:
            return bool(settled.records or settled.withdrawals) and self._names.is_dirty
        await self._send(filler.taken)
        return True

    async def _send(self, work: Sequence[NameChange]) -> None:
        await self._apply(self._fence.batch([change for each in work for change in each.changes]), work)

    async def _apply(self, batch: Batch, work: Sequence[NameChange]) -> None:
        """Send `batch` once. Whatever is unclear afterwards becomes a doubt, resolved by the next step."""
        assert self._view is not None  # noqa: S101 - nothing is written before the zone was read
        limits = self._provider.limits
        self._budget.count_changes(sum(map(limits.cost, (batch.ledger, *batch.changes))))
        # Until an answer says otherwise the outcome is unknown: also when this task is cancelled while it waits.
        self._doubt = _Doubt(batch, work, True, OutcomeUnknownError("the answer did not come"))
        self.tally.batches += 1
        try:
            stored = await self._provider.apply(batch)
        except (BatchRefusedError, OutcomeUnknownError) as error:
            lost = isinstance(error, OutcomeUnknownError)
            self.tally.lost += lost
            self.tally.refused += not lost
            self._doubt = _Doubt(batch, work, lost or self._fence.unsettled, error)
            return
        except ProviderError:
            self._doubt = None if limits.atomic else self._doubt
            raise
        self._doubt = None
        self._losses = 0
        self._view.wrote([change.key for change in batch.changes if change.new is None], stored)
        was_unsettled = self._fence.unsettled
        self._fence.accepted(stored)
        self._names_per_batch = None if self._names_per_batch is None else self._names_per_batch * 2
        self._applied(work)
        if was_unsettled or not work:
            self._tell_all()

    def _applied(self, work: Sequence[NameChange]) -> None:
        for each in work:
            self._names.applied(each, self._fence.generation)
            self.tally.repairs += each.urgency is Urgency.REPAIR
            if self._fence.generation is not None:
                self._observer.accepted(each, self._fence.generation)
            self._observer.record_changed(each.record)
        self._observer.zone_changed()

    def _tell_all(self) -> None:
        for record in self._names.records():
            self._observer.record_changed(record)
        self._observer.zone_changed()
