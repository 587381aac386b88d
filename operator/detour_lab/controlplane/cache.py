"""Where built programs stay, and how runs that meet there get along.

The cache has one folder per set of pinned versions. A folder with its final name is complete: it appears by a
single rename. Work in progress lives beside it under another name, and only whoever holds the lock touches that;
a second run waits for the lock and then usually finds the work done. The lock is the kernel's, on an open file,
so a run that was killed leaves none behind.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from detour_lab.controlplane.programs import ETCD, HELM, KUBERNETES, PROGRAMS

Report = Callable[[str], None]
"""Takes one line for people: progress, and what was decided."""

LOCK_POLL_SECONDS = 0.2
WAITING_REPORT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Cache:
    """The cached programs of one set of pinned versions, below a root folder."""

    root: Path
    version: str = f"{KUBERNETES}-etcd-{ETCD}-helm-{HELM}"

    @classmethod
    def of_user(cls, environment: Mapping[str, str]) -> Cache:
        """The cache below `DETOUR_CACHE`, or below `~/.cache/detour` where that is not set."""
        chosen = environment.get("DETOUR_CACHE", "")
        base = Path(chosen) if chosen else Path.home() / ".cache" / "detour"
        return cls(base.absolute() / "controlplane")

    @property
    def folder(self) -> Path:
        """The folder that holds the four programs once they are there."""
        return self.root / self.version

    @property
    def workshop(self) -> Path:
        """Where a build happens; it outlives an interrupted run, so that the next one goes on from there."""
        return self.root / f"{self.version}.build"

    @property
    def links(self) -> Path:
        """A folder for links to programs that are scattered over the machine."""
        return self.root / "links"

    def complete(self) -> bool:
        """Whether all four programs are there and executable."""
        return all(os.access(self.folder / program.name, os.X_OK) for program in PROGRAMS)

    def install(self, finished: Path) -> None:
        """Give a folder with all four programs its final name, in one step; the caller holds the lock."""
        if self.folder.exists():
            # Somebody removed a program from it: an incomplete folder cannot be renamed over.
            shutil.rmtree(self.folder)
        finished.rename(self.folder)

    @contextmanager
    def locked(self, report: Report) -> Iterator[None]:
        """Hold the lock of these versions; says whom it waits for, and waits for as long as it takes."""
        self.root.mkdir(parents=True, exist_ok=True)
        # The file is never removed: a second run could otherwise lock a file that nobody else finds any more.
        with (self.root / f"{self.version}.lock").open("a+", encoding="ascii") as file:
            began = reported = time.monotonic()
            waiting = False
            while not _try_lock(file.fileno()):
                now = time.monotonic()
                if not waiting or now - reported >= WAITING_REPORT_SECONDS:
                    file.seek(0)
                    holder = file.read().strip() or "unknown"
                    report(f"another run (process {holder}) is preparing the programs: waiting, {now - began:.0f} s")
                    waiting, reported = True, now
                time.sleep(LOCK_POLL_SECONDS)
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
