"""Who fails waits longer and longer, and keeps nobody else waiting."""

import pytest

from detour.kube.turns import Turns


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_pauses_double_up_to_the_longest_and_end_with_the_first_success() -> None:
    clock = Clock()
    turns: Turns[str] = Turns(first=1.0, longest=5.0, clock=clock)
    pauses = []
    for _ in range(5):
        turns.failed("a")
        wait = turns.next_in(["a"])
        assert wait is not None
        assert not turns.is_due("a")
        pauses.append(wait)
        clock.now += wait
        assert turns.is_due("a")
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0]
    turns.went_well("a")
    turns.failed("a")
    assert turns.next_in(["a"]) == pytest.approx(1.0)


def test_only_who_failed_waits_and_only_the_first_failure_of_a_series_is_news() -> None:
    turns: Turns[str] = Turns(first=1.0, longest=5.0, clock=Clock())
    assert turns.failed("a")
    assert not turns.failed("a")
    assert turns.is_due("b")
    assert turns.next_in(["a", "b"]) == 0.0
    assert turns.next_in([]) is None
