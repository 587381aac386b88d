"""Free loopback ports that stay free while nobody listens on them.

The usual trick, to let the kernel choose, hands out a port of the range that outgoing connections use as well. The
API server's port is without a listener while it is "away", and a client that keeps trying to reach it can then be
given that very port as its own: it connects to itself, and the API server can't have its port back. So ports are
chosen below that range.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

LOWEST = 12_000
USUAL_OUTGOING_RANGE_START = 32_768
OUTGOING_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
ATTEMPTS = 200


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Different ports of a loopback address that nothing uses, for TCP and UDP; raises OSError when none are found."""
    highest = max(_outgoing_range_start(), LOWEST + 10_000)
    chosen: list[int] = []
    for _ in range(ATTEMPTS):
        if len(chosen) == count:
            return chosen
        port = random.randrange(LOWEST, highest)
        if port not in chosen and _is_free(host, port):
            chosen.append(port)
    raise OSError(f"no {count} free ports on {host} between {LOWEST} and {highest}")


def _outgoing_range_start() -> int:
    try:
        return int(OUTGOING_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return USUAL_OUTGOING_RANGE_START


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(family, kind) as listener:
                listener.bind((host, port))
    except OSError:
        return False
    return True
