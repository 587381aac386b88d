"""Tallies of a zone's names: which are ours, which nobody cares for, which are missing. Kept as things change."""

from collections import Counter
from collections.abc import Iterable, Iterator


class Census:
    """Which hostnames somebody wishes for, and which bear our owner's mark in the zone."""

    def __init__(self) -> None:
        self._wanted: set[str] = set()
        self._above: Counter[str] = Counter()
        self._marked: set[str] = set()
        self._owned: set[str] = set()  # of those that are wanted: whose record the marker names
        self._orphans: _Listed = _Listed()
        self._missing: _Listed = _Listed()

    def wanted(self, hostname: str) -> None:
        """Somebody wishes for a name."""
        if hostname not in self._wanted:
            self._above.update(_above(hostname))
        self._wanted.add(hostname)
        self._note(hostname)

    def unwanted(self, hostname: str) -> None:
        """Nobody wishes for a name any more."""
        if hostname in self._wanted:
            for name in _above(hostname):
                self._above[name] -= 1
                if not self._above[name]:
                    del self._above[name]
        self._wanted.discard(hostname)
        self._note(hostname)

    def is_above_any(self, name: str) -> bool:
        """Tell whether a name that somebody wishes for lies below `name`."""
        return name in self._above

    def seen(self, hostname: str, *, is_ours: bool) -> None:
        """A name was seen in the zone, with our owner's mark or without."""
        if is_ours is not (hostname in self._marked):
            (self._marked.add if is_ours else self._marked.discard)(hostname)
            self._note(hostname)

    def all_seen(self, ours: Iterable[str]) -> None:
        """The whole zone was read: these names, and no others, bear our owner's mark."""
        self._marked = set(ours)
        self._orphans.replace(self._marked - self._wanted)
        self._missing.replace(self._wanted - self._marked)

    def owned(self, hostname: str) -> None:
        """The marker of a name is that of a record that wishes for it."""
        self._owned.add(hostname)

    def disowned(self, hostname: str) -> None:
        """Whose the name is, is not known any more."""
        self._owned.discard(hostname)

    @property
    def owned_count(self) -> int:
        """How many names are those of records that wish for them."""
        return len(self._owned)

    @property
    def orphans(self) -> tuple[str, ...]:
        """The hostnames marked as ours that nobody wishes for, in order."""
        return self._orphans.in_order

    @property
    def missing(self) -> tuple[str, ...]:
        """The hostnames that somebody wishes for and that do not bear our mark, in order."""
        return self._missing.in_order

    def _note(self, hostname: str) -> None:
        is_wanted, is_marked = hostname in self._wanted, hostname in self._marked
        self._orphans.note(hostname, belongs=is_marked and not is_wanted)
        self._missing.note(hostname, belongs=is_wanted and not is_marked)


def _above(hostname: str) -> Iterator[str]:
    while "." in hostname:
        hostname = hostname.split(".", 1)[1]
        yield hostname


class _Listed:
    """A set of names that is sorted when somebody asks, and not before."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._in_order: tuple[str, ...] | None = ()

    def note(self, name: str, *, belongs: bool) -> None:
        if belongs is not (name in self._names):
            (self._names.add if belongs else self._names.discard)(name)
            self._in_order = None

    def replace(self, names: set[str]) -> None:
        self._names, self._in_order = names, None

    @property
    def in_order(self) -> tuple[str, ...]:
        if self._in_order is None:
            self._in_order = tuple(sorted(self._names))
        return self._in_order
