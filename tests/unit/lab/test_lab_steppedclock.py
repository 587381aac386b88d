"""The wall clock of a process, moved while it runs; its monotonic clock stays true, and it waits as long as ever."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from detour_lab.stage.steppedclock import SHARED_MEMORY, SteppedClock

HOUR = 3600
PROGRAM = """
import asyncio, queue, sys, threading, time

def ahead():
    return round(time.time() - time.clock_gettime(time.CLOCK_MONOTONIC) - START)

START = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
for line in sys.stdin:
    began = time.monotonic()
    time.sleep(0.05)
    threading.Event().wait(0.05)
    asyncio.run(asyncio.sleep(0.05))
    try:
        queue.Queue().get(timeout=0.05)
    except queue.Empty:
        pass
    waited = time.monotonic() - began
    give_up = began + 180
    while ahead() != int(line) and time.monotonic() < give_up:
        time.sleep(0.05)
    print(ahead(), 0.2 <= waited < 1800, flush=True)
"""


@pytest.fixture
def clock(tmp_path: Path) -> SteppedClock:
    return SteppedClock.find(tmp_path / "clock")


def test_a_process_follows_its_clock_and_waits_as_long_as_before(clock: SteppedClock) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | clock.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for seconds in (0, HOUR, -HOUR, 0):
            clock.move(seconds)
            process.stdin.write(f"{seconds}\n")
            process.stdin.flush()
            assert process.stdout.readline().split() == [str(seconds), "True"]
    finally:
        process.kill()
        process.wait()
        clock.forget(process.pid)
    assert not list(SHARED_MEMORY.glob(f"*{process.pid}*"))
