"""What a decision rests on, and how the zones of a record differ in it.

As a rule they hold the same. One that is frozen, or held, or whose provider is away does not follow the others: what it
still shows has its place there, and nowhere else. So zones that stand alike are decided for together, and no others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from detour.model.health import EndpointHealth
from detour.model.record import ObjectKey, Publish, Record
from detour.model.rrset import RRset, RRType
from detour.planning.rotation import AT_REST, Turning


@dataclass(frozen=True, slots=True)
class Standing:
    """How a record stands in one zone.

    `published` are the sets of its name there (none: an empty tuple), None where the zone's contents are not known.
    `serving` are the endpoints that this process decided for there last, None where it has not decided yet; of these
    `decided` are the values, none where what the zone holds counts instead. `on_the_way` are the values that were let
    through last, which the zone may not hold yet.
    """

    published: tuple[RRset, ...] | None = None
    serving: frozenset[str] | None = None
    decided: frozenset[str] = frozenset()
    on_the_way: frozenset[str] = frozenset()


UNKNOWN = Standing()


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision rests on. Times in seconds on the engine's clock.

    `standings` tells of the record's zones; `value_limit` is the most values that a set can have in all of them.
    `patience_until` bounds the wait for first verdicts of a record never published; `pinned` are the values of the
    revision that a person pinned, None without a pin, and `is_pinned_whole` says that they are to be published also
    where no endpoint has them (any more); `drained_since` tells of endpoints since when they are known to be drained;
    `turning` is what was known of addresses that rotate at the decision before.
    """

    record: Record
    healths: Mapping[str, EndpointHealth]
    drained_regions: frozenset[str]
    standings: Mapping[ObjectKey, Standing]
    value_limit: int
    patience_until: float
    pinned: tuple[str, ...] | None = None
    is_pinned_whole: bool = False
    drained_since: Mapping[str, float] = field(default_factory=dict)
    turning: Turning = AT_REST

    def published(self, zone: ObjectKey) -> tuple[RRset, ...] | None:
        """Return the sets of the name in `zone`, None where that is not known."""
        return self.standings.get(zone, UNKNOWN).published


@dataclass(frozen=True, slots=True)
class View:
    """Zones that stand alike, and how. `published` are values of the kind that the record publishes."""

    zones: tuple[ObjectKey, ...]
    published: frozenset[str]
    serving: frozenset[str] | None
    decided: frozenset[str]
    on_the_way: frozenset[str]


def views(situation: Situation) -> tuple[View, ...]:
    """Return how the record's zones stand, those together that stand alike.

    A zone that has nothing of the record, and was not decided for yet, goes with the first one that does.
    """
    alike: dict[tuple[frozenset[str], Standing], list[ObjectKey]] = {}
    newcomers: list[ObjectKey] = []
    for zone in situation.record.zones:
        standing = situation.standings.get(zone, UNKNOWN)
        values = _values(situation.record, standing.published or ())
        if not values and standing.serving is None:
            newcomers.append(zone)
        else:
            place = Standing(None, standing.serving, standing.decided, standing.on_the_way)
            alike.setdefault((values, place), []).append(zone)
    if not alike:
        alike[frozenset(), UNKNOWN] = []
    next(iter(alike.values())).extend(newcomers)
    return tuple(
        View(tuple(zones), values, place.serving, place.decided, place.on_the_way)
        for (values, place), zones in alike.items()
    )


def _values(record: Record, sets: tuple[RRset, ...]) -> frozenset[str]:
    """Return the values of the kind that the record publishes; a CNAME in place of addresses is no value."""
    wants_target = record.publish is Publish.CNAME
    return frozenset(value for each in sets if (each.type is RRType.CNAME) is wants_target for value in each.values)
