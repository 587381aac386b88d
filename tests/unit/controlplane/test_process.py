"""Processes end when they are told to, and never outlive us."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from detour_lab.controlplane import ports
from detour_lab.controlplane.ports import free_ports
from detour_lab.controlplane.process import Process

SHELL = "/bin/sh"


def start(folder: Path, script: str) -> Process:
    return Process("script", [SHELL, "-c", script], log=folder / "log")


def test_a_stopped_process_is_gone(tmp_path: Path, alive: Callable[[int], bool]) -> None:
    process = start(tmp_path, "exec sleep 600")
    assert alive(process.pid)
    process.stop(10)
    assert not alive(process.pid)
    assert process.exit_status == -15


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path, eventually: Callable[..., None]) -> None:
    process = start(tmp_path, "trap '' TERM; echo deaf; while :; do sleep 600; done")
    eventually(lambda: process.log_tail() == "deaf")
    process.stop(0.05)
    assert process.exit_status == -9


def test_stopping_twice_or_after_the_end_is_harmless(tmp_path: Path) -> None:
    process = start(tmp_path, "exit 7")
    assert process.wait(10)
    process.stop(1)
    process.stop(1)
    assert process.exit_status == 7


def test_the_end_of_its_output_is_kept_for_messages(tmp_path: Path) -> None:
    process = start(tmp_path, "echo one; echo two; echo three >&2")
    process.wait(10)
    assert process.log_tail(2) == "two\nthree"


def test_a_program_that_does_not_exist_ends_at_once_and_says_why(tmp_path: Path) -> None:
    process = Process("nothing", [str(tmp_path / "nothing")], log=tmp_path / "log")
    assert process.wait(10)
    assert process.exit_status == 1
    assert "nothing does not run: " in process.log_tail()


def test_a_process_that_cannot_be_started_raises(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        Process("lost", [SHELL], log=tmp_path / "log", folder=tmp_path / "missing")


def test_it_runs_on_when_the_thread_that_started_it_ends(tmp_path: Path) -> None:
    started: list[Process] = []
    thread = threading.Thread(target=lambda: started.append(start(tmp_path, "exec sleep 600")))
    thread.start()
    thread.join()
    try:
        assert not started[0].wait(0.3)
    finally:
        started[0].stop(10)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_it_is_killed_when_we_are_killed(
    tmp_path: Path, alive: Callable[[int], bool], eventually: Callable[..., None]
) -> None:
    script = (
        "import sys, pathlib, time\n"
        "from detour_lab.controlplane.process import Process\n"
        f"child = Process('child', ['/bin/sleep', '600'], log=pathlib.Path({str(tmp_path / 'log')!r}))\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    eventually(lambda: not alive(child))


def test_free_ports_are_different_and_never_given_to_outgoing_connections() -> None:
    chosen = free_ports(20)
    assert len(set(chosen)) == 20
    lowest_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(port < max(lowest_outgoing, 22_000) for port in chosen)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_that_is_used_for_either_protocol_is_not_free(
    kind: socket.SocketKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_INET, kind) as used:
        used.bind(("127.0.0.1", 0))
        offered = [used.getsockname()[1], *free_ports(1)]
        expected = offered[1]
        monkeypatch.setattr(ports.random, "randrange", lambda *_: offered.pop(0))
        assert free_ports(1) == [expected]
