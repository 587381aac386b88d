"""Conditions, as every kind of object has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detour.model.timestamps import timestamp

Status = dict[str, Any]

RECONCILING, STALLED = "Reconciling", "Stalled"


@dataclass(frozen=True, slots=True)
class Condition:
    """One aspect of an object. `holds` None is Unknown."""

    type: str
    holds: bool | None
    reason: str
    message: str

    @property
    def status(self) -> str:
        """What Kubernetes calls it: `True`, `False` or `Unknown`."""
        return "Unknown" if self.holds is None else str(self.holds)


def conditions_status(
    conditions: Sequence[Condition], previous: Sequence[Mapping[str, Any]], generation: int, now: float
) -> list[Status]:
    """Return `conditions` for a status; a transition time stays while the status of its condition does."""
    before = {each.get("type"): each for each in previous if isinstance(each, Mapping)}
    written = []
    for each in conditions:
        old = before.get(each.type, {})
        same = old.get("status") == each.status and old.get("lastTransitionTime")
        if each.type == RECONCILING and old.get("observedGeneration") != generation:
            same = None  # what an object is edited to begins anew
        written.append(
            {
                "type": each.type,
                "status": each.status,
                "reason": each.reason,
                "message": each.message,
                "observedGeneration": generation,
                "lastTransitionTime": old["lastTransitionTime"] if same else timestamp(now),
            }
        )
    return written
