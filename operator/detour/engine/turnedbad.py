"""When targets turned bad, in order: how many did lately is asked for at every decision."""

import math
from bisect import bisect_left, insort
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class TurnedBad(Generic[Key]):
    """The times (engine seconds) at which those turned bad that have not recovered."""

    def __init__(self) -> None:
        self._at: dict[Key, float] = {}
        self._in_order: list[float] = []

    def note(self, key: Key, at: float) -> None:
        """It turned bad then."""
        self.forget(key)
        self._at[key] = at
        insort(self._in_order, at)

    def forget(self, key: Key) -> None:
        """It has recovered, or is gone."""
        at = self._at.pop(key, None)
        if at is not None:
            del self._in_order[bisect_left(self._in_order, at)]

    def count(self, since: float) -> int:
        """Return how many have turned bad since then."""
        return len(self._in_order) - bisect_left(self._in_order, since)

    def since(self, at: float) -> list[Key]:
        """Return who has turned bad since then."""
        return [key for key, when in self._at.items() if when >= at] if self.newest >= at else []

    def __iter__(self) -> Iterator[Key]:
        """Give who has turned bad and has not recovered."""
        return iter(self._at)

    def __len__(self) -> int:
        return len(self._at)

    @property
    def newest(self) -> float:
        """When the last of them did."""
        return self._in_order[-1] if self._in_order else -math.inf
