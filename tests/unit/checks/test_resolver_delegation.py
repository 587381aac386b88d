"""Where the world is sent for a domain, as a recursive resolver knows it."""

from detour.checks.resolver import Delegation, Resolver
from detour_lab.dns.nameserver import NameServer
from detour_lab.zones.store import RecordSet, ZoneStore


async def _delegation(store: ZoneStore, domain: str) -> Delegation | None:
    server = NameServer([store], host="127.0.0.1")
    await server.start()
    try:
        return await Resolver(server.address, timeout=1.0).delegation(domain)
    finally:
        await server.stop()


async def test_the_name_servers_of_a_domain_are_told_without_trailing_dots() -> None:
    store = ZoneStore("example.com", name_servers=("ns1.example.net", "NS2.example.net"))

    assert await _delegation(store, "example.com") == Delegation(
        ("ns1.example.net", "ns2.example.net"), is_signed=False
    )


async def test_a_domain_with_keys_counts_as_signed() -> None:
    store = ZoneStore("example.com")
    key = "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ=="
    store.commit(added=[RecordSet("example.com", "DNSKEY", 300, (key,))], by="test")

    found = await _delegation(store, "example.com")

    assert found is not None
    assert found.is_signed


async def test_nothing_is_claimed_of_a_domain_that_the_resolver_does_not_know() -> None:
    assert await _delegation(ZoneStore("example.com"), "example.org") is None
    assert await _delegation(ZoneStore("example.com"), "missing.example.com") is None
