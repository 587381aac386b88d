"""People take endpoints and regions out of DNS, or keep the operator's hands off a record."""

import re
import time

import pytest

from detour_lab.services.services import Mode

from .operating import Manifest, Place, Stage
from .operatorprocess import until
from .stories import story

pytestmark = pytest.mark.asyncio(loop_scope="session")


def region(name: str, **spec: object) -> Manifest:
    """Return a CloudRegion."""
    return {"kind": "CloudRegion", "metadata": {"name": name}, "spec": {"cloud": "Other", "location": "here", **spec}}


def in_region(place: Place, name: str, priority: int) -> Manifest:
    return place.endpoint(priority, region=name)


async def region_phase(stage: Stage, name: str, phase: str) -> Manifest:
    """Wait until a CloudRegion is in this phase, and return its status."""

    async def look() -> Manifest | None:
        status = await stage.status(name, "region")
        return status if status.get("phase") == phase else None

    found: Manifest = await until(look, f"region {name} is {phase}")
    return found


@story
async def test_a_drained_endpoint_leaves_dns_and_comes_back_without_a_hold_down(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    slow_return: Manifest = {"failback": {"holdDown": "1h"}}
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands], **slow_return))
    await stage.serves(virginia.address)
    drained = [virginia.endpoint(1, state="Drained"), netherlands.endpoint(2)]
    await stage.apply(stage.record(drained, **slow_return))
    await stage.serves(netherlands.address)
    await stage.condition("api", "FailedOver", "True", saying="virginia is drained")
    await stage.condition("api", "Healthy", "True")
    await stage.ready()
    await stage.apply(stage.record([virginia, netherlands], **slow_return))
    await stage.serves(virginia.address)


@story
async def test_a_drained_region_takes_its_endpoints_out_and_says_so(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    name = f"{stage.namespace}-a"
    listed = [in_region(virginia, name, 1), in_region(netherlands, "elsewhere", 2)]
    await stage.apply(*stage.basics(), region(name), stage.record(listed))
    await stage.serves(virginia.address)
    status = await region_phase(stage, name, "Healthy")
    assert status["endpoints"] == {"total": 1, "healthy": 1, "unhealthy": 0, "unknown": 0}

    await stage.apply(region(name, state="Drained"))
    await stage.serves(netherlands.address)
    await region_phase(stage, name, "Drained")
    await stage.condition("api", "FailedOver", "True", saying="virginia is drained")
    assert "Drained" in await stage.kubectl("get", "region", name)
    await stage.apply(region(name))
    await stage.serves(virginia.address)
    await region_phase(stage, name, "Healthy")


@story
async def test_a_region_with_a_broken_endpoint_is_suspect(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    name = f"{stage.namespace}-a"
    listed = [in_region(virginia, name, 1), in_region(netherlands, "elsewhere", 2)]
    await stage.apply(*stage.basics(), region(name), stage.record(listed))
    await region_phase(stage, name, "Healthy")
    await virginia.service.switch(Mode.REFUSING)
    assert (await region_phase(stage, name, "Suspect"))["reason"] == "EndpointsFail"


@story
async def test_a_drain_with_an_end_ends_by_itself(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    name = f"{stage.namespace}-a"
    listed = [in_region(virginia, name, 1), in_region(netherlands, "elsewhere", 2)]
    await stage.apply(*stage.basics(), region(name), stage.record(listed))
    await stage.serves(virginia.address)
    await stage.apply(region(name, state="Drained", reason="new switches"))
    await stage.serves(netherlands.address)
    assert "new switches" in (await region_phase(stage, name, "Drained"))["message"]
    until_then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4))
    await stage.apply(region(name, state="Drained", until=until_then))
    columns = await stage.kubectl("get", "region", name)
    expected = ["STATE", "SINCE", "REASON", "HEALTHY", "ENDPOINTS", "RECORDS", "UNTIL", "AGE"]
    assert re.split(r"\s+", columns)[3:11] == expected
    assert until_then in columns
    await stage.serves(virginia.address)
    assert time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) >= until_then, "not before its time"
    await region_phase(stage, name, "Healthy")


@story
async def test_a_suspended_record_decides_and_reports_but_writes_nothing(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.ready()
    await stage.patch("api", {"suspend": True})
    await stage.condition("api", "Published", "True")
    before = stage.commits()
    await virginia.service.switch(Mode.REFUSING)
    await stage.condition("api", "Published", "False", "WouldPublish", saying=("Suspended", netherlands.address))
    status = await stage.status()
    assert status["zones"][0]["wouldPublish"] == [netherlands.address]
    assert status["summary"]["serving"] == "virginia", "what serves is what DNS holds, not what was decided"
    await stage.condition("api", "FailedOver", "False", "OnFirstPriority", saying="decided: priority 2 is healthy")
    assert stage.commits() == before
    assert await stage.events("Rerouted") == []

    await stage.patch("api", {"suspend": False})
    await stage.serves(netherlands.address)
    await stage.ready()
    assert "wouldPublish" not in (await stage.status())["zones"][0]


@story
async def test_a_record_born_suspended_claims_nothing(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    await stage.apply(*stage.basics(), stage.record([virginia], suspend=True))
    await stage.condition("api", "Published", "False", "WouldPublish", saying=virginia.address)
    assert stage.store.get(f"_detour.api.{stage.domain}", "TXT") is None
    assert stage.published() == ()
