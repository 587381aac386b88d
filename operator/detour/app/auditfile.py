"""Where the audit trail goes: a file that is rotated, or standard output; one JSON object a line.

A thread of its own writes, so that a disk that hangs, or a pipe that nobody empties, keeps no failover waiting. Whoever
tells of a write waits a moment for it to be on its way to the disk, and no longer.
"""

import json
import logging
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from logging.handlers import RotatingFileHandler
from typing import Any

logger = logging.getLogger(__name__)

STANDARD_OUTPUT = "-"
LARGEST = 50_000_000
"""Octets after which a file is put aside and a new one begun."""

KEPT = 9
"""Files that were put aside and are kept, the newest as FILE.1: half a gigabyte in all."""

WAITING = 10_000
"""Entries that wait to be written at most; what comes beyond them is lost, and that is said."""

PATIENCE = 0.05
"""Seconds that a write to DNS waits for its entry to be written."""


class _Handler(RotatingFileHandler):
    """Says what goes wrong, once, and goes on."""

    def __init__(self, path: str) -> None:
        super().__init__(path, maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8", delay=False)
        self._is_failing = self._failed = False

    def emit(self, record: logging.LogRecord) -> None:
        self._failed = False
        super().emit(record)
        if self._is_failing and not self._failed:
            self._is_failing = False
            logger.warning("the audit file is written again; what came meanwhile is not in it")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        self._failed = True
        error = sys.exc_info()[1]
        if not self._is_failing:
            self._is_failing = True
            logger.error("the audit file cannot be written (%s): DNS goes on without it", type(error).__name__)


class Trail:
    """Keeps entries, in their order, by a thread that ends with the process."""

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler
        self._waiting: queue.Queue[tuple[str, threading.Event]] = queue.Queue(WAITING)
        self._is_losing = False
        threading.Thread(target=self._write, name="audit", daemon=True).start()

    def keep(self, entry: Mapping[str, Any]) -> None:
        """Have an entry written; return once it is, or after a moment."""
        is_written = threading.Event()
        try:
            self._waiting.put_nowait((json.dumps(entry, separators=(",", ":")), is_written))
        except queue.Full:
            if not self._is_losing:
                self._is_losing = True
                logger.error("the audit file takes nothing any more: entries are lost, DNS goes on without it")
            return
        self._is_losing = False
        if self._waiting.qsize() <= 1:  # else it is behind already, and waiting would not help
            is_written.wait(PATIENCE)

    def _write(self) -> None:
        while True:
            text, is_written = self._waiting.get()
            self._handler.handle(logging.LogRecord("detour.audit", logging.INFO, "", 0, text, None, None))
            is_written.set()


def keeper(where: str) -> Callable[[Mapping[str, Any]], None]:
    """Return what keeps one entry at a time in a file, or on standard output (`-`).

    Raises ValueError where the file cannot be opened.
    """
    try:
        handler = logging.StreamHandler(sys.stdout) if where == STANDARD_OUTPUT else _Handler(where)
    except OSError as error:
        raise ValueError(f"--audit: {where} cannot be opened: {error.strerror}") from None
    handler.setFormatter(logging.Formatter("%(message)s"))
    return Trail(handler).keep
