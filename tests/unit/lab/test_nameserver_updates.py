"""RFC 2136 updates at the lab's name server: prerequisites, changes, and all or nothing."""

from collections.abc import AsyncIterator, Callable

import dns.asyncquery
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.update
import pytest

from detour_lab.dns.nameserver import NameServer
from detour_lab.zones.store import RecordSet, ZoneStore

DOMAIN = "example.com"
A = "api.example.com."
Build = Callable[[dns.update.UpdateMessage], object]


@pytest.fixture
def store() -> ZoneStore:
    store = ZoneStore(DOMAIN)
    store.commit(
        added=[
            RecordSet("api.example.com", "A", 60, ("192.0.2.1", "192.0.2.2")),
            RecordSet("api.example.com", "TXT", 60, ('"Mixed Case"',)),
            RecordSet("www.example.com", "CNAME", 60, ("api.example.com.",)),
            RecordSet("host.deep.example.com", "A", 60, ("192.0.2.3",)),
            RecordSet("emptied.example.com", "A", 60, ()),
        ],
        by="test",
    )
    return store


@pytest.fixture
async def server(store: ZoneStore) -> AsyncIterator[NameServer]:
    server = NameServer([store])
    await server.start()
    yield server
    await server.stop()


async def send(server: NameServer, *builds: Build, zone: str = DOMAIN) -> dns.rcode.Rcode:
    update = dns.update.UpdateMessage(zone)
    for build in builds:
        build(update)
    response = await dns.asyncquery.tcp(update, server.host, port=server.port, timeout=60)
    return response.rcode()


def values(store: ZoneStore, name: str, rrtype: str) -> tuple[str, ...] | None:
    stored = store.get(name, rrtype)
    return None if stored is None else tuple(sorted(stored.values))


def add(name: str, rrtype: str, *data: str, ttl: int = 60) -> Build:
    return lambda update: update.add(name, ttl, rrtype, *data)


def exactly(name: str, rrtype: str, *data: str, ttl: int = 0) -> Build:
    rdataset = dns.rdataset.from_text("IN", rrtype, ttl, *data)
    return lambda update: update.present(name, rdataset)


NEW = add("new.example.com.", "A", "192.0.2.7")

PREREQUISITES_THAT_HOLD: dict[str, Build] = {
    "a name is in use": lambda update: update.present(A),
    "a name is not in use": lambda update: update.absent("nobody.example.com."),
    "an empty non-terminal is not in use": lambda update: update.absent("deep.example.com."),
    "a name whose set is empty is not in use": lambda update: update.absent("emptied.example.com."),
    "a set exists": lambda update: update.present(A, "A"),
    "a set does not exist": lambda update: update.absent(A, "MX"),
    "a set has these values": exactly(A, "A", "192.0.2.2", "192.0.2.1"),
    "a text has this case": exactly(A, "TXT", '"Mixed Case"'),
    "a target is compared without its case": exactly("www.example.com.", "CNAME", "API.example.com."),
}

PREREQUISITES_THAT_FAIL: dict[str, tuple[Build, dns.rcode.Rcode]] = {
    "a name is in use": (lambda update: update.present("nobody.example.com."), dns.rcode.NXDOMAIN),
    "a name is not in use": (lambda update: update.absent(A), dns.rcode.YXDOMAIN),
    "a set exists": (lambda update: update.present(A, "MX"), dns.rcode.NXRRSET),
    "a set does not exist": (lambda update: update.absent(A, "A"), dns.rcode.YXRRSET),
    "fewer values": (exactly(A, "A", "192.0.2.1"), dns.rcode.NXRRSET),
    "more values": (exactly(A, "A", "192.0.2.1", "192.0.2.2", "192.0.2.3"), dns.rcode.NXRRSET),
    "other values": (exactly(A, "A", "192.0.2.1", "192.0.2.9"), dns.rcode.NXRRSET),
    "no such set": (exactly(A, "AAAA", "2001:db8::1"), dns.rcode.NXRRSET),
    "another case of a text": (exactly(A, "TXT", '"mixed case"'), dns.rcode.NXRRSET),
    "a TTL": (exactly(A, "A", "192.0.2.1", "192.0.2.2", ttl=60), dns.rcode.FORMERR),
    "outside the zone": (lambda update: update.present("a.example.net."), dns.rcode.NOTZONE),
}


@pytest.mark.parametrize("build", PREREQUISITES_THAT_HOLD.values(), ids=PREREQUISITES_THAT_HOLD.keys())
async def test_an_update_is_applied_when_its_prerequisites_hold(
    server: NameServer, store: ZoneStore, build: Build
) -> None:
    assert await send(server, build, NEW) == dns.rcode.NOERROR
    assert values(store, "new.example.com", "A") == ("192.0.2.7",)


@pytest.mark.parametrize(("build", "rcode"), PREREQUISITES_THAT_FAIL.values(), ids=PREREQUISITES_THAT_FAIL.keys())
async def test_an_update_whose_prerequisite_fails_changes_nothing(
    server: NameServer, store: ZoneStore, build: Build, rcode: dns.rcode.Rcode
) -> None:
    before = store.serial
    assert await send(server, lambda update: update.present(A), build, NEW) == rcode
    assert store.serial == before


async def test_prerequisites_are_judged_by_the_newest_state_also_while_answers_lag(
    server: NameServer, store: ZoneStore
) -> None:
    store.lag = 3600.0
    assert await send(server, lambda update: update.replace(A, 60, "A", "192.0.2.8")) == dns.rcode.NOERROR
    assert await send(server, exactly(A, "A", "192.0.2.1", "192.0.2.2"), NEW) == dns.rcode.NXRRSET
    assert await send(server, exactly(A, "A", "192.0.2.8"), NEW) == dns.rcode.NOERROR


async def test_a_batch_is_one_commit_signed_with_its_author(server: NameServer, store: ZoneStore) -> None:
    before = store.serial
    replace: Build = lambda update: update.replace(A, 30, "A", "192.0.2.8")  # noqa: E731 - read as data
    assert await send(server, replace, NEW) == dns.rcode.NOERROR
    assert store.serial == before + 1
    commit = store.log[-1]
    assert commit.by == "update unsigned"
    assert [each.values for each in commit.removed] == [("192.0.2.1", "192.0.2.2")]
    assert sorted(each.key for each in commit.added) == [("api.example.com", "A"), ("new.example.com", "A")]


async def test_an_update_that_changes_nothing_makes_no_commit(server: NameServer, store: ZoneStore) -> None:
    before = store.serial
    same = add(A, "A", "192.0.2.1", ttl=60)
    assert await send(server, same, lambda update: update.delete("nobody.example.com.")) == dns.rcode.NOERROR
    assert store.serial == before


async def test_adding_a_value_gives_the_whole_set_its_ttl(server: NameServer, store: ZoneStore) -> None:
    assert await send(server, add(A, "A", "192.0.2.3", ttl=5)) == dns.rcode.NOERROR
    stored = store.get("api.example.com", "A")
    assert stored is not None
    assert (stored.ttl, stored.values) == (5, ("192.0.2.1", "192.0.2.2", "192.0.2.3"))


async def test_values_sets_and_names_can_be_deleted(server: NameServer, store: ZoneStore) -> None:
    await send(server, lambda update: update.delete(A, "A", "192.0.2.1"))
    assert values(store, "api.example.com", "A") == ("192.0.2.2",)
    await send(server, lambda update: update.delete(A, "A", "192.0.2.2"))
    assert values(store, "api.example.com", "A") is None
    await send(server, add(A, "A", "192.0.2.1"), lambda update: update.delete(A, "TXT"))
    assert (values(store, "api.example.com", "A"), values(store, "api.example.com", "TXT")) == (("192.0.2.1",), None)
    await send(server, lambda update: update.delete(A))
    assert store.at_name("api.example.com") == []


async def test_a_cname_beside_other_data_is_ignored_without_an_error(server: NameServer, store: ZoneStore) -> None:
    before = store.serial
    assert await send(server, add(A, "CNAME", "lb.example.net.")) == dns.rcode.NOERROR
    assert await send(server, add("www.example.com.", "A", "192.0.2.1")) == dns.rcode.NOERROR
    assert store.serial == before


async def test_a_cname_takes_the_place_of_the_one_before(server: NameServer, store: ZoneStore) -> None:
    assert await send(server, add("www.example.com.", "CNAME", "other.example.com.")) == dns.rcode.NOERROR
    assert values(store, "www.example.com", "CNAME") == ("other.example.com.",)


async def test_a_name_changes_between_cname_and_address_in_one_update(server: NameServer, store: ZoneStore) -> None:
    delete: Build = lambda update: update.delete("www.example.com.", "CNAME")  # noqa: E731 - read as data
    assert await send(server, delete, add("www.example.com.", "A", "192.0.2.1")) == dns.rcode.NOERROR
    assert [each.type for each in store.at_name("www.example.com")] == ["A"]


async def test_the_apex_keeps_its_soa_and_its_last_name_server(server: NameServer, store: ZoneStore) -> None:
    apex = "example.com."
    await send(server, add(apex, "TXT", '"apex"'))
    await send(server, lambda update: update.delete(apex), lambda update: update.delete(apex, "NS"))
    assert sorted(each.type for each in store.at_name(DOMAIN)) == ["NS", "SOA"]
    for host in ("ns1.lab.invalid.", "ns2.lab.invalid."):
        assert await send(server, lambda update, host=host: update.delete(apex, "NS", host)) == dns.rcode.NOERROR  # type: ignore[misc]  # mypy cannot type a default of a lambda
    assert values(store, DOMAIN, "NS") == ("ns2.lab.invalid.",)


async def test_an_soa_is_taken_only_with_a_greater_serial(server: NameServer, store: ZoneStore) -> None:
    def soa(serial: int) -> Build:
        return add("example.com.", "SOA", f"ns1.lab.invalid. hostmaster.example.com. {serial} 1 2 3 4")

    async def served() -> int:
        query = dns.message.make_query("example.com.", "SOA")
        response = await dns.asyncquery.udp(query, server.host, port=server.port, timeout=60)
        return int(response.answer[0][0].serial)

    assert await send(server, soa(1)) == dns.rcode.NOERROR
    assert await served() == 2
    assert await send(server, soa(5000)) == dns.rcode.NOERROR
    assert await served() == 5000
    assert await send(server, NEW) == dns.rcode.NOERROR
    assert await served() == 5001


async def test_a_name_under_the_servers_policy_refuses_the_whole_update(server: NameServer, store: ZoneStore) -> None:
    server.refuse_names = {"bad.example.com"}
    before = store.serial
    assert await send(server, NEW, add("bad.example.com.", "A", "192.0.2.1")) == dns.rcode.REFUSED
    assert store.serial == before
    assert await send(server, NEW) == dns.rcode.NOERROR


async def test_a_change_outside_the_zone_refuses_the_whole_update(server: NameServer, store: ZoneStore) -> None:
    before = store.serial
    assert await send(server, NEW, add("a.example.net.", "A", "192.0.2.1")) == dns.rcode.NOTZONE
    assert store.serial == before


@pytest.mark.parametrize("zone", ["example.net", "sub.example.com"])
async def test_a_zone_that_is_not_served_is_not_ours_to_update(server: NameServer, zone: str) -> None:
    assert await send(server, zone=zone) == dns.rcode.NOTAUTH


def raw_update(name: str, rrtype: int, rrclass: int, ttl: int, data: bytes = b"", *, section: int = 2) -> bytes:
    """An update with one record, as dnspython would not write it."""
    counts = [0, 0]
    counts[section - 1] = 1
    head = (0x1234).to_bytes(2, "big") + bytes((0x28, 0, 0, 1, 0, counts[0], 0, counts[1], 0, 0))
    zone = b"\x07example\x03com\x00" + bytes((0, 6, 0, 1))
    owner = bytes((len(name),)) + name.encode() + b"\xc0\x0c"
    fixed = rrtype.to_bytes(2, "big") + rrclass.to_bytes(2, "big") + ttl.to_bytes(4, "big")
    return head + zone + owner + fixed + len(data).to_bytes(2, "big") + data


@pytest.mark.parametrize(
    "wire",
    [
        raw_update("api", 1, 255, 60),  # deletion of a set with a TTL
        raw_update("api", 1, 255, 0, b"\xc0\x00\x02\x01"),  # deletion of a set with data
        raw_update("api", 1, 254, 60, b"\xc0\x00\x02\x01"),  # deletion of a value with a TTL
        raw_update("api", 255, 254, 0),  # deletion of a value of type ANY
        raw_update("api", 252, 255, 0),  # deletion of type AXFR
        raw_update("api", 255, 1, 60),  # addition of type ANY
        raw_update("api", 1, 3, 60, b"\xc0\x00\x02\x01"),  # another class
        raw_update("api", 1, 1, 60, b"\xc0\x00\x02"),  # an address of three octets
        raw_update("api", 1, 255, 60, section=1),  # "set exists" with a TTL
        raw_update("api", 1, 254, 0, b"\xc0\x00\x02\x01", section=1),  # "set does not exist" with data
        raw_update("api", 1, 3, 0, section=1),
        raw_update("api", 1, 1, 60, b"\xc0\x00\x02\x01")[:-1],
        raw_update("api", 1, 1, 60, b"\xc0\x00\x02\x01") + b"\0",
    ],
)
async def test_what_breaks_the_rules_of_the_message_is_a_format_error(
    server: NameServer, store: ZoneStore, wire: bytes
) -> None:
    before = store.serial
    sent = dns.message.from_wire(raw_update("api", 1, 1, 60, b"\xc0\x00\x02\x09"))
    sent.to_wire = lambda *_, **__: wire  # type: ignore[method-assign]  # so that the client sends just these octets
    response = await dns.asyncquery.udp(sent, server.host, port=server.port, timeout=60)
    assert response.rcode() == dns.rcode.FORMERR
    assert store.serial == before


async def test_the_message_that_the_broken_ones_are_made_from_is_sound(server: NameServer, store: ZoneStore) -> None:
    sent = dns.message.from_wire(raw_update("api", 1, 1, 60, b"\xc0\x00\x02\x09"))
    response = await dns.asyncquery.udp(sent, server.host, port=server.port, timeout=60)
    assert response.rcode() == dns.rcode.NOERROR
    assert values(store, "api.example.com", "A") == ("192.0.2.1", "192.0.2.2", "192.0.2.9")


async def test_thousands_of_conditional_changes_go_in_one_message_each(server: NameServer, store: ZoneStore) -> None:
    for value, old in (("192.0.2.1", None), ("192.0.2.2", "192.0.2.1")):
        update = dns.update.UpdateMessage(DOMAIN)
        for number in range(600):
            name = f"record-{number}.example.com."
            if old is None:
                update.absent(name, "A")
            else:
                update.present(name, dns.rdataset.from_text("IN", "A", 0, old))
                update.delete(name, "A", old)
            update.add(name, 30, "A", value)
        response = await dns.asyncquery.tcp(update, server.host, port=server.port, timeout=60)
        assert response.rcode() == dns.rcode.NOERROR
    assert all(values(store, f"record-{number}.example.com", "A") == ("192.0.2.2",) for number in range(600))
