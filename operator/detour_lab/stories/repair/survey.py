"""What is seen of the cells: their zones, their objects and the events about them, all in one look.

Zones are read where their services keep them; objects and events come from the API server in one list of each kind.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client, config

from detour.kube.kinds import GROUP
from detour_lab.clouds.labzones import LabZone
from detour_lab.stories.repair.cells import Cell
from detour_lab.zones.store import RecordSet

READS_IN_FLIGHT = 16
MERGE_PATCH = "application/merge-patch+json"
PLURALS = {"FailoverRecord": "failoverrecords", "DNSZone": "dnszones"}
NOTHING: Mapping[str, Any] = {}

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Names:
    """What a zone holds for a cell: the sets that answer for its hostname, its marker, and our ledger."""

    answers: tuple[RecordSet, ...]
    marker: RecordSet | None
    ledger: RecordSet | None

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(sorted(value for each in self.answers for value in each.values))


@dataclass(frozen=True, slots=True)
class Event:
    """An event about an object of a cell."""

    uid: str
    kind: str
    reason: str
    message: str
    is_warning: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a cell; an object that is not there is empty. `events` are those that were not known before."""

    names: Names
    record: Manifest
    zone: Manifest
    events: tuple[Event, ...]

    def object(self, kind: str) -> Manifest:
        """Return the object of this kind."""
        return self.record if kind == "FailoverRecord" else self.zone


class Survey:
    """Looks, and does to objects what kubectl has no short word for. Errors of the API server are its client's own."""

    def __init__(self, kubeconfig: Path, zones: Mapping[str, LabZone], owner: str) -> None:
        connect: Any = config.new_client_from_config  # has no types
        self._api: Any = client.CustomObjectsApi(connect(str(kubeconfig)))
        self._zones = zones
        self._owner = owner
        self._reading = asyncio.Semaphore(READS_IN_FLIGHT)

    async def look(
        self, cells: Iterable[Cell], known_events: Mapping[Cell, frozenset[str]] | None = None
    ) -> dict[Cell, Seen]:
        """Return how `cells` look; events whose UIDs are in `known_events` are left out."""
        listed = tuple(cells)
        records, zones, events = await asyncio.gather(
            self._objects("FailoverRecord"), self._objects("DNSZone"), self._events()
        )
        names = await asyncio.gather(*(self.names(cell) for cell in listed))
        known = known_events or {}
        return {
            cell: Seen(
                found,
                records.get((cell.namespace, cell.name), NOTHING),
                zones.get((cell.namespace, cell.name), NOTHING),
                tuple(
                    each
                    for each in events.get((cell.namespace, cell.name), ())
                    if each.uid not in known.get(cell, frozenset())
                ),
            )
            for cell, found in zip(listed, names, strict=True)
        }

    async def names(self, cell: Cell) -> Names:
        """Return what the cell's zone holds now."""
        zone = self._zones[cell.domain]
        async with self._reading:
            found = [
                await zone.read(name, rrtype)
                for name, rrtype in (
                    (cell.hostname, "A"),
                    (cell.hostname, "AAAA"),
                    (cell.hostname, "CNAME"),
                    (cell.marker_name, "TXT"),
                    (cell.ledger_name(self._owner), "TXT"),
                )
            ]
        *answers, marker, ledger = (each and _plain(each) for each in found)
        return Names(tuple(each for each in answers if each), marker, ledger)

    async def replace_status(self, kind: str, cell: Cell, status: Mapping[str, Any]) -> None:
        """Let the status of a cell's object be exactly `status`."""
        where = (GROUP, "v1alpha1", cell.namespace, PLURALS[kind], cell.name)

        def replace() -> None:
            present = self._api.get_namespaced_custom_object(*where).get("status") or {}
            body = {"status": {**dict.fromkeys(present), **status}}
            self._api.patch_namespaced_custom_object_status(*where, body, _content_type=MERGE_PATCH)

        await asyncio.to_thread(replace)

    async def _objects(self, kind: str) -> dict[tuple[str, str], Manifest]:
        listed = await asyncio.to_thread(self._api.list_cluster_custom_object, GROUP, "v1alpha1", PLURALS[kind])
        return {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in listed["items"]}

    async def _events(self) -> Mapping[tuple[str, str], Sequence[Event]]:
        # As custom objects they stay plain dictionaries: the typed list of a thousand events takes half a second.
        listed = await asyncio.to_thread(self._api.list_cluster_custom_object, "events.k8s.io", "v1", "events")
        found: defaultdict[tuple[str, str], list[Event]] = defaultdict(list)
        for each in listed["items"]:
            about = each.get("regarding") or {}
            key = (str(about.get("namespace")), str(about.get("name")))
            found[key].append(
                Event(
                    str(each["metadata"]["uid"]),
                    str(about.get("kind")),
                    str(each.get("reason")),
                    str(each.get("note")),
                    each.get("type") == "Warning",
                )
            )
        return found


def condition(item: Manifest, kind: str) -> Mapping[str, Any]:
    """Return one condition of an object; empty where it has none of that type."""
    conditions = (item.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == kind), NOTHING)


def _plain(found: RecordSet) -> RecordSet:
    """Return a set without what differs from service to service though it says the same."""
    return RecordSet(found.name, found.type, found.ttl, tuple(sorted(found.values)))
