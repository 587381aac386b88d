"""Where the audit trail goes: a file that is rotated, or standard output; one JSON object a line."""

import json
import logging
import sys
from collections.abc import Callable, Mapping
from logging.handlers import RotatingFileHandler
from typing import Any

logger = logging.getLogger(__name__)

STANDARD_OUTPUT = "-"
LARGEST = 50_000_000
"""Octets after which a file is put aside and a new one begun."""

KEPT = 9
"""Files that were put aside and are kept, the newest as FILE.1: half a gigabyte in all."""


class _Handler(RotatingFileHandler):
    """Says what goes wrong, once, and goes on: no failover waits for a disk that is full."""

    def __init__(self, path: str) -> None:
        super().__init__(path, maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8", delay=False)
        self._is_failing = False

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


def keeper(where: str) -> Callable[[Mapping[str, Any]], None]:
    """Return what keeps one entry at a time in a file, or on standard output (`-`).

    Raises ValueError where the file cannot be opened.
    """
    trail = logging.Logger("detour.audit")
    try:
        handler = logging.StreamHandler(sys.stdout) if where == STANDARD_OUTPUT else _Handler(where)
    except OSError as error:
        raise ValueError(f"--audit: {where} cannot be opened: {error.strerror}") from None
    handler.setFormatter(logging.Formatter("%(message)s"))
    trail.addHandler(handler)

    def keep(entry: Mapping[str, Any]) -> None:
        trail.info("%s", json.dumps(entry, separators=(",", ":")))

    return keep
