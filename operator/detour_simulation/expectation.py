"""How everything should be in the end: what the oracle says, who knows the truth.

A run has converged when the zones hold that, and every controller in force says that each record is in sync.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from detour.enactment.markers import parse_marker
from detour.model.names import marker_name
from detour.model.objects import Kind
from detour.model.record import DeletionPolicy, ObjectKey, Record
from detour.model.rrset import RRKey, RRset, RRType
from detour_simulation.controller import Controller
from detour_simulation.hosted import hosted_zone
from detour_simulation.oracle import Truth, as_sets, first_choice, flaw
from detour_simulation.zones import answers_at

if TYPE_CHECKING:
    from detour_simulation.run import Run


def discrepancies(run: "Run") -> list[str]:
    """Return in words what is not as it should be."""
    return [*_undeleted(run), *_held(run), *(text for record in declared(run) for text in _of_record(run, record))]


def declared(run: "Run") -> Iterator[Record]:
    """Give the records that are declared now, as the first site has them, in the order of their names."""
    server = next(iter(run.servers.values()))
    for name in sorted(server.records):
        yield server.records[name]


def in_force(run: "Run", zone: ObjectKey) -> list[Controller]:
    """Return the processes that say of themselves that they are in force for a zone."""
    alive = [slot.controller for slot in run.slots.values() if slot.controller and slot.is_running]
    return [each for each in alive if (keeper := each.engine.zones.serving.get(zone)) and keeper.in_force]


def _held(run: "Run") -> Iterator[str]:
    for slot in run.slots.values():
        if slot.is_running and slot.controller is not None:
            for key, keeper in slot.controller.engine.zones.keepers.items():
                if keeper.in_force and (holds := keeper.gate.holds()).changes:
                    yield f"{slot.name} holds changes in {key.name}: {holds.changes[0].line}"


def _undeleted(run: "Run") -> Iterator[str]:
    for site, server in run.servers.items():
        for key, raw in server.objects.items():
            if "deletionTimestamp" in raw["metadata"]:
                yield f"{key[2]} in {site} is being deleted and does not go"


def _of_record(run: "Run", record: Record) -> Iterator[str]:
    if record.suspend:
        return
    held = {
        zone: tuple(
            sorted(answers_at(run.surroundings.zones[hosted_zone(zone.name)], record.hostname).values(), key=_type)
        )
        for zone in record.zones
    }
    yield from _not_left(run, record)
    for zone, sets in held.items():
        told = f"{record.hostname} in {zone.name}"
        if wrong := _wrong(run, record, sets):
            truth = Truth(run.surroundings.failing, run.drained_regions, run.surroundings.names)
            should = " ".join(sorted(first_choice(record, truth)))
            yield f"{told} {wrong}: it holds {_text(sets)}, and should hold {should} ({record.ttl} s)"
        writers = in_force(run, zone)
        if run.schedule.setting.are_clones:  # each believes to be alone, and one of them is told that it is not
            yield from _unaware(run, zone)
            continue
        if len(writers) != 1:
            names = ", ".join(each.name for each in writers) or "nobody"
            yield f"{told}: {names} is in force"
            continue
        yield from _of_report(run, record, zone, writers[0])


def _unaware(run: "Run", zone: ObjectKey) -> Iterator[str]:
    """Say which process neither keeps a zone nor says why not."""
    for slot in run.slots.values():
        if not slot.is_running or slot.controller is None:
            continue
        keeper = slot.controller.engine.zones.serving.get(zone)
        report = keeper.zone_report() if keeper is not None else None
        if report is None or not (report.in_force or report.trouble is not None or report.standby is not None):
            yield f"{slot.name} does not keep {zone.name}, and does not say why"


def _not_left(run: "Run", record: Record) -> Iterator[str]:
    """Say where a name still is that its record has left, and may leave: nobody is sent there, and somebody writes."""
    if run.surroundings.parent is None or record.deletion_policy is not DeletionPolicy.DELETE:
        return
    declared = {hosted_zone(each.name) for each in record.zones}
    for name, zone in run.surroundings.zones.items():
        if name in declared or name in run.dns_zones.forsaken or len(run.dns_zones.names[name]) > 1:
            continue
        marker = parse_marker(zone.rrset(RRKey(marker_name(record.hostname), RRType.TXT)))
        if marker is not None and marker.record == record.key and answers_at(zone, record.hostname):
            yield f"{record.hostname} is still in {name}, which {record.key.name} does not declare"


def _of_report(run: "Run", record: Record, zone: ObjectKey, writer: Controller) -> Iterator[str]:
    report = writer.engine.zones.serving[zone].report(record.key)
    told = f"{record.hostname} in {zone.name}: {writer.name} says"
    if report is None:
        yield f"{told} nothing of it"
    elif report.refusal is not None:
        yield f"{told} {report.refusal.reason}: {report.refusal.message}"
    elif not report.in_sync:
        yield f"{told} that it is not in sync"
    server = run.slots[writer.caller.name].server
    raw = server.objects.get((Kind.FAILOVER_RECORD, *record.key))
    conditions = raw.get("status", {}).get("conditions", ()) if raw else ()
    published = [each for each in conditions if each["type"] == "Published"]
    if not published or published[0]["status"] != "True":
        yield f"{record.hostname}: its status in {server.site} says {published or 'nothing'}"


def _wrong(run: "Run", record: Record, sets: tuple[RRset, ...]) -> str | None:
    """Return what is wrong with what a zone holds for a record, None where nothing is.

    Where a person has to ask for a failback, staying is right as well, and each zone may have a site of its own that
    stays where that zone is.
    """
    values = frozenset(value for each in sets for value in each.values)
    truth = Truth(run.surroundings.failing, run.drained_regions, run.surroundings.names)
    everyone = [address for each in record.endpoints for address in each.addresses]
    flapping = everyone if record.failback.most_changes else ()
    if found := flaw(record, truth, values, failed=everyone, flapping=flapping):
        return found.value
    return None if set(sets) == set(as_sets(record, values)) else "does not hold its values as declared"


def _type(rrset: RRset) -> str:
    return rrset.type.value


def _text(sets: Iterable[RRset]) -> str:
    return "; ".join(f"{each.type} {' '.join(each.values)} ({each.ttl} s)" for each in sets) or "nothing"
