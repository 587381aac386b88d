"""What a move rests on: evidence that is new enough, of the place that is gained and of the one that is left.

A prober that loses its own way out sees everything fail, one place before the other; when it sees again, it sees one
place before the other. Neither may move anything. So by failures a place is gained only if its newest check passed, and
began after the first failing check of the place that is left had ended; and the place that is left must have failed
since the other one passes. What was seen long ago, by an earlier process, or before this one stood still, keeps places
and gains none. A person's drain waits for a look at where it leads, and no longer. Keeping is no gain, and neither is
filling a name that has nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from detour.model.checks import CheckTiming
from detour.model.health import Evidence, Verdict
from detour.model.record import Publish, Record
from detour.planning.candidates import Candidate
from detour.planning.selection import Choice, choose

LATE = 1.0
"""Seconds by which a check may be late before what the one before it showed counts as old."""

NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Looks:
    """What has to be seen before more can be decided.

    `awaited` are addresses whose next result matters, `wanted` those to check at once, unless a check of theirs is
    under way that began at the time beside them, or later (engine seconds).
    """

    awaited: frozenset[str] = frozenset()
    wanted: Mapping[str, float] = field(default_factory=dict)


NO_LOOKS = Looks()


def joined(*looks: Looks) -> Looks:
    """Return as one what has to be seen for several reasons."""
    found = [each for each in looks if each is not NO_LOOKS]
    if len(found) < 2:
        return found[0] if found else NO_LOOKS
    wanted: dict[str, float] = {}
    for each in found:
        for address, since in each.wanted.items():
            wanted[address] = max(since, wanted.get(address, since))
    return Looks(frozenset().union(*(each.awaited for each in found)), wanted)


@dataclass(frozen=True, slots=True)
class Grounded:
    """The choice as far as there are grounds for it.

    `waits_for` are endpoints whose checks are awaited first, `stays` those whose failures do not count yet. `is_short`
    says that nobody could be chosen, though somebody is Healthy: there are no grounds for it yet.
    """

    choice: Choice
    looks: Looks = NO_LOOKS
    waits_for: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    is_short: bool = False


@dataclass(frozen=True, slots=True)
class _Deadlines:
    """Until when a move waits for the look at a better place, and when a drain goes ahead without one."""

    better_place: float
    drain: float


def is_fresh(evidence: Evidence, timing: CheckTiming, now: float) -> bool:
    """Tell whether the newest check is as new as checks on time are."""
    return now - evidence.began_at <= timing.interval + timing.timeout + LATE


def takes_over_from(staying: Evidence, leaving: Evidence) -> bool:
    """Tell whether one place was seen to pass while the other was seen to fail: each since the other began to."""
    if not staying.passed or leaving.passed:
        return False
    return staying.began_at >= leaving.run_since and leaving.began_at >= staying.run_since


def choose_on_grounds(
    record: Record,
    candidates: tuple[Candidate, ...],
    now: float,
    *,
    drained_since: Mapping[str, float],
    patience_until: float,
) -> Grounded:
    """Choose the endpoints that answer, as far as evidence reaches; an empty choice means that nobody is fit to.

    `drained_since` says of endpoints that a person took out since when that is known here; `patience_until` bounds the
    wait for first results after a start (engine seconds).
    """
    hoped = choose(record, candidates, now)
    if not hoped.chosen:
        return Grounded(hoped)
    if not _moves_anything(hoped, candidates):
        return Grounded(hoped)
    weighing = _Weighing(record, candidates, drained_since, now)
    if weighing.bears_out(hoped):
        return Grounded(hoped)
    limits = _deadlines(record, candidates, drained_since, patience_until)
    if limits.drain <= now:
        choice, kept = weighing.settle(weighing.may_stand)
        return Grounded(choice, weighing.looks(kept), stays=tuple(kept), is_short=not choice.chosen)
    choice, kept = weighing.settle(weighing.stands)
    better = choose(record, weighing.able(weighing.may_stand), now)
    missed = [each.name for each in better.chosen if not each.in_place and weighing.lacks(each)]
    gained = {each.name for each in choice.chosen if not each.in_place}
    if missed and now < limits.better_place and (gained - {each.name for each in better.chosen}):
        choice, kept = weighing.settle(lambda value, evidence: False, keep_all=True)
        until = min(limits.better_place, choice.decide_again_at or limits.better_place)
        choice = replace(choice, decide_again_at=until)
    elif missed and limits.drain < float("inf"):
        choice = replace(choice, decide_again_at=min(limits.drain, choice.decide_again_at or limits.drain))
    looks = weighing.looks(kept) if kept or weighing.is_short_of(hoped) else NO_LOOKS
    return Grounded(choice, looks, waits_for=tuple(missed), stays=tuple(kept), is_short=not choice.chosen)


def _moves_anything(hoped: Choice, candidates: tuple[Candidate, ...]) -> bool:
    """Tell whether somebody gains or leaves a place: not so where all stay, or where no place is taken yet."""
    if not any(each.present or each.in_place for each in candidates):
        return False
    if any(each.failing and not each.drained for each in candidates if each.in_place):
        return True
    return not all(each.in_place and each.present.issuperset(each.values) for each in hoped.chosen)


def _deadlines(
    record: Record, candidates: tuple[Candidate, ...], drained_since: Mapping[str, float], patience_until: float
) -> _Deadlines:
    timeout = record.timing.timeout
    failed = [each.health.since + timeout for each in candidates if each.in_place and each.failing and not each.drained]
    drained = [drained_since.get(each.name, NEVER) + timeout for each in candidates if each.in_place and each.drained]
    return _Deadlines(
        better_place=max((*failed, *drained, patience_until)), drain=min(drained) if drained else float("inf")
    )


class _Weighing:
    """The candidates of one record, and what can be said of each of their values."""

    def __init__(
        self, record: Record, candidates: tuple[Candidate, ...], drained_since: Mapping[str, float], now: float
    ) -> None:
        self._record = record
        self._candidates = candidates
        self._now = now
        fail_since = [
            seen.run_since
            for each in candidates
            if not each.drained
            for value in each.present
            if (seen := each.evidence.get(value)) is not None and not seen.passed
        ]
        leave_since = [drained_since.get(each.name, NEVER) for each in candidates if each.in_place and each.drained]
        self._required = max((*fail_since, *leave_since), default=NEVER)

    def stands(self, value: str, evidence: Evidence | None) -> bool:
        """Tell whether a place may be gained on this evidence."""
        if evidence is None or not evidence.passed or evidence.began_at < self._required:
            return False
        return is_fresh(evidence, self._record.timing, self._now)

    def may_stand(self, value: str, evidence: Evidence | None) -> bool:
        """Tell whether it may be gained, or could be if a check that is made now passes."""
        return evidence is None or evidence.passed

    def lacks(self, candidate: Candidate) -> bool:
        """Tell whether a candidate that is not in place has no value yet with which it may gain one."""
        return not self._values(candidate, self.stands)

    def bears_out(self, hoped: Choice) -> bool:
        """Tell whether there are grounds for all of a choice, which spares looking for another one."""
        return not self.is_short_of(hoped) and not self._unfounded(hoped, self._candidates, {})

    def is_short_of(self, hoped: Choice) -> bool:
        """Tell whether somebody would be chosen, or a value published, if there were grounds for it."""
        return any(len(self._values(each, self.stands)) < len(each.values) for each in hoped.chosen)

    def able(self, may_gain: Callable[[str, Evidence | None], bool]) -> tuple[Candidate, ...]:
        """Return the candidates without the values that are not in place and that `may_gain` gives no place."""
        return tuple(replace(each, values=self._values(each, may_gain)) for each in self._candidates)

    def _values(self, candidate: Candidate, may_gain: Callable[[str, Evidence | None], bool]) -> tuple[str, ...]:
        """Return the values that a candidate has in place or may gain; where it has any, what DNS has of it stays."""
        firm = {value for value in candidate.values if may_gain(value, candidate.evidence.get(value))}
        if firm or candidate.in_place:
            firm |= candidate.present
        return tuple(value for value in candidate.values if value in firm)

    def settle(
        self, may_gain: Callable[[str, Evidence | None], bool], *, keep_all: bool = False
    ) -> tuple[Choice, list[str]]:
        """Choose, where `may_gain` tells whose values may be gained; return also whose failing values stay.

        A failing value stays until another one is published that was seen to pass while it was seen to fail.
        """
        able = self.able(may_gain)
        kept: dict[str, frozenset[str]] = {}
        if keep_all:
            kept = {each.name: each.failing for each in able if _can_keep(each)}
        while True:
            choice = choose(self._record, tuple(_keeping(each, kept.get(each.name)) for each in able), self._now)
            more = self._unfounded(choice, able, kept)
            if not more:
                return choice, [name for name in kept if any(each.name == name for each in choice.chosen)]
            kept |= more

    def _unfounded(
        self, choice: Choice, able: tuple[Candidate, ...], kept: Mapping[str, frozenset[str]]
    ) -> dict[str, frozenset[str]]:
        """Return the failing values that this choice would take away without grounds, on top of those `kept`."""
        failing = {each.name: each.failing for each in able}
        chosen = {each.name: each for each in choice.chosen}
        staying = [
            seen
            for each in choice.chosen
            for value in each.values
            if value not in failing[each.name] and (seen := each.evidence.get(value)) is not None
            if is_fresh(seen, self._record.timing, self._now)
        ]
        found: dict[str, frozenset[str]] = {}
        for each in able:
            if not _can_keep(each) or (each.name not in chosen and each.health.verdict is not Verdict.UNHEALTHY):
                continue  # who leaves for a better place does not leave by a failure
            before = kept.get(each.name, frozenset())
            unfounded = {
                value for value in each.failing - before if not _has_grounds(each.evidence.get(value), staying)
            }
            if unfounded:
                found[each.name] = before | unfounded
        return found

    def looks(self, kept: list[str]) -> Looks:
        """Return whose checks can change the outcome, and which of them are to be made at once."""
        awaited: set[str] = set()
        wanted: dict[str, float] = {}
        oldest = self._now - self._record.timing.interval - self._record.timing.timeout - LATE
        passes_since = NEVER
        for each in self._candidates:
            if each.drained or each.health.verdict is not Verdict.HEALTHY:
                continue
            for value in each.values:
                seen = each.evidence.get(value)
                if seen is not None and seen.passed:
                    passes_since = max(passes_since, seen.run_since)
                if self.stands(value, seen):
                    continue
                addresses = self._addresses(each, value)
                awaited |= addresses
                since = max(self._required, oldest)
                if seen is None or (seen.passed and seen.looked_at < since):
                    wanted |= dict.fromkeys(addresses, since)
        for each in self._candidates:
            if each.name not in kept:
                continue
            for value in each.failing:
                seen, addresses = each.evidence.get(value), self._addresses(each, value)
                awaited |= addresses
                if seen is None or (not seen.passed and seen.looked_at < passes_since):
                    wanted |= dict.fromkeys(addresses, max(passes_since, oldest))
        return Looks(frozenset(awaited), wanted)

    def _addresses(self, candidate: Candidate, value: str) -> set[str]:
        """Return what is checked for a value."""
        if self._record.publish is Publish.CNAME:
            return {address for address, _ in candidate.health.addresses}
        return {value}


def _can_keep(candidate: Candidate) -> bool:
    return bool(candidate.in_place and candidate.failing and not candidate.drained)


def _keeping(candidate: Candidate, values: frozenset[str] | None) -> Candidate:
    """Return a candidate that keeps its place with these of its failing values too."""
    if not values:
        return candidate
    kept = tuple(each for each in candidate.declared_values if each in values or each in candidate.values)
    return replace(candidate, values=kept, keeps_place=True)


def _has_grounds(leaving: Evidence | None, staying: list[Evidence]) -> bool:
    return leaving is not None and any(takes_over_from(each, leaving) for each in staying)
