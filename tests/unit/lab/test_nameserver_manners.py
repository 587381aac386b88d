"""The lab's name server where foreign clients looked: clouds that transfer nothing, IXFR, and what BIND ignores."""

from collections.abc import AsyncIterator

import dns.asyncquery
import dns.message
import dns.rcode
import dns.rrset
import dns.tsig
import dns.update
import dns.xfr
import dns.zone
import pytest

from detour_lab.clouds.clouds import AZURE, GOOGLE, ROUTE53
from detour_lab.dns.nameserver import NameServer
from detour_lab.dns.realservers import MissingServerError, RealBIND, UpdateKey
from detour_lab.stage.lab import Lab
from detour_lab.zones.store import RecordSet, ZoneStore

DOMAIN = "example.org"
DS = "12345 8 2 " + "AB" * 32


@pytest.fixture
def store() -> ZoneStore:
    store = ZoneStore(DOMAIN)
    store.commit(added=[RecordSet("a.example.org", "A", 60, ("192.0.2.1",))], by="test")
    return store


@pytest.fixture
async def server(store: ZoneStore) -> AsyncIterator[NameServer]:
    server = NameServer([store])
    await server.start()
    yield server
    await server.stop()


async def over_tcp(host: str, port: int, message: dns.message.Message) -> dns.message.Message:
    return await dns.asyncquery.tcp(message, host, port=port, timeout=5, ignore_trailing=True)


def ixfr(serial: int | None) -> dns.message.Message:
    message = dns.message.make_query(DOMAIN, "IXFR")
    if serial is not None:
        message.authority.append(dns.rrset.from_text(f"{DOMAIN}.", 0, "IN", "SOA", f". . {serial} 0 0 0 0"))
    return message


@pytest.mark.parametrize("zone", [ROUTE53, AZURE, GOOGLE])
async def test_a_cloud_s_name_servers_answer_questions_and_nothing_else(zone: str) -> None:
    async with Lab(first_block=72, real_bind=False) as lab:
        domain, server = lab.zone(zone).domain, lab.zone(zone)
        host, _, port = server.address.partition(":")
        for rrtype in ("AXFR", "IXFR"):
            answer = await over_tcp(host, int(port), dns.message.make_query(domain, rrtype))
            assert (answer.rcode(), answer.answer) == (dns.rcode.REFUSED, [])
        update = dns.update.UpdateMessage(domain)
        update.add("new", 60, "A", "192.0.2.1")
        assert (await over_tcp(host, int(port), update)).rcode() == dns.rcode.NOTIMP
        question = dns.message.make_query(domain, "SOA")
        assert (await dns.asyncquery.udp(question, host, port=int(port), timeout=5)).rcode() == dns.rcode.NOERROR
        assert await server.read(f"new.{domain}", "A") is None


@pytest.mark.parametrize(("behind", "sets"), [(0, 1), (-5, 1), (1, 4)])
async def test_an_incremental_transfer_from_the_current_serial_is_the_soa_alone(
    server: NameServer, store: ZoneStore, behind: int, sets: int
) -> None:
    answer = await over_tcp(server.host, server.port, ixfr(store.serial - behind))
    records = [record for rrset in answer.answer for record in rrset]
    assert len(records) >= sets
    assert (len(records) == 1) == (sets == 1)
    assert answer.answer[0][0].to_text().split()[2] == str(store.serial)


async def test_an_incremental_transfer_says_from_where(server: NameServer) -> None:
    assert (await over_tcp(server.host, server.port, ixfr(None))).rcode() == dns.rcode.FORMERR


async def test_a_transfer_of_what_cannot_be_written_is_broken_off(server: NameServer, store: ZoneStore) -> None:
    store.commit(added=[RecordSet("a..b.example.org", "A", 60, ("192.0.2.1",))], by="test")
    with pytest.raises((EOFError, ConnectionResetError)):
        await dns.asyncquery.inbound_xfr(server.host, dns.zone.Zone(DOMAIN), port=server.port, lifetime=5)


@pytest.mark.parametrize(("zone", "counts"), [(ROUTE53, False), (AZURE, False), (GOOGLE, True)])
async def test_a_serial_grows_with_changes_only_where_the_service_s_does(zone: str, counts: bool) -> None:
    async with Lab(first_block=72, real_bind=False) as lab:
        seen = [await serial_of(lab, zone)]
        await lab.edit(zone, f"a.{lab.zone(zone).domain}", "A", ["192.0.2.1"])
        seen.append(await serial_of(lab, zone))
    assert (seen[1] - seen[0]) == (1 if counts else 0)


async def serial_of(lab: Lab, zone: str) -> int:
    host, _, port = lab.zone(zone).address.partition(":")
    question = dns.message.make_query(lab.zone(zone).domain, "SOA")
    answer = await dns.asyncquery.udp(question, host, port=int(port), timeout=5)
    return int(answer.answer[0][0].to_text().split()[2])


Update = tuple[tuple[str, ...], ...]
UPDATES: dict[str, tuple[Update, set[str]]] = {
    "a DS at the apex is ignored": ((("add", "@", "DS", DS),), set()),
    "a DS without a delegation is dropped": ((("add", "x", "DS", DS),), set()),
    "a DS beside its delegation stays": (
        (("add", "x", "DS", DS), ("add", "x", "NS", "ns.example.net.")),
        {"x DS", "x NS"},
    ),
    "a DS goes with its delegation": (
        (("add", "x", "NS", "ns.example.net."), ("add", "x", "DS", DS), ("send",), ("delete", "x", "NS")),
        set(),
    ),
    "a wildcard is no delegation": ((("add", "*", "NS", "ns.example.net."),), set()),
    "a wildcard is no DNAME": ((("add", "*.x", "DNAME", "example.net."),), set()),
}


async def send_all(host: str, port: int, steps: Update, key: dns.tsig.Key | None) -> None:
    def begun() -> dns.update.UpdateMessage:
        return dns.update.UpdateMessage(DOMAIN, keyring=key)

    update = begun()
    for verb, *rest in [*steps, ("send",)]:
        if verb == "add":
            name, rrtype, data = rest
            update.add(name, 60, rrtype, data)
        elif verb == "delete":
            update.delete(*rest)
        else:
            assert (await over_tcp(host, port, update)).rcode() == dns.rcode.NOERROR
            update = begun()


async def types_below(host: str, port: int, key: dns.tsig.Key | None) -> set[str]:
    zone = dns.zone.Zone(DOMAIN)
    query, _ = dns.xfr.make_query(zone, keyring=key)
    await dns.asyncquery.inbound_xfr(host, zone, query, port=port, lifetime=5)
    found = {f"{name} {rdataset.rdtype.name}" for name, rdataset in zone.iterate_rdatasets()}
    return found - {"@ NS", "@ SOA", "a A"}


@pytest.mark.parametrize("case", UPDATES)
async def test_an_update_means_what_it_means_to_bind(server: NameServer, case: str) -> None:
    steps, expected = UPDATES[case]
    await send_all(server.host, server.port, steps, None)
    assert await types_below(server.host, server.port, None) == expected
    key = UpdateKey.random()
    signing = dns.tsig.Key(key.name, key.secret, key.algorithm)
    try:
        async with RealBIND(DOMAIN, key) as bind:
            await send_all(bind.host, bind.port, steps, signing)
            assert await types_below(bind.host, bind.port, signing) == expected
    except MissingServerError as error:
        pytest.skip(str(error))
