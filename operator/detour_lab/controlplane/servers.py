"""How etcd and kube-apiserver are started, as a lab needs them, and how to tell that they are ready.

Nothing here survives the control plane, so etcd need not wait for the disk. The API server listens on loopback only,
and must be told not to publish its own address in the cluster, as it would refuse to publish a loopback one. There is
no controller manager, hence nobody who would create a namespace's default service account: the admission plugin that
waits for it is off. Nor is there a crowd that would need priority and fairness, whose bootstrap takes a sixth of a
start; and short lives need little collecting of garbage, which takes another third (`sparing`).
"""

from __future__ import annotations

import http.client
import os
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

from detour_lab.controlplane.credentials import Credentials
from detour_lab.controlplane.process import Process
from detour_lab.controlplane.programs import Binaries

ETCD_DATA = "etcd"
"""Folder of etcd's data, in the control plane's own."""

MEMORY = "450MiB"
"""Heap above which a Go program collects garbage all the time; ten thousand objects need more (Go's `GOMEMLIMIT`)."""


def sparing(memory: str = MEMORY) -> dict[str, str]:
    """Return an environment for Go programs: collect when the heap is large, or five times what is in use, not two."""
    return {"GOGC": "400", "GOMEMLIMIT": memory}


POLL_SECONDS = 0.05
REQUEST_TIMEOUT_SECONDS = 2.0


class ControlPlaneError(Exception):
    """The control plane could not be started; the message ends with what its servers printed last."""


def start_etcd(binaries: Binaries, folder: Path, port: int, *, memory: str = MEMORY) -> Process:
    """Start etcd on a loopback port, with its data and log in `folder`, and so much `memory` (see `MEMORY`)."""
    url = f"http://127.0.0.1:{port}"
    return Process(
        "etcd",
        [
            str(binaries.etcd.absolute()),
            f"--data-dir={folder / ETCD_DATA}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            "--listen-peer-urls=http://127.0.0.1:0",  # it has no peers, but wants to listen for them
            "--unsafe-no-fsync",
            "--log-level=warn",
        ],
        log=folder / "etcd.log",
        environment=sparing(memory) | os.environ,
    )


def start_api_server(
    binaries: Binaries, folder: Path, credentials: Credentials, *, port: int, etcd_port: int, memory: str = MEMORY
) -> Process:
    """Start kube-apiserver on a loopback port, with its log in `folder`, and so much `memory` (see `MEMORY`)."""
    return Process(
        "kube-apiserver",
        [
            str(binaries.kube_apiserver.absolute()),
            f"--etcd-servers=http://127.0.0.1:{etcd_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            # Otherwise it looks for an interface with a default route, and a machine without a network has none.
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={folder / 'apiserver'}",
            f"--tls-cert-file={credentials.certificate}",
            f"--tls-private-key-file={credentials.private_key}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={credentials.tokens}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={credentials.service_account_key}",
            f"--service-account-signing-key-file={credentials.service_account_key}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            "--enable-priority-and-fairness=false",
        ],
        log=folder / "kube-apiserver.log",
        environment=sparing(memory) | os.environ,
    )


def await_ready(port: int, credentials: Credentials, processes: Sequence[Process], timeout: float) -> None:
    """Wait until the API server serves and has its `default` namespace.

    Raises ControlPlaneError after `timeout` seconds, or as soon as one of the processes ends.
    """
    context = ssl.create_default_context(cafile=str(credentials.authority))
    deadline = time.monotonic() + timeout
    # The first answers once roles and priorities exist; the namespace comes from a loop of the API server's own.
    for path in ("/readyz", "/api/v1/namespaces/default"):
        while (answer := _get(port, path, credentials.admin_token, context)) != "200":
            for process in processes:
                if not process.running:
                    raise ControlPlaneError(
                        f"{process.name} ended with exit status {process.exit_status}; it printed last:\n"
                        f"{process.log_tail()}"
                    )
            if time.monotonic() > deadline:
                tails = "\n".join(f"{process.name} printed last:\n{process.log_tail()}" for process in processes)
                raise ControlPlaneError(
                    f"no ready control plane after {timeout:.0f} s ({path}: {answer}); if this machine is very "
                    f"busy, allow more time. {tails}"
                )
            time.sleep(POLL_SECONDS)


def _get(port: int, path: str, token: str, context: ssl.SSLContext) -> str:
    """The HTTP status of an answer, or why there was none."""
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=REQUEST_TIMEOUT_SECONDS, context=context)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    finally:
        connection.close()
