"""What people set above the verdicts: what becomes of a record by that, and in which order."""

import pytest

from detour.model.checks import CheckTiming, TCPCheck
from detour.model.endpoint import AdminState, Endpoint, Forced
from detour.model.overrides import LEEWAY, LONGEST, Action, Override, overruled
from detour.model.record import ObjectKey, Publish, Record

KEY = ObjectKey("shop", "api")
PLACES = (Endpoint("one", "east", ("192.0.2.1",)), Endpoint("two", "west", ("192.0.2.2",), priority=2))
RECORD = Record(
    key=KEY,
    uid="u",
    created=0.0,
    generation=1,
    hostname="api.example.org",
    zones=(ObjectKey("shop", "main"),),
    ttl=30,
    publish=Publish.ADDRESS,
    endpoints=PLACES,
    probe=TCPCheck(443),
    timing=CheckTiming(10.0, 1.0, 2.0, 3, 2),
)


def override(action: Action, name: str = "o", *, created: float = 0.0, expires: float = 60.0, **about: str) -> Override:
    key = ObjectKey("shop", name)
    return Override(key, name, 1, created, action, expires, "a test", "alice", record=KEY, **about)  # type: ignore[arg-type]  # by keyword


def forced(*overrides: Override) -> tuple[AdminState, Forced | None]:
    first = overruled(RECORD, overrides).endpoints[0]
    return first.state, first.forced


def test_without_any_the_record_is_the_one_that_was_declared() -> None:
    assert overruled(RECORD, ()) is RECORD


def test_what_is_said_of_an_endpoint_touches_no_other() -> None:
    made = overruled(RECORD, [override(Action.DRAIN, endpoint="one")])
    assert made.endpoints[0].state is AdminState.DRAINED
    assert made.endpoints[1] is PLACES[1] or made.endpoints[1] == PLACES[1]


def test_what_goes_down_goes_before_what_goes_up() -> None:
    up = override(Action.FORCE_UP, endpoint="one")
    assert forced(up) == (AdminState.ACTIVE, Forced.UP)
    assert forced(up, override(Action.FORCE_DOWN, endpoint="one")) == (AdminState.ACTIVE, Forced.DOWN)
    assert forced(override(Action.FORCE_DOWN, endpoint="one"), up) == (AdminState.ACTIVE, Forced.DOWN)


def test_a_freeze_and_a_pin_may_come_together_and_the_newest_pin_counts() -> None:
    pins = [override(Action.PIN, f"p{pin}", created=float(pin), pin=str(pin)) for pin in (1, 3, 2)]
    made = overruled(RECORD, [*pins, override(Action.FREEZE)])
    assert made.suspend
    assert made.pin == "3"


@pytest.mark.parametrize("name", ["nobody", ""])
def test_an_endpoint_that_is_not_there_changes_nothing(name: str) -> None:
    assert overruled(RECORD, [override(Action.DRAIN, endpoint=name)]) == RECORD


def test_one_that_lasts_for_more_than_a_week_is_not_permitted() -> None:
    assert not override(Action.FREEZE, created=5.0, expires=5.0 + LONGEST + LEEWAY).lasts_too_long
    assert override(Action.FREEZE, created=5.0, expires=5.1 + LONGEST + LEEWAY).lasts_too_long
