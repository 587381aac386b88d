"""Between decisions and zones: what records want goes through the safety gate of each zone.

What a gate holds is decided anew once anything that it depends on has changed: what was found bad, what the zone shows,
which names have left which regions, what a person declared or approved.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace

from detour.checks.reference import LATELY, Counting
from detour.engine.clock import Clock
from detour.engine.nameservers import enough
from detour.engine.ports import Command, Reports
from detour.engine.recordkeeper import RecordKeeper
from detour.engine.suspicion import Suspicion
from detour.engine.targets import Targets
from detour.engine.vantages import OWN_IS_BLIND, OWN_IS_LATE
from detour.engine.zonekeeper import ZoneKeeper
from detour.engine.zones import Zones
from detour.health.vantages import LATE, PANIC_SHARE, PANIC_WINDOW
from detour.model.objects import Kind, Subject
from detour.model.record import ObjectKey
from detour.model.rrset import RRset

HOLD_PERIOD = 0.5
"""Seconds between two looks at whether time has come for what the safety gates hold."""


class Gates:
    """Hands wishes to the zones, as far as their gates let them through.

    `references` runs the reference checks that clear a suspected vantage; None asks the zones' authoritative servers.
    `decide` plans records anew.
    """

    def __init__(
        self,
        zones: Zones,
        targets: Targets,
        reporting: Reports,
        *,
        clock: Clock,
        dry_run: bool,
        references: Callable[[], Awaitable[bool]] | None,
        decide: Callable[[Iterable[ObjectKey]], None],
    ) -> None:
        self._zones = zones
        self._targets = targets
        self._reporting = reporting
        self._dry_run = dry_run
        self._decide = decide
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0
        self._clock = clock
        self._looked_at: dict[ObjectKey, tuple[int, str | None]] = {}
        self._evacuated: dict[ObjectKey, dict[str, tuple[int, float]]] = {}  # by zone, as its status was to tell it
        self._references: Counting[ObjectKey] = Counting()
        self._suspicion = Suspicion(
            bad_share=targets.bad_share,
            newest=targets.newest_bad,
            references=references or self._servers_answer,
            on_change=self._decide_held,
            doubt=targets.doubt_since,
            clock=clock.now,
        )

    @property
    def is_suspected(self) -> bool:
        """Tell whether this vantage is held to be blind."""
        return self._suspicion.is_blind

    def doubt_own(self) -> None:
        """Let this process's own vantage have no say beside others while it may be blind.

        It is one vantage for all zones, so the highest threshold of any zone counts: others are there to contradict.
        """
        vantages = self._targets.vantages
        if vantages.is_alone:
            vantages.own_is_doubted(None)
            self._targets.count_own_before(math.inf)
            return
        settings = [each.zone.safety for each in self._zones.keepers.values()]
        threshold = max((each.panic_threshold for each in settings), default=PANIC_SHARE)
        window = max((each.window for each in settings), default=PANIC_WINDOW)
        self._suspicion.covers(threshold, window)  # which finds out what there is to find out
        is_late = self._targets.scheduler.urgent_lateness > LATE
        vantages.own_is_doubted(OWN_IS_BLIND if self._suspicion.is_blind else OWN_IS_LATE if is_late else None)
        self._targets.count_own_before(self._suspicion.believes_before(threshold, window))

    async def references_pass(self) -> bool:
        """Run the reference checks of this vantage; those that break prove nothing."""
        return await self._suspicion.sees()

    def hand_over(self, keeper: RecordKeeper) -> dict[ObjectKey, tuple[RRset, ...]]:
        """Hand what a record wants to its zones; return what was let through, for each where nothing is held."""
        record = keeper.record.key
        passed: dict[ObjectKey, tuple[RRset, ...]] = {}
        held: dict[ObjectKey, tuple[RRset, ...]] = {}
        served = self._served(keeper)
        self._leave_refused(keeper, served)
        for zonekeeper, zones in served.items():  # also where nothing is written by us, yet
            safety = zonekeeper.zone.safety
            is_suspected = self._suspicion.covers(safety.panic_threshold, safety.window)
            zonekeeper.gate.is_suspected = is_suspected and self._targets.vantages.decides_alone
            if sets := self._hand_over(keeper, zonekeeper, zones):
                if zonekeeper.gate.held(record):
                    held[zonekeeper.zone.key] = sets
                elif (report := zonekeeper.report(record)) is None or report.owns:
                    passed[zonekeeper.zone.key] = sets  # what is refused to the record it publishes nowhere
        if held or passed:
            keeper.serve(held=held, passed=passed, is_written=not self._dry_run)
        return passed

    def _served(self, keeper: RecordKeeper) -> dict[ZoneKeeper, list[ObjectKey]]:
        """Return who writes the zones that a record may use, and for which: twins are written by one."""
        served: dict[ZoneKeeper, list[ObjectKey]] = {}
        for zone in keeper.record.zones:
            if zone not in keeper.zone_refusals and (zonekeeper := self._zones.serving.get(zone)) is not None:
                served.setdefault(zonekeeper, []).append(zone)
        return served

    def _leave_refused(self, keeper: RecordKeeper, served: Collection[ZoneKeeper]) -> None:
        """Wish for nothing where the record may not be, unless it may be there by another name of the zone."""
        for zone in keeper.zone_refusals:
            zonekeeper = self._zones.serving.get(zone)
            if zonekeeper is not None and zonekeeper not in served:
                zonekeeper.forget(keeper.record.key)

    def survey(self, keeper: RecordKeeper) -> None:
        """Show a record to the gates that do not know it yet, before anything passes them."""
        record = keeper.record.key
        for zonekeeper, zones in self._served(keeper).items():
            if zonekeeper.gate.last(record) is not None:
                continue
            wish, report = keeper.wish_for(zonekeeper.zone.key, zones), zonekeeper.report(record)
            if wish.sets is not None and report is not None and not (wish.suspended or self._dry_run):
                zonekeeper.gate.survey(keeper.proposal(zonekeeper, zones, wish.sets, report))

    def _hand_over(
        self, keeper: RecordKeeper, zonekeeper: ZoneKeeper, zones: Sequence[ObjectKey]
    ) -> tuple[RRset, ...] | None:
        record = keeper.record.key
        wish, gate = keeper.wish_for(zonekeeper.zone.key, zones), zonekeeper.gate
        report = zonekeeper.report(record)
        if wish.suspended or (report is not None and report.denied):
            gate.set_aside(record)
        if wish.sets is not None and report is not None and not (wish.suspended or self._dry_run):
            held_before = gate.version
            wish = replace(wish, sets=gate.submit(keeper.proposal(zonekeeper, zones, wish.sets, report)) or None)
            if gate.version != held_before:
                self.look_again_soon()
        zonekeeper.want(wish)
        return wish.sets

    def holds(self, keeper: RecordKeeper) -> bool:
        """Tell whether any zone holds a change of a record: what the zone shows of it may let the change through."""
        keepers = (self._zones.serving.get(zone) for zone in keeper.record.zones)
        return any(each is not None and each.gate.held(keeper.record.key) is not None for each in keepers)

    def look_again_soon(self) -> None:
        """Look, before long, whether the time has come for anything that a safety gate holds."""
        self._look_again_in(HOLD_PERIOD)

    def _look_again_in(self, seconds: float) -> None:
        at = self._clock.now() + seconds
        if self._alarm is not None:
            if self._alarm_at <= at:
                return
            self._alarm.cancel()
        self._alarm_at = at
        self._alarm = asyncio.get_running_loop().call_later(seconds, self.look_again)

    def look_again(self) -> None:
        """Look whether the time has come for anything that a safety gate holds."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        looked_at, self._looked_at = self._looked_at, {}
        evacuated, self._evacuated = self._evacuated, {}
        for key, zonekeeper in self._zones.keepers.items():
            gate, subject = zonekeeper.gate, self._zones.subject(key)
            zonekeeper.delete_due()
            for each in gate.deletions.take_news():
                self._reporting.mark(Subject(Kind.FAILOVER_RECORD, each.record, each.uid))
            due = gate.due()
            self._looked_at[key] = (gate.version, zonekeeper.zone.approved)
            is_news = self._looked_at[key] != looked_at.get(key)
            if is_news and zonekeeper.approve() and subject is not None:
                self._reporting.take_off(subject, Command.APPROVE)
                self._reporting.tell(subject, "Approved", "the changes that were held were approved by a person")
                due = gate.held_records()
            self._decide(due)
            if gate.is_pressing:
                self.look_again_soon()
            self._evacuated[key] = left = gate.evacuated()
            for _, at in left.values():  # a status tells of it until then
                self._look_again_in(max(0.0, at + gate.counts_for - self._clock.now()) + HOLD_PERIOD)
            is_news |= self._evacuated[key] != evacuated.get(key, {})
            if subject is not None and (is_news or due):
                self._reporting.mark(subject)

    def _decide_held(self) -> None:
        """What this vantage says is to be believed again, or no longer: decide anew on everything that is held."""
        self.doubt_own()
        for zonekeeper in self._zones.keepers.values():
            self._decide(zonekeeper.gate.held_records())

    async def _servers_answer(self) -> bool:
        """Tell whether the servers of most zones answer: the reference checks of this vantage.

        Those of a zone that did not answer before either tell nothing of this moment. Where none counts, one that has
        never seen anything pass does not see.
        """
        since = self._clock.now() - LATELY
        keepers = self._zones.keepers
        lately = [
            key
            for key, each in keepers.items()
            if each.server_watch.heard_at is not None and each.server_watch.heard_at >= since
        ]
        counted = self._references.of(lately)
        asked = [keepers[key].servers_answer() for key in sorted(counted) if key in keepers]
        passed = await enough(len(asked) // 2 + 1, asked) if asked else self._targets.has_ever_seen()
        return self._references.asked(counted, passed=passed)
