"""A restart is no news.

Right after its start the operator has read no zone and asked no name server, so an object that is as well as it was
would seem to become unready and ready again: for alerts, for `kubectl wait`, and for nothing. So what was well when
the operator came is not told to be under way until it is well again, is in real trouble, or the quiet time is over.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from detour.kube.status.conditions import Condition
from detour.model.objects import Kind, RawObject

QUIET_TIME = 30.0
"""Seconds after an object was first seen; a start takes a few, on a busy machine more."""

UNDER_WAY = frozenset(
    {"Starting", "Pending", "InProgress", "NotVisible", "NoEndpoints", "CannotBeChecked", "NotCheckedYet", "NotHeard"}
)
"""Reasons of conditions of which a moment later nothing is left."""

MAIN_CONDITION = {
    Kind.FAILOVER_RECORD: "Ready",
    Kind.DNS_ZONE: "Ready",
    Kind.CLOUD_REGION: "Healthy",
    Kind.VANTAGE: "Trusted",
    Kind.OVERRIDE: "InForce",
    Kind.CLUSTER_OVERRIDE: "InForce",
}


def was_well(kind: Kind, raw: RawObject) -> bool:
    """Tell whether an object that is seen for the first time was well, and so has a quiet time."""
    condition = MAIN_CONDITION[kind]
    metadata, status = raw.get("metadata"), raw.get("status")
    listed = status.get("conditions") if isinstance(status, Mapping) else None
    generation = metadata.get("generation") if isinstance(metadata, Mapping) else None
    found: Iterable[Any] = listed if isinstance(listed, list | tuple) else ()
    return any(
        each.get("type") == condition and each.get("status") == "True" and each.get("observedGeneration") == generation
        for each in found
        if isinstance(each, Mapping)
    )


def is_no_news(kind: Kind, conditions: Iterable[Condition]) -> bool:
    """Tell whether these conditions are not worth telling within the quiet time; the first ones that are end it."""
    main = next(each for each in conditions if each.type == MAIN_CONDITION[kind])
    return not main.holds and main.reason in UNDER_WAY
