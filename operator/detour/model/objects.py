"""The kinds of objects that people declare, and how one of them is named."""

import enum
from collections.abc import Mapping
from typing import Any, NamedTuple

from detour.model.record import ObjectKey

RawObject = Mapping[str, Any]
"""An object as the API server sends it."""


class Kind(enum.Enum):
    """A kind, with the plural under which the API serves it."""

    FAILOVER_RECORD = ("FailoverRecord", "failoverrecords")
    DNS_ZONE = ("DNSZone", "dnszones")
    CLOUD_REGION = ("CloudRegion", "cloudregions")
    VANTAGE = ("Vantage", "vantages")
    EXTERNAL_VERDICT = ("ExternalVerdict", "externalverdicts")
    OVERRIDE = ("Override", "overrides")
    CLUSTER_OVERRIDE = ("ClusterOverride", "clusteroverrides")

    @property
    def title(self) -> str:
        return self.value[0]

    @property
    def plural(self) -> str:
        return self.value[1]

    @property
    def is_namespaced(self) -> bool:
        return self not in (Kind.CLOUD_REGION, Kind.VANTAGE, Kind.CLUSTER_OVERRIDE)


class Subject(NamedTuple):
    """The object that a status or an event is about; its namespace is empty for a kind that has none."""

    kind: Kind
    key: ObjectKey
    uid: str
