"""Whether a process that was sent SIGSTOP has come to a stand, by the kernel's own word (proc(5))."""

import asyncio
from pathlib import Path

STOP_TIMEOUT = 180.0
LOOK_INTERVAL = 0.005
"""Seconds between two looks; the kernel tells nobody but the parent, and for that the parent would have to wait."""


class StandstillError(RuntimeError):
    """A process did not stop, or there is none."""


async def until_stopped(pid: int) -> None:
    """Wait until every thread of the process stands still. Raises StandstillError after STOP_TIMEOUT seconds."""
    try:
        async with asyncio.timeout(STOP_TIMEOUT):
            while True:
                if all(state == "T" for state in _states(pid)):
                    return
                await asyncio.sleep(LOOK_INTERVAL)
    except TimeoutError:
        raise StandstillError(f"process {pid} was sent SIGSTOP and still ran {STOP_TIMEOUT:g} s later") from None


def _states(pid: int) -> list[str]:
    try:
        stats = [
            each.read_text(encoding="ascii", errors="replace") for each in Path(f"/proc/{pid}/task").glob("*/stat")
        ]
    except OSError as error:
        raise StandstillError(f"process {pid} has ended instead of stopping") from error
    if not stats:
        raise StandstillError(f"there is no process {pid}")
    # The name before it is in parentheses and may hold anything, parentheses included.
    return [each.rpartition(")")[2].split()[0] for each in stats]
