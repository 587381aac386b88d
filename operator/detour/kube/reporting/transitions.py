"""Which changes of conditions deserve an event: each transition once, also when its status was written late."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from detour.kube.reporting.reported import States
from detour.kube.status.conditions import Condition
from detour.model.objects import Kind

QUIET_REASONS = frozenset({"InProgress", "Pending", "Starting"})
"""Reasons of conditions that are on their way to another."""

TELLING_CONDITIONS = {
    Kind.FAILOVER_RECORD: ("Published", "Pinned", "Warning"),
    Kind.DNS_ZONE: ("Ready", "Frozen", "Held", "Throttled", "Warning"),
    Kind.CLOUD_REGION: ("Healthy", "Warning"),
    Kind.VANTAGE: ("Trusted", "Warning"),
    Kind.OVERRIDE: ("InForce", "Warning"),
    Kind.CLUSTER_OVERRIDE: ("InForce", "Warning"),
}
BAD_WHEN_TRUE = ("Throttled", "Warning", "Frozen", "Held")
TOLD_WHEN_TRUE = (*BAD_WHEN_TRUE, "Pinned")
"""Conditions of which the first sight is no news where they do not hold."""

GOOD_REASONS = frozenset({"NotPinned", "None", "Expired"})
"""Reasons for which a condition does not hold, and nothing is wrong."""


class Transition(NamedTuple):
    """An event to create."""

    reason: str
    message: str
    warning: bool


def conditions_in(status: Mapping[str, Any]) -> States:
    """Return the conditions of a status, as if they had been told."""
    return {
        str(each.get("type")): (
            {"True": True, "False": False}.get(str(each.get("status"))),
            str(each.get("reason")),
        )
        for each in status.get("conditions") or ()
        if isinstance(each, Mapping)
    }


def transitions(kind: Kind, told: States, conditions: Iterable[Condition]) -> list[Transition]:
    """Return the transitions since what was `told`, which is brought up to date."""
    found = []
    for each in conditions:
        state = (each.holds, each.reason)
        if each.type not in TELLING_CONDITIONS[kind] or each.reason in QUIET_REASONS:
            continue
        before = told.get(each.type)
        told[each.type] = state
        bad = each.holds is (each.type in BAD_WHEN_TRUE) and each.reason not in GOOD_REASONS
        if before != state and (each.holds or bad or before is not None or each.type not in TOLD_WHEN_TRUE):
            found.append(Transition(each.reason, each.message, bad))
    return found
