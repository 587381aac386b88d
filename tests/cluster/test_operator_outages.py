"""The Kubernetes API server goes away: checks, decisions and DNS go on, and the status catches up after."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from detour_lab.services.services import Mode

from .operating import Lab, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def present_again(lab: Lab) -> AsyncIterator[None]:
    """Whatever happens in a test, the API server is there for the next one."""
    yield
    await asyncio.to_thread(lab.plane.start_api_server)


async def test_dns_follows_a_failure_while_the_api_server_is_away_and_the_status_catches_up(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.ready()
    operator = await stage.lab.operator()
    late = stage.lab.make_operator("--allow-networks=127.0.0.0/8", f"--namespaces={stage.namespace}", owner="late")
    await asyncio.to_thread(stage.lab.plane.stop_api_server)
    await virginia.service.switch(Mode.REFUSING)
    await stage.serves(netherlands.address)
    assert (await operator.get("/livez"))[0] == 200
    assert (await operator.get("/readyz"))[0] == 200

    await late.start(ready=False)
    await late.answers("/livez", 200)
    assert "not listed yet" in await late.answers("/readyz", 503)

    await virginia.service.switch(Mode.UP)
    await stage.serves(virginia.address)
    await asyncio.to_thread(stage.lab.plane.start_api_server)
    await late.answers("/readyz", 200)
    await late.end()
    await virginia.service.switch(Mode.REFUSING)
    await stage.condition("api", "FailedOver", "True")
    await stage.saw(f"{netherlands.address} -> {virginia.address}")
    history = (await stage.status())["history"]
    assert [each["values"] for each in history] == [
        [netherlands.address],
        [virginia.address],
        [netherlands.address],
        [virginia.address],
    ], "what happened meanwhile is told"

    await stage.apply(stage.record([virginia, netherlands], "new"))
    await stage.serves(netherlands.address, name="new")
    warnings = [line["message"] for line in operator.lines() if line["level"] == "warning"]
    assert sum("status cannot be written" in line for line in warnings) == 1, "an outage is told once"
