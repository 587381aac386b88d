"""`python -m detour.kube.resources [--check] [--root FOLDER]`: write the generated files, or tell what differs."""

import argparse
import sys
from pathlib import Path

from detour.kube.resources.output import differences, write

REPOSITORY = Path(__file__).resolve().parents[4]


def main(arguments: list[str]) -> int:
    """Return the exit status: 0, or 1 where `--check` found a difference."""
    parser = argparse.ArgumentParser(prog="python -m detour.kube.resources", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a file differs")
    parser.add_argument("--root", type=Path, default=REPOSITORY, help="the repository's root")
    options = parser.parse_args(arguments)
    if options.check:
        found = differences(options.root)
        for phrase in found:
            print(phrase)
        if found:
            print("Run `make crds` and commit the result.")
        return 1 if found else 0
    for path in write(options.root):
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
