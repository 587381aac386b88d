"""What the endpoints of records say of their regions, counted as verdicts come: nothing is ever walked.

Anybody may name a region, so of each namespace a place counts once, however many records have it, and each namespace
has one vote. A place that never worked says nothing: it is the check that is wrong, more likely than the region.
"""

from collections.abc import Hashable, Iterable
from typing import NamedTuple, TypeVar

from detour.model.health import Verdict

Key = TypeVar("Key", bound=Hashable)


class Placed(NamedTuple):
    """An endpoint: its region, its verdict, the place (addresses, or the hostname), and whether it ever passed."""

    region: str
    verdict: Verdict
    place: tuple[str, ...] | str | None
    has_worked: bool


class RegionEvidence:
    """The places of each region and namespace: how many are known, and how many of these fail."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], dict[object, list[int]]] = {}  # of each: records that find it good, bad
        self._known: dict[tuple[str, str], int] = {}
        self._bad: dict[tuple[str, str], int] = {}
        self._namespaces: dict[str, int] = {}
        self._failing: dict[str, int] = {}

    def take(self, namespace: str, before: Iterable[Placed], after: Iterable[Placed]) -> set[str]:
        """Count the endpoints of a record in place of those before; return the regions whose votes that changes."""
        before, after = tuple(before), tuple(after)
        votes = {each.region: self.votes(each.region) for each in (*before, *after)}
        for placed, by in (*((each, -1) for each in before), *((each, 1) for each in after)):
            if _counts(placed):
                self._add(placed, namespace, by)
        return {region for region, found in votes.items() if found != self.votes(region)}

    def votes(self, region: str) -> tuple[int, int]:
        """Return how many namespaces know the region, and in how many of them most places fail."""
        return self._namespaces.get(region, 0), self._failing.get(region, 0)

    def _add(self, placed: Placed, namespace: str, by: int) -> None:
        where = (placed.region, namespace)
        voted = self._vote(where)
        places = self._places.setdefault(where, {})
        counts = places.setdefault(placed.place, [0, 0])
        was_known, was_bad = any(counts), counts[1] > counts[0]
        counts[placed.verdict is Verdict.UNHEALTHY] += by
        if not any(counts):
            del places[placed.place]
        _change(self._known, where, any(counts) - was_known)
        _change(self._bad, where, (counts[1] > counts[0]) - was_bad)
        if not places:
            del self._places[where]
        votes = self._vote(where)
        _change(self._namespaces, placed.region, votes[0] - voted[0])
        _change(self._failing, placed.region, votes[1] - voted[1])

    def _vote(self, where: tuple[str, str]) -> tuple[bool, bool]:
        known = self._known.get(where, 0)
        return known > 0, 2 * self._bad.get(where, 0) > known


def _counts(placed: Placed) -> bool:
    return placed.verdict is Verdict.HEALTHY or (placed.verdict is Verdict.UNHEALTHY and placed.has_worked)


def _change(counts: dict[Key, int], key: Key, by: int) -> None:
    if by:
        counts[key] = counts.get(key, 0) + by
        if not counts[key]:
            del counts[key]
