"""The operator's settings: each a flag, and an environment variable of the same name behind `DETOUR_`."""

import argparse
import ipaddress
import os
import re
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from detour.enactment.asking import split_server
from detour.enactment.questionbudget import DEFAULT_PER_DAY
from detour.enactment.sites import Site
from detour.engine.metrics import RECORD_SERIES
from detour.engine.signals import READ_EVERY
from detour.engine.vantages import OWN_NAME
from detour.providers.endpoints import PermittedEndpoints
from detour.signals.prometheus import PrometheusServer, servers_from
from detour.signals.reading import FEEDS

PORTS = 65536
VANTAGE_LEASES = "detour-system"
"""Where vantages give signs of life unless it is said."""

_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_HOST = re.compile(r"(?=.*[a-z])[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")  # without a letter it would be an address
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator was started with.

    `owner` names the installation in ledgers and markers, `site` the cluster (without a name: see `ClusterSite`).
    `lease` is namespace and name of the Lease by which replicas elect a leader, None where there is only one;
    `identity` is this process's name in it; with `sharding` the replicas divide the zones. `vantage` names its own
    Vantage, which has no say with `no_checks`; `vantage_leases` is the namespace in which the others give signs of
    life. `resolver` (`address:port`) resolves endpoint hostnames, None means the system's. `namespaces` confine the
    operator, none means all. `listen` is `address:port` for /livez, /readyz and /metrics, where each record has a
    series while there are no more than `record_series`. Every write to DNS is told in the file `audit`. Where
    `requesters_verified` an admission policy sees to it that overrides name who made them. `audit_every`
    and `read_every` are the `Periods`, in seconds, and `questions_per_day` is what audits may ask of name servers that
    bill for it (0: as many as `audit_every` makes). `reference_checks` (`host:port`) tell whether this process can see
    at all; without any, the zones' name servers do. `permitted_endpoints` are what the `endpointURL` of a zone may
    name without credentials of its own, or without https (see `PermittedEndpoints`). At least `regions_in_service`
    regions stay in service. `status_feeds` are the URLs of clouds' status pages, where they are elsewhere than usual,
    read every `read_signals_every` seconds; `prometheus_servers` the Prometheus servers that may be asked, and
    `prometheus_tokens` a folder with a bearer token for each. Users' reports are taken on `reports_listen`, None for
    nowhere, where `reports_proxies` (networks) say who sends them.
    """

    owner: str
    site: Site = Site("")  # noqa: RUF009 - it is frozen
    lease: tuple[str, str] | None = None
    identity: str = ""
    vantage: str = OWN_NAME
    no_checks: bool = False
    vantage_leases: str = VANTAGE_LEASES
    sharding: bool = False
    kubeconfig: str | None = None
    namespaces: tuple[str, ...] = ()
    resolver: str | None = None
    allow_networks: tuple[str, ...] = ()
    deny_networks: tuple[str, ...] = ()
    checks_in_flight: int = 500
    record_series: int = RECORD_SERIES
    audit: str | None = None
    requesters_verified: bool = False
    listen: str = "0.0.0.0:8080"
    log_format: str = "human"
    log_level: str = "info"
    dry_run: bool = False
    audit_every: float = 30.0
    read_every: float = 600.0
    questions_per_day: int = DEFAULT_PER_DAY
    reference_checks: tuple[str, ...] = ()
    permitted_endpoints: tuple[str, ...] = ()
    regions_in_service: int = 1
    status_feeds: tuple[tuple[str, str], ...] = ()
    read_signals_every: float = READ_EVERY
    prometheus_servers: tuple[PrometheusServer, ...] = ()
    prometheus_tokens: str | None = None
    reports_listen: str | None = None
    reports_proxies: tuple[str, ...] = ()


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from flags, and from the environment where a flag is missing. Exits with a message."""
    parser = argparse.ArgumentParser(
        prog="detour run",
        description="Run the operator. Every flag can be given as an environment variable: --owner is DETOUR_OWNER.",
    )
    add = parser.add_argument
    add("--owner", help="name of this installation in ledgers and markers, a DNS label; required", type=label)
    add("--site", help="name of this cluster among those of the owner (default: made from its UID)", type=label)
    add("--site-rank", help="place among the sites that wait to take over, 0 comes first (default: 0)", type=_rank)
    add(
        "--renew-every",
        help="seconds between two moves of an idle ledger, by which other sites see that this one lives; "
        "0: there are no other sites (default: 0)",
        type=_period,
    )
    add(
        "--take-over-after",
        help="seconds for which another site's ledger must stand still before this one takes its "
        "zones over (default: 90)",
        type=_seconds,
    )
    add(
        "--lease",
        help="namespace/name of the Lease by which replicas elect a leader (default: no election)",
        type=lease_name,
    )
    add(
        "--vantage",
        help="name of this operator's own Vantage, where one is declared for it (default: operator)",
        type=label,
    )
    add(
        "--no-checks",
        action="store_const",
        const=True,
        help="make no checks: other vantages alone have a say (default: the operator is a vantage itself)",
    )
    add(
        "--vantage-leases",
        help="namespace of the Leases in which vantages give signs of life (default: that of --lease, else "
        "detour-system)",
        type=label,
    )
    add(
        "--identity",
        help="name of this process in the Lease; one that starts does not wait for a holder whose name is the same up "
        "to the last underscore (default: the host name, an underscore and a random part)",
    )
    add(
        "--sharding",
        action="store_const",
        const=True,
        help="divide the zones among all replicas that have this flag and the same --lease (default: one leads, the "
        "others stand by)",
    )
    add_connection(parser)
    add_checking(parser)
    add_output(parser)
    add("--dry-run", action="store_const", const=True, help="decide and report, but write nothing to DNS")
    add(
        "--permitted-endpoints",
        help="endpoints that a zone's endpointURL may name without a Secret, or without https: scheme, host (a name, "
        "an address or a network) and port (* for any), such as https://dns.example.com:8443 (default: none)",
        type=_endpoints,
    )
    add(
        "--audit-every",
        help="seconds between two looks at a name by DNS, where they cost nothing (default: 30)",
        type=_seconds,
    )
    add(
        "--read-every",
        help="seconds between two full readings of a zone by API, where no quota of the provider's says more or less "
        "(default: 600)",
        type=_seconds,
    )
    add(
        "--questions-per-day",
        help="questions a day to name servers whose answers are billed (Route 53, Azure DNS, Cloud DNS), for all zones "
        "together; what was just written is looked at in any case; 0: no bound (default: 400000)",
        type=_count,
    )
    add(
        "--regions-in-service",
        help="how many of the regions that records name stay in service at least: a drain that would leave fewer is "
        "not followed unless it sets this rule aside, and a region that fails then keeps its endpoints (default: 1)",
        type=_count,
    )
    add(
        "--audit",
        help="file that tells of every write to DNS before it is sent, and what became of it, one JSON object a line; "
        "- for standard output (default: none)",
    )
    add(
        "--requesters-verified",
        action="store_const",
        const=True,
        help="say of overrides that who asked for them is proved: the chart's admission policy sees to that",
    )
    add(
        "--record-series",
        help="FailoverRecords that have a series of their own in /metrics at most; of more of them none has (default: "
        "1000)",
        type=_count,
    )
    add(
        "--status-feeds",
        help="where the clouds say what is wrong in their regions, if not at the usual place: AWS=URL, Azure=URL, "
        "Google=URL, separated by commas",
        type=_status_feeds,
    )
    add(
        "--read-signals-every",
        help="seconds between two readings of a cloud's status page (default: 60)",
        type=_seconds,
    )
    add(
        "--prometheus-servers",
        help="Prometheus servers that may be asked: JSON, a list of objects with name, url, the namespaces whose "
        "records may ask (* for all) and matchers, labels that each selector of their queries must have",
        type=_prometheus_servers,
    )
    add(
        "--prometheus-tokens",
        help="folder with a file for each Prometheus server that wants a bearer token, of the server's name",
    )
    add(
        "--reports-listen",
        help="address:port on which users' reports that a name does not work for them are taken (default: nowhere)",
    )
    add(
        "--reports-proxies",
        help="networks of the proxies before that, whose X-Forwarded-For headers say who sends a report",
        type=_networks,
    )
    given = given_in(parser, arguments, environment)
    if given["owner"] is None:
        parser.error(
            "--owner is missing: name this installation, such as --owner=production; it stands in every ledger and "
            "marker, and must stay the same for ever"
        )
    if given["sharding"] and not given["lease"]:
        parser.error("--lease is missing: replicas that divide the zones do so by Leases beside this one")
    if given["sharding"] and given["reports_listen"]:
        parser.error("--reports-listen: with --sharding each replica would hear of a part of the users alone")
    given["site"] = _site(parser, given)
    given["vantage_leases"] = given["vantage_leases"] or (given["lease"][0] if given["lease"] else VANTAGE_LEASES)
    given["identity"] = given["identity"] or f"{socket.gethostname()}_{secrets.token_hex(4)}"
    known = {each.name for each in fields(Settings)}
    return Settings(**{name: value for name, value in given.items() if name in known and value is not None})


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say what is watched."""
    add = parser.add_argument
    add("--kubeconfig", help="path of a kubeconfig file (default: KUBECONFIG, else the pod's service account)")
    add("--namespaces", help="watch these namespaces only, separated by commas (default: all)", type=_list)


def add_checking(parser: argparse.ArgumentParser) -> None:
    """Add the flags of whoever makes checks."""
    add = parser.add_argument
    add("--resolver", help="resolver for endpoint hostnames, address:port (default: the system's)")
    add("--allow-networks", help="networks to probe though refused by default, such as 127.0.0.0/8", type=_list)
    add("--deny-networks", help="networks that must not be probed", type=_list)
    add("--checks-in-flight", help="checks that run at the same time at most (default: 500)", type=_positive)
    add(
        "--reference-checks",
        help="list of independent servers, host:port each; while most of those that lately accepted connections accept "
        "none, a sudden failure of most checks is not believed (default: the zones' name servers, for a probe: none)",
        type=_servers,
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where to look."""
    add = parser.add_argument
    add("--listen", help="address:port of /livez, /readyz and /metrics (default: 0.0.0.0:8080)")
    add("--log-format", choices=("human", "json"), help="how log lines look (default: human)")
    add("--log-level", choices=("debug", "info", "warning", "error"), help="least severe lines shown (default: info)")


def given_in(
    parser: argparse.ArgumentParser, arguments: Sequence[str], environment: Mapping[str, str]
) -> dict[str, Any]:
    """Return what flags give, and the environment where a flag is missing. Exits with a message."""
    given: dict[str, Any] = vars(parser.parse_args(arguments))
    if given["kubeconfig"] is None:
        given["kubeconfig"] = environment.get("KUBECONFIG") or None
    for action in parser._actions:
        text = environment.get(f"DETOUR_{action.dest.upper()}")
        if given.get(action.dest, "") is None and text:
            try:
                given[action.dest] = _from_environment(action, text)
            except (ValueError, argparse.ArgumentTypeError) as error:
                parser.error(f"DETOUR_{action.dest.upper()}: {error}")
    return given


def _site(parser: argparse.ArgumentParser, given: Mapping[str, Any]) -> Site:
    values = {
        "name": given["site"] or "",
        "rank": given["site_rank"],
        "renew_every": given["renew_every"],
        "take_over_after": given["take_over_after"],
    }
    site = Site(**{name: value for name, value in values.items() if value is not None})
    if site.has_others and not site.name:
        parser.error("--site is missing: where several clusters share an owner, each needs a name of its own")
    if site.has_others and site.take_over_after < 3 * site.renew_every:
        parser.error(
            f"--take-over-after={site.take_over_after:g} is less than three times --renew-every={site.renew_every:g}: "
            "a site that lives would be taken for dead"
        )
    return site


def _from_environment(action: argparse.Action, text: str) -> object:
    if action.const is True:
        if text.lower() not in (*_YES, *_NO):
            raise ValueError(f"{text!r} is neither true nor false")  # a dry run that is misspelt must not write
        return text.lower() in _YES
    if action.choices and text not in action.choices:
        raise ValueError(f"{text!r} is none of {', '.join(action.choices)}")
    return action.type(text) if callable(action.type) else text


def label(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no DNS label: use up to 63 lower-case letters, digits and hyphens"
        )
    return text


def _list(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


def _networks(text: str) -> tuple[str, ...]:
    networks = _list(text)
    for each in networks:
        try:
            ipaddress.ip_network(each)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{each!r} is not a network such as 10.0.0.0/8: {error}") from None
    return networks


def _status_feeds(text: str) -> tuple[tuple[str, str], ...]:
    feeds = _urls(text)
    for cloud, _ in feeds:
        if cloud not in FEEDS:
            raise argparse.ArgumentTypeError(f"{cloud!r} is none of {', '.join(FEEDS)}")
    return feeds


def _prometheus_servers(text: str) -> tuple[PrometheusServer, ...]:
    try:
        servers = servers_from(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"it cannot be read: {error}") from None
    for each in servers:
        label(each.name)
    return servers


def _urls(text: str) -> tuple[tuple[str, str], ...]:
    """Return names with their URLs, none of which has credentials in it."""
    found = []
    for each in _list(text):
        name, _, url = each.partition("=")
        parts = urlsplit(url)
        if not name or parts.scheme not in ("http", "https") or not parts.hostname:
            raise argparse.ArgumentTypeError(f"{name!r} needs a URL: write name=https://host:port/path")
        if parts.username or parts.password:
            raise argparse.ArgumentTypeError(f"the URL of {name!r} has credentials in it; give a token in a file")
        found.append((name, url))
    return tuple(found)


def _rank(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is no rank from 0 to 9")
    return int(text)


def _period(text: str) -> float:
    return 0.0 if text == "0" else _seconds(text)


def lease_name(text: str) -> tuple[str, str]:
    namespace, slash, name = text.partition("/")
    if not slash or not _LABEL.fullmatch(namespace) or not _NAME.fullmatch(name):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form namespace/name")
    return namespace, name


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", text, re.ASCII) or float(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, 1 or more")
    return float(text)


def _servers(text: str) -> tuple[str, ...]:
    servers = _list(text)
    for server in servers:
        try:
            host, port = split_server(server)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{server!r} is not of the form host:port") from error
        if not (_is_address(host) or _HOST.fullmatch(host)):
            raise argparse.ArgumentTypeError(f"{server!r} is not of the form host:port")
        if not 0 < port < PORTS:
            raise argparse.ArgumentTypeError(f"{server!r} has no port from 1 to 65535")
    return servers


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _endpoints(text: str) -> tuple[str, ...]:
    entries = _list(text)
    try:
        PermittedEndpoints.from_text(entries)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return entries


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise argparse.ArgumentTypeError(f"{text!r} is no number, 0 or more")
    return int(text)


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number")
    return int(text)
