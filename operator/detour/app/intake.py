"""Taking in what the API server shows, a few objects at a time, so that a listing of many never holds the rest up.

News of watches go before what listings show once everything was listed for the first time: a listing says of each
object what the declarations know, or what has happened since, and they tell older from newer.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

from detour.kube.kinds import DeletionSeen, Message, Seen
from detour.model.objects import Kind


class Intake:
    """Hands messages on in steps. `taking` takes one in, object by object; `on_step` is called after each step."""

    def __init__(
        self,
        taking: Callable[[Message, float], Iterator[None]],
        *,
        listed: Callable[[], set[Kind]],
        on_step: Callable[[], None],
        at_once: int,
    ) -> None:
        self._taking = taking
        self._listed = listed
        self._on_step = on_step
        self._at_once = at_once
        self._news: deque[tuple[Message, float]] = deque()
        self._listings: deque[tuple[Message, float]] = deque()
        self._under_way: Iterator[None] | None = None
        self._next: asyncio.Handle | None = None
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    def put(self, message: Message, now: float) -> None:
        """Take a message in as soon as it is its turn; it came at `now` (engine seconds)."""
        is_news = isinstance(message, Seen | DeletionSeen) and len(self._listed()) == len(Kind)
        (self._news if is_news else self._listings).append((message, now))
        self._is_empty.clear()
        self._wake()

    async def emptied(self) -> None:
        """Wait until everything that has come by now is taken in."""
        await self._is_empty.wait()

    @property
    def is_busy(self) -> bool:
        """Tell whether anything is left to be taken in."""
        return not self._is_empty.is_set()

    def _wake(self) -> None:
        if self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._step)

    def _step(self) -> None:
        self._next = None
        for _ in range(min(self._at_once, len(self._news))):
            for _ in self._taking(*self._news.popleft()):
                pass
        for _ in range(self._at_once):
            if self._under_way is None:
                if not self._listings:
                    break
                self._under_way = self._taking(*self._listings.popleft())
            if next(self._under_way, self) is self:
                self._under_way = None
        self._on_step()
        if self._news or self._listings or self._under_way is not None:
            self._wake()
        else:
            self._is_empty.set()
