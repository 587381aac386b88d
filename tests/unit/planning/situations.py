"""Arbitrary situations: specs, verdicts, what the zones hold, and what was decided before.

An address has one verdict, whoever shares it, as in the engine. `disjoint` endpoints share no address, so that a
published value tells whose it is.
"""

import dataclasses
from collections.abc import Iterable, Mapping

from hypothesis import strategies as st

from detour.model.checks import CheckTiming, TCPCheck
from detour.model.endpoint import AdminState, Endpoint, Forced
from detour.model.health import EndpointHealth, Evidence, Verdict
from detour.model.record import (
    Failback,
    FailbackMode,
    ObjectKey,
    Publish,
    Record,
    Strategy,
    WhenAllUnhealthy,
)
from detour.model.rrset import RRset, RRType, address_sets, address_type
from detour.planning.decision import Decision, Ruling
from detour.planning.rotation import Turning
from detour.planning.situation import Situation, Standing

HOSTNAME = "api.example.org"
ZONES = tuple(ObjectKey("dns", name) for name in ("first", "second", "third"))
NOW = 1000.0
ADDRESSES = (*(f"192.0.2.{n}" for n in range(1, 13)), *(f"2001:db8::{n}" for n in range(1, 7)))
STRANGERS = ("203.0.113.1", "203.0.113.2", "2001:db8:ffff::1")
TARGETS = ("lb1.example.net", "lb2.example.net", "lb3.example.net", "lb4.example.net")
REGIONS = ("aws-us-east-1", "azure-westeurope", "gcp-europe-west3")
TIMING = CheckTiming(10.0, 1.0, 2.0, 3, 3)
EMPTY = Evidence(passed=False, began_at=NOW, run_since=0.0, looked_at=NOW)
"""What look-ups show of a hostname that has no address."""

VERDICTS = st.sampled_from(list(Verdict))
TIMES = st.floats(0, NOW)


def record(*endpoints: Endpoint, **changes: object) -> Record:
    """Return a record with these endpoints; `changes` replace its other fields."""
    plain = Record(
        key=ObjectKey("shop", "api"),
        uid="uid-1",
        created=1.0,
        generation=1,
        hostname=HOSTNAME,
        zones=ZONES[:1],
        ttl=30,
        publish=Publish.ADDRESS,
        endpoints=endpoints,
        probe=TCPCheck(443),
        timing=TIMING,
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]  # the fields are checked by the tests' use


def seen(addresses: Iterable[tuple[str, Verdict]], at: float = NOW) -> tuple[tuple[str, Evidence], ...]:
    """Return evidence that bears these verdicts out: each address has passed, or failed, for long and just now."""
    return tuple(
        (address, Evidence(verdict is Verdict.HEALTHY, began_at=at, run_since=0.0, looked_at=at))
        for address, verdict in addresses
        if verdict is not Verdict.UNKNOWN
    )


def values_in(sets: Iterable[RRset]) -> set[str]:
    """Return every value of `sets`."""
    return {value for each in sets for value in each.values}


def decided(decision: Decision) -> set[str]:
    """Return every value that the decision publishes anywhere."""
    return {value for sets in decision.sets.values() for value in values_in(sets)}


def alike(
    published: Mapping[ObjectKey, tuple[RRset, ...]],
    *,
    serving: frozenset[str] | None = None,
    decided: frozenset[str] = frozenset(),
    on_the_way: frozenset[str] = frozenset(),
) -> dict[ObjectKey, Standing]:
    """Return how a record stands in zones that hold these sets, and for which the same was decided."""
    return {zone: Standing(sets, serving, decided, on_the_way) for zone, sets in published.items()}


def changed(situation: Situation, **changes: object) -> Situation:
    """Return the situation with other fields. Those of `Standing` change in all zones; `published` is by zone."""
    of_zones = {name: changes.pop(name) for name in ("serving", "decided", "on_the_way") if name in changes}
    published = changes.pop("published", contents(situation))
    assert isinstance(published, Mapping)
    standings = {
        zone: dataclasses.replace(situation.standings.get(zone, Standing()), published=sets, **of_zones)
        for zone, sets in published.items()
    }
    return dataclasses.replace(situation, **{"standings": standings, **changes})  # type: ignore[arg-type]


def contents(situation: Situation) -> dict[ObjectKey, tuple[RRset, ...]]:
    """Return what the zones hold whose contents are known."""
    return {zone: each.published for zone, each in situation.standings.items() if each.published is not None}


def who(ruling: Ruling | Decision) -> frozenset[str]:
    """Return the endpoints that answer, anywhere."""
    rulings = ruling.rulings.values() if isinstance(ruling, Decision) else (ruling,)
    return frozenset(each.endpoint for one in rulings for each in one.serving)


def fed_back(situation: Situation, decision: Decision, *, restarted: bool) -> Situation:
    """Return the situation once the zones hold what was decided; after a restart nobody remembers the decision."""
    standings = dict(situation.standings)
    for zone, each in decision.rulings.items():
        values = frozenset(values_in(each.sets))
        standings[zone] = Standing(each.sets) if restarted else Standing(each.sets, who(each), values, values)
    turning = Turning() if restarted else decision.turning
    return dataclasses.replace(situation, standings=standings, turning=turning)


def _verdict_of(verdicts: list[Verdict]) -> Verdict:
    if Verdict.HEALTHY in verdicts:
        return Verdict.HEALTHY
    return Verdict.UNHEALTHY if verdicts and Verdict.UNKNOWN not in verdicts else Verdict.UNKNOWN


@st.composite
def situations(draw: st.DrawFn, *, disjoint: bool = False, publish: Publish | None = None) -> Situation:
    """Draw a situation in which anything may come together."""
    kind = publish or draw(st.sampled_from(list(Publish)))
    verdict_of = {address: draw(VERDICTS) for address in ADDRESSES}
    names = [f"e{place}" for place in range(draw(st.integers(1, 4)))]
    endpoints: list[Endpoint] = []
    healths: dict[str, EndpointHealth] = {}
    free = list(draw(st.permutations(ADDRESSES)))
    for place, name in enumerate(names):
        count = draw(st.integers(1, 4))
        addresses = tuple(free[:count]) if disjoint else tuple(draw(st.permutations(ADDRESSES))[:count])
        free = free[count:]
        by_name = kind is Publish.CNAME or draw(st.booleans())
        resolved = addresses if not by_name or draw(st.booleans()) else ()
        known = tuple((each, verdict_of[each]) for each in resolved)
        if not by_name and draw(st.booleans()) and draw(st.booleans()):
            known = ()  # not checked yet
        verdict = _verdict_of([each for _, each in known])
        if by_name and draw(st.booleans()):
            verdict = draw(st.sampled_from([Verdict.UNHEALTHY, Verdict.UNKNOWN]))  # empty, or not resolved lately
        endpoints.append(
            Endpoint(
                name,
                draw(st.sampled_from(REGIONS)),
                addresses=() if by_name else addresses,
                hostname=TARGETS[place] if by_name else None,
                priority=draw(st.integers(1, 3)),
                state=draw(st.sampled_from([AdminState.ACTIVE, AdminState.ACTIVE, AdminState.DRAINED])),
                forced=draw(st.sampled_from([None, None, None, Forced.UP, Forced.DOWN])),
            )
        )
        healths[name] = EndpointHealth(
            verdict=verdict,
            since=draw(TIMES),
            failed_at=draw(st.none() | TIMES),
            addresses=known,
            evidence=seen(known),
            emptiness=EMPTY if by_name and verdict is Verdict.UNHEALTHY else None,
            has_passed=True,
            fading=draw(st.frozensets(st.sampled_from(resolved))) if by_name and resolved else frozenset(),
        )
    zones = ZONES[: draw(st.integers(1, 3))]
    plain_choices = kind is Publish.CNAME
    return Situation(
        record=record(
            *endpoints,
            zones=zones,
            publish=kind,
            strategy=Strategy.PRIORITY if plain_choices else draw(st.sampled_from(list(Strategy))),
            minimum_serving=1 if plain_choices else draw(st.integers(1, 4)),
            when_all_unhealthy=WhenAllUnhealthy.KEEP_LAST
            if plain_choices
            else draw(st.sampled_from(list(WhenAllUnhealthy))),
            failback=Failback(draw(st.sampled_from(list(FailbackMode))), draw(st.floats(0, 600))),
            adopt=draw(st.booleans()),
        ),
        healths=healths,
        drained_regions=frozenset(draw(st.sets(st.sampled_from(REGIONS), max_size=2))),
        standings=draw(_standings(zones, names)),
        value_limit=draw(st.integers(1, 20)),
        patience_until=draw(st.sampled_from([0.0, 0.0, NOW + 5])),
        failback_at=draw(st.none() | TIMES),
        turning=Turning(draw(st.none() | st.floats(NOW - 400, NOW)), draw(st.floats(0, NOW + 1000))),
    )


@st.composite
def _standings(draw: st.DrawFn, zones: tuple[ObjectKey, ...], names: list[str]) -> dict[ObjectKey, Standing]:
    """Draw how the record stands in those of its zones that are known: the same was decided for all, or not."""
    serving = st.none() | st.frozensets(st.sampled_from(names))
    decided = st.just(frozenset[str]()) | st.frozensets(st.sampled_from(ADDRESSES), max_size=6)
    known = [zone for zone in zones if draw(st.sampled_from([True, True, False]))]
    if draw(st.booleans()):
        return {zone: Standing(draw(_published()), draw(serving), draw(decided)) for zone in known}
    same = draw(serving), draw(decided)
    return {zone: Standing(draw(_published()), *same) for zone in known}


@st.composite
def _published(draw: st.DrawFn) -> tuple[RRset, ...]:
    """Draw what stands at the name: nothing, addresses of anybody's, or a CNAME."""
    shape = draw(st.sampled_from(["nothing", "addresses", "addresses", "target"]))
    if shape == "nothing":
        return ()
    ttl = draw(st.sampled_from([30, 300]))
    if shape == "target":
        return (RRset(HOSTNAME, RRType.CNAME, ttl, (draw(st.sampled_from((*TARGETS, "old.example.com"))),)),)
    values = draw(st.sets(st.sampled_from((*ADDRESSES, *STRANGERS)), min_size=1, max_size=6))
    return address_sets(HOSTNAME, ttl, sorted(values))


def families(values: Iterable[str]) -> dict[RRType, int]:
    """Count addresses by family."""
    counts: dict[RRType, int] = {}
    for value in values:
        counts[address_type(value)] = counts.get(address_type(value), 0) + 1
    return counts
