"""What a name must answer: an independent reading of what people declared and of how the places really are.

The product has a planner of its own, with verdicts, memory and a gate. This shares nothing with it but the model's
values, so that a mistake there is not made twice. It is small because it knows the truth: a place is up or down.

    a person took it out        the place does not answer, while another one can
    a person pinned             what the pinned revision held, as far as it is still declared
    somebody is up              Priority: the best tier, and the next ones until `minServing` places answer
                                MultiValue: everybody who is up; of each place only the addresses that work
    nobody is up                KeepLast: what is published and still declared; ServeAll: everybody
    a failed place is up again  waits for its hold-down, or for a person, as long as enough others answer
"""

import enum
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations

from detour.model.endpoint import AdminState, Endpoint, Forced
from detour.model.record import FailbackMode, Publish, Record, Strategy, WhenAllUnhealthy
from detour.model.rrset import RRset, RRType, address_sets

Values = frozenset[str]


class Flaw(enum.Enum):
    """What is wrong with an answer, the gravest first."""

    EMPTY = "has no answer"
    PINNED = "does not answer with what a person pinned"
    TAKEN_OUT = "answers with a place that a person took out"
    UNDECLARED = "answers with what nobody declares"
    DEAD = "answers with a place that is down, while another one is up"
    REGION = "answers from a region that is failing as a whole, while a place elsewhere is up"
    NOT_EVERYBODY = "does not answer with everybody, though nobody is up"
    NOT_BEST = "does not answer with the places that it should"


@dataclass(frozen=True, slots=True)
class Truth:
    """How things are: the addresses that do not work, the regions that are drained, what endpoint hostnames lead to."""

    failing: Collection[str] = frozenset()
    drained: Collection[str] = frozenset()
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """One endpoint: all that it may answer with, what of it works, and whether a person took it out, or forced it."""

    name: str
    region: str
    tier: int
    values: Values
    working: Values
    is_out: bool
    forced: Forced | None = None

    @property
    def is_up(self) -> bool:
        return bool(self.working) and not self.is_out


def places(record: Record, truth: Truth) -> tuple[Place, ...]:
    """Return the places of a record as they are."""
    return tuple(_place(record, each, truth) for each in record.endpoints)


def _place(record: Record, endpoint: Endpoint, truth: Truth) -> Place:
    addresses = endpoint.addresses or truth.names.get(endpoint.hostname or "", ())
    alive = frozenset(each for each in addresses if each not in truth.failing)
    values = frozenset(addresses)
    if record.publish is Publish.CNAME and endpoint.hostname is not None:
        values = frozenset([endpoint.hostname])
        alive = values if alive else frozenset()
    is_out = endpoint.state is AdminState.DRAINED or endpoint.region in truth.drained
    tier = endpoint.priority if record.strategy is Strategy.PRIORITY else 0
    return Place(endpoint.name, endpoint.region, tier, values, alive, is_out, endpoint.forced)


def first_choice(record: Record, truth: Truth) -> Values:
    """Return what the name must answer with where everything has come to rest; empty where nobody is up."""
    up = [each for each in places(record, truth) if each.is_up]
    fit = [each for each in up if each.forced is not Forced.DOWN] or up
    return next(iter(_answers(record, _best(record, fit))), Values())


def permitted(
    record: Record, truth: Truth, *, failed: Collection[str], published: Values, flapping: Collection[str] = ()
) -> Iterator[Values]:
    """Give every answer that is right while somebody is up.

    Where a person has to ask for a failback each place that `failed` once and is not `published` may wait, elsewhere
    one that is `flapping`, as long as enough others answer.
    """
    up = [each for each in places(record, truth) if each.is_up]
    waits = set(failed if record.failback.mode is FailbackMode.MANUAL else flapping)
    may_wait = [each for each in up if each.values & waits and not each.values & published]
    enough = min(record.minimum_serving, len(up))
    for waiting in _subsets(may_wait):
        chosen = _best(record, [each for each in up if each not in waiting])
        if chosen and len(chosen) >= enough:
            yield from _answers(record, chosen)


def _best(record: Record, ready: Collection[Place]) -> list[Place]:
    """Return the best tier, and the next ones until enough places answer."""
    chosen: list[Place] = []
    for tier in sorted({each.tier for each in ready}):
        if chosen and len(chosen) >= record.minimum_serving:
            break
        chosen += [each for each in ready if each.tier == tier]
    return chosen


def _answers(record: Record, chosen: Collection[Place]) -> Iterator[Values]:
    """Give what these places answer with: all of it together, or of several canonical names any one."""
    if record.publish is Publish.CNAME:
        yield from (each.working for each in chosen)
    else:
        yield frozenset(value for each in chosen for value in each.working)


def everybody(record: Record, truth: Truth) -> Values:
    """Return what answers where nobody is up and everybody shall: who is not taken out, else all."""
    found = places(record, truth)
    present = [each for each in found if not each.is_out and each.values] or found
    return frozenset(value for each in present for value in each.values)


def as_sets(record: Record, values: Values) -> tuple[RRset, ...]:
    """Return the sets that carry these values as declared: by family, or as a CNAME, with the declared TTL."""
    if record.publish is Publish.CNAME:
        return tuple(RRset(record.hostname, RRType.CNAME, record.ttl, (each,)) for each in sorted(values))
    return address_sets(record.hostname, record.ttl, sorted(values))


def flaw(
    record: Record,
    truth: Truth,
    answers: Values,
    *,
    pinned: Values = frozenset(),
    failed: Collection[str] = (),
    flapping: Collection[str] = (),
    leaving: Collection[str] = (),
) -> Flaw | None:
    """Return what is wrong with what a name answers, None where nothing is.

    `pinned` are the values of the revision that a person pinned; `failed` the addresses that ever failed, `flapping`
    those that may have changed too often for the record; regions that are `leaving` fail as a whole.
    """
    found = places(record, truth)
    declared = frozenset(value for each in found for value in each.values)
    if not answers:
        return Flaw.EMPTY
    if held := pinned & declared:
        return None if answers == held else Flaw.PINNED
    up = [each for each in found if each.is_up]
    fit = [each for each in up if each.forced is not Forced.DOWN]
    vouched = frozenset(
        value for each in found if each.forced is Forced.UP and not each.is_out for value in each.values
    )
    if not fit and vouched:
        return None if answers <= vouched else Flaw.NOT_BEST
    if not up:
        return _last_resort(record, truth, answers, declared)
    if fit:
        record = _without_those_forced_down(record)
    present = frozenset(value for each in found if not each.is_out for value in each.values)
    out = frozenset(value for each in found if each.is_out for value in each.values)
    if answers & (out - present):
        return Flaw.TAKEN_OUT
    if answers - declared:
        return Flaw.UNDECLARED
    if answers - frozenset(value for each in up for value in each.working):
        return Flaw.DEAD
    if outside := [each for each in up if each.region not in leaving]:
        elsewhere = frozenset(value for each in outside for value in each.values)
        if answers & (frozenset(value for each in up for value in each.values) - elsewhere):
            return Flaw.REGION
        truth = replace(truth, drained={*truth.drained, *leaving})
    rights = permitted(record, truth, failed=failed, published=answers, flapping=flapping)
    return None if answers in rights else Flaw.NOT_BEST


def _without_those_forced_down(record: Record) -> Record:
    """Return a record as it is to be served while somebody is up who is not forced down."""
    drained = AdminState.DRAINED
    endpoints = (replace(each, state=drained) if each.forced is Forced.DOWN else each for each in record.endpoints)
    return replace(record, endpoints=tuple(endpoints))


def _last_resort(record: Record, truth: Truth, answers: Values, declared: Values) -> Flaw | None:
    """Return what is wrong where nobody is up: KeepLast keeps what is declared, ServeAll has everybody answer."""
    if answers - declared and answers & declared:
        return Flaw.UNDECLARED
    if record.when_all_unhealthy is WhenAllUnhealthy.SERVE_ALL and answers != everybody(record, truth):
        return Flaw.NOT_EVERYBODY
    return None


def _subsets(found: Collection[Place]) -> Iterable[tuple[Place, ...]]:
    return (subset for size in range(len(found) + 1) for subset in combinations(found, size))
