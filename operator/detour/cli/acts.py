"""What people do to objects: what each act changes, what it will lead to, and what speaks against it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detour.cli.told import Told, mapping, mappings, words
from detour.kube.annotations import APPROVE_ANNOTATION, FAILBACK_ANNOTATION
from detour.kube.kinds import GROUP, VERSION
from detour.model.objects import Kind
from detour.model.overrides import Action
from detour.model.states import OverrideState
from detour.model.timestamps import timestamp

SHOWN = 10
LONGEST_IN_NAME = 40
"""Characters of an object's name that the name of an override of it has."""

OUT = frozenset({"Drained", "Failing"})
"""States of a region that names do not move to."""


class RefusedError(Exception):
    """An act makes no sense, or needs --force. The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Patch:
    """`body` is merged into an object (RFC 7396)."""

    kind: Kind
    namespace: str
    name: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Create:
    """A new object."""

    kind: Kind
    namespace: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delete:
    """An object goes."""

    kind: Kind
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Act:
    """What is changed, in this order. `will` says what comes of it, line by line."""

    changes: tuple[Patch | Create | Delete, ...]
    will: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """An override that a person asks for: by whom, why, until when (RFC 3339), and `now` (seconds since the epoch)."""

    by: str
    reason: str
    until: str
    now: float

    @property
    def told(self) -> str:
        return f"until {self.until} ({self.reason})"

    def override(self, action: Action, about: Told, **spec: Any) -> Create:
        """Return the override that does `action` to an object: of its namespace where it is a record."""
        kind = Kind.OVERRIDE if about.kind is Kind.FAILOVER_RECORD else Kind.CLUSTER_OVERRIDE
        namespace = about.namespace if kind is Kind.OVERRIDE else ""
        stamp = timestamp(self.now).translate(str.maketrans("", "", "-:")).lower()
        name = f"{action.value.lower()}-{about.name[:LONGEST_IN_NAME].rstrip('-.')}-{stamp}"
        asked = {"reason": self.reason, "expiresAt": self.until, "requestedBy": self.by}
        body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": kind.title,
            "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
            "spec": {"action": action.value, **spec, **asked},
        }
        return Create(kind, namespace, body)


def drain(
    region: Told, records: Iterable[Told], regions: Mapping[str, Told], asked: Asked, *, sets_minimum_aside: bool
) -> Act:
    """Take a region out of service."""
    out = {region.name} | {name for name, each in regions.items() if each.state in OUT}
    here = [each for each in records if region.name in _regions_serving(each)]
    stay = [each for each in here if not _has_alternative(each, out)]
    will = [f"take region {region.name} out of service {asked.told}: {_count(here)} from there"]
    will += _some("moves", [each for each in here if each not in stay])
    will += _some("stays: it is pinned, suspended, or no other endpoint of it is healthy and in service", stay)
    if region.state == "Drained":
        will[0] = f"region {region.name} is drained already; {will[0]}"
    more = {"setAside": ["MinRegionsInService"]} if sets_minimum_aside else {}
    return Act((asked.override(Action.DRAIN, region, region=region.name, **more),), tuple(will))


def undrain(region: Told, overrides: Iterable[Told]) -> Act:
    """Put a region back into service. Raises RefusedError where it is not drained."""
    is_declared = region.spec.get("state") == "Drained"
    ended = _in_force(overrides, Action.DRAIN, region=region.name)
    if not (is_declared or ended):
        raise RefusedError(f"region {region.name} is not drained: it is {region.state}")
    will = [f"put region {region.name} back into service: records return once their hold-down is over"]
    changes: list[Patch | Create | Delete] = [*_ending(ended)]
    if is_declared:
        will.append("its spec.state becomes Active: where Git declares it Drained, change it there too")
        spec = {"state": "Active", "reason": None, "until": None, "setAside": None}
        changes.append(Patch(Kind.CLOUD_REGION, "", region.name, {"spec": spec}))
    return Act(tuple(changes), (*will, *_told_of_ending(ended)))


def freeze(zone: Told, overrides: Iterable[Told], asked: Asked) -> Act:
    """Let nothing change in a zone but by approval. Raises RefusedError where it is so already."""
    if _is_frozen(zone) or _in_force(overrides, Action.FREEZE, zone=_reference(zone)):
        raise RefusedError(f"zone {zone.shown} is frozen already")
    told = f"freeze zone {zone.shown} {asked.told}: nothing changes there, also no failover"
    return Act((asked.override(Action.FREEZE, zone, zone=_reference(zone)),), (told,))


def thaw(zone: Told, overrides: Iterable[Told]) -> Act:
    """Let a zone change again. Raises RefusedError where nobody has frozen it."""
    ended = _in_force(overrides, Action.FREEZE, zone=_reference(zone))
    if not (_is_frozen(zone) or ended):
        raise RefusedError(f"zone {zone.shown} is not frozen")
    held = mapping(zone.status.get("held")).get("count", 0)
    goes = "change goes" if held == 1 else "changes go"
    will = [f"thaw zone {zone.shown}: {held} held {goes} through, if nothing else holds them"]
    changes: list[Patch | Create | Delete] = [*_ending(ended)]
    if _is_frozen(zone):
        will.append("its spec.safety.frozen becomes false: where Git declares it true, change it there too")
        changes.append(Patch(*_of(zone), {"spec": {"safety": {"frozen": False}}}))
    return Act(tuple(changes), (*will, *_told_of_ending(ended)))


def _is_frozen(zone: Told) -> bool:
    return bool(mapping(zone.spec.get("safety")).get("frozen"))


def _reference(zone: Told) -> dict[str, str]:
    return {"name": zone.name, "namespace": zone.namespace}


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
    return Act((Patch(*_of(zone), _annotation(APPROVE_ANNOTATION, str(digest))),), tuple(will))


def failback(record: Told, now: float) -> Act:
    """Let whoever has recovered take its place again at once."""
    waiting = [str(each.get("name")) for each in record.listed("endpoints") if each.get("returnsAt")]
    manual = mapping(record.spec.get("failback")).get("mode") == "Manual"
    who = ", ".join(waiting) or (
        "every endpoint that has recovered" if manual else "nobody waits for a hold-down; whoever has recovered"
    )
    told = f"send {record.shown} back: {who} need not wait any longer"
    return Act((Patch(*_of(record), _annotation(FAILBACK_ANNOTATION, timestamp(now))),), (told,))


def pin(record: Told, asked: Asked, revision: str, *, force: bool) -> Act:
    """Serve an earlier set until the pin ends.

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
        f"pin {record.shown} to revision {revision} {asked.told}: {', '.join(values)}; checks decide nothing meanwhile"
    ]
    will += [f"these fail their checks now: {why}"] if dead else []
    return Act((asked.override(Action.PIN, record, record=record.name, revision=int(revision)),), tuple(will))


def unpin(record: Told, overrides: Iterable[Told]) -> Act:
    """Let checks decide again. Raises RefusedError where nothing is pinned."""
    ended = _in_force(overrides, Action.PIN, record=record.name)
    if not ended:
        raise RefusedError(f"{record.shown} is not pinned")
    return Act(_ending(ended), (f"unpin {record.shown}: checks decide again", *_told_of_ending(ended)))


def rollback(record: Told, asked: Asked, *, force: bool) -> Act:
    """Serve what was served before. Raises RefusedError where there is nothing before, or as `pin`."""
    history = record.listed("history")
    if len(history) < 2:
        raise RefusedError(f"{record.shown} has published nothing else: there is no earlier revision")
    return pin(record, asked, str(history[1].get("revision")), force=force)


FORCES = {
    Action.DRAIN: "takes no traffic",
    Action.FORCE_DOWN: "answers only where no other endpoint is fit",
    Action.FORCE_UP: "answers where no endpoint passes, whatever its checks say",
}
"""What can be forced of an endpoint, and what comes of it."""


def force(record: Told, asked: Asked, endpoint: str, action: Action) -> Act:
    """Set an endpoint above, or below, what its checks say. Raises RefusedError where the record has no such one."""
    names = [str(each.get("name")) for each in mappings(record.spec.get("endpoints"))]
    if endpoint not in names:
        raise RefusedError(f"{record.shown} has no endpoint {endpoint}: it has {', '.join(names)}")
    told = f"{endpoint} of {record.shown} {FORCES[action]}, {asked.told}"
    return Act((asked.override(action, record, record=record.name, endpoint=endpoint),), (f"see to it that {told}",))


def unforce(record: Told, overrides: Iterable[Told], endpoint: str) -> Act:
    """Let checks decide about an endpoint again. Raises RefusedError where nobody has forced it."""
    overrides = tuple(overrides)
    about = {"record": record.name, "endpoint": endpoint}
    ended = [each for action in FORCES for each in _in_force(overrides, action, **about)]
    if not ended:
        raise RefusedError(f"nobody has forced {endpoint} of {record.shown}")
    told = f"let checks decide about {endpoint} of {record.shown} again"
    return Act(_ending(ended), (told, *_told_of_ending(ended)))


def suspend(record: Told, overrides: Iterable[Told], asked: Asked) -> Act:
    """Write nothing for a record. Raises RefusedError where it is so already."""
    if record.spec.get("suspend") or _in_force(overrides, Action.FREEZE, record=record.name):
        raise RefusedError(f"{record.shown} is suspended already")
    told = f"suspend {record.shown} {asked.told}: it goes on deciding, and nothing is written, also no failover"
    return Act((asked.override(Action.FREEZE, record, record=record.name),), (told,))


def resume(record: Told, overrides: Iterable[Told]) -> Act:
    """Write again what is decided for a record. Raises RefusedError where nothing keeps it from that."""
    ended = _in_force(overrides, Action.FREEZE, record=record.name)
    is_declared = bool(record.spec.get("suspend"))
    if not (is_declared or ended):
        raise RefusedError(f"{record.shown} is not suspended")
    will = [f"resume {record.shown}: what is decided is written again"]
    changes: list[Patch | Create | Delete] = [*_ending(ended)]
    if is_declared:
        will.append("its spec.suspend becomes false: where Git declares it true, change it there too")
        changes.append(Patch(*_of(record), {"spec": {"suspend": False}}))
    return Act(tuple(changes), (*will, *_told_of_ending(ended)))


def _in_force(overrides: Iterable[Told], action: Action, **about: Any) -> list[Told]:
    """Return the overrides that do something to an object, or may once they are seen: those that are not over."""
    over = {OverrideState.EXPIRED.value, OverrideState.REFUSED.value}
    return [
        each
        for each in overrides
        if each.spec.get("action") == action.value and each.status.get("state") not in over
        if all(each.spec.get(name) == value for name, value in about.items())
    ]


def _ending(overrides: Iterable[Told]) -> tuple[Delete, ...]:
    return tuple(Delete(*_of(each)) for each in overrides)


def _told_of_ending(overrides: Iterable[Told]) -> list[str]:
    return [
        f"  override {each.name} of {each.spec.get('requestedBy')} ends ({each.spec.get('reason')})"
        for each in overrides
    ]


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
