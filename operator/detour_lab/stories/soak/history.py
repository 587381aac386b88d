"""What a zone's change log tells: who emptied a name, who wrote past whom, and how long damage stayed.

The emulators keep every commit with its author, so nothing depends on a sample having been taken at the right moment.
The ledger is read with a pattern of this module's own, not with the product's parser.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from detour_lab.clouds.labzones import OUTSIDER
from detour_lab.zones.store import Commit, RecordSet

ADDRESSES = ("A", "AAAA")
_LEDGER = re.compile(r"claim=([0-9a-f]+) .*\bepoch=(\d+) seq=(\d+)")


@dataclass(frozen=True, slots=True)
class Span:
    """From `begin` to `end` (monotonic seconds; inf: still), for `name` in `zone`."""

    zone: str
    name: str
    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclass(slots=True)
class History:
    """The story of one zone. Each complaint is a sentence.

    `emptied` tells each commit of Detour's after which a managed name had no address; `stale` each one that moved the
    ledger back, shared an epoch with another claim, or was made outside the fence. `overtaken` are single writes of an
    older epoch after a newer one, which only a zone without transactions lets happen. `outsiders_empty` is when a name
    was empty in the answers because of an outsider, `damage` from when an outsider's edit was visible until Detour
    wrote that set again. `claims` are the moments at which the epoch changed (monotonic seconds).
    """

    zone: str
    emptied: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    overtaken: list[str] = field(default_factory=list)
    outsiders_empty: list[Span] = field(default_factory=list)
    damage: list[Span] = field(default_factory=list)
    claims: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Position:
    """Where a ledger stands."""

    claim: str
    epoch: int
    sequence: int

    @classmethod
    def read(cls, ledger: RecordSet) -> "_Position | None":
        found = _LEDGER.search(" ".join(ledger.values))
        return cls(found[1], int(found[2]), int(found[3])) if found else None

    def __str__(self) -> str:
        return f"{self.epoch}.{self.sequence}"


class _Teller:
    """Goes through the commits of one zone in order."""

    def __init__(self, zone: str, names: Collection[str], ledger: str, *, atomic: bool) -> None:
        self.history = History(zone)
        self._names = frozenset(names)
        self._ledger = (ledger, "TXT")
        self._atomic = atomic
        self._position: _Position | None = None
        self._epochs: dict[str, int] = {}  # of each author, where sets are written one by one
        self._present: dict[str, set[str]] = {name: set() for name in names}
        self._empty_since: dict[str, float] = {}
        self._damaged_since: dict[tuple[str, str], float] = {}

    def take(self, commit: Commit) -> None:
        touched = [each for each in (*commit.removed, *commit.added) if each.name in self._names]
        outside = commit.by == OUTSIDER
        if not outside:
            self._check_fence(commit, touched)
        self._follow_addresses(commit, touched, outside=outside)
        for each in touched:
            if outside:
                self._damaged_since.setdefault(each.key, commit.visible_at)
            elif (since := self._damaged_since.pop(each.key, None)) is not None and commit.at > since:
                self.history.damage.append(Span(self.history.zone, each.name, since, commit.at))

    def end(self) -> History:
        zone, forever = self.history.zone, float("inf")
        self.history.outsiders_empty += [Span(zone, name, at, forever) for name, at in self._empty_since.items()]
        self.history.damage += [Span(zone, name, at, forever) for (name, _), at in self._damaged_since.items()]
        return self.history

    def _check_fence(self, commit: Commit, touched: Sequence[RecordSet]) -> None:
        ledger = next((each for each in commit.added if each.key == self._ledger), None)
        if ledger is not None:
            self._check_ledger(commit, ledger)
        elif touched and self._atomic:
            self._complain(commit, "was made without moving the ledger")
        elif touched and (own := self._epochs.get(commit.by)) is None:
            self._complain(commit, "was made by a writer who never moved the ledger")
        elif touched and self._position is not None and own != self._position.epoch:
            self.history.overtaken.append(f"{_told(self.history.zone, commit)}: epoch {own} after {self._position}")

    def _check_ledger(self, commit: Commit, ledger: RecordSet) -> None:
        new, old = _Position.read(ledger), self._position
        if new is None:
            self._complain(commit, "left a ledger that cannot be read")
            return
        if old is not None and (new.epoch, new.sequence) <= (old.epoch, old.sequence):
            self._complain(commit, f"moved the ledger from {old} back to {new}")
        if old is not None and new.epoch == old.epoch and new.claim != old.claim:
            self._complain(commit, f"shares epoch {new.epoch} with another claim")
        if old is None or new.epoch != old.epoch:
            self.history.claims.append(commit.at)
        self._position = new
        self._epochs[commit.by] = new.epoch

    def _follow_addresses(self, commit: Commit, touched: Sequence[RecordSet], *, outside: bool) -> None:
        for name in {each.name for each in touched}:
            present = self._present[name]
            had_some = bool(present)
            present -= {each.type for each in commit.removed if each.name == name and each.type in ADDRESSES}
            present |= {each.type for each in commit.added if each.name == name and each.type in ADDRESSES}
            if present and name in self._empty_since:
                begin = self._empty_since.pop(name)
                self.history.outsiders_empty.append(Span(self.history.zone, name, begin, commit.visible_at))
            elif had_some and not present and outside:
                self._empty_since[name] = commit.visible_at
            elif had_some and not present:
                self.history.emptied.append(f"{_told(self.history.zone, commit)} left {name} without an address")

    def _complain(self, commit: Commit, what: str) -> None:
        self.history.stale.append(f"{_told(self.history.zone, commit)} {what}")


def tell(zone: str, log: Iterable[Commit], *, names: Collection[str], ledger: str, atomic: bool) -> History:
    """Tell the story of `zone` from its whole log.

    `names` are the managed ones, `ledger` the name of the ledger; `atomic` says whether the provider changes several
    sets in one step.
    """
    teller = _Teller(zone, names, ledger, atomic=atomic)
    for commit in log:
        teller.take(commit)
    return teller.end()


def _told(zone: str, commit: Commit) -> str:
    sets = ", ".join(f"{each.name} {each.type} {' '.join(each.values)}" for each in commit.added if each.type != "TXT")
    return f"{zone}: commit {commit.number} ({sets or 'no addresses'})"
