"""The engine: declarations and check results come in, wishes for the zones go out.

Everything here runs on one event loop, and nothing waits for the API server or a provider: news mark records as due,
and one sweep plans all that are, so that what an outage moves reaches a zone's enactor together.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from detour.enactment.events import RecordChanged
from detour.enactment.wishes import Explanation, NameChange
from detour.engine.canaries import Canaries, region_of
from detour.engine.clock import Clock
from detour.engine.environment import Environment
from detour.engine.existing import ExistingRecords
from detour.engine.external import ExternalVerdicts
from detour.engine.gates import HOLD_PERIOD, Gates
from detour.engine.inbox import (
    Accepted,
    DeletionsWait,
    DeparturesChanged,
    Event,
    Forgets,
    Inbox,
    RegionsAgreed,
    Visible,
    Withdrawn,
    WrittenOtherwise,
    ZoneChanged,
)
from detour.engine.known import KnownRecord, KnownRecords
from detour.engine.leaving import ZoneLeavers
from detour.engine.metrics import Metrics, ZoneState
from detour.engine.moment import Moment
from detour.engine.overrides import Overrides
from detour.engine.overrides import told_of as told_of_override
from detour.engine.pictures import OverridePicture, RecordPicture, RegionPicture, VantagePicture, ZoneObjectPicture
from detour.engine.ports import STATUS_RESTORED, Command, Origin, Reports
from detour.engine.progress import Progress
from detour.engine.recordkeeper import RecordKeeper
from detour.engine.regionevidence import Placed
from detour.engine.regionkeeper import RegionKeeper
from detour.engine.removals import Removals
from detour.engine.round import Round
from detour.engine.signals import Signals, nothing_read
from detour.engine.sweepqueue import SweepQueue
from detour.engine.tallies import RecordTallies
from detour.engine.targets import Targets
from detour.engine.troubles import unread_records, unread_zone
from detour.engine.zoneguard import LOOK_PERIOD, ZoneGuard
from detour.engine.zones import Zones
from detour.health.regionnames import nearest_region
from detour.health.regions import RegionPhase
from detour.model.defects import told
from detour.model.endpoint import Endpoint
from detour.model.external import ExternalVerdict
from detour.model.health import EndpointHealth, Verdict
from detour.model.objects import Kind, Subject
from detour.model.overrides import Override
from detour.model.record import DeletionPolicy, ObjectKey, Record
from detour.model.region import Region
from detour.model.shared import NONE
from detour.model.signals import Reading, Source
from detour.model.vantage import SignOfLife, Vantage, VantageReport
from detour.model.withdrawal import Withdrawal
from detour.model.zone import Zone

logger = logging.getLogger(__name__)

EVENTS_FOR_ONE = 10
"""News of the zones that are taken in in one step, for each record that is decided for in one."""

DRAIN_PERIOD = 30.0
"""Seconds between two looks at a drain that is to end."""


class Engine:
    """Connects declarations, checks, planner and zones. Implements `Declared`.

    `references` runs the reference checks that clear a suspected vantage; without it they are the questions whether the
    zones' authoritative servers answer. `read_signal` reads a source of signals, and never raises.
    """

    def __init__(
        self,
        *,
        environment: Environment,
        targets: Targets,
        reporting: Reports,
        clock: Clock,
        metrics: Metrics,
        references: Callable[[], Awaitable[bool]] | None = None,
        read_signal: Callable[[Source], Awaitable[Reading]] = nothing_read,
    ) -> None:
        self._queue = SweepQueue(self._sweep, clock.now, pause=environment.pause)
        self._at_once = environment.at_once
        self._round = Round(environment.at_once)
        self._is_held_off = False
        self._touched: dict[str, None] = {}  # regions to be judged at the end of the round
        self._inbox = Inbox(self._queue.wake)
        self._existing = ExistingRecords(clock.now)
        self.zones = Zones(
            environment, self._inbox, record_exists=self._existing.may_be, memory_of=reporting.zone_memory
        )
        self._targets = targets
        self._reporting = reporting
        self._leadership = environment.leadership
        self._clock = clock
        self._progress = Progress(targets, reporting, clock=clock, metrics=metrics, dry_run=environment.dry_run)
        self._dry_run = environment.dry_run
        self._records = KnownRecords()
        self._gates = Gates(
            self.zones,
            targets,
            reporting,
            clock=clock,
            dry_run=environment.dry_run,
            references=references,
            decide=self.decide,
        )
        self._removals = Removals(
            self.zones,
            targets,
            reporting,
            dry_run=environment.dry_run,
            permits=self._zone_refusal,
            on_withdrawal=self._gates.look_again_soon,
        )
        self._leavers = ZoneLeavers(
            self.zones,
            reporting,
            clock=clock,
            permits=self._zone_refusal,
            look_again=self._review_leaving_at,
            on_withdrawal=self._gates.look_again_soon,
        )
        self._guard = ZoneGuard(self._hold_zone, clock=clock.now)
        self._canaries = Canaries(targets)
        self.external = ExternalVerdicts(clock, on_change=targets.hear_elsewhere)
        self.signals = Signals(
            read_signal,
            clock=clock,
            randomness=environment.randomness,
            on_news=self._signals_say,
            every=environment.read_signals_every,
            takes_reports=environment.takes_reports,
            leads=lambda: self._leadership.leads,
        )
        self._regions = RegionKeeper(
            clock,
            on_news=reporting.mark,
            on_effect=self._regions_come_or_go,
            findings=lambda name: self._canaries.findings(name, clock.now()),
            signals=self.signals.findings,
            reports=self.signals.reports.weeks,
            ring=self._ring_for_region,
            on_closer_look=self._look_closer,
            in_use=lambda: self._records.regions,
            is_use_known=lambda: self._existing.are_all_known,
            in_service=environment.regions_in_service,
        )
        self._invalid: dict[Subject, tuple[int, Explanation]] = {}
        self.overrides = Overrides(
            clock,
            on_change=self._override_changed,
            on_news=reporting.mark,
            missing=self._missing_for,
            is_verified=environment.requesters_verified,
        )
        self._overrides_looked_at = math.inf  # when they are next (engine seconds)
        self._zones_as_declared: dict[ObjectKey, tuple[Subject, Zone, Origin]] = {}
        self._regions_meant: dict[str, str | None] = {}  # by a region's name, the one that was probably meant
        self._namespaces: Mapping[str, dict[str, str]] = {}
        self.zones_listed = False
        self.declared_elsewhere: Callable[[ObjectKey], Zone | None] = lambda _: None  # DNSZones of other processes
        self.unread: Mapping[Kind, Mapping[str, str]] = {}

    # -- declarations (Declared) -----------------------------------------------------------------------------------

    def record_declared(self, subject: Subject, record: Record, origin: Origin) -> None:
        """Take over a FailoverRecord."""
        self._reporting.follow(subject, origin)
        self._invalid.pop(subject, None)
        asked = record.failback_now and self._reporting.is_due(subject, Command.FAILBACK, origin)
        record = record if record.failback_now is asked else replace(record, failback_now=asked)
        known = self._records.get(record.key)
        is_leaving = origin.is_being_deleted
        if known is not None and known.awaiting is not None and not is_leaving:
            self._removals.take_back(known)  # the API server's data went back to a time before its deletion
            known = None
        if known is None:
            memory = self._reporting.record_memory(origin)
            known = KnownRecord(subject, origin, RecordKeeper(record, memory, self._clock))
            self._reporting.adopt(subject, origin)
            published = memory.history[0].values if memory.history else ()
            self._targets.watch(record, memory.endpoints, published=published)
            known.origin = self._reporting.kept(origin)
            zones_before: Iterable[ObjectKey] = ()
        else:
            known.subject, known.origin = subject, self._reporting.kept(origin)
            zones_before = known.keeper.record.zones
            known.keeper.update(record)
            self._targets.watch(record)
        known.keeper.overrule(self.overrides.on_record(record.key))
        if self._records.keep(record.key, known):
            self._regions_meant.clear()
        self.overrides.look_again_at_those_on(Kind.FAILOVER_RECORD, record.key)
        if known.awaiting is None:  # also where it was edited and deleted since it was seen last
            self._leavers.leave(known, known.keeper.zones_left_behind(zones_before))
        if is_leaving:
            self._begin_removal(known)
            return
        self._removals.keep_finalizer(known)
        self.decide((record.key,))

    def zone_declared(self, subject: Subject, zone: Zone, origin: Origin) -> None:
        """Take over a DNSZone."""
        self._reporting.follow(subject, origin)
        self._invalid.pop(subject, None)
        self._reporting.adopt(subject, origin)
        self._zones_as_declared[zone.key] = (subject, zone, origin)
        self.overrides.look_again_at_those_on(Kind.DNS_ZONE, zone.key)
        self._guard.declared(subject, origin)
        self._look_at_guard()
        self._take_zone(subject, zone, origin)

    def _take_zone(self, subject: Subject, zone: Zone, origin: Origin) -> None:
        wanted = zone.take_over_now and self._reporting.is_due(subject, Command.TAKE_OVER, origin)
        self.zones.declare(subject, replace(zone, take_over_now=wanted), origin)
        self._zone_changed(zone.key)
        self._gates.look_again_soon()
        self._reporting.mark(subject)
        self.decide(self._records.in_zones(self.zones.names_of(self.zones.written_as(zone.key))))

    def region_declared(self, subject: Subject, region: Region, origin: Origin) -> None:
        """Take over a CloudRegion."""
        self._reporting.follow(subject, origin)
        self._invalid.pop(subject, None)
        self._reporting.adopt(subject, origin)
        self._canaries.watch(region)
        memory = self._reporting.region_memory(origin)
        self.signals.reports.remember(region.name, memory.reported)
        self.signals.watch(region)
        self._regions.declare(subject, region, memory)
        self._canaries.look_closer(region.name, self._regions.looked_closer)
        self._regions_meant.clear()
        self._watch_drain(region.name)
        self.overrides.look_again_at_those_on(Kind.CLOUD_REGION, subject.key)
        self.decide(self._records.in_region(region.name))

    def override_declared(self, subject: Subject, override: Override, origin: Origin) -> None:
        """Take over an Override or a ClusterOverride."""
        self._reporting.follow(subject, origin)
        self._invalid.pop(subject, None)
        self._reporting.adopt(subject, origin)
        self.overrides.declare(subject, override, self._reporting.override_ended_at(origin))
        if (left := self.overrides.left_of(subject)) is not None:
            self._look_at_overrides_in(left)

    def vantage_declared(self, subject: Subject, vantage: Vantage, origin: Origin) -> None:
        """Take over a Vantage."""
        self._reporting.follow(subject, origin)
        self._invalid.pop(subject, None)
        self._reporting.adopt(subject, origin)
        self._targets.vantages.declare(subject, vantage)
        self._reporting.mark(subject)

    def external_verdict_declared(self, subject: Subject, verdict: ExternalVerdict, *, is_listed: bool) -> None:
        """Take over an ExternalVerdict; one that `is_listed` may be of long ago."""
        self._invalid.pop(subject, None)
        self.external.declare(subject.key, verdict, is_listed=is_listed)

    def vantage_reported(self, subject: Subject, report: VantageReport, *, is_listed: bool) -> None:
        """Take in what a vantage says; one that `is_listed` may have said so long ago."""
        self._targets.vantages.reported(subject.key.name, report, is_listed=is_listed)

    def vantage_unreadable(self, subject: Subject, why: str) -> None:
        """Say that what a vantage wrote makes no sense."""
        self._targets.vantages.unreadable(subject.key.name, why)

    def vantages_heard(self, heartbeats: Mapping[str, SignOfLife]) -> None:
        """Take in the heartbeats of all vantages, by their names."""
        self._targets.vantages.heard(heartbeats)

    def look_at_vantages(self) -> None:
        """Look whether each vantage is to be believed: nothing new was heard."""
        self._targets.vantages.look()

    async def vantages_unheard(self) -> None:
        """The API server does not answer, so no vantage is heard: find out whether this process's own sees."""
        if not self._targets.vantages.is_alone:
            self._targets.vantages.unheard(sees=await self._gates.references_pass())

    @property
    def has_other_vantages(self) -> bool:
        """Tell whether any vantage is declared but this process's own."""
        return self._targets.vantages.are_others

    def invalid(self, subject: Subject, reason: str, message: str, origin: Origin) -> None:
        """Say on the object why it cannot be used; what it declared before stays in force."""
        has_status = subject.kind is not Kind.EXTERNAL_VERDICT
        if has_status:
            self._reporting.adopt(subject, origin)
        else:
            self.external.refuse(subject.key, message)
        if subject.kind is Kind.DNS_ZONE:
            self._guard.declared(subject, origin)
            self._look_at_guard()
        found = (origin.generation, Explanation(reason, message))
        if self._invalid.get(subject) != found:  # said once, however often it is found again
            logger.warning("%s %s cannot be used: %s", subject.kind.title, subject.key, message)
        self._invalid[subject] = found
        if has_status:
            self._reporting.mark(subject)

    def status_seen(self, subject: Subject, origin: Origin, listed_at: float | None) -> None:
        """Keep what the leader wrote, for the day when this process leads."""
        if subject.kind is not Kind.EXTERNAL_VERDICT:
            self._reporting.follow(subject, origin, listed_at)

    def exists(self, subject: Subject) -> None:
        """Keep that an object is there, whether or not it can be used."""
        if subject.kind is Kind.FAILOVER_RECORD:
            self._existing.come(subject.key)

    def all_listed(self, kind: Kind) -> None:
        """Every object of a kind was shown."""
        if kind is Kind.FAILOVER_RECORD:
            self._existing.all_known()
            self._regions.judge_all()  # whether a drain is followed depends on what is used

    def leadership_changed(self) -> None:
        """Go on from what the leader before left behind, or fall silent."""
        self.zones.leadership_changed()
        if self._leadership.leads:
            self._guard.settle_all()
            followed = self._reporting.begin_term()
            for subject, origin in followed.items():
                if subject.kind is Kind.DNS_ZONE:
                    self.zones.recall(subject, origin)
            self.zones.all_recalled()
            self.signals.reports.lead(
                {
                    subject.key.name: self._reporting.region_memory(origin).reported
                    for subject, origin in followed.items()
                    if subject.kind is Kind.CLOUD_REGION
                }
            )
            for known in self._records.values():
                before, seen = known.origin, followed.get(known.subject)
                last = seen or self._reporting.with_status(known.subject, before)
                known.keeper.recall(self._reporting.record_memory(last))
                # Another leader was at work: its status was seen to grow.
                known.keeper.has_followed = seen is not None and self._reporting.tells_otherwise(seen, before)
                known.origin = self._reporting.kept(last)
                self._removals.keep_finalizer(known)
                self._removals.end(known)
                if known.awaiting is None:
                    self._leavers.recall(known)
                    self._leavers.leave(known, known.keeper.zones_left_behind())
                self._records.keep(known.keeper.record.key, known)
        self.decide(self._records)

    def zones_led(self, zones: Iterable[ObjectKey]) -> None:
        """This process writes these DNSZones now, or does no longer, of several that divide them."""
        self.zones.led(zones)

    def gone(self, subject: Subject, *, observed: bool) -> None:
        """Let go of an object. DNS changes only for a record whose deletion was observed and whose policy says so."""
        self.vanished(subject)
        self._forget(subject, observed=observed)

    def vanished(self, subject: Subject) -> None:
        """Keep that an object is gone, whether or not it was ever declared here."""
        if subject.kind is Kind.FAILOVER_RECORD:
            self._existing.go(subject.key)

    def let_go(self, subject: Subject) -> None:
        """Care for an object no more, which is another process's to decide for."""
        if subject.kind is Kind.FAILOVER_RECORD:
            self._hand_over(subject.key)
        self._forget(subject, observed=False)

    def _hand_over(self, key: ObjectKey) -> None:
        if (known := self._records.get(key)) is not None:
            for zone in {*known.keeper.record.zones, *known.keeper.zones_left_behind()}:
                if (keeper := self.zones.serving.get(zone)) is not None:
                    keeper.gate.hand_over(key)

    def tell_anew(self, subject: Subject) -> None:
        """There may be news to tell of an object."""
        self._reporting.mark(subject)

    def was_elsewhere(self, subject: Subject) -> None:
        """Another process decided for a record until now, by another clock."""
        known = self._records.get(subject.key)
        if known is not None:
            known.keeper.hold_down_anew()

    def zones_left_behind(self, record: ObjectKey) -> Iterable[ObjectKey]:
        """Return the zones that a record is still in, or may be, though it declares them no more."""
        known = self._records.get(record)
        return known.keeper.zones_left_behind() if known is not None else ()

    def seen_last(self, subject: Subject) -> tuple[Record, Origin] | None:
        """Return what a record declares, and the object with the status that it bears as far as is known."""
        known = self._records.get(subject.key)
        if known is None or known.subject.uid != subject.uid:
            return None
        return known.keeper.declared, self._reporting.with_status(known.subject, known.origin)

    def _forget(self, subject: Subject, *, observed: bool) -> None:
        self._invalid.pop(subject, None)
        self._reporting.forget(subject)
        match subject.kind:
            case Kind.FAILOVER_RECORD:
                self._record_gone(subject, observed=observed)
                self.overrides.look_again_at_those_on(Kind.FAILOVER_RECORD, subject.key)
            case Kind.DNS_ZONE:
                heir = self.zones.remove(subject.key)
                self._guard.gone(subject.key)
                self._zones_as_declared.pop(subject.key, None)
                self.overrides.look_again_at_those_on(Kind.DNS_ZONE, subject.key)
                self._removals.zone_gone(subject.key, heir=heir)
                self.decide(self._records.in_zones([subject.key, *([heir] if heir else [])]))
            case Kind.EXTERNAL_VERDICT:
                self.external.remove(subject.key)
            case Kind.VANTAGE:
                self._targets.vantages.remove(subject.key.name)
            case Kind.OVERRIDE | Kind.CLUSTER_OVERRIDE:
                self.overrides.remove(subject)
            case Kind.CLOUD_REGION:
                self._canaries.forget(subject.key.name)
                self.signals.forget(subject.key.name)
                self._regions.remove(subject.key.name)
                self._forget_what_was_meant_by(subject.key.name)
                self.overrides.look_again_at_those_on(Kind.CLOUD_REGION, subject.key)
                self.decide(self._records.in_region(subject.key.name))

    def _hold_zone(self, subject: Subject, origin: Origin, wanted: bool) -> None:
        if not self._dry_run:
            self._reporting.hold(subject, origin, wanted)

    def _look_at_guard(self) -> None:
        if self._guard.look():
            self._queue.ring_at("zones that are being deleted", self._clock.now() + LOOK_PERIOD, self._look_at_guard)

    def namespaces_listed(self, labels: Mapping[str, dict[str, str]]) -> None:
        """Take over the labels of all namespaces, for zones that select by them."""
        if labels != self._namespaces:
            self._namespaces = labels
            self.decide(self._records)

    # -- deciding --------------------------------------------------------------------------------------------------

    def decide(self, keys: Iterable[ObjectKey]) -> None:
        """Plan these records anew, with everything else that is due by then."""
        self._queue.add(keys)

    def _sweep(self) -> None:
        """Take in what has come, and go on with what is due by that; what is left waits for the next turn."""
        try:
            for event in self._inbox.take(EVENTS_FOR_ONE * self._at_once):
                try:
                    self._note(event)
                except Exception as error:  # a defect of ours that one zone's news bring to light stops no other's
                    logger.error("news of a zone (%s) could not be taken in: %s", type(event).__name__, told(error))
            if self._inbox.is_empty and not self._is_held_off:  # who decides knows all that has come
                self._go_on()
        finally:
            may_decide = not self._is_held_off and (self._round.is_under_way or not self._queue.is_empty)
            if may_decide or not self._inbox.is_empty:
                self._queue.wake()

    def _go_on(self) -> None:
        """Take a step of the round that is under way, or of a new one."""
        self._gates.doubt_own()
        if not self._round.is_under_way:
            self._round.begin(self._queue.take())
        for key in self._round.plan_again(self._queue.take_news()):
            self._queue.strike(key)
        moment = Moment(
            self._clock.now(),
            self._regions.drained(),
            wall=self._clock.wall(),
            is_behind=self._targets.is_behind,
            late_until=self._targets.late_until,
            failing=self._regions.failing(),
        )
        self._round.step(partial(self._decide, moment=moment), partial(self._pass_on, moment=moment))
        if not self._round.is_under_way:
            touched, self._touched = self._touched, {}
            for name in touched:
                self._regions.judge(name)

    def hold_off(self, is_held_off: bool) -> None:
        """Decide nothing while what is declared is still coming in for the first time."""
        was_held_off, self._is_held_off = self._is_held_off, is_held_off
        if was_held_off and not is_held_off:
            self._queue.wake()

    def _note(self, event: Event) -> None:
        match event:
            case RecordChanged(record):
                self._record_changed(record)
            case ZoneChanged(zone):
                self._zone_changed(zone)
            case Accepted(zone, change):
                self._accepted(zone, change)
            case Visible(zone, record):
                self._visible(zone, record)
            case Withdrawn(zone, withdrawal):
                self._withdrawn(zone, withdrawal)
            case DeparturesChanged() | DeletionsWait():
                self._gates.look_again_soon()
            case RegionsAgreed():
                self._gates.look_again()
            case WrittenOtherwise(before):
                self._written_otherwise(before)

    def _decide(self, key: ObjectKey, *, moment: Moment) -> bool:
        """Decide for one record, and let the safety gates know; False where there is nothing to pass on."""
        if (region := region_of(key)) is not None:
            self._touched[region] = None
            return False
        known = self._records.get(key)
        if known is None or known.awaiting is not None:
            return False
        return _succeeds(partial(self._plan, moment=moment), known) and _succeeds(self._survey, known)

    def _pass_on(self, key: ObjectKey, *, moment: Moment) -> None:
        """Hand on what was decided for one record, or what is by now, where something has come up meanwhile."""
        known = self._records.get(key)
        is_old = self._queue.strike(key) or (known is not None and self._is_out_of_date(known))
        if is_old and not self._decide(key, moment=moment):
            return
        if known is not None and known.awaiting is None:
            _succeeds(self._hand_on, known)

    def _is_out_of_date(self, known: KnownRecord) -> bool:
        """Tell whether a zone came into force, or left it, since the record was planned."""
        try:
            return known.keeper.zones_have_changed(self.zones.serving)
        except Exception:
            return True  # whoever plans it anew tells what is wrong

    def _plan(self, known: KnownRecord, moment: Moment) -> None:
        """Plan one record, and note the regions whose endpoints have a new verdict."""
        keeper, record = known.keeper, known.keeper.record
        is_paused = keeper.is_paused(moment)
        keeper.healths = self._targets.health(record, keeper.healths, moment, is_paused=is_paused)
        keeper.zone_refusals = {zone: each for zone in record.zones if (each := self._zone_refusal(record, zone))}
        loop = self._targets.loop_in(record)
        keeper.refusal = _loop_refusal(record, loop) if loop else None
        if keeper.refusal is None:
            remembered = self._targets.remembered(record, keeper.healths)
            is_outdated = self._leadership.leads and keeper.memory_is_outdated(self.zones.serving)  # told once
            if is_outdated and (remembered or not keeper.has_followed):
                self._targets.doubt(record)
                moment.forget()
                keeper.healths = self._targets.health(record, {}, moment, is_paused=is_paused)
                told = "this status tells of other values than the zones hold: its verdicts are found out anew"
                self._reporting.incident(known.subject, STATUS_RESTORED, told)
            elif self._leadership.leads and keeper.memory_is_lost(self.zones.serving):
                told = "this status was lost: it is written again from what the zones hold"
                self._reporting.incident(known.subject, STATUS_RESTORED, told)
            keeper.replaced = self._targets.replaced_that_works(record.key)
            keeper.decide(moment, zones=self.zones.serving, remembered=remembered)
            self._targets.look(record, keeper.looks)
        self._targets.look_closer(record, self._regions.looked_closer)
        self._targets.note_undecided(record.key, keeper.healths)
        placed = [_placed(each, keeper.healths[each.name]) for each in record.endpoints]
        self._touched |= dict.fromkeys(sorted(self._regions.note(record.key, placed)))

    def _survey(self, known: KnownRecord) -> None:
        if known.keeper.refusal is None:
            self._gates.survey(known.keeper)

    def _hand_on(self, known: KnownRecord) -> None:
        """Hand on what one record wants."""
        keeper, record = known.keeper, known.keeper.record
        if keeper.refusal is None:
            passed = self._gates.hand_over(keeper)
            transition = keeper.publish(passed, counts=not (record.suspend or self._dry_run))
            if transition is not None:
                self._progress.decided(known, transition)
            if keeper.decide_again_at is not None:
                self._queue.ring_at(record.key, keeper.decide_again_at, partial(self.decide, (record.key,)))
            else:
                self._queue.silence(record.key)
        is_decided = keeper.decision is not None and keeper.undecided is None and not keeper.looks.awaited
        if record.failback_now and is_decided and self._leadership.leads and not self._dry_run:
            outcome = keeper.decision.reason if keeper.decision else ""
            self._reporting.acted_upon(known.subject, Command.FAILBACK, known.origin, outcome=outcome)
            keeper.update(replace(keeper.declared, failback_now=False))
        self._note_served(keeper)
        self._guard.use(record, refused=keeper.zone_refusals, awaiting=None)
        self._reporting.mark(known.subject)

    def _note_served(self, keeper: RecordKeeper) -> None:
        regions, stuck = keeper.regions_served(self.zones.serving)
        self.signals.reports.published(keeper.record.key, keeper.record.hostname, regions)
        self._touched |= dict.fromkeys(sorted(self._regions.note_served(keeper.record.key, regions, stuck)))

    def _ring_for_region(self, name: str, look_at: float | None) -> None:
        """Look at a region again when its time has come."""
        if look_at is None:
            self._queue.silence(("region", name))
        else:
            self._queue.ring_at(("region", name), look_at, partial(self._regions.judge, name))

    def _signals_say(self, regions: Iterable[str]) -> None:
        """Sources outside say something else of these regions."""
        for name in regions:
            self._regions.judge(name)

    def _look_closer(self, region: str) -> None:
        """The checks of a region are to be made more often from now on, or not any more."""
        self._canaries.look_closer(region, self._regions.looked_closer)
        self.decide(self._records.in_region(region))

    def _regions_come_or_go(self, regions: Iterable[str]) -> None:
        """The endpoints of these regions are out, or in again."""
        for name in regions:
            self.decide(self._records.in_region(name))

    def _zone_refusal(self, record: Record, key: ObjectKey) -> Explanation | None:
        declared = self.zones.declared(key)
        if declared is None and (other := self.declared_elsewhere(key)) is not None:
            return self._refusal_elsewhere(record, other)
        if declared is None:
            if not self.zones_listed:
                return None
            if why := self.unread.get(Kind.DNS_ZONE, {}).get(key.namespace):
                return unread_zone(key, why)
            return Explanation(
                "ZoneMissing",
                f"DNSZone {key} does not exist: create it, or correct spec.zones; what was published there stays as it "
                "is, and follows no failure meanwhile",
            )
        written = self.zones.declared(self.zones.written_as(key)) or declared
        if written is not declared and not self._permits(written, record):
            return self.zones.twin_of(key)  # the credentials of the older one are not this record's to use
        return None if self._permits(declared, record) else _not_allowed(key, record)

    def _refusal_elsewhere(self, record: Record, zone: Zone) -> Explanation:
        if not self._permits(zone, record):
            return _not_allowed(zone.key, record)
        return Explanation(
            "ZoneElsewhere",
            f"another replica writes DNSZone {zone.key}: it comes into one hand with the record's other zones within "
            "seconds",
        )

    def _permits(self, zone: Zone, record: Record) -> bool:
        namespace = record.key.namespace
        labels = self._namespaces.get(namespace, {})
        return zone.allowed.permit(zone_namespace=zone.key.namespace, namespace=namespace, labels=labels)

    def _watch_drain(self, region: str) -> None:
        """Look again when a drain is over, and now and then before, as the wall clock may have been set right."""
        left = self._regions.drain_ends_in(region)
        if left is None:
            self._queue.silence(region)
        else:
            look = partial(self._look_at_drain, region)
            self._queue.ring_at(region, self._clock.now() + min(left + 0.1, DRAIN_PERIOD), look)

    def _look_at_drain(self, region: str) -> None:
        self._watch_drain(region)
        if self._regions.drain_ends_in(region) is None:
            self.decide(self._records.in_region(region))
            self._regions.judge_all()

    def _watch_overrides(self) -> None:
        """Look again when the next override is over, and now and then before, as the wall clock may be set."""
        self._overrides_looked_at = math.inf
        if (left := self.overrides.end_those_that_are_over()) is not None:
            self._look_at_overrides_in(left)

    def _look_at_overrides_in(self, seconds: float) -> None:
        """Look at overrides again by then at the latest."""
        at = self._clock.now() + min(seconds + 0.1, DRAIN_PERIOD)
        if at < self._overrides_looked_at:
            self._overrides_looked_at = at
            self._queue.ring_at("overrides", at, self._watch_overrides)

    def _override_changed(self, override: Override) -> None:
        """An override has come into force, or does not count any more."""
        if override.record is not None:
            if (known := self._records.get(override.record)) is not None:
                known.keeper.overrule(self.overrides.on_record(override.record))
                self.decide((override.record,))
        elif override.zone is not None:
            found = self.overrides.on_zone(override.zone)
            self.zones.freeze(override.zone, told_of_override(found[0]) if found else None)
            if (declared := self._zones_as_declared.get(override.zone)) is not None:
                self._take_zone(*declared)
        elif override.region is not None:
            self._regions.overrule(override.region, self.overrides.on_region(override.region))
            self.decide(self._records.in_region(override.region))

    def _missing_for(self, override: Override) -> str:
        """Tell what an override is about that is not there; empty where everything is."""
        if override.record is not None:
            known = self._records.get(override.record)
            if known is None:
                return f"there is no FailoverRecord {override.record}"
            names = [each.name for each in known.keeper.declared.endpoints]
            if override.endpoint is not None and override.endpoint not in names:
                known_here = ", ".join(names)
                return f"FailoverRecord {override.record} has no endpoint {override.endpoint}: it has {known_here}"
        if override.zone is not None and override.zone not in self._zones_as_declared:
            return f"there is no DNSZone {override.zone}"
        if override.region is not None and override.region not in self._regions.names:
            return f"there is no CloudRegion {override.region}"
        return ""

    def _record_gone(self, subject: Subject, *, observed: bool) -> None:
        known = self._records.get(subject.key)
        if known is None or known.subject.uid != subject.uid:
            return
        if self._records.drop(subject.key):
            self._regions_meant.clear()
        self._removals.forget(subject.key)
        self._targets.forget(subject.key)
        self._guard.forget(subject.key)
        self._queue.silence(subject.key)
        record = known.keeper.record
        self.signals.reports.published(record.key, record.hostname, NONE)
        for region in sorted(self._regions.note(record.key, ()) | self._regions.note_served(record.key, NONE)):
            self._regions.judge(region)
        withdraws = observed and record.deletion_policy is DeletionPolicy.DELETE and known.awaiting is None
        for zone in record.zones:
            keeper = self.zones.serving.get(zone)
            if keeper is not None and withdraws and not self._dry_run and self._removals.may_ask(known, zone):
                keeper.withdraw(Withdrawal(record.key, record.uid, record.hostname))
                self._gates.look_again_soon()
            elif keeper is not None:
                if known.awaiting is not None and not keeper.in_force:
                    keeper.abandon(record.key)  # its finalizer is gone: whoever writes the zone has removed the name
                keeper.forget(record.key)
            self._zone_changed(zone)  # it may have an orphan now

    def _review_leaving_at(self, key: ObjectKey, at: float) -> None:
        self._queue.ring_at(("leaving", key), at, partial(self._review_leaving, key))

    def _review_leaving(self, key: ObjectKey) -> None:
        if (known := self._records.get(key)) is not None:
            self._leavers.review(known)

    def _begin_removal(self, known: KnownRecord) -> None:
        if not known.origin.is_being_deleted:
            return  # the API server's data went back to a time before its deletion
        if self.zones_listed:
            self._removals.begin(known)
            self._removals.call_off(known)
            self._guard.use(known.keeper.record, refused=known.keeper.zone_refusals, awaiting=known.awaiting)
        elif self._records.get(known.keeper.record.key) is known:  # nobody knows yet which zones there are
            asyncio.get_running_loop().call_later(HOLD_PERIOD, self._begin_removal, known)

    # -- from the zones (the inbox) --------------------------------------------------------------------------------

    def _record_changed(self, record: ObjectKey) -> None:
        """A record's standing in a zone has changed: plan again where what is published matters, and tell."""
        known = self._records.get(record)
        if known is not None:
            if known.keeper.sees_who_has_left(self.zones.serving):
                self.decide((record,))
            if known.awaiting is None:
                self._note_served(known.keeper)
            waits = known.keeper.waits_for_a_zone or self._gates.holds(known.keeper)
            if waits or known.keeper.needs_zone_news(self.zones.serving):
                self.decide((record,))
            if known.keeper.leaving:
                self._leavers.review(known)
            self._reporting.mark(known.subject)

    def _zone_changed(self, zone: ObjectKey) -> None:
        """A zone's own standing has changed."""
        if subject := self.zones.subject(zone):
            self._reporting.mark(subject)
            keeper, declared = self.zones.keepers.get(zone), self.zones.declared(zone)
            while keeper is not None and keeper.incidents:
                incident = keeper.incidents.pop(0)
                self._reporting.incident(subject, incident.reason, incident.message)
            if keeper is not None and keeper.stands_by:
                for each in self.zones.names_of(zone):
                    self._removals.leave_to_another(each)
            if keeper is not None and keeper.in_force and declared is not None and declared.take_over_now:
                self._reporting.acted_upon(subject, Command.TAKE_OVER, self.zones.taken_over(zone))

    def _written_otherwise(self, written_before: Mapping[ObjectKey, Forgets]) -> None:
        """For these DNSZones others are written than before: what nobody declares there any more stays as it is."""
        touched = self._records.in_zones(written_before)
        for known in [found for key in touched if (found := self._records.get(key)) is not None]:
            zones = [*known.keeper.declared_zones, *known.keeper.leaving]
            for before in [written_before[each] for each in zones if each in written_before]:
                if all(self.zones.serving.get(each) is not before for each in zones):
                    before.forget(known.keeper.record.key)
        self._removals.ask_anew(written_before)
        self.decide(touched)
        self._gates.look_again_soon()  # deletions that wait were handed on

    def _accepted(self, zone: ObjectKey, change: NameChange) -> None:
        """A provider has applied a change."""
        self._progress.accepted(zone, change, self._records.get(change.record))
        if change.is_repair:
            self.decide((change.record,))  # which also sets the time when the name is contested no more

    def _visible(self, zone: ObjectKey, record: ObjectKey) -> None:
        """All authoritative servers of a zone show what was changed last."""
        known = self._records.get(record)
        if known is not None:
            self._progress.visible(zone, known)

    def _withdrawn(self, zone: ObjectKey, withdrawal: Withdrawal) -> None:
        """A record's name is gone from a zone."""
        known = self._records.get(withdrawal.record)
        if known is None or known.subject.uid != withdrawal.uid:
            return
        for each in self.zones.names_of(zone):
            known.keeper.left(each)
            self._leavers.gone(known, each)
            if known.awaiting is not None:
                known.awaiting.discard(each)
        self._guard.use(known.keeper.record, refused=known.keeper.zone_refusals, awaiting=known.awaiting)
        self._removals.end(known)
        self._reporting.mark(known.subject)

    @property
    def is_busy(self) -> bool:
        """Tell whether many names wait to be decided for, or to be written."""
        return self._round.is_under_way or any(each.is_busy for each in self.zones.keepers.values())

    # -- what there is to tell -------------------------------------------------------------------------------------

    def refusal_of(self, subject: Subject) -> tuple[int, Explanation] | None:
        """Return the generation of an object that cannot be used, and why."""
        return self._invalid.get(subject)

    def record_picture(self, key: ObjectKey) -> RecordPicture | None:
        """Return what there is to tell of a record."""
        known = self._records.get(key)
        if known is None:
            return None
        deleting = known.awaiting is not None
        picture = known.keeper.picture(self.zones.serving, dry_run=self._dry_run, being_deleted=deleting)
        warning = self._region_warning(known.keeper.record)
        return replace(picture, warnings=(*picture.warnings, warning)) if warning else picture

    def _region_warning(self, record: Record) -> Explanation | None:
        """Return what there is to say of a region that nobody else knows."""
        for each in record.endpoints:
            nearest = self._region_meant(each.region)
            if nearest is not None:
                return Explanation(
                    "UnknownRegion",
                    f"endpoint {each.name} names region {each.region}, which is not known; the nearest is {nearest}: "
                    "it fails and is drained on its own until the name is corrected, or declared as a CloudRegion",
                )
        return None

    def _region_meant(self, region: str) -> str | None:
        if region not in self._regions_meant:
            meant = nearest_region(region, declared=self._regions.names, used=self._records.regions)
            self._regions_meant[region] = meant
        return self._regions_meant[region]

    def _forget_what_was_meant_by(self, region: str) -> None:
        """A region is gone: whoever was told that it was meant is to be told otherwise."""
        for name in [each for each, meant in self._regions_meant.items() if meant == region]:
            for known in filter(None, map(self._records.get, self._records.in_region(name))):
                self._reporting.mark(known.subject)
        self._regions_meant.clear()

    def zone_picture(self, key: ObjectKey) -> ZoneObjectPicture | None:
        """Return what there is to tell of a zone."""
        picture = self.zones.picture(key)
        if picture is None:
            return None
        hidden = [each for each in self.unread.get(Kind.FAILOVER_RECORD, {}) if each]
        found = (self._guard.warning(key), unread_records(hidden) if hidden else None)
        return replace(picture, warnings=(*(each for each in found if each is not None), *picture.warnings))

    def endpoints_by_region(self) -> Mapping[str, Mapping[Verdict, int]]:
        """Return how many endpoints of the records that are decided for here each region has, by verdict."""
        return self._regions.counted_here()

    def count_elsewhere(self, tallies: Iterable[Mapping[str, Mapping[Verdict, int]]]) -> None:
        """Other processes decide for records with so many endpoints in each region."""
        self._regions.count_elsewhere(tallies)

    def regions_led(self) -> None:
        """This process tells of regions and vantages now, of several that divide the records."""
        self._reporting.begin_term(Kind.CLOUD_REGION)
        self._reporting.begin_term(Kind.VANTAGE)
        self._regions.judge_all()

    def region_picture(self, name: str) -> RegionPicture | None:
        """Return what there is to tell of a region."""
        return self._regions.picture(name)

    def override_picture(self, subject: Subject) -> OverridePicture | None:
        """Return what there is to tell of an override."""
        return self.overrides.picture(subject)

    def vantage_picture(self, name: str) -> VantagePicture | None:
        """Return what there is to tell of a vantage."""
        return self._targets.vantages.picture(name)

    def vantages_trusted(self) -> Mapping[str, bool]:
        """Tell of each vantage whether it is believed, for metrics."""
        return self._targets.vantages.trusted()

    def signals_standing(self) -> Mapping[tuple[str, str], bool | None]:
        """Tell of each signal, by region and name, whether it stands, for metrics; None where nothing is known."""
        return self._regions.signals_standing()

    def record_keys(self) -> list[ObjectKey]:
        """Return the keys of all records."""
        return list(self._records)

    def readiness(self) -> Mapping[str, int]:
        """Return how many records are Ready (`True`), not (`False`), or not known yet (`Unknown`)."""
        if not self._leadership.leads:
            return dict.fromkeys(("True", "False", "Unknown"), 0)  # the leader knows
        return self._reporting.readiness()

    def tallies(self) -> RecordTallies:
        """Return how many records stand how."""
        return self._reporting.tallies if self._leadership.leads else RecordTallies()

    def region_phases(self) -> Mapping[str, RegionPhase]:
        """Return the phase of each region that is declared."""
        return self._regions.phases()

    def is_blind(self) -> bool:
        """Tell whether nothing that this replica checks passes, or its word is doubted."""
        return self._targets.is_blind() or self._gates.is_suspected

    def sees(self) -> bool:
        """Tell whether checks of this replica passed lately, and are believed."""
        return self._targets.has_seen() and not self.is_blind()

    def zone_states(self) -> Iterable[ZoneState]:
        """Return the state of every zone, for metrics."""
        return self.zones.states()


def _placed(endpoint: Endpoint, health: EndpointHealth) -> Placed:
    return Placed(endpoint.region, health.verdict, endpoint.addresses or endpoint.hostname, health.has_passed)


def _succeeds(step: Callable[[KnownRecord], None], known: KnownRecord) -> bool:
    """Take one step for a record: a defect of ours that one brings to light must not keep the others where they are."""
    try:
        step(known)
    except Exception as error:
        key = known.keeper.record.key
        logger.error("record %s could not be decided; its names stay as they are: %s", key, told(error))
        return False
    return True


def _not_allowed(zone: ObjectKey, record: Record) -> Explanation:
    return Explanation(
        "NamespaceNotAllowed",
        f"DNSZone {zone} takes no records from namespace {record.key.namespace}: its spec.allowedNamespaces has to "
        "permit that",
    )


def _loop_refusal(record: Record, hostname: str) -> Explanation:
    return Explanation(
        "HostnameLoop",
        f"endpoint hostname {hostname} is {record.hostname} itself or leads back to it: give the endpoint a name of "
        "its own",
    )
