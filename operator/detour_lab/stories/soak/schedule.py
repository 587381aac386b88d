"""What befalls the stage and when, drawn from a seed: the faults that count, and the weather that goes on meanwhile.

A schedule is data. The same seed and size give the same one, so a soak that failed can be played again, as far as real
processes ever do the same thing twice. Several faults overlap; two that need the same thing never do.
"""

import enum
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self


class Kind(enum.StrEnum):
    """What can happen. The last three are weather: they go on meanwhile and don't count as faults."""

    KILL = "kill"  # SIGKILL; started again `seconds` later
    PAUSE = "pause"  # SIGSTOP, SIGCONT `seconds` later
    CLOCK = "clock"  # the wall clock of one process is an hour off for `seconds`
    API_SERVER_AWAY = "api-server-away"  # stopped, started `seconds` later
    ETCD_RESTORED = "etcd-restored"  # everything in it becomes what it was `seconds` before
    PROVIDER_ERROR = "provider-error"  # every call of a zone's API answers 500
    PROVIDER_HANG = (
        "provider-hang"  # every call hangs; in the end it is carried out, though nobody waits for it any more
    )
    LOST_ANSWERS = "lost-answers"  # what is written to the API happens, and the connection breaks
    NAME_SERVERS_LAG = "name-servers-lag"  # a zone's name server follows its API `seconds` / 2 later

    REGION = "region"  # a region fails, and recovers `seconds` later
    SERVICE = "service"  # so does one service
    EDIT = "edit"  # an outsider edits a managed name


WEATHER = frozenset((Kind.REGION, Kind.SERVICE, Kind.EDIT))
OPERATOR_KINDS = frozenset((Kind.KILL, Kind.PAUSE, Kind.CLOCK))
CONTROL_PLANE_KINDS = frozenset((Kind.API_SERVER_AWAY, Kind.ETCD_RESTORED))
PROVIDER_KINDS = frozenset((Kind.PROVIDER_ERROR, Kind.PROVIDER_HANG, Kind.LOST_ANSWERS))

LEADER, STANDBY = "leader", "standby"

RESTART = 10.0
"""Seconds that etcd and the API server may need to come back: they are brought back that much before the end."""

RETRY = 1.0
"""Seconds after which a fault that found no place is tried again."""

Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How long a soak is and how dense; everything in seconds.

    Nothing happens in the last `quiet` of its `seconds`. What isn't right then has `patience` more, so that a small one
    need not wait for as long as a busy machine may take.
    `gap` lies between the beginnings of two faults, `edits`, `outages` between those of the weather; `margin` after a
    fault before the same thing is hit again. `audit_every` and `read_every` are flags of the operator; an outsider's
    edit must be repaired within `repair_within`. Only kinds that are among `durations` happen.
    """

    seconds: float
    quiet: float
    patience: float
    gap: Range
    edits: Range
    outages: Range
    durations: Mapping[Kind, Range]
    margin: float
    audit_every: float
    read_every: float
    repair_within: float

    @classmethod
    def full(cls, minutes: float) -> Self:
        """Return the real thing: the operator's own periods, providers away for up to two minutes, 90 s of quiet."""
        return cls(
            seconds=60 * minutes,
            quiet=90.0,
            patience=0.0,
            gap=(8.0, 22.0),
            edits=(15.0, 45.0),
            outages=(40.0, 90.0),
            durations={
                Kind.KILL: (0.0, 15.0),
                Kind.PAUSE: (15.0, 75.0),
                Kind.CLOCK: (20.0, 60.0),
                Kind.API_SERVER_AWAY: (5.0, 75.0),
                Kind.ETCD_RESTORED: (20.0, 120.0),
                Kind.PROVIDER_ERROR: (20.0, 120.0),
                Kind.PROVIDER_HANG: (20.0, 120.0),
                Kind.LOST_ANSWERS: (10.0, 60.0),
                Kind.NAME_SERVERS_LAG: (10.0, 60.0),
                Kind.REGION: (20.0, 75.0),
                Kind.SERVICE: (15.0, 60.0),
            },
            margin=20.0,
            audit_every=30.0,
            read_every=600.0,
            repair_within=60.0,
        )

    @classmethod
    def small(cls, minutes: float) -> Self:
        """Return one whose periods are short, for a run of a minute or two."""
        return cls(
            seconds=60 * minutes,
            quiet=25.0,
            patience=65.0,
            gap=(2.0, 4.0),
            edits=(3.0, 8.0),
            outages=(8.0, 15.0),
            durations={
                Kind.KILL: (0.0, 2.0),
                Kind.PAUSE: (4.0, 8.0),
                Kind.CLOCK: (4.0, 8.0),
                Kind.API_SERVER_AWAY: (1.0, 4.0),
                Kind.ETCD_RESTORED: (2.0, 6.0),
                Kind.PROVIDER_ERROR: (4.0, 10.0),
                Kind.PROVIDER_HANG: (4.0, 10.0),
                Kind.LOST_ANSWERS: (3.0, 8.0),
                Kind.NAME_SERVERS_LAG: (2.0, 6.0),
                Kind.REGION: (5.0, 10.0),
                Kind.SERVICE: (4.0, 8.0),
            },
            margin=2.0,
            audit_every=2.0,
            read_every=20.0,
            repair_within=30.0,
        )


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens `at` seconds after the start, for `seconds`, to `target` (a zone, a role, a place)."""

    at: float
    kind: Kind
    seconds: float
    target: str = ""

    @property
    def until(self) -> float:
        return self.at + self.seconds

    @property
    def is_fault(self) -> bool:
        return self.kind not in WEATHER

    def __str__(self) -> str:
        return f"{self.kind} {self.target}".rstrip() + (f" for {self.seconds:.0f} s" if self.seconds else "")


@dataclass(frozen=True, slots=True)
class Places:
    """What can be hit: zones whose API can fail, regions, services as `region/service`, names as `zone/hostname`."""

    zones: Sequence[str]
    regions: Sequence[str]
    services: Sequence[str]
    names: Sequence[str]
    replicas: int


def draw(seed: int, size: Size, places: Places) -> list[Event]:
    """Return the events of a soak in order. All end, or are over, `size.quiet` seconds before its end.

    Only an outage of a region may last: the last one does, for half of all seeds, so that what is right in the end is
    not what was right at the start.
    """
    chance = random.Random(seed)
    end = size.seconds - size.quiet
    events = (
        _faults(chance, size, places, end) + _edits(chance, size, places, end) + _outages(chance, size, places, end)
    )
    return sorted(events, key=lambda event: event.at)


def _faults(chance: random.Random, size: Size, places: Places, end: float) -> list[Event]:
    kinds = [each for each in Kind if each in size.durations and each not in WEATHER]
    drawn: list[Event] = []
    deck: list[Kind] = []
    at = chance.uniform(0, size.gap[0])
    while at < end:
        deck = deck or chance.sample(kinds, len(kinds))  # every kind has its turn, or another its place
        candidates = (*deck, *chance.sample(kinds, len(kinds)))
        fitting = (_fit(chance, size, places, drawn, kind=kind, at=at, end=end) for kind in candidates)
        if (event := next(filter(None, fitting), None)) is None:
            at += RETRY  # everything is at fault already
            continue
        drawn.append(event)
        if event.kind in deck:
            deck.remove(event.kind)
        at += chance.uniform(*size.gap)
    return drawn


def _fit(
    chance: random.Random, size: Size, places: Places, others: Iterable[Event], *, kind: Kind, at: float, end: float
) -> Event | None:
    """Return an event of this kind that begins `at` and is in nobody's way, None where there is none."""
    latest = end - RESTART if kind in CONTROL_PLANE_KINDS else end
    shortest, longest = size.durations[kind]
    if at + shortest > latest:
        return None
    if kind in CONTROL_PLANE_KINDS:
        targets = [""]
    elif kind in OPERATOR_KINDS:
        targets = [LEADER, LEADER, STANDBY] if places.replicas > 1 else [LEADER]
    else:
        targets = list(places.zones)
    seconds = chance.uniform(shortest, min(longest, latest - at))
    for target in chance.sample(targets, len(targets)):
        event = Event(at, kind, seconds, target)
        if not any(_thing(each) == _thing(event) and at < each.until + size.margin for each in others):
            return event
    return None


def _thing(event: Event) -> str:
    """Return what an event needs for itself."""
    if event.kind in OPERATOR_KINDS:
        return "operators"
    if event.kind in CONTROL_PLANE_KINDS:
        return "control plane"
    return f"{'API' if event.kind in PROVIDER_KINDS else 'name server'} of {event.target}"


def _edits(chance: random.Random, size: Size, places: Places, end: float) -> list[Event]:
    drawn = []
    at = chance.uniform(*size.edits)
    while at < end:
        drawn.append(Event(at, Kind.EDIT, 0.0, chance.choice(places.names)))
        at += chance.uniform(*size.edits)
    return drawn


def _outages(chance: random.Random, size: Size, places: Places, end: float) -> list[Event]:
    """Draw regions that fail one after the other, never two at a time, and single services beside them."""
    drawn = []
    at = chance.uniform(0, size.outages[0])
    while at < end:
        region = chance.choice(places.regions)
        seconds = min(chance.uniform(*size.durations[Kind.REGION]), end - at)
        drawn.append(Event(at, Kind.REGION, seconds, region))
        service = chance.choice([each for each in places.services if not each.startswith(f"{region}/")])
        begin = at + chance.uniform(0, seconds)
        drawn.append(
            Event(begin, Kind.SERVICE, min(chance.uniform(*size.durations[Kind.SERVICE]), end - begin), service)
        )
        # The next region fails when both are well again, so that no name ever loses its last endpoint.
        at = max(event.until for event in drawn[-2:]) + chance.uniform(*size.outages)
    if drawn and chance.random() < 0.5:
        last = max((each for each in drawn if each.kind is Kind.REGION), key=lambda each: each.at)
        drawn[drawn.index(last)] = Event(last.at, last.kind, float("inf"), last.target)
    return drawn
