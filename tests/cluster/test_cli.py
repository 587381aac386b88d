"""The command line as people use it, on a real API server: they look, they act, and kubectl takes it for its own."""

import asyncio
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from detour_lab.services.services import Mode

from .operating import TSIG_SECRET, Stage
from .operatorprocess import until
from .stories import story

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROGRAMS = Path(sys.executable).parent


def surroundings(stage: Stage) -> dict[str, str]:
    """Return an environment in which our programs, kubectl, and the kubeconfig of the lab are found."""
    found = stage.lab.plane.environment()
    return {**found, "PATH": f"{PROGRAMS}:{found['PATH']}"}


async def called(stage: Stage, *command: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        command,
        capture_output=True,
        text=True,
        env=surroundings(stage),
        timeout=120,
        check=False,
    )


async def detour(stage: Stage, *arguments: str, status: int | None = 0, kubectl: bool = False) -> str:
    """Run the command; return what it printed where it ended with `status` (None: any)."""
    program = ["kubectl", "detour"] if kubectl else ["detour"]
    ended = await called(stage, *program, *arguments)
    assert status in (None, ended.returncode), ended.stdout + ended.stderr
    return str(ended.stdout + ended.stderr)


@story
async def test_a_script_waits_for_a_record_and_hears_of_each_stage(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.lab.operator()
    told = await detour(stage, "check", "api", "--wait", "-n", stage.namespace)
    assert [line.split(":")[0] for line in told.splitlines()][-3:] == ["decided", "published", "Ready"]
    await stage.apply(stage.record([virginia], name="lost", zones=[{"name": "nowhere"}]))
    told = await detour(stage, "check", "lost", "--wait", "-n", stage.namespace, status=1)
    assert "Stalled: Refused: " in told
    assert "create it" in told


@story
async def test_a_failing_region_is_explained_down_to_what_name_servers_answer(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.lab.operator()
    await stage.ready()
    assert "records       1: 1 OK" in await detour(stage, "status", "-n", stage.namespace, status=None)
    await virginia.service.switch(Mode.REFUSING)
    await stage.serves(netherlands.address)

    async def is_told() -> bool:
        told = json.loads(await detour(stage, "status", f"{stage.namespace}/api", "-o", "json", status=1))
        return bool(told["state"] == "FailedOver")

    await until(is_told, lambda: "the command says that the record has failed over")
    told = await detour(stage, "status", "-n", stage.namespace, status=1)
    assert f"FailedOver FailoverRecord {stage.namespace}/api" in told
    told = await detour(stage, "explain", "api", "-n", stage.namespace)
    server = stage.lab.server.address
    for part in (
        f"{stage.namespace}/api  api.{stage.domain}  FailedOver",
        "virginia     aws-us-east-1, tier 1  Unhealthy",
        "Priority: virginia, then netherlands",
        f"{stage.namespace}/zone: OK at rfc2136; site",
        f"{server} ({stage.namespace}/zone): {netherlands.address}, TTL",
    ):
        assert part in told
    assert "which is not what the status says" not in told


@story
async def test_what_people_do_is_shown_first_asked_for_and_undone(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.lab.operator()
    await stage.ready()
    here = ("-n", stage.namespace, "-y")
    await virginia.service.switch(Mode.REFUSING)
    await stage.serves(netherlands.address)
    why = ("--reason", "a test")
    told = await detour(stage, "rollback", "api", *here, *why, status=1)
    assert virginia.address in told
    assert "To pin it all the same: --force" in told
    assert stage.published() == (netherlands.address,)
    await detour(stage, "rollback", "api", *here, *why, "--force")
    await stage.serves(virginia.address)

    async def is_down() -> bool:
        return "Down" in await detour(stage, "status", "api", "-n", stage.namespace, status=1)

    await until(is_down, lambda: "a pin to what fails shows as Down")
    await detour(stage, "unpin", "api", *here)
    await stage.serves(netherlands.address)
    await virginia.service.switch(Mode.UP)
    assert "need not wait any longer" in await detour(stage, "failback", "api", *here)
    await stage.serves(virginia.address)
    assert len((await detour(stage, "history", "api", "-n", stage.namespace)).splitlines()) >= 3
    told = await detour(stage, "freeze", "zone", *here, *why, "--until", "1h")
    assert "nothing changes there, also no failover" in told
    await stage.condition("zone", "Frozen", "True", "FrozenByUser", kind="dz")
    await virginia.service.switch(Mode.REFUSING)
    await stage.condition("zone", "Held", "True", kind="dz")
    told = await detour(stage, "approve", "zone", *here)
    assert f"{virginia.address} -> {netherlands.address}" in told
    await stage.serves(netherlands.address)
    await detour(stage, "thaw", "zone", *here)
    assert "not frozen" in await detour(stage, "thaw", "zone", *here, status=1)
    await virginia.service.switch(Mode.UP)
    await stage.serves(virginia.address)
    await detour(stage, "force", "api", "netherlands", "drained", *here, *why)

    async def is_in_force() -> bool:
        return "InForce" in await stage.kubectl("get", "overrides")

    await until(is_in_force, lambda: "the override is in force")
    told = await stage.kubectl("get", "overrides", "-o", "wide")
    assert "endpoint netherlands of" in told
    assert "takes no traffic" in told
    await detour(stage, "unforce", "api", "netherlands", *here)
    await detour(stage, "suspend", "api", *here, *why)

    async def is_suspended() -> bool:
        return "frozen by override" in await detour(stage, "status", "api", "-n", stage.namespace, status=None)

    await until(is_suspended, lambda: "the record says that it is frozen, and by whom")
    await detour(stage, "resume", "api", *here)


@story
async def test_a_refusal_of_the_api_server_is_told_in_its_own_words(stage: Stage) -> None:
    name = f"region-{stage.namespace}"
    await stage.apply(
        {
            "apiVersion": "detour.dev/v1alpha1",
            "kind": "CloudRegion",
            "metadata": {"name": name},
            "spec": {"cloud": "AWS", "location": "us-east-1"},
        }
    )
    told = await detour(stage, "drain", name, "-y", "--reason", "x" * 5000, status=1)
    assert "Too long" in told or "must" in told
    assert "Traceback" not in told
    told = await detour(stage, "drain", f"{name}s", "-y", "--reason", "upgrade", status=1)
    assert f"did you mean {name}" in told
    told = await detour(stage, "drain", name, "--until", "30m", "-y", "--reason", "upgrade")
    assert f"take region {name} out of service until" in told
    await detour(stage, "undrain", name, "-y")
    await stage.lab.kubectl("delete", "cloudregion", name)


@story
async def test_a_zone_and_what_keeps_it_from_working_are_shown(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.lab.operator()
    await stage.ready()
    resolver = f"--resolver={stage.lab.server.address}"
    told = await detour(stage, "zone", "zone", "-n", stage.namespace, resolver)
    for part in (
        f"{stage.namespace}/zone  {stage.domain}  OK",
        "1 owned, 0 waiting to be written, 0 orphaned",
        f"server     {stage.lab.server.address}: serial ",
        "records    1: 1 OK",
    ):
        assert part in told
    told = await detour(stage, "doctor", resolver, status=None)
    assert f"fine   zone {stage.namespace}/zone: 1 name server answers" in told
    await stage.patch("zone", {"safety": {"frozen": True}}, "dz")
    await stage.condition("zone", "Frozen", "True", kind="dz")
    told = await detour(stage, "doctor", resolver, status=1)
    assert f"FAILS  zone {stage.namespace}/zone: Frozen: " in told
    assert "keep failovers from working today" in told or "keeps failovers from working today" in told
    bundle = stage.lab.folder / f"{stage.namespace}.tar.gz"
    assert "events.json" in await detour(stage, "support-bundle", str(bundle), resolver)
    text = gzip.decompress(bundle.read_bytes()).decode(errors="replace")
    assert f"api.{stage.domain}" in text
    assert TSIG_SECRET not in text, "no Secret is read"


@story
async def test_kubectl_takes_it_for_its_own_and_completes_it(stage: Stage) -> None:
    await stage.lab.operator()
    assert "installation" in await detour(stage, "status", "-n", stage.namespace, kubectl=True, status=None)
    completed = await detour(stage, "explai", kubectl=True, status=2)
    assert "Did you mean 'explain'" in completed
    ended = await called(stage, "kubectl", "__complete", "detour", "expl")
    assert ended.stdout.splitlines()[0].split("\t")[0] == "explain"


@story
async def test_what_would_happen_is_said_before_it_does_and_nothing_is_written(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]), stage.record([virginia], name="alone"))
    await stage.lab.operator()
    await stage.ready()
    told = await detour(stage, "simulate", "--fail", "aws-us-east-1", "--all", status=None)
    assert f"  {stage.namespace}/api: virginia -> netherlands, " in told
    assert f"  {stage.namespace}/alone: Down: " in told
    version = {"apiVersion": "detour.dev/v1alpha1"}
    edited = stage.record([netherlands, virginia])
    new = stage.record([netherlands], name="new")
    wrong = stage.record([netherlands], name="wrong", hostname="wrong.example.net")
    manifests = stage.lab.folder / f"{stage.namespace}-names.json"
    manifests.write_text(json.dumps({"kind": "List", "items": [version | each for each in (edited, new, wrong)]}))
    told = await detour(stage, "plan", "-f", str(manifests), "-n", stage.namespace, "--all", status=1)
    zone = stage.domain
    assert f"  ~ api.{zone}  {virginia.address} -> {netherlands.address}" in told
    assert f"  + new.{zone}  {netherlands.address}" in told
    assert f"  {stage.namespace}/wrong: Refused: " in told
    assert stage.published() == (virginia.address,), "nothing was written"
    manifests.write_text(json.dumps(version | stage.record([netherlands], ttl=1)))
    told = await detour(stage, "plan", "-f", str(manifests), status=1)
    assert "names.json: FailoverRecord api: spec.ttl" in told
    await stage.apply(edited)
    await stage.serves(netherlands.address)
