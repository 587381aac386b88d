"""Records that leave zones: what a record does not declare any more is kept as it is until the name may go."""

from collections.abc import Callable, Iterable

from detour.enactment.leaving import (
    STILL_DELEGATED,
    Arrival,
    LeavingZone,
    ParentView,
    leaving_digest,
    reason_to_stay,
)
from detour.enactment.wishes import Explanation
from detour.engine.clock import Clock
from detour.engine.known import KnownRecord
from detour.engine.ports import Reports
from detour.engine.zonekeeper import DUPLICATE_ZONE, ZoneKeeper
from detour.engine.zones import Zones
from detour.model.names import is_below
from detour.model.record import DeletionPolicy, ObjectKey, Record
from detour.model.withdrawal import Withdrawal

LOOK_PERIOD = 5.0
"""Seconds between two looks at what keeps a name where it is, if nothing happens before."""


class ZoneLeavers:
    """Sees records out of zones. `permits` tells why a record may not use one; `look_again` asks for a later look."""

    def __init__(
        self,
        zones: Zones,
        reporting: Reports,
        *,
        clock: Clock,
        permits: Callable[[Record, ObjectKey], Explanation | None],
        look_again: Callable[[ObjectKey, float], None],
        on_withdrawal: Callable[[], None],
    ) -> None:
        self._zones = zones
        self._reporting = reporting
        self._clock = clock
        self._permits = permits
        self._look_again = look_again
        self._on_withdrawal = on_withdrawal

    def leave(self, known: KnownRecord, zones: Iterable[ObjectKey]) -> None:
        """The record does not declare these zones (any more): its names go, once they may, or stay with its policy."""
        keeper = known.keeper
        for zone in set(keeper.leaving) & set(keeper.declared_zones):
            self._come_back(known, zone)
        for zone in list(zones):
            if keeper.declared.deletion_policy is DeletionPolicy.DELETE:
                if zone not in keeper.leaving:
                    keeper.leaving[zone] = LeavingZone(self._clock.now())
            else:
                before = keeper.leaving.pop(zone, None)
                if zonekeeper := self._zones.serving.get(zone):
                    if before is not None and before.is_asked:
                        zonekeeper.abandon(keeper.record.key)
                    self._forget(known, zonekeeper)
                keeper.left(zone)
                if subject := self._zones.subject(zone):
                    self._reporting.mark(subject)  # it may have an orphan now
        keeper.gather_zones()
        if keeper.leaving:
            for zone in keeper.declared_zones:
                zonekeeper = self._zones.serving.get(zone)
                if zonekeeper is not None and self._permits(keeper.record, zone) is None:
                    zonekeeper.prove(keeper.record.hostname)
            self.review(known)

    def review(self, known: KnownRecord) -> None:
        """Let the names go that may by now, and say of the others what keeps them."""
        keeper = known.keeper
        if not keeper.leaving or known.awaiting is not None:
            return
        before = {zone: (each.why, each.is_asked) for zone, each in keeper.leaving.items()}
        is_approved = keeper.declared.approved == leaving_digest(keeper.record.hostname, keeper.leaving)
        for zone in list(keeper.leaving):
            self._review(known, zone, is_approved=is_approved)
        if before != {zone: (each.why, each.is_asked) for zone, each in keeper.leaving.items()}:
            keeper.gather_zones()
            self._reporting.mark(known.subject)
        if keeper.leaving:
            self._look_again(keeper.record.key, self._clock.now() + LOOK_PERIOD)

    def _review(self, known: KnownRecord, zone: ObjectKey, *, is_approved: bool) -> None:
        keeper, found = known.keeper, known.keeper.leaving[zone]
        zonekeeper, record = self._zones.serving.get(zone), keeper.record
        if zonekeeper is None:
            if self._permits(record, zone) is not None:  # there is no such DNSZone: nobody can write there any more
                self._drop(known, zone, f"{record.hostname} stays as it is in {zone}: there is no such DNSZone")
            return
        arrivals = [Arrival(each, self._missing(known, each, since=found.since)) for each in keeper.declared_zones]
        namesakes = [each for each in self._zones.namesakes_of(zone) if self._may_use(record, each)]
        if any(each.zone in namesakes and each.trouble is None for each in arrivals):
            self._drop(known, zone, None)  # it goes on in the same hosted zone, under the other name
            if all(self._zones.serving.get(each) is not zonekeeper for each in keeper.declared_zones):
                zonekeeper.forget(record.key)
            return
        parent = ParentView() if self._is_found_below(known, zonekeeper.zone.domain) else zonekeeper.parent
        why = reason_to_stay(
            zone,
            arrivals=arrivals,
            same_zone=namesakes[0] if namesakes else None,
            parent=parent,
            is_suspended=record.suspend,
            is_approved=is_approved,
            now=self._clock.now(),
        )
        if why is None and not is_approved and not parent.is_fresh(self._clock.now()):
            zonekeeper.look_at_parent()  # it was looked at minutes ago, and may name the zone again
            if not found.is_asked:
                why = Explanation(
                    STILL_DELEGATED, f"where the world is sent for the domain of {zone} is asked once more"
                )
        found.why = why
        if why is None and not found.is_asked:
            found.is_asked = True
            zonekeeper.withdraw(Withdrawal(record.key, record.uid, record.hostname))
            self._on_withdrawal()
        elif why is not None and found.is_asked:
            zonekeeper.abandon(record.key)  # what it depended on is not so any more
            found.is_asked = False

    def _may_use(self, record: Record, zone: ObjectKey) -> bool:
        refusal = self._permits(record, zone)
        return refusal is None or refusal.reason == DUPLICATE_ZONE

    def _is_found_below(self, known: KnownRecord, domain: str) -> bool:
        """Tell whether the world looks for the name in a declared zone below `domain`, so never in that domain's."""
        return any(
            zonekeeper.parent.sends_here
            for each in known.keeper.declared_zones
            if (zonekeeper := self._zones.serving.get(each)) and is_below(zonekeeper.zone.domain, domain)
        )

    def _missing(self, known: KnownRecord, zone: ObjectKey, *, since: float) -> str | None:
        """Return what is missing for the record to have arrived in `zone`, as read since the edit."""
        zonekeeper = self._zones.serving.get(zone)
        if (refusal := self._permits(known.keeper.record, zone)) is not None:
            return refusal.message
        report = zonekeeper.report(known.keeper.record.key) if zonekeeper else None
        if zonekeeper is None or report is None:
            return "the zone has not been read yet"
        if report.refusal is not None:
            return report.refusal.message
        if not report.in_sync:
            return "the zone does not hold what was decided yet"
        if report.proved_at is None or report.proved_at < since:
            zonekeeper.prove(known.keeper.record.hostname)
            return "the zone has not been read since the edit"
        return None

    def _come_back(self, known: KnownRecord, zone: ObjectKey) -> None:
        """The record declares the zone again."""
        del known.keeper.leaving[zone]
        if zonekeeper := self._zones.serving.get(zone):
            zonekeeper.abandon(known.keeper.record.key)

    def _drop(self, known: KnownRecord, zone: ObjectKey, told: str | None) -> None:
        del known.keeper.leaving[zone]
        known.keeper.left(zone)
        if told is not None:
            self._reporting.tell(known.subject, "LeftBehind", told, warning=True)

    def recall(self, known: KnownRecord) -> None:
        """Go on from the status that the leader before us wrote: what it had left already is left."""
        keeper = known.keeper
        for zone in [each for each in keeper.leaving if not keeper.is_known_in(each)]:
            del keeper.leaving[zone]
            if zonekeeper := self._zones.serving.get(zone):
                self._forget(known, zonekeeper)
        keeper.gather_zones()

    def _forget(self, known: KnownRecord, zonekeeper: ZoneKeeper) -> None:
        """The record is in a zone no more, unless it declares it by another name."""
        if all(self._zones.serving.get(each) is not zonekeeper for each in known.keeper.declared_zones):
            zonekeeper.forget(known.keeper.record.key)

    def gone(self, known: KnownRecord, zone: ObjectKey) -> None:
        """The name is gone from `zone`."""
        if known.keeper.leaving.pop(zone, None) is not None:
            known.keeper.gather_zones()
