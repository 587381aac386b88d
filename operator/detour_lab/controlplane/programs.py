"""The four programs of the lab's control plane, and which versions of them will do.

A Kubernetes control plane needs surprisingly little: etcd keeps the objects, kube-apiserver is everything that
clients see of a cluster, and kubectl and Helm talk to it. What this lab proves was proved with the pinned
versions below, so programs that are found on a machine are only taken when they are close to those.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

KUBERNETES = "1.37.2"
ETCD = "3.7.0"
HELM = "4.3.1"

# A long answer is a wrapper script that went looking for something, not a program that prints its version.
VERSION_TIMEOUT_SECONDS = 20.0

Version = tuple[int, int, int]


class UnusableProgramError(Exception):
    """A program was found but cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Program:
    """One of the four programs: how it is named, how it tells its version, and how far off it may be."""

    name: str
    pinned: str
    version_arguments: tuple[str, ...]
    minor_distance: int | None
    """How many minor versions it may differ from the pinned one; None for any of the same major version."""

    def fits(self, version: Version) -> bool:
        """Whether a program of this version behaves closely enough like the pinned one."""
        major, minor, _ = parse_version(self.pinned)
        if version[0] != major:
            return False
        return self.minor_distance is None or abs(version[1] - minor) <= self.minor_distance


# Kubernetes supports clients and servers that are one minor version apart (its version skew policy).
KUBE_APISERVER = Program("kube-apiserver", KUBERNETES, ("--version",), minor_distance=1)
ETCD_SERVER = Program("etcd", ETCD, ("--version",), minor_distance=1)
KUBECTL = Program("kubectl", KUBERNETES, ("version", "--client"), minor_distance=1)
HELM_CLIENT = Program("helm", HELM, ("version", "--short"), minor_distance=None)
PROGRAMS = (KUBE_APISERVER, ETCD_SERVER, KUBECTL, HELM_CLIENT)


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where the four programs are, and a phrase that says where they were taken from."""

    source: str
    kube_apiserver: Path
    etcd: Path
    kubectl: Path
    helm: Path

    @classmethod
    def from_folder(cls, folder: Path, source: str) -> Binaries:
        """The four programs under their usual names in one folder; nothing is checked."""
        return cls.from_paths({program.name: folder / program.name for program in PROGRAMS}, source)

    @classmethod
    def from_paths(cls, paths: dict[str, Path], source: str) -> Binaries:
        """The four programs by name; raises KeyError when one is not there."""
        return cls(
            source=source,
            kube_apiserver=paths[KUBE_APISERVER.name],
            etcd=paths[ETCD_SERVER.name],
            kubectl=paths[KUBECTL.name],
            helm=paths[HELM_CLIENT.name],
        )

    def paths(self) -> dict[str, Path]:
        """The path of each program by its usual name."""
        return {
            KUBE_APISERVER.name: self.kube_apiserver,
            ETCD_SERVER.name: self.etcd,
            KUBECTL.name: self.kubectl,
            HELM_CLIENT.name: self.helm,
        }

    def common_folder(self) -> Path | None:
        """The folder that holds all four under their usual names, or None when they are scattered."""
        folder = self.kube_apiserver.parent
        return folder if all(path == folder / name for name, path in self.paths().items()) else None

    def link_into(self, folder: Path) -> None:
        """Make `folder` hold a symbolic link to each program, replacing older links at once, not in steps."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in self.paths().items():
            temporary = folder / f".{name}.new"
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(path.resolve())
            temporary.replace(folder / name)


def parse_version(text: str) -> Version:
    """The first `major.minor.patch` in a text; raises ValueError when there is none."""
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    if found is None:
        raise ValueError("no version in it")
    return int(found[1]), int(found[2]), int(found[3])


def version_of(program: Program, path: Path) -> Version:
    """Ask a program for its version; raises UnusableProgramError when it does not run or does not tell."""
    try:
        answer = subprocess.run(
            [str(path), *program.version_arguments],
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnusableProgramError(f"{path} does not run ({error})") from error
    try:
        return parse_version(answer.stdout)
    except ValueError as error:
        raise UnusableProgramError(f"{path} does not tell its version (exit status {answer.returncode})") from error


def require_fitting(paths: dict[str, Path], programs: Iterable[Program] = PROGRAMS) -> str:
    """Check that programs run and fit; returns their versions as a phrase, raises UnusableProgramError."""
    versions: list[str] = []
    for program in programs:
        path = paths[program.name]
        version = version_of(program, path)
        words = ".".join(map(str, version))
        if not program.fits(version):
            raise UnusableProgramError(f"{path} is version {words}, which is too far from {program.pinned}")
        versions.append(f"{program.name} {words}")
    return ", ".join(versions)
