"""Something between the operator and an API: it passes everything on, but for the answers that a test spoils."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self

import aiohttp
from aiohttp import web

KEPT = ("content-type", "retry-after", "date", "x-ms-request-id")


@dataclass(slots=True)
class Spoilt:
    """What calls are answered with instead; with `reaches` they are carried out all the same."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    reaches: bool = False


class Relay:
    """Serves one API on loopback. `asked` are the methods and paths that came, `bore` their Authorization headers."""

    def __init__(self, api: str = "") -> None:
        self._api = api
        self._spoils: list[tuple[Callable[[web.Request], bool], Spoilt]] = []
        self.asked: list[str] = []
        self.bore: list[str | None] = []
        self.url = ""

    def spoil(
        self, answer: Spoilt, *, methods: Iterable[str] = ("GET", "PUT", "POST", "DELETE"), within: str = ""
    ) -> None:
        """Answer calls of these methods, whose path and query contain `within`, with `answer` from now on."""
        wanted = frozenset(methods)
        self._spoils.append((lambda request: request.method in wanted and within in request.path_qs, answer))

    def heal(self) -> None:
        """Pass everything on from now on."""
        self._spoils.clear()

    async def _serve(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        self.bore.append(request.headers.get("Authorization"))
        body = await request.read()
        spoilt = next((answer for fits, answer in self._spoils if fits(request)), None)
        if spoilt is None or spoilt.reaches:
            passed = await self._passed_on(request, body)
            if spoilt is None:
                return passed
        return web.Response(
            status=spoilt.status, body=spoilt.body, headers={"Content-Type": spoilt.content_type, **spoilt.headers}
        )

    async def _passed_on(self, request: web.Request, body: bytes) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(request.method, self._api + request.path_qs, data=body, headers=headers) as answer,
        ):
            kept = {name: value for name, value in answer.headers.items() if name.lower() in KEPT}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
