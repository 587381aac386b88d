"""The command line of the lab: `python -m detour_lab`.

Each subcommand is a function `(arguments: list[str]) -> int`, which gets the words after its name and returns the
exit status. Its module is imported only when it is wanted.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

Command = Callable[[list[str]], int]

COMMANDS: Mapping[str, tuple[str, str]] = {
    "up": ("detour_lab.stage.exploring", "run"),
    "scenario": ("detour_lab.stories.scenarios", "run"),
    "demo": ("detour_lab.stories.demo", "run"),
    "demo-stop": ("detour_lab.stories.demo", "stop"),
    "acceptance": ("detour_lab.stories.acceptance", "run"),
    "soak": ("detour_lab.stories.soak", "run"),
}
"""The module and the function of each subcommand."""

USAGE = """usage: python -m detour_lab up [--kubernetes] [--operator]   clouds in a box to explore, until Ctrl-C
       python -m detour_lab scenario list                      the stories that can be played
       python -m detour_lab scenario NAME                      play one; its last line says PASS or FAIL
       python -m detour_lab demo [--keep]                      break a region and watch DNS follow
       python -m detour_lab demo-stop                          end a demo that was kept
       python -m detour_lab acceptance                         the long figures at full size
       python -m detour_lab soak [--minutes=20] [--seed=N]     the operator under fire of every kind"""

INTERRUPTED = 130


def run(arguments: list[str]) -> int:
    """Carry out the subcommand that `arguments` begin with and return the exit status."""
    match arguments:
        case ["-h" | "--help" | "help"]:
            print(USAGE)
            return 0
        case [name, *rest] if name in COMMANDS:
            module, function = COMMANDS[name]
            return cast(Command, getattr(import_module(module), function))(rest)
        case [name, *_]:
            print(f"detour_lab: there is no subcommand {name!r}\n{USAGE}", file=sys.stderr)
            return 2
        case _:
            print(USAGE, file=sys.stderr)
            return 2


def main() -> None:
    """Run the command that the arguments name, and exit with its status."""
    try:
        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
