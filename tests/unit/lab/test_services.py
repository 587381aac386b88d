"""Regional services that can be broken: what a check meets in each mode."""

import asyncio
import contextlib
import datetime
import ssl
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from detour_lab.services.certificates import CertificateAuthority
from detour_lab.services.services import BODY, Mode, RegionalService, ServiceCertificates

ADDRESS = "127.0.0.53"
NAME = "api.example.com"
WRONG_ANSWERS = [Mode.SLOW, Mode.STATUS_500, Mode.WRONG_BODY]


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    return CertificateAuthority(datetime.datetime.now(datetime.UTC))


@pytest.fixture
async def service() -> AsyncIterator[RegionalService]:
    service = RegionalService(ADDRESS)
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def secure(authority: CertificateAuthority) -> AsyncIterator[RegionalService]:
    service = RegionalService(ADDRESS, tls=ServiceCertificates.issue(authority, NAME, ADDRESS))
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def plain() -> AsyncIterator[RegionalService]:
    service = RegionalService(ADDRESS, http=False)
    await service.start()
    yield service
    await service.stop()


async def get(service: RegionalService, *, timeout: float = 5.0) -> tuple[int, str]:
    total = aiohttp.ClientTimeout(total=timeout)
    async with aiohttp.ClientSession(timeout=total) as session, session.get(f"http://{service}/healthz") as response:
        return response.status, await response.text()


async def handshake(service: RegionalService, authority: CertificateAuthority, name: str = NAME) -> None:
    context = ssl.create_default_context(cadata=authority.pem)
    _, writer = await asyncio.open_connection(service.address, service.port, ssl=context, server_hostname=name)
    writer.close()


async def plaintext(reader: asyncio.StreamReader, incoming: ssl.MemoryBIO, client: ssl.SSLObject) -> bytes:
    """What a server says until it ends the connection, orderly or not."""
    try:
        while data := await reader.read(65536):
            incoming.write(data)
        incoming.write_eof()
        return client.read()
    except OSError:
        return b""


async def test_a_service_that_is_up_answers_what_checks_expect(service: RegionalService) -> None:
    assert await get(service) == (200, BODY)


@pytest.mark.parametrize("mode", [Mode.REFUSING, Mode.BLACK_HOLE, *WRONG_ANSWERS])
async def test_a_service_goes_into_each_mode_and_back_at_the_same_port(service: RegionalService, mode: Mode) -> None:
    port = service.port
    for _ in range(3):
        await service.switch(mode, seconds=60)
        assert service.mode is mode
        await service.switch(Mode.UP)
        assert await get(service) == (200, BODY)
    assert service.port == port


async def test_a_refusing_service_refuses_at_once_and_keeps_its_port(service: RegionalService) -> None:
    await service.switch(Mode.REFUSING)
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(service.address, service.port)
    with pytest.raises(OSError, match="is another lab running"):
        await RegionalService(ADDRESS, service.port).start()


async def test_a_black_hole_leaves_connections_hanging(
    service: RegionalService, secure: RegionalService, plain: RegionalService
) -> None:
    everyone = (service, secure, plain)
    for each in everyone:
        await each.switch(Mode.BLACK_HOLE)
    attempts = [asyncio.open_connection(each.address, each.port) for each in everyone for _ in range(20)]
    results = await asyncio.gather(*(asyncio.wait_for(each, 0.3) for each in attempts), return_exceptions=True)
    assert {type(each) for each in results} == {TimeoutError}


async def test_a_slow_service_answers_late(service: RegionalService) -> None:
    await service.switch(Mode.SLOW, seconds=0.2)
    began = time.monotonic()
    assert await get(service) == (200, BODY)
    assert time.monotonic() - began >= 0.2
    await service.switch(Mode.SLOW, seconds=60)
    with pytest.raises(TimeoutError):
        await get(service, timeout=0.2)


async def test_wrong_answers_differ_in_status_or_body(service: RegionalService) -> None:
    await service.switch(Mode.STATUS_500)
    assert (await get(service))[0] == 500
    await service.switch(Mode.WRONG_BODY)
    status, body = await get(service)
    assert status == 200
    assert BODY not in body.split()


@pytest.mark.parametrize("mode", list(Mode))
async def test_switching_breaks_open_connections(secure: RegionalService, mode: Mode) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(ADDRESS, secure.port, ssl=context)
    await secure.switch(mode, seconds=60)
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):  # as good as an end of the stream
            assert await reader.read() == b""
    writer.close()


async def test_a_connection_still_in_its_handshake_does_not_outlive_the_mode(
    secure: RegionalService, authority: CertificateAuthority
) -> None:
    """The server has accepted it, and only then leaves the mode in which it would have answered well."""
    reader, writer = await asyncio.open_connection(ADDRESS, secure.port)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cadata=authority.pem).wrap_bio(incoming, outgoing, server_hostname=NAME)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    writer.write(outgoing.read())
    incoming.write(await reader.read(65536))
    await secure.switch(Mode.STATUS_500)
    client.do_handshake()
    client.write(b"GET / HTTP/1.1\r\n\r\n")
    writer.write(outgoing.read())
    seen = secure.requests
    async with asyncio.timeout(5):
        assert not await plaintext(reader, incoming, client)
    assert secure.requests == seen
    writer.close()


async def test_connections_are_kept_for_more_requests_and_closed_when_asked(service: RegionalService) -> None:
    reader, writer = await asyncio.open_connection(service.address, service.port)
    writer.write(b"GET /a HTTP/1.1\r\nHost: one.example.com\r\n\r\nHEAD /b HTTP/1.1\r\nConnection: close\r\n\r\n")
    answers = await reader.read()
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert answers.endswith(b"\r\n\r\n")  # HEAD has no body
    assert [(each.method, each.path) for each in service.seen] == [("GET", "/a"), ("HEAD", "/b")]
    assert service.seen[0].headers["host"] == "one.example.com"
    writer.close()


async def test_a_plain_service_takes_connections_and_says_nothing(plain: RegionalService) -> None:
    reader, writer = await asyncio.open_connection(plain.address, plain.port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.1)
    writer.close()
    await plain.switch(Mode.REFUSING)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(plain.address, plain.port)


async def test_a_mode_that_a_service_cannot_have_is_refused_with_the_reason(
    service: RegionalService, plain: RegionalService
) -> None:
    with pytest.raises(ValueError, match="seconds above 0"):
        await service.switch(Mode.SLOW)
    with pytest.raises(ValueError, match="give it `tls`"):
        await service.switch(Mode.EXPIRED_CERTIFICATE)
    for mode in WRONG_ANSWERS:
        with pytest.raises(ValueError, match="answers nothing"):
            await plain.switch(mode, seconds=1)
    assert await get(service) == (200, BODY)


async def test_a_certificate_is_good_until_the_service_lets_it_expire(
    secure: RegionalService, authority: CertificateAuthority
) -> None:
    await handshake(secure, authority)
    await handshake(secure, authority, ADDRESS)
    await secure.switch(Mode.EXPIRED_CERTIFICATE)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
        await handshake(secure, authority)
    await secure.switch(Mode.UP)
    await handshake(secure, authority)


async def test_a_certificate_for_another_name_and_an_unknown_authority_are_not_accepted(
    secure: RegionalService, authority: CertificateAuthority
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        await handshake(secure, authority, "www.example.com")
    with pytest.raises(ssl.SSLCertVerificationError, match=r"signature failure|unable to get|self-signed"):
        await handshake(secure, CertificateAuthority(datetime.datetime.now(datetime.UTC)))


def test_a_certificate_never_shows_its_key(authority: CertificateAuthority) -> None:
    assert "PRIVATE" not in repr(authority.valid(NAME))


async def test_a_service_made_broken_starts_broken(service: RegionalService) -> None:
    await service.stop()
    await service.switch(Mode.REFUSING)
    await service.start()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(service.address, service.port)


async def test_it_serves_ipv6() -> None:
    service = RegionalService("::1")
    await service.start()
    try:
        assert await get(service) == (200, BODY)
        await service.switch(Mode.BLACK_HOLE)
        with pytest.raises(TimeoutError):
            await get(service, timeout=0.2)
    finally:
        await service.stop()
