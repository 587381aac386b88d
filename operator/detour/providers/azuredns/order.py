"""In which order the changes of a batch are made, one by one, and what has to be sure before the first."""

from collections.abc import Iterable

from detour.enactment.contract import Change, StoredSet
from detour.model.names import marker_name
from detour.model.rrset import RRKey, RRType

OTHER_FAMILY = {RRType.A: RRType.AAAA, RRType.AAAA: RRType.A}


def families_first(changes: Iterable[Change]) -> list[Change]:
    """Return the changes as given, but an address family that a name gets or keeps before the one that it loses."""
    by_key = {change.key: change for change in changes}
    ordered: dict[RRKey, Change] = {}
    for key, change in by_key.items():
        other = by_key.get(RRKey(key.name, OTHER_FAMILY.get(key.type, key.type)))
        if change.new is None and other is not None and other.new is not None:
            ordered.setdefault(other.key, other)
        ordered.setdefault(key, change)
    return list(ordered.values())


def family_that_stays(change: Change, changes: Iterable[Change]) -> RRKey | None:
    """Return the other address family of a name that loses one, where it stays or is written by the same batch."""
    if change.new is not None:
        return None
    if change.beside is not None:
        return change.beside.rrset.key
    other = RRKey(change.key.name, OTHER_FAMILY.get(change.key.type, change.key.type))
    return next((each.key for each in changes if each.key == other and each.new is not None), None)


def markers_that_go(changes: Iterable[Change]) -> dict[RRKey, StoredSet]:
    """Return the marker that goes with a name, by the first of the name's sets to be deleted."""
    gone = {change.key: change.old for change in changes if change.new is None and change.old is not None}
    first: dict[str, RRKey] = {}
    for key in gone:
        first.setdefault(key.name, key)
    return {key: found for name, key in first.items() if (found := gone.get(RRKey(marker_name(name), RRType.TXT)))}


def first_publications(changes: Iterable[Change]) -> list[Change]:
    """Return the sets to be created for names that get their marker along with them, which must not be there yet.

    The marker comes first; beside a set that somebody else has put there meanwhile it would make that one ours.
    """
    created = [change for change in changes if change.old is None]
    markers = {change.key.name for change in created if change.key.type is RRType.TXT}
    return [change for change in created if marker_name(change.key.name) in markers]
