"""A zone's sets, found by name, so that a name server can answer without looking at the whole zone.

A name exists in DNS when it holds a set, and also when only a name below it does: `b.example.com` exists once
`a.b.example.com` has an address (an empty non-terminal, RFC 4592 §2.2.2). Whether a question gets NXDOMAIN or an
empty answer, and which wildcard covers it, hangs on that, so the names below are counted as sets come and go.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detour_lab.zones.store import RecordSet, SetKey

NOTHING: Mapping[str, "RecordSet"] = {}


class SetIndex:
    """The sets of one zone in one state. `serial` is the number of the newest commit in it.

    With `counts_commits` the serial that the zone's SOA shows grows with each; see `ZoneStore`.
    """

    def __init__(self, *, counts_commits: bool = True) -> None:
        self.serial = 0
        self.counts_commits = counts_commits
        self.sets: dict[SetKey, RecordSet] = {}
        self._names: dict[str, dict[str, RecordSet]] = {}
        self._names_below: Counter[str] = Counter()

    def apply(self, serial: int, removed: Iterable["RecordSet"], added: Iterable["RecordSet"]) -> None:
        """Bring the index to the state of commit `serial`."""
        for each in removed:
            self._drop(each.key)
        for each in added:
            self._put(each)
        self.serial = serial

    def at_name(self, name: str) -> Mapping[str, "RecordSet"]:
        """Return the sets at exactly `name` by type."""
        return self._names.get(name, NOTHING)

    def exists(self, name: str) -> bool:
        """Tell whether `name` holds a set or is an empty non-terminal."""
        return name in self._names or self._names_below[name] > 0

    def _put(self, added: "RecordSet") -> None:
        self.sets[added.key] = added
        if added.name not in self._names:
            self._names[added.name] = {}
            self._names_below.update(_ancestors(added.name))
        self._names[added.name][added.type] = added

    def _drop(self, key: "SetKey") -> None:
        if self.sets.pop(key, None) is None:
            return
        name, rrtype = key
        del self._names[name][rrtype]
        if not self._names[name]:
            del self._names[name]
            for ancestor in _ancestors(name):
                self._names_below[ancestor] -= 1
                if not self._names_below[ancestor]:
                    del self._names_below[ancestor]


def _ancestors(name: str) -> Iterator[str]:
    _, dot, parent = name.partition(".")
    while dot:
        yield parent
        _, dot, parent = parent.partition(".")
