"""The operator as a child process: its log as data, its end with and without warning. No API server is needed."""

import asyncio
import os
import select
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from detour_lab.stage.operatorprocess import OperatorError, OperatorProcess

WAIT = 180.0
"""Seconds after which a wait is given up, on whatever machine."""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """A kubeconfig of an API server that is away."""
    path = tmp_path / "kubeconfig"
    cluster = {"name": "away", "cluster": {"server": "https://127.0.0.1:1"}}
    user = {"name": "nobody", "user": {"token": "none"}}
    context = {"name": "away", "context": {"cluster": "away", "user": "nobody"}}
    document = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "users": [user], "contexts": [context]}
    path.write_text(yaml.safe_dump({**document, "current-context": "away"}))
    return path


@pytest_asyncio.fixture
async def operator(kubeconfig: Path) -> AsyncIterator[OperatorProcess]:
    process = OperatorProcess(["--owner=tests", f"--kubeconfig={kubeconfig}", "--resolver=127.0.0.1:1"])
    await process.start(wait_until_ready=False)
    yield process
    await process.close()


async def is_up(operator: OperatorProcess, start: int = 0) -> None:
    await operator.until(lambda line: "is up" in line["message"], timeout=WAIT, start=start)


async def test_its_log_lines_are_objects_with_time_and_level(operator: OperatorProcess) -> None:
    line = await operator.until(lambda each: "is up" in each["message"], timeout=WAIT)
    assert line["level"] == "info"
    assert line["time"].startswith("20")
    assert any(each is line for each in operator.lines), "who asks later finds it too"


async def test_it_ends_politely_and_says_how_long_that_took(operator: OperatorProcess) -> None:
    await is_up(operator)
    assert await operator.terminate() > 0.0
    assert not operator.running
    assert "stopped" in [line["message"] for line in operator.lines]


async def test_killed_it_says_nothing_more(operator: OperatorProcess) -> None:
    await is_up(operator)
    pid = operator.pid
    await operator.kill()
    assert all("stop" not in line["message"] for line in operator.lines)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_after_a_kill_it_can_be_started_again(operator: OperatorProcess) -> None:
    await is_up(operator)
    await operator.kill()
    seen = len(operator.lines)
    await operator.start(wait_until_ready=False)
    await is_up(operator, start=seen)


async def test_followers_are_let_go_when_it_ends(operator: OperatorProcess) -> None:
    async def read() -> list[str]:
        return [line["message"] async for line in operator.follow()]

    reader = asyncio.create_task(read())
    await is_up(operator)
    await operator.terminate()
    assert "stopped" in await asyncio.wait_for(reader, WAIT)


async def test_its_memory_is_plausible(operator: OperatorProcess) -> None:
    await is_up(operator)
    assert 20 < operator.rss_megabytes() <= operator.peak_rss_megabytes() < 1000


async def test_a_line_that_never_comes_is_an_error_that_shows_the_log(operator: OperatorProcess) -> None:
    await is_up(operator)
    with pytest.raises(OperatorError, match="is up"):
        await operator.until(lambda line: line["message"] == "never", timeout=0.05)


async def test_an_operator_that_ends_at_once_shows_what_it_said(kubeconfig: Path) -> None:
    operator = OperatorProcess([f"--kubeconfig={kubeconfig}"], environment={"PATH": os.environ["PATH"]})
    with pytest.raises(OperatorError, match="--owner is missing"):
        await operator.start()
    await operator.close()


async def test_an_operator_that_does_not_become_ready_is_gone_afterwards(kubeconfig: Path) -> None:
    operator = OperatorProcess(["--owner=tests", f"--kubeconfig={kubeconfig}", "--resolver=127.0.0.1:1"])
    with pytest.raises(OperatorError, match=r"not listed yet|no answer"):
        await operator.start(ready_timeout=3.0)
    assert not operator.running
    await operator.close()


async def test_it_does_not_outlive_whoever_started_it(kubeconfig: Path) -> None:
    script = f"""
import asyncio, os
from detour_lab.stage.operatorprocess import OperatorProcess
async def main():
    operator = OperatorProcess(["--owner=tests", "--kubeconfig={kubeconfig}", "--resolver=127.0.0.1:1"])
    await operator.start(wait_until_ready=False)
    print(operator.pid, flush=True)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(kubeconfig.parent)},  # killed outright, it leaves its folder behind
    )
    output, _ = await asyncio.wait_for(parent.communicate(), WAIT)
    child = int(output)
    try:
        handle = os.pidfd_open(child)
    except ProcessLookupError:
        return  # it is gone already
    gone, _, _ = await asyncio.to_thread(select.select, [handle], [], [], WAIT)
    os.close(handle)
    assert gone
