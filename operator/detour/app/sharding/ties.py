"""Which zones have to be in one hand: those that share a record, and those that may be one zone.

A record is decided by one replica, so all its zones are that replica's. DNSZones of one domain at one provider may
stand for the same zone there, which only one replica may write. Pure; nothing here walks all records.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from detour.model.record import ObjectKey
from detour.model.zone import AzureDNSSettings, GoogleCloudDNSSettings, RFC2136Settings, Route53Settings, Zone


class Standing(NamedTuple):
    """What a DNSZone stands for, by its declaration: a domain at a provider, and which zone of it, None where any."""

    domain: str
    place: str | None

    def may_be(self, other: "Standing") -> bool:
        """Tell whether both may stand for the same zone."""
        return self.domain == other.domain and (None in (self.place, other.place) or self.place == other.place)


def standing_of(zone: Zone) -> Standing:
    """Return what a DNSZone stands for."""
    match zone.settings:
        case Route53Settings(zone_id=zone_id):
            return Standing(f"route53 {zone.domain}", zone_id)
        case AzureDNSSettings(subscription_id=subscription, resource_group=group):
            return Standing(f"azuredns {zone.domain}", f"{subscription}/{group}".lower())
        case GoogleCloudDNSSettings(project=project, managed_zone=managed):
            return Standing(f"clouddns {zone.domain}", f"{project}/{managed}" if managed else None)
        case RFC2136Settings(server=server):
            return Standing(f"rfc2136 {zone.domain}", server)


@dataclass(frozen=True, slots=True)
class Unit:
    """DNSZones that only one replica may have. `names` is how many records use any of them, or did."""

    zones: frozenset[ObjectKey]
    names: int

    @property
    def place(self) -> ObjectKey:
        """What stands for the unit where replicas are ranked for it."""
        return min(self.zones)


class Ties:
    """Keeps what ties zones together. `version` is another one whenever the units may be others."""

    def __init__(self) -> None:
        self.version = 0
        self._standing: dict[ObjectKey, Standing | None] = {}  # of the DNSZones that there are
        self._of_domain: dict[str, set[ObjectKey]] = {}
        self._zones: dict[ObjectKey, tuple[ObjectKey, ...]] = {}  # by record
        self._users: dict[ObjectKey, set[ObjectKey]] = {}  # by zone
        self._tied: dict[ObjectKey, Counter[ObjectKey]] = {}  # by zone, how many records tie it to which
        self._tying: dict[ObjectKey, dict[ObjectKey, None]] = {}  # by zone, the records that tie it to any
        self._units: dict[ObjectKey, frozenset[ObjectKey]] = {}

    # -- what there is ---------------------------------------------------------------------------------------------

    def keep(self, record: ObjectKey, zones: Iterable[ObjectKey]) -> bool:
        """A record uses these zones, or may still be in them; tell whether they are others than before."""
        after = tuple(sorted(set(zones)))
        before = self._zones.get(record)
        if after == before:
            return False
        self.drop(record)
        self._zones[record] = after
        for zone in after:
            self._users.setdefault(zone, set()).add(record)
        self._tie(record, after, 1)
        return True

    def drop(self, record: ObjectKey) -> None:
        """A record is gone."""
        before = self._zones.pop(record, ())
        for zone in before:
            self._users[zone].discard(record)
            if not self._users[zone]:
                del self._users[zone]
        self._tie(record, before, -1)

    def _tie(self, record: ObjectKey, zones: tuple[ObjectKey, ...], number: int) -> None:
        if len(zones) < 2:
            return
        for zone in zones:
            tying = self._tying.setdefault(zone, {})
            if number > 0:
                tying[record] = None
            else:
                tying.pop(record, None)
                if not tying:
                    del self._tying[zone]
            others = self._tied.setdefault(zone, Counter())
            for other in zones:
                if other != zone:
                    others[other] += number
                    if others[other] in (0, number):  # the first one, or the last
                        self._change()
                    if not others[other]:
                        del others[other]
            if not others:
                del self._tied[zone]

    def declare(self, zone: ObjectKey, standing: Standing | None) -> None:
        """There is a DNSZone that stands for this, None where that cannot be read."""
        if zone in self._standing and self._standing[zone] == standing:
            return
        self.remove(zone)
        self._standing[zone] = standing
        if standing is not None:
            self._of_domain.setdefault(standing.domain, set()).add(zone)
        self._change()

    def remove(self, zone: ObjectKey) -> None:
        """A DNSZone is gone."""
        if zone not in self._standing:
            return
        standing = self._standing.pop(zone)
        if standing is not None:
            self._of_domain[standing.domain].discard(zone)
            if not self._of_domain[standing.domain]:
                del self._of_domain[standing.domain]
        self._change()

    def _change(self) -> None:
        self.version += 1
        self._units.clear()

    # -- what follows ----------------------------------------------------------------------------------------------

    def exists(self, zone: ObjectKey) -> bool:
        """Tell whether there is such a DNSZone."""
        return zone in self._standing

    def zones_of(self, record: ObjectKey) -> tuple[ObjectKey, ...]:
        """Return the zones that a record uses, or may still be in."""
        return self._zones.get(record, ())

    def users_of(self, zone: ObjectKey) -> Iterable[ObjectKey]:
        """Return the records that use a zone, or may still be in it."""
        return self._users.get(zone, ())

    def twins_of(self, zone: ObjectKey) -> frozenset[ObjectKey]:
        """Return the DNSZones that may stand for the same zone as this one, itself among them."""
        standing = self._standing.get(zone)
        if standing is None:
            return frozenset((zone,))
        found = ((each, self._standing[each]) for each in self._of_domain[standing.domain])
        return frozenset(each for each, its in found if its is not None and its.may_be(standing))

    def tied_to(self, zone: ObjectKey) -> dict[ObjectKey, list[ObjectKey]]:
        """Return the zones that a zone is tied to, each with the records that are in both; twins have none."""
        found: dict[ObjectKey, list[ObjectKey]] = {each: [] for each in self.twins_of(zone) - {zone}}
        for record in self._tying.get(zone, ()):
            for other in self._zones[record]:
                if other != zone:
                    found.setdefault(other, []).append(record)
        return found

    def unit_of(self, zone: ObjectKey) -> frozenset[ObjectKey]:
        """Return the DNSZones that have to be in one hand with this one, itself among them."""
        if (known := self._units.get(zone)) is not None:
            return known
        found, ahead = {zone}, [zone]
        while ahead:
            here = ahead.pop()
            for each in {*self._tied.get(here, ()), *self.twins_of(here)} - found:
                found.add(each)
                ahead.append(each)
        unit = frozenset(each for each in found if each in self._standing)
        self._units.update(dict.fromkeys(unit, unit))
        return unit

    def units(self) -> list[Unit]:
        """Return every unit."""
        found = dict.fromkeys(self.unit_of(zone) for zone in sorted(self._standing))
        return [Unit(unit, sum(len(self._users.get(zone, ())) for zone in unit)) for unit in found]
