"""The story of a run that broke a promise: what was installed, what befell it, and what was written to DNS."""

from collections.abc import Iterator

from detour.model.rrset import RRset
from detour.twin.loop import START
from detour_simulation.history import (
    OUTSIDER,
    BlindChanged,
    CanaryChanged,
    Declared,
    HealthChanged,
    ParentChanged,
    ProcessChanged,
    SetChange,
    Told,
    ZoneChanged,
    ZoneDeclared,
)
from detour_simulation.hostnames import addresses_of
from detour_simulation.invariants.replay import Replay
from detour_simulation.playing import Played

LINES_BEFORE_END = 60


def tell(played: Played) -> str:
    """Return the story up to the violation, a line for each thing that matters. Times in seconds into the run."""
    violation = played.violations[0]
    setting = played.schedule.setting
    installed = [f"site {site.name}: {', '.join(each.name for each in site.controllers)}" for site in setting.sites]
    installed += [f"zone {zone.name}" for zone in setting.zones]
    lines = [f"installed: {'; '.join(installed)}"]
    for record in setting.records:
        zones = ", ".join(each["name"] for each in record.spec["zones"])
        places = ", ".join(
            f"{each['name']} {'+'.join(addresses_of(each))} (priority {each['priority']})"
            for each in record.spec["endpoints"]
        )
        lines.append(f"  {record.name}: {record.spec['strategy']} in {zones}: {places}")
    told = [line for at, line in _lines(played) if at <= violation.at]
    lines += told if len(told) <= LINES_BEFORE_END else ["  ...", *told[-LINES_BEFORE_END:]]
    lines.append(f"{violation.at - START:8.2f}  {violation.invariant}: {violation.message}")
    return "\n".join(lines)


def _lines(played: Played) -> Iterator[tuple[float, str]]:
    replay = Replay(played.history)
    where = _Where()
    for event in replay:
        at = f"{event.at - START:8.2f}"
        match event:
            case Told():
                yield event.at, f"{at}  * {event.text}"
            case HealthChanged() | CanaryChanged():
                yield event.at, f"{at}    {event.address} {'works' if event.works else 'fails'}"
            case BlindChanged():
                yield event.at, f"{at}    {event.controller} {'is blind' if event.blind else 'sees again'}"
            case ProcessChanged():
                yield event.at, f"{at}    {event.controller} {event.state}"
            case Declared() | ZoneDeclared() | ParentChanged():
                if text := where.told(event):
                    yield event.at, f"{at}    {text}"
            case ZoneChanged() if event.at > START:
                shown = [_change(each) for each in event.changes if each.key != replay.ledger_key]
                moved = [each for each in event.changes if each.key == replay.ledger_key]
                if event.by == OUTSIDER:
                    shown += [_change(each) for each in moved]
                elif moved and event.ledger is not None and event.ledger.generation.sequence == 0:
                    shown.append("claims the zone")
                if shown:
                    generation = f" {event.ledger.generation}" if event.ledger else ""
                    late = f" (sent at {event.sent_at - START:.2f})" if event.at - event.sent_at > 1 else ""
                    who = "outsider" if event.by == OUTSIDER else f"{event.by}{generation}{late}"
                    yield event.at, f"{at}    {event.zone} <- {who}: {'; '.join(shown)}"
            case _:
                pass


class _Where:
    """Where records are declared, and which DNSZones there are: said where it changes."""

    def __init__(self) -> None:
        self._before: dict[object, object] = {}

    def told(self, event: Declared | ZoneDeclared | ParentChanged) -> str | None:
        """Return what there is to say of an event, None where nothing is new."""
        match event:
            case Declared(record=None):
                return f"{event.key.name} ({event.uid}) is gone from {event.site}"
            case Declared(record=record) if record is not None:
                missing = (f"{each} (missing)" for each in event.astray)
                zones = ", ".join([*(each.name for each in record.zones), *missing])
                return self._news((event.site, event.key), zones, f"{event.key.name} in {event.site} is in {zones}")
            case ZoneDeclared(count=count):
                return self._news(
                    (event.site, event.zone), count, f"{event.site} has {count} DNSZones for {event.zone}"
                )
            case ParentChanged():
                return f"{'the world is' if event.named else 'nobody is any more'} sent to {event.zone}"
        return None

    def _news(self, place: object, found: object, text: str) -> str | None:
        before = self._before.setdefault(place, found)
        self._before[place] = found
        return None if before == found else text


def _change(change: SetChange) -> str:
    return f"{change.key.name} {change.key.type} {_values(change.before)} -> {_values(change.after)}"


def _values(rrset: RRset | None) -> str:
    return " ".join(rrset.values) if rrset else "none"
