"""What the zones have to say: frozen events, taken in by the next sweep in the order in which they came.

Nobody is called back: whoever has news puts an event, and what follows from it is decided with all else that is due.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from detour.enactment.events import RecordChanged
from detour.enactment.wishes import NameChange
from detour.model.record import ObjectKey
from detour.model.withdrawal import Withdrawal


class Forgets(Protocol):
    """Who is written for a DNSZone."""

    def forget(self, record: ObjectKey) -> None:
        """The record wants nothing here any more; what it published stays."""

    def abandon(self, record: ObjectKey) -> None:
        """Let the name that the record asked to be removed stay."""


@dataclass(frozen=True, slots=True)
class ZoneChanged:
    """A zone's own standing has changed."""

    zone: ObjectKey


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has applied a change."""

    zone: ObjectKey
    change: NameChange


@dataclass(frozen=True, slots=True)
class Visible:
    """All authoritative servers of a zone show what was changed last for a record."""

    zone: ObjectKey
    record: ObjectKey


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A record's name is gone from a zone."""

    zone: ObjectKey
    withdrawal: Withdrawal


@dataclass(frozen=True, slots=True)
class DeparturesChanged:
    """A name has left a failing region, or is back there: what is held may pass now, and every zone tells how many."""


@dataclass(frozen=True, slots=True)
class RegionsAgreed:
    """The replicas have agreed upon other regions that names may leave: what is held for them may pass at once."""


@dataclass(frozen=True, slots=True)
class DeletionsWait:
    """Deletions that were under way wait for a zone's safety gate again."""


@dataclass(frozen=True, slots=True)
class WrittenOtherwise:
    """For these DNSZones others are written than `before`."""

    before: Mapping[ObjectKey, Forgets]


Event = (
    RecordChanged
    | ZoneChanged
    | Accepted
    | Visible
    | Withdrawn
    | DeparturesChanged
    | RegionsAgreed
    | DeletionsWait
    | WrittenOtherwise
)

_ONCE = (RecordChanged, ZoneChanged, DeparturesChanged, RegionsAgreed, DeletionsWait)
"""Events that ask for a look at how things stand: one look is enough."""


class Inbox:
    """Keeps events until they are taken; `on_news` is called with each one."""

    def __init__(self, on_news: Callable[[], None]) -> None:
        self._on_news = on_news
        self._events: deque[Event] = deque()
        self._waiting: set[Event] = set()

    def put(self, event: Event) -> None:
        """Take in an event."""
        if isinstance(event, _ONCE):
            if event in self._waiting:
                return
            self._waiting.add(event)
        self._events.append(event)
        self._on_news()

    def take(self, at_most: int) -> list[Event]:
        """Return what has come, the oldest first; the rest stays for the next time."""
        events = [self._events.popleft() for _ in range(min(at_most, len(self._events)))]
        self._waiting.difference_update(each for each in events if isinstance(each, _ONCE))
        return events

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing waits to be taken."""
        return not self._events
