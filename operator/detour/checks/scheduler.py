"""When each target is checked.

Starts are spread so that a restart is not a thundering herd, and kept apart afterwards by a little jitter. The jitter
only shortens, and only the settled interval: the promised time to detection holds, and a verdict in question is not
kept waiting.

Where more is to be checked than can be, all settled intervals are stretched by the same factor until checks start on
time again; what is in question goes first and is not stretched.
"""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Container, Iterable

from detour.checks.periodic import Periodic
from detour.model.checks import CheckResult, CheckTiming, Target

LATE = 0.5
"""Seconds after which a settled check that still waits for a place says that there is too much to check."""

SPARE = 1.1
"""How many times as long as just enough intervals are stretched, so that what waits already is made up for."""

LONGER, SHORTER = 1.1, 0.98
"""By what they are stretched more each second at most, and less each second in which nothing waits."""

SMOOTH = 0.1
"""The weight of the last second in the rate of checks."""

MOST_STRETCHED = 20.0
"""With so many times the interval nothing is known in time any more; then checks wait."""

FEWEST_PLACES = 64
"""Checks that may be under way at once, however much the event loop has to do."""

CROWDED, ROOMY = 0.1, 0.05
"""Seconds of work in one turn of the event loop: with more than the first fewer checks may be under way, with less than
the second more.
"""

SETTLES = 0.5
"""Seconds from fewer places to fewer still."""

MORE_PLACES, FEWER_PLACES = 1.25, 0.7
"""By what their number is multiplied at a time."""

JITTER = 0.05
"""The share of a settled interval by which the next check may come early."""


def stretch_after(stretch: float, seconds: float, *, is_late: bool, wanted: float, made: float | None) -> float:
    """Return by what settled intervals are to be stretched after so many seconds in which checks were late, or none.

    `wanted` are the checks of a second if nothing was stretched, `made` as many as end in one while some are late, None
    where that is not known yet.
    """
    if not is_late:
        return max(1.0, stretch * math.pow(SHORTER, seconds))
    if made is None:
        return stretch
    enough = SPARE * wanted / max(made, 1e-3)
    return max(1.0, min(enough, stretch * math.pow(LONGER, seconds), MOST_STRETCHED))


def places_after(places: int, worked: float, *, taken: int, most: int) -> int:
    """Return how many checks may be under way, of which so many are `taken`, once a turn of the loop `worked` so long.

    Checks that wait for an answer cost nothing, however many they are. Those that are all at work at once make each
    turn of the event loop longer, which whoever else waits for it pays for, and end no sooner by that.
    """
    if worked > CROWDED and taken >= places * FEWER_PLACES:  # else they are not what keeps it busy
        return max(min(FEWEST_PLACES, most), int(FEWER_PLACES * places))
    if worked < ROOMY and taken >= places:
        return min(most, int(MORE_PLACES * places) + 1)
    return places


def closer_interval(timing: CheckTiming, *, more: float, at_most: float) -> float:
    """Return the seconds between two settled checks of a target that is looked at more closely.

    They are a recheck interval, unless all such targets together would so make `more` additional checks in a second
    than are allowed (`at_most`): then each gets the same share of its own.
    """
    own = _additional(timing)
    share = 1.0 if more <= at_most else at_most / more
    return 1.0 / (1.0 / timing.interval + own * share)


class CheckScheduler:
    """Checks every target at its pace; see Periodic for what holds of each run.

    Targets that are looked at more closely are checked at their recheck interval though their verdict is settled; that
    at most doubles the checks that are made altogether.

    `on_result(target, result, started)` returns the seconds from this check's start (`started`, on the event loop's
    clock) until the next one: the interval or the recheck interval, as the thresholds decide. `is_in_question` tells
    whether a target's verdict is in question after that; without it a delay below the interval does. `in_flight` is how
    many checks are under way at most; where `felt` tells that the event loop has much to do there are fewer.
    """

    def __init__(
        self,
        run: Callable[[Target], Awaitable[CheckResult]],
        *,
        on_result: Callable[[Target, CheckResult, float], float],
        in_flight: int,
        random: random.Random,
        is_in_question: Callable[[Target], bool] | None = None,
    ) -> None:
        self._on_result = on_result
        self._is_in_question = is_in_question
        self._random = random
        self._most = in_flight
        self._fewer_since = -math.inf
        self._stretch = 1.0
        self._looked_at = -math.inf
        self._wanted = 0.0  # checks in a second, of all targets
        self._closer: dict[Target, None] = {}  # targets that are looked at more closely
        self._more = 0.0  # checks in a second, beside the wanted, if all those had their recheck interval
        self._ended = 0  # settled checks since the last look
        self._made: float | None = None
        self._was_late = False
        self._work: Periodic[Target, CheckResult] = Periodic(
            run, on_result=self._next, in_flight=in_flight, random=random
        )

    def __len__(self) -> int:
        return len(self._work)

    @property
    def in_flight(self) -> int:
        """Checks under way."""
        return self._work.in_flight

    @property
    def overdue(self) -> int:
        """Targets whose check is due and waits for a place, 1000 at most."""
        return self._work.overdue

    @property
    def lateness(self) -> float:
        """Seconds by which the longest waiting check is overdue."""
        return self._work.lateness

    @property
    def urgent_lateness(self) -> float:
        """Seconds by which the longest waiting check is overdue of those whose verdict is in question."""
        return self._work.urgent_lateness

    @property
    def places(self) -> int:
        """How many checks may be under way at once, as the event loop has much or little to do."""
        return self._work.limit

    def felt(self, worked: float) -> None:
        """A turn of the event loop took so many seconds of work: let more checks be under way at once, or fewer.

        After fewer it takes a moment until as many are under way, in which there is no saying what that has brought.
        """
        places = places_after(self._work.limit, worked, taken=self._work.in_flight, most=self._most)
        now = asyncio.get_running_loop().time()
        if places > self._work.limit or (places < self._work.limit and now >= self._fewer_since + SETTLES):
            self._fewer_since = now if places < self._work.limit else self._fewer_since
            self._work.limit_to(places)

    @property
    def stretch(self) -> float:
        """How many times as long as they should be settled intervals are, 1 where all can be checked."""
        return self._stretch

    def update(self, targets: Iterable[Target], *, unknown: Container[Target] = frozenset()) -> None:
        """Check these targets and no others from now on. Those that stay keep their times.

        A new one starts at a random moment within its interval; one among `unknown`, whose verdict nobody knows,
        within its recheck interval.
        """
        wanted = dict.fromkeys(targets)  # not a set: its order, and so the draws below, would differ from run to run
        for target in self._work:
            if target not in wanted:
                self.discard(target)
        for target in wanted:
            self.add(target, is_unknown=target in unknown)

    def add(self, target: Target, *, is_unknown: bool = False) -> None:
        """Check a target from now on: first at a random moment within its interval, sooner where it `is_unknown`."""
        timing = target.timing
        if target not in self._work:
            self._wanted += 1.0 / timing.interval
        within = timing.recheck_interval if is_unknown else timing.interval
        self._work.add(target, within=within, is_urgent=is_unknown)

    def discard(self, target: Target) -> None:
        """Check a target no more."""
        if target in self._work:
            self._wanted -= 1.0 / target.timing.interval
        self.look_no_closer(target)
        self._work.discard(target)

    def look_closer(self, target: Target) -> None:
        """Check `target` more often from its next check on."""
        if target not in self._closer:
            self._closer[target] = None
            self._more += _additional(target.timing)

    def look_no_closer(self, target: Target) -> None:
        """Check `target` as often as it says itself again."""
        if target in self._closer:
            del self._closer[target]
            self._more = self._more - _additional(target.timing) if self._closer else 0.0

    @property
    def stood_still_until(self) -> float:
        """When this process last went on after it had stood still (the loop's seconds)."""
        return self._work.stood_still_until

    def hasten(self, target: Target, *, unless_since: float = math.inf) -> None:
        """Check `target` now, or once more right after the check under way unless that began so late."""
        self._work.hasten(target, unless_since=unless_since)

    async def run(self) -> None:
        """Check until `close` or until cancelled; no check is under way after that."""
        await self._work.run()

    def close(self) -> None:
        """Make `run` return, cancelling the checks under way."""
        self._work.close()

    def _next(self, target: Target, result: CheckResult, started: float) -> float:
        delay = self._on_result(target, result, started)
        self._look_how_late()
        if self._is_settled(target, delay):
            self._ended += 1
            if target in self._closer:
                delay = min(delay, closer_interval(target.timing, more=self._more, at_most=self._wanted))
            delay *= self._stretch * (1 - JITTER * self._random.random())
        else:
            self._work.keep_pace(target)  # in question: two checks of one moment would count for two
        return delay

    def _is_settled(self, target: Target, delay: float) -> bool:
        if self._is_in_question is not None:
            return not self._is_in_question(target)
        return delay >= target.timing.interval

    def _look_how_late(self) -> None:
        now = asyncio.get_running_loop().time()
        passed = now - self._looked_at
        if passed < 1.0:
            return
        is_late = self._work.settled_lateness > LATE
        if is_late and self._was_late:  # every place was taken all the time
            before = self._made if self._made is not None else self._wanted / self._stretch
            self._made = before + (self._ended / passed - before) * SMOOTH
        self._looked_at, self._ended, self._was_late = now, 0, is_late
        wanted = self._wanted + min(self._more, self._wanted)
        self._stretch = stretch_after(self._stretch, passed, is_late=is_late, wanted=wanted, made=self._made)
        if self._stretch == 1.0:
            self._made = None


def _additional(timing: CheckTiming) -> float:
    """Return how many more checks in a second a target gets at its recheck interval."""
    return 1.0 / timing.recheck_interval - 1.0 / timing.interval
