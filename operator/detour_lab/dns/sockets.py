"""The sockets of a name server: UDP and TCP on one port, several messages per connection (RFC 7766).

What to answer is the handler's to say, at once or as a coroutine. Stopping ends everything that is under way.
"""

import asyncio
import errno
import logging
import socket
import struct
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

logger = logging.getLogger(__name__)

Replies = Iterable[bytes] | None
"""The messages to send back, in order; None drops the connection (or leaves the datagram without an answer)."""

Handler = Callable[[bytes, bool], Replies | Coroutine[Any, Any, Replies]]
"""Called with each message, and whether it came over TCP. It must not raise."""

RECEIVE_BUFFER = 4 * 1024 * 1024
PORT_ATTEMPTS = 50
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
Address = tuple[Any, ...]


class DNSSockets:
    """A pair of sockets on `host`. With port 0 a free one is taken at the first start, and kept for later ones."""

    def __init__(self, handler: Handler, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._datagrams: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        """Open both sockets. Raises OSError where the port is taken."""
        stream, datagram = _bind_both(self.host, self.port)
        self.port = stream.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._datagrams, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self._handler, self.spawn), sock=datagram
        )
        self._server = await asyncio.start_server(self._serve, sock=stream)

    async def stop(self) -> None:
        """Close both sockets, drop every connection and cancel what is under way."""
        if self._server is None or self._datagrams is None:
            return
        self._server.close()
        self._datagrams.close()
        for writer in self._writers:
            reset(writer)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = self._datagrams = None

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` on its own until it ends or the server stops."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine of a stream server runs in a task
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                outcome = self._handler(await reader.readexactly(length), True)
                replies = await outcome if isinstance(outcome, Coroutine) else outcome
                if replies is None:
                    reset(writer)
                    return
                for reply in replies:
                    writer.write(struct.pack("!H", len(reply)) + reply)
                    await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            return
        except Exception:
            # What is in a zone may not be writable: whoever asked must not wait for the rest of a transfer.
            logger.exception("a connection was broken off")
            reset(writer)
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, handler: Handler, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._handler = handler
        self._spawn = spawn
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # typeshed says Base
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        outcome = self._handler(data, False)
        if isinstance(outcome, Coroutine):
            self._spawn(self._send_later(outcome, addr))
        else:
            self._send(outcome, addr)

    async def _send_later(self, outcome: Coroutine[Any, Any, Replies], addr: Address) -> None:
        self._send(await outcome, addr)

    def _send(self, replies: Replies, addr: Address) -> None:
        if self._transport is not None and not self._transport.is_closing():
            for reply in replies or ():
                self._transport.sendto(reply, addr)


def reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection so that the other side gets a reset, not an orderly end."""
    connection = writer.get_extra_info("socket")
    if connection is not None and not writer.transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()


def _bind_both(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Bind TCP and UDP to the same port; where any will do, try until one is free for both."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    attempts = 1 if port else PORT_ATTEMPTS
    while True:
        attempts -= 1
        stream = socket.socket(family, socket.SOCK_STREAM)
        datagram = socket.socket(family, socket.SOCK_DGRAM)
        try:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            datagram.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            stream.bind((host, port))
            datagram.bind((host, stream.getsockname()[1]))
        except OSError as error:
            stream.close()
            datagram.close()
            if error.errno != errno.EADDRINUSE or not attempts:
                raise
        else:
            stream.setblocking(False)
            datagram.setblocking(False)
            return stream, datagram
