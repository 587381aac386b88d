"""An edit that leaves nothing of what was there puts the new places on trial: what they replace goes on being checked.

A typing mistake in an address would else take down what works. The trial ends when one of them passes, when what they
replace fails, or when they have had their time: in the end it is the declaration that counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from detour.model.checks import CheckTiming, Target

PATIENCE = 60.0
"""Seconds for which new places have time to come up, unless their first verdicts take longer."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """The targets of the earlier declaration, each with the hostname that led to it, None where there is none."""

    targets: Mapping[Target, str | None]


def time_on_trial(timing: CheckTiming) -> float:
    """Return the seconds that new places have: `fall` checks or `PATIENCE`, and the check under way then may end."""
    return max(PATIENCE, timing.fall * max(timing.recheck_interval, timing.timeout)) + timing.timeout
