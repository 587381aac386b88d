"""A name that somebody changes again and again: tallied, so that it can be told who means what, how often, since when.

One edit is put back, and that is that. But a tool that believes the name to be its own writes over it every round, and
both go on for ever: each time the name answers with what the other one means, for a moment. Only a person can end that.
Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from detour.enactment.contract import Change
from detour.enactment.wishes import Explanation, NameChange
from detour.model.record import ObjectKey
from detour.model.rrset import ANSWER_TYPES, RRset
from detour.model.timestamps import timestamp

REPEATED = 3
"""Repairs of one name in one zone, none longer than `QUIET` after the one before, from which on it is contested."""
QUIET = 900.0
"""Seconds without a repair after which it is no more."""


@dataclass(frozen=True, slots=True)
class Contest:
    """The repairs of one name in one zone: how many, when the first and the last were made, and what was found then.

    `since` and `last` are seconds since the Unix epoch; `ends_at` is when it is over if nothing more happens (engine
    seconds). `claimed_by` says which other tool's mark stands beside the name.
    """

    zone: ObjectKey
    hostname: str
    count: int
    since: float
    last: float
    ends_at: float
    found: str
    claimed_by: str = ""


def after_repair(contest: Contest | None, zone: ObjectKey, change: NameChange, *, now: float, wall: float) -> Contest:
    """Return the tally after one more repair, which `change` was, at `now` (engine seconds; `wall` since the epoch)."""
    ends_at = now + QUIET
    found = (
        "; ".join(_told(each) for each in change.changes if each.key.type in ANSWER_TYPES and _differs(each))
        or "no marker of ours"
    )
    if contest is None or now > contest.ends_at or contest.hostname != change.hostname:
        return Contest(zone, change.hostname, 1, wall, wall, ends_at, found, change.claimed_by)
    count = contest.count + 1
    return replace(contest, count=count, last=wall, ends_at=ends_at, found=found, claimed_by=change.claimed_by)


def contested(contests: Iterable[Contest], now: float) -> Explanation | None:
    """Return what there is to say of the names that are contested at `now` (engine seconds)."""
    told = [_sentence(each) for each in contests if each.count >= REPEATED and now < each.ends_at]
    return Explanation("Contested", "; ".join(told)) if told else None


def _sentence(contest: Contest) -> str:
    who = contest.claimed_by or "nothing beside the name says who: the provider's activity log may"
    return (
        f"{contest.hostname} in zone {contest.zone} was changed by somebody else and put back {contest.count} times "
        f"since {timestamp(contest.since)}, last at {timestamp(contest.last)}, when it had "
        f"{contest.found}; {who}: take the name out of whatever else writes it, or delete this FailoverRecord"
    )


def _differs(change: Change) -> bool:
    """Tell whether a set was found other than it should be: some are written as they are, to be seen to be ours."""
    return change.old is None or change.old.rrset != change.new


def _told(change: Change) -> str:
    """Tell what was found of a set, and what belongs there."""
    old = _values(change.old.rrset) if change.old is not None else "nothing"
    if change.new is None:
        return f"{change.key.type} {old}, which does not belong there"
    if change.old is not None and change.old.rrset.values == change.new.values:
        return f"{change.key.type} with the TTL {change.old.rrset.ttl} s in place of {change.new.ttl} s"
    return f"{change.key.type} {old} in place of {_values(change.new)}"


def _values(rrset: RRset) -> str:
    return ", ".join(rrset.values)
