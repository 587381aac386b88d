"""Between decisions and zones: what records want goes through the safety gate of each zone.

What a gate holds is looked at again and again: it may have become unnecessary, its time may have come, or a person may
have approved it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from detour.app.clock import Clock
from detour.app.nameservers import enough
from detour.app.observation import Observation
from detour.app.outlets import Outlets
from detour.app.recordkeeper import RecordKeeper
from detour.app.suspicion import Suspicion
from detour.app.zones import Zones
from detour.checks.reference import LATELY, Counting
from detour.kube.annotations import APPROVE_ANNOTATION
from detour.kube.kinds import Kind
from detour.kube.metadata import without_annotation
from detour.kube.reporting import Subject
from detour.model.record import ObjectKey
from detour.model.rrset import RRset

HOLD_PERIOD = 0.5
"""Seconds between two looks at what the safety gates hold."""


class Gatekeeper:
    """Hands wishes to the zones, as far as their gates let them through.

    `references` runs the reference checks that clear a suspected vantage; None asks the zones' authoritative servers.
    `decide` plans records anew.
    """

    def __init__(
        self,
        zones: Zones,
        observation: Observation,
        outlets: Outlets,
        *,
        clock: Clock,
        dry_run: bool,
        references: Callable[[], Awaitable[bool]] | None,
        decide: Callable[[Iterable[ObjectKey]], None],
    ) -> None:
        self._zones = zones
        self._observation = observation
        self._outlets = outlets
        self._dry_run = dry_run
        self._decide = decide
        self._alarm: asyncio.TimerHandle | None = None
        self._clock = clock
        self._references: Counting[ObjectKey] = Counting()
        self._suspicion = Suspicion(
            bad_share=observation.bad_share,
            newest=observation.newest_bad,
            references=references or self._servers_answer,
            on_change=self._look_again,
            doubt=observation.doubt_since,
            clock=clock.now,
        )

    @property
    def is_suspected(self) -> bool:
        """Tell whether this vantage is held to be blind."""
        return self._suspicion.is_blind

    def hand_over(self, keeper: RecordKeeper) -> dict[ObjectKey, tuple[RRset, ...]]:
        """Hand what a record wants to its zones; return what was let through, for each where nothing is held."""
        passed, held = {}, []
        for zone in keeper.record.zones:
            if (zonekeeper := self._zones.serving.get(zone)) is not None:  # also where nothing is written by us, yet
                safety = zonekeeper.zone.safety
                zonekeeper.gate.is_suspected = self._suspicion.covers(safety.panic_threshold, safety.window)
            if sets := self._hand_over(keeper, zone):
                if self._zones.serving[zone].gate.held(keeper.record.key):
                    held.append(sets)
                elif (report := self._zones.serving[zone].report(keeper.record.key)) is None or report.owns:
                    passed[zone] = sets  # what is refused to the record it publishes nowhere
        if held or passed:
            keeper.serve(held=held, passed=passed.values())
        return passed

    def survey(self, keeper: RecordKeeper) -> None:
        """Show a record to the gates that do not know it yet, before anything passes them."""
        record = keeper.record.key
        for zone in keeper.record.zones:
            zonekeeper = self._zones.serving.get(zone)
            if zonekeeper is None or zone in keeper.zone_refusals or zonekeeper.gate.last(record) is not None:
                continue
            wish, report = keeper.wish_for(zone), zonekeeper.report(record)
            if wish.sets is not None and report is not None and not (wish.suspended or self._dry_run):
                zonekeeper.gate.survey(keeper.proposal(zone, zonekeeper.gate, wish.sets, report))

    def _hand_over(self, keeper: RecordKeeper, zone: ObjectKey) -> tuple[RRset, ...] | None:
        record = keeper.record.key
        zonekeeper = self._zones.serving.get(zone)
        if zonekeeper is None:
            return None
        if zone in keeper.zone_refusals:
            permitted = [
                self._zones.serving.get(each) for each in keeper.record.zones if each not in keeper.zone_refusals
            ]
            if zonekeeper not in permitted:
                zonekeeper.forget(record)
            return None
        wish, gate = keeper.wish_for(zone), zonekeeper.gate
        if wish.suspended:
            gate.set_aside(record)
        report = zonekeeper.report(record)
        if wish.sets is not None and report is not None and not (wish.suspended or self._dry_run):
            held_before = gate.held(record)
            wish = replace(wish, sets=gate.submit(keeper.proposal(zone, gate, wish.sets, report)) or None)
            if gate.held(record) != held_before:
                self.look_again_soon()
        zonekeeper.want(wish)
        return wish.sets

    def look_again_soon(self) -> None:
        """Look again, before long, at everything that a safety gate holds."""
        if self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(HOLD_PERIOD, self._look_again)

    def _look_again(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        for key, zonekeeper in self._zones.keepers.items():
            held, subject = zonekeeper.gate.held_records(), self._zones.subject(key)
            zonekeeper.delete_due()
            for each in zonekeeper.gate.deletions.take_news():
                self._outlets.mark(Subject(Kind.FAILOVER_RECORD, each.record, each.uid))
            if zonekeeper.approve() and subject is not None:
                self._outlets.patch(subject, without_annotation(APPROVE_ANNOTATION))
                self._outlets.tell(subject, "Approved", "the changes that were held were approved by a person")
            self._decide(held)
            if held or zonekeeper.gate.deletions.are_waiting:
                self.look_again_soon()
            if subject is not None:
                self._outlets.mark(subject)

    async def _servers_answer(self) -> bool:
        """Tell whether the servers of most zones answer: the reference checks of this vantage.

        Those of a zone that did not answer before either tell nothing of this moment. Where none counts, one that has
        never seen anything pass does not see.
        """
        since = self._clock.now() - LATELY
        keepers = self._zones.keepers
        lately = [
            key for key, each in keepers.items() if each.lookout.heard_at is not None and each.lookout.heard_at >= since
        ]
        counted = self._references.of(lately)
        asked = [keepers[key].servers_answer() for key in sorted(counted) if key in keepers]
        passed = await enough(len(asked) // 2 + 1, asked) if asked else self._observation.has_ever_seen()
        return self._references.asked(counted, passed=passed)
