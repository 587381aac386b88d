"""Garbage is collected in small steps: what lives long is looked through once."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from detour.app.garbage import FEW, SETTLED_AFTER, GarbageCollection, must_look_through


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


def test_all_is_looked_through_in_a_quiet_minute_once_much_more_was_set_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detour.app.garbage.FEW", 0)
    busy = [False]
    collection = GarbageCollection(lambda: busy[0])
    grow_old()
    for _ in range(SETTLED_AFTER):
        collection.look()  # the first quiet minute: this is what was there at the start
    many = [Node() for _ in range(2 * gc.get_freeze_count())]
    gone = weakref.ref(many[0])
    grow_old()
    collection.look()  # all of these are set apart
    many.clear()
    busy[0] = True
    for _ in range(2 * SETTLED_AFTER):
        collection.look()
    assert gone() is not None, "it looked through everything while there was work"
    busy[0] = False
    for _ in range(SETTLED_AFTER):
        collection.look()
    assert gone() is None


@pytest.mark.parametrize(
    ("apart", "at_last", "due"), [(FEW, 0, False), (FEW + 1, 0, True), (3_000_000, 1_500_000, False)]
)
def test_when_all_is_looked_through(apart: int, at_last: int, due: bool) -> None:
    assert must_look_through(apart, at_last) is due
