"""One object for equal values: thousands of records declare the same endpoints and checks, and need them once."""

from collections.abc import Hashable
from functools import lru_cache
from typing import Never, TypeVar, cast

REMEMBERED = 1 << 13
"""Values that are kept, the ones that were given last: for what is declared, not for what comes and goes."""

NONE: frozenset[Never] = frozenset()
"""The empty set, once: each one that is made anew takes as much as one with four members."""

Value = TypeVar("Value", bound=Hashable)


def shared(value: Value) -> Value:
    """Return the first object that was given here of all that equal `value`."""
    return cast(Value, _first(value))


def number_kept() -> int:
    """Return how many values are kept."""
    return _first.cache_info().currsize


@lru_cache(maxsize=REMEMBERED)
def _first(value: Hashable) -> Hashable:
    return value
