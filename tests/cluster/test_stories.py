"""The scenarios on the whole stage, and the demo as a stranger runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from detour_lab import scenarios
from detour_lab.stage import Stage

DETOUR_LAB = Path(sys.executable).with_name("detour-lab")
LIMIT = 150.0


@pytest.mark.parametrize("story", ["outside-edit", "api-server-away"])
async def test_the_story_passes(story: str) -> None:
    told: list[str] = []
    async with Stage(say=told.append) as stage:
        await stage.wait_until_ready()
        result = await scenarios.load(story)(stage, told.append)

    assert result.passed, f"{story}: {result.figures()}\n" + "\n".join(told)


def test_the_demo_moves_every_zone_and_leaves_nothing_running() -> None:
    done = subprocess.run([DETOUR_LAB, "demo"], capture_output=True, text=True, timeout=LIMIT, check=False)

    lines = done.stdout.rstrip().splitlines()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert lines[-1].startswith("PASS rerouted=4/4 seconds=")
    assert lines[-1].endswith("empty_answers=0 wrong_answers=0")
    assert not _descendants(), "processes of the demo are left"


def test_scenarios_are_listed_with_what_happens_in_them() -> None:
    done = subprocess.run([DETOUR_LAB, "scenario", "list"], capture_output=True, text=True, timeout=30, check=True)

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
