"""The JSON resources of the v1 API, field for field as in the discovery document `dns.v1.json`."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from detour_lab.clouds.clouddns.errors import JSON
from detour_lab.clouds.clouddns.request import shown_data
from detour_lab.clouds.clouddns.routing import with_kinds
from detour_lab.zones.store import Commit, RecordSet, ZoneStore


@dataclass(frozen=True, slots=True)
class ManagedZone:
    """A zone of the project. `name_servers` (with trailing dots) are the ones assigned to it; times since the epoch."""

    name: str
    id: str
    store: ZoneStore
    is_private: bool
    name_servers: tuple[str, ...]
    created: float
    clock_offset: float
    """Seconds from the store's clock to the Unix epoch's."""


def managed_zone(zone: ManagedZone) -> JSON:
    return {
        "kind": "dns#managedZone",
        "id": zone.id,
        "name": zone.name,
        "dnsName": f"{zone.store.domain}.",
        "description": "",
        "nameServers": list(zone.name_servers),
        "creationTime": _time(zone.created),
        "visibility": "private" if zone.is_private else "public",
        "cloudLoggingConfig": {"kind": "dns#managedZoneCloudLoggingConfig"},
    }


def record_set(each: RecordSet) -> JSON:
    """Return a set; one with a routing policy has no `rrdatas` of its own."""
    content: JSON = {
        "kind": "dns#resourceRecordSet",
        "name": f"{each.name}.",
        "type": each.type,
        "ttl": each.ttl,
        "signatureRrdatas": [],
    }
    if "routingPolicy" in each.extra:
        return content | {"routingPolicy": with_kinds(each.extra["routingPolicy"])}
    return content | {"rrdatas": shown_data(each)}


def project(name: str, *, quota: Mapping[str, int]) -> JSON:
    """Return the project with those of its quotas that are kept here."""
    number = str(int(hashlib.sha256(name.encode()).hexdigest()[:12], 16))
    return {"kind": "dns#project", "id": name, "number": number, "quota": {"kind": "dns#quota", **quota}}


def change(zone: ManagedZone, commit: Commit, *, is_new: bool = False) -> JSON:
    """Return a change; one that was just made is pending whatever the servers do (Change, status).

    The zone's creation is its change 0.
    """
    return {
        "kind": "dns#change",
        "id": str(commit.number - 1),
        "startTime": _time(commit.at + zone.clock_offset),
        "status": "done" if zone.store.is_served(commit.number) and not is_new else "pending",
        "additions": [record_set(each) for each in commit.added],
        "deletions": [record_set(each) for each in commit.removed],
    }


def page(kind: str, key: str, items: Sequence[object], next_page_token: str | None) -> JSON:
    """Return one page of a list."""
    following = {} if next_page_token is None else {"nextPageToken": next_page_token}
    return {"kind": kind, key: list(items), **following}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
