"""The installed chart as a local process: what the Deployment says, run on this machine.

The lab's control plane runs no pods. So the operator runs beside it, the way the pod would: with the arguments and the
environment that the Deployment in the API server has, and logged in with a token of the chart's own service account.
A wrong flag or a missing permission in the chart then fails here as it would in a cluster. Only two things differ: it
listens on a free loopback port, and finds the API server by a kubeconfig in place of the files that a pod is given.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from detour_lab.controlplane import ControlPlane
from detour_lab.controlplane.ports import free_ports

CHART = Path(__file__).resolve().parents[3] / "charts" / "detour"
CONTAINER = "detour"
LISTEN = "--listen="
OURS = ("DETOUR_", "KUBECONFIG", "KUBERNETES_SERVICE_")
"""What of this process's own environment the operator must not see."""


class ChartError(RuntimeError):
    """The release cannot be run as a local process; the message says why."""


class OperatorCommand(NamedTuple):
    """How to run the operator of a release: the whole command, and its whole environment."""

    argv: list[str]
    environment: dict[str, str]

    @property
    def url(self) -> str:
        """The address of /livez, /readyz and /metrics, without a trailing slash."""
        return "http://" + next(each for each in self.argv if each.startswith(LISTEN)).removeprefix(LISTEN)


def operator_command(
    plane: ControlPlane, release: str, namespace: str, *, environment: Mapping[str, str] | None = None
) -> OperatorCommand:
    """Build the command for the operator of an installed release, with a fresh token that lasts for 24 h.

    `environment` (ours by default) is what the container's own is laid over. The kubeconfig with the token is kept in
    the control plane's folder. Raises ChartError where the Deployment isn't there, or says something that only a pod
    can do, and CommandError where no token is given.
    """
    pod = _deployment(plane, release, namespace)["spec"]["template"]["spec"]
    if pod.get("automountServiceAccountToken") is False:
        raise ChartError(f"the Deployment of release {release} gives its pod no token: it could not log in")
    account = str(pod["serviceAccountName"])
    container = _container(pod, release)
    kubeconfig = plane.service_account_kubeconfig(
        namespace, account, plane.folder / f"{namespace}-{release}-{account}.kubeconfig"
    )
    inherited = os.environ if environment is None else environment
    given = {name: value for name, value in inherited.items() if not name.startswith(OURS)}
    program = Path(sys.executable).with_name("detour")
    return OperatorCommand(
        [str(program), *_listening_here(container.get("args") or ())],
        {**given, **_declared_environment(container, release), "KUBECONFIG": str(kubeconfig)},
    )


def _deployment(plane: ControlPlane, release: str, namespace: str) -> dict[str, Any]:
    selector = f"app.kubernetes.io/instance={release}"
    listed = plane.kubectl("get", "deployments", f"--namespace={namespace}", f"--selector={selector}", "--output=json")
    found: list[dict[str, Any]] = json.loads(listed.stdout)["items"]
    if len(found) != 1:
        raise ChartError(
            f"{len(found)} Deployments in namespace {namespace} belong to release {release}, one was expected: "
            "install the chart under that name first"
        )
    return found[0]


def _container(pod: Mapping[str, Any], release: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [each for each in pod["containers"] if each["name"] == CONTAINER]
    if len(found) != 1:
        raise ChartError(f"the Deployment of release {release} has no container named {CONTAINER}")
    if found[0].get("command"):
        raise ChartError(f"the Deployment of release {release} overrides the image's entry point, `detour`")
    return found[0]


def _listening_here(arguments: Sequence[str]) -> list[str]:
    (port,) = free_ports(1)
    kept = [each for each in arguments if not each.startswith(LISTEN)]
    return [*kept, f"{LISTEN}127.0.0.1:{port}"]


def _declared_environment(container: Mapping[str, Any], release: str) -> dict[str, str]:
    if container.get("envFrom"):
        raise ChartError(f"the Deployment of release {release} has envFrom, which only a pod can resolve")
    declared: dict[str, str] = {}
    for each in container.get("env") or ():
        if "valueFrom" in each:
            raise ChartError(f"the Deployment of release {release} has env {each['name']} with valueFrom: give a value")
        declared[each["name"]] = each.get("value", "")
    return declared
