"""A person who reads conditions, and does what they say.

A few kinds of damage cannot be told from somebody's intent. There Detour asks, and says what to do: this does just
that, so a condition whose advice does not help shows as a run that never comes to rest.
"""

from typing import TYPE_CHECKING

from detour.enactment.leaving import SAME_HOSTED_ZONE, STILL_DELEGATED
from detour.enactment.wishes import Explanation
from detour.model.names import marker_name
from detour.model.objects import Kind
from detour.model.record import Record
from detour.model.rrset import ANSWER_TYPES, RRKey, RRType
from detour_simulation import expectation
from detour_simulation.history import Approved, Told
from detour_simulation.hosted import hosted_zone
from detour_simulation.zones import SimulatedZone

if TYPE_CHECKING:
    from detour_simulation.run import Run


def help_out(run: "Run") -> bool:
    """Read what every controller in force says of its records, and do what it asks for; False where nothing does."""
    has_helped = False
    for record in expectation.declared(run):
        for zone in record.zones:
            for writer in expectation.in_force(run, zone):
                report = writer.engine.zones.serving[zone].report(record.key)
                if report is not None and report.refusal is not None:
                    _do(run, record, run.surroundings.zones[hosted_zone(zone.name)], report.refusal)
                    has_helped = True
        has_helped = _let_leave(run, record) or has_helped
    for slot in run.slots.values():
        if not slot.is_running or slot.controller is None:
            continue
        for key, keeper in slot.controller.engine.zones.keepers.items():
            holds = keeper.gate.holds()
            if keeper.in_force and holds.changes:
                _tell(
                    run,
                    f"a person approves what is held in {key.name}: {'; '.join(each.line for each in holds.changes)}",
                )
                run.history.add(Approved(at=run.loop.now, zone=hosted_zone(key.name)))
                slot.server.annotate(Kind.DNS_ZONE, key.name, key.namespace, approve=holds.digest)
                has_helped = True
            trouble = keeper.zone_report().trouble
            if trouble is not None and trouble.reason == "HeldByAnotherSite":
                _tell(run, f"a person annotates {key.name} in {slot.server.site} to take the zone over")
                run.history.add(Approved(at=run.loop.now, zone=hosted_zone(key.name)))
                slot.server.annotate(Kind.DNS_ZONE, key.name, key.namespace, take_over=str(round(run.loop.now * 1000)))
                has_helped = True
    return has_helped


def _let_leave(run: "Run", record: Record) -> bool:
    """Have the parent name the servers no more of a zone that a name shall leave, where a condition asks for it."""
    parent = run.surroundings.parent
    told = [server.objects.get((Kind.FAILOVER_RECORD, *record.key), {}) for server in run.servers.values()]
    conditions = [each for raw in told for each in raw.get("status", {}).get("conditions", ())]
    if parent is None or all(each["reason"] not in (STILL_DELEGATED, SAME_HOSTED_ZONE) for each in conditions):
        return False
    kept = {hosted_zone(each.name) for each in record.zones}
    left = [each for each in parent.named if each not in kept]
    for zone in left:
        _tell(run, f"a person has the parent name the servers of {zone} no more, as {record.key.name} leaves it")
        parent.drop(zone)
    return bool(left)


def _do(run: "Run", record: Record, zone: SimulatedZone, refusal: Explanation) -> None:
    marker = RRKey(marker_name(record.hostname), RRType.TXT)
    _tell(run, f"a person does what {record.key.name} asks for in {zone.name}: {refusal.reason}")
    match refusal.reason:
        case "TypeReplaced":
            zone.tamper((RRKey(record.hostname, kind), None) for kind in ANSWER_TYPES)
        case "OwnedByAnother" | "MarkerUnreadable":
            zone.tamper([(marker, None)])
        case "NameTaken" | "OwnedByAnotherRecord" | "AdoptAcrossTypes":
            if refusal.reason == "AdoptAcrossTypes":
                zone.tamper((RRKey(record.hostname, kind), None) for kind in ANSWER_TYPES)
            spec = run.desired[record.key.name]
            run.declare(record.key.name, {**spec, "adopt": True})


def _tell(run: "Run", text: str) -> None:
    run.history.add(Told(at=run.loop.now, text=text))
