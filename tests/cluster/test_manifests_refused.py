"""What `kubectl apply` refuses, and that the operator refuses the same when an object slips past the schema."""

import copy
import json
import re
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from detour.cli.validate import validate
from detour.kube.translate import (
    DeclarationError,
    external_verdict_from,
    override_from,
    record_from,
    region_from,
    zone_from,
)
from detour_lab.controlplane import ControlPlane

Manifest = dict[str, Any]
GONE = "GONE"
TRANSLATE = {
    "FailoverRecord": lambda item: record_from(item, None),
    "DNSZone": zone_from,
    "CloudRegion": region_from,
    "ExternalVerdict": external_verdict_from,
    "Override": partial(override_from, namespaced=True),
    "ClusterOverride": partial(override_from, namespaced=False),
}

RECORD: Manifest = {
    "apiVersion": "detour.dev/v1alpha1",
    "kind": "FailoverRecord",
    "metadata": {"name": "api", "namespace": "default"},
    "spec": {
        "hostname": "api.example.com",
        "zones": [{"name": "primary"}],
        "endpoints": [
            {"name": "virginia", "region": "aws-us-east-1", "addresses": ["192.0.2.10"]},
            {"name": "netherlands", "region": "azure-westeurope", "hostname": "lb.example.net", "priority": 2},
        ],
        "healthCheck": {"https": {"path": "/healthz"}},
    },
}
ZONE: Manifest = {
    "apiVersion": "detour.dev/v1alpha1",
    "kind": "DNSZone",
    "metadata": {"name": "primary", "namespace": "default"},
    "spec": {"domain": "example.com", "route53": {"zoneID": "Z0123456789ABC"}},
}
REGION: Manifest = {
    "apiVersion": "detour.dev/v1alpha1",
    "kind": "CloudRegion",
    "metadata": {"name": "aws-us-east-1"},
    "spec": {"cloud": "AWS", "location": "us-east-1"},
}
VERDICT: Manifest = {
    "apiVersion": "detour.dev/v1alpha1",
    "kind": "ExternalVerdict",
    "metadata": {"name": "checkout-virginia", "namespace": "default"},
    "spec": {"verdict": "Unhealthy", "expiresAt": "2026-11-30T18:00:00Z", "message": "3 of 5 checkouts fail"},
}
ASKED = {"reason": "upgrade", "expiresAt": "2026-11-30T18:00:00Z", "requestedBy": "alice"}
OVERRIDE: Manifest = {
    "apiVersion": "detour.dev/v1alpha1",
    "kind": "Override",
    "metadata": {"name": "upgrade", "namespace": "default"},
    "spec": {"action": "Drain", "record": "api", "endpoint": "virginia", **ASKED},
}
CLUSTER_OVERRIDE: Manifest = {
    "apiVersion": "detour.dev/v1alpha1",
    "kind": "ClusterOverride",
    "metadata": {"name": "upgrade"},
    "spec": {"action": "Drain", "region": "aws-us-east-1", **ASKED},
}
GOOD = {manifest["kind"]: manifest for manifest in (RECORD, ZONE, REGION, VERDICT, OVERRIDE, CLUSTER_OVERRIDE)}
TARGETS = [
    {"name": "one", "region": "a", "hostname": "one.example.net"},
    {"name": "two", "region": "b", "hostname": "two.example.net"},
]
CNAME = {"publish": "CNAME", "endpoints": TARGETS}


class Refusal(NamedTuple):
    """A change to a good manifest, and a fragment of the sentence that refuses it."""

    title: str
    kind: str
    changes: dict[str, Any]
    fragment: str

    def manifest(self, name: str) -> Manifest:
        """Return the changed manifest under a name of its own."""
        result = copy.deepcopy(GOOD[self.kind])
        result["metadata"]["name"] = name
        for path, value in self.changes.items():
            change(result, path, value)
        return result


def change(manifest: Manifest, path: str, value: Any) -> None:
    """Set what `path` (such as `spec.endpoints.0.name`) leads to, or remove it where `value` is GONE."""
    *steps, last = (int(step) if step.isdecimal() else step for step in path.split("."))
    node: Any = manifest
    for step in steps:
        node = node[step] if isinstance(step, int) else node.setdefault(step, {})
    if value == GONE:
        del node[last]
    else:
        node[last] = value


def written() -> list[Refusal]:
    """Return the refusals that stand in the file beside this one."""
    tables = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return [
        Refusal(row["refuses"], kind, row["change"], row["says"]) for kind, table in tables.items() for row in table
    ]


def computed() -> list[Refusal]:
    """Return the refusals of what is too much or too long."""
    parts = ".".join(["a" * 60] * 3)
    endpoint = {"region": "a", "addresses": ["192.0.2.1"]}
    endpoints = [{"name": f"e{number}"} | endpoint for number in range(65)]
    zones = [{"name": f"z{number}"} for number in range(9)]
    tcp = {"tcp": {"port": 443}}
    record, wildcard = "FailoverRecord", "at most 242 characters under a wildcard"
    return [
        Refusal("65 endpoints", record, {"spec.endpoints": endpoints}, "spec.endpoints: Too many: 65"),
        Refusal("9 zones", record, {"spec.zones": zones}, "spec.zones: Too many: 9"),
        Refusal("a label of 64", record, {"spec.hostname": f"{'a' * 64}.example.com"}, "labels of 1 to 63"),
        Refusal("a hostname of 246", record, {"spec.hostname": f"{parts}.{'b' * 63}"}, "spec.hostname: Too long"),
        Refusal(
            "a wildcard of 243", record, {"spec.hostname": f"*.{parts}.{'b' * 58}", "spec.healthCheck": tcp}, wildcard
        ),
        Refusal("a domain of 183", "DNSZone", {"spec.domain": parts + "a"}, "spec.domain: Too long"),
    ]


REFUSALS = [*written(), *computed()]


def slug(title: str) -> str:
    """Return a title as the name of a Kubernetes object."""
    return re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")


@pytest.fixture(scope="module")
def answers(cluster: ControlPlane) -> dict[str, str]:
    """What one `kubectl apply` of all refused manifests said, by the manifest's name."""
    # Documents rather than a List, which kubectl would check by itself and never send.
    text = "\n---\n".join(json.dumps(refusal.manifest(slug(refusal.title))) for refusal in REFUSALS)
    done = cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=text, check=False)
    assert done.stdout == "", "the API server accepted something"
    return dict(re.findall(r'^Error from server .*?: \S+ "([^"]+)" is invalid: (.*)$', done.stderr, re.MULTILINE))


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: slug(refusal.title))
def test_kubectl_apply_refuses_it_with_a_sentence(answers: dict[str, str], refusal: Refusal) -> None:
    answer = answers[slug(refusal.title)]
    assert refusal.fragment in answer
    assert "rule compile error" not in answer
    assert "evaluation error" not in answer


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: slug(refusal.title))
def test_the_operator_and_detour_validate_refuse_it_too(refusal: Refusal) -> None:
    manifest = refusal.manifest("slipped-past")
    manifest["metadata"] |= {"uid": "u", "generation": 1, "creationTimestamp": "2026-11-23T20:00:00Z"}
    with pytest.raises(DeclarationError, match=r"^spec"):
        TRANSLATE[manifest["kind"]](manifest)
    assert [each for each in validate({"a.yaml": [manifest]}) if not each.is_warning]


def test_a_field_that_does_not_exist_is_refused_by_name(cluster: ControlPlane) -> None:
    manifest = Refusal("", "FailoverRecord", {"spec.ttls": 30}, "").manifest("misspelt")
    done = cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=json.dumps(manifest), check=False)
    assert done.returncode != 0
    assert 'unknown field "spec.ttls"' in done.stderr


def test_a_region_whose_name_no_endpoint_could_write_is_refused(cluster: ControlPlane) -> None:
    manifest = REGION | {"metadata": {"name": "aws.us-east-1"}}
    done = cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=json.dumps(manifest), check=False)
    assert "metadata.name must be 1 to 63" in done.stderr


@pytest.mark.parametrize(
    ("base", "path", "value", "fragment"),
    [
        (RECORD, "spec.hostname", "other.example.com", "hostname is immutable: create another FailoverRecord"),
        (RECORD, "spec", RECORD["spec"] | CNAME, "publish is immutable"),
        (ZONE, "spec.domain", "example.org", "domain is immutable: create another DNSZone"),
        (OVERRIDE, "spec.expiresAt", "2026-12-01T18:00:00Z", "an override is not changed once it is made"),
        (CLUSTER_OVERRIDE, "spec.requestedBy", "bob", "an override is not changed once it is made"),
    ],
    ids=["hostname", "publish", "domain", "override", "cluster-override"],
)
def test_what_is_immutable_stays(cluster: ControlPlane, base: Manifest, path: str, value: Any, fragment: str) -> None:
    manifest = copy.deepcopy(base)
    manifest["metadata"]["name"] = f"immutable-{slug(path)}-{slug(fragment)}"[:63].strip("-")
    cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest))
    change(manifest, path, value)
    done = cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest), check=False)
    assert done.returncode != 0
    assert fragment in done.stderr
