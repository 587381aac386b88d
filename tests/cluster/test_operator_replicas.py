"""Two replicas in one cluster: the Lease says who should write, and the ledger in the zone who can.

Each story has operators of its own, a Lease of its own, and a zone whose every change is in a log. The lease lasts
10 s and is renewed every 3 s. How long a take-over takes is the acceptance row `takeover`.
"""

import json
import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from detour_lab.services.services import Mode
from detour_lab.stage.operatorprocess import OperatorProcess
from detour_lab.zones.store import Commit

from .cuttable import CuttableLine
from .measuring import metric
from .operating import Manifest, Stage
from .operatorprocess import PATIENCE, until
from .stories import solo

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHECKS_MEANWHILE = 3
_EPOCH = re.compile(r"\bepoch=(\d+)\b")


def replica(
    stage: Stage, name: str, *flags: str, owner: str = "lab", namespace: str = "", kubeconfig: str = ""
) -> OperatorProcess:
    """Return an operator for one namespace, not started, that stands for election under `name`."""
    place = namespace or stage.namespace
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("DETOUR_", "KUBECONFIG"))}
    arguments = (
        f"--owner={owner}",
        f"--kubeconfig={kubeconfig or stage.lab.plane.kubeconfig}",
        f"--namespaces={place}",
        f"--lease={place}/{owner}",
        "--allow-networks=127.0.0.0/8,::1/128",
        f"--resolver={stage.lab.server.address}",
        *flags,
    )
    return OperatorProcess(arguments, environment=environment, name=name)


async def holder(stage: Stage) -> str:
    """Return who holds the Lease of the operators."""
    return await stage.kubectl("get", "lease", "lab", "-o", "jsonpath={.spec.holderIdentity}")


@asynccontextmanager
async def replicas(stage: Stage, *flags: str) -> AsyncIterator[tuple[OperatorProcess, OperatorProcess]]:
    """Run two, the first of which leads."""
    async with replica(stage, "first", *flags) as first:
        await leads(first)
        async with replica(stage, "second", *flags) as second:
            yield first, second


def roomy_zone(stage: Stage) -> Manifest:
    """Return the stage's zone for a story in which two regions fail one after the other."""
    return stage.zone(safety={"maxRegionsEvacuated": 2})


async def leads(operator: OperatorProcess, *, within: float = PATIENCE) -> None:
    """Wait until this replica says that it leads."""

    async def look() -> bool:
        return await metric(operator.url, "detour_leader") == 1

    await until(look, lambda: f"{operator.name} leads:\n{operator.log_tail()}", within)


async def verdicts(operator: OperatorProcess, verdict: str) -> float:
    """Return how often targets have come to this verdict at a replica."""
    return await metric(operator.url, "detour_verdict_changes_total", verdict=verdict) or 0.0


async def checks(operator: OperatorProcess) -> float:
    """Return how many checks have failed at a replica."""
    return await metric(operator.url, "detour_checks_total", result="failed") or 0.0


def ledger(stage: Stage, owner: str = "lab") -> str:
    """Return what the ledger says, empty where there is none."""
    found = stage.store.get(f"{owner}._detour.{stage.domain}", "TXT")
    return "".join(found.values) if found else ""


def epoch(stage: Stage, commit: Commit | None = None, owner: str = "lab") -> int:
    """Return the epoch in force, or the one under which a commit was made; 0 where there is none."""
    name = f"{owner}._detour.{stage.domain}"
    texts = [" ".join(each.values) for each in commit.added if each.name == name] if commit else [ledger(stage, owner)]
    found = _EPOCH.search(" ".join(texts))
    return int(found[1]) if found else 0


def commits(stage: Stage, since: int) -> list[Commit]:
    """Return every change after the one of this number."""
    return [each for each in stage.store.log if each.number > since]


def names_in(found: Sequence[Commit]) -> set[str]:
    """Return every name that these changes touch."""
    return {one.name for each in found for one in (*each.added, *each.removed)}


@solo
async def test_only_the_leader_writes_while_the_standby_checks_as_it_does(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    async with replicas(stage) as (first, second):
        await stage.ready()
        await stage.serves(virginia.address)
        before, told, last = await stage.status(), await stage.events(), stage.store.serial
        first.pause()
        await virginia.service.switch(Mode.REFUSING)

        async def knows() -> bool:
            return await verdicts(second, "Unhealthy") >= 1

        await until(knows, "the standby finds virginia unhealthy")
        failed = await checks(second)

        async def went_on() -> bool:
            return await checks(second) >= failed + CHECKS_MEANWHILE

        await until(went_on, "the standby goes on with its checks")
        assert await metric(second.url, "detour_leader") == 0
        assert (await stage.status(), await stage.events(), stage.store.serial) == (before, told, last)

        first.resume()
        await stage.serves(netherlands.address)
        await stage.condition("api", "FailedOver", "True")
        assert (await stage.status())["plan"]["revision"] == 2
        assert len(await stage.told("Rerouted", times=1)) == 1
    assert not stage.was_ever_empty()


@solo
async def test_a_leader_that_is_asked_to_end_hands_over_at_once_and_no_name_changes(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    async with replicas(stage) as (first, second):
        await stage.ready()
        last, old = stage.store.serial, epoch(stage)
        before = await stage.status()
        led_before = await holder(stage)
        await first.terminate()
        assert await holder(stage) != led_before  # it let go of the Lease, so that nobody waits for its end
        await leads(second, within=PATIENCE)
        await until(lambda: epoch(stage) == old + 1, "the next leader claims the zone", PATIENCE)

        await first.start()
        await stage.condition("zone", "Ready", "True", kind="dz")
        assert await metric(first.url, "detour_leader") == 0
        assert names_in(commits(stage, last)) == {f"lab._detour.{stage.domain}"}
        after = await stage.status()
        assert (after["plan"], after["history"]) == (before["plan"], before["history"])


@solo
async def test_a_killed_leader_is_replaced_by_one_that_goes_on_where_it_stopped(stage: Stage) -> None:
    virginia, netherlands, frankfurt = await stage.places("virginia", "netherlands", "frankfurt")
    await stage.apply(*stage.basics(), roomy_zone(stage), stage.record([virginia, netherlands, frankfurt]))
    async with replicas(stage) as (first, second):
        await stage.ready()
        await virginia.service.switch(Mode.REFUSING)
        await stage.serves(netherlands.address)
        await stage.condition("api", "FailedOver", "True")
        await stage.ready()
        before, last, old = await stage.status(), stage.store.serial, epoch(stage)
        await first.kill()
        await until(lambda: epoch(stage) > old, "the next leader claims the zone", PATIENCE)
        await leads(second)

        async def owns() -> bool:
            return await metric(second.url, "detour_zone_in_force") == 1

        await until(owns, "the next leader is in force", PATIENCE)
        assert names_in(commits(stage, last)) == {f"lab._detour.{stage.domain}"}, "a claim, and nothing else"
        assert epoch(stage) == old + 1

        await netherlands.service.switch(Mode.REFUSING)
        await stage.serves(frankfurt.address)

        async def told() -> bool:
            return bool((await stage.status())["plan"]["revision"] == 3)

        await until(told, "the third set is told", PATIENCE)
        after = await stage.status()
        assert after["history"][1:] == before["history"]
        assert [each["revision"] for each in after["history"]] == [3, 2, 1]
        assert len(await stage.told("Decided", times=1)) == 1
        assert len(await stage.told("Rerouted", times=2)) == 2
    assert not stage.was_ever_empty()


@solo
async def test_a_leader_that_was_paused_for_longer_than_its_lease_stands_down_and_applies_nothing(
    stage: Stage,
) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    async with replicas(stage) as (first, second):
        await stage.ready()
        old = epoch(stage)
        first.pause()
        await virginia.service.switch(Mode.REFUSING)
        await stage.serves(netherlands.address)
        assert epoch(stage) > old
        last = stage.store.serial
        seen = len(first.lines)
        first.resume()
        await first.until(lambda line: line.get("event") == "leads-no-longer", timeout=PATIENCE, start=seen)

        failed = await checks(first)

        async def went_on() -> bool:
            return await checks(first) >= failed + CHECKS_MEANWHILE

        await until(went_on, "it checks on, as a standby", PATIENCE)
        assert commits(stage, last) == []
        assert await metric(first.url, "detour_leader") == 0
        assert await metric(second.url, "detour_leader") == 1
        await stage.condition("api", "FailedOver", "True")
        await stage.told("Rerouted", times=1)
        tellers = [replica for _, replica in await stage.events_and_who_told_them("Rerouted")]
        # Once each: a replica that wakes up may decide before it knows that its lease is gone.
        assert len(set(tellers)) == len(tellers)
    assert not stage.was_ever_empty()


@solo
async def test_a_leader_cut_off_from_the_api_server_goes_on_writing_until_another_has_claimed(stage: Stage) -> None:
    virginia, netherlands, frankfurt = await stage.places("virginia", "netherlands", "frankfurt")
    await stage.apply(*stage.basics(), roomy_zone(stage), stage.record([virginia, netherlands, frankfurt]))
    flags = ("--audit-every=1",)
    async with CuttableLine.to(stage.lab.plane.kubeconfig, stage.lab.folder / f"{stage.namespace}.cut") as line:
        first = replica(stage, "first", *flags, kubeconfig=str(line.kubeconfig))
        async with first:
            await leads(first)
            await stage.ready()
            old = epoch(stage)
            line.cut()
            await virginia.service.switch(Mode.REFUSING)
            await stage.serves(netherlands.address)
            assert epoch(stage) == old, "nobody else has claimed the zone"

            async with replica(stage, "second", *flags) as second:
                await leads(second)
                await until(lambda: epoch(stage) == old + 1, "the new leader claims the zone", PATIENCE)

                async def yielded() -> bool:
                    return await metric(first.url, "detour_zone_in_force") == 0

                await until(yielded, "the old leader meets the higher epoch", PATIENCE)
                await netherlands.service.switch(Mode.REFUSING)
                await stage.serves(frankfurt.address)
                assert epoch(stage) == old + 1, "the one that is cut off leaves the zone alone"

                seen = len(first.lines)
                line.mend()
                await first.until(lambda line: line.get("event") == "leads-no-longer", timeout=PATIENCE, start=seen)
                await stage.condition("api", "FailedOver", "True")
                assert epoch(stage) == old + 1
                revisions = [each["revision"] for each in (await stage.status())["history"]]
                assert revisions == sorted(revisions, reverse=True)
    assert not stage.was_ever_empty()


@solo
async def test_installations_of_different_owners_share_a_zone_and_leave_each_others_names_alone(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    other = f"{stage.namespace}-paris"
    theirs = [
        moved(each, other)
        for each in (
            *stage.basics(),
            stage.record([netherlands, virginia], adopt=True),
            stage.record([virginia, netherlands], "own"),
        )
    ]
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    try:
        async with replica(stage, "ours"):
            await stage.ready()
            await stage.apply(*theirs)
            async with replica(stage, "theirs", owner="paris", namespace=other):
                await stage.serves(virginia.address, name="own")
                await until(lambda: refused(stage, other), "the name of the other owner is refused", PATIENCE)
                await virginia.service.switch(Mode.REFUSING)
                await stage.serves(netherlands.address)
                await stage.serves(netherlands.address, name="own")

        assert (epoch(stage), epoch(stage, owner="paris")) == (1, 1), "each has claimed its own ledger once"
        for each in stage.store.log:
            ours = epoch(stage, each) > 0
            paris = epoch(stage, each, owner="paris") > 0
            assert not (ours and paris)
            assert not (ours and names_in([each]) & {f"own.{stage.domain}", f"_detour.own.{stage.domain}"})
            assert not (paris and names_in([each]) & {f"api.{stage.domain}", f"_detour.api.{stage.domain}"})
    finally:
        for kind in ("fr", "dz"):
            await stage.lab.kubectl("delete", kind, "--all", "-n", other, check=False)
    assert not stage.was_ever_empty()
    assert not stage.was_ever_empty("own")


def moved(manifest: Manifest, namespace: str) -> Manifest:
    """Return the same object in another namespace."""
    if manifest["kind"] == "Namespace":
        return {**manifest, "metadata": {"name": namespace}}
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


async def refused(stage: Stage, namespace: str) -> bool:
    """Tell whether the record `api` of another namespace says that the name belongs to another owner."""
    found = json.loads(await stage.lab.kubectl("get", "fr", "api", "-n", namespace, "-o", "json"))
    conditions = found.get("status", {}).get("conditions", [])
    return any(each["type"] == "Published" and each["reason"] == "OwnedByAnother" for each in conditions)
