"""From addresses and hostnames to the verdict on an endpoint."""

import dataclasses

import pytest

from detour.health.endpoints import CHECKS_PAUSED, NAME_UNRESOLVED, NO_ADDRESSES, NOT_CHECKED_YET, endpoint_health
from detour.health.resolution import (
    FADING,
    MAXIMUM_SEEN,
    MEMORY,
    RETENTION,
    ResolvedName,
    answered,
    answered_empty,
    unanswered,
)
from detour.health.thresholds import Streak
from detour.model.health import EndpointHealth, Evidence, Verdict

H, U, N = Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.UNKNOWN
FALL = 3


def streaks(*verdicts: Verdict) -> list[tuple[str, Streak]]:
    return [
        (f"192.0.2.{place}", Streak(verdict, 0.0, reason="Refused" if verdict is U else "", message="refused"))
        for place, verdict in enumerate(verdicts, start=1)
    ]


def health(
    *verdicts: Verdict, name: ResolvedName | None = None, previous: EndpointHealth | None = None, now: float = 5.0
) -> EndpointHealth:
    return endpoint_health(previous, streaks(*verdicts), name, fall=FALL, now=now)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((H,), H),
        ((H, U), H),
        ((H, N), H),
        ((U, U), U),
        ((U, N), N),
        ((N, N), N),
        ((), N),
    ],
)
def test_one_healthy_address_carries_the_endpoint_and_only_all_unhealthy_sink_it(
    verdicts: tuple[Verdict, ...], expected: Verdict
) -> None:
    assert health(*verdicts).verdict is expected


@pytest.mark.parametrize(
    ("verdicts", "expected"), [((H,), H), ((H, U), H), ((U, U), N), ((U, N), N), ((N, N), N), ((), N)]
)
def test_while_checks_are_paused_who_fails_is_unknown(verdicts: tuple[Verdict, ...], expected: Verdict) -> None:
    found = endpoint_health(None, streaks(*verdicts), None, fall=FALL, now=5.0, is_paused=True)
    assert found.verdict is expected
    assert U not in dict(found.addresses).values(), "an address that fails is not left out either"
    assert (found.reason == CHECKS_PAUSED) is (expected is N and U in verdicts)
    assert found.unjudged == health(*verdicts).unjudged, "a first verdict is not waited for once more"
    assert (found.failed_at, found.changes) == (None, ())


def test_nor_is_a_hostname_without_addresses_down_while_checks_are_paused() -> None:
    name = ResolvedName(empties=FALL, message="the name has no addresses")
    found = endpoint_health(None, [], name, fall=FALL, now=5.0, is_paused=True)
    assert (found.verdict, found.reason) == (N, CHECKS_PAUSED)
    assert "the name has no addresses" in found.message


def test_when_the_pause_ends_who_fails_is_unhealthy_from_then_on() -> None:
    paused = endpoint_health(health(H, now=1.0), streaks(U), None, fall=FALL, now=5.0, is_paused=True)
    ended = endpoint_health(paused, streaks(U), None, fall=FALL, now=60.0)
    assert (ended.verdict, ended.since, ended.failed_at, ended.reason) == (U, 60.0, 60.0, "Refused")


def out_of_reach(address: str = "2001:db8::1", blanks: int = FALL, *, has_passed: bool = False) -> tuple[str, Streak]:
    """Return the streak of an address whose checks tell nothing, as this host has no route to it."""
    return address, Streak(N, 0.0, blanks=blanks, reason="NoRoute", message="no route", has_passed=has_passed)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_an_address_out_of_reach_does_not_count_beside_one_that_is_checked(verdict: Verdict) -> None:
    found = endpoint_health(None, [*streaks(verdict), out_of_reach()], None, fall=FALL, now=5.0)
    assert found.verdict is verdict
    assert found.addresses == (("192.0.2.1", verdict), ("2001:db8::1", N))


@pytest.mark.parametrize(
    "other",
    [out_of_reach(blanks=FALL - 1), out_of_reach(has_passed=True)],
    ids=["not looked at often enough", "it has passed before"],
)
def test_an_address_that_may_work_keeps_its_endpoint_from_being_down(other: tuple[str, Streak]) -> None:
    """It worked a moment ago: the route is what fails, and perhaps the other one's too."""
    assert endpoint_health(None, [*streaks(U), other], None, fall=FALL, now=5.0).verdict is N


def test_an_endpoint_of_which_nothing_is_in_reach_is_unknown_and_says_why() -> None:
    found = endpoint_health(None, [out_of_reach(), out_of_reach("2001:db8::2")], None, fall=FALL, now=5.0)
    assert (found.verdict, found.reason) == (N, "NoRoute")


def test_an_endpoint_is_confirmed_down_by_what_is_checked() -> None:
    bad = ("192.0.2.1", Streak(U, 0.0, failures=FALL, confirmed_at=4.0))
    assert endpoint_health(None, [bad, out_of_reach()], None, fall=FALL, now=5.0).confirmed_at == 4.0


def test_each_address_keeps_a_verdict_of_its_own() -> None:
    assert health(H, U).addresses == (("192.0.2.1", H), ("192.0.2.2", U))
    assert health(H, U).message.startswith("1 of 2 addresses fail")


def test_an_address_that_is_being_checked_for_the_first_time_is_told_from_one_out_of_reach() -> None:
    found = endpoint_health(None, [*streaks(H, N), out_of_reach()], None, fall=FALL, now=5.0)
    assert found.unjudged == {"192.0.2.2"}
    once = out_of_reach(blanks=FALL - 1)
    assert endpoint_health(None, [*streaks(H), once], None, fall=FALL, now=5.0).unjudged == {"2001:db8::1"}


def named(*, empties: int = 0, failures: int = 0) -> ResolvedName:
    name = answered(ResolvedName(), ("192.0.2.1",), 0.0)
    for _ in range(empties):
        name = answered_empty(name, "NXDOMAIN")
    for _ in range(failures):
        name = unanswered(name, "SERVFAIL")
    return name


def test_a_name_without_addresses_is_down_whatever_its_old_addresses_say() -> None:
    down = health(H, name=named(empties=FALL))
    assert (down.verdict, down.reason, down.message) == (U, NO_ADDRESSES, "NXDOMAIN")
    assert health(H, name=named(empties=FALL - 1)).verdict is H


def test_a_resolver_that_fails_teaches_nothing() -> None:
    blind = health(H, name=named(failures=FALL))
    assert (blind.verdict, blind.reason) == (N, NAME_UNRESOLVED)
    assert health(H, name=named(failures=FALL - 1)).verdict is H
    assert health(U, name=named(failures=FALL)).verdict is U  # what the checks know stands


def test_an_empty_answer_stays_known_while_the_resolver_fails() -> None:
    assert health(H, name=named(empties=FALL, failures=10)).verdict is U


def test_a_name_not_resolved_yet_is_unknown() -> None:
    assert (health(name=ResolvedName()).verdict, health(name=ResolvedName()).reason) == (N, NOT_CHECKED_YET)


def answering(name: ResolvedName, addresses: tuple[str, ...], until: float) -> ResolvedName:
    """Let a name answer with these addresses every minute, the last time at `until`."""
    while name.answered_at is not None and until - name.answered_at > 60.0:
        name = answered(name, addresses, name.answered_at + 60.0)
    return answered(name, addresses, until)


def test_a_name_that_always_answers_with_others_is_remembered_within_bounds() -> None:
    """What is known longest stays, so that what is published does; what was answered last counts in any case."""
    name = ResolvedName()
    for second in range(60):
        name = answered(name, tuple(f"10.0.{second}.{place}" for place in range(100)), float(second))
    assert len(name.addresses) == MAXIMUM_SEEN
    wanted = {f"10.0.{second}.{place}" for second in (0, 1, 2, 3, 59) for place in range(100)}
    assert set(name.addresses) >= wanted
    assert list(name.addresses) == sorted(name.addresses)
    assert answering(name, ("10.1.0.1",), RETENTION + FADING + 60.0).addresses == ("10.1.0.1",)


def test_an_answer_ends_the_runs_of_empty_and_missing_ones() -> None:
    assert answered(named(empties=5, failures=5), ("192.0.2.9",), 1.0).empties == 0
    assert answered(named(empties=5, failures=5), ("192.0.2.9",), 1.0).failures == 0
    assert answered_empty(named(failures=5), "NODATA").failures == 0


def test_addresses_that_rotate_out_are_kept_for_the_retention_fade_and_are_others_then() -> None:
    name = answered(ResolvedName(), ("192.0.2.1", "192.0.2.2"), 0.0)
    name = answering(name, ("192.0.2.2", "192.0.2.3"), RETENTION)
    assert (name.addresses, name.fading) == (("192.0.2.1", "192.0.2.2", "192.0.2.3"), frozenset())
    name = answered(name, ("192.0.2.3",), RETENTION + 1)
    assert (name.addresses, name.fading) == (("192.0.2.1", "192.0.2.2", "192.0.2.3"), {"192.0.2.1"})
    name = answering(name, ("192.0.2.3",), RETENTION + FADING + 1)
    assert (name.addresses, name.fading, name.former) == (("192.0.2.2", "192.0.2.3"), frozenset(), ("192.0.2.1",))
    name = answered(name, ("192.0.2.1", "192.0.2.3"), RETENTION + FADING + 2)
    assert (name.fading, name.former) == (frozenset(), ())  # it is back
    name = answering(name, ("192.0.2.3",), RETENTION + FADING + 2 + MEMORY)
    assert name.addresses == ("192.0.2.3",)
    assert name.former == ("192.0.2.1",)
    assert answered(name, ("192.0.2.3",), RETENTION + FADING + 3 + MEMORY).former == ()


def test_a_silent_resolver_lets_nothing_fade_however_long_it_is_silent() -> None:
    name = answered(ResolvedName(), ("192.0.2.1",), 0.0)
    assert unanswered(name, "SERVFAIL").fading == frozenset()
    name = answered(unanswered(name, "SERVFAIL"), ("192.0.2.2",), 10 * MEMORY)
    assert (name.addresses, name.fading, name.former) == (("192.0.2.1", "192.0.2.2"), frozenset(), ())
    name = answering(name, ("192.0.2.2",), 10 * MEMORY + RETENTION)
    assert health(H, H, name=name).fading == {"192.0.2.1"}
    name = answering(name, ("192.0.2.2",), 10 * MEMORY + RETENTION + FADING)
    assert health(H, name=name).former == ("192.0.2.1",)


def test_empty_answers_let_addresses_age_as_others_do() -> None:
    name = answered(ResolvedName(), ("192.0.2.1",), 0.0)
    name = answered_empty(name, "NXDOMAIN", began_at=RETENTION, now=RETENTION)
    assert answered(name, ("192.0.2.2",), RETENTION + 1).fading == {"192.0.2.1"}


def test_one_empty_answer_before_a_long_silence_lets_nothing_fade() -> None:
    name = answered(ResolvedName(), ("192.0.2.1",), 0.0)
    name = unanswered(answered_empty(name, "NXDOMAIN", began_at=60.0, now=60.0), "SERVFAIL")
    assert answered(name, ("192.0.2.2",), 2 * RETENTION).fading == frozenset()


@pytest.mark.parametrize("strange", [answered_empty, unanswered])
def test_neither_an_empty_nor_a_missing_answer_takes_addresses_away(strange: object) -> None:
    assert callable(strange)
    assert strange(named(), "why").addresses == ("192.0.2.1",)


def test_since_is_kept_while_the_verdict_is_and_the_failure_is_remembered() -> None:
    first = health(H, now=1.0)
    assert (first.since, first.failed_at) == (1.0, None)
    failed = health(U, previous=first, now=2.0)
    assert (failed.since, failed.failed_at) == (2.0, 2.0)
    still = health(U, previous=failed, now=3.0)
    assert (still.since, still.failed_at) == (2.0, 2.0)
    back = health(H, previous=still, now=4.0)
    assert (back.since, back.failed_at) == (4.0, 2.0)
    again = health(U, previous=back, now=9.0)
    assert (again.since, again.failed_at) == (9.0, 9.0)


def seen(passed: bool, run_since: float) -> Evidence:
    return Evidence(passed, began_at=9.0, run_since=run_since, looked_at=9.0)


def test_an_endpoint_is_confirmed_by_any_address_that_works_or_by_all_that_fail() -> None:
    pair = streaks(H, U)
    told = [
        (address, dataclasses.replace(each, confirmed_at=at))
        for (address, each), at in zip(pair, (3.0, 4.0), strict=True)
    ]
    assert endpoint_health(None, told, None, fall=FALL, now=5.0).confirmed_at == 3.0
    both = [(address, dataclasses.replace(each, verdict=U)) for address, each in told]
    assert endpoint_health(None, both, None, fall=FALL, now=5.0).confirmed_at == 3.0
    assert health(N).confirmed_at is None


def test_what_a_hostname_leads_to_passes_only_since_the_name_answers() -> None:
    name = answered(answered_empty(named(), "NXDOMAIN", began_at=6.0, now=6.1), ("192.0.2.1",), 7.0)
    (address, streak), *_ = streaks(H)
    told = [(address, dataclasses.replace(streak, evidence=seen(True, 1.0)))]
    assert endpoint_health(None, told, name, fall=FALL, now=9.0).evidence == ((address, seen(True, 7.0)),)
    assert endpoint_health(None, told, None, fall=FALL, now=9.0).evidence == ((address, seen(True, 1.0)),)


def test_an_empty_answer_is_evidence_from_the_first_one_on() -> None:
    once = answered_empty(named(), "NXDOMAIN", began_at=6.0, now=6.1)
    again = answered_empty(once, "NXDOMAIN", began_at=7.0, now=7.1)
    assert health(H, name=once).emptiness == Evidence(False, began_at=6.0, run_since=6.1, looked_at=6.0)
    assert health(H, name=again).emptiness == Evidence(False, began_at=7.0, run_since=6.1, looked_at=7.0)
    assert health(H, name=answered(again, ("192.0.2.1",), 8.0)).emptiness is None
