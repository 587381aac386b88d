"""The status of a DNSZone, and its conditions."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from detour.enactment.takeover import HELD_BY_ANOTHER_SITE
from detour.enactment.wishes import is_throttling
from detour.engine.pictures import LOOKS_TOLD_EVERY, ZoneObjectPicture
from detour.kube.status.conditions import Condition, Status, conditions_status
from detour.model.states import ZoneState
from detour.model.timestamps import timestamp
from detour.model.zone import Safety
from detour.planning.safety.departures import FREE_NAMES, FREE_SHARE, Blocked
from detour.planning.safety.rules import FREE_DELETIONS, FREE_SHARE_OF_DELETIONS, HoldReason
from detour.planning.trial import PATIENCE

NOT_READ = "the zone has not been read yet"

HELD_TOLD = 3
HELD_SHOWN = 10
"""Held changes named in the condition, and in the status."""

PENDING_TOLD = 30.0
"""Seconds for which changes must have to wait for the time to be told at which they will be sent; and its grain."""

NOTICED_STEPS = (10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
"""Seconds that people are told for a shorter time: a status does not change with every name."""


def zone_status(
    picture: ZoneObjectPicture,
    previous: Mapping[str, Any],
    now: float,
    conditions: Sequence[Condition] | None = None,
) -> Status:
    """Return the status of a DNSZone; `conditions` are its `zone_conditions`, for whoever has them already."""
    report = picture.report
    conditions = zone_conditions(picture) if conditions is None else conditions
    status: Status = {
        "observedGeneration": picture.zone.generation,
        "state": _state(picture, conditions).value,
        "provider": picture.provider,
        "nameServers": list(report.name_servers),
        "ownedRecords": report.owned,
        "pendingChanges": report.pending,
        "orphanedRecords": {"count": len(report.orphans), "names": list(report.orphans[:10])},
        "conditions": conditions_status(conditions, previous.get("conditions") or (), picture.zone.generation, now),
    }
    if report.zone_id is not None:
        status["zoneID"] = report.zone_id
    if report.negative_ttl is not None:
        status["negativeTTL"] = report.negative_ttl
    if report.generation is not None:
        status["ledger"] = {"generation": str(report.generation), "site": report.site or ""}
    if picture.replica is not None:
        status["replica"] = picture.replica
    if picture.ties:
        told = [{"zone": str(zone), "records": list(map(str, records))} for zone, records in picture.ties]
        status["ties"] = told
    if report.pending and report.sent_within > PENDING_TOLD:
        until = now + report.sent_within
        status["pendingUntil"] = timestamp(math.ceil(until / PENDING_TOLD) * PENDING_TOLD)
    if verification := _verification(picture):
        status["verification"] = verification
    if report.trouble is not None:
        status["lastError"] = report.trouble.message
    if held := picture.holds.changes:
        lines = [each.line for each in held[:HELD_SHOWN]]
        status["held"] = {"count": len(held), "digest": picture.holds.digest, "changes": lines}
    if picture.evacuated:
        status["evacuations"] = [
            {"region": region, "names": names, "at": timestamp(at)} for region, names, at in picture.evacuated
        ]
    if picture.deleted is not None:
        names, at = picture.deleted
        status["deletions"] = {"names": names, "at": timestamp(at)}
    return status


def _verification(picture: ZoneObjectPicture) -> Status:
    found: Status = {}
    within = picture.report.noticed_within
    if within < math.inf:
        found["noticedWithinSeconds"] = next((each for each in NOTICED_STEPS if within <= each), round(within))
    if picture.oldest_look is not None:
        found["oldestLook"] = timestamp(picture.oldest_look // LOOKS_TOLD_EVERY * LOOKS_TOLD_EVERY)
    return found


def zone_conditions(picture: ZoneObjectPicture) -> tuple[Condition, ...]:
    """Return Ready, InForce, Frozen, Held, Throttled and Warning."""
    report = picture.report
    throttled = report.is_throttled
    trouble = None if is_throttling(report.trouble) else report.trouble
    if trouble is not None:
        told = f"{trouble.message}{_take_over(picture) if trouble.reason == HELD_BY_ANOTHER_SITE else ''}"
        ready = Condition("Ready", False, trouble.reason, told)
    elif report.standby is not None:
        ready = Condition("Ready", True, report.standby.reason, report.standby.message)
    elif report.ready:
        ready = Condition("Ready", True, "InForce", "the zone is read, and written when there is something to write")
    elif report.trouble is not None:
        ready = Condition("Ready", None, report.trouble.reason, f"the zone is not in use yet: {report.trouble.message}")
    else:
        ready = Condition("Ready", None, "Starting", NOT_READ)
    told = "rate-limited by the provider: changes wait" if throttled else "the provider takes requests as they come"
    warned = picture.warnings[0] if picture.warnings else None
    return (
        ready,
        _in_force(picture),
        _frozen(picture),
        _held(picture),
        Condition("Throttled", throttled, "ProviderQuota" if throttled else "WithinQuota", told),
        Condition(
            "Warning",
            warned is not None,
            warned.reason if warned else "None",
            "; ".join(each.message for each in picture.warnings) or "nothing to warn of",
        ),
    )


def _in_force(picture: ZoneObjectPicture) -> Condition:
    report = picture.report
    if report.in_force:
        return Condition("InForce", True, "ThisSite", f"this site, {report.site!r}, writes the zone")
    if report.standby is not None:
        told = f"{report.standby.message}{_take_over(picture)}"
        return Condition("InForce", False, report.standby.reason, told)
    if report.trouble is not None:
        return Condition("InForce", False, report.trouble.reason, report.trouble.message)
    if not report.ready:
        return Condition("InForce", False, "Starting", NOT_READ)
    return Condition("InForce", False, "NotNeeded", "nothing is to be written here: no record, or a dry run")


def _take_over(picture: ZoneObjectPicture) -> str:
    key = picture.zone.key
    command = f"kubectl annotate dnszone/{key.name} -n {key.namespace} --overwrite"
    return f": `{command} detour.dev/take-over={picture.take_over}`"


def _state(picture: ZoneObjectPicture, conditions: Sequence[Condition]) -> ZoneState:
    by_type = {each.type: each for each in conditions}
    if by_type["Ready"].holds is False:
        return ZoneState.FAILING
    if picture.zone.safety.frozen:
        return ZoneState.FROZEN
    if picture.holds.changes:
        return ZoneState.HELD
    if picture.report.is_throttled:
        return ZoneState.THROTTLED
    if picture.report.standby is not None:
        return ZoneState.STANDBY
    return ZoneState.PENDING if by_type["Ready"].holds is None else ZoneState.OK


def _frozen(picture: ZoneObjectPicture) -> Condition:
    """Say whether a person has frozen the zone."""
    if picture.zone.safety.frozen:
        by = picture.zone.safety.frozen_by
        why = f"frozen by {by}" if by else "spec.safety.frozen is true"
        told = f"{why}: nothing is changed until that is taken back, or approved"
        return Condition("Frozen", True, HoldReason.FREEZE, told)
    return Condition("Frozen", False, "NotFrozen", "nobody has frozen the zone")


def _held(picture: ZoneObjectPicture) -> Condition:
    """Say what the safety gate holds, why, how much, and the command that lets it through."""
    held, zone = picture.holds.changes, picture.zone
    if not held:
        unused = f"; detour.dev/approve={zone.approved} approves nothing" if zone.approved else ""
        return Condition("Held", False, "NothingHeld", f"nothing is held{unused}")
    reasons = sorted({each.reason for each in held})
    why = "; ".join(_why_held(reason, zone.safety, picture.holds.blocked) for reason in reasons)
    shown = "; ".join(each.line for each in held[:HELD_TOLD])
    more = f"; and {len(held) - HELD_TOLD} more" if len(held) > HELD_TOLD else ""
    approve = f"kubectl annotate dz/{zone.key.name} -n {zone.key.namespace} --overwrite detour.dev/approve="
    is_stale = zone.approved and zone.approved != picture.holds.digest
    stale = f" (detour.dev/approve={zone.approved} stands for other changes)" if is_stale else ""
    number = f"{len(held)} {'change is' if len(held) == 1 else 'changes are'} held"
    told = f"{number} ({shown}{more}) because {why}. To let exactly these through: `{approve}"
    return Condition("Held", True, reasons[0], f"{told}{picture.holds.digest}`{stale}")


def _why_held(reason: HoldReason, safety: Safety, blocked: Blocked | None) -> str:
    match reason:
        case HoldReason.REGIONS:
            regions = "region" if safety.max_regions_evacuated == 1 else "regions"
            return (
                f"beside the {safety.max_regions_evacuated} {regions} that most names have left "
                f"(spec.safety.maxRegionsEvacuated), others may lose {FREE_NAMES} names, or {FREE_SHARE:.0%} of all, "
                f"within {safety.window:g} s{_what_blocks(blocked)}"
            )
        case HoldReason.PANIC:
            return (
                f"more than {safety.panic_threshold:.0%} of the checks turned bad at once and the reference checks of "
                "this vantage fail too, so the vantage is doubted; they go by themselves once those pass"
            )
        case HoldReason.UNPROVEN:
            return (
                "no check has passed yet at any of the places that an edit brings, and what they replace still works; "
                f"they go as soon as one passes, and in any case {PATIENCE:g} s after the edit, or once each has had "
                "its first checks if that takes longer"
            )
        case HoldReason.DELETIONS:
            return (
                f"more names were to be deleted within {safety.window:g} s than max({FREE_DELETIONS}, "
                f"{FREE_SHARE_OF_DELETIONS:.0%} of all); to keep the names, set deletionPolicy: Retain on their records"
            )
        case HoldReason.FREEZE:
            return "spec.safety.frozen is true"


def _what_blocks(blocked: Blocked | None) -> str:
    """Say which departures count, by name, and until when."""
    if blocked is None:
        return "; they go by themselves once that time has passed"
    regions = ", ".join(f"{region} has lost {number}" for region, number in blocked.regions[:HELD_TOLD])
    more = len(blocked.names) - HELD_TOLD
    names = ", ".join(blocked.names[:HELD_TOLD]) + (f" and {more} more" if more > 0 else "")
    until = f"; the first of them counts until {timestamp(blocked.until)}" if blocked.until else ""
    return f": {regions or 'they would be too many'}" + (f" ({names})" if names else "") + until
