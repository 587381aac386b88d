"""HTTPS checks beside odd certificates and bundles: what curl trusts is trusted, and nothing more."""

import asyncio
import datetime
import errno
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from detour.checks.trust import Contexts, Trust, bears_name
from detour.model.checks import CheckResult, HTTPCheck, StatusRange

NAME = "api.example.com"
NOW = datetime.datetime.now(datetime.UTC)
Judge = Callable[..., Any]


class Certified:
    """A certificate and its key, issued by another one or by itself."""

    def __init__(
        self,
        subject: str,
        issuer: "Certified | None" = None,
        *,
        names: tuple[str, ...] = (),
        is_authority: bool | None = None,
        days: int = 30,
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(issuer.name if issuer else self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - datetime.timedelta(days=60))
            .not_valid_after(NOW + datetime.timedelta(days=days))
        )
        if is_authority is not None:
            builder = builder.add_extension(x509.BasicConstraints(is_authority, None), critical=is_authority)
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
            builder = builder.add_extension(alternatives, critical=False)
        signed = builder.sign(issuer.key if issuer else self.key, hashes.SHA256())
        self.pem = signed.public_bytes(serialization.Encoding.PEM).decode()

    def serving(self, folder: Path, *chain: "Certified") -> ssl.SSLContext:
        """Return the context of a server that shows this certificate, and the chain after it."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file = folder / "server.pem"
        file.write_text(self.pem + "".join(each.pem for each in chain) + key.decode())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


ROOT = Certified("root", is_authority=True)
INTERMEDIATE = Certified("intermediate", ROOT, is_authority=True)
LEAF = Certified(NAME, INTERMEDIATE, names=(NAME, "*.example.com"))
DIRECT = Certified(NAME, ROOT, names=(NAME, "*.example.com"))
SELF_SIGNED = Certified(NAME, names=(NAME,))
EXPIRED = Certified(NAME, names=(NAME,), days=-1)
STRANGER = Certified("stranger", is_authority=True)
GONE = Certified("gone", is_authority=True, days=-9)


@pytest.fixture
def judge(serve: Any, check: Any) -> Judge:
    """Make an HTTPS check of a server that uses a context."""

    async def run(context: ssl.SSLContext, bundle: str, name: str = NAME) -> CheckResult:
        async def answer(reader: Any, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nready")
            await writer.drain()

        port = await serve(answer, tls=context)
        probe = HTTPCheck(True, port, "/", name, name, (StatusRange(200, 299),), "ready", ca_bundle=bundle)
        result: CheckResult = await check(probe)
        return result

    return run


@pytest.mark.parametrize(
    ("shown", "chain", "bundle"),
    [
        (LEAF, (INTERMEDIATE,), ROOT.pem),
        (LEAF, (INTERMEDIATE,), INTERMEDIATE.pem),
        (LEAF, (), INTERMEDIATE.pem),
        (DIRECT, (), DIRECT.pem),
        (SELF_SIGNED, (), SELF_SIGNED.pem),
        (DIRECT, (), GONE.pem + STRANGER.pem + ROOT.pem + ROOT.pem),
        (DIRECT, (), "\ufeff# F\u0151tan\u00fas\u00edtv\u00e1ny\r\n\r\n" + ROOT.pem.replace("\n", "\r\n")),
    ],
    ids=[
        "a root",
        "an intermediate that is shown",
        "an intermediate that is not shown",
        "the leaf itself",
        "a self-signed leaf",
        "an expired and a foreign one beside it, one twice",
        "byte order mark, comment, CR LF",
    ],
)
async def test_whatever_the_bundle_holds_is_an_anchor(
    judge: Judge, tmp_path: Path, shown: Certified, chain: tuple[Certified, ...], bundle: str
) -> None:
    result = await judge(shown.serving(tmp_path, *chain), bundle)
    assert result.passed, result


@pytest.mark.parametrize(
    ("shown", "bundle", "reason"),
    [
        (LEAF, ROOT.pem, "CertificateUntrusted"),
        (DIRECT, STRANGER.pem, "CertificateUntrusted"),
        (SELF_SIGNED, ROOT.pem, "CertificateUntrusted"),
        (EXPIRED, EXPIRED.pem, "CertificateExpired"),
        (STRANGER, STRANGER.pem, "CertificateNameMismatch"),
    ],
    ids=["intermediate missing", "other root", "self-signed", "pinned but expired", "pinned for another name"],
)
async def test_an_anchor_vouches_for_nothing_else(
    judge: Judge, tmp_path: Path, shown: Certified, bundle: str, reason: str
) -> None:
    result = await judge(shown.serving(tmp_path), bundle)
    assert (result.passed, result.reason) == (False, reason)


async def test_a_name_with_an_underscore_is_taken_below_a_wildcard(judge: Judge, tmp_path: Path) -> None:
    result = await judge(DIRECT.serving(tmp_path), ROOT.pem, "my_app.example.com")
    assert result.passed, result


@pytest.mark.parametrize("name", ["my_app.example.org", "a.my_app.example.com", "my_app.example.com.evil.net"])
async def test_the_request_for_a_name_with_an_underscore_stays_here_where_the_certificate_is_for_another(
    serve: Any, check: Any, tmp_path: Path, name: str
) -> None:
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def note(reader: Any, writer: Any) -> None:
        try:
            received.put_nowait(await reader.read(1000))
        except OSError:
            received.put_nowait(b"")

    port = await serve(note, tls=DIRECT.serving(tmp_path))
    probe = HTTPCheck(True, port, "/", name, name, (StatusRange(200, 299),), ca_bundle=ROOT.pem)
    result = await check(probe)
    assert (result.passed, result.reason) == (False, "CertificateNameMismatch")
    assert name in result.message
    assert await asyncio.wait_for(received.get(), 10) == b""


async def test_a_chain_is_demanded_for_a_name_with_an_underscore_too(judge: Judge, tmp_path: Path) -> None:
    result = await judge(DIRECT.serving(tmp_path), STRANGER.pem, "my_app.example.com")
    assert (result.passed, result.reason) == (False, "CertificateUntrusted")


@pytest.mark.parametrize(
    ("alternatives", "name", "is_borne"),
    [
        (["my_app.example.com"], "my_app.example.com", True),
        (["MY_APP.Example.com"], "my_app.example.com", True),
        (["*.example.com"], "my_app.example.com", True),
        (["*.my_zone.example.com"], "a.my_zone.example.com", True),
        (["other.example.com", "*.example.com"], "_x.example.com", True),
        (["*.example.com"], "a.my_app.example.com", False),
        (["*.com"], "my_app.com", False),
        (["*"], "my_app", False),
        (["my*.example.com"], "my_app.example.com", False),
        (["*.*.example.com"], "a.my_app.example.com", False),
        (["example.com"], "my_app.example.com", False),
        (["*.example.com"], "_.example.com.evil.net", False),
        ([], "my_app.example.com", False),
    ],
)
def test_an_asterisk_stands_for_one_whole_label(alternatives: list[str], name: str, is_borne: bool) -> None:
    certificate = {"subjectAltName": tuple(("DNS", each) for each in alternatives)}
    assert bears_name(certificate, name) is is_borne


def test_the_common_name_counts_only_without_alternative_names() -> None:
    subject = ((("countryName", "HU"),), (("commonName", "my_app.example.com"),))
    assert bears_name({"subject": subject}, "my_app.example.com")
    assert not bears_name({"subject": subject, "subjectAltName": (("DNS", "a.example.com"),)}, "my_app.example.com")


async def test_a_server_with_older_ciphers_is_still_a_service(judge: Judge, tmp_path: Path) -> None:
    context = DIRECT.serving(tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA")
    result = await judge(context, ROOT.pem)
    assert result.passed, result


async def test_an_end_without_farewell_ends_the_body(serve: Any, check: Any, tmp_path: Path) -> None:
    async def vanish(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nready")
        await writer.drain()
        writer.transport._ssl_protocol._transport.close()  # closes the connection beneath TLS, without close_notify

    port = await serve(vanish, tls=DIRECT.serving(tmp_path))
    probe = HTTPCheck(True, port, "/", NAME, NAME, (StatusRange(200, 299),), "ready", ca_bundle=ROOT.pem)
    assert (await check(probe)).passed


async def test_a_bundle_that_takes_long_to_read_holds_up_its_own_check_alone_and_is_no_timeout(
    serve: Any, check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nready")
        await writer.drain()

    begun, may_end = threading.Event(), threading.Event()
    build = ssl.create_default_context

    def slow(**named: Any) -> ssl.SSLContext:
        begun.set()
        assert may_end.wait(60)
        return build(**named)

    port = await serve(answer, tls=DIRECT.serving(tmp_path))
    plain = await serve(answer)
    monkeypatch.setattr(ssl, "create_default_context", slow)
    probe = HTTPCheck(True, port, "/", NAME, NAME, (StatusRange(200, 299),), ca_bundle=ROOT.pem)
    slow_check = asyncio.create_task(check(probe, timeout=1.0))
    await asyncio.to_thread(begun.wait, 60)
    assert (await check(HTTPCheck(False, plain, "/", NAME, NAME, (StatusRange(200, 299),)))).passed
    await asyncio.sleep(1.5)  # longer than the check's own deadline
    assert not slow_check.done()
    may_end.set()
    result = await slow_check
    assert result.passed, result


async def test_contexts_are_kept_while_used_lately_and_those_of_the_system_always(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built: list[object] = []
    build = ssl.create_default_context

    def counted(**named: Any) -> ssl.SSLContext:
        built.append(named)
        return build(**named)

    monkeypatch.setattr(ssl, "create_default_context", counted)
    contexts = Contexts(2)
    system, *bundles = (Trust(each, True, True) for each in (None, ROOT.pem, DIRECT.pem, STRANGER.pem))
    for trust in (system, *bundles[:2], bundles[0], bundles[2], bundles[0], system):
        await contexts.of(trust)
    assert len(built) == 4
    await contexts.of(bundles[1])  # which had to make room for the third
    assert len(built) == 5
    contexts.close()


async def test_checks_that_wait_for_one_context_share_it() -> None:
    contexts = Contexts(2)
    made = await asyncio.gather(*(contexts.of(Trust(ROOT.pem, True, True)) for _ in range(5)))
    assert len(set(map(id, made))) == 1
    contexts.close()


async def test_a_context_that_this_host_could_not_make_is_tried_again(
    check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lack(*_arguments: object, **_named: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    contexts = Contexts(2)
    with monkeypatch.context() as patched:
        patched.setattr(ssl, "create_default_context", lack)
        with pytest.raises(OSError, match="Too many"):
            await contexts.of(Trust(ROOT.pem, True, True))
        result = await check(HTTPCheck(True, 443, "/", NAME, NAME, (StatusRange(200, 299),)))
        assert (result.passed, result.reason) == (None, "LocalError")
        assert "unforeseen" not in result.message
    assert await contexts.of(Trust(ROOT.pem, True, True))
    contexts.close()


@pytest.mark.parametrize("content", ["Tm9uZQ==", ""])
async def test_a_certificate_that_is_none_is_found_when_the_bundle_is_used(check: Any, content: str) -> None:
    bundle = ROOT.pem + f"-----BEGIN CERTIFICATE-----\n{content}\n-----END CERTIFICATE-----\n"
    result = await check(HTTPCheck(True, 443, "/", NAME, NAME, (StatusRange(200, 299),), ca_bundle=bundle))
    assert (result.passed, result.reason) == (None, "InvalidCheck")
    assert "number 2" in result.message
