"""The operator as a process of its own, as a pod would run it, and patience for what it does.

It is on the lab's leash: when the tests are killed, it ends with them.
"""

import asyncio
import inspect
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from detour_lab.controlplane import ControlPlane
from detour_lab.controlplane.ports import free_ports
from detour_lab.controlplane.process import LEASH
from detour_lab.stage.operatorprocess import PERMITTED_ENDPOINTS

PATIENCE = 180.0
"""Seconds after which a wait is given up. It is far more than anything takes, and no judgement: a machine may be slow.

Where a time is promised, `make acceptance` measures it.
"""


async def until(look: Callable[[], Any], what: Callable[[], str] | str, within: float = PATIENCE) -> Any:
    """Look (or await it) again and again until something true is seen, and return that; fail after `within` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        found = look()
        asks_api = inspect.isawaitable(found)
        seen = await found if asks_api else found
        if seen:
            return seen
        if loop.time() > deadline:
            pytest.fail(f"not within {within:g} s: {what() if callable(what) else what}")
        await asyncio.sleep(0.2 if asks_api else 0.03)


class OperatorProcess:
    """One `detour run`, logging JSON to a file of its own."""

    def __init__(self, plane: ControlPlane, folder: Path, *flags: str, owner: str = "lab") -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / f"{owner}-{port}.log"
        self._command = [
            *(sys.executable, "-I", "-S", str(LEASH), str(os.getpid())),
            str(Path(sys.executable).parent / "detour"),
            "run",
            f"--owner={owner}",
            f"--kubeconfig={plane.kubeconfig}",
            f"--listen=127.0.0.1:{port}",
            "--log-format=json",
            *flags,
        ]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, ready: bool = True) -> None:
        """Start it, and wait until it says that it is ready unless `ready` is False."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("DETOUR_", "KUBECONFIG"))}
        environment["DETOUR_PERMITTED_ENDPOINTS"] = PERMITTED_ENDPOINTS
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        if ready:
            await self.answers("/readyz", 200)

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def get(self, path: str) -> tuple[int, str]:
        """Return status and body of one of its own pages; status 0 where nothing listens."""
        try:
            async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientError:
            return 0, ""

    async def answers(self, path: str, status: int, within: float = PATIENCE) -> str:
        """Wait until `path` answers with `status`, and return the body."""

        async def look() -> tuple[int, str] | None:
            found = await self.get(path)
            return found if found[0] == status else None

        found: tuple[int, str] = await until(look, lambda: f"{path} answers {status}\n{self.tail()}", within)
        return found[1]

    async def wait(self) -> tuple[int, str]:
        """Wait until it ends by itself; return exit status and the end of its log."""
        assert self._process is not None, "start it first"
        return await asyncio.wait_for(self._process.wait(), PATIENCE), self.tail()

    def pause(self) -> None:
        """Let it stand still."""
        assert self._process is not None, "start it first"
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on: it meets all that happened meanwhile at once."""
        assert self._process is not None, "start it first"
        self._process.send_signal(signal.SIGCONT)

    async def end(self, *, kill: bool = False) -> int:
        """Send SIGTERM (or SIGKILL), wait until it is gone, and return its exit status."""
        if self._process is None:
            return 0
        if self.runs:
            (self._process.kill if kill else self._process.terminate)()
            self._process.send_signal(signal.SIGCONT)
        return await asyncio.wait_for(self._process.wait(), PATIENCE)

    def lines(self) -> list[dict[str, Any]]:
        """Return what it logged; every line is one JSON object or this fails."""
        whole = self.log.read_text().rpartition("\n")[0]  # the last line may be half written
        return [json.loads(line) for line in whole.splitlines()]

    def tail(self, lines: int = 25) -> str:
        """Return the end of its log, for the message of a test that failed."""
        return "\n".join(self.log.read_text().splitlines()[-lines:]) if self.log.exists() else "(no log)"
