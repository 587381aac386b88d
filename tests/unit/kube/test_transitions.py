"""Which changes of conditions are told in an event, and which of them warn."""

import pytest

from detour.kube.reporting.reported import States
from detour.kube.reporting.transitions import transitions
from detour.kube.status.conditions import Condition
from detour.model.objects import Kind

NOT_PINNED = Condition("Pinned", False, "NotPinned", "health decides")
PINNED = Condition("Pinned", True, "PinnedByUser", "pinned to revision 1")
INVALID = Condition("Pinned", False, "PinInvalid", "no such revision")


def told(before: States, condition: Condition) -> list[tuple[str, bool]]:
    return [(each.reason, each.warning) for each in transitions(Kind.FAILOVER_RECORD, before, [condition])]


def test_a_record_that_was_never_pinned_is_no_news() -> None:
    assert told({}, NOT_PINNED) == []


def test_a_pin_and_its_end_are_told_and_no_warnings() -> None:
    earlier: States = {}
    told(earlier, NOT_PINNED)
    assert told(earlier, PINNED) == [("PinnedByUser", False)]
    assert told(earlier, PINNED) == []
    assert told(earlier, NOT_PINNED) == [("NotPinned", False)]


@pytest.mark.parametrize("before", [NOT_PINNED, PINNED, None])
def test_a_pin_that_cannot_be_followed_is_warned_of(before: Condition | None) -> None:
    earlier: States = {}
    if before is not None:
        told(earlier, before)
    assert told(earlier, INVALID) == [("PinInvalid", True)]
