"""Regional services on loopback addresses, which can be broken on purpose and repaired again while they run.

    UP                    answers 200 with the body that checks expect; plain TCP: takes connections
    REFUSING              nobody listens: connections are refused at once
    BLACK_HOLE            connections hang: they are neither taken nor refused (see `servicesockets`)
    SLOW                  answers as UP does, but later
    STATUS_500            answers 500
    WRONG_BODY            answers 200 with another body
    EXPIRED_CERTIFICATE   answers as UP does, under a certificate that ended yesterday

A region that is gone from DNS is not a mode of its service but of its name: see `servicenames`.
"""

import asyncio
import enum
import errno
import socket
from collections import deque
from dataclasses import dataclass

from detour_lab.services.certificates import CertificateAuthority, ServerCertificate
from detour_lab.services.protocol import OpenConnections, Reply, SeenRequest, ServiceConnection
from detour_lab.services.sockets import BlackHole, bound, hold

BODY = "ok"
WRONG_BODY = "this is not the page that you are looking for"
BACKLOG = 1024
HANDSHAKE_TIMEOUT = 5.0  # seconds
SEEN_REQUESTS = 1000


class Mode(enum.StrEnum):
    """How a service behaves."""

    UP = "up"
    REFUSING = "refusing"
    BLACK_HOLE = "black-hole"
    SLOW = "slow"
    STATUS_500 = "status-500"
    WRONG_BODY = "wrong-body"
    EXPIRED_CERTIFICATE = "expired-certificate"


@dataclass(frozen=True, slots=True)
class ServiceCertificates:
    """What an HTTPS service presents, and what it presents in the mode EXPIRED_CERTIFICATE."""

    good: ServerCertificate
    expired: ServerCertificate

    @classmethod
    def issue(cls, authority: CertificateAuthority, *names: str) -> "ServiceCertificates":
        """Have both issued for the same host names and addresses."""
        return cls(authority.valid(*names), authority.expired(*names))


PORT_ATTEMPTS = 40
PORT_PAUSE = 0.05
"""How often, and after how many seconds, a port that is still taken is tried again."""


class RegionalService:
    """An HTTP service, HTTPS with `tls`, or with `http` False one that only takes TCP connections (or TLS ones).

    Port 0 takes a free one at the first start and keeps it. `seen` holds the newest requests, oldest first;
    `requests` counts since the service was made.
    """

    def __init__(
        self,
        address: str,
        port: int = 0,
        *,
        tls: ServiceCertificates | None = None,
        http: bool = True,
        body: str = BODY,
    ) -> None:
        self.address = address
        self.port = port
        self.mode = Mode.UP
        self.seconds = 0.0
        self.requests = 0
        self.seen: deque[SeenRequest] = deque(maxlen=SEEN_REQUESTS)
        self._http = http
        self._body = body
        self._good = tls.good.context() if tls is not None else None
        self._expired = tls.expired.context() if tls is not None else None
        self._open = OpenConnections()
        self._server: asyncio.Server | None = None
        self._bare: socket.socket | None = None
        self._black_hole: BlackHole | None = None
        self._switching = asyncio.Lock()

    async def start(self) -> None:
        """Take the address and behave as `mode` says. Raises OSError where the port is taken."""
        async with self._switching:
            await self._enter()

    async def stop(self) -> None:
        """Leave the address and drop every connection; `start` takes the same port again."""
        async with self._switching:
            await self._leave()

    async def switch(self, mode: Mode, *, seconds: float = 0.0) -> None:
        """Drop every connection and behave as `mode` says; once this returns, no new connection meets the old mode.

        `seconds` is the delay of SLOW. Raises ValueError for a mode that the service cannot be in: SLOW without
        seconds, an expired certificate without TLS, or a wrong answer of a service that answers nothing.
        """
        if mode is Mode.SLOW and seconds <= 0:
            raise ValueError(f"{self}: SLOW needs seconds above 0")
        if mode is Mode.EXPIRED_CERTIFICATE and self._expired is None:
            raise ValueError(f"{self}: without TLS there is no certificate to expire; give it `tls`")
        if mode in (Mode.SLOW, Mode.STATUS_500, Mode.WRONG_BODY) and not self._http:
            raise ValueError(f"{self}: a plain TCP service answers nothing, so it cannot be {mode}")
        async with self._switching:
            running = self._server is not None or self._bare is not None or self._black_hole is not None
            await self._leave()
            self.mode, self.seconds = mode, seconds
            if running:
                await self._enter()

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"

    async def _bound(self) -> socket.socket:
        """Bind our address; a connection that was still in the queue of the socket before may hold it for a moment."""
        for _ in range(PORT_ATTEMPTS):
            try:
                return bound(self.address, self.port)
            except OSError as error:
                if self.port == 0 or error.errno != errno.EADDRINUSE:
                    raise
                await asyncio.sleep(PORT_PAUSE)
        return bound(self.address, self.port)

    async def _enter(self) -> None:
        bare = await self._bound()
        self.port = bare.getsockname()[1]
        if self.mode is Mode.REFUSING:
            hold(bare)
            self._bare = bare
        elif self.mode is Mode.BLACK_HOLE:
            self._black_hole = BlackHole(bare)
        else:
            context = self._expired if self.mode is Mode.EXPIRED_CERTIFICATE else self._good
            loop = asyncio.get_running_loop()
            self._open = connections = OpenConnections()
            reply = self._reply()
            self._server = await loop.create_server(
                lambda: ServiceConnection(reply, connections=connections, seen=self._note),
                sock=bare,
                ssl=context,
                ssl_handshake_timeout=None if context is None else HANDSHAKE_TIMEOUT,
                backlog=BACKLOG,
            )

    async def _leave(self) -> None:
        if self._server is not None:
            self._server.close()
            self._open.close()
            await self._server.wait_closed()
        if self._black_hole is not None:
            self._black_hole.close()
        if self._bare is not None:
            self._bare.close()
        self._server = self._black_hole = self._bare = None

    def _reply(self) -> Reply | None:
        if not self._http:
            return None
        match self.mode:
            case Mode.STATUS_500:
                return Reply("500 Internal Server Error", "the lab was told to fail")
            case Mode.WRONG_BODY:
                return Reply("200 OK", WRONG_BODY)
            case Mode.SLOW:
                return Reply("200 OK", self._body, self.seconds)
            case _:
                return Reply("200 OK", self._body)

    def _note(self, request: SeenRequest) -> None:
        self.requests += 1
        self.seen.append(request)
