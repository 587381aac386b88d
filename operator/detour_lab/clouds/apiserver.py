"""The part that every emulated API has in common: an aiohttp application that listens, and stops without a trace."""

from types import TracebackType
from typing import Self

from aiohttp import web

LARGEST_REQUEST = 32 * 1024 * 1024
"""Bytes of a request body that are read before the answer is 413; a full Route 53 batch stays far below."""


class APIServer:
    """Serves `app` on `host` and `port` between `start` and `stop`, or as an async context manager.

    Port 0 takes a free one; `port` holds the true one after `start`. `stop` breaks the connections that still wait for
    an answer, so that a latency fault in force doesn't delay it.
    """

    def __init__(self, app: web.Application | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.app = app if app is not None else web.Application(client_max_size=LARGEST_REQUEST)
        self.host = host
        self.port = port
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The address to give to a client, without a trailing slash. Raises RuntimeError before `start`."""
        if self._runner is None:
            raise RuntimeError(f"{type(self).__name__} is not running: await start() first")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=0.05)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self.host, self.port, reuse_address=True)
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self.port = int(runner.addresses[0][1])
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening and close every connection. A server that does not run is left as it is.

        An aiohttp application runs once: a stopped server is not started again, make a new one.
        """
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
