"""The status of a CloudRegion."""

from collections.abc import Mapping, Sequence
from typing import Any

from detour.engine.overrides import told_of
from detour.engine.pictures import RegionPicture
from detour.health.regions import CanaryFinding, RegionPhase
from detour.health.reports import WEEK, Weeks, begins
from detour.health.signals import SignalFinding
from detour.kube.status.conditions import Condition, Status, conditions_status
from detour.model.overrides import Action, Override
from detour.model.timestamps import timestamp

STAYING_TOLD = 3


def region_conditions(picture: RegionPicture) -> tuple[Condition, ...]:
    """Return Healthy."""
    fine = {RegionPhase.HEALTHY: True, RegionPhase.DRAINED: True, RegionPhase.UNKNOWN: None}.get(picture.phase, False)
    return (Condition("Healthy", fine, *_told_of_region(picture)),)


def _told_of_region(picture: RegionPicture) -> tuple[str, str]:
    """Return why a region is as it is: a word and a sentence."""
    region, judgement = picture.region, picture.judgement
    stuck = _told_of_stuck(picture)
    if picture.phase is RegionPhase.DRAINED and (drain := _drain_override(picture)):
        told = f"drained by {told_of(drain)} until {timestamp(drain.expires)}: its endpoints take no traffic{stuck}"
        return "DrainRequested", told
    if picture.phase is RegionPhase.DRAINED:
        why = f" ({region.why})" if region.why else ""
        return "DrainRequested", f"drained by request{why}: its endpoints take no traffic{stuck}"
    if picture.needed_in_service is None:
        effect = f": {judgement.effect}" if judgement.effect else ""
        return judgement.reason, f"{judgement.message}{effect}{stuck}"
    few = f"fewer than {picture.needed_in_service} {'region' if picture.needed_in_service == 1 else 'regions'}"
    if judgement.course.is_out:
        told = f"{judgement.message}; its endpoints stay in DNS, as {few} would be left in service"
        return "MinRegionsInService", told
    rules = '{"spec":{"setAside":["MinRegionsInService"]}}'
    command = f"kubectl patch region {region.name} --type=merge -p '{rules}'"
    if _drain_override(picture):
        command = f'kubectl detour drain {region.name} --override-min-regions --reason "..."'
    told = f"the drain is not followed: {few} would be left in service. To drain it all the same: `{command}`"
    return "MinRegionsInService", told


def _drain_override(picture: RegionPicture) -> Override | None:
    return next((each for each in picture.overrides if each.action is Action.DRAIN), None)


def _canary(finding: CanaryFinding) -> Status:
    told: Status = {"name": finding.name, "verdict": finding.verdict.value}
    if finding.message:
        told["message"] = finding.message
    return told | ({"hasPassed": True} if finding.has_passed else {})


def _signal(finding: SignalFinding) -> Status:
    told: Status = {"name": finding.name, "state": finding.state.value, "since": timestamp(finding.since)}
    if finding.message:
        told["message"] = finding.message
    return told | ({} if finding.is_sure else {"lowConfidence": True})


def _reports_by_hour(weeks: Weeks) -> list[Status]:
    """Return the reports of some weeks, each hour as a number, or as - where nobody listened."""
    return [
        {
            "week": timestamp(begins(week * WEEK)),
            "hours": " ".join(str(hours.get(each, "-")) for each in range(max(hours, default=-1) + 1)),
        }
        for week, hours in sorted(weeks.items())
    ]


def _told_of_stuck(picture: RegionPicture) -> str:
    if not picture.stuck_count:
        return ""
    records, stay = ("record", "stays") if picture.stuck_count == 1 else ("records", "stay")
    named = ", ".join(picture.stuck[:STAYING_TOLD])
    more = f" and {picture.stuck_count - STAYING_TOLD} more" if picture.stuck_count > STAYING_TOLD else ""
    why = "as no other endpoint of theirs is fit, or the change is held"
    return f"; {picture.stuck_count} {records} {stay} there, {why}: {named}{more}"


def region_status(
    picture: RegionPicture, previous: Mapping[str, Any], now: float, conditions: Sequence[Condition]
) -> Status:
    """Return the status of a CloudRegion with these conditions; `since` outlives a restart."""
    endpoints, course = picture.endpoints, picture.judgement.course
    since = previous.get("since") if previous.get("phase") == picture.phase.value else None
    since = since or timestamp(picture.since)
    reason, message = _told_of_region(picture)
    return {
        "observedGeneration": picture.region.generation,
        "phase": picture.phase.value,
        "since": since,
        "reason": reason,
        "message": message,
        "endpoints": {
            "total": endpoints.total,
            "healthy": endpoints.healthy,
            "unhealthy": endpoints.unhealthy,
            "unknown": endpoints.unknown,
        },
        "records": picture.records,
        "conditions": conditions_status(conditions, previous.get("conditions") or (), picture.region.generation, now),
        **({"endpointsOut": True} if picture.is_out else {}),
        **({"failedBySignal": True} if course.is_out and course.is_signalled else {}),
        **({"staying": list(picture.stuck)} if picture.stuck else {}),
        **({"canaries": [_canary(each) for each in picture.canaries]} if picture.canaries else {}),
        **({"signals": [_signal(each) for each in picture.signals]} if picture.signals else {}),
        **({"closerLookUntil": timestamp(picture.closer_look_until)} if picture.closer_look_until is not None else {}),
        **({"reportsByHour": _reports_by_hour(picture.reports)} if picture.reports else {}),
        **({} if picture.drain_ended is None else {"drainEnded": timestamp(picture.drain_ended)}),
    }
