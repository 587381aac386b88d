"""One DNSZone at work: its provider is opened with the credentials of the day, its enactor writes, its verifier looks.

Records hand their wishes in here, also before the zone could be opened for the first time.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from detour.checks.resolver import Delegation
from detour.enactment.audit import Audit, Entry, document, nobody_audits
from detour.enactment.budget import ZoneBudget
from detour.enactment.cancellation import is_of_a_library
from detour.enactment.contract import CredentialsRefusedError, ProviderError, ProviderLimits, Secret
from detour.enactment.delivery import Tally
from detour.enactment.enactor import Enactor, EnactorSettings
from detour.enactment.events import Applied, EnactorEvent, Incident, RecordChanged, Removed, StandingChanged
from detour.enactment.fence import Fence
from detour.enactment.guarded import GuardedProvider
from detour.enactment.leaving import ParentView
from detour.enactment.sites import Site
from detour.enactment.takeover import HELD_BY_ANOTHER_SITE, STANDBY
from detour.enactment.wishes import Explanation, Wish, WishReport, ZoneReport, is_throttling
from detour.engine.environment import Environment
from detour.engine.inbox import Accepted, DeletionsWait, Inbox, Visible, Withdrawn, ZoneChanged
from detour.engine.ports import ClusterError
from detour.engine.serverwatch import NameDiffers, NameShown, ServersChanged, ServerWatch, Sight, SightEvent
from detour.engine.troubles import secret_trouble, site_trouble, unforeseen_trouble
from detour.model.defects import told
from detour.model.generation import Generation
from detour.model.record import ObjectKey
from detour.model.rrset import values_of
from detour.model.withdrawal import Withdrawal
from detour.model.zone import Zone
from detour.planning.safety.departures import Departures
from detour.planning.safety.gate import ZoneGate

logger = logging.getLogger(__name__)

DUPLICATE_ZONE = "DuplicateZone"
"""The reason of a DNSZone that stands for the same zone as one that came first."""

Identity = tuple[str, str, str]
"""The kind of provider, and what it says of a zone: two DNSZones with the same one stand for the same zone."""

SECRET_PERIOD = 30.0
"""Seconds between two readings of the credentials."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds to wait where a zone could not be opened: doubling from the first to the longest."""


class ZoneKeeper:
    """Keeps one zone.

    `admit` is told which zone at which provider this is (None: it cannot be written by this DNSZone), and says why
    another DNSZone writes it instead, if one does.
    """

    def __init__(
        self,
        zone: Zone,
        environment: Environment,
        inbox: Inbox,
        *,
        known: Generation,
        departures: Departures,
        record_exists: Callable[[ObjectKey], bool],
        admit: Callable[[ObjectKey, Identity | None], Explanation | None],
    ) -> None:
        self.zone = zone
        self._admit = admit
        self.gate = ZoneGate(zone.safety, clock=environment.clock.now, departures=departures)
        self.incidents: list[Explanation] = []
        self._was_in_force = False
        self._environment = environment
        of = environment.leadership_of
        self._leadership = of(zone.key) if of is not None else environment.leadership
        self._providers = environment.providers
        self._inbox = inbox
        self._record_exists = record_exists
        self._known = known
        self._site: Site | None = None
        self._secret: Secret | None = None
        self._enactor: Enactor | None = None
        self._trouble: Explanation | None = None
        self._told_trouble: Explanation | None = None
        self._enactor_task: asyncio.Task[None] | None = None
        self._connected: tuple[object, ...] | None = None
        self._identity: Identity | None = None
        self._wishes: dict[ObjectKey, Wish] = {}
        self._claimants: dict[str, set[ObjectKey]] = {}
        self._reopen = asyncio.Event()
        self._stopping = False
        self._limits: ProviderLimits | None = None
        self._server_watch = ServerWatch(zone, environment, emit=self._note_sight)

    # -- from the engine -------------------------------------------------------------------------------------------

    def update(self, zone: Zone) -> None:
        """The DNSZone was changed: open it anew where that matters."""
        before, self.zone = self.zone, zone
        self._server_watch.zone = zone
        self.gate.safety = zone.safety
        if zone.safety.frozen is not before.safety.frozen:
            self._freeze_or_thaw()
        if self._enactor is not None:
            self._enactor.allow_take_over(self.zone.take_over_now)
        if _connection(zone) != _connection(before):
            self._reopen.set()
        if zone.verification_servers != before.verification_servers:
            self._server_watch.look_up_again()

    def _freeze_or_thaw(self) -> None:
        """The zone was frozen: what was let through and is not written yet waits; or it is frozen no more."""
        for wish in tuple(self._wishes.values()):
            self.want(wish)
        if self.zone.safety.frozen and self._enactor is not None:
            for withdrawal in self._enactor.recall_withdrawals():
                self.gate.deletions.ask(withdrawal)
            self._need()

    def want(self, wish: Wish) -> None:
        """Hand in what a record wants."""
        if wish.is_frozen != (is_frozen := self.gate.freezes(wish.record)):
            wish = replace(wish, is_frozen=is_frozen)
        self.gate.deletions.keep(wish.record)
        self._wishes[wish.record] = wish
        self._claimants.setdefault(wish.hostname, set()).add(wish.record)
        if self._enactor is not None:
            self._enactor.want(wish)

    def forget(self, record: ObjectKey) -> None:
        """The record wants nothing here any more; what it published stays."""
        self._drop(record)
        self.gate.forget(record)
        if self._enactor is not None:
            self._enactor.forget(record)

    def withdraw(self, withdrawal: Withdrawal) -> None:
        """Remove the name of a deleted record, once the safety gate lets it through (`delete_due`)."""
        self.forget(withdrawal.record)
        self.gate.deletions.ask(withdrawal)
        self._need()

    def _need(self) -> None:
        if self._enactor is not None:
            self._enactor.need(self.gate.deletions.are_waiting)

    def delete_due(self) -> None:
        """Remove the names that the safety gate lets go by now. Only who writes the zone knows how many it has."""
        if self._enactor is not None and self._enactor.in_force:
            owned, takes = self._enactor.owned_count, self._enactor.takes
            for withdrawal in self.gate.deletions.take_due(owned=owned, safety=self.gate.safety, takes=takes):
                self._enactor.withdraw(withdrawal)
            self._need()

    def takes(self, withdrawal: Withdrawal) -> bool:
        """Tell whether `withdrawal` is known to take something away: the name's marker names its object."""
        return self._enactor is not None and self._enactor.is_read and self._enactor.takes(withdrawal)

    def abandon(self, record: ObjectKey) -> None:
        """Let a name that was to go stay: another site keeps the zone, or the record declares it again."""
        self.gate.deletions.keep(record)
        if self._enactor is not None:
            self._enactor.abandon(record)
        self._need()

    def approve(self) -> bool:
        """Let through what the gate holds, if that is what a person approved; True where it was."""
        withdrawals = self.gate.approve(self.zone.approved) if self.zone.approved and self._enactor else None
        for withdrawal in withdrawals or ():
            if self._enactor is not None:
                self._enactor.withdraw(withdrawal)
        return withdrawals is not None

    def _drop(self, record: ObjectKey) -> None:
        wish = self._wishes.pop(record, None)
        if wish is None:
            return
        self._claimants[wish.hostname].discard(record)
        if not self._claimants[wish.hostname]:
            del self._claimants[wish.hostname]
            self._server_watch.forget(wish.hostname)

    def report(self, record: ObjectKey) -> WishReport | None:
        """Return how a record stands here; None before the zone was read."""
        if self._enactor is None or not self._enactor.is_read:
            return None
        return self._enactor.report(record)

    def admits(self, record: ObjectKey) -> bool:
        """Tell whether it is known how a record stands here, and its name is not denied to it."""
        return self._enactor is not None and self._enactor.admits(record)

    def sight(self, record: ObjectKey) -> Sight | None:
        """Return what the authoritative servers showed of a record's name last."""
        wish = self._wishes.get(record)
        return self._server_watch.sight(wish.hostname) if wish else None

    @property
    def in_force(self) -> bool:
        """Tell whether what is decided for the zone counts here (`Enactor.in_force`)."""
        return self._enactor is not None and self._enactor.in_force

    @property
    def is_busy(self) -> bool:
        """Tell whether many names wait for the zone's writer."""
        return self._enactor is not None and self._enactor.is_busy

    @property
    def delegation(self) -> Delegation | None:
        """Where the world is sent for the zone's domain, None where that is not known."""
        return self._server_watch.delegation

    @property
    def zone_id(self) -> str | None:
        """The provider's own name for the zone, None before it was found."""
        return self._enactor.zone_id if self._enactor else None

    @property
    def parent(self) -> ParentView:
        """Whether the world may still be sent to the zone's servers."""
        return self._server_watch.parent

    def look_at_parent(self) -> None:
        """Look anew where the world is sent."""
        self._server_watch.look_up_again()

    def prove(self, hostname: str) -> None:
        """Read `hostname` anew, so that `WishReport.proved_at` says since when it stands as it does."""
        if self._enactor is not None:
            self._enactor.prove(hostname)

    @property
    def stands_by(self) -> bool:
        """Tell whether another site keeps the zone, as it should be or by mistake."""
        standby = self._enactor.standby if self._enactor else None
        return standby is not None and standby.reason in (STANDBY, HELD_BY_ANOTHER_SITE)

    @property
    def knows_servers(self) -> bool:
        """Tell whether it is known which servers to ask."""
        return self._server_watch.knows_servers

    @property
    def server_watch(self) -> ServerWatch:
        """What the world sees of the zone."""
        return self._server_watch

    async def servers_answer(self) -> bool:
        """Tell whether any of the zone's authoritative servers can be reached from here."""
        return await self._server_watch.servers_answer()

    def leadership_changed(self) -> None:
        """This process leads now, or does no longer."""
        if self._enactor is not None:
            self._enactor.reconsider()

    def zone_report(self) -> ZoneReport:
        """Return how the zone stands."""
        report = self._enactor.zone_report() if self._enactor is not None else ZoneReport(ready=False)
        if is_throttling(self._trouble):
            report = replace(report, trouble=self.trouble, is_throttled=True)
        elif self._trouble is not None:
            report = replace(report, ready=False, trouble=self.trouble)
        return replace(
            report,
            held=self.gate.held_count,
            noticed_within=min(report.noticed_within, self._server_watch.noticed_within)
            if report.in_force
            else math.inf,
            oldest_look=self._server_watch.oldest_look,
        )

    @property
    def trouble(self) -> Explanation | None:
        """What keeps the zone from being read or written, None where nothing does."""
        own = self._enactor.trouble if self._enactor is not None else None
        if is_throttling(self._trouble):  # the look for fresh credentials is: what is in use may be well
            return own or self._trouble
        return self._trouble or own

    @property
    def standby(self) -> Explanation | None:
        """Why the zone is left to somebody else, None where it is not."""
        return self._enactor.standby if self._enactor is not None else None

    @property
    def values_per_set(self) -> int | None:
        """The most values that a set can have here, or None before the zone was opened."""
        return self._limits.values_per_set if self._limits else None

    @property
    def tally(self) -> Tally | None:
        return self._enactor.tally if self._enactor else None

    # -- the work --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Open the zone, keep it, and finish the batch in flight when told to `stop`."""
        looking = asyncio.create_task(self._server_watch.run())
        pause = FIRST_PAUSE
        try:
            while not self._stopping:
                self._reopen.clear()
                opened = await self._open()
                pause = FIRST_PAUSE if opened else min(LONGEST_PAUSE, pause * 2)
                await self._rest(SECRET_PERIOD if opened else pause)
            if self._enactor is not None and self._enactor_task is not None:
                self._enactor.stop()
                await asyncio.wait({self._enactor_task})  # it stays, for the reports to come
        finally:
            for task in (looking, *([self._enactor_task] if self._enactor_task else [])):
                task.cancel()

    def stop(self) -> None:
        """Finish what is under way and end `run`."""
        self._stopping = True
        if self._enactor is not None:
            self._enactor.stop()
        self._reopen.set()

    async def _stop_enactor(self) -> None:
        if self._enactor is not None and self._enactor_task is not None:
            self._enactor.stop()
            await asyncio.wait({self._enactor_task})
            recalled = self._enactor.recall_withdrawals()
            for withdrawal in recalled:
                self.gate.deletions.ask_again(withdrawal)
            if recalled:
                self._inbox.put(DeletionsWait())
        self._enactor = self._server_watch.enactor = self._enactor_task = None
        self.gate.end_term()

    def deletions_made(self) -> tuple[int, float]:
        """Return how many names were deleted within the safety window, and when the last was."""
        return self.gate.deletions.made(self._environment.clock.now() - self.zone.safety.window)

    def give_up(self) -> list[Withdrawal]:
        """Care for nothing any more; return the names that are still to be removed, for whoever goes on."""
        self.gate.close()
        left = self.gate.deletions.recall()
        left += self._enactor.recall_withdrawals() if self._enactor is not None else []
        for record in list(self._wishes):
            self.forget(record)
        return left

    def look_at_twins(self) -> None:
        """Another DNSZone stands for the same zone, or does no longer: see which of them writes it."""
        self._reopen.set()

    async def _rest(self, seconds: float) -> None:
        """Wait until there is a reason to look at the connection again: it is time, or the enactor has ended."""
        waiting = asyncio.create_task(self._reopen.wait())
        writing = [self._enactor_task] if self._enactor_task is not None else []
        try:
            await asyncio.wait({waiting, *writing}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if not self._stopping and self._enactor_task is not None and self._enactor_task.done():
            await self._stop_enactor()  # the zone was made anew, or the enactor broke: another one goes on
            self._connected = None

    async def _open(self) -> bool:
        """Read the credentials, and open the provider with them where they are new; False where that failed."""
        try:
            trouble = await self._try_to_open(self.zone)
        except ClusterError as error:
            twin = self._admit(self.zone.key, self._identity) if self._identity is not None else None
            if self._enactor is not None and error.status != 404 and twin is None:
                return True  # the credentials in hand go on serving while they cannot be read anew
            if self._enactor is not None:
                await self._stop_enactor()  # a Secret that was deleted ends what it permitted
                self._connected = None
            trouble = twin or secret_trouble(self.zone, error)
        except ProviderError as error:
            trouble = Explanation(error.reason, str(error))
        except asyncio.CancelledError:
            if not is_of_a_library():
                raise
            return False
        except Exception as error:
            trouble = unforeseen_trouble(error)
            if trouble != self._trouble:
                logger.error("DNSZone %s could not be opened: %s", self.zone.key, told(error))
        if trouble is not None and not self._stopping and self._enactor is None and trouble.reason != DUPLICATE_ZONE:
            self._identity = None  # what it stands for is found out once it can be opened
            self._admit(self.zone.key, None)  # who cannot write stands in nobody's way
        self._set_trouble(trouble)
        return trouble is None

    async def _try_to_open(self, zone: Zone) -> Explanation | None:
        """Return why the zone is not open, None where it is. Raises ClusterError and ProviderError."""
        try:
            self._site = self._site or await self._environment.named_site()
        except ClusterError as error:
            return site_trouble(error)
        secret = await self._read_secret(zone)
        same = secret == self._secret and self._connected == _connection(zone)
        if self._enactor is not None and self._trouble is None and same and self._identity is not None:
            if (twin := self._admit(zone.key, self._identity)) is None:
                return None
            await self._stop_enactor()
            self._connected = None
            return twin
        return await self._connect(zone, secret, self._site)

    async def _read_secret(self, zone: Zone) -> Secret:
        if zone.secret_name is None:
            return {}
        secret = await self._environment.read_secret(zone.key.namespace, zone.secret_name)
        if not secret:
            raise CredentialsRefusedError(f"Secret {zone.key.namespace}/{zone.secret_name} is empty")
        return secret

    async def _connect(self, zone: Zone, secret: Secret, site: Site) -> Explanation | None:
        """Open the zone with these credentials and let an enactor write it; return why not, where it is not to.

        A connection in use stays until the new one has found the zone: credentials that are refused replace nothing.
        """
        self._limits = await self._providers.limits_of(zone)
        self._server_watch.is_billed = self._limits.bills_questions
        account = self._environment.budget_of(self._providers.account_of(zone, secret or None), self._limits)
        budget = ZoneBudget(account, self._limits)
        provider = GuardedProvider(await self._providers.open_zone(zone, secret=secret or None, pace=budget.request))
        is_taken = False
        try:
            facts = await provider.describe()
            if self._stopping:
                return None  # the DNSZone is gone, and its name may be another one's by now
            self._identity = (self._providers.name_of(zone.settings), *facts.identity)
            is_same = self._connected == _connection(zone) and self._enactor is not None
            is_same = is_same and self._enactor is not None and self._enactor.identity == facts.identity
            if not is_same and self._enactor is not None:
                await self._stop_enactor()  # what it knows may be of another zone
            if (twin := self._admit(zone.key, self._identity)) is not None:
                await self._stop_enactor()
                self._connected = None
                return twin
            self._connected, self._secret = _connection(zone), secret
            is_taken = True
        finally:
            if not is_taken:
                await provider.close()
        if self._enactor is not None:
            await self._enactor.use(provider, budget, facts)
            return None
        settings = EnactorSettings(
            owner=self._environment.owner,
            domain=zone.domain,
            site=site,
            dry_run=self._environment.dry_run,
            periods=self._environment.periods,
            delete_command=partial(self._providers.delete_command, zone),
            record_exists=self._record_exists,
            audit=self._audit(zone, site.name),
        )
        fence = Fence(
            owner=settings.owner,
            domain=zone.domain,
            site=site.name,
            renew=math.ceil(site.renew_every),
            known=self._known,
        )
        self._enactor = self._server_watch.enactor = Enactor(
            settings,
            provider=provider,
            budget=budget,
            fence=fence,
            leadership=self._leadership,
            clock=self._environment.clock.now,
            random=self._environment.randomness.random,
            emit=self._note,
            facts=facts,
        )
        for wish in self._wishes.values():
            self._enactor.want(wish)
        self._enactor.allow_take_over(self.zone.take_over_now)
        self._need()
        self._enactor_task = asyncio.create_task(self._enactor.run())
        self._server_watch.look_up_again()  # what the servers are called is known now
        return None

    def _audit(self, zone: Zone, site: str) -> Audit:
        """Return what keeps the zone's audit trail, if anybody does."""
        keep = self._environment.audit
        if keep is None:
            return nobody_audits
        wall = self._environment.clock.wall

        def tell(entry: Entry) -> None:
            try:
                keep(document(entry, zone=str(zone.key), domain=zone.domain, site=site, at=wall()))
            except Exception as error:  # a defect there keeps no name from moving
                logger.error("the audit trail could not be told of a write to %s: %s", zone.key, told(error))

        return tell

    def _tell(self) -> None:
        self._inbox.put(ZoneChanged(self.zone.key))

    def _set_trouble(self, trouble: Explanation | None) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._tell()
            self._tell_of_all()

    # -- from the enactor ------------------------------------------------------------------------------------------

    def _note(self, event: EnactorEvent) -> None:
        """Take note of what the enactor has to say, and pass on to the engine what is for it."""
        match event:
            case RecordChanged(record):
                self._record_changed(record)
                self._inbox.put(event)
            case StandingChanged():
                self._standing_changed()
            case Applied(change):
                self._server_watch.wrote(change.hostname)
                self._inbox.put(Accepted(self.zone.key, change))
            case Removed(withdrawal):
                self._inbox.put(Withdrawn(self.zone.key, withdrawal))
            case Incident(what) if what.reason == CredentialsRefusedError.reason:
                self._reopen.set()  # there may be fresh ones
            case Incident(what):
                self.incidents.append(what)
                self._tell()

    def _record_changed(self, record: ObjectKey) -> None:
        """Watch what is in sync, and on a standby what another site publishes."""
        report, wish = self.report(record), self._wishes.get(record)
        if report:
            self.gate.shows(record, values_of(report.published))
        if report and (report.in_sync or report.refusal):
            self.gate.arrived(record, stands=report.in_sync)
        if report and wish and (report.in_sync or self.stands_by):
            self._server_watch.expect(wish.hostname, report)
        elif report and wish and not self._is_owned(wish.hostname):
            self._server_watch.refused(wish.hostname)

    def _standing_changed(self) -> None:
        """Tell the engine of the zone, and of its records where a trouble came or went."""
        if self.in_force and not self._was_in_force:
            self.gate.begin_term()
            self._tell_of_all()
        elif not self.in_force and self._was_in_force:
            self.gate.end_term()
        self._was_in_force = self.in_force
        self._tell()
        trouble = self._enactor.trouble if self._enactor else None
        if trouble != self._told_trouble:
            self._told_trouble = trouble
            self._tell_of_all()

    def _tell_of_all(self) -> None:
        for record in tuple(self._wishes):
            self._inbox.put(RecordChanged(record))

    # -- from the watch of servers -------------------------------------------------------------------------------------

    def _note_sight(self, event: SightEvent) -> None:
        """Pass on to the engine what the name servers showed."""
        match event:
            case NameShown(hostname):
                for record in tuple(self._claimants.get(hostname, ())):  # who hears of it may leave the zone by that
                    self._inbox.put(Visible(self.zone.key, record))
                    self._inbox.put(RecordChanged(record))
            case NameDiffers(hostname):
                for record in tuple(self._claimants.get(hostname, ())):
                    self._inbox.put(RecordChanged(record))
            case ServersChanged():
                self._tell()

    def _is_owned(self, hostname: str) -> bool:
        """Tell whether any of the records that claim `hostname` owns it here."""
        return any(
            (report := self.report(record)) is not None and report.owns for record in self._claimants.get(hostname, ())
        )


def _connection(zone: Zone) -> tuple[object, ...]:
    """Return what of a zone's declaration needs a new connection when it changes."""
    return (zone.domain, zone.settings, zone.secret_name, zone.budget)
