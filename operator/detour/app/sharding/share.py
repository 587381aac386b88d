"""What of all that is declared this replica's engine gets to see: its share.

The engine knows the records and zones that this replica is to decide for, and no others. Those of the others are kept
as they were declared last, packed, so that they are at hand when their zones come here. Regions are everybody's.

A record comes with the last of its zones. An edit that ties it to a zone of another replica's waits, and the record
stays as it was before, until one replica has them all. What one record or zone brings to light holds up no other.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from detour.app.declarations import Declared
from detour.app.sharding.ties import Standing, Ties
from detour.engine.ports import Origin
from detour.model.defects import told as told_of
from detour.model.external import ExternalVerdict
from detour.model.objects import Kind, Subject
from detour.model.overrides import Override
from detour.model.packing import packed, unpacked
from detour.model.record import ObjectKey, Record
from detour.model.region import Region
from detour.model.vantage import Vantage, VantageReport
from detour.model.zone import NamespacesFrom, Zone

logger = logging.getLogger(__name__)

Refusal = tuple[str, str]
"""Why an object cannot be used: a reason and a message."""


class Engine(Declared, Protocol):
    """Who decides: told what is declared, and what is somebody else's from now on."""

    def let_go(self, subject: Subject) -> None:
        """Care for an object no more, as if it had never been shown: another process does."""

    def vanished(self, subject: Subject) -> None:
        """An object that was never shown, or let go, is gone."""

    def tell_anew(self, subject: Subject) -> None:
        """There may be news to tell of an object."""

    def was_elsewhere(self, subject: Subject) -> None:
        """Another process decided for a record until now, by another clock."""

    def zones_left_behind(self, record: ObjectKey) -> Iterable[ObjectKey]:
        """Return the zones that a record is still in, or may be, though it declares them no more."""

    def seen_last(self, subject: Subject) -> tuple[Record, Origin] | None:
        """Return what a record declares, and the object with the status that it bears as far as is known."""


class Statuses(Protocol):
    """What the statuses of objects tell, which the share does not read itself."""

    def zones_in(self, origin: Origin) -> Iterable[ObjectKey]:
        """Return the zones that a record is in, or may be."""

    def standing_in(self, origin: Origin) -> Standing | None:
        """Return what a DNSZone stands for, None where that was not found out yet."""

    def is_unacted(self, origin: Origin) -> bool:
        """Tell whether a record was declared anew since its status was written."""


@dataclass(slots=True)
class _Kept:
    """A record that is `declared` for these zones, and in those that its status has `told` of.

    It may be in those that are `untold` too: it declared them before, and no status was written since it does no more.
    Who has those knows, and tells of it before others decide.
    `valid` is what it declared last that could be used, and `origin` the object, both packed: None where the engine
    knows better. `refusal` says why what it declares now cannot be used. `shown_with` are the zones with which the
    engine knows it, None where it does not. `is_held_back` says that there is an edit that the engine does not know,
    `is_unacted` that nobody has acted upon the last one.
    """

    subject: Subject
    declared: tuple[ObjectKey, ...] = ()
    told: tuple[ObjectKey, ...] = ()
    untold: tuple[ObjectKey, ...] = ()
    valid: bytes | None = None
    origin: bytes | None = None
    refusal: Refusal | None = None
    shown_with: tuple[ObjectKey, ...] | None = None
    is_held_back: bool = False
    is_unacted: bool = False


@dataclass(slots=True)
class _KeptZone:
    """A DNSZone; `zone` is what it declared last that could be used, `standing` what it stood for when told last."""

    subject: Subject
    origin: Origin
    zone: Zone | None = None
    refusal: Refusal | None = None
    standing: Standing | None = None
    is_shown: bool = False

    @property
    def age(self) -> tuple[str, ObjectKey]:
        """What comes first of several that stand for one zone: the older object."""
        return (self.origin.created, self.subject.key)


class Share:
    """Stands between the declarations and the `engine`. Implements `Declared`.

    `on_change` is called when other zones belong together than before, or there are others.
    """

    def __init__(self, engine: Engine, *, statuses: Statuses, on_change: Callable[[], None], at_once: int) -> None:
        self.ties = Ties()
        self.had: frozenset[ObjectKey] = frozenset()
        self._engine = engine
        self._statuses = statuses
        self._on_change = on_change
        self._at_once = at_once
        self._turns = 0
        self._records: dict[ObjectKey, _Kept] = {}
        self._zones: dict[ObjectKey, _KeptZone] = {}
        self._of_others: frozenset[ObjectKey] = frozenset()
        self._is_first = False
        self._due: dict[ObjectKey, None] = {}  # records to be looked at
        self._due_zones: dict[ObjectKey, None] = {}
        self._to_tie_anew: dict[ObjectKey, None] = {}  # zones that may permit others than before
        self._is_due_for_rest = False
        self._arriving: set[ObjectKey] = set()
        self._refused: dict[ObjectKey, set[ObjectKey]] = {}  # by zone, records that it does not permit
        self._labels: Mapping[str, dict[str, str]] = {}
        self._overridden: dict[Subject, ObjectKey | None] = {}  # by override, the record that it is about

    # -- whose is what ---------------------------------------------------------------------------------------------

    def has(self, zone: ObjectKey) -> bool:
        """Tell whether a zone is this replica's: it has it, and nobody has an older one that stands for the same."""
        return zone in self.had and not any(
            other in self._of_others and self._zones[other].age < self._zones[zone].age
            for other in self.ties.twins_of(zone)
        )

    def may_write(self, zone: ObjectKey) -> bool:
        """Tell whether this replica may write a zone: it is its own, and known not to be written by another name."""
        return zone in self._zones and self.has(zone) and self.ties.is_known(zone)

    def leads(self, subject: Subject) -> bool:
        """Tell whether this replica writes the status of an object."""
        match subject.kind:
            case Kind.CLOUD_REGION | Kind.VANTAGE | Kind.CLUSTER_OVERRIDE:
                return self._is_first
            case Kind.OVERRIDE:
                kept = self._records.get(self._overridden.get(subject) or subject.key)
                is_here = kept is not None and kept.shown_with is not None and self._stays(kept.shown_with)
                return is_here if kept is not None else self._is_first
            case Kind.DNS_ZONE:
                return subject.key in self._zones and self.has(subject.key)
            case Kind.FAILOVER_RECORD:
                kept = self._records.get(subject.key)
                return kept is not None and kept.shown_with is not None and self._stays(kept.shown_with)
        return False

    def may_tell(self, subject: Subject) -> bool:
        """Tell whether enough of an object is known to write its status: not of a zone whose records are still coming.

        Of what a zone stands for the others have to hear before anything is written there.
        """
        return subject.key not in self._arriving or not self.ties.is_known(subject.key)

    def _belongs_here(self, record: ObjectKey) -> bool:
        """Tell whether a record is this replica's, with all its zones."""
        there = [zone for zone in self.ties.zones_of(record) if zone in self._zones]
        return all(map(self.has, there)) if there else self._is_first

    def _stays(self, zones: Iterable[ObjectKey]) -> bool:
        """Tell whether a record that the engine knows with these zones is still this replica's, as it was."""
        there = [zone for zone in zones if zone in self._zones]
        if not there:
            return self._is_first
        return any(map(self.has, there)) and not any(zone in self._of_others for zone in there)

    def assign(self, had: frozenset[ObjectKey], of_others: frozenset[ObjectKey], *, is_first: bool) -> None:
        """These zones are this replica's from now on, those another's that lives; `settle` follows."""
        changed = (had ^ self.had) | (of_others ^ self._of_others)
        self.had, self._of_others = had, of_others
        self._is_due_for_rest |= is_first is not self._is_first
        self._is_first = is_first
        self._look_at_zones({twin for zone in changed for twin in self.ties.twins_of(zone)})

    def _look_at_zones(self, zones: Iterable[ObjectKey]) -> None:
        for zone in zones:
            self._due_zones[zone] = None
            self._due.update(dict.fromkeys(self.ties.users_of(zone)))

    @property
    def is_settled(self) -> bool:
        """Tell whether the engine sees all that it should, and nothing else."""
        return not (self._due or self._due_zones or self._to_tie_anew or self._is_due_for_rest)

    async def settle(self, on_zones: Callable[[], None]) -> None:
        """Show the engine what has come to be this replica's, and take from it what is another's now; that first.

        Of what comes, the zones come first, then the records that were declared anew and not acted upon; then
        `on_zones` is called, and the rest follows. Others have their turn in between.
        """
        while not self.is_settled:
            await self._tie_due()
            for key in list(self._due):
                self._safely(key, self._take_away)
                await self._give_way()
            zones, self._due_zones = self._due_zones, {}
            for key in zones:
                self._settle_zone(key)
                await self._give_way()
            for key in [each for each in self._due if self._is_unacted(each)]:
                self._look_at_next(key)
                await self._give_way()
            on_zones()
            while self._due and not self._due_zones:
                self._look_at_next(next(iter(self._due)))
                await self._give_way()
        for key in list(self._arriving):
            self._arriving.discard(key)
            if (zone := self._zones.get(key)) is not None:
                self._engine.tell_anew(zone.subject)

    async def _tie_due(self) -> None:
        if self._is_due_for_rest:
            self._is_due_for_rest = False
            for key in list(self._records):
                if not any(zone in self._zones for zone in self.ties.zones_of(key)):
                    self._due[key] = None
                await self._give_way()
        while self._to_tie_anew:
            zone = next(iter(self._to_tie_anew))
            del self._to_tie_anew[zone]
            for key in {*self.ties.users_of(zone), *self._refused.get(zone, ())}:
                if (kept := self._records.get(key)) is not None and self._tie(kept):
                    self._due[key] = None
                await self._give_way()
            self._on_change()

    async def _give_way(self) -> None:
        self._turns += 1
        if self._turns % self._at_once == 0:
            await asyncio.sleep(0)

    def _is_unacted(self, key: ObjectKey) -> bool:
        kept = self._records.get(key)
        return kept is not None and kept.is_unacted

    def _look_at_next(self, key: ObjectKey) -> None:
        if key in self._due:
            del self._due[key]
            self._safely(key, self._look_at)

    def _safely(self, key: ObjectKey, look: Callable[[_Kept], None]) -> None:
        if (kept := self._records.get(key)) is not None:
            try:
                look(kept)
            except Exception as error:  # a defect of ours that one record brings to light is no other's affair
                logger.error("record %s could not be taken over, or let go: %s", key, told_of(error))

    def _take_away(self, kept: _Kept) -> None:
        if kept.shown_with is not None and not self._stays(kept.shown_with):
            self._let_go(kept)

    def _look_at(self, kept: _Kept) -> None:
        """Show the engine a record as it is declared, or as it was, or take it away."""
        if not self._belongs_here(kept.subject.key):
            self._take_away(kept)
        elif kept.shown_with is None or kept.is_held_back:
            record = None if kept.valid is None else unpacked(kept.valid)
            if kept.origin is not None:
                self._show(kept, record, unpacked(kept.origin))

    def _show(self, kept: _Kept, record: Record | None, origin: Origin) -> None:
        is_new = kept.shown_with is None
        kept.shown_with, kept.is_held_back = self.ties.zones_of(kept.subject.key), False
        if record is not None:
            self._engine.record_declared(kept.subject, record, origin)
            kept.valid = kept.origin = None  # the engine has it now
        if kept.refusal is not None:
            self._engine.invalid(kept.subject, *kept.refusal, origin)
        if is_new:
            self._engine.was_elsewhere(kept.subject)

    def _let_go(self, kept: _Kept) -> None:
        known = self._engine.seen_last(kept.subject)
        if known is not None:
            kept.valid = kept.valid or packed(known[0])
            kept.origin = kept.origin or packed(known[1])
        kept.shown_with, kept.is_held_back, kept.is_unacted = None, False, False
        self._engine.let_go(kept.subject)

    def _settle_zone(self, key: ObjectKey) -> None:
        zone = self._zones.get(key)
        if zone is None or zone.is_shown is self.has(key):
            return
        try:
            if zone.is_shown:
                zone.is_shown = False
                self._engine.let_go(zone.subject)
            else:
                self._arriving.add(key)
                self._show_zone(zone)
        except Exception as error:  # a defect of ours that one zone brings to light is no other's affair
            logger.error("DNSZone %s could not be taken over, or let go: %s", key, told_of(error))

    def _show_zone(self, kept: _KeptZone) -> None:
        kept.is_shown = True
        if kept.zone is not None:
            self._engine.zone_declared(kept.subject, kept.zone, kept.origin)
        if kept.refusal is not None:
            self._engine.invalid(kept.subject, *kept.refusal, kept.origin)

    # -- what ties zones together ----------------------------------------------------------------------------------

    def _tie(self, kept: _Kept) -> bool:
        """Take note of the zones that a record ties; tell whether they are others than before."""
        key = kept.subject.key
        before = self.ties.zones_of(key)
        if not self.ties.keep(key, self._tied_by(kept)):
            return False
        self._tell_of_ties(before)
        self._tell_of_ties(self.ties.zones_of(key))
        return True

    def _tied_by(self, kept: _Kept) -> set[ObjectKey]:
        """Return the zones that a record ties: those that permit it, and those that it is in, or may be."""
        key = kept.subject.key
        found = {*kept.told, *kept.untold}
        if kept.shown_with is not None:
            found.update(self._engine.zones_left_behind(key))  # a status may be lost: the engine knows better
        for zone in kept.declared:
            if self._permits(zone, key.namespace):
                found.add(zone)
                self._unrefuse(zone, key)
            else:
                self._refused.setdefault(zone, set()).add(key)
        return found

    def _unrefuse(self, zone: ObjectKey, record: ObjectKey) -> None:
        if (refused := self._refused.get(zone)) is not None:
            refused.discard(record)
            if not refused:
                del self._refused[zone]

    def _permits(self, key: ObjectKey, namespace: str) -> bool:
        """Tell whether a zone takes records from a namespace: of one that is not there nobody knows yet."""
        kept = self._zones.get(key)
        if kept is None:
            return True
        if kept.zone is None:
            return namespace == key.namespace
        labels = self._labels.get(namespace, {})
        return kept.zone.allowed.permit(zone_namespace=key.namespace, namespace=namespace, labels=labels)

    def _tell_of_ties(self, zones: Collection[ObjectKey]) -> None:
        """The zones of a record are tied, or not any more: their statuses tell of it."""
        for each in zones if len(zones) > 1 else ():
            if (zone := self._zones.get(each)) is not None and zone.is_shown:
                self._engine.tell_anew(zone.subject)

    def namespaces_listed(self, labels: Mapping[str, dict[str, str]]) -> None:
        """Take over the labels of all namespaces, for zones that select by them."""
        if labels != self._labels:
            self._labels = labels
            self._to_tie_anew.update(dict.fromkeys(key for key, each in self._zones.items() if _selects(each)))
            self._on_change()

    @property
    def selects_namespaces(self) -> bool:
        """Tell whether any zone needs the labels of namespaces."""
        return any(map(_selects, self._zones.values()))

    def declared(self, key: ObjectKey) -> Zone | None:
        """Return what a DNSZone declares, whoever has it."""
        kept = self._zones.get(key)
        return kept.zone if kept is not None else None

    # -- declarations (Declared) -----------------------------------------------------------------------------------

    def record_declared(self, subject: Subject, record: Record, origin: Origin) -> None:
        """A FailoverRecord is new, changed, or about to be deleted."""
        kept = self._records.setdefault(subject.key, _Kept(subject))
        for zone in kept.declared:
            self._unrefuse(zone, subject.key)
        if kept.declared != record.zones:
            tied = self.ties.zones_of(subject.key)  # where it was permitted
            kept.untold = tuple(dict.fromkeys(each for each in (*kept.untold, *kept.declared) if each in tied))
        kept.declared, kept.refusal = record.zones, None
        self._take_in(kept, subject, record, origin)

    def _take_in(self, kept: _Kept, subject: Subject, record: Record | None, origin: Origin) -> None:
        kept.subject = subject
        self._note_status(kept, origin)
        if self._tie(kept):
            self._on_change()
        if kept.shown_with is None or not self._belongs_here(subject.key):
            kept.valid = packed(record) if record is not None else kept.valid
            kept.origin = packed(origin)
        if self._belongs_here(subject.key):
            if record is None and kept.valid is not None:
                record = unpacked(kept.valid)
            self._show(kept, record, origin)
        elif kept.shown_with is not None:
            tied = self.ties.zones_of(subject.key)
            has_zone = any(zone in self._zones for zone in kept.shown_with)  # else it is whoever has its new zones'
            if has_zone and set(kept.shown_with).issubset(tied) and self._stays(kept.shown_with):
                kept.is_held_back = True  # everybody sees what ties it, so nobody else decides for it meanwhile
            else:
                self._let_go(kept)

    def _note_status(self, kept: _Kept, origin: Origin) -> None:
        kept.told, kept.is_unacted = tuple(self._statuses.zones_in(origin)), self._statuses.is_unacted(origin)
        if not kept.is_unacted and kept.refusal is None:  # the status of one that is refused tells of nothing new
            kept.untold = ()

    def zone_declared(self, subject: Subject, zone: Zone, origin: Origin) -> None:
        """A DNSZone is new or changed."""
        kept = self._zones.setdefault(subject.key, _KeptZone(subject, origin))
        before, kept.zone, kept.refusal = kept.zone, zone, None
        self._take_zone_in(kept, subject, origin)
        if before is None or before.allowed != zone.allowed:
            self._to_tie_anew[subject.key] = None
            self._on_change()

    def _take_zone_in(self, kept: _KeptZone, subject: Subject, origin: Origin) -> None:
        kept.subject = subject
        self._note_standing(kept, origin)
        if kept.is_shown:
            self._show_zone(kept)

    def _note_standing(self, kept: _KeptZone, origin: Origin) -> None:
        """Take note of what a DNSZone stands for: what was told once counts until something else is told."""
        kept.origin = origin
        kept.standing = self._statuses.standing_in(origin) or kept.standing
        key, version, before = kept.subject.key, self.ties.version, self.ties.twins_of(kept.subject.key)
        self.ties.declare(key, kept.standing)
        if version != self.ties.version:
            self._look_at_zones(before | self.ties.twins_of(key))
            self._on_change()

    def region_declared(self, subject: Subject, region: Region, origin: Origin) -> None:
        """A CloudRegion is new or changed."""
        self._engine.region_declared(subject, region, origin)

    def override_declared(self, subject: Subject, override: Override, origin: Origin) -> None:
        """An Override or a ClusterOverride is new or changed: everybody hears of it."""
        self._overridden[subject] = override.record
        self._engine.override_declared(subject, override, origin)

    def vantage_declared(self, subject: Subject, vantage: Vantage, origin: Origin) -> None:
        """A Vantage is new or changed."""
        self._engine.vantage_declared(subject, vantage, origin)

    def external_verdict_declared(self, subject: Subject, verdict: ExternalVerdict, *, is_listed: bool) -> None:
        """An ExternalVerdict is new or changed."""
        self._engine.external_verdict_declared(subject, verdict, is_listed=is_listed)

    def vantage_reported(self, subject: Subject, report: VantageReport, *, is_listed: bool) -> None:
        """A vantage says what it sees."""
        self._engine.vantage_reported(subject, report, is_listed=is_listed)

    def vantage_unreadable(self, subject: Subject, why: str) -> None:
        """What a vantage wrote makes no sense."""
        self._engine.vantage_unreadable(subject, why)

    def invalid(self, subject: Subject, reason: str, message: str, origin: Origin) -> None:
        """An object cannot be used as it is; what it declared before stays in force."""
        match subject.kind:
            case Kind.FAILOVER_RECORD:
                kept = self._records.setdefault(subject.key, _Kept(subject))
                kept.refusal = (reason, message)
                self._take_in(kept, subject, None, origin)
            case Kind.DNS_ZONE:
                zone = self._zones.setdefault(subject.key, _KeptZone(subject, origin))
                zone.refusal = (reason, message)
                self._note_standing(zone, origin)
                if zone.is_shown:
                    self._engine.invalid(subject, reason, message, origin)
            case _:
                self._engine.invalid(subject, reason, message, origin)

    def status_seen(self, subject: Subject, origin: Origin, listed_at: float | None) -> None:
        """Nothing of an object has changed but its status; `listed_at` is when the listing began that shows it."""
        kept, zone = self._records.get(subject.key), self._zones.get(subject.key)
        is_shown = True
        if subject.kind is Kind.FAILOVER_RECORD and kept is not None:
            is_shown = kept.shown_with is not None
            self._note_status(kept, origin)
            if kept.origin is not None:
                kept.origin = packed(origin)
            if self._tie(kept):
                self._due[subject.key] = None
                self._on_change()
        elif subject.kind is Kind.DNS_ZONE and zone is not None:
            is_shown = zone.is_shown
            self._note_standing(zone, origin)
        if is_shown:
            self._engine.status_seen(subject, origin, listed_at)

    def gone(self, subject: Subject, *, observed: bool) -> None:
        """An object is gone; `observed` says that its deletion was seen, not just its absence."""
        is_shown = True
        match subject.kind:
            case Kind.FAILOVER_RECORD:
                is_shown = self._record_gone(subject.key)
            case Kind.DNS_ZONE:
                zone = self._zones.pop(subject.key, None)
                is_shown = zone is not None and zone.is_shown
                twins = self.ties.twins_of(subject.key) - {subject.key}
                self.ties.remove(subject.key)
                self._arriving.discard(subject.key)
                self._look_at_zones({subject.key, *twins})
            case Kind.OVERRIDE | Kind.CLUSTER_OVERRIDE:
                self._overridden.pop(subject, None)
        if is_shown:
            self._engine.gone(subject, observed=observed)
        else:
            self._engine.vanished(subject)
        self._on_change()

    def _record_gone(self, key: ObjectKey) -> bool:
        """Forget a record; tell whether the engine knew it."""
        kept = self._records.pop(key, None)
        self._due.pop(key, None)
        before = self.ties.zones_of(key)
        self.ties.drop(key)
        self._tell_of_ties(before)
        for each in kept.declared if kept is not None else ():
            self._unrefuse(each, key)
        return kept is not None and kept.shown_with is not None

    def exists(self, subject: Subject) -> None:
        """An object is there, whether or not it can be used."""
        self._engine.exists(subject)

    def all_listed(self, kind: Kind) -> None:
        """Every object of a kind was shown."""
        self._engine.all_listed(kind)


def _selects(zone: _KeptZone) -> bool:
    return zone.zone is not None and zone.zone.allowed.source is NamespacesFrom.SELECTOR
