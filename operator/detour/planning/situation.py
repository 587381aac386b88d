"""What a decision rests on, and how the zones of a record differ in it.

As a rule they hold the same. One that is frozen, or held, or whose provider is away does not follow the others: what it
still shows has its place there, and nowhere else. So zones that stand alike are decided for together, and no others.
For a zone that is not in force here, as another site writes it or it has not been read, nothing is decided.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from detour.model.health import EndpointHealth
from detour.model.record import ObjectKey, Publish, Record
from detour.model.rrset import RRset, RRType
from detour.planning.pace import UNLIMITED, Pace
from detour.planning.rotation import AT_REST, Turning


@dataclass(frozen=True, slots=True)
class Standing:
    """How a record stands in one zone. Two names of one hosted zone are one zone.

    `published` are the sets of its name there (none: an empty tuple), None where the zone's contents are not known;
    `in_force` tells whether this process decides there. `serving` are the endpoints that it decided for there last,
    None where it has not decided yet; of these `decided` are the values, none where what the zone holds counts instead.
    `on_the_way` are the values that were let through last, which the zone may not hold yet.
    """

    published: tuple[RRset, ...] | None = None
    serving: frozenset[str] | None = None
    decided: frozenset[str] = frozenset()
    on_the_way: frozenset[str] = frozenset()
    in_force: bool = True


UNREAD = Standing()


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision rests on. Times in seconds on the engine's clock.

    `standings` tells of the record's zones; `value_limit` is the most values that a set can have in all of them.
    `patience_until` bounds the wait for first verdicts of a record never published, and `turns_until` the wait for
    those whose checks come late and have had no turn yet; `pinned` are the values of the
    revision that a person pinned, None without a pin, and `is_pinned_whole` says that they are to be published also
    where no endpoint has them (any more); at `failback_at` a person last sent the record back, and who had recovered
    by then waits for nothing. `drained_since` tells of endpoints since when they are known to be drained;
    `turning` is what was known of addresses that rotate at the decision before; `pace` tells how fast checks may take
    places away. Places in `failing_regions` are the last to be chosen.
    """

    record: Record
    healths: Mapping[str, EndpointHealth]
    drained_regions: frozenset[str]
    standings: Mapping[ObjectKey, Standing]
    value_limit: int
    patience_until: float
    pinned: tuple[str, ...] | None = None
    is_pinned_whole: bool = False
    failback_at: float | None = None
    drained_since: Mapping[str, float] = field(default_factory=dict)
    turning: Turning = AT_REST
    turns_until: float = 0.0
    pace: Pace = UNLIMITED
    failing_regions: frozenset[str] = frozenset()

    def published(self, zone: ObjectKey) -> tuple[RRset, ...] | None:
        """Return the sets of the name in `zone`, None where that is not known."""
        return self.standings.get(zone, UNREAD).published


@dataclass(frozen=True, slots=True)
class View:
    """Zones that stand alike, and how. `published` are values of the kind that the record publishes."""

    zones: tuple[ObjectKey, ...]
    published: frozenset[str]
    serving: frozenset[str] | None
    decided: frozenset[str]
    on_the_way: frozenset[str]

    @property
    def follows(self) -> bool:
        """Tell whether these zones hold what was decided for them last."""
        return self.serving is not None and self.published == self.decided == self.on_the_way


NOTHING_YET = View((), frozenset(), None, frozenset(), frozenset())


def views(situation: Situation) -> tuple[View, ...]:
    """Return how the zones stand that are in force here, those together that stand alike.

    A zone that has nothing of the record, and was not decided for yet, goes with one that follows what is decided, if
    there is one, else with one that was decided for.
    """
    alike: dict[View, list[ObjectKey]] = {}
    newcomers: list[ObjectKey] = []
    for zone in situation.record.zones:
        standing = situation.standings.get(zone, UNREAD)
        if standing.published is None or not standing.in_force:
            continue
        values = _values(situation.record, standing.published)
        if not values and standing.serving is None:
            newcomers.append(zone)
        else:
            place = View((), values, standing.serving, standing.decided, standing.on_the_way)
            alike.setdefault(place, []).append(zone)
    if newcomers:
        model = min(alike, key=lambda each: (not each.follows, each.serving is None), default=NOTHING_YET)
        alike.setdefault(model, []).extend(newcomers)
    return tuple(replace(place, zones=tuple(zones)) for place, zones in alike.items())


def _values(record: Record, sets: tuple[RRset, ...]) -> frozenset[str]:
    """Return the values of the kind that the record publishes; a CNAME in place of addresses is no value."""
    wants_target = record.publish is Publish.CNAME
    return frozenset(value for each in sets if (each.type is RRType.CNAME) is wants_target for value in each.values)
