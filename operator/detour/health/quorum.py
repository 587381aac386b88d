"""From what several vantages say of one check to a verdict.

One place that runs checks may have lost its own network, and sees the world fail. So it takes more than half of all
votes to condemn, unless the record asks for another number. Who is stale or suspected has no say, but counts:
where too few can vote the verdict stays as it was. A check passes again once so many say so that the others could not
condemn it any more; one of which nothing was known passes as soon as anybody says so and nobody contradicts. Pure;
times in seconds on the engine's clock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from detour.health.thresholds import Streak
from detour.model.health import Evidence, Verdict
from detour.model.record import Quorum
from detour.model.shares import majority, so_many

NO_QUORUM = "NoQuorum"
SOME_VANTAGES_FAIL = "SomeVantagesFail"

BEYOND_REACH = 1_000_000
"""Checks in a row that taught nothing, as the streak of a check has it that no vantage can make."""

TOLD = 4
"""Vantages that are named in one sentence."""


@dataclass(frozen=True, slots=True)
class Voter:
    """A declared vantage with at least one vote. `abstains` says why it has no say just now, empty where it has one."""

    name: str
    votes: int
    region: str = ""
    abstains: str = ""


@dataclass(frozen=True, slots=True)
class Electorate:
    """Who decides on checks in one region: so many of `total` votes condemn as `quorum` asks for.

    `voters` are those whose say counts, `eligible` how many votes they and those who abstain have. `silent` tells of
    whoever has no say, each with the reason.
    """

    voters: tuple[Voter, ...]
    quorum: Quorum
    total: int
    eligible: int
    silent: tuple[str, ...] = ()

    @property
    def needed(self) -> int:
        """So many votes condemn."""
        return votes_needed(self.quorum, self.total)

    @property
    def acquits(self) -> int:
        """So many votes that the rest could not condemn, as far as so many can be cast."""
        return max(1, min(self.total - self.needed + 1, self.eligible))

    def without(self, votes: int) -> "Electorate":
        """Return who decides where so many of the votes belong to vantages that cannot make the check at all."""
        return replace(self, total=self.total - votes, eligible=self.eligible - votes)


@dataclass(frozen=True, slots=True)
class Ballot:
    """What one voter says of one check. `evidence` is what bears that out, None where nothing does.

    Who says that a check `is_out_of_reach` has never made it, and cannot.
    """

    voter: Voter
    state: Verdict
    evidence: Evidence | None = None
    is_out_of_reach: bool = False


def electorate(voters: Iterable[Voter], region: str, quorum: Quorum) -> Electorate:
    """Return who decides on checks of endpoints in `region`.

    A vantage in the region itself may see its neighbours where nobody else does, or fail with them: it has no say while
    there is a voting vantage elsewhere. It counts all the same, but where the others could then never condemn.
    """
    declared = [each for each in voters if each.votes > 0]
    outside = [each for each in declared if not region or each.region != region]
    eligible = outside or declared
    total, may_vote = _votes(declared), _votes(eligible)
    if may_vote < votes_needed(quorum, total):
        total = may_vote
    silent = [f"{each.name} abstains: {each.abstains}" for each in eligible if each.abstains]
    silent += [f"{each.name} is in {region} itself" for each in declared if each not in eligible]
    return Electorate(tuple(each for each in eligible if not each.abstains), quorum, total, may_vote, tuple(silent))


def votes_needed(quorum: Quorum, total: int) -> int:
    """Return how many of `total` votes condemn: at least one, at most all."""
    return so_many(quorum.number, quorum.share, total, otherwise=majority(total))


def judged(own: Streak | None, ballots: Sequence[Ballot], among: Electorate, before: Verdict, *, at: float) -> Streak:
    """Return what is believed of a check by all ballots, as if one vantage had found it.

    `own` is what this process's own checks say, None where it makes none; `before` what was believed until now. `at` is
    the time for whatever nothing else tells of.
    """
    beyond = _votes(each.voter for each in ballots if each.is_out_of_reach)
    if 0 < beyond < _votes(each.voter for each in ballots):
        among = among.without(beyond)  # those who can make the check decide about it
    against = [each for each in ballots if each.state is Verdict.UNHEALTHY]
    in_favour = [each for each in ballots if each.state is Verdict.HEALTHY]
    condemned = _votes(each.voter for each in against) >= among.needed
    is_first_word = before is Verdict.UNKNOWN and bool(in_favour) and not against
    acquitted = not condemned and (_votes(each.voter for each in in_favour) >= among.acquits or is_first_word)
    latency = own.latency if own is not None else None
    has_passed = acquitted or (own is not None and own.has_passed)
    is_slow = own is not None and own.is_slow  # how long it takes from here is all that is known
    base = Streak(before, own.since if own else at, latency=latency, has_passed=has_passed, is_slow=is_slow)
    if condemned:
        evidence = _together(against, among.needed)
        return replace(
            base,
            verdict=Verdict.UNHEALTHY,
            reason=own.reason if own is not None and own.verdict is Verdict.UNHEALTHY else SOME_VANTAGES_FAIL,
            message=_condemnation(own, against, among),
            confirmed_at=evidence.began_at if evidence else at,
            evidence=evidence,
            is_unanimous=len(against) > 1 and all(each.is_out_of_reach for each in ballots if each not in against),
        )
    dissent = _tell_votes(against, among) if against else ""
    if acquitted:
        evidence = _newest(own, in_favour)
        return replace(
            base,
            verdict=Verdict.HEALTHY,
            reason=SOME_VANTAGES_FAIL if dissent else "",
            message=dissent,
            confirmed_at=evidence.began_at if evidence else at,
            evidence=evidence,
        )
    return _as_before(own, ballots, among, base, dissent)


def _as_before(own: Streak | None, ballots: Sequence[Ballot], among: Electorate, base: Streak, dissent: str) -> Streak:
    """Return what is believed where there is no quorum: the same as before."""
    evidence = own.evidence if own is not None and any(each.evidence is own.evidence for each in ballots) else None
    before = base.verdict
    if before is Verdict.HEALTHY and not dissent:
        return replace(base, evidence=evidence)  # nobody says otherwise, so there is nothing to tell
    if before is Verdict.UNKNOWN:
        is_beyond_all = bool(ballots) and all(each.is_out_of_reach for each in ballots)
        base = replace(base, blanks=own.blanks if own is not None else BEYOND_REACH * is_beyond_all)
        if not any(each.state is not Verdict.UNKNOWN for each in ballots):
            told = own or base  # nobody has learned anything yet, or can
            return replace(base, reason=told.reason, message=told.message, evidence=evidence, lacks_quorum=True)
    wanted = f"{among.needed} of {among.total} votes would condemn it"
    told_so = "; ".join([*([dissent] if dissent else []), wanted, *among.silent[:TOLD]])
    if evidence is not None and evidence.passed and dissent:
        evidence = None  # whom somebody contradicts keeps what it has, and gains nothing
    message = f"no quorum, so it counts as before: {told_so}"
    return replace(base, reason=NO_QUORUM, message=message, evidence=evidence, lacks_quorum=True)


def _votes(voters: Iterable[Voter]) -> int:
    return sum(each.votes for each in voters)


def _condemnation(own: Streak | None, against: Sequence[Ballot], among: Electorate) -> str:
    seen = own.message if own is not None and own.verdict is Verdict.UNHEALTHY else ""
    return f"{seen} ({_tell_votes(against, among)})" if seen else _tell_votes(against, among)


def _tell_votes(against: Sequence[Ballot], among: Electorate) -> str:
    names = [each.voter.name for each in against]
    more = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
    verb = "finds" if len(names) == 1 else "find"
    votes = _votes(each.voter for each in against)
    return f"{', '.join(names[:TOLD])}{more} {verb} it failing: {votes} of {among.total} votes"


def _newest(own: Streak | None, agreeing: Sequence[Ballot]) -> Evidence | None:
    """Return what this process has seen pass itself, where it has, or else whoever looked last.

    That a place passes is for the votes to say; here it is only how lately that was seen.
    """
    seen = own.evidence if own is not None else None
    if seen is not None and seen.passed and any(each.evidence is seen for each in agreeing):
        return seen
    passed = [each.evidence for each in agreeing if each.evidence is not None and each.evidence.passed]
    return max(passed, key=lambda each: each.began_at, default=None)


def _together(against: Sequence[Ballot], enough: int) -> Evidence | None:
    """Return as the evidence of several that the failure began when enough of them had begun to see it.

    So no single one decides that time. When it was seen last is as new as the newest look.
    """
    known = [
        (each.evidence, each.voter.votes) for each in against if each.evidence is not None and not each.evidence.passed
    ]
    run_since = _reached(((evidence.run_since, votes) for evidence, votes in known), enough)
    if run_since is None:
        return None
    began_at = max(evidence.began_at for evidence, _ in known)
    return Evidence(False, began_at, run_since, looked_at=began_at)


def _reached(times: Iterable[tuple[float, int]], enough: int) -> float | None:
    """Return the time by which so many votes had come, in the order of the times."""
    votes = 0
    for time, weight in sorted(times):
        votes += weight
        if votes >= enough:
            return time
    return None
