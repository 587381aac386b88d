"""Decisions that people ask about, one by one."""

import dataclasses
from typing import Any

import pytest

from detour.health.damping import HOUR
from detour.model.endpoint import AdminState, Endpoint
from detour.model.health import EndpointHealth, Verdict
from detour.model.record import Failback, FailbackMode, Publish, Strategy, WhenAllUnhealthy
from detour.model.rrset import RRset, RRType, address_sets
from detour.planning.decision import Basis, Decision, Undecided
from detour.planning.planner import plan
from detour.planning.situation import Situation

from .situations import HOSTNAME, NOW, ZONES, alike, changed, decided, record, seen, who

A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"
H, U, N = Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.UNKNOWN
TIERS = (
    Endpoint("a", "aws-us-east-1", addresses=(A,), priority=1),
    Endpoint("b", "azure-westeurope", addresses=(B,), priority=2),
    Endpoint("c", "gcp-europe-west3", addresses=(C,), priority=3),
)


def health(
    *addresses: tuple[str, Verdict], verdict: Verdict | None = None, since: float = 0.0, failed_at: float | None = None
) -> EndpointHealth:
    """Return the health of an endpoint whose checks bear its verdicts out."""
    return EndpointHealth(
        verdict or addresses[0][1],
        since,
        failed_at=failed_at,
        addresses=addresses,
        evidence=seen(addresses),
        has_passed=True,
    )


def seen_again(health: EndpointHealth, at: float) -> EndpointHealth:
    """Return the health with evidence of a check that began at `at`."""
    return dataclasses.replace(health, evidence=seen(health.addresses, at))


def healths(*verdicts: Verdict, since: float = 0.0, failed_at: float | None = None) -> dict[str, EndpointHealth]:
    return {
        each.name: health(*((address, verdict) for address in each.addresses), since=since, failed_at=failed_at)
        for each, verdict in zip(TIERS, verdicts, strict=False)
    }


def situation(*verdicts: Verdict, published: tuple[str, ...] = (), **changes: object) -> Situation:
    spec = {name: changes.pop(name) for name in list(changes) if name in RECORD_FIELDS}
    plain = Situation(
        record=record(*TIERS[: len(verdicts)], **spec),
        healths=healths(*verdicts),
        drained_regions=frozenset(),
        standings=alike({ZONES[0]: address_sets(HOSTNAME, 30, published)}),
        value_limit=20,
        patience_until=0.0,
    )
    return changed(plain, **changes)


RECORD_FIELDS = {each.name for each in dataclasses.fields(record(*TIERS))}


def decide(situation: Situation, now: float = NOW) -> Decision:
    decision = plan(situation, now)
    assert isinstance(decision, Decision)
    return decision


def test_the_best_healthy_tier_answers() -> None:
    assert decided(decide(situation(H, H, H))) == {A}
    assert decided(decide(situation(U, H, H, published=(A,)))) == {B}
    assert decided(decide(situation(U, U, H, published=(A,)))) == {C}


def test_further_tiers_join_until_enough_serve() -> None:
    assert decided(decide(situation(H, H, H, minimum_serving=2))) == {A, B}
    assert decided(decide(situation(U, H, H, minimum_serving=2))) == {B, C}


def test_with_multivalue_every_healthy_endpoint_answers() -> None:
    assert decided(decide(situation(H, U, H, strategy=Strategy.MULTI_VALUE))) == {A, C}


def test_nobody_healthy_keeps_what_is_published() -> None:
    kept = decide(situation(U, U, U, published=(B,)))
    assert (kept.basis, decided(kept)) == (Basis.KEEP_LAST, {B})


def test_nobody_healthy_serves_all_where_the_record_says_so() -> None:
    served = decide(situation(U, U, U, published=(B,), when_all_unhealthy=WhenAllUnhealthy.SERVE_ALL))
    assert (served.basis, decided(served)) == (Basis.SERVE_ALL, {A, B, C})


def test_an_emptied_zone_gets_what_another_zone_holds() -> None:
    two = changed(
        situation(U, U, U, zones=ZONES[:2]),
        published={ZONES[0]: (), ZONES[1]: address_sets(HOSTNAME, 30, (C,))},
    )
    assert {zone: sets[0].values for zone, sets in decide(two).sets.items()} == {ZONES[0]: (C,), ZONES[1]: (C,)}


def test_kept_values_that_nobody_declares_any_more_go() -> None:
    assert decided(decide(situation(U, U, U, published=(B, "203.0.113.9")))) == {B}


def test_where_nothing_can_be_kept_everyone_that_is_not_drained_answers() -> None:
    drained = dataclasses.replace(situation(U, U, U), drained_regions=frozenset({"aws-us-east-1"}))
    assert decided(decide(drained)) == {B, C}
    everywhere = frozenset({each.region for each in TIERS})
    assert decided(decide(dataclasses.replace(drained, drained_regions=everywhere))) == {A, B, C}


def test_a_new_record_prefers_who_may_be_healthy_over_who_certainly_is_not() -> None:
    first = decide(situation(U, N, N))
    assert decided(first) == {B}
    assert decided(decide(situation(U, N, N, published=(B,)))) == {B}


def test_a_zone_that_was_not_read_keeps_what_it_has() -> None:
    held = decide(situation(U, U, U, published=(B,), zones=ZONES[:2]))
    assert set(held.sets) == {ZONES[0]}


def test_unknown_keeps_its_place_and_gains_none() -> None:
    assert decided(decide(situation(N, H, H, published=(A,)))) == {A}
    assert decided(decide(situation(N, H, H, published=(B,)))) == {B}
    assert decided(decide(situation(N, N, N, published=(B,)))) == {B}


def test_with_serve_all_the_unknown_do_not_push_out_the_rest_a_moment_later() -> None:
    first = decide(situation(U, N, published=(A,), when_all_unhealthy=WhenAllUnhealthy.SERVE_ALL))
    assert decided(first) == {A, B}
    later = situation(U, N, published=(A, B), when_all_unhealthy=WhenAllUnhealthy.SERVE_ALL)
    assert (decide(later).basis, decided(decide(later))) == (Basis.SERVE_ALL, {A, B})


def test_with_serve_all_a_healthy_endpoint_ends_the_last_resort() -> None:
    both = situation(N, H, published=(A, B), when_all_unhealthy=WhenAllUnhealthy.SERVE_ALL)
    assert decide(both).basis is Basis.CHOSEN
    assert decided(decide(situation(U, H, published=(A, B), when_all_unhealthy=WhenAllUnhealthy.SERVE_ALL))) == {B}


def test_who_shares_an_address_with_a_chosen_one_has_not_got_its_place() -> None:
    shared = Endpoint("a", "aws-us-east-1", addresses=(C, B), priority=1)
    both = Endpoint("b", "azure-westeurope", addresses=(B, A), priority=2)
    base = changed(
        situation(N, H),
        record=record(shared, both),
        healths={
            "a": health((C, U), (B, N), verdict=N),
            "b": health((B, N), (A, H), verdict=H),
        },
        published={ZONES[0]: address_sets(HOSTNAME, 30, (A, B))},
        serving=frozenset({"b"}),
    )
    first = decide(base)
    assert who(first) == {"b"}
    again = changed(base, serving=who(first))
    assert decided(decide(again)) == {A, B}


def test_a_drained_endpoint_is_out_however_healthy() -> None:
    drained = dataclasses.replace(TIERS[0], state=AdminState.DRAINED)
    spec = record(drained, *TIERS[1:])
    assert decided(decide(dataclasses.replace(situation(H, H, H, published=(A,)), record=spec))) == {B}
    region = dataclasses.replace(situation(H, H, H, published=(A,)), drained_regions=frozenset({"aws-us-east-1"}))
    assert decided(decide(region)) == {B}


RECOVERED = {
    "a": health((A, H), since=NOW - 60, failed_at=NOW - 600),
    "b": health((B, H)),
}


def test_failback_waits_for_the_hold_down_and_no_longer() -> None:
    held = dataclasses.replace(situation(H, H, published=(B,)), healths=RECOVERED)
    early = decide(held)
    assert (decided(early), early.decide_again_at) == ({B}, NOW - 60 + 300)
    assert "held down" in early.reason
    assert early.decide_again_at is not None
    over = {"a": seen_again(RECOVERED["a"], early.decide_again_at), "b": seen_again(RECOVERED["b"], NOW)}
    assert decided(decide(dataclasses.replace(held, healths=over), early.decide_again_at)) == {A}


def test_who_serves_since_it_recovered_first_is_not_displaced_by_who_recovered_after_it() -> None:
    later = {
        "a": RECOVERED["a"],
        "b": health((B, H), since=NOW - 90, failed_at=NOW - 600),
    }
    assert decided(decide(dataclasses.replace(situation(H, H, published=(B,)), healths=later))) == {B}


def test_an_unknown_address_of_a_healthy_endpoint_gains_no_place_either() -> None:
    pair = record(Endpoint("a", "aws-us-east-1", addresses=(A, B)))
    base = dataclasses.replace(
        situation(H, published=(A,)),
        record=pair,
        healths={"a": health((A, H), (B, N))},
    )
    assert decided(decide(base)) == {A}
    held = changed(base, published={ZONES[0]: address_sets(HOSTNAME, 30, (A, B))})
    assert decided(decide(held)) == {A, B}


def test_hold_down_is_no_reason_to_serve_nobody() -> None:
    alone = {**RECOVERED, "b": health((B, U), since=NOW, failed_at=NOW)}
    found = decide(dataclasses.replace(situation(H, U, published=(B,)), healths=alone))
    assert (found.basis, decided(found)) == (Basis.CHOSEN, {A})


FLAPS = tuple(NOW - ago for ago in (400.0, 300.0, 200.0, 100.0))


def flapping(*others: Verdict, published: tuple[str, ...], **failback: Any) -> Situation:
    """Return the situation of a first endpoint that works again, and has come and gone in the last minutes."""
    base = situation(H, *others, published=published, failback=Failback(**{"hold_down": 0.0, **failback}))
    first = dataclasses.replace(health((A, H), since=NOW - 100.0, failed_at=NOW - 200.0), changes=FLAPS)
    return dataclasses.replace(base, healths={**base.healths, "a": first})


def test_who_comes_and_goes_too_often_stays_away_until_it_has_been_calm() -> None:
    found = decide(flapping(H, published=(B,), most_changes=3))
    assert decided(found) == {B}
    assert "a comes and goes too often" in found.reason
    assert found.decide_again_at == FLAPS[0] + HOUR
    assert decided(decide(flapping(H, published=(B,), most_changes=4))) == {A}
    assert decided(decide(flapping(H, published=(B,)))) == {A}, "no limit was asked for"


def test_who_comes_and_goes_keeps_the_place_that_it_has_and_serves_where_nobody_else_does() -> None:
    assert decided(decide(flapping(H, published=(A,), most_changes=1))) == {A}
    assert decided(decide(flapping(U, published=(B,), most_changes=1))) == {A}
    held = flapping(H, published=(B,), most_changes=1)
    assert decided(decide(dataclasses.replace(held, failback_at=NOW))) == {A}, "a person says so"


def test_who_is_held_down_serves_before_who_comes_and_goes() -> None:
    base = flapping(U, H, published=(B,), most_changes=1, hold_down=300.0)
    third = health((C, H), since=NOW - 1, failed_at=NOW - 9)
    assert decided(decide(dataclasses.replace(base, healths={**base.healths, "c": third}))) == {C}


def test_manual_failback_waits_for_a_person() -> None:
    by_hand = Failback(FailbackMode.MANUAL, 300.0)
    held = dataclasses.replace(situation(H, H, published=(B,), failback=by_hand), healths=RECOVERED)
    assert (decided(decide(held, NOW * 1000)), decide(held).decide_again_at) == ({B}, None)
    assert decided(decide(dataclasses.replace(held, failback_at=NOW))) == {A}
    too_early = min(each.since for each in RECOVERED.values()) - 1
    assert decided(decide(dataclasses.replace(held, failback_at=too_early))) == {B}, "it has failed again since"


def test_those_drafted_from_hold_down_settle_at_once() -> None:
    """Two who recovered fill the number that must serve; the choice is the same when made again."""
    twins = (
        Endpoint("a", "aws-us-east-1", addresses=(A,), priority=1),
        Endpoint("b", "aws-us-east-1", addresses=(B,), priority=1),
        Endpoint("c", "gcp-europe-west3", addresses=(C,), priority=2),
    )
    recovered = {each: health((v, H), since=NOW - 1, failed_at=NOW - 9) for each, v in (("a", A), ("b", B))}
    base = situation(H, H, H, published=(C,))
    base = dataclasses.replace(
        base,
        record=record(*twins, minimum_serving=2),
        healths={**recovered, "c": health((C, H))},
    )
    first = decide(base)
    again = decide(changed(base, published=first.sets, serving=who(first)))
    assert again.sets == first.sets


def test_an_endpoint_of_one_family_withdraws_the_other() -> None:
    dual = Endpoint("a", "aws-us-east-1", addresses=(A, "2001:db8::1"), priority=1)
    spec = record(dual, TIERS[1])
    both = {
        "a": health((A, H), ("2001:db8::1", H)),
        "b": health((B, H)),
    }
    base = dataclasses.replace(situation(H, H), record=spec, healths=both)
    assert [each.type for each in decide(base).sets[ZONES[0]]] == [RRType.A, RRType.AAAA]
    down = {**both, "a": health((A, U), ("2001:db8::1", U))}
    assert decide(dataclasses.replace(base, healths=down)).sets[ZONES[0]] == address_sets(HOSTNAME, 30, (B,))
    half = {**both, "a": health((A, U), ("2001:db8::1", H), verdict=H)}
    assert decided(decide(dataclasses.replace(base, healths=half))) == {"2001:db8::1"}


BY_NAME = Endpoint("h", "aws-us-east-1", hostname="lb.example.net", priority=1)


def by_name(published: tuple[RRset, ...], *addresses: tuple[str, Verdict]) -> Situation:
    verdict = H if any(each[1] is H for each in addresses) else N
    return changed(
        situation(H),
        record=record(BY_NAME),
        healths={"h": health(*addresses, verdict=verdict)},
        published={ZONES[0]: published},
    )


def test_an_unresolved_name_keeps_what_is_published() -> None:
    published = address_sets(HOSTNAME, 30, (A, B))
    assert decide(by_name(published)).sets[ZONES[0]] == published


def test_an_unresolved_name_with_nothing_published_decides_nothing() -> None:
    assert isinstance(plan(by_name(()), NOW), Undecided)


def test_a_target_that_somebody_put_in_place_of_addresses_is_no_address() -> None:
    stray = (RRset(HOSTNAME, RRType.CNAME, 30, ("elsewhere.example.com",)),)
    assert isinstance(plan(by_name(stray), NOW), Undecided)
    assert decided(decide(by_name(stray, (A, H)))) == {A}


def test_rotation_within_the_cap_moves_nothing() -> None:
    many = tuple((f"192.0.2.{n}", H) for n in range(1, 9))
    published = address_sets(HOSTNAME, 30, ("192.0.2.5", "192.0.2.6", "192.0.2.7"))
    capped = dataclasses.replace(by_name(published, *many), value_limit=3)
    assert decide(capped).sets[ZONES[0]] == published


def test_a_cname_record_publishes_one_target() -> None:
    targets = tuple(
        Endpoint(name, "aws-us-east-1", hostname=f"{name}.example.net", priority=place)
        for place, name in enumerate(("a", "b"), start=1)
    )
    spec = record(*targets, publish=Publish.CNAME)
    healthy = {each.name: health((A, H)) for each in targets}
    base = dataclasses.replace(situation(H, H), record=spec, healths=healthy)
    assert decide(base).sets[ZONES[0]] == (RRset(HOSTNAME, RRType.CNAME, 30, ("a.example.net",)),)
    failed = {**healthy, "a": health((A, U))}
    assert decided(decide(dataclasses.replace(base, healths=failed))) == {"b.example.net"}


@pytest.mark.parametrize(("patience", "waits"), [(NOW + 1, True), (NOW, False)])
def test_a_new_record_waits_for_first_verdicts_but_not_for_ever(patience: float, waits: bool) -> None:
    outcome = plan(dataclasses.replace(situation(N, H), patience_until=patience), NOW)
    assert isinstance(outcome, Undecided) is waits
    if isinstance(outcome, Undecided):
        assert outcome.decide_again_at == patience
        assert "a" in outcome.reason


@pytest.mark.parametrize(("patience", "waits"), [(NOW + 1, True), (NOW, False)])
def test_a_new_record_waits_for_each_address_too(patience: float, waits: bool) -> None:
    both = Endpoint("a", "aws-us-east-1", addresses=(A, "2001:db8::1"))
    half = dataclasses.replace(health((A, H), ("2001:db8::1", N)), unjudged=frozenset({"2001:db8::1"}))
    base = dataclasses.replace(situation(H), record=record(both), healths={"a": half}, patience_until=patience)
    assert isinstance(plan(base, NOW), Undecided) is waits
    out_of_reach = dataclasses.replace(half, unjudged=frozenset())
    assert decided(decide(dataclasses.replace(base, healths={"a": out_of_reach}))) == {A}


def test_nothing_is_decided_before_a_zone_was_read() -> None:
    outcome = plan(changed(situation(H, H), published={}), NOW)
    assert isinstance(outcome, Undecided)
    assert outcome.decide_again_at is None


def test_no_endpoint_is_left_out_of_a_full_set_for_another_ones_many_addresses() -> None:
    many = Endpoint("many", "aws-us-east-1", addresses=tuple(f"192.0.2.{n}" for n in range(100, 120)))
    few = Endpoint("few", "azure-westeurope", addresses=tuple(f"198.51.100.{n}" for n in range(1, 6)))
    full = Situation(
        record=record(many, few, strategy=Strategy.MULTI_VALUE),
        healths={each.name: health(*((address, H) for address in each.addresses)) for each in (many, few)},
        drained_regions=frozenset(),
        standings=alike({ZONES[0]: address_sets(HOSTNAME, 30, many.addresses)}),
        value_limit=20,
        patience_until=0.0,
    )
    values = decided(decide(full))
    assert len(values) == 20
    assert values.issuperset(few.addresses)
    assert decided(decide(changed(full, published={ZONES[0]: ()}))) == values
