"""One question over UDP, and over TCP where the answer comes cut short (RFC 7766 §5).

The UDP socket is connected, so the kernel drops what others send, reports a closed port at once instead of leaving it
to the deadline, and says beforehand where there is no way to an address. What comes from the server itself and is no
answer to the question (a late answer to an earlier one, octets that are no DNS) is passed over.
"""

import errno
import ipaddress
import socket

import dns.asyncbackend
import dns.asyncquery
import dns.message

NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""What connect(2) and socket(2) say where the host has no route to the address, or not even its family."""


class NoRouteError(OSError):
    """This host has no way to send anything to the address: nothing was sent."""


async def exchange(query: dns.message.QueryMessage, address: str, port: int) -> dns.message.Message:
    """Send `query` and return the answer to it. The deadline is the caller's.

    Raises NoRouteError, OSError, EOFError (the TCP connection ended early), ValueError where `address` is none, or
    dns.exception.DNSException for an answer over TCP that is no DNS.
    """
    parsed = ipaddress.ip_address(address)
    family = socket.AF_INET6 if parsed.version == 6 else socket.AF_INET
    canonical = str(parsed)  # the transport compares destinations as text
    backend = dns.asyncbackend.get_backend("asyncio")
    # dnspython leaves make_socket without types
    connecting = backend.make_socket(family, socket.SOCK_DGRAM, 0, None, (canonical, port))  # type: ignore[no-untyped-call]
    try:
        connected = await connecting
    except OSError as error:
        if error.errno in NO_ROUTE:
            raise NoRouteError(error.errno, error.strerror) from None
        raise
    async with connected:
        response, _ = await dns.asyncquery.udp_with_fallback(
            query,
            canonical,
            port=port,
            ignore_unexpected=True,
            ignore_errors=True,
            udp_sock=connected,
            backend=backend,
        )
    return response
