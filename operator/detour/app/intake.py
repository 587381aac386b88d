"""Taking in what the API server shows, a few objects at a time, so that a listing of many never holds the rest up.

News of watches may go before a listing that came before them: it says of each object what the declarations know, or
what has happened since, and they tell older from newer. Nothing else changes its place.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from detour.kube.kinds import DeletionSeen, Message, Seen
from detour.model.objects import Kind


class _Waiting(NamedTuple):
    """A message that waits for its turn: the how manieth it is, and when it came (engine seconds)."""

    number: int
    message: Message
    came_at: float

    @property
    def is_news(self) -> bool:
        return isinstance(self.message, Seen | DeletionSeen)


class Intake:
    """Hands messages on in steps. `taking` takes one in, object by object; `on_step` is called after each step.

    Until each of so many `kinds` was `listed` once all is taken in the order of its coming: a record has to wait for
    the regions.
    """

    def __init__(
        self,
        taking: Callable[[Message, float], Iterator[None]],
        *,
        listed: Callable[[], set[Kind]],
        on_step: Callable[[], None],
        at_once: int,
        kinds: int = len(Kind),
    ) -> None:
        self._taking = taking
        self._listed = listed
        self._on_step = on_step
        self._at_once = at_once
        self._kinds = kinds
        self._count = 0
        self._news: deque[_Waiting] = deque()
        self._line: deque[_Waiting] = deque()
        self._news_in_line = 0
        self._under_way: tuple[_Waiting, Iterator[None]] | None = None
        self._next: asyncio.Handle | None = None
        self._awaited: list[tuple[set[int], asyncio.Event]] = []

    @property
    def is_busy(self) -> bool:
        """Tell whether anything is left to be taken in."""
        return bool(self._news or self._line or self._under_way)

    @property
    def is_filling(self) -> bool:
        """Tell whether something is left of what the API server showed at the start."""
        return self.is_busy and len(self._listed()) < self._kinds

    def put(self, message: Message, now: float) -> None:
        """Take a message in as soon as it is its turn; it came at `now` (engine seconds)."""
        self._count += 1
        waiting = _Waiting(self._count, message, now)
        if waiting.is_news and not self._news_in_line and len(self._listed()) == self._kinds:
            self._news.append(waiting)
        else:
            self._line.append(waiting)
            self._news_in_line += waiting.is_news
        self._wake()

    async def taken(self) -> None:
        """Wait until everything is taken in that has come by now."""
        under_way = (self._under_way[0],) if self._under_way else ()
        numbers = {each.number for each in (*self._news, *self._line, *under_way)}
        if numbers:
            done = asyncio.Event()
            self._awaited.append((numbers, done))
            await done.wait()

    def _wake(self) -> None:
        if self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._step)

    def _step(self) -> None:
        self._next = None
        try:
            for _ in range(min(self._at_once, len(self._news))):
                self._take_whole(self._news.popleft())
            for _ in range(self._at_once):
                self._go_on_in_line()
            self._on_step()
        finally:
            if self.is_busy:
                self._wake()

    def _go_on_in_line(self) -> None:
        if self._under_way is None:
            if not self._line or (self._news and self._news[0].number < self._line[0].number):
                return  # what came before a listing is older than it
            first = self._line.popleft()
            self._news_in_line -= first.is_news
            self._under_way = first, self._taking(first.message, first.came_at)
        first, rest = self._under_way
        if next(rest, self) is self:
            self._under_way = None
            self._done(first)

    def _take_whole(self, news: _Waiting) -> None:
        for _ in self._taking(news.message, news.came_at):
            pass
        self._done(news)

    def _done(self, waiting: _Waiting) -> None:
        for numbers, done in self._awaited:
            numbers.discard(waiting.number)
            if not numbers:
                done.set()
        self._awaited = [each for each in self._awaited if each[0]]
