"""What a mutant is, and how the product is made one for the time of a run. Nothing of this is in the product."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

Replacement = tuple[Any, str, Any]
Off = Callable[[], tuple[Replacement, ...]]

MOST_SCHEDULES = 200
"""Within so many schedules of its profile each mutant must be killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A protection or a behaviour that is off: what is replaced, in which profile it is missed, how soon.

    `seed` is one that is known to kill it. `mistake` goes with protections against mistakes of ours: it makes such a
    mistake, which must do no harm while the protection is on. `by_defect` says that it shows as an exception of ours:
    that is what it protects from.
    """

    name: str
    profile: str
    off: Off
    within: int = MOST_SCHEDULES
    seed: int = 1
    mistake: Off | None = None
    by_defect: bool = False


@contextmanager
def replaced(*replacements: Replacement) -> Iterator[None]:
    """Replace attributes for a while. Raises AttributeError where there is none: a mutant would switch nothing off."""
    with ExitStack() as stack:
        for owner, name, new in replacements:
            if not hasattr(owner, name) and f"self.{name}" not in inspect.getsource(owner):
                raise AttributeError(f"{owner!r} has no {name} to be replaced")
            if name in owner.__dict__:
                stack.callback(setattr, owner, name, owner.__dict__[name])
            else:
                stack.callback(delattr, owner, name)
            setattr(owner, name, new)
        yield
