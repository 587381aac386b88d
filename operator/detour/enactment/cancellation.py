"""Cancellations that nobody ordered.

A library that awaits something of its own which was cancelled lets that escape as if the caller had been cancelled. To
asyncio the caller's task then ends like one that was stopped, in silence. Whoever must not end so asks here.
"""

import asyncio


def is_of_a_library() -> bool:
    """Tell, while a CancelledError is being handled, whether the running task itself was not cancelled."""
    task = asyncio.current_task()
    return task is not None and not task.cancelling()
