"""The enactor: the one writer of a zone.

It holds what each record wishes for (the newest wish replaces the older), and in a loop takes one step at a time:
settle what is in doubt, read what is owed, claim the zone, write the next batch, or wait. Every step may fail; the next
one starts from what was read, never from what was meant to happen. What is only suspect or due is read beside that.

    doubt? ──► read the ledger and the names in doubt
    never read, or audit due? ──► read the zone (an audit: beside the work)
    ledger to be renewed? ──► move it alone
    suspicion? ──► read those names (in force: beside the work)
    not in force? ──► claim the ledger where nobody has precedence, read the zone
    names to change? ──► fill a batch within budget, write it behind the ledger
    unsettled? ──► move the ledger alone

A zone is in force here once it was claimed and then read. Before that wishes claim names, but say nothing of their
sets: what to publish is decided on what the one before us left behind.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from detour.enactment.audit import Audit, nobody_audits
from detour.enactment.backoff import Backoff
from detour.enactment.batches import BatchFiller
from detour.enactment.budget import ZoneBudget
from detour.enactment.cancellation import is_of_a_library
from detour.enactment.capacity import Capacity
from detour.enactment.contract import (
    Batch,
    CredentialsRefusedError,
    Provider,
    ProviderError,
    StoredSet,
    UnavailableError,
    UnexpectedAnswerError,
    ZoneFacts,
    ZoneMissingError,
)
from detour.enactment.delivery import Delivery, Doubt, Tally
from detour.enactment.events import STANDING_CHANGED, Applied, EnactorEvent, Incident, RecordChanged, Removed
from detour.enactment.fence import Fence
from detour.enactment.guarded import GuardedProvider
from detour.enactment.holding import Holding
from detour.enactment.leadership import Leadership
from detour.enactment.ledger import Ledger, parse_ledger
from detour.enactment.names import LOOKS_AT_ONCE, Names
from detour.enactment.periods import DEFAULT_PERIODS, Periods
from detour.enactment.reconcile import DeleteCommand, RecordExists, ZoneRules, no_command, nobody_exists
from detour.enactment.registries import hostnames_at
from detour.enactment.settlement import Settlement
from detour.enactment.sites import Site
from detour.enactment.takeover import STANDBY, Takeover, Yielding
from detour.enactment.view import ZoneView
from detour.enactment.waiting import news_within
from detour.enactment.wishes import Explanation, NameChange, Urgency, Wish, WishReport, ZoneReport, is_throttling
from detour.enactment.zonereader import ZoneReader
from detour.model.defects import told
from detour.model.record import ObjectKey
from detour.model.withdrawal import Withdrawal

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

LONGEST_REST = 60.0
"""Seconds between two looks at what is due; news come sooner."""

CHANGES_TRIED = 3
"""Failures in a row after which a zone's account of changes is not asked any more before the zone was read again."""

BACKLOG = 20
"""Names that wait to be written: with more of them nothing else is urgent."""

QUARANTINE = 60.0
"""Seconds after which a set that the provider refused by itself is tried again."""


@dataclass(frozen=True, slots=True)
class EnactorSettings:
    """What does not change while a zone is being written. `dry_run` writes nothing at all."""

    owner: str
    domain: str
    site: Site
    dry_run: bool = False
    periods: Periods = DEFAULT_PERIODS
    delete_command: DeleteCommand = no_command
    record_exists: RecordExists = nobody_exists
    audit: Audit = nobody_audits


class Enactor:
    """Writes one zone. All methods belong to one event loop; times are engine seconds.

    What it sees and does it gives out as events (`emit`). `facts` are what the provider said of the zone when it was
    looked for; without them the enactor looks itself. Where the provider comes to have another zone of that name
    (another ID) `run` ends and the enactor `is_replaced`: what it knows is of the zone before.
    """

    def __init__(
        self,
        settings: EnactorSettings,
        *,
        provider: Provider,
        budget: ZoneBudget,
        fence: Fence,
        leadership: Leadership,
        clock: Callable[[], float],
        random: Callable[[], float],
        emit: Callable[[EnactorEvent], None],
        facts: ZoneFacts | None = None,
    ) -> None:
        self._settings = settings
        self._provider: Provider = GuardedProvider(provider)
        self._budget = budget
        self._fence = fence
        self._leadership = leadership
        self._clock = clock
        self._random = random
        self._emit = emit
        rules = ZoneRules(
            settings.domain,
            settings.owner,
            provider.limits.atomic,
            settings.delete_command,
            several_sites=settings.site.has_others,
            record_exists=settings.record_exists,
        )
        self._names = Names(rules, Capacity(provider.limits.sets_per_zone))
        self._names.zone_id = facts.zone_id if facts else None
        self._is_needed = False
        self._is_sending = False
        self._cost_of_a_name = float(provider.limits.elements_per_replacement)  # as in the last batch
        self._stopping = False
        self._news = asyncio.Event()
        self._reader = ZoneReader(
            fence.key.name, settings.periods, clock=clock, random=random, on_news=self._news.set, facts=facts
        )
        self.is_replaced = False
        self.tally = Tally()
        self._backoff = Backoff(self.tally, clock=clock, random=random, on_change=self._standing_changed)
        self._reading_backoff = Backoff(self.tally, clock=clock, random=random, on_change=self._standing_changed)
        self._changes_backoff = Backoff(self.tally, clock=clock, random=random, on_change=self._standing_changed)
        self._changes_failed = 0
        self._delivery = Delivery(fence, self.tally, clock=clock, audit=settings.audit)
        site = settings.site
        self.takeover = Takeover(
            owner=settings.owner, domain=settings.domain, site=site, leadership=leadership, clock=clock
        )
        self._holding = Holding(fence, self.takeover, site=site, leadership=leadership, clock=clock, emit=emit)

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

    def abandon(self, record: ObjectKey) -> None:
        """Let the name that `record` asked to be removed stay."""
        self._names.abandon(record)

    def takes(self, withdrawal: Withdrawal) -> bool:
        """Tell whether `withdrawal` takes anything away, or may, by what the zone holds. Only once it `is_read`."""
        is_unclear = self._is_sending or self._delivery.doubt is not None
        return is_unclear or self._names.takes(withdrawal, self._reader.view)

    @property
    def owned_count(self) -> int:
        """How many names of the zone are those of records that wish for them."""
        return self._names.owned_count

    def recall_withdrawals(self) -> list[Withdrawal]:
        """Give back the withdrawals that are not done: their names stay for now."""
        return self._names.recall_withdrawals()

    def suspect(self, hostname: str) -> None:
        """Read `hostname` through the API and repair what differs."""
        self._reader.suspect(hostname)
        self._news.set()

    def shown(self, hostname: str) -> None:
        """All name servers show `hostname` as it was written last."""
        self._names.shown(hostname)

    def ledger_shown(self, ledger: Ledger | None) -> None:
        """A name server shows this as our ledger; read it through the API where that is not just propagation."""
        if self._holding.is_contradicted_by(ledger):
            self._reader.suspect_ledger()
            self._news.set()

    @property
    def zone_id(self) -> str | None:
        """The provider's own name for the zone, None before it was found."""
        return self._reader.facts.zone_id if self._reader.facts else None

    @property
    def name_servers(self) -> tuple[str, ...]:
        """The servers of the zone as the provider names them, none before it was found."""
        return self._reader.facts.name_servers if self._reader.facts else ()

    @property
    def identity(self) -> tuple[str, str] | None:
        """What the provider tells the zone from all others by, None before it was found."""
        return self._reader.facts.identity if self._reader.facts else None

    async def use(self, provider: Provider, budget: ZoneBudget, facts: ZoneFacts | None = None) -> None:
        """Go on with another connection to the same zone (fresh credentials), at once."""
        before, self._provider = self._provider, GuardedProvider(provider)
        self._names.capacity.limit = provider.limits.sets_per_zone
        self._names.look_again()
        self._budget.account.tell_no_more(self._standing_changed)
        self._budget = budget
        self._budget.account.tell(self._standing_changed)
        self._reader.reconnect(facts)
        self._backoff.reset()
        self._reading_backoff.reset()
        self._changes_backoff.reset()
        self._news.set()
        await before.close()

    def allow_take_over(self, allowed: bool) -> None:
        """Claim the zone also where another site is in force, as long as a person says so."""
        self._holding.allow_take_over(allowed)
        self._news.set()

    def need(self, needed: bool) -> None:
        """Hold the zone also without a wish: there are names to be removed from it."""
        self._is_needed = needed
        self._news.set()

    def reconsider(self) -> None:
        """The leadership has changed, or another site's ledger was looked at: see again whether to write."""
        self._holding.reconsider()
        self._news.set()

    # -- what is the case ----------------------------------------------------------------------------------------

    @property
    def is_read(self) -> bool:
        """Tell whether the zone's contents are known."""
        return self._reader.is_read

    @property
    def in_force(self) -> bool:
        """Tell whether what is decided for the zone counts here; in a dry run, whether it would."""
        if self._settings.dry_run:
            return self._reader.is_read and self._leadership.leads
        return self._holding.in_force

    @property
    def is_busy(self) -> bool:
        """Tell whether many names wait for the next batches, and for nothing else: neither for a quota."""
        waits = self._budget.is_waiting or self._is_throttled
        return self._names.dirty_count > BACKLOG and self.in_force and self.trouble is None and not waits

    @property
    def standby(self) -> Explanation | None:
        """Why the zone is left to somebody else, None where it is not."""
        return self._holding.standby

    def report(self, record: ObjectKey) -> WishReport | None:
        """Return how `record` stands in this zone, or None where it wishes nothing here."""
        report = self._names.report(
            record,
            self._view,
            doubtful=not self._holding.holds or self._reader.is_doubtful,
            unsettled=self._fence.unsettled,
            sending=self._is_sending or self._delivery.doubt is not None,
        )
        hostname = self._names.hostname_of(record)
        proved_at = self._reader.proved_at(hostname) if hostname is not None else None
        return replace(report, proved_at=proved_at) if report and proved_at is not None else report

    def admits(self, record: ObjectKey) -> bool:
        """Tell whether it is known how `record` stands in this zone, and its name is not denied to it."""
        return self._reader.is_read and self._names.admits(record)

    def prove(self, hostname: str) -> None:
        """Read `hostname` anew, so that `WishReport.proved_at` says since when it stands as it does."""
        self._reader.prove(hostname)
        self._news.set()

    @property
    def _view(self) -> ZoneView | None:
        return self._reader.view if self._reader.is_read else None

    @property
    def trouble(self) -> Explanation | None:
        """The last error that still holds, or why the zone is left to somebody else where it should not be.

        That the provider asks for patience comes last: it hides nothing worse.
        """
        standby = self.standby
        found = [self._backoff.trouble, self._reading_backoff.trouble]
        found.append(standby if standby is not None and standby.reason != STANDBY else None)
        troubles = sorted((each for each in found if each is not None), key=is_throttling)
        return next(iter(troubles), None)

    @property
    def _is_throttled(self) -> bool:
        """Tell whether the provider asks for patience: the account is paused, or nothing has gone well since."""
        return self._budget.account.is_paused or any(is_throttling(each.trouble) for each in self._backoffs)

    @property
    def _backoffs(self) -> tuple[Backoff, Backoff, Backoff]:
        return (self._backoff, self._reading_backoff, self._changes_backoff)

    def zone_report(self) -> ZoneReport:
        """Return how the zone stands."""
        view, facts = self._view, self._reader.facts
        ledger = parse_ledger(stored.rrset) if view and (stored := view.get(self._fence.key)) else None
        holds = self._holding.holds
        idle = not self._must_hold()
        standby, trouble = self.standby, self.trouble
        is_well = trouble is None or is_throttling(trouble)
        return ZoneReport(
            ready=view is not None and is_well and (holds or idle or standby is not None),
            zone_id=facts.zone_id if facts else None,
            name_servers=facts.name_servers if facts else (),
            negative_ttl=facts.negative_ttl if facts else None,
            generation=self._fence.generation or (ledger.generation if ledger else None),
            site=ledger.site if ledger else None,
            owned=self._names.owned_count,
            orphans=self._names.orphans if view else (),
            pending=self._names.pending_count,
            sets=view.size if view else 0,
            sets_limit=self._provider.limits.sets_per_zone,
            sent_within=self._budget.account.seconds_for(self._names.pending_count * self._cost_of_a_name),
            trouble=trouble,
            is_throttled=self._is_throttled,
            in_force=self._holding.in_force,
            standby=standby,
            missing=self._names.unmarked if view and standby else (),
            noticed_within=self._reader.noticed_within if self._holding.in_force else math.inf,
            ledger_seen_at=None if holds else self.takeover.seen_at,
            ledger_moved_at=None if holds else self.takeover.moved_at,
        )

    @property
    def hears_of_changes(self) -> bool:
        """Tell whether the zone's own account of changes tells of whatever others do there."""
        return self._reader.changes.is_followed

    # -- the loop ------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Finish the step under way and end `run`."""
        self._stopping = True
        self._news.set()

    async def run(self) -> None:
        """Write until `stop`, or until the zone `is_replaced`. Never ends by an error."""
        self._budget.account.tell(self._standing_changed)
        try:
            await self._work()
        finally:
            self._budget.account.tell_no_more(self._standing_changed)
            self._reader.cancel()
            await self._provider.close()

    async def _work(self) -> None:
        while not self._stopping:
            self._news.clear()
            await asyncio.sleep(0)  # a step may wait for nothing, and a zone may take many
            delay = self._backoff.delay
            if delay == 0.0:
                try:
                    done = await self._step()
                except ProviderError as error:
                    delay = self._fail(error)
                except asyncio.CancelledError:
                    if not is_of_a_library():
                        raise
                    delay = self._fail(UnavailableError("a call to the provider ended as if it had been cancelled"))
                except Exception as error:
                    logger.error("zone %s: an error of Detour's own: %s", self._settings.domain, told(error))
                    kind = type(error).__name__
                    delay = self._fail(UnexpectedAnswerError(f"Detour met an error of its own ({kind}), see its log"))
                else:
                    delay = done or 0.0
                    if done is not None:
                        self._backoff.over()
            if delay > 0.0:
                await news_within(self._news, delay)

    def _fail(self, error: ProviderError) -> float:
        """Note `error` and return the seconds to wait before the next step."""
        self._look_into(error)
        return self._backoff.met(error, self._budget)

    def _look_into(self, error: ProviderError) -> None:
        """See whether there are fresh credentials, or another zone, where the error may come from the lack of them."""
        if isinstance(error, CredentialsRefusedError):
            self._emit(Incident(Explanation(error.reason, str(error))))
        if isinstance(error, ZoneMissingError):
            self._reader.look_for_zone()

    async def _step(self) -> float | None:
        """Do the one thing that is most due, and return the seconds until the next may be.

        None where that says nothing of what failed before: what is read beside the work goes well though writes fail.
        """
        if self._holding.in_force:
            self._look_beside()
        elif self._reader.must_describe:
            self._was_described(is_same=await self._reader.describe(self._provider))
            return None
        self._names.end_quarantines(self._clock())
        if self._holding.has_lapsed:
            self._fence.release()
            self._leave_force()
        if self._delivery.doubt is not None:
            await self._resolve(self._delivery.doubt)
        elif self._reader.has_news:
            await self._take_readings()
            return None
        elif self._reader.is_due:
            return await self._read_zone()
        elif self._clock() >= self._holding.renewal_due:
            await self._send([], Urgency.LEDGER)
        elif self._reader.has_suspects:
            return await self._read_suspects()
        elif self._must_hold() and not self._holding.holds:
            return await self._take_over()
        elif self._names.is_dirty and await self._write():
            return 0.0
        elif self._fence.unsettled:
            await self._send([], Urgency.REPAIR)
        else:
            return self._idle_time()
        return 0.0

    def _look_beside(self) -> None:
        """Begin what is looked at beside the work."""
        if self._reader.must_describe:
            self._reader.begin_describing(self._provider)
        if self._clock() >= self._reader.changes.due_at:
            self._reader.changes.ask(self._provider)

    def _was_described(self, *, is_same: bool) -> None:
        self.is_replaced = not is_same
        self._stopping = self._stopping or self.is_replaced
        self._names.zone_id = self.zone_id
        self._standing_changed()

    def _must_hold(self) -> bool:
        is_needed = self._names.has_wishes or self._is_needed
        return not self._settings.dry_run and is_needed and self._leadership.leads

    def _idle_time(self) -> float:
        asks_at = self._reader.changes.due_at if self._holding.in_force else None  # nobody else asks what has changed
        times = (self._reader.due_at, self._names.next_retry, self._holding.renewal_due, asks_at)
        due = min(at for at in times if at is not None)
        return max(0.01, min(due - self._clock(), LONGEST_REST))

    # -- reading -------------------------------------------------------------------------------------------------

    async def _read_zone(self) -> float | None:
        """Read the zone: where that is owed, before anything else; when its time has come, beside the work."""
        if self._holding.in_force and not self._reader.is_doubtful:
            self._reader.begin(self._provider)
            return None
        self._budget.urgency = Urgency.FAILOVER
        await self._reader.read(self._provider)
        await self._was_read()
        self._read_again()
        return 0.0

    def _read_again(self) -> None:
        """See when to read the zone again: as soon as quotas let us, where no account of changes tells of damage.

        Who leaves the zone to somebody else has nothing to repair there, and leaves the API alone.
        """
        pause = self._budget.pause_after_reading()
        if pause is not None and self._holding.in_force and not self._reader.changes.is_followed:
            self._reader.read_again_in(max(self._settings.periods.audit, pause))

    async def _was_read(self) -> None:
        """Look at the ledger and at every name as they were just read."""
        self._reading_backoff.over()
        if self._holding.holds:
            self._watch_ledger()
        async for _ in _in_turns(self._names.all_reread(self._reader.view)):
            pass
        async for record in _in_turns(self._names.records()):
            self._emit(RecordChanged(record))
        if self._holding.holds:
            self._holding.in_force = True
        self._names.set_aside(self._clock())
        self._standing_changed()  # in one go with that: nothing is decided before it is known

    async def _take_readings(self) -> None:
        """Take what was read beside the work. What failed is read again after a pause, which holds up nothing else."""
        if self._reader.changes.is_there:
            self._take_changes()
            return
        try:
            if self._reader.is_described:
                self._was_described(is_same=self._reader.take_description())
                self._reader.suspect_ledger()  # a reading tells whether all is well again
                return
            if self._reader.is_read_whole:
                await self._whole_was_read(self._reader.take_whole())
                self._read_again()
                return
            hostnames = self._reader.take_names()
        except ProviderError as error:
            self._look_into(error)
            self._reader.retry_at(self._clock() + self._reading_backoff.met(error, self._budget))
            return
        await self._names_were_read(hostnames)

    async def _whole_was_read(self, names: Collection[str]) -> None:
        """Look at what a reading beside the work shows otherwise than was believed, at `names`.

        Names below one of them may be delegated or redirected by it.
        """
        if any(map(self._names.is_above_any, names)):
            await self._was_read()
            return
        async for _ in _in_turns(self._names.whole_reread(self._reader.view)):
            pass
        await self._names_were_read(sorted(set(hostnames_at(names))))

    def _take_changes(self) -> None:
        """Read what others have changed. To hear of it fails beside everything else."""
        try:
            self._reader.take_changes(concerns=self._names.concerns, is_above_any=self._names.is_above_any)
        except ProviderError as error:
            self._reader.changes.retry_at(self._clock() + self._changes_backoff.met(error, self._budget))
            self._changes_failed += 1
            if self._changes_failed >= CHANGES_TRIED:  # it is as if there were no account, until the next reading
                self._reader.give_changes_up()
                self._changes_are_asked_anew()
        else:
            self._changes_are_asked_anew()

    def _changes_are_asked_anew(self) -> None:
        self._changes_backoff.over()  # a provider that asked for patience asks it of nobody any more
        self._changes_failed = 0

    async def _read_suspects(self) -> float | None:
        """Read the names in question: beside the work where there is any."""
        if self._holding.in_force and not self._reader.is_doubtful:
            self._reader.begin_suspects(self._provider)
            return None
        self._budget.urgency = Urgency.REPAIR
        await self._names_were_read(await self._reader.read_suspects(self._provider))
        return 0.0

    async def _names_were_read(self, hostnames: Sequence[str]) -> None:
        self._reading_backoff.over()
        if self._holding.holds:
            self._watch_ledger()
        async for hostname in _in_turns(hostnames):
            self._names.reread(hostname, self._reader.view)
        self._names.set_aside(self._clock())
        if self.standby is not None:
            self._standing_changed()

    def _watch_ledger(self) -> None:
        stored = self._reader.view.get(self._fence.key)
        settlement = self._fence.watch(stored)
        if settlement in (Settlement.SUPERSEDED, Settlement.LOST, Settlement.EARLIER_APPLIED):
            self._names.undone()  # what stands there now is not what the server made of our last writes
        match settlement:
            case Settlement.SUPERSEDED:
                self._stand_by(stored)
            case Settlement.LOST:
                self._standing_changed()  # the claim that follows says what was lost
            case Settlement.EARLIER_APPLIED:
                self._reader.owe()
            case _:
                pass

    # -- the fence -----------------------------------------------------------------------------------------------

    async def _take_over(self) -> float:
        """Claim the zone, or leave it to whoever has precedence; return the seconds until the next step."""
        if (delay := self._holding.claim_delay) > 0.0:
            return delay
        yielding = self.takeover.keeps_waiting()
        if yielding is None:
            self._budget.urgency = Urgency.LEDGER
            await self._reader.read_names(self._provider, ())
            stored = self._reader.view.get(self._fence.key)
            claim = self._holding.claim(stored, is_fresh=not self._names.any_marked(self._reader.view))
            if isinstance(claim, Batch):
                await self._apply(claim, [])
                if self._holding.holds:
                    self._claimed()
                return 0.0
            yielding = claim
        return await self._yield_to(yielding)

    async def _yield_to(self, yielding: Yielding) -> float:
        """Look at the names of a zone that somebody else keeps, and leave them as they are."""
        self._holding.yield_to(yielding)
        if self._holding.in_force:
            self._leave_force()  # our ledger was lost, and before we could claim it anew somebody else did
        if self._names.is_dirty:
            while await self._write() and not self._stopping:  # noqa: ASYNC110 - others have their turn
                await asyncio.sleep(0)
            self._standing_changed()  # what its keeper and we declare may differ otherwise than before
        return min(yielding.wait, self._idle_time())

    def _claimed(self) -> None:
        self._holding.claimed()
        self._reader.owe()  # what was read before the claim may have been changed by the one before us

    def _stand_by(self, stored: StoredSet | None) -> None:
        """Another writer holds the zone: leave it alone while its ledger moves."""
        self.tally.superseded += 1
        self._holding.superseded_by(stored)
        self._leave_force()

    def _leave_force(self) -> None:
        """What was decided for this zone is void: whoever comes into force next decides on what the zone holds then."""
        self._holding.in_force = False
        self._reader.cancel()
        self._names.undecide()
        self._tell_all()

    async def _resolve(self, doubt: Doubt) -> None:
        """Read what a batch of unclear outcome was about, and go on from there."""
        self._budget.urgency = Urgency.FAILOVER
        await self._reader.read_names(self._provider, (each.hostname for each in doubt.work))
        was_unsettled = self._fence.unsettled
        finding = self._delivery.settle(doubt, self._reader.view, atomic=self._provider.limits.atomic)
        self._backoff.wait_until(self._delivery.pause_until)
        self._quarantine(finding.refused, doubt.error)
        match finding.settlement:
            case Settlement.APPLIED if doubt.claims or not self._holding.in_force:
                self._claimed()  # or the Lease was lost and came back meanwhile: what was decided before is void
            case Settlement.APPLIED if self._provider.limits.atomic:
                self._applied(doubt.work)
            case Settlement.EARLIER_APPLIED:
                self._reader.owe()
            case Settlement.SUPERSEDED:
                self._stand_by(self._reader.view.get(self._fence.key))
            case _:
                pass
        if finding.settlement in (Settlement.APPLIED, Settlement.EARLIER_APPLIED):
            self._holding.moved()
        if finding.settlement is Settlement.UNCHANGED and not doubt.lost:
            self._names.refused(doubt.work)
        for each in doubt.work:
            if doubt.lost and not self._provider.limits.atomic:
                self._names.unanswered(each)
            self._names.reread(each.hostname)
        if was_unsettled and not self._fence.unsettled:
            self._tell_on_their_way()

    def _quarantine(self, refused: NameChange | None, error: ProviderError) -> None:
        if refused is not None:
            refusal, view = Explanation("RefusedByProvider", str(error)), self._reader.view
            has_changed = any(view.get(change.key) != change.old for change in refused.changes)  # a late one of ours
            self._names.quarantine(
                refused.hostname,
                refusal,
                now=self._clock(),
                pause=QUARANTINE,
                seen=view.at(refused.hostname),
                has_changed=has_changed,
            )
            self._emit(RecordChanged(refused.record))

    # -- writing -------------------------------------------------------------------------------------------------

    async def _write(self) -> bool:
        """Write the next batch, or look at some names; False where nothing is left that can be done now."""
        limits = self._provider.limits
        ledger_elements = limits.elements_per_replacement
        wanted = min(limits.batch_elements, ledger_elements + 4 * self._names.in_line_count)
        room = await self._room(wanted) if self._holding.holds else wanted
        if room is None:
            return True  # something else comes first
        names, urgency = self._delivery.names_per_batch, self._names.urgency
        filler = BatchFiller(limits, ledger_elements=ledger_elements, budget=room, names=names)
        awaited = self._reader.awaited
        settled = self._names.fill(
            filler, self._reader.view, now=self._clock(), writable=self._holding.holds, awaited=awaited
        )
        for record in settled.records:
            self._emit(RecordChanged(record))
        for withdrawal in settled.withdrawals:
            self._emit(Removed(withdrawal))
        first = (each.hostname for each in filler.taken if each.is_first and not self._names.is_proved(each))
        unseen = self._reader.unfresh(first)
        self._reader.read_first(unseen)  # what came up there meanwhile is not ours to take
        work = [each for each in filler.taken if each.hostname not in unseen]
        if not work:
            return bool(unseen or settled.looks) and self._names.is_dirty
        await self._send(work, urgency)
        return True

    async def _room(self, wanted: int) -> float | None:
        """Wait for a worthwhile share of `wanted` changes; None where something else comes first.

        That is a more urgent change, what was read, the ledger's renewal, the end of our leadership, or `stop`.
        """
        urgency = self._names.urgency

        def is_overtaken() -> bool:
            is_late = self._clock() >= self._holding.renewal_due
            is_behind = is_late or self._reader.has_news or self._names.urgency < urgency
            return is_behind or self._stopping or not self._leadership.leads

        return await self._budget.room(
            wanted, urgency, news=self._news, due=self._holding.renewal_due, unless=is_overtaken
        )

    async def _send(self, work: Sequence[NameChange], urgency: Urgency) -> None:
        self._budget.urgency = urgency
        await self._apply(self._fence.batch([change for each in work for change in each.changes]), work)

    async def _apply(self, batch: Batch, work: Sequence[NameChange]) -> None:
        """Send `batch` once. Whatever is unclear afterwards becomes a doubt, resolved by the next step."""
        limits = self._provider.limits
        cost = sum(map(limits.cost, (batch.ledger, *batch.changes)))
        self._budget.account.count_changes(cost)
        self._cost_of_a_name = cost / len(work) if work else self._cost_of_a_name
        was_unsettled = self._fence.unsettled
        for each in work:
            self._names.sent(each, self._reader.view)
        self._is_sending = True
        try:
            stored = await self._delivery.send(self._provider, batch, work)
        finally:
            self._is_sending = False
        if stored is None:
            return
        self._holding.moved()
        self._reader.wrote(batch, stored)
        self._applied(work)
        if was_unsettled:
            self._tell_on_their_way()

    def _applied(self, work: Sequence[NameChange]) -> None:
        for each in work:
            self._names.applied(each, self._fence.generation, self._reader.view)
            self.tally.repairs += each.is_repair
            if self._names.wants_reading(each.hostname):
                self._reader.suspect(each.hostname)
            if self._holding.holds:
                self._emit(Applied(each))
            self._emit(RecordChanged(each.record))
        self._names.set_aside(self._clock())
        self._standing_changed()

    def _standing_changed(self) -> None:
        self._emit(STANDING_CHANGED)

    def _tell_on_their_way(self) -> None:
        """What became of all that was sent is known now."""
        for record in self._names.on_their_way():
            self._emit(RecordChanged(record))
        self._standing_changed()

    def _tell_all(self) -> None:
        for record in self._names.records():
            self._emit(RecordChanged(record))
        self._standing_changed()


async def _in_turns(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Give each of many items; others have their turn on the event loop after some."""
    for number, item in enumerate(items, 1):
        yield item
        if number % LOOKS_AT_ONCE == 0:
            await asyncio.sleep(0)
