"""The TCP check: the three-way handshake completes."""

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
        with _socket_for(address) as connection:
            await asyncio.get_running_loop().sock_connect(connection, (address, check.port))
            # Where nobody listens, a connection to one's own host can meet itself (RFC 9293 §3.5, simultaneous open)
            if connection.getsockname() == connection.getpeername():
                where = place(address, check.port)
                raise ProbeFailedError(Reason.CONNECTION_REFUSED, f"{where} refused the connection")
    except OSError as error:
        raise connection_failure(error, address, check.port) from error


def _socket_for(address: str) -> socket.socket:
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.setblocking(False)
    return connection
