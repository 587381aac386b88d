"""How much may leave a region, and when it returns: BlastRadius, HoldsDown.

Both go by the truth about each endpoint, not by what a controller believed of it.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from detour.model.record import FailbackMode, Record, Strategy, WhenAllUnhealthy
from detour_lab.simulation.history import (
    OUTSIDER,
    Approved,
    BlindChanged,
    Declared,
    HealthChanged,
    History,
    RegionDeclared,
    StatusDamaged,
    Violation,
    ZoneChanged,
)
from detour_lab.simulation.invariants.replay import Replay, answers_after, names_in, values_in

DRIFT = 0.9
"""The share of a time that a clock which runs fast leaves of it."""

DETECTED = 20.0
"""Seconds after which every controller knows of a recovery."""


def blast_radius(history: History) -> Iterator[Violation]:
    """Within the window no more than the permitted number of regions lose most of their names by failures.

    A region has lost them once more of its names have left it than are still there. Approval begins a new count.
    """
    replay = Replay(history)
    left: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)  # by zone: when a name left a region
    failed_at: dict[str, float] = {}
    came_at: dict[tuple[str, str, str], float] = {}  # zone, name, value
    for event in replay:
        match event:
            case HealthChanged(works=False):
                failed_at[event.address] = float("inf")
            case HealthChanged():
                failed_at[event.address] = event.at
            case Approved():
                left[event.zone].clear()
            case ZoneChanged(by=by, damage=True) if by == OUTSIDER:
                left[event.zone].clear()  # what is missing now is missing by his hand
            case ZoneChanged(by=by) if by != OUTSIDER:
                places = left[event.zone]
                more = False
                for hostname in names_in(event):
                    before = replay.answers(event.zone, hostname)
                    failed = {
                        value
                        for value in values_in(before)
                        if failed_at.get(value, -1.0) > came_at.get((event.zone, hostname, value), -1.0)
                    }
                    for region in _regions_failed(replay, event, hostname, failed, failed_at):
                        places[hostname, region] = event.at
                        more = True
                    for value in values_in(answers_after(before, event, hostname)):  # also those that were kept
                        came_at[event.zone, hostname, value] = event.at
                for place in [each for each, at in places.items() if at < event.at - history.terms.window * DRIFT]:
                    del places[place]
                lost = _lost_regions(replay, event, places) if more else set()
                if len(lost) > history.terms.regions_per_window:
                    message = f"{', '.join(sorted(lost))} lost most of their names in {event.zone} within the window"
                    yield Violation(invariant="BlastRadius", at=event.at, message=message)
            case _:
                pass


def _regions_failed(
    replay: Replay, event: ZoneChanged, hostname: str, failed: set[str], failed_at: dict[str, float]
) -> Iterator[str]:
    """Give the regions that a name leaves by `event` for addresses that `failed` while they answered."""
    before = replay.answers(event.zone, hostname)
    after = answers_after(before, event, hostname)
    for record in replay.declared(hostname)[:1]:
        if not after or _was_last_resort(
            record, values_in(before), failed_at, event.sent_at - replay.history.terms.window
        ):
            continue
        gone = (values_in(before) - values_in(after)) & failed
        best = min(
            (each.priority for each in record.endpoints if values_in(after).intersection(each.addresses)), default=0
        )
        since = event.sent_at - replay.history.terms.detection
        for endpoint in record.endpoints:
            if record.strategy is Strategy.PRIORITY and endpoint.priority > best:
                continue  # its turn is over: a better one is back
            lately = any(failed_at[each] > since for each in gone.intersection(endpoint.addresses))
            if lately and endpoint.region not in _regions(record, values_in(after)):
                yield endpoint.region


def _was_last_resort(record: Record, before: frozenset[str], failed_at: dict[str, float], since: float) -> bool:
    """Tell whether everybody answered because nobody was healthy: whoever stops to then lost no region."""
    everyone = {address for each in record.endpoints for address in each.addresses}
    failed = all(failed_at.get(each, -1.0) > since for each in everyone)
    return record.when_all_unhealthy is WhenAllUnhealthy.SERVE_ALL and failed and everyone <= before


def _lost_regions(replay: Replay, event: ZoneChanged, places: dict[tuple[str, str], float]) -> set[str]:
    """Return the regions that more names have left than are there after `event`."""
    serving: dict[str, set[str]] = {}
    for record in replay.records.values():
        answers = answers_after(replay.answers(event.zone, record.hostname), event, record.hostname)
        serving[record.hostname] = _regions(record, values_in(answers))
    lost = set()
    for region in {region for _, region in places}:
        gone = sum(1 for hostname, place in places if place == region and region not in serving.get(hostname, set()))
        if gone > sum(1 for regions in serving.values() if region in regions):
            lost.add(region)
    return lost


def _regions(record: Record, values: frozenset[str]) -> set[str]:
    return {each.region for each in record.endpoints if values.intersection(each.addresses)}


def holds_down(history: History) -> Iterator[Violation]:
    """An endpoint that failed returns only after its hold-down, or when a person says so, while others serve well.

    A status that was lost takes the memory of failures along, so that is an excuse; and so is a new declaration.
    """
    replay = Replay(history)
    truth: dict[str, bool] = {}
    changed_at: dict[str, float] = {}
    removed_at: dict[tuple[str, str, str], float] = {}  # zone, name, value: when we took it out because it failed
    recovered_at: dict[str, float] = {}  # first after that; a failure later on may be too short for anybody to see
    for event in replay:
        match event:
            case HealthChanged():
                truth[event.address] = event.works
                changed_at[event.address] = event.at
                if event.works:
                    recovered_at.setdefault(event.address, event.at)
            case StatusDamaged() | Approved() | BlindChanged() | Declared() | RegionDeclared():
                removed_at.clear()
            case ZoneChanged(by=by, damage=True) if by == OUTSIDER:
                removed_at.clear()
            case ZoneChanged(by=by) if by != OUTSIDER:
                for hostname in names_in(event):
                    yield from _returns_early(
                        replay, event, hostname, removed_at, _Truth(truth, changed_at, recovered_at)
                    )
            case _:
                pass


@dataclass(frozen=True, slots=True)
class _Truth:
    """Which addresses work, since when, and when each first recovered after we took it out."""

    works: dict[str, bool]
    changed_at: dict[str, float]
    recovered_at: dict[str, float]


def _returns_early(
    replay: Replay, event: ZoneChanged, hostname: str, removed_at: dict[tuple[str, str, str], float], truth: _Truth
) -> Iterator[Violation]:
    before = replay.answers(event.zone, hostname)
    after = answers_after(before, event, hostname)
    gone, came = values_in(before) - values_in(after), values_in(after) - values_in(before)
    for record in replay.declared(hostname)[:1]:
        hold_down = record.failback.hold_down if record.failback.mode is FailbackMode.AUTOMATIC else float("inf")
        stayed_well = any(
            truth.works.get(each, True) and truth.changed_at.get(each, 0.0) < event.at - DETECTED for each in gone
        )
        for value in came:
            out_since = removed_at.pop((event.zone, hostname, value), None)
            recovered_at = max(truth.recovered_at.get(value, 0.0), out_since or 0.0)
            if out_since is not None and stayed_well and event.at < recovered_at + hold_down * DRIFT:
                told = f"{event.by} brought {value} back to {hostname} in {event.zone} before its hold-down was over"
                yield Violation(invariant="HoldsDown", at=event.at, message=told)
    for value in gone:
        if not truth.works.get(value, True):
            removed_at[event.zone, hostname, value] = event.at
            truth.recovered_at.pop(value, None)
