"""`python -m detour_lab.simulation simulate ...`, as the commands start themselves again."""

import sys

from detour_lab.simulation import hashing

COMMANDS = {"simulate": hashing.simulate, "mutants": hashing.mutants}

if __name__ == "__main__":
    sys.exit(COMMANDS[sys.argv[1]](sys.argv[2:]))
