"""A Kubernetes control plane of one's own: etcd and kube-apiserver as two local processes.

    with ControlPlane() as plane:
        plane.kubectl("apply", "-f", "crds/")

It is a real API server with real storage, validation, watches and access control, in a private folder and on free
loopback ports, ready within seconds. What it is not is a cluster: nothing runs pods, and without a controller
manager deleted namespaces stay Terminating, owner references are not collected, and no namespace gets its default
service account.

The API server can be stopped and started again at the same address, with its data, which is what a cluster looks like
to an operator when its control plane is away. Its data can be copied and put back later, as after a disaster.

Processes end in the order API server, etcd: without etcd the API server would linger for a minute. For the same reason
stop whatever has a watch open first, or it is killed after its grace, which loses nothing.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from detour_lab.controlplane.credentials import ADMIN_USER, Credentials
from detour_lab.controlplane.ports import free_ports
from detour_lab.controlplane.process import Process
from detour_lab.controlplane.programs import Binaries
from detour_lab.controlplane.search import find_binaries
from detour_lab.controlplane.servers import ETCD_DATA, MEMORY, await_ready, sparing, start_api_server, start_etcd

READY_TIMEOUT_SECONDS = 180.0
COMMAND_TIMEOUT_SECONDS = 300.0
"""Far more than anything takes, for machines that have much else to do."""

STOP_GRACE_SECONDS = 2.0


class CommandError(Exception):
    """kubectl, helm or a request failed; the message holds the command and what it printed, `completed` all of it."""

    def __init__(self, completed: subprocess.CompletedProcess[str]) -> None:
        self.completed = completed
        command = " ".join([Path(completed.args[0]).name, *completed.args[1:]])
        printed = completed.stderr.strip() or completed.stdout.strip()
        super().__init__(f"`{command}` ended with exit status {completed.returncode}: {printed}")


class ControlPlane:
    """Starts on entering a `with` block and leaves nothing behind after it, whatever happens inside."""

    def __init__(
        self,
        binaries: Binaries | None = None,
        *,
        ready_timeout: float = READY_TIMEOUT_SECONDS,
        keep: bool = False,
        memory: str = MEMORY,
    ) -> None:
        """Prepare; nothing is started yet.

        `binaries` are searched for, and built when there are none, unless given; `ready_timeout` is in seconds;
        with `keep` the folder with logs and data stays after the end; `memory` is what each server may fill before it
        collects garbage all the time (`servers.MEMORY`).
        """
        self._binaries = binaries
        self._ready_timeout = ready_timeout
        self._keep = keep
        self._memory = memory
        self._folder: Path | None = None
        self._credentials: Credentials | None = None
        self._trust: ssl.SSLContext | None = None
        self._etcd: Process | None = None
        self._api_server: Process | None = None
        self._port = 0
        self._etcd_port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def folder(self) -> Path:
        """The private folder; raises RuntimeError while the control plane is not started."""
        if self._folder is None:
            raise RuntimeError("the control plane is not started: use it in a `with` block")
        return self._folder

    @property
    def url(self) -> str:
        """The API server's address, the same for as long as the control plane lives."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig that may do everything (group system:masters)."""
        return self.folder / "admin.kubeconfig"

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of the servers' processes that run now."""
        return tuple(
            process.pid for process in (self._api_server, self._etcd) if process is not None and process.running
        )

    def start(self) -> None:
        """Start both servers and wait until they are ready; what was started is stopped again when that fails.

        Raises `servers.ControlPlaneError` when they don't become ready in time, `build.BuildError` when there are no
        programs and none can be built, RuntimeError when it is started already.
        """
        if self._folder is not None:
            raise RuntimeError("the control plane is started already")
        self._binaries = self._binaries or find_binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="detour-controlplane-"))
        try:
            self._binaries.link_into(self._folder / "bin")
            self._credentials = Credentials.make(self._folder / "credentials", datetime.datetime.now(datetime.UTC))
            self._port, self._etcd_port = free_ports(2)
            self._credentials.write_kubeconfig(
                self.kubeconfig, url=self.url, user=ADMIN_USER, token=self._credentials.admin_token
            )
            self._etcd = start_etcd(self._binaries, self._folder, self._etcd_port, memory=self._memory)
            self.start_api_server()
        except BaseException:  # a Ctrl-C here must not leave servers behind either
            self.stop()
            raise

    def stop(self) -> None:
        """Stop both servers, wait until they are gone, and remove the folder. Again is harmless."""
        self.stop_api_server()
        if self._etcd is not None:
            self._etcd.stop(STOP_GRACE_SECONDS)
            self._etcd = None
        if self._folder is not None and not self._keep:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None

    def start_api_server(self) -> None:
        """Start the API server, at the address and with the data that it had before, and wait until it is ready.

        Does nothing when it runs. Raises `servers.ControlPlaneError` when it does not become ready in time.
        """
        if self._api_server is not None and self._api_server.running:
            return
        folder = self.folder
        if self._binaries is None or self._credentials is None or self._etcd is None:
            raise RuntimeError("the control plane is not started: use it in a `with` block")
        self._api_server = start_api_server(
            self._binaries,
            folder,
            self._credentials,
            port=self._port,
            etcd_port=self._etcd_port,
            memory=self._memory,
        )
        await_ready(self._port, self._credentials, (self._etcd, self._api_server), self._ready_timeout)

    def stop_api_server(self, grace: float = STOP_GRACE_SECONDS) -> None:
        """Make the API server go away, within `grace` seconds; etcd keeps running. Again is harmless."""
        if self._api_server is not None:
            self._api_server.stop(grace)
            self._api_server = None

    def snapshot_etcd(self) -> Path:
        """Copy etcd's data as they are at this instant, and return where the copy is; everything goes on running.

        It is what a snapshot of its volume would be: etcd stands still for the moment of the copy. The copy goes with
        the control plane's folder.
        """
        if self._etcd is None:
            raise RuntimeError("the control plane is not started: use it in a `with` block")
        copy = Path(tempfile.mkdtemp(prefix="etcd-", dir=self.folder)) / "data"
        self._etcd.pause()
        try:
            shutil.copytree(self.folder / ETCD_DATA, copy)
        finally:
            self._etcd.resume()
        return copy

    def restore_etcd(self, snapshot: Path) -> None:
        """Stop both servers, put the data of `snapshot` in the place of etcd's, and start both again.

        Everything that was written since the snapshot is gone, and resource versions count from there again. Raises
        `servers.ControlPlaneError` when they don't become ready in time.
        """
        self.stop_api_server()
        if self._binaries is None or self._etcd is None:
            raise RuntimeError("the control plane is not started: use it in a `with` block")
        self._etcd.stop(STOP_GRACE_SECONDS)
        shutil.rmtree(self.folder / ETCD_DATA)
        shutil.copytree(snapshot, self.folder / ETCD_DATA)
        self._etcd = start_etcd(self._binaries, self.folder, self._etcd_port, memory=self._memory)
        self.start_api_server()

    def environment(self, kubeconfig: Path | None = None) -> dict[str, str]:
        """Our environment with this control plane's programs first in PATH and its kubeconfig (by default the admin's).

        kubectl and helm keep their caches and settings in the private folder, and see none of the user's.
        """
        folder = self.folder
        return (
            sparing()
            | os.environ
            | {
                "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
                "KUBECONFIG": str(kubeconfig or self.kubeconfig),
                "KUBECACHEDIR": str(folder / "home" / "kube"),
                "HELM_CACHE_HOME": str(folder / "home" / "helm-cache"),
                "HELM_CONFIG_HOME": str(folder / "home" / "helm-config"),
                "HELM_DATA_HOME": str(folder / "home" / "helm-data"),
            }
        )

    def read(self, path: str, *, timeout: float = COMMAND_TIMEOUT_SECONDS) -> dict[str, Any]:
        """Return what the API server answers to GET `path`, asked by the admin without a process, for looks in a row.

        Raises CommandError where it does not answer, or with an error.
        """
        return self._ask("GET", path, timeout=timeout)

    def merge(self, path: str, patch: Mapping[str, Any], *, timeout: float = COMMAND_TIMEOUT_SECONDS) -> dict[str, Any]:
        """Merge `patch` into the object at `path`, as the admin without a process, and return the object.

        Raises CommandError where it does not answer, or with an error.
        """
        return self._ask("PATCH", path, body=json.dumps(patch).encode(), timeout=timeout)

    def _ask(self, method: str, path: str, *, body: bytes | None = None, timeout: float) -> dict[str, Any]:
        if self._credentials is None:
            raise RuntimeError("the control plane is not started: use it in a `with` block")
        trust = self._trust = self._trust or ssl.create_default_context(cafile=str(self._credentials.authority))
        asked = urllib.request.Request(  # noqa: S310 - the address is the API server's own
            self.url + path,
            data=body,
            method=method,
            headers={
                "Authorization": f"Bearer {self._credentials.admin_token}",
                **({"Content-Type": "application/merge-patch+json"} if body is not None else {}),
            },
        )
        deadline = time.monotonic() + timeout
        while True:
            try:
                with urllib.request.urlopen(asked, timeout=timeout, context=trust) as answer:  # noqa: S310 - see above
                    found: dict[str, Any] = json.load(answer)
                    return found
            except (OSError, HTTPException) as error:
                is_busy = isinstance(error, urllib.error.HTTPError) and error.code == HTTPStatus.TOO_MANY_REQUESTS
                if not is_busy or time.monotonic() > deadline:
                    raise CommandError(subprocess.CompletedProcess([method, path], 1, "", str(error))) from error
            time.sleep(1.0)  # what it asks for while it reads its resources anew; kubectl waits as well

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,
        check: bool = True,
        kubeconfig: Path | None = None,
        timeout: float = COMMAND_TIMEOUT_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl against this control plane, as the admin or with another kubeconfig.

        `input` goes to its stdin. Raises CommandError when it fails and `check` is true, and
        subprocess.TimeoutExpired after `timeout` seconds.
        """
        return self._run("kubectl", *arguments, input=input, check=check, kubeconfig=kubeconfig, timeout=timeout)

    def helm(
        self,
        *arguments: str,
        check: bool = True,
        kubeconfig: Path | None = None,
        timeout: float = COMMAND_TIMEOUT_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run helm against this control plane; otherwise like `kubectl`. `--wait` never ends: nothing runs pods."""
        return self._run("helm", *arguments, input=None, check=check, kubeconfig=kubeconfig, timeout=timeout)

    def service_account_kubeconfig(self, namespace: str, name: str, path: Path, *, duration: str = "24h") -> Path:
        """Write a kubeconfig that logs in as an existing service account, with a token that lasts `duration`.

        `duration` is at least 10m, the API server's minimum. Raises CommandError when there is no such account.
        """
        if self._credentials is None:
            raise RuntimeError("the control plane is not started: use it in a `with` block")
        token = self.kubectl("create", "token", name, f"--namespace={namespace}", f"--duration={duration}")
        return self._credentials.write_kubeconfig(
            path, url=self.url, user=f"{namespace}-{name}", token=token.stdout.strip(), namespace=namespace
        )

    def _run(
        self, program: str, *arguments: str, input: str | None, check: bool, kubeconfig: Path | None, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        completed = subprocess.run(
            [str(self.folder / "bin" / program), *arguments],
            input=input or "",  # never our own stdin, which a command could wait for
            capture_output=True,
            text=True,
            env=self.environment(kubeconfig),
            timeout=timeout,
            check=False,
        )
        if check and completed.returncode != 0:
            raise CommandError(completed)
        return completed
