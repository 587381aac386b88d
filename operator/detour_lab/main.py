"""The command line of the lab: `detour-lab`.

Each subcommand is a function `(arguments: list[str]) -> int`, which gets the words after its name and returns the
exit status. Its module is imported only when it is wanted.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

Command = Callable[[list[str]], int]

COMMANDS: Mapping[str, tuple[str, str]] = {
    "up": ("detour_lab.exploring", "run"),
    "scenario": ("detour_lab.scenarios", "run"),
    "demo": ("detour_lab.demo", "run"),
    "demo-stop": ("detour_lab.demo", "stop"),
    "acceptance": ("detour_lab.acceptance", "run"),
    "soak": ("detour_lab.soak", "run"),
    "simulate": ("detour_lab.simulation.hashing", "simulate"),
    "mutants": ("detour_lab.simulation.hashing", "mutants"),
}
"""The module and the function of each subcommand."""

USAGE = """usage: detour-lab up [--kubernetes] [--operator]   clouds in a box to explore, until Ctrl-C
       detour-lab scenario list                      the stories that can be played
       detour-lab scenario NAME                      play one; its last line says PASS or FAIL
       detour-lab demo [--keep]                      break a region and watch DNS follow
       detour-lab demo-stop                          end a demo that was kept
       detour-lab acceptance                         the long figures at full size
       detour-lab soak [--minutes=20] [--seed=N]     the operator under fire of every kind
       detour-lab simulate [--schedules=N] [--seed=N]   faults of every kind on a virtual clock
       detour-lab mutants [NAME...]                  protections switched off, one at a time"""

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
            print(f"detour-lab: there is no subcommand {name!r}\n{USAGE}", file=sys.stderr)
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
