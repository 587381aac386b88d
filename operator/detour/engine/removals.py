"""How a record that is deleted leaves all its zones.

Its names go or stay with its policy. An object whose names are to go is kept by our finalizer until they are gone.
"""

from collections.abc import Callable, Mapping

from detour.enactment.wishes import Explanation
from detour.engine.inbox import Forgets
from detour.engine.known import KnownRecord
from detour.engine.ports import Reports
from detour.engine.targets import Targets
from detour.engine.zonekeeper import ZoneKeeper
from detour.engine.zones import Zones
from detour.model.record import DeletionPolicy, ObjectKey, Record
from detour.model.withdrawal import Withdrawal


class Removals:
    """Says goodbye to records. `on_withdrawal` is called when a zone was asked to remove a name.

    `permits` tells why a record may not use a zone.
    """

    def __init__(
        self,
        zones: Zones,
        targets: Targets,
        reporting: Reports,
        *,
        dry_run: bool,
        permits: Callable[[Record, ObjectKey], Explanation | None],
        on_withdrawal: Callable[[], None],
    ) -> None:
        self._zones = zones
        self._targets = targets
        self._reporting = reporting
        self._dry_run = dry_run
        self._permits = permits
        self._on_withdrawal = on_withdrawal
        self._leaving: dict[ObjectKey, KnownRecord] = {}

    def keep_finalizer(self, known: KnownRecord) -> None:
        """See to it that the object bears our finalizer where its names are to go with it, and only then."""
        wanted = known.keeper.record.deletion_policy is DeletionPolicy.DELETE
        if wanted is not known.origin.has_finalizer and not self._dry_run:
            self._reporting.hold(known.subject, known.origin, wanted)

    def begin(self, known: KnownRecord) -> None:
        """The record is being deleted: remove its names where its policy says so, then let it go."""
        record = known.keeper.record
        if known.awaiting is not None:
            return
        self._targets.forget(record.key)
        zones = {*record.zones, *known.keeper.zones_left_behind()}
        known.awaiting = set()
        if record.deletion_policy is DeletionPolicy.DELETE and not self._dry_run:
            keepers = self._zones.serving
            known.awaiting = {
                zone for zone in zones if zone in keepers and not keepers[zone].stands_by and self.may_ask(known, zone)
            }
            if left := sorted(str(zone) for zone in zones - known.awaiting):
                told = f"{record.hostname} stays as it is in {', '.join(left)}: no DNSZone, or not ours to write"
                self._reporting.tell(known.subject, "LeftBehind", told, warning=True)
        for zone in zones & set(self._zones.serving):
            if zone in known.awaiting:
                self._ask(known, zone)
            else:
                self._zones.serving[zone].forget(record.key)
        self._leaving[record.key] = known
        self._reporting.mark(known.subject)
        self.end(known)

    def may_ask(self, known: KnownRecord, zone: ObjectKey) -> bool:
        """Tell whether to ask a zone to remove a record's name: one that refuses it only where it has the name."""
        record, keeper = known.keeper.record, self._zones.serving.get(zone)
        if keeper is None or self._permits(record, zone) is None:
            return True
        return keeper.takes(Withdrawal(record.key, record.uid, record.hostname)) or known.keeper.is_known_in(zone)

    def leave_to_another(self, zone: ObjectKey) -> None:
        """Another site keeps `zone` now: the names that were to go there are its to remove."""
        for known in list(self._leaving.values()):
            if known.awaiting is not None and zone in known.awaiting:
                record = known.keeper.record
                self._zones.serving[zone].abandon(record.key)
                known.awaiting.discard(zone)
                told = f"{record.hostname} stays as it is in {zone}: another site keeps that zone"
                self._reporting.tell(known.subject, "LeftBehind", told, warning=True)
                self.end(known)

    def zone_gone(self, zone: ObjectKey, *, heir: ObjectKey | None) -> None:
        """The DNSZone is gone: its `heir`, which stands for the same zone, removes what was to go, where it may.

        Without one nobody can remove names there any more, so nobody waits for that.
        """
        for known in list(self._leaving.values()):
            if known.awaiting is None or zone not in known.awaiting:
                continue
            record = known.keeper.record
            known.awaiting.discard(zone)
            if heir is not None and self._permits(record, heir) is None:
                known.awaiting.add(heir)
                self._ask(known, heir)
                continue
            if heir is not None and heir not in known.awaiting:
                self._zones.serving[heir].abandon(record.key)
            told = f"{record.hostname} stays as it is in {zone}: its DNSZone was deleted"
            self._reporting.tell(known.subject, "LeftBehind", told, warning=True)
            self.end(known)

    def ask_anew(self, written_before: Mapping[ObjectKey, Forgets]) -> None:
        """For these DNSZones others are written than before: they are asked to remove what is still to go there."""
        for known in list(self._leaving.values()):
            awaiting = known.awaiting or set()
            for zone in sorted(awaiting & written_before.keys()):
                before = written_before[zone]
                if all(self._zones.serving.get(each) is not before for each in awaiting):
                    before.abandon(known.keeper.record.key)
                self._ask(known, zone)

    def _ask(self, known: KnownRecord, zone: ObjectKey) -> None:
        record = known.keeper.record
        if (keeper := self._zones.serving.get(zone)) is not None:
            keeper.withdraw(Withdrawal(record.key, record.uid, record.hostname))
            self._on_withdrawal()

    def forget(self, record: ObjectKey) -> None:
        """The object is gone: what its zones were asked for goes on without it."""
        self._leaving.pop(record, None)

    def take_back(self, known: KnownRecord) -> None:
        """The object is not being deleted any more: what has not gone yet stays."""
        record = known.keeper.record
        for zone in known.awaiting or ():
            if zone in self._zones.serving:
                self._zones.serving[zone].abandon(record.key)
        self._leaving.pop(record.key, None)

    def call_off(self, known: KnownRecord) -> None:
        """Keep the names of a record that is being deleted, where its policy says so by now and they are there."""
        record = known.keeper.record
        if record.deletion_policy is DeletionPolicy.DELETE or not known.awaiting:
            return
        by_keeper: dict[ZoneKeeper, list[ObjectKey]] = {}
        for zone in sorted(each for each in known.awaiting if each in self._zones.serving):
            by_keeper.setdefault(self._zones.serving[zone], []).append(zone)
        for keeper, zones in by_keeper.items():
            if keeper.gate.deletions.keep(record.key):
                known.awaiting.difference_update(zones)
        self.end(known)

    def end(self, known: KnownRecord) -> None:
        """Let a deleted object go once no zone holds its name any more."""
        if known.awaiting is None or known.awaiting:
            return
        self._leaving.pop(known.keeper.record.key, None)
        if not self._dry_run and known.origin.has_finalizer:
            self._reporting.hold(known.subject, known.origin, wanted=False)
