"""Flags first, then the environment, then defaults; and a sentence for whoever gets one wrong."""

import json
from typing import Any

import pytest

from detour.app.settings import Settings, parse
from detour.enactment.sites import Site


def test_the_owner_is_all_that_is_needed() -> None:
    found = parse(["--owner=production"], {})
    assert found == Settings(owner="production", identity=found.identity)
    assert found.identity != parse(["--owner=production"], {}).identity, "no two processes share an identity"


def test_every_flag_can_be_given_in_the_environment() -> None:
    environment = {
        "DETOUR_OWNER": "production",
        "DETOUR_SITE": "west",
        "DETOUR_SITE_RANK": "1",
        "DETOUR_RENEW_EVERY": "10",
        "DETOUR_TAKE_OVER_AFTER": "60",
        "DETOUR_LEASE": "detour-system/detour",
        "DETOUR_VANTAGE": "headquarters",
        "DETOUR_NO_CHECKS": "true",
        "DETOUR_VANTAGE_LEASES": "elsewhere",
        "DETOUR_IDENTITY": "pod-1",
        "DETOUR_AUDIT_EVERY": "5",
        "DETOUR_READ_EVERY": "60.5",
        "DETOUR_QUESTIONS_PER_DAY": "0",
        "DETOUR_REFERENCE_CHECKS": "192.0.2.1:443,[2001:db8::1]:443",
        "DETOUR_NAMESPACES": "shop, desk,",
        "DETOUR_RESOLVER": "192.0.2.53:53",
        "DETOUR_ALLOW_NETWORKS": "127.0.0.0/8",
        "DETOUR_DENY_NETWORKS": "10.0.0.0/8,192.168.0.0/16",
        "DETOUR_PERMITTED_ENDPOINTS": "https://dns.example.com:8443, http://127.0.0.0/8:*",
        "DETOUR_CHECKS_IN_FLIGHT": "42",
        "DETOUR_LISTEN": "127.0.0.1:9999",
        "DETOUR_LOG_FORMAT": "json",
        "DETOUR_LOG_LEVEL": "debug",
        "DETOUR_DRY_RUN": "true",
        "DETOUR_KUBECONFIG": "/somewhere/else",
    }
    assert parse([], environment) == Settings(
        owner="production",
        site=Site("west", rank=1, renew_every=10, take_over_after=60),
        lease=("detour-system", "detour"),
        identity="pod-1",
        vantage="headquarters",
        no_checks=True,
        vantage_leases="elsewhere",
        audit_every=5,
        read_every=60.5,
        questions_per_day=0,
        reference_checks=("192.0.2.1:443", "[2001:db8::1]:443"),
        kubeconfig="/somewhere/else",
        namespaces=("shop", "desk"),
        resolver="192.0.2.53:53",
        allow_networks=("127.0.0.0/8",),
        deny_networks=("10.0.0.0/8", "192.168.0.0/16"),
        permitted_endpoints=("https://dns.example.com:8443", "http://127.0.0.0/8:*"),
        checks_in_flight=42,
        listen="127.0.0.1:9999",
        log_format="json",
        log_level="debug",
        dry_run=True,
    )


def test_a_flag_wins_over_the_environment() -> None:
    found = parse(["--owner=production", "--site=east"], {"DETOUR_OWNER": "test", "DETOUR_SITE": "west"})
    assert (found.owner, found.site.name) == ("production", "east")


def test_the_usual_kubeconfig_variable_counts() -> None:
    assert parse(["--owner=production"], {"KUBECONFIG": "/home/me/config"}).kubeconfig == "/home/me/config"
    given = parse(["--owner=production", "--kubeconfig=/mine"], {"KUBECONFIG": "/home/me/config"})
    assert given.kubeconfig == "/mine"


@pytest.mark.parametrize("text", ["0", "false", "no", "off", ""])
def test_a_dry_run_is_only_had_for_the_asking(text: str) -> None:
    assert not parse(["--owner=production"], {"DETOUR_DRY_RUN": text}).dry_run


def server(**changes: Any) -> str:
    """Return a Prometheus server as the setting has it."""
    return json.dumps([{"name": "main", "url": "http://x:9090", "namespaces": ["*"], **changes}])


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        ([], {}, "--owner is missing"),
        (["--owner=Not A Label"], {}, "no DNS label"),
        (["--owner=production", "--checks-in-flight=0"], {}, "no positive number"),
        (["--owner=production", "--permitted-endpoints=dns.example.com"], {}, "does not begin with https://"),
        (["--owner=production"], {"DETOUR_PERMITTED_ENDPOINTS": "https://*"}, "names no host"),
        (["--owner=production", "--lease=detour"], {}, "not of the form namespace/name"),
        (["--owner=production", "--site-rank=first"], {}, "no rank from 0 to 9"),
        (["--owner=production", "--audit-every=0"], {}, "no number of seconds, 1 or more"),
        (["--owner=production", "--site=a", "--renew-every=20", "--take-over-after=30"], {}, "would be taken for dead"),
        (["--owner=production", "--renew-every=20"], {}, "--site is missing"),
        (["--owner=production", "--log-format=xml"], {}, "xml"),
        (["--owner=production", "--status-feeds=Other=https://x"], {}, "'Other' is none of AWS, Azure, Google"),
        (["--owner=production", "--status-feeds=AWS=aws.json"], {}, "'AWS' needs a URL"),
        (["--owner=production", "--prometheus-servers=http://x:9090"], {}, "it cannot be read: Expecting value"),
        (["--owner=production", '--prometheus-servers={"main": 3}'], {}, "it is no list of servers"),
        (["--owner=production", '--prometheus-servers=[{"url": "http://x"}]'], {}, "a server has no name"),
        (["--owner=production", '--prometheus-servers=[{"name": "m", "url": "x"}]'], {}, "'m' needs a url"),
        (["--owner=production", f"--prometheus-servers={server(name='Main')}"], {}, "'Main' is no DNS label"),
        (["--owner=production", f"--prometheus-servers={server(url='http://u:p@x')}"], {}, "has credentials in it"),
        (["--owner=production", f"--prometheus-servers={server(namespaces='shop')}"], {}, "are no list of names"),
        (["--owner=production", f"--prometheus-servers={server(matchers=['x'])}"], {}, "no labels with their values"),
        (["--owner=production", f"--prometheus-servers={server(token='x')}"], {}, "and nothing else"),
        (["--owner=production", "--reports-proxies=proxy"], {}, "'proxy' is not a network"),
        (["--owner=production", "--read-signals-every=0"], {}, "no number of seconds, 1 or more"),
        (
            ["--owner=production", "--lease=a/b", "--sharding", "--reports-listen=0.0.0.0:8081"],
            {},
            "would hear of a part of the users alone",
        ),
        (["--owner=production"], {"DETOUR_LOG_LEVEL": "loud"}, "DETOUR_LOG_LEVEL"),
        (["--owner=production", "--unheard-of"], {}, "--unheard-of"),
    ],
)
def test_what_is_wrong_is_said_and_where(
    arguments: list[str], environment: dict[str, str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(arguments, environment)
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text"), [("DETOUR_OWNER", "Not A Label"), ("DETOUR_CHECKS_IN_FLIGHT", "many"), ("DETOUR_DRY_RUN", "treu")]
)
def test_a_wrong_variable_is_named_like_a_wrong_flag(name: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run that is misspelt must not write."""
    with pytest.raises(SystemExit) as stopped:
        parse([], {"DETOUR_OWNER": "production", name: text})
    assert stopped.value.code == 2
    assert name in capsys.readouterr().err
