"""Load balancers rotate their addresses: what of that waits for more, and what does not."""

import dataclasses

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from detour.model.endpoint import Endpoint
from detour.model.health import EndpointHealth, Verdict
from detour.model.record import Strategy, WhenAllUnhealthy
from detour.model.rrset import address_sets
from detour.planning.decision import Basis, Decision
from detour.planning.planner import plan
from detour.planning.rotation import AT_ONCE, PERIOD, SETTLING, Turning
from detour.planning.situation import Situation

from .situations import HOSTNAME, NOW, ZONES, alike, changed, decided, fed_back, record, seen, who

H, U, N = Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.UNKNOWN
A, B, C, D, OTHER = "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "198.51.100.1"
BALANCER = Endpoint("lb", "aws-us-east-1", hostname="lb.example.net", priority=1)
PLAIN = Endpoint("plain", "azure-westeurope", addresses=(OTHER,), priority=2)


def health(
    *addresses: tuple[str, Verdict], fading: tuple[str, ...] = (), former: tuple[str, ...] = ()
) -> EndpointHealth:
    verdicts = [verdict for _, verdict in addresses]
    return EndpointHealth(
        next(each for each in (H, N, U) if each in verdicts),
        0.0,
        addresses=addresses,
        evidence=seen(addresses),
        has_passed=True,
        fading=frozenset(fading),
        former=former,
    )


def situation(balancer: EndpointHealth, *published: str, plain: Verdict = H, **changes: object) -> Situation:
    spec = {name: changes.pop(name) for name in ("strategy", "when_all_unhealthy") if name in changes}
    known = Situation(
        record=record(BALANCER, PLAIN, **spec),
        healths={"lb": balancer, "plain": health((OTHER, plain))},
        drained_regions=frozenset(),
        standings=alike(
            {ZONES[0]: address_sets(HOSTNAME, 30, published)}, serving=frozenset({"lb"}), decided=frozenset(published)
        ),
        value_limit=20,
        patience_until=0.0,
    )
    return changed(known, **changes)


def decide(situation: Situation, now: float = NOW) -> Decision:
    decision = plan(situation, now)
    assert isinstance(decision, Decision)
    return decision


def ripe(situation: Situation) -> Situation:
    """Return the situation with changes that have waited for long enough."""
    return dataclasses.replace(situation, turning=Turning(since=NOW - SETTLING))


def test_a_new_address_waits_for_others_and_is_then_written_with_them() -> None:
    first = decide(situation(health((A, H), (B, H)), A))
    assert (decided(first), first.turning.since, first.decide_again_at) == ({A}, NOW, NOW + SETTLING)
    assert "changed addresses of hostnames are gathered" in first.reason
    since = NOW - SETTLING + 1
    more = situation(health((A, H), (B, H), (C, H)), A, turning=Turning(since))
    later = decide(more)
    assert (decided(later), later.turning.since, later.decide_again_at) == ({A}, since, NOW + 1)
    written = decide(ripe(more))
    assert (decided(written), written.turning) == ({A, B, C}, Turning(None, NOW + PERIOD))


def test_where_changes_do_not_end_a_few_are_written_soon_and_then_one_in_a_period() -> None:
    turning, now, times = Turning(), NOW, []
    while now < NOW + 10 * PERIOD:
        turning = turning.waiting(now)
        now = turning.due_at(now)
        times.append(now - NOW)
        turning = turning.written(now)
    soon = [SETTLING * (place + 1) for place in range(AT_ONCE)]
    assert times[:AT_ONCE] == soon
    assert times[AT_ONCE:] == [SETTLING + PERIOD * (place + 1) for place in range(len(times) - AT_ONCE)]
    assert Turning(None, NOW).due_at(NOW + 5 * PERIOD) == NOW + 5 * PERIOD + SETTLING  # after a calm it is soon again


def test_an_address_that_fades_leaves_together_with_what_comes() -> None:
    waiting = situation(health((A, H), (B, H), (C, H), fading=(A,)), A, B)
    assert decided(decide(waiting)) == {A, B}
    assert decided(decide(ripe(waiting))) == {B, C}


def test_nothing_that_changes_back_is_written() -> None:
    spent = Turning(NOW - 5, NOW + PERIOD)
    assert decide(situation(health((A, H), (B, H)), A, B, turning=spent)).turning == Turning(None, NOW + PERIOD)


def test_an_address_that_fails_is_removed_at_once_and_takes_along_what_waits() -> None:
    failing = situation(health((A, U), (B, H), (C, H)), A, B, turning=Turning(NOW - 5))
    assert (decided(decide(failing)), decide(failing).turning) == ({B, C}, Turning())


def test_an_address_that_fades_and_fails_is_removed_at_once() -> None:
    assert decided(decide(situation(health((A, U), (B, H), fading=(A,)), A, B))) == {B}


def test_an_address_that_the_hostname_has_dropped_for_too_long_is_removed_at_once() -> None:
    assert decided(decide(situation(health((B, H), (C, H), former=(A,)), A, B))) == {B, C}


def test_an_address_that_fades_stays_until_another_one_in_dns_passes() -> None:
    assert decided(decide(ripe(situation(health((A, H), (B, U), fading=(A,)), A)))) == {A}
    assert decided(decide(ripe(situation(health((A, H), (B, N), fading=(A,)), A, B)))) == {A, B}
    joined = decide(ripe(situation(health((A, H), (B, H), fading=(A,)), A)))
    assert decided(joined) == {A, B}  # what comes is there before what is left goes


def test_a_hostname_of_which_nothing_published_passes_waits_for_nothing() -> None:
    assert decided(decide(situation(health((A, N), (B, H)), A))) == {A, B}
    assert decided(decide(situation(health((A, H), (B, H), fading=(A,)), A))) == {A, B}


def test_a_failover_waits_for_nothing() -> None:
    moved = decide(situation(health((A, U), (B, U)), A, B, turning=Turning(NOW - 5)))
    assert (decided(moved), moved.turning) == ({OTHER}, Turning())


def test_an_endpoint_that_comes_takes_along_what_waits() -> None:
    joining = situation(health((A, H), (B, H)), A, strategy=Strategy.MULTI_VALUE)
    assert decided(decide(joining)) == {A, B, OTHER}


def test_declared_addresses_wait_for_nothing() -> None:
    both = dataclasses.replace(PLAIN, addresses=(OTHER, D), priority=1)
    found = situation(health((A, H)), A, OTHER, serving=frozenset({"lb", "plain"}))
    found = dataclasses.replace(
        found,
        record=record(BALANCER, both),
        healths={**found.healths, "plain": health((OTHER, H), (D, H))},
    )
    assert decided(decide(found)) == {A, OTHER, D}


def test_what_an_outsider_adds_to_the_name_is_taken_away_at_once() -> None:
    meddled = situation(health((A, H), (B, H)), A, "203.0.113.9", decided=frozenset())
    assert decided(decide(meddled)) == {A, B}
    assert decided(decide(changed(meddled, decided=frozenset({A})))) == {A}  # what we decided stands


def test_where_everybody_answers_because_nobody_works_rotation_is_gathered_too() -> None:
    down = situation(
        health((A, U), (B, U), (C, U), fading=(A,)),
        A,
        B,
        OTHER,
        plain=U,
        when_all_unhealthy=WhenAllUnhealthy.SERVE_ALL,
        serving=frozenset({"lb", "plain"}),
    )
    waiting = decide(down)
    assert (waiting.basis, decided(waiting), waiting.turning.since) == (Basis.SERVE_ALL, {A, B, OTHER}, NOW)
    assert decided(decide(ripe(down))) == {B, C, OTHER}


def test_where_nobody_works_what_a_hostname_led_to_before_is_kept() -> None:
    only = dataclasses.replace(situation(health((B, U), former=(A,)), A), record=record(BALANCER))
    kept = decide(dataclasses.replace(only, healths={"lb": only.healths["lb"]}))
    assert (kept.basis, decided(kept)) == (Basis.KEEP_LAST, {A})


@pytest.mark.parametrize("serving", [None, frozenset({"lb"})])
def test_after_a_restart_what_the_zones_hold_stands(serving: frozenset[str] | None) -> None:
    again = situation(health((A, H), (B, H), (C, H)), A, B, serving=serving, decided=frozenset())
    assert (decided(decide(again)), decide(again).turning.since) == ({A, B}, NOW)


THOROUGHLY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
POOLS = ([A, B, C, D], ["192.0.2.5", "192.0.2.6", "192.0.2.7", "192.0.2.8"], [OTHER])
VERDICTS = st.sampled_from([H, H, H, U, N])


@st.composite
def turning(draw: st.DrawFn) -> Situation:
    """Draw two load balancers and a plain place, what they lead to and how that does, and what was decided before."""
    endpoints = [BALANCER, Endpoint("lb2", "gcp-europe-west3", hostname="lb2.example.net", priority=1), PLAIN]
    healths = {}
    for each, pool in zip(endpoints, POOLS, strict=True):
        known = tuple((address, draw(VERDICTS)) for address in pool)
        fading = draw(st.frozensets(st.sampled_from(pool), max_size=2)) if each.hostname else ()
        healths[each.name] = health(*known, fading=tuple(fading))
    stood = [draw(st.lists(st.sampled_from(pool), min_size=1, unique=True)) for pool in POOLS[:2]]
    strategy = draw(st.sampled_from(Strategy))
    if strategy is Strategy.MULTI_VALUE and draw(st.booleans()):
        stood.append(POOLS[2])
    everyone = draw(st.sampled_from(WhenAllUnhealthy))
    published = sorted(address for pool in stood for address in pool)
    return changed(
        situation(healths["lb"], *published, strategy=strategy, when_all_unhealthy=everyone),
        record=record(*endpoints, strategy=strategy, when_all_unhealthy=everyone),
        healths=healths,
        serving=frozenset(each.name for each, pool in zip(endpoints, POOLS, strict=True) if set(pool) & set(published)),
        turning=Turning(draw(st.none() | st.floats(NOW - SETTLING + 1, NOW)), draw(st.floats(NOW, NOW + 4 * PERIOD))),
    )


def held_and_free(situation: Situation) -> tuple[Decision, Decision]:
    """Return a decision that gathers, and what would have been decided without."""
    held = plan(situation, NOW)
    assume(isinstance(held, Decision) and held.turning.since is not None)
    assert isinstance(held, Decision)
    return held, decide(ripe(situation))


@THOROUGHLY
@given(turning())
def test_while_addresses_are_gathered_nothing_changes_and_nothing_that_fails_is_kept_for_that(
    situation: Situation,
) -> None:
    held, free = held_and_free(situation)
    assert decided(held) == situation.standings[ZONES[0]].decided
    assert held.basis is free.basis
    turned = {
        address: verdict
        for each in situation.record.endpoints
        if each.hostname
        for address, verdict in situation.healths[each.name].addresses
    }
    fading = {address for each in situation.healths.values() for address in each.fading}
    left, joined = decided(held) - decided(free), decided(free) - decided(held)
    assert left | joined <= set(turned)
    assert left <= fading
    assert held.basis is Basis.SERVE_ALL or all(turned[each] is not U for each in left)
    assert who(held) == who(free)


@THOROUGHLY
@given(turning())
def test_gathering_ends_by_itself_and_what_was_gathered_stays(situation: Situation) -> None:
    held, free = held_and_free(situation)
    assert held.decide_again_at is not None
    assert NOW < held.decide_again_at <= NOW + 2 * PERIOD
    assert free.turning.since is None
    after = plan(fed_back(situation, free, restarted=False), NOW)
    assert isinstance(after, Decision)
    assert decided(after) == decided(free)
