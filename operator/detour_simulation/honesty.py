"""Whether what a controller says of a name is true.

Who is in force for a zone, and says that a name is in sync, must be right about what the zone holds, unless somebody
else changed it since it could last have looked: an outsider, or whoever took the zone over.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from detour_simulation.history import Misreported
from detour_simulation.hosted import hosted_zone
from detour_simulation.weather import GIVE_UP
from detour_simulation.zones import answers_at

if TYPE_CHECKING:
    from detour_simulation.run import Run

TAKEN_WITHIN = 2 * (GIVE_UP + 1.0)
"""Seconds after which what was read has been taken over: before that a write may have to end, and, where its answer is
lost, the reading that tells what became of it."""


def misreports(run: "Run") -> Iterator[Misreported]:
    """Give what controllers say that is not so."""
    for slot in run.slots.values():
        controller = slot.controller
        if controller is None or not slot.is_running:
            continue
        for key, keeper in controller.engine.zones.keepers.items():
            zone = run.surroundings.zones[hosted_zone(key.name)]
            if not keeper.in_force or not zone.is_known_to(controller.name, run.loop.now - TAKEN_WITHIN):
                continue
            for record in controller.engine.record_keys():
                report = keeper.report(record)
                if report is None or not report.in_sync or not report.published:
                    continue
                hostname = report.published[0].name
                held = answers_at(zone, hostname)
                if set(held.values()) != set(report.published):
                    yield Misreported(
                        at=run.loop.now,
                        controller=slot.name,
                        zone=zone.name,
                        hostname=hostname,
                        text=f"it holds {[each.values for each in held.values()]}",
                    )
