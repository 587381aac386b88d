"""How much may leave a region at once: BlastRadius.

It goes by the truth about each endpoint, not by what a controller believed of it.
"""

from collections import defaultdict
from collections.abc import Iterator

from detour.model.endpoint import AdminState
from detour.model.record import Record, Strategy, WhenAllUnhealthy
from detour_simulation.history import (
    OUTSIDER,
    Approved,
    Befell,
    ClockJumped,
    Declared,
    Event,
    HealthChanged,
    History,
    RegionDeclared,
    Violation,
    ZoneChanged,
)
from detour_simulation.invariants.permissions import LONGEST_PAUSE, NEVER, OF_A_PROVIDER
from detour_simulation.invariants.replay import Replay, answers_after, names_in, values_in
from detour_simulation.schedule import Fault

DRIFT = 0.9
"""The share of a time that a clock which runs fast leaves of it."""

CROSSED = 3.0
"""Seconds after an outsider's change in which what was there may be put back, and left, by decisions that crossed."""


WITHOUT_API = (Fault.API_AWAY, Fault.API_CUT_OFF, Fault.API_SLOW)


def blast_radius(history: History) -> Iterator[Violation]:
    """Within the window names leave no more than the permitted number of regions by failures, over all zones.

    The regions that most names have left are free; what leaves others is more than is permitted. (How many names may
    leave others all the same is set to none in the simulation, where names are few.) Approval begins a new count. Where
    sets are written one by one the end of a batch counts, not the way there. A new leader knows by the wall clock when
    the one before it evacuated, so nothing is said of a run in which one jumped. Replicas that divide the zones cannot
    ask each other while the API server is away, and each lets its names leave by what it knows.
    """
    replay = Replay(history)
    departures = _Departures(replay)
    found: dict[str, tuple[tuple[str, float], Violation]] = {}  # by zone: the batch that it was found in
    unasked_until = 0.0
    for event in replay:
        if isinstance(event, ClockJumped):
            return
        if isinstance(event, Befell) and event.fault in WITHOUT_API and history.terms.is_divided:
            unasked_until = max(unasked_until, event.until + history.terms.window / DRIFT)
        if not isinstance(event, ZoneChanged) or event.by == OUTSIDER:
            departures.take(event)
            continue
        batch = (event.by, event.sent_at)
        if event.zone in found and found[event.zone][0] != batch:
            yield found.pop(event.zone)[1]
        left = departures.leave(event)
        lost = departures.lost_regions(event) if left or event.zone in found else set()
        found.pop(event.zone, None)
        if len(lost) > history.terms.regions_per_window and event.at > unasked_until:
            message = f"names left {', '.join(sorted(lost))} within the window, the last in {event.zone}"
            found[event.zone] = (batch, Violation(invariant="BlastRadius", at=event.at, message=message))
    yield from (violation for _, violation in found.values())


class _Departures:
    """Which names have left which regions because they failed there."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._left: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)  # by zone: name and region, and when
        self._failed_at: dict[str, float] = {}
        self._failing_since: dict[str, float] = {}
        self._came_at: dict[tuple[str, str, str], float] = {}  # zone, name, value
        self._brought_dead: dict[tuple[str, str, str], float] = {}  # zone, name, value: as it had just failed
        self._damaged_at: dict[tuple[str, str], float] = {}  # zone and name
        self._drained: set[tuple[str, str]] = set()
        self._moved_on: dict[tuple[str, str], tuple[str, float]] = {}  # zone and name: from one dead place to the next
        self._published: set[tuple[str, str]] = set()  # zone and name: written by us
        self._withdrew: dict[str, float] = {}  # by name: when an address last left it that had failed, for any reason
        self._taken_away: dict[tuple[str, str], frozenset[str]] = {}  # zone and name: values, by an outsider
        self._out_until: dict[tuple[str, str], float] = {}  # name and endpoint, site and region: until when taken out
        self._in_the_way: dict[str, tuple[float, float]] = {}  # by zone: since and until when calls may not get through

    def take(self, event: Event) -> None:
        """Take note of an event that is not a change of ours."""
        match event:
            case RegionDeclared(site=site, region=region, drained=drained):
                if (site, region) in self._drained and not drained:
                    self._out_until[site, region] = event.at
                (self._drained.add if drained else self._drained.discard)((site, region))
            case Declared(record=record) if record is not None:
                for known in self._replay.declared(record.hostname):
                    out = [each.name for each in known.endpoints if each.state is AdminState.DRAINED]
                    self._out_until.update({(record.hostname, each): event.at for each in out})
            case HealthChanged(address=address, works=works):
                self._failed_at[address] = event.at if works else float("inf")
                self._failing_since[address] = NEVER if works else event.at
            case Approved(zone=zone):
                self._left[zone].clear()
            case Befell(fault=fault, where=where, until=until, at=now) if fault in OF_A_PROVIDER:
                since, ended = self._in_the_way.get(where, (now, NEVER))
                self._in_the_way[where] = (since if now <= ended else now, max(until, ended))
            case ZoneChanged(zone=zone, damage=True):
                self._left[zone].clear()  # what an outsider took away is missing by his hand
                for hostname in names_in(event):
                    self._damaged_at[zone, hostname] = event.at
                    before = self._replay.answers(zone, hostname)
                    brought = values_in(answers_after(before, event, hostname)) - values_in(before)
                    self._came_at.update({(zone, hostname, value): float("inf") for value in brought})
                    lost = values_in(before) - values_in(answers_after(before, event, hostname))
                    self._taken_away[zone, hostname] = self._taken_away.get((zone, hostname), frozenset()) | lost
            case _:
                pass

    def leave(self, event: ZoneChanged) -> bool:
        """Take note of a change of ours; tell whether a name leaves a region by it.

        Who left one already, and has nothing left but what fails, evacuates nothing. A place that failed and was left
        for a better one may have been left for either reason.
        """
        left, places = False, self._left[event.zone]
        window = self._replay.history.terms.window
        since = event.at - window * DRIFT
        maybe_since = self._decided_since(event) - window / DRIFT  # from when on it may have counted
        for hostname in names_in(event):
            self._published.add((event.zone, hostname))
            before = self._replay.answers(event.zone, hostname)
            batch = (event.by, event.sent_at)
            all_fail = all(self._fails(each, event.sent_at) for each in values_in(before))
            if all_fail and self._has_left(hostname, maybe_since):
                self._moved_on[event.zone, hostname] = batch
            has_moved_on = self._moved_on.get((event.zone, hostname)) == batch  # set by set it may take several steps
            for region in () if has_moved_on else self._regions_failed(event, hostname):
                places[hostname, region] = event.at
                left = True
            if self._failed(event, hostname) or self._leaves_out(event, hostname):
                self._withdrew[hostname] = event.at
            after = values_in(answers_after(before, event, hostname))
            for value in after:  # also those that were kept
                self._came_at[event.zone, hostname, value] = event.at
                lately = event.sent_at - self._replay.history.terms.detection
                if value not in values_in(before) and self._failing_since.get(value, NEVER) > lately:
                    self._brought_dead[event.zone, hostname, value] = event.at
            for record in self._replay.declared(hostname)[:1]:
                for region in _regions(record, after):  # it is back there: for whatever it leaves it again
                    places.pop((hostname, region), None)
        for place in [each for each, at in places.items() if at < since]:
            del places[place]
        return left

    def lost_regions(self, event: ZoneChanged) -> set[str]:
        """Return the regions that names of any zone have left, and are not back in after `event`."""
        since = event.at - self._replay.history.terms.window * DRIFT
        return {
            region
            for zone, places in self._left.items()
            for (hostname, region), at in places.items()
            if at >= since and region not in self._present(zone, hostname, event, unknown=region)
        }

    def _present(self, zone: str, hostname: str, event: ZoneChanged, *, unknown: str) -> set[str]:
        """Return the regions that a name is in; those of all its places, or `unknown`, where that says nothing.

        So does a region in which nothing of it is declared any more.
        """
        records = self._replay.declared(hostname)
        if not records or all(each.region != unknown for each in records[-1].endpoints):
            return {unknown}
        answers = self._replay.answers(zone, hostname)
        if zone == event.zone:
            answers = answers_after(answers, event, hostname)
        kept = _regions(records[-1], values_in(answers))
        was_ours = (zone, hostname) in self._published
        is_foreign = (answers or was_ours) and not kept  # by an outsider's hand, and nobody's evacuation
        return {each.region for each in records[-1].endpoints} if is_foreign else kept

    def _decided_since(self, event: ZoneChanged) -> float:
        """Return since when a change may have been decided: it may have waited for the provider since then."""
        began, ended = self._in_the_way.get(event.zone, (NEVER, NEVER))
        return min(event.sent_at, began) if event.sent_at <= ended + LONGEST_PAUSE else event.sent_at

    def _has_left(self, hostname: str, since: float) -> bool:
        places = (item for found in self._left.values() for item in found.items())
        return self._withdrew.get(hostname, since - 1) >= since or any(
            name == hostname and at >= since for (name, _), at in places
        )

    def _fails(self, address: str, at: float) -> bool:
        """Tell whether an address fails, or did so lately that its recovery may not be known."""
        return self._failed_at.get(address, -1.0) > at - self._replay.history.terms.detection

    def _failed_lately(self, event: ZoneChanged, hostname: str) -> set[str]:
        """Return the values that a name loses by `event` and that failed while they answered.

        What a write brought when it had failed meanwhile, and the next one takes away, has answered for nobody.
        """
        return {
            value
            for value in self._failed(event, hostname)
            if event.sent_at > self._brought_dead.get((event.zone, hostname, value), NEVER) + CROSSED
        }

    def _failed(self, event: ZoneChanged, hostname: str) -> set[str]:
        """Return the values that a name loses by `event` and that have failed since they came."""
        before = self._replay.answers(event.zone, hostname)
        since = event.sent_at - self._replay.history.terms.detection
        if event.at < self._damaged_at.get((event.zone, hostname), -CROSSED) + CROSSED:
            return set()  # an outsider took it away
        return {
            value
            for value in values_in(before) - values_in(answers_after(before, event, hostname))
            if self._failed_at.get(value, -1.0) > max(self._came_at.get((event.zone, hostname, value), -1.0), since)
        }

    def _leaves_out(self, event: ZoneChanged, hostname: str) -> bool:
        """Tell whether a name is repaired by `event`, but for a value that fails."""
        after = values_in(answers_after(self._replay.answers(event.zone, hostname), event, hostname))
        taken = self._taken_away.pop((event.zone, hostname), frozenset()) if after else frozenset()
        return any(self._fails(each, event.sent_at) for each in taken - after)

    def _regions_failed(self, event: ZoneChanged, hostname: str) -> Iterator[str]:
        """Give the regions that a name leaves by `event` for addresses that failed while they answered."""
        terms = self._replay.history.terms
        before = self._replay.answers(event.zone, hostname)
        after = values_in(answers_after(before, event, hostname))
        lately = self._failed_lately(event, hostname)
        for record in self._replay.declared(hostname)[:1]:
            if not after or self._was_last_resort(record, values_in(before), event.sent_at - terms.window):
                continue
            best = min((each.priority for each in record.endpoints if after.intersection(each.addresses)), default=0)
            for endpoint in record.endpoints:
                replaced = record.strategy is Strategy.PRIORITY and endpoint.priority > best  # by a better one
                is_out = (terms.sites.get(event.by, ""), endpoint.region) in self._drained
                places = ((hostname, endpoint.name), (terms.sites.get(event.by, ""), endpoint.region))
                out_until = max(self._out_until.get(each, NEVER) for each in places)
                was_out = out_until >= self._decided_since(event)  # decided then, and written late
                taken_out = endpoint.state is AdminState.DRAINED or is_out or was_out
                fails = bool(lately.intersection(endpoint.addresses))
                if fails and not replaced and not taken_out and endpoint.region not in _regions(record, after):
                    yield endpoint.region

    def _was_last_resort(self, record: Record, before: frozenset[str], since: float) -> bool:
        """Tell whether everybody answered because nobody was healthy: whoever stops to then lost no region."""
        everyone = {address for each in record.endpoints for address in each.addresses}
        failed = all(self._failed_at.get(each, -1.0) > since for each in everyone)
        return record.when_all_unhealthy is WhenAllUnhealthy.SERVE_ALL and failed and everyone <= before


def _regions(record: Record, values: frozenset[str]) -> set[str]:
    return {each.region for each in record.endpoints if values.intersection(each.addresses)}
