"""WithdrawsSlowly: within a minute checks take no more than a share of a record's endpoints away, and at least one.

It goes by what DNS shows: an endpoint is taken away when the last of its values leaves an answer, though nobody took it
out, or declared it no more. Who is back within the minute was not taken away.
"""

from collections.abc import Iterator

from detour.model.endpoint import AdminState
from detour.model.record import Publish, Record, Strategy
from detour_simulation.history import OUTSIDER, Declared, Event, History, Pinned, RegionDeclared, Violation, ZoneChanged
from detour_simulation.invariants.permissions import NEVER
from detour_simulation.invariants.replay import Replay, answers_after, names_in, values_in

A_MINUTE = 60.0 * 0.94
"""Seconds by a clock that runs as fast as any."""

CROSSED = 15.0
"""Seconds after a person's word in which a write may be sent that is made by it."""


class _Withdrawn:
    """When which endpoint has left which name, by zone, up to the event that is looked at."""

    def __init__(self) -> None:
        self._left_at: dict[tuple[str, str], dict[str, float]] = {}
        self._told_at: dict[str, float] = {}
        self._drained: set[str] = set()
        self._all_told_at = NEVER

    def take(self, event: Event) -> None:
        """Take note of what people do: who leaves by that is not taken away by checks."""
        match event:
            case Declared(record=record, at=now) if record is not None:
                self._told_at[record.hostname] = now
            case Pinned(hostname=hostname, at=now):
                self._told_at[hostname] = now
            case RegionDeclared(region=region, drained=drained, at=now):
                (self._drained.add if drained else self._drained.discard)(region)
                self._all_told_at = now
            case _:
                pass

    def changed(
        self, where: tuple[str, str], record: Record, before: frozenset[str], after: frozenset[str], event: ZoneChanged
    ) -> list[str]:
        """Return who has been taken away within the minute, once a name answers with `after` in place of `before`."""
        left_at, now = self._left_at.setdefault(where, {}), event.at
        told_at = max(self._told_at.get(where[1], NEVER), self._all_told_at)
        is_told = told_at > (event.sent_at or now) - CROSSED  # what a person said may be behind it, and be over by now
        declared = [each for each in record.endpoints if each.addresses]
        for each in declared:
            values = frozenset(each.addresses)
            if values & after or self._is_out(each.region, each.state):
                left_at.pop(each.name, None)
            elif values & before and not is_told:
                left_at[each.name] = now
        return [
            each.name
            for each in declared
            if left_at.get(each.name, NEVER) > max(now - A_MINUTE, told_at)
            and not self._is_out(each.region, each.state)
        ]

    def undrained(self, record: Record) -> int:
        """Return how many endpoints nobody has taken out."""
        return sum(not self._is_out(each.region, each.state) for each in record.endpoints)

    def _is_out(self, region: str, state: AdminState) -> bool:
        return state is AdminState.DRAINED or region in self._drained


def withdraws_slowly(history: History) -> Iterator[Violation]:
    """Checks take away no more of a record's endpoints within a minute than the zone's declaration says."""
    if history.terms.withdrawal >= 1.0:
        return
    replay, withdrawn = Replay(history), _Withdrawn()
    for event in replay:
        withdrawn.take(event)
        if not isinstance(event, ZoneChanged):
            continue
        for hostname in names_in(event):
            held = replay.answers(event.zone, hostname)
            before, after = values_in(held), values_in(answers_after(held, event, hostname))
            for record in [each for each in replay.declared(hostname)[:1] if _serves_several(each)]:
                gone = withdrawn.changed((event.zone, hostname), record, before, after, event)
                allowed = max(1, int(history.terms.withdrawal * withdrawn.undrained(record)))
                if len(gone) > allowed and event.by != OUTSIDER and before - after:
                    told = f"{event.by} takes {', '.join(gone)} away from {hostname} in {event.zone} within a minute"
                    yield Violation(invariant="WithdrawsSlowly", at=event.at, message=f"{told}: {allowed} may leave")


def _serves_several(record: Record) -> bool:
    return record.strategy is Strategy.MULTI_VALUE and record.publish is Publish.ADDRESS
