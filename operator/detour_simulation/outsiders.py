"""Damage: what others do to a zone, by mistake or by a backup."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from detour.enactment.ledger import Ledger, parse_ledger
from detour.enactment.markers import Marker, parse_marker
from detour.model.generation import Generation
from detour.model.names import hostname_of_marker, ledger_name, marker_name
from detour.model.record import ObjectKey
from detour.model.rrset import ANSWER_TYPES, RRKey, RRset, RRType
from detour_simulation.generator import DOMAIN, OWNER
from detour_simulation.schedule import Fault, Step
from detour_simulation.zones import SimulatedZone, answers_at

if TYPE_CHECKING:
    from detour_simulation.run import Run

LEDGER = RRKey(ledger_name(OWNER, DOMAIN), RRType.TXT)
FAR = 1000
"""Epochs by which a ledger is set ahead."""


def _place(run: "Run", step: Step) -> tuple[SimulatedZone, str]:
    hostname, _, zone = step.where.partition(" in ")
    return run.surroundings.zones[zone], hostname


def _name_deleted(run: "Run", step: Step) -> None:
    zone, hostname = _place(run, step)
    zone.tamper((key, None) for key in answers_at(zone, hostname))


def _family_deleted(run: "Run", step: Step) -> None:
    zone, hostname = _place(run, step)
    found = sorted(answers_at(zone, hostname))
    if len(found) > 1:
        zone.tamper([(found[step.number % len(found)], None)])


def _values_replaced(run: "Run", step: Step) -> None:
    zone, hostname = _place(run, step)
    if found := answers_at(zone, hostname):
        ours = [each for each in found if each.type is RRType.A]
        zone.tamper((key, RRset(hostname, RRType.A, 60, (f"203.0.113.{step.number}",))) for key in ours)


def _values_added(run: "Run", step: Step) -> None:
    zone, hostname = _place(run, step)
    for key, rrset in answers_at(zone, hostname).items():
        if key.type is RRType.A:
            zone.tamper([(key, replace(rrset, values=(*rrset.values, f"203.0.113.{step.number}")))])


def _ttl_changed(run: "Run", step: Step) -> None:
    zone, hostname = _place(run, step)
    zone.tamper((key, replace(rrset, ttl=step.number + 300)) for key, rrset in answers_at(zone, hostname).items())


def _type_replaced(run: "Run", step: Step) -> None:
    zone, hostname = _place(run, step)
    if found := answers_at(zone, hostname):
        alias = RRset(hostname, RRType.CNAME, 60, ("elsewhere.example.net",))
        zone.tamper([*((key, None) for key in found if key != alias.key), (alias.key, alias)])


def _marker(change: Callable[[RRset, str], RRset | None]) -> Callable[["Run", Step], None]:
    def act(run: "Run", step: Step) -> None:
        zone, hostname = _place(run, step)
        key = RRKey(marker_name(hostname), RRType.TXT)
        if marker := zone.rrset(key):
            zone.tamper([(key, change(marker, hostname))])

    return act


def _stolen(marker: RRset, hostname: str) -> RRset:
    return Marker("other-team", ObjectKey("their", "thing"), "uid-of-theirs").rrset(hostname)


def _ledger(change: Callable[["Run", Step, Ledger | None, RRset], RRset | None]) -> Callable[["Run", Step], None]:
    def act(run: "Run", step: Step) -> None:
        zone = run.surroundings.zones[step.where]
        if stored := zone.rrset(LEDGER):
            zone.tamper([(LEDGER, change(run, step, parse_ledger(stored), stored))])

    return act


def _ahead(run: "Run", step: Step, ledger: Ledger | None, stored: RRset) -> RRset | None:
    if ledger is None:
        return stored
    ahead = Generation(ledger.generation.epoch + FAR, 7)
    return replace(ledger, generation=ahead, claim="beef").rrset(OWNER, DOMAIN)


def _back(run: "Run", step: Step, ledger: Ledger | None, stored: RRset) -> RRset | None:
    if step.number >= len(run.zone_backups):
        return stored
    return run.zone_backups[step.number][step.where].get(LEDGER, stored)


def _garbled(rrset: RRset, hostname: str = "") -> RRset:
    return replace(rrset, values=(rrset.values[0][: len(rrset.values[0]) // 2],))


def _emptied(run: "Run", step: Step) -> None:
    zone = run.surroundings.zones[step.where]
    doomed = [LEDGER]
    for key in zone.sets:
        marker = parse_marker(zone.rrset(key)) if key.type is RRType.TXT else None
        hostname = hostname_of_marker(key.name)
        if marker and hostname and marker.owner == OWNER:
            doomed += [key, *(RRKey(hostname, kind) for kind in ANSWER_TYPES)]
    zone.tamper((key, None) for key in doomed)


def _restored(run: "Run", step: Step) -> None:
    if step.number < len(run.zone_backups):
        zone = run.surroundings.zones[step.where]
        backup = run.zone_backups[step.number][step.where]
        zone.tamper((key, backup.get(key)) for key in dict.fromkeys(itertools.chain(tuple(zone.sets), backup)))


def _foreign_name(run: "Run", step: Step) -> None:
    zone = run.surroundings.zones[step.where]
    awaited = [each.spec["hostname"] for each in run.schedule.setting.records if each.name not in run.desired]
    hostname = awaited[0] if awaited and step.number % 2 else f"www{step.number % 3}.{DOMAIN}"
    if marker := zone.rrset(RRKey(marker_name(hostname), RRType.TXT)):
        assert marker  # noqa: S101
        return  # a name that Detour left behind is not his own
    rrset = RRset(hostname, RRType.A, 120, (f"203.0.113.{1 + step.number % 250}",))
    zone.tamper([(rrset.key, rrset)], damage=False)


FAULTS: Mapping[Fault, Callable[["Run", Step], None]] = {
    Fault.NAME_DELETED: _name_deleted,
    Fault.FAMILY_DELETED: _family_deleted,
    Fault.VALUES_REPLACED: _values_replaced,
    Fault.VALUES_ADDED: _values_added,
    Fault.TTL_CHANGED: _ttl_changed,
    Fault.TYPE_REPLACED: _type_replaced,
    Fault.MARKER_DELETED: _marker(lambda marker, hostname: None),
    Fault.MARKER_GARBLED: _marker(_garbled),
    Fault.MARKER_STOLEN: _marker(_stolen),
    Fault.LEDGER_DELETED: _ledger(lambda run, step, ledger, stored: None),
    Fault.LEDGER_GARBLED: _ledger(lambda run, step, ledger, stored: _garbled(stored)),
    Fault.LEDGER_AHEAD: _ledger(_ahead),
    Fault.LEDGER_BACK: _ledger(_back),
    Fault.ZONE_EMPTIED: _emptied,
    Fault.ZONE_RESTORED: _restored,
    Fault.FOREIGN_NAME: _foreign_name,
}
