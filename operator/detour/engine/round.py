"""A round of decisions: every record that is due is planned before the first is handed on, a few at a time.

All are planned first so that the safety gates know how many names leave before any name does. Between two steps others
have their turn on the event loop, and news come in.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable

from detour.model.record import ObjectKey

AT_ONCE = 20
"""Records that are planned, or handed on, in one step: some 20 ms of work."""


class Round:
    """Which records of a round are still to be planned, and which are planned and still to be handed on."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._to_plan: deque[ObjectKey] = deque()
        self._to_hand_on: OrderedDict[ObjectKey, None] = OrderedDict()
        self._planned_again: set[ObjectKey] = set()

    @property
    def is_under_way(self) -> bool:
        """Tell whether anything is left to do."""
        return bool(self._to_plan or self._to_hand_on)

    def begin(self, due: Iterable[ObjectKey]) -> None:
        """Begin a round with the records that are due; the one before is over."""
        self._to_plan.extend(due)
        self._planned_again.clear()

    def plan_again(self, touched: Iterable[ObjectKey]) -> list[ObjectKey]:
        """Plan those of the `touched` that wait to be handed on before anything more is; return which.

        That is done once for each in a round, so that somebody who is touched again and again keeps nobody waiting.
        """
        found = [each for each in touched if each in self._to_hand_on and each not in self._planned_again]
        for key in found:
            del self._to_hand_on[key]
        self._to_plan.extend(found)
        self._planned_again.update(found)
        return found

    def step(self, plan: Callable[[ObjectKey], bool], hand_on: Callable[[ObjectKey], None]) -> None:
        """Take a step. `plan` tells whether there is anything to hand on."""
        for _ in range(self._at_once):
            if self._to_plan:
                if plan(key := self._to_plan.popleft()):
                    self._to_hand_on[key] = None
            elif self._to_hand_on:
                hand_on(self._to_hand_on.popitem(last=False)[0])
