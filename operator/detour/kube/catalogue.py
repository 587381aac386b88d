"""Which objects of one kind are known, and in which version: what a watch has missed is found without reading all.

Lists of metadata tell of each object its UID and its version. Who differs from what is known may be on its way through
the watch, so it is only noted; who still differs a moment later is read by itself. An object that is older than known
tells of a backup that was restored. Pure; safe in several threads only behind a lock.
"""

import enum
from collections.abc import Iterable, Mapping
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
        self._known: dict[Place, Identity] = {}
        self._doubts: dict[Place, Identity | None] = {}  # where lists differed, and what was known then

    def count(self, namespace: str | None) -> int:
        """Return how many are known, in one namespace or in all."""
        if namespace is None:
            return len(self._known)
        return sum(place.namespace == namespace for place in self._known)

    def at(self, place: Place) -> Identity | None:
        """Return which object is known there."""
        return self._known.get(place)

    # -- what is delivered -----------------------------------------------------------------------------------------

    def seen(self, raw: RawObject) -> None:
        """An object was shown."""
        self._known[place_of(raw)] = identity_of(raw)
        self._doubts.pop(place_of(raw), None)

    def gone(self, raw: RawObject) -> None:
        """The end of an object was shown."""
        self._known.pop(place_of(raw), None)
        self._doubts.pop(place_of(raw), None)

    def listed(self, raws: Iterable[RawObject], namespaces: frozenset[str] | None) -> None:
        """All objects were listed, of these namespaces or (None) of all."""
        others = self._known.items() if namespaces is not None else ()
        kept = {place: identity for place, identity in others if place.namespace not in (namespaces or ())}
        self._known = {**kept, **{place_of(raw): identity_of(raw) for raw in raws}}
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

        `version` is that of the data that the page shows: who is known in a newer one came or changed after it.
        """
        shown = {place_of(raw): identity_of(raw) for raw in raws}
        for place, identity in shown.items():
            known = self._known.get(place)
            if known != identity and not (known is not None and _is_newer(known, version)):
                self._doubts[place] = known
        for place, known in self._known.items():
            is_covered = (namespace is None or place.namespace == namespace) and after < place.key
            is_covered = is_covered and (until is None or place.key <= until)
            if is_covered and place not in shown and not _is_newer(known, version):
                self._doubts[place] = known

    def take_doubts(self) -> list[Place]:
        """Return who is to be read: noted before, and not shown by the watch since."""
        doubts, self._doubts = self._doubts, {}
        still = {place: known for place, known in doubts.items() if self._known.get(place) == known}
        self._doubts.update(still)
        return sorted(still)

    def settle(self, place: Place, found: RawObject | None) -> Finding:
        """An object in doubt was read (None: there is none): say what that means, and take it as delivered."""
        if place not in self._doubts:
            return Finding.NOTHING  # the watch, or a listing, has shown it meanwhile
        before = self._doubts.pop(place)
        if self._known.get(place) != before:
            return Finding.NOTHING
        if found is None:
            return Finding.GONE if self._known.pop(place, None) is not None else Finding.NOTHING
        identity = identity_of(found)
        if identity == before:
            return Finding.NOTHING
        self._known[place] = identity
        went_back = before is not None and identity.uid == before.uid and _is_newer(before, identity.version)
        return Finding.WENT_BACK if went_back else Finding.MISSED


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
