"""Whom an HTTPS check trusts, and whom it takes a certificate to be for.

Nothing is asked that curl does not ask: a trust anchor is whatever the bundle holds, be it a root, an intermediate or
the server's own certificate (X509_V_FLAG_PARTIAL_CHAIN), and an asterisk stands for any label, also for one with an
underscore.
"""

import asyncio
import contextlib
import os
import ssl
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from detour.model.cabundle import UnreadableBundleError, certificates


class Trust(NamedTuple):
    """What a TLS context is for. `bundle` is PEM text, None for the system's authorities.

    `match_name` False leaves the name to `bears_name`.
    """

    bundle: str | None
    verify: bool
    match_name: bool


class Contexts:
    """TLS contexts, each made once and kept: those for the system's authorities always, the others while used lately.

    A bundle of hundreds of certificates takes OpenSSL a tenth of a second and more. So that whoever brings such bundles
    holds up no check but their own, contexts are made in a thread, one after the other.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Trust, asyncio.Future[ssl.SSLContext | UnreadableBundleError]] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, "tls-context")

    def close(self) -> None:
        """Make no more contexts."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def of(self, trust: Trust) -> ssl.SSLContext:
        """Return the context for `trust`. Raises UnreadableBundleError, each time at no further cost."""
        making = self._kept.get(trust)
        if making is None or making.cancelled():
            making = asyncio.get_running_loop().run_in_executor(self._thread, _made, trust)
            self._kept[trust] = making
            self._drop_oldest()
        if trust.bundle is not None:
            self._kept.move_to_end(trust)
        try:
            made = making.result() if making.done() else await asyncio.shield(making)
        except Exception:
            self._kept.pop(trust, None)  # no fault of the bundle's: it is tried again
            raise
        if isinstance(made, UnreadableBundleError):
            raise made
        return made

    def _drop_oldest(self) -> None:
        bundles = [each for each in self._kept if each.bundle is not None]
        for each in bundles[: max(0, len(bundles) - self._size)]:
            del self._kept[each]


def _made(trust: Trust) -> ssl.SSLContext | UnreadableBundleError:
    try:
        return tls_context(trust)
    except UnreadableBundleError as error:
        return error


def tls_context(trust: Trust) -> ssl.SSLContext:
    """Return a new context. Raises UnreadableBundleError."""
    is_own = trust.verify and trust.bundle is not None
    context = _trusting(certificates(trust.bundle or "")) if is_own else ssl.create_default_context()
    context.set_ciphers("DEFAULT")  # OpenSSL's own choice, as curl's; Python's leaves out what many servers still use
    context.set_alpn_protocols(["http/1.1"])
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # newer Pythons set it; curl does not, and old roots fail it
    if not (trust.verify and trust.match_name):
        context.check_hostname = False
    if not trust.verify:
        context.verify_mode = ssl.CERT_NONE
    return context


def _trusting(anchors: tuple[bytes, ...]) -> ssl.SSLContext:
    try:
        if not all(anchors):
            raise ValueError("an empty certificate")  # without any, the system's authorities would be trusted
        with _file_of("".join(map(ssl.DER_cert_to_PEM_cert, anchors))) as path:
            return ssl.create_default_context(cafile=path)
    except (ssl.SSLError, ValueError) as error:
        raise UnreadableBundleError(f"holds a certificate that is none, number {_first_bad(anchors)}") from error


@contextlib.contextmanager
def _file_of(text: str) -> Iterator[str]:
    """Give a file that holds `text`: while OpenSSL reads one, other threads go on, which they don't with data.

    It is in memory where the system can: the file system of a container may be read-only.
    """
    in_memory = sys.platform == "linux"
    with os.fdopen(os.memfd_create("ca-bundle"), "w") if in_memory else tempfile.NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}" if in_memory else str(file.name)


def _first_bad(anchors: tuple[bytes, ...]) -> int:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for number, der in enumerate(anchors, start=1):
        try:
            context.load_verify_locations(cadata=der)
        except (ssl.SSLError, ValueError):
            return number
    return len(anchors)


def has_underscore(name: str) -> bool:
    """Tell whether OpenSSL would refuse `name` below a wildcard.

    It takes letters, digits and hyphens alone for what an asterisk stands for; curl and browsers take any label.
    """
    return "_" in name


def bears_name(certificate: Mapping[str, Any], name: str) -> bool:
    """Tell whether a verified certificate (as SSLObject.getpeercert gives it) is for the host `name` (RFC 6125 §6.4).

    An asterisk stands for one whole first label. The common name counts where there is no alternative name (§6.4.4).
    """
    alternatives = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
    if not certificate.get("subjectAltName"):
        subject = [pair for relative in certificate.get("subject", ()) for pair in relative]
        alternatives = [value for kind, value in subject if kind == "commonName"][-1:]
    return any(_matches(each.lower().rstrip("."), name.lower().rstrip(".")) for each in alternatives)


def _matches(pattern: str, name: str) -> bool:
    first, _, rest = name.partition(".")
    return pattern == name or (bool(first) and "." in rest and pattern == f"*.{rest}")
