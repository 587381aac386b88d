"""Asking what others have changed in a zone, of whoever keeps an account of it (see `Provider.changed_since`).

That costs one request, however large the zone is, and tells of damage within seconds. What is told is not believed: it
says which names to read. An account counts from a reading of the whole zone on.
"""

import asyncio
import math
from collections.abc import Callable

from detour.enactment.budget import beside
from detour.enactment.contract import ChangedNames, Provider
from detour.enactment.wishes import Urgency

MISSED = 3
"""Periods without an answer after which the account is not followed any more."""


class ChangeWatch:
    """Asks every `period` seconds, beside the work; `on_news` is called when an answer is there.

    Times are engine seconds. `heard_at` says up to when all changes of others are known of, minus infinity for never.
    """

    def __init__(self, period: float, *, clock: Callable[[], float], on_news: Callable[[], None]) -> None:
        self._period = period
        self._clock = clock
        self._on_news = on_news
        self._mark: str | None = None
        self._asked_at = -math.inf
        self._due_at = math.inf
        self._task: asyncio.Task[ChangedNames | None] | None = None
        self._has_told = False
        self._is_missed = True  # what it no longer tells has to be read
        self.is_lost = False
        """Whether nothing more is to be heard from an account that was relied on."""
        self.heard_at = -math.inf

    @property
    def is_followed(self) -> bool:
        """Tell whether the account tells of everything that others change."""
        return self.heard_at >= self._clock() - MISSED * self._period

    @property
    def due_at(self) -> float:
        """When to ask next; infinite while a question is under way, or there is no account."""
        return math.inf if self._task is not None else self._due_at

    @property
    def is_there(self) -> bool:
        """Tell whether an answer waits to be taken."""
        return self._task is not None and self._task.done()

    def was_read(self, mark: str | None, began_at: float) -> None:
        """The whole zone was read: as it stood at `mark`, or later."""
        if mark is None:
            return
        self.heard_at = max(self.heard_at, began_at)
        if self._mark is None:
            self._mark, self._due_at = mark, self._clock() + self._period
            self.is_lost = False

    def ask(self, provider: Provider) -> None:
        """Ask what has changed."""
        assert self._mark is not None  # noqa: S101 - nothing is due without it
        mark, self._asked_at = self._mark, self._clock()
        self._task = asyncio.ensure_future(beside(Urgency.REPAIR, lambda: provider.changed_since(mark)))
        self._task.add_done_callback(lambda _: self._on_news())

    def take(self) -> frozenset[str] | None:
        """Return the names at which others changed something, None where the zone has to be read to know.

        Raises ProviderError.
        """
        assert self._task is not None  # noqa: S101 - only once it is there
        task, self._task = self._task, None
        self._due_at = self._asked_at + self._period
        changed = task.result()
        if changed is None:  # no account, or none that can be relied on: the next reading of the zone begins anew
            self._is_missed &= self._has_told
            self.give_up()
            return frozenset()
        self._mark, self._has_told, self._is_missed = changed.mark, True, True
        if changed.names is not None:
            self.heard_at = self._asked_at
        return changed.names

    def retry_at(self, at: float) -> None:
        """Do not ask again before then."""
        self._due_at = max(self._due_at, at)

    def cancel(self) -> None:
        """Ask no further; the account goes on from where it was."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def give_up(self) -> None:
        """Ask no more until the whole zone was read again; it `is_lost` once, until it tells something again."""
        self.begin_anew()
        self.is_lost, self._is_missed = self._is_missed, False

    def begin_anew(self) -> None:
        """Nothing that was known of the zone counts any more."""
        self.cancel()
        self._mark, self._due_at, self.heard_at = None, math.inf, -math.inf
        self.is_lost = False
