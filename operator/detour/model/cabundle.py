"""The certificates of a CA bundle, as people have bundles.

One comes out of a ConfigMap that a distribution, a cluster or a person wrote: with comments in any language, blank
lines, a byte order mark, the line ends of another system, one certificate twice, keys or revocation lists beside them.
All of that is taken. A bundle of which one certificate cannot be decoded is refused as a whole, as by curl: leaving it
out could condemn a service for somebody's slip in copying.
"""

import base64
import codecs
import functools
import re

_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE")
_BLANKS = " \t\xa0\u200b\ufeff\xef\xbb\xbf"  # the last three: a byte order mark read as Latin-1


class UnreadableBundleError(Exception):
    """A CA bundle cannot be used. The text continues a sentence whose subject is the bundle, and quotes none of it."""


@functools.lru_cache(64)  # many records share one bundle, and decoding a distribution's takes milliseconds
def certificates(bundle: str) -> tuple[bytes, ...]:
    """Return the certificates of a bundle in PEM (RFC 7468), in DER, each once. What stands between them is ignored.

    Raises UnreadableBundleError where there is none, or one cannot be decoded.
    """
    found: dict[bytes, None] = {}
    label, lines = "", list[str]()
    for line in bundle.splitlines():
        text = line.strip(_BLANKS)
        if label and text == f"-----END {label}-----":
            if label in _CERTIFICATES:
                found[_decoded("".join(lines), len(found) + 1)] = None
            label = ""
        elif begun := _BEGIN.fullmatch(text):
            _refuse_unended(label, len(found) + 1)
            label, lines = begun[1], []
            if label == "TRUSTED CERTIFICATE":
                advice = "convert it with openssl x509 -in bundle.pem -out ca.crt"
                raise UnreadableBundleError(f"holds a certificate in OpenSSL's own TRUSTED form: {advice}")
        elif label:
            lines.append("".join(text.split()))
    _refuse_unended(label, len(found) + 1)
    if not found:
        raise UnreadableBundleError("holds no certificate in PEM form")
    return tuple(found)


def text_of(raw: bytes) -> str:
    """Return the text of a file in UTF-16 with a byte order mark (Windows), or in any code that has ASCII in it.

    Certificates are ASCII in all of these; the comments beside them need not be right.
    """
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", errors="replace")
    return raw.decode("latin-1")


def _refuse_unended(label: str, number: int) -> None:
    if label in _CERTIFICATES:
        raise UnreadableBundleError(f"ends in the middle of its certificate {number}: its END line is missing")


def _decoded(text: str, number: int) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise UnreadableBundleError(f"holds a certificate that cannot be decoded, number {number}") from None
