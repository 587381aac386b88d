"""TCP checks, and what makes a result of anything that may happen to a check."""

import asyncio
import errno
import logging
import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from detour.checks import failures, reference
from detour.checks.failures import ProbeFailedError, ProbeImpossibleError, Reason, connection_failure
from detour.checks.guard import NetworkGuard
from detour.checks.http import HTTPProber
from detour.checks.run import run_check
from detour.model.checks import CheckTiming, DNSCheck, HTTPCheck, StatusRange, Target, TCPCheck

TIMING = CheckTiming(10.0, 1.0, 0.2, 3, 3)


async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_an_open_port_passes(serve: Any, check: Any, address: str) -> None:
    assert (await check(TCPCheck(await serve(hold, address)), address)).passed


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_closed_port_fails(check: Any, unused_port: int, address: str) -> None:
    result = await check(TCPCheck(unused_port), address)
    assert (result.passed, result.reason) == (False, "ConnectionRefused")
    assert str(unused_port) in result.message


async def test_a_connection_that_meets_itself_is_a_refusal(
    check: Any, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlucky(_address: str) -> socket.socket:
        connection = socket.socket()
        connection.setblocking(False)
        connection.bind(("127.0.0.1", 0))
        return connection

    connect = asyncio.get_running_loop().sock_connect

    async def to_itself(connection: socket.socket, _destination: object) -> None:
        await connect(connection, connection.getsockname())

    monkeypatch.setattr("detour.checks.tcp._socket_for", unlucky)
    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", to_itself)
    result = await check(TCPCheck(unused_port))
    assert (result.passed, result.reason) == (False, "ConnectionRefused")


async def test_a_full_backlog_meets_the_deadline(black_hole: int, check: Any) -> None:
    result = await check(TCPCheck(black_hole), timeout=1.0)
    assert (result.passed, result.reason) == (False, "Timeout")
    assert result.latency > 0.99


async def test_a_refused_address_is_not_touched_and_nothing_is_claimed(serve: Any) -> None:
    touched: asyncio.Queue[object] = asyncio.Queue()

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        touched.put_nowait(writer.get_extra_info("peername"))

    port = await serve(note)
    prober = HTTPProber()
    for address in ("127.0.0.1", "::ffff:127.0.0.1", "localhost"):
        target = Target(address, TCPCheck(port), TIMING)
        result = await run_check(target, guard=NetworkGuard(), http=prober, clock=time.monotonic)
        assert (result.passed, result.reason) == (None, "TargetRefused")
    # the server takes connections in order: had there been an earlier one, it would be the first in the queue
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await asyncio.wait_for(touched.get(), 60) == writer.get_extra_info("sockname")
    writer.close()
    await prober.close()


@pytest.mark.parametrize("late", [1.1, 1.9, 29.0])
async def test_a_process_that_stood_still_claims_nothing(black_hole: int, late: float) -> None:
    took = TIMING.timeout + late
    readings = iter([0.0, took])
    prober = HTTPProber()
    guard = NetworkGuard.from_text(allowed=["127.0.0.0/8"])
    target = Target("127.0.0.1", TCPCheck(black_hole), TIMING)
    result = await run_check(target, guard=guard, http=prober, clock=lambda: next(readings))
    assert (result.passed, result.reason, result.latency) == (None, "LocalError", took)
    await prober.close()


async def test_an_unforeseen_error_becomes_a_result_that_quotes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, check: Any
) -> None:
    async def broken(*_arguments: object) -> None:
        raise KeyError("s3cr3t")

    monkeypatch.setattr("detour.checks.run.probe_tcp", broken)
    with caplog.at_level(logging.ERROR):
        result = await check(TCPCheck(1))
    assert (result.passed, result.reason) == (None, "LocalError")
    assert "KeyError" in result.message
    assert "KeyError" in caplog.text
    assert "s3cr3t" not in result.message + caplog.text


async def test_cancelling_a_check_cancels_it(serve: Any, check: Any, black_hole: int) -> None:
    task = asyncio.ensure_future(check(TCPCheck(black_hole), timeout=60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (errno.ECONNREFUSED, ProbeFailedError, "ConnectionRefused"),
        (errno.ECONNRESET, ProbeFailedError, "ConnectionReset"),
        (errno.EPIPE, ProbeFailedError, "ConnectionReset"),
        (errno.ETIMEDOUT, ProbeFailedError, "Timeout"),
        (errno.ENETUNREACH, ProbeFailedError, "NoRoute"),
        (errno.EHOSTUNREACH, ProbeFailedError, "NoRoute"),
        (errno.EHOSTDOWN, ProbeFailedError, "NoRoute"),
        (errno.EACCES, ProbeFailedError, "NoRoute"),
        (errno.ENOPROTOOPT, ProbeFailedError, "ConnectionFailed"),
        (errno.EMFILE, ProbeImpossibleError, "LocalError"),
        (errno.EADDRNOTAVAIL, ProbeImpossibleError, "LocalError"),
        (errno.EPERM, ProbeImpossibleError, "LocalError"),
        (errno.ENETDOWN, ProbeImpossibleError, "LocalError"),
    ],
)
def test_only_the_targets_own_faults_count_against_it(
    monkeypatch: pytest.MonkeyPatch, code: int, kind: type, reason: str
) -> None:
    monkeypatch.setattr(failures, "_has_route", lambda _address: True)
    failure = connection_failure(OSError(code, "text"), "192.0.2.1", 443)
    assert isinstance(failure, kind)
    assert failure.reason == reason
    assert "192.0.2.1" in failure.message


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENOMEM, errno.EPERM])
def test_what_this_host_lacks_is_not_told_as_a_route(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(failures, "_has_route", lambda _address: False)  # it needs a socket too
    failure = connection_failure(OSError(code, "text"), "192.0.2.1", 443)
    assert (type(failure), failure.reason) == (ProbeImpossibleError, "LocalError")


@pytest.mark.parametrize(
    "code",
    [
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.EHOSTDOWN,
        errno.EACCES,
        errno.EADDRNOTAVAIL,
        errno.EAFNOSUPPORT,
        errno.ENETDOWN,
        errno.EINVAL,
    ],
)
@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_where_this_host_has_no_route_nothing_is_claimed_of_the_target(
    monkeypatch: pytest.MonkeyPatch, code: int, address: str
) -> None:
    monkeypatch.setattr(failures, "_has_route", lambda _address: False)
    failure = connection_failure(OSError(code, "text"), address, 443)
    assert isinstance(failure, ProbeImpossibleError)
    assert failure.reason == "NoRoute"
    assert failure.message.startswith(f"this host has no route to {address}")
    assert ("may have no IPv6" in failure.message) == (":" in address)


@pytest.mark.parametrize("probe", ["http", "https", "tcp", "dns"])
async def test_a_family_that_this_host_has_no_route_for_is_unknown_to_every_kind_of_check(
    check: Any, monkeypatch: pytest.MonkeyPatch, probe: str
) -> None:
    """2001:db8::/32 is for documentation alone (RFC 3849): the kernel is asked for a route, as in a cluster of IPv4."""

    def refuse(_connection: object, _destination: object) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    class Unrouted(socket.socket):
        connect = refuse
        connect_ex = refuse

    monkeypatch.setattr(socket, "socket", Unrouted)
    http = HTTPCheck(probe == "https", 80, "/", "api.example.com", "api.example.com", (StatusRange(200, 299),))
    probes: dict[str, Any] = {"tcp": TCPCheck(80), "dns": DNSCheck(53, "example.com", "A")}
    result = await check(probes.get(probe, http), "2001:db8::1")
    assert (result.passed, result.reason) == (None, "NoRoute")
    assert "this cluster may have no IPv6" in result.message


@pytest.mark.parametrize(
    "server", ["", "127.0.0.1:port", "127.0.0.1:99999999", "127.0.0.1:-1", "[::1", "a\0b:1", "..:1"]
)
async def test_a_reference_that_is_no_server_accepts_nothing_and_does_not_raise(server: str) -> None:
    assert not await reference._accepts(server)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained(reason: Reason) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "checks.md").read_text()
    assert re.search(rf"^\|[^|]*\b{reason}\b[^|]*\|", page, re.MULTILINE)


def test_the_route_is_asked_of_the_kernel() -> None:
    assert failures._has_route("127.0.0.1")
    assert not failures._has_route("255.255.255.255")  # the kernel refuses it to whoever did not ask for broadcast
