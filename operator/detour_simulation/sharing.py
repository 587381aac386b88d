"""Whether controllers that divide the zones keep to it: one of them decides for each record, within its share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from detour.app.sharding.replica import ReplicaPart
from detour.model.objects import Kind, Subject
from detour.model.record import ObjectKey
from detour_simulation.controller import Controller
from detour_simulation.history import DecidedTwice, Overdrawn

if TYPE_CHECKING:
    from detour_simulation.run import Run


def _dividing(run: "Run") -> Iterator[tuple[str, Controller, ReplicaPart]]:
    """Give the controllers that divide the zones and are running, each with its place."""
    for slot in run.slots.values():
        controller = slot.controller
        if controller is not None and slot.is_running and controller.parts.replica is not None:
            yield slot.name, controller, controller.parts.replica


def leaders(run: "Run") -> dict[str, str]:
    """Return which controller leads each zone, of those that divide the zones."""
    return {
        zone.name: name
        for name, controller, replica in _dividing(run)
        for zone in controller.engine.zones.keepers
        if replica.division.leads(zone)
    }


def decided_twice(run: "Run") -> Iterator[DecidedTwice]:
    """Give the records that several controllers decide for. Who hears nothing cannot know of the others."""
    deciders: dict[ObjectKey, list[str]] = {}
    for name, controller, replica in _dividing(run):
        if replica.others.is_alone or controller.is_deaf:
            continue
        for record in controller.engine.record_keys():
            if replica.leads_for(Subject(Kind.FAILOVER_RECORD, record, "")):
                deciders.setdefault(record, []).append(name)
    for record, names in deciders.items():
        if len(names) > 1:
            yield DecidedTwice(at=run.loop.now, record=record.name, controllers=tuple(names))


def overdrawn(run: "Run") -> Iterator[Overdrawn]:
    """Tell where the shares of the controllers that write any zone are more than the whole.

    Who hears nothing of the others goes on with what it had: its zones' ledgers stop it, once others have these.
    """
    heard = [each for each in _dividing(run) if not each[2].others.is_alone]
    shares = {name: 1 / controller.accounts.shares for name, controller, replica in heard if replica.division.zones_led}
    if sum(shares.values()) > 1.001:
        yield Overdrawn(at=run.loop.now, controllers=tuple(shares), used=sum(shares.values()))
