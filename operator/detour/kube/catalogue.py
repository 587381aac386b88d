"""Which objects of one kind are known, and in which version: what a watch has missed is found without reading all.

Lists of metadata tell of each object its UID and its version. Who differs from what is known may be on its way through
the watch, so it is only noted; who still differs a moment later is read by itself. An object that is older than known
tells of a backup that was restored. Pure; safe in several threads only behind a lock.
"""

import enum
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple

from detour.model.objects import RawObject


class Place(NamedTuple):
    """Where an object is, in the order of lists; the namespace is empty for kinds that have none."""

    namespace: str
    name: str

    @property
    def key(self) -> str:
        """What lists are ordered by."""
        return f"{self.namespace}/{self.name}"


class Identity(NamedTuple):
    """Which object it is, and in which version."""

    uid: str
    version: str


class Finding(enum.Enum):
    """What became of a difference once the object was read."""

    NOTHING = "there is none any more"
    MISSED = "the watch has not shown this state"
    GONE = "the watch has not shown that the object is gone"
    WENT_BACK = "the object is older than it was seen: a backup was restored"


class Catalogue:
    """The objects of one kind as they were delivered last."""

    def __init__(self) -> None:
        self._known: dict[str, dict[Place, Identity]] = {}  # by namespace
        self._in_order: dict[str | None, list[Place]] = {}  # who was known when the first page was compared last
        self._unsure: set[Place] = set()  # whom the watch had shown otherwise than a listing that came after it
        self._doubts: dict[Place, Identity | None] = {}  # where lists differed, and what was known then

    def count(self, namespace: str | None) -> int:
        """Return how many are known, in one namespace or in all."""
        return sum(map(len, self._of(namespace)))

    def at(self, place: Place) -> Identity | None:
        """Return which object is known there."""
        return self._known.get(place.namespace, {}).get(place)

    def _of(self, namespace: str | None) -> Collection[Mapping[Place, Identity]]:
        return self._known.values() if namespace is None else (self._known.get(namespace, {}),)

    def knows(self, raw: RawObject) -> bool:
        """Tell whether an object was delivered last in this very state, and nothing has differed since."""
        place = place_of(raw)
        return place not in self._doubts and place not in self._unsure and self.at(place) == identity_of(raw)

    # -- what is delivered -----------------------------------------------------------------------------------------

    def seen(self, raw: RawObject) -> None:
        """An object was shown."""
        self._know(place_of(raw), identity_of(raw))
        self._doubts.pop(place_of(raw), None)

    def gone(self, raw: RawObject) -> None:
        """The end of an object was shown."""
        self._forget(place_of(raw))
        self._doubts.pop(place_of(raw), None)

    def _know(self, place: Place, identity: Identity) -> None:
        self._known.setdefault(place.namespace, {})[place] = identity
        self._unsure.discard(place)

    def _forget(self, place: Place) -> bool:
        known = self._known.get(place.namespace, {})
        was_known = known.pop(place, None) is not None
        self._unsure.discard(place)
        if not known:
            self._known.pop(place.namespace, None)
        return was_known

    def listed(self, raws: Iterable[RawObject], namespaces: frozenset[str] | None) -> None:
        """All objects were listed, of these namespaces or (None) of all.

        Whoever takes the listing in may go by what the watch has shown meanwhile, of those that differ.
        """
        before = self._known
        others = self._known.items() if namespaces is not None else ()
        self._known = {each: known for each, known in others if each not in (namespaces or ())}
        self._unsure = {each for each in self._unsure if each.namespace in self._known}
        for raw in raws:
            place, identity = place_of(raw), identity_of(raw)
            self._know(place, identity)
            if before.get(place.namespace, {}).get(place, identity) != identity:
                self._unsure.add(place)
        self._doubts.clear()

    # -- what lists of metadata say --------------------------------------------------------------------------------

    def compare(
        self,
        raws: Iterable[RawObject],
        *,
        version: str,
        namespace: str | None,
        after: str = "",
        until: str | None = None,
    ) -> None:
        """Note who differs from a page of a list, which holds all from `after` on up to `until` (None: the end).

        `version` is that of the data that the page shows: who is known in a newer one came or changed after it. Who
        came to be known since the first page was compared is looked for the next time.
        """
        if not after:
            self._in_order[namespace] = sorted(chain.from_iterable(self._of(namespace)), key=_key)
        shown = {place_of(raw): identity_of(raw) for raw in raws}
        for place, identity in shown.items():
            known = self.at(place)
            if known != identity and not (known is not None and _is_newer(known, version)):
                self._doubts[place] = known
        places = self._in_order.get(namespace, [])
        first = bisect_right(places, after, key=_key)
        last = len(places) if until is None else bisect_right(places, until, key=_key)
        for place in places[first:last]:
            known = self.at(place)
            if known is not None and place not in shown and not _is_newer(known, version):
                self._doubts[place] = known

    def take_doubts(self) -> list[Place]:
        """Return who is to be read: noted before, and not shown by the watch since."""
        doubts, self._doubts = self._doubts, {}
        still = {place: known for place, known in doubts.items() if self.at(place) == known}
        self._doubts.update(still)
        return sorted(still)

    def settle(self, place: Place, found: RawObject | None) -> Finding:
        """An object in doubt was read (None: there is none): say what that means, and take it as delivered."""
        if place not in self._doubts:
            return Finding.NOTHING  # the watch, or a listing, has shown it meanwhile
        before = self._doubts.pop(place)
        if self.at(place) != before:
            return Finding.NOTHING
        if found is None:
            return Finding.GONE if self._forget(place) else Finding.NOTHING
        identity = identity_of(found)
        if identity == before:
            return Finding.NOTHING
        self._know(place, identity)
        went_back = before is not None and identity.uid == before.uid and _is_newer(before, identity.version)
        return Finding.WENT_BACK if went_back else Finding.MISSED


def _key(place: Place) -> str:
    return place.key


def place_of(raw: RawObject) -> Place:
    """Return where an object is."""
    metadata = _metadata(raw)
    return Place(str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))


def identity_of(raw: RawObject) -> Identity:
    """Return which object it is."""
    metadata = _metadata(raw)
    return Identity(str(metadata.get("uid") or ""), str(metadata.get("resourceVersion") or ""))


def _metadata(raw: RawObject) -> Mapping[str, Any]:
    metadata = raw.get("metadata") if isinstance(raw, Mapping) else None
    return metadata if isinstance(metadata, Mapping) else {}


def _is_newer(identity: Identity, version: str) -> bool:
    return identity.version.isdecimal() and version.isdecimal() and int(identity.version) > int(version)
