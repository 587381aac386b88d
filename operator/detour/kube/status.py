"""From what there is to report to the status that `kubectl` shows. Pure: times come in, nothing is written here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from detour.kube.picture import RecordPicture, RegionPicture, ZoneObjectPicture, ZonePicture
from detour.model.health import EndpointHealth, Verdict
from detour.model.record import Publish, Strategy
from detour.planning.planner import Basis, Serving

Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """One aspect of an object. `holds` None is Unknown."""

    type: str
    holds: bool | None
    reason: str
    message: str


def timestamp(at: float) -> str:
    """Return `at` (seconds since the Unix epoch) as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def conditions_status(
    conditions: Sequence[Condition], previous: Sequence[Mapping[str, Any]], generation: int, now: float
) -> list[Status]:
    """Return `conditions` for a status; a transition time stays while the status of its condition does."""
    before = {each.get("type"): each for each in previous if isinstance(each, Mapping)}
    written = []
    for each in conditions:
        status = {True: "True", False: "False", None: "Unknown"}[each.holds]
        old = before.get(each.type, {})
        same = old.get("status") == status and old.get("lastTransitionTime")
        written.append(
            {
                "type": each.type,
                "status": status,
                "reason": each.reason,
                "message": each.message,
                "observedGeneration": generation,
                "lastTransitionTime": old["lastTransitionTime"] if same else timestamp(now),
            }
        )
    return written


def record_status(picture: RecordPicture, previous: Mapping[str, Any], now: float) -> Status:
    """Return the status of a FailoverRecord; `previous` is the one that it has."""
    record, serving = picture.record, _serving_now(picture)
    status: Status = {
        "observedGeneration": record.generation,
        "summary": {
            "serving": ",".join(each.endpoint for each in serving) or "-",
            "healthy": f"{picture.healthy}/{len(record.endpoints)}",
            "zones": f"{sum(each.published for each in picture.zones)}/{len(picture.zones)}",
        },
        "serving": [{"name": each.endpoint, "region": each.region, "values": list(each.values)} for each in serving],
        "endpoints": [_endpoint(name, health) for name, health in picture.healths],
        "zones": [_zone(each) for each in picture.zones],
        "history": [
            {"revision": each.number, "values": list(each.values), "reason": each.reason, "at": timestamp(each.at)}
            for each in picture.revisions
        ],
        "conditions": conditions_status(
            record_conditions(picture), previous.get("conditions") or (), record.generation, now
        ),
    }
    if picture.revisions:
        newest = picture.revisions[0]
        status["plan"] = {
            "revision": newest.number,
            "reason": picture.reason,
            "decidedAt": timestamp(newest.at),
        }
    return status


def _serving_now(picture: RecordPicture) -> tuple[Serving, ...]:
    """Return the endpoints that the zones answer with now, which is not always what was decided."""
    present = {value for zone in picture.zones for value in zone.values}
    healths = dict(picture.healths)
    found = []
    for each in picture.record.endpoints:
        resolved = tuple(address for address, _ in healths[each.name].addresses) if each.name in healths else ()
        stands_for = (each.hostname,) if picture.record.publish is Publish.CNAME else each.addresses or resolved
        values = tuple(value for value in stands_for if value in present)
        found += [Serving(each.name, each.region, each.priority, values)] if values else []
    return tuple(found)


def record_conditions(picture: RecordPicture) -> tuple[Condition, ...]:
    """Return Ready, Published, Healthy and FailedOver."""
    published, healthy = _published(picture), _healthy(picture)
    failed_over = _failed_over(picture)
    if not published.holds:
        ready = Condition("Ready", published.holds, published.reason, published.message)
    elif picture.basis is not Basis.CHOSEN:
        ready = Condition("Ready", False, "NoHealthyEndpoint", f"published, but {picture.reason}")
    elif unseen := next((each for each in picture.zones if each.verified_at is None), None):
        ready = Condition("Ready", False, "NotVisible", f"zone {unseen.zone}: {unseen.message or 'not verified yet'}")
    else:
        ready = Condition("Ready", True, "Serving", f"every zone answers with what was decided: {picture.reason}")
    return ready, published, healthy, failed_over


def _published(picture: RecordPicture) -> Condition:
    if picture.refusal is not None:
        return Condition("Published", False, picture.refusal.reason, picture.refusal.message)
    if picture.being_deleted:
        waiting = ", ".join(str(each.zone) for each in picture.zones if each.values)
        return Condition("Published", False, "Deleting", f"the name is being removed from {waiting or 'its zones'}")
    for each in picture.zones:
        if each.refusal is not None:
            return Condition("Published", False, each.refusal.reason, f"zone {each.zone}: {each.refusal.message}")
    if picture.pending is not None:
        return Condition("Published", None, "Pending", picture.pending)
    withheld = [each for each in picture.zones if each.would_publish is not None]
    if picture.dry_run or picture.record.suspend:
        reason = "Suspended" if picture.record.suspend else "DryRun"
        if withheld:
            wish = "; ".join(f"{each.zone}: {', '.join(each.would_publish or ())}" for each in withheld)
            return Condition("Published", False, "WouldPublish", f"{reason}: nothing is written; would publish {wish}")
    behind = [each for each in picture.zones if not each.published]
    if behind:
        return Condition("Published", False, "InProgress", f"zone {behind[0].zone}: {behind[0].message}")
    return Condition("Published", True, "InSync", f"{len(picture.zones)} of {len(picture.zones)} zones hold the plan")


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
    record, serving = picture.record, _serving_now(picture)
    if not serving:
        return Condition("FailedOver", False, "NothingServes", "nothing is published yet")
    told = picture.reason if all(each.published for each in picture.zones) else f"decided: {picture.reason}"
    if record.strategy is Strategy.MULTI_VALUE:
        away = len(serving) < len(record.endpoints)
        return Condition("FailedOver", away, "SomeLeftOut" if away else "AllServe", told)
    best = min(each.priority for each in record.endpoints)
    away = min(each.priority for each in serving) > best
    return Condition("FailedOver", away, "OnLowerPriority" if away else "OnFirstPriority", told)


def _endpoint(name: str, health: EndpointHealth) -> Status:
    told: Status = {
        "name": name,
        "verdict": health.verdict.value,
        "since": timestamp(health.since),
        "addresses": [{"address": address, "verdict": verdict.value} for address, verdict in health.addresses],
    }
    if health.reason:
        told |= {"reason": health.reason, "message": health.message}
    if health.failed_at is not None:
        told["lastFailureAt"] = timestamp(health.failed_at)
    if health.latency is not None:
        told["latencyMilliseconds"] = max(1, round(health.latency * 1000))
    return told


def _zone(picture: ZonePicture) -> Status:
    told: Status = {
        "name": picture.zone.name,
        "namespace": picture.zone.namespace,
        "published": picture.published,
        "values": list(picture.values),
    }
    if picture.generation is not None:
        told["generation"] = picture.generation
    if picture.would_publish is not None:
        told["wouldPublish"] = list(picture.would_publish)
    if picture.verified_at is not None:
        told["verifiedAt"] = timestamp(picture.verified_at)
    if message := picture.refusal.message if picture.refusal else picture.message:
        told["message"] = message
    return told


def zone_status(picture: ZoneObjectPicture, previous: Mapping[str, Any], now: float) -> Status:
    """Return the status of a DNSZone."""
    report = picture.report
    status: Status = {
        "observedGeneration": picture.zone.generation,
        "provider": picture.provider,
        "nameServers": list(report.name_servers),
        "ownedRecords": report.owned,
        "pendingChanges": report.pending,
        "orphanedRecords": {"count": len(report.orphans), "names": list(report.orphans[:10])},
        "conditions": conditions_status(
            zone_conditions(picture), previous.get("conditions") or (), picture.zone.generation, now
        ),
    }
    if report.zone_id is not None:
        status["zoneID"] = report.zone_id
    if report.negative_ttl is not None:
        status["negativeTTL"] = report.negative_ttl
    if report.generation is not None:
        status["ledger"] = {"generation": str(report.generation), "site": report.site or ""}
    if report.trouble is not None:
        status["lastError"] = report.trouble.message
    return status


def zone_conditions(picture: ZoneObjectPicture) -> tuple[Condition, ...]:
    """Return Ready, Throttled and Warning."""
    report = picture.report
    throttled = report.throttled_until is not None
    trouble = report.trouble if report.trouble is not None and report.trouble.reason != "Throttled" else None
    if trouble is not None:
        ready = Condition("Ready", False, trouble.reason, trouble.message)
    elif report.ready:
        ready = Condition("Ready", True, "InForce", "the zone is read, and written when there is something to write")
    else:
        ready = Condition("Ready", None, "Starting", "the zone has not been read yet")
    told = "the provider asked for patience: changes wait" if throttled else "the provider takes requests as they come"
    warned = picture.warnings[0] if picture.warnings else None
    return (
        ready,
        Condition("Throttled", throttled, "ProviderQuota" if throttled else "WithinQuota", told),
        Condition(
            "Warning",
            warned is not None,
            warned.reason if warned else "None",
            "; ".join(each.message for each in picture.warnings) or "nothing to warn of",
        ),
    )


def region_conditions(picture: RegionPicture) -> tuple[Condition, ...]:
    """Return Healthy."""
    health = picture.health
    fine = {"Healthy": True, "Drained": True, "Unknown": None}.get(health.phase.value, False)
    return (Condition("Healthy", fine, health.reason, health.message),)


def region_status(picture: RegionPicture, previous: Mapping[str, Any], now: float) -> Status:
    """Return the status of a CloudRegion; `since` outlives a restart."""
    health = picture.health
    since = previous.get("since") if previous.get("phase") == health.phase.value else None
    since = since or timestamp(picture.since)
    return {
        "observedGeneration": picture.generation,
        "phase": health.phase.value,
        "since": since,
        "reason": health.reason,
        "message": health.message,
        "endpoints": {
            "total": health.total,
            "healthy": health.healthy,
            "unhealthy": health.unhealthy,
            "unknown": health.unknown,
        },
        "conditions": conditions_status(
            region_conditions(picture), previous.get("conditions") or (), picture.generation, now
        ),
    }
