"""Scripted stories on the whole stage, each ending with a line that starts with PASS or FAIL.

`python -m detour_lab scenario list` names them; a new one is a module with `play` and a line in STORIES. One that needs
another stage than a `Stage` has `set_up`, which returns it.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from detour_lab.controlplane import BuildError, CommandError, ControlPlaneError, find_binaries
from detour_lab.loopback import LoopbackError
from detour_lab.stage.operatorprocess import OperatorError
from detour_lab.stage.stage import Stage, StageError
from detour_lab.stories.scenarios.result import Result

Play = Callable[[Stage, Callable[[str], None]], Awaitable[Result]]

STORIES: Mapping[str, tuple[str, str]] = {
    "region-failure": ("region_failure", "a region of a cloud fails and comes back"),
    "outside-edit": (
        "outside_edit",
        "somebody edits and deletes records behind Detour's back",
    ),
    "api-server-away": ("api_server_away", "a region fails while the API server is away"),
    "site-lost": (
        "site_lost",
        "a region is lost together with the cluster that was in force",
    ),
    "drain-and-return": (
        "drain_and_return",
        "a person drains a region, which ends by itself",
    ),
    "region-canary": (
        "region_canary",
        "the name of a region's API leads nowhere, while its endpoints answer",
    ),
    "feed-and-reports": (
        "feed_and_reports",
        "a status page, users and a metric speak of a region, then one of its canaries fails",
    ),
    "slow-not-down": (
        "slow_not_down",
        "a place passes every check and takes too long for it",
    ),
    "two-regions-at-once": (
        "two_regions_at_once",
        "two regions fail together: the second one is held, explained and approved",
    ),
    "vantage-partition": (
        "vantage_partition",
        "one of three vantages loses its network, and sees 1,000 endpoints fail",
    ),
    "blind-operator": (
        "blind_operator",
        "the only vantage loses its network, while the provider answers",
    ),
    "majority-sees-it": (
        "majority_sees_it",
        "two of three vantages see a place fail, the operator does not",
    ),
    "flapping": (
        "flapping",
        "half of all places stop to answer in turns, and the prober starves",
    ),
    "october-2025": (
        "october_2025",
        "the outage's steps, with a plain writer and with Detour",
    ),
}
"""The module of each story, and what happens in it."""


@dataclass(frozen=True, slots=True)
class _Sayer:
    quiet: bool

    def __call__(self, text: str) -> None:
        if not self.quiet:
            print(text, flush=True)


def run(arguments: list[str]) -> int:
    """Play the story that `arguments` name, or list all."""
    match arguments:
        case ["list"]:
            for name, (_, summary) in STORIES.items():
                print(f"{name:19} {summary}")
            return 0
        case [name] if name in STORIES:
            return _play(name)
        case _:
            print(f"usage: python -m detour_lab scenario list|{'|'.join(STORIES)}", file=sys.stderr)
            return 2


def _play(name: str) -> int:
    try:
        binaries = find_binaries()

        async def on_stage() -> Result:
            set_up = getattr(import_module(f"{__name__}.{STORIES[name][0]}"), "set_up", Stage)
            async with set_up(say=_Sayer(quiet=False), binaries=binaries) as stage:
                await stage.wait_until_ready()
                return await load(name)(stage, _Sayer(quiet=False))

        result = asyncio.run(on_stage())
    except (BuildError, StageError, LoopbackError, OperatorError, ControlPlaneError, CommandError, OSError) as error:
        print(f"{error}\nFAIL {name} could_not_be_played=1", flush=True)
        return 1
    print(f"{'PASS' if result.passed else 'FAIL'} {name} {result.figures()}", flush=True)
    return 0 if result.passed else 1


def load(name: str) -> Play:
    """Return the story `name`. Raises KeyError for an unknown one."""
    return cast(Play, import_module(f"{__name__}.{STORIES[name][0]}").play)
