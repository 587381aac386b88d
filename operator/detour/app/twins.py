"""Several DNSZones for one zone at a provider: one of them is written, for all.

Which one that is must not change by itself, nor by what a stranger declares. So first comes the namespace whose DNSZone
was at work there first, and within a namespace the older DNSZone. One that is deleted and made anew, as some tools do
to change an object, is the same one: its age alone would hand its names over to a stranger who waits.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from detour.app.zonekeeper import Identity
from detour.model.record import ObjectKey

MADE_ANEW_WITHIN = 3600.0
"""Seconds within which a DNSZone that was deleted and declared again is the one that it was."""


@dataclass(slots=True)
class _Work:
    """Since when a DNSZone is known to have been at work for a zone, and when it went, if it did (engine seconds)."""

    since: float
    gone_at: float | None = None


class Twins:
    """Keeps which zone at a provider each DNSZone stands for. `clock` gives engine seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._identities: dict[ObjectKey, Identity] = {}
        self._work: dict[tuple[Identity, ObjectKey], _Work] = {}
        self._older: dict[ObjectKey, ObjectKey] = {}

    def stands_for(self, key: ObjectKey, identity: Identity | None) -> bool:
        """A DNSZone stands for this zone (None: for none that it could write); tell whether that is news."""
        if self._identities.get(key) == identity:
            return False
        self.remove(key)
        if identity is not None:
            self._identities[key] = identity
            work = self._work.get((identity, key))
            if work is not None and work.gone_at is not None and self._clock() - work.gone_at > MADE_ANEW_WITHIN:
                del self._work[identity, key]
        return True

    def remove(self, key: ObjectKey) -> bool:
        """A DNSZone is gone, or stands for nothing; tell whether it stood for a zone."""
        identity = self._identities.pop(key, None)
        if identity is not None and (work := self._work.get((identity, key))) is not None:
            work.gone_at = self._clock()
        return identity is not None

    def at_work(self, key: ObjectKey, *, since: float | None = None) -> None:
        """A DNSZone is at work, `since` then (engine seconds) if not just now."""
        if (identity := self._identities.get(key)) is not None:
            self._work.setdefault((identity, key), _Work(self._clock() if since is None else since))

    def namesakes_of(self, key: ObjectKey) -> list[ObjectKey]:
        """Return the other DNSZones that stand for the same zone."""
        identity = self._identities.get(key)
        return sorted(other for other, each in self._identities.items() if each == identity and other != key)

    def of(self, key: ObjectKey) -> list[ObjectKey]:
        """Return the DNSZones that `key` is written for beside itself."""
        return [other for other, first in self._older.items() if first == key]

    def first_for(self, key: ObjectKey) -> ObjectKey:
        """Return the DNSZone that is written for `key`: another one, where both stand for the same zone."""
        return self._older.get(key, key)

    def look(self, created: Mapping[ObjectKey, str]) -> set[ObjectKey]:
        """Find out anew which ones are written; return those for which it is another one than before.

        `created` are the times of their creation, as they are written in the objects.
        """
        groups: dict[Identity, list[ObjectKey]] = {}
        for key in created:
            if (identity := self._identities.get(key)) is not None:
                groups.setdefault(identity, []).append(key)
        older: dict[ObjectKey, ObjectKey] = {}
        for identity, group in groups.items():
            first = self._first(identity, group, created) if len(group) > 1 else group[0]
            older |= {key: first for key in group if key != first}
        changed = {key for key in {*older, *self._older} if older.get(key) != self._older.get(key)}
        self._older = older
        return changed

    def _first(self, identity: Identity, group: Iterable[ObjectKey], created: Mapping[ObjectKey, str]) -> ObjectKey:
        since: dict[str, float] = {}
        for key in group:
            work = self._work.get((identity, key))
            known = work.since if work is not None else math.inf
            since[key.namespace] = min(known, since.get(key.namespace, math.inf))
        return min(group, key=lambda key: (since[key.namespace], created[key], key))
