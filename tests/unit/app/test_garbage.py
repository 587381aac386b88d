"""Garbage is collected in small steps: what lives long is looked through once."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from detour.app.garbage import LOOKS_A_MINUTE, GarbageCollection, megabytes, must_look_through


class Node:
    """Refers to itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Leave the collector to the test, with nothing to collect, and as it was after it."""
    before = gc.get_threshold()
    gc.unfreeze()
    gc.collect()
    gc.disable()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)
    gc.enable()


def grow_old() -> None:
    """Let what is alive outlive two looks, as it would when much comes to be."""
    gc.collect(0)
    gc.collect(1)


def test_cycles_that_grew_old_go_and_what_is_alive_is_set_apart() -> None:
    garbage, alive = Node(), Node()
    gone = weakref.ref(garbage)
    del garbage
    grow_old()
    GarbageCollection(lambda: True).look()
    assert gone() is None
    assert gc.get_freeze_count() > 0
    assert alive.me is alive


def test_what_is_young_is_left_to_itself() -> None:
    GarbageCollection(lambda: True).look()
    assert gc.get_freeze_count() == 0


class Process:
    """One that has begun with 300 MB, of which a part that had grown old is garbage since."""

    def __init__(self) -> None:
        self.is_busy, self.megabytes = False, 300.0
        self.collection = GarbageCollection(lambda: self.is_busy, lambda: self.megabytes)
        many = [Node() for _ in range(1_000)]
        self.gone = weakref.ref(many[0])
        grow_old()
        self.minutes(1)  # the first quiet one: this is what was there at the start
        many.clear()

    def minutes(self, number: int) -> None:
        for _ in range(number * LOOKS_A_MINUTE):
            self.collection.look()


def test_all_is_looked_through_in_a_quiet_minute_once_the_process_has_grown() -> None:
    process = Process()
    process.is_busy, process.megabytes = True, 550.0
    process.minutes(2)
    assert process.gone() is not None, "it looked through everything while there was work"
    process.is_busy = False
    process.minutes(2)
    assert process.gone() is None


def test_where_no_minute_is_quiet_all_is_looked_through_once_there_is_twice_as_much() -> None:
    process = Process()
    process.is_busy, process.megabytes = True, 701.0
    process.minutes(1)
    assert process.gone() is None


@pytest.mark.parametrize(
    ("now", "at_last", "is_quiet", "due"),
    [(500, 300, True, False), (501, 300, True, True), (700, 300, False, False), (701, 300, False, True)],
)
def test_when_all_is_looked_through(now: float, at_last: float, is_quiet: bool, due: bool) -> None:
    assert must_look_through(now, at_last, is_quiet=is_quiet) is due


def test_the_memory_of_the_process_is_known() -> None:
    assert 10 < megabytes() < 10_000
