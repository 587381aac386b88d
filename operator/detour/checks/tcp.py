"""The TCP check: the three-way handshake completes. The HTTP check connects in the same way."""

import asyncio
import ipaddress
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
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
        # Where nobody listens, a connection to one's own host can meet itself (RFC 9293 §3.5, simultaneous open)
        if connection.getsockname() == connection.getpeername():
            message = f"{place(address, port)} refused the connection"
            raise ProbeFailedError(Reason.CONNECTION_REFUSED, message)
    except BaseException:
        connection.close()
        raise
    return connection


def _socket_for(address: str) -> socket.socket:
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.setblocking(False)
    return connection
