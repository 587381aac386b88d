"""What the enactor believes its zone to hold: the last full read, with every later reading and write laid over it.

A belief that is out of date is harmless: every change is conditional on the old values being exactly these.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from detour.enactment.contract import OpaqueSet, StoredSet, ZoneContents
from detour.model.names import hostname_of_marker, marker_name
from detour.model.rrset import ANSWER_TYPES, RRKey, RRset, RRType

_IN_ORDER = tuple(sorted(ANSWER_TYPES))
_NO_SETS: Mapping[RRType, StoredSet] = {}


@dataclass(frozen=True, slots=True)
class NameView:
    """What stands at one hostname: its sets by type, what is opaque there, and its marker."""

    sets: Mapping[RRType, StoredSet]
    opaque: tuple[OpaqueSet, ...]
    marker: StoredSet | None

    @property
    def answers(self) -> tuple[RRset, ...]:
        """The sets that answer for the name, in the order of their types."""
        return tuple(self.sets[kind].rrset for kind in _IN_ORDER if kind in self.sets)


class ZoneView:
    """The sets of one zone by name. Belongs to one enactor."""

    def __init__(self, contents: ZoneContents) -> None:
        self._sets: dict[str, dict[RRType, StoredSet]] = defaultdict(dict)
        self._opaque: dict[str, tuple[OpaqueSet, ...]] = {}
        self._lay(contents)

    def at(self, hostname: str) -> NameView:
        """Return what stands at `hostname`."""
        marker = self._sets.get(marker_name(hostname), _NO_SETS).get(RRType.TXT)
        return NameView(self._sets.get(hostname, _NO_SETS), self._opaque.get(hostname, ()), marker)

    def get(self, key: RRKey) -> StoredSet | None:
        return self._sets.get(key.name, _NO_SETS).get(key.type)

    def reread(self, names: Collection[str], contents: ZoneContents) -> None:
        """Replace what is believed of `names` by what was just read at them."""
        for name in names:
            self._sets.pop(name, None)
            self._opaque.pop(name, None)
        self._lay(contents)

    def take_over(self, other: "ZoneView", names: Iterable[str]) -> None:
        """Believe of `names` what `other` does."""
        for name in names:
            self._sets.pop(name, None)
            self._opaque.pop(name, None)
            if name in other._sets:
                self._sets[name] = other._sets[name]
            if name in other._opaque:
                self._opaque[name] = other._opaque[name]

    def wrote(self, gone: Iterable[RRKey], stored: ZoneContents) -> None:
        """Take over the outcome of a batch: the sets that it removed and those that it left behind."""
        for key in gone:
            self._sets.get(key.name, {}).pop(key.type, None)
        self._lay(stored)

    def marked_hostnames(self) -> Iterable[str]:
        """Give every hostname that has a marker, anybody's."""
        for name, sets in self._sets.items():
            if RRType.TXT in sets and (hostname := hostname_of_marker(name)):
                yield hostname

    def zone_cut_above(self, hostname: str, domain: str) -> str | None:
        """Return the delegated name at or above `hostname` but below the apex, or None."""
        name = hostname
        while name != domain and "." in name:
            if any(each.type == "NS" for each in self._opaque.get(name, ())):
                return name
            name = name.split(".", 1)[1]
        return None

    def _lay(self, contents: ZoneContents) -> None:
        for key, stored in contents.sets.items():
            self._sets[key.name][key.type] = stored
        opaque: dict[str, list[OpaqueSet]] = defaultdict(list)
        for each in contents.opaque:
            opaque[each.name].append(each)
        for name, found in opaque.items():
            self._opaque[name] = tuple(found)
