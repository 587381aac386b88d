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


def test_all_is_looked_through_in_a_quiet_minute_once_the_process_has_grown() -> None:
    busy, memory = [False], [300.0]
    collection = GarbageCollection(lambda: busy[0], lambda: memory[0])
    many = [Node() for _ in range(1_000)]
    gone = weakref.ref(many[0])
    grow_old()
    for _ in range(LOOKS_A_MINUTE):
        collection.look()  # the first quiet minute: this is what was there at the start
    many.clear()
    busy[0], memory[0] = True, 550.0
    for _ in range(2 * LOOKS_A_MINUTE):
        collection.look()
    assert gone() is not None, "it looked through everything while there was work"
    busy[0] = False
    for _ in range(2 * LOOKS_A_MINUTE):
        collection.look()
    assert gone() is None


def test_where_no_minute_is_quiet_all_is_looked_through_once_there_is_twice_as_much() -> None:
    busy, memory = [False], [300.0]
    collection = GarbageCollection(lambda: busy[0], lambda: memory[0])
    many = [Node() for _ in range(1_000)]
    gone = weakref.ref(many[0])
    grow_old()
    for _ in range(LOOKS_A_MINUTE):
        collection.look()
    many.clear()
    busy[0], memory[0] = True, 701.0
    for _ in range(LOOKS_A_MINUTE):
        collection.look()
    assert gone() is None


@pytest.mark.parametrize(
    ("now", "at_last", "is_quiet", "due"),
    [(500, 300, True, False), (501, 300, True, True), (700, 300, False, False), (701, 300, False, True)],
)
def test_when_all_is_looked_through(now: float, at_last: float, is_quiet: bool, due: bool) -> None:
    assert must_look_through(now, at_last, is_quiet=is_quiet) is due


def test_the_memory_of_the_process_is_known() -> None:
    assert 10 < megabytes() < 10_000
