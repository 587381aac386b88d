"""What the control plane does when its servers do not do what they should."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detour_lab.controlplane import Binaries, ControlPlane, ControlPlaneError
from detour_lab.controlplane import plane as plane_module


@pytest.fixture(autouse=True)
def private_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def servers(machine: Any, **scripts: str) -> Binaries:
    """Fake servers that write their process ids beside them; they run for long unless scripted otherwise."""
    folder = machine.programs("servers")
    for name in ("etcd", "kube-apiserver"):
        script = scripts.get(name.replace("-", "_"), "exec sleep 600")
        machine.program("servers", name, f"echo $$ > {folder}/{name}.pid; {script}")
    return Binaries.from_folder(folder, "a test")


def pid(binaries: Binaries, name: str) -> int:
    """The process id that a fake server wrote; 0 while it has written none."""
    path = binaries.etcd.parent / f"{name}.pid"
    return int(path.read_text().strip() or 0) if path.exists() else 0


def test_an_api_server_that_ends_is_reported_with_its_last_words_and_etcd_is_stopped(
    machine: Any, alive: Callable[[int], bool], private_temporary_folder: Path
) -> None:
    etcd_runs = "while [ ! -s $(dirname $0)/etcd.pid ]; do sleep 0.01; done"
    binaries = servers(machine, kube_apiserver=f"{etcd_runs}; echo bad flag; exit 3")
    with pytest.raises(ControlPlaneError, match=r"kube-apiserver ended with exit status 3.*\n.*bad flag"):
        ControlPlane(binaries).start()
    assert pid(binaries, "etcd")
    assert not alive(pid(binaries, "etcd"))
    assert list(private_temporary_folder.iterdir()) == []


def test_servers_that_never_become_ready_are_given_up_and_stopped(machine: Any, alive: Callable[[int], bool]) -> None:
    binaries = servers(machine, etcd="echo sulking; exec sleep 600")
    with pytest.raises(ControlPlaneError, match=r"(?s)no ready control plane after .*etcd printed last:\nsulking"):
        ControlPlane(binaries, ready_timeout=2).start()
    assert pid(binaries, "etcd")
    assert not alive(pid(binaries, "etcd"))
    assert not alive(pid(binaries, "kube-apiserver"))


def test_a_ctrl_c_while_starting_leaves_nothing_behind(
    machine: Any, alive: Callable[[int], bool], eventually: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    binaries = servers(machine)

    def interrupted(*arguments: object) -> None:
        for name in ("etcd", "kube-apiserver"):
            eventually(lambda name=name: pid(binaries, name) > 0)
        raise KeyboardInterrupt

    monkeypatch.setattr(plane_module, "await_ready", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ControlPlane(binaries).start()
    assert pid(binaries, "etcd")
    assert not alive(pid(binaries, "etcd"))
    assert not alive(pid(binaries, "kube-apiserver"))


def test_the_api_server_ends_before_etcd(
    machine: Any, eventually: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    order = machine.folder / "order"
    ready = {name: machine.folder / f"{name}.ready" for name in ("etcd", "kube-apiserver")}
    scripts = {
        name.replace("-", "_"): f"trap 'echo {name} >> {order}; exit 0' TERM; : > {mark}; while :; do sleep 0.01; done"
        for name, mark in ready.items()
    }
    monkeypatch.setattr(
        plane_module, "await_ready", lambda *_: eventually(lambda: all(mark.exists() for mark in ready.values()))
    )
    with ControlPlane(servers(machine, **scripts)):
        pass
    assert order.read_text().split() == ["kube-apiserver", "etcd"]


def test_before_it_is_started_it_says_so() -> None:
    with pytest.raises(RuntimeError, match="not started"):
        ControlPlane().kubectl("version")
