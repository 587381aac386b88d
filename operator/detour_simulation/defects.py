"""Errors of the product's own that it survives: it writes them to its log, and goes on.

A run must know of them all the same, so it listens there. What a provider answers, and a call that was cancelled from
outside, are faults of the schedule and no defects.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OF_OTHERS = ("detour.enactment.guarded", "detour.kube.metadata")
"""Loggers whose errors are about what a provider or an API server answered."""

FROM_OUTSIDE = ("as if it had been cancelled", "cancelled itself", "could not be opened", "is not taken")
"""What errors say that come from outside: a call that was cancelled, a provider or an API server that is odd."""


class _Listener(logging.Handler):
    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of what is a defect."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f" ({record.exc_info[1]!r})"
        if record.name not in OF_OTHERS and not any(each in text for each in FROM_OUTSIDE):
            self._tell(text)


@contextmanager
def defects_told(tell: Callable[[str], None]) -> Iterator[None]:
    """Hand the text of each defect to `tell`, and let nothing else be logged."""
    product = logging.getLogger("detour")
    propagates, disabled, listener = product.propagate, logging.root.manager.disable, _Listener(tell)
    logging.disable(logging.WARNING)
    product.propagate = False
    product.addHandler(listener)
    try:
        yield
    finally:
        product.removeHandler(listener)
        product.propagate = propagates
        logging.disable(disabled)
