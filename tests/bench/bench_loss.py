"""What a network that loses packets does to verdicts: real checks over a real link that drops so many of them.

Run `make bench-loss SECONDS=600`; it needs root, /dev/net/tun, ip and unshare. The places are in a network namespace
of their own, and packets go to and fro between two TUN devices, where this process drops a share of them at random: so
what is measured is what TCP makes of it, with its own retransmissions. First the share of single checks that fail, at
several losses and deadlines; then a vantage checks 100 endpoints through a link that loses a fifth, with the timing
that a record has where it says nothing else. The figures go to build/bench/loss.json, the plot to docs/images/loss.svg.
"""

import asyncio
import contextlib
import fcntl
import json
import math
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from detour.checks.guard import NetworkGuard
from detour.checks.http import HTTPProber
from detour.checks.run import run_check
from detour.checks.scheduler import CheckScheduler
from detour.health.thresholds import Streak, is_in_question, next_delay, observe
from detour.model.checks import CheckResult, CheckTiming, HTTPCheck, StatusRange, Target
from detour.model.health import Verdict

RESULTS = Path(__file__).resolve().parents[2] / "build" / "bench" / "loss.json"
PLOT = Path(__file__).resolve().parents[2] / "docs" / "images" / "loss.svg"
WIDTH, HEIGHT, MARGIN = 820, 460, 60
PLOTTED = (2.0, 1.0)
"""Deadlines in the plot, in seconds."""

COLORS = ("#57606a", "#0969da", "#1a7f37", "#bf8700", "#cf222e")
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
NEAR, FAR = "10.77.0.1", "10.77.1"
"""The address at this end, and the first three numbers of those at the other."""

PORT = 18080
ENDPOINTS = 100
LOSSES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.3)
DEADLINES = (0.5, 1.0, 2.0, 4.0)
CHECKS = 1500
"""For each loss and deadline."""

LOSS = 0.2
SECONDS = 600.0
TIMING = CheckTiming(interval=10.0, recheck_interval=1.0, timeout=2.0, fall=3, rise=3)
"""What a FailoverRecord has where it says nothing else."""

CHECK = HTTPCheck(tls=False, port=PORT, path="/", host="x", server_name="x", expected_statuses=(StatusRange(200, 299),))


def tun(name: str) -> int:
    """Return a new TUN device of this network namespace. Raises OSError."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return descriptor


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def be_far(control: socket.socket) -> None:
    """Be the other end: hand the device over, and answer every request at every address."""
    descriptor = tun("detour-far")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "set", "detour-far", "up")
    run("ip", "route", "add", "local", f"{FAR}.0/24", "dev", "lo")
    run("ip", "route", "add", f"{NEAR}/32", "dev", "detour-far")
    socket.send_fds(control, [b"x"], [descriptor])

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            await writer.drain()
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "0.0.0.0", PORT, backlog=4096)  # noqa: S104 - of this namespace
        control.send(b"ready")
        await server.serve_forever()

    asyncio.run(serve())


class Link:
    """Two devices, between which packets go to and fro; `loss` of those to and from some addresses are dropped."""

    def __init__(self, near: int, far: int) -> None:
        self.loss = 0.0
        self._random = random.Random(1)
        self._ends = (near, far)
        loop = asyncio.get_running_loop()
        loop.add_reader(near, self._pass, near, far)
        loop.add_reader(far, self._pass, far, near)

    def close(self) -> None:
        """Let no packet pass any more."""
        for each in self._ends:
            asyncio.get_running_loop().remove_reader(each)

    def _pass(self, source: int, target: int) -> None:
        for _ in range(64):
            try:
                packet = os.read(source, 4096)
            except BlockingIOError:
                return
            if self._random.random() >= self.loss:
                with contextlib.suppress(BlockingIOError):
                    os.write(target, packet)


@contextlib.contextmanager
def far_end() -> Iterator[tuple[int, int]]:
    """Give the devices of both ends, with the places answering at the other."""
    near = tun("detour-near")
    run("ip", "addr", "add", f"{NEAR}/32", "dev", "detour-near")
    run("ip", "link", "set", "detour-near", "up")
    run("ip", "route", "add", f"{FAR}.0/24", "dev", "detour-near", "src", NEAR)
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    command = ["unshare", "--net", sys.executable, __file__, "--far", str(theirs.fileno())]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    try:
        _, descriptors, _, _ = socket.recv_fds(mine, 1, 1)
        os.set_blocking(descriptors[0], False)
        assert mine.recv(5) == b"ready"
        yield near, descriptors[0]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(near)


@dataclass(slots=True)
class Prober:
    """A vantage's checks of all endpoints; `false` are when it took one for failed, which never is."""

    guard: NetworkGuard
    http: HTTPProber
    streaks: dict[Target, Streak] = field(default_factory=dict)
    false: list[float] = field(default_factory=list)
    checks: int = 0
    failed: int = 0

    async def check(self, target: Target) -> CheckResult:
        """Make a check."""
        return await run_check(target, guard=self.guard, http=self.http, clock=time.monotonic)

    def on_result(self, target: Target, result: CheckResult, started: float) -> float:
        before = self.streaks[target]
        streak = self.streaks[target] = observe(before, result, target.timing, time.monotonic(), began_at=started)
        self.checks += 1
        self.failed += result.passed is False
        if streak.verdict is Verdict.UNHEALTHY and before.verdict is not Verdict.UNHEALTHY:
            self.false.append(time.monotonic())
        return next_delay(streak, target.timing)


async def single_checks(guard: NetworkGuard, http: HTTPProber, link: Link) -> list[dict[str, float]]:
    """Return which share of checks fails, by loss and deadline."""
    found = []
    for loss in LOSSES:
        for deadline in DEADLINES:
            link.loss = loss
            timing = CheckTiming(10.0, 1.0, deadline, 3, 3)
            places = asyncio.Semaphore(150)

            async def one(number: int, timing: CheckTiming = timing, places: asyncio.Semaphore = places) -> bool:
                async with places:
                    target = Target(f"{FAR}.{1 + number % ENDPOINTS}", CHECK, timing)
                    return (await run_check(target, guard=guard, http=http, clock=time.monotonic)).passed is False

            failed = sum(await asyncio.gather(*map(one, range(CHECKS))))
            found.append({"loss": loss, "deadline": deadline, "failing": failed / CHECKS})
            print(
                f"loss {loss:4.0%}, deadline {deadline:g} s: {failed / CHECKS:7.2%} of {CHECKS} checks fail", flush=True
            )
    return found


async def verdicts(guard: NetworkGuard, http: HTTPProber, link: Link, seconds: float) -> dict[str, float]:
    """Return how often one vantage, with so many endpoints behind a lossy link, takes one for failed."""
    link.loss = LOSS
    prober = Prober(guard, http)
    targets = [Target(f"{FAR}.{1 + number}", CHECK, TIMING) for number in range(ENDPOINTS)]
    prober.streaks = {each: Streak(Verdict.HEALTHY, time.monotonic(), has_passed=True) for each in targets}
    scheduler = CheckScheduler(
        prober.check,
        on_result=prober.on_result,
        in_flight=500,
        random=random.Random(2),
        is_in_question=lambda target: is_in_question(prober.streaks[target]),
    )
    for each in targets:
        scheduler.add(each)
    work = asyncio.create_task(scheduler.run())
    await asyncio.sleep(seconds)
    work.cancel()
    return {
        "seconds": seconds,
        "endpoints": ENDPOINTS,
        "loss": LOSS,
        "checks": prober.checks,
        "failing": prober.failed / prober.checks,
        "false_verdicts": len(prober.false),
    }


def by_day(failing: float, fall: int) -> float:
    """Return how often a day one endpoint that works is taken for failed, if so large a share of its checks fails."""
    return 86_400.0 / TIMING.interval * failing**fall


def bound(deadline: float, fall: int) -> float:
    """Return the seconds within which an endpoint that fails is found, with the default intervals."""
    return TIMING.interval + deadline + (fall - 1) * max(TIMING.recheck_interval, deadline)


def plot(singles: Sequence[Mapping[str, float]]) -> str:
    """Return an SVG: false verdicts of an endpoint in a day by `fall`, for each loss and two deadlines."""
    low, high, falls = -6, 4, range(1, 7)

    def x(fall: int) -> float:
        return MARGIN + (fall - 1) / (len(falls) - 1) * (WIDTH - 4 * MARGIN)

    def y(value: float) -> float:
        return HEIGHT - 2 * MARGIN - (math.log10(value) - low) / (high - low) * (HEIGHT - 3 * MARGIN)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="12" role="img" aria-label="False verdicts of an endpoint in a day, by fall">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{MARGIN}" y="{MARGIN / 2:.0f}">times a day that an endpoint that works is taken for failed</text>',
    ]
    for power in range(low, high + 1, 2):
        at = y(10.0**power)
        parts.append(f'<line x1="{MARGIN}" x2="{WIDTH - 3 * MARGIN}" y1="{at:.0f}" y2="{at:.0f}" stroke="#d0d7de"/>')
        parts.append(f'<text x="{MARGIN - 6}" y="{at + 4:.0f}" text-anchor="end">{10.0**power:g}</text>')
    for fall in falls:
        bounds = " or ".join(f"{bound(deadline, fall):g}" for deadline in PLOTTED)
        at = f'x="{x(fall):.0f}" text-anchor="middle"'
        parts.append(f'<text {at} y="{HEIGHT - MARGIN - 12}">fall {fall}</text>')
        parts.append(f'<text {at} y="{HEIGHT - MARGIN + 6}" fill="#57606a">{bounds} s</text>')
    told = " or ".join(f"{deadline:g} s" for deadline in PLOTTED)
    parts.append(
        f'<text x="{MARGIN}" y="{HEIGHT - 12}" fill="#57606a">below: found within, with timeout {told}; lines: solid'
        f" {PLOTTED[0]:g} s, dashed {PLOTTED[1]:g} s</text>"
    )
    for color, loss in zip(COLORS, [each for each in LOSSES if each], strict=True):
        for deadline, dashes in zip(PLOTTED, ("none", "6 4"), strict=True):
            found = next(each for each in singles if (each["loss"], each["deadline"]) == (loss, deadline))
            points = [(x(fall), by_day(found["failing"], fall)) for fall in falls if found["failing"]]
            shown = [(across, y(value)) for across, value in points if value >= 10.0**low]
            line = " ".join(f"{across:.0f},{down:.0f}" for across, down in shown)
            parts.append(
                f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2" stroke-dasharray="{dashes}"/>'
            )
            if shown and deadline == PLOTTED[1]:
                across, down = shown[-1]
                parts.append(f'<text x="{across + 8:.0f}" y="{down + 4:.0f}" fill="{color}">loss {loss:.0%}</text>')
    return "\n".join([*parts, "</svg>", ""])


async def measure(seconds: float) -> None:
    with far_end() as (near, far):
        link, http = Link(near, far), HTTPProber()
        guard = NetworkGuard.from_text(["10.77.0.0/16"])
        singles = await single_checks(guard, http, link)
        one = await verdicts(guard, http, link, seconds)
        await http.close()
        link.close()
    print(
        f"{ENDPOINTS} endpoints behind a loss of {LOSS:.0%} for {seconds:g} s, default timing: {one['failing']:.1%} of"
        f" {one['checks']:g} checks fail, {one['false_verdicts']:g} false verdicts"
    )
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"singles": singles, "verdicts": one}, indent=1))
    PLOT.write_text(plot(singles))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--far"]:
        be_far(socket.socket(fileno=int(sys.argv[2])))
    else:
        asyncio.run(measure(float(sys.argv[1]) if sys.argv[1:] else SECONDS))
