"""The status of a Vantage."""

from collections.abc import Mapping, Sequence
from typing import Any

from detour.engine.pictures import VantagePicture
from detour.health.vantages import NEW, NOT_HEARD, STALE
from detour.kube.resources.vantage import VantageState
from detour.kube.status.conditions import Condition, Status, conditions_status
from detour.model.timestamps import timestamp


def vantage_conditions(picture: VantagePicture) -> tuple[Condition, ...]:
    """Return Trusted."""
    state = _vantage_state(picture)
    if picture.doubt is not None:
        holds = None if state in (VantageState.UNKNOWN, VantageState.NEW) else False
        return (Condition("Trusted", holds, picture.doubt.reason, picture.doubt.message),)
    if state == VantageState.OFF:
        return (Condition("Trusted", None, "Off", "the operator makes no checks, so its own vantage has no say"),)
    told = "it has a say" if picture.vantage.votes else "it would have a say, but spec.votes is 0"
    return (Condition("Trusted", True, "Trusted", told),)


def _vantage_state(picture: VantagePicture) -> VantageState:
    if picture.is_off:
        return VantageState.OFF
    if picture.doubt is None:
        return VantageState.TRUSTED
    states = {NOT_HEARD: VantageState.UNKNOWN, NEW: VantageState.NEW, STALE: VantageState.STALE}
    return states.get(picture.doubt.reason, VantageState.SUSPECTED)


def vantage_status(
    picture: VantagePicture, previous: Mapping[str, Any], now: float, conditions: Sequence[Condition]
) -> Status:
    """Return the status of a Vantage with these conditions, but for what the vantage writes itself."""
    state = _vantage_state(picture)
    since = previous.get("since") if previous.get("state") == state.value else None
    is_stale = state is VantageState.STALE and picture.heard_at is not None
    return {
        "observedGeneration": picture.vantage.generation,
        "state": state.value,
        "since": since or timestamp(picture.since),
        "reason": conditions[0].reason,
        "message": conditions[0].message,
        **({"report": {"checks": picture.checks, "failing": picture.failing}} if picture.is_own else {}),
        "conditions": conditions_status(conditions, previous.get("conditions") or (), picture.vantage.generation, now),
        **({"lastHeard": timestamp(picture.heard_at)} if is_stale and picture.heard_at is not None else {}),
    }
