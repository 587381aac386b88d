"""CA bundles as distributions, clusters and people write them."""

import base64
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.model.cabundle import UnreadableBundleError, certificates, text_of

ONE, TWO = b"0\x82" + b"one" * 40, b"0\x82" + b"two" * 40


def pem(der: bytes, label: str = "CERTIFICATE", end: str = "\n") -> str:
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return end.join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""))


@pytest.mark.parametrize(
    "bundle",
    [
        pem(ONE) + pem(TWO),
        pem(ONE, end="\r\n") + pem(TWO, end="\r\n"),
        pem(ONE, end="\r") + pem(TWO, end="\r"),
        "\ufeff" + pem(ONE) + pem(TWO),
        "\n\n \t\n" + pem(ONE).replace("\n", " \n") + "\n\n" + pem(TWO).rstrip(),
        textwrap.indent(pem(ONE) + pem(TWO), "    "),
        "# NetLock Arany (Class Gold) F\u0151tan\u00fas\u00edtv\u00e1ny\n"
        + pem(ONE)
        + "# \u6839\u8a3c\u660e\u66f8\n"
        + pem(TWO),
        "Certificate:\n    Data:\n        Version: 3 (0x2)\n" + pem(ONE) + "Bag Attributes\n    a: b\n" + pem(TWO),
        pem(ONE) + pem(TWO) + pem(ONE),
        pem(ONE, "X509 CERTIFICATE") + pem(TWO),
        pem(b"secret", "EC PRIVATE KEY") + pem(ONE) + pem(b"revoked", "X509 CRL") + pem(TWO),
        textwrap.indent(pem(b"given up"), "# ") + pem(ONE) + pem(TWO),
        "-----BEGIN NOTHING THAT EVER ENDS-----\n" + pem(ONE) + pem(TWO),
    ],
    ids=[
        "plain",
        "CR LF",
        "CR",
        "byte order mark",
        "blanks and blank lines",
        "indented",
        "comments in other scripts",
        "text of openssl",
        "one twice",
        "old label",
        "keys and revocation lists",
        "a certificate commented out",
        "an unended block of another kind",
    ],
)
def test_the_certificates_are_found_whatever_stands_between_them(bundle: str) -> None:
    assert certificates(bundle) == (ONE, TWO)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso8859-2", "shift_jis", "cp1252"])
def test_a_file_in_any_encoding_is_read(encoding: str) -> None:
    comment = "# 根証明書\n" if encoding in ("utf-8", "utf-8-sig", "utf-16", "shift_jis") else "# Gesch\u00e4ft\n"
    assert certificates(text_of((pem(ONE) + comment + pem(TWO)).encode(encoding))) == (ONE, TWO)


@pytest.mark.parametrize(
    ("bundle", "words"),
    [
        ("", "holds no certificate"),
        ("  \n", "holds no certificate"),
        ("no certificate", "holds no certificate"),
        (pem(b"secret", "PRIVATE KEY"), "holds no certificate"),
        (pem(ONE).replace("\n", "\\n"), "holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "in the middle of its certificate 1"),
        (pem(ONE) + pem(TWO)[:90], "in the middle of its certificate 2"),
        (pem(ONE)[:90] + "\n" + pem(TWO), "in the middle of its certificate 1"),
        (pem(ONE) + pem(TWO).replace("MI", "M*"), "cannot be decoded, number 2"),
        (pem(ONE) + "-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----\n", "cannot be decoded, number 2"),
        (pem(ONE) + pem(TWO, "TRUSTED CERTIFICATE"), "openssl x509"),
    ],
)
def test_a_bundle_that_was_damaged_is_refused_as_a_whole_and_says_where(bundle: str, words: str) -> None:
    with pytest.raises(UnreadableBundleError, match=words):
        certificates(bundle)


@given(st.text(st.sampled_from("-BEGIN CERTIFICATE\n\r MIIB=\x00\ufeff*é"), max_size=200), st.booleans())
def test_no_text_raises_anything_else_and_none_is_quoted(text: str, is_enclosed: bool) -> None:
    told = ""
    try:
        certificates(f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----" if is_enclosed else text)
    except UnreadableBundleError as error:
        told = str(error)
    assert "MIIB" not in told


@given(st.binary(max_size=200))
def test_any_bytes_are_read_as_some_text(raw: bytes) -> None:
    assert isinstance(text_of(raw), str)
