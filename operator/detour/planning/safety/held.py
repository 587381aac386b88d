"""What a safety gate holds, as people are told of it."""

from dataclasses import dataclass

from detour.planning.safety.departures import Blocked
from detour.planning.safety.rules import HoldReason


@dataclass(frozen=True, slots=True)
class HeldChange:
    """A change that the safety gate holds; `line` says it in one line for people."""

    reason: HoldReason
    line: str


@dataclass(frozen=True, slots=True)
class Holds:
    """All that the gate of a zone holds; `digest` stands for exactly that, and is empty where nothing is held.

    `blocked` says which departures hold a change that would leave one more region; its time is in seconds
    since the Unix epoch, or in engine seconds while a gate tells of it.
    """

    changes: tuple[HeldChange, ...] = ()
    digest: str = ""
    blocked: Blocked | None = None


NOTHING_HELD = Holds()
