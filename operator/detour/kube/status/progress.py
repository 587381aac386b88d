"""Reconciling and Stalled: what deployment tools wait for, and what they give up on.

kstatus takes an object for current where neither holds and Ready is True, for failed where Stalled is, and waits
otherwise. So whatever is not Ready is one of the two, never both; and nothing is Reconciling for ever. What is Ready is
Stalled too where a part of its declaration is not followed, such as an annotation that is misspelt.
https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detour.kube.status.conditions import RECONCILING, STALLED, Condition
from detour.model.timestamps import parse_time

DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"

PROGRESS_DEADLINE = 600.0
"""Seconds for which an object may be on its way; a Deployment has as many."""


@dataclass(frozen=True, slots=True)
class Progress:
    """At most one condition, and when to look again (seconds since the Unix epoch) where time alone changes it."""

    conditions: tuple[Condition, ...] = ()
    look_again_at: float | None = None


DONE = Progress()


def progress(
    main: Condition,
    previous: Sequence[Mapping[str, Any]],
    *,
    needs_a_person: bool,
    generation: int,
    now: float,
    deadline: float = PROGRESS_DEADLINE,
) -> Progress:
    """Return what there is to say of an object whose main condition is this one.

    `needs_a_person` says that it will not become what was declared by itself. What is on its way for longer than
    `deadline` seconds is stalled until it is done, or until somebody edits the object.
    """
    if needs_a_person:
        return Progress((Condition(STALLED, True, main.reason, main.message),))
    if main.holds:
        return DONE
    before = {each.get("type"): each for each in previous if isinstance(each, Mapping) and each.get("status") == "True"}
    stalled = before.get(STALLED, {})
    if stalled.get("reason") == DEADLINE_EXCEEDED and stalled.get("observedGeneration") == generation:
        return Progress((_given_up(main, deadline),))
    began_at = _began_at(before.get(RECONCILING), generation, now)
    if now >= began_at + deadline:
        return Progress((_given_up(main, deadline),))
    return Progress((Condition(RECONCILING, True, main.reason, main.message),), began_at + deadline)


def _given_up(main: Condition, deadline: float) -> Condition:
    told = f"not done after {deadline / 60:g} minutes, it is tried on: {main.message}"
    return Condition(STALLED, True, DEADLINE_EXCEEDED, told)


def _began_at(reconciling: Mapping[str, Any] | None, generation: int, now: float) -> float:
    """Return since when an object is on its way: since its last edit at the latest."""
    if reconciling is None or reconciling.get("observedGeneration") != generation:
        return now
    try:
        return min(now, parse_time(str(reconciling.get("lastTransitionTime"))))
    except ValueError:
        return now
