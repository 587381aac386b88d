"""Which endpoints of one record checks have taken away lately from which zone, and when: since the zone shows that."""

import math
from collections.abc import Callable, Iterable, Mapping

from detour.model.record import ObjectKey
from detour.planning.pace import WINDOW

Zone = ObjectKey
Name = str


class TakenAway:
    """One record's endpoints, by zone and name. Times in engine seconds; infinity where the zone may show it yet.

    `found` has those that zones had when they came into force here.
    """

    __slots__ = ("_left_at", "found")

    def __init__(self) -> None:
        self._left_at: dict[Zone, dict[Name, float]] = {}
        self.found: dict[Zone, frozenset[Name]] = {}

    def begin(self, zone: Zone, left_at: Mapping[Name, float]) -> None:
        """Go on from what others have seen leave."""
        self._left_at[zone] = dict(left_at)

    def leave(self, zone: Zone, names: Iterable[Name], at: float = math.inf) -> None:
        """Checks take these away: the zone shows them until that is written."""
        self._left_at.setdefault(zone, {}).update(dict.fromkeys(names, at))

    def come_back(self, zone: Zone, names: Iterable[Name]) -> None:
        """These serve again."""
        left_at = self._left_at.get(zone, {})
        for name in names:
            left_at.pop(name, None)

    def keep(self, zones: Iterable[Zone], declared: Iterable[Name]) -> None:
        """No other zones are written here, and nobody but these is declared."""
        kept, known = set(zones), set(declared)
        self._left_at = {
            zone: {name: at for name, at in left_at.items() if name in known}
            for zone, left_at in self._left_at.items()
            if zone in kept
        }

    def see(self, is_shown: Callable[[Zone, Name], bool], now: float) -> bool:
        """Look who is shown no more; tell whether anybody is."""
        found = False
        for zone, left_at in self._left_at.items():
            gone = [name for name, at in left_at.items() if at == math.inf and not is_shown(zone, name)]
            left_at.update(dict.fromkeys(gone, now))
            found |= bool(gone)
        return found

    def lately(self, now: float) -> Mapping[Zone, Mapping[Name, float]]:
        """Return who has left within the window, and forget the others."""
        recent = {
            zone: {name: at for name, at in left_at.items() if at > now - WINDOW}
            for zone, left_at in self._left_at.items()
        }
        self._left_at = {zone: left_at for zone, left_at in recent.items() if left_at}
        return {zone: left_at.copy() for zone, left_at in self._left_at.items()}
