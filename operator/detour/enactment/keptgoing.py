"""Work that goes on for as long as the process does, whatever it meets.

A defect that one zone, record or answer brings to light must not end the work on all others. It is written to the log,
and the work begins anew after a pause that grows.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from detour.enactment.cancellation import is_of_a_library
from detour.model.defects import told

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds until work that broke begins anew: doubling from the first to the longest."""


async def kept_going(what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do `work` until it returns; where it breaks, begin it anew. Ends early only by being cancelled."""
    pause = FIRST_PAUSE
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        try:
            await work()
        except asyncio.CancelledError:
            if not is_of_a_library():
                raise
            logger.error("%s ended as if it had been cancelled; it goes on", what)
        except Exception as error:
            logger.error("%s met an error of Detour's own; it goes on: %s", what, told(error))
        else:
            return
        if loop.time() - began > 2 * LONGEST_PAUSE:
            pause = FIRST_PAUSE  # it went well for a while
        await asyncio.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 2)
