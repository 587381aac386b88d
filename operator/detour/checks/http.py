"""The HTTP and HTTPS check: one GET to one address, judged by its status and the start of its body.

The connection goes to the address that the guard has judged, whatever host name stands in the Host header or in SNI;
redirects are answers like any other, so nobody can lead the check elsewhere; every check has a connection of its own,
and no proxy of the environment stands between. What counts as an answer is decided in `answer`, whom TLS trusts in
`trust`. The request leaves after the certificate has been judged, never before.
"""

import asyncio
import functools
import re
import socket
import ssl
from collections.abc import Callable, Iterator

from detour.checks.answer import AnswerReader, BadAnswerError
from detour.checks.failures import (
    ProbeFailedError,
    ProbeImpossibleError,
    Reason,
    connection_failure,
    place,
    tls_failure,
    wrong_name,
)
from detour.checks.tcp import connected
from detour.checks.trust import Contexts, Trust, bears_name, has_underscore
from detour.model.cabundle import UnreadableBundleError
from detour.model.checks import HTTP_BODY_LIMIT, HTTPCheck

USER_AGENT = "detour-check"
READ_AT_ONCE = 64 * 1024
"""Bytes."""

CACHED_REQUESTS = 1 << 15

CACHED_CONTEXTS = 64
"""TLS contexts kept, one per CA bundle in use; a megabyte each with the authorities of a distribution."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token, RFC 9110 §5.6.2
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110 §5.5
_OURS = ("host", "connection")


class HTTPProber:
    """Makes HTTP checks. To be closed in the end."""

    def __init__(self) -> None:
        self._contexts = Contexts(CACHED_CONTEXTS)

    async def close(self) -> None:
        """Make no more checks; connections end with theirs."""
        self._contexts.close()

    async def prepare(self, check: HTTPCheck) -> None:
        """Have at hand what `probe` needs. The first time it may take long, which says nothing of the target.

        Raises ProbeImpossibleError.
        """
        if check.tls:
            await self._trusted(check)

    async def probe(self, address: str, check: HTTPCheck) -> None:
        """Make one request. The deadline is the caller's.

        Raises ProbeFailedError or ProbeImpossibleError.
        """
        where = place(address, check.port)
        request = _request(check)
        context = await self._trusted(check) if check.tls else None
        exchange = _Exchange(check)
        try:
            if context is None:
                await _ask_plainly(address, check, request, exchange)
            else:
                await _ask_by_tls(address, check, context, request, exchange)
        except ssl.SSLError as error:  # before OSError and ValueError, of which it is both
            raise tls_failure(error, where, check.server_name) from error
        except OSError as error:
            raise connection_failure(error, address, check.port) from error
        except BadAnswerError as error:
            raise ProbeFailedError(error.reason, f"{where} {error.words}") from error
        _judge(exchange.answer, check, where)

    async def _trusted(self, check: HTTPCheck) -> ssl.SSLContext:
        if not _can_be_sent_as_name(check.server_name):
            message = "the server name of the HTTPS check is no name that TLS can send; write one like api.example.com"
            raise ProbeImpossibleError(Reason.INVALID_CHECK, message)
        trust = Trust(check.ca_bundle, check.verify_certificate, match_name=not has_underscore(check.server_name))
        try:
            return await self._contexts.of(trust)
        except UnreadableBundleError as error:
            message = f"the CA bundle {error}; put certificates of authorities, in PEM form, into it"
            raise ProbeImpossibleError(Reason.INVALID_CHECK, message) from None
        except OSError as error:
            message = f"this host could not prepare TLS ({type(error).__name__}), so nothing was learned of the target"
            raise ProbeImpossibleError(Reason.LOCAL_ERROR, message) from error


class _Exchange(asyncio.Protocol):
    """Reads until the answer is decided, or the connection is lost before."""

    def __init__(self, check: HTTPCheck) -> None:
        self.answer = AnswerReader(head_alone=check.expected_body is None)
        self._check = check
        self._ended = asyncio.Event()
        self._error: Exception | None = None

    async def end(self) -> None:
        """Wait for the end. Raises BadAnswerError, or what broke the connection."""
        await self._ended.wait()
        if self._error is not None:
            raise self._error

    def data_received(self, data: bytes) -> None:
        if not self._ended.is_set():
            self._take(lambda: self.answer.feed(data))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended.is_set():
            self._take(self.answer.end, exc)
            self._ended.set()

    def _take(self, step: Callable[[], None], error: Exception | None = None) -> None:
        """Make one step, and end where it decides. What came before an error may have decided already."""
        try:
            if error is not None:
                raise error
            step()
        except Exception as raised:  # out of a callback, it would reach nobody
            self._error = raised
            self._ended.set()
        if _is_decided(self.answer, self._check):
            self._error = None
            self._ended.set()


def _is_decided(answer: AnswerReader, check: HTTPCheck) -> bool:
    if answer.status is None:
        return False
    if check.expected_body is None or not _is_expected(answer.status, check):
        return True
    return answer.ended or answer.holds(check.expected_body.encode())


async def _ask_plainly(address: str, check: HTTPCheck, request: bytes, exchange: _Exchange) -> None:
    """Ask over a bare socket: without a transport of asyncio's a check takes a third of the time."""
    loop = asyncio.get_running_loop()
    with await connected(address, check.port) as connection:

        def readable() -> None:
            try:
                data = connection.recv(READ_AT_ONCE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                exchange.connection_lost(error)
            else:
                exchange.data_received(data) if data else exchange.connection_lost(None)

        await _send(connection, request)
        loop.add_reader(connection.fileno(), readable)
        try:
            await exchange.end()
        finally:
            loop.remove_reader(connection.fileno())


async def _send(connection: socket.socket, request: bytes) -> None:
    try:
        sent = connection.send(request)
    except (BlockingIOError, InterruptedError):
        sent = 0
    if sent < len(request):  # hardly ever: the connection is new
        await asyncio.get_running_loop().sock_sendall(connection, request[sent:])


async def _ask_by_tls(
    address: str, check: HTTPCheck, context: ssl.SSLContext, request: bytes, exchange: _Exchange
) -> None:
    connection = await connected(address, check.port)
    transport, _ = await asyncio.get_running_loop().create_connection(  # which closes it, whatever becomes of it
        lambda: exchange, sock=connection, ssl=context, server_hostname=check.server_name
    )
    try:
        _require_name(transport, context, check, place(address, check.port))
        transport.write(request)
        await exchange.end()
    finally:
        transport.abort()


def _can_be_sent_as_name(name: str) -> bool:
    try:
        return bool(name.encode("idna")) and not name.startswith(".") and _FORBIDDEN.search(name) is None
    except UnicodeError:
        return False


def _require_name(transport: asyncio.Transport, context: ssl.SSLContext, check: HTTPCheck, where: str) -> None:
    if not check.verify_certificate or context.check_hostname:
        return
    certificate = transport.get_extra_info("ssl_object").getpeercert()
    if not bears_name(certificate, check.server_name):
        raise wrong_name(where, check.server_name)


@functools.lru_cache(maxsize=CACHED_REQUESTS)
def _request(check: HTTPCheck) -> bytes:
    """Return the request. Raises ProbeImpossibleError."""
    lines = [f"GET {_path(check)} HTTP/1.1", *(f"{name}: {value}" for name, value in _headers(check))]
    names = [name for name, _ in check.headers]
    if any(_FORBIDDEN.search(line) for line in lines) or not all(_NAME.fullmatch(name) for name in names):
        message = "the request cannot be sent: its host, path or headers hold characters that HTTP forbids"
        raise ProbeImpossibleError(Reason.INVALID_CHECK, message)
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def _path(check: HTTPCheck) -> str:
    # Without its slash, a path such as "@other.example" would not be one (RFC 9112 §3.2.1)
    if not check.path.startswith("/") or not check.path.isascii() or not check.path.isprintable() or " " in check.path:
        message = "the path of an HTTP check starts with / and holds printable ASCII without blanks; percent-encode it"
        raise ProbeImpossibleError(Reason.INVALID_CHECK, message)
    return check.path.partition("#")[0]


def _headers(check: HTTPCheck) -> Iterator[tuple[str, str]]:
    yield "Host", check.host
    declared = {name.lower() for name, _ in check.headers}
    for name, value in (("User-Agent", USER_AGENT), ("Accept", "*/*"), ("Accept-Encoding", "identity")):
        if name.lower() not in declared:
            yield name, value
    yield from ((name, value) for name, value in check.headers if name.lower() not in _OURS)
    yield "Connection", "close"


def _is_expected(status: int, check: HTTPCheck) -> bool:
    return any(status in expected for expected in check.expected_statuses)


def _judge(answer: AnswerReader, check: HTTPCheck, where: str) -> None:
    status = answer.status
    if status is None:  # pragma: no cover - the exchange ends without an error only once it is known
        raise ProbeFailedError(Reason.CONNECTION_RESET, f"{where} closed the connection before answering")
    if not _is_expected(status, check):
        wanted = ", ".join(
            str(each.first) if each.first == each.last else f"{each.first}-{each.last}"
            for each in check.expected_statuses
        )
        hint = "; redirects are not followed" if 300 <= status < 400 else ""
        raise ProbeFailedError(
            Reason.UNEXPECTED_STATUS, f"{where} answered with status {status}, expected {wanted}{hint}"
        )
    if check.expected_body is not None and not answer.holds(check.expected_body.encode()):
        hint = ", which are packed in a way that a check cannot read" if answer.is_unreadable else ""
        message = f"the first {HTTP_BODY_LIMIT} bytes of the answer of {where}{hint} lack the expected text"
        raise ProbeFailedError(Reason.UNEXPECTED_BODY, message)
