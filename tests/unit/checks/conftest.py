"""Small servers on loopback, certificates of an own authority, and an event loop that leaps through time."""

import asyncio
import contextlib
import datetime
import ipaddress
import selectors
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import dns.message
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from detour.checks.guard import NetworkGuard
from detour.checks.http import HTTPProber
from detour.checks.run import run_check
from detour.model.checks import CheckResult, CheckTiming, Probe, Target

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Check = Callable[..., Awaitable[CheckResult]]

OPEN_GUARD = NetworkGuard.from_text(allowed=["127.0.0.0/8", "::1/128"])


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[int]]]:
    """Start a TCP server for a handler and return its port."""
    stop: list[Callable[[], None]] = []
    tasks: set[asyncio.Task[Any]] = set()

    async def start(handler: Handler, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> int:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
                    await handler(reader, writer)
                writer.close()
            except asyncio.CancelledError:
                writer.transport.abort()
                raise

        server = await asyncio.start_server(handle, host, 0, ssl=tls)
        stop.append(server.close)
        return int(server.sockets[0].getsockname()[1])

    yield start
    for close in stop:
        close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)  # an aborted transport closes its socket in the next turn of the loop


@pytest.fixture
async def check() -> AsyncIterator[Check]:
    """Check a probe on loopback and return the result."""
    prober = HTTPProber()

    async def run(probe: Probe, address: str = "127.0.0.1", timeout: float = 60.0) -> CheckResult:
        target = Target(address, probe, CheckTiming(10.0, 1.0, timeout, 3, 3))
        return await run_check(target, guard=OPEN_GUARD, http=prober, clock=time.monotonic)

    yield run
    await prober.close()


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port that is bound, so nobody else gets it, but not listened on: it refuses."""
    with socket.socket() as bound, socket.socket(socket.AF_INET6) as also_bound:
        bound.bind(("127.0.0.1", 0))
        port = int(bound.getsockname()[1])
        also_bound.bind(("::1", port))
        yield port


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port whose backlog is full: the kernel drops further connection requests."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


class DNSServer(asyncio.DatagramProtocol):
    """Answers over UDP and TCP on one port with what `respond(query, over_tcp)` returns; None is silence."""

    def __init__(self, respond: Callable[[dns.message.Message, bool], dns.message.Message | None]) -> None:
        self.respond = respond
        self.queries: list[dns.message.Message] = []
        self.port = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, peer: Any) -> None:
        query = dns.message.from_wire(data)
        self.queries.append(query)
        if (response := self.respond(query, False)) is not None:
            self.transport.sendto(response.to_wire(), peer)

    async def serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(2), "big")
        query = dns.message.from_wire(await reader.readexactly(length))
        if (response := self.respond(query, True)) is not None:
            wire = response.to_wire()
            writer.write(len(wire).to_bytes(2, "big") + wire)


@pytest.fixture
async def serve_dns(serve: Any) -> AsyncIterator[Callable[..., Awaitable[DNSServer]]]:
    """Start a DNS server on one free port for both transports."""
    servers: list[DNSServer] = []

    async def start(respond: Any, host: str = "127.0.0.1") -> DNSServer:
        server = DNSServer(respond)
        for _ in range(20):
            server.port = await serve(server.serve_tcp, host)
            loop, place = asyncio.get_running_loop(), (host, server.port)
            with contextlib.suppress(OSError):  # whoever asks something just now may have the port over UDP
                await loop.create_datagram_endpoint(lambda: server, local_addr=place)
                servers.append(server)
                return server
        pytest.fail("no port is free over TCP and UDP")

    yield start
    for server in servers:
        server.transport.close()


class Authority:
    """A certificate authority that issues whatever a test asks for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
        certificate = self._build(self._name, self._key.public_key(), days=30).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.bundle = certificate.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    def context(self, *names: str, days: int = 30) -> ssl.SSLContext:
        """Return a server's context with a certificate for `names`, valid until `days` from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives: list[x509.GeneralName] = []
        for name in names:
            try:
                alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
            except ValueError:
                alternatives.append(x509.DNSName(name))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = (
            self._build(subject, key.public_key(), days)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        file = self._folder / f"{names[0].replace('*', 'any')}-{days}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context

    def _build(self, subject: x509.Name, key: Any, days: int) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=60))
            .not_valid_after(now + datetime.timedelta(days=days))
        )


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


class _LeapingSelector(selectors.SelectSelector):
    """Instead of waiting, it moves the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events:
            if timeout is None:
                raise RuntimeError("nothing will ever happen: the loop waits without a timer")
            self.now += timeout
        return events


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when everybody waits."""

    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now


@pytest.fixture
def run_virtually() -> Callable[[Coroutine[Any, Any, None]], None]:
    """Run a coroutine on a loop with virtual time."""

    def run(scenario: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=LeapingLoop) as runner:
            runner.run(scenario)

    return run
