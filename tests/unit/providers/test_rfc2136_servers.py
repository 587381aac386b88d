"""Servers that cannot be found, or that answer what nobody foresaw: always one of the contract's errors."""

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import pytest

from detour.enactment.contract import (
    Batch,
    BatchRefusedError,
    Change,
    CredentialsRefusedError,
    OutcomeUnknownError,
    Provider,
    ProviderError,
    UnavailableError,
    UnexpectedAnswerError,
    ZoneMissingError,
)
from detour.model.rrset import RRset, RRType
from detour.model.zone import RFC2136Settings
from detour.providers.rfc2136 import LIMITS, account, open_zone
from detour.providers.rfc2136.address import LookUp, server_address
from detour_lab.dns.nameserver import NameServer
from detour_lab.dns.realservers import UpdateKey
from detour_lab.zones.store import ZoneStore

DOMAIN = "example.com"
LEDGER = RRset("o._detour.example.com", RRType.TXT, 60, ("detour/1 seq=1",))
WRITE = Batch(Change(None, LEDGER))
KEY = UpdateKey.random()
SIGNER = dns.tsig.Key(KEY.name, KEY.secret, dns.tsig.HMAC_SHA256)

Respond = Callable[[bytes], list[bytes]]


async def no_pace(requests: int) -> None:
    """Let everything pass."""


async def opened(server: str, *, signed: bool = False) -> Provider:
    secret = KEY.as_secret() if signed else None
    return await open_zone(domain=DOMAIN, settings=RFC2136Settings(server), secret=secret, limits=LIMITS, pace=no_pace)


class Stranger:
    """A TCP server that answers each message with whatever `respond` makes of it.

    It closes the connection after a transfer, and where there is nothing to say.
    """

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self.address = ""

    async def __aenter__(self) -> "Stranger":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                wire = await reader.readexactly(length)
                replies = self._respond(wire)
                for each in replies:
                    writer.write(struct.pack("!H", len(each)) + each)
                await writer.drain()
                (asked,) = dns.message.from_wire(wire, question_only=True).question
                if not replies or asked.rdtype == dns.rdatatype.AXFR:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def response_to(wire: bytes) -> dns.message.Message:
    query = dns.message.from_wire(wire, keyring={SIGNER.name: SIGNER})
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA
    return response


def soa(serial: int = 1) -> dns.rrset.RRset:
    return dns.rrset.from_text(f"{DOMAIN}.", 30, "IN", "SOA", f"ns1.lab. host.lab. {serial} 7200 900 1209600 30")


def apex_ns() -> dns.rrset.RRset:
    return dns.rrset.from_text(f"{DOMAIN}.", 30, "IN", "NS", "ns1.lab.")


def transfer_of(*rrsets: dns.rrset.RRset) -> Respond:
    """Answer with one message that holds these sets, whatever is asked."""

    def respond(wire: bytes) -> list[bytes]:
        response = response_to(wire)
        response.answer += rrsets
        return [response.to_wire()]

    return respond


async def outcome(call: Awaitable[object]) -> ProviderError | None:
    """Return the contract's error that a call ended with. Anything else is raised, and fails the test."""
    try:
        await call
    except ProviderError as error:
        return error
    return None


def calls(provider: Provider) -> dict[str, Awaitable[object]]:
    return {
        "describe": provider.describe(),
        "read_zone": provider.read_zone(),
        "read_names": provider.read_names(["www.example.com"]),
        "apply": provider.apply(WRITE),
    }


# -- where the server is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("192.0.2.1:53", "192.0.2.1:53"),
        ("[2001:DB8:0:0::1]:5353", "[2001:db8::1]:5353"),
        ("NS1.Example.NET.:53", "ns1.example.net:53"),
        ("localhost:53", "localhost:53"),
    ],
)
def test_a_server_has_one_spelling(text: str, canonical: str) -> None:
    assert str(server_address(text)) == canonical
    assert account(RFC2136Settings(text), None) == account(RFC2136Settings(canonical), None)


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.1",
        ":53",
        "192.0.2.1:dns",
        "192.0.2.1:0",
        "192.0.2.1:99999",
        "192.0.2.1:²",
        "2001:db8::1:53",
        "a b:53",
        "[ns1.example.net]:53",
        "[::1",
        "999.0.0.1:53",
        "-:53",
        "",
        "a..b:53",
    ],
)
async def test_what_names_no_server_is_refused_with_the_form_that_does(text: str) -> None:
    with pytest.raises(ZoneMissingError, match="address:port"):
        await opened(text)


async def test_a_server_named_by_its_host_is_found_and_used() -> None:
    store = ZoneStore(DOMAIN)
    server = NameServer([store], keys={DOMAIN: SIGNER})
    await server.start()
    provider = await opened(f"localhost:{server.port}", signed=True)
    try:
        facts = await provider.describe()
        await provider.apply(WRITE)
        assert (await provider.read_names([LEDGER.name])).sets[LEDGER.key].rrset == LEDGER
    finally:
        await provider.close()
        await server.stop()
    assert facts.name_servers == (f"localhost:{server.port}",)
    assert facts.zone_id == f"localhost:{server.port}/{DOMAIN}"


async def test_every_address_of_a_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ZoneStore(DOMAIN)
    server = NameServer([store], host="127.0.0.2")
    await server.start()
    monkeypatch.setattr("socket.getaddrinfo", resolving_to("127.0.0.3", "127.0.0.2"))
    provider = await opened(f"primary.example.net:{server.port}")
    try:
        await provider.apply(WRITE)
        await server.stop()
        with pytest.raises(UnavailableError, match=r"127\.0\.0\.2: .*127\.0\.0\.3: "):  # the one that served first
            await provider.describe()
    finally:
        await provider.close()
        await server.stop()


async def test_a_host_that_cannot_be_looked_up_is_unavailable_and_named() -> None:
    provider = await opened("no-such-host.invalid:53")
    try:
        for name, call in calls(provider).items():
            error = await outcome(call)
            assert isinstance(error, UnavailableError), name
            assert "no-such-host.invalid" in str(error)
    finally:
        await provider.close()


async def test_while_a_look_up_fails_the_last_addresses_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = LookUp("primary.example.net")
    monkeypatch.setattr("socket.getaddrinfo", resolving_to("192.0.2.1"))
    assert await look_up.addresses() == ["192.0.2.1"]
    monkeypatch.setattr("socket.getaddrinfo", resolving_to())
    assert await look_up.addresses() == ["192.0.2.1"]
    monkeypatch.setattr("socket.getaddrinfo", resolving_to("192.0.2.2"))
    assert await look_up.addresses() == ["192.0.2.2"]
    look_up.close()


def resolving_to(*addresses: str) -> Callable[..., list[tuple[int, int, int, str, tuple[str, int]]]]:
    def getaddrinfo(host: str, *args: object, **kwargs: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        if not addresses:
            raise OSError(-3, "Temporary failure in name resolution")
        return [(2, 1, 6, "", (each, 0)) for each in addresses]

    return getaddrinfo


# -- what it answers ---------------------------------------------------------------------------------------------


def other_id(wire: bytes) -> list[bytes]:
    answer = response_to(wire)
    answer.id = (answer.id + 1) % 2**16
    return [answer.to_wire()]


def only_close(wire: bytes) -> list[bytes]:
    return []


def half(wire: bytes) -> list[bytes]:
    return [response_to(wire).to_wire()[:15]]


def html(wire: bytes) -> list[bytes]:
    return [b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html>"]


def the_question_itself(wire: bytes) -> list[bytes]:
    return [wire]


def truncated(wire: bytes) -> list[bytes]:
    answer = response_to(wire)
    answer.flags |= dns.flags.TC
    return [answer.to_wire()]


def an_unheard_of_code(wire: bytes) -> list[bytes]:
    answer = response_to(wire)
    answer.flags |= dns.flags.Flag(0xC)
    return [answer.to_wire()]


def another_opcode(wire: bytes) -> list[bytes]:
    answer = bytearray(response_to(wire).to_wire())
    answer[2] ^= 0x10
    return [bytes(answer)]


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize(
    "respond",
    [other_id, only_close, half, html, the_question_itself, truncated, an_unheard_of_code, another_opcode],
)
async def test_an_answer_that_is_none_costs_the_operation_and_leaves_a_write_open(
    respond: Respond, signed: bool
) -> None:
    async with Stranger(respond) as stranger:
        provider = await opened(stranger.address, signed=signed)
        found = {name: await outcome(call) for name, call in calls(provider).items()}
        await provider.close()
    assert isinstance(found.pop("apply"), OutcomeUnknownError)
    assert all(isinstance(each, UnavailableError | UnexpectedAnswerError | ZoneMissingError) for each in found.values())


@pytest.mark.slow
async def test_whatever_octets_come_the_error_is_one_of_the_contracts() -> None:
    """Answers that are almost right: some octets of a good one are others."""
    rng = random.Random(136)

    def mangled(wire: bytes) -> list[bytes]:
        response = response_to(wire)
        if response.opcode() == dns.opcode.QUERY:
            response.answer += [soa(), apex_ns(), soa(2)]
        octets = bytearray(response.to_wire())
        for _ in range(rng.randint(1, 6)):
            octets[rng.randrange(2, len(octets))] = rng.randrange(256)
        return [bytes(octets[: rng.choice([len(octets), rng.randrange(2, len(octets))])])]

    async with Stranger(mangled) as stranger:
        for turn in range(150):
            provider = await opened(stranger.address, signed=turn % 2 == 1)
            for name, call in calls(provider).items():
                error = await outcome(call)
                reading = name != "apply"
                assert not (reading and isinstance(error, OutcomeUnknownError | BatchRefusedError))
                assert reading or error is None or not isinstance(error, UnexpectedAnswerError)
            await provider.close()


@pytest.mark.parametrize(
    ("error", "read"),
    [
        (dns.rcode.BADKEY, CredentialsRefusedError),
        (dns.rcode.BADSIG, CredentialsRefusedError),
        (dns.rcode.BADTIME, CredentialsRefusedError),
        (dns.rcode.BADTRUNC, CredentialsRefusedError),
        (dns.rcode.BADMODE, UnexpectedAnswerError),
    ],
)
async def test_errors_of_the_signature_are_told_from_the_rest(
    error: dns.rcode.Rcode, read: type[ProviderError]
) -> None:
    def refuse(wire: bytes) -> list[bytes]:
        query = dns.message.from_wire(wire, keyring={SIGNER.name: SIGNER})
        response = dns.message.make_response(query, tsig_error=error)
        response.set_rcode(dns.rcode.NOTAUTH)
        return [response.to_wire()]

    async with Stranger(refuse) as stranger:
        provider = await opened(stranger.address, signed=True)
        found = {name: await outcome(call) for name, call in calls(provider).items()}
        await provider.close()
    written = found.pop("apply")
    assert isinstance(written, CredentialsRefusedError | OutcomeUnknownError)
    assert all(isinstance(each, CredentialsRefusedError | read) for each in found.values())
    assert not any(KEY.secret in str(each) for each in (*found.values(), written))


# -- transfers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "respond",
    [
        transfer_of(),
        transfer_of(soa()),
        transfer_of(soa(), apex_ns()),
        transfer_of(apex_ns(), soa(), soa()),
        transfer_of(soa(), soa()),
        transfer_of(soa(), apex_ns(), soa(), dns.rrset.from_text(f"late.{DOMAIN}.", 30, "IN", "A", "192.0.2.1")),
    ],
    ids=["empty", "the SOA alone", "cut short", "no SOA first", "no NS set", "more after the end"],
)
async def test_a_transfer_that_is_not_whole_is_no_reading(respond: Respond) -> None:
    async with Stranger(respond) as stranger:
        provider = await opened(stranger.address)
        error = await outcome(provider.read_zone())
        await provider.close()
    assert isinstance(error, UnavailableError | UnexpectedAnswerError)


async def test_a_transfer_in_one_message_is_a_reading() -> None:
    async with Stranger(transfer_of(soa(), apex_ns(), soa())) as stranger:
        provider = await opened(stranger.address)
        contents = await provider.read_zone()
        await provider.close()
    assert {each.type for each in contents.opaque} == {"SOA", "NS"}


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    server = NameServer([ZoneStore(DOMAIN)])
    await server.start()
    opened_one = await opened(server.address)
    yield opened_one
    await opened_one.close()
    await server.stop()


async def test_a_name_outside_the_zone_holds_nothing_and_does_not_spoil_the_reading_of_others(
    provider: Provider,
) -> None:
    await provider.apply(WRITE)
    contents = await provider.read_names([LEDGER.name, "www.example.org"])
    assert set(contents.sets) == {LEDGER.key}
