"""From what there is to report to the status that `kubectl` shows. Pure: times come in, nothing is written here."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detour.enactment.leaving import SAME_HOSTED_ZONE, SUSPENDED, leaving_digest
from detour.enactment.takeover import HELD_BY_ANOTHER_SITE
from detour.enactment.wishes import Explanation, is_throttling
from detour.engine.pictures import (
    LOOKS_TOLD_EVERY,
    RecordPicture,
    RegionPicture,
    VantagePicture,
    ZoneObjectPicture,
    ZonePicture,
)
from detour.health.regions import CanaryFinding, RegionPhase
from detour.health.reports import WEEK, Weeks, begins
from detour.health.signals import SignalFinding
from detour.health.vantages import NEW, NOT_HEARD, STALE
from detour.kube.resources.vantage import VantageState
from detour.model.health import CheckFinding, EndpointHealth, Verdict
from detour.model.record import Publish, Strategy
from detour.model.timestamps import timestamp
from detour.model.zone import Safety
from detour.planning.decision import Basis, Serving
from detour.planning.safety.departures import FREE_NAMES, FREE_SHARE, Blocked
from detour.planning.safety.rules import FREE_DELETIONS, FREE_SHARE_OF_DELETIONS, HoldReason
from detour.planning.trial import PATIENCE

NOT_READ = "the zone has not been read yet"

STAYING_TOLD = 3
HELD_TOLD = 3
HELD_SHOWN = 10

PENDING_TOLD = 30.0
"""Seconds for which changes must have to wait for the time to be told at which they will be sent; and its grain."""

NOTICED_STEPS = (10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
"""Seconds that people are told for a shorter time: a status does not change with every name."""
"""Held changes named in the condition, and in the status."""

Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """One aspect of an object. `holds` None is Unknown."""

    type: str
    holds: bool | None
    reason: str
    message: str

    @property
    def status(self) -> str:
        """What Kubernetes calls it: `True`, `False` or `Unknown`."""
        return "Unknown" if self.holds is None else str(self.holds)


def conditions_status(
    conditions: Sequence[Condition], previous: Sequence[Mapping[str, Any]], generation: int, now: float
) -> list[Status]:
    """Return `conditions` for a status; a transition time stays while the status of its condition does."""
    before = {each.get("type"): each for each in previous if isinstance(each, Mapping)}
    written = []
    for each in conditions:
        old = before.get(each.type, {})
        same = old.get("status") == each.status and old.get("lastTransitionTime")
        written.append(
            {
                "type": each.type,
                "status": each.status,
                "reason": each.reason,
                "message": each.message,
                "observedGeneration": generation,
                "lastTransitionTime": old["lastTransitionTime"] if same else timestamp(now),
            }
        )
    return written


def record_status(
    picture: RecordPicture, previous: Mapping[str, Any], now: float, conditions: Sequence[Condition]
) -> Status:
    """Return the status of a FailoverRecord with these conditions; `previous` is the one that it has."""
    record, serving, held_out = picture.record, _serving_now(picture), dict(picture.held_out)
    status: Status = {
        "observedGeneration": record.generation,
        "summary": {
            "serving": ",".join(each.endpoint for each in serving) or "-",
            "healthy": f"{picture.healthy}/{len(record.endpoints)}",
            "zones": f"{sum(each.published for each in picture.zones)}/{len(picture.zones)}",
            **({"pinned": str(record.pin)} if picture.basis is Basis.PINNED else {}),
        },
        "serving": [{"name": each.endpoint, "region": each.region, "values": list(each.values)} for each in serving],
        "endpoints": [_endpoint(name, health, held_out.get(name)) for name, health in picture.healths],
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
    """Return Ready, Published, Healthy, FailedOver and Pinned, and Leaving while the record leaves a zone."""
    published, healthy = _published(picture), _healthy(picture)
    failed_over, pinned = _failed_over(picture), _pinned(picture)
    ours = [each for each in picture.zones if each.standby is None]
    if not published.holds:
        ready = Condition("Ready", published.holds, published.reason, published.message)
    elif not ours:
        ready = Condition("Ready", True, "Standby", published.message)
    elif picture.basis not in (Basis.CHOSEN, Basis.PINNED):
        ready = Condition("Ready", False, "NoHealthyEndpoint", f"published, but {picture.reason}")
    elif unseen := next((each for each in ours if each.verified_at is None), None):
        ready = Condition("Ready", False, "NotVisible", f"zone {unseen.zone}: {unseen.message or 'not verified yet'}")
    else:
        ready = Condition("Ready", True, "Serving", f"every zone answers with what was decided: {picture.reason}")
    return ready, published, healthy, failed_over, pinned, *_leaving(picture)


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
        told = f"{picture.reason}: health decides nothing until it is removed"
        return Condition("Pinned", True, "PinnedByUser", told)
    return Condition("Pinned", False, "NotPinned", "health decides what is published")


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


def _endpoint(name: str, health: EndpointHealth, held_out_until: float | None) -> Status:
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
    """Return Ready, InForce, Frozen, Throttled and Warning."""
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
    told = "the provider asked for patience: changes wait" if throttled else "the provider takes requests as they come"
    warned = picture.warnings[0] if picture.warnings else None
    return (
        ready,
        _in_force(picture),
        _frozen(picture),
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


def _frozen(picture: ZoneObjectPicture) -> Condition:
    """Say what the safety gate holds, why, how much, and the command that lets it through."""
    held, zone = picture.holds.changes, picture.zone
    if not held:
        frozen = zone.safety.frozen
        told = "spec.safety.frozen is true: nothing is changed, and nothing waits" if frozen else "nothing is held"
        unused = f"; detour.dev/approve={zone.approved} approves nothing" if zone.approved else ""
        return Condition("Frozen", frozen, HoldReason.FREEZE if frozen else "NothingHeld", f"{told}{unused}")
    reasons = sorted({each.reason for each in held})
    why = "; ".join(_why_held(reason, zone.safety, picture.holds.blocked) for reason in reasons)
    shown = "; ".join(each.line for each in held[:HELD_TOLD])
    more = f"; and {len(held) - HELD_TOLD} more" if len(held) > HELD_TOLD else ""
    approve = f"kubectl annotate dz/{zone.key.name} -n {zone.key.namespace} --overwrite detour.dev/approve="
    is_stale = zone.approved and zone.approved != picture.holds.digest
    stale = f" (detour.dev/approve={zone.approved} stands for other changes)" if is_stale else ""
    told = f"{len(held)} changes are held ({shown}{more}) because {why}. To let exactly these through: `{approve}"
    return Condition("Frozen", True, reasons[0], f"{told}{picture.holds.digest}`{stale}")


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


def region_conditions(picture: RegionPicture) -> tuple[Condition, ...]:
    """Return Healthy."""
    fine = {RegionPhase.HEALTHY: True, RegionPhase.DRAINED: True, RegionPhase.UNKNOWN: None}.get(picture.phase, False)
    return (Condition("Healthy", fine, *_told_of_region(picture)),)


def _told_of_region(picture: RegionPicture) -> tuple[str, str]:
    """Return why a region is as it is: a word and a sentence."""
    region, judgement = picture.region, picture.judgement
    stuck = _told_of_stuck(picture)
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
    overrides = '{"spec":{"overrides":["MinRegionsInService"]}}'
    command = f"kubectl patch region {region.name} --type=merge -p '{overrides}'"
    told = f"the drain is not followed: {few} would be left in service. To drain it all the same: `{command}`"
    return "MinRegionsInService", told


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
