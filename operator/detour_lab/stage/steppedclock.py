"""A process's wall clock that can be moved while it runs, by libfaketime.

    clock = SteppedClock.find(folder)
    OperatorProcess(arguments, clock=clock)
    clock.move(3600)                 # what that process takes for the time is an hour ahead from now on

Only the wall clock moves, for everything in the process: SDKs that sign requests, TSIG, certificates, the log. The
monotonic clock stays true, as it does on a machine whose clock is set. That takes a little help:
libfaketime 0.9.10 refuses to sleep on the monotonic clock, so that Python's `time.sleep` fails under it; the folder
`steppedclockshim` has a `sitecustomize` that makes it sleep in another way.
"""

import os
from pathlib import Path
from typing import Self

LIBRARY = "libfaketimeMT.so.1"
PLACES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
SHIM = Path(__file__).with_name("steppedclockshim")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the library chose the place
NOTICED_WITHIN = 1
"""Seconds after which a process has seen that its clock was moved."""


class MissingLibraryError(RuntimeError):
    """libfaketime is not installed; the message says how to get it."""


class SteppedClock:
    """The clock of one process; `ahead` is how many seconds it is ahead of the true time."""

    def __init__(self, library: Path, file: Path) -> None:
        """Prepare a clock that shows the true time. `file` is where the processes read how far it is moved."""
        self._library = library
        self._file = file
        self.ahead = 0
        self.move(0)

    @classmethod
    def find(cls, file: Path) -> Self:
        """Return a clock kept in `file`. Raises MissingLibraryError where libfaketime is not on this machine."""
        for place in PLACES:
            for found in sorted(Path(place).glob(f"**/{LIBRARY}")):
                return cls(found, file)
        raise MissingLibraryError(
            f"{LIBRARY} is not below {', '.join(PLACES)}: install the package `faketime` (tools/packages does)"
        )

    def move(self, seconds: int) -> None:
        """Let the clock be `seconds` ahead of the true time, behind it where that is below 0."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n", encoding="utf-8")
        fresh.replace(self._file)  # at once: a reader must never see half of it
        self.ahead = seconds

    def environment(self) -> dict[str, str]:
        """Return what a process needs in its environment in order to live by this clock."""
        return {
            "LD_PRELOAD": str(self._library),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(SHIM), os.environ.get("PYTHONPATH")))),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(NOTICED_WITHIN),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def forget(self, pid: int) -> None:
        """Remove what the library leaves in shared memory when its process is killed."""
        for name in (f"sem.faketime_sem_{pid}", f"faketime_shm_{pid}"):
            (SHARED_MEMORY / name).unlink(missing_ok=True)
