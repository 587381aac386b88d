"""The long figures, each a row that prints `PASS <row> key=value…`. Whatever is promised in seconds is measured here.

A row is a module with `play(size, say)`; `size` is what its docstring says (failovers, kills, manifests, records,
seconds, schedules, minutes). `--small` plays rows at a size that still shows what they are for, and judges no times.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, cast

from detour_lab.controlplane import find_binaries
from detour_lab.stories.scenarios.result import Result

Say = Callable[[str], None]
Row = Callable[[int, Say], Coroutine[Any, Any, Result]]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a row is played by `make acceptance` and about how many seconds that takes; how large `small` is.

    One that `is_timed` passes only within a time that counts for a machine without other work.
    """

    full: int
    seconds: int
    small: int
    is_timed: bool = False


ROWS: Mapping[str, Sizes] = {
    "latency": Sizes(full=50, seconds=120, small=3, is_timed=True),
    "detection": Sizes(full=240, seconds=150, small=20, is_timed=True),
    "conformance": Sizes(full=1, seconds=40, small=1),
    "kill": Sizes(full=20, seconds=130, small=2, is_timed=True),
    "manifests": Sizes(full=1000, seconds=40, small=150),
    "thousand": Sizes(full=1000, seconds=60, small=60),
    "names": Sizes(full=10_000, seconds=420, small=40),
    "repair": Sizes(full=6, seconds=180, small=1),
    "sitelost": Sizes(full=90, seconds=240, small=8),
    "takeover": Sizes(full=10, seconds=260, small=2, is_timed=True),
    "simulation": Sizes(full=2000, seconds=100, small=16, is_timed=True),
    "soak": Sizes(full=20, seconds=1240, small=1),
}


UNTIMED = float("inf")
"""The slack of a row whose times nobody judges."""


def load(name: str, *, slack: float = 1.0) -> Row:
    """Return the row `name`; `slack` is by how much longer than stated things may take where it is timed."""
    play = import_module(f"detour_lab.stories.acceptance.{name}").play
    return cast(Row, partial(play, slack=slack) if ROWS[name].is_timed else play)


def run(arguments: list[str]) -> int:
    """Play every row at full size, or the ones named; with `--small` first, small."""
    is_small = arguments[:1] == ["--small"]
    names = arguments[is_small:] or list(ROWS)
    if unknown := [name for name in names if name not in ROWS]:
        print(f"there is no row {', '.join(unknown)}: there are {', '.join(ROWS)}", file=sys.stderr)
        return 2
    find_binaries()
    if is_small:
        print(f"{len(names)} rows, small, about {len(names) // 2 + 1} minutes on 2 cores", flush=True)
    else:
        total = sum(ROWS[name].seconds for name in names)
        print(f"{len(names)} rows, about {total // 60 + 1} minutes on 2 cores", flush=True)
    passed = 0
    for name in names:
        began = time.monotonic()
        sizes = ROWS[name]
        print(f"-- {name}" if is_small else f"-- {name} (about {sizes.seconds} s)", flush=True)
        play = load(name, slack=UNTIMED) if is_small else load(name)
        result = asyncio.run(play(sizes.small if is_small else sizes.full, _say))
        passed += result.passed
        verdict = "PASS" if result.passed else "FAIL"
        print(f"{verdict} {name} {result.figures()} took={time.monotonic() - began:.0f}s", flush=True)
    print(f"{'PASS' if passed == len(names) else 'FAIL'} rows={passed}", flush=True)
    return 0 if passed == len(names) else 1


def _say(text: str) -> None:
    print(f"   {text}", flush=True)
