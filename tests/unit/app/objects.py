"""Objects as the API server sends them."""

import copy
from typing import Any

from detour.model.objects import Kind, Subject
from detour.model.record import ObjectKey
from detour.model.timestamps import timestamp


def failover_record(
    name: str = "api", *, uid: str = "u-1", generation: int = 1, metadata: dict[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    """Return a FailoverRecord of two endpoints in the zone `main`."""
    return {
        "apiVersion": "detour.dev/v1alpha1",
        "kind": "FailoverRecord",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": uid,
            "generation": generation,
            "resourceVersion": "1",
            "creationTimestamp": "2026-11-23T20:00:00Z",
            **(metadata or {}),
        },
        "spec": {
            "hostname": f"{name}.example.org",
            "zones": [{"name": "main"}],
            "endpoints": [
                {"name": "one", "region": "aws-us-east-1", "addresses": ["192.0.2.1"], "priority": 1},
                {"name": "two", "region": "azure-westeurope", "addresses": ["192.0.2.2"], "priority": 2},
            ],
            "healthCheck": {"tcp": {"port": 443}},
            **spec,
        },
    }


def dns_zone(name: str = "main", *, uid: str = "z-1", **spec: Any) -> dict[str, Any]:
    """Return a DNSZone of example.org at a server for dynamic updates."""
    return {
        "apiVersion": "detour.dev/v1alpha1",
        "kind": "DNSZone",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": uid,
            "generation": 1,
            "creationTimestamp": "2026-11-23T20:00:00Z",
        },
        "spec": {"domain": "example.org", "route53": {}, **spec},
    }


def cloud_region(name: str = "aws-us-east-1", **spec: Any) -> dict[str, Any]:
    """Return a CloudRegion."""
    return {
        "apiVersion": "detour.dev/v1alpha1",
        "kind": "CloudRegion",
        "metadata": {"name": name, "uid": f"r-{name}", "generation": 1, "creationTimestamp": "2026-11-23T20:00:00Z"},
        "spec": {"cloud": "AWS", "location": "us-east-1", **spec},
    }


def vantage(name: str = "elsewhere", **spec: Any) -> dict[str, Any]:
    """Return a Vantage."""
    return {
        "apiVersion": "detour.dev/v1alpha1",
        "kind": "Vantage",
        "metadata": {"name": name, "uid": f"v-{name}", "generation": 1, "creationTimestamp": "2026-11-23T20:00:00Z"},
        "spec": {"cloud": "AWS", "region": "aws-us-east-1", **spec},
    }


def external_verdict(
    name: str = "synthetic", *, expires_at: str = "2030-01-01T00:00:00Z", **spec: Any
) -> dict[str, Any]:
    """Return an ExternalVerdict."""
    metadata = {"name": name, "namespace": "shop", "uid": f"e-{name}", "generation": 1}
    return {
        "apiVersion": "detour.dev/v1alpha1",
        "kind": "ExternalVerdict",
        "metadata": {**metadata, "creationTimestamp": "2026-11-23T20:00:00Z"},
        "spec": {"verdict": "Healthy", "expiresAt": "2030-01-01T00:00:00Z", **spec},
    }


BEGINNING = 1_700_000_000.0
"""What the clock on the wall shows when a world begins, in seconds since the Unix epoch."""


def override(name: str = "o", *, lasts: float = 6 * 86400.0, created: float = BEGINNING, **spec: Any) -> dict[str, Any]:
    """Return an Override of the record `api`, or a ClusterOverride where it is about a region or a zone.

    It `lasts` so many seconds from when it was `created` (seconds since the Unix epoch).
    """
    is_ours = not {"region", "zone"} & spec.keys()
    asked = {"reason": "a test", "requestedBy": "alice", "expiresAt": timestamp(created + lasts)}
    metadata = {"name": name, "uid": f"o-{name}", "generation": 1, "creationTimestamp": timestamp(created)}
    return {
        "apiVersion": "detour.dev/v1alpha1",
        "kind": "Override" if is_ours else "ClusterOverride",
        "metadata": {**metadata, **({"namespace": "shop"} if is_ours else {})},
        "spec": {**({"record": "api"} if is_ours else {}), **asked, **spec},
    }


def changed(raw: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """Return a copy with other metadata."""
    copied = copy.deepcopy(raw)
    copied["metadata"].update(metadata)
    return copied


def subject(raw: dict[str, Any]) -> Subject:
    """Return the subject of an object."""
    kinds = {each.title: each for each in Kind}
    metadata = raw["metadata"]
    return Subject(kinds[raw["kind"]], ObjectKey(metadata.get("namespace", ""), metadata["name"]), metadata["uid"])
