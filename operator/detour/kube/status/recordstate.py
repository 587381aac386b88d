"""One word for a FailoverRecord, one sentence why, and whether it takes a person to mend it.

The sentence names the cause, and what to do where something is to be done.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from detour.enactment.wishes import Explanation
from detour.engine.overrides import told_of
from detour.engine.pictures import RecordPicture, ZonePicture
from detour.kube.status.conditions import STALLED, Condition
from detour.kube.status.progress import DEADLINE_EXCEEDED
from detour.model.endpoint import AdminState
from detour.model.health import Verdict
from detour.model.overrides import Action
from detour.model.record import Publish
from detour.model.states import RecordState
from detour.model.timestamps import timestamp
from detour.planning.decision import Basis, Serving
from detour.planning.safety.rules import HoldReason

NOBODY_CHECKED = "CannotBeChecked"
PASSING = frozenset(
    {
        NOBODY_CHECKED,
        "Contested",
        "InProgress",
        "InternalError",
        "LedgerRestored",
        "NotCheckedYet",
        "NotVisible",
        "OutcomeUnknown",
        "Pending",
        "ProviderError",
        "ProviderUnreachable",
        "Starting",
        "Superseded",
        "Throttled",
        "UnexpectedAnswer",
        "ZoneElsewhere",
    }
)
"""Reasons of conditions that are tried again and may go by themselves."""

OF_THE_ZONE = PASSING | {"CredentialsRefused", "SecretMissing", "SecretUnreadable", "ZoneNotFound", "DuplicateZone"}
"""Reasons for which a record waits for its zone, while nothing is wrong with itself."""

MISTAKES = frozenset({"PinInvalid", "UnknownAnnotation", "UnknownRegion"})
"""Reasons for which a part of what a person asked for is not followed, while the name works."""

SERVED_IS_DEAD = "NothingServedWorks"
TOLD = 3


class Standing(NamedTuple):
    """How a record stands. `needs_a_person`: it will not mend itself; `mistake`: a part of it is not followed."""

    state: RecordState
    message: str
    needs_a_person: bool
    mistake: Explanation | None = None


def serving_now(picture: RecordPicture, zones: Iterable[ZonePicture] | None = None) -> tuple[Serving, ...]:
    """Return the endpoints that some zones (all, unless it is said) answer with now: not always what was decided."""
    present = {value for zone in (picture.zones if zones is None else zones) for value in zone.values}
    healths = dict(picture.healths)
    found = []
    for each in picture.record.endpoints:
        resolved = tuple(address for address, _ in healths[each.name].addresses) if each.name in healths else ()
        stands_for = (each.hostname,) if picture.record.publish is Publish.CNAME else each.addresses or resolved
        values = tuple(value for value in stands_for if value in present)
        found += [Serving(each.name, each.region, each.priority, values)] if values else []
    return tuple(found)


def what_is_served(picture: RecordPicture) -> tuple[bool | None, str]:
    """Tell whether anything that is served works, None where nobody knows, and why it does not."""
    healths = dict(picture.healths)
    served = [(each.endpoint, healths[each.endpoint]) for each in serving_now(picture) if each.endpoint in healths]
    if not served:
        return None, "nothing that is served is an endpoint of this record, so nobody checks it"
    if any(health.verdict is Verdict.HEALTHY for _, health in served):
        return True, ""
    why = "; ".join(f"{name}: {health.message or 'not checked yet'}" for name, health in served[:TOLD])
    more = f"; and {len(served) - TOLD} more" if len(served) > TOLD else ""
    verdicts = {health.verdict for _, health in served}
    return (False if verdicts == {Verdict.UNHEALTHY} else None), why + more


def standing(picture: RecordPicture, conditions: Iterable[Condition]) -> Standing:
    """Return how a record stands that has these conditions."""
    by_type = {each.type: each for each in conditions}
    ready, published = by_type["Ready"], by_type["Published"]
    works, why_not = what_is_served(picture)
    has_values = any(each.values for each in picture.zones)
    if picture.being_deleted:
        return Standing(RecordState.DELETING, published.message, needs_a_person=published.reason == "Held")
    if is_refused(picture):
        return Standing(RecordState.REFUSED, published.message, needs_a_person=published.reason not in PASSING)
    if ready.reason == "Standby":
        return Standing(RecordState.STANDBY, ready.message, needs_a_person=False)
    is_doubted = any(each.held is HoldReason.PANIC for each in picture.zones)
    if has_values and not is_doubted and (works is False or (works is None and ready.reason == "NoHealthyEndpoint")):
        is_on_its_way = _is_on_its_way(picture, published) and published.reason in PASSING
        message = _told_of_down(picture, ready, published, why_not)
        return Standing(RecordState.DOWN, message, needs_a_person=not is_on_its_way)
    if published.reason == "Held":
        return Standing(RecordState.HELD, published.message, needs_a_person=True)
    if picture.record.suspend or picture.dry_run:
        return Standing(RecordState.SUSPENDED, _told_of_suspension(picture, published), needs_a_person=not ready.holds)
    if not has_values:
        return Standing(RecordState.PENDING, published.message, needs_a_person=published.reason not in PASSING)
    found = _working(picture, by_type)
    mistake = next(
        (each for each in (*picture.warnings, picture.pin_refusal) if each and each.reason in MISTAKES), None
    )
    if mistake is None:
        return found
    told = found.message if mistake.message in found.message else f"{found.message}; {mistake.message}"
    return Standing(found.state, told, needs_a_person=True, mistake=mistake)


def _working(picture: RecordPicture, by_type: Mapping[str, Condition]) -> Standing:
    """Return how a record stands that answers with something that works, as far as anybody knows."""
    ready, published = by_type["Ready"], by_type["Published"]
    needs_a_person = not ready.holds and ready.reason not in PASSING
    if not published.holds and published.reason != "InProgress":
        return Standing(RecordState.DEGRADED, published.message, needs_a_person)
    if ready.holds is None:
        return Standing(RecordState.DEGRADED, ready.message, needs_a_person)
    if picture.basis is Basis.PINNED:
        return Standing(RecordState.PINNED, by_type["Pinned"].message, needs_a_person)
    if by_type["FailedOver"].holds and by_type["FailedOver"].reason == "OnLowerPriority":
        return Standing(RecordState.FAILED_OVER, _told_of_failover(picture, by_type), needs_a_person)
    if by_type["Degraded"].holds:
        return Standing(RecordState.DEGRADED, by_type["Degraded"].message, needs_a_person)
    return Standing(RecordState.OK, ready.message, needs_a_person)


def stuck(stands: Standing, under_way: Iterable[Condition]) -> Standing:
    """Return how a record stands that has been on its way for too long, by what there is to say of its progress."""
    late = (each for each in under_way if each.type == STALLED and each.reason == DEADLINE_EXCEEDED)
    stalled = next(late, None)
    if stalled is None or stands.state not in (RecordState.OK, RecordState.FAILED_OVER, RecordState.PINNED):
        return stands
    return Standing(RecordState.DEGRADED, stalled.message, needs_a_person=True)


def is_refused(picture: RecordPicture) -> bool:
    """Tell whether nothing of a record is followed, for a reason that lies in its declaration."""
    if picture.refusal is not None:
        return True
    refused = [each for each in picture.zones if each.refusal is not None and each.refusal.reason not in OF_THE_ZONE]
    return bool(refused) and len(refused) == len(picture.zones)


def _is_on_its_way(picture: RecordPicture, published: Condition) -> bool:
    """Tell whether something that works is decided, and is not written yet."""
    return not published.holds and picture.basis is Basis.CHOSEN


def _told_of_down(picture: RecordPicture, ready: Condition, published: Condition, why_not: str) -> str:
    name = f"{picture.record.key.name} -n {picture.record.key.namespace}"
    if picture.basis is Basis.PINNED:
        cure = f"end the pin: {_how_to_end(picture, Action.PIN)}"
        return f"nothing that is pinned (revision {picture.record.pin}) works: {why_not}; {cure}"
    if picture.basis is Basis.FORCED:
        cure = f"mend the check, or end what forces it up: {_how_to_end(picture, Action.FORCE_UP)}"
        return f"nothing that is served passes its checks: {why_not}; {picture.reason}; {cure}"
    held = next((each for each in picture.zones if each.held is not None), None)
    if held is not None:
        return f"nothing that is served works ({why_not}), and the safety gate holds the change: {ready.message}"
    if _is_on_its_way(picture, published):
        decided = f"another place is decided on ({picture.reason}), and not written"
        return f"nothing that is served works ({why_not}); {decided}: {published.message}"
    cure = f"mend the endpoints, or the check if they do work: `detour check {name}` makes it from where you are"
    return f"nothing that is served works ({why_not}), and no other endpoint is fit; {cure}"


def _how_to_end(picture: RecordPicture, action: Action) -> str:
    """Return the command that ends the overrides of a kind."""
    names = " ".join(each.key.name for each in picture.overrides if each.action is action)
    return f"`kubectl delete override {names} -n {picture.record.key.namespace}`"


def _told_of_suspension(picture: RecordPicture, published: Condition) -> str:
    freeze = next((each for each in picture.overrides if each.action is Action.FREEZE), None)
    told = "the operator runs with --dry-run" if picture.dry_run else "spec.suspend is true"
    if freeze is not None and not picture.dry_run:
        told = f"frozen by {told_of(freeze)} until {timestamp(freeze.expires)}"
    if published.reason == "WouldPublish":
        return f"{told}: {published.message}"
    return f"{told}: nothing is written, whatever fails; what is published is what would be"


def _told_of_failover(picture: RecordPicture, conditions: Mapping[str, Condition]) -> str:
    served = ", ".join(each.endpoint for each in serving_now(picture))
    return f"served by {served}: {conditions['FailedOver'].message}{_when_they_return(picture)}"


def _when_they_return(picture: RecordPicture) -> str:
    if not picture.returning:
        return ""
    told = ", ".join(f"{name} {timestamp(at)}" for name, at in picture.returning[:TOLD])
    return f"; returns if it stays healthy: {told}"


def degraded(picture: RecordPicture) -> Condition:
    """Return the condition Degraded: what is missing while the name works."""
    healths, found = dict(picture.healths), list[tuple[str, str]]()
    for each in picture.record.endpoints:
        health = healths.get(each.name)
        if health is None or each.state is AdminState.DRAINED:
            continue
        if health.verdict is Verdict.UNHEALTHY:
            found.append(("EndpointsUnhealthy", f"{each.name} is unhealthy: {health.message}"))
        elif health.verdict is Verdict.UNKNOWN:
            found.append((NOBODY_CHECKED, f"{each.name} is not known to work: {health.message}"))
        elif health.reason:
            found.append((health.reason, f"{each.name}: {health.message}"))
    found += [("HeldDown", f"{name} returns at {timestamp(at)} if it stays healthy") for name, at in picture.returning]
    found += [(each.reason, each.message) for each in picture.warnings]
    if picture.pin_refusal is not None:
        found.append((picture.pin_refusal.reason, picture.pin_refusal.message))
    for zone in picture.zones:
        if zone.refusal is not None and zone.standby is None and not zone.published:
            found.append(("ZoneBehind", f"zone {zone.zone}: {zone.refusal.message}"))
        elif zone.published and zone.trouble is not None and zone.trouble.reason not in PASSING:
            found.append((zone.trouble.reason, f"zone {zone.zone} cannot be written: {zone.trouble.message}"))
    if not found:
        return Condition("Degraded", False, "NothingMissing", "every endpoint is checked and healthy")
    told = "; ".join(message for _, message in found[:TOLD])
    more = f"; and {len(found) - TOLD} more" if len(found) > TOLD else ""
    return Condition("Degraded", True, found[0][0], told + more)
