"""Why a check did not pass, told apart by whose fault it is.

A refused connection says something about the target; a lack of file descriptors says something about this host. Only
the first may count against an endpoint: what is known must move DNS, what is not known must not. Sentences name the
place, never what was sent to it or what it sent back.
"""

import enum
import errno
import ipaddress
import os
import socket
import ssl


class Reason(enum.StrEnum):
    """The word for machines. The last block means that nothing was learned."""

    CONNECTION_REFUSED = "ConnectionRefused"
    CONNECTION_RESET = "ConnectionReset"
    CONNECTION_FAILED = "ConnectionFailed"
    NO_ROUTE = "NoRoute"
    TIMEOUT = "Timeout"
    TLS_ERROR = "TLSError"
    CERTIFICATE_EXPIRED = "CertificateExpired"
    CERTIFICATE_NAME_MISMATCH = "CertificateNameMismatch"
    CERTIFICATE_UNTRUSTED = "CertificateUntrusted"
    PROTOCOL_ERROR = "ProtocolError"
    HEADERS_TOO_LARGE = "HeadersTooLarge"
    UNEXPECTED_STATUS = "UnexpectedStatus"
    UNEXPECTED_BODY = "UnexpectedBody"
    UNANSWERED = "Unanswered"
    NAME_NOT_FOUND = "NameNotFound"
    NO_ANSWERS = "NoAnswers"
    UNEXPECTED_ANSWERS = "UnexpectedAnswers"
    SERVER_FAILURE = "ServerFailure"
    QUERY_REFUSED = "QueryRefused"
    SAID_ELSEWHERE = "SaidElsewhere"

    TARGET_REFUSED = "TargetRefused"
    INVALID_CHECK = "InvalidCheck"
    LOCAL_ERROR = "LocalError"
    NOT_ASKED = "NotAsked"
    NO_VERDICT = "NoVerdict"


class ProbeFailedError(Exception):
    """The target failed its check."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class ProbeImpossibleError(Exception):
    """The check could not be made, so nothing was learned of the target."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


_RESETS = (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED)
_LOCAL = (
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ENOBUFS,
    errno.EADDRINUSE,
    errno.EPERM,  # a packet filter of this host
)
_LOCAL_ROUTING = (
    errno.EADDRNOTAVAIL,  # no local address of the family, or no free local port
    errno.EAFNOSUPPORT,
    errno.EPROTONOSUPPORT,
    errno.ENETDOWN,
    errno.ENODEV,
    errno.ENXIO,
    errno.EINVAL,  # also a route that leads into a black hole
)
_SAID_BY_THE_NETWORK = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.EACCES)
"""Which the kernel says for itself as well (ip-route(8), types of routes): the routing table tells the two apart."""


def place(address: str, port: int) -> str:
    """Return `address:port`, with IPv6 addresses in brackets (RFC 5952 §6)."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def connection_failure(error: OSError, address: str, port: int) -> ProbeFailedError | ProbeImpossibleError:
    """Return what a failed connect, send or receive means."""
    where = place(address, port)
    code = error.errno
    if isinstance(error, ConnectionRefusedError) or code == errno.ECONNREFUSED:
        return ProbeFailedError(Reason.CONNECTION_REFUSED, f"{where} refused the connection")
    if isinstance(error, ConnectionError) or code in _RESETS:
        return ProbeFailedError(Reason.CONNECTION_RESET, f"{where} closed the connection before answering")
    if isinstance(error, TimeoutError) or code == errno.ETIMEDOUT:
        return ProbeFailedError(Reason.TIMEOUT, f"connecting to {where} timed out")
    cause = os.strerror(code) if code else type(error).__name__
    if code in (*_LOCAL_ROUTING, *_SAID_BY_THE_NETWORK) and not _has_route(address):
        family = "; this cluster may have no IPv6" if ":" in address else ""
        message = f"this host has no route to {address} ({cause}), so nothing was learned of it{family}"
        return ProbeImpossibleError(Reason.NO_ROUTE, message)
    if code in (*_LOCAL, *_LOCAL_ROUTING):
        message = f"this host could not connect to {where} ({cause}), so nothing was learned of it"
        return ProbeImpossibleError(Reason.LOCAL_ERROR, message)
    if code in _SAID_BY_THE_NETWORK:
        return ProbeFailedError(Reason.NO_ROUTE, f"the network says that {address} cannot be reached ({cause})")
    return ProbeFailedError(Reason.CONNECTION_FAILED, f"connecting to {where} failed ({cause})")


def tls_failure(error: ssl.SSLError, where: str, server_name: str) -> ProbeFailedError:
    """Return what a failed handshake means. The codes are OpenSSL's (openssl-verification-options(1))."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        cause = getattr(error, "reason", None) or "handshake broken off"
        return ProbeFailedError(Reason.TLS_ERROR, f"no TLS session with {where}: {cause}")
    match error.verify_code:
        case 10:
            return ProbeFailedError(Reason.CERTIFICATE_EXPIRED, f"the certificate of {where} has expired")
        case 62 | 64:
            return wrong_name(where, server_name)
        case _:
            message = f"the certificate of {where} is not trusted: {error.verify_message}"
            return ProbeFailedError(Reason.CERTIFICATE_UNTRUSTED, message)


def wrong_name(where: str, server_name: str) -> ProbeFailedError:
    """Return what a trusted certificate for another name means."""
    message = f"the certificate of {where} is not for the name {server_name}"
    return ProbeFailedError(Reason.CERTIFICATE_NAME_MISMATCH, message)


def _has_route(address: str) -> bool:
    """Ask the kernel's routing table: connecting a UDP socket looks up the route and sends nothing."""
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
    except OSError:
        return False
    return True
