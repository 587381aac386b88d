"""Putting together what a provider has read."""

from collections.abc import Collection, Iterable

from detour.enactment.contract import OpaqueSet, StoredSet, ZoneContents
from detour.model.rrset import RRKey


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
