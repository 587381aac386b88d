"""Leader election with a Kubernetes Lease: what to do next, from what the Lease says. Pure.

A Lease is believed by the clock of whoever looks at it: it has expired once it was seen unchanged for as long as it is
to last. No clocks are compared (coordination.k8s.io/v1, LeaseSpec). Only a process that has just started need not wait
where the holder is the process before it of the same replica: that one has ended. Should two live processes share a
host name after all, the older stops when it sees the newer one, or at the ledger.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

LEASE_SECONDS = 10
"""For how long a Lease holds after it was renewed; a leader that is killed is replaced a little later."""

RENEW_PERIOD = 3.0
"""Seconds between two renewals by the leader, and between two looks by the others."""

HANDED_OVER = "detour.dev/handed-over"
"""The annotation that says when the holder before gave the Lease away."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A Lease as the API server holds it. `holder` is empty where it was given up; `seconds` is how long it lasts.

    `version` is the object's resourceVersion: it changes with every renewal. `acquired` is when the holder took it;
    `handed_over` when a holder last gave it to another by name, empty where none has.
    """

    holder: str
    seconds: float
    transitions: int
    version: str
    acquired: str = ""
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
        "leaseTransitions": (lease.transitions if lease else 0) + is_new_holder,
    }
    acquired = now if is_new_holder or lease is None else lease.acquired
    if acquired:
        spec["acquireTime"] = acquired
    metadata: dict[str, Any] = {"name": name, **({"resourceVersion": lease.version} if lease else {})}
    if handed_over := now if is_handover else (lease.handed_over if lease else ""):
        metadata["annotations"] = {HANDED_OVER: handed_over}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def lease_from(item: Mapping[str, Any]) -> Lease:
    """Return what a Lease object says; what is missing counts as given up."""
    spec, metadata = item.get("spec") or {}, item.get("metadata") or {}
    return Lease(
        holder=str(spec.get("holderIdentity") or ""),
        seconds=float(spec.get("leaseDurationSeconds") or LEASE_SECONDS),
        transitions=int(spec.get("leaseTransitions") or 0),
        version=str(metadata.get("resourceVersion") or ""),
        acquired=str(spec.get("acquireTime") or ""),
        handed_over=str((metadata.get("annotations") or {}).get(HANDED_OVER) or ""),
    )
