"""Operators with other flags than the shared one: a dry run, the guard of networks, chosen namespaces."""

import pytest
from aiohttp import web

from detour_lab.clouds.apiserver import APIServer
from detour_lab.services.services import Mode

from .operating import Lab, Stage
from .stories import solo, story

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOOPBACK = "--allow-networks=127.0.0.0/8"


@solo
async def test_a_dry_run_decides_and_reports_and_writes_nothing_at_all(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    async with stage.operator("--dry-run", LOOPBACK):
        await stage.apply(*stage.basics(), stage.record([virginia, netherlands], deletionPolicy="Delete"))
        await stage.condition("api", "Published", "False", "WouldPublish", saying=("DryRun", virginia.address))
        await virginia.service.switch(Mode.REFUSING)
        await stage.condition("api", "Published", "False", "WouldPublish", saying=netherlands.address)
        await stage.ready("zone", kind="dz")
        assert "finalizers" not in (await stage.read())["metadata"]
        await stage.kubectl("delete", "fr", "api", "--timeout=180s")
    assert len(stage.commits()) == 1, "the zone's creation is all that was ever written, not even a ledger came after"


@solo
async def test_by_default_loopback_is_not_probed_and_the_condition_says_how_to_permit_it(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    hostname = f"lb.{stage.names.store.domain}"
    stage.names.set_addresses(hostname, netherlands.address)
    by_name = {"name": "netherlands", "region": "azure-westeurope", "hostname": hostname, "priority": 2}
    async with stage.operator(f"--resolver={stage.lab.server.address}"):
        await stage.apply(*stage.basics(), stage.record([virginia, by_name]))
        told = await stage.condition("api", "Healthy", "Unknown", saying=f"virginia unknown: {virginia.address}")
        assert "a loopback address" in told
        assert "allow its network in the operator's settings" in told
        await stage.condition("api", "Healthy", "Unknown", saying=f"{netherlands.address} is not probed")
        assert virginia.service.requests == netherlands.service.requests == 0


@solo
async def test_networks_can_be_denied_and_that_wins(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    async with stage.operator(LOOPBACK, f"--deny-networks={virginia.address}/32"):
        await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
        await stage.serves(netherlands.address)
        await stage.condition("api", "Healthy", "False", saying=f"{virginia.address} is not probed")
        assert virginia.service.requests == 0


@story
async def test_a_redirect_to_an_address_of_its_own_host_is_an_answer_and_not_followed(stage: Stage) -> None:
    (inner,) = await stage.places("inner")
    redirecting = APIServer(host=f"{inner.address[:-1]}8", port=stage.lab.port)

    async def lead_inside(_: web.Request) -> web.Response:
        raise web.HTTPFound(f"http://{inner.service}/latest/meta-data/")

    redirecting.app.router.add_get("/{any:.*}", lead_inside)
    async with redirecting:
        endpoint = inner.endpoint(1, addresses=[redirecting.host])
        await stage.apply(*stage.basics(), stage.record([endpoint]))
        await stage.condition("api", "Healthy", "False", saying="redirects are not followed")
    assert inner.service.requests == 0


@solo
async def test_an_operator_confined_to_namespaces_leaves_others_alone(stage: Stage) -> None:
    (virginia,) = await stage.places("virginia")
    other = await stage.lab.stage("other")
    async with stage.operator(LOOPBACK):
        await other.apply(*other.basics(), other.record([virginia]))
        await stage.apply(*stage.basics(), stage.record([virginia]))
        await stage.ready()
        assert (await other.read())["status"] == {"observedGeneration": -1}, "nobody has looked at it"
        assert other.published() == ()
    await other.close()


@pytest.mark.parametrize("owner", ["", "Paris!"])
async def test_an_owner_that_is_no_label_is_refused_in_a_sentence(lab: Lab, owner: str) -> None:
    nameless = lab.make_operator(owner=owner)
    await nameless.start(ready=False)
    assert (await nameless.wait())[0] == 2
    assert "is no DNS label" in nameless.tail()
