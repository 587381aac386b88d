"""A leader that sees nothing makes way for a replica that sees, and for no other."""

import asyncio
from collections.abc import Callable

from detour.app.handover import HANDOVER_PAUSE
from detour.kube.lease import HANDED_OVER, LEASE_SECONDS, RENEW_PERIOD

from .gating import ready
from .objects import dns_zone, failover_record
from .world import LEASE, Clouds, World

Boot = Callable[..., World]
ONE, TWO = {"192.0.2.1"}, {"192.0.2.2"}
SUCCESSOR = (LEASE[0], f"{LEASE[1]}-successor")


async def pair(boot: Boot) -> tuple[World, World]:
    leader = boot(dns_zone(), failover_record(), identity="a_1")
    await leader.until(lambda: ready(leader))
    other = boot(identity="b_1")
    await asyncio.sleep(30)
    assert leader.leads
    assert not other.leads
    return leader, other


async def test_a_blind_leader_gives_the_lead_to_a_replica_that_sees_and_that_one_makes_the_failover(boot: Boot) -> None:
    leader, other = await pair(boot)
    leader.is_blind = True
    assert await other.until(lambda: other.leads) < 15 + 4 * RENEW_PERIOD + 5
    assert not leader.leads
    await asyncio.sleep(10)
    assert leader.answers() == ONE
    other.down = set(ONE)
    await other.until(lambda: other.answers() == TWO, within=20)


async def test_where_all_are_blind_the_leader_stays(boot: Boot) -> None:
    leader, other = await pair(boot)
    leader.is_blind = other.is_blind = True
    await asyncio.sleep(900)
    assert leader.leads
    assert not other.leads


async def test_a_replica_that_saw_once_and_is_gone_is_given_nothing(boot: Boot) -> None:
    leader, other = await pair(boot)
    assert leader.api.leases[SUCCESSOR]["spec"]["holderIdentity"] == "b_1"
    await other.kill()
    leader.is_blind = True
    await asyncio.sleep(900)
    assert leader.leads


async def test_a_leader_that_finds_failures_and_still_sees_something_stays(boot: Boot) -> None:
    leader, other = await pair(boot)
    leader.down = set(ONE)
    await asyncio.sleep(900)
    assert leader.leads
    assert not other.leads


async def test_replicas_that_see_now_and_then_take_no_turns(boot: Boot) -> None:
    leader, other = await pair(boot)
    leader.is_blind = True
    await other.until(lambda: other.leads)
    began = leader.clock.now()
    leader.is_blind, other.is_blind = False, True
    await asyncio.sleep(HANDOVER_PAUSE - 30)
    assert other.leads
    await leader.until(lambda: leader.leads, within=60)
    assert leader.clock.now() - began >= HANDOVER_PAUSE


async def test_the_last_handover_counts_for_whoever_leads_by_then(boot: Boot) -> None:
    leader, other = await pair(boot)
    leader.is_blind = True
    await other.until(lambda: other.leads)
    third = boot(identity="c_1")
    await asyncio.sleep(10)
    leader.is_blind = False
    third.is_blind = True
    await leader.kill()
    await other.kill()
    await third.until(lambda: third.leads)
    assert third.api.leases[LEASE]["metadata"]["annotations"][HANDED_OVER]
    boot(identity="d_1")
    await asyncio.sleep(HANDOVER_PAUSE - 60)
    assert third.leads
    await third.until(lambda: not third.leads, within=90)


async def test_a_replica_that_is_given_the_lead_and_ends_at_that_moment_is_replaced(boot: Boot) -> None:
    leader, other = await pair(boot)
    leader.is_blind = True
    await leader.until(lambda: not leader.leads)
    await other.kill()
    await leader.until(lambda: leader.leads, within=LEASE_SECONDS + 3 * RENEW_PERIOD)


async def test_a_handover_changes_no_answers(boot: Boot, clouds: Clouds) -> None:
    leader, other = await pair(boot)
    leader.is_blind = True
    await other.until(lambda: other.leads)
    leader.is_blind = False
    await asyncio.sleep(600)
    assert other.leads
    writes = [each for provider in clouds.providers for each in provider.writes if each.applied]
    assert sum(change.key.type == "A" for each in writes for change in each.batch.changes) == 1
