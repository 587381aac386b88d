"""Reading beside the work that goes on in a zone.

A large zone takes a while: at Azure DNS 10,000 sets are 100 pages at 60 a minute. Neither a failover nor the ledger's
renewal waits for that, nor for a reading that fails. What was read or written at a name meanwhile is newer than what
the long reading says of it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from detour.enactment.contract import OpaqueSet, StoredSet, ZoneContents
from detour.enactment.view import ZoneView
from detour.model.rrset import RRKey, RRType

AT_ONCE = 2_000
"""Names that are compared before others have their turn."""

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Reading(Generic[Found]):
    """What was read, and what is known better by now: names that were read since, and sets that were written since."""

    found: Found
    read_since: frozenset[str]
    written_since: frozenset[RRKey]


class BackgroundReading(Generic[Found]):
    """At most one reading under way. `on_end` is called when it is there to be taken."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._task: asyncio.Task[Found] | None = None
        self._read: set[str] = set()
        self._written: set[RRKey] = set()
        self.names: frozenset[str] = frozenset()

    @property
    def is_under_way(self) -> bool:
        """Tell whether a reading was begun and not taken yet."""
        return self._task is not None

    @property
    def is_there(self) -> bool:
        """Tell whether a reading has ended, well or not."""
        return self._task is not None and self._task.done()

    def begin(self, reading: Coroutine[Any, Any, Found], names: Iterable[str] = ()) -> None:
        """Let `reading` run; `names` are those that it is about, none for a whole zone."""
        self._read, self._written = set(), set()
        self.names = frozenset(names)
        self._task = asyncio.ensure_future(reading)
        self._task.add_done_callback(lambda _: self._on_end())

    def were_read(self, names: Iterable[str]) -> None:
        """These names were read by themselves."""
        if self._task is not None:
            self._read.update(names)

    def were_written(self, keys: Iterable[RRKey]) -> None:
        """These sets were written."""
        if self._task is not None:
            self._written.update(keys)

    def take(self) -> Reading[Found]:
        """Return what was read. Raises ProviderError."""
        assert self._task is not None  # noqa: S101 - only once it is there
        task, self._task = self._task, None
        return Reading(task.result(), frozenset(self._read), frozenset(self._written))

    def cancel(self) -> None:
        """Read no further."""
        if self._task is not None:
            self._task.cancel()
            self._task = None


@dataclass(frozen=True, slots=True)
class Compared:
    """A whole zone as it was read, and the names at which it holds anything else than was believed by then."""

    contents: ZoneContents
    differing: frozenset[str]


async def compared(view: ZoneView, contents: ZoneContents) -> Compared:
    """Compare a reading of the whole zone with what is believed of it, some names at a time."""
    sets: dict[str, dict[RRType, StoredSet]] = {}
    for place, (key, stored) in enumerate(contents.sets.items()):
        sets.setdefault(key.name, {})[key.type] = stored
        if place % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)
    opaque: dict[str, set[OpaqueSet]] = defaultdict(set)
    for each in contents.opaque:
        opaque[each.name].add(each)
    differing = []
    for place, name in enumerate({**sets, **opaque, **dict.fromkeys(view.names())}):
        if not view.believes(name, sets.get(name, {}), opaque.get(name, set())):
            differing.append(name)
        if place % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)
    return Compared(contents, frozenset(differing))
