"""What an account may still ask of its provider: token buckets, shared by all zones of the account.

Who waits is served by urgency, then in order of arrival: failover ahead of repair ahead of housekeeping.
"""

import asyncio
import heapq
import itertools
import logging
import math
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

from detour.enactment.contract import ProviderLimits
from detour.enactment.wishes import Urgency
from detour.model.defects import told

logger = logging.getLogger(__name__)

FAILOVER_PATIENCE = 60.0
"""Seconds for which a failover waits at most because a provider asks for patience: then it is tried once more."""

WORTHWHILE_SHARE = 0.25
"""A batch goes out once this share of what it wants is there: fewer, fuller requests without long waits."""

LEAST_BURST = 20.0
"""Changes of an account that may be sent at once at least, also in a share of its quota: a name or two fit in
a batch."""

READING_SHARE = 0.1
"""The share of an account's requests that go to reading whole zones again and again."""

Found = TypeVar("Found")

_BESIDE: ContextVar[Urgency | None] = ContextVar("beside", default=None)
"""How urgent the running task is, where it is beside the work in hand: its requests don't say what they are for."""


async def beside(urgency: Urgency, work: Callable[[], Awaitable[Found]]) -> Found:
    """Do `work` beside the work in hand, in a task of its own: what it asks for waits behind everything more urgent."""
    _BESIDE.set(urgency)
    return await work()  # not begun before: a task may be cancelled before it starts


@dataclass(order=True, slots=True)
class _Waiter:
    urgency: Urgency
    place: int
    needed: float = field(compare=False)
    charged: float = field(compare=False)
    granted: asyncio.Future[None] = field(compare=False)


class TokenBucket:
    """Refills at `rate` tokens a second up to `burst`; without a rate it never runs dry."""

    def __init__(self, rate: float | None, burst: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._at = clock()
        self._paused_until = 0.0
        self._urgent_paused_until = 0.0
        self._waiters: list[_Waiter] = []
        self._places = itertools.count()
        self._alarm: asyncio.TimerHandle | None = None

    def resize(self, rate: float | None, burst: float) -> None:
        """Go on with another rate and burst; a larger burst is there at once."""
        if (rate, burst) != (self._rate, self._burst):
            now = self._clock()
            self._tokens = min(burst, self.available() + max(0.0, burst - self._burst)) if self._rate else burst
            self._rate, self._burst, self._at = rate, burst, now
            self._grant()

    def available(self) -> float:
        """Return the tokens there now; infinite without a rate."""
        if self._rate is None:
            return float("inf")
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return self._tokens

    def seconds_for(self, tokens: float) -> float:
        """Return the seconds until so many tokens have been there, however many at a time."""
        return max(0.0, (tokens - self.available()) / self._rate) if self._rate is not None else 0.0

    def charge(self, tokens: float) -> None:
        """Take `tokens`, going into debt where they are not there."""
        if self._rate is not None:
            self._tokens = self.available() - tokens

    def pause(self, until: float) -> None:
        """Grant nothing before `until` (engine seconds), and to failovers nothing for FAILOVER_PATIENCE at most."""
        urgent = min(until, self._clock() + FAILOVER_PATIENCE)
        self._paused_until = max(self._paused_until, until)
        self._urgent_paused_until = max(self._urgent_paused_until, urgent)

    async def wait(self, needed: float, *, charge: bool, urgency: Urgency) -> None:
        """Wait in line until `needed` tokens (at most the burst) are there, and take them if `charge`."""
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(urgency, next(self._places), needed, needed if charge else 0, granted)
        heapq.heappush(self._waiters, waiter)
        self._grant()
        await granted  # a cancelled waiter's future is cancelled with it, and skipped

    def has(self, needed: float, urgency: Urgency) -> bool:
        """Tell whether `needed` tokens (at most the burst) are there and nobody waits for them."""
        return not self._waiters and self._delay(needed, urgency) <= 0

    def is_paused_for(self, urgency: Urgency) -> bool:
        """Tell whether nothing is granted for work of this urgency just now."""
        return self._pause(urgency) > 0

    def _pause(self, urgency: Urgency) -> float:
        until = self._urgent_paused_until if urgency <= Urgency.FAILOVER else self._paused_until
        return until - self._clock()

    def _delay(self, tokens: float, urgency: Urgency) -> float:
        pause = self._pause(urgency)
        if self._rate is None:
            return pause
        return max(pause, (min(tokens, self._burst) - self.available()) / self._rate)

    def _grant(self) -> None:
        """Serve whoever can be served, and come back when the next one can."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while self._waiters:
            first = self._waiters[0]
            if not first.granted.done():
                delay = self._delay(first.needed, first.urgency)
                if delay > 0:
                    self._alarm = asyncio.get_running_loop().call_later(delay + 0.001, self._grant)
                    return
                self.charge(first.charged)
                first.granted.set_result(None)
            heapq.heappop(self._waiters)


class Budget:
    """The quotas of one provider account, or one of `shares` equal shares: requests, and changes within them."""

    def __init__(self, limits: ProviderLimits, clock: Callable[[], float]) -> None:
        self.shares = 1
        self._limits = limits
        self._clock = clock
        self._requests = TokenBucket(limits.requests_per_second, limits.requests_burst, clock)
        self._changes = TokenBucket(limits.changes_per_second, limits.changes_burst, clock)
        self._paused_until = 0.0
        self._readings_until = 0.0
        self._listeners: set[Callable[[], None]] = set()
        self._alarm: asyncio.TimerHandle | None = None  # at the end of the pause

    def limit(self, limits: ProviderLimits) -> None:
        """Go on with other quotas: the account's zones share those that were declared last."""
        self._limits = limits
        self._requests.resize(self._share_of(limits.requests_per_second), max(1.0, limits.requests_burst / self.shares))
        least = min(limits.changes_burst, LEAST_BURST)
        burst = max(least, limits.changes_burst / self.shares)
        self._changes.resize(self._share_of(limits.changes_per_second), burst)

    def divide(self, shares: int) -> None:
        """Go on with one of so many equal shares of the quotas: other processes have the others."""
        if shares != self.shares:
            self.shares = shares
            self.limit(self._limits)

    def _share_of(self, rate: float | None) -> float | None:
        return None if rate is None else rate / self.shares

    def now(self) -> float:
        """Return the time by this budget's clock (engine seconds)."""
        return self._clock()

    async def request(self, number: int = 1, urgency: Urgency = Urgency.FAILOVER) -> None:
        """Wait until `number` requests may be sent, and count them."""
        await self._requests.wait(number, charge=True, urgency=urgency)

    def request_now(self, urgency: Urgency) -> bool:
        """Count one request if it may be sent at once; False where it may not."""
        if is_there := self._requests.has(1, urgency):
            self._requests.charge(1)
        return is_there

    async def changes(self, wanted: int, urgency: Urgency) -> float:
        """Wait until a worthwhile part of `wanted` changes may be made; return how many may, without counting them.

        That can be more than was wanted, and is infinite without a quota.
        """
        needed = max(1.0, wanted * WORTHWHILE_SHARE)
        await self._changes.wait(needed, charge=False, urgency=urgency)
        return max(needed, self._changes.available())

    def changes_now(self, wanted: int, urgency: Urgency) -> float | None:
        """Return how many changes may be made at once, or None where that is not worthwhile or others wait."""
        needed = max(1.0, wanted * WORTHWHILE_SHARE)
        return max(needed, self._changes.available()) if self._changes.has(needed, urgency) else None

    def count_changes(self, number: int) -> None:
        """Count changes that are about to be sent."""
        self._changes.charge(number)

    def seconds_for(self, changes: float) -> float:
        """Return the seconds within which so many changes can be sent, if nobody else sends any."""
        return max(self._changes.seconds_for(changes), self._paused_until - self._clock(), 0.0)

    def pause_after_reading(self, seconds: float) -> float:
        """Return the seconds until a zone may be read again whose reading is worth `seconds` of the account's share."""
        now = self._clock()
        self._readings_until = max(now, self._readings_until) + seconds
        return self._readings_until - now

    def pause(self, seconds: float) -> None:
        """Send nothing for `seconds`: the provider said that it is too much."""
        was_paused = self.is_paused
        until = self._clock() + seconds
        self._paused_until = max(self._paused_until, until)
        self._requests.pause(until)
        self._changes.pause(until)  # a batch is filled after the pause, with what is wished by then
        if not was_paused and self.is_paused:
            self._wake_at_the_end()
            self._tell_all()

    def is_paused_for(self, urgency: Urgency) -> bool:
        """Tell whether work of this urgency has to wait for the end of a pause."""
        return self._requests.is_paused_for(urgency)

    @property
    def is_paused(self) -> bool:
        """Tell whether the provider has asked the account for patience, and for how long is not over."""
        return self._paused_until > self._clock()

    def tell(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever a pause begins or ends."""
        self._listeners.add(listener)

    def tell_no_more(self, listener: Callable[[], None]) -> None:
        """Call `listener` no more."""
        self._listeners.discard(listener)

    def _end_of_pause(self) -> None:
        self._alarm = None
        if self.is_paused:
            self._wake_at_the_end()
        else:
            self._tell_all()

    def _wake_at_the_end(self) -> None:
        if self._alarm is None:
            left = self._paused_until - self._clock()
            self._alarm = asyncio.get_running_loop().call_later(left + 0.001, self._end_of_pause)

    def _tell_all(self) -> None:
        for listener in tuple(self._listeners):
            try:
                listener()
            except Exception as error:  # one zone's trouble is not another's
                logger.error("a zone could not be told of a pause of its account: %s", told(error))


class ZoneBudget:
    """One zone's share in its account's budget: it remembers how urgent the zone's work in hand is.

    So the provider's requests need not say what they are for. What is read `beside` that work has its own urgency.
    """

    def __init__(self, account: Budget, limits: ProviderLimits) -> None:
        self.account = account
        self.urgency = Urgency.FAILOVER
        self._limits = limits
        self._requests_of_reading = 0
        self._has_request = False  # counted already, and not sent yet
        self.is_waiting = False  # for quotas, with changes that could be sent

    async def request(self, number: int = 1) -> None:
        """Wait until `number` requests may be sent for the work in hand, and count them."""
        if (own := _BESIDE.get()) is not None:
            self._requests_of_reading += number if own is Urgency.HOUSEKEEPING else 0
            await self.account.request(number, own)  # what was counted already is for the batch that waits to be sent
            return
        if self._has_request and not self.account.is_paused_for(self.urgency):
            number -= 1
        self._has_request = False
        if number:
            await self.account.request(number, self.urgency)

    def pause_after_reading(self) -> float | None:
        """Return the seconds until the zone may be read again, None where no quota bounds that.

        That is for a reading beside the work; of one that was not, it says 0.
        """
        rate, number = self._limits.reading_requests_per_second, self._requests_of_reading
        if rate is None:
            return None
        if self._limits.requests_per_second is not None:
            rate = min(rate, READING_SHARE * self._limits.requests_per_second)
        self._requests_of_reading = 0
        if self._limits.reads_by_zone:
            return number / rate
        return self.account.pause_after_reading(number / rate * self.account.shares)

    async def room(
        self, wanted: int, urgency: Urgency, *, news: asyncio.Event, due: float, unless: Callable[[], bool]
    ) -> float | None:
        """Wait until a worthwhile part of `wanted` changes may be sent; return how many may, without counting them.

        The request that sends them is counted, so that a batch waits for nothing once it is filled: what is decided, or
        forbidden, before it is sent counts. None where `unless` holds before: that is asked whenever there is `news`,
        and once it is `due` (engine seconds).
        """
        if (room := self.account.changes_now(wanted, urgency)) is not None and self._take_request_now(urgency):
            return room
        asking = asyncio.ensure_future(self._changes_and_request(wanted, urgency))
        self.is_waiting = True
        try:
            while not asking.done():
                news.clear()
                listening = asyncio.ensure_future(news.wait())
                pause = None if due == math.inf else max(0.0, due - self.account.now())
                await asyncio.wait({asking, listening}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                listening.cancel()
                if not asking.done() and unless():
                    return None
            return asking.result()
        finally:
            self.is_waiting = False
            asking.cancel()

    def _take_request_now(self, urgency: Urgency) -> bool:
        self._has_request = self._has_request or self.account.request_now(urgency)
        return self._has_request

    async def _changes_and_request(self, wanted: int, urgency: Urgency) -> float:
        while True:
            room = await self.account.changes(wanted, urgency)
            if self._take_request_now(urgency):
                return room
            await self.account.request(1, urgency)
            self._has_request = True
