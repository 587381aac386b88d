"""Whatever a target or a resolver sends, one check ends with a result, and the others go on."""

import asyncio
import contextlib
import logging
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detour.checks.guard import NetworkGuard
from detour.checks.http import HTTPProber
from detour.checks.resolver import MAXIMUM_ADDRESSES, ResolutionOutcome, Resolver
from detour.checks.run import run_check
from detour.checks.scheduler import CheckScheduler
from detour.model.checks import CheckResult, CheckTiming, DNSCheck, HTTPCheck, Probe, StatusRange, Target, TCPCheck

HOST = "127.0.0.1"
NAME = "www.example.com"
GUARD = NetworkGuard.from_text(allowed=["127.0.0.0/8"])
TOLD = (True, False, None)
TRIES = 20
FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
ANSWERS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nready\r\n0\r\nX: 1\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 No\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08",
        b"\x16\x03\x03\x00\x5a\x02\x00\x00\x56\x03\x03",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"",
    ]
)


@dataclass(frozen=True)
class Edit:
    """At a share of the whole, so many bytes are replaced by others."""

    place: float
    removed: int
    inserted: bytes

    def on(self, raw: bytes) -> bytes:
        start = int(self.place * len(raw))
        return raw[:start] + self.inserted + raw[start + self.removed :]


EDITS = st.lists(st.builds(Edit, st.floats(0, 1), st.integers(0, 12), st.binary(max_size=12)), max_size=3)


def mangle(raw: bytes, edits: list[Edit]) -> bytes:
    for edit in edits:
        raw = edit.on(raw)
    return raw


@contextlib.asynccontextmanager
async def sending(raw: bytes, how: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve every connection with `raw`, and end it: by FIN, by RST, or not before the client does."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            writer.write(raw)
            await writer.drain()
            if how == "stay":
                await reader.read()
        writer.transport.abort() if how == "reset" else writer.close()

    server = await asyncio.start_server(handle, HOST, 0, ssl=tls)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


async def check_once(probe: Probe, timeout: float = 0.2) -> CheckResult:
    prober = HTTPProber()
    target = Target(HOST, probe, CheckTiming(10.0, 1.0, timeout, 3, 3))
    try:
        return await run_check(target, guard=GUARD, http=prober, clock=time.monotonic)
    finally:
        await prober.close()


def page(port: int, *, tls: bool = False, bundle: str | None = None, name: str = NAME) -> HTTPCheck:
    return HTTPCheck(tls, port, "/", name, name, (StatusRange(200, 299),), "ready", ca_bundle=bundle)


def is_foreseen(result: CheckResult) -> bool:
    return result.passed in TOLD and "unforeseen" not in result.message


@FUZZ
@given(ANSWERS, EDITS, st.sampled_from(["end", "reset", "stay"]), st.booleans())
def test_no_bytes_over_http_or_instead_of_tls_raise(answer: bytes, edits: list[Edit], how: str, is_tls: bool) -> None:
    async def scenario() -> None:
        async with sending(mangle(answer, edits), how) as port:
            assert is_foreseen(await check_once(page(port, tls=is_tls)))
            assert is_foreseen(await check_once(TCPCheck(port)))

    asyncio.run(scenario())


@settings(FUZZ, max_examples=30)
@given(ANSWERS, EDITS, st.sampled_from(["end", "reset", "stay"]))
def test_no_bytes_within_tls_raise(authority: Any, answer: bytes, edits: list[Edit], how: str) -> None:
    async def scenario() -> None:
        async with sending(mangle(answer, edits), how, authority.context(NAME)) as port:
            assert is_foreseen(await check_once(page(port, tls=True, bundle=authority.bundle), timeout=0.5))

    asyncio.run(scenario())


class RawDNS(asyncio.DatagramProtocol):
    """Answers with what `respond` makes of a query's bytes, over UDP and over TCP on one port."""

    def __init__(self, respond: Callable[[bytes], bytes]) -> None:
        self.respond = respond

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        with contextlib.suppress(OSError):  # too long for a datagram
            self.transport.sendto(self.respond(data), addr)

    async def over_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            query = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            wire = self.respond(query)
            writer.write(len(wire).to_bytes(2, "big") + wire)
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def answering(respond: Callable[[bytes], bytes]) -> AsyncIterator[int]:
    raw = RawDNS(respond)
    for _ in range(TRIES):
        server = await asyncio.start_server(raw.over_tcp, HOST, 0)
        port = int(server.sockets[0].getsockname()[1])
        try:
            open_datagrams = asyncio.get_running_loop().create_datagram_endpoint(lambda: raw, local_addr=(HOST, port))
            transport, _ = await open_datagrams
        except OSError:  # whoever asks something just now, here or in another process, may have the port over UDP
            server.close()
        else:
            break
    else:
        pytest.fail(f"no port is free over TCP and UDP, after {TRIES} tries")
    try:
        yield port
    finally:
        transport.close()
        server.close()


RECORDS = st.sampled_from(
    [
        (),
        (f"{NAME}. 30 IN A 192.0.2.1",),
        (f"{NAME}. 30 IN CNAME {NAME}.",),
        (f"{NAME}. 30 IN CNAME a.example.", f"a.example. 30 IN CNAME {NAME}."),
        (f"{NAME}. 30 IN CNAME a.example.", f"{NAME}. 30 IN A 192.0.2.1"),
        (f'{NAME}. 0 IN TXT "\\255\\000" "b"', f"{NAME}. 2147483647 IN AAAA 2001:db8::1"),
        tuple(f"{'' if each == 0 else f'n{each}.'}{NAME}. 1 IN CNAME n{each + 1}.{NAME}." for each in range(20)),
        tuple(f"{NAME}. 30 IN A 10.0.{each >> 8}.{each & 255}" for each in range(600)),
    ]
)


@dataclass(frozen=True)
class Response:
    """How a hostile name server answers."""

    records: tuple[str, ...]
    rcode: int
    flags: int
    is_other_id: bool
    edits: tuple[Edit, ...]
    tail: bytes

    def __call__(self, wire: bytes) -> bytes:
        query = dns.message.from_wire(wire)
        response = dns.message.make_response(query, recursion_available=True)
        response.set_rcode(dns.rcode.Rcode(self.rcode))
        for record in self.records:
            response.answer.append(dns.rrset.from_text(*record.split(" ", 4)))
        response.flags |= self.flags
        raw = response.to_wire(max_size=65535)
        raw = (raw[:1] + bytes([raw[1] ^ 1]) if self.is_other_id else raw[:2]) + raw[2:]
        return mangle(raw, list(self.edits)) + self.tail


RESPONSES = st.builds(
    Response,
    records=RECORDS,
    rcode=st.one_of(st.sampled_from([0, 0, 0, 2, 3, 5]), st.integers(0, 15)),
    flags=st.sampled_from([0, 0, dns.flags.TC, dns.flags.AA, 0x7800, dns.flags.QR]),
    is_other_id=st.sampled_from([False, False, False, True]),
    edits=EDITS.map(tuple),
    tail=st.sampled_from([b"", b"", b"\0", b"x" * 600]),
)


@pytest.mark.slow
@FUZZ
@given(RESPONSES, st.sampled_from(["A", "AAAA", "CNAME", "TXT", "MX", "NS", "SOA"]))
def test_no_answer_of_a_name_server_raises_out_of_a_dns_check(response: Response, rrtype: str) -> None:
    async def scenario() -> None:
        async with answering(response) as port:
            assert is_foreseen(await check_once(DNSCheck(port, NAME, rrtype), timeout=0.05))

    asyncio.run(scenario())


@pytest.mark.slow
@settings(FUZZ, max_examples=25)
@given(RESPONSES)
def test_no_answer_of_a_resolver_raises_or_brings_more_than_is_checked(response: Response) -> None:
    async def scenario() -> None:
        async with answering(response) as port:
            resolver = Resolver(f"{HOST}:{port}", timeout=0.05)
            resolution = await resolver.resolve(NAME)
            assert "unforeseen" not in resolution.message
            assert len(resolution.addresses) <= 2 * MAXIMUM_ADDRESSES
            assert (resolution.outcome is ResolutionOutcome.ANSWERED) == bool(resolution.addresses)
            await resolver.delegation(NAME)

    asyncio.run(scenario())


async def test_of_a_hostname_with_hundreds_of_addresses_the_first_are_taken() -> None:
    records = tuple(f"{NAME}. 30 IN A 10.0.{each >> 8}.{each & 255}" for each in range(600))
    async with answering(Response(records, 0, 0, False, (), b"")) as port:
        resolution = await Resolver(f"{HOST}:{port}").resolve(NAME)
    assert resolution.addresses == tuple(f"10.0.0.{each}" for each in range(MAXIMUM_ADDRESSES))


@pytest.mark.parametrize(
    "raised", [KeyError("s3cr3t"), RecursionError("s3cr3t"), ExceptionGroup("s3cr3t", [OSError()])]
)
async def test_an_error_that_nobody_foresaw_in_a_lookup_is_no_answer_and_quotes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, raised: Exception
) -> None:
    async def broken(*_arguments: object, **_named: object) -> None:
        raise raised

    monkeypatch.setattr("dns.asyncresolver.Resolver.resolve", broken)
    resolver = Resolver(f"{HOST}:53")
    with caplog.at_level(logging.ERROR):
        resolution = await resolver.resolve(NAME)
        assert await resolver.delegation(NAME) is None
    assert resolution.outcome is ResolutionOutcome.FAILED
    assert type(raised).__name__ in resolution.message
    assert type(raised).__name__ in caplog.text
    assert "s3cr3t" not in resolution.message + caplog.text


async def test_the_others_go_on_beside_every_kind_of_hostile_target(authority: Any) -> None:
    garbage = random.Random(7).randbytes(20_000)
    endless = b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 10_000
    passed: dict[int, int] = {}
    enough = asyncio.Event()
    results: list[CheckResult] = []

    def note(target: Target, result: CheckResult, _started: float) -> float:
        results.append(result)
        if result.passed:
            passed[target.probe.port] = passed.get(target.probe.port, 0) + 1
            if passed.get(good, 0) >= 10:
                enough.set()
        return 0.01

    prober = HTTPProber()
    async with contextlib.AsyncExitStack() as stack:
        good = await stack.enter_async_context(sending(b"HTTP/1.1 200 OK\r\n\r\nready", "end"))
        bad = [
            await stack.enter_async_context(sending(raw, how)) for raw in (garbage, endless) for how in ("end", "reset")
        ]
        mute = await stack.enter_async_context(answering(lambda _query: garbage[:400]))
        targets = [
            Target(HOST, probe, CheckTiming(0.02, 0.01, 0.2, 3, 3))
            for probe in (
                page(good),
                *(page(port) for port in bad),
                *(page(port, tls=True, bundle=authority.bundle) for port in bad),
                page(good, tls=True, bundle="-----BEGIN CERTIFICATE-----\nTm9uZQ==\n-----END CERTIFICATE-----"),
                page(good, tls=True, name="x" * 64),
                DNSCheck(mute, NAME, "A"),
                DNSCheck(mute, "a..b", "NOPE"),
            )
        ]
        scheduler = CheckScheduler(
            lambda target: run_check(target, guard=GUARD, http=prober, clock=time.monotonic),
            on_result=note,
            in_flight=4,
            random=random.Random(1),
        )
        scheduler.update(targets)
        running = asyncio.create_task(scheduler.run())
        await asyncio.wait_for(enough.wait(), 60)
        assert not running.done()
        scheduler.close()
        await running
    await prober.close()
    assert set(passed) == {good}
    assert all(is_foreseen(result) for result in results)
