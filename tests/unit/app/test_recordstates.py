"""What `kubectl get fr` shows of a record, whatever has happened to it."""

import pytest

from detour.kube.status.conditions import Condition
from detour.kube.status.progress import DEADLINE_EXCEEDED, PROGRESS_DEADLINE, progress

from .brokenstates import TABLE, Boot, Broken
from .world import Clouds


@pytest.mark.parametrize("broken", TABLE, ids=[each.name for each in TABLE])
async def test_the_state_tells_what_is_wrong_and_what_to_do(boot: Boot, clouds: Clouds, broken: Broken) -> None:
    world = await broken.story(boot, clouds)
    status = world.api.status()
    assert (status["state"], status["message"]) == (broken.state.value, status["message"])
    assert broken.cause in status["message"]
    assert broken.cure in status["message"]
    types = [each["type"] for each in status["conditions"]]
    is_ready = world.api.condition("Ready")[0] == "True"
    assert len({"Reconciling", "Stalled"}.intersection(types)) == (1 if broken.is_stalled or not is_ready else 0)
    assert ("Stalled" in types) is broken.is_stalled


def test_there_are_forty() -> None:
    assert len({each.name for each in TABLE}) >= 40


READY = Condition("Ready", True, "Serving", "")
UNDER_WAY = Condition("Ready", False, "InProgress", "on its way")


def told(found: Condition, at: str, generation: int = 1) -> dict[str, object]:
    return {
        "type": found.type,
        "status": "True",
        "reason": found.reason,
        "observedGeneration": generation,
        "lastTransitionTime": at,
    }


def test_what_is_ready_is_neither_reconciling_nor_stalled() -> None:
    assert progress(READY, (), needs_a_person=False, generation=1, now=0.0).conditions == ()


def test_what_is_on_its_way_is_stalled_after_the_deadline_and_stays_so_until_it_is_edited() -> None:
    first = progress(UNDER_WAY, (), needs_a_person=False, generation=1, now=1000.0)
    assert [each.type for each in first.conditions] == ["Reconciling"]
    assert first.look_again_at == 1000.0 + PROGRESS_DEADLINE
    before = [told(first.conditions[0], "1970-01-01T00:16:40Z")]
    almost = progress(UNDER_WAY, before, needs_a_person=False, generation=1, now=1599.0)
    assert (almost.conditions[0].type, almost.look_again_at) == ("Reconciling", 1600.0)
    over = progress(UNDER_WAY, before, needs_a_person=False, generation=1, now=1600.0)
    assert (over.conditions[0].type, over.conditions[0].reason) == ("Stalled", DEADLINE_EXCEEDED)
    later = [told(over.conditions[0], "1970-01-01T00:26:40Z")]
    assert progress(UNDER_WAY, later, needs_a_person=False, generation=1, now=1601.0).conditions == over.conditions
    edited = progress(UNDER_WAY, later, needs_a_person=False, generation=2, now=1601.0)
    assert edited.conditions[0].type == "Reconciling"


def test_what_will_not_mend_itself_is_stalled_at_once() -> None:
    found = progress(UNDER_WAY, (), needs_a_person=True, generation=1, now=0.0)
    assert [(each.type, each.holds) for each in found.conditions] == [("Stalled", True)]
