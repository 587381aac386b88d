"""Builds into the cache: once, resumable, one at a time, and leaving only the programs behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from detour_lab.controlplane import build
from detour_lab.controlplane.build import BuildError
from detour_lab.controlplane.cache import Cache
from detour_lab.controlplane.programs import ETCD, HELM, KUBERNETES, Binaries
from detour_lab.controlplane.search import find_binaries

WORKING_GO = """
if command == "list":
    print("go: downloading example.org/a v1.0.0", "example.org/a", "example.org/b", sep="\\n")
if command == "build":
    with open({counter!r}, "a") as file:
        file.write("built\\n")
    pathlib.Path(os.environ["GOCACHE"]).mkdir(exist_ok=True)
    assert pathlib.Path("go.mod").exists() and pathlib.Path("go.sum").exists()
    output = pathlib.Path(next(a for a in arguments if a.startswith("-o=")).removeprefix("-o="))
    versions = {{"server": "3.7.0", "helm": "4.3.1", "kubectl": "1.37.2", "kube-apiserver": "1.37.2"}}
    for name, version in versions.items():
        (output / name).write_text("#!/bin/sh\\necho v" + version + "\\n")
        (output / name).chmod(0o755)
"""
FAILING_GO = """
if command == "build":
    pathlib.Path(os.environ["GOCACHE"]).mkdir(exist_ok=True)
    sys.exit("example.org/a: cannot find it")
"""


def find(machine: Any) -> Binaries:
    return find_binaries(
        environment={"PATH": str(machine.folder / "path")}, cache=Cache(machine.folder / "cache"), report=machine.report
    )


def working_go(machine: Any) -> Path:
    counter: Path = machine.folder / "counter"
    machine.go("path", WORKING_GO.format(counter=str(counter)))
    return counter


def test_what_was_built_is_taken_and_nothing_else_is_left(machine: Any) -> None:
    working_go(machine)
    cache = Cache(machine.folder / "cache")
    assert find(machine).common_folder() == cache.folder
    assert sorted(path.name for path in cache.folder.iterdir()) == ["etcd", "helm", "kube-apiserver", "kubectl"]
    assert {path.name for path in cache.root.iterdir()} == {cache.version, f"{cache.version}.lock"}
    assert "about 4 to 8 minutes" in machine.said
    assert "built kube-apiserver 1.37.2, etcd 3.7.0" in machine.said


def test_the_second_search_finds_what_the_first_one_built(machine: Any) -> None:
    counter = working_go(machine)
    assert find(machine).common_folder() == find(machine).common_folder()
    assert counter.read_text() == "built\n"


def test_two_searches_at_once_build_once(machine: Any) -> None:
    counter = working_go(machine)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(find, [machine, machine])
    assert first.common_folder() == second.common_folder()
    assert counter.read_text() == "built\n"


def test_a_failed_build_says_what_go_said_and_installs_nothing(machine: Any) -> None:
    machine.go("path", FAILING_GO)
    with pytest.raises(BuildError, match=r"(?s)`go build` failed with exit status 1.*example\.org/a: cannot find it"):
        find(machine)
    assert not Cache(machine.folder / "cache").complete()


def test_the_next_build_goes_on_where_a_failed_one_was(machine: Any) -> None:
    machine.go("path", FAILING_GO)
    with pytest.raises(BuildError):
        find(machine)
    assert "going on where an earlier run was" not in machine.said
    working_go(machine)
    find(machine)
    assert "going on where an earlier run was" in machine.said


def test_progress_is_shown_while_go_runs(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "REPORT_SECONDS", 0.01)
    working_go(machine)
    machine.go(
        "path", (machine.folder / "path" / "go").read_text().partition("\n")[2] + "\nimport time; time.sleep(0.2)"
    )
    find(machine)
    assert "fetching sources: 1 modules" in machine.said
    assert "compiling: 0 of 2 packages" in machine.said


def test_a_full_disk_is_noticed_before_anything_is_fetched(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = working_go(machine)
    monkeypatch.setattr(build, "NEEDED_BYTES", 10**18)
    with pytest.raises(BuildError, match="point DETOUR_CACHE at another disk"):
        find(machine)
    assert not counter.exists()


def test_a_run_that_meets_another_says_so_and_waits(machine: Any, eventually: Callable[..., None]) -> None:
    cache = Cache(machine.folder / "cache")
    entered = threading.Event()

    def second() -> None:
        with cache.locked(machine.report):
            entered.set()

    with cache.locked(lambda line: None):
        other = threading.Thread(target=second)
        other.start()
        eventually(lambda: "is preparing the programs: waiting" in machine.said)
        assert not entered.is_set()
    other.join(10)
    assert entered.is_set()


def test_the_pinned_versions_are_those_of_the_module() -> None:
    pinned = (build.MODULE / "go.mod").read_text()
    assert f"k8s.io/kubernetes v{KUBERNETES}\n" in pinned
    assert f"go.etcd.io/etcd/server/v3 v{ETCD}\n" in pinned
    assert f"helm.sh/helm/v4 v{HELM}\n" in pinned
    staging = f"v0{KUBERNETES.removeprefix('1')}"
    replaced = [line.split() for line in pinned.splitlines() if " => " in line]
    assert len(replaced) == 33
    assert all(words[0] == words[2] and words[3] == staging for words in replaced)
