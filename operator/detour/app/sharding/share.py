"""What of all that is declared this replica's engine gets to see: its share.

The engine knows the records and zones that this replica is to decide for, and no others. Those of the others are kept
as they were declared last, packed, so that they are at hand when their zones come here. Regions are everybody's.

A record comes with the last of its zones. An edit that ties it to a zone of another replica's waits, and the record
stays as it was before, until one replica has them all.
"""

import asyncio
import pickle
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from detour.app.declarations import Declared
from detour.app.sharding.ties import Ties, standing_of
from detour.engine.ports import Origin
from detour.model.endpoint import Region
from detour.model.objects import Kind, Subject
from detour.model.record import ObjectKey, Record
from detour.model.zone import NamespacesFrom, Zone


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


Call = tuple[str, tuple[Any, ...]]
"""A method of `Declared`, and what it is given after the subject and before the origin."""


@dataclass(slots=True)
class _Kept:
    """A record that is `declared` for these zones, and in those that its status has `told` of.

    `call` and `origin` are packed, None where the engine knows better.

    `shown_with` are the zones with which the engine knows it, None where it does not. `is_held_back` says that there
    is an edit that the engine does not know.
    """

    subject: Subject
    declared: tuple[ObjectKey, ...] = ()
    told: tuple[ObjectKey, ...] = ()
    call: bytes | None = None
    origin: bytes | None = None
    shown_with: tuple[ObjectKey, ...] | None = None
    is_held_back: bool = False


@dataclass(slots=True)
class _KeptZone:
    """A DNSZone; `zone` is what it declared last, None where that was never understood."""

    subject: Subject
    call: Call
    origin: Origin
    zone: Zone | None
    is_shown: bool = False


class Share:
    """Stands between the declarations and the `engine`. Implements `Declared`.

    `has` tells whether a zone is this replica's, `is_elsewhere` whether it is another's that lives, `is_first` whether
    what is tied to no zone is this replica's. `zones_in` gives the zones that a record's status tells of. `on_change`
    is called when other zones belong together than before, or there are others.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        zones_in: Callable[[Origin], Iterable[ObjectKey]],
        on_change: Callable[[], None],
        at_once: int,
    ) -> None:
        self.ties = Ties()
        self.listed: set[Kind] = set()
        self._engine = engine
        self._zones_in = zones_in
        self._on_change = on_change
        self._at_once = at_once
        self._records: dict[ObjectKey, _Kept] = {}
        self._zones: dict[ObjectKey, _KeptZone] = {}
        self.had: frozenset[ObjectKey] = frozenset()
        self._elsewhere: frozenset[ObjectKey] = frozenset()
        self._is_first = False
        self._due: dict[ObjectKey, None] = {}  # records to be looked at
        self._refused: dict[ObjectKey, set[ObjectKey]] = {}  # by zone, records that it does not permit
        self._labels: Mapping[str, dict[str, str]] = {}

    # -- whose is what ---------------------------------------------------------------------------------------------

    def has(self, zone: ObjectKey) -> bool:
        """Tell whether this replica may write a zone: it has it, and nobody has another that may be the same one."""
        return zone in self.had and not (self.ties.twins_of(zone) & self._elsewhere)

    def leads(self, subject: Subject) -> bool:
        """Tell whether this replica writes the status of an object."""
        match subject.kind:
            case Kind.CLOUD_REGION:
                return self._is_first
            case Kind.DNS_ZONE:
                return self.has(subject.key)
            case Kind.FAILOVER_RECORD:
                kept = self._records.get(subject.key)
                return kept is not None and kept.shown_with is not None and self._stays(kept.shown_with)
        return False

    def _belongs_here(self, zones: Iterable[ObjectKey]) -> bool:
        """Tell whether a record of these zones is this replica's."""
        there = [zone for zone in zones if self.ties.exists(zone)]
        return all(map(self.has, there)) if there else self._is_first

    def _stays(self, zones: Iterable[ObjectKey]) -> bool:
        """Tell whether a record that the engine knows with these zones is still this replica's, as it was."""
        there = [zone for zone in zones if self.ties.exists(zone)]
        if not there:
            return self._is_first
        return any(map(self.has, there)) and not any(zone in self._elsewhere for zone in there)

    def assign(self, had: frozenset[ObjectKey], elsewhere: frozenset[ObjectKey], *, is_first: bool) -> None:
        """These zones are this replica's from now on, those another's that lives; `settle` follows."""
        before = {zone for zone in self._zones if self.has(zone)}
        was_first, self._is_first = self._is_first, is_first
        changed = (had ^ self.had) | (elsewhere ^ self._elsewhere)
        self.had, self._elsewhere = had, elsewhere
        after = {zone for zone in self._zones if self.has(zone)}
        for zone in changed | (before ^ after):
            self._due.update(dict.fromkeys(self.ties.users_of(zone)))
        if was_first is not is_first:
            self._due.update(dict.fromkeys(each for each in self._records if self._is_of_no_zone(each)))

    def _is_of_no_zone(self, record: ObjectKey) -> bool:
        return not any(map(self.ties.exists, self.ties.zones_of(record)))

    async def settle(self) -> None:
        """Show the engine what has come to be this replica's, and take from it what is another's now; that first."""
        await self._in_turns(self._take_away)
        for key, zone in list(self._zones.items()):
            if zone.is_shown and not self.has(key):
                zone.is_shown = False
                self._engine.let_go(zone.subject)
        for zone in list(self._zones.values()):
            if not zone.is_shown and self.has(zone.subject.key):
                self._show_zone(zone)
        await self._in_turns(self._look_at)
        self._due.clear()

    async def _in_turns(self, look: Callable[[_Kept], None]) -> None:
        for number, key in enumerate(list(self._due), 1):
            if (kept := self._records.get(key)) is not None:
                look(kept)
            if number % self._at_once == 0:
                await asyncio.sleep(0)

    def _take_away(self, kept: _Kept) -> None:
        if kept.shown_with is not None and not self._stays(kept.shown_with):
            self._let_go(kept)

    def _look_at(self, kept: _Kept) -> None:
        """Show the engine a record as it is declared, or as it was, or take it away."""
        zones = self.ties.zones_of(kept.subject.key)
        if not self._belongs_here(zones):
            self._take_away(kept)
        elif kept.shown_with is None or kept.is_held_back:
            self._show(kept)

    def _show(self, kept: _Kept) -> None:
        assert kept.call is not None  # noqa: S101 - whatever the engine does not know is kept
        assert kept.origin is not None  # noqa: S101 - as above
        method, given = _unpacked(kept.call)
        origin = _unpacked(kept.origin)
        is_new = kept.shown_with is None
        kept.shown_with, kept.is_held_back = self.ties.zones_of(kept.subject.key), False
        if method == "record_declared":
            kept.call = kept.origin = None
        getattr(self._engine, method)(kept.subject, *given, origin)
        if is_new:
            self._engine.was_elsewhere(kept.subject)

    def _let_go(self, kept: _Kept) -> None:
        known = self._engine.seen_last(kept.subject)
        if known is not None and kept.call is None:
            record, origin = known
            kept.call, kept.origin = _packed(("record_declared", (record,))), _packed(origin)
        elif known is not None:
            kept.origin = _packed(known[1])
        kept.shown_with, kept.is_held_back = None, False
        self._engine.let_go(kept.subject)

    def _show_zone(self, zone: _KeptZone) -> None:
        zone.is_shown = True
        method, given = zone.call
        getattr(self._engine, method)(zone.subject, *given, zone.origin)

    # -- declarations (Declared) -----------------------------------------------------------------------------------

    def record_declared(self, subject: Subject, record: Record, origin: Origin) -> None:
        """A FailoverRecord is new, changed, or about to be deleted."""
        self._take_in(subject, ("record_declared", (record,)), origin, record.zones)

    def _take_in(self, subject: Subject, call: Call, origin: Origin, declared: tuple[ObjectKey, ...]) -> None:
        kept = self._records.setdefault(subject.key, _Kept(subject))
        kept.subject, kept.declared, kept.told = subject, declared, tuple(self._zones_in(origin))
        zones = self._tied_by(kept)
        is_news = self._tie(subject.key, zones)
        if self._belongs_here(self.ties.zones_of(subject.key)):
            kept.shown_with, kept.is_held_back = self.ties.zones_of(subject.key), False
            kept.call = kept.origin = None
            method, given = call
            if method != "record_declared":
                kept.call, kept.origin = _packed(call), _packed(origin)
            getattr(self._engine, method)(subject, *given, origin)
        else:
            kept.call, kept.origin = _packed(call), _packed(origin)
            if kept.shown_with is not None and zones.issuperset(kept.shown_with) and self._stays(kept.shown_with):
                kept.is_held_back = True  # everybody sees what ties it, so nobody else decides for it meanwhile
            elif kept.shown_with is not None:
                self._let_go(kept)
        if is_news:
            self._on_change()

    def zone_declared(self, subject: Subject, zone: Zone, origin: Origin) -> None:
        """A DNSZone is new or changed."""
        self._take_zone_in(subject, ("zone_declared", (zone,)), origin, zone)

    def _take_zone_in(self, subject: Subject, call: Call, origin: Origin, zone: Zone | None) -> None:
        before = self._zones.get(subject.key)
        known = before.zone if before is not None else None
        is_shown = before is not None and before.is_shown
        kept = self._zones[subject.key] = _KeptZone(subject, call, origin, zone or known, is_shown)
        version = self.ties.version
        self.ties.declare(subject.key, standing_of(kept.zone) if kept.zone is not None else None)
        if kept.zone is not None and (known is None or known.allowed != kept.zone.allowed):
            self._tie_anew(subject.key)
        if self.has(subject.key):
            self._show_zone(kept)
        if version != self.ties.version:
            self._due.update(dict.fromkeys(self.ties.users_of(subject.key)))
            self._on_change()

    def region_declared(self, subject: Subject, region: Region, origin: Origin) -> None:
        """A CloudRegion is new or changed."""
        self._engine.region_declared(subject, region, origin)

    def invalid(self, subject: Subject, reason: str, message: str, origin: Origin) -> None:
        """An object cannot be used as it is; what it declared before stays in force."""
        call = ("invalid", (reason, message))
        match subject.kind:
            case Kind.FAILOVER_RECORD:
                kept = self._records.get(subject.key)
                self._take_in(subject, call, origin, kept.declared if kept is not None else ())
            case Kind.DNS_ZONE:
                self._take_zone_in(subject, call, origin, None)
            case Kind.CLOUD_REGION:
                self._engine.invalid(subject, reason, message, origin)

    def status_seen(self, subject: Subject, origin: Origin, listed_at: float | None) -> None:
        """Nothing of an object has changed but its status; `listed_at` is when the listing began that shows it."""
        kept, zone = self._records.get(subject.key), self._zones.get(subject.key)
        is_shown = True
        if subject.kind is Kind.FAILOVER_RECORD and kept is not None:
            is_shown = kept.shown_with is not None
            if kept.origin is not None:
                kept.origin = _packed(origin)
            self._note_zones_left(kept, origin)
        elif subject.kind is Kind.DNS_ZONE and zone is not None:
            zone.origin, is_shown = origin, zone.is_shown
        if is_shown:
            self._engine.status_seen(subject, origin, listed_at)

    def _note_zones_left(self, kept: _Kept, origin: Origin) -> None:
        """The status tells of zones that the record is still in: these are tied to its others until it has left.

        So are those of which the engine knows more: a status may be lost, and is written again.
        """
        key = kept.subject.key
        kept.told = tuple(self._zones_in(origin))
        zones = self._tied_by(kept)
        if kept.shown_with is not None:
            zones.update(self._engine.zones_left_behind(key))
        if self._tie(key, zones):
            self._due[key] = None
            self._on_change()

    def _tie(self, record: ObjectKey, zones: set[ObjectKey]) -> bool:
        before = self.ties.zones_of(record)
        is_news = self.ties.keep(record, zones)
        if is_news:
            self._tell_of_ties(before)
            self._tell_of_ties(zones)
        return is_news

    def _tied_by(self, kept: _Kept) -> set[ObjectKey]:
        """Return the zones that a record ties: those that permit it, and those that it is in."""
        found = set(kept.told)
        for zone in kept.declared:
            refused = self._refused.get(zone, set())
            if self._permits(zone, kept.subject.key.namespace):
                found.add(zone)
                refused.discard(kept.subject.key)
            else:
                refused.add(kept.subject.key)
            if refused:
                self._refused[zone] = refused
            else:
                self._refused.pop(zone, None)
        return found

    def _permits(self, key: ObjectKey, namespace: str) -> bool:
        """Tell whether a zone takes records from a namespace: of one that is not there nobody knows yet."""
        kept = self._zones.get(key)
        if kept is None:
            return True
        if kept.zone is None:
            return namespace == key.namespace
        labels = self._labels.get(namespace, {})
        return kept.zone.allowed.permit(zone_namespace=key.namespace, namespace=namespace, labels=labels)

    def _tie_anew(self, zone: ObjectKey) -> None:
        """A zone may permit others than before."""
        for key in {*self.ties.users_of(zone), *self._refused.get(zone, ())}:
            if (kept := self._records.get(key)) is not None and self._tie(key, self._tied_by(kept)):
                self._due[key] = None

    def namespaces_listed(self, labels: Mapping[str, dict[str, str]]) -> None:
        """Take over the labels of all namespaces, for zones that select by them."""
        if labels != self._labels:
            self._labels = labels
            for key, kept in list(self._zones.items()):
                if kept.zone is not None and kept.zone.allowed.source is NamespacesFrom.SELECTOR:
                    self._tie_anew(key)
            self._on_change()

    @property
    def selects_namespaces(self) -> bool:
        """Tell whether any zone needs the labels of namespaces."""
        return any(
            each.zone is not None and each.zone.allowed.source is NamespacesFrom.SELECTOR
            for each in self._zones.values()
        )

    def zone(self, key: ObjectKey) -> Zone | None:
        """Return what a DNSZone declares, whoever has it."""
        kept = self._zones.get(key)
        return kept.zone if kept is not None else None

    def _tell_of_ties(self, zones: Collection[ObjectKey]) -> None:
        """The zones of a record are tied, or not any more: their statuses tell of it."""
        for each in zones if len(zones) > 1 else ():
            if (zone := self._zones.get(each)) is not None and zone.is_shown:
                self._engine.tell_anew(zone.subject)

    def gone(self, subject: Subject, *, observed: bool) -> None:
        """An object is gone; `observed` says that its deletion was seen, not just its absence."""
        is_shown = True
        match subject.kind:
            case Kind.FAILOVER_RECORD:
                kept = self._records.pop(subject.key, None)
                for each in kept.declared if kept is not None else ():
                    self._refused.get(each, set()).discard(subject.key)
                is_shown = kept is not None and kept.shown_with is not None
                self._due.pop(subject.key, None)
                before = self.ties.zones_of(subject.key)
                self.ties.drop(subject.key)
                self._tell_of_ties(before)
            case Kind.DNS_ZONE:
                zone = self._zones.pop(subject.key, None)
                is_shown = zone is not None and zone.is_shown
                self.ties.remove(subject.key)
                self._due.update(dict.fromkeys(self.ties.users_of(subject.key)))
            case Kind.CLOUD_REGION:
                pass
        if is_shown:
            self._engine.gone(subject, observed=observed)
        else:
            self._engine.vanished(subject)
        self._on_change()

    def exists(self, subject: Subject) -> None:
        """An object is there, whether or not it can be used."""
        self._engine.exists(subject)

    def all_listed(self, kind: Kind) -> None:
        """Every object of a kind was shown."""
        self.listed.add(kind)
        self._engine.all_listed(kind)
        self._on_change()


def _packed(what: object) -> bytes:
    return zlib.compress(pickle.dumps(what, pickle.HIGHEST_PROTOCOL), 1)


def _unpacked(packed: bytes) -> Any:
    return pickle.loads(zlib.decompress(packed))  # noqa: S301 - nothing but what this process has packed
