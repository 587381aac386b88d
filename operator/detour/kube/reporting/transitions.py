"""Which changes of conditions deserve an event: each transition once, also when its status was written late."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from detour.kube.kinds import Kind
from detour.kube.reporting import Subject
from detour.kube.status import Condition

QUIET_REASONS = frozenset({"InProgress", "Pending", "Starting"})
"""Reasons of conditions that are on their way to another."""

TELLING_CONDITIONS = {
    Kind.FAILOVER_RECORD: ("Published", "Pinned", "Warning"),
    Kind.DNS_ZONE: ("Ready", "Frozen", "Throttled", "Warning"),
    Kind.CLOUD_REGION: ("Healthy", "Warning"),
}
BAD_WHEN_TRUE = ("Throttled", "Warning", "Frozen")
TOLD_WHEN_TRUE = (*BAD_WHEN_TRUE, "Pinned")
"""Conditions of which the first sight is no news where they do not hold."""

GOOD_REASONS = frozenset({"NotPinned", "None"})
"""Reasons for which a condition does not hold, and nothing is wrong."""


class Transition(NamedTuple):
    """An event to create."""

    reason: str
    message: str
    warning: bool


class Transitions:
    """Remembers what was told of each object."""

    def __init__(self) -> None:
        self._told: dict[Subject, dict[str, tuple[bool | None, str]]] = {}

    def adopt(self, subject: Subject, status: Mapping[str, Any]) -> None:
        """Take what the object's status says as told already."""
        found = {
            str(each.get("type")): (
                {"True": True, "False": False}.get(str(each.get("status"))),
                str(each.get("reason")),
            )
            for each in status.get("conditions") or ()
            if isinstance(each, Mapping)
        }
        self._told.setdefault(subject, found)

    def forget(self, subject: Subject) -> None:
        """The object is gone."""
        self._told.pop(subject, None)

    def news(self, subject: Subject, conditions: Iterable[Condition]) -> list[Transition]:
        """Return the transitions since the last call."""
        told = self._told.setdefault(subject, {})
        found = []
        for each in conditions:
            state = (each.holds, each.reason)
            if each.type not in TELLING_CONDITIONS[subject.kind] or each.reason in QUIET_REASONS:
                continue
            before = told.get(each.type)
            told[each.type] = state
            bad = each.holds is (each.type in BAD_WHEN_TRUE) and each.reason not in GOOD_REASONS
            if before != state and (each.holds or bad or before is not None or each.type not in TOLD_WHEN_TRUE):
                found.append(Transition(each.reason, each.message, bad))
        return found
