"""What people do to objects: what each act changes, what it will lead to, and what speaks against it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detour.cli.told import Told, mapping, mappings, words
from detour.kube.annotations import APPROVE_ANNOTATION, FAILBACK_ANNOTATION, PIN_ANNOTATION
from detour.model.objects import Kind
from detour.model.timestamps import timestamp

SHOWN = 10
OUT = frozenset({"Drained", "Failing"})
"""States of a region that names do not move to."""


class RefusedError(Exception):
    """An act makes no sense, or needs --force. The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Act:
    """A change of one object: `patch` is merged into it (RFC 7396). `will` says what comes of it, line by line."""

    kind: Kind
    namespace: str
    name: str
    patch: Mapping[str, Any]
    will: tuple[str, ...]


def drain(
    region: Told,
    records: Iterable[Told],
    regions: Mapping[str, Told],
    *,
    reason: str,
    until: str | None,
    override: bool,
) -> Act:
    """Take a region out of service. Of one that is drained already what is not given stays as it is."""
    out = {region.name} | {name for name, each in regions.items() if each.state in OUT}
    here = [each for each in records if region.name in _regions_serving(each)]
    stay = [each for each in here if not _has_alternative(each, out)]
    will = [f"take region {region.name} out of service{f' until {until}' if until else ''}: {_count(here)} from there"]
    will += _some("moves", [each for each in here if each not in stay])
    will += _some("stays: it is pinned, suspended, or no other endpoint of it is healthy and in service", stay)
    if region.spec.get("state") == "Drained":
        will[0] = f"region {region.name} is drained already; {will[0]}"
    spec: dict[str, Any] = {"state": "Drained"}
    given = {"reason": reason, "until": until, "overrides": ["MinRegionsInService"] if override else None}
    is_new = region.spec.get("state") != "Drained"
    spec |= {name: value or None for name, value in given.items() if value or is_new}
    return Act(Kind.CLOUD_REGION, "", region.name, {"spec": spec}, tuple(will))


def undrain(region: Told) -> Act:
    """Put a region back into service. Raises RefusedError where it is not drained."""
    if region.spec.get("state") != "Drained":
        raise RefusedError(f"region {region.name} is not drained: it is {region.state}")
    spec = {"state": "Active", "reason": None, "until": None, "overrides": None}
    told = f"put region {region.name} back into service: records return once their hold-down is over"
    return Act(Kind.CLOUD_REGION, "", region.name, {"spec": spec}, (told,))


def freeze(zone: Told, *, frozen: bool) -> Act:
    """Let nothing change in a zone but by approval, or end that. Raises RefusedError where it is so already."""
    is_frozen = bool(mapping(zone.spec.get("safety")).get("frozen"))
    if is_frozen is frozen:
        raise RefusedError(f"zone {zone.shown} is {'frozen already' if frozen else 'not frozen'}")
    held = mapping(zone.status.get("held")).get("count", 0)
    will = (
        f"freeze zone {zone.shown}: nothing changes there, also no failover, until it is thawed"
        if frozen
        else f"thaw zone {zone.shown}: {held} held {'change goes' if held == 1 else 'changes go'} through, if nothing "
        "else holds them"
    )
    patch = {"spec": {"safety": {"frozen": frozen}}}
    return Act(Kind.DNS_ZONE, zone.namespace, zone.name, patch, (will,))


def approve(zone: Told) -> Act:
    """Let through what the safety gate holds in a zone. Raises RefusedError where it holds nothing."""
    held = mapping(zone.status.get("held"))
    digest = held.get("digest")
    if not digest:
        raise RefusedError(f"nothing is held in zone {zone.shown}")
    changes = words(held.get("changes"))
    count = int(held.get("count") or len(changes))
    will = [
        f"let through exactly what is held in zone {zone.shown} now, {count} {'change' if count == 1 else 'changes'}:"
    ]
    will += [f"  {each}" for each in changes]
    if count > len(changes):
        will.append(f"  and {count - len(changes)} more, which the status does not list")
    return Act(Kind.DNS_ZONE, zone.namespace, zone.name, _annotation(APPROVE_ANNOTATION, str(digest)), tuple(will))


def failback(record: Told, now: float) -> Act:
    """Let whoever has recovered take its place again at once."""
    waiting = [str(each.get("name")) for each in record.listed("endpoints") if each.get("returnsAt")]
    manual = mapping(record.spec.get("failback")).get("mode") == "Manual"
    who = ", ".join(waiting) or (
        "every endpoint that has recovered" if manual else "nobody waits for a hold-down; whoever has recovered"
    )
    told = f"send {record.shown} back: {who} need not wait any longer"
    return Act(*_of(record), _annotation(FAILBACK_ANNOTATION, timestamp(now)), (told,))


def pin(record: Told, revision: str, *, force: bool) -> Act:
    """Serve an earlier set until the pin is taken off.

    Raises RefusedError where there is no such revision, or a value of it fails its check and it is not forced.
    """
    history = {str(each.get("revision")): each for each in record.listed("history")}
    if revision not in history:
        raise RefusedError(f"{record.shown} has no revision {revision}: it has {', '.join(history) or 'none yet'}")
    values = words(history[revision].get("values"))
    failing = {
        str(address.get("address")): str(each.get("message") or each.get("reason") or "it fails")
        for each in record.listed("endpoints")
        for address in mappings(each.get("addresses"))
        if address.get("verdict") == "Unhealthy"
    }
    unhealthy = {
        str(each.get("name")): each for each in record.listed("endpoints") if each.get("verdict") == "Unhealthy"
    }
    for each in mappings(record.spec.get("endpoints")):
        if each.get("hostname") and (found := unhealthy.get(str(each.get("name")))):
            failing[str(each["hostname"])] = str(found.get("message") or "it fails")
    dead = [each for each in values if each in failing]
    why = "; ".join(f"{each} ({failing[each]})" for each in dead)
    if dead and not force:
        raise RefusedError(
            f"of revision {revision} these fail their checks now: {why}. To pin it all the same: --force"
        )
    will = [
        f"pin {record.shown} to revision {revision}: {', '.join(values)}; checks decide nothing until it is unpinned"
    ]
    will += [f"these fail their checks now: {why}"] if dead else []
    return Act(*_of(record), _annotation(PIN_ANNOTATION, revision), tuple(will))


def unpin(record: Told) -> Act:
    """Let checks decide again. Raises RefusedError where nothing is pinned."""
    pinned = mapping(mapping(record.raw.get("metadata")).get("annotations")).get(PIN_ANNOTATION)
    if pinned is None:
        raise RefusedError(f"{record.shown} is not pinned")
    return Act(*_of(record), _annotation(PIN_ANNOTATION, None), (f"unpin {record.shown}: checks decide again",))


def rollback(record: Told, *, force: bool) -> Act:
    """Serve what was served before. Raises RefusedError where there is nothing before, or as `pin`."""
    history = record.listed("history")
    if len(history) < 2:
        raise RefusedError(f"{record.shown} has published nothing else: there is no earlier revision")
    return pin(record, str(history[1].get("revision")), force=force)


def suspend(record: Told, *, suspended: bool) -> Act:
    """Write nothing for a record, or end that. Raises RefusedError where it is so already."""
    if bool(record.spec.get("suspend")) is suspended:
        raise RefusedError(f"{record.shown} is {'suspended already' if suspended else 'not suspended'}")
    told = (
        f"suspend {record.shown}: it goes on deciding and reporting, and nothing is written, also no failover"
        if suspended
        else f"resume {record.shown}: what is decided is written again"
    )
    return Act(*_of(record), {"spec": {"suspend": suspended}}, (told,))


def _annotation(name: str, value: str | None) -> dict[str, Any]:
    return {"metadata": {"annotations": {name: value}}}


def _of(record: Told) -> tuple[Kind, str, str]:
    return record.kind, record.namespace, record.name


def _regions_serving(record: Told) -> set[str]:
    return {str(each.get("region")) for each in record.listed("serving")}


def _has_alternative(record: Told, out: set[str]) -> bool:
    if record.state in ("Pinned", "Suspended", "Held"):
        return False
    regions = {str(each.get("name")): each for each in mappings(record.spec.get("endpoints"))}
    return any(
        each.get("verdict") == "Healthy"
        and regions.get(str(each.get("name")), {}).get("region") not in out
        and regions.get(str(each.get("name")), {}).get("state") != "Drained"
        for each in record.listed("endpoints")
    )


def _count(records: Sequence[Told]) -> str:
    return f"{len(records)} {'record answers' if len(records) == 1 else 'records answer'}"


def _some(what: str, records: Sequence[Told]) -> list[str]:
    shown = [f"  {each.shown} {what}" for each in records[:SHOWN]]
    return shown + ([f"  and {len(records) - SHOWN} more"] if len(records) > SHOWN else [])
