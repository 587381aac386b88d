"""Names of deleted records that are to go: counted before the first of them goes, and held where they are too many.

A namespace that is dropped asks for its names one after the other. So each waits a moment for the others to show: of
too many none goes, and not the first ten. Who asks for a name that is not his own takes nothing, and does not count.
"""

from collections.abc import Callable
from dataclasses import dataclass

from detour.model.record import ObjectKey
from detour.model.withdrawal import Withdrawal
from detour.model.zone import Safety
from detour.planning.safety.rules import HoldReason, deletions_allowed

GATHERING_TIME = 2.0
"""Seconds for which a deletion waits for others."""


@dataclass(slots=True)
class _Asked:
    withdrawal: Withdrawal
    at: float
    is_done: bool = False
    reason: HoldReason | None = None
    is_free: bool = False  # it was let go once: only a freeze holds it


class Deletions:
    """The deletions asked for in one zone. `clock` gives engine seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._asked: dict[ObjectKey, _Asked] = {}
        self._remembered = (0, 0.0)  # how many others made, and when the last
        self.version = 0  # another one whenever anything else is held than before
        self._news: dict[ObjectKey, Withdrawal] = {}

    def ask(self, withdrawal: Withdrawal) -> None:
        """The name of a deleted record is to go."""
        if withdrawal.record not in self._asked or self._asked[withdrawal.record].is_done:
            self._asked[withdrawal.record] = _Asked(withdrawal, self._clock())

    def ask_again(self, withdrawal: Withdrawal) -> None:
        """A deletion that was let go has not been made: it goes as soon as it can, however many there are."""
        asked = self._asked.get(withdrawal.record)
        if asked is None or asked.is_done:  # else a later object of the name is to go
            self._asked[withdrawal.record] = _Asked(withdrawal, self._clock(), is_free=True)
            self.version += 1

    def keep(self, record: ObjectKey) -> bool:
        """The name of `record` is to stay after all; False where it has been let go already."""
        asked = self._asked.get(record)
        if asked is None or asked.is_done:
            return False
        del self._asked[record]
        self.version += 1
        return True

    def remember(self, names: int, at: float) -> None:
        """Who wrote the zone before us made so many deletions, the last at `at`: at least so many count."""
        self._remembered = (max(self._remembered[0], names), max(self._remembered[1], at))

    def made(self, since: float) -> tuple[int, float]:
        """Return how many deletions were made since then, and when the last was."""
        remembered = self._remembered if self._remembered[1] >= since else (0, since)
        own = [each.at for each in self._asked.values() if each.is_done and each.at >= since]
        return max(len(own), remembered[0]), max(own, default=remembered[1])

    def recall(self) -> list[Withdrawal]:
        """Return the deletions that have not been let through, and forget them."""
        waiting = [each.withdrawal for each in self._asked.values() if not each.is_done]
        self._asked.clear()
        self.version += 1
        return waiting

    @property
    def are_waiting(self) -> bool:
        """Tell whether any deletion has not been let through yet."""
        return any(not each.is_done for each in self._asked.values())

    def take_due(self, *, owned: int, safety: Safety, takes: Callable[[Withdrawal], bool]) -> list[Withdrawal]:
        """Return, once, the deletions that may be made now.

        `owned` is how many names of the zone are ours, without those that are asked to be deleted; `takes` tells
        whether a deletion would take anything away: not where the name's marker names another object.
        """
        now = self._clock()
        idle = [each.withdrawal for each in self._asked.values() if not (each.is_done or takes(each.withdrawal))]
        for withdrawal in idle:
            del self._asked[withdrawal.record]
        self._asked = {
            key: each for key, each in self._asked.items() if not each.is_done or each.at >= now - safety.window
        }
        waiting = [each for each in self._asked.values() if not each.is_done]
        total = len(waiting) + self.made(now - safety.window)[0]
        reason = None
        if safety.frozen:
            reason = HoldReason.FREEZE
        elif total > deletions_allowed(owned + total):
            reason = HoldReason.DELETIONS
        due = []
        for each in waiting:
            held = reason if reason is HoldReason.FREEZE or not each.is_free else None
            if each.reason is not held:
                each.reason = held
                self.version += 1
                self._news[each.withdrawal.record] = each.withdrawal
            if held is None and now - each.at >= GATHERING_TIME:
                each.is_done, each.at = True, now
                self.version += 1  # it is told how many were made
                due.append(each.withdrawal)
        return [*idle, *due]

    def held(self) -> list[tuple[HoldReason, Withdrawal, float]]:
        """Return the deletions that are held, why, and since when they were asked for (engine seconds)."""
        return [
            (each.reason, each.withdrawal, each.at)
            for each in self._asked.values()
            if each.reason is not None and not each.is_done
        ]

    def why_held(self, record: ObjectKey) -> HoldReason | None:
        """Return why the deletion of the name of `record` is held, None where it is not."""
        asked = self._asked.get(record)
        return asked.reason if asked is not None and not asked.is_done else None

    def take_news(self) -> list[Withdrawal]:
        """Return, once, the deletions that are held since the last time, or for another reason, or no more."""
        news, self._news = list(self._news.values()), {}
        return news

    def take_held(self) -> list[Withdrawal]:
        """Return, once, the deletions that were held: a person approved them."""
        approved = [each for each in self._asked.values() if each.reason is not None and not each.is_done]
        for each in approved:
            each.is_done = True
            self.version += 1
        return [each.withdrawal for each in approved]
