"""Whether a change is an evacuation: who leaves because it failed, and who for another reason."""

import math
from dataclasses import replace

import pytest

from detour.model.endpoint import AdminState, Endpoint
from detour.model.health import EndpointHealth, Verdict
from detour.model.record import Failback, Strategy
from detour.model.rrset import RRset, address_sets
from detour.planning.decision import Basis
from detour.planning.safety.presence import Presence
from detour.planning.safety.rules import Proposal

from ..situations import record  # noqa: TID252 - the root is on no path, so a sibling is reached so

HOSTNAME = "api.example.org"
NOW = 70.0
EAST, WEST = "aws-us-east-1", "azure-westeurope"
FIRST = Endpoint(name="first", region=EAST, addresses=("192.0.2.1",), priority=1)
SECOND = Endpoint(name="second", region=WEST, addresses=("192.0.2.2",), priority=2)
HEALTHY = EndpointHealth(Verdict.HEALTHY, since=10.0)
FAILING = EndpointHealth(Verdict.UNHEALTHY, since=50.0, failed_at=50.0)
HELD_DOWN = EndpointHealth(Verdict.HEALTHY, since=60.0, failed_at=50.0)


def presence(
    first: EndpointHealth = HEALTHY,
    second: EndpointHealth = HEALTHY,
    *,
    strategy: Strategy = Strategy.PRIORITY,
    endpoints: tuple[Endpoint, ...] = (FIRST, SECOND),
    drained: frozenset[str] = frozenset(),
) -> Presence:
    of = record(*endpoints, hostname=HOSTNAME, strategy=strategy)
    return Presence(of, {"first": first, "second": second}, drained, NOW)


def sets(*addresses: str) -> tuple[RRset, ...]:
    return address_sets(HOSTNAME, 30, addresses)


def proposal(of: Presence, before: str, after: str, known: str = "", left_at: float = math.inf) -> Proposal:
    return of.proposal(
        sets(*before.split()),
        sets(*after.split()),
        shown=sets(*before.split()),
        known=dict.fromkeys(known.split(), left_at),
        basis=Basis.CHOSEN,
        is_ours=True,
    )


def test_a_region_whose_endpoint_fails_is_evacuated() -> None:
    assert proposal(presence(FAILING), "192.0.2.1", "192.0.2.2").evacuates == {EAST}


def test_so_is_one_whose_endpoint_has_recovered_and_is_held_down() -> None:
    everybody = presence(HELD_DOWN, strategy=Strategy.MULTI_VALUE)
    assert proposal(everybody, "192.0.2.1 192.0.2.2", "192.0.2.2").evacuates == {EAST}


def test_and_one_whose_endpoint_comes_and_goes_too_often_though_no_hold_down_lasts() -> None:
    flapping = replace(HELD_DOWN, changes=(40.0, 50.0, 60.0))
    for most, evacuates in ((2, {EAST}), (3, set())):
        everybody = presence(flapping, strategy=Strategy.MULTI_VALUE)
        calm = replace(everybody.record, failback=Failback(hold_down=0.0, most_changes=most))
        found = proposal(replace(everybody, record=calm), "192.0.2.1 192.0.2.2", "192.0.2.2")
        assert found.evacuates == evacuates


def test_a_region_is_evacuated_too_where_all_that_answers_of_an_endpoint_fails() -> None:
    """Its other address was not in DNS, and is not known well enough to come in."""
    two = replace(FIRST, addresses=("192.0.2.1", "2001:db8::1"))
    half = EndpointHealth(
        Verdict.UNKNOWN, since=50.0, addresses=(("192.0.2.1", Verdict.UNHEALTHY), ("2001:db8::1", Verdict.UNKNOWN))
    )
    everybody = presence(half, strategy=Strategy.MULTI_VALUE, endpoints=(two, SECOND))
    assert proposal(everybody, "192.0.2.1 192.0.2.2", "192.0.2.2").evacuates == {EAST}


def test_an_endpoint_of_which_nothing_is_known_should_stay_so_its_leaving_counts() -> None:
    unknown = EndpointHealth(Verdict.UNKNOWN, since=50.0)
    everybody = presence(unknown, strategy=Strategy.MULTI_VALUE)
    assert proposal(everybody, "192.0.2.1 192.0.2.2", "192.0.2.2").evacuates == {EAST}
    assert not proposal(presence(HEALTHY, unknown), "192.0.2.2", "192.0.2.1").evacuates


def test_a_failback_evacuates_nothing_though_the_second_best_failed_once() -> None:
    assert not proposal(presence(HEALTHY, HELD_DOWN), "192.0.2.2", "192.0.2.1").evacuates


def test_what_a_person_takes_out_is_no_evacuation() -> None:
    of_region = presence(FAILING, drained=frozenset({EAST}))
    of_endpoint = presence(FAILING, endpoints=(replace(FIRST, state=AdminState.DRAINED), SECOND))
    for each in (of_region, of_endpoint):
        change = proposal(each, "192.0.2.1", "192.0.2.2")
        assert not change.evacuates
        assert change.is_declared


def test_a_region_that_the_status_tells_of_and_the_zone_has_no_more_was_left_when_it_failed() -> None:
    change = proposal(presence(FAILING), "192.0.2.2", "192.0.2.2", known="192.0.2.1")
    assert change.absent == {EAST: 50.0}


@pytest.mark.parametrize(("left_at", "is_counted"), [(20.0, False), (49.0, True), (50.0, True), (math.inf, True)])
def test_a_region_that_was_drained_was_left_for_a_failure_only_if_that_came_first(
    left_at: float, is_counted: bool
) -> None:
    of = presence(FAILING, drained=frozenset({EAST}))
    change = proposal(of, "192.0.2.2", "192.0.2.2", known="192.0.2.1", left_at=left_at)
    assert change.absent == ({EAST: 50.0} if is_counted else {})


def test_a_region_missing_from_the_zone_counts_as_left_while_its_verdict_is_not_known() -> None:
    """The leader before took it out and was killed before it told why."""
    unknown = EndpointHealth(Verdict.UNKNOWN, since=65.0)
    of = presence(HEALTHY, unknown, strategy=Strategy.MULTI_VALUE)
    change = proposal(of, "192.0.2.1", "192.0.2.1", known="192.0.2.1 192.0.2.2")
    assert change.absent == {WEST: 65.0}


def test_a_worse_endpoint_that_gave_its_place_up_was_not_left() -> None:
    unknown = EndpointHealth(Verdict.UNKNOWN, since=65.0)
    assert not proposal(presence(HEALTHY, unknown), "192.0.2.1", "192.0.2.1", known="192.0.2.2").absent


def test_a_region_that_never_had_the_name_was_not_left() -> None:
    assert not proposal(presence(HEALTHY, FAILING), "192.0.2.1", "192.0.2.1", known="192.0.2.1").absent
