"""What holds of every decision, whatever the spec, the verdicts, the zones and the decision before."""

import dataclasses

import pytest
from hypothesis import HealthCheck, assume, event, given, settings

from detour.model.endpoint import AdminState, Forced
from detour.model.health import EndpointHealth, Verdict
from detour.model.record import Publish, WhenAllUnhealthy
from detour.model.rrset import RRType
from detour.planning.decision import Basis, Decision, Ruling
from detour.planning.planner import plan
from detour.planning.situation import Situation, Standing, views

from .situations import NOW, changed, contents, decided, families, fed_back, seen, situations, values_in, who

THOROUGHLY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


def decision_in(situation: Situation, now: float = NOW) -> Decision:
    """Return the decision; a situation in which nothing is decided proves nothing here."""
    decision = plan(situation, now)
    assume(isinstance(decision, Decision))
    assert isinstance(decision, Decision)
    event(decision.basis)
    return decision


def is_drained(situation: Situation, name: str) -> bool:
    endpoint = next(each for each in situation.record.endpoints if each.name == name)
    return endpoint.state is AdminState.DRAINED or endpoint.region in situation.drained_regions


def can_hold_what_it_holds(situation: Situation) -> bool:
    """Tell whether no zone holds more than its limit; outsiders may have seen to that, and the excess has to go."""
    limit = situation.value_limit
    return all(len(each.values) <= limit for sets in contents(situation).values() for each in sets)


def resolved_or_declared(situation: Situation) -> set[str]:
    record = situation.record
    if record.publish is Publish.CNAME:
        return {each.hostname for each in record.endpoints if each.hostname}
    declared = {address for each in record.endpoints for address in each.addresses}
    return declared | {
        address for each in record.endpoints if each.hostname for address, _ in situation.healths[each.name].addresses
    }


def is_waiting_for_a_resolution(situation: Situation) -> bool:
    return situation.record.publish is Publish.ADDRESS and any(
        each.hostname and not situation.healths[each.name].addresses for each in situation.record.endpoints
    )


@THOROUGHLY
@given(situations())
def test_no_zone_is_ever_decided_empty(situation: Situation) -> None:
    decision = decision_in(situation)
    assert decision.sets
    for zone, sets in decision.sets.items():
        assert zone in situation.record.zones
        assert sets
        assert all(each.values and each.name == situation.record.hostname for each in sets)
        assert all(each.ttl == situation.record.ttl for each in sets)


@THOROUGHLY
@given(situations())
def test_a_name_answers_with_addresses_or_with_one_target(situation: Situation) -> None:
    for sets in decision_in(situation).sets.values():
        kinds = [each.type for each in sets]
        if situation.record.publish is Publish.CNAME:
            assert kinds == [RRType.CNAME]
        else:
            assert set(kinds) <= {RRType.A, RRType.AAAA}
            assert len(kinds) == len(set(kinds))


@THOROUGHLY
@given(situations())
def test_only_declared_or_resolved_values_are_published(situation: Situation) -> None:
    allowed = resolved_or_declared(situation)
    if is_waiting_for_a_resolution(situation):
        allowed |= {value for sets in contents(situation).values() for value in values_in(sets)}
    assert decided(decision_in(situation)) <= allowed


def shows_who_works(situation: Situation, ruling: Ruling) -> bool:
    """Tell whether somebody who answers has been seen to work; as long as nobody has, a failure takes no place away."""
    for each in ruling.serving:
        health = situation.healths[each.endpoint]
        if health.emptiness is not None:
            continue
        works = {address for address, found in health.evidence if found.passed}
        if works if situation.record.publish is Publish.CNAME else works.intersection(each.values):
            return True
    return False


@THOROUGHLY
@given(situations(disjoint=True))
def test_an_unhealthy_or_drained_endpoint_is_published_only_as_the_last_resort(situation: Situation) -> None:
    for ruling in decision_in(situation).rulings.values():
        if ruling.basis is Basis.CHOSEN and not is_waiting_for_a_resolution(situation):
            for each in ruling.serving:
                failing = situation.healths[each.endpoint].verdict is Verdict.UNHEALTHY
                assert not failing or not shows_who_works(situation, ruling)
                assert not is_drained(situation, each.endpoint)
        if ruling.basis is Basis.SERVE_ALL:
            assert situation.record.when_all_unhealthy is WhenAllUnhealthy.SERVE_ALL
        assert ruling.serving


@THOROUGHLY
@given(situations(disjoint=True, publish=Publish.ADDRESS))
def test_no_address_known_to_fail_is_published_for_a_chosen_endpoint(situation: Situation) -> None:
    verdicts = {address: verdict for each in situation.healths.values() for address, verdict in each.addresses}
    for ruling in decision_in(situation).rulings.values():
        if ruling.basis is Basis.CHOSEN and shows_who_works(situation, ruling):
            assert all(verdicts.get(value) is not Verdict.UNHEALTHY for value in values_in(ruling.sets))


@pytest.mark.slow
@THOROUGHLY
@given(situations(disjoint=True))
def test_who_is_not_known_to_work_keeps_a_place_but_never_gains_one(situation: Situation) -> None:
    """Nor in a zone of its record by the place that it has in another one."""
    decision = decision_in(situation)
    for view in views(situation):
        places = view.published | view.on_the_way
        for ruling in (decision.rulings[zone] for zone in view.zones if zone in decision.rulings):
            for each in ruling.serving if ruling.basis is Basis.CHOSEN else ():
                health = situation.healths[each.endpoint]
                if health.verdict is not Verdict.HEALTHY:
                    stands_for = {*each.values, *(address for address, _ in health.addresses)}
                    assert stands_for & places or each.endpoint in (view.serving or ())
                    assert health.verdict is Verdict.UNKNOWN or places.intersection(each.values)
                if health.verdict is not Verdict.HEALTHY and situation.record.publish is Publish.ADDRESS:
                    healthy = {value for value, verdict in health.addresses if verdict is Verdict.HEALTHY}
                    assert values_in(ruling.sets).intersection(each.values) <= places | healthy


@THOROUGHLY
@given(situations())
def test_the_same_situation_gives_the_same_decision(situation: Situation) -> None:
    again = dataclasses.replace(
        situation,
        healths=dict(reversed(list(situation.healths.items()))),
        standings=dict(reversed(list(situation.standings.items()))),
    )
    assert plan(situation, NOW) == plan(again, NOW)


@THOROUGHLY
@given(situations())
def test_what_was_decided_stays_decided_once_it_is_published(situation: Situation) -> None:
    assume(can_hold_what_it_holds(situation))
    situation = changed(situation, serving=None)
    decision = decision_in(situation)
    after = plan(fed_back(situation, decision, restarted=False), NOW)
    assert isinstance(after, Decision)
    assert {zone: after.sets[zone] for zone in decision.sets} == decision.sets


@THOROUGHLY
@given(situations(disjoint=True))
def test_a_restart_changes_nothing(situation: Situation) -> None:
    assume(can_hold_what_it_holds(situation))
    situation = changed(situation, serving=None)
    first = decision_in(situation)
    settled = fed_back(situation, first, restarted=False)
    decision = plan(settled, NOW)
    assert isinstance(decision, Decision)
    after = plan(fed_back(settled, decision, restarted=True), NOW)
    assert isinstance(after, Decision)
    assert {zone: after.sets[zone] for zone in first.sets} == dict(first.sets)


@THOROUGHLY
@given(situations())
def test_a_decision_does_not_waver_before_it_is_written(situation: Situation) -> None:
    """Between a decision and its write the zones still hold the old values."""
    decision = decision_in(situation)
    if all(situation.healths[name].verdict is Verdict.HEALTHY for name in who(decision)):
        standings = {
            zone: dataclasses.replace(each, serving=who(decision.rulings[zone])) if zone in decision.rulings else each
            for zone, each in situation.standings.items()
        }
        after = plan(dataclasses.replace(situation, standings=standings), NOW)
        assert isinstance(after, Decision)
        assert after.sets == decision.sets


def read(situation: Situation) -> Situation:
    """Return the situation with its first zone read, and the time for first verdicts over."""
    standings = situation.standings or {situation.record.zones[0]: Standing(())}
    return dataclasses.replace(situation, standings=standings, patience_until=0.0)


def fit(situation: Situation) -> list[str]:
    """Return the endpoints that are healthy, not drained, and have something to publish."""
    found = []
    for each in situation.record.endpoints:
        health = situation.healths[each.name]
        publishable = situation.record.publish is Publish.CNAME or any(
            verdict is Verdict.HEALTHY for _, verdict in health.addresses
        )
        if health.verdict is Verdict.HEALTHY and publishable and not is_drained(situation, each.name):
            found.append(each.name)
    return found


@pytest.mark.slow
@THOROUGHLY
@given(situations(disjoint=True))
def test_hold_down_delays_failback_but_never_failover(situation: Situation) -> None:
    """Whoever is healthy serves rather than nobody, held down or not, up to the number that must serve.

    But for those whom people force down, where they force others up.
    """
    situation = read(situation)
    able = fit(situation)
    assume(able)
    decision = decision_in(situation)
    forced = {each.name: each.forced for each in situation.record.endpoints}
    if decision.basis is Basis.FORCED:
        assert Forced.UP in forced.values()
        assert all(forced[name] is Forced.DOWN for name in able)
        return
    assert decision.basis is Basis.CHOSEN
    if situation.record.publish is Publish.ADDRESS and situation.value_limit >= 20:
        assert min(len(each.serving) for each in decision.rulings.values()) >= min(
            situation.record.minimum_serving, len(able)
        )


@THOROUGHLY
@given(situations(disjoint=True))
def test_who_waits_does_not_displace_who_did_not_fail(situation: Situation) -> None:
    record = dataclasses.replace(situation.record, minimum_serving=1)
    steady = dataclasses.replace(record.endpoints[0], state=AdminState.ACTIVE)
    known = tuple((each, Verdict.HEALTHY) for each in steady.addresses or ("198.51.100.1",))
    situation = dataclasses.replace(
        read(situation),
        failback_at=None,
        record=dataclasses.replace(record, endpoints=(steady, *record.endpoints[1:])),
        healths={
            **situation.healths,
            steady.name: EndpointHealth(Verdict.HEALTHY, 0.0, addresses=known, evidence=seen(known)),
        },
        drained_regions=situation.drained_regions - {steady.region},
    )
    situation = dataclasses.replace(
        situation,
        standings={
            zone: dataclasses.replace(each, serving=each.serving or frozenset())
            for zone, each in situation.standings.items()
        },
    )
    decision = decision_in(situation)
    assert decision.basis is Basis.CHOSEN
    if is_waiting_for_a_resolution(situation):
        return
    for view in views(situation):
        for zone in view.zones:
            for each in decision.rulings[zone].serving:
                health = situation.healths[each.endpoint]
                held = health.failed_at is not None and health.since + record.failback.hold_down > NOW
                assert not held or each.endpoint in (view.serving or ())


@pytest.mark.slow
@THOROUGHLY
@given(situations(publish=Publish.ADDRESS))
def test_no_zone_gets_more_values_of_a_family_than_all_can_hold(situation: Situation) -> None:
    for zone, sets in decision_in(situation).sets.items():
        for family, count in families(values_in(sets)).items():
            held = families(values_in(contents(situation).get(zone, ())) & values_in(sets)).get(family, 0)
            assert count <= max(situation.value_limit, held)


@THOROUGHLY
@given(situations())
def test_where_last_is_kept_no_zone_is_touched_that_was_not_read(situation: Situation) -> None:
    decision = decision_in(situation)
    for zone, ruling in decision.rulings.items():
        assert ruling.basis is not Basis.KEEP_LAST or zone in contents(situation)


@THOROUGHLY
@given(situations())
def test_a_held_decision_says_when_to_look_again_and_that_lies_ahead(situation: Situation) -> None:
    decision = decision_in(situation)
    assert decision.reason
    if decision.decide_again_at is not None:
        assert decision.decide_again_at > NOW
