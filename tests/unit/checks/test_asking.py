"""Authoritative servers with manners of their own, and what is made of their answers."""

import asyncio
import errno
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdtypes.ANY.TXT
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.enactment import questions as questions_module
from detour.enactment.answers import plain_text, plain_values
from detour.enactment.asking import Answer, Ask, NoAnswerError, UnreachableError, ask
from detour.enactment.exchange import NoRouteError, exchange
from detour.enactment.ledger import Ledger, ledger_in_answer
from detour.enactment.questions import Questions
from detour.model.generation import Generation
from detour.model.rrset import RRset, RRType

NAME = "api.example.com"
ADDRESS = "192.0.2.10"
GOOD = Answer((ADDRESS,), 30)

Respond = Callable[[dns.message.Message], list[bytes]]


@pytest.fixture(params=["one by one", "in great number"])
async def asking(request: pytest.FixtureRequest) -> AsyncIterator[Ask]:
    """Both ways to ask."""
    questions = Questions()
    yield ask if request.param == "one by one" else questions.ask
    questions.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, respond: Respond, ports: set[int]) -> None:
        self._respond = respond
        self._ports = ports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        self._ports.add(peer[1])
        for wire in self._respond(dns.message.from_wire(data)):
            self._transport.sendto(wire, peer)


@asynccontextmanager
async def served(respond: Respond, ports: set[int] | None = None) -> AsyncIterator[str]:
    """Give the `address:port` of a server that answers each datagram with what `respond` makes of it.

    The ports that it is asked from go to `ports`.
    """
    loop, seen = asyncio.get_running_loop(), ports if ports is not None else set()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(respond, seen), local_addr=("127.0.0.1", 0))
    try:
        yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


def a_set(text: str = ADDRESS, name: str = NAME) -> dns.rrset.RRset:
    return dns.rrset.from_text(f"{name}.", 30, "IN", "A", text)


def reply(query: dns.message.Message, *rrsets: dns.rrset.RRset, authority: bool = True) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.flags = response.flags | dns.flags.AA if authority else response.flags & ~dns.flags.AA
    response.answer += rrsets
    return response


def refusing_edns(code: dns.rcode.Rcode) -> Respond:
    def respond(query: dns.message.Message) -> list[bytes]:
        response = reply(query, a_set())
        if query.edns >= 0:
            response = dns.message.make_response(query)
            response.use_edns(False)
            response.set_rcode(code)
        return [response.to_wire()]

    return respond


def dropping_edns(query: dns.message.Message) -> list[bytes]:
    return [] if query.edns >= 0 else [reply(query, a_set()).to_wire()]


def in_capitals(query: dns.message.Message) -> list[bytes]:
    return [reply(query, a_set(name="API.Example.COM")).to_wire()]


def garbage_first(query: dns.message.Message) -> list[bytes]:
    return [b"", b"\x00\x01garbage", query.to_wire(), reply(query, a_set()).to_wire()]


def a_late_answer_first(query: dns.message.Message) -> list[bytes]:
    late = reply(query, a_set("203.0.113.9"))
    late.id = (query.id + 1) % 2**16
    return [late.to_wire(), reply(query, a_set()).to_wire()]


def another_question_first(query: dns.message.Message) -> list[bytes]:
    other = reply(query, a_set("203.0.113.9", "www.example.com"))
    other.question = dns.message.make_query("www.example.com", "A").question
    return [other.to_wire(), reply(query, a_set()).to_wire()]


def with_options(query: dns.message.Message) -> list[bytes]:
    response = reply(query, a_set())
    response.use_edns(0, payload=0, options=[dns.edns.GenericOption(3, b"fra1"), dns.edns.GenericOption(10, b"x" * 24)])
    return [response.to_wire()]


@pytest.mark.parametrize(
    "respond",
    [
        refusing_edns(dns.rcode.FORMERR),
        refusing_edns(dns.rcode.NOTIMP),
        dropping_edns,
        in_capitals,
        garbage_first,
        a_late_answer_first,
        another_question_first,
        with_options,
    ],
    ids=["FORMERR", "NOTIMP", "silence", "capitals", "garbage", "late answer", "other question", "options"],
)
async def test_an_answer_is_understood_whatever_the_servers_manners(respond: Respond, asking: Ask) -> None:
    async with served(respond) as server:
        assert await asking(server, NAME, "A") == GOOD


def of_a_cache(query: dns.message.Message) -> list[bytes]:
    return [reply(query, a_set(), authority=False).to_wire()]


def lame(query: dns.message.Message) -> list[bytes]:
    response = reply(query, authority=False)
    response.authority.append(dns.rrset.from_text("example.com.", 3600, "IN", "NS", "ns.elsewhere.test."))
    return [response.to_wire()]


def empty_without_authority(query: dns.message.Message) -> list[bytes]:
    return [reply(query, authority=False).to_wire()]


def badvers(query: dns.message.Message) -> list[bytes]:
    response = reply(query)
    response.use_edns(0)
    response.set_rcode(dns.rcode.BADVERS)
    return [response.to_wire()]


def without_question(query: dns.message.Message) -> list[bytes]:
    response = reply(query, a_set())
    response.question = []
    return [response.to_wire()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("respond", "said"),
    [
        (of_a_cache, "not the authoritative server.*cache"),
        (lame, "does not serve the zone"),
        (empty_without_authority, "not the authoritative server"),
        (badvers, "BADVERS"),
        (without_question, "does not answer"),
        (lambda _: [], "does not answer"),
    ],
    ids=["cache", "lame", "empty", "BADVERS", "no question", "silence"],
)
async def test_what_says_nothing_with_authority_is_no_answer_and_named(
    respond: Respond, said: str, asking: Ask
) -> None:
    async with served(respond) as server:
        with pytest.raises(NoAnswerError, match=said) as error:
            await asking(server, NAME, "A")
        assert server in str(error.value)


async def test_an_alias_is_not_taken_for_addresses_of_the_name(asking: Ask) -> None:
    def alias(query: dns.message.Message) -> list[bytes]:
        cname = dns.rrset.from_text(f"{NAME}.", 30, "IN", "CNAME", "lb.example.net.")
        return [reply(query, cname, a_set(name="lb.example.net")).to_wire()]

    async with served(alias) as server:
        assert (await asking(server, NAME, "A")).values == ()
        assert (await asking(server, NAME, "CNAME")).values == ("lb.example.net.",)


async def test_whatever_octets_come_nothing_but_an_answer_or_none_comes_out(asking: Ask) -> None:
    rng = random.Random(53)

    def mangled(query: dns.message.Message) -> list[bytes]:
        octets = bytearray(reply(query, a_set()).to_wire())
        for _ in range(rng.randint(1, 4)):
            octets[rng.randrange(2, len(octets))] = rng.randrange(256)
        octets[2] |= 0x02 if rng.random() < 0.2 else 0  # cut short: go to TCP, where nobody listens
        return [bytes(octets)]

    async def tried(server: str) -> bool:
        try:
            await asking(server, NAME, "A")
        except NoAnswerError:
            return False
        return True

    async with served(mangled) as server:
        await asyncio.gather(*(tried(server) for _ in range(100)))


@pytest.mark.parametrize("server", ["ns1.example.net:53", "", ":53", "[::1", "192.0.2.1:x", "192.0.2.1:99999"])
async def test_what_is_no_address_is_not_asked(server: str, asking: Ask) -> None:
    with pytest.raises(NoAnswerError):
        await asking(server, NAME, "A")


async def test_a_family_without_a_route_is_told_from_silence(monkeypatch: pytest.MonkeyPatch, asking: Ask) -> None:
    async def no_ipv6(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_datagram_endpoint", no_ipv6)
    query = dns.message.make_query(NAME, "A")
    with pytest.raises(NoRouteError):
        await exchange(query, "2001:db8::53", 53)
    with pytest.raises(UnreachableError, match=r"\[2001:db8::53\]:53 cannot be reached from here.*unreachable"):
        await asking("[2001:db8::53]:53", NAME, "A")


async def test_a_trouble_of_our_own_is_not_taken_for_a_missing_route(
    monkeypatch: pytest.MonkeyPatch, asking: Ask
) -> None:
    async def no_sockets_left(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_datagram_endpoint", no_sockets_left)
    with pytest.raises(NoAnswerError) as error:
        await asking("192.0.2.53:53", NAME, "A")
    assert not isinstance(error.value, UnreachableError)


@pytest.mark.parametrize(
    ("presented", "text"),
    [
        ('"plain"', "plain"),
        ('"de" "tour"', "detour"),
        ('"a \\"quoted\\" word"', 'a "quoted" word'),
        ('"caf\\195\\169"', "café"),
        ('"caf\\233"', "caf\\xe9"),
        ('""', ""),
        ("bare words", "bare words"),
        ('"unbalanced', '"unbalanced'),
    ],
)
def test_a_text_is_its_strings_joined(presented: str, text: str) -> None:
    assert plain_text(presented) == text


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300).map('"{}"'.format))
def test_a_text_without_escapes_is_what_the_parser_makes_of_it(presented: str) -> None:
    try:
        rdata = dns.rdata.from_text("IN", "TXT", presented)
    except dns.exception.DNSException:
        assert plain_text(presented) == presented
    else:
        strings = cast(dns.rdtypes.ANY.TXT.TXT, rdata).strings
        assert plain_text(presented) == b"".join(strings).decode(errors="backslashreplace")


LABEL = st.text("abcxyz019-_", min_size=1, max_size=64) | st.sampled_from(["*", "A", "\\052", "\\.", ""])


@given(st.lists(LABEL, min_size=1, max_size=6).map(".".join))
def test_a_question_has_the_name_as_the_library_writes_it(name: str) -> None:
    try:
        expected = dns.name.from_text(name).to_digestable()
    except dns.exception.DNSException:
        with pytest.raises(dns.exception.DNSException):
            questions_module.octets_of(name)
    else:
        assert questions_module.octets_of(name) == expected


def test_addresses_are_compared_as_addresses() -> None:
    mapped = RRset(NAME, RRType.AAAA, 30, ("::ffff:192.0.2.1", "2001:DB8:0:0::1"))
    for presented in (("::ffff:192.0.2.1", "2001:db8::1"), ("2001:db8:0:0:0:0:0:1", "::ffff:c000:201")):
        assert plain_values(RRType.AAAA, presented) == mapped.values
    assert plain_values(RRType.A, ("nonsense",)) == ("nonsense",)


def test_a_ledger_is_read_in_however_many_strings_it_came() -> None:
    ledger = Ledger("here", "feed", Generation(9, 5), 20)
    text = ledger.text()
    assert ledger_in_answer((f'"{text[:30]}" "{text[30:]}"',)) == ledger
    assert ledger_in_answer((f'"{text}"',)) == ledger


async def test_what_was_said_before_is_known_by_its_octets_and_what_is_new_is_read() -> None:
    """Also where a server turns the order of its records, and where its answers come in another order."""
    said = [(ADDRESS, "192.0.2.11"), ("192.0.2.11", ADDRESS), (ADDRESS,)]

    def turning(query: dns.message.Message) -> list[bytes]:
        said.append(said.pop(0))
        return [reply(query, dns.rrset.from_text_list(f"{NAME}.", 30, "IN", "A", said[-1])).to_wire()]

    questions = Questions()
    async with served(turning) as server:
        got = [(await questions.ask(server, NAME, "A")).values for _ in range(9)]
    questions.close()
    assert got == [tuple(sorted(each)) for each in 3 * [(ADDRESS, "192.0.2.11"), ("192.0.2.11", ADDRESS), (ADDRESS,)]]


async def test_what_is_known_by_its_octets_says_what_the_whole_answer_says() -> None:
    """Of several records, of other types, at other names, with TTLs as large as they get."""
    rng = random.Random(1035)
    texts = {
        "A": [ADDRESS, "192.0.2.11", "203.0.113.7"],
        "TXT": ['"a"', '"a" "b c"', '"\\195\\188"'],
        "AAAA": ["2001:db8::1"],
    }
    replies: list[bytes] = []

    def some(query: dns.message.Message) -> bytes:
        sets = []
        for _ in range(rng.randint(1, 3)):
            kind, name = rng.choice(list(texts)), rng.choice([NAME, NAME, NAME.upper(), f"other.{NAME}"])
            ttl = rng.choice([0, 30, 300, 2**31 - 1, 2**31, 2**32 - 1])
            sets.append(dns.rrset.from_text_list(f"{name}.", 0, "IN", kind, texts[kind][: rng.randint(1, 3)]))
            sets[-1].ttl = ttl
        return reply(query, *sets).to_wire()

    def respond(query: dns.message.Message) -> list[bytes]:
        octets = replies[-1] if replies else some(query)
        replies.append(octets)
        return [query.id.to_bytes(2, "big") + octets[2:]]

    questions = Questions()
    async with served(respond) as server:
        for _ in range(200):
            replies.clear()
            assert await _said_by(questions.ask, server) == await _said_by(ask, server), replies[0]
    questions.close()


async def _said_by(asked: Ask, server: str) -> object:
    try:
        return await asked(server, NAME, "A")
    except NoAnswerError as error:
        return str(error)


async def test_many_questions_at_once_get_each_its_own_answer() -> None:
    def by_name(query: dns.message.Message) -> list[bytes]:
        name = query.question[0].name.to_text().rstrip(".")
        number = int(name.split(".")[0].removeprefix("n"))
        return [reply(query, a_set(f"192.0.2.{number}", name)).to_wire()] if number % 2 else [reply(query).to_wire()]

    questions = Questions()
    async with served(by_name) as server:
        names = [f"n{number}.example.com" for number in range(200)]
        answers = await asyncio.gather(*(questions.ask(server, name, "A") for name in names))
    questions.close()
    assert [each.values for each in answers] == [(f"192.0.2.{n}",) if n % 2 else () for n in range(200)]


@pytest.mark.parametrize(("lasts", "used"), [(60.0, 1), (0.0, 3)])
async def test_one_port_serves_for_a_while_and_makes_way_for_another_one(
    monkeypatch: pytest.MonkeyPatch, lasts: float, used: int
) -> None:
    monkeypatch.setattr(questions_module, "SOCKET_LASTS", lasts)
    questions, ports = Questions(), set[int]()
    async with served(lambda query: [reply(query, a_set()).to_wire()], ports) as server:
        assert [await questions.ask(server, NAME, "A") for _ in range(3)] == [GOOD] * 3
    questions.close()
    assert len(ports) == used
