"""One object for equal values: thousands of records declare the same endpoints and checks, and need them once."""

from collections.abc import Hashable
from functools import lru_cache
from typing import Never, TypeVar, cast

REMEMBERED = 1 << 13
"""Values that are known again; of others a second object is made, which costs memory and nothing else."""

NONE: frozenset[Never] = frozenset()
"""The empty set, once: each one that is made anew takes as much as one with four members."""

Value = TypeVar("Value", bound=Hashable)


def shared(value: Value) -> Value:
    """Return the first object that was given here of all that equal `value`."""
    return cast(Value, _first(value))


@lru_cache(maxsize=REMEMBERED)
def _first(value: Hashable) -> Hashable:
    return value
