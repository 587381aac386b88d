"""The operator and its probe as processes: from arguments to the end."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import uvloop

from detour.app import logs, settings
from detour.app.probe import settings as probe_settings


def run(arguments: Sequence[str]) -> None:
    """Run the operator until it is told to end."""
    chosen = settings.parse(arguments)
    from detour.app.operator import Operator  # noqa: PLC0415 - the SDKs take a second, which --help need not

    logs.configure(chosen.log_format, chosen.log_level)

    async def work() -> None:
        await Operator(chosen).run()

    _until_it_ends(work)


def probe(arguments: Sequence[str]) -> None:
    """Run the probe until it is told to end."""
    chosen = probe_settings.parse(arguments)
    from detour.app.probe.process import Probe  # noqa: PLC0415 - `--help` does without it

    logs.configure(chosen.log_format, chosen.log_level)

    async def work() -> None:
        await Probe(chosen).run()

    _until_it_ends(work)


def _until_it_ends(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # checks and questions cost a third less
            runner.run(work())
    except ValueError as error:
        print(f"detour: {error}", file=sys.stderr)
        sys.exit(2)
    # Threads that still wait for an answer of a provider or of the API server must not hold the process up.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
