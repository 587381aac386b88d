"""Plain enactors as processes beside us: told when to work, held at a point, stopped and woken by signals.

A process that is stopped (SIGSTOP) is what an unusually slow one is to everybody else: it holds what it has read, does
nothing, and doesn't know that time passes. Nothing here waits for a time to pass: a story waits until an enactor says
that it has reached a point, and until the kernel says that it stands still.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from detour_lab.controlplane.process import LEASH
from detour_lab.stories.october.enactor import DONE, READY, REFUSED
from detour_lab.stories.october.planzone import Account
from detour_lab.stories.october.standstill import until_stopped

STEP_TIMEOUT = 180.0
"""Seconds within which an enactor reaches the point that is waited for."""

Point = dict[str, Any]
"""What an enactor says at a point: `at`, `waits`, and details such as `plan`."""


class EnactorError(RuntimeError):
    """An enactor did not do what the story needs; the message says what it said."""


@dataclass(slots=True, kw_only=True)
class EnactorProcess:
    """One enactor; an async context manager. `wait_at` are the points at which it waits for `go`."""

    name: str
    account: Account
    plans: Path
    wait_at: Sequence[str] = ()
    said: list[Point] = field(default_factory=list)
    _process: asyncio.subprocess.Process | None = None
    _errors: list[str] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        """Start it and wait until it is ready. Raises EnactorError where it ends at once."""
        account = self.account
        command = [sys.executable, "-m", "detour_lab.stories.october.enactor", f"--plans={self.plans}"]
        command += [f"--endpoint-url={account.endpoint_url}", f"--zone-id={account.zone_id}"]
        command += [f"--wait-at={point}" for point in self.wait_at]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ACCESS_KEY_ID": account.access_key,
            "AWS_SECRET_ACCESS_KEY": account.secret_key,
        }
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(LEASH), str(os.getpid())),
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            await self.until(READY)
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    @property
    def pid(self) -> int:
        return self._running().pid

    def begin(self) -> None:
        """Let it begin a round."""
        self._tell("round")

    def go(self) -> None:
        """Let it leave the point at which it waits; it reads this also when it is woken later."""
        self._tell("go")

    async def until(self, *points: str) -> Point:
        """Return what it says when it reaches one of `points`.

        Raises EnactorError where it ends before, or hasn't come there after STEP_TIMEOUT seconds.
        """
        try:
            async with asyncio.timeout(STEP_TIMEOUT):
                while True:
                    point = await self._next()
                    if point["at"] in points:
                        return point
        except TimeoutError:
            raise EnactorError(
                f"enactor {self.name} has not come to {' or '.join(points)} within {STEP_TIMEOUT:g} s: {self._tail()}"
            ) from None

    async def round(self) -> Point:
        """Let it do a whole round and return how that ended."""
        self.begin()
        return await self.until(DONE, REFUSED)

    async def pause(self) -> None:
        """Stop it (SIGSTOP) and wait until it stands still."""
        os.kill(self.pid, signal.SIGSTOP)
        await until_stopped(self.pid)

    def wake(self) -> None:
        """Let it go on (SIGCONT), unaware that it ever stood still."""
        os.kill(self.pid, signal.SIGCONT)

    async def kill(self) -> None:
        """End it, also where it is stopped, and wait until it is gone. Again is harmless."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _next(self) -> Point:
        stdout = self._running().stdout
        assert stdout is not None  # noqa: S101 - it was asked for as a pipe
        while line := await stdout.readline():
            try:
                point: Point = json.loads(line)
            except json.JSONDecodeError:
                self._errors.append(line.decode(errors="replace").rstrip())
                continue
            self.said.append(point)
            return point
        raise EnactorError(f"enactor {self.name} has ended; it said: {self._tail()}")

    def _tell(self, word: str) -> None:
        stdin = self._running().stdin
        assert stdin is not None  # noqa: S101 - it was asked for as a pipe
        stdin.write(f"{word}\n".encode())

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise EnactorError(f"enactor {self.name} was not started")
        return self._process

    def _tail(self) -> str:
        return "\n".join([*(json.dumps(each) for each in self.said[-3:]), *self._errors[-15:]])
