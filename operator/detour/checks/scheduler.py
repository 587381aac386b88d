"""When each target is checked.

Starts are spread so that a restart is not a thundering herd, and kept apart afterwards by a little jitter. The jitter
only shortens, and only the settled interval: the promised time to detection holds, and a verdict in question is not
kept waiting.
"""

import math
import random
from collections.abc import Awaitable, Callable, Container, Iterable

from detour.checks.periodic import Periodic
from detour.model.checks import CheckResult, Target

JITTER = 0.05
"""The share of a settled interval by which the next check may come early."""


class CheckScheduler:
    """Checks every target at its pace; see Periodic for what holds of each run.

    `on_result(target, result, started)` returns the seconds from this check's start (`started`, on the event loop's
    clock) until the next one: the interval or the recheck interval, as the thresholds decide.
    """

    def __init__(
        self,
        run: Callable[[Target], Awaitable[CheckResult]],
        *,
        on_result: Callable[[Target, CheckResult, float], float],
        in_flight: int,
        random: random.Random,
    ) -> None:
        self._on_result = on_result
        self._random = random
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
        """Targets whose check is due and waits for a place."""
        return self._work.overdue

    @property
    def lateness(self) -> float:
        """Seconds by which the longest waiting check is overdue."""
        return self._work.lateness

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
        self._work.add(target, within=timing.recheck_interval if is_unknown else timing.interval)

    def discard(self, target: Target) -> None:
        """Check a target no more."""
        self._work.discard(target)

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
        if delay >= target.timing.interval:
            delay *= 1 - JITTER * self._random.random()
        else:
            self._work.keep_pace(target)  # in question: two checks of one moment would count for two
        return delay
