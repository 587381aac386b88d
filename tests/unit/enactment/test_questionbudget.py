"""Questions that cost money: looks at what was written are never stopped, audits take what is left."""

import asyncio

import pytest

from detour.enactment.questionbudget import DAY, DEFAULT_PER_DAY, PER_LOOK, QuestionBudget

PRICE = 0.40 / 1e6
"""USD for a question, Route 53's list price for the first billion of a month."""


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_the_default_costs_an_installation_five_dollars_a_month_at_most() -> None:
    budget = QuestionBudget(DEFAULT_PER_DAY, now)
    await asyncio.sleep(DAY)
    asked = 0
    for _ in range(30):
        until = now() + DAY
        while now() < until:
            if (delay := budget.delay()) > 0:
                await asyncio.sleep(delay)
                continue
            asked += 100 * PER_LOOK
            budget.asked(100 * PER_LOOK)
    assert 4.0 < asked * PRICE <= 5.0


async def test_the_period_is_what_all_names_need() -> None:
    budget = QuestionBudget(DAY, now)
    budget.note("one", 100)
    budget.note("two", 50)
    assert budget.period == 150 * PER_LOOK
    budget.note("one", 0)
    budget.note("two", 10)
    assert budget.period == 10 * PER_LOOK


async def test_what_had_to_be_asked_is_made_up_for() -> None:
    budget = QuestionBudget(DAY, now)
    budget.asked(7200)  # an hour's worth was there
    assert budget.delay() == pytest.approx(3600 + PER_LOOK)
    await asyncio.sleep(budget.delay())
    assert budget.delay() == 0.0


async def test_a_burst_of_writes_stops_the_audits_for_a_day_at_most() -> None:
    budget = QuestionBudget(DAY, now)
    budget.asked(100 * round(DAY))
    assert budget.delay() <= DAY
