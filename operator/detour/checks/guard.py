"""Which addresses may be probed.

Whoever may write a FailoverRecord makes the operator open connections. Without a guard they could reach, through it,
what only the operator's own host can reach: loopback services, link-local neighbours and the cloud's metadata service,
which hands out credentials. So these are refused unless the installation allows them, also in the IPv6 forms that a
gateway or the kernel turns back into such an IPv4 address.

The guard takes literal addresses only and the very text that it judged goes to the socket: nothing is resolved twice.
"""

import ipaddress
from collections.abc import Iterable, Iterator

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_METADATA = "a cloud's metadata or host service"
_REFUSED_BY_DEFAULT: tuple[tuple[IPNetwork, str], ...] = tuple(
    (ipaddress.ip_network(network), kind)
    for network, kind in (
        # IANA special-purpose registries (RFC 6890) and RFC 4291 §2
        ("0.0.0.0/8", "an address of this host itself"),
        ("127.0.0.0/8", "a loopback address"),
        ("169.254.0.0/16", "a link-local address, where clouds put their metadata service"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved or broadcast address"),
        ("::/128", "the unspecified address"),
        ("::1/128", "a loopback address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a site-local address"),
        ("ff00::/8", "a multicast address"),
        ("64:ff9b:1::/48", "a local NAT64 address, whose IPv4 address cannot be told"),  # RFC 8215
        # Metadata and host services outside the link-local ranges
        ("168.63.129.16/32", _METADATA),  # Azure's WireServer
        ("100.100.100.200/32", _METADATA),  # Alibaba Cloud
        ("192.0.0.192/32", _METADATA),  # Oracle Cloud
        ("fd00:ec2::/32", _METADATA),  # AWS: metadata, pod identity, DNS, time
        ("fd20:ce::254/128", _METADATA),  # Google Cloud
        ("fd00:c1::a9fe:a9fe/128", _METADATA),  # Oracle Cloud
        ("fd00:42::42/128", _METADATA),  # Scaleway
        ("fd00:100::100:200/128", _METADATA),  # Alibaba Cloud
        ("fd00:a9fe:a9fe::1/128", _METADATA),  # Akamai
    )
)

_IPV4_IN_LAST_BITS = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "::ffff:0:0/96",  # IPv4-mapped, RFC 4291 §2.5.5.2: the kernel connects to the IPv4 address
        "::/96",  # IPv4-compatible, RFC 4291 §2.5.5.1
        "::ffff:0:0:0/96",  # IPv4-translated, RFC 2765 §2.1
        "64:ff9b::/96",  # NAT64, RFC 6052 §2.1
    )
)


REMEMBERED = 1 << 17
"""Addresses whose judgement is kept: it never changes."""


class NetworkGuard:
    """Judges addresses: `denied` networks are always refused, `allowed` ones lift the default refusals."""

    def __init__(self, allowed: Iterable[IPNetwork] = (), denied: Iterable[IPNetwork] = ()) -> None:
        self._allowed = tuple(allowed)
        self._denied = tuple(denied)
        self._judged: dict[str, str | None] = {}

    @classmethod
    def from_text(cls, allowed: Iterable[str] = (), denied: Iterable[str] = ()) -> "NetworkGuard":
        """Build a guard from networks such as `10.0.0.0/8` or `fd00::/8`.

        Raises ValueError, naming the network, where one cannot be read or has bits set beyond its prefix.
        """
        return cls(map(_network, allowed), map(_network, denied))

    def refusal(self, address: str) -> str | None:
        """Return the sentence that says why `address` must not be probed, or None where it may be."""
        if address not in self._judged:
            if len(self._judged) >= REMEMBERED:
                self._judged.clear()
            self._judged[address] = self._judge(address)
        return self._judged[address]

    def _judge(self, address: str) -> str | None:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return f"{address!r} is not an IP address; only literal addresses are probed"
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.scope_id is not None:
            return f"{address} has a zone index, so it is an address of one of this host's links; those are not probed"
        forms = (parsed, *_embedded(parsed))
        if network := _containing(self._denied, forms):
            return f"{address} is not probed: its network {network} is denied in the operator's settings"
        if _containing(self._allowed, forms[:1]):
            return None
        for form in forms:
            if _containing(self._allowed, (form,)):
                continue
            for refused, kind in _REFUSED_BY_DEFAULT:
                if form in refused:
                    stands_for = "is" if form is parsed else f"stands for {form},"
                    return (
                        f"{address} is not probed: it {stands_for} {kind} ({refused}); "
                        "allow its network in the operator's settings if it is meant"
                    )
        return None


def _network(text: str) -> IPNetwork:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a network such as 10.0.0.0/8: {error}") from None


def _containing(networks: tuple[IPNetwork, ...], forms: Iterable[IPAddress]) -> IPNetwork | None:
    return next((network for form in forms for network in networks if form in network), None)


def _embedded(address: IPAddress) -> Iterator[ipaddress.IPv4Address]:
    """Yield the IPv4 addresses that an IPv6 address may be turned into on its way."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    if any(address in network for network in _IPV4_IN_LAST_BITS) and int(address) > 1:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.sixtofour is not None:  # RFC 3056 §2
        yield address.sixtofour
    if address.teredo is not None:  # RFC 4380 §4: the server's and the client's address
        yield from address.teredo
