"""A few threads of a provider's own, for SDKs that block.

An SDK call waits for a network that may hang. In asyncio's shared default executor a handful of such calls would
hold up everybody else's; here a slow provider can only ever hold up itself.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

THREADS_PER_PROVIDER = 2
"""One for the batch in flight, one so that reading need not wait behind it."""

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """A bounded pool; `close` lets running calls end by themselves and drops the waiting ones."""

    def __init__(self, name: str, count: int = THREADS_PER_PROVIDER) -> None:
        """Make a pool of at most `count` threads, which start when first needed and bear `name`."""
        self._pool = ThreadPoolExecutor(max_workers=count, thread_name_prefix=name)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in a thread and return what it returns, or raise what it raises."""
        future = self._pool.submit(function, *args, **kwargs)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Take no more calls. Returns at once: a call under way has timeouts of its own."""
        self._pool.shutdown(wait=False, cancel_futures=True)
