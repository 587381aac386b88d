"""A zone's name servers: who they are, what they say of another site's ledger, and what their silence means."""

import asyncio

import pytest

from detour.checks.resolver import Delegation
from detour.enactment.asking import Answer, NoAnswerError, UnreachableError
from detour.enactment.leadership import SOLE_LEADER
from detour.enactment.ledger import Ledger
from detour.enactment.sites import Site
from detour.enactment.takeover import Takeover
from detour.engine.nameservers import DELEGATION_RETRY, LOOK_UP_PERIOD, LOOK_UP_RETRY, NOT_YET, NameServers
from detour.model.generation import Generation

DOMAIN, NAME = "example.org", "production._detour.example.org"
FIRST, SECOND = "192.0.2.53:53", "192.0.2.54:53"


class World:
    """Name servers by address: what each answers, or nothing; and the addresses of host names."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.delegation: Delegation | None = Delegation(("ns1.example.net",), is_signed=False)
        self.addresses: dict[str, tuple[str, ...]] = {}
        self.unroutable: set[str] = set()
        self.asked: list[str] = []
        self.by_system: dict[str, tuple[str, ...]] = {}
        self.servers = NameServers(
            ask=self._ask,
            look_up=self._look_up,
            delegation_of=self._delegation_of,
            look_up_by_system=self._look_up_by_system,
        )

    async def _ask(self, server: str, name: str, rrtype: str) -> Answer:
        if server in self.unroutable:
            raise UnreachableError(f"{server} cannot be reached from here")
        self.asked.append(server)
        if server not in self.answers:
            await asyncio.sleep(2.0)
            raise NoAnswerError(f"{server} does not answer")
        await asyncio.sleep(0.001)
        return self.answers[server]

    async def _look_up(self, hostname: str) -> tuple[str, ...]:
        return self.addresses.get(hostname, ())

    async def _look_up_by_system(self, hostname: str) -> tuple[str, ...]:
        return self.by_system.get(hostname, ())

    async def _delegation_of(self, domain: str) -> Delegation | None:
        return self.delegation


def ledger(sequence: int, *, site: str = "there") -> Ledger:
    return Ledger(site, "feed", Generation(9, sequence), 20)


def shown(found: Ledger) -> Answer:
    return Answer((f'"{found.text()}"',), 5)


def standby() -> Takeover:
    """Return the precedence of a standby that has read ledger (9, 5) of the site `there`."""
    clock = asyncio.get_running_loop().time
    takeover = Takeover(
        owner="production", domain=DOMAIN, site=Site("here", 0, 20.0, 90.0), leadership=SOLE_LEADER, clock=clock
    )
    assert takeover.judge(ledger(5).rrset("production", DOMAIN), is_fresh=False, was_ours=False) is not None
    return takeover


async def both(world: World) -> World:
    await world.servers.refresh(DOMAIN, declared=(FIRST, SECOND), assigned=())
    return world


async def test_servers_that_a_person_declared_replace_those_of_the_provider() -> None:
    world = World()
    assert await world.servers.refresh(DOMAIN, declared=(FIRST,), assigned=("ns1.example.net",)) == LOOK_UP_PERIOD
    assert world.servers.servers == (FIRST,)


async def test_where_the_world_is_sent_is_asked_again_soon_while_nobody_tells() -> None:
    world = World()
    world.delegation = None
    assert await world.servers.refresh(DOMAIN, declared=(FIRST,), assigned=("ns1.example.net",)) == DELEGATION_RETRY
    assert await world.servers.refresh(DOMAIN, declared=(FIRST,), assigned=(SECOND,)) == LOOK_UP_PERIOD


async def test_servers_by_name_are_looked_up_in_both_families() -> None:
    world = World()
    world.addresses = {"ns1.example.net": ("192.0.2.53", "2001:db8::53")}
    await world.servers.refresh(DOMAIN, declared=(), assigned=("ns1.example.net",))
    assert world.servers.servers == ("192.0.2.53:53", "[2001:db8::53]:53")


async def test_a_look_up_that_fails_keeps_the_servers_and_is_repeated_soon() -> None:
    world = World()
    world.addresses = {"ns1.example.net": ("192.0.2.53",)}
    await world.servers.refresh(DOMAIN, declared=(), assigned=("ns1.example.net",))
    world.addresses = {}
    assert await world.servers.refresh(DOMAIN, declared=(), assigned=("ns1.example.net",)) == LOOK_UP_RETRY
    assert world.servers.servers == ("192.0.2.53:53",)
    assert await world.servers.refresh(DOMAIN, declared=(), assigned=()) == NOT_YET


async def test_one_server_that_answers_is_enough_to_see() -> None:
    world = await both(World())
    assert not await world.servers.any_answers(DOMAIN)
    world.answers = {SECOND: Answer(("present",))}
    assert await world.servers.any_answers(DOMAIN)


async def test_a_dead_server_does_not_keep_a_living_one_from_clearing_the_vantage() -> None:
    world = await both(World())
    world.answers = {SECOND: Answer(("present",))}
    began = asyncio.get_running_loop().time()
    assert await world.servers.any_answers(DOMAIN)
    assert asyncio.get_running_loop().time() - began < 0.5


async def test_the_newest_ledger_that_any_server_shows_counts() -> None:
    for answers in ({FIRST: ledger(7), SECOND: ledger(6)}, {FIRST: ledger(6), SECOND: ledger(7)}):
        world, takeover = await both(World()), standby()
        world.answers = {server: shown(each) for server, each in answers.items()}
        await asyncio.sleep(10)
        await world.servers.watch_ledger(NAME, takeover)
        assert takeover.watched == ledger(7)
        assert takeover.moved_at == pytest.approx(asyncio.get_running_loop().time(), abs=0.1)


async def test_silence_and_empty_answers_are_no_news_of_another_site() -> None:
    world, takeover = await both(World()), standby()
    seen_at = takeover.seen_at
    world.answers = {SECOND: Answer()}
    for _ in range(100):
        await asyncio.sleep(5)
        await world.servers.watch_ledger(NAME, takeover)
    assert takeover.seen_at == seen_at
    assert takeover.watched == ledger(5)


async def test_what_is_no_ledger_is_no_news_of_another_site() -> None:
    world, takeover = await both(World()), standby()
    seen_at = takeover.seen_at
    await asyncio.sleep(5)
    for values in (('"garbage"',), (f'"{ledger(8).text()}"', f'"{ledger(9).text()}"'), ('""',)):
        world.answers = {FIRST: Answer(values), SECOND: Answer(values)}
        await world.servers.watch_ledger(NAME, takeover)
    assert takeover.seen_at == seen_at


async def test_a_server_that_lags_behind_for_ever_does_not_renew_what_another_no_longer_shows() -> None:
    world, takeover = await both(World()), standby()
    world.answers = {FIRST: shown(ledger(5)), SECOND: shown(ledger(8))}
    await world.servers.watch_ledger(NAME, takeover)
    await asyncio.sleep(30)
    world.answers = {FIRST: shown(ledger(5))}
    seen_at = takeover.seen_at
    await world.servers.watch_ledger(NAME, takeover)
    assert takeover.watched == ledger(8)
    assert takeover.seen_at == seen_at


async def test_our_own_ledger_is_asked_for_at_one_server_after_the_other() -> None:
    world = await both(World())
    world.answers = {FIRST: shown(ledger(5)), SECOND: Answer()}
    found = [await world.servers.shown_ledger(NAME) for _ in range(4)]
    assert sorted(set(world.asked)) == [FIRST, SECOND]
    assert {each for each in found if each is not None} == {(FIRST, ledger(5)), (SECOND, None)}


async def test_a_server_that_is_silent_says_nothing_of_our_ledger() -> None:
    world = await both(World())
    assert await world.servers.shown_ledger(NAME) is None
    assert await World().servers.shown_ledger(NAME) is None


async def test_a_server_named_with_its_port_is_looked_up_and_keeps_the_port() -> None:
    world = World()
    world.addresses = {"primary.example.net": ("192.0.2.53", "2001:db8::53")}
    await world.servers.refresh(DOMAIN, declared=(), assigned=("primary.example.net:5353",))
    assert world.servers.servers == ("192.0.2.53:5353", "[2001:db8::53]:5353")
    assert set(world.servers.hosts.values()) == {"primary.example.net:5353"}


async def test_a_name_that_only_the_system_knows_is_found_as_well() -> None:
    world = World()
    world.by_system = {"primary.dns.svc": ("192.0.2.53",)}
    await world.servers.refresh(DOMAIN, declared=(), assigned=("primary.dns.svc:5353",))
    assert world.servers.servers == ("192.0.2.53:5353",)


async def test_our_ledger_is_asked_for_where_there_is_a_route() -> None:
    world = await both(World())
    world.answers = {SECOND: shown(ledger(5))}
    world.unroutable = {FIRST}
    assert [await world.servers.shown_ledger(NAME) for _ in range(3)] == [(SECOND, ledger(5))] * 3
    world.unroutable = {FIRST, SECOND}
    assert await world.servers.shown_ledger(NAME) is None
