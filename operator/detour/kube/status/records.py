"""The status of a FailoverRecord, and its conditions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from detour.enactment.leaving import SAME_HOSTED_ZONE, SUSPENDED, leaving_digest
from detour.enactment.wishes import Explanation
from detour.engine.overrides import told_of
from detour.engine.pictures import RecordPicture, ZonePicture
from detour.kube.resources.failoverrecord_status import OVERRIDES_TOLD
from detour.kube.status.conditions import Condition, Status, conditions_status
from detour.kube.status.recordstate import (
    NOBODY_CHECKED,
    SERVED_IS_DEAD,
    Standing,
    degraded,
    serving_now,
    what_is_served,
)
from detour.model.health import CheckFinding, EndpointHealth, Verdict
from detour.model.overrides import Override
from detour.model.record import Publish, Strategy
from detour.model.timestamps import timestamp
from detour.planning.decision import Basis


def record_status(
    picture: RecordPicture,
    previous: Mapping[str, Any],
    now: float,
    conditions: Sequence[Condition],
    stands: Standing,
) -> Status:
    """Return the status of a FailoverRecord that has these conditions and so `stands`.

    `previous` is the status that it has.
    """
    record, serving, held_out = picture.record, serving_now(picture), dict(picture.held_out)
    returning = dict(picture.returning)
    status: Status = {
        "observedGeneration": record.generation,
        "state": stands.state.value,
        "message": stands.message,
        "summary": {
            "serving": _summary_of_serving(picture),
            "healthy": f"{picture.healthy}/{len(record.endpoints)}",
            "zones": f"{sum(each.published for each in picture.zones)}/{len(picture.zones)}",
            **({"pinned": str(record.pin)} if picture.basis is Basis.PINNED else {}),
        },
        "serving": [{"name": each.endpoint, "region": each.region, "values": list(each.values)} for each in serving],
        "endpoints": [
            _endpoint(name, health, held_out.get(name), returning.get(name)) for name, health in picture.healths
        ],
        "zones": [*(_zone(each) for each in picture.zones), *(_left_zone(*each) for each in picture.leaving)],
        "history": [
            {
                "revision": each.number,
                "values": list(each.values),
                "reason": each.reason,
                "at": timestamp(each.at),
                **({"wasThere": True} if each.was_there else {}),
            }
            for each in picture.revisions
        ],
        "conditions": conditions_status(conditions, previous.get("conditions") or (), record.generation, now),
    }
    if picture.overrides:
        status["overrides"] = [_override(each) for each in picture.overrides[:OVERRIDES_TOLD]]
    if picture.failed_back_at is not None:
        status["failedBackAt"] = timestamp(picture.failed_back_at)
    if picture.revisions:
        newest = picture.revisions[0]
        status["plan"] = {
            "revision": newest.number,
            "reason": picture.reason,
            "decidedAt": timestamp(newest.at),
        }
    return status


def _override(override: Override) -> Status:
    return {
        "name": override.key.name,
        "action": override.action.value,
        **({"endpoint": override.endpoint} if override.endpoint else {}),
        "requestedBy": override.requested_by,
        "reason": override.reason,
        "until": timestamp(override.expires),
    }


def _summary_of_serving(picture: RecordPicture) -> str:
    """Return who answers, and in which zone where that differs."""
    served: dict[str, list[str]] = {}
    for zone in picture.zones:
        names = ",".join(each.endpoint for each in serving_now(picture, (zone,)))
        if zone.values or zone.standby is None:
            served.setdefault(names or "-", []).append(zone.zone.name)
    if len(served) < 2:
        return next(iter(served), "-")
    return "; ".join(f"{names} in {', '.join(zones)}" for names, zones in served.items())


def record_conditions(picture: RecordPicture) -> tuple[Condition, ...]:
    """Return Ready, Published, Healthy, FailedOver, Degraded and Pinned, and Leaving while it leaves a zone."""
    published, healthy = _published(picture), _healthy(picture)
    failed_over, pinned = _failed_over(picture), _pinned(picture)
    return _ready(picture, published), published, healthy, failed_over, degraded(picture), pinned, *_leaving(picture)


def _ready(picture: RecordPicture, published: Condition) -> Condition:
    """Say whether every zone answers with what was decided, and that works."""
    ours = [each for each in picture.zones if each.standby is None]
    works, why_not = what_is_served(picture)
    if not published.holds:
        return Condition("Ready", published.holds, published.reason, published.message)
    if not ours:
        return Condition("Ready", True, "Standby", published.message)
    if picture.basis not in (Basis.CHOSEN, Basis.PINNED):
        return Condition("Ready", False, "NoHealthyEndpoint", f"published, but {picture.reason}")
    if unseen := next((each for each in ours if each.verified_at is None), None):
        return Condition("Ready", False, "NotVisible", f"zone {unseen.zone}: {unseen.message or 'not verified yet'}")
    if works is False:
        return Condition("Ready", False, SERVED_IS_DEAD, f"{picture.reason}, but nothing of that works: {why_not}")
    if works is None:
        return Condition("Ready", None, NOBODY_CHECKED, f"{picture.reason}, but nobody knows that it works: {why_not}")
    return Condition("Ready", True, "Serving", f"every zone answers with what was decided: {picture.reason}")


def _leaving(picture: RecordPicture) -> tuple[Condition, ...]:
    """Say which zones the name is still to leave, what keeps it there, and the command that lets it go."""
    if not picture.leaving:
        return ()
    record = picture.record
    kept = [(zone.zone, why) for zone, why in picture.leaving if why is not None]
    if not kept:
        zones = ", ".join(str(zone.zone) for zone, _ in picture.leaving)
        return (Condition("Leaving", True, "BeingRemoved", f"{record.hostname} is being removed from {zones}"),)
    told = "; ".join(f"{record.hostname} stays in {zone}: {why.message}" for zone, why in kept)
    if any(why.reason in (SAME_HOSTED_ZONE, SUSPENDED) for _, why in kept):
        return (Condition("Leaving", False, kept[0][1].reason, told),)
    digest = leaving_digest(record.hostname, (zone.zone for zone, _ in picture.leaving))
    command = f"kubectl annotate fr/{record.key.name} -n {record.key.namespace} --overwrite detour.dev/approve={digest}"
    return (Condition("Leaving", False, kept[0][1].reason, f"{told}. To remove it all the same: `{command}`"),)


def _pinned(picture: RecordPicture) -> Condition:
    if picture.pin_refusal is not None:
        return Condition("Pinned", False, picture.pin_refusal.reason, picture.pin_refusal.message)
    if picture.basis is Basis.PINNED:
        told = f"{picture.reason}{_told_of_pin(picture)}: health decides nothing until it is removed"
        return Condition("Pinned", True, "PinnedByUser", told)
    return Condition("Pinned", False, "NotPinned", "health decides what is published")


def _told_of_pin(picture: RecordPicture) -> str:
    found = next((each for each in picture.overrides if each.pin == picture.record.pin), None)
    return f", by {told_of(found)} until {timestamp(found.expires)}" if found else ""


def _published(picture: RecordPicture) -> Condition:
    if picture.refusal is not None:
        return Condition("Published", False, picture.refusal.reason, picture.refusal.message)
    if picture.being_deleted:
        if kept := next((each for each in picture.zones if each.held is not None), None):
            told = f"the name is to be removed from zone {kept.zone}; the safety gate holds that ({kept.held})"
            return Condition("Published", False, "Held", f"{told}{_see_zone(kept)}")
        waiting = ", ".join(str(each.zone) for each in picture.zones if each.values)
        return Condition("Published", False, "Deleting", f"the name is being removed from {waiting or 'its zones'}")
    for each in picture.zones:
        if otherwise := _declared_otherwise(picture, each):
            return otherwise
        if each.refusal is not None:
            return Condition("Published", False, each.refusal.reason, f"zone {each.zone}: {each.refusal.message}")
    if away := _published_elsewhere(picture):
        return away
    if picture.pending is not None:
        return Condition("Published", None, "Pending", picture.pending)
    withheld = [each for each in picture.zones if each.would_publish is not None]
    if picture.dry_run or picture.record.suspend:
        reason = "Suspended" if picture.record.suspend else "DryRun"
        if withheld:
            wish = "; ".join(f"{each.zone}: {', '.join(each.would_publish or ())}" for each in withheld)
            return Condition("Published", False, "WouldPublish", f"{reason}: nothing is written; would publish {wish}")
    behind = [each for each in picture.zones if not each.published and each.standby is None]
    if held := next((each for each in behind if each.held is not None), None):
        told = f"zone {held.zone}: {picture.reason}; the safety gate holds the change ({held.held})"
        return Condition("Published", False, "Held", f"{told}{_see_zone(held)}")
    if behind:
        return Condition("Published", False, "InProgress", f"zone {behind[0].zone}: {behind[0].message}")
    ours = sum(each.standby is None for each in picture.zones)
    others = "" if ours == len(picture.zones) else f"; another site keeps the other {len(picture.zones) - ours}"
    return Condition("Published", True, "InSync", f"{ours} of {len(picture.zones)} zones hold the plan{others}")


def _see_zone(zone: ZonePicture) -> str:
    return f", see `kubectl describe dz {zone.zone.name} -n {zone.zone.namespace}`"


def _published_elsewhere(picture: RecordPicture) -> Condition | None:
    """Return what there is to say where another site decides for every zone, None where this one does for some."""
    if not picture.zones or any(each.standby is None for each in picture.zones):
        return None
    missing = next((each for each in picture.zones if not each.values), None)
    if missing is not None and missing.standby is not None:
        told = f"zone {missing.zone}: not published there, and {missing.standby.message}"
        return Condition("Published", False, "NotPublishedThere", f"{told}; declare this record in its cluster too")
    shown = "; ".join(f"{each.zone}: {', '.join(each.values)}" for each in picture.zones)
    return Condition("Published", True, "PublishedByAnotherSite", f"another site keeps it ({shown})")


def _declared_otherwise(picture: RecordPicture, zone: ZonePicture) -> Condition | None:
    """Return what there is to say where another site keeps a zone, agreed on or not, and means other values."""
    strange = [value for value in zone.values if not _is_declared(picture, value)]
    if zone.standby is None or not strange:
        return None
    told = f"zone {zone.zone}: another site publishes {', '.join(strange)}, which no endpoint here has"
    cure = "declare the same in both clusters, or give each an owner of its own"
    return Condition("Published", False, "DeclaredOtherwise", f"{told}; {cure}")


def _is_declared(picture: RecordPicture, value: str) -> bool:
    """Tell whether a published value may be one of an endpoint here; what a hostname resolves to differs by place."""
    endpoints = picture.record.endpoints
    if picture.record.publish is Publish.CNAME:
        return any(value == each.hostname for each in endpoints)
    return any(value in each.addresses or each.hostname is not None for each in endpoints)


def _healthy(picture: RecordPicture) -> Condition:
    total = len(picture.record.endpoints)
    bad = [f"{name} {health.verdict.lower()}: {health.message}" for name, health in picture.healths if health.message]
    told = f"{picture.healthy} of {total} endpoints are healthy" + (f" ({'; '.join(bad[:4])})" if bad else "")
    if picture.healthy == total:
        return Condition("Healthy", True, "AllHealthy", told)
    if picture.healthy:
        return Condition("Healthy", False, "SomeUnhealthy", told)
    if all(health.verdict is Verdict.UNKNOWN for _, health in picture.healths):
        return Condition("Healthy", None, "NoVerdict", told)
    return Condition("Healthy", False, "NoneHealthy", told)


def _failed_over(picture: RecordPicture) -> Condition:
    record, serving = picture.record, serving_now(picture)
    if not serving:
        return Condition("FailedOver", False, "NothingServes", "nothing is published yet")
    told = picture.reason if all(each.published for each in picture.zones) else f"decided: {picture.reason}"
    if record.strategy is Strategy.MULTI_VALUE:
        away = len(serving) < len(record.endpoints)
        return Condition("FailedOver", away, "SomeLeftOut" if away else "AllServe", told)
    best = min(each.priority for each in record.endpoints)
    away = min(each.priority for each in serving) > best
    return Condition("FailedOver", away, "OnLowerPriority" if away else "OnFirstPriority", told)


def _endpoint(name: str, health: EndpointHealth, held_out_until: float | None, returns_at: float | None) -> Status:
    told: Status = {
        "name": name,
        "verdict": health.verdict.value,
        "since": timestamp(health.since),
        "addresses": [{"address": address, "verdict": verdict.value} for address, verdict in health.addresses],
    }
    if health.reason:
        told |= {"reason": health.reason, "message": health.message}
    if held_out_until is not None:
        told["heldOutUntil"] = until = timestamp(held_out_until)
        if not health.reason:
            why = f"its verdict has changed {len(health.changes)} times within an hour"
            waits = f"it waits until {until}, unless too few others are healthy"
            told |= {"reason": "ChangesTooOften", "message": f"{why}: {waits}"}
    if returns_at is not None:
        told["returnsAt"] = at = timestamp(returns_at)
        if "reason" not in told:
            told |= {"reason": "HeldDown", "message": f"it is held down, and returns at {at} if it stays healthy"}
    if health.failed_at is not None:
        told["lastFailureAt"] = timestamp(health.failed_at)
    if health.confirmed_at is not None:
        told["confirmedAt"] = timestamp(health.confirmed_at)
    if health.latency is not None:
        told["latencyMilliseconds"] = max(1, round(health.latency * 1000))
    if health.checks:
        told["checks"] = [_check(name, found) for name, found in _by_name(health.checks).items()]
    return told


def _by_name(findings: Iterable[CheckFinding]) -> dict[str, list[CheckFinding]]:
    found: dict[str, list[CheckFinding]] = {}
    for each in findings:
        found.setdefault(each.name, []).append(each)
    return found


def _check(name: str, findings: Sequence[CheckFinding]) -> Status:
    """Return what one check says of an endpoint: Healthy while it passes at any address, Unhealthy where at none."""
    verdicts = [each.verdict for each in findings]
    if Verdict.HEALTHY in verdicts:
        return {"name": name, "verdict": Verdict.HEALTHY.value}
    verdict = Verdict.UNHEALTHY if all(each is Verdict.UNHEALTHY for each in verdicts) else Verdict.UNKNOWN
    message = next((each.message for each in findings if each.message), "")
    return {"name": name, "verdict": verdict.value, **({"message": message} if message else {})}


def _zone(picture: ZonePicture) -> Status:
    told: Status = {
        "name": picture.zone.name,
        "namespace": picture.zone.namespace,
        "published": picture.published,
        "values": list(picture.values),
    }
    if picture.generation is not None:
        told["generation"] = picture.generation
    if picture.zone_id is not None:
        told["zoneID"] = picture.zone_id
    if picture.would_publish is not None:
        told["wouldPublish"] = list(picture.would_publish)
    if picture.verified_at is not None:
        told["verifiedAt"] = timestamp(picture.verified_at)
    if message := picture.refusal.message if picture.refusal else picture.message:
        told["message"] = message
    return told


def _left_zone(picture: ZonePicture, why: Explanation | None) -> Status:
    """Return what stands of a zone that the record leaves."""
    told = _zone(picture) | {"leaving": True}
    told["message"] = f"leaving: {why.message}" if why else "leaving: the name is being removed"
    return told
