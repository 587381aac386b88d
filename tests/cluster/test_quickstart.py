"""The quickstart on a real API server: accepted as it stands, and followed by the operator when a region breaks."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from detour.kube.translate import record_from, zone_from
from detour_lab.controlplane import ControlPlane
from detour_lab.dns.sampling import Question, Sampler
from detour_lab.stage.lab import Lab
from detour_lab.stage.operatorprocess import OperatorProcess

NAMESPACE = "shop"
CRDS = Path(__file__).resolve().parents[2] / "crds"
OWNER = "quickstart-test"
API = "api.shop.example.com"
WAIT = 30.0


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab(first_block=80) as started:
        yield started


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A control plane of this module's own: other tests' operators would care for these records too."""
    with ControlPlane() as started:
        started.kubectl("apply", "-f", str(CRDS))
        started.kubectl("wait", "--for=condition=Established", "--timeout=180s", "-f", str(CRDS))
        yield started


@pytest_asyncio.fixture
async def applied(plane: ControlPlane, lab: Lab) -> ControlPlane:
    """The control plane with the quickstart of this test's lab."""
    for text in lab.manifests().values():
        await asyncio.to_thread(plane.kubectl, "apply", "-f", "-", input=text)
    return plane


async def stored(plane: ControlPlane, kind: str) -> list[dict[str, Any]]:
    """Return the quickstart's objects of a kind as the API server holds them."""
    found = await asyncio.to_thread(plane.kubectl, "get", kind, "-n", NAMESPACE, "-o", "json")
    items: list[dict[str, Any]] = json.loads(found.stdout)["items"]
    return items


async def test_every_manifest_is_accepted_and_translated(applied: ControlPlane, lab: Lab) -> None:
    records = [record_from(item, lab.authority.pem) for item in await stored(applied, "fr")]
    zones = {zone_from(item).key.name for item in await stored(applied, "dz")}
    assert zones == set(lab.zones)
    assert {zone.name for record in records for zone in record.zones} == zones
    declared = yaml.safe_load_all(lab.manifests()["20-regions.yaml"])
    assert {region["metadata"]["name"] for region in declared} == set(lab.regions)
    assert {endpoint.region for record in records for endpoint in record.endpoints} == set(lab.regions)


async def test_the_operator_publishes_it_and_follows_a_broken_region(applied: ControlPlane, lab: Lab) -> None:
    arguments = [f"--owner={OWNER}", f"--kubeconfig={applied.kubeconfig}", f"--namespaces={NAMESPACE}"]
    async with OperatorProcess([*arguments, *lab.operator_arguments]) as operator:
        await asyncio.to_thread(
            applied.kubectl, "wait", "fr", "--all", "-n", NAMESPACE, "--for=condition=Ready", "--timeout=180s"
        )
        before, after = {lab.block.address(1, 20)}, {lab.block.address(2, 20)}
        async with Sampler(lab.name_servers, [Question(API)]) as sampler:
            assert await sampler.until(lambda: all_show(sampler, lab, before), WAIT)
            sampler.begin()
            await lab.break_region("aws-us-east-1")
            assert await sampler.until(lambda: all_show(sampler, lab, after), WAIT)
            await lab.mend_region("aws-us-east-1")
            assert await sampler.until(lambda: all_show(sampler, lab, before), WAIT)
            allowed = {(server, API): [before, after] for server in lab.name_servers}
            assert (sampler.empty_answers(), sampler.wrong_answers(allowed)) == ([], [])
            assert sampler.tally.answers > 0
        await operator.terminate()
    events = [line["event"] for line in operator.lines if API in line.get("hostname", "") or "target" in line]
    assert {"first-failure", "verdict", "decision", "accepted", "visible"} <= set(events)


def all_show(sampler: Sampler, lab: Lab, values: set[str]) -> bool:
    return all(sampler.shown(server, API) == values for server in lab.name_servers)
