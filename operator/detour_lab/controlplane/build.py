"""Build the four programs from their Go modules, once, into the cache.

`gomodule/` wraps all four in one module whose go.mod and go.sum pin every source file by its checksum; kube-apiserver
and kubectl come from `k8s.io/kubernetes`, whose staging modules have to be named one by one, as its own `replace`
lines mean folders that a consumer does not have. One `go build` compiles them together, as they share most packages.

It takes minutes, so three things matter. It is quick for what it is: without inlining and with a lazier garbage
collector the compiler needs two thirds of the time, and servers for a lab don't mind. It goes on where an
interrupted run was: Go's own caches are kept in the workshop until the programs are installed. And it leaves only
the programs behind: 2.8 GB of compiled packages and 1.1 GB of sources are private to the build, and dropped after it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from detour_lab.controlplane.cache import Cache, Report
from detour_lab.controlplane.process import Process
from detour_lab.controlplane.programs import ETCD, ETCD_SERVER, HELM, KUBERNETES, PROGRAMS, require_fitting

MODULE = Path(__file__).with_name("gomodule")
PACKAGES = (
    "k8s.io/kubernetes/cmd/kube-apiserver",
    "k8s.io/kubernetes/cmd/kubectl",
    "go.etcd.io/etcd/server/v3",
    "helm.sh/helm/v4/cmd/helm",
)
GO_FLAGS = "-modcacherw -mod=readonly -buildvcs=false"
REPORT_SECONDS = 10.0
NEEDED_BYTES = 5_000_000_000
GO_GRACE_SECONDS = 10.0

GO_MISSING = """\
the programs of the lab's control plane have to be built, and Go is not there to build them.
Either install Go 1.26 or newer (go.dev/doc/install) so that `go` is found on PATH,
or set KUBEBUILDER_ASSETS to a folder that holds kube-apiserver, etcd, kubectl and helm."""


class BuildError(Exception):
    """The programs could not be built; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds into a cache. `environment` is where Go is looked up, and what it runs with."""

    cache: Cache
    environment: Mapping[str, str]
    report: Report

    def build(self) -> None:
        """Build and install the programs; the caller holds the cache's lock.

        Takes 4 to 8 minutes on two cores. Raises BuildError when Go is missing or fails, or the disk is full.
        """
        go = shutil.which("go", path=self.environment.get("PATH", ""))
        if go is None:
            raise BuildError(GO_MISSING)
        go = str(Path(go).absolute())
        workshop = self.cache.workshop
        resumed = (workshop / "objects").exists()
        binaries = self._prepare(resumed)
        earlier = " (going on where an earlier run was)" if resumed else ""
        self.report(
            f"building kube-apiserver and kubectl {KUBERNETES}, etcd {ETCD} and helm {HELM} from Go modules, once: "
            f"about 4 to 8 minutes on 2 cores{earlier}"
        )
        began = time.monotonic()
        listing = self._run(go, "list", "-deps", *PACKAGES, doing="fetching sources", count=_modules_fetched)
        total = _packages_listed(listing)
        self._run(
            go,
            "build",
            "-v",  # prints each package as it is compiled: the progress
            "-trimpath",
            "-gcflags=all=-l",
            f"-ldflags={linker_flags()}",
            f"-o={binaries}/",
            *PACKAGES,
            doing="compiling",
            count=lambda text: f"{len(text.splitlines())} of {total} packages",
        )
        # A program is named after its package's folder, and etcd's is called server.
        (binaries / "server").rename(binaries / ETCD_SERVER.name)
        versions = require_fitting({program.name: binaries / program.name for program in PROGRAMS})
        self.cache.install(binaries)
        self.report(f"built {versions} in {time.monotonic() - began:.0f} s; dropping what only the build needed")
        shutil.rmtree(workshop)

    def _prepare(self, resumed: bool) -> Path:
        """Lay out the workshop; returns the empty folder for the programs."""
        workshop = self.cache.workshop
        workshop.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(workshop).free
        if not resumed and free < NEEDED_BYTES:
            raise BuildError(
                f"building the control plane needs {NEEDED_BYTES / 1e9:.0f} GB for a while, and {workshop} has "
                f"{free / 1e9:.1f} GB free: make room, or point DETOUR_CACHE at another disk"
            )
        for leftover in ("module", "programs", "temporary"):
            shutil.rmtree(workshop / leftover, ignore_errors=True)
        shutil.copytree(MODULE, workshop / "module")
        (workshop / "temporary").mkdir()
        (workshop / "programs").mkdir()
        return workshop / "programs"

    def _run(self, go: str, *arguments: str, doing: str, count: Callable[[str], str]) -> str:
        """Run Go with progress reports; returns what it printed, raises BuildError when it fails."""
        log = self.cache.workshop / f"go-{arguments[0]}.log"
        log.unlink(missing_ok=True)
        began = time.monotonic()
        process = Process(
            f"go {arguments[0]}",
            [go, *arguments],
            log=log,
            environment=self._go_environment(),
            folder=self.cache.workshop / "module",
        )
        try:
            while not process.wait(REPORT_SECONDS):
                so_far = count(log.read_text(encoding="utf-8", errors="replace"))
                self.report(f"  {doing}: {so_far}, {time.monotonic() - began:.0f} s")
        finally:
            process.stop(GO_GRACE_SECONDS)
        if process.exit_status != 0:
            raise BuildError(
                f"`go {arguments[0]}` failed with exit status {process.exit_status} ({log}). It needs Go 1.26 or newer "
                f"and a way to fetch Go modules. It ended with:\n{process.log_tail()}"
            )
        return log.read_text(encoding="utf-8", errors="replace")

    def _go_environment(self) -> dict[str, str]:
        """The caller's environment, where proxies may be set, without what would change the result."""
        workshop = self.cache.workshop
        kept = {name: value for name, value in self.environment.items() if name not in {"GOOS", "GOARCH", "GOBIN"}}
        return kept | {
            "CGO_ENABLED": "0",
            "GOCACHE": str(workshop / "objects"),
            "GOFLAGS": GO_FLAGS,
            "GOGC": "400",
            "GOMODCACHE": str(workshop / "modules"),
            "GOTMPDIR": str(workshop / "temporary"),
            "GOWORK": "off",
            "PWD": os.fspath(workshop / "module"),
        }


def linker_flags() -> str:
    """What the release builds set by the linker too: without it an API server calls itself v0.0.0."""
    major, minor, _ = KUBERNETES.split(".")
    settings = [f"helm.sh/helm/v4/internal/version.version=v{HELM}"]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        settings += [
            f"{package}.gitVersion=v{KUBERNETES}",
            f"{package}.gitMajor={major}",
            f"{package}.gitMinor={minor}",
        ]
    return " ".join(["-s", "-w", *(f"-X {setting}" for setting in settings)])


def _modules_fetched(text: str) -> str:
    return f"{text.count('go: downloading ')} modules"


def _packages_listed(text: str) -> int:
    return sum(1 for line in text.splitlines() if line and not line.startswith("go: "))
