"""Where the control plane's programs are taken from, and what is said about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detour_lab.controlplane import __main__ as command_line
from detour_lab.controlplane.build import BuildError
from detour_lab.controlplane.cache import Cache
from detour_lab.controlplane.programs import PROGRAMS, Binaries
from detour_lab.controlplane.search import find_binaries


def find(machine: Any, **environment: Path) -> Binaries:
    return find_binaries(
        environment={name: str(path) for name, path in environment.items()},
        cache=Cache(machine.folder / "cache"),
        report=machine.report,
    )


def fill_cache(machine: Any) -> Path:
    cache = Cache(machine.folder / "cache")
    cache.root.mkdir()
    machine.programs("finished").rename(cache.folder)
    return cache.folder


def test_the_kubebuilder_folder_comes_before_path_and_cache(machine: Any) -> None:
    assets, path = machine.programs("assets"), machine.programs("path")
    fill_cache(machine)
    found = find(machine, KUBEBUILDER_ASSETS=assets, PATH=path)
    assert found.common_folder() == assets
    assert "using KUBEBUILDER_ASSETS" in machine.said


def test_path_comes_before_the_cache(machine: Any) -> None:
    path = machine.programs("path")
    fill_cache(machine)
    assert find(machine, PATH=path).common_folder() == path
    assert "using PATH: kube-apiserver 1.37.2, etcd 3.7.0, kubectl 1.37.2, helm 4.3.1" in machine.said


def test_the_cache_is_taken_when_nothing_is_on_path(machine: Any) -> None:
    folder = fill_cache(machine)
    assert find(machine, PATH=machine.folder / "nothing").common_folder() == folder
    assert machine.reports == [f"using the cache ({folder})"]


def test_a_program_that_is_missing_on_path_is_named(machine: Any) -> None:
    folder = fill_cache(machine)
    path = machine.programs("path", etcd=None, helm=None)
    assert find(machine, PATH=path).common_folder() == folder
    assert "not from PATH: it has no etcd, no helm" in machine.said


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("kube_apiserver", "1.35.9"),
        ("kube_apiserver", "2.37.2"),
        ("kubectl", "1.32.4-dispatcher"),
        ("etcd", "3.5.1"),
        ("helm", "3.18.0"),
    ],
)
def test_a_version_that_is_too_far_off_is_refused_with_both_versions(machine: Any, name: str, version: str) -> None:
    fill_cache(machine)
    path = machine.programs("path", **{name: version})
    assert find(machine, PATH=path).common_folder() != path
    wanted = {program.name: program.pinned for program in PROGRAMS}[name.replace("_", "-")]
    assert f"is version {version.partition('-')[0]}, which is too far from {wanted}" in machine.said


@pytest.mark.parametrize(("name", "version"), [("kube_apiserver", "1.36.0"), ("kubectl", "1.38.4"), ("helm", "4.9.0")])
def test_a_close_version_will_do(machine: Any, name: str, version: str) -> None:
    fill_cache(machine)
    path = machine.programs("path", **{name: version})
    assert find(machine, PATH=path).common_folder() == path


@pytest.mark.parametrize("script", ["exit 3", "echo no idea"])
def test_a_program_that_does_not_tell_its_version_is_refused(machine: Any, script: str) -> None:
    folder = fill_cache(machine)
    path = machine.programs("path")
    machine.program("path", "etcd", script)
    assert find(machine, PATH=path).common_folder() == folder
    assert "etcd does not tell its version" in machine.said


def test_helm_may_come_from_path_as_kubebuilder_has_none(machine: Any) -> None:
    assets = machine.programs("assets", helm=None)
    path = machine.programs("path", kubectl=None)
    found = find(machine, KUBEBUILDER_ASSETS=assets, PATH=path)
    assert (found.etcd, found.helm) == (assets / "etcd", path / "helm")
    assert found.common_folder() is None


def test_a_cache_folder_that_lacks_a_program_is_not_taken(machine: Any) -> None:
    (fill_cache(machine) / "helm").unlink()
    with pytest.raises(BuildError):
        find(machine, PATH=machine.folder / "nothing")


def test_without_go_the_message_says_what_to_install(machine: Any) -> None:
    with pytest.raises(BuildError, match=r"(?s)install Go 1\.26 or newer.*KUBEBUILDER_ASSETS"):
        find(machine, PATH=machine.folder / "nothing")


def test_scattered_programs_are_linked_into_one_folder(machine: Any) -> None:
    assets = machine.programs("assets", helm=None)
    path = machine.programs("path")
    found = find(machine, KUBEBUILDER_ASSETS=assets, PATH=path)
    for _ in range(2):  # again, over the links of an earlier run
        found.link_into(machine.folder / "links")
    assert (machine.folder / "links" / "helm").resolve() == path / "helm"
    assert (machine.folder / "links" / "etcd").resolve() == assets / "etcd"
    assert len(list((machine.folder / "links").iterdir())) == len(PROGRAMS)


def test_make_tools_prints_nothing_but_the_folder(
    machine: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(machine.programs("assets")))
    assert command_line.tools() == 0
    printed = capsys.readouterr()
    assert printed.out == f"{machine.folder / 'assets'}\n"
    assert "using KUBEBUILDER_ASSETS" in printed.err


def test_make_tools_says_what_is_wrong_without_a_traceback(
    machine: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", str(machine.folder))
    monkeypatch.setenv("DETOUR_CACHE", str(machine.folder / "elsewhere"))
    assert command_line.tools() == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "error: the programs of the lab's control plane have to be built" in printed.err
    assert (machine.folder / "elsewhere" / "controlplane").is_dir()
