"""Hostile manifests, sent to a real API server: whatever it lets through, the operator can read or says why not."""

import copy
import json
from pathlib import Path
from typing import Any

import kubernetes
import pytest
import yaml

from detour.kube.resources.definitions import GROUP, RESOURCES, VERSION
from detour.kube.translate import (
    DeclarationError,
    ca_bundle_reference,
    record_from,
    record_memory,
    region_from,
    zone_from,
)
from detour_lab.controlplane import ControlPlane
from detour_lab.stories.manifests import HostileManifest, Manifest, hostile_manifests

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "real-world"
BUNDLE = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"
COUNT = 300
Tried = tuple[HostileManifest, dict[str, Any] | None]
"""A manifest and what the API server would have stored of it, None where it refused."""


def bases() -> list[Manifest]:
    """The documented examples, all in one namespace that exists."""
    documents = [each for path in sorted(EXAMPLES.glob("*.yaml")) for each in yaml.safe_load_all(path.read_text())]
    ours = [document for document in documents if document["apiVersion"].startswith(GROUP)]
    for document in ours:
        if "namespace" in document["metadata"]:
            document["metadata"]["namespace"] = "default"
    return ours


@pytest.fixture(scope="module")
def stored(cluster: ControlPlane) -> list[Tried]:
    """Each hostile manifest, tried."""
    schemas = {resource.kind: resource.schema() for resource in RESOURCES}
    with kubernetes.config.new_client_from_config(str(cluster.kubeconfig)) as client:
        return [
            (hostile, created(kubernetes.client.CustomObjectsApi(client), hostile))
            for hostile in hostile_manifests(bases(), schemas, seed=20251019, count=COUNT)
        ]


def created(client: Any, hostile: HostileManifest) -> dict[str, Any] | None:
    """Try to create the object where its kind belongs, without storing it."""
    kind = hostile.description.partition(":")[0]
    resource = next(each for each in RESOURCES if each.kind == kind)
    body = copy.deepcopy(hostile.manifest)
    arguments = {"group": GROUP, "version": VERSION, "plural": resource.plural, "body": body, "dry_run": "All"}
    try:
        if resource.namespaced:
            document = client.create_namespaced_custom_object(namespace="default", **arguments)
        else:
            document = client.create_cluster_custom_object(**arguments)
    except kubernetes.client.exceptions.ApiException as error:
        refusal = error
    else:
        return dict(document)
    assert 400 <= refusal.status < 500, hostile.description
    assert json.loads(refusal.body)["message"], hostile.description
    return None


def test_most_of_them_are_refused_by_the_api_server(
    stored: list[Tried],
) -> None:
    refused = [hostile for hostile, document in stored if document is None]
    assert COUNT / 2 < len(refused) < COUNT


def test_what_is_accepted_is_read_without_surprises(
    stored: list[Tried],
) -> None:
    read = {"FailoverRecord": lambda item: record_from(item, BUNDLE), "DNSZone": zone_from, "CloudRegion": region_from}
    for hostile, document in stored:
        if document is not None:
            ca_bundle_reference(document)
            record_memory(document)
            try:
                read[document["kind"]](document)
            except DeclarationError as error:
                pytest.fail(f"the API server accepts what the operator refuses ({error}): {hostile.description}")
