"""What may happen to a ledger: NeverStale, OneWriter, Undisturbed, KeepsAway.

Where a provider has no transaction, a set of an older plan can still land behind a newer one. That is counted
(`undone_at_azure`), and the end of the run shows that it was undone.
"""

from collections import defaultdict
from collections.abc import Iterator

from detour.enactment.ledger import Ledger, parse_ledger
from detour.model.generation import Generation
from detour.model.rrset import RRKey
from detour_simulation.history import OUTSIDER, Approved, History, ProcessChanged, Violation, ZoneChanged
from detour_simulation.invariants.replay import Replay

DRIFT = 0.9
"""The share of a time that a clock which runs fast leaves of it."""

NAMESAKES_WAIT = 20.0
"""Seconds for which a cluster leaves a zone to another one of its name at first."""


def never_stale(history: History) -> Iterator[Violation]:
    """Generations only grow, but by an outsider's hand, and no set of an older one replaces a newer one's."""
    replay = Replay(history)
    floor: dict[str, Generation] = {}
    written: dict[str, dict[RRKey, Generation]] = defaultdict(dict)
    for event in replay:
        if not isinstance(event, ZoneChanged):
            continue
        moved = next((each for each in event.changes if each.key == replay.ledger_key), None)
        if event.by == OUTSIDER:
            if moved is not None:
                floor.pop(event.zone, None)
                written[event.zone].clear()
            continue
        told = f"{event.by} in {event.zone}"
        one_by_one = event.zone in history.terms.one_by_one
        if event.ledger is None:
            yield Violation(invariant="NeverStale", at=event.at, message=f"{told} wrote without a generation")
            continue
        generation = event.ledger.generation
        if moved is not None:
            before = floor.get(event.zone)
            if before is not None and generation <= before:
                message = f"{told} moved the ledger from {before} to {generation}"
                yield Violation(invariant="NeverStale", at=event.at, message=message)
            floor[event.zone] = generation
        elif not one_by_one:
            yield Violation(invariant="NeverStale", at=event.at, message=f"{told} wrote and left the ledger as it was")
        for change in event.changes:
            newest = written[event.zone].get(change.key)
            if change.key != replay.ledger_key and newest is not None and generation < newest and not one_by_one:
                message = f"{told} put {change.key.name} {change.key.type} of plan {generation} over that of {newest}"
                yield Violation(invariant="NeverStale", at=event.at, message=message)
            written[event.zone][change.key] = max(generation, newest or generation)


def undone_at_azure(history: History) -> int:
    """Return how many sets of an older plan landed behind a newer ledger where a provider has no transaction."""
    replay = Replay(history)
    return sum(
        1
        for event in replay.changes_of_ours()
        if event.zone in history.terms.one_by_one
        and event.ledger is not None
        and (ledger := replay.ledger(event.zone)) is not None
        and all(change.key != replay.ledger_key for change in event.changes)
        and event.ledger.generation < ledger.generation
    )


def one_writer(history: History) -> Iterator[Violation]:
    """In one epoch one controller writes; once a claim was followed by another, nothing is written under it."""
    replay = Replay(history)
    over: dict[str, set[str]] = defaultdict(set)
    holder: dict[str, Ledger] = {}
    by: dict[str, str] = {}
    for event in replay:
        if not isinstance(event, ZoneChanged):
            continue
        moved = next((each for each in event.changes if each.key == replay.ledger_key), None)
        if event.by == OUTSIDER:
            if moved is not None:
                over[event.zone].clear()
                holder.pop(event.zone, None)
            continue
        if event.ledger is None or (moved is None and event.zone in history.terms.one_by_one):
            continue
        before = holder.get(event.zone)
        told = f"{event.by} wrote to {event.zone} under the claim {event.ledger.claim}"
        if event.ledger.claim in over[event.zone]:
            yield Violation(invariant="OneWriter", at=event.at, message=f"{told}, which another one had ended")
        same_epoch = before is not None and before.generation.epoch == event.ledger.generation.epoch
        if same_epoch and by.get(event.zone, event.by) != event.by:
            message = f"{told} in the epoch of {by[event.zone]}"
            yield Violation(invariant="OneWriter", at=event.at, message=message)
        by[event.zone] = event.by
        if before is not None and before.claim != event.ledger.claim:
            over[event.zone].add(before.claim)
            if same_epoch:
                message = f"{told} in the epoch of {before.claim}"
                yield Violation(invariant="OneWriter", at=event.at, message=message)
        holder[event.zone] = event.ledger


def keeps_away(history: History) -> Iterator[Violation]:
    """Who is superseded by a namesake does not take the zone back at once, and each time waits twice as long.

    Where clusters have one name and know nothing of each other, each would else undo what the other has just done. A
    process that starts knows nothing of what was before.
    """
    if not history.terms.are_clones:
        return
    replay = Replay(history)
    writer: dict[str, str] = {}
    lost_at: dict[tuple[str, str], list[float]] = {}  # by zone and controller, of those that claimed it
    for event in replay:
        if isinstance(event, ProcessChanged):
            lost_at = {place: at for place, at in lost_at.items() if place[1] != event.controller}
        if not isinstance(event, ZoneChanged):
            continue
        if all(each.key != replay.ledger_key for each in event.changes):
            continue
        before = writer.get(event.zone)
        writer[event.zone] = event.by
        losses = lost_at.setdefault((event.zone, event.by), [])
        if OUTSIDER in (event.by, before) or before in (None, event.by):
            continue
        waits = NAMESAKES_WAIT * 2 ** (len(losses) - 1) * DRIFT
        if losses and event.sent_at - losses[-1] < waits:
            message = f"{event.by} took {event.zone} back from {before}, {event.sent_at - losses[-1]:.1f} s after that"
            yield Violation(invariant="KeepsAway", at=event.at, message=message)
        if (event.zone, before) in lost_at:
            lost_at[event.zone, before].append(event.at)


def undisturbed(history: History) -> Iterator[Violation]:
    """No site takes a zone from another one whose ledger moved within `take_over_after`, unless a person says so."""
    replay = Replay(history)
    moved_at: dict[str, float] = {}
    excused: set[str] = set()
    for event in replay:
        if isinstance(event, Approved):
            excused.add(event.zone)
        if not isinstance(event, ZoneChanged):
            continue
        moved = next((each for each in event.changes if each.key == replay.ledger_key), None)
        if moved is None:
            continue
        before, after = parse_ledger(moved.before), parse_ledger(moved.after)
        if event.by == OUTSIDER:
            excused.add(event.zone)
        elif before is not None and after is not None and before.site != after.site:
            still = event.at - moved_at.get(event.zone, 0.0)
            if event.zone not in excused and still < history.terms.take_over_after * DRIFT:
                message = f"{event.by} took {event.zone} from site {before.site}, {still:.1f} s after that moved on"
                yield Violation(invariant="Undisturbed", at=event.at, message=message)
        if event.by != OUTSIDER:
            excused.discard(event.zone)
        moved_at[event.zone] = event.at
