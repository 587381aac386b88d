"""What a record's readiness and the provider's API see of name servers that are slow, silent or out of reach."""

import asyncio
from collections.abc import Callable

import pytest

from detour.enactment.asking import Answer, NoAnswerError, UnreachableError
from detour.enactment.contract import ZoneFacts
from detour_simulation.memoryzone import MemoryProvider

from .gating import CALM, EAST, WEST, ready, record
from .objects import dns_zone
from .world import Clouds, World

Boot = Callable[..., World]
NUMBER = 6
NAMES = tuple(f"r{n}" for n in range(NUMBER))


@pytest.fixture(autouse=True)
def servers_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the provider assign host names, each with an address in either family, as the clouds do."""

    async def describe(self: MemoryProvider) -> ZoneFacts:
        return ZoneFacts("zone-1", ("ns1.lab.example", "ns2.lab.example"), 60)

    async def look_up(self: World, hostname: str) -> tuple[str, ...]:
        number = hostname[2]
        return (f"192.0.2.5{number}", f"2001:db8::5{number}")

    monkeypatch.setattr(MemoryProvider, "describe", describe)
    monkeypatch.setattr(World, "_look_up", look_up)


def failing(monkeypatch: pytest.MonkeyPatch, error: type[NoAnswerError], *places: str) -> None:
    """Let questions to servers whose address begins so fail."""
    before = World._ask

    async def ask(self: World, server: str, name: str, rrtype: str) -> Answer:
        if server.startswith(places):
            raise error(f"{server} cannot be reached from here (Network is unreachable)")
        return await before(self, server, name, rrtype)

    monkeypatch.setattr(World, "_ask", ask)


def records(number: int = NUMBER) -> list[dict[str, object]]:
    return [record(f"r{n}", (EAST, f"10.0.0.{n + 1}", 1), (WEST, f"10.1.0.{n + 1}", 2)) for n in range(number)]


def reads(clouds: Clouds) -> int:
    return sum(len(each.name_reads) for each in clouds.providers)


@pytest.mark.parametrize("error", [UnreachableError, NoAnswerError], ids=["no route", "silence"])
async def test_records_are_ready_in_a_cluster_without_ipv6_and_say_what_was_not_reached(
    boot: Boot, clouds: Clouds, monkeypatch: pytest.MonkeyPatch, error: type[NoAnswerError]
) -> None:
    failing(monkeypatch, error, "[")
    world = boot(dns_zone(), *records())
    await world.until(lambda: ready(world, *NAMES), within=120)
    before = reads(clouds)
    await asyncio.sleep(600)
    assert ready(world, *NAMES)
    assert reads(clouds) == before
    assert "2001:db8::51" in world.api.status(NAMES[0])["zones"][0]["message"]


async def test_a_server_that_is_silent_at_all_its_addresses_keeps_names_from_being_ready_and_the_api_is_spared(
    boot: Boot, clouds: Clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, NoAnswerError, "192.0.2.51", "[2001:db8::51")
    world = boot(dns_zone(), *records())
    await asyncio.sleep(120)
    assert not any(ready(world, each) for each in NAMES)
    before = reads(clouds)
    await asyncio.sleep(1800)
    assert reads(clouds) - before < 6 * NUMBER
    assert not any(ready(world, each) for each in NAMES)


@pytest.mark.slow
async def test_a_propagation_that_takes_a_while_does_not_use_up_the_apis_quota(
    boot: Boot, clouds: Clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Route 53 takes up to a minute to show a change: one look through the API tells that it is made."""
    lag, number = 45.0, 60
    shown: dict[tuple[str, str], Answer] = {}
    changed_at: dict[tuple[str, str, Answer], float] = {}
    before = Clouds.ask

    async def ask(self: Clouds, server: str, name: str, rrtype: str) -> Answer:
        now = await before(self, server, name, rrtype)
        old = shown.setdefault((name, rrtype), now)
        time = asyncio.get_running_loop().time()
        if old != now and time - changed_at.setdefault((name, rrtype, now), time) < lag:
            return old
        shown[name, rrtype] = now
        return now

    monkeypatch.setattr(Clouds, "ask", ask)
    world = boot(dns_zone(**CALM), *records(number))
    await world.until(lambda: all(ready(world, f"r{n}") for n in range(number)), within=300)
    world.down = {f"10.0.0.{n + 1}" for n in range(number)}
    moved = {f"10.1.0.{n + 1}" for n in range(number)}
    await world.until(
        lambda: {each for n in range(number) for each in world.answers(f"r{n}.example.org")} == moved, within=120
    )
    asked = len(clouds.providers[-1].name_reads)
    await asyncio.sleep(60)
    looked = [names for _, names in clouds.providers[-1].name_reads[asked:]]
    assert sum(f"r{n}.example.org" in names for names in looked for n in range(number)) <= number
    await world.until(lambda: all(ready(world, f"r{n}") for n in range(number)), within=60)
