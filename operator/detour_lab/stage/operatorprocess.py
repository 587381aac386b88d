"""The operator as a process beside us: started, listened to, and ended politely or not.

It runs the installed `detour run`, on the leash of `detour_lab.controlplane`, so that it never outlives us. Its log
goes to a file, which is followed here: however slowly somebody reads, the operator never waits for them. Each line is
the JSON object that the operator wrote (`time`, `level`, `message`, and with an `event` also `target`, `verdict`,
`record`, `hostname` or `zone`).
"""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from detour_lab.controlplane.ports import free_ports
from detour_lab.controlplane.process import Process
from detour_lab.stage.steppedclock import SteppedClock

READY_TIMEOUT = 180.0
TERMINATION_TIMEOUT = 180.0
"""Seconds after which a wait is given up: no judgement, as a machine may be slow. Figures are for `make acceptance`."""
FOLLOW_INTERVAL = 0.02
READY_INTERVAL = 0.05
KILL_TIMEOUT = 60.0
STARVING_TURN = 0.1
"""Seconds: the period of a CPU quota (`cpu.cfs_period_us`, as Kubernetes has it)."""

PERMITTED_ENDPOINTS = "http://127.0.0.0/8:*"
"""What a lab's zones may name in `endpointURL`: its emulated services, over plain http."""

LogLine = dict[str, Any]


class OperatorError(RuntimeError):
    """The operator didn't start, or didn't end, as it should; the message has the end of its log."""


class OperatorProcess:
    """One `detour run`; an async context manager, or `start` and then `terminate` or `kill`.

    It can be started again after its end, which is a restart. `arguments` follow `detour run`; the log format and an
    address for its health endpoints are added. `environment` is the whole environment, ours by default. `lines` is
    everything that was logged, restarts included. `name` tells several apart: with the number of the start it is the
    user agent of the operator's calls to Azure, and what it calls itself in a Lease unless `arguments` have an
    identity. `clock` makes its wall clock one that can be moved.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        name: str = "operator",
        clock: SteppedClock | None = None,
    ) -> None:
        self.name = name
        self.starts = 0
        self._arguments = tuple(arguments)
        self._environment = environment
        self._clock = clock
        self._folder: Path | None = None
        self._process: Process | None = None
        self._follower: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self.paused = False
        self.lines: list[LogLine] = []
        self.listen = ""

    @property
    def url(self) -> str:
        """The address of /livez, /readyz and /metrics."""
        return f"http://{self.listen}"

    @property
    def identity(self) -> str:
        """What no other process is ever called: the name and the number of the start."""
        return f"{self.name}_{self.starts}"

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    async def start(self, *, ready_timeout: float = READY_TIMEOUT, wait_until_ready: bool = True) -> None:
        """Start it and wait until it is ready.

        Raises OperatorError where it ends at once or isn't ready in time; it is then gone. `wait_until_ready` False
        doesn't wait: without an API server it never becomes ready, but works.
        """
        if self.running:
            raise RuntimeError("this operator runs already")
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="detour-operator-"))
        log = self._folder / "log"
        position = log.stat().st_size if log.exists() else 0
        await self._stop_following()
        (port,) = free_ports(1)
        self.listen = f"127.0.0.1:{port}"
        program = Path(sys.executable).with_name("detour")
        self.starts += 1
        command = [
            str(program),
            "run",
            *self._arguments,
            *self._identity(),
            f"--listen={self.listen}",
            "--log-format=json",
        ]
        self._process = Process("detour", command, log=log, environment=self._surroundings())
        self._follower = asyncio.create_task(self._follow_log(log, position))
        self._follower.add_done_callback(lambda _: self._wake())
        if wait_until_ready:
            try:
                await self._await_ready(ready_timeout)
            except BaseException:
                await self.kill()
                raise

    async def terminate(self) -> float:
        """Ask it to end and return the seconds that it took. Raises OperatorError where it does not end."""
        process = self._running()
        self.resume()
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        self._signal(signal.SIGTERM)
        if not await asyncio.to_thread(process.wait, TERMINATION_TIMEOUT):
            await self.kill()
            raise OperatorError(f"{TERMINATION_TIMEOUT:g} s after SIGTERM it still ran; it said:\n{process.log_tail()}")
        took = loop.time() - asked_at
        await self._stop_following()
        return took

    async def kill(self) -> None:
        """End it without warning, as a lost node would, and wait until it is gone. Again is harmless."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            await asyncio.to_thread(self._process.wait, KILL_TIMEOUT)
            if self._clock is not None:
                self._clock.forget(self._process.pid)
        await self._stop_following()

    def pause(self) -> None:
        """Let it stand still, as on a machine that is suspended: it keeps its sockets, and nobody answers there."""
        self._signal(signal.SIGSTOP)
        self.paused = self.running

    def resume(self) -> None:
        """Let a paused one go on where it was. Again is harmless."""
        self._signal(signal.SIGCONT)
        self.paused = False

    @asynccontextmanager
    async def starving(self, share: float) -> AsyncIterator[None]:
        """Let it have so large a share of a core, in turns of `STARVING_TURN` seconds, as a CPU quota would."""

        async def starve() -> None:
            while True:
                self.pause()
                await asyncio.sleep(STARVING_TURN * (1 - share))
                self.resume()
                await asyncio.sleep(STARVING_TURN * share)

        task = asyncio.create_task(starve())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self.resume()

    async def close(self) -> None:
        """End it if it still runs, and remove its log."""
        try:
            if self.running:
                await self.terminate()
        finally:
            await self.kill()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = self._process = None

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def follow(self, start: int = 0) -> AsyncIterator[LogLine]:
        """Yield the log lines from number `start` on, as they come; it ends with `kill`, `terminate` or a crash."""
        while True:
            news = self._news
            while start < len(self.lines):
                yield self.lines[start]
                start += 1
            if news is not self._news:
                continue
            if self._follower is None or self._follower.done():
                return
            await news.wait()

    async def until(self, condition: Callable[[LogLine], bool], *, timeout: float, start: int = 0) -> LogLine:
        """Return the first line from number `start` on that meets `condition`.

        Raises OperatorError, with the end of the log, after `timeout` seconds or when the operator ends before.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                async for line in self.follow(start):
                    if condition(line):
                        return line
        raise OperatorError(f"the awaited line was not logged within {timeout:g} s; it said:\n{self.log_tail()}")

    def log_tail(self, lines: int = 15) -> str:
        """The last lines that it logged, for people."""
        return "\n".join(f"{line.get('level', '')}: {line.get('message', '')}" for line in self.lines[-lines:])

    def rss_megabytes(self) -> float:
        """Return the memory that it holds now (VmRSS of proc(5)), in 10^6 bytes."""
        return self._memory("VmRSS")

    def peak_rss_megabytes(self) -> float:
        """Return the most that it ever held (VmHWM of proc(5)), in 10^6 bytes."""
        return self._memory("VmHWM")

    def _memory(self, field: str) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii", errors="replace")
        found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
        if found is None:
            raise OperatorError(f"process {self.pid} has ended, so its memory cannot be read")
        return int(found[1]) * 1024 / 1e6

    def _running(self) -> Process:
        if self._process is None or not self._process.running:
            raise OperatorError(f"the operator doesn't run; it said:\n{self.log_tail()}")
        return self._process

    def _surroundings(self) -> dict[str, str]:
        given = os.environ if self._environment is None else self._environment
        moved = {} if self._clock is None else self._clock.environment()
        lab = {"DETOUR_PERMITTED_ENDPOINTS": PERMITTED_ENDPOINTS}
        return {**lab, **given, **moved, "AZURE_HTTP_USER_AGENT": self.identity}

    def _identity(self) -> list[str]:
        flags = [each.partition("=")[0] for each in self._arguments]
        return [f"--identity={self.identity}"] if "--lease" in flags and "--identity" not in flags else []

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.running:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    async def _await_ready(self, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        give_up = loop.time() + timeout
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2.0)) as session:
            while self.running:
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(f"{self.url}/readyz") as answer:
                        reason = await answer.text()
                        if answer.status == 200:
                            return
                        if loop.time() > give_up:
                            raise OperatorError(f"not ready after {timeout:g} s: {reason.strip()}\n{self._raw_tail()}")
                if loop.time() > give_up:
                    raise OperatorError(f"no answer from {self.url}/readyz after {timeout:g} s\n{self._raw_tail()}")
                await asyncio.sleep(READY_INTERVAL)
        raise OperatorError(f"it ended instead of becoming ready; it said:\n{self._raw_tail()}")

    def _raw_tail(self) -> str:
        return self._process.log_tail() if self._process is not None else ""

    async def _follow_log(self, log: Path, position: int) -> None:
        pending = b""
        with log.open("rb") as file:
            file.seek(position)
            while True:
                ended = not self.running
                if data := file.read():
                    *complete, pending = (pending + data).split(b"\n")
                    self._take(complete)
                elif ended:
                    break
                else:
                    await asyncio.sleep(FOLLOW_INTERVAL)
        self._take([pending] if pending else [])

    def _take(self, lines: Sequence[bytes]) -> None:
        if lines:
            self.lines.extend(_parse(line) for line in lines)
            self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _stop_following(self) -> None:
        """Read what an ended operator said last."""
        if self._follower is not None:
            await self._follower


def _parse(line: bytes) -> LogLine:
    """Return a line's fields; what is no JSON object (an interpreter's last words) becomes a message of its own."""
    text = line.decode("utf-8", errors="replace")
    with suppress(json.JSONDecodeError):
        fields = json.loads(text)
        if isinstance(fields, dict):
            return fields
    return {"level": "raw", "message": text}
