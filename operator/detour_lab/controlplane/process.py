"""A server program that runs beside us: started, watched and stopped by its process id.

Each process has a session of its own, so that a Ctrl-C at the terminal reaches only us and the order of stopping
is ours to choose. Its output goes to a file, whose end is what an error message shows. It runs on a leash (see
`leash`): when this Python process dies, the kernel kills it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LEASH = Path(__file__).with_name("leash.py")
PAUSE_TIMEOUT_SECONDS = 5.0


class Process:
    """One program, started at once; `stop` ends it and returns when it is gone."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Start `command`, whose first word is an absolute path, and append what it prints to `log`.

        `folder` is its working folder, `environment` its whole environment; both default to ours.
        Raises OSError when no process could be started.
        """
        self.name = name
        self.log = log
        self._command = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *command]
        self._environment = None if environment is None else dict(environment)
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        started = threading.Event()
        # The leash snaps when the thread that forked ends, and our caller's may be a worker's that ends early.
        self._keeper = threading.Thread(target=self._keep, args=(started,), name=f"keeper of {name}", daemon=True)
        self._keeper.start()
        started.wait()
        if self._failure is not None:
            raise self._failure

    def _keep(self, started: threading.Event) -> None:
        try:
            with self.log.open("ab") as output:
                self._child = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    cwd=self._folder,
                    start_new_session=True,
                )
        except OSError as error:
            self._failure = error
            return
        finally:
            started.set()
        self._child.wait()

    @property
    def pid(self) -> int:
        """The process id; it is the program's own, as the leash becomes the program."""
        return self._started().pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs; then its exit status, negative where a signal ended it."""
        return self._started().poll()

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self.exit_status is None

    def wait(self, timeout: float) -> bool:
        """Wait for its end for at most `timeout` seconds; says whether it has ended."""
        try:
            self._started().wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, grace: float) -> None:
        """End it and wait until it is gone: SIGTERM, and SIGKILL after `grace` seconds. Again is harmless."""
        self._signal(signal.SIGTERM)
        if not self.wait(grace):
            self._signal(signal.SIGKILL)
            self._started().wait()

    def pause(self) -> None:
        """Let it stand still, and return once all of its threads do. Raises RuntimeError where one goes on."""
        self._signal(signal.SIGSTOP)
        give_up = time.monotonic() + PAUSE_TIMEOUT_SECONDS
        while not self._stands_still():
            if time.monotonic() > give_up:
                raise RuntimeError(
                    f"{self.name} still runs {PAUSE_TIMEOUT_SECONDS:g} s after it was told to stand still"
                )
            time.sleep(0.001)

    def resume(self) -> None:
        """Let it go on. Again is harmless."""
        self._signal(signal.SIGCONT)

    def _stands_still(self) -> bool:
        threads = Path(f"/proc/{self.pid}/task").glob("*/stat")
        return all(each.read_text().rpartition(")")[2].split()[0] == "T" for each in threads)

    def log_tail(self, lines: int = 15) -> str:
        """The last lines that it printed, for people; empty when it printed nothing."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def _signal(self, number: signal.Signals) -> None:
        if self.running:
            # To its whole group, which has its id: a compiler's helpers end with the compiler.
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._child
