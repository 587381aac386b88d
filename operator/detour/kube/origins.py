"""An object as the API server shows it, as the engine knows where a declaration came from."""

from collections.abc import Iterable, Mapping

from detour.engine.ports import Origin
from detour.kube.metadata import has_finalizer
from detour.kube.resources.memory import closer_look_in, zones_in
from detour.model.objects import RawObject
from detour.model.record import ObjectKey

KEPT = ("metadata", "status")
"""What is kept of an object beside its declaration: what that says was read from its spec."""

NO_STATUS_YET = {"observedGeneration": -1}
"""The status that the API server gives to an object which has none: until the operator has seen it, it is not current.

It is what tools that wait for a status go by (kstatus), and tells us nothing.
"""


def origin_of(raw: RawObject) -> Origin:
    """Return what the engine may know of an object beside its declaration."""
    found = raw.get("metadata")
    metadata = found if isinstance(found, Mapping) else {}
    generation = metadata.get("generation")
    return Origin(
        created=str(metadata.get("creationTimestamp") or ""),
        generation=int(generation) if isinstance(generation, int) else 0,
        is_being_deleted=bool(metadata.get("deletionTimestamp")),
        has_finalizer=has_finalizer(raw),
        shown={part: raw[part] for part in KEPT if part in raw and raw[part] != NO_STATUS_YET},
    )


def standing_told_of(origin: Origin) -> tuple[str, str] | None:
    """Return the provider of a DNSZone and what that calls the zone, as the status tells; None before it was found."""
    shown: RawObject = origin.shown
    status = shown.get("status")
    provider, zone_id = (status.get(each) if isinstance(status, Mapping) else None for each in ("provider", "zoneID"))
    return (provider, zone_id) if isinstance(provider, str) and isinstance(zone_id, str) and zone_id else None


def is_unacted(origin: Origin) -> bool:
    """Tell whether an object was declared anew since its status was written."""
    shown: RawObject = origin.shown
    status = shown.get("status")
    observed = status.get("observedGeneration") if isinstance(status, Mapping) else None
    return observed != origin.generation or origin.is_being_deleted


def zones_told_of(origin: Origin) -> Iterable[ObjectKey]:
    """Return the zones that the status of a FailoverRecord says it is in, or may be."""
    shown: RawObject = origin.shown
    metadata = shown.get("metadata")
    namespace = metadata.get("namespace") if isinstance(metadata, Mapping) else ""
    return tuple(zones_in(shown.get("status"), str(namespace or "")))


def closer_look_told_of(origin: Origin) -> float | None:
    """Return until when the status of a CloudRegion says that its checks are made more often (seconds since 1970)."""
    shown: RawObject = origin.shown
    return closer_look_in(shown.get("status"))
