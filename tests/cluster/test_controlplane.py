"""The lab's control plane is a real one: storage, access control, tokens, and an API server that can be away."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from detour_lab.controlplane import CommandError, ControlPlane

ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: shop}
rules:
- {apiGroups: [""], resources: [configmaps], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: clerk, namespace: shop}]
"""


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as started:
        started.kubectl("create", "namespace", "shop")
        yield started


def runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def test_kubectl_and_helm_talk_to_a_server_of_the_pinned_version(plane: ControlPlane) -> None:
    assert "Server Version: v1.37" in plane.kubectl("version").stdout
    assert "default" in plane.kubectl("get", "namespaces", "--output=name").stdout
    assert plane.helm("list", "--short").stdout == ""


def test_objects_are_stored_and_validated(plane: ControlPlane) -> None:
    plane.kubectl("create", "configmap", "prices", "--namespace=shop", "--from-literal=tea=3")
    assert plane.kubectl("get", "configmap", "prices", "-n", "shop", "-o=jsonpath={.data.tea}").stdout == "3"
    with pytest.raises(CommandError, match="already exists"):
        plane.kubectl("create", "configmap", "prices", "--namespace=shop")
    assert plane.kubectl("get", "configmap", "nothing", check=False).returncode == 1


def test_objects_survive_an_api_server_that_was_away(plane: ControlPlane) -> None:
    plane.kubectl("create", "configmap", "kept", "--namespace=shop")
    url = plane.url
    plane.stop_api_server()
    with pytest.raises(CommandError, match="refused"):
        plane.kubectl("get", "configmap", "kept", "--namespace=shop")
    plane.start_api_server()
    assert plane.url == url
    assert plane.kubectl("get", "configmap", "kept", "-n", "shop", "-o=name").stdout == "configmap/kept\n"


def test_a_service_account_may_do_what_its_role_says_and_no_more(plane: ControlPlane, tmp_path: Path) -> None:
    plane.kubectl("create", "serviceaccount", "clerk", "--namespace=shop")
    plane.kubectl("apply", "--filename=-", input=ROLE)
    clerk = plane.service_account_kubeconfig("shop", "clerk", tmp_path / "clerk.kubeconfig")
    assert clerk.stat().st_mode & 0o077 == 0
    plane.kubectl("get", "configmaps", kubeconfig=clerk)  # its own namespace is the default one
    with pytest.raises(CommandError, match=r'"system:serviceaccount:shop:clerk" cannot list resource "secrets"'):
        plane.kubectl("get", "secrets", kubeconfig=clerk)
    with pytest.raises(CommandError, match="forbidden"):
        plane.kubectl("get", "configmaps", "--namespace=default", kubeconfig=clerk)


def test_a_kubeconfig_for_nobody_is_refused(plane: ControlPlane, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match='serviceaccounts "nobody" not found'):
        plane.service_account_kubeconfig("shop", "nobody", tmp_path / "nobody.kubeconfig")


def test_two_control_planes_do_not_meet_and_nothing_runs_after_a_ctrl_c(plane: ControlPlane) -> None:
    other = ControlPlane()
    left: list[tuple[int, ...]] = []

    def interrupted() -> None:
        with other:
            assert other.kubectl("get", "namespace", "shop", check=False).returncode == 1
            assert other.folder != plane.folder
            left.append(other.pids)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(left[0]) == 2
    assert not any(runs(pid) for pid in left[0])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(other.url.rpartition(":")[2]))) != 0
    assert all(runs(pid) for pid in plane.pids)
