"""Times as Kubernetes writes them (RFC 3339 in UTC), to and from seconds since the Unix epoch."""

import functools
import re
from datetime import UTC, datetime

SHAPE = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)

FIRST = datetime(1, 1, 1, tzinfo=UTC).timestamp()
LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
"""The times that can be told, in seconds since the Unix epoch."""


def parse_time(text: str) -> float:
    """Return the seconds since the Unix epoch. Raises ValueError where `text` is no RFC 3339 time.

    What lies beyond the years 1 to 9999 in UTC, by its offset, is the first or the last second of these.
    """
    if SHAPE.fullmatch(text) is None:
        raise ValueError("not an RFC 3339 time")
    try:
        at = datetime.fromisoformat(text.upper()).timestamp()
    except OverflowError as error:
        raise ValueError("a time outside the calendar") from error
    return min(max(at, FIRST), LAST)


def format_time(moment: float) -> str:
    """Return `moment` (seconds since the Unix epoch) to the millisecond, whole seconds without a fraction."""
    milliseconds = round(moment * 1000)
    whole = _whole(milliseconds // 1000)
    fraction = milliseconds % 1000
    return f"{whole}.{fraction:03d}Z" if fraction else f"{whole}Z"


@functools.lru_cache(maxsize=4096)  # a status tells the same times each time that it is built
def timestamp(at: float) -> str:
    """Return `at` (seconds since the Unix epoch) as RFC 3339 in UTC, to the second."""
    return f"{_whole(at)}Z"


def _whole(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat(timespec="seconds")
