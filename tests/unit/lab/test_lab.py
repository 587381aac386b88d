"""The lab as a whole: its places are where the quickstart says, and can be broken and edited."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import dns.asyncquery
import dns.message
import dns.rcode
import pytest
import pytest_asyncio
import yaml

from detour.enactment.contract import Provider, Secret
from detour.kube.translate import zone_from
from detour.providers import registry
from detour_lab.faults import Fault, FaultKind
from detour_lab.services.services import Mode
from detour_lab.stage.lab import Lab

FIRST_BLOCK = 60
"""Not the demo's, so that both can run."""
ZONES = ("shop-route53", "shop-azure", "shop-google", "shop-bind")
AWS = "aws-us-east-1"


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab(first_block=FIRST_BLOCK) as started:
        yield started


async def ask(server: str, name: str) -> tuple[str, set[str]]:
    """Return the response code and the addresses that `server` answers for `name`."""
    host, _, port = server.partition(":")
    answer = await dns.asyncquery.udp(dns.message.make_query(name, "A"), host, port=int(port), timeout=60)
    return dns.rcode.to_text(answer.rcode()), {rdata.to_text() for rrset in answer.answer for rdata in rrset}


def documents(lab: Lab, kind: str) -> dict[str, dict[str, Any]]:
    """Return the manifests of a kind by name."""
    every = [document for text in lab.manifests().values() for document in yaml.safe_load_all(text)]
    return {each["metadata"]["name"]: each for each in every if each["kind"] == kind}


async def no_pace(requests: int) -> None:
    """Let everything pass at once."""


async def open_zone(lab: Lab, name: str) -> Provider:
    """Return the provider that the operator would open from the manifests alone."""
    manifest = documents(lab, "DNSZone")[name]
    manifest["metadata"] |= {"uid": "uid", "creationTimestamp": "2026-01-01T00:00:00Z"}
    secret: Secret = documents(lab, "Secret")[manifest["spec"]["credentialsSecretRef"]["name"]]["stringData"]
    return await registry.open_zone(zone_from(manifest), secret=secret, pace=no_pace)


@pytest.mark.slow
@pytest.mark.parametrize("name", ZONES)
async def test_the_manifests_open_each_zone_and_show_an_outsiders_edit(lab: Lab, name: str) -> None:
    provider = await open_zone(lab, name)
    try:
        await lab.edit(name, "legacy.shop.example.com", "A", ["192.0.2.7"])
        contents = await provider.read_names(["legacy.shop.example.com"])
    finally:
        await provider.close()
    assert [held.rrset.values for held in contents.sets.values()] == [("192.0.2.7",)]
    assert await ask(lab.name_servers[name], "legacy.shop.example.com") == ("NOERROR", {"192.0.2.7"})


@pytest.mark.parametrize("name", ZONES)
async def test_an_outsider_can_remove_what_was_there(lab: Lab, name: str) -> None:
    await lab.edit(name, "legacy.shop.example.com", "A", ["192.0.2.7"])
    await lab.edit(name, "legacy.shop.example.com", "A", [])
    assert await ask(lab.name_servers[name], "legacy.shop.example.com") == ("NXDOMAIN", set())


async def test_the_manifests_ask_the_name_servers_that_serve_the_zones(lab: Lab) -> None:
    for name, manifest in documents(lab, "DNSZone").items():
        spec = manifest["spec"]
        asked = spec["verification"]["nameServers"] if "verification" in spec else [spec["rfc2136"]["server"]]
        assert asked == [lab.name_servers[name]]
    assert lab.name_server_list.split() == [f"shop.example.com={address}" for address in lab.name_servers.values()]


async def test_every_endpoint_of_the_manifests_is_served(lab: Lab) -> None:
    trust = ssl.create_default_context(cadata=documents(lab, "ConfigMap")["lab-ca"]["data"]["ca.crt"])
    async with aiohttp.ClientSession() as session:
        for record in documents(lab, "FailoverRecord").values():
            spec = record["spec"]
            for endpoint in spec["endpoints"]:
                addresses = set(endpoint.get("addresses", ()))
                if "hostname" in endpoint:
                    _, addresses = await ask(lab.resolver.address, endpoint["hostname"])
                assert addresses
                for address in addresses:
                    assert await passes(session, spec, address, trust), (spec["hostname"], address)


async def passes(session: aiohttp.ClientSession, spec: dict[str, Any], address: str, trust: ssl.SSLContext) -> bool:
    """Do roughly what the record's check does."""
    ((kind, check),) = (
        (each, spec["healthCheck"][each]) for each in ("http", "https", "tcp") if each in spec["healthCheck"]
    )
    if kind == "tcp":
        _, writer = await asyncio.open_connection(address, check["port"])
        writer.close()
        return True
    url = f"{kind}://{address}:{check['port']}{check.get('path', '/')}"
    options: dict[str, Any] = {"ssl": trust, "server_hostname": spec["hostname"]} if kind == "https" else {}
    async with session.get(url, **options) as answer:
        return answer.status == 200 and check.get("expectedBody", "") in await answer.text()


async def test_a_broken_region_refuses_and_its_regional_api_answers_nothing(lab: Lab) -> None:
    region = lab.region(AWS)
    await lab.break_region(AWS)
    assert await ask(lab.resolver.address, region.regional_api) == ("NOERROR", set())
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://{region.service('api')}/")
        async with session.get(f"http://{lab.region('azure-westeurope').service('api')}/") as answer:
            assert answer.status == 200


async def test_a_mended_region_is_as_before(lab: Lab) -> None:
    region = lab.region(AWS)
    await lab.break_region(AWS)
    await lab.mend_region(AWS)
    assert await ask(lab.resolver.address, region.regional_api) == (
        "NOERROR",
        {region.service("regional-api").address},
    )
    async with aiohttp.ClientSession() as session, session.get(f"http://{region.service('api')}/") as answer:
        assert await answer.text() == "ok\n"


async def test_one_service_can_fail_alone(lab: Lab) -> None:
    await lab.set_service(AWS, "www", Mode.STATUS_500)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{lab.region(AWS).service('www')}/") as answer:
            assert answer.status == 500
        async with session.get(f"http://{lab.region(AWS).service('api')}/") as answer:
            assert answer.status == 200


async def test_a_fault_meets_the_api_of_its_zone_only(lab: Lab) -> None:
    lab.inject("shop-google", Fault(FaultKind.SERVER_ERROR))
    google, azure = await open_zone(lab, "shop-google"), await open_zone(lab, "shop-azure")
    try:
        await azure.describe()
        with pytest.raises(Exception, match=r"503|unavailable"):
            await google.describe()
        lab.api_faults("shop-google").clear()
        await google.describe()
    finally:
        await google.close()
        await azure.close()


async def test_a_lagging_name_server_shows_what_was_before(lab: Lab) -> None:
    await lab.edit("shop-route53", "a.shop.example.com", "A", ["192.0.2.1"])
    lab.set_lag("shop-route53", 3600)
    await lab.edit("shop-route53", "a.shop.example.com", "A", ["192.0.2.2"])
    assert await ask(lab.name_servers["shop-route53"], "a.shop.example.com") == ("NOERROR", {"192.0.2.1"})


async def test_real_bind_says_what_it_cannot_do(lab: Lab) -> None:
    assert lab.has_real_bind
    with pytest.raises(ValueError, match="use another zone"):
        lab.inject("shop-bind", Fault(FaultKind.THROTTLE))
    with pytest.raises(ValueError, match="cannot be made to lag"):
        lab.set_lag("shop-bind", 1)


async def test_unknown_names_are_answered_with_the_known_ones(lab: Lab) -> None:
    with pytest.raises(ValueError, match=f"no zone 'shop'.*{', '.join(ZONES)}"):
        lab.zone("shop")
    with pytest.raises(ValueError, match=f"no region 'mars'.*{AWS}"):
        await lab.break_region("mars")
    with pytest.raises(ValueError, match=r"no service 'mail'.*www"):
        await lab.set_service(AWS, "mail", Mode.UP)


async def test_the_written_manifests_are_readable_by_us_alone(lab: Lab, tmp_path: Path) -> None:
    lab.write_manifests(tmp_path / "quickstart")
    written = sorted((tmp_path / "quickstart").iterdir())
    assert [path.name[:2] for path in written] == ["00", "05", "10", "20", "30"]
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    assert all("127.53." not in path.read_text() for path in written)


async def test_without_bind_the_labs_own_server_takes_the_updates() -> None:
    async with Lab(first_block=FIRST_BLOCK, real_bind=False) as lab:
        assert not lab.has_real_bind
        provider = await open_zone(lab, "shop-bind")
        try:
            await lab.edit("shop-bind", "legacy.shop.example.com", "A", ["192.0.2.7"])
            contents = await provider.read_names(["legacy.shop.example.com"])
        finally:
            await provider.close()
        assert len(contents.sets) == 1


async def test_two_labs_run_side_by_side() -> None:
    async with Lab(first_block=FIRST_BLOCK) as first, Lab(first_block=FIRST_BLOCK) as second:
        await first.edit("shop-bind", "a.shop.example.com", "A", ["192.0.2.1"])
        assert await ask(second.name_servers["shop-bind"], "a.shop.example.com") == ("NXDOMAIN", set())
        assert not set(first.name_servers.values()) & set(second.name_servers.values())
