"""What an account may ask of its provider, where several processes share it."""

import dataclasses

import pytest

from detour.enactment.accounts import Accounts
from detour.enactment.budget import LEAST_BURST, Budget
from detour.enactment.questionbudget import PER_LOOK, QuestionBudget
from detour.enactment.wishes import Urgency
from detour.providers.route53.limits import LIMITS

QUOTA = dataclasses.replace(
    LIMITS, requests_per_second=6.0, requests_burst=30.0, changes_per_second=60.0, changes_burst=600.0
)


class Time:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def requests(budget: Budget, time: Time, seconds: float) -> int:
    """Return how many requests a budget grants in so many seconds, once its burst is used up."""
    while budget.request_now(Urgency.REPAIR):
        pass
    granted, until = 0, time.now + seconds
    while time.now < until:
        time.now += 0.05
        granted += budget.request_now(Urgency.REPAIR)
    return granted


@pytest.mark.parametrize("shares", [1, 2, 3])
async def test_a_share_of_an_account_grants_a_share_of_its_requests_also_to_accounts_that_come_later(
    shares: int,
) -> None:
    time = Time()
    accounts = Accounts(time)
    before = accounts.budget_of("one", QUOTA)
    accounts.divide(shares)
    for budget in (before, accounts.budget_of("two", QUOTA), accounts.budget_of("one", QUOTA)):
        assert abs(await requests(budget, time, 60.0) - 360 / shares) <= 2


async def test_a_share_of_the_changes_waits_longer_and_takes_a_few_names_at_least() -> None:
    time = Time()
    accounts = Accounts(time)
    budget = accounts.budget_of("one", QUOTA)
    budget.count_changes(600.0)
    alone = budget.seconds_for(600.0)
    accounts.divide(3)
    assert budget.seconds_for(600.0) == pytest.approx(3 * alone)
    accounts.divide(1_000)
    time.now += 1e6
    assert budget.changes_now(LEAST_BURST, Urgency.REPAIR) == pytest.approx(LEAST_BURST)


def test_a_share_of_the_questions_makes_the_period_longer() -> None:
    questions = QuestionBudget(86_400.0, Time())
    questions.note("zone", 100)
    assert questions.period == pytest.approx(100 * PER_LOOK)
    questions.divide(3)
    assert questions.period == pytest.approx(300 * PER_LOOK)
    questions.divide(1)
    assert questions.period == pytest.approx(100 * PER_LOOK)
