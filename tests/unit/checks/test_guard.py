"""The guard keeps the operator's own host and its cloud's services out of reach, in every spelling."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.checks.guard import NetworkGuard

GUARD = NetworkGuard()
REFUSED_V4 = ["127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"]
REFUSED_V6 = ["::1/128", "::/128", "fe80::/10", "ff00::/8", "fd00:ec2::/32"]


def v4_in(networks: list[str]) -> st.SearchStrategy[ipaddress.IPv4Address]:
    return st.sampled_from(networks).flatmap(lambda network: st.ip_addresses(network=network))


def disguises(address: ipaddress.IPv4Address) -> list[str]:
    low = int(address)
    return [
        str(ipaddress.IPv6Address(number))
        for number in (
            0xFFFF << 32 | low,
            0xFFFF << 48 | low,
            0x0064FF9B << 96 | low,
            0x2002 << 112 | low << 80 | 1,
            0x20010000 << 96 | 0x08080808 << 64 | (low ^ 0xFFFFFFFF),
            0x0064FF9B0001 << 80 | low,
        )
    ]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "169.254.170.23",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "0.0.0.0",  # noqa: S104 - nothing is bound to it
        "224.0.0.251",
        "255.255.255.255",
        "240.0.0.1",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "2001:db8::1%1",
        "fec0::1",
        "ff02::1",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::1",
    ],
)
def test_dangerous_addresses_are_refused_by_default(address: str) -> None:
    refusal = GUARD.refusal(address)
    assert refusal is not None
    assert address in refusal


@pytest.mark.parametrize(
    "address",
    ["192.0.2.10", "10.1.2.3", "172.16.0.1", "8.8.8.8", "2001:db8::1", "fd12:3456::1", "::ffff:192.0.2.1", "2600::1"],
)
def test_ordinary_addresses_may_be_probed(address: str) -> None:
    assert GUARD.refusal(address) is None


@pytest.mark.parametrize(
    "text", ["localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "", "metadata.google.internal", "1.2.3.4 "]
)
def test_what_is_no_literal_address_is_refused(text: str) -> None:
    assert "not an IP address" in str(GUARD.refusal(text))


@given(v4_in(REFUSED_V4))
def test_a_refused_ipv4_address_is_refused_in_every_ipv6_disguise(address: ipaddress.IPv4Address) -> None:
    assert GUARD.refusal(str(address))
    for disguise in disguises(address):
        assert GUARD.refusal(disguise), disguise


@given(st.sampled_from(REFUSED_V6).flatmap(lambda network: st.ip_addresses(network=network)))
def test_spelling_an_ipv6_address_in_full_changes_nothing(address: ipaddress.IPv6Address) -> None:
    assert GUARD.refusal(address.exploded)
    assert GUARD.refusal(str(address).upper())


@given(st.ip_addresses(), st.integers(min_value=8, max_value=32))
def test_an_allowed_network_lifts_the_default_refusals_but_no_denial(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, prefix: int
) -> None:
    network = ipaddress.ip_network((address, prefix), strict=False)
    assert NetworkGuard(allowed=[network]).refusal(str(address)) is None
    assert "denied" in str(NetworkGuard(allowed=[network], denied=[network]).refusal(str(address)))


@given(st.ip_addresses(v=4))
def test_a_denied_ipv4_network_is_denied_in_disguise_even_where_all_of_ipv6_is_allowed(
    address: ipaddress.IPv4Address,
) -> None:
    guard = NetworkGuard.from_text(allowed=["::/0"], denied=[str(address)])
    for disguise in disguises(address)[:-1]:  # the last one hides its IPv4 address from everybody
        assert guard.refusal(disguise), disguise


def test_allowing_loopback_allows_its_mapped_form_too() -> None:
    guard = NetworkGuard.from_text(allowed=["127.0.0.0/8"])
    assert guard.refusal("::ffff:127.0.0.1") is None
    assert guard.refusal("::1")


@given(st.text())
def test_any_text_is_judged_without_raising(text: str) -> None:
    refusal = GUARD.refusal(text)
    assert refusal is None or refusal


def test_an_unreadable_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8"):
        NetworkGuard.from_text(denied=["10.0.0.1/8"])
