"""What an edit of a record replaced: it goes on being checked until the new places have had time for their verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass

from detour.model.checks import CheckTiming, Target

PATIENCE = 60.0
"""Seconds for which new places have time to come up, unless their first verdicts take longer."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """The targets of the earlier declaration, each with the hostname that led to it, until when (engine seconds)."""

    targets: Mapping[Target, str | None]
    until: float


def wait_for_verdicts(timing: CheckTiming) -> float:
    """Return the seconds for which an edit that leaves nothing of what was there waits for first verdicts."""
    verdict = timing.fall * max(timing.recheck_interval, timing.timeout)
    return max(PATIENCE, verdict) + timing.timeout
