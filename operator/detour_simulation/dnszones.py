"""DNSZones as people handle them: renamed, twinned, deleted and made anew, with other settings; and the parent zone."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from detour.model.objects import Kind
from detour_simulation.generator import NAMESPACE
from detour_simulation.hosted import hosted_zone
from detour_simulation.schedule import Fault, Step
from detour_simulation.zones import answers_at

if TYPE_CHECKING:
    from detour_simulation.run import Run

AGAIN = 2.0
"""Seconds until somebody who wants to create an object tries once more, while the old one is still being deleted."""

PREPARED = 45.0
"""Seconds until everybody has heard of where the parent sends the world, and caches have forgotten what it was."""

UNSEEN = 15.0
"""Seconds for which name servers are behind."""

MISTYPED = "mistyped"


class DNSZones:
    """The DNSZones that people mean to have: of each hosted zone the names, the one that records use first."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._count = 1
        self.names = {each.name: [each.name] for each in run.schedule.setting.zones}
        self.forsaken: set[str] = (
            set()
        )  # hosted zones of which a DNSZone went: what a record was leaving there is left behind

    def used(self, hosted: str) -> str:
        """Return the DNSZone that records use for a hosted zone."""
        return self.names[hosted][0]

    def create(self, name: str) -> None:
        """Create a DNSZone in every site, once what is left of one of that name is gone."""
        for server in self._run.servers.values():
            if (Kind.DNS_ZONE, NAMESPACE, name) in server.objects:
                self._run.loop.later(AGAIN, self.create, name)
                return
        for server in self._run.servers.values():
            server.apply(self._run.dns_zone(name))

    def delete(self, name: str) -> None:
        """Delete a DNSZone in every site."""
        self.forsaken.add(hosted_zone(name))
        for server in self._run.servers.values():
            server.delete(Kind.DNS_ZONE, name, NAMESPACE)

    def another(self, hosted: str) -> str:
        """Create one more DNSZone for a hosted zone; return its name."""
        self._count += 1
        name = f"{hosted}.n{self._count}"
        self.names[hosted].append(name)
        self.create(name)
        return name

    def follow(self, before: str, after: str) -> None:
        """Let every record that declares one DNSZone declare another one in its place."""
        for name, spec in tuple(self._run.desired.items()):
            zones = [{"name": after} if each["name"] == before else each for each in spec["zones"]]
            if zones != spec["zones"]:
                self._run.declare(name, {**spec, "zones": zones})

    def current(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return a spec with the DNSZones that there are by now; one that is mistyped is corrected."""
        first = next(iter(self.names))
        hosted = (hosted_zone(each["name"]) for each in spec["zones"])
        meant = dict.fromkeys(each if each in self.names else first for each in hosted)
        return {**spec, "zones": [{"name": self.used(each)} for each in meant]}


def _chosen(run: "Run", step: Step) -> list[dict[str, str]]:
    """Return some of the zones, as the step's number says; never none."""
    known = list(run.dns_zones.names)
    which = 1 + step.number % (2 ** len(known) - 1)
    return [{"name": run.dns_zones.used(each)} for place, each in enumerate(known) if which & (1 << place)]


def _zones_declared(run: "Run", step: Step) -> None:
    if spec := run.desired.get(step.where):
        run.declare(step.where, {**spec, "zones": _chosen(run, step)})


def _left_for_nothing(run: "Run", step: Step) -> None:
    hostname, _, zone = step.where.partition(" in ")
    name = next(each.name for each in run.schedule.setting.records if each.spec["hostname"] == hostname)
    held = run.surroundings.zones[zone]
    parent = run.surroundings.parent
    if parent is None or name not in run.desired:
        return
    everywhere = [{"name": run.dns_zones.used(each)} for each in run.dns_zones.names]
    run.declare(name, {**run.desired[name], "zones": everywhere})
    for each in [other for other in parent.named if other != zone]:
        parent.drop(each)
        run.loop.later(PREPARED + UNSEEN, parent.name, each)

    def move() -> None:
        if (spec := run.desired.get(name)) and not held.lag:
            held.lag = UNSEEN  # so that nobody sees by DNS what the outsider did
            held.tamper((key, None) for key in answers_at(held, hostname))
            run.declare(name, {**spec, "zones": [{"name": run.dns_zones.used(zone)}]})
            run.loop.later(UNSEEN, catch_up)

    def catch_up() -> None:
        held.lag = 0.0

    run.loop.later(PREPARED, move)


def _zones_mistyped(run: "Run", step: Step) -> None:
    if spec := run.desired.get(step.where):
        kept = spec["zones"][1:] if step.number % 2 else []
        run.declare(step.where, {**spec, "zones": [{"name": MISTYPED}, *kept]})
        run.loop.later(step.seconds, _zones_declared, run, step)


def _renamed(run: "Run", step: Step) -> None:
    zones = run.dns_zones
    before = zones.used(step.where)
    after = zones.another(step.where)
    zones.names[step.where] = [after, *(each for each in zones.names[step.where] if each not in (before, after))]
    zones.follow(before, after)
    run.loop.later(step.seconds, zones.delete, before)


def _twinned(run: "Run", step: Step) -> None:
    """Half of the time the records go over to the twin, and both stay."""
    zones = run.dns_zones
    name = zones.another(step.where)
    if step.number % 2:
        zones.follow(zones.used(step.where), name)
    else:
        zones.names[step.where].remove(name)
        run.loop.later(step.seconds, zones.delete, name)


def _deleted(run: "Run", step: Step) -> None:
    name = run.dns_zones.used(step.where)
    run.dns_zones.delete(name)
    run.loop.later(step.seconds, run.dns_zones.create, name)


def _recreated(run: "Run", step: Step) -> None:
    run.servers[step.where].recreate(Kind.DNS_ZONE)


def _settings(run: "Run", step: Step) -> None:
    for server in run.servers.values():
        budget = {"requestsPerSecond": 20 + step.number, "requestsBurst": 20 + step.number}
        server.change(Kind.DNS_ZONE, run.dns_zones.used(step.where), NAMESPACE, budget=budget)


def _parent_leaves(run: "Run", step: Step) -> None:
    parent = run.surroundings.parent
    if parent is not None:
        parent.drop(step.where)
        run.loop.later(step.seconds, parent.name, step.where)


FAULTS: Mapping[Fault, Callable[["Run", Step], None]] = {
    Fault.ZONES_DECLARED: _zones_declared,
    Fault.LEFT_FOR_NOTHING: _left_for_nothing,
    Fault.ZONES_MISTYPED: _zones_mistyped,
    Fault.ZONE_RENAMED: _renamed,
    Fault.ZONE_TWINNED: _twinned,
    Fault.ZONE_DELETED: _deleted,
    Fault.ZONES_RECREATED: _recreated,
    Fault.ZONE_SETTINGS: _settings,
    Fault.PARENT_LEAVES: _parent_leaves,
}
