"""An endpoint that comes and goes stays away for a while."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.health.damping import HOUR, MOST_COUNTED, as_if_changed_at, changes_after, held_out_until
from detour.model.health import Verdict

H, U, N = Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.UNKNOWN


def after(*verdicts: tuple[float, Verdict], was_down: bool = False) -> tuple[float, ...]:
    changes: tuple[float, ...] = ()
    for now, verdict in verdicts:
        changes, was_down = changes_after(changes, verdict, was_down=was_down, now=now)
    return changes


def test_a_failure_and_its_recovery_are_two_changes() -> None:
    assert after((1.0, H), (2.0, U), (3.0, U), (4.0, H), (5.0, H)) == (2.0, 4.0)


def test_not_to_know_is_no_change() -> None:
    assert after((1.0, H), (2.0, N), (3.0, H), (4.0, U), (8.0, H), (9.0, N), (10.0, H)) == (4.0, 8.0)


def test_a_failure_that_was_doubted_is_none() -> None:
    """A prober that loses its own way out sees everybody fail, and is doubted: nobody comes and goes for that."""
    assert after((1.0, H), (2.0, U), (3.0, N), (4.0, H)) == ()
    assert after((1.0, H), (2.0, U), (3.0, H), (4.0, U), (5.0, N), (6.0, U), (7.0, H)) == (2.0, 3.0, 6.0, 7.0)
    assert after((1.0, N), (2.0, H), was_down=True) == ()


def test_what_is_an_hour_old_counts_no_more_and_no_more_are_kept_than_count() -> None:
    assert after((0.0, U), (10.0, H), (HOUR + 5.0, U)) == (10.0, HOUR + 5.0)
    many = after(*((float(number), (U, H)[number % 2]) for number in range(200)))
    assert len(many) == MOST_COUNTED + 1
    assert held_out_until(many, MOST_COUNTED, 200.0) is not None


@pytest.mark.parametrize(
    ("most", "expected"),
    [(0, None), (1, 300.0 + HOUR), (2, 200.0 + HOUR), (3, 100.0 + HOUR), (4, None)],
    ids=["no limit", "one", "two", "three", "as many as there are"],
)
def test_who_changed_too_often_stays_away_until_the_changes_are_few_enough(most: int, expected: float | None) -> None:
    assert held_out_until((100.0, 200.0, 300.0, 400.0), most, 400.0) == expected


@given(st.lists(st.floats(0.0, 2 * HOUR), max_size=20).map(sorted), st.integers(1, 6), st.floats(0.0, 3 * HOUR))
def test_the_end_lies_ahead_and_is_the_end(times: list[float], most: int, now: float) -> None:
    changes = tuple(each for each in times if each <= now)
    until = held_out_until(changes, most, now)
    if until is None:
        assert sum(each > now - HOUR for each in changes) <= most
    else:
        assert until > now
        assert held_out_until(changes, most, until + 1e-6) is None


def test_what_a_status_tells_is_gone_on_from() -> None:
    assert held_out_until(as_if_changed_at(5000.0 - HOUR, 6), 6, 4000.0) == 5000.0
    assert held_out_until(as_if_changed_at(5000.0 - HOUR, 6), 6, 5001.0) is None
    assert as_if_changed_at(5000.0 - HOUR, 0) == ()
