"""The sampler: it sees every answer, tells empty from wrong and silence from both, and costs little."""

import asyncio
import resource
import time
from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio

from detour_lab.dns.nameserver import NameServer
from detour_lab.dns.sampling import Outcome, Question, Sampler, Sighting
from detour_lab.faults import Fault, FaultKind
from detour_lab.zones.store import RecordSet, ZoneStore

NAME = "www.example.com"
QUESTION = Question(NAME)
OLD, NEW = "192.0.2.1", "192.0.2.2"
WAIT = 10.0  # seconds before a test gives up on what it awaits
INTERVAL = 0.002  # ten times as often as usual, so that tests are short


@pytest.fixture
def store() -> ZoneStore:
    zone = ZoneStore("example.com")
    put(zone, OLD)
    return zone


@pytest_asyncio.fixture
async def server(store: ZoneStore) -> AsyncIterator[NameServer]:
    started = NameServer([store])
    await started.start()
    yield started
    await started.stop()


def put(store: ZoneStore, *values: str, name: str = NAME, rrtype: str = "A") -> None:
    store.commit(added=[RecordSet(name, rrtype, 30, values)], by="test")


def sampler(server: NameServer, *questions: Question, timeout: float = 1.0) -> Sampler:
    return Sampler({"one": server.address}, questions or [QUESTION], interval=INTERVAL, timeout=timeout)


async def counted(watching: Sampler, outcome: Outcome, at_least: int = 1) -> None:
    """Wait until so many answers of a kind were counted."""

    def count() -> int:
        return sum(each.count for each in watching.sightings() if each.answer.outcome is outcome)

    assert await watching.until(lambda: count() >= at_least, WAIT), f"{count()} instead of {at_least}"


async def missed(watching: Sampler, at_least: int = 5) -> None:
    """Wait until so many questions went without an answer."""
    assert await watching.until(lambda: watching.tally.unanswered >= at_least, WAIT)


async def test_it_sees_the_answer_and_each_change_of_it(server: NameServer, store: ZoneStore) -> None:
    async with sampler(server) as watching:
        assert await watching.until(lambda: watching.shown("one", NAME) == {OLD}, WAIT)
        put(store, NEW)
        assert await watching.until(lambda: watching.shown("one", NAME) == {NEW}, WAIT)
    seen = watching.sightings("one", NAME)
    assert [set(each.answer.values) for each in seen] == [{OLD}, {NEW}]
    assert seen[0].last_at <= seen[1].first_at


async def test_equal_answers_are_one_sighting_with_a_count(server: NameServer) -> None:
    async with sampler(server) as watching:
        await counted(watching, Outcome.ANSWER, 20)
    (seen,) = watching.sightings()
    assert seen.count >= 20
    assert seen.first_at < seen.last_at
    assert watching.tally.answers == seen.count


async def test_the_order_of_values_is_no_change(server: NameServer, store: ZoneStore) -> None:
    put(store, OLD, NEW)
    async with sampler(server) as watching:
        await counted(watching, Outcome.ANSWER, 3)
        put(store, NEW, OLD)
        await counted(watching, Outcome.ANSWER, 10)
    assert len(watching.sightings()) == 1


async def test_it_tells_a_missing_name_and_a_missing_type_as_empty(server: NameServer) -> None:
    missing, other_type = Question("no.example.com"), Question(NAME, "AAAA")
    async with sampler(server, missing, other_type) as watching:
        await watching.until(lambda: len(watching.empty_answers()) == 2, WAIT)
    codes = {each.question: each.answer.code for each in watching.empty_answers()}
    assert codes == {missing: "NXDOMAIN", other_type: "NOERROR"}
    assert watching.tally.empty == sum(each.count for each in watching.empty_answers())
    assert watching.tally.answers == 0


async def test_an_answer_that_is_empty_for_a_moment_is_not_missed(server: NameServer, store: ZoneStore) -> None:
    async with sampler(server) as watching:
        await counted(watching, Outcome.ANSWER)
        store.commit(removed=[(NAME, "A")], by="test")
        await counted(watching, Outcome.EMPTY)
        put(store, OLD)
        assert await watching.until(lambda: watching.shown("one", NAME) == {OLD}, WAIT)
    assert [each.answer.outcome for each in watching.sightings()] == [Outcome.ANSWER, Outcome.EMPTY, Outcome.ANSWER]


async def test_values_that_nobody_allowed_are_wrong(server: NameServer, store: ZoneStore) -> None:
    async with sampler(server) as watching:
        await counted(watching, Outcome.ANSWER)
        put(store, "203.0.113.66")
        await watching.until(lambda: "203.0.113.66" in watching.shown("one", NAME), WAIT)
    allowed = {("one", NAME): [{OLD}, {NEW}]}
    (wrong,) = watching.wrong_answers(allowed)
    assert wrong.answer.values == {"203.0.113.66"}
    assert "203.0.113.66" in str(wrong)
    allowed["one", NAME].append({"203.0.113.66"})
    assert watching.wrong_answers(allowed) == []


async def test_a_part_of_an_allowed_set_is_wrong(server: NameServer) -> None:
    async with sampler(server) as watching:
        await counted(watching, Outcome.ANSWER)
    assert len(watching.wrong_answers({("one", NAME): [{OLD, NEW}]})) == 1


async def test_a_place_without_allowed_sets_cannot_be_judged(server: NameServer) -> None:
    async with sampler(server) as watching:
        await counted(watching, Outcome.ANSWER)
    with pytest.raises(KeyError):
        watching.wrong_answers({("one", "other.example.com"): [{OLD}]})


async def test_silence_is_counted_apart(server: NameServer) -> None:
    server.faults.inject(Fault(FaultKind.RESET_BEFORE))
    async with sampler(server, timeout=0.02) as watching:
        await missed(watching)
    assert watching.sightings() == []


async def test_a_server_that_is_gone_is_silent_and_is_seen_again(server: NameServer, store: ZoneStore) -> None:
    async with sampler(server, timeout=0.02) as watching:
        await counted(watching, Outcome.ANSWER)
        await server.stop()
        await missed(watching)
        put(store, NEW)
        await server.start()
        assert await watching.until(lambda: watching.shown("one", NAME) == {NEW}, WAIT)


async def test_a_failing_server_is_neither_empty_nor_wrong(server: NameServer) -> None:
    server.faults.inject(Fault(FaultKind.SERVER_ERROR))
    async with sampler(server) as watching:
        await counted(watching, Outcome.FAILED)
    assert {each.answer.code for each in watching.sightings()} == {"SERVFAIL"}
    assert watching.empty_answers() == watching.wrong_answers({("one", NAME): []}) == []


async def test_what_was_before_begin_does_not_count(server: NameServer, store: ZoneStore) -> None:
    store.commit(removed=[(NAME, "A")], by="test")
    async with sampler(server) as watching:
        await counted(watching, Outcome.EMPTY)
        put(store, OLD)
        await watching.until(lambda: watching.shown("one", NAME) == {OLD}, WAIT)
        watching.begin()
        assert watching.shown("one", NAME) == {OLD}
        assert (watching.tally.answers, watching.tally.empty, watching.empty_answers()) == (0, 0, [])
        await counted(watching, Outcome.ANSWER)


async def test_it_tells_when_a_set_was_first_shown(server: NameServer, store: ZoneStore) -> None:
    async with sampler(server) as watching:
        await counted(watching, Outcome.ANSWER)
        changed_at = time.monotonic()
        put(store, NEW)
        await watching.until(lambda: watching.shown("one", NAME) == {NEW}, WAIT)
    shown_at = watching.first_shown("one", NAME, [NEW])
    assert shown_at is not None
    assert changed_at <= shown_at <= time.monotonic()
    assert watching.first_shown("one", NAME, [OLD], since=changed_at) is None


async def test_changes_are_told_as_they_happen(server: NameServer) -> None:
    told: list[Sighting] = []
    async with Sampler({"one": server.address}, [QUESTION], interval=INTERVAL, on_change=told.append) as watching:
        await counted(watching, Outcome.ANSWER, 5)
    assert [set(each.answer.values) for each in told] == [{OLD}]


async def test_a_cname_is_an_answer(server: NameServer, store: ZoneStore) -> None:
    put(store, "LB.example.net.", name="alias.example.com", rrtype="CNAME")
    async with sampler(server, Question("alias.example.com", "CNAME")) as watching:
        await counted(watching, Outcome.ANSWER)
    assert watching.shown("one", "alias.example.com", "CNAME") == {"lb.example.net"}


async def test_waiting_for_what_never_comes_ends(server: NameServer) -> None:
    async with sampler(server) as watching:
        assert not await watching.until(lambda: watching.shown("one", NAME) == {NEW}, 0.05)


async def test_four_servers_and_five_names_take_little_of_a_core() -> None:
    """The echoes stand for servers in processes of their own: they cost next to nothing here."""
    loop = asyncio.get_running_loop()
    echoes = [await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0)) for _ in range(4)]
    servers = {str(place): f"127.0.0.1:{each[0].get_extra_info('sockname')[1]}" for place, each in enumerate(echoes)}
    questions = [Question(f"{label}.example.com") for label in "abcde"]
    try:
        async with Sampler(servers, questions) as watching:
            await counted(watching, Outcome.EMPTY)
            watching.begin()
            before = processor_seconds()
            await counted(watching, Outcome.EMPTY, 1000)
            used = processor_seconds() - before
    finally:
        for transport, _ in echoes:
            transport.close()
    assert used < 1.5, "1,000 answers are one second of sampling; it takes 0.2 s where nothing runs beside it"


class Echo(asyncio.DatagramProtocol):
    """Answers each question with itself: NOERROR, and nothing in it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data[:2] + b"\x84" + data[3:], addr)


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
