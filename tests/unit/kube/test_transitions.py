"""Which changes of conditions are told in an event, and which of them warn."""

import pytest

from detour.kube.kinds import Kind
from detour.kube.reporting import Subject
from detour.kube.status import Condition
from detour.kube.transitions import Transitions
from detour.model.record import ObjectKey

RECORD = Subject(Kind.FAILOVER_RECORD, ObjectKey("shop", "api"), "u-1")
NOT_PINNED = Condition("Pinned", False, "NotPinned", "health decides")
PINNED = Condition("Pinned", True, "PinnedByUser", "pinned to revision 1")
INVALID = Condition("Pinned", False, "PinInvalid", "no such revision")


def told(transitions: Transitions, condition: Condition) -> list[tuple[str, bool]]:
    return [(each.reason, each.warning) for each in transitions.news(RECORD, [condition])]


def test_a_record_that_was_never_pinned_is_no_news() -> None:
    assert told(Transitions(), NOT_PINNED) == []


def test_a_pin_and_its_end_are_told_and_no_warnings() -> None:
    transitions = Transitions()
    told(transitions, NOT_PINNED)
    assert told(transitions, PINNED) == [("PinnedByUser", False)]
    assert told(transitions, PINNED) == []
    assert told(transitions, NOT_PINNED) == [("NotPinned", False)]


@pytest.mark.parametrize("before", [NOT_PINNED, PINNED, None])
def test_a_pin_that_cannot_be_followed_is_warned_of(before: Condition | None) -> None:
    transitions = Transitions()
    if before is not None:
        told(transitions, before)
    assert told(transitions, INVALID) == [("PinInvalid", True)]
