"""Which endpoints of one record checks have taken away lately, and when: from when on no zone showed them."""

import math
from collections.abc import Callable, Iterable, Mapping

from detour.model.record import ObjectKey
from detour.planning.pace import WINDOW


class TakenAway:
    """One record's endpoints, by name. Times in engine seconds; infinity for those that a zone may show yet.

    `found` has those that zones had when they came into force here.
    """

    __slots__ = ("_left_at", "found")

    def __init__(self) -> None:
        self._left_at: dict[str, float] = {}
        self.found: dict[ObjectKey, frozenset[str]] = {}

    def begin(self, left_at: Mapping[str, float]) -> None:
        """Go on from what others have seen leave."""
        self._left_at |= left_at

    def leave(self, names: Iterable[str]) -> None:
        """Checks take these away: a zone shows them until that is written."""
        self._left_at |= dict.fromkeys(names, math.inf)

    def come_back(self, names: Iterable[str]) -> None:
        """These serve again."""
        for name in names:
            self._left_at.pop(name, None)

    def keep(self, declared: Iterable[str]) -> None:
        """Nobody but these is declared any more."""
        if self._left_at:
            self.come_back(self._left_at.keys() - set(declared))

    def see(self, is_shown: Callable[[str], bool], now: float) -> bool:
        """Look who is shown no more; tell whether anybody is."""
        gone = [name for name, at in self._left_at.items() if at == math.inf and not is_shown(name)]
        self._left_at |= dict.fromkeys(gone, now)
        return bool(gone)

    def lately(self, now: float) -> Mapping[str, float]:
        """Return who has left within the window, and forget the others."""
        self._left_at = {name: at for name, at in self._left_at.items() if at > now - WINDOW}
        return self._left_at.copy()
