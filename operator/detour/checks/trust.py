"""Whom an HTTPS check trusts, and whom it takes a certificate to be for.

Nothing is asked that curl does not ask: a trust anchor is whatever the bundle holds, be it a root, an intermediate or
the server's own certificate (X509_V_FLAG_PARTIAL_CHAIN), and an asterisk stands for any label, also for one with an
underscore.
"""

import ssl
from collections.abc import Mapping
from typing import Any

from detour.model.cabundle import UnreadableBundleError, certificates


def tls_context(bundle: str | None, *, verify: bool, match_name: bool) -> ssl.SSLContext | UnreadableBundleError:
    """Return what a check's connection is made with; `bundle` None means the system's authorities.

    `match_name` False leaves the name to `bears_name`. A bundle that cannot be used gives the error that says why: it
    costs as much to find as a context to make, so it is kept like one.
    """
    try:
        return _context(bundle, verify=verify, match_name=match_name)
    except UnreadableBundleError as error:
        return error


def _context(bundle: str | None, *, verify: bool, match_name: bool) -> ssl.SSLContext:
    context = _trusting(certificates(bundle)) if verify and bundle is not None else ssl.create_default_context()
    context.set_ciphers("DEFAULT")  # OpenSSL's own choice, as curl's; Python's leaves out what many servers still use
    context.set_alpn_protocols(["http/1.1"])
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # newer Pythons set it; curl does not, and old roots fail it
    if not (verify and match_name):
        context.check_hostname = False
    if not verify:
        context.verify_mode = ssl.CERT_NONE
    return context


def _trusting(anchors: tuple[bytes, ...]) -> ssl.SSLContext:
    try:
        if not all(anchors):
            raise ValueError("an empty certificate")  # without any, the system's authorities would be trusted
        return ssl.create_default_context(cadata=b"".join(anchors))
    except (ssl.SSLError, ValueError) as error:
        raise UnreadableBundleError(f"holds a certificate that is none, number {_first_bad(anchors)}") from error


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
