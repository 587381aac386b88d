"""Where a DNSZone may have its requests sent, and with whose identity.

Whoever may write a DNSZone chooses its `endpointURL`. Without a Secret its requests bear the operator's own identity (a
bearer token, a session token and a signature), which must reach nobody but the provider; over plain http anybody on the
way reads it. So an endpoint of one's own takes credentials of one's own and https, or stands on the list of endpoints
that the operator was started with.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from detour.enactment.contract import EndpointNotPermittedError
from detour.model.zone import AzureDNSSettings, GoogleCloudDNSSettings, ProviderSettings, Route53Settings, Zone

PORTS = {"http": 80, "https": 443}
ANY_PORT = "*"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ROUTE53_HOSTS = (
    "route53.amazonaws.com",
    "route53-fips.amazonaws.com",
    "route53.amazonaws.com.cn",
    "route53.us-gov.amazonaws.com",
    "route53.c2s.ic.gov",
    "route53.sc2s.sgov.gov",
    "route53.csp.hci.ic.gov",
    "route53.cloud.adc-e.uk",
    "route53.eusc-de-east-1.amazonaws.eu",
)
"""Route 53's endpoint in each partition (endpoints.json and partitions.json of botocore)."""

AZURE_HOSTS = ("management.azure.com", "management.usgovcloudapi.net", "management.chinacloudapi.cn")
"""Resource Manager in each cloud (azure.mgmt.core.tools.get_arm_endpoints)."""

GOOGLE_HOSTS = ("dns.googleapis.com", "www.googleapis.com")
"""Cloud DNS (the rootUrl of its discovery document), and the older address of all of Google's APIs."""

OWN_HOSTS: Mapping[type[ProviderSettings], tuple[str, ...]] = {
    Route53Settings: ROUTE53_HOSTS,
    AzureDNSSettings: AZURE_HOSTS,
    GoogleCloudDNSSettings: GOOGLE_HOSTS,
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a URL (RFC 6454 §4): what a request goes to."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """Return the origin of `url`. Raises ValueError, in words for people, where it has none."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError("its host or its port is none") from None
        if parts.scheme not in PORTS:
            raise ValueError("it begins neither with https:// nor with http://")
        if not host or port == 0 or any(character.isspace() for character in url):
            raise ValueError("its host or its port is none")
        if parts.username is not None:
            raise ValueError("it names a user, and credentials belong into a Secret")
        return cls(parts.scheme, host.rstrip(".").lower(), port or PORTS[parts.scheme])

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == PORTS[self.scheme] else f":{self.port}")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of the list. `network` for addresses; `port` None for all."""

    scheme: str
    host: str
    network: Network | None
    port: int | None

    def permits(self, origin: Origin) -> bool:
        if origin.scheme != self.scheme or self.port not in (None, origin.port):
            return False
        if self.network is None:
            return origin.host == self.host
        try:
            return ipaddress.ip_address(origin.host) in self.network
        except ValueError:
            return False  # a name: where it leads to is decided by others


@dataclass(frozen=True, slots=True)
class PermittedEndpoints:
    """The endpoints that zones may name without credentials of their own, or without https."""

    entries: tuple[_Entry, ...] = ()

    @classmethod
    def from_text(cls, entries: Iterable[str]) -> "PermittedEndpoints":
        """Read entries such as `https://dns.example.com`, `http://127.0.0.0/8:*` or `http://[::1]:8053`.

        An entry names scheme, host (a name, an address or a network) and port; `*` is any port, none is the scheme's.
        Raises ValueError that names the entry.
        """
        return cls(tuple(map(_parsed, entries)))

    def permits(self, origin: Origin) -> bool:
        """Tell whether `origin` is on the list."""
        return any(each.permits(origin) for each in self.entries)


def check_endpoint(zone: Zone, *, has_secret: bool, permitted: PermittedEndpoints | None) -> bool:
    """Return whether the endpoint that `zone` declares is the provider's own or permitted, so that it may be quoted.

    Of any other one nobody knows whether the zone's author may read what answers there. With `permitted` None that, and
    plain http, is for the caller to judge; the operator's own identity stays here all the same.
    Raises EndpointNotPermittedError where nothing may be sent to it.
    """
    url = _declared(zone.settings)
    if url is None:
        return True
    try:
        origin = Origin.of(url)
    except ValueError as error:
        raise EndpointNotPermittedError(
            f"endpointURL is not the URL of an API: {error}; write it like https://dns.example.com:8443"
        ) from None
    if _is_providers_own(zone.settings, origin) or (permitted is not None and permitted.permits(origin)):
        return True
    listing = f"put {origin} on the operator's list (--permitted-endpoints, permittedEndpoints in the chart)"
    if not has_secret:
        raise EndpointNotPermittedError(
            f"endpointURL {origin} is not the provider's own, and the operator's own identity is not sent to others: "
            f"name a Secret with credentials for it in credentialsSecretRef, or {listing}"
        )
    if permitted is not None and origin.scheme != "https":
        raise EndpointNotPermittedError(
            f"endpointURL {origin} is plain http, over which anybody on the way can read the credentials: use https, "
            f"or {listing}"
        )
    return permitted is None


def foreign_origin(settings: ProviderSettings) -> str:
    """Return the origin of an endpoint that is not the provider's own; empty where requests go to the provider."""
    url = _declared(settings)
    if url is None:
        return ""
    origin = Origin.of(url)
    return "" if _is_providers_own(settings, origin) else str(origin)


def _declared(settings: ProviderSettings) -> str | None:
    url: str | None = getattr(settings, "endpoint_url", None)
    return url


def _is_providers_own(settings: ProviderSettings, origin: Origin) -> bool:
    return origin.scheme == "https" and origin.port == PORTS["https"] and origin.host in OWN_HOSTS[type(settings)]


def _parsed(entry: str) -> _Entry:
    scheme, separator, rest = entry.partition("://")
    if scheme not in PORTS or not separator:
        raise ValueError(f"{entry!r} does not begin with https:// or http://")
    host, port = _split(entry, rest)
    if not host or any(character in host for character in "@?#*") or host != host.strip():
        raise ValueError(f"{entry!r} names no host, address or network")
    network = _network(host)
    if network is None and ("/" in host or ":" in host):
        raise ValueError(f"{entry!r} names no host, address or network")
    if port == ANY_PORT:
        return _Entry(scheme, host.lower(), network, None)
    if not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise ValueError(f"{entry!r} has no port from 1 to 65535, and not *")
    return _Entry(scheme, host.rstrip(".").lower(), network, int(port))


def _split(entry: str, rest: str) -> tuple[str, str]:
    """Split `host:port`; an IPv6 address or network stands in brackets."""
    default = str(PORTS[entry.partition("://")[0]])
    if rest.startswith("["):
        host, bracket, after = rest[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            raise ValueError(f"{entry!r} has no ] after its address")
        return host, after[1:] or default
    host, _, port = rest.partition(":")
    return host, port or default


def _network(host: str) -> Network | None:
    try:
        return ipaddress.ip_network(host)
    except ValueError:
        return None
