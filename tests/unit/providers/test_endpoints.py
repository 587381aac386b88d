"""The operator's identity goes to the provider and to what is on the operator's list; plain http only by that list."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from detour.enactment.contract import EndpointNotPermittedError, ProviderError, UnavailableError
from detour.model.record import ObjectKey
from detour.model.zone import (
    AzureDNSSettings,
    GoogleCloudDNSSettings,
    ProviderSettings,
    RFC2136Settings,
    Route53Settings,
    Zone,
)
from detour.providers import registry
from detour.providers.endpoints import Origin, PermittedEndpoints, check_endpoint, foreign_origin

from .clouds import CLOUDS, DOMAIN, Cloud, no_pace
from .relay import Relay, Spoilt

NONE = PermittedEndpoints()


def zone(settings: ProviderSettings) -> Zone:
    return Zone(ObjectKey("shop", "zone"), "uid", 1, DOMAIN, settings)


def at(url: str | None) -> list[ProviderSettings]:
    return [
        Route53Settings(endpoint_url=url),
        AzureDNSSettings("sub", "rg", url),
        GoogleCloudDNSSettings("project", None, url),
    ]


@pytest.fixture
async def elsewhere() -> AsyncIterator[Relay]:
    """An address of somebody's choice, which notes what is sent to it."""
    async with Relay() as relay:
        yield relay


@pytest.mark.parametrize("permitted", [NONE, None], ids=["no list", "left to the caller"])
async def test_an_endpoint_without_a_secret_gets_nothing_at_all(
    elsewhere: Relay, monkeypatch: pytest.MonkeyPatch, permitted: PermittedEndpoints | None
) -> None:
    """The identities that a pod has, in the environment where each SDK looks for them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOPERATOR")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "hush-token")
    for settings in at(elsewhere.url):
        with pytest.raises(EndpointNotPermittedError, match="operator's own identity is not sent"):
            await registry.open_zone(zone(settings), secret=None, pace=no_pace, permitted=permitted)
    await asyncio.sleep(0)
    assert elsewhere.asked == []


async def test_an_endpoint_on_the_list_takes_the_operator_s_identity(
    elsewhere: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOPERATOR")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    permitted = PermittedEndpoints.from_text([elsewhere.url])
    provider = await registry.open_zone(
        zone(Route53Settings(endpoint_url=elsewhere.url)), secret=None, pace=no_pace, permitted=permitted
    )
    with pytest.raises(ProviderError):
        await provider.describe()
    assert elsewhere.asked
    assert "AKIAOPERATOR" in str(elsewhere.bore[0])
    await provider.close()


@pytest.mark.parametrize("cloud", CLOUDS, ids=[each.name for each in CLOUDS])
async def test_credentials_of_a_zone_s_own_do_not_go_over_plain_http_unless_that_is_permitted(
    elsewhere: Relay, cloud: type[Cloud]
) -> None:
    declared = zone(cloud().settings(elsewhere.url))
    with pytest.raises(EndpointNotPermittedError, match="plain http"):
        await registry.open_zone(declared, secret=cloud().secret(), pace=no_pace, permitted=NONE)
    assert elsewhere.asked == []
    permitted = PermittedEndpoints.from_text(["http://127.0.0.0/8:*"])
    provider = await registry.open_zone(declared, secret=cloud().secret(), pace=no_pace, permitted=permitted)
    await provider.close()


@pytest.mark.parametrize("cloud", CLOUDS, ids=[each.name for each in CLOUDS])
async def test_an_endpoint_of_somebody_s_choice_is_not_quoted(cloud: type[Cloud]) -> None:
    """What answers there may be a service inside the cluster, and conditions are read by whoever may read a DNSZone."""
    bodies = {
        "route53": b"<E><Error><Code>Denied</Code><Message>the private answer</Message></Error></E>",
        "azuredns": b'{"code": "Denied", "message": "the private answer"}',
        "clouddns": b'{"error": {"message": "the private answer", "errors": [{"reason": "the private answer"}]}}',
    }
    answer = Spoilt(bodies[cloud.name], status=400)
    async with cloud().emulator() as api, Relay(api.url) as relay:
        for quotes in (True, False):
            module = registry.kind_of(cloud().settings(relay.url)).load()
            provider = await module.open_zone(
                domain=DOMAIN,
                settings=cloud().settings(relay.url),
                secret=cloud().secret(),
                limits=module.LIMITS,
                pace=no_pace,
                quotes=quotes,
            )
            relay.spoil(answer)
            with pytest.raises(UnavailableError) as told:
                await provider.read_zone()
            relay.heal()
            assert ("the private answer" in str(told.value)) is quotes
            await provider.close()


def test_only_the_provider_and_permitted_endpoints_are_quoted() -> None:
    permitted = PermittedEndpoints.from_text(["https://dns.example.net"])
    for url, quoted in ((None, True), ("https://dns.example.net", True), ("https://intranet.example.net", False)):
        for settings in at(url):
            assert check_endpoint(zone(settings), has_secret=True, permitted=permitted) is quoted


@pytest.mark.parametrize("settings", at("https://dns.example.net:8443/dns"), ids=lambda each: type(each).__name__)
def test_an_endpoint_of_one_s_own_takes_credentials_of_one_s_own_and_https(settings: ProviderSettings) -> None:
    check_endpoint(zone(settings), has_secret=True, permitted=NONE)
    with pytest.raises(EndpointNotPermittedError):
        check_endpoint(zone(settings), has_secret=False, permitted=NONE)


@pytest.mark.parametrize(
    "settings",
    [
        *at(None),
        RFC2136Settings("192.0.2.53:53"),
        Route53Settings(endpoint_url="https://route53.us-gov.amazonaws.com"),
        Route53Settings(endpoint_url="https://ROUTE53.amazonaws.com:443/"),
        AzureDNSSettings("sub", "rg", "https://management.usgovcloudapi.net"),
        AzureDNSSettings("sub", "rg", "https://management.chinacloudapi.cn/"),
        GoogleCloudDNSSettings("project", None, "https://dns.googleapis.com"),
    ],
)
def test_the_providers_own_endpoints_need_no_list(settings: ProviderSettings) -> None:
    check_endpoint(zone(settings), has_secret=False, permitted=NONE)
    assert foreign_origin(settings) == ""


@pytest.mark.parametrize(
    "settings",
    [
        Route53Settings(endpoint_url="http://route53.amazonaws.com"),
        Route53Settings(endpoint_url="https://route53.amazonaws.com:8443"),
        Route53Settings(endpoint_url="https://route53.amazonaws.com.example.net"),
        Route53Settings(endpoint_url="https://xroute53.amazonaws.com"),
        Route53Settings(endpoint_url="https://bucket.s3.amazonaws.com"),
        Route53Settings(endpoint_url="https://a1b2.execute-api.us-east-1.amazonaws.com"),
        Route53Settings(endpoint_url="https://management.azure.com"),
        Route53Settings(endpoint_url="https://route53.amazonaws.com@example.net"),
        AzureDNSSettings("sub", "rg", "https://shop.azurewebsites.net"),
        GoogleCloudDNSSettings("project", None, "https://storage.googleapis.com/bucket"),
    ],
    ids=lambda each: each.endpoint_url,
)
def test_what_only_looks_like_a_provider_s_endpoint_is_none(settings: ProviderSettings) -> None:
    with pytest.raises(EndpointNotPermittedError):
        check_endpoint(zone(settings), has_secret=False, permitted=NONE)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "http://:80",
        "ftp://example.net",
        "https://a:99999",
        "https://a:x",
        "https://[::1",
        "example.net",
        "https://a b",
        "https://me:hush@example.net",
        "//example.net",
        "https://a:0",
    ],
)
def test_an_endpoint_that_is_no_url_is_refused_before_anything_is_sent(url: str) -> None:
    for settings in at(url):
        with pytest.raises(EndpointNotPermittedError, match="not the URL of an API") as refusal:
            check_endpoint(zone(settings), has_secret=True, permitted=None)
        assert "hush" not in str(refusal.value)


@pytest.mark.parametrize(
    ("entry", "fits", "others"),
    [
        (
            "https://dns.example.net",
            ["https://dns.example.net", "https://DNS.example.net.:443/x"],
            ["http://dns.example.net"],
        ),
        ("https://dns.example.net:8443", ["https://dns.example.net:8443"], ["https://dns.example.net"]),
        (
            "https://dns.example.net:*",
            ["https://dns.example.net:1", "https://dns.example.net"],
            ["https://x.dns.example.net"],
        ),
        (
            "http://127.0.0.0/8:*",
            ["http://127.53.0.21:8053"],
            ["https://127.0.0.1", "http://128.0.0.1", "http://localhost"],
        ),
        ("http://[::1]:8053", ["http://[::1]:8053"], ["http://[::1]", "http://[::2]:8053"]),
        ("http://[2001:db8::/32]:*", ["http://[2001:db8::7]:1"], ["http://[2001:db9::7]:1"]),
        ("http://192.0.2.7", ["http://192.0.2.7"], ["http://192.0.2.8", "http://192.0.2.7:8080"]),
    ],
)
def test_an_entry_names_scheme_host_and_port(entry: str, fits: list[str], others: list[str]) -> None:
    permitted = PermittedEndpoints.from_text([entry])
    assert all(permitted.permits(Origin.of(each)) for each in fits)
    assert not any(permitted.permits(Origin.of(each)) for each in others)


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "*",
        "example.net",
        "https://",
        "ftp://example.net",
        "https://*",
        "https://*.example.net",
        "https://a:0",
        "https://a:99999",
        "https://a:http",
        "https://a/path",
        "https://me@a",
        "http://[::1",
        "http://[::1]8053",
        "http://10.0.0.1/8",
        "http://::1",
    ],
)
def test_an_entry_that_names_something_else_is_refused_by_name(entry: str) -> None:
    with pytest.raises(ValueError, match=r"names no host|no port|begin|no ]"):
        PermittedEndpoints.from_text([entry])


def test_where_an_endpoint_is_somebody_s_own_a_zone_is_known_by_it_too() -> None:
    found: list[Any] = [foreign_origin(each) for each in at("http://127.0.0.1:8053/x")]
    assert found == ["http://127.0.0.1:8053"] * 3
