"""How the commands `simulate` and `mutants` begin: under a fixed hash seed.

Some of what runs there goes through sets of names, whose order depends on the interpreter's hash seed. So the commands
start themselves again where it is another, before they import anything that takes long.
"""

import os
import sys

HASH_SEED = "0"


def simulate(arguments: list[str]) -> int:
    """Play schedules until one breaks a promise."""
    _fix_hashing("simulate", arguments)
    from detour_simulation import command  # noqa: PLC0415 - what is imported before is imported twice

    return command.simulate(arguments)


def mutants(arguments: list[str]) -> int:
    """Switch each protection off and see that a promise is broken."""
    _fix_hashing("mutants", arguments)
    from detour_simulation import command  # noqa: PLC0415 - what is imported before is imported twice

    return command.mutants(arguments)


def _fix_hashing(name: str, arguments: list[str]) -> None:
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED:
        sys.stdout.flush()
        environment = {**os.environ, "PYTHONHASHSEED": HASH_SEED}
        os.execve(  # noqa: S606 - this very program
            sys.executable, [sys.executable, "-m", "detour_simulation", name, *arguments], environment
        )
