"""Times as Kubernetes writes them (RFC 3339 in UTC), to and from seconds since the Unix epoch."""

import functools
import re
from datetime import UTC, datetime

SHAPE = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)


def parse_time(text: str) -> float:
    """Return the seconds since the Unix epoch. Raises ValueError where `text` is no RFC 3339 time."""
    if SHAPE.fullmatch(text) is None:
        raise ValueError("not an RFC 3339 time")
    try:
        at = datetime.fromisoformat(text.upper()).timestamp()
        datetime.fromtimestamp(at, UTC)  # what can be read can be told as well, in UTC
    except OverflowError as error:
        raise ValueError("a time outside the calendar") from error
    return at


def format_time(moment: float) -> str:
    """Return `moment` (seconds since the Unix epoch) to the millisecond, whole seconds without a fraction."""
    milliseconds = round(moment * 1000)
    whole = datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = milliseconds % 1000
    return f"{whole}.{fraction:03d}Z" if fraction else f"{whole}Z"


@functools.lru_cache(maxsize=4096)  # a status tells the same times each time that it is built
def timestamp(at: float) -> str:
    """Return `at` (seconds since the Unix epoch) as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
