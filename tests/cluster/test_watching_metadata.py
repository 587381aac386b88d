"""Lists of metadata at a real API server: pages, their order, how many come after, and what is not in them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from detour.kube import cluster as cluster_module
from detour.kube.catalogue import place_of
from detour.kube.cluster import Cluster
from detour.kube.kinds import Listed, Message, Missing, Seen
from detour.kube.watching import Watcher
from detour.model.objects import Kind
from detour_lab.controlplane import ControlPlane

NAMES = [
    ("rotation-a", "two"),
    ("rotation-a", "one"),
    ("rotation-a-b", "one"),
    ("rotation-b", "zero"),
    ("rotation-b", "x"),
]


def manifest(namespace: str, name: str) -> str:
    return f"""
apiVersion: detour.dev/v1alpha1
kind: FailoverRecord
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  hostname: {name}.{namespace}.example.org
  zones: [{{name: main}}]
  endpoints: [{{name: one, region: aws-eu, addresses: [192.0.2.1]}}]
  healthCheck: {{tcp: {{port: 443}}}}
"""


@pytest.fixture
def plane(cluster: ControlPlane) -> Iterator[ControlPlane]:
    spaces = sorted({namespace for namespace, _ in NAMES})
    for namespace in spaces:
        cluster.kubectl("create", "namespace", namespace, check=False)
    cluster.kubectl("apply", "-f", "-", input="---".join(manifest(*each) for each in NAMES))
    yield cluster
    for namespace in spaces:
        cluster.kubectl("delete", "failoverrecords", "--all", "-n", namespace)


def test_pages_of_metadata_come_in_the_order_of_their_keys(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "PAGE", 2)
    cluster = Cluster(str(plane.kubeconfig))
    found, token, rests = [], None, []
    while True:
        page = cluster.list_metadata_now(Kind.FAILOVER_RECORD, None, token)
        found += page.items
        rests.append(page.rest)
        assert page.version.isdecimal()
        if (token := page.token) is None:
            break
    ours = [each for each in map(place_of, found) if each.namespace.startswith("rotation")]
    assert ours == sorted(ours, key=lambda place: place.key)
    assert {tuple(each) for each in ours} == set(NAMES)
    assert all("spec" not in each and each["metadata"]["uid"] for each in found)
    assert rests == [len(found) - 2 * number - 2 if number < len(rests) - 1 else 0 for number in range(len(rests))]
    cluster.close()


def test_a_watcher_finds_what_its_watch_has_missed(plane: ControlPlane) -> None:
    cluster, told = Cluster(str(plane.kubeconfig)), list[Message]()
    watcher = Watcher(cluster, kubeconfig=None, namespaces=["rotation-a"], deliver=told.append, clock=time.monotonic)
    watcher.list_all()  # and no watch is ever started: it misses everything
    assert {each.kind for each in told if isinstance(each, Listed)} == set(Kind)
    plane.kubectl("annotate", "fr/one", "-n", "rotation-a", "detour.dev/approve=x")
    plane.kubectl("delete", "fr/two", "-n", "rotation-a")
    plane.kubectl("annotate", "fr/x", "-n", "rotation-b", "detour.dev/approve=x")
    told.clear()
    watcher.compare_all()
    watcher.settle()
    (changed,) = [each for each in told if isinstance(each, Seen)]
    assert (changed.raw["metadata"]["name"], changed.raw["spec"]["hostname"]) == ("one", "one.rotation-a.example.org")
    (gone,) = [each for each in told if isinstance(each, Missing)]
    assert (gone.namespace, gone.name) == ("rotation-a", "two")
    told.clear()
    watcher.compare_all()
    watcher.settle()
    assert told == []
    cluster.close()
