"""What goes on in any case: regions and services fail and recover, and outsiders edit managed names."""

import random

from detour_lab.clouds.labzones import OUTSIDER, EmulatedZone
from detour_lab.services.services import Mode
from detour_lab.stage.stage import Stage
from detour_lab.stories.soak.schedule import Event, Kind
from detour_lab.stories.soak.truth import FOREIGN
from detour_lab.zones.store import RecordSet

REGION_MODES = (Mode.REFUSING, Mode.BLACK_HOLE)
SERVICE_MODES = (Mode.REFUSING, Mode.BLACK_HOLE, Mode.SLOW, Mode.STATUS_500)
SLOW_SECONDS = 3.0
"""Longer than the timeout of any check here."""

EDIT_TTL = 77
"""Seconds; the records have 10."""


class Weather:
    """The weather over one stage; `chance` decides in which way things fail."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self._stage = stage
        self._chance = chance

    async def begin(self, event: Event) -> str:
        """Let a region or a service fail, and say what happens."""
        if event.kind is Kind.REGION:
            mode = self._chance.choice(REGION_MODES)
            await self._stage.lab.break_region(event.target, mode)
            return f"every service in {event.target} is {mode}"
        region, _, service = event.target.partition("/")
        mode = self._chance.choice(SERVICE_MODES)
        seconds = SLOW_SECONDS if mode is Mode.SLOW else 0.0
        await self._stage.lab.set_service(region, service, mode, seconds=seconds)
        return f"{service} in {region} is {mode}"

    async def end(self, event: Event) -> str:
        """Let what failed work again, and say so."""
        if event.kind is Kind.REGION:
            await self._stage.lab.mend_region(event.target)
        else:
            region, _, service = event.target.partition("/")
            await self._stage.lab.set_service(region, service, Mode.UP)
        return f"{event.target} works again"

    def edit(self, target: str) -> str:
        """Edit the addresses of `zone/hostname` as an outsider would, and say how. Raises ValueError for real BIND."""
        zone_name, _, hostname = target.partition("/")
        zone = self._stage.lab.zone(zone_name)
        if not isinstance(zone, EmulatedZone):
            raise ValueError(f"{zone_name} keeps no log of who edits it: use a lab without a real BIND")
        key = (hostname, "A")
        current = zone.store.get(*key)
        if current is None:
            return f"an outsider finds no {hostname} in {zone_name}"
        foreign = self._chance.choice(FOREIGN)
        way = self._chance.choice(("replaces", "replaces", "adds", "deletes", "TTL"))
        match way:
            case "deletes":
                zone.store.commit(removed=[key], by=OUTSIDER)
                return f"an outsider deletes {hostname} in {zone_name}"
            case "adds":
                edited = RecordSet(*key, current.ttl, tuple(dict.fromkeys((*current.values, foreign))))
            case "TTL":
                edited = RecordSet(*key, EDIT_TTL, current.values)
            case _:
                edited = RecordSet(*key, current.ttl, (foreign,))
        zone.store.commit(added=[edited], by=OUTSIDER)
        return f"an outsider makes {hostname} in {zone_name} {' '.join(edited.values)}, TTL {edited.ttl} s"
