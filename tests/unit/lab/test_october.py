"""The parts of the October story that judge it or hold it up: they can say no, and they keep what they are given."""

import asyncio
import os
import signal

import aiohttp
import pytest
from aiohttp import web

from detour_lab.clouds.apiserver import APIServer
from detour_lab.clouds.labzones import EmulatedZone
from detour_lab.dns.nameserver import NameServer
from detour_lab.faults import Faults
from detour_lab.stories.october.aliases import AliasZone
from detour_lab.stories.october.evidence import ledger_of, stale_writes
from detour_lab.stories.october.standstill import StandstillError, until_stopped
from detour_lab.zones.store import RecordSet, ZoneStore

DOMAIN = "example.com"
LEDGER = f"lab._detour.{DOMAIN}"
HAND, OTHER_HAND = "api:one", "api:two"


def ledger(generation: str, claim: str = "aa") -> RecordSet:
    epoch, sequence = generation.split(".")
    text = f'"detour/1 site=default claim={claim} renew=0 epoch={epoch} seq={sequence} batch=-"'
    return RecordSet(LEDGER, "TXT", 5, (text,))


def address(value: str, name: str = f"www.{DOMAIN}") -> RecordSet:
    return RecordSet(name, "A", 60, (value,))


def zone(*commits: tuple[str, list[RecordSet]]) -> EmulatedZone:
    store = ZoneStore(DOMAIN)
    for by, added in commits:
        store.commit(added=added, by=by)
    return EmulatedZone("zone", "any", store, NameServer([store]), Faults())


def stale(*commits: tuple[str, list[RecordSet]], atomic: bool = True) -> list[int]:
    """Return which of the commits, from 0 on, are found to be stale."""
    return [each.number - 2 for each in stale_writes(zone(*commits), LEDGER, atomic=atomic)]


def test_batches_that_move_the_ledger_on_are_not_stale() -> None:
    assert stale((HAND, [ledger("1.0")]), (HAND, [ledger("1.1"), address("192.0.2.1")]), (HAND, [ledger("2.0")])) == []


def test_a_batch_under_an_older_ledger_is_stale() -> None:
    newer, older = (HAND, [ledger("2.4", "bb")]), (HAND, [ledger("1.7"), address("192.0.2.1")])

    assert stale(newer, older) == [1]


def test_a_batch_that_repeats_a_generation_is_stale() -> None:
    assert stale((HAND, [ledger("2.4", "bb")]), (HAND, [ledger("2.4")])) == [1]


def test_a_write_beside_the_ledger_is_stale_where_batches_are_atomic() -> None:
    assert stale((HAND, [ledger("1.0")]), (HAND, [address("192.0.2.1")])) == [1]


def test_where_sets_are_written_one_by_one_the_hand_that_moved_the_ledger_last_may_write() -> None:
    moved, by_it, by_another = (HAND, [ledger("1.0")]), (HAND, [address("192.0.2.1")]), (OTHER_HAND, [ledger("2.0")])

    assert stale(moved, by_it, by_another, atomic=False) == []
    assert stale(moved, by_another, by_it, atomic=False) == [2]


def test_an_outsiders_edit_is_no_write_of_an_api_client() -> None:
    assert stale((HAND, [ledger("1.0")]), ("outsider", [address("192.0.2.1")])) == []


def test_a_garbled_ledger_says_nothing() -> None:
    garbled = RecordSet(LEDGER, "TXT", 5, ('"hello"',))

    assert ledger_of([garbled, address("192.0.2.1")], LEDGER) is None
    found = ledger_of([address("192.0.2.1"), ledger("3.14", "cc")], LEDGER)
    assert found is not None
    assert (found.generation, found.claim) == ((3, 14), "cc")


def alias(name: str, target: str) -> RecordSet:
    return RecordSet(name, "A", 0, (), extra={"AliasTarget": {"DNSName": f"{target}.", "HostedZoneId": "Z1"}})


def test_an_alias_answers_with_what_its_target_holds_and_with_nothing_once_that_is_gone() -> None:
    store = AliasZone(DOMAIN)
    plan, name = f"plan.{DOMAIN}", f"db.{DOMAIN}"
    store.commit(added=[address("192.0.2.1", plan), alias(name, plan)], by="test")

    assert store.served_index().at_name(name)["A"].values == ("192.0.2.1",)

    store.commit(added=[address("192.0.2.2", plan)], by="test")
    assert store.served_index().at_name(name)["A"].values == ("192.0.2.2",)

    store.commit(removed=[(plan, "A")], by="test")
    assert store.served_index().at_name(name)["A"].values == ()


class Echo(APIServer):
    """Answers every POST with its body, under faults; `carried_out` is what it has done."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults
        self.carried_out: list[str] = []
        self.app.router.add_post("/{operation}", self._serve)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        async def handle() -> web.StreamResponse:
            self.carried_out.append(await request.text())
            return web.Response(text=self.carried_out[-1])

        return await self._faults.around(
            request,
            request.match_info["operation"],
            DOMAIN,
            handle=handle,
            throttled=lambda: web.Response(status=429),
            server_error=lambda: web.Response(status=500),
        )


async def test_a_held_call_waits_until_it_is_let_go_and_all_others_pass() -> None:
    faults = Faults()
    async with Echo(faults) as server, aiohttp.ClientSession() as client:
        hold = faults.hold("write", containing=b"www")

        async def call(operation: str, body: str) -> str:
            async with client.post(f"{server.url}/{operation}", data=body) as answer:
                return await answer.text()

        held = asyncio.create_task(call("write", "move www"))
        assert await asyncio.wait_for(hold.caught(), 60) == b"move www"
        assert [await call("read", "www"), await call("write", "move api"), await call("write", "move www again")]
        assert server.carried_out == ["www", "move api", "move www again"]

        hold.let_go()
        assert await asyncio.wait_for(held, 60) == "move www"
        assert (await hold.landed()).status == 200
        assert server.carried_out[-1] == "move www"


async def test_a_held_call_is_carried_out_also_when_its_sender_waits_no_more() -> None:
    faults = Faults()
    async with Echo(faults) as server, aiohttp.ClientSession() as client:
        hold = faults.hold("write")
        sent = asyncio.create_task(client.post(f"{server.url}/write", data="late"))
        await asyncio.wait_for(hold.caught(), 60)
        sent.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sent

        faults.clear()

        await asyncio.wait_for(hold.landed(), 60)
        assert server.carried_out == ["late"]


async def test_a_hold_that_was_let_go_beforehand_delays_nothing() -> None:
    faults = Faults()
    async with Echo(faults) as server, aiohttp.ClientSession() as client:
        hold = faults.hold("write")
        hold.let_go()

        async with asyncio.timeout(5), client.post(f"{server.url}/write", data="at once") as answer:
            assert await answer.text() == "at once"
        assert await hold.caught() == b"at once"


async def test_a_stopped_process_is_known_to_stand_still() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "30")
    try:
        os.kill(process.pid, signal.SIGSTOP)
        await until_stopped(process.pid)
    finally:
        process.kill()
        await process.wait()


async def test_a_process_that_has_ended_is_not_taken_for_one_that_stands_still() -> None:
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()

    with pytest.raises(StandstillError, match=r"no process|has ended"):
        await until_stopped(process.pid)
