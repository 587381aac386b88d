"""Overrides: what people set above the verdicts for a while, and what comes of it. Pure.

What a person says goes in this order, and never-empty above all of it: a freeze; a pin; a drain, and what is forced
down; then the verdicts of checks; and what is forced up only where no endpoint passes.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace

from detour.model.endpoint import AdminState, Forced
from detour.model.record import ObjectKey, Record
from detour.model.region import SafetyRule

LONGEST = 7 * 86400.0
"""Seconds for which an override lasts at most."""

LEEWAY = 60.0
"""Seconds by which its end may lie later all the same: clocks differ."""


class Action(enum.StrEnum):
    """What an override does."""

    DRAIN = "Drain"
    FORCE_UP = "ForceUp"
    FORCE_DOWN = "ForceDown"
    PIN = "Pin"
    FREEZE = "Freeze"


@dataclass(frozen=True, slots=True)
class Override:
    """What a person sets, why, and until when. `created` and `expires` in seconds since the Unix epoch.

    It is about a `record` (of its own namespace) or an `endpoint` of it, about a `region`, or about a `zone`; `pin` is
    a revision. A drain may set safety `rules` aside.
    """

    key: ObjectKey
    uid: str
    generation: int
    created: float
    action: Action
    expires: float
    reason: str
    requested_by: str
    record: ObjectKey | None = None
    endpoint: str | None = None
    region: str | None = None
    zone: ObjectKey | None = None
    pin: str | None = None
    sets_aside: frozenset[SafetyRule] = frozenset()

    @property
    def lasts_too_long(self) -> bool:
        """Tell whether its end lies further from its creation than is permitted."""
        return self.expires > self.created + LONGEST + LEEWAY


def overruled(record: Record, overrides: Iterable[Override]) -> Record:
    """Return a record as the overrides that are in force make it; of several pins the newest counts."""
    found = tuple(overrides)
    if not found:
        return record
    drained = {each.endpoint for each in found if each.action is Action.DRAIN}
    down = {each.endpoint for each in found if each.action is Action.FORCE_DOWN}
    up = {each.endpoint for each in found if each.action is Action.FORCE_UP} - down
    pins = [each for each in found if each.action is Action.PIN]
    endpoints = tuple(
        replace(
            each,
            state=AdminState.DRAINED if each.name in drained else each.state,
            forced=Forced.DOWN if each.name in down else Forced.UP if each.name in up else None,
        )
        for each in record.endpoints
    )
    return replace(
        record,
        endpoints=record.endpoints if endpoints == record.endpoints else endpoints,
        suspend=record.suspend or any(each.action is Action.FREEZE for each in found),
        pin=max(pins, key=lambda each: (each.created, each.key)).pin if pins else record.pin,
    )
