"""StaysAway: who comes and goes too often within an hour does not take its users along each time.

It goes by the truth: a failure or a recovery counts that lasted for as long as any check takes to believe it.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from detour.model.endpoint import Endpoint
from detour.model.record import Record
from detour_simulation.history import (
    OUTSIDER,
    BlindChanged,
    ClockJumped,
    Declared,
    Event,
    HealthChanged,
    History,
    ProcessChanged,
    RegionDeclared,
    StatusDamaged,
    Violation,
    ZoneChanged,
)
from detour_simulation.invariants.liveness import detection
from detour_simulation.invariants.patience import FAST
from detour_simulation.invariants.permissions import NEVER
from detour_simulation.invariants.replay import Replay, answers_after, names_in, values_in

HOUR = 3600.0


class _Turns:
    """When each address failed and recovered, since anything else was last at work."""

    def __init__(self) -> None:
        self._turns: dict[str, list[float]] = defaultdict(list)
        self._works: dict[str, bool] = {}
        self._told_at: dict[str, float] = defaultdict(lambda: NEVER)
        self._disturbed_at = NEVER

    def take(self, event: Event) -> None:
        """Take note of an event. What a process has counted ends with it."""
        match event:
            case HealthChanged(address=address, works=works, at=now) if self._works.get(address, True) is not works:
                self._works[address] = works
                self._turns[address].append(now)
            case Declared(record=record, at=now) if record is not None:
                self._told_at[record.hostname] = now
            case ProcessChanged() | BlindChanged() | StatusDamaged() | ClockJumped() | RegionDeclared():
                self._disturbed_at = event.at
            case ZoneChanged(by=by) if by == OUTSIDER:
                self._disturbed_at = event.at
            case _:
                pass

    def changes(self, record: Record, endpoint: Endpoint, now: float) -> int:
        """Return how often at least the verdict on an endpoint has changed within an hour before `now`."""
        if len(endpoint.addresses) != 1:
            return 0
        long = detection(record)
        since = max(now - HOUR * FAST, self._disturbed_at, self._told_at[record.hostname])
        turns = [each for each in self._turns[endpoint.addresses[0]] if each > since]
        unseen = sum(end - turn < long for turn, end in pairwise(turns))  # such a spell ends as if it had not begun
        begun_with = bool(turns) and turns[0] - since < long  # who has just started may never have seen what ends there
        return len(turns) - 2 * unseen - begun_with

    def works_for_long(self, record: Record, address: str, now: float) -> bool:
        """Tell whether an address works, and has for as long as any check takes to believe it."""
        turns = self._turns[address]
        return self._works.get(address, True) and (not turns or turns[-1] < now - detection(record))


def stays_away(history: History) -> Iterator[Violation]:
    """An endpoint that came and went too often is not brought back while enough others work."""
    replay, turns = Replay(history), _Turns()
    for event in replay:
        if not isinstance(event, ZoneChanged) or event.by == OUTSIDER:
            turns.take(event)
            continue
        for hostname in names_in(event):
            before = replay.answers(event.zone, hostname)
            after = values_in(answers_after(before, event, hostname))
            came = after - values_in(before)
            for record in replay.declared(hostname)[:1]:
                for endpoint in _returned(record, turns, came, values_in(before), event.at):
                    told = f"{event.by} brought {endpoint.name} back to {hostname} though it comes and goes too often"
                    yield Violation(invariant="StaysAway", at=event.at, message=told)


def _returned(
    record: Record, turns: _Turns, came: frozenset[str], before: frozenset[str], now: float
) -> Iterator[Endpoint]:
    most = record.failback.most_changes
    others = [
        each
        for each in record.endpoints
        if each.addresses and set(each.addresses) <= before and turns.works_for_long(record, each.addresses[0], now)
    ]
    if not most or len(others) < record.minimum_serving:
        return
    for each in record.endpoints:
        if set(each.addresses) & came and turns.changes(record, each, now) > most:
            yield each
