"""How everything should be in the end: what a fresh planner that knows the truth would publish.

It is the product's own planner, asked with true verdicts and with what the zones hold. A run has converged when its
answer is what they hold already, and every controller in force says that each record is in sync.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from detour.kube.kinds import Kind
from detour.model.endpoint import Endpoint
from detour.model.health import EndpointHealth, Evidence, Verdict
from detour.model.record import FailbackMode, ObjectKey, Record
from detour.model.rrset import RRset
from detour.planning.planner import Decision, Situation, plan
from detour_lab.simulation.controller import Controller
from detour_lab.simulation.zones import answers_at

if TYPE_CHECKING:
    from detour_lab.simulation.run import Run

VALUES_PER_SET = 20


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
    return [each for each in alive if (keeper := each.engine.zones.keepers.get(zone)) and keeper.in_force]


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
        zone: tuple(sorted(answers_at(run.surroundings.zones[zone.name], record.hostname).values(), key=_type))
        for zone in record.zones
    }
    wanted = list(_wanted(run, record, held))
    for zone, sets in held.items():
        told = f"{record.hostname} in {zone.name}"
        if all(each.get(zone) != sets for each in wanted):
            should = " or ".join(dict.fromkeys(_text(each.get(zone, ())) for each in wanted))
            yield f"{told} holds {_text(sets)}, and should hold {should}"
        writers = in_force(run, zone)
        if len(writers) != 1:
            names = ", ".join(each.name for each in writers) or "nobody"
            yield f"{told}: {names} is in force"
            continue
        yield from _of_report(run, record, zone, writers[0])


def _of_report(run: "Run", record: Record, zone: ObjectKey, writer: Controller) -> Iterator[str]:
    report = writer.engine.zones.keepers[zone].report(record.key)
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


def _wanted(
    run: "Run", record: Record, held: dict[ObjectKey, tuple[RRset, ...]]
) -> Iterator[dict[ObjectKey, tuple[RRset, ...]]]:
    """Give what the zones should hold.

    Where a person has to ask for a failback, staying is right as well, and each zone may have a site of its own that
    stays where that zone is.
    """
    yield _planned(run, record, held, failed_at=None)
    if record.failback.mode is not FailbackMode.AUTOMATIC:
        yield _planned(run, record, held, failed_at=0.0)
        for zone, sets in held.items():
            yield {zone: _planned(run, record, {zone: sets}, failed_at=0.0).get(zone, ())}


def _planned(
    run: "Run", record: Record, held: dict[ObjectKey, tuple[RRset, ...]], *, failed_at: float | None
) -> dict[ObjectKey, tuple[RRset, ...]]:
    situation = Situation(
        record=record,
        healths={each.name: _health(run, each, failed_at) for each in record.endpoints},
        drained_regions=frozenset(run.drained_regions),
        published=held,
        serving=None,
        value_limit=VALUES_PER_SET,
        patience_until=0.0,
    )
    outcome = plan(situation, run.loop.now)
    return dict(outcome.sets) if isinstance(outcome, Decision) else {}


def _health(run: "Run", endpoint: Endpoint, failed_at: float | None) -> EndpointHealth:
    failing = run.surroundings.failing
    addresses = tuple((each, Verdict.UNHEALTHY if each in failing else Verdict.HEALTHY) for each in endpoint.addresses)
    healthy = any(verdict is Verdict.HEALTHY for _, verdict in addresses)
    verdict = Verdict.HEALTHY if healthy else Verdict.UNHEALTHY
    now = run.loop.now
    evidence = tuple((each, Evidence(found is Verdict.HEALTHY, now, 0.0, now)) for each, found in addresses)
    return EndpointHealth(verdict, 0.0, failed_at=failed_at, addresses=addresses, evidence=evidence, has_passed=True)


def _type(rrset: RRset) -> str:
    return rrset.type.value


def _text(sets: Iterable[RRset]) -> str:
    return "; ".join(f"{each.type} {' '.join(each.values)} ({each.ttl} s)" for each in sets) or "nothing"
