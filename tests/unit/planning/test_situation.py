"""Which zones of a record are decided for together, and which of them a newcomer goes with."""

import dataclasses

import pytest

from detour.model.endpoint import Endpoint
from detour.model.health import EndpointHealth, Verdict
from detour.model.rrset import RRset, address_sets
from detour.planning.decision import Decision, Undecided
from detour.planning.planner import plan
from detour.planning.rotation import AT_REST
from detour.planning.situation import Situation, Standing, views

from .situations import HOSTNAME, NOW, ZONES, record, seen, values_in

FIRST, SECOND, THIRD = ZONES
OLD, NEW, OTHER = "192.0.2.1", "192.0.2.2", "192.0.2.3"
ENDPOINTS = (
    Endpoint("old", "aws-us-east-1", addresses=(OLD,), priority=1),
    Endpoint("new", "azure-westeurope", addresses=(NEW,), priority=2),
)


def sets(*values: str) -> tuple[RRset, ...]:
    return address_sets(HOSTNAME, 30, values)


def follows(*values: str) -> Standing:
    """Return how a record stands where the zone holds what was decided for it."""
    return Standing(sets(*values), frozenset({"new"}), frozenset(values), frozenset(values))


def stays_behind(*values: str) -> Standing:
    """Return how a record stands where something else was decided than the zone is given."""
    return Standing(sets(*values), frozenset({"old"}), frozenset({OTHER}), frozenset(values))


def situation(old: Verdict = Verdict.UNKNOWN, **standings: Standing) -> Situation:
    places = {"first": FIRST, "second": SECOND, "third": THIRD}
    healths = {
        name: EndpointHealth(verdict, 0.0, addresses=((value, verdict),), evidence=seen(((value, verdict),), NOW - 9))
        for name, value, verdict in (("old", OLD, old), ("new", NEW, Verdict.HEALTHY))
    }
    return Situation(
        record=record(*ENDPOINTS, zones=ZONES),
        healths=healths,
        drained_regions=frozenset(),
        standings={places[name]: each for name, each in standings.items()},
        value_limit=20,
        patience_until=0.0,
    )


def elsewhere(*values: str) -> Standing:
    """Return how a record stands in a zone that another site writes."""
    return Standing(sets(*values), in_force=False)


@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.UNHEALTHY])
@pytest.mark.parametrize("stale", [elsewhere(OLD), stays_behind(OLD), Standing(sets(OLD))])
def test_a_newcomer_goes_with_a_zone_that_follows_whatever_others_show(stale: Standing, verdict: Verdict) -> None:
    known = situation(verdict, first=stale, second=follows(NEW), third=Standing(()))
    assert [each.zones for each in views(known) if THIRD in each.zones] == [(SECOND, THIRD)]
    decision = plan(known, NOW)
    assert isinstance(decision, Decision)
    assert values_in(decision.rulings[THIRD].sets) == {NEW}


def test_where_none_follows_it_goes_with_one_that_was_decided_for() -> None:
    known = situation(first=Standing(sets(OLD)), second=stays_behind(NEW), third=Standing(()))
    assert [each.zones for each in views(known) if THIRD in each.zones] == [(SECOND, THIRD)]


def test_newcomers_alone_are_decided_for_together() -> None:
    assert [each.zones for each in views(situation(first=Standing(()), second=Standing(())))] == [(FIRST, SECOND)]


def test_nothing_is_decided_for_a_zone_that_is_not_in_force_or_not_read() -> None:
    decision = plan(situation(first=elsewhere(OLD), second=follows(NEW)), NOW)
    assert isinstance(decision, Decision)
    assert set(decision.rulings) == {SECOND}
    outcome = plan(situation(first=elsewhere(OLD)), NOW)
    assert isinstance(outcome, Undecided)
    assert outcome.zones == set(ZONES)


def test_a_balancers_turn_is_not_spent_on_a_zone_that_another_site_keeps() -> None:
    balancer = Endpoint("new", "azure-westeurope", hostname="lb.example.net", priority=2)
    known = situation(Verdict.UNHEALTHY, first=elsewhere(NEW, OTHER), second=follows(NEW))
    addresses = tuple((each, Verdict.HEALTHY) for each in (NEW, "192.0.2.4"))
    known = dataclasses.replace(
        known,
        record=dataclasses.replace(known.record, endpoints=(ENDPOINTS[0], balancer)),
        healths={
            **known.healths,
            "new": EndpointHealth(
                Verdict.HEALTHY,
                0.0,
                addresses=(*addresses, (OTHER, Verdict.HEALTHY)),
                evidence=seen((*addresses, (OTHER, Verdict.HEALTHY))),
                has_passed=True,
                fading=frozenset({OTHER, "192.0.2.4"}),
            ),
        },
    )
    decision = plan(known, NOW)
    assert isinstance(decision, Decision)
    assert values_in(decision.rulings[SECOND].sets) == {NEW}
    assert decision.turning == AT_REST, "the zone that is ours has all that it should"
