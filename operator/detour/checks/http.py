"""The HTTP and HTTPS check: one GET to one address, judged by its status and the start of its body.

The connection goes to the address that the guard has judged, whatever host name stands in the Host header or in SNI;
redirects are answers like any other, so nobody can lead the check elsewhere; every check has a connection of its own.
The peer is not trusted: headers are bounded, the body is read no further than it is judged, and never decompressed.
"""

import functools
import ssl

import aiohttp
import yarl
from multidict import CIMultiDict

from detour.checks.failures import (
    ProbeFailedError,
    ProbeImpossibleError,
    Reason,
    connection_failure,
    place,
    tls_failure,
)
from detour.model.checks import HTTP_BODY_LIMIT, HTTPCheck

USER_AGENT = "detour-check"
CACHED_CONTEXTS = 64
"""TLS contexts kept, one per CA bundle in use; building one takes tens of milliseconds."""

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)


class HTTPProber:
    """Makes HTTP checks. To be built within the running event loop, and closed in the end."""

    def __init__(self) -> None:
        self._context = functools.lru_cache(CACHED_CONTEXTS)(_tls_context)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=HTTP_BODY_LIMIT,
            timeout=_NO_TIMEOUT,
            max_line_size=8190,
            max_field_size=8190,
            max_headers=128,
        )

    async def close(self) -> None:
        await self._session.close()

    async def probe(self, address: str, check: HTTPCheck) -> None:
        """Make one request. The deadline is the caller's.

        Raises ProbeFailedError or ProbeImpossibleError; TimeoutError where the system gives up first.
        """
        where = place(address, check.port)
        url = _url(address, check)
        context = self._trusted(check) if check.tls else True
        try:
            async with self._session.get(
                url,
                headers=_headers(check),
                allow_redirects=False,
                ssl=context,
                server_hostname=check.server_name if check.tls else None,
            ) as response:
                try:
                    await _judge(response, check, where)
                finally:
                    response.close()
        except aiohttp.ClientConnectorCertificateError as error:
            raise _handshake_failure(error.certificate_error, where, check.server_name) from error
        except ssl.SSLError as error:
            cause = error.os_error if isinstance(error, aiohttp.ClientConnectorSSLError) else error
            raise _handshake_failure(cause, where, check.server_name) from error
        except aiohttp.ClientConnectorError as error:
            raise connection_failure(error.os_error, address, check.port) from error
        except (aiohttp.ServerDisconnectedError, OSError) as error:
            broken = error if isinstance(error, OSError) else ConnectionResetError()
            raise connection_failure(broken, address, check.port) from error
        except (aiohttp.InvalidURL, ValueError) as error:
            message = f"the request to {where} cannot be sent: its host, path or headers hold characters HTTP forbids"
            raise ProbeImpossibleError(Reason.INVALID_CHECK, message) from error
        except aiohttp.ClientError as error:
            raise ProbeFailedError(Reason.PROTOCOL_ERROR, f"{where} did not answer in valid HTTP") from error

    def _trusted(self, check: HTTPCheck) -> ssl.SSLContext:
        try:
            return self._context(check.ca_bundle, check.verify_certificate)
        except (ssl.SSLError, ValueError) as error:
            message = "the CA bundle holds no readable PEM certificates; put certificates of authorities into it"
            raise ProbeImpossibleError(Reason.INVALID_CHECK, message) from error


def _tls_context(ca_bundle: str | None, verify: bool) -> ssl.SSLContext:
    if ca_bundle is not None and not ca_bundle.strip():
        raise ValueError("empty CA bundle")  # create_default_context would fall back to the system's authorities
    context = ssl.create_default_context(cadata=ca_bundle)
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _url(address: str, check: HTTPCheck) -> yarl.URL:
    # Without its slash, a path such as "@other.example" would move into the authority (RFC 3986 §3.2)
    if not check.path.startswith("/") or not check.path.isascii() or not check.path.isprintable() or " " in check.path:
        message = "the path of an HTTP check starts with / and holds printable ASCII without blanks; percent-encode it"
        raise ProbeImpossibleError(Reason.INVALID_CHECK, message)
    path, _, query = check.path.partition("#")[0].partition("?")
    scheme = "https" if check.tls else "http"
    host = f"[{address}]" if ":" in address else address
    return yarl.URL.build(scheme=scheme, host=host, port=check.port, path=path, query_string=query, encoded=True)


def _headers(check: HTTPCheck) -> CIMultiDict[str]:
    headers = CIMultiDict(check.headers)
    headers.setdefault("User-Agent", USER_AGENT)
    headers.setdefault("Accept-Encoding", "identity")
    headers["Host"] = check.host
    return headers


async def _judge(response: aiohttp.ClientResponse, check: HTTPCheck, where: str) -> None:
    status = response.status
    if not any(status in expected for expected in check.expected_statuses):
        wanted = ", ".join(
            str(each.first) if each.first == each.last else f"{each.first}-{each.last}"
            for each in check.expected_statuses
        )
        hint = "; redirects are not followed" if 300 <= status < 400 else ""
        raise ProbeFailedError(
            Reason.UNEXPECTED_STATUS, f"{where} answered with status {status}, expected {wanted}{hint}"
        )
    if check.expected_body is None:
        return
    wanted_bytes = check.expected_body.encode()
    body = b""
    while wanted_bytes not in body:
        piece = await response.content.read(HTTP_BODY_LIMIT - len(body))
        if not piece:  # the end of the body, or of what is looked at
            message = f"the first {HTTP_BODY_LIMIT} bytes of the answer of {where} lack the expected text"
            raise ProbeFailedError(Reason.UNEXPECTED_BODY, message)
        body += piece


def _handshake_failure(cause: Exception, where: str, server_name: str) -> ProbeFailedError:
    if isinstance(cause, ssl.SSLError):
        return tls_failure(cause, where, server_name)
    return ProbeFailedError(Reason.TLS_ERROR, f"no TLS session with {where}")
