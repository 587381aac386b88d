"""Where a server is: an address or a host name, and a port.

A name is looked up anew for each connection, by the system's resolver, which also knows the cluster's services. When
that fails, the addresses of the last time are used: the resolver may be down for the very reason that makes us write.
"""

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass

from detour.enactment.contract import UnavailableError
from detour.model.rrset import is_address
from detour.providers.threads import Threads

LOOK_UP_TIMEOUT = 5.0
"""Seconds."""

_FORM = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<host>[^\[\]:\s]+)):(?P<port>[0-9]{1,5})", re.ASCII)
_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?([.][a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """`host` is an address in its shortest form or a host name in lower case without a trailing dot."""

    host: str
    port: int

    @property
    def is_name(self) -> bool:
        """Tell whether the host has to be looked up."""
        return not is_address(self.host)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def server_address(text: str) -> ServerAddress:
    """Return what `text` says: `address:port`, `[IPv6 address]:port` or `host:port`. Raises ValueError otherwise."""
    form = _FORM.fullmatch(text.strip())
    host = (form["six"] or form["host"]).lower().rstrip(".") if form else ""
    port = int(form["port"]) if form else 0
    if form and is_address(host):
        host = str(ipaddress.ip_address(host))
    elif not form or form["six"] or not _HOST_NAME.fullmatch(host) or host.replace(".", "").isdigit():
        host = ""
    if not host or not 0 < port < 2**16:
        raise ValueError(
            f"server {text!r} is not of the form address:port or host:port, such as 192.0.2.1:53, [2001:db8::1]:53 "
            "or ns1.example.net:53"
        )
    return ServerAddress(host, port)


class LookUp:
    """Finds the addresses of one host, the one that served last first."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._threads = Threads(f"look up {host}", 1) if not is_address(host) else None
        self._last: list[str] = [] if self._threads else [host]

    async def addresses(self) -> list[str]:
        """Return the addresses to try, in order. Raises UnavailableError where there is none."""
        if self._threads is None:
            return list(self._last)
        try:
            async with asyncio.timeout(LOOK_UP_TIMEOUT):
                found = await self._threads.run(socket.getaddrinfo, self._host, 0, type=socket.SOCK_STREAM)
        except TimeoutError:
            why = f"no answer within {LOOK_UP_TIMEOUT:g} s"
        except (OSError, UnicodeError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        else:
            new = list(dict.fromkeys(str(each[4][0]) for each in found))
            self._last = [each for each in self._last if each in new] + [each for each in new if each not in self._last]
            return list(self._last)
        if self._last:
            return list(self._last)
        raise UnavailableError(
            f"the name server {self._host} cannot be looked up ({why}): is the name right, does the operator's "
            "resolver know it?"
        )

    def served(self, address: str) -> None:
        """Try `address` first from now on."""
        self._last = [address, *(each for each in self._last if each != address)]

    def close(self) -> None:
        """Look up no more."""
        if self._threads is not None:
            self._threads.close()
