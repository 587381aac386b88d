"""What the lab's name server answers to a question about its zones."""

from collections.abc import AsyncIterator, Iterable

import dns.asyncquery
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest

from detour_lab.dns.nameserver import NameServer
from detour_lab.faults import Fault, FaultKind
from detour_lab.zones.store import RecordSet, ZoneStore

DOMAIN = "example.com"
NEGATIVE_TTL = 30

SETS = (
    RecordSet("api.example.com", "A", 60, ("192.0.2.1", "192.0.2.2")),
    RecordSet("api.example.com", "AAAA", 60, ("2001:db8::1",)),
    RecordSet("api.example.com", "TXT", 60, ('"plain text"', '"with \\"quotes\\"" "and a second string"')),
    RecordSet("mail.example.com", "MX", 60, ("10 mx.example.net.",)),
    RecordSet("www.example.com", "CNAME", 60, ("front.example.com.",)),
    RecordSet("front.example.com", "CNAME", 60, ("api.example.com.",)),
    RecordSet("away.example.com", "CNAME", 60, ("lb.example.net.",)),
    RecordSet("dangling.example.com", "CNAME", 60, ("gone.example.com.",)),
    RecordSet("round.example.com", "CNAME", 60, ("about.example.com.",)),
    RecordSet("about.example.com", "CNAME", 60, ("round.example.com.",)),
    RecordSet("host.deep.example.com", "A", 60, ("192.0.2.3",)),
    RecordSet("*.wild.example.com", "A", 60, ("192.0.2.4",)),
    RecordSet("known.wild.example.com", "TXT", 60, ('"here"',)),
    RecordSet("below.ent.wild.example.com", "A", 60, ("192.0.2.5",)),
    RecordSet("child.example.com", "NS", 60, ("ns.child.example.com.",)),
    RecordSet("ns.child.example.com", "A", 60, ("192.0.2.53",)),
    RecordSet("emptied.example.com", "A", 60, ()),
    RecordSet("many.example.com", "TXT", 60, tuple(f'"{number:03} {"x" * 90}"' for number in range(30))),
)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> ZoneStore:
    store = ZoneStore(DOMAIN, negative_ttl=NEGATIVE_TTL, clock=clock)
    store.commit(added=SETS, by="test")
    return store


@pytest.fixture
async def server(store: ZoneStore) -> AsyncIterator[NameServer]:
    server = NameServer([store])
    await server.start()
    yield server
    await server.stop()


async def ask(server: NameServer, name: str, rrtype: str = "A", **options: object) -> dns.message.Message:
    query = dns.message.make_query(name, rrtype, **options)  # type: ignore[arg-type]  # passed through as given
    return await dns.asyncquery.udp(query, server.host, port=server.port, timeout=60)


def texts(sets: Iterable[dns.rrset.RRset]) -> list[str]:
    return sorted(line for each in sets for line in each.to_text().splitlines())


async def test_a_set_is_answered_with_authority_and_nothing_beside_it(server: NameServer) -> None:
    response = await ask(server, "api.example.com.")
    assert response.rcode() == dns.rcode.NOERROR
    assert response.flags & dns.flags.AA
    assert not response.flags & dns.flags.RA
    assert texts(response.answer) == ["api.example.com. 60 IN A 192.0.2.1", "api.example.com. 60 IN A 192.0.2.2"]
    assert response.authority == []


@pytest.mark.parametrize(
    ("name", "rrtype", "expected"),
    [
        ("api.example.com.", "AAAA", ["api.example.com. 60 IN AAAA 2001:db8::1"]),
        (
            "api.example.com.",
            "TXT",
            [
                'api.example.com. 60 IN TXT "plain text"',
                'api.example.com. 60 IN TXT "with \\"quotes\\"" "and a second string"',
            ],
        ),
        ("mail.example.com.", "MX", ["mail.example.com. 60 IN MX 10 mx.example.net."]),
        (
            "example.com.",
            "NS",
            ["example.com. 172800 IN NS ns1.lab.invalid.", "example.com. 172800 IN NS ns2.lab.invalid."],
        ),
        (
            "example.com.",
            "SOA",
            ["example.com. 30 IN SOA ns1.lab.invalid. hostmaster.example.com. 2 7200 900 1209600 30"],
        ),
        ("www.example.com.", "CNAME", ["www.example.com. 60 IN CNAME front.example.com."]),
    ],
)
async def test_each_type_is_answered(server: NameServer, name: str, rrtype: str, expected: list[str]) -> None:
    assert texts((await ask(server, name, rrtype)).answer) == expected


async def test_any_answers_every_set_at_the_name(server: NameServer) -> None:
    response = await ask(server, "api.example.com.", "ANY")
    assert {each.rdtype for each in response.answer} == {dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.TXT}


async def test_names_are_compared_without_regard_to_case_and_echoed_as_asked(server: NameServer) -> None:
    response = await ask(server, "Api.eXample.COM.")
    assert str(response.question[0].name) == "Api.eXample.COM."
    assert len(response.answer[0]) == 2


async def test_cnames_are_followed_within_the_zone(server: NameServer) -> None:
    response = await ask(server, "www.example.com.", "AAAA")
    assert texts(response.answer) == [
        "api.example.com. 60 IN AAAA 2001:db8::1",
        "front.example.com. 60 IN CNAME api.example.com.",
        "www.example.com. 60 IN CNAME front.example.com.",
    ]


async def test_a_cname_out_of_the_zone_is_answered_alone(server: NameServer) -> None:
    response = await ask(server, "away.example.com.")
    assert response.rcode() == dns.rcode.NOERROR
    assert texts(response.answer) == ["away.example.com. 60 IN CNAME lb.example.net."]
    assert response.authority == []


async def test_a_cname_to_a_name_that_does_not_exist_answers_nxdomain_with_the_cname(server: NameServer) -> None:
    response = await ask(server, "dangling.example.com.")
    assert response.rcode() == dns.rcode.NXDOMAIN
    assert texts(response.answer) == ["dangling.example.com. 60 IN CNAME gone.example.com."]
    assert [each.rdtype for each in response.authority] == [dns.rdatatype.SOA]


async def test_cnames_in_a_circle_end(server: NameServer) -> None:
    response = await ask(server, "round.example.com.")
    assert [str(each.name) for each in response.answer] == ["round.example.com.", "about.example.com."]


@pytest.mark.parametrize(
    ("name", "rrtype", "rcode"),
    [
        ("missing.example.com.", "A", dns.rcode.NXDOMAIN),
        ("below.api.example.com.", "A", dns.rcode.NXDOMAIN),
        ("api.example.com.", "MX", dns.rcode.NOERROR),
        ("deep.example.com.", "A", dns.rcode.NOERROR),  # an empty non-terminal
        ("emptied.example.com.", "A", dns.rcode.NOERROR),
    ],
)
async def test_a_negative_answer_bears_the_soa_and_how_long_to_keep_it(
    server: NameServer, name: str, rrtype: str, rcode: dns.rcode.Rcode
) -> None:
    response = await ask(server, name, rrtype)
    assert response.rcode() == rcode
    assert response.answer == []
    assert [(each.rdtype, each.ttl) for each in response.authority] == [(dns.rdatatype.SOA, NEGATIVE_TTL)]


async def test_a_name_with_no_set_left_below_it_stops_existing(server: NameServer, store: ZoneStore) -> None:
    store.commit(removed=[("host.deep.example.com", "A")], by="test")
    assert (await ask(server, "deep.example.com.")).rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("any.wild.example.com.", 1),
        ("any.below.wild.example.com.", 1),
        ("*.wild.example.com.", 1),
        ("known.wild.example.com.", 0),  # it exists, with another type
        ("ent.wild.example.com.", 0),  # an empty non-terminal exists too
        ("wild.example.com.", 0),  # a wildcard is not the name above it
    ],
)
async def test_a_wildcard_answers_for_names_that_do_not_exist(server: NameServer, name: str, answers: int) -> None:
    response = await ask(server, name)
    assert response.rcode() == dns.rcode.NOERROR
    assert texts(response.answer) == [f"{name} 60 IN A 192.0.2.4"][:answers]


async def test_a_wildcard_does_not_reach_below_another_existing_name(server: NameServer) -> None:
    assert (await ask(server, "x.known.wild.example.com.")).rcode() == dns.rcode.NXDOMAIN


async def test_below_a_zone_cut_the_server_refers_with_glue(server: NameServer) -> None:
    response = await ask(server, "www.child.example.com.")
    assert response.rcode() == dns.rcode.NOERROR
    assert not response.flags & dns.flags.AA
    assert response.answer == []
    assert texts(response.authority) == ["child.example.com. 60 IN NS ns.child.example.com."]
    assert texts(response.additional) == ["ns.child.example.com. 60 IN A 192.0.2.53"]


async def test_a_cname_into_a_delegation_is_answered_with_the_referral(server: NameServer, store: ZoneStore) -> None:
    store.commit(added=[RecordSet("shop.example.com", "CNAME", 60, ("www.child.example.com.",))], by="test")
    response = await ask(server, "shop.example.com.")
    assert response.flags & dns.flags.AA
    assert texts(response.answer) == ["shop.example.com. 60 IN CNAME www.child.example.com."]
    assert texts(response.authority) == ["child.example.com. 60 IN NS ns.child.example.com."]


async def test_a_wildcard_that_is_an_empty_non_terminal_makes_names_exist(server: NameServer, store: ZoneStore) -> None:
    store.commit(added=[RecordSet("x.*.host.example.com", "A", 60, ("192.0.2.6",))], by="test")
    response = await ask(server, "y.host.example.com.")
    assert (response.rcode(), response.answer) == (dns.rcode.NOERROR, [])


async def test_the_ds_of_a_delegation_is_the_parents_to_answer(server: NameServer) -> None:
    response = await ask(server, "child.example.com.", "DS")
    assert response.flags & dns.flags.AA
    assert [each.rdtype for each in response.authority] == [dns.rdatatype.SOA]


async def test_what_lies_outside_the_zones_is_refused(server: NameServer) -> None:
    for name in ("example.net.", "badexample.com.", "com.", "."):
        assert (await ask(server, name)).rcode() == dns.rcode.REFUSED


async def test_of_two_zones_the_closer_one_answers(server: NameServer) -> None:
    child = ZoneStore("child.example.com")
    child.commit(added=[RecordSet("www.child.example.com", "A", 60, ("192.0.2.9",))], by="test")
    server.add_zone(child)
    assert texts((await ask(server, "www.child.example.com.")).answer) == ["www.child.example.com. 60 IN A 192.0.2.9"]
    server.remove_zone("child.example.com")
    assert (await ask(server, "www.child.example.com.")).answer == []


async def test_other_opcodes_are_not_implemented(server: NameServer) -> None:
    query = dns.message.make_query("example.com.", "SOA")
    query.set_opcode(dns.opcode.NOTIFY)
    response = await dns.asyncquery.udp(query, server.host, port=server.port, timeout=60)
    assert response.rcode() == dns.rcode.NOTIMP


async def test_an_answer_too_large_for_a_datagram_is_truncated_and_whole_over_tcp(server: NameServer) -> None:
    query = dns.message.make_query("many.example.com.", "TXT")
    short = await dns.asyncquery.udp(query, server.host, port=server.port, timeout=60)
    assert short.flags & dns.flags.TC
    assert len(short.to_wire()) <= 512
    whole = await dns.asyncquery.tcp(query, server.host, port=server.port, timeout=60)
    assert not whole.flags & dns.flags.TC
    assert len(whole.answer[0]) == 30


async def test_a_larger_datagram_is_sent_to_those_who_take_it(server: NameServer, store: ZoneStore) -> None:
    values = tuple(f'"{number} {"x" * 90}"' for number in range(8))
    store.commit(added=[RecordSet("some.example.com", "TXT", 60, values)], by="test")
    assert (await ask(server, "some.example.com.", "TXT")).flags & dns.flags.TC
    response = await ask(server, "some.example.com.", "TXT", use_edns=0, payload=1232, want_dnssec=True)
    assert not response.flags & dns.flags.TC
    assert len(response.answer[0]) == 8
    assert response.edns == 0
    assert response.payload == 1232
    assert response.ednsflags & dns.flags.DO


async def test_an_unknown_edns_version_is_answered_badvers(server: NameServer) -> None:
    assert (await ask(server, "api.example.com.", use_edns=1)).rcode() == dns.rcode.BADVERS


async def test_a_lagging_server_answers_the_old_state_until_the_lag_has_passed(
    server: NameServer, store: ZoneStore, clock: Clock
) -> None:
    store.lag = 5.0
    store.commit(added=[RecordSet("api.example.com", "A", 60, ("192.0.2.99",))], by="test")
    clock.now = 4.9
    before, soa_before = await ask(server, "api.example.com."), await ask(server, "example.com.", "SOA")
    clock.now = 5.0
    after, soa_after = await ask(server, "api.example.com."), await ask(server, "example.com.", "SOA")
    assert len(before.answer[0]) == 2
    assert texts(after.answer) == ["api.example.com. 60 IN A 192.0.2.99"]
    assert [each.answer[0][0].serial for each in (soa_before, soa_after)] == [2, 3]


async def test_a_value_that_cannot_be_written_answers_servfail_and_the_server_goes_on(
    server: NameServer, store: ZoneStore
) -> None:
    store.commit(added=[RecordSet("odd.example.com", "A", 60, ("not an address",))], by="test")
    assert (await ask(server, "odd.example.com.")).rcode() == dns.rcode.SERVFAIL
    assert (await ask(server, "api.example.com.")).rcode() == dns.rcode.NOERROR


async def test_a_zone_can_fail_while_another_answers(server: NameServer) -> None:
    other = ZoneStore("example.org")
    server.add_zone(other)
    server.faults.inject(Fault(FaultKind.SERVER_ERROR, operation="QUERY", domain=DOMAIN))
    assert (await ask(server, "api.example.com.")).rcode() == dns.rcode.SERVFAIL
    assert (await ask(server, "example.org.", "SOA")).rcode() == dns.rcode.NOERROR
