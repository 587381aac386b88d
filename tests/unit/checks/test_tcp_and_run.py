"""TCP checks, and what makes a result of anything that may happen to a check."""

import asyncio
import errno
import logging
import socket
import time
from typing import Any

import pytest

from detour.checks import failures
from detour.checks.failures import ProbeFailedError, ProbeImpossibleError, connection_failure
from detour.checks.guard import NetworkGuard
from detour.checks.http import HTTPProber
from detour.checks.run import run_check
from detour.model.checks import CheckTiming, Target, TCPCheck

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


async def test_a_process_that_stood_still_claims_nothing(black_hole: int) -> None:
    readings = iter([0.0, 30.0])
    prober = HTTPProber()
    guard = NetworkGuard.from_text(allowed=["127.0.0.0/8"])
    target = Target("127.0.0.1", TCPCheck(black_hole), TIMING)
    result = await run_check(target, guard=guard, http=prober, clock=lambda: next(readings))
    assert (result.passed, result.reason, result.latency) == (None, "LocalError", 30.0)
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
        (errno.EHOSTUNREACH, ProbeFailedError, "NoRoute"),
        (errno.ENOPROTOOPT, ProbeFailedError, "ConnectionFailed"),
        (errno.EMFILE, ProbeImpossibleError, "LocalError"),
        (errno.EADDRNOTAVAIL, ProbeImpossibleError, "LocalError"),
        (errno.EPERM, ProbeImpossibleError, "LocalError"),
        (errno.ENETDOWN, ProbeImpossibleError, "LocalError"),
    ],
)
def test_only_the_targets_own_faults_count_against_it(code: int, kind: type, reason: str) -> None:
    failure = connection_failure(OSError(code, "text"), "192.0.2.1", 443)
    assert isinstance(failure, kind)
    assert failure.reason == reason
    assert "192.0.2.1" in failure.message


@pytest.mark.parametrize("code", [errno.ENETUNREACH, errno.EACCES])
def test_an_unreachable_network_counts_only_where_this_host_has_a_route(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    for has_route, kind in ((True, ProbeFailedError), (False, ProbeImpossibleError)):
        monkeypatch.setattr(failures, "_has_route", lambda _address, answer=has_route: answer)
        failure = connection_failure(OSError(code, "text"), "192.0.2.1", 443)
        assert isinstance(failure, kind)
        assert failure.reason == "NoRoute"


def test_the_route_is_asked_of_the_kernel() -> None:
    assert failures._has_route("127.0.0.1")
    assert not failures._has_route("255.255.255.255")  # the kernel refuses it to whoever did not ask for broadcast
