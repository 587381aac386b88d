"""Several DNSZones for one zone at a provider: one of them is written, for all.

Which one that is must not change by itself, nor by what a stranger declares. So first comes the namespace whose DNSZone
was at work there first, and within a namespace the older DNSZone. One that is deleted and made anew, as some tools do
to change an object, is the same one: its age alone would hand its names over to a stranger who waits.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from detour.engine.zonekeeper import Identity
from detour.model.record import ObjectKey

MADE_ANEW_WITHIN = 3600.0
"""Seconds within which a DNSZone that was deleted and declared again is the one that it was."""


@dataclass(slots=True)
class _Work:
    """Since when a DNSZone is known to have been at work for a zone, and when it went, if it did (engine seconds)."""

    since: float
    gone_at: float | None = None

    def ended_before(self, at: float) -> bool:
        """Tell whether it went before `at`."""
        return self.gone_at is not None and self.gone_at < at


class Twins:
    """Keeps which zone at a provider each DNSZone stands for. `clock` gives engine seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._identities: dict[ObjectKey, Identity] = {}
        self._standing: dict[Identity, set[ObjectKey]] = {}
        self._last_found: dict[ObjectKey, Identity] = {}  # also of those that cannot be opened any more
        self._found: dict[Identity, set[ObjectKey]] = {}
        self._shared: set[Identity] = set()
        self._work: dict[tuple[Identity, ObjectKey], _Work] = {}
        self._first_for: dict[ObjectKey, ObjectKey] = {}

    def stands_for(self, key: ObjectKey, identity: Identity | None) -> bool:
        """A DNSZone stands for this zone (None: for none that it could write); tell whether that is news."""
        if self._identities.get(key) == identity:
            return False
        self._stands_for_none(key)
        if identity is not None:
            self._find(key, identity)
            self._identities[key] = identity
            self._stand(identity, self._standing.get(identity, set()) | {key})
            work = self._work.get((identity, key))
            if work is not None and work.ended_before(self._clock() - MADE_ANEW_WITHIN):
                del self._work[identity, key]
        return True

    def remove(self, key: ObjectKey) -> bool:
        """A DNSZone is gone; tell whether it stood for a zone."""
        self._find(key, None)
        return self._stands_for_none(key)

    def _find(self, key: ObjectKey, identity: Identity | None) -> None:
        before = self._last_found.pop(key, None)
        if before is not None:
            self._found[before].discard(key)
            if not self._found[before]:
                del self._found[before]
        if identity is not None:
            self._last_found[key] = identity
            self._found.setdefault(identity, set()).add(key)

    def _stands_for_none(self, key: ObjectKey) -> bool:
        identity = self._identities.pop(key, None)
        if identity is not None:
            self._stand(identity, self._standing[identity] - {key})
        if identity is not None and (work := self._work.get((identity, key))) is not None:
            self._forget_work_long_done()
            work.gone_at = self._clock()
        return identity is not None

    def _forget_work_long_done(self) -> None:
        for place in [each for each, work in self._work.items() if work.ended_before(self._clock() - MADE_ANEW_WITHIN)]:
            del self._work[place]

    def _stand(self, identity: Identity, keys: set[ObjectKey]) -> None:
        self._standing[identity] = keys
        if not keys:
            del self._standing[identity]
        (self._shared.add if len(keys) > 1 else self._shared.discard)(identity)

    @property
    def namesakes(self) -> list[ObjectKey]:
        """The DNSZones that do not stand alone for their zone."""
        return [key for identity in self._shared for key in self._standing[identity]]

    def at_work(self, key: ObjectKey, *, since: float | None = None) -> None:
        """A DNSZone is at work, `since` then (engine seconds) if not just now."""
        if (identity := self._identities.get(key)) is not None:
            self._work.setdefault((identity, key), _Work(self._clock() if since is None else since))

    def namesakes_of(self, key: ObjectKey) -> list[ObjectKey]:
        """Return the other DNSZones that stand for the same zone, or did when they could be opened last."""
        identity = self._last_found.get(key)
        return sorted(self._found[identity] - {key}) if identity is not None else []

    def of(self, key: ObjectKey) -> list[ObjectKey]:
        """Return the DNSZones that `key` is written for beside itself."""
        return [other for other, first in self._first_for.items() if first == key]

    def first_for(self, key: ObjectKey) -> ObjectKey:
        """Return the DNSZone that is written for `key`: another one, where both stand for the same zone."""
        return self._first_for.get(key, key)

    def look(self, created: Callable[[ObjectKey], str]) -> set[ObjectKey]:
        """Find out anew which ones are written; return those for which it is another one than before.

        `created` gives the time of a DNSZone's creation, as it is written in the object.
        """
        first_for: dict[ObjectKey, ObjectKey] = {}
        for identity in self._shared:
            group = self._standing[identity]
            first = self._first(identity, group, created)
            first_for |= {key: first for key in group if key != first}
        changed = {key for key in {*first_for, *self._first_for} if first_for.get(key) != self._first_for.get(key)}
        self._first_for = first_for
        return changed

    def _first(self, identity: Identity, group: Iterable[ObjectKey], created: Callable[[ObjectKey], str]) -> ObjectKey:
        since: dict[str, float] = {}
        for key in group:
            work = self._work.get((identity, key))
            known = work.since if work is not None else math.inf
            since[key.namespace] = min(known, since.get(key.namespace, math.inf))
        return min(group, key=lambda key: (since[key.namespace], created(key), key))
