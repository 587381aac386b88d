"""Run a program that does not outlive whoever started it.

The lab's servers are children of a test run or of a demo. When that parent is killed outright, nothing of its
own clean-up runs, and an API server without a parent would hold its port and 290 MB until somebody notices.
Linux can send a signal to a child when its parent dies; the child has to ask for it, between fork and exec. This
file is that child: it asks, and becomes the program. It is run as a script of its own, rather than as a
`preexec_fn`, because Python code between fork and exec can deadlock where the parent has threads.

The kernel counts the *thread* that forked as the parent: see `process.Process`, which keeps that thread alive.
Other systems than Linux have no such signal; there the program is simply run.

    leash.py <pid of the parent> <program> [argument ...]
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def main(arguments: list[str]) -> None:
    """Become the program in `arguments`, which is killed when the parent ends."""
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            # The parent ended before the signal was asked for: it would never come.
            sys.exit("the process that started this one is gone")
    try:
        os.execv(command[0], command)  # noqa: S606 - becoming the given program is the purpose
    except OSError as error:
        sys.exit(f"{command[0]} does not run: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
