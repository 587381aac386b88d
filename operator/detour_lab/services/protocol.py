"""One connection to a regional service: as much of HTTP/1.1 as checks speak, or nothing at all for plain TCP.

Written on the bare protocol because a lab of a thousand records is asked for hundreds of checks a second.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

END_OF_HEAD = b"\r\n\r\n"
MAXIMUM_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What every request gets, `delay` seconds after it came in."""

    status: str
    body: str
    delay: float = 0.0

    def encode(self, *, head_only: bool) -> bytes:
        body = self.body.encode()
        head = (
            f"HTTP/1.1 {self.status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + (b"" if head_only else body)


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request as it arrived: header names in lower case, the last of several equal ones."""

    method: str
    path: str
    headers: dict[str, str]


class OpenConnections:
    """The connections of a service in one mode. Once it has left the mode, late ones are broken as they arrive."""

    def __init__(self) -> None:
        self._connections: set[ServiceConnection] = set()
        self._closed = False

    def admit(self, connection: "ServiceConnection") -> None:
        self._connections.add(connection)
        if self._closed:
            connection.abort()

    def discard(self, connection: "ServiceConnection") -> None:
        self._connections.discard(connection)

    def close(self) -> None:
        """Break every connection, and from now on each that was accepted but had not got here (a TLS handshake)."""
        self._closed = True
        for connection in tuple(self._connections):
            connection.abort()


class ServiceConnection(asyncio.Protocol):
    """Answers each request with `reply`; without one (plain TCP) it keeps the connection open and says nothing."""

    def __init__(
        self,
        reply: Reply | None,
        *,
        connections: OpenConnections,
        seen: Callable[[SeenRequest], None],
    ) -> None:
        self._reply = reply
        self._connections = connections
        self._seen = seen
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._delayed: set[asyncio.TimerHandle] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server makes nothing else
        self._transport = transport
        self._connections.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        for handle in self._delayed:
            handle.cancel()

    def abort(self) -> None:
        """Break the connection now."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._reply is None:
            return
        self._received += data
        while END_OF_HEAD in self._received:
            head, _, self._received = self._received.partition(END_OF_HEAD)
            self._answer(head, self._reply)
        if len(self._received) > MAXIMUM_HEAD:
            self.abort()

    def _answer(self, head: bytes, reply: Reply) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, _, rest = first.partition(" ")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self._seen(SeenRequest(method, rest.partition(" ")[0], headers))
        response = reply.encode(head_only=method == "HEAD")
        if reply.delay:
            loop = asyncio.get_running_loop()
            self._delayed.add(loop.call_later(reply.delay, self._send, response, headers))
        else:
            self._send(response, headers)

    def _send(self, response: bytes, headers: dict[str, str]) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(response)
        if headers.get("connection", "").lower() == "close":
            self._transport.close()
