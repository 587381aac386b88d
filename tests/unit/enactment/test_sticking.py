"""A server that takes a write and keeps something else is found out, spared, and never called somebody's edit."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from detour.enactment.contract import Batch, Change, StoredSet, ZoneContents
from detour.enactment.sticking import FIRST_PAUSE, LONGEST_PAUSE, TRIES, Sticking
from detour.model.rrset import RRset
from detour_simulation.memoryzone import MemoryProvider, MemoryZone

from .writer import API, ONE, TWO, Writer, a_set, wish

Start = Callable[..., Writer]
LONG, SHORT = (a_set(API, ONE, ttl=7200),), (a_set(API, ONE, ttl=3600),)
OTHER = (a_set(API, TWO),)


class WilfulZone(MemoryZone):
    """A zone that stores of each set at one name what its policy makes of it, and compares no TTLs."""

    def __init__(self, policy: Callable[[RRset], RRset]) -> None:
        super().__init__()
        self.policy = policy

    def keep(self, rrset: RRset) -> None:
        super().keep(self.policy(rrset) if rrset.name == API else rrset)

    def holds(self, change: Change) -> bool:
        stored = self.sets.get(change.key)
        values = change.old.rrset.values if change.old else None
        return values == (stored.rrset.values if stored else None)


class Trusting(MemoryProvider):
    """A provider that, as an RFC 2136 server's, is only told that its write was taken."""

    def _write(self, batch: Batch) -> ZoneContents:
        super()._write(batch)
        new = [change.new for change in (batch.ledger, *batch.changes) if change.new is not None]
        return ZoneContents({each.key: StoredSet(each) for each in new})


def capped(rrset: RRset) -> RRset:
    return replace(rrset, ttl=min(rrset.ttl, 60))


def raised(rrset: RRset) -> RRset:
    return replace(rrset, ttl=max(rrset.ttl, 300))


def deaf(rrset: RRset) -> RRset:
    """Keep one address at the name, whatever is written."""
    return replace(rrset, values=("203.0.113.9",))


def test_a_lower_ttl_right_after_our_write_is_taken_as_the_servers() -> None:
    sticking = Sticking()
    sticking.wrote(API, LONG, LONG)
    sticking.read(API, SHORT)
    assert sticking.wished(LONG) == SHORT
    assert sticking.wished((a_set(API, TWO, ttl=7200),)) == (a_set(API, TWO, ttl=3600),)


def test_another_ttl_that_is_wished_for_is_tried_anew() -> None:
    sticking = Sticking()
    sticking.wrote(API, LONG, LONG)
    sticking.read(API, SHORT)
    wished = (a_set(API, ONE, ttl=30),)
    assert sticking.wished(wished) == wished
    sticking.wrote(API, wished, wished)
    assert sticking.wished(LONG) == LONG


def test_who_is_forgotten_may_come_back_with_the_ttl_that_is_wished_for() -> None:
    sticking = Sticking()
    sticking.wrote(API, LONG, LONG)
    sticking.read(API, SHORT)
    sticking.forget(API)
    assert sticking.wished(LONG) == LONG


def test_who_is_written_again_before_it_was_told_is_not_told_yet() -> None:
    sticking = Sticking()
    for _ in range(TRIES):
        sticking.wrote(API, OTHER, OTHER)
        sticking.read(API, LONG)
    sticking.wrote(API, OTHER, OTHER)
    assert not list(sticking.news())
    sticking.read(API, LONG)
    assert [hostname for hostname, _, _ in sticking.news()] == [API]
    assert not list(sticking.news())


def test_a_higher_ttl_is_taken_once_the_server_insists() -> None:
    sticking = Sticking()
    for number in range(1, TRIES + 1):
        sticking.wrote(API, SHORT, SHORT)
        sticking.read(API, LONG)
        assert sticking.wished(SHORT) == (LONG if number == TRIES else SHORT)
        assert not list(sticking.news())


def test_a_ttl_that_changes_after_the_name_was_seen_to_be_right_is_somebodys_edit() -> None:
    sticking = Sticking()
    sticking.wrote(API, LONG, LONG)
    sticking.read(API, LONG)
    sticking.read(API, SHORT)
    assert sticking.wished(LONG) == LONG
    assert not sticking.explains(API, SHORT)


def test_a_ttl_that_changes_after_the_name_servers_showed_it_right_is_somebodys_edit() -> None:
    sticking = Sticking()
    sticking.wrote(API, LONG, LONG)
    sticking.shown(API)
    sticking.read(API, SHORT)
    assert sticking.wished(LONG) == LONG


def test_what_does_not_stick_is_told_after_a_few_writes_with_growing_pauses() -> None:
    sticking, pauses = Sticking(), []
    for number in range(1, 12):
        sticking.wrote(API, OTHER, OTHER)
        assert sticking.wants_reading(API) is (number > 1)
        sticking.read(API, LONG)
        told = list(sticking.news())
        assert bool(told) is (number >= TRIES)
        assert not list(sticking.news())
        pauses += [pause for _, _, pause in told]
        assert sticking.explains(API, LONG) is (number > 1)
    assert pauses[:2] == [FIRST_PAUSE, 2 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE


def test_an_outsider_who_edits_a_name_that_was_right_in_between_is_not_taken_for_the_server() -> None:
    sticking = Sticking()
    for _ in range(10):
        sticking.wrote(API, OTHER, OTHER)
        sticking.read(API, OTHER)
        sticking.read(API, LONG)
        assert not sticking.explains(API, LONG)
        assert not list(sticking.news())


def test_a_server_that_makes_something_else_of_each_write_is_not_one_that_does_nothing() -> None:
    sticking = Sticking()
    for number in range(10):
        sticking.wrote(API, OTHER, OTHER)
        sticking.read(API, (a_set(API, f"192.0.2.{100 + number}"),))
        assert not list(sticking.news())


def test_a_name_that_nobody_cares_for_is_forgotten() -> None:
    sticking = Sticking()
    sticking.wrote(API, LONG, LONG)
    sticking.read(API, SHORT)
    sticking.forget(API)
    assert sticking.wished(LONG) == LONG


async def look(writer: Writer, seconds: float) -> None:
    """Let `seconds` go by in which the name is suspicious all the time, as where name servers show it otherwise."""
    for _ in range(int(seconds / 5)):
        writer.enactor.suspect(API)
        await asyncio.sleep(5)


@pytest.mark.parametrize("provider", [Trusting, MemoryProvider], ids=["not told", "told"])
@pytest.mark.parametrize(("policy", "ttl", "held"), [(capped, 7200, 60), (raised, 30, 300)])
async def test_a_servers_own_ttl_is_taken_without_writing_for_ever(
    start: Start,
    policy: Callable[[RRset], RRset],
    ttl: int,
    held: int,
    provider: type[MemoryProvider],
) -> None:
    writer = start(WilfulZone(policy), provider=provider)
    writer.want(wish("api", sets=(a_set(API, ONE, ttl=ttl),)))
    await look(writer, 120)
    writes = len(writer.provider.applied)
    assert writer.in_sync("api")
    assert writer.report("api").published == (a_set(API, ONE, ttl=held),)
    await look(writer, 600)
    assert len(writer.provider.applied) == writes <= 2 + TRIES
    assert writer.enactor.tally.repairs <= (policy is raised)
    writer.want(wish("api", sets=(a_set(API, TWO, ttl=ttl),)))
    await writer.settled("api")
    await look(writer, 60)
    assert len(writer.provider.applied) == writes + 1
    assert writer.report("api").published == (a_set(API, TWO, ttl=held),)


@pytest.mark.parametrize("provider", [Trusting, MemoryProvider], ids=["not told", "told"])
async def test_a_write_that_comes_to_nothing_is_tried_a_few_times_and_then_named(
    start: Start, provider: type[MemoryProvider]
) -> None:
    writer = start(WilfulZone(deaf), provider=provider)
    writer.want(wish("api", ONE), wish("www", ONE))
    await look(writer, 60)
    assert writer.refusal("api") == "WriteDoesNotStick"
    refusal = writer.report("api").refusal
    assert refusal is not None
    assert "203.0.113.9" in refusal.message
    assert ONE in refusal.message
    assert writer.in_sync("www")
    writes = len(writer.provider.applied)
    assert writes <= 3 + TRIES
    assert writer.enactor.tally.repairs <= 1
    await look(writer, 3600)
    assert len(writer.provider.applied) - writes <= 10
    assert writer.refusal("api") == "WriteDoesNotStick"


async def test_a_policy_that_was_lifted_lets_the_name_through(start: Start) -> None:
    zone = WilfulZone(deaf)
    writer = start(zone, provider=Trusting)
    writer.want(wish("api", ONE))
    await look(writer, 60)
    assert writer.refusal("api") == "WriteDoesNotStick"
    zone.policy = lambda rrset: rrset
    await look(writer, FIRST_PAUSE + 30)
    assert writer.in_sync("api")


async def test_a_new_wish_does_not_wait_for_what_did_not_stick(start: Start) -> None:
    zone = WilfulZone(deaf)
    writer = start(zone, provider=Trusting)
    writer.want(wish("api", ONE))
    await look(writer, 60)
    zone.policy = lambda rrset: rrset
    writer.want(wish("api", TWO))
    await writer.settled("api", within=1)


async def test_a_zone_that_is_set_back_right_after_a_write_does_not_pass_for_the_servers_own_ttl(start: Start) -> None:
    writer = start(provider=Trusting)
    await writer.publish(wish("api", ONE))
    await asyncio.sleep(60)
    backup = dict(writer.zone.sets)
    await writer.publish(wish("api", sets=(a_set(API, ONE, ttl=3600),)))
    writer.zone.sets = backup
    writer.enactor.suspect(API)
    await writer.until(lambda: writer.zone.rrset(a_set(API, ONE).key) == a_set(API, ONE, ttl=3600))
