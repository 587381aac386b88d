"""`python -m detour_simulation simulate ...` and `... mutants ...`."""

import sys

from detour_simulation import hashing

COMMANDS = {"simulate": hashing.simulate, "mutants": hashing.mutants}

USAGE = """usage: python -m detour_simulation simulate [--schedules=N] [--seed=N]   faults of every kind, virtual time
       python -m detour_simulation mutants [NAME...]                   protections switched off, one at a time"""


def main(arguments: list[str]) -> int:
    """Carry out the command that `arguments` begin with and return the exit status."""
    match arguments:
        case [name, *rest] if name in COMMANDS:
            return COMMANDS[name](rest)
        case ["-h" | "--help" | "help"]:
            print(USAGE)
            return 0
        case _:
            print(USAGE, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
