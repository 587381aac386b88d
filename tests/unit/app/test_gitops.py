"""What deployment tools make of records in every state, by the libraries that they use themselves."""

import copy

import pytest

from detour.model.objects import Kind
from detour.model.states import RecordState as State

from ...gitops.judging import Judgement, judge  # noqa: TID252 - the root is on no path, so a sibling is reached so
from .brokenstates import TABLE, Boot, Broken
from .world import Clouds

pytestmark = pytest.mark.slow


def expected(broken: Broken, is_ready: bool) -> tuple[str, str, str]:
    """Return what kstatus, Argo CD and Flux are to say."""
    if broken.is_stalled:
        argo = "Suspended" if broken.state is State.SUSPENDED else "Degraded"
        return "Failed", argo, "Failed"
    if is_ready:
        return "Current", "Suspended" if broken.state is State.SUSPENDED else "Healthy", "Current"
    return "InProgress", "Progressing", "InProgress"


@pytest.mark.parametrize("broken", TABLE, ids=[each.name for each in TABLE])
async def test_nobody_takes_for_well_what_is_not(boot: Boot, clouds: Clouds, broken: Broken) -> None:
    world = await broken.story(boot, clouds)
    raw = world.api.objects[Kind.FAILOVER_RECORD, "shop", "api"]
    is_ready = world.api.condition("Ready")[0] == "True"
    found = judge([raw])[0]
    if "deletionTimestamp" in raw["metadata"]:
        assert (found.kstatus, found.argo) == ("Terminating", "Degraded")
    else:
        assert (found.kstatus, found.argo, found.flux) == expected(broken, is_ready)
    assert found.message == f"{broken.state.value}: {raw['status']['message']}"


async def test_what_the_operator_has_not_seen_is_in_progress(boot: Boot, clouds: Clouds) -> None:
    world = await TABLE[0].story(boot, clouds)
    seen = world.api.objects[Kind.FAILOVER_RECORD, "shop", "api"]
    assert judge([seen])[0][:2] == ("Current", "Healthy")
    new = {**copy.deepcopy(seen), "status": {"observedGeneration": -1}}
    edited = copy.deepcopy(seen)
    edited["metadata"]["generation"] = 2
    for each in judge([new, edited]):
        assert (each.kstatus, each.argo, each.flux) == ("InProgress", "Progressing", "InProgress")


async def test_zones_are_judged_by_what_they_say_too(boot: Boot, clouds: Clouds) -> None:
    refused = next(each for each in TABLE if each.name == "the wrong Secret")
    held = next(each for each in TABLE if each.name == "a second region fails")
    found: list[Judgement] = []
    for story in (TABLE[0], refused, held):
        world = await story.story(boot, clouds)
        found += judge([world.api.objects[Kind.DNS_ZONE, "shop", "main"]])
        await world.kill()
        clouds.refusing.clear()
        clouds.zones.clear()
        world.api.objects.clear()
    assert [each.kstatus for each in found] == ["Current", "Failed", "Current"]
    assert [each.argo for each in found] == ["Healthy", "Degraded", "Degraded"]
