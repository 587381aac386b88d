"""A pause of checks ends by either clock, and once."""

from detour.engine.pause import LOOK_AGAIN, Pause

WALL = 1.7e9


def test_a_pause_ends_by_the_clock_of_people() -> None:
    pause = Pause()
    assert pause.is_on(WALL + 100.0, 0.0, WALL)
    assert (pause.until, pause.look_again_at) == (WALL + 100.0, LOOK_AGAIN)
    assert pause.is_on(WALL + 100.0, 70.0, WALL + 70.0)
    assert pause.look_again_at == 100.0
    assert not pause.is_on(WALL + 100.0, 80.0, WALL + 100.0), "the clock was set forward"
    assert (pause.until, pause.look_again_at) == (None, None)


def test_a_clock_that_is_set_back_makes_a_pause_no_longer_and_revives_none() -> None:
    pause = Pause()
    assert pause.is_on(WALL + 100.0, 0.0, WALL)
    assert pause.is_on(WALL + 100.0, 99.0, WALL - 900.0)
    assert not pause.is_on(WALL + 100.0, 100.0, WALL - 899.0)
    assert not pause.is_on(WALL + 100.0, 101.0, WALL - 898.0)


def test_another_end_is_another_pause_and_none_is_none() -> None:
    pause = Pause()
    assert not pause.is_on(None, 0.0, WALL)
    assert not pause.is_on(WALL - 1.0, 0.0, WALL)
    assert pause.is_on(WALL + 1.0, 0.0, WALL)
    assert not pause.is_on(None, 0.5, WALL + 0.5)
