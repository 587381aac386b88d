"""The product keeps its promises in the first schedules of the usual mix, played as `make simulate` plays them."""

import re
import subprocess
import sys
from pathlib import Path

LAST_LINE = re.compile(r"PASS schedules=150 steps=\d+ violations=0 azure_undone=\d+ seconds=[\d.]+")


def test_no_promise_is_broken_in_the_usual_mix() -> None:
    program = Path(sys.executable).with_name("detour-lab")
    command = [str(program), "simulate", "--schedules=150", "--seed=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert LAST_LINE.fullmatch(done.stdout.strip().splitlines()[-1]), done.stdout[-3000:]
