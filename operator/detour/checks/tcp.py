"""The TCP check: the three-way handshake completes. The HTTP check connects in the same way."""

import asyncio
import errno
import os
import socket

from detour.checks.failures import ProbeFailedError, Reason, connection_failure, place
from detour.model.checks import TCPCheck


async def probe_tcp(address: str, check: TCPCheck) -> None:
    """Open a connection and close it again. The deadline is the caller's.

    Raises ProbeFailedError or ProbeImpossibleError.
    """
    try:
        (await connected(address, check.port)).close()
    except OSError as error:
        raise connection_failure(error, address, check.port) from error


async def connected(address: str, port: int) -> socket.socket:
    """Return a connection, which the caller closes. Raises OSError, or ProbeFailedError where it leads to itself."""
    connection = _socket_for(address)
    try:
        if (code := connection.connect_ex((address, port))) == errno.EINPROGRESS:
            await _writable(connection)
            code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        # Where nobody listens, a connection to one's own host can meet itself (RFC 9293 §3.5, simultaneous open)
        if connection.getsockname() == connection.getpeername():
            message = f"{place(address, port)} refused the connection"
            raise ProbeFailedError(Reason.CONNECTION_REFUSED, message)
    except BaseException:
        connection.close()
        raise
    return connection


async def _writable(connection: socket.socket) -> None:
    """Wait until a connection that is being made stands, or has failed."""
    loop, number = asyncio.get_running_loop(), connection.fileno()
    stands = asyncio.Event()
    loop.add_writer(number, stands.set)
    try:
        await stands.wait()
    finally:
        loop.remove_writer(number)


def _socket_for(address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
