"""What several checks of an address say together."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.health.combined import MAIN, Part, combined
from detour.health.thresholds import Streak, observe
from detour.model.checks import CheckResult, CheckRole, CheckTiming
from detour.model.health import Evidence, Verdict

H, U, N = Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.UNKNOWN
R, C, O = CheckRole.REQUIRED, CheckRole.COUNTED, CheckRole.OBSERVED  # noqa: E741
ADDRESS = "192.0.2.1"


def streak(verdict: Verdict, since: float = 100.0, at: float | None = 200.0) -> Streak:
    evidence = None if at is None or verdict is N else Evidence(verdict is H, at, since, at)
    message = f"it is {verdict}" if verdict is not H else ""
    return Streak(verdict, since, message=message, reason=message and "Why", evidence=evidence, has_passed=verdict is H)


def judge(*others: tuple[CheckRole, Verdict], main: Verdict = H, at_least: int = 1) -> Verdict:
    parts = [Part(MAIN, R, streak(main))]
    parts += [Part(f"c{number}", role, streak(verdict)) for number, (role, verdict) in enumerate(others, 1)]
    return combined(ADDRESS, parts, at_least).verdict


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([(R, H)], H),
        ([(R, U)], U),
        ([(R, N)], N),
        ([(R, N), (R, U)], U),
        ([(O, U)], H),
        ([(O, N)], H),
        ([(C, H), (C, U)], H),
        ([(C, U), (C, U)], U),
        ([(C, U), (C, N)], N),
        ([(C, H), (C, N)], H),
        ([(C, U), (R, N)], U),
    ],
)
def test_required_ones_must_pass_and_one_of_those_that_are_counted(
    others: list[tuple[CheckRole, Verdict]], expected: Verdict
) -> None:
    assert judge(*others) is expected


@pytest.mark.parametrize(
    ("verdicts", "at_least", "expected"),
    [
        ((H, H, U), 2, H),
        ((H, U, U), 2, U),
        ((H, N, U), 2, N),
        ((H, H, H), 3, H),
        ((H, H, U), 3, U),
        ((H,), 3, H),  # as many as there are
    ],
)
def test_so_many_of_the_counted_ones_must_pass(verdicts: tuple[Verdict, ...], at_least: int, expected: Verdict) -> None:
    assert judge(*((C, each) for each in verdicts), at_least=at_least) is expected


def test_the_check_that_every_endpoint_has_must_pass() -> None:
    assert judge((C, H), main=U) is U
    assert judge((C, H), main=N) is N


def test_who_fails_is_named_and_each_is_told() -> None:
    parts = [Part(MAIN, R, streak(H)), Part("gateway", R, streak(U)), Part("seen", O, streak(U))]
    found = combined(ADDRESS, parts, 1)
    assert found.message == "gateway: it is Unhealthy"
    assert [(each.name, each.verdict) for each in found.checks] == [(MAIN, H), ("gateway", U), ("seen", U)]


def test_it_is_as_new_as_the_one_of_which_least_is_known() -> None:
    parts = [Part(MAIN, R, streak(H, since=10.0, at=300.0)), Part("gateway", R, streak(H, since=50.0, at=200.0))]
    found = combined(ADDRESS, parts, 1)
    assert found.since == 50.0
    assert found.evidence == Evidence(True, 200.0, 50.0, 200.0)
    unseen = [parts[0], Part("gateway", R, streak(H, at=None))]
    assert combined(ADDRESS, unseen, 1).evidence is None


def test_a_newest_check_that_fails_bears_no_passing_out() -> None:
    failing = replace(streak(H), evidence=Evidence(False, 250.0, 250.0, 250.0), failures=1)
    found = combined(ADDRESS, [Part(MAIN, R, streak(H)), Part("gateway", R, failing)], 1)
    assert found.verdict is H
    assert found.evidence == Evidence(False, 250.0, 250.0, 250.0)
    assert found.failures == 1


def test_what_fails_elsewhere_alone_is_not_unanimous_unless_its_voters_are() -> None:
    parts = [Part(MAIN, R, streak(H)), Part("gateway", R, replace(streak(U), is_unanimous=True))]
    assert combined(ADDRESS, parts, 1).is_unanimous
    assert not combined(ADDRESS, [parts[0], Part("gateway", R, streak(U))], 1).is_unanimous


def test_two_checks_that_each_fail_now_and_then_do_not_add_up() -> None:
    timing = CheckTiming(10.0, 1.0, 1.0, fall=3, rise=2)
    good, bad = CheckResult(True, "", "", 0.01), CheckResult(False, "Timeout", "late", 0.0)
    first = second = streak(H)
    for number in range(30):
        now = 300.0 + number
        first = observe(first, bad if number % 2 else good, timing, now)
        second = observe(second, good if number % 2 else bad, timing, now)
        assert combined(ADDRESS, [Part(MAIN, R, first), Part("gateway", R, second)], 1).verdict is H


VERDICTS, ROLES = st.sampled_from([H, U, N]), st.sampled_from([R, C, O])


@given(st.lists(st.tuples(ROLES, VERDICTS), max_size=8), VERDICTS, st.integers(1, 8))
def test_nothing_that_is_observed_decides_and_no_better_news_make_it_worse(
    others: list[tuple[CheckRole, Verdict]], main: Verdict, at_least: int
) -> None:
    found = judge(*others, main=main, at_least=at_least)
    assert found is judge(*(each for each in others if each[0] is not O), main=main, at_least=at_least)
    order = {U: 0, N: 1, H: 2}
    for number, (role, verdict) in enumerate(others):
        for better in (each for each in (N, H) if order[each] > order[verdict]):
            changed = [*others[:number], (role, better), *others[number + 1 :]]
            assert order[judge(*changed, main=main, at_least=at_least)] >= order[found]


@given(st.lists(st.tuples(ROLES, VERDICTS), max_size=8), VERDICTS)
def test_it_is_healthy_only_with_every_required_one(others: list[tuple[CheckRole, Verdict]], main: Verdict) -> None:
    is_healthy = judge(*others, main=main) is H
    required = [main, *(verdict for role, verdict in others if role is R)]
    assert not is_healthy or all(each is H for each in required)
    assert judge(*others, main=main) is U or U not in required


def test_what_is_missing_elsewhere_puts_no_address_out_of_reach() -> None:
    missing = Streak(N, 100.0, blanks=9, reason="NoVerdict", message="there is none")
    found = combined(ADDRESS, [Part(MAIN, R, streak(H)), Part("synthetic", R, missing)], 1)
    assert (found.verdict, found.has_passed) == (N, True)
    unreachable = Streak(N, 100.0, blanks=9, reason="NoRoute", message="no route")
    out = combined(ADDRESS, [Part(MAIN, R, unreachable), Part("gateway", R, streak(H))], 1)
    assert (out.verdict, out.has_passed, out.blanks) == (N, False, 9)


def test_counted_ones_have_failed_since_they_were_too_many() -> None:
    parts = [Part(MAIN, R, streak(H)), Part("c1", C, streak(U, since=0.0)), Part("c2", C, streak(U, since=995.0))]
    found = combined(ADDRESS, parts, 1)
    assert found.since == 995.0
    assert found.evidence is not None
    assert found.evidence.run_since == 995.0
    assert combined(ADDRESS, [*parts, Part("c3", C, streak(U, since=500.0))], 2).since == 500.0
    assert combined(ADDRESS, [*parts, Part("gateway", R, streak(U, since=990.0))], 1).since == 990.0


def test_one_that_worked_has_though_a_counted_check_never_passed() -> None:
    never = replace(streak(U), has_passed=False)
    worked = replace(streak(U), has_passed=True)
    parts = [Part(MAIN, R, worked), Part("eu", C, replace(streak(H))), Part("us", C, never)]
    assert combined(ADDRESS, parts, 1).has_passed
    assert not combined(ADDRESS, [Part(MAIN, R, never), *parts[1:]], 1).has_passed
    assert not combined(ADDRESS, parts, 2).has_passed
