"""When an endpoint that failed returns: HoldsDown.

It goes by the truth about each endpoint, not by what a controller believed of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from detour.model.endpoint import AdminState
from detour.model.record import FailbackMode
from detour_simulation.canaries import SHOWS
from detour_simulation.history import (
    OUTSIDER,
    Approved,
    BlindChanged,
    CanaryChanged,
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
from detour_simulation.hostnames import hostname_that_may_lead_to
from detour_simulation.invariants.radius import DRIFT
from detour_simulation.invariants.replay import Replay, answers_after, names_in, values_in

UNTOLD = 20.0
"""Seconds within which a change may not have got into the status that another process goes on from."""

CROSSED = 5.0
"""Seconds after a declaration in which a write may land that was decided by the one before."""

DETECTED = 20.0
"""Seconds after which every controller knows of a recovery."""


def holds_down(history: History) -> Iterator[Violation]:
    """An endpoint that failed returns only after its hold-down, or when a person says so, while others serve well.

    A status that was lost takes the memory of failures along, so that is an excuse; so is a leader that ends before it
    can tell, a wall clock that jumps, and a new declaration.
    """
    replay = Replay(history)
    truth: dict[str, bool] = {}
    changed_at: dict[str, float] = {}
    removed_at: dict[tuple[str, str, str], float] = {}  # zone, name, value: when we took it out because it failed
    recovered_at: dict[str, float] = {}  # first after that; a failure later on may be too short for anybody to see
    worked: dict[str, list[_Spell]] = {}  # until it failed; an address that had never failed worked from the beginning
    writers: dict[str, _Writer] = {}
    declared_at = regions_told_at = -inf
    failing: set[str] = set()
    for event in replay:
        if isinstance(event, ClockJumped):
            return
        _forget_untold(event, writers, removed_at)
        match event:
            case HealthChanged():
                if not event.works:
                    since = changed_at.get(event.address, 0.0)
                    worked.setdefault(event.address, []).append(_Spell(since, event.at))
                truth[event.address] = event.works
                changed_at[event.address] = event.at
                if event.works:
                    recovered_at.setdefault(event.address, event.at)
            case CanaryChanged(works=works, region=region):  # a place that waits is better than one in such a region
                (failing.discard if works else failing.add)(region)
                regions_told_at = event.at
                removed_at.clear()
            case ZoneChanged() if failing or event.at < regions_told_at + SHOWS:
                removed_at.clear()
            case StatusDamaged() | Approved() | BlindChanged() | Declared() | RegionDeclared():
                removed_at.clear()
                declared_at = event.at if isinstance(event, Declared | RegionDeclared) else declared_at
            case ZoneChanged(by=by, damage=True) if by == OUTSIDER:
                removed_at.clear()
            case ZoneChanged(by=by) if by != OUTSIDER:
                for hostname in names_in(event):
                    yield from _returns_early(
                        replay,
                        event,
                        hostname,
                        removed_at,
                        _Truth(truth, changed_at, worked, recovered_at, declared_at),
                    )
            case _:
                pass


class _Spell(NamedTuple):
    """From when to when an address worked."""

    start: float
    end: float


class _Writer(NamedTuple):
    """Which controller wrote a zone last, or an empty name and when its process ended."""

    name: str
    ended_at: float


def _forget_untold(event: Event, writers: dict[str, _Writer], removed_at: dict[tuple[str, str, str], float]) -> None:
    """Forget what the process that wrote a zone before may not have told the one that writes it now."""
    match event:
        case ProcessChanged(controller=controller, state="ended", at=now):
            writers.update({zone: _Writer("", now) for zone, each in writers.items() if each.name == controller})
        case ZoneChanged(zone=zone, by=by, at=now, sent_at=sent_at) if by != OUTSIDER:
            last = writers.get(zone, _Writer(by, 0.0))
            if sent_at and sent_at <= last.ended_at:
                return  # what the process before sent at its end
            if last.name != by:
                for place in [each for each, at in removed_at.items() if at > now - UNTOLD]:
                    del removed_at[place]
            writers[zone] = _Writer(by, 0.0)
        case _:
            pass


@dataclass(frozen=True, slots=True)
class _Truth:
    """Which addresses work, since when, and when each first recovered after we took it out; the last declaration."""

    works: dict[str, bool]
    changed_at: dict[str, float]
    worked: dict[str, list[_Spell]]
    recovered_at: dict[str, float]
    declared_at: float

    def working_since(self, addresses: set[str]) -> float:
        """Return since when one address or another has worked at any time; infinity where none does."""
        since = min((self.changed_at.get(each, 0.0) for each in addresses if self.works.get(each, True)), default=inf)
        ended = [spell for each in addresses for spell in self.worked.get(each, ())]
        for spell in sorted(ended, key=lambda spell: -spell.end):
            since = min(since, spell.start) if spell.end >= since else since
        return since


def _returns_early(
    replay: Replay, event: ZoneChanged, hostname: str, removed_at: dict[tuple[str, str, str], float], truth: _Truth
) -> Iterator[Violation]:
    before = replay.answers(event.zone, hostname)
    after = answers_after(before, event, hostname)
    gone, came = values_in(before) - values_in(after), values_in(after) - values_in(before)
    for record in replay.declared(hostname)[:1]:
        hold_down = record.failback.hold_down if record.failback.mode is FailbackMode.AUTOMATIC else inf
        wanted = {a for each in record.endpoints if each.state is not AdminState.DRAINED for a in each.addresses}
        stayed_well = any(
            truth.works.get(each, True) and truth.changed_at.get(each, 0.0) < event.at - DETECTED
            for each in gone & wanted
        )
        elsewhere = {
            value
            for zone in record.zones
            if zone.name != event.zone
            for value in values_in(replay.answers(zone.name, hostname))
        }
        for value in came - elsewhere:
            out_since = removed_at.pop((event.zone, hostname, value), None)
            recovered_at = max(truth.recovered_at.get(value, 0.0), out_since or 0.0)
            host = hostname_that_may_lead_to(value)
            if host is not None and truth.works.get(host):  # it is the endpoint that is held down
                recovered_at = min(recovered_at, truth.changed_at[host])
            for each in record.endpoints:
                if value in each.addresses:  # an endpoint is well again once one of its addresses is
                    recovered_at = min(recovered_at, truth.working_since(set(each.addresses)))
            if out_since is not None and stayed_well and event.at < recovered_at + hold_down * DRIFT:
                told = f"{event.by} brought {value} back to {hostname} in {event.zone} before its hold-down was over"
                yield Violation(invariant="HoldsDown", at=event.at, message=told)
    for value in gone:
        if not truth.works.get(value, True) and event.at > truth.declared_at + CROSSED:
            removed_at[event.zone, hostname, value] = event.at
            truth.recovered_at.pop(value, None)
