"""Stand-ins for the programs of the control plane, and for Go."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

VERSIONS = {"kube-apiserver": "1.37.2", "etcd": "3.7.0", "kubectl": "1.37.2", "helm": "4.3.1"}


class Machine:
    """A made-up machine: folders of fake programs, and what was reported about them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reports: list[str] = []

    def program(self, place: str, name: str, script: str) -> Path:
        """An executable shell script."""
        return self._executable(place, name, f"#!/bin/sh\n{script}\n")

    def programs(self, place: str, **changes: str | None) -> Path:
        """The four programs in one folder, with versions changed or (None) programs left out."""
        for name, version in VERSIONS.items():
            chosen = changes.get(name.replace("-", "_"), version)
            if chosen is not None:
                self.program(place, name, f"echo 'its version is v{chosen}'")
        return self.folder / place

    def go(self, place: str, body: str) -> Path:
        """A `go` written in Python; `command` and `arguments` are defined in its body."""
        head = f"#!{sys.executable} -u\nimport os, pathlib, sys\ncommand, *arguments = sys.argv[1:]\n"
        return self._executable(place, "go", head + body)

    def _executable(self, place: str, name: str, text: str) -> Path:
        path = self.folder / place / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def report(self, line: str) -> None:
        self.reports.append(line)

    @property
    def said(self) -> str:
        return "\n".join(self.reports)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until a condition holds; fails after a minute, which nothing takes."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "it never happened"
            time.sleep(0.01)

    return wait


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Whether a process still runs; one that only waits to be collected does not."""

    def look(pid: int) -> bool:
        try:
            status = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return False
        return status.rpartition(")")[2].split()[0] not in "ZX"

    return look
