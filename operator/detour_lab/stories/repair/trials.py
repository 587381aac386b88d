"""A trial is one cell in one column: what was known before, what was seen last, and what there is to complain of."""

from dataclasses import dataclass, field

from detour_lab.stories.repair.answers import Answers, Span, Story
from detour_lab.stories.repair.cells import Cell
from detour_lab.stories.repair.damages import Asks, Column, Expectation
from detour_lab.stories.repair.judging import Generation, Standard, unasked, unrecorded, untold, unwell
from detour_lab.stories.repair.survey import Names, Seen


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for each step. Only `repair` is a promise to users; the others leave room for a machine that is busy."""

    publish: float = 120.0
    repair: float = 60.0
    failover: float = 60.0


@dataclass(slots=True, kw_only=True)
class Trial:
    """One cell in one column, while it is played. Times are `time.monotonic` seconds.

    `floor` is what the ledger must have reached in the end, `left` what the zone held right after the damage.
    `visible_at` is when an operator could see the damage first, `settled_at` when all was as expected, `judged_at`
    when that was found, or was given up.
    """

    cell: Cell
    expectation: Expectation
    floor: Generation
    left: Names
    known_events: frozenset[str]
    damaged_at: float
    visible_at: float
    settled_at: float | None = None
    judged_at: float = 0.0
    mended_at: float | None = None
    failed_over: bool = False
    last: Seen | None = None
    complaints: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float | None:
        """How long it took until all was as expected; None where it never was."""
        return None if self.settled_at is None else self.settled_at - self.visible_at

    def wrong(self, standard: Standard) -> list[str]:
        """Return what is not as expected in what was seen last."""
        assert self.last is not None  # noqa: S101 - asked only after a look
        if isinstance(self.expectation, Asks):
            return unasked(self.cell, self.expectation, self.last, self.left)
        return [
            *unwell(self.cell, self.last, standard, floor=self.floor),
            *untold(self.expectation, self.last.events),
            *unrecorded(self.expectation, self.last),
        ]

    def story(self, allowed: tuple[frozenset[str], ...]) -> Story:
        """Return what may have been answered, at which times; the first of `allowed` is what was published before."""
        spared = self.cell.damage.spares_answers
        return Story(
            cell=self.cell,
            allowed=allowed,
            damaged=None if spared else Span(self.damaged_at, self.mended_at or self.judged_at),
            steady=Span(self.damaged_at, self.judged_at) if spared else None,
        )

    def verdict(self, column: Column, answers: Answers, allowed: tuple[frozenset[str], ...]) -> "Verdict":
        """Return what became of it, with what was answered meanwhile."""
        return Verdict(
            cell=self.cell,
            column=column,
            complaints=(*self.complaints, *answers.complaints(self.story(allowed))),
            seconds=self.seconds,
            asked=isinstance(self.expectation, Asks) and self.settled_at is not None,
            failed_over=self.failed_over,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one cell in one column. `seconds` until all was as expected; None where it never was."""

    cell: Cell
    column: Column
    complaints: tuple[str, ...]
    seconds: float | None = None
    asked: bool = False
    failed_over: bool = False

    @property
    def right(self) -> bool:
        return not self.complaints

    def __str__(self) -> str:
        return f"{self.cell}, operator {self.column}: {'; '.join(self.complaints) or 'right'}"
