"""What a check costs beyond the bare network, and what the scheduler costs beyond the checks.

Run `python tests/bench/bench_checks.py [--checks N] [--at-once N]`. Each figure stands beside a baseline of the same
run against the same server (a process of its own), so that a slow machine slows both: raw sockets for TCP, one raw
request per connection and plain aiohttp for HTTP, bare tasks for the scheduler.
"""

import argparse
import asyncio
import contextlib
import os
import random
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp

from detour.checks.guard import NetworkGuard
from detour.checks.http import HTTPProber
from detour.checks.periodic import Periodic
from detour.checks.run import run_check
from detour.checks.scheduler import CheckScheduler
from detour.model.checks import CheckResult, CheckTiming, HTTPCheck, StatusRange, Target, TCPCheck

ADDRESS = "127.0.0.1"
BODY = b"ready " * 20
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
TIMING = CheckTiming(10.0, 1.0, 30.0, 3, 3)
PASSED = CheckResult(True, "", "", 0.0)


class Answer(asyncio.Protocol):
    """The fastest server that asyncio offers: any data is answered and the connection closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.write(RESPONSE)
        self.transport.close()


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Answer, ADDRESS, 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until the parent closes it
    server.close()


async def rate(run: Callable[[], Awaitable[object]], count: int, at_once: int) -> tuple[float, float]:
    """Return runs per second and CPU milliseconds of this process per run."""
    left = iter(range(count))

    async def worker() -> None:
        for _ in left:
            await run()

    cpu, started = time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    return count / (time.perf_counter() - started), (time.process_time() - cpu) / count * 1000


async def raw_tcp(port: int) -> None:
    with socket.socket() as connection:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (ADDRESS, port))


async def raw_http(port: int) -> None:
    reader, writer = await asyncio.open_connection(ADDRESS, port)
    writer.write(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
    assert b"ready" in await reader.read()
    writer.close()


async def network(port: int, count: int, at_once: int) -> None:
    guard = NetworkGuard.from_text(allowed=["127.0.0.0/8"])
    probe = HTTPCheck(False, port, "/", "example.com", "example.com", (StatusRange(200, 299),), "ready")
    prober = HTTPProber()
    plain = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))

    async def check(target: Target) -> None:
        result = await run_check(target, guard=guard, http=prober, clock=time.monotonic)
        assert result.passed, result

    async def plain_aiohttp() -> None:
        async with plain.get(f"http://{ADDRESS}:{port}/", allow_redirects=False) as response:
            assert b"ready" in await response.read()

    tcp, http = Target(ADDRESS, TCPCheck(port), TIMING), Target(ADDRESS, probe, TIMING)
    for name, run, baseline in (
        ("tcp-raw-socket", lambda: raw_tcp(port), None),
        ("tcp-check", lambda: check(tcp), "tcp-raw-socket"),
        ("http-raw-streams", lambda: raw_http(port), None),
        ("http-plain-aiohttp", plain_aiohttp, None),
        ("http-check", lambda: check(http), "http-plain-aiohttp"),
    ):
        await rate(run, count // 10, at_once)  # warm-up
        per_second, cpu = await rate(run, count, at_once)
        print(f"{name} per_second={per_second:.0f} cpu_ms={cpu:.3f}" + (f" baseline={baseline}" if baseline else ""))
    await prober.close()
    await plain.close()


async def schedule(keys: int, seconds: float) -> None:
    """Due all the time: how many runs per second the scheduler gets through, beside bare tasks."""
    runs = 0

    async def nothing(_key: int) -> None:
        nonlocal runs
        runs += 1

    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        await asyncio.gather(*(asyncio.create_task(nothing(0)) for _ in range(1000)))
    print(f"bare-tasks per_second={runs / seconds:.0f}")

    runs = 0
    work: Periodic[int, None] = Periodic(nothing, on_result=lambda *_: 0.0, in_flight=1000, random=random.Random(1))
    for key in range(keys):
        work.add(key)
    task = asyncio.create_task(work.run())
    await asyncio.sleep(seconds)
    work.close()
    await task
    print(f"scheduler keys={keys} per_second={runs / seconds:.0f} baseline=bare-tasks")


async def memory(keys: int) -> None:
    async def passes(_target: Target) -> CheckResult:
        return PASSED

    targets = [Target(f"10.0.{each >> 8 & 255}.{each & 255}", TCPCheck(each), TIMING) for each in range(keys)]
    before = resident()
    checks = CheckScheduler(passes, on_result=lambda *_: 10.0, in_flight=1000, random=random.Random(1))
    started = time.perf_counter()
    checks.update(targets)
    first = time.perf_counter() - started
    bytes_each = (resident() - before) / keys
    started = time.perf_counter()
    checks.update(targets)
    print(
        f"schedule-memory targets={keys} bytes_each={bytes_each:.0f} "
        f"first_update_s={first:.2f} same_update_s={time.perf_counter() - started:.2f}"
    )


def resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", type=int, default=5000, help="checks per figure (default 5000)")
    parser.add_argument("--at-once", type=int, default=100, help="checks in flight (default 100)")
    parser.add_argument("--targets", type=int, default=100_000, help="targets scheduled (default 100000)")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    if options.serve:
        asyncio.run(serve())
        return
    asyncio.run(memory(options.targets))
    asyncio.run(schedule(options.targets, 2.0))
    command = [sys.executable, __file__, "--serve"]
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        assert server.stdin is not None
        assert server.stdout is not None
        asyncio.run(network(int(server.stdout.readline()), options.checks, options.at_once))
        server.stdin.close()


if __name__ == "__main__":
    main()
