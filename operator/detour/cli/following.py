"""How far a record has come, stage by stage, for scripts that wait for it. Pure."""

import enum
from dataclasses import dataclass

from detour.cli.told import Told, mapping


class Stage(enum.Enum):
    """What a record goes through, in order."""

    SEEN = 1
    CHECKED = 2
    DECIDED = 3
    PUBLISHED = 4
    READY = 5


@dataclass(frozen=True, slots=True)
class Reached:
    """The stages that are done, each with a sentence; `stalled` says why it will not go on by itself."""

    done: dict[Stage, str]
    stalled: str = ""

    @property
    def is_ready(self) -> bool:
        return Stage.READY in self.done


def stages(record: Told) -> Reached:
    """Return how far a record has come."""
    done: dict[Stage, str] = {}
    if not record.is_seen:
        return Reached(done)
    done[Stage.SEEN] = f"the operator has read {record.shown}"
    healthy = str(mapping(record.status.get("summary")).get("healthy") or "")
    if healthy and not healthy.startswith("0/"):
        done[Stage.CHECKED] = f"{healthy} endpoints are healthy"
    plan = mapping(record.status.get("plan"))
    if plan:
        done[Stage.DECIDED] = f"decided: {plan.get('reason', '')}"
    published, ready = record.condition("Published"), record.condition("Ready")
    if published.get("status") == "True":
        done[Stage.PUBLISHED] = f"published: {published.get('message', '')}"
    if ready.get("status") == "True":
        done[Stage.READY] = f"Ready: {record.state}: {record.message}"
    stalled = record.condition("Stalled")
    is_stalled = stalled.get("status") == "True" and ready.get("status") != "True"
    return Reached(done, f"Stalled: {record.state}: {record.message}" if is_stalled else "")
