"""Which zone outside a DNSZone stands for, and where the parent sends the world.

Several DNSZones may stand for one hosted zone: their names say so, as what follows the first dot is only theirs. Zones
outside, providers and judges know hosted zones; people and records know DNSZones.
"""

from collections.abc import Callable, Iterable

from detour.checks.resolver import Delegation

NS_TTL = 8.0
"""Seconds for which caches keep where the parent sends the world."""

LOOK_AT_PARENT = 30.0
"""Seconds between two looks of a process at the parent, in place of the ten minutes that it takes between two."""


def hosted_zone(name: str) -> str:
    """Return the zone outside that a DNSZone of this name stands for."""
    return name.partition(".")[0]


def server_of(zone: str) -> str:
    """Return what a hosted zone calls its own name server."""
    return f"ns.{zone}.example.net"


class Parent:
    """Where the world is sent for the domain: to the servers of the hosted zones `named`. `tell` hears of changes."""

    def __init__(self, zones: Iterable[str], tell: Callable[[str, bool], None]) -> None:
        self.named = dict.fromkeys(zones)
        self._tell = tell

    def name(self, zone: str) -> None:
        """Send the world to a zone."""
        if zone not in self.named:
            self.named[zone] = None
            self._tell(zone, True)

    def drop(self, zone: str) -> None:
        """Send the world to a zone no longer."""
        if zone in self.named:
            del self.named[zone]
            self._tell(zone, False)

    def delegation(self) -> Delegation:
        """Return what a resolver says."""
        return Delegation(tuple(map(server_of, self.named)), is_signed=False, ttl=NS_TTL)
