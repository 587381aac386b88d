"""Putting together what a provider has read, and what it is to be sure of."""

from collections.abc import Collection, Iterable, Sequence

from detour.enactment.contract import Change, OpaqueSet, StoredSet, ZoneContents
from detour.model.rrset import RRKey
from detour.providers.translation import OddAnswerError


def gathered(found: Iterable[StoredSet | OpaqueSet]) -> ZoneContents:
    """Return the contents made of `found`."""
    sets: dict[RRKey, StoredSet] = {}
    opaque: list[OpaqueSet] = []
    for each in found:
        if isinstance(each, StoredSet):
            sets[each.rrset.key] = each
        else:
            opaque.append(each)
    return ZoneContents(sets, tuple(opaque))


def only_at(names: Collection[str], contents: ZoneContents) -> ZoneContents:
    """Return the part of `contents` that lies at exactly `names`."""
    wanted = set(names)
    return ZoneContents(
        {key: each for key, each in contents.sets.items() if key.name in wanted},
        tuple(each for each in contents.opaque if each.name in wanted),
    )


def kept_beside(changes: Sequence[Change]) -> tuple[StoredSet, ...]:
    """Return the sets that must stand, and stay, for the removals among `changes`; none that is itself changed."""
    changed = {change.key for change in changes}
    found = {each.beside.rrset.key: each.beside for each in changes if each.beside is not None}
    return tuple(each for key, each in found.items() if key not in changed)


def whole_zone(found: Iterable[StoredSet | OpaqueSet], domain: str) -> ZoneContents:
    """Return the contents of the zone `domain`, which was read to its end.

    Raises OddAnswerError where the apex has no SOA or no NS: every zone has both (RFC 1034 §4.2.1), so whatever that
    was, it was no reading of a zone, and nobody may conclude from it that a name is empty.
    """
    contents = gathered(found)
    missing = {"SOA", "NS"} - {each.type for each in contents.opaque if each.name == domain}
    if missing:
        raise OddAnswerError(
            f"the answer is no reading of the zone: {domain} has no {' and no '.join(sorted(missing))}"
        )
    return contents
