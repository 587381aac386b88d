"""Leader election with a Kubernetes Lease: what to do next, from what the Lease says. Pure.

A Lease is believed by the clock of whoever looks at it: it has expired once it was seen unchanged for as long as it is
to last. No clocks are compared (coordination.k8s.io/v1, LeaseSpec). Only a process that has just started need not wait
where the holder is the process before it of the same replica: that one has ended. Should two live processes share a
host name after all, the older stops when it sees the newer one, or at the ledger.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from detour import __version__
from detour.model.timestamps import parse_time
from detour.model.vantage import SignOfLife

LEASE_SECONDS = 10
"""For how long a Lease holds after it was renewed; a leader that is killed is replaced a little later."""

LONGEST_LEASE = 60
"""Seconds for which a Lease is believed at most, whatever it says: who holds it renews it every few seconds, and one
that says ten years would keep a cluster without a leader for as long."""

MOST_DIGITS = 15
"""Digits of a report's number that are read."""

MOST_TRANSITIONS = 2**31 - 1
"""The largest count that the API server takes (coordination.k8s.io/v1, LeaseSpec: int32)."""

RENEW_PERIOD = 3.0
"""Seconds between two renewals by the leader, and between two looks by the others."""

VANTAGE = "detour.dev/vantage"
"""The label of a Lease that is the heartbeat of a vantage, with its name."""

REPORT = "detour.dev/report"
"""The annotation of such a Lease that says which report still holds, by its number."""

LEADER = "detour.dev/leader"
"""The label of a Lease by which replicas elect a leader."""

RELEASE = "detour.dev/version"
"""The annotation of such a Lease with the version of whoever holds it."""

HANDED_OVER = "detour.dev/handed-over"
"""The annotation that says when the holder before gave the Lease away."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A Lease as the API server holds it. `holder` is empty where it was given up; `seconds` is how long it lasts.

    `version` is the object's resourceVersion: it changes with every renewal. `acquired` is when the holder took it,
    empty where that is not known; `handed_over` when a holder last gave it to another by name, empty where none has.
    `doubt` says what of it is not believed.
    """

    holder: str
    seconds: float
    transitions: int
    version: str
    acquired: str = ""
    doubt: str = ""
    handed_over: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A Lease, None where there is none, and since when it was seen to be exactly so (engine seconds)."""

    lease: Lease | None
    since: float


class Move(enum.Enum):
    """What to do about a Lease."""

    CREATE = "there is none: create it"
    TAKE = "it was given up or has expired: take it"
    RENEW = "it is ours: renew it"
    WAIT = "somebody else holds it: look again later"


def sight(before: Sighting | None, found: Lease | None, now: float) -> Sighting:
    """Return the sighting of `found`, which may be the one that was seen before."""
    return before if before is not None and before.lease == found else Sighting(found, now)


def next_move(sighting: Sighting, identity: str, now: float, *, has_just_started: bool = False) -> Move:
    """Return what the candidate `identity` does about the Lease that it sees; `has_just_started` at its first look."""
    lease = sighting.lease
    if lease is None:
        return Move.CREATE
    if lease.holder == identity:
        return Move.RENEW
    if not lease.holder or now - sighting.since >= lease.seconds:
        return Move.TAKE
    if has_just_started and _replica(identity) and _replica(identity) == _replica(lease.holder):
        return Move.TAKE
    return Move.WAIT


def _replica(identity: str) -> str:
    """Return the name that a replica keeps when it is started again: all before the last underscore, or empty."""
    return identity.rpartition("_")[0]


def lease_body(
    name: str, lease: Lease | None, holder: str, wall: float, *, is_handover: bool = False
) -> dict[str, Any]:
    """Return the Lease object with which `holder` (empty: nobody) has it from `wall` (seconds since the Unix epoch).

    Built on `lease`, whose version makes the API server refuse it where it has changed since. `is_handover` says that
    the holder before gives it away.
    """
    is_new_holder = lease is None or lease.holder != holder
    now = datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec: dict[str, Any] = {
        "holderIdentity": holder,
        "leaseDurationSeconds": LEASE_SECONDS,
        "renewTime": now,
        "leaseTransitions": min(MOST_TRANSITIONS, (lease.transitions if lease else 0) + is_new_holder),
    }
    acquired = now if is_new_holder or lease is None else lease.acquired
    if acquired:
        spec["acquireTime"] = acquired
    metadata: dict[str, Any] = {"name": name, **({"resourceVersion": lease.version} if lease else {})}
    metadata |= {"labels": {LEADER: "true"}, "annotations": {RELEASE: __version__}}
    if handed_over := now if is_handover else (lease.handed_over if lease else ""):
        metadata["annotations"][HANDED_OVER] = handed_over
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def vantage_lease(name: str) -> str:
    """Return the name of the Lease in which a vantage gives signs of life."""
    return f"vantage-{name}"


def heartbeats_in(items: Iterable[Mapping[str, Any]]) -> dict[str, SignOfLife]:
    """Return the heartbeats of vantages by their names, from their Leases. What makes no sense is left out."""
    found = {}
    for item in items:
        metadata, spec = _mapping(item.get("metadata")), _mapping(item.get("spec"))
        name = _mapping(metadata.get("labels")).get(VANTAGE)
        if metadata.get("name") != vantage_lease(str(name)):
            continue  # the label is the probe's to write, the Lease's name is not
        number = str(_mapping(metadata.get("annotations")).get(REPORT) or "")
        holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
        is_number = number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS
        if isinstance(name, str) and isinstance(holder, str) and isinstance(renewed, str) and is_number:
            found[name] = SignOfLife(holder, int(number), renewed)
    return found


def lease_from(item: Mapping[str, Any]) -> Lease:
    """Return what a Lease object says; what is missing counts as given up, what makes no sense is not believed."""
    spec, metadata = _mapping(item.get("spec")), _mapping(item.get("metadata"))
    given = spec.get("leaseDurationSeconds")
    seconds, doubt = _believed(given)
    transitions = spec.get("leaseTransitions")
    is_count = isinstance(transitions, int) and not isinstance(transitions, bool)
    acquired = spec.get("acquireTime")
    handed_over = _mapping(metadata.get("annotations")).get(HANDED_OVER)
    return Lease(
        holder=holder if isinstance(holder := spec.get("holderIdentity"), str) else "",
        seconds=seconds,
        transitions=min(MOST_TRANSITIONS, max(0, int(transitions))) if is_count and transitions is not None else 0,
        version=str(metadata.get("resourceVersion") or ""),
        acquired=acquired if isinstance(acquired, str) and _is_time(acquired) else "",
        handed_over=handed_over if isinstance(handed_over, str) else "",
        doubt=doubt,
    )


def _believed(given: object) -> tuple[float, str]:
    """Return for how long a Lease counts that says `given`, and what is not believed of that."""
    if given is None:
        return LEASE_SECONDS, ""
    if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
        return LEASE_SECONDS, f"a duration that is no number above 0: it counts as {LEASE_SECONDS} s"
    if given > LONGEST_LEASE:
        return LONGEST_LEASE, f"a duration of more than {LONGEST_LEASE} s: it counts as {LONGEST_LEASE} s"
    return float(given), ""


def _is_time(text: str) -> bool:
    try:
        parse_time(text)
    except ValueError:
        return False
    return True


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
