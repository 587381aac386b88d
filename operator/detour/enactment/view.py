"""What the enactor believes its zone to hold: the last full read, with every later reading and write laid over it.

A belief that is out of date is harmless: every change is conditional on the old values being exactly these.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from detour.enactment.contract import OpaqueSet, StoredSet, ZoneContents
from detour.enactment.registries import ForeignClaim, claimed_hostnames, foreign_claim
from detour.model.names import hostname_of_marker, marker_name
from detour.model.rrset import ANSWER_TYPES, RRKey, RRset, RRType

_IN_ORDER = tuple(sorted(ANSWER_TYPES))
_NO_SETS: Mapping[RRType, StoredSet] = {}


@dataclass(frozen=True, slots=True)
class NameView:
    """What stands at one hostname: its sets by type, what is opaque there, and its marker.

    `opaque_marker` is a TXT set in the marker's place that cannot be read; `claims` are marks of other tools.
    """

    sets: Mapping[RRType, StoredSet]
    opaque: tuple[OpaqueSet, ...]
    marker: StoredSet | None
    opaque_marker: OpaqueSet | None = None
    claims: tuple[ForeignClaim, ...] = ()

    def kept(self) -> "NameView":
        """Return how it stands now, whatever is read later."""
        return replace(self, sets=dict(self.sets))

    @property
    def answers(self) -> tuple[RRset, ...]:
        """The sets that answer for the name, in the order of their types."""
        return tuple(self.sets[kind].rrset for kind in _IN_ORDER if kind in self.sets)


class ZoneView:
    """The sets of one zone by name. Belongs to one enactor."""

    def __init__(self, contents: ZoneContents) -> None:
        self._sets: dict[str, dict[RRType, StoredSet]] = defaultdict(dict)
        self._opaque: dict[str, tuple[OpaqueSet, ...]] = {}
        self._claimed_at: dict[str, set[str]] = defaultdict(set)
        self._size = 0
        self._lay(contents)

    def at(self, hostname: str) -> NameView:
        """Return what stands at `hostname`."""
        place = marker_name(hostname)
        marker = self._sets.get(place, _NO_SETS).get(RRType.TXT)
        spoilt = next((each for each in self._opaque.get(place, ()) if each.type == RRType.TXT), None)
        return NameView(
            self._sets.get(hostname, _NO_SETS),
            self._opaque.get(hostname, ()),
            marker,
            spoilt,
            tuple(self._claims_on(hostname)) if hostname in self._claimed_at else (),
        )

    def _claims_on(self, hostname: str) -> Iterable[ForeignClaim]:
        for name in sorted(self._claimed_at.get(hostname, ())):
            stored = self._sets.get(name, _NO_SETS).get(RRType.TXT)
            if stored is not None and (claim := foreign_claim(stored)) is not None:
                yield claim

    def get(self, key: RRKey) -> StoredSet | None:
        return self._sets.get(key.name, _NO_SETS).get(key.type)

    @property
    def size(self) -> int:
        """How many sets are believed to stand in the zone, of whatever kind."""
        return self._size

    def names(self) -> Iterable[str]:
        """Return every name at which anything is believed to stand."""
        return [*self._sets, *self._opaque]

    def believes(self, name: str, sets: Mapping[RRType, StoredSet], opaque: Collection[OpaqueSet]) -> bool:
        """Tell whether exactly this is believed to stand at `name`."""
        return self._sets.get(name, _NO_SETS) == sets and frozenset(self._opaque.get(name, ())) == opaque

    def reread(self, names: Collection[str], contents: ZoneContents) -> None:
        """Replace what is believed of `names` by what was just read at them.

        Where only some types were read (`ZoneContents.partial`) what is believed of the others stays.
        """
        for name in {*names, *contents.partial}:
            read = contents.partial.get(name)
            if read is None:
                self._size -= len(self._sets.pop(name, _NO_SETS)) + len(self._opaque.pop(name, ()))
                continue
            for kind in [each for each in self._sets.get(name, _NO_SETS) if each.value in read]:
                self._drop(RRKey(name, kind))
            if name in self._opaque:
                kept = tuple(each for each in self._opaque[name] if each.type not in read)
                self._size -= len(self._opaque[name]) - len(kept)
                self._opaque[name] = kept
                if not kept:
                    del self._opaque[name]
        self._lay(contents)

    def put_back(self, sets: Mapping[RRKey, StoredSet | None]) -> None:
        """Believe these sets to be so, or (None) not to be there."""
        for key, stored in sets.items():
            if stored is None:
                self._drop(key)
            else:
                self._put(stored)

    def wrote(self, gone: Iterable[RRKey], stored: ZoneContents) -> None:
        """Take over the outcome of a batch: the sets that it removed and those that it left behind."""
        for key in gone:
            self._drop(key)
        self._lay(stored)

    def marked_hostnames(self) -> Iterable[str]:
        """Give every hostname that has a marker, anybody's."""
        for name, sets in self._sets.items():
            if RRType.TXT in sets and (hostname := hostname_of_marker(name)):
                yield hostname

    def shadow_of(self, hostname: str, domain: str) -> OpaqueSet | None:
        """Return what keeps the zone from answering for `hostname` itself, or None.

        That is a delegation (NS) at or above it and below the apex (RFC 1034 §4.2.1), or a DNAME above it, the apex
        included (RFC 6672 §2.3); of several the highest.
        """
        shadow, name = None, hostname
        while "." in name:
            for each in self._opaque.get(name, ()):
                if (each.type == "NS" and name != domain) or (each.type == "DNAME" and name != hostname):
                    shadow = each
            if name == domain:
                break
            name = name.split(".", 1)[1]
        return shadow

    def _lay(self, contents: ZoneContents) -> None:
        for key, stored in contents.sets.items():
            self._put(stored)
            if key.type is RRType.TXT and foreign_claim(stored) is not None:
                for hostname in claimed_hostnames(key.name):
                    self._claimed_at[hostname].add(key.name)  # looked up again whenever it is asked for
        opaque: dict[str, list[OpaqueSet]] = defaultdict(list)
        for each in contents.opaque:
            opaque[each.name].append(each)
        for name, found in opaque.items():
            before = self._opaque.get(name, ())
            self._opaque[name] = (*(each for each in before if each not in found), *found)
            self._size += len(self._opaque[name]) - len(before)

    def _put(self, stored: StoredSet) -> None:
        sets = self._sets[stored.rrset.name]
        self._size += stored.rrset.type not in sets
        sets[stored.rrset.type] = stored

    def _drop(self, key: RRKey) -> None:
        sets = self._sets.get(key.name, {})
        if sets.pop(key.type, None) is not None:
            self._size -= 1
        if not sets:
            self._sets.pop(key.name, None)
