"""The safety gate and the pin, as a person meets them with kubectl: what is held says so, and how to let it through."""

import shlex

import pytest

from detour.planning.safety.departures import FREE_NAMES
from detour_lab.services.services import Mode

from .measuring import metric
from .operating import Manifest, Stage
from .operatorprocess import OperatorProcess, until
from .stories import solo, story

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def held(stage: Stage, operator: OperatorProcess, reason: str, saying: str) -> str:
    """Wait until the zone says what it holds, in its condition, an event and a metric; return the command it gives."""
    told = await stage.condition("zone", "Held", "True", reason, saying=saying, kind="dz")
    await stage.saw(f"Warning {reason}: ")
    assert (await metric(operator.url, "detour_zone_held_changes", namespace=stage.namespace) or 0) > 0
    _, command, *_ = told.split("`")
    return command


async def run(stage: Stage, command: str) -> None:
    """Run a command as it stands in a condition, and wait until its annotation was used up.

    As a person would: where more was held since it was read, the condition says so, and gives the command for that.
    """
    program, *arguments = shlex.split(command)
    assert program == "kubectl"
    await stage.lab.kubectl(*arguments)

    zone: Manifest = {}

    async def used_up() -> bool:
        zone.update(await stage.read("zone", "dz"))
        approval = zone["metadata"].get("annotations", {}).get("detour.dev/approve")
        told = next(each["message"] for each in zone["status"]["conditions"] if each["type"] == "Held")
        if approval and f"{approval} stands for other changes" in told:
            await stage.lab.kubectl(*shlex.split(told.split("`")[1])[1:])
        return not approval

    await until(used_up, lambda: f"the approval was used up: {zone}")


@story
async def test_a_frozen_zone_holds_a_failover_until_a_person_approves_exactly_that(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.ready()
    await stage.patch("zone", {"safety": {"frozen": True}}, "dz")
    await stage.condition("zone", "Frozen", "True", kind="dz")
    await virginia.service.switch(Mode.REFUSING)
    command = await held(stage, await stage.lab.operator(), "FrozenByUser", netherlands.address)
    await stage.condition("api", "Published", "False", "Held")
    assert stage.published() == (virginia.address,)
    await stage.lab.kubectl(*shlex.split(command)[1:-1], "detour.dev/approve=0123456789ab")
    await run(stage, command)
    await stage.serves(netherlands.address)
    await stage.saw("Normal Approved: ")
    await stage.patch("zone", {"safety": {"frozen": False}}, "dz")
    await stage.condition("zone", "Frozen", "False", kind="dz")
    await stage.ready()


@story
async def test_a_hold_that_became_unnecessary_ends_by_itself(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.ready()
    await stage.patch("zone", {"safety": {"frozen": True}}, "dz")
    await virginia.service.switch(Mode.REFUSING)
    await held(stage, await stage.lab.operator(), "FrozenByUser", netherlands.address)
    await stage.condition("api", "Published", "False", "Held")
    await virginia.service.switch(Mode.UP)

    async def holds_nothing() -> bool:
        return "held" not in await stage.status("zone", "dz")

    await until(holds_nothing, "the zone holds nothing any more")
    await stage.ready()
    assert stage.published() == (virginia.address,)


@story
async def test_the_second_region_that_fails_waits_for_a_person(stage: Stage) -> None:
    virginia, ohio, netherlands = await stage.places("virginia", "ohio", "netherlands")
    safe = stage.zone(safety={"panicThreshold": 100})
    easts = [f"east{number}" for number in range(FREE_NAMES + 2)]
    wests = [f"west{number}" for number in range(FREE_NAMES + 1)]
    east = [stage.record([virginia, netherlands], name) for name in easts]
    west = [stage.record([ohio, netherlands], name) for name in wests]
    await stage.apply(*stage.basics(), safe, *east, *west)
    for name in (*easts, *wests):
        await stage.ready(name)
    await virginia.service.switch(Mode.REFUSING)
    for name in easts:
        await stage.serves(netherlands.address, name=name)
    await ohio.service.switch(Mode.REFUSING)
    command = await held(stage, await stage.lab.operator(), "TooManyRegions", "west")
    stay = [stage.published(name) for name in wests].count((ohio.address,))
    assert stay >= 1  # names of other stories have left the region within the window, and count
    await run(stage, command)
    for name in wests:
        await stage.serves(netherlands.address, name=name)


@solo
async def test_a_mass_deletion_takes_no_name_before_a_person_approved_it(stage: Stage) -> None:
    async with stage.operator("--allow-networks=127.0.0.0/8", f"--resolver={stage.lab.server.address}") as operator:
        await delete_twelve(stage, operator)


async def delete_twelve(stage: Stage, operator: OperatorProcess) -> None:
    """Let a person delete twelve names, of which the operator hears at once: one after the other they might be few."""
    (virginia,) = await stage.places("virginia")
    names = [f"n{number}" for number in range(12)]
    await stage.apply(*stage.basics(), *(stage.record([virginia], name, deletionPolicy="Delete") for name in names))
    for name in names:
        await stage.ready(name)
    operator.pause()
    await stage.kubectl("delete", "fr", "--all", "--wait=false")
    operator.resume()
    command = await held(stage, operator, "TooManyDeletions", "12")
    assert all(stage.published(name) for name in names)
    await run(stage, command)
    await until(lambda: not any(stage.published(name) for name in names), "the names are gone")


@story
async def test_a_pinned_revision_is_published_until_the_override_goes(stage: Stage) -> None:
    virginia, netherlands = await stage.places("virginia", "netherlands")
    await stage.apply(*stage.basics(), stage.record([virginia, netherlands]))
    await stage.ready()
    await virginia.service.switch(Mode.REFUSING)
    await stage.serves(netherlands.address)
    await stage.condition("api", "FailedOver", "True")

    async def both_told() -> bool:
        return len((await stage.status())["history"]) == 2

    await until(both_told, "the history tells both sets")
    newest, first = (await stage.status())["history"]
    assert (newest["values"], first["values"]) == ([netherlands.address], [virginia.address])
    assert all(each["reason"] for each in (newest, first))

    await stage.apply(stage.override("back", action="Pin", record="api", revision=first["revision"]))
    await stage.serves(virginia.address)
    told = await stage.condition("api", "Pinned", "True", "PinnedByUser")
    assert str(first["revision"]) in told
    header, row = (await stage.kubectl("get", "fr", "api", "-o", "wide")).splitlines()
    assert row[header.index("PINNED") :].split()[0] == str(first["revision"])

    header, row = (await stage.kubectl("get", "override", "back")).splitlines()
    assert [row[header.index(each) :].split()[0] for each in ("ACTION", "RECORD", "STATE")] == ["Pin", "api", "InForce"]
    await stage.kubectl("delete", "override", "back")
    await stage.serves(netherlands.address)
    await stage.condition("api", "Pinned", "False", "NotPinned")
    assert "pinned" not in (await stage.status())["summary"]
    await stage.apply(stage.override("nowhere", action="Pin", record="api", revision=99))
    assert "99" in await stage.condition("api", "Pinned", "False", "PinInvalid")
    assert stage.published() == (netherlands.address,)
    assert not stage.was_ever_empty()
