"""Imported by Python at its start, in a process under libfaketime only: see `detour_lab.stage.steppedclock`."""

import select
import time
from typing import SupportsIndex


def _sleep(seconds: float | SupportsIndex) -> None:
    """Sleep as `time.sleep` does. That one asks for the monotonic clock, which libfaketime 0.9.10 refuses."""
    duration = float(seconds)
    if duration < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], duration)


time.sleep = _sleep
