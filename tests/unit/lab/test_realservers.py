"""The real servers start by themselves, serve, and leave nothing behind."""

import asyncio

import dns.asyncquery
import dns.message
import pytest

from detour_lab.controlplane.ports import free_ports
from detour_lab.dns import realservers
from detour_lab.dns.realservers import MissingServerError, RealBIND, RealKnot, RealServer, UpdateKey

KINDS = pytest.mark.parametrize("kind", [RealBIND, RealKnot])


@KINDS
async def test_a_server_serves_its_zone_and_leaves_nothing_behind(kind: type[RealServer]) -> None:
    async with kind("example.com", UpdateKey.random(), negative_ttl=17) as server:
        answer = await dns.asyncquery.udp(dns.message.make_query("example.com", "SOA"), "127.0.0.1", port=server.port)
        assert answer.answer[0].ttl == 17
        folder, port = server.folder, server.port
    assert not folder.exists()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


@KINDS
async def test_two_servers_run_side_by_side(kind: type[RealServer]) -> None:
    async with kind("example.com", UpdateKey.random()) as one, kind("example.com", UpdateKey.random()) as two:
        assert one.address != two.address


@KINDS
async def test_a_port_that_is_taken_is_reported_with_what_the_server_said(kind: type[RealServer]) -> None:
    async with kind("example.com", UpdateKey.random()) as first:
        second = kind("example.net", UpdateKey.random(), port=first.port)
        with pytest.raises(RuntimeError, match=r"does not serve example\.net"):
            await second.start()
        assert not second.folder.exists()


@KINDS
async def test_a_port_that_somebody_took_meanwhile_is_given_up_for_another(
    kind: type[RealServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with kind("example.com", UpdateKey.random()) as first:
        chosen = [first.port, *free_ports(1)]
        monkeypatch.setattr(realservers, "free_ports", lambda _, __: [chosen.pop(0)])
        async with kind("example.net", UpdateKey.random()) as second:
            assert second.port != first.port


@KINDS
async def test_a_missing_package_is_named_with_the_command_that_installs_it(
    kind: type[RealServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "program", "not-installed-here")
    with pytest.raises(MissingServerError, match=f"apt-get install .* {kind.package} "):
        await kind("example.com", UpdateKey.random()).start()
