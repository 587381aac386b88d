"""Sockets of a service that must fail in a chosen way: it refuses, or takes no connection at all.

Both are made of plain sockets, so that a check meets what it would meet in the field. While the service refuses, the
port stays bound without listening: connections are refused, and nobody else can take the port. While it is a black
hole, it listens with the shortest backlog and never accepts; a few connections of its own fill that backlog, and
Linux then drops every further SYN. A client's connect hangs until its own deadline, as with a host that is gone.
"""

import errno
import socket

FILLERS = 4
"""Connections that fill a backlog of 0, which holds one; the others wait in vain, like any client."""


def bound(address: str, port: int) -> socket.socket:
    """Return a TCP socket that is bound but does not listen. Raises OSError where the port is taken."""
    bare = socket.socket(_family(address), socket.SOCK_STREAM)
    try:
        bare.setblocking(False)
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bare.bind((address, port))
    except OSError as error:
        bare.close()
        raise OSError(error.errno, f"{address} port {port}: {error.strerror}; is another lab running?") from error
    return bare


def hold(bare: socket.socket) -> None:
    """Let a bound socket, which is not going to listen, keep its port to itself."""
    # Linux lets two sockets that do not listen share a port as long as both have the option.
    bare.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


class BlackHole:
    """Turns a bound socket into one that never takes a connection, until it is closed."""

    def __init__(self, bare: socket.socket) -> None:
        self._listening = bare
        bare.listen(0)
        where = bare.getsockname()
        self._fillers = [socket.socket(bare.family, socket.SOCK_STREAM) for _ in range(FILLERS)]
        for filler in self._fillers:
            filler.setblocking(False)
            if filler.connect_ex(where) not in (0, errno.EINPROGRESS):
                self.close()
                raise OSError(f"{where[0]} port {where[1]}: its backlog could not be filled")

    def close(self) -> None:
        for each in (*self._fillers, self._listening):
            each.close()


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
