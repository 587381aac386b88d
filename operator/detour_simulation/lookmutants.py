"""Mutants of how a zone is looked at: what its own account of changes tells, and what a reading of it all shows."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from detour.enactment.changewatch import ChangeWatch
from detour.enactment.enactor import Enactor
from detour.enactment.zonereader import ZoneReader
from detour_simulation.mutant import Mutant, Replacement


def _no_news_of_changes() -> tuple[Replacement, ...]:
    return ((ZoneReader, "take_changes", _take_and_forget),)


def _take_and_forget(self: ZoneReader, **_: Callable[[str], bool]) -> None:
    self.changes.take()


def _nothing_read_for_a_short_account() -> tuple[Replacement, ...]:
    """Who does not tell all that has changed is taken to tell of nothing."""
    before = ChangeWatch.take

    def take(self: ChangeWatch) -> frozenset[str] | None:
        return before(self) or frozenset()

    return ((ChangeWatch, "take", take),)


def _old_mark_after_a_reading() -> tuple[Replacement, ...]:
    """An account is asked from where it stands by then, not from where the reading is of which we know the zone."""

    def ask(self: Any, provider: Any) -> None:
        self._mark = NEWEST if not hasattr(self, "_was_asked") else self._mark
        self._was_asked = True
        _ASK(self, provider)

    return ((ChangeWatch, "ask", ask),)


NEWEST = str(10**9)
_ASK = ChangeWatch.ask


def _differences_do_not_count() -> tuple[Replacement, ...]:
    return ((Enactor, "_whole_was_read", _look_at_nothing),)


async def _look_at_nothing(self: Enactor, names: Collection[str]) -> None:
    """Take the reading, and look at no name again."""


OF_LOOKS: Mapping[str, Mutant] = {
    each.name: each
    for each in (
        Mutant(name="hears of what others change", profile="accounts", seed=2, off=_no_news_of_changes),
        Mutant(
            name="reads what an account does not tell",
            profile="accounts",
            seed=31,
            off=_nothing_read_for_a_short_account,
        ),
        Mutant(name="an account counts from a reading on", profile="accounts", seed=2, off=_old_mark_after_a_reading),
        Mutant(name="looks at what a reading shows", profile="readings", off=_differences_do_not_count),
    )
}
