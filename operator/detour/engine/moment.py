"""One moment, at which several records are decided for: what they share is worked out once."""

import math
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from detour.model.health import EndpointHealth
from detour.model.shared import NONE
from detour.planning.decision import Decision, Undecided
from detour.planning.situation import Situation

Made = TypeVar("Made")


class Moment:
    """`now` in engine seconds; `drained` are the regions that people took out, `failing` those that
    leave as they fail; `decided` is what was decided by then.

    Checks are late by then where this `is_behind`, and those by which this process decides alone have been until
    `late_until`. `wall` is the same time in seconds since the Unix epoch: whatever
    has an end by that clock is judged by this one look at it. Without it everything is over.
    """

    __slots__ = ("_healths", "_made", "decided", "drained", "failing", "is_behind", "late_until", "now", "wall")

    def __init__(
        self,
        now: float,
        drained: frozenset[str],
        *,
        wall: float = math.inf,
        is_behind: bool = False,
        late_until: float = -math.inf,
        failing: frozenset[str] = NONE,
    ) -> None:
        self.now = now
        self.wall = wall
        self.is_behind = is_behind
        self.late_until = late_until
        self.drained = drained
        self.failing = failing
        self.decided: dict[Hashable, tuple[Situation, Decision | Undecided]] = {}
        self._healths: dict[Hashable, Mapping[str, EndpointHealth]] = {}
        self._made: dict[tuple[int, ...], tuple[tuple[object, ...], Any]] = {}

    def once(self, inputs: tuple[object, ...], make: Callable[[], Made]) -> Made:
        """Return what `make` makes of these very objects, which is done for the first who comes with them."""
        place = tuple(map(id, inputs))
        found = self._made.get(place)
        if found is None:
            found = self._made[place] = (inputs, make())  # the inputs stay: another object may not take their place
        made: Made = found[1]
        return made

    def same(self, healths: Mapping[str, EndpointHealth]) -> Mapping[str, EndpointHealth]:
        """Return the first object that came here of all that equal `healths`."""
        return self._healths.setdefault(tuple(healths.items()), healths)

    def forget(self) -> None:
        """What was made counts no more: some of what it was made of has changed."""
        self._made.clear()
