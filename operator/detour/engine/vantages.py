"""The vantages of this installation: what each of them says of each check, and whether it is believed.

What this process checks itself is a vantage too, its own. Where no other one is declared its word alone counts, as if
there were none of this.
"""

import math
from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field

from detour.engine.clock import Clock
from detour.engine.pictures import VantagePicture
from detour.engine.turnedbad import TurnedBad
from detour.health.quorum import Ballot, Electorate, Voter, electorate
from detour.health.vantages import (
    CHECKS_LATE,
    LATE_CHECKS,
    MOST_CLOCK_OFFSET,
    NEW,
    PANIC_SHARE,
    PANIC_WINDOW,
    REFERENCES_FAIL,
    STALE_AFTER,
    Doubt,
    Standing,
    doubt,
)
from detour.model.health import Evidence, Verdict
from detour.model.objects import Subject
from detour.model.record import Quorum, WhenNoQuorum
from detour.model.vantage import CheckKey, Finding, SignOfLife, Vantage, VantageReport

OWN_NAME = "operator"
"""What this process's own vantage is called where the settings name none."""


@dataclass(frozen=True, slots=True)
class OwnVantage:
    """This process's own vantage: what it is called, and whether it `checks` at all; without checks it has no vote."""

    name: str = OWN_NAME
    checks: bool = True


THE_OPERATOR = OwnVantage()
"""One that nobody has given another name."""

OWN_IS_BLIND = Doubt(REFERENCES_FAIL, "most of its checks turned bad, and its reference checks fail")
OWN_IS_LATE = Doubt(CHECKS_LATE, LATE_CHECKS)

A_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class OwnWord:
    """What this process says of a check itself, with the evidence that bears it out, None where nothing does."""

    state: Verdict
    evidence: Evidence | None = None
    is_out_of_reach: bool = False


@dataclass(slots=True)
class _Known:
    """A declared vantage. Times in engine seconds.

    `came_at` is when its `report` came, `beat` its newest heartbeat; `heard_at` is when one of them was last seen to be
    new. What makes no sense of what it wrote last is its `defect`. It `counts` from its first report on. One that
    was listed `is_dated`: nobody knows how long ago it was written.
    """

    subject: Subject
    vantage: Vantage
    since: float
    report: VantageReport | None = None
    came_at: float = 0.0
    heard_at: float | None = None
    beat: SignOfLife | None = None
    doubt: Doubt | None = None
    defect: str = ""
    counts: bool = False
    is_dated: bool = False
    changes: deque[tuple[float, int]] = field(default_factory=deque)  # when it has said something else, of how many
    turned_bad: TurnedBad[CheckKey] = field(default_factory=TurnedBad[CheckKey])
    contrary: set[CheckKey] = field(default_factory=set)  # of which it says anything but that they pass


class Vantages:
    """Keeps what every vantage says.

    Of this process's `own` one `own_says` tells what it says of a check, and `own_counts` how many it makes and how
    many of these fail. `on_news` gets whose status has news, `on_change` the checks of which a vantage says something
    else, and `on_looks` those of which it may say the same on a newer look; `on_voters` is called when others have a
    say than before.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        own: OwnVantage,
        on_news: Callable[[Subject], None],
        on_change: Callable[[Iterable[CheckKey]], None],
        on_voters: Callable[[], None],
        on_looks: Callable[[Container[CheckKey]], None],
        own_says: Callable[[CheckKey], Verdict],
        own_counts: Callable[[], tuple[int, int]],
    ) -> None:
        self._clock = clock
        self._own_name = own.name
        self._checks_here = own.checks
        self._on_news = on_news
        self._on_change = on_change
        self._on_voters = on_voters
        self._on_looks = on_looks
        self._own_says = own_says
        self._own_counts = own_counts
        self._known: dict[str, _Known] = {}
        self._own_doubt: Doubt | None = None
        self._voters: tuple[Voter, ...] = ()
        self._electorates: dict[tuple[str, Quorum], Electorate] = {}
        self._heard_of_any_at = clock.now()
        self._sees_without_api = self._reckoned_without_api = False
        self._own_told = (0, 0)
        self.own_counts_before = math.inf  # what this process has seen fail since then waits for its reference checks
        self._reckon()

    # -- what is declared ------------------------------------------------------------------------------------------

    def declare(self, subject: Subject, vantage: Vantage) -> None:
        """A Vantage is new or changed."""
        known = self._known.get(vantage.name)
        if known is None or known.subject != subject:
            self._known[vantage.name] = known = _Known(subject, vantage, self._clock.wall())
        known.vantage = vantage
        self._look_at(known)
        self._reckon_anew()

    def remove(self, name: str) -> None:
        """A Vantage is gone, and has no vote any more."""
        if (known := self._known.pop(name, None)) is not None:
            self._reckon_anew()
            self._on_change(sorted(known.contrary))  # of which nobody else need say that they fail

    @property
    def is_alone(self) -> bool:
        """Tell whether this process's own word is the only one that counts."""
        return not any(each.votes and each.name != self._own_name for each in self._voters)

    @property
    def decides_alone(self) -> bool:
        """Tell whether this process's own word decides, at least of some records."""
        return self.is_alone or self._sees_without_api

    @property
    def are_others(self) -> bool:
        """Tell whether any vantage is declared but this process's own."""
        return any(each != self._own_name for each in self._known)

    @property
    def checks_here(self) -> bool:
        """Tell whether this process makes checks."""
        return self._checks_here

    # -- what they say ---------------------------------------------------------------------------------------------

    def reported(self, name: str, report: VantageReport, *, is_listed: bool = False) -> None:
        """A vantage has said what it sees; one that `is_listed` may have said so long ago."""
        known = self._known.get(name)
        if known is None or name == self._own_name or _is_same(report, known.report):
            return
        now, before = self._clock.now(), known.report
        known.report, known.came_at, known.defect, known.counts, known.is_dated = report, now, "", True, is_listed
        changed = self._take_in(known, before.findings if before is not None else {})
        if before is not None:
            known.changes.append((now, len(changed)))
        self._on_news(known.subject)
        self.look()  # also whether others stand alone by that
        if known.doubt is None:  # what has no say is no news: when it has one again all is looked at
            self._on_change(changed)
            self._on_looks(report.findings.keys())

    def unreadable(self, name: str, why: str) -> None:
        """What a vantage wrote last makes no sense: what it said before counts until it is stale."""
        if (known := self._known.get(name)) is not None and known.defect != why:
            known.defect, known.counts = why, True
            self._on_news(known.subject)
            self.look()

    def heard(self, heartbeats: Mapping[str, SignOfLife]) -> None:
        """These are the heartbeats of all vantages by their names, as the API server has them now."""
        now = self._heard_of_any_at = self._clock.now()
        for name, known in self._known.items():
            beat = heartbeats.get(name)
            if beat is not None and known.beat is not None and beat != known.beat and _vouches(beat, known.report):
                known.heard_at = now  # one that was found may be of long ago, one that was seen to change is not
            known.beat = beat or known.beat
        self._sees_without_api = False
        self.look()

    def unheard(self, *, sees: bool) -> None:
        """The API server does not answer, so nothing is heard; this process `sees` by its reference checks."""
        self._sees_without_api = sees and self._clock.now() - self._heard_of_any_at > STALE_AFTER
        self.look()

    def own_is_doubted(self, found: Doubt | None) -> None:
        """This process's own vantage is doubted, or (None) believed again."""
        before, self._own_doubt = self._own_doubt, found
        if before != self._own_doubt:
            if own := self._known.get(self._own_name):
                self._turn(own, self._own_doubt)
            self._reckon_anew()

    def look(self) -> None:
        """Look at whether each vantage is to be believed: time goes by, and others say something else."""
        for known in self._known.values():
            self._look_at(known)
        counts, own = self._own_counts(), self._known.get(self._own_name)
        if own is not None and counts != self._own_told:
            self._own_told = counts
            self._on_news(own.subject)
        self._reckon_anew()

    def _take_in(self, known: _Known, before: Mapping[CheckKey, Finding]) -> list[CheckKey]:
        """Note what a vantage says now, and return the checks of which it says something else than before."""
        findings = known.report.findings if known.report is not None else {}
        changed = []
        for key, finding in findings.items():
            told = before.get(key)
            if told is not None and told.state is finding.state:
                continue
            changed.append(key)
            if finding.state is Verdict.UNHEALTHY:
                known.turned_bad.note(key, self._since(known, finding))
            else:
                known.turned_bad.forget(key)
            if finding.state is Verdict.HEALTHY:
                known.contrary.discard(key)
            else:
                known.contrary.add(key)
        for key in before.keys() - findings.keys():
            known.turned_bad.forget(key)
            known.contrary.discard(key)
            changed.append(key)
        return changed

    def _look_at(self, known: _Known) -> None:
        if known.vantage.name == self._own_name:
            self._turn(known, self._own_doubt)
            return
        now = self._clock.now()
        checks = len(known.report.findings) if known.report is not None else 0
        turned_bad = known.turned_bad.count(now - PANIC_WINDOW) / max(1, checks)
        disputed = self._disputed(known) if turned_bad > PANIC_SHARE else 0.0
        while known.changes and known.changes[0][0] < now - A_MINUTE:
            known.changes.popleft()
        standing = Standing(
            known.report,
            known.heard_at,
            turned_bad,
            disputed,
            changes=sum(number for _, number in known.changes) / max(1, checks),
            clock=self._clock_of_all(),
            existed=self._clock.wall() - known.vantage.created,
        )
        self._turn(known, doubt(standing, now))

    def _clock_of_all(self) -> float:
        """Return by how much all clocks differ from the API server's, 0 where one does not: then it is that one's."""
        told = [each.report.clock_offset for each in self._known.values() if each.report is not None]
        offsets = [each for each in told if each is not None]
        least = min(offsets, key=abs, default=0.0)
        return least if len(offsets) > 1 and abs(least) > MOST_CLOCK_OFFSET else 0.0

    def _disputed(self, known: _Known) -> float:
        """Return of what share of the checks that a vantage says fail most of the others say that they pass.

        Most of all others that vote: one that contradicts, and is alone with that, may be the one to doubt.
        """
        others = [
            each
            for name, each in self._known.items()
            if each is not known and name != self._own_name and _counts(each) and each.vantage.votes
        ]
        heard = [
            each for each in others if each.heard_at is not None and self._clock.now() - each.heard_at <= STALE_AFTER
        ]
        number = len(others) + self._checks_here
        disputed = 0
        for key in known.turned_bad:
            says = [finding.state for each in heard if (finding := _finding(each, key)) is not None]
            if self._checks_here and self._own_doubt is None:
                says.append(self._own_says(key))
            disputed += 2 * says.count(Verdict.HEALTHY) > number
        return disputed / max(1, len(known.turned_bad))

    def _turn(self, known: _Known, found: Doubt | None) -> None:
        if found != known.doubt:
            self._on_news(known.subject)
        if (found is None) is not (known.doubt is None):
            known.since = self._clock.wall()
        known.doubt = found

    # -- who votes, and what ---------------------------------------------------------------------------------------

    def _reckon_anew(self) -> None:
        if self._reckon():
            self._on_voters()

    def contested(self) -> list[CheckKey]:
        """Return the checks of which not all say that they pass: who votes matters to no others."""
        return list(dict.fromkeys(key for each in self._known.values() for key in sorted(each.contrary)))

    def condemns(self, key: CheckKey) -> bool:
        """Tell whether anybody who is believed says that a check fails."""
        return any(each.doubt is None and _is_failing(each, key) for each in self._known.values())

    def _reckon(self) -> bool:
        """Work out who votes; tell whether that has changed."""
        others = [
            Voter(name, each.vantage.votes, each.vantage.region, each.doubt.message if each.doubt is not None else "")
            for name, each in sorted(self._known.items())
            if name != self._own_name and _counts(each)
        ]
        own = self._known.get(self._own_name)
        votes, region = (own.vantage.votes, own.vantage.region) if own is not None else (1, "")
        silence = self._own_doubt.message if self._own_doubt is not None else ""
        voters = (Voter(self._own_name, votes if self._checks_here else 0, region, silence), *others)
        if (voters, self._sees_without_api) == (self._voters, self._reckoned_without_api):
            return False
        self._voters, self._reckoned_without_api = voters, self._sees_without_api
        self._electorates.clear()
        return True

    def electorate(self, region: str, quorum: Quorum) -> Electorate:
        """Return who decides on checks of endpoints in `region`: the same object until that changes."""
        found = self._electorates.get((region, quorum))
        if found is None:
            alone = self._sees_without_api and quorum.when_none is WhenNoQuorum.OWN_VANTAGE and self._own.votes > 0
            found = electorate([self._own] if alone else self._voters, region, quorum)
            self._electorates[region, quorum] = found
        return found

    @property
    def _own(self) -> Voter:
        return self._voters[0]

    @property
    def voters(self) -> tuple[Voter, ...]:
        """All vantages, the own one first: the same object until something about them changes."""
        return self._voters

    def ballots(self, among: Electorate, keys: tuple[CheckKey, ...], own: OwnWord) -> list[Ballot]:
        """Return what each voter says of a check; of several `keys` the first counts that a vantage knows.

        `own` is what this process says.
        """
        cast = []
        for voter in among.voters:
            if voter.name == self._own_name:
                cast.append(Ballot(voter, own.state, own.evidence, own.is_out_of_reach))
                continue
            known = self._known.get(voter.name)
            finding = next((each for key in keys if known and (each := _finding(known, key))), None)
            if known is None or finding is None:
                cast.append(Ballot(voter, Verdict.UNKNOWN))
            else:
                cast.append(Ballot(voter, finding.state, self._evidence(known, finding), finding.is_out_of_reach))
        return cast

    def _evidence(self, known: _Known, finding: Finding) -> Evidence | None:
        if finding.state is Verdict.UNKNOWN or known.is_dated or math.isinf(finding.looked):
            return None
        looked_at = known.came_at - finding.looked
        return Evidence(finding.state is Verdict.HEALTHY, looked_at, self._since(known, finding), looked_at)

    def _since(self, known: _Known, finding: Finding) -> float:
        return known.came_at - finding.age

    def trusted(self) -> dict[str, bool]:
        """Tell of each vantage that is declared whether it is believed."""
        return {name: each.doubt is None for name, each in self._known.items()}

    # -- what there is to tell -------------------------------------------------------------------------------------

    def picture(self, name: str) -> VantagePicture | None:
        """Return what there is to tell of a vantage."""
        known = self._known.get(name)
        if known is None:
            return None
        is_own = name == self._own_name
        report = known.report
        checks, failing = len(report.findings) if report is not None else 0, len(known.turned_bad)
        if is_own:
            checks, failing = self._own_counts()
        elif report is not None:
            checks = report.checks
        return VantagePicture(
            known.vantage,
            known.doubt,
            known.since,
            is_own=is_own,
            is_off=is_own and not self._checks_here,
            heard_at=self._clock.on_the_wall(known.heard_at) if known.heard_at is not None else None,
            checks=checks,
            failing=failing,
            defect=known.defect,
        )


def _counts(known: _Known) -> bool:
    """Tell whether a vantage counts: one without a probe yet must not end all failover, nor one that just begins."""
    return known.counts and (known.doubt is None or known.doubt.reason != NEW)


def _finding(known: _Known, key: CheckKey) -> Finding | None:
    return known.report.findings.get(key) if known.report is not None else None


def _is_failing(known: _Known, key: CheckKey) -> bool:
    finding = _finding(known, key)
    return finding is not None and finding.state is Verdict.UNHEALTHY


def _is_same(report: VantageReport, before: VantageReport | None) -> bool:
    return before is not None and (before.instance, before.number) == (report.instance, report.number)


def _vouches(beat: SignOfLife, report: VantageReport | None) -> bool:
    """Tell whether a heartbeat says that a report still holds: the one that we have is the newest."""
    return report is not None and report.instance == beat.instance and report.number >= beat.number
