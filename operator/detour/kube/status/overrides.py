"""The status of an Override or a ClusterOverride."""

from collections.abc import Mapping, Sequence
from typing import Any

from detour.engine.pictures import OverridePicture
from detour.kube.status.conditions import Condition, Status, conditions_status
from detour.model.overrides import Action, Override
from detour.model.states import OverrideState
from detour.model.timestamps import timestamp


def override_conditions(picture: OverridePicture) -> tuple[Condition, ...]:
    """Return InForce."""
    return (Condition("InForce", picture.state is OverrideState.IN_FORCE, *_told(picture)),)


def _told(picture: OverridePicture) -> tuple[str, str]:
    override = picture.override
    match picture.state:
        case OverrideState.EXPIRED:
            return "Expired", f"it was over at {timestamp(picture.ended_at or override.expires)}: it does nothing more"
        case OverrideState.REFUSED:
            return "LastsTooLong", (
                "expiresAt is more than 7 days after it was made: it does nothing; make one that ends sooner"
            )
        case OverrideState.WAITING:
            return "Waiting", f"it does nothing yet: {picture.missing}"
    return "InForce", f"{_effect(override)}, until {timestamp(override.expires)}"


def _effect(override: Override) -> str:
    what = f"endpoint {override.endpoint} of {override.record}" if override.endpoint else f"region {override.region}"
    match override.action:
        case Action.DRAIN:
            return f"{what} takes no traffic"
        case Action.FORCE_DOWN:
            return f"{what} answers only where no other place is fit"
        case Action.FORCE_UP if override.endpoint:
            return f"{what} answers where no endpoint passes, whatever its checks say"
        case Action.FORCE_UP:
            return f"{what} does not count as failing, whatever its canaries say"
        case Action.PIN:
            return f"{override.record} serves revision {override.pin}; checks decide nothing"
        case Action.FREEZE if override.zone is not None:
            return f"nothing changes in zone {override.zone}, also no failover; repairs go on"
    return f"nothing is written for {override.record}, also no failover"


def override_status(
    picture: OverridePicture, previous: Mapping[str, Any], now: float, conditions: Sequence[Condition]
) -> Status:
    """Return the status of an override with these conditions."""
    generation = picture.override.generation
    return {
        "observedGeneration": generation,
        "state": picture.state.value,
        "message": conditions[0].message,
        "requestedByVerified": picture.is_verified,
        "conditions": conditions_status(conditions, previous.get("conditions") or (), generation, now),
        **({} if picture.ended_at is None else {"endedAt": timestamp(picture.ended_at)}),
    }
