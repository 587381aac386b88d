"""Connections, transfers, signatures and faults of the lab's name server."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import dns.zone
import pytest

from detour_lab.dns.nameserver import NameServer
from detour_lab.faults import Fault, FaultKind
from detour_lab.zones.store import RecordSet, ZoneStore

DOMAIN = "example.com"
KEY = dns.tsig.Key("detour.", b"a secret of the tests", dns.tsig.HMAC_SHA256)
OTHER_KEY = dns.tsig.Key("other.", b"another secret", dns.tsig.HMAC_SHA512)
CLOSED = (EOFError, ConnectionResetError)


class Skewed:
    """The wall clock, wrong by `seconds`."""

    seconds = 0.0

    def __call__(self) -> float:
        return time.time() + self.seconds


@pytest.fixture
def clock() -> Skewed:
    return Skewed()


@pytest.fixture
def store() -> ZoneStore:
    store = ZoneStore(DOMAIN)
    store.commit(added=[RecordSet("api.example.com", "A", 60, ("192.0.2.1",))], by="test")
    return store


@pytest.fixture
async def server(store: ZoneStore, clock: Skewed) -> AsyncIterator[NameServer]:
    """Two zones, each with a key of its own."""
    server = NameServer([store, ZoneStore("example.org")], keys={DOMAIN: KEY, "example.org": OTHER_KEY}, clock=clock)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def open_server(store: ZoneStore) -> AsyncIterator[NameServer]:
    """One zone without a key."""
    server = NameServer([store])
    await server.start()
    yield server
    await server.stop()


def query(name: str = "api.example.com.", rrtype: str = "A", key: dns.tsig.Key | None = None) -> dns.message.Message:
    message = dns.message.make_query(name, rrtype)
    if key is not None:
        message.use_tsig(key)
    return message


def update(key: dns.tsig.Key | None = None, value: str = "192.0.2.7") -> dns.update.UpdateMessage:
    message = dns.update.UpdateMessage(DOMAIN)
    message.replace("api.example.com.", 60, "A", value)
    if key is not None:
        message.use_tsig(key)
    return message


async def udp(server: NameServer, message: dns.message.Message, timeout: float = 5.0) -> dns.message.Message:
    return await dns.asyncquery.udp(message, server.host, port=server.port, timeout=timeout)


async def tcp(server: NameServer, message: dns.message.Message, timeout: float = 5.0) -> dns.message.Message:
    return await dns.asyncquery.tcp(message, server.host, port=server.port, timeout=timeout)


async def transferred(server: NameServer, key: dns.tsig.Key | None = None) -> dns.zone.Zone:
    zone = dns.zone.Zone(DOMAIN, relativize=False)
    await dns.asyncquery.inbound_xfr(
        server.host, zone, query("example.com.", "AXFR", key), port=server.port, timeout=60
    )
    return zone


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


def address(store: ZoneStore) -> str:
    stored = store.get("api.example.com", "A")
    assert stored is not None
    return stored.values[0]


# --- signatures (the client checks those of the answers) ---


@pytest.mark.parametrize("send", [udp, tcp])
async def test_a_signed_update_is_applied_and_answered_signed(server: NameServer, store: ZoneStore, send) -> None:  # type: ignore[no-untyped-def]  # one of the two functions above
    response = await send(server, update(KEY))
    assert response.rcode() == dns.rcode.NOERROR
    assert response.had_tsig
    assert address(store) == "192.0.2.7"
    assert store.log[-1].by == "update detour"


async def test_a_signed_question_is_answered_signed(server: NameServer) -> None:
    response = await udp(server, query(key=KEY))
    assert response.had_tsig
    assert response.answer[0][0].address == "192.0.2.1"


async def test_an_unsigned_update_of_a_zone_with_a_key_is_refused(server: NameServer, store: ZoneStore) -> None:
    assert (await tcp(server, update())).rcode() == dns.rcode.REFUSED
    assert address(store) == "192.0.2.1"


async def test_the_key_of_another_zone_is_refused(server: NameServer, store: ZoneStore) -> None:
    response = await tcp(server, update(OTHER_KEY))
    assert (response.rcode(), response.had_tsig) == (dns.rcode.REFUSED, True)
    assert address(store) == "192.0.2.1"


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (dns.tsig.Key("nobody.", b"a secret of the tests", dns.tsig.HMAC_SHA256), dns.tsig.PeerBadKey),
        (dns.tsig.Key("detour.", b"a secret of the tests", dns.tsig.HMAC_SHA1), dns.tsig.PeerBadKey),
        (dns.tsig.Key("detour.", b"not the same secret", dns.tsig.HMAC_SHA256), dns.tsig.PeerBadSignature),
    ],
    ids=["unknown name", "another algorithm", "another secret"],
)
async def test_a_signature_that_does_not_hold_is_told_apart(
    server: NameServer, store: ZoneStore, key: dns.tsig.Key, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await tcp(server, update(key))
    assert address(store) == "192.0.2.1"


async def unchecked(server: NameServer, message: dns.message.Message) -> dns.message.Message:
    """Send `message` and return the answer without a look at its signature."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    wire = message.to_wire()
    writer.write(len(wire).to_bytes(2, "big") + wire)
    answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    writer.close()
    return dns.message.from_wire(answer, keyring=False)


async def test_a_key_that_nobody_knows_is_answered_notauth_without_a_signature(server: NameServer) -> None:
    response = await unchecked(server, query(key=dns.tsig.Key("nobody.", b"secret")))
    assert response.rcode() == dns.rcode.NOTAUTH
    assert (response.tsig_error, response.mac) == (dns.rcode.BADKEY, b"")


async def test_a_wrong_clock_is_told_the_servers_time_under_a_signature(server: NameServer, clock: Skewed) -> None:
    clock.seconds = 1000
    message = query(key=KEY)
    response = await unchecked(server, message)
    assert response.rcode() == dns.rcode.NOTAUTH
    assert response.tsig is not None
    assert message.tsig is not None
    answered, asked = response.tsig[0], message.tsig[0]
    assert answered.time_signed == asked.time_signed
    assert abs(int.from_bytes(answered.other, "big") - clock()) <= 5
    assert len(answered.mac) == 32


@pytest.mark.parametrize("seconds", [-360, 301])  # a server behind the client catches up while the request waits
async def test_clocks_more_than_five_minutes_apart_are_said_to_be_so(
    server: NameServer, store: ZoneStore, clock: Skewed, seconds: float
) -> None:
    clock.seconds = seconds
    with pytest.raises(dns.tsig.PeerBadTime):
        await tcp(server, update(KEY))
    assert address(store) == "192.0.2.1"


async def test_a_signed_datagram_leaves_room_for_its_signature(server: NameServer, store: ZoneStore) -> None:
    for length in range(300, 480, 10):
        text = f'"{"x" * 200}" "{"x" * (length - 200)}"'
        store.commit(added=[RecordSet("long.example.com", "TXT", 60, (text,))], by="test")
        response = await udp(server, query("long.example.com.", "TXT", KEY))
        assert response.had_tsig
        assert len(response.wire) <= 512


# --- transfers ---


async def test_a_transfer_holds_every_set_and_sees_the_newest_state(open_server: NameServer, store: ZoneStore) -> None:
    store.lag = 3600.0
    store.commit(added=[RecordSet("*.example.com", "TXT", 5, ('"a wildcard"',))], by="test")
    zone = await transferred(open_server)
    assert {(str(name), dns.rdatatype.to_text(each.rdtype)) for name, each in zone.iterate_rdatasets()} == {
        ("example.com.", "SOA"),
        ("example.com.", "NS"),
        ("api.example.com.", "A"),
        ("*.example.com.", "TXT"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("key", [None, KEY], ids=["unsigned", "signed"])
async def test_a_large_zone_is_transferred_in_many_messages(store: ZoneStore, key: dns.tsig.Key | None) -> None:
    store.commit(
        added=[RecordSet(f"record-{number}.example.com", "A", 60, ("192.0.2.1",)) for number in range(3000)], by="test"
    )
    server = NameServer([store], keys={} if key is None else {DOMAIN: key})
    await server.start()
    try:
        zone = await transferred(server, key)
    finally:
        await server.stop()
    assert sum(1 for _ in zone.iterate_rdatasets("A")) == 3001


@pytest.mark.parametrize("key", [None, OTHER_KEY], ids=["unsigned", "another zone's key"])
async def test_a_zone_with_a_key_is_transferred_only_to_those_who_sign_with_it(
    server: NameServer, key: dns.tsig.Key | None
) -> None:
    with pytest.raises(dns.xfr.TransferError) as refusal:
        await transferred(server, key)
    assert refusal.value.rcode == dns.rcode.REFUSED


async def test_a_transfer_by_datagram_is_a_format_error(open_server: NameServer) -> None:
    assert (await udp(open_server, query("example.com.", "AXFR"))).rcode() == dns.rcode.FORMERR


# --- connections ---


async def test_one_connection_carries_many_messages(open_server: NameServer) -> None:
    reader, writer = await asyncio.open_connection(open_server.host, open_server.port)
    messages = [query() for _ in range(100)]
    for message in messages:
        wire = message.to_wire()
        writer.write(len(wire).to_bytes(2, "big") + wire)
    for message in messages:
        answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        assert message.is_response(dns.message.from_wire(answer))
    writer.close()


@pytest.mark.parametrize(
    "wire",
    [b"", b"\0" * 11, b"\xff" * 40, b"\0\1\0\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1", b"\0\1\0\0" + b"\xff" * 8],
    ids=["empty", "short", "noise", "a pointer to itself", "counts beyond the end"],
)
async def test_garbage_is_survived(open_server: NameServer, wire: bytes) -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=(open_server.host, open_server.port)
    )
    transport.sendto(wire)
    transport.close()
    assert (await udp(open_server, query())).rcode() == dns.rcode.NOERROR


async def test_a_stopped_server_is_gone_and_comes_back_at_the_same_port(open_server: NameServer) -> None:
    reader, writer = await asyncio.open_connection(open_server.host, open_server.port)
    address = open_server.address
    await open_server.stop()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await reader.readexactly(1)
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await tcp(open_server, query())
    await open_server.start()
    assert open_server.address == address
    assert (await udp(open_server, query())).rcode() == dns.rcode.NOERROR


async def test_it_serves_ipv6(store: ZoneStore) -> None:
    server = NameServer({"any": store}, host="::1")
    await server.start()
    try:
        assert server.address == f"[::1]:{server.port}"
        assert (await udp(server, query())).answer
        assert (await tcp(server, query())).answer
    finally:
        await server.stop()


# --- faults ---


async def test_a_refusing_throttled_or_failing_server_applies_nothing(
    open_server: NameServer, store: ZoneStore
) -> None:
    for kind, rcode in ((FaultKind.SERVER_ERROR, dns.rcode.SERVFAIL), (FaultKind.THROTTLE, dns.rcode.REFUSED)):
        open_server.faults.inject(Fault(kind, operation="UPDATE", domain=DOMAIN, times=1))
        assert (await tcp(open_server, update())).rcode() == rcode
    assert address(store) == "192.0.2.1"
    assert (await tcp(open_server, update())).rcode() == dns.rcode.NOERROR


async def test_a_connection_reset_before_leaves_the_zone_as_it_was(open_server: NameServer, store: ZoneStore) -> None:
    open_server.faults.inject(Fault(FaultKind.RESET_BEFORE, operation="UPDATE"))
    with pytest.raises(CLOSED):
        await tcp(open_server, update())
    assert address(store) == "192.0.2.1"


async def test_a_connection_reset_after_has_applied_the_update(open_server: NameServer, store: ZoneStore) -> None:
    open_server.faults.inject(Fault(FaultKind.RESET_AFTER, operation="UPDATE"))
    with pytest.raises(CLOSED):
        await tcp(open_server, update())
    assert address(store) == "192.0.2.7"


async def test_a_late_update_is_applied_after_its_connection_broke(open_server: NameServer, store: ZoneStore) -> None:
    open_server.faults.inject(Fault(FaultKind.APPLY_LATE, operation="UPDATE", seconds=0.2))
    with pytest.raises(CLOSED):
        await tcp(open_server, update())
    assert address(store) == "192.0.2.1"
    await until(lambda: address(store) == "192.0.2.7")


async def test_a_slow_answer_comes_after_its_latency_and_delays_no_other(open_server: NameServer) -> None:
    fault = open_server.faults.inject(Fault(FaultKind.LATENCY, operation="QUERY", seconds=0.3, times=1))
    began = time.monotonic()
    slow = asyncio.ensure_future(udp(open_server, query()))
    await until(lambda: fault.times == 0)
    assert (await udp(open_server, query())).answer
    assert not slow.done()
    assert (await slow).answer
    assert time.monotonic() - began >= 0.3


async def test_a_datagram_can_go_unanswered(open_server: NameServer) -> None:
    fault = open_server.faults.inject(Fault(FaultKind.RESET_BEFORE, operation="QUERY"))
    with pytest.raises(dns.exception.Timeout):
        await udp(open_server, query(), timeout=0.2)
    open_server.faults.remove(fault)
    assert (await udp(open_server, query())).answer


async def test_a_hanging_answer_ends_with_the_server(open_server: NameServer, store: ZoneStore) -> None:
    open_server.faults.inject(Fault(FaultKind.LATENCY, operation="UPDATE", seconds=3600))
    hanging = asyncio.ensure_future(tcp(open_server, update(), timeout=60))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(hanging), 0.2)
    await open_server.stop()
    with pytest.raises(CLOSED):
        await hanging
    assert address(store) == "192.0.2.1"
