"""How a run has to end, and what must never come up in it: Converges, Truthful, NoDefects."""

from collections.abc import Iterator

from detour_simulation.history import Broke, History, Misreported, Unsettled, Violation


def converges(history: History) -> Iterator[Violation]:
    """After the quiet time DNS is what a planner that knows the truth would publish, and everything is in sync."""
    for event in history:
        if isinstance(event, Unsettled):
            yield Violation(invariant="Converges", at=event.at, message=event.text)


def truthful(history: History) -> Iterator[Violation]:
    """Who is in force for a zone says "in sync" only of names that stand as it says."""
    for event in history:
        if isinstance(event, Misreported):
            told = f"{event.controller} says that {event.hostname} in {event.zone} is in sync: {event.text}"
            yield Violation(invariant="Truthful", at=event.at, message=told)


def no_defects(history: History) -> Iterator[Violation]:
    """No exception of ours comes up that nobody expects."""
    for event in history:
        if isinstance(event, Broke):
            yield Violation(invariant="NoDefects", at=event.at, message=f"{event.controller}: {event.text}")
