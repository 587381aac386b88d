"""`kubectl_complete-detour`: kubectl calls it for what may follow `kubectl detour ...`.

It prints one completion a line, with a tab and its description, and last a directive of Cobra's.
https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/#kubectl-plugin-completion
"""

import contextlib
import io
import os
import shlex
import sys

NO_FILES = ":4"
"""Cobra's ShellCompDirectiveNoFileComp: where nothing fits, do not offer files."""


def main() -> None:
    """Print what may follow the words that are given, of which the last is not complete."""
    words = ["detour", *sys.argv[1:]]
    os.environ |= {
        "_DETOUR_COMPLETE": "complete_bash",
        "COMP_WORDS": shlex.join(words),
        "COMP_CWORD": str(max(1, len(words) - 1)),
    }
    from detour.cli.main import app  # noqa: PLC0415 - it reads the environment

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        app(prog_name="detour")
    print(out.getvalue().rstrip("\n"))
    print(NO_FILES)
