"""The simulator as people run it: a process of its own, under the hash seed under which a seed is a run."""

import os
import subprocess
import sys

WITHIN = 1800.0
"""Seconds after which a command is given up, on whatever machine."""


def simulator(*arguments: str, hash_seed: str = "0") -> tuple[int, list[str]]:
    """Run a command of the simulator; return its exit status and the lines that it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "detour_simulation", *arguments],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()
