"""DNS checks and host name resolution, against a name server that answers what a test wants."""

from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from detour.checks.resolver import ResolutionOutcome, Resolver, parse_server
from detour.model.checks import DNSCheck
from detour.model.rrset import RRType

NAME = "www.example.com"
SOA = "example.com. 20 IN SOA ns.example.com. hostmaster.example.com. 1 2 3 4 15"
A_ANSWERS = (f"{NAME}. 30 IN A 192.0.2.1", f"{NAME}. 30 IN A 192.0.2.2")


def reply(
    query: dns.message.Message, *answers: str, authority: tuple[str, ...] = (), rcode: int = 0, recursive: bool = True
) -> dns.message.Message:
    response = dns.message.make_response(query, recursion_available=recursive)
    response.set_rcode(dns.rcode.Rcode(rcode))
    for section, records in ((response.answer, answers), (response.authority, authority)):
        for record in records:
            name, ttl, rdclass, rdtype, *rest = record.split(" ")
            rrset = response.find_rrset(
                section,
                dns.name.from_text(name),
                dns.rdataclass.from_text(rdclass),
                dns.rdatatype.from_text(rdtype),
                create=True,
            )
            rrset.update(dns.rrset.from_text(name, int(ttl), rdclass, rdtype, " ".join(rest)))
    return response


def always(*answers: str, **named: Any) -> Any:
    return lambda query, _over_tcp: reply(query, *answers, **named)


def ask(server: Any, **changes: Any) -> DNSCheck:
    return DNSCheck(**({"port": server.port, "name": NAME, "type": "A"} | changes))


def type_asked(query: dns.message.Message) -> str:
    return dns.rdatatype.to_text(query.question[0].rdtype)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_server_with_enough_answers_passes(serve_dns: Any, check: Any, address: str) -> None:
    server = await serve_dns(always(*A_ANSWERS), address)
    assert (await check(ask(server, minimum_answers=2), address)).passed
    query = server.queries[0]
    assert query.flags & dns.flags.RD
    assert query.question[0].name.to_text() == f"{NAME}."


async def test_too_few_answers_fail(serve_dns: Any, check: Any) -> None:
    result = await check(ask(await serve_dns(always(*A_ANSWERS)), minimum_answers=3))
    assert (result.passed, result.reason) == (False, "NoAnswers")
    assert "gave 2 A answers" in result.message


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({"rcode": dns.rcode.NXDOMAIN, "authority": (SOA,)}, "NameNotFound"),
        ({"authority": (SOA,)}, "NoAnswers"),
        ({"rcode": dns.rcode.SERVFAIL}, "ServerFailure"),
        ({"rcode": dns.rcode.REFUSED}, "QueryRefused"),
        ({"rcode": dns.rcode.NOTIMP}, "ProtocolError"),
    ],
)
async def test_each_empty_answer_has_a_reason_of_its_own(
    serve_dns: Any, check: Any, named: dict[str, Any], reason: str
) -> None:
    result = await check(ask(await serve_dns(always(**named)), minimum_answers=0))
    assert (result.passed, result.reason) == (False, reason)
    assert NAME in result.message


@pytest.mark.parametrize(
    "case",
    [
        ("A", f"{NAME}. 30 IN A 192.0.2.1", "192.0.2.1", "192.0.2.9"),
        ("AAAA", f"{NAME}. 30 IN AAAA 2001:db8::1", "2001:0DB8:0::1", "2001:db8::2"),
        ("CNAME", f"{NAME}. 30 IN CNAME Target.Example.NET.", "target.example.net", "other.example.net"),
        ("TXT", f'{NAME}. 30 IN TXT "in two " "pieces"', "in two pieces", "in two"),
        ("MX", f"{NAME}. 30 IN MX 10 mail.example.com.", "10 mail.example.com", "20 mail.example.com"),
    ],
)
async def test_expected_answers_are_compared_as_values_not_as_text(
    serve_dns: Any, check: Any, case: tuple[str, str, str, str]
) -> None:
    rdtype, answer, expected, wrong = case
    server = await serve_dns(always(answer))
    assert (await check(ask(server, type=rdtype, expected_answers=(expected,)))).passed
    result = await check(ask(server, type=rdtype, expected_answers=(expected, wrong)))
    assert (result.passed, result.reason) == (False, "UnexpectedAnswers")
    assert "left out 1 of the 2" in result.message


async def test_answers_at_the_end_of_a_cname_chain_count(serve_dns: Any, check: Any) -> None:
    server = await serve_dns(always(f"{NAME}. 30 IN CNAME lb.example.net.", "lb.example.net. 30 IN A 192.0.2.1"))
    assert (await check(ask(server, expected_answers=("192.0.2.1",)))).passed


async def test_a_truncated_answer_is_asked_for_again_over_tcp(serve_dns: Any, check: Any) -> None:
    transports: list[str] = []

    def respond(query: dns.message.Message, over_tcp: bool) -> dns.message.Message:
        transports.append("TCP" if over_tcp else "UDP")
        if over_tcp:
            return reply(query, *A_ANSWERS)
        truncated = reply(query)
        truncated.flags |= dns.flags.TC
        return truncated

    assert (await check(ask(await serve_dns(respond), minimum_answers=2))).passed
    assert transports == ["UDP", "TCP"]


async def test_a_connection_that_ends_during_the_tcp_answer_is_a_reset(serve_dns: Any, check: Any) -> None:
    def respond(query: dns.message.Message, over_tcp: bool) -> dns.message.Message | None:
        truncated = reply(query)
        truncated.flags |= dns.flags.TC
        return None if over_tcp else truncated

    result = await check(ask(await serve_dns(respond)))
    assert (result.passed, result.reason) == (False, "ConnectionReset")


async def test_an_answer_to_another_question_is_not_taken(serve_dns: Any, check: Any) -> None:
    def respond(query: dns.message.Message, _over_tcp: bool) -> dns.message.Message:
        response = reply(query, *A_ANSWERS)
        response.id = query.id ^ 1
        return response

    result = await check(ask(await serve_dns(respond)), timeout=1.0)
    assert (result.passed, result.reason) == (False, "Unanswered")


async def test_silence_meets_the_deadline_and_a_closed_port_does_not_wait_for_it(
    serve_dns: Any, check: Any, unused_port: int
) -> None:
    server = await serve_dns(lambda _query, _over_tcp: None)
    result = await check(ask(server), timeout=1.0)
    assert (result.passed, result.reason) == (False, "Unanswered")
    for address in ("127.0.0.1", "::1"):
        result = await check(ask(server, port=unused_port), address, timeout=60)
        assert (result.passed, result.reason) == (False, "ConnectionRefused")
        assert result.latency < 30, "it did not wait for its deadline"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a..b"},
        {"name": "x" * 64},
        {"name": "", "type": ""},
        {"type": "NOPE"},
        {"expected_answers": ("no address",)},
    ],
)
async def test_a_senseless_question_says_nothing_about_the_server(serve_dns: Any, check: Any, changes: Any) -> None:
    server = await serve_dns(always(*A_ANSWERS))
    result = await check(ask(server, **changes))
    assert (result.passed, result.reason) == (None, "InvalidCheck")
    assert server.queries == []


def resolver(server: Any, timeout: float = 5.0) -> Resolver:
    return Resolver(f"127.0.0.1:{server.port}", timeout=timeout)


def by_type(**responses: Any) -> Any:
    return lambda query, over_tcp: responses[type_asked(query)](query, over_tcp)


NODATA = always(authority=(SOA,))
NXDOMAIN = always(authority=(SOA,), rcode=dns.rcode.NXDOMAIN)
SERVFAIL = always(rcode=dns.rcode.SERVFAIL)


def silence(_query: dns.message.Message, _over_tcp: bool) -> None:
    """Answer nothing."""


A = always(*A_ANSWERS)
AAAA = always(f"{NAME}. 40 IN AAAA 2001:db8::1")


async def test_both_families_are_resolved_with_the_smaller_ttl(serve_dns: Any) -> None:
    server = await serve_dns(by_type(A=A, AAAA=AAAA))
    resolution = await resolver(server).resolve(NAME)
    assert resolution.outcome is ResolutionOutcome.ANSWERED
    assert resolution.addresses == ("192.0.2.1", "192.0.2.2", "2001:db8::1")
    assert (resolution.ttl, resolution.unanswered, resolution.message) == (30.0, (), "")


@pytest.mark.parametrize(("given", "kept"), [(0, 1.0), (86400, 60.0), (45, 45.0)])
async def test_the_ttl_is_kept_within_bounds(serve_dns: Any, given: int, kept: float) -> None:
    answers = {"A": always(f"{NAME}. {given} IN A 192.0.2.1"), "AAAA": always(f"{NAME}. {given} IN AAAA 2001:db8::1")}
    assert (await resolver(await serve_dns(by_type(**answers))).resolve(NAME)).ttl == kept


@pytest.mark.parametrize(("a", "aaaa"), [(NODATA, NODATA), (NXDOMAIN, NXDOMAIN), (NXDOMAIN, NODATA)])
async def test_no_addresses_is_said_only_where_both_families_are_certainly_empty(
    serve_dns: Any, a: Any, aaaa: Any
) -> None:
    resolution = await resolver(await serve_dns(by_type(A=a, AAAA=aaaa))).resolve(NAME)
    assert resolution.outcome is ResolutionOutcome.NO_ADDRESSES
    assert resolution.addresses == ()
    assert resolution.ttl == 15.0
    assert NAME in resolution.message


@pytest.mark.parametrize("failure", [SERVFAIL, silence, always(rcode=dns.rcode.REFUSED)])
@pytest.mark.parametrize("other", [NODATA, NXDOMAIN])
async def test_an_empty_family_beside_a_failed_one_is_no_knowledge(serve_dns: Any, failure: Any, other: Any) -> None:
    resolution = await resolver(await serve_dns(by_type(A=other, AAAA=failure)), timeout=1.0).resolve(NAME)
    assert resolution.outcome is ResolutionOutcome.FAILED
    assert resolution.unanswered == (RRType.AAAA,)
    assert "AAAA: " in resolution.message


@pytest.mark.parametrize("failure", [SERVFAIL, silence])
async def test_a_failed_family_is_named_beside_an_answered_one(serve_dns: Any, failure: Any) -> None:
    resolution = await resolver(await serve_dns(by_type(A=A, AAAA=failure)), timeout=1.0).resolve(NAME)
    assert resolution.outcome is ResolutionOutcome.ANSWERED
    assert resolution.addresses == ("192.0.2.1", "192.0.2.2")
    assert resolution.unanswered == (RRType.AAAA,)
    assert resolution.ttl == 5.0


async def test_one_family_that_does_not_exist_is_complete_knowledge(serve_dns: Any) -> None:
    resolution = await resolver(await serve_dns(by_type(A=A, AAAA=NODATA))).resolve(NAME)
    assert (resolution.outcome, resolution.unanswered) == (ResolutionOutcome.ANSWERED, ())


REFERRAL = always(authority=("example.com. 30 IN NS ns.example.com.",), recursive=False)
UNFOLLOWED = always(f"{NAME}. 30 IN CNAME lb.example.net.", recursive=False)


@pytest.mark.parametrize("response", [REFERRAL, UNFOLLOWED])
async def test_a_referral_or_a_chain_not_followed_is_not_an_empty_answer(serve_dns: Any, response: Any) -> None:
    resolution = await resolver(await serve_dns(response)).resolve(NAME)
    assert resolution.outcome is ResolutionOutcome.FAILED
    assert "recursive resolver" in resolution.message


async def test_the_cname_chain_is_told_in_order_also_where_it_ends_in_nothing(serve_dns: Any) -> None:
    chain = (f"{NAME}. 30 IN CNAME One.example.net.", "one.example.net. 9 IN CNAME two.example.org.")
    server = await serve_dns(
        by_type(
            A=always(*chain, "two.example.org. 30 IN A 192.0.2.1"),
            AAAA=always(*chain, authority=(SOA.replace("example.com. 20", "example.org. 20"),)),
        )
    )
    resolution = await resolver(server).resolve(NAME)
    assert resolution.canonical_names == ("one.example.net", "two.example.org")
    assert resolution.ttl == 9.0
    vanished = await serve_dns(
        always(*chain, authority=(SOA.replace("example.com. 20", "example.org. 20"),), rcode=dns.rcode.NXDOMAIN)
    )
    resolution = await resolver(vanished).resolve(NAME)
    assert resolution.outcome is ResolutionOutcome.NO_ADDRESSES
    assert resolution.canonical_names == ("one.example.net", "two.example.org")


async def test_one_lost_packet_is_made_up_for(serve_dns: Any) -> None:
    lost: set[str] = set()

    def respond(query: dns.message.Message, _over_tcp: bool) -> dns.message.Message | None:
        kind = type_asked(query)
        if kind not in lost:
            lost.add(kind)
            return None
        return reply(query, *(A_ANSWERS if kind == "A" else ()), authority=() if kind == "A" else (SOA,))

    resolution = await resolver(await serve_dns(respond), timeout=10.0).resolve(NAME)
    assert (resolution.outcome, len(resolution.addresses)) == (ResolutionOutcome.ANSWERED, 2)


@pytest.mark.parametrize("hostname", ["a..b", "x" * 64 + ".example.com", ""])
async def test_a_name_that_is_none_fails_without_raising(serve_dns: Any, hostname: str) -> None:
    server = await serve_dns(NODATA)
    resolution = await resolver(server).resolve(hostname)
    assert resolution.outcome is not ResolutionOutcome.ANSWERED
    assert resolution.message


async def test_names_are_absolute_whatever_the_search_list(serve_dns: Any) -> None:
    server = await serve_dns(NODATA)
    await resolver(server).resolve("short")
    assert {query.question[0].name.to_text() for query in server.queries} == {"short."}


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]", ("2001:db8::53", 53)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
    ],
)
def test_a_server_is_an_address_with_or_without_port(text: str, parsed: tuple[str, int]) -> None:
    assert parse_server(text) == parsed


@pytest.mark.parametrize(
    "text",
    ["", "ns.example.com", "192.0.2.53:", "192.0.2.53:0", "192.0.2.53:65536", "[::1]x53", "[::1]53", "[::1", "::1]"],
)
def test_what_is_no_server_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="address:port"):
        Resolver(text)
