"""A zone as Azure's API shows it, over the store that the name server serves.

Azure takes record sets without records ("they can be created, but do not appear at the Azure DNS name servers": Azure
DNS documentation, record sets). Such a set has an ETag, a TTL and metadata but answers no query, so it is kept beside
the store and the name server never sees it. The same goes for an alias, whose resource is not known here; one that the
test put into the store with values is served with them, and keeps them as long as it refers to the same resource.
"""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from detour_lab.clouds.azuredns.records import SPELLING, WIRE, encode
from detour_lab.clouds.azuredns.versions import Version
from detour_lab.zones.store import RecordSet, SetKey, ZoneStore

AUTHOR = "azuredns"
ALIAS_TARGET = "targetResource"
RECORDS_PER_SET = 20
SETS_PER_ZONE = 10_000


class AzureZone:
    """One DNS zone resource. `name_servers` are what the service says it assigned, absolute and in lower case."""

    def __init__(
        self, store: ZoneStore, *, resource_group_id: str, name_servers: tuple[str, ...], private: bool
    ) -> None:
        self.store = store
        self.domain = store.domain
        self.id = f"{resource_group_id}/providers/Microsoft.Network/dnszones/{self.domain}"
        self._name_servers = name_servers
        self.name_servers = frozenset(f"{host.rstrip('.')}.".lower() for host in name_servers)
        self._private = private
        self._unserved: dict[SetKey, RecordSet] = {}
        self._tags = itertools.count(1)

    def get(self, name: str, rrtype: str) -> RecordSet | None:
        """Return a set, with or without records."""
        return self.store.get(name, rrtype) or self._unserved.get((name, rrtype))

    def types_at(self, name: str) -> set[str]:
        """Return the types of the sets at exactly `name`."""
        return {each.type for each in self.store.at_name(name)} | {key[1] for key in self._unserved if key[0] == name}

    def all(self) -> list[RecordSet]:
        """Return every set, in the order in which lists give them."""
        sets = {**self._unserved, **self.store.newest_index().sets}
        # The key in a page's link is "name type"; a blank sorts below every character of a name, so both orders agree.
        return [sets[key] for key in sorted(sets) if key[1] in WIRE]

    def count(self) -> int:
        """Return how many sets there are."""
        served = self.store.newest_index().sets
        return len(served) + sum(key not in served for key in self._unserved)

    def put(self, record_set: RecordSet, *, by: str = AUTHOR) -> RecordSet:
        """Store the set in place of what had its name and type, and return it with its new ETag."""
        key = record_set.key
        if record_set.values:
            self._unserved.pop(key, None)
            return self.store.commit(added=[record_set], by=by)[0]
        if self.store.get(*key):
            self.store.commit(removed=[key], by=by)
        self._unserved[key] = replace(record_set, etag=f"unserved-{next(self._tags)}")
        return self._unserved[key]

    def remove(self, key: SetKey, *, by: str = AUTHOR) -> None:
        """Remove the set; KeyError where there is none."""
        if self._unserved.pop(key, None) is None or self.store.get(*key):
            self.store.commit(removed=[key], by=by)

    def document(self) -> dict[str, Any]:
        """Return the zone's JSON."""
        return {
            "id": self.id,
            "name": self.domain,
            "type": "Microsoft.Network/dnszones",
            "etag": f"zone-{self.store.serial:08x}",
            "location": "global",
            "tags": {},
            "properties": {
                "maxNumberOfRecordSets": SETS_PER_ZONE,
                "maxNumberOfRecordsPerRecordSet": RECORDS_PER_SET,
                "numberOfRecordSets": self.count(),
                "nameServers": [] if self._private else [f"{host.rstrip('.')}." for host in self._name_servers],
                "zoneType": "Private" if self._private else "Public",
            },
        }

    def set_document(self, record_set: RecordSet, version: Version) -> dict[str, Any]:
        """Return a set's JSON. `targetResource` is there, empty, also for a set that is no alias, as in the service.

        An alias has no member for records, not even an empty one: by that clients know it (dnscontrol, octoDNS; the
        example CreateOrUpdateARecordsetAlias of the specification).
        """
        relative = relative_name(record_set.name, self.domain)
        extra: Mapping[str, Any] = record_set.extra
        properties: dict[str, Any] = {"TTL": record_set.ttl, "fqdn": f"{record_set.name}."}
        if version.aliases:
            properties |= {"provisioningState": "Succeeded", ALIAS_TARGET: extra.get(ALIAS_TARGET) or {}}
        if not extra.get(ALIAS_TARGET):
            properties |= encode(record_set.type, record_set.values, extra.get(SPELLING, {}))
        if extra.get("metadata"):
            properties["metadata"] = dict(extra["metadata"])
        return {
            "id": f"{self.id}/{record_set.type}/{relative}",
            "name": relative,
            "type": f"Microsoft.Network/dnszones/{record_set.type}",
            "etag": record_set.etag,
            "properties": properties,
        }


def relative_name(name: str, domain: str) -> str:
    """Return `name` as Azure writes it in the zone `domain`: without the domain, `@` for the apex."""
    return "@" if name == domain else name.removesuffix(f".{domain}")


def full_name(relative: str, domain: str) -> str:
    """Return the canonical name that `relative` stands for."""
    return domain if relative == "@" else f"{relative.lower()}.{domain}"
