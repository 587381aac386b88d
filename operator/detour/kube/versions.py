"""Whether the API server's data went back, as after a restore of etcd.

A watch goes on from a version that then lies in the future, and would show nothing until it is reached. Only what is
ordered tells: a listing shows at least what had been seen when it began. What watches show while its pages are being
read is newer than the first page, whose version the listing has, and proves nothing.
"""

import threading
from typing import NamedTuple


class Mark(NamedTuple):
    """The newest version that was known at some time, and in which era: each restore begins a new one."""

    era: int
    version: int


class DataVersions:
    """The newest version of the API server's data that was seen, for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest = Mark(0, 0)

    def mark(self) -> Mark:
        """Return what is known now: for a listing that begins, or for a watch that does."""
        return self._newest

    def seen(self, version: str, since: Mark) -> None:
        """A watch that began at `since` has shown an object of this version."""
        self._see(since, version)

    def went_back(self, began: Mark, version: str) -> bool:
        """Tell whether a listing that began at `began` shows an older version than was known then.

        It is told once, to the first listing that finds it out, and begins a new era.
        """
        with self._lock:
            if not version.isdecimal() or began.era != self._newest.era:
                return False
            if int(version) < began.version:
                self._newest = Mark(self._newest.era + 1, int(version))
                return True
        self._see(began, version)
        return False

    def _see(self, since: Mark, version: str) -> None:
        with self._lock:
            if version.isdecimal() and since.era == self._newest.era and int(version) > self._newest.version:
                self._newest = Mark(since.era, int(version))
