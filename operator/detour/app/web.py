"""/livez, /readyz and /metrics over HTTP."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from detour.enactment.asking import split_server


class HealthServer:
    """Answers the kubelet and Prometheus.

    Alive means that this very loop turns: it depends on neither the API server nor any provider, because a restart
    would help with neither. Ready means that all kinds have been listed once; `not_ready` gives the reason, or None.
    """

    def __init__(self, listen: str, registry: CollectorRegistry, not_ready: Callable[[], str | None]) -> None:
        self._host, self._port = split_server(listen)
        self._registry = registry
        self._not_ready = not_ready
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Begin to listen. Raises OSError where the address is taken."""
        app = web.Application()
        app.router.add_get("/livez", self._live)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _live(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _ready(self, _: web.Request) -> web.Response:
        reason = self._not_ready()
        return web.Response(text="ok\n") if reason is None else web.Response(status=503, text=f"{reason}\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
