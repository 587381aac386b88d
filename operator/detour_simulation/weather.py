"""The way between a controller and everything outside: where requests are delayed, overtake each other, and get lost.

Every outside call of a process goes through `Network.call`. It is sent, lands, takes effect there (in no process: it
does so also when its sender is dead by then), and the answer travels back. Weather, a part of the schedule, decides
what becomes of a call; in calm weather every call succeeds in a few hundredths of a second.
"""

import asyncio
import enum
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from detour.twin.loop import VirtualLoop

T = TypeVar("T")

GIVE_UP = 5.0
"""Seconds after which a client takes the answer for lost."""


class Sky(enum.Enum):
    """What weather does to calls."""

    SLOW = "calls are slow and overtake each other"
    LOST_BEFORE = "requests get lost on their way"
    LOST_AFTER = "requests are applied, and their answers get lost"
    LATE = "answers get lost, and the requests are applied later"
    THROTTLED = "callers are asked for patience"
    AWAY = "nobody answers"
    REFUSING = "connections are refused"
    ODD_ERROR = "calls end in errors that no contract knows, applied or not"
    ODD_ANSWER = "calls are answered by what is no answer, applied or not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """Until `until`, a `share` of the calls to `service` (of `caller`, or of everybody) meets `sky`.

    `strength` in seconds is the longest delay.
    """

    sky: Sky
    service: str
    until: float
    share: float = 1.0
    strength: float = 2.0
    caller: str | None = None
    writes_only: bool = False
    reads_only: bool = False


class CallFailedError(Exception):
    """A call got no answer, or none that it wanted; `sent` says that it may have taken effect."""

    def __init__(self, sky: Sky, *, sent: bool) -> None:
        super().__init__(sky.value)
        self.sky = sky
        self.sent = sent


class Strike(enum.Enum):
    """What befalls a process at one of its calls."""

    CRASH_BEFORE = "is killed just before it sends a request"
    CRASH_AFTER = "is killed just after it sent a request"
    CANCEL_BEFORE = "cancels a call just before it is sent"
    CANCEL_AFTER = "cancels a call that was just sent"


WRITE = "write"
"""What a write to DNS is called among the calls that a strike waits for."""


class Caller:
    """One process, as the network knows it. `name` is the controller's; `crash` ends the process at once."""

    def __init__(self, process: str, randomness: random.Random, crash: Callable[[], None]) -> None:
        self.name = process.partition("#")[0]
        self.process = process
        self.randomness = randomness
        self.crash = crash
        self._armed: dict[Strike, tuple[str, int]] = {}

    def arm(self, strike: Strike, service: str, calls: int) -> None:
        """Let `strike` befall the process at its `calls`-th next call: any (empty), or those that write to DNS."""
        self._armed[strike] = (service, calls)

    def disarm(self) -> None:
        """Let nothing befall it."""
        self._armed.clear()

    def strike(self, service: str) -> Strike | None:
        """Count a call; return what befalls the process at it."""
        for strike, (kind, left) in self._armed.items():
            if kind in ("", service):
                self._armed[strike] = (kind, left - 1)
                if left <= 1:
                    del self._armed[strike]
                    return strike
        return None


@dataclass(frozen=True, slots=True)
class _Fate:
    """When a request lands (None: never), when its sender gives up (None: never), and why."""

    lands_in: float | None
    answered: bool = True
    fails_in: float | None = None
    error: CallFailedError | None = None


class Network:
    """Carries calls. `steps` counts them, `last_landing` is when the last late one arrives."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.steps = 0
        self.last_landing = 0.0
        self._loop = loop
        self._weathers: list[Weather] = []

    def bring(self, weather: Weather) -> None:
        """Let this weather begin."""
        self._weathers.append(weather)

    def clear_up(self) -> None:
        """End all weather; what is on its way still lands."""
        self._weathers.clear()

    async def call(
        self, caller: Caller, service: str, act: Callable[[], T], *, write: bool = False, latency: float = 0.02
    ) -> T:
        """Let `act` take effect outside and return what it returns, or raise what it raises.

        Raises CallFailedError where the weather swallowed the request or its answer.
        """
        self.steps += 1
        loop = self._loop
        answer: asyncio.Future[T] = loop.create_future()
        strike = caller.strike(WRITE if write and not service.startswith("api-") else service)
        if strike is Strike.CRASH_BEFORE:
            caller.crash()
            return await answer
        if strike is Strike.CANCEL_BEFORE:
            raise asyncio.CancelledError
        fate = self._fate(caller, service, latency, write=write) if self._weathers else _Fate(latency / 2)
        if fate.lands_in is not None:
            loop.later(fate.lands_in, self._land, act, answer if fate.answered else None, latency / 2)
        if fate.fails_in is not None:
            loop.later(fate.fails_in, _fail, answer, fate.error)
        if strike is Strike.CRASH_AFTER:
            caller.crash()
        if strike is Strike.CANCEL_AFTER:
            raise asyncio.CancelledError
        return await answer

    def _land(self, act: Callable[[], T], answer: "asyncio.Future[T] | None", latency: float) -> None:
        try:
            result = act()
        except Exception as error:
            if answer is not None:
                self._loop.later(latency, _fail, answer, error)
        else:
            if answer is not None:
                self._loop.later(latency, _answer, answer, result)

    def _fate(self, caller: Caller, service: str, latency: float, *, write: bool) -> _Fate:
        weather = self._weather(caller, service, write=write)
        if weather is None:
            return _Fate(latency / 2)
        draw = caller.randomness.random
        lost = CallFailedError(weather.sky, sent=True)
        match weather.sky:
            case Sky.SLOW:
                delay = latency / 2 + draw() * weather.strength
                self.last_landing = max(self.last_landing, self._loop.now + delay)
                return _Fate(delay, True, GIVE_UP, lost) if delay > GIVE_UP else _Fate(delay)
            case Sky.LATE:
                delay = latency / 2 + draw() * weather.strength
                self.last_landing = max(self.last_landing, self._loop.now + delay)
                return _Fate(delay, False, min(delay, draw() * GIVE_UP), lost)
            case Sky.LOST_AFTER:
                return _Fate(latency / 2, False, latency + draw() * GIVE_UP, lost)
            case Sky.LOST_BEFORE | Sky.AWAY:
                return _Fate(None, False, latency + draw() * GIVE_UP, lost)
            case Sky.ODD_ERROR | Sky.ODD_ANSWER:
                return _Fate(latency / 2 if draw() < 0.5 else None, False, latency, lost)
            case Sky.THROTTLED | Sky.REFUSING:
                return _Fate(None, False, latency, CallFailedError(weather.sky, sent=False))

    def _weather(self, caller: Caller, service: str, *, write: bool) -> Weather | None:
        now = self._loop.now
        self._weathers = [each for each in self._weathers if each.until > now]
        for each in self._weathers:
            if (
                each.service == service
                and each.caller in (None, caller.name)
                and (write or not each.writes_only)
                and not (write and each.reads_only)
                and (each.share >= 1.0 or caller.randomness.random() < each.share)
            ):
                return each
        return None


def _answer(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[object]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # who asked may be gone by now; whoever still waits is told all the same
