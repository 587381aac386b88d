"""HTTP and HTTPS checks against servers that behave, misbehave and attack."""

import asyncio
import dataclasses
import gzip
import ssl
from typing import Any

import pytest

from detour.model.checks import HTTP_BODY_LIMIT, HTTPCheck, StatusRange

SECRET = "Bearer s3cr3t-t0ken"
OK = b"HTTP/1.1 200 OK\r\n"
DEADLINE = 1.0
"""Seconds: long enough that no machine stands still for as long again, which would be no timeout of the server's."""


def http(port: int, **changes: Any) -> HTTPCheck:
    plain = HTTPCheck(
        tls=False,
        port=port,
        path="/healthz",
        host="api.example.com",
        server_name="api.example.com",
        expected_statuses=(StatusRange(200, 299),),
        headers=(("Authorization", SECRET),),
    )
    return dataclasses.replace(plain, **changes)


def answering(response: bytes, requests: list[bytes] | None = None) -> Any:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if requests is not None:
            requests.append(request)
        writer.write(response)
        await writer.drain()

    return handle


def with_body(body: bytes) -> bytes:
    return OK + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def test_a_good_answer_passes(serve: Any, check: Any) -> None:
    result = await check(http(await serve(answering(with_body(b"fine")))))
    assert (result.passed, result.reason, result.message) == (True, "", "")
    assert result.latency > 0


async def test_the_request_carries_host_path_query_and_headers_as_declared(serve: Any, check: Any) -> None:
    requests: list[bytes] = []
    port = await serve(answering(with_body(b""), requests))
    await check(http(port, path="/a%2Fb?x=1&y=%20", headers=(("X-One", "1"), ("X-One", "2"), ("host", "ignored"))))
    line, *headers = requests[0].decode().rstrip().split("\r\n")
    assert line == "GET /a%2Fb?x=1&y=%20 HTTP/1.1"
    lower = [header.lower() for header in headers]
    assert [each for each in lower if each.startswith("host:")] == ["host: api.example.com"]
    assert [each for each in headers if each.startswith("X-One")] == ["X-One: 1", "X-One: 2"]
    assert "accept-encoding: identity" in lower
    assert "connection: close" in lower


async def test_every_check_has_a_connection_of_its_own_and_no_memory_of_cookies(serve: Any, check: Any) -> None:
    requests: list[bytes] = []
    response = OK + b"Set-Cookie: a=b; Path=/\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"
    port = await serve(answering(response, requests))
    for _ in range(3):
        assert (await check(http(port))).passed
    assert len(requests) == 3
    assert not any(b"cookie" in request.lower() for request in requests)


async def test_an_unexpected_status_fails_and_says_what_was_expected(serve: Any, check: Any) -> None:
    port = await serve(answering(b"HTTP/1.1 503 Nope\r\nContent-Length: 6\r\n\r\nhidden"))
    result = await check(http(port, expected_statuses=(StatusRange(200, 204), StatusRange(301, 301))))
    assert (result.passed, result.reason) == (False, "UnexpectedStatus")
    assert result.message == f"127.0.0.1:{port} answered with status 503, expected 200-204, 301"


async def test_a_redirect_is_an_answer_and_leads_nowhere(serve: Any, check: Any) -> None:
    reached: list[bytes] = []
    elsewhere = await serve(answering(with_body(b""), reached))
    location = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{elsewhere}/\r\nContent-Length: 0\r\n\r\n"
    port = await serve(answering(location.encode()))
    result = await check(http(port))
    assert (result.passed, result.reason) == (False, "UnexpectedStatus")
    assert "redirects are not followed" in result.message
    assert (await check(http(port, expected_statuses=(StatusRange(302, 302),)))).passed
    assert reached == []


@pytest.mark.parametrize("where", [0, 100, HTTP_BODY_LIMIT - 5])
async def test_text_within_the_limit_is_found(serve: Any, check: Any, where: int) -> None:
    port = await serve(answering(with_body(b"x" * where + b"ready" + b"x" * 1000)))
    assert (await check(http(port, expected_body="ready"))).passed


async def test_text_that_ends_beyond_the_limit_is_not_found(serve: Any, check: Any) -> None:
    port = await serve(answering(with_body(b"x" * (HTTP_BODY_LIMIT - 4) + b"ready")))
    result = await check(http(port, expected_body="ready"))
    assert (result.passed, result.reason) == (False, "UnexpectedBody")


async def test_a_text_split_over_chunks_is_found(serve: Any, check: Any) -> None:
    body = b"Transfer-Encoding: chunked\r\n\r\n4\r\n..re\r\n3\r\nady\r\n0\r\n\r\n"
    assert (await check(http(await serve(answering(OK + body)), expected_body="ready"))).passed


async def test_a_compressed_body_is_never_inflated(serve: Any, check: Any) -> None:
    port = await serve(answering(OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nready"))
    assert (await check(http(port, expected_body="ready"))).passed


async def test_an_endless_body_is_read_no_further_than_it_is_judged(serve: Any, check: Any) -> None:
    sent = 0
    hung_up = asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
                sent += 65536
        finally:
            hung_up.set()

    result = await check(http(await serve(pour), expected_body="ready"))
    assert (result.passed, result.reason) == (False, "UnexpectedBody")
    await asyncio.wait_for(hung_up.wait(), 60)
    assert sent < 64 * 2**20  # what fits into the kernel's buffers, not what a deadline of 5 s lets through


async def test_a_found_text_ends_the_check_though_the_body_goes_on(serve: Any, check: Any) -> None:
    async def tease(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: 1000\r\n\r\nready")
        await reader.read()  # until the check hangs up

    result = await check(http(await serve(tease), expected_body="ready"), timeout=60)
    assert result.passed
    assert result.latency < 30


async def test_a_trickling_body_meets_the_deadline(serve: Any, check: Any) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"\r\n")
        while not writer.is_closing():
            writer.write(b".")
            await asyncio.sleep(0.01)

    result = await check(http(await serve(trickle), expected_body="ready"), timeout=DEADLINE)
    assert (result.passed, result.reason) == (False, "Timeout")
    assert result.latency > DEADLINE - 0.01


@pytest.mark.parametrize(
    "response",
    [b"SSH-2.0-OpenSSH_9.9\r\n", b"\x15\x03\x01\x00\x02\x02\x46", OK + b"Content-Length: -5\r\n\r\n"],
    ids=["SSH", "TLS", "negative length"],
)
async def test_what_is_not_sound_http_is_a_protocol_error(serve: Any, check: Any, response: bytes) -> None:
    result = await check(http(await serve(answering(response))))
    assert (result.passed, result.reason) == (False, "ProtocolError")


async def test_a_long_header_is_an_answer_like_any_other(serve: Any, check: Any) -> None:
    policy = b"Content-Security-Policy: default-src" + b" https://cdn.example.net" * 1300 + b"\r\n"
    assert (await check(http(await serve(answering(OK + policy + b"Content-Length: 0\r\n\r\n"))))).passed


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (OK + b"X-Huge: " + b"x" * 1_000_000 + b"\r\n\r\n", "a header field of more than 32 KB"),
        (OK + b"X-Many: x\r\n" * 10_000 + b"\r\n", "more than 5000 header lines"),
        (OK + (b"X-Many: " + b"x" * 10_000 + b"\r\n") * 100 + b"\r\n", "headers of more than 300 KB in all"),
        (b"HTTP/1.1 200 " + b"x" * 1_000_000 + b"\r\n\r\n", "a status line of more than 32 KB"),
    ],
)
async def test_headers_that_are_too_large_are_named_as_the_reason(
    serve: Any, check: Any, response: bytes, words: str
) -> None:
    port = await serve(answering(response))
    result = await check(http(port))
    assert (result.passed, result.reason) == (False, "HeadersTooLarge")
    assert result.message == f"127.0.0.1:{port} answered with {words}"


async def test_what_comes_after_the_deciding_part_is_not_judged(serve: Any, check: Any) -> None:
    broken = OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nready\r\nno chunk at all\r\n"
    port = await serve(answering(broken))
    assert (await check(http(port))).passed
    assert (await check(http(port, expected_body="ready"))).passed
    result = await check(http(port, expected_body="missing"))
    assert (result.passed, result.reason) == (False, "ProtocolError")


async def test_a_body_packed_unasked_is_looked_into_or_named_as_unreadable(serve: Any, check: Any) -> None:
    packed = gzip.compress(b"ready" * 100)
    port = await serve(answering(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed))
    assert (await check(http(port, expected_body="ready"))).passed
    port = await serve(answering(OK + b"Content-Encoding: br\r\nContent-Length: 3\r\n\r\n..."))
    assert (await check(http(port))).passed
    result = await check(http(port, expected_body="ready"))
    assert (result.passed, result.reason) == (False, "UnexpectedBody")
    assert "packed in a way that a check cannot read" in result.message


async def test_an_answer_that_does_not_wait_for_the_request_counts(serve: Any, check: Any) -> None:
    async def eager(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(with_body(b"ready"))
        await writer.drain()
        await reader.read()

    assert (await check(http(await serve(eager), expected_body="ready"))).passed


async def test_proxies_of_the_environment_are_not_asked(
    serve: Any, check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []
    proxy = await serve(answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", asked))
    for variable in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy}")
    assert (await check(http(await serve(answering(with_body(b"")))))).passed
    assert asked == []


async def test_a_body_shorter_than_announced_is_a_protocol_error(serve: Any, check: Any) -> None:
    port = await serve(answering(OK + b"Content-Length: 100\r\n\r\nrea"))
    result = await check(http(port, expected_body="ready"))
    assert (result.passed, result.reason) == (False, "ProtocolError")


async def test_a_connection_that_breaks_before_the_answer_is_a_reset(serve: Any, check: Any) -> None:
    async def abort(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    for handler in (abort, answering(b"")):
        result = await check(http(await serve(handler)))
        assert (result.passed, result.reason) == (False, "ConnectionReset")


async def test_a_closed_port_refuses(unused_port: int, check: Any) -> None:
    for tls in (False, True):
        result = await check(http(unused_port, tls=tls))
        assert (result.passed, result.reason) == (False, "ConnectionRefused")


@pytest.mark.parametrize("tls", [False, True])
async def test_a_silent_server_meets_the_deadline(serve: Any, check: Any, tls: bool) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    result = await check(http(await serve(silent), tls=tls), timeout=DEADLINE)
    assert (result.passed, result.reason) == (False, "Timeout")
    assert f"within {DEADLINE:g} s" in result.message


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["TLS", "answer", "body"])
async def test_a_check_that_ran_out_of_time_hangs_up(serve: Any, check: Any, stage: str) -> None:
    hung_up = asyncio.Semaphore(0)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if stage == "body":
            writer.write(OK + b"Content-Length: 10\r\n\r\n")
        try:
            await reader.read()
        finally:
            hung_up.release()

    port = await serve(silent)
    probe = http(port, tls=stage == "TLS", expected_body="ready")
    results = await asyncio.gather(*(check(probe, timeout=DEADLINE) for _ in range(20)))
    assert {result.reason for result in results} == {"Timeout"}
    async with asyncio.timeout(60):
        for _ in range(20):
            await hung_up.acquire()


async def test_ipv6_is_checked_like_ipv4(serve: Any, check: Any) -> None:
    port = await serve(answering(b"HTTP/1.1 500 No\r\n\r\n"), "::1")
    assert (await check(http(port, expected_statuses=(StatusRange(500, 500),)), "::1")).passed
    assert f"[::1]:{port} answered" in (await check(http(port), "::1")).message


async def test_https_with_an_own_authority_passes_and_names_the_server_apart_from_the_host(
    serve: Any, check: Any, authority: Any
) -> None:
    asked: list[str | None] = []
    requests: list[bytes] = []
    context = authority.context("inner.example.com")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    port = await serve(answering(with_body(b"ready"), requests), tls=context)
    probe = http(
        port, tls=True, ca_bundle=authority.bundle, server_name="inner.example.com", host="outer.example.com:8443"
    )
    result = await check(dataclasses.replace(probe, expected_body="ready"))
    assert result.passed, result
    assert asked == ["inner.example.com"]
    assert b"Host: outer.example.com:8443\r\n" in requests[0]


async def test_each_fault_of_a_certificate_has_a_reason_of_its_own(serve: Any, check: Any, authority: Any) -> None:
    good, expired = authority.context("api.example.com"), authority.context("api.example.com", days=-1)
    other = authority.context("other.example.com")
    reasons = {}
    for name, context, bundle in (
        ("expired", expired, authority.bundle),
        ("other name", other, authority.bundle),
        ("unknown authority", good, None),
    ):
        port = await serve(answering(with_body(b"")), tls=context)
        result = await check(http(port, tls=True, ca_bundle=bundle))
        assert result.passed is False
        reasons[name] = result.reason
        assert (await check(http(port, tls=True, ca_bundle=bundle, verify_certificate=False))).passed
    assert reasons == {
        "expired": "CertificateExpired",
        "other name": "CertificateNameMismatch",
        "unknown authority": "CertificateUntrusted",
    }


async def test_a_certificate_for_an_address_is_accepted_for_it(serve: Any, check: Any, authority: Any) -> None:
    port = await serve(answering(with_body(b"")), tls=authority.context("127.0.0.1"))
    assert (await check(http(port, tls=True, ca_bundle=authority.bundle, server_name="127.0.0.1"))).passed


async def test_a_port_without_tls_is_a_tls_error(serve: Any, check: Any) -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    result = await check(http(await serve(shout), tls=True))
    assert (result.passed, result.reason) == (False, "TLSError")


@pytest.mark.parametrize("bundle", ["", "  ", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
async def test_an_unreadable_ca_bundle_says_nothing_about_the_target(check: Any, bundle: str) -> None:
    result = await check(http(443, tls=True, ca_bundle=bundle))
    assert (result.passed, result.reason) == (None, "InvalidCheck")


async def test_one_context_serves_all_checks_with_the_same_bundle(
    serve: Any, check: Any, authority: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = await serve(answering(with_body(b"")), tls=authority.context("api.example.com"))
    built: list[object] = []
    build = ssl.create_default_context

    def counted(*arguments: Any, **named: Any) -> ssl.SSLContext:
        built.append(named)
        return build(*arguments, **named)

    monkeypatch.setattr(ssl, "create_default_context", counted)
    for _ in range(3):
        assert (await check(http(port, tls=True, ca_bundle=authority.bundle))).passed
    assert len(built) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "@169.254.169.254/"},
        {"path": ":80@169.254.169.254/"},
        {"path": "healthz"},
        {"path": "/a\r\nX-Injected: 1"},
        {"path": "/with blank"},
        {"headers": (("X-One", "1\r\nX-Injected: 1"),)},
        {"headers": (("X-One\r\nX-Injected", "1"),)},
        {"host": "a\r\nX-Injected: 1"},
        {"headers": (("", "1"),)},
        {"headers": (("X One", "1"),)},
        {"tls": True, "server_name": ""},
        {"tls": True, "server_name": ".example.com"},
        {"tls": True, "server_name": "x" * 64 + ".example.com"},
        {"tls": True, "server_name": "a\0.example.com"},
    ],
)
async def test_a_request_that_would_say_something_else_is_not_sent(serve: Any, check: Any, changes: Any) -> None:
    requests: list[bytes] = []
    result = await check(http(await serve(answering(with_body(b""), requests)), **changes))
    assert (result.passed, result.reason) == (None, "InvalidCheck")
    assert requests == []


async def test_no_message_repeats_what_was_sent_or_received(serve: Any, check: Any, unused_port: int) -> None:
    answers = [
        b"HTTP/1.1 500 leaked-status\r\nX: leaked-header\r\n\r\nleaked-body",
        b"leaked-garbage\r\n\r\n",
        with_body(b"leaked-body"),
        b"",
    ]
    ports = [await serve(answering(answer)) for answer in answers]
    results = [await check(http(port, expected_body="wanted-text")) for port in (*ports, unused_port)]
    results.append(await check(http(ports[0], headers=(("Authorization", SECRET + "\r\n"),))))
    assert all(result.passed is not True for result in results)
    for result in results:
        assert result.message
        for content in ("s3cr3t", "leaked", "wanted-text", "\n"):
            assert content not in result.message


async def test_many_checks_at_once_do_not_wait_for_each_other(serve: Any, check: Any) -> None:
    everybody_is_there = asyncio.Barrier(200)

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await everybody_is_there.wait()
        writer.write(with_body(b""))

    port = await serve(slow)
    results = await asyncio.gather(*(check(http(port)) for _ in range(200)))
    assert all(result.passed for result in results)
