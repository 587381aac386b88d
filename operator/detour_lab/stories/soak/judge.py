"""The verdict on a run: what counts as an empty answer, a stale write, and something left unrepaired.

`detour_lab.stories.soak` says in words what is counted here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from detour_lab.dns.sampling import Sighting
from detour_lab.stories.soak.history import History, Span

ANSWER_DELAY = 1.0
"""Seconds that an answer may lie in our own socket before it is stamped, on a busy machine."""

STAMP_PRECISION = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures. `damages`, `outsiders_empty` and `overtaken` are counted apart; `complaints` are sentences."""

    empty_answers: int
    stale_writes: int
    unrepaired: int
    answers: int
    damages: int
    slowest_repair: float
    outsiders_empty: int
    overtaken: int
    complaints: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return self.empty_answers == self.stale_writes == self.unrepaired == 0 and self.answers > 0


def judge(
    *,
    histories: Iterable[History],
    empty: Sequence[Sighting],
    answers: int,
    hindered: Iterable[Span],
    repair_within: float,
    left: Sequence[str],
    now: float,
) -> Verdict:
    """Judge a run that is over at `now`.

    `empty` are the empty answers that were sampled (their server bears the zone's name) among `answers`; `hindered`
    is when nobody could write a zone (its name, or `` for all of them), and `repair_within` how many of the other
    seconds an outsider's edit may stand; `left` tells what isn't right in the end.
    """
    stories = list(histories)
    excused = [span for story in stories for span in story.outsiders_empty]
    guilty = [each for each in empty if not any(_covers(span, each) for span in excused)]
    emptied = [text for story in stories for text in story.emptied]
    stale = [text for story in stories for text in story.stale]
    gaps = list(hindered)
    repairs = [(span, _possible_seconds(span, gaps, now)) for story in stories for span in story.damage]
    late = [
        f"{span.zone}: an outsider's edit of {span.name} was "
        + (f"put right after {span.seconds:.0f} s" if span.end <= now else "never put right")
        + f", {seconds:.0f} s of which it could have been"
        for span, seconds in repairs
        if seconds > repair_within
    ]
    return Verdict(
        empty_answers=sum(each.count for each in guilty) + len(emptied),
        stale_writes=len(stale),
        unrepaired=len(late) + len(left),
        answers=answers,
        damages=len(repairs),
        slowest_repair=max((seconds for _, seconds in repairs), default=0.0),
        outsiders_empty=sum(each.count for each in empty) - sum(each.count for each in guilty),
        overtaken=sum(len(story.overtaken) for story in stories),
        complaints=(*(f"empty: {each}" for each in guilty), *emptied, *stale, *late, *left),
    )


def leaderless(lost: Span, *, claims: Iterable[float], away: Iterable[Span], take_over: float, zone: str = "") -> Span:
    """Return when nobody could write a zone because its writer was `lost` (until it went on; inf: it never did).

    That is until somebody claims the zone anew (`claims`), but no longer than `take_over` seconds in which the API
    server was there: while it is `away` nobody is elected, and on a slow machine it comes back late.
    """
    end = lost.begin + take_over
    for gap in sorted(away, key=lambda each: each.begin):
        if gap.begin < end:
            end += max(0.0, gap.end - max(gap.begin, lost.begin))
    claimed = min((at for at in claims if at > lost.begin), default=float("inf"))
    return Span(zone, "", lost.begin, min(end, lost.end, claimed))


def _covers(span: Span, sighting: Sighting) -> bool:
    return (
        (span.zone, span.name) == (sighting.server, sighting.question.name)
        and span.begin - STAMP_PRECISION <= sighting.first_at
        and sighting.last_at <= span.end + ANSWER_DELAY
    )


def _possible_seconds(span: Span, hindered: Iterable[Span], now: float) -> float:
    """Return how much of `span` was not hindered."""
    begin, end = span.begin, min(span.end, now)
    free = end - begin
    covered = begin
    for each in sorted(hindered, key=lambda each: each.begin):
        if each.zone in ("", span.zone):
            first, last = max(covered, each.begin), min(end, each.end)
            if last > first:
                free -= last - first
                covered = last
    return free


def differences(
    wanted: Mapping[tuple[str, str], frozenset[str]], shown: Mapping[tuple[str, str], frozenset[str]]
) -> list[str]:
    """Tell each name, by (zone, hostname), whose answer isn't what the services' state demands."""
    return [
        f"{zone}: {name} answers {', '.join(sorted(shown.get((zone, name), ()))) or 'nothing'}, "
        f"{', '.join(sorted(values))} would be right"
        for (zone, name), values in wanted.items()
        if shown.get((zone, name), frozenset()) != values
    ]
