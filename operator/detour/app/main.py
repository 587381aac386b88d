"""The command line: `detour run`."""

import asyncio
import os
import sys

import uvloop

from detour import __version__
from detour.app import logs, settings

USAGE = """usage: detour run [options]     run the operator
       detour run --help        every option
       detour version           print the version"""


def main() -> None:
    """Run the command that the arguments name."""
    match sys.argv[1:]:
        case ["run", *arguments]:
            _run(settings.parse(arguments))
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
