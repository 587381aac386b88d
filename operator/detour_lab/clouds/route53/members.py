"""Several sets of one name and type: the unit of Route 53 is name, type and SetIdentifier.

The zone's store, which a name server answers from, has one set for each name and type. So sets with an identifier
are kept together, as the members of one stored set, whose own values are what the name server says. It knows neither
weights nor places nor health, so it says what most askers hear: of weighted sets the heaviest, of failover sets the
primary one, up to eight of a multivalue answer, and otherwise the first by identifier.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from detour_lab.zones.store import RecordSet

MEMBERS = "members"
"""The member of a stored set's `extra` that has the sets it stands for."""

SPELLING = "spelling"
"""The member of a set's `extra` that has each of its values as it was sent."""

ANSWERS = 8
"""Values of a multivalue answer (developer guide, "Multivalue answer routing")."""

MemberKey = tuple[str, str, str | None]
"""Name, type and SetIdentifier, which a set without a routing policy does not have."""


def members(stored: RecordSet | None) -> tuple[RecordSet, ...]:
    """Return the sets that `stored` stands for: those that it was joined from, or itself."""
    if stored is None:
        return ()
    found: tuple[RecordSet, ...] = stored.extra.get(MEMBERS, (stored,))
    return found


def joined(sets: Iterable[RecordSet]) -> RecordSet:
    """Return the one set to store for `sets` (at least one, all of one name and type)."""
    ordered = tuple(sorted(sets, key=lambda each: identifier(each) or ""))
    if len(ordered) == 1 and identifier(ordered[0]) is None:
        return ordered[0]
    ttl, values = _answer(ordered)
    return RecordSet(ordered[0].name, ordered[0].type, ttl, values, extra={MEMBERS: ordered})


def all_members(stored: Iterable[RecordSet]) -> Iterator[RecordSet]:
    """Return every set of every stored one."""
    for each in stored:
        yield from members(each)


def identifier(each: RecordSet) -> str | None:
    found = each.extra.get("SetIdentifier")
    return None if found is None else str(found)


def member_key(each: RecordSet) -> MemberKey:
    return (each.name, each.type, identifier(each))


def described(each: RecordSet) -> Mapping[str, Any]:
    """Return what a set says of itself beside TTL and values: its policy, health check or alias."""
    return {key: value for key, value in each.extra.items() if key not in (MEMBERS, SPELLING)}


def _answer(ordered: tuple[RecordSet, ...]) -> tuple[int, tuple[str, ...]]:
    first = ordered[0]
    if "Weight" in first.extra:
        first = max(ordered, key=lambda each: int(each.extra.get("Weight", 0)))
    elif "Failover" in first.extra:
        first = next((each for each in ordered if each.extra.get("Failover") == "PRIMARY"), first)
    elif first.extra.get("MultiValueAnswer"):
        values = dict.fromkeys(value for each in ordered for value in each.values)
        return first.ttl, tuple(values)[:ANSWERS]
    return first.ttl, first.values
