"""The command line: `detour run`, `detour probe` and `detour check`."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from detour import __version__
from detour.app import logs, settings
from detour.app.probe import settings as probe_settings

USAGE = """usage: detour run [options]     run the operator
       detour probe [options]   check from another place, and report to the operator
       detour check FILE|NAME   make the checks of a record once, from here, and publish nothing
       detour run --help        every option of a command
       detour version           print the version"""


def main() -> None:
    """Run the command that the arguments name."""
    match sys.argv[1:]:
        case ["run", *arguments]:
            _run(settings.parse(arguments))
        case ["probe", *arguments]:
            _probe(probe_settings.parse(arguments))
        case ["check", *arguments]:
            _check(arguments)
        case ["version"]:
            print(__version__)
        case ["-h" | "--help"]:
            print(USAGE)
        case _:
            print(USAGE, file=sys.stderr)
            sys.exit(2)


def _run(chosen: settings.Settings) -> None:
    from detour.app.operator import Operator  # noqa: PLC0415 - the SDKs take a second, which --help need not

    logs.configure(chosen.log_format, chosen.log_level)

    async def run() -> None:
        await Operator(chosen).run()

    _until_it_ends(run)


def _probe(chosen: probe_settings.ProbeSettings) -> None:
    from detour.app.probe.process import Probe  # noqa: PLC0415 - `detour version` and `--help` do without it

    logs.configure(chosen.log_format, chosen.log_level)

    async def run() -> None:
        await Probe(chosen).run()

    _until_it_ends(run)


def _check(arguments: list[str]) -> None:
    from detour.app import check  # noqa: PLC0415 - `detour version` and `--help` do without it

    chosen = check.parse(arguments)
    logs.configure("human", "warning")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            status = runner.run(check.run(chosen))
    except ValueError as error:
        print(f"detour check: {error}", file=sys.stderr)
        status = 2
    sys.exit(status)


def _until_it_ends(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # checks and questions cost a third less
            runner.run(run())
    except ValueError as error:
        print(f"detour: {error}", file=sys.stderr)
        sys.exit(2)
    # Threads that still wait for an answer of a provider or of the API server must not hold the process up.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
