"""What the world sees: visible when every server agrees, suspicious when one does not."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from detour.enactment.asking import Answer, NoAnswerError, UnreachableError
from detour.enactment.periods import Periods
from detour.enactment.verification import LOOKS_AT_ONCE, LOOKS_WHILE_WRITING, SUSPICION_AFTER, Verifier
from detour.model.rrset import RRset, RRType, address_sets
from detour.twin.virtualtime import until

from .writer import API, ONE, SIX, TWO, a_set

AUDIT_PERIOD = Periods().audit
SERVERS = ("192.0.2.53:53", "192.0.2.54:53", "[2001:db8::53]:53")


class World:
    """Name servers that answer what they are told to, and a witness who writes down what was seen."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], tuple[str, ...]] = {}
        self.silent: set[str] = set()
        self.broken: Exception | None = None
        self.asked: list[tuple[float, str, str, str]] = []
        self.seen: list[tuple[str, float]] = []
        self.told: list[tuple[str, bool]] = []
        self.verifier = Verifier(ask=self.ask, clock=self.now, random=lambda: 0.5, witness=self)

    @staticmethod
    def now() -> float:
        return asyncio.get_running_loop().time()

    def show(self, *sets: RRset, servers: tuple[str, ...] = SERVERS) -> None:
        """Let these servers answer with these sets and nothing else."""
        for server in servers:
            for kind in RRType:
                self.answers.pop((server, kind.value), None)
            for each in sets:
                self.answers[server, each.type.value] = each.values

    async def ask(self, server: str, name: str, rrtype: str) -> Answer:
        self.asked.append((self.now(), server, name, rrtype))
        await asyncio.sleep(0.01)
        if self.broken is not None:
            raise self.broken
        if server in self.silent:
            raise NoAnswerError(f"{server} does not answer")
        return Answer(self.answers.get((server, rrtype), ()))

    def visible(self, hostname: str, at: float) -> None:
        self.seen.append((hostname, at))

    def differs(self, hostname: str, message: str, *, suspicious: bool) -> None:
        self.told.append((message, suspicious))

    def watch(self, *sets: RRset, changed: bool = True) -> None:
        absent = tuple(kind for kind in (RRType.A, RRType.AAAA) if kind not in {each.type for each in sets})
        self.verifier.watch(API, sets, absent, changed=changed)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    made.verifier.use(SERVERS)
    task = asyncio.create_task(made.verifier.run())
    yield made
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_change_is_visible_once_all_servers_show_it(world: World) -> None:
    world.show(a_set(API, ONE))
    world.watch(a_set(API, ONE))
    assert await until(lambda: world.seen, 5) < 0.2
    assert {server for _, server, _, _ in world.asked} == set(SERVERS)


@pytest.mark.parametrize("lagging", SERVERS)
async def test_one_lagging_server_is_enough_to_wait_for(world: World, lagging: str) -> None:
    world.show(a_set(API, TWO))
    world.show(a_set(API, ONE), servers=(lagging,))
    world.watch(a_set(API, TWO))
    await asyncio.sleep(4)
    assert not world.seen
    assert all(lagging in message for message, _ in world.told)
    world.show(a_set(API, TWO))
    await until(lambda: world.seen, 3)


async def test_an_error_of_ours_costs_a_name_one_look(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.show(a_set(API, ONE))
    world.broken = ZeroDivisionError("a defect")
    world.watch(a_set(API, ONE))
    await asyncio.sleep(1)
    assert not world.seen
    assert f"{API} could not be looked at" in caplog.text
    world.broken = None
    await until(lambda: world.seen, AUDIT_PERIOD + 1)


async def test_a_silent_server_is_not_taken_for_one_that_agrees(world: World) -> None:
    world.show(a_set(API, ONE))
    world.silent.add(SERVERS[1])
    world.watch(a_set(API, ONE))
    await asyncio.sleep(60)
    assert not world.seen


async def test_a_family_that_should_be_gone_is_asked_for_too(world: World) -> None:
    world.show(*address_sets(API, 30, (ONE, SIX)))
    world.watch(a_set(API, ONE))
    await asyncio.sleep(2)
    assert not world.seen
    assert SIX in world.told[0][0]
    world.show(a_set(API, ONE))
    await until(lambda: world.seen, 3)


@pytest.mark.parametrize(("asked", "told"), [(("LB.Example.NET.",), True), (("other.example.net.",), False)])
async def test_a_target_is_compared_as_a_name(world: World, asked: tuple[str, ...], told: bool) -> None:
    for server in SERVERS:
        world.answers[server, "CNAME"] = asked
    world.verifier.watch(API, (RRset(API, RRType.CNAME, 30, ("lb.example.net",)),), (), changed=True)
    await asyncio.sleep(1)
    assert bool(world.seen) is told


async def test_propagation_is_no_suspicion_until_it_takes_too_long(world: World) -> None:
    world.show(a_set(API, ONE))
    world.watch(a_set(API, TWO))
    await asyncio.sleep(SUSPICION_AFTER - 0.5)
    assert world.told
    assert not any(suspicious for _, suspicious in world.told)
    await asyncio.sleep(4)
    assert world.told[-1][1]


async def test_an_audit_finds_what_an_outsider_changed(world: World) -> None:
    world.show(a_set(API, ONE))
    world.watch(a_set(API, ONE))
    await until(lambda: world.seen, 1)
    world.show(a_set(API, "203.0.113.9"))
    await until(lambda: world.told, AUDIT_PERIOD + 1)
    message, suspicious = world.told[0]
    assert suspicious
    assert "203.0.113.9" in message
    assert API in message


async def test_an_audit_finds_an_emptied_name(world: World) -> None:
    world.show(a_set(API, ONE))
    world.watch(a_set(API, ONE), changed=False)
    world.show()
    await until(lambda: world.told, AUDIT_PERIOD + 1)
    assert world.told[0][1]
    assert "nothing" in world.told[0][0]


async def test_audits_ask_every_server_in_turn_and_no_more_than_due(world: World) -> None:
    world.show(a_set(API, ONE))
    world.watch(a_set(API, ONE), changed=False)
    await asyncio.sleep(10 * AUDIT_PERIOD)
    assert {server for _, server, _, _ in world.asked} == set(SERVERS)
    assert 9 * 2 <= len(world.asked) <= 11 * 2  # A and AAAA of one server each time
    assert not world.told


async def test_one_server_out_of_step_is_found_within_one_round_of_audits(world: World) -> None:
    world.show(a_set(API, ONE))
    world.watch(a_set(API, ONE), changed=False)
    world.show(a_set(API, TWO), servers=SERVERS[1:2])
    await until(lambda: world.told, AUDIT_PERIOD * (len(SERVERS) + 1))


async def test_the_newest_expectation_counts(world: World) -> None:
    world.show(a_set(API, ONE))
    world.watch(a_set(API, TWO))
    await asyncio.sleep(0.025)  # the question is under way
    world.watch(a_set(API, ONE))
    await until(lambda: world.seen, 1)
    assert len(world.seen) == 1
    await asyncio.sleep(60)
    assert not any(suspicious for _, suspicious in world.told)


async def test_an_answer_to_an_older_question_makes_nothing_visible(world: World) -> None:
    world.show(a_set(API, ONE))
    world.watch(a_set(API, ONE))
    await asyncio.sleep(0.025)  # the question is under way, and will find what was expected until now
    world.watch(a_set(API, TWO))
    await asyncio.sleep(2)
    assert not world.seen


async def test_a_forgotten_name_is_asked_for_no_more(world: World) -> None:
    world.show(a_set(API, ONE))
    world.watch(a_set(API, ONE))
    await until(lambda: world.seen, 1)
    world.verifier.forget(API)
    asked = len(world.asked)
    await asyncio.sleep(5 * AUDIT_PERIOD)
    assert len(world.asked) == asked


async def test_watching_the_same_again_does_not_start_over(world: World) -> None:
    world.show(a_set(API, ONE))
    world.watch(a_set(API, ONE))
    await until(lambda: world.seen, 1)
    asked = len(world.asked)
    for _ in range(50):
        world.watch(a_set(API, ONE), changed=False)
    await asyncio.sleep(1)
    assert len(world.asked) == asked


async def test_without_a_server_nothing_is_called_visible(world: World) -> None:
    world.verifier.use(())
    world.show(a_set(API, ONE))
    world.watch(a_set(API, ONE))
    await asyncio.sleep(10)
    assert not world.seen
    assert "no name server" in world.told[0][0]


async def test_audits_do_not_depend_on_the_processs_hash_seed(world: World) -> None:
    """Which server is asked first must not differ from run to run, or no seed reproduces a simulation."""
    world.show(a_set(API, ONE))
    world.watch(a_set(API, ONE), changed=False)
    await until(lambda: world.asked, AUDIT_PERIOD)
    assert world.asked[0][1] == SERVERS[0]


def unreachable(world: World, *servers: str) -> None:
    """Let this host have no route to these servers."""
    before = world.ask

    async def ask(server: str, name: str, rrtype: str) -> Answer:
        if server in servers:
            world.asked.append((world.now(), server, name, rrtype))
            raise UnreachableError(f"{server} cannot be reached from here (Network is unreachable)")
        return await before(server, name, rrtype)

    world.verifier = Verifier(ask=ask, clock=world.now, random=lambda: 0.5, witness=world)


@asynccontextmanager
async def running(world: World) -> AsyncIterator[World]:
    task = asyncio.create_task(world.verifier.run())
    try:
        yield world
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_family_without_a_route_keeps_no_name_from_being_visible() -> None:
    world = World()
    world.show(a_set(API, ONE))
    unreachable(world, SERVERS[2])
    world.verifier.use(SERVERS)
    async with running(world):
        world.watch(a_set(API, ONE))
        await until(lambda: world.seen, 1)
        assert any(SERVERS[2] in each for each in world.verifier.unreached)
        asked = len(world.asked)
        await asyncio.sleep(10 * AUDIT_PERIOD)
        assert not world.told
        assert sum(server == SERVERS[2] for _, server, _, _ in world.asked[asked:]) <= 10


async def test_a_server_that_can_be_reached_still_has_to_agree() -> None:
    world = World()
    world.show(a_set(API, TWO))
    world.show(a_set(API, ONE), servers=SERVERS[:1])
    unreachable(world, SERVERS[2])
    world.verifier.use(SERVERS)
    async with running(world):
        world.watch(a_set(API, TWO))
        await asyncio.sleep(60)
        assert not world.seen
        assert SERVERS[0] in world.told[-1][0]


async def test_with_no_route_to_any_server_nothing_is_visible_and_that_is_said() -> None:
    world = World()
    world.show(a_set(API, ONE))
    unreachable(world, *SERVERS)
    world.verifier.use(SERVERS)
    async with running(world):
        world.watch(a_set(API, ONE))
        await asyncio.sleep(60)
        assert not world.seen
        assert "can be reached from here" in world.told[-1][0]


async def test_one_server_reached_at_one_of_its_addresses_has_shown_what_it_holds(world: World) -> None:
    world.show(a_set(API, ONE))
    world.silent = {SERVERS[2]}
    hosts = {SERVERS[0]: "ns1", SERVERS[1]: "ns2", SERVERS[2]: "ns2"}
    world.verifier.use(SERVERS, hosts)
    world.watch(a_set(API, ONE))
    await until(lambda: world.seen, 1)
    assert any(SERVERS[2] in each for each in world.verifier.unreached)
    world.show(a_set(API, TWO), servers=SERVERS[1:2])  # its other address still counts
    await until(lambda: world.told, AUDIT_PERIOD * 3)


async def test_a_server_silent_at_all_its_addresses_does_not_agree(world: World) -> None:
    world.show(a_set(API, ONE))
    world.silent = set(SERVERS[1:])
    world.verifier.use(SERVERS, {SERVERS[1]: "ns2", SERVERS[2]: "ns2"})
    world.watch(a_set(API, ONE))
    await asyncio.sleep(60)
    assert not world.seen


class Looking(World):
    """A witness who reads through the API whenever the verifier says that it is time to."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[float] = []

    def differs(self, hostname: str, message: str, *, suspicious: bool) -> None:
        super().differs(hostname, message, suspicious=suspicious)
        if suspicious and self.verifier.look_into(hostname):
            self.looks.append(self.now())


async def test_a_difference_that_stays_is_looked_into_ever_more_rarely() -> None:
    for lagging in (True, False):
        world = Looking()
        world.show(a_set(API, TWO))
        if lagging:
            world.show(a_set(API, ONE), servers=SERVERS[1:2])
        else:
            world.silent = {SERVERS[1]}
        world.verifier.use(SERVERS)
        async with running(world):
            world.watch(a_set(API, TWO))
            await asyncio.sleep(3600)
        gaps = [round(after - before) for before, after in itertools.pairwise(world.looks)]
        assert len(world.looks) <= 10
        assert gaps[0] >= 60
        assert all(after >= before - 30 for before, after in itertools.pairwise(gaps))
        assert gaps[-1] >= 600


async def test_another_difference_is_looked_into_at_once_though_one_server_is_silent_for_long() -> None:
    world = Looking()
    world.show(a_set(API, ONE))
    world.silent = {SERVERS[1]}
    world.verifier.use(SERVERS)
    async with running(world):
        world.watch(a_set(API, ONE))
        await asyncio.sleep(1800)
        for _ in range(3):
            looks = len(world.looks)
            world.show(a_set(API, "203.0.113.9"))
            await asyncio.sleep(AUDIT_PERIOD + 5)
            assert len(world.looks) == looks + 1
            world.show(a_set(API, ONE))
            await asyncio.sleep(AUDIT_PERIOD + 5)


async def test_what_differs_after_a_write_is_news_also_where_it_looks_as_before() -> None:
    world = Looking()
    world.show(a_set(API, TWO))
    world.verifier.use(SERVERS)
    async with running(world):
        world.watch(a_set(API, ONE))
        await until(lambda: world.looks, 30)
        world.verifier.wrote(API)
        await until(lambda: len(world.looks) > 1, SUSPICION_AFTER + 3)


class Cache(World):
    """Servers whose answers carry a TTL: `ttl` as a function of the time since the start, in seconds."""

    def __init__(self, ttl: Callable[[float], int]) -> None:
        super().__init__()
        self._ttl = ttl
        self._began_at = self.now()

    async def ask(self, server: str, name: str, rrtype: str) -> Answer:
        found = await super().ask(server, name, rrtype)
        return Answer(found.values, self._ttl(self.now() - self._began_at)) if found.values else found


async def test_ttls_that_run_down_in_a_cache_are_no_difference() -> None:
    world = Cache(lambda seconds: 30 - int(seconds) % 30)
    world.show(a_set(API, ONE))
    world.verifier.use(SERVERS[:1])
    async with running(world):
        await asyncio.sleep(7)
        world.watch(a_set(API, ONE))
        await until(lambda: world.seen, 5)
        await asyncio.sleep(20 * AUDIT_PERIOD)
    assert not any(suspicious for _, suspicious in world.told)


@pytest.mark.parametrize("ttl", [20, 60])
async def test_a_ttl_that_is_another_one_and_stays_it_was_changed(ttl: int) -> None:
    world = Cache(lambda seconds: ttl if seconds > 10 else 30)
    world.show(a_set(API, ONE))
    world.verifier.use(SERVERS)
    async with running(world):
        world.watch(a_set(API, ONE))
        await until(lambda: world.seen, 5)
        await until(lambda: any(suspicious for _, suspicious in world.told), AUDIT_PERIOD * 2 + SUSPICION_AFTER + 5)
    assert f"TTL of {ttl} s" in world.told[-1][0]


async def test_a_text_cut_into_several_strings_is_the_same_text(world: World) -> None:
    text = RRset(f"_detour.{API}", RRType.TXT, 300, ("detour/1 " + "x" * 300,))
    world.show(a_set(API, ONE), text)
    for server in SERVERS:
        world.answers[server, "TXT"] = (f'"{text.values[0][:255]}" "{text.values[0][255:]}"',)
    world.watch(a_set(API, ONE), text)
    await until(lambda: world.seen, 1)


# -- at what pace ------------------------------------------------------------------------------------------------------


class Slow:
    """A pace by which each name is looked at every ten minutes, and none before `closed_until`."""

    closed_until = 0.0

    def period(self, names: int) -> float:
        return 600.0 * names

    def delay(self) -> float:
        return max(0.0, self.closed_until - World.now())


@asynccontextmanager
async def paced() -> AsyncIterator[tuple[World, Slow]]:
    world, pace = World(), Slow()
    world.show(a_set(API, ONE))
    world.verifier = Verifier(ask=world.ask, clock=world.now, random=lambda: 0.5, witness=world, pace=pace)
    world.verifier.use(SERVERS)
    async with running(world):
        yield world, pace


async def test_names_that_stand_as_they_should_are_looked_at_by_the_pace() -> None:
    async with paced() as (world, _):
        world.watch(a_set(API, ONE), changed=False)
        await asyncio.sleep(3000)
        times = sorted({round(at) for at, *_ in world.asked})
        assert len(times) == 5
        assert times[1] - times[0] == pytest.approx(600, abs=1)


async def test_what_was_written_is_looked_at_whatever_the_pace_says() -> None:
    async with paced() as (world, pace):
        pace.closed_until = world.now() + 10_000
        world.watch(a_set(API, ONE))
        await until(lambda: world.seen, within=1)
        asked = len(world.asked)
        await asyncio.sleep(5_000)
        assert len(world.asked) == asked, "and not again"
        world.watch(a_set(API, TWO))
        await asyncio.sleep(20)
        assert any(suspicious for _, suspicious in world.told)


async def test_an_audit_that_may_not_be_made_yet_keeps_no_other_look_waiting() -> None:
    async with paced() as (world, pace):
        world.watch(a_set(API, ONE), changed=False)
        pace.closed_until = world.now() + 5_000
        await asyncio.sleep(1_000)  # it is due by now
        world.verifier.watch(f"www.{API}", (a_set(f"www.{API}", ONE),), (), changed=True)
        await until(lambda: world.seen, within=1)
        assert [name for name, _ in world.seen] == [f"www.{API}"]
        await until(lambda: len(world.seen) > 1, within=5_000)


async def test_the_oldest_look_is_that_of_the_name_that_waits_the_longest() -> None:
    async with paced() as (world, _):
        assert world.verifier.oldest_look is None
        began = world.now()
        world.watch(a_set(API, ONE), changed=False)
        await asyncio.sleep(100)
        world.verifier.watch(f"www.{API}", (a_set(f"www.{API}", ONE),), (), changed=False)
        assert world.verifier.oldest_look == pytest.approx(began, abs=1)
        world.verifier.forget(API)
        assert world.verifier.oldest_look == pytest.approx(began + 100, abs=1)


async def test_while_many_names_wait_to_be_written_few_are_looked_at(world: World) -> None:
    busy, names = [True], [f"n{number}.example.org" for number in range(50)]
    verifier = Verifier(ask=world.ask, clock=world.now, random=lambda: 0.5, witness=world, is_busy=lambda: busy[0])
    verifier.use(SERVERS[:1])
    task = asyncio.create_task(verifier.run())
    world.show(a_set(API, ONE))
    for name in names:
        verifier.watch(name, (a_set(name, ONE),), (), changed=True)
    await asyncio.sleep(0.025)
    assert len(world.asked) == LOOKS_WHILE_WRITING
    assert await until(lambda: len(world.seen) == len(names), 2) > 0.05, "a few at a time, and all of them"
    busy[0] = False
    for name in names:
        verifier.wrote(name)
    await asyncio.sleep(0.025)
    assert len(world.asked) == 2 * len(names)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_thousands_of_looks_do_not_begin_in_one_go(world: World) -> None:
    names = [f"n{number}.example.org" for number in range(1_000)]
    verifier = Verifier(ask=world.ask, clock=world.now, random=lambda: 0.5, witness=world)
    verifier.use(SERVERS[:1])
    task = asyncio.create_task(verifier.run())
    world.show(a_set(API, ONE))
    before = len(asyncio.all_tasks())
    for name in names:
        verifier.watch(name, (a_set(name, ONE),), (), changed=True)
    most = 0
    while len(world.seen) < len(names):
        most = max(most, len(asyncio.all_tasks()) - before)
        await asyncio.sleep(0.005)
    assert LOOKS_AT_ONCE / 2 < most <= 2 * LOOKS_AT_ONCE + 8, "each look asks in a task of its own"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
