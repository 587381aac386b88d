"""How many turned bad lately is known without looking at all of them."""

from hypothesis import given
from hypothesis import strategies as st

from detour.engine.turnedbad import TurnedBad

KEYS = st.sampled_from("abcdef")


@given(st.lists(st.tuples(KEYS, st.none() | st.integers(0, 9))), st.integers(0, 9))
def test_it_agrees_with_a_count(steps: list[tuple[str, int | None]], since: int) -> None:
    turned, known = TurnedBad[str](), dict[str, int]()
    for key, at in steps:
        if at is None:
            turned.forget(key)
            known.pop(key, None)
        else:
            turned.note(key, at)
            known[key] = at
    assert turned.count(since) == sum(at >= since for at in known.values())
    assert turned.newest == max(known.values(), default=float("-inf"))
