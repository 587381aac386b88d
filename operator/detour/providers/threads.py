"""A few threads of a provider's own, for SDKs that block.

An SDK call waits for a network that may hang. In asyncio's shared default executor a handful of such calls would
hold up everybody else's; here a slow provider can only ever hold up itself.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

THREADS_PER_PROVIDER = 2
"""One for the batch in flight, one so that reading need not wait behind it."""

P = ParamSpec("P")
T = TypeVar("T")

UNFIT = (StopIteration, CancelledError)
"""A future cannot carry the first, and tells the second as if its waiter had been cancelled."""


class CallEscapedError(RuntimeError):
    """A call ended with something that is no error of a call, such as SystemExit."""


class Threads:
    """A bounded pool; `close` lets running calls end by themselves and drops the waiting ones."""

    def __init__(self, name: str, count: int = THREADS_PER_PROVIDER) -> None:
        """Make a pool of at most `count` threads, which start when first needed and bear `name`."""
        self._pool = ThreadPoolExecutor(max_workers=count, thread_name_prefix=name)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in a thread and return what it returns, or raise what it raises.

        Raises CallEscapedError for what would end, or for ever hold up, whoever waits here.
        """
        future = self._pool.submit(_contained(partial(function, *args, **kwargs)))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Take no more calls. Returns at once: a call under way has timeouts of its own."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _contained(call: Callable[[], T]) -> Callable[[], T]:
    def run() -> T:
        try:
            return call()
        except BaseException as error:
            if isinstance(error, Exception) and not isinstance(error, UNFIT):
                raise
            raise CallEscapedError(type(error).__name__) from None

    return run
