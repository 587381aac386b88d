"""The manifests that the documentation shows, and the edges of what is allowed, on a real API server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from detour.kube.resources.output import generated_files
from detour.kube.translate import record_from, region_from, zone_from
from detour_lab.controlplane import ControlPlane

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "real-world"
BUNDLE = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def applied(cluster: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane with every example applied, first as a trial and then for real.

    They go again with the last test: one of them drains a region that other tests' endpoints are in.
    """
    cluster.kubectl("apply", "-f", str(EXAMPLES / "00-namespaces.yaml"))
    cluster.kubectl("apply", "--dry-run=server", "-f", str(EXAMPLES))
    cluster.kubectl("apply", "-f", str(EXAMPLES))
    yield cluster
    cluster.kubectl("delete", "--wait=false", "fr,dz,region", "--all", "-A")


def stored(plane: ControlPlane, kind: str) -> list[dict[str, Any]]:
    """Return all objects of a kind as the API server holds them."""
    items: list[dict[str, Any]] = json.loads(plane.kubectl("get", kind, "-A", "-o", "json").stdout)["items"]
    return items


def test_every_example_is_accepted_and_translated(applied: ControlPlane) -> None:
    named = [document["kind"] for path in EXAMPLES.glob("*.yaml") for document in yaml.safe_load_all(path.read_text())]
    records = [record_from(item, BUNDLE) for item in stored(applied, "fr")]
    zones = [zone_from(item) for item in stored(applied, "dz")]
    regions = [region_from(item) for item in stored(applied, "region")]
    assert {"api", "web", "tenants", "static", "orders-db", "resolver"} <= {record.key.name for record in records}
    assert len({type(zone.settings) for zone in zones}) == 4
    assert len(regions) >= named.count("CloudRegion") == 4


def test_defaults_are_filled_in_by_the_api_server(applied: ControlPlane) -> None:
    spec = json.loads(applied.kubectl("get", "fr", "-n", "shop", "tenants", "-o", "json").stdout)["spec"]
    assert spec["ttl"] == 30
    assert spec["publish"] == "Address"
    assert spec["failback"] == {"mode": "Automatic", "holdDown": "5m", "maxChangesPerHour": 6}
    assert spec["healthCheck"]["https"]["port"] == 443
    assert spec["healthCheck"]["https"]["expectedStatuses"] == ["200-299"]
    assert "state" not in spec["endpoints"][0], "nothing is filled into the entries of a list"


def test_what_was_applied_once_shows_no_difference_when_it_is_applied_again(applied: ControlPlane) -> None:
    again = applied.kubectl("apply", "-f", str(EXAMPLES)).stdout.splitlines()
    assert again
    assert [line for line in again if not line.endswith(" unchanged")] == []
    difference = applied.kubectl("diff", "-f", str(EXAMPLES), check=False)
    assert (difference.returncode, difference.stdout) == (0, "")


def test_nor_does_it_when_it_is_applied_server_side_by_a_manager_of_its_own(applied: ControlPlane) -> None:
    """As Argo CD and Flux do."""
    manager = ("--server-side", "--field-manager=gitops", "--force-conflicts", "-f", str(EXAMPLES))
    applied.kubectl("apply", *manager)
    before = {each["metadata"]["uid"]: each["metadata"]["resourceVersion"] for each in everything(applied)}
    applied.kubectl("apply", *manager)
    assert {each["metadata"]["uid"]: each["metadata"]["resourceVersion"] for each in everything(applied)} == before
    difference = applied.kubectl("diff", *manager, check=False)
    assert (difference.returncode, difference.stdout) == (0, "")


def test_every_list_is_stored_as_it_was_declared(applied: ControlPlane) -> None:
    """To a tool that compares by itself what the API server adds to an object is a default, in a list a change."""
    held = {(each["kind"], each["metadata"]["name"]): each["spec"] for each in everything(applied)}
    declared = [each for path in EXAMPLES.glob("*.yaml") for each in yaml.safe_load_all(path.read_text()) if each]
    compared = 0
    for each in declared:
        if each["apiVersion"].startswith("detour.dev/"):
            compared += assert_lists_are_equal(each["spec"], held[each["kind"], each["metadata"]["name"]])
    assert compared > 10


def everything(plane: ControlPlane) -> list[dict[str, Any]]:
    return [each for kind in ("fr", "dz", "region") for each in stored(plane, kind)]


def assert_lists_are_equal(declared: dict[str, Any], held: dict[str, Any]) -> int:
    """Compare every list below two objects, and return how many there are."""
    compared = 0
    for name, value in declared.items():
        if isinstance(value, list):
            assert held[name] == value, name
            compared += 1
        elif isinstance(value, dict):
            compared += assert_lists_are_equal(value, held[name])
    return compared


def test_the_category_lists_all_three_kinds(applied: ControlPlane) -> None:
    listed = applied.kubectl("get", "detour", "-A", "-o", "name").stdout
    assert {line.partition(".")[0] for line in listed.split()} == {"failoverrecord", "dnszone", "cloudregion"}


def test_kubectl_get_shows_what_serves(applied: ControlPlane) -> None:
    status = {
        "observedGeneration": 1,
        "state": "OK",
        "summary": {"serving": "virginia", "healthy": "3/3", "zones": "2/2"},
        "plan": {"revision": 12, "reason": "priority 1 is healthy", "decidedAt": "2026-11-23T20:00:00.125Z"},
        "serving": [{"name": "virginia", "region": "aws-us-east-1", "values": ["192.0.2.10"]}],
        "endpoints": [
            {
                "name": "virginia",
                "verdict": "Healthy",
                "since": "2026-11-23T20:00:00Z",
                "latencyMilliseconds": 4.2,
                "addresses": [{"address": "192.0.2.10", "verdict": "Healthy"}],
            }
        ],
        "zones": [{"name": "example-com-route53", "namespace": "dns", "published": True, "generation": "7.42"}],
        "history": [{"revision": 12, "values": ["192.0.2.10"], "at": "2026-11-23T20:00:00Z"}],
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Published",
                "message": "",
                "observedGeneration": 1,
                "lastTransitionTime": "2026-11-23T20:00:00Z",
            }
        ],
    }
    patch(applied, "fr", "api", "shop", status)
    assert stored_status(applied, "fr", "api", "shop") == status
    lines = applied.kubectl("get", "fr", "-n", "shop", "api").stdout.splitlines()
    assert lines[0].split() == ["NAME", "HOSTNAME", "STATE", "SERVING", "HEALTHY", "READY", "AGE"]
    assert lines[1].split()[:-1] == ["api", "api.example.com", "OK", "virginia", "3/3", "True"]
    wide = applied.kubectl("get", "fr", "-n", "shop", "api", "-o", "wide").stdout.splitlines()
    assert wide[0].split()[6:] == ["MESSAGE", "PINNED", "ZONES", "REASON", "AGE"]
    assert wide[1].split()[6:8] == ["2/2", "Published"]
    applied.kubectl("wait", "--for=condition=Ready", "--timeout=5s", "-n", "shop", "fr/api")
    found = applied.kubectl("get", "fr", "-A", "-o=name", "--field-selector=status.state=OK").stdout.split()
    assert found == ["failoverrecord.detour.dev/api"]
    by_name = "--field-selector=spec.hostname=api.example.com"
    assert applied.kubectl("get", "fr", "-A", "-o=name", by_name).stdout.split() == found


def test_kubectl_get_shows_zones_and_regions(applied: ControlPlane) -> None:
    ledger = {"generation": "7.42", "site": "east"}
    status = {"state": "OK", "provider": "rfc2136", "ownedRecords": 2, "replica": "one", "ledger": ledger}
    patch(applied, "dz", "internal", "dns", status)
    wide = applied.kubectl("get", "dz", "-n", "dns", "internal", "-o", "wide").stdout.splitlines()
    assert wide[0].split()[:7] == ["NAME", "DOMAIN", "STATE", "PROVIDER", "READY", "SITE", "HELD"]
    assert wide[0].split()[7:10] == ["RECORDS", "REPLICA", "GENERATION"]
    assert wide[1].split()[:8] == ["internal", "internal.example.com", "OK", "rfc2136", "east", "2", "one", "7.42"]
    counts = {"total": 4, "healthy": 3, "unhealthy": 1, "unknown": 0}
    status = {"phase": "Suspect", "since": "2026-11-30T06:00:00Z", "endpoints": counts}
    patch(applied, "region", "aws-us-east-1", None, status)
    lines = applied.kubectl("get", "region", "aws-us-east-1").stdout.splitlines()
    assert lines[0].split()[:6] == ["NAME", "CLOUD", "LOCATION", "STATE", "SINCE", "REASON"]
    assert lines[0].split()[6:] == ["HEALTHY", "ENDPOINTS", "RECORDS", "UNTIL", "AGE"]
    shown = lines[1].split()
    assert (shown[:4], shown[5:7]) == (["aws-us-east-1", "AWS", "us-east-1", "Suspect"], ["3", "4"])


def test_the_ready_made_regions_are_accepted(cluster: ControlPlane) -> None:
    done = cluster.kubectl("apply", "--dry-run=server", "-f", str(EXAMPLES.parent / "regions"))
    assert done.stdout.count("created") > 100


def test_status_in_an_applied_manifest_is_ignored(cluster: ControlPlane) -> None:
    manifest = largest() | {"status": {"summary": {"serving": "forged"}}}
    manifest["metadata"] = {"name": "forged", "namespace": "default"}
    cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest))
    stored = json.loads(cluster.kubectl("get", "fr", "forged", "-o", "json").stdout)
    assert stored["status"] == {"observedGeneration": -1}, "nobody has looked at it yet"


def test_the_largest_record_and_the_longest_names_are_accepted(cluster: ControlPlane) -> None:
    manifest = largest()
    cluster.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(manifest))
    record = record_from(json.loads(cluster.kubectl("get", "fr", "largest", "-o", "json").stdout), None)
    assert sum(len(endpoint.addresses) for endpoint in record.endpoints) == 64 * 32


@pytest.mark.parametrize(
    "server", ["192.0.2.53:53", "[2001:db8::53]:5353", "ns1.example.com:53", "localhost:65535", "127.0.0.1:1"]
)
def test_rfc2136_servers_may_be_named_in_every_way(cluster: ControlPlane, server: str) -> None:
    manifest = {
        "apiVersion": "detour.dev/v1alpha1",
        "kind": "DNSZone",
        "metadata": {"name": "server", "namespace": "default"},
        "spec": {"domain": "example.com", "rfc2136": {"server": server}, "credentialsSecretRef": {"name": "tsig"}},
    }
    cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=json.dumps(manifest))


def test_the_charts_copy_applies_over_the_plain_one(cluster: ControlPlane) -> None:
    for path, text in generated_files().items():
        if path.startswith("charts/"):
            plain = text.split("\n", 1)[1].rsplit("{{- end }}", 1)[0].replace('{{ "{{" }}', "{{")
            assert "{{" not in plain
            cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=plain)


def largest() -> dict[str, Any]:
    """Return a record that is as large as the schema lets it be."""
    hostname = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 53])
    assert len(hostname) == 245
    endpoints = [
        {
            "name": f"{number:02}" + "e" * 61,
            "region": "r" * 63,
            "addresses": [f"2001:db8:aaaa:bbbb:cccc:dddd:{number + 1:x}:{last:x}" for last in range(1, 33)],
        }
        for number in range(64)
    ]
    return {
        "apiVersion": "detour.dev/v1alpha1",
        "kind": "FailoverRecord",
        "metadata": {"name": "largest", "namespace": "default"},
        "spec": {
            "hostname": hostname,
            "zones": [{"name": "z" * 253, "namespace": f"{number}" + "n" * 62} for number in range(8)],
            "endpoints": endpoints,
            "healthCheck": {
                "https": {
                    "path": "/" + "p" * 1023,
                    "headers": [{"name": f"X-{number:02}" + "h" * 60, "value": "v" * 1024} for number in range(16)],
                }
            },
        },
    }


def patch(plane: ControlPlane, kind: str, name: str, namespace: str | None, status: dict[str, Any]) -> None:
    """Write a status as the operator does."""
    place = () if namespace is None else ("-n", namespace)
    plane.kubectl(
        "patch", kind, name, *place, "--subresource=status", "--type=merge", "-p", json.dumps({"status": status})
    )


def stored_status(plane: ControlPlane, kind: str, name: str, namespace: str) -> Any:
    """Return an object's status."""
    return json.loads(plane.kubectl("get", kind, "-n", namespace, name, "-o", "json").stdout)["status"]
