"""The scenarios on the whole stage, and the demo as a stranger runs it."""

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from detour_lab.stage.stage import NAMESPACE, PATIENCE, Stage, condition, wait_for
from detour_lab.stories import acceptance, scenarios
from detour_lab.stories.scenarios import feed_and_reports, flapping, two_regions_at_once

DETOUR_LAB = (sys.executable, "-m", "detour_lab")
LIMIT = 900.0
"""Seconds after which a command is given up, on whatever machine."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_stage() -> AsyncIterator[Stage]:
    """One stage for the stories here."""
    async with Stage() as made:
        yield made


async def begin(stage: Stage) -> None:
    """Wait until every record serves its first choice, whatever the story before did; one of them waits for a word."""
    await stage.wait_until_ready()
    await wait_for(lambda: all_are(stage, "Healthy", "True"), timeout=PATIENCE, what="the health of every endpoint")
    word = f"detour.dev/failback={time.time():.0f}"
    await stage.kubectl("annotate", "fr", "orders-db", "-n", NAMESPACE, "--overwrite", word)
    await wait_for(lambda: all_are(stage, "FailedOver", "False"), timeout=PATIENCE, what="the way back")
    await stage.wait_until_ready()


async def all_are(stage: Stage, kind: str, status: str) -> bool:
    """Tell whether a condition of every record has this status."""
    return all(condition(each, kind) == status for each in (await stage.records()).values())


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "story", ["outside-edit", "api-server-away", "drain-and-return", "region-canary", "slow-not-down"]
)
async def test_the_story_passes(shared_stage: Stage, story: str) -> None:
    told: list[str] = []
    await begin(shared_stage)
    play = partial(scenarios.load(story), slack=acceptance.UNTIMED)
    result = await play(shared_stage, told.append)

    assert result.passed, f"{story}: {result.figures()}\n" + "\n".join(told)


@pytest.mark.asyncio(loop_scope="module")
async def test_detour_goes_through_october_2025_without_an_empty_or_an_old_answer(shared_stage: Stage) -> None:
    told: list[str] = []
    await begin(shared_stage)
    result = await scenarios.load("october-2025")(shared_stage, told.append)

    story = "\n".join(told)
    assert result.passed, f"{result.figures()}\n{story}"
    assert result.values["plain_ended_empty"] == 1
    assert result.values["detour_late_batch_refused"] == 1
    assert result.values["detour_empty_answers"] == result.values["detour_stale_writes"] == 0


@pytest.mark.asyncio(loop_scope="module")
async def test_of_two_regions_that_fail_together_one_waits_for_a_person() -> None:
    told: list[str] = []
    async with two_regions_at_once.set_up(say=told.append) as stage:
        await stage.wait_until_ready()
        result = await two_regions_at_once.play(stage, told.append)
    assert result.passed, f"{result.figures()}\n" + "\n".join(told)


@pytest.mark.asyncio(loop_scope="module")
async def test_places_that_come_and_go_are_not_taken_away_together_also_by_a_prober_that_starves() -> None:
    told: list[str] = []
    async with flapping.set_up(say=told.append, records=12) as stage:
        await stage.wait_until_ready()
        result = await flapping.play(stage, told.append, seconds=12.0)
    assert result.passed, f"{result.figures()}\n" + "\n".join(told)


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_said_outside_moves_nothing_and_makes_detour_look_harder() -> None:
    told: list[str] = []
    async with feed_and_reports.set_up(say=told.append) as stage:
        await stage.wait_until_ready()
        result = await feed_and_reports.play(stage, told.append, slack=acceptance.UNTIMED)
    assert result.passed, f"{result.figures()}\n" + "\n".join(told)


def test_the_demo_moves_every_zone_and_leaves_nothing_running() -> None:
    done = subprocess.run([*DETOUR_LAB, "demo"], capture_output=True, text=True, timeout=LIMIT, check=False)

    lines = done.stdout.rstrip().splitlines()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert lines[-1].startswith("PASS rerouted=4/4 seconds=")
    assert lines[-1].endswith("empty_answers=0 wrong_answers=0")
    assert not _descendants(), "processes of the demo are left"


def test_scenarios_are_listed_with_what_happens_in_them() -> None:
    done = subprocess.run([*DETOUR_LAB, "scenario", "list"], capture_output=True, text=True, timeout=LIMIT, check=True)

    assert {line.split()[0] for line in done.stdout.splitlines()} == set(scenarios.STORIES)


def _descendants() -> list[str]:
    """Return the command lines of processes that were started for a control plane of this test's demo."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
            except OSError:
                continue
            if parent == "1" and ("kube-apiserver" in command or "detour run" in command):
                found.append(command)
    return found
