"""The operator dies and comes back, or is told to go: DNS does not notice."""

import asyncio

import pytest

from detour_lab.faults import Fault, FaultKind
from detour_lab.services.services import Mode

from .operating import Manifest, Stage
from .operatorprocess import until
from .stories import solo

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOOPBACK = "--allow-networks=127.0.0.0/8"


def about(stage: Stage, name: str = "api") -> list[int]:
    """Return the numbers of all changes to a managed name and its marker."""
    names = {f"{name}.{stage.domain}", f"_detour.{name}.{stage.domain}"}
    return [each.number for each in stage.store.log if {one.name for one in (*each.removed, *each.added)} & names]


async def epoch(stage: Stage, wanted: int) -> None:
    """Wait until the zone was claimed for the `wanted`th time."""

    async def look() -> bool:
        ledger = (await stage.status("zone", "dz")).get("ledger") or {}
        return str(ledger.get("generation", "")).startswith(f"{wanted}.")

    await until(look, f"the zone's epoch is {wanted}")


@solo
async def test_a_killed_operator_comes_back_to_the_same_decision_and_writes_nothing(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    async with stage.operator(LOOPBACK) as operator:
        await stage.apply(*stage.basics(), stage.record([virginia, netherlands], failback={"holdDown": "1h"}))
        await stage.ready()
        await virginia.service.switch(Mode.REFUSING)
        await stage.serves(netherlands.address)
        await stage.ready()
        await virginia.service.switch(Mode.UP)
        await stage.condition("api", "FailedOver", "True", saying="virginia is held down")
        await asyncio.sleep(1.5)  # what was merged into one write is out by then
        before, status, version = about(stage), await stage.status(), await resource_version(stage)

        await operator.end(kill=True)
        started = len(operator.lines())
        await operator.start()
        await epoch(stage, 2)
        await stage.condition("api", "FailedOver", "True", saying="virginia is held down")
        await stage.ready()
        assert about(stage) == before
        after = await stage.status()
        for told in ("plan", "history", "serving", "summary"):
            assert after[told] == status[told]
        assert transitions(after) == transitions(status), "a restart is no news"
        await until(lambda: "visible" in [each.get("event") for each in operator.lines()[started:]], "it was looked at")
        await asyncio.sleep(1.5)
        assert await resource_version(stage) == version, "a status that is right is not written"


async def resource_version(stage: Stage) -> str:
    return str((await stage.read("api"))["metadata"]["resourceVersion"])


def transitions(status: Manifest) -> dict[str, str]:
    return {each["type"]: each["lastTransitionTime"] for each in status["conditions"]}


@solo
async def test_a_region_that_fails_while_the_operator_is_down_is_left_once_it_is_back(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    async with stage.operator(LOOPBACK) as operator:
        await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
        await stage.ready()
        await operator.end(kill=True)
        await virginia.service.switch(Mode.BLACK_HOLE)
        await operator.start()
        await stage.serves(netherlands.address)
        await stage.ready()
        assert not stage.was_ever_empty()


@solo
async def test_a_record_deleted_while_the_operator_is_down_still_takes_its_name_along(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    async with stage.operator(LOOPBACK) as operator:
        kept = stage.record([virginia], "kept")
        await stage.apply(*stage.basics(), stage.record([virginia], deletionPolicy="Delete"), kept)
        await stage.ready()
        await stage.ready("kept")
        await operator.end()
        await stage.kubectl("delete", "fr", "api", "kept", "--wait=false")
        await operator.start()
        await stage.serves()
        assert stage.published("kept") == (virginia.address,)


@solo
async def test_sigterm_finishes_the_batch_in_flight_and_leaves(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    async with stage.operator(LOOPBACK) as operator:
        await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
        await stage.ready()
        faults = stage.lab.server.faults
        slow = faults.inject(Fault(FaultKind.LATENCY, "UPDATE", stage.domain, seconds=2, times=1))
        await virginia.service.switch(Mode.REFUSING)
        await until(lambda: slow.times == 0, "the update is under way")
        status = await operator.end()
        faults.remove(slow)
        assert status == 0
        assert stage.published() == (netherlands.address,)
        assert any(line["message"] == "stopped" for line in operator.lines())
        await operator.start()
        await stage.ready()
        assert stage.published() == (netherlands.address,)
