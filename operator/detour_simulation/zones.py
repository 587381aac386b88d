"""The zones outside: what they hold, what their name servers show, and who changed what.

A zone's data are those of the unit tests (`memoryzone`). Here every change is written into the history, and name
servers can lag behind it.
"""

from collections.abc import Collection, Iterable

from detour.enactment.contract import Batch, ChangedNames, OpaqueSet, StoredSet, ZoneContents
from detour.enactment.ledger import Ledger, parse_ledger
from detour.model.rrset import ANSWER_TYPES, RRKey, RRset
from detour.twin.loop import VirtualLoop
from detour_simulation.history import OUTSIDER, History, SetChange, ZoneChanged, ZoneRead
from detour_simulation.memoryzone import MemoryZone
from detour_simulation.weather import GIVE_UP, Caller

KEPT = 2
"""Changes that a zone's account reaches back to."""

FIRST_SECRET = "value"  # noqa: S105 - of a zone in memory


class SimulatedZone(MemoryZone):
    """A zone that writes down its changes.

    `lag` is by how many seconds its name servers are behind, `read_lag` by how many what the provider reads out is;
    `accepted` are the secrets that it knows, `rotation_over` is when the last change of them is known to everybody.
    """

    def __init__(self, name: str, *, loop: VirtualLoop, history: History, one_by_one: bool) -> None:
        super().__init__(versions=one_by_one)
        self.name = name
        self.one_by_one = one_by_one
        self.lag = self.read_lag = 0.0
        self.accepted = {FIRST_SECRET}
        self.rotation_over = 0.0
        self._read_done: dict[str, list[tuple[float, float]]] = {}
        self._changed_at: dict[str, float] = {}
        self._loop = loop
        self._history = history
        self._account: list[tuple[float, str, frozenset[str]]] = []  # when, by which process, at which names
        self._shown: list[tuple[float, dict[RRKey, StoredSet]]] = [(0.0, {})]

    def write(
        self, changes: Collection[tuple[RRKey, RRset | None]], *, by: Caller, ledger: Ledger | None, sent_at: float
    ) -> None:
        """Make the changes of a controller in one step.

        Where sets are written one by one, a creation that comes late brings back a set that was deleted since. Nothing
        prevents that there, so its sender knows as little of it as of what an outsider does.
        """
        is_late = self.one_by_one and self._loop.now - sent_at > GIVE_UP
        came_back = is_late and any(key not in self.sets for key, _ in changes)
        noted = tuple(self._note(key, new) for key, new in changes)
        for key, new in changes:
            self._set(key, new)
        process = OUTSIDER if came_back else by.process
        self._changed_at[process] = self._loop.now
        self._enter(process, noted)
        self._write_down(noted, by=by.name, ledger=ledger, sent_at=sent_at)

    def was_read(self, by: Caller, began_at: float, *, asked_at: float) -> None:
        """Note that a process holds all that was here at `began_at`, or since then.

        What it wrote itself after `asked_at` it believes more than what it read: that may be from before.
        """
        done = self._read_done.setdefault(by.process, [])
        done.append((self._loop.now, min(began_at, asked_at)))
        self._history.add(ZoneRead(at=self._loop.now, zone=self.name, by=by.name, began_at=began_at))

    def is_known_to(self, process: str, since: float) -> bool:
        """Tell whether a process had read the zone by `since`, after anybody else changed it."""
        others = max((at for who, at in self._changed_at.items() if who != process), default=0.0)
        return any(known_at > others for done_at, known_at in self._read_done.get(process, ()) if done_at <= since)

    def tamper(self, changes: Iterable[tuple[RRKey, RRset | None]], *, damage: bool = True) -> None:
        """Make the changes of an outsider, where they change anything."""
        wanted = [(key, new) for key, new in changes if self.rrset(key) != new]
        if wanted:
            noted = tuple(self._note(key, new) for key, new in wanted)
            for key, new in wanted:
                self._set(key, new)
            self._changed_at[OUTSIDER] = self._loop.now
            self._enter(OUTSIDER, noted)
            self._write_down(noted, by=OUTSIDER, damage=damage)

    def _enter(self, process: str, changes: Iterable[SetChange]) -> None:
        self._account.append((self._loop.now, process, frozenset(each.key.name for each in changes)))

    @property
    def mark(self) -> int:
        """Where the account of changes stands, as far as the provider reads it out."""
        until = self._loop.now - self.read_lag
        return sum(at <= until for at, _, _ in self._account)

    def changed_since(self, mark: int, process: str) -> ChangedNames:
        """Return at which names others than `process` changed something since then."""
        now = max(mark, self.mark)
        if mark < now - KEPT:
            return ChangedNames(str(now), None)
        found = [names for _, by, names in self._account[mark:now] if by != process]
        return ChangedNames(str(now), frozenset(name for each in found for name in each))

    def touch(self, key: RRKey) -> None:
        """Renew the version of a set that stays as it is."""
        if stored := self.sets.get(key):
            self._set(key, stored.rrset)

    def shown(self, key: RRKey) -> RRset | None:
        """Return what the name servers answer now."""
        stored = self._as_of(self.lag).get(key)
        return stored.rrset if stored else None

    def _as_of(self, lag: float) -> dict[RRKey, StoredSet]:
        if not lag:
            return self.sets
        at = self._loop.now - lag
        return next(sets for since, sets in reversed(self._shown) if since <= at or since == 0.0)

    def read(self, names: Collection[str] | None = None) -> ZoneContents:
        """Return what the provider reads out now: everything, or what is at these names."""
        if not self.read_lag:
            return self.contents(names)
        sets = self._as_of(self.read_lag)
        return ZoneContents({key: each for key, each in sets.items() if names is None or key.name in names})

    def has_name(self, name: str) -> bool:
        """Tell whether anything stands at a name."""
        return any(key.name == name for key in self.sets)

    def contents(self, names: Collection[str] | None = None) -> ZoneContents:
        """Return everything, or what is at these names."""
        if names is None:
            return ZoneContents(dict(self.sets), tuple(self.opaque))
        found: tuple[OpaqueSet, ...] = tuple(each for each in self.opaque if each.name in names)
        return ZoneContents({key: stored for key, stored in self.sets.items() if key.name in names}, found)

    def backup(self) -> dict[RRKey, RRset]:
        """Return a copy of all sets, as a backup would hold them."""
        return {key: stored.rrset for key, stored in self.sets.items()}

    def _set(self, key: RRKey, new: RRset | None) -> None:
        if new is None:
            self.sets.pop(key, None)
        else:
            self.put(new)

    def _note(self, key: RRKey, new: RRset | None) -> SetChange:
        return SetChange(key=key, before=self.rrset(key), after=new)

    def _write_down(
        self,
        changes: tuple[SetChange, ...],
        *,
        by: str,
        ledger: Ledger | None = None,
        sent_at: float = 0.0,
        damage: bool = False,
    ) -> None:
        now = self._loop.now
        self._shown.append((now, dict(self.sets)))
        self._history.add(
            ZoneChanged(at=now, zone=self.name, by=by, changes=changes, ledger=ledger, sent_at=sent_at, damage=damage)
        )


def ledger_of(batch: Batch) -> Ledger | None:
    """Return the ledger that a batch leaves behind."""
    return parse_ledger(batch.ledger.new)


def answers_at(zone: SimulatedZone, hostname: str) -> dict[RRKey, RRset]:
    """Return the sets that answer for a name."""
    keys = [RRKey(hostname, kind) for kind in ANSWER_TYPES]
    return {key: stored.rrset for key in keys if (stored := zone.sets.get(key))}
