"""Objects with statuses, as the commands read them."""

from typing import Any

from detour.cli.told import Told
from detour.model.objects import Kind

REGIONS = {"one": "aws-us-east-1", "two": "azure-westeurope"}


def record(name: str = "api", *, state: str = "OK", generation: int = 1, **given: Any) -> Told:
    """Return a record that answers from `one` and has `two` beside it; `given` goes into its status."""
    status = {
        "observedGeneration": 1,
        "state": state,
        "message": f"it is {state}",
        "summary": {"healthy": "2/2", "serving": "one"},
        "serving": [{"name": "one", "region": REGIONS["one"], "values": ["192.0.2.1"]}],
        "endpoints": [endpoint("one", "192.0.2.1"), endpoint("two", "192.0.2.2")],
        "zones": [{"name": "main", "namespace": "shop", "values": ["192.0.2.1"], "published": True}],
        "history": [
            {"revision": 2, "values": ["192.0.2.1"], "at": "2026-11-30T12:00:00Z", "reason": "priority 1 is healthy"},
            {"revision": 1, "values": ["192.0.2.2"], "at": "2026-11-29T12:00:00Z", "reason": "priority 2 is healthy"},
        ],
        **given,
    }
    spec = {
        "hostname": f"{name}.example.org",
        "zones": [{"name": "main"}],
        "healthCheck": {"tcp": {"port": 443}},
        "endpoints": [
            {"name": each, "region": region, "addresses": ["192.0.2.1"], "priority": place}
            for place, (each, region) in enumerate(REGIONS.items(), 1)
        ],
    }
    metadata = {
        "name": name,
        "namespace": "shop",
        "generation": generation,
        "annotations": given.pop("annotations", {}),
    }
    return Told(Kind.FAILOVER_RECORD, {"metadata": metadata, "spec": spec, "status": status})


def endpoint(name: str, address: str, verdict: str = "Healthy", **given: Any) -> dict[str, Any]:
    """Return the status of an endpoint of one address."""
    return {"name": name, "verdict": verdict, "addresses": [{"address": address, "verdict": verdict}], **given}


def zone(name: str = "main", *, state: str = "OK", spec: dict[str, Any] | None = None, **given: Any) -> Told:
    """Return a DNSZone that site `here` writes."""
    status = {"observedGeneration": 1, "state": state, "ledger": {"site": "here", "generation": "1.7"}, **given}
    raw = {"metadata": {"name": name, "namespace": "shop", "generation": 1}, "spec": spec or {}, "status": status}
    return Told(Kind.DNS_ZONE, raw)


def region(name: str = "aws-us-east-1", *, phase: str = "Healthy", **spec: Any) -> Told:
    """Return a CloudRegion."""
    status = {"observedGeneration": 1, "phase": phase, "message": f"it is {phase}"}
    return Told(Kind.CLOUD_REGION, {"metadata": {"name": name, "generation": 1}, "spec": spec, "status": status})
