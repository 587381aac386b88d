"""Users' reports over a real connection: from anybody, of whom nothing is known or kept."""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from detour.signals import beacons
from detour.signals.beacons import BeaconServer, client_of, name_in, number_for

PROXIES = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("10.0.0.0/8"))
KEY = b"k" * 32


class Reports:
    def __init__(self) -> None:
        self.taken: list[tuple[str, int]] = []

    def take(self, name: str, client: int) -> None:
        self.taken.append((name, client))


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
async def url(reports: Reports) -> AsyncIterator[str]:
    server = BeaconServer("127.0.0.1:0", proxies=PROXIES, report=reports.take)
    task = asyncio.create_task(server.run())
    await server.is_listening.wait()
    yield f"http://127.0.0.1:{server.port}/report"
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def send(url: str, body: bytes | str, method: str = "POST", **headers: str) -> int:
    async with aiohttp.ClientSession() as session, session.request(method, url, data=body, headers=headers) as answer:
        return answer.status


@pytest.mark.parametrize("body", ["api.example.com", ' {"hostname": "API.example.com."} '])
async def test_a_report_has_the_name_as_it_is_or_in_json(url: str, reports: Reports, body: str) -> None:
    assert await send(url, body) == 204
    assert [name for name, _ in reports.taken] == ["api.example.com"]


async def test_a_browser_may_send_them_from_any_page(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.options(url) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")


@pytest.mark.parametrize(
    ("request_line", "body", "status"),
    [
        ("GET", "", 405),
        ("POST s", "api.example.com", 404),
        ("POST", "", 400),
        ("POST", "ünïcode", 400),
        ("POST", "x" * 254, 400),
        ("POST", '{"hostname": 3}', 400),
        ("POST", "{", 400),
        ("POST", "x" * 5000, 413),
    ],
)
async def test_all_else_is_refused(url: str, reports: Reports, request_line: str, body: str, status: int) -> None:
    method, _, path = request_line.partition(" ")
    assert await send(url + path, body, method) == status
    assert not reports.taken


async def test_clients_are_told_apart_by_what_a_listed_proxy_says(url: str, reports: Reports) -> None:
    for forwarded in ("203.0.113.1", "203.0.113.2, 10.0.0.1", "192.0.2.9, 203.0.113.2"):
        await send(url, "api.example.com", **{"X-Forwarded-For": forwarded})
    first, second, third = (client for _, client in reports.taken)
    assert first != second == third


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.1", [], "203.0.113.1"),
        ("203.0.113.1", ["192.0.2.1"], "203.0.113.1"),  # no proxy: it may claim what it likes
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.7, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.7", "192.0.2.1, 10.9.9.9"], "192.0.2.1"),
        ("10.0.0.1", ["192.0.2.1:4711"], "192.0.2.1"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["unknown"], None),
        ("::ffff:10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("", [], None),
    ],
)
def test_who_reports(peer: str, forwarded: list[str], client: str | None) -> None:
    found = client_of(peer, forwarded, PROXIES)
    assert found == (None if client is None else ipaddress.ip_address(client))


def test_a_household_is_one_client_and_a_number_says_nothing_without_the_key() -> None:
    one, same, other = (
        number_for(ipaddress.ip_address(each), KEY)
        for each in ("2001:db8:0:100::1", "2001:db8:0:1ff::2", "2001:db8:0:200::1")
    )
    assert one == same != other
    v4 = ipaddress.ip_address("192.0.2.1")
    assert number_for(v4, KEY) != number_for(ipaddress.ip_address("192.0.2.2"), KEY)
    assert number_for(v4, KEY) != number_for(v4, b"o" * 32)
    assert number_for(v4, KEY) < 2**64


@pytest.mark.parametrize("body", [b"\xff\xfe", b"[" * 5000, b'{"a": 1}', b"{}", b"[]x"])
def test_no_body_breaks_the_reading(body: bytes) -> None:
    name_in(body)


async def test_a_flood_is_taken_in_slowly_and_who_comes_after_it_is_heard(
    reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beacons, "ACCEPTED_PER_SECOND", 50.0)
    monkeypatch.setattr(beacons, "BURST", 10.0)
    monkeypatch.setattr(beacons, "MOST_OPEN", 20)
    monkeypatch.setattr(beacons, "OPEN_FOR", 1.0)
    server = BeaconServer("127.0.0.1:0", proxies=PROXIES, report=reports.take)
    task = asyncio.create_task(server.run())
    await server.is_listening.wait()
    silent = []
    try:
        for _ in range(60):  # connections that say nothing
            each = socket.socket()
            each.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                each.connect(("127.0.0.1", server.port))
            silent.append(each)
        began = asyncio.get_running_loop().time()
        most_open = 0
        while asyncio.get_running_loop().time() < began + 0.8:
            most_open = max(most_open, len(server._server.connections))
            await asyncio.sleep(0.02)
        assert 0 < most_open <= 20
        status = 0
        while status != 204 and asyncio.get_running_loop().time() < began + 30:
            with contextlib.suppress(aiohttp.ClientError):
                status = await send(f"http://127.0.0.1:{server.port}/report", "api.example.com")
        assert status == 204
    finally:
        for each in silent:
            each.close()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_one_connection_makes_one_report(url: str, reports: Reports) -> None:
    host, port = url.removeprefix("http://").removesuffix("/report").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    request = b"POST /report HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\napi.example.com"
    writer.write(request * 50)
    await reader.read()
    assert len(reports.taken) == 1
    writer.close()


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /report HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /report HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /report HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /report HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
    ],
)
async def test_no_request_leaves_the_address_of_its_sender_in_the_log(
    url: str, reports: Reports, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = url.removeprefix("http://").removesuffix("/report").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request_)
    with contextlib.suppress(OSError):
        await reader.read()
    writer.close()
    assert not reports.taken
    assert "127.0.0.1" not in caplog.text
    assert not caplog.records
