"""What users report against what is usual at that hour of the week."""

import pytest

from detour.health.reports import HOUR, WEEK, WEEKS_KEPT, Heard, begins, hour_number, said_by_users, usual
from detour.model.signals import ReportRules
from detour.model.timestamps import parse_time

RULES = ReportRules(times=3.0, clients=10)


def test_weeks_begin_on_monday() -> None:
    monday = parse_time("2026-11-30T00:00:00Z")
    hour = hour_number(monday)
    assert hour % WEEK == 0
    assert begins(hour) == monday
    assert hour_number(monday - 1) % WEEK == WEEK - 1
    assert hour_number(monday + 16.5 * HOUR) == hour + 16


def test_usual_is_the_median_of_that_hour_in_the_weeks_before() -> None:
    hour = hour_number(parse_time("2026-11-30T16:00:00Z"))
    week = hour // WEEK
    weeks = {week - 1: {16: 4, 17: 900}, week - 2: {16: 6}, week - 3: {16: 200}, week: {16: 7000}}
    assert usual(weeks, hour) == 6
    assert usual({week - WEEKS_KEPT - 1: {16: 5}}, hour) is None
    assert usual({}, hour) is None


@pytest.mark.parametrize(
    ("heard", "usually", "against"),
    [
        (Heard(10, 10), None, True),
        (Heard(9, 9), None, False),
        (Heard(400, 9), None, False),  # a few who report again and again
        (Heard(10, 10), 0.0, True),
        (Heard(30, 30), 120.0, False),  # 10 in five minutes are usual: three times that is not exceeded
        (Heard(31, 30), 120.0, True),
    ],
)
def test_it_takes_more_than_usual_of_enough_different_clients(
    heard: Heard, usually: float | None, against: bool
) -> None:
    said = said_by_users(heard, usually, RULES)
    assert said.against is against
    assert bool(said.message) is against
