"""Several operator processes in one cluster: one leads, the others are warm, and they take turns without a trace."""

import asyncio
import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from detour.enactment.contract import ZoneFacts
from detour.enactment.ledger import parse_ledger
from detour.model.names import ledger_name
from detour.model.objects import Kind
from detour.model.rrset import RRKey, RRType
from detour_simulation.memoryzone import MemoryProvider

from .objects import cloud_region, dns_zone, failover_record, override
from .world import LEASE, Clouds, World

Boot = Callable[..., World]
FR, DZ = Kind.FAILOVER_RECORD, Kind.DNS_ZONE
ONE, TWO = {"192.0.2.1"}, {"192.0.2.2"}
API = "api.example.org"
LEDGER = RRKey(ledger_name("production", "example.org"), RRType.TXT)
CALM: dict[str, Any] = {"safety": {"panicThreshold": 100}}


def ready(world: World, name: str = "api") -> bool:
    return world.api.condition("Ready", name)[0] == "True"


def written(world: World, since: int = 0) -> list[str]:
    """Return the names that were changed by anybody's batch, in order, ledgers apart."""
    batches = [each for provider in world.clouds.providers for each in provider.writes if each.applied]
    ordered = sorted(batches, key=lambda each: each.at)
    return [change.key.name for each in ordered for change in each.batch.changes][since:]


def epoch(world: World) -> int:
    found = parse_ledger(world.clouds.zone().rrset(LEDGER))
    assert found is not None
    return found.generation.epoch


def told(world: World, reason: str) -> list[str]:
    return [text for what, text in world.api.events if what == reason]


async def pair(boot: Boot, *objects: dict[str, Any]) -> tuple[World, World]:
    """Start a leader and a standby on one API server, and wait until the record `api` is Ready."""
    leader = boot(*objects, identity="a")
    await leader.until(lambda: leader.leads)
    standby = boot(identity="b")
    await leader.until(lambda: ready(leader))
    await asyncio.sleep(5)
    return leader, standby


async def takes_over(dead: World, heir: World) -> None:
    await dead.kill()
    await heir.until(lambda: heir.leads)
    await heir.until(
        lambda: heir.engine.zones.keepers and all(each.in_force for each in heir.engine.zones.keepers.values())
    )


# -- replicas --------------------------------------------------------------------------------------------------------


async def test_of_two_replicas_one_writes_dns_and_status(boot: Boot) -> None:
    leader, standby = await pair(boot, dns_zone(), failover_record())
    leader.down = standby.down = set(ONE)
    await leader.until(lambda: leader.answers() == TWO)
    await asyncio.sleep(60)
    assert not leader.clouds.providers[1].writes
    assert len(told(leader, "Rerouted")) == 1
    assert not told(leader, "StatusRestored")
    assert not told(leader, "Repaired")


async def test_a_standby_takes_over_without_a_needless_write(boot: Boot) -> None:
    leader, standby = await pair(boot, dns_zone(**CALM), failover_record(), failover_record("www", uid="u-2"))
    leader.down = standby.down = set(ONE)
    await leader.until(lambda: leader.answers() == TWO)
    await asyncio.sleep(5)
    before = len(written(leader))
    await takes_over(leader, standby)
    await asyncio.sleep(60)
    assert written(leader)[before:] == []
    assert leader.answers() == TWO
    assert epoch(leader) == 2
    assert ready(standby)
    assert not told(standby, "Repaired")
    assert len(told(standby, "Rerouted")) == 2


async def test_a_take_over_does_not_take_the_leaders_status_for_an_old_backup(boot: Boot) -> None:
    leader, standby = await pair(boot, dns_zone(**CALM), failover_record())
    leader.down = standby.down = set(ONE)
    await leader.until(lambda: leader.answers() == TWO)
    await asyncio.sleep(5)
    await takes_over(leader, standby)
    await asyncio.sleep(60)
    assert not told(standby, "StatusRestored")


async def test_a_standby_that_read_the_zone_long_ago_takes_what_it_knew_for_no_news(boot: Boot) -> None:
    """What it read when it began is older than the status of the leader that moved the name since."""
    leader = boot(dns_zone(**CALM), failover_record(), identity="a")
    await leader.until(lambda: ready(leader))
    standby = boot(identity="b")
    await asyncio.sleep(5)
    leader.down = standby.down = set(ONE)
    await leader.until(lambda: leader.answers() == TWO)
    await asyncio.sleep(5)
    before = standby.api.status()["history"]
    await takes_over(leader, standby)
    await asyncio.sleep(60)
    assert standby.api.status()["history"] == before
    assert [each["revision"] for each in before] == [2, 1]


async def test_a_standby_that_is_blind_moves_nothing_when_it_takes_over(boot: Boot) -> None:
    """It has asked the zones' servers while it could, so that their silence tells it something."""
    leader, standby = await pair(boot, dns_zone(), failover_record(whenAllUnhealthy="ServeAll"))
    standby.is_blind = True
    await asyncio.sleep(60)
    await takes_over(leader, standby)
    await asyncio.sleep(60)
    assert standby.answers() == ONE
    standby.is_blind = False
    standby.down = set(ONE)
    await standby.until(lambda: standby.answers() == TWO)


async def test_a_take_over_is_no_failback(boot: Boot) -> None:
    """Whoever has failed and waits for a person, or for its hold-down, goes on waiting under another leader."""
    leader, standby = await pair(boot, dns_zone(**CALM), failover_record(failback={"mode": "Manual"}))
    leader.down = standby.down = set(ONE)
    await leader.until(lambda: leader.answers() == TWO)
    leader.down = standby.down = set()
    await asyncio.sleep(30)
    await takes_over(leader, standby)
    for _ in range(60):
        await asyncio.sleep(1)
        assert standby.answers() == TWO


async def test_a_failover_soon_after_the_leader_was_killed_is_made_by_its_successor(boot: Boot) -> None:
    leader, standby = await pair(boot, dns_zone(**CALM), failover_record())
    standby.down = set(ONE)
    await leader.kill()
    assert await standby.until(lambda: standby.answers() == TWO) < 20


async def test_a_successor_goes_on_with_history_revisions_and_pin(boot: Boot) -> None:
    record = failover_record(failback={"mode": "Manual"})
    leader, standby = await pair(boot, dns_zone(**CALM), record)
    leader.down = standby.down = set(ONE)
    await leader.until(lambda: leader.answers() == TWO)
    leader.down = standby.down = set()
    await asyncio.sleep(20)
    leader.api.apply(override("pin", action="Pin", revision=1))
    await leader.until(lambda: leader.answers() == ONE)
    await asyncio.sleep(5)
    await takes_over(leader, standby)
    await asyncio.sleep(30)
    assert leader.answers() == ONE
    assert standby.api.condition("Pinned") == ("True", "PinnedByUser")
    standby.api.delete(Kind.OVERRIDE, "pin")
    standby.down = set(ONE)
    await standby.until(lambda: standby.answers() == TWO)
    await asyncio.sleep(5)
    history = [(each["revision"], set(each["values"])) for each in standby.api.status()["history"]]
    assert history == [(4, TWO), (3, ONE), (2, TWO), (1, ONE)]


async def test_what_the_leader_evacuated_counts_for_its_successor(boot: Boot) -> None:
    west = [
        {"name": "x", "region": "gcp-europe-west3", "addresses": ["192.0.2.7"], "priority": 1},
        {"name": "y", "region": "gcp-europe-west1", "addresses": ["192.0.2.8"], "priority": 2},
    ]
    leader, standby = await pair(
        partial(boot, free_departures=0),
        dns_zone(**CALM),
        failover_record(),
        failover_record("www", uid="u-2", endpoints=west),
    )
    leader.down = standby.down = set(ONE)
    await leader.until(lambda: leader.answers() == TWO)
    await asyncio.sleep(5)
    await takes_over(leader, standby)
    standby.down = {*ONE, "192.0.2.7"}
    await standby.until(lambda: standby.api.condition("Held", "main", DZ) == ("True", "TooManyRegions"))
    assert standby.answers("www.example.org") == {"192.0.2.7"}


async def test_a_leader_cut_off_from_the_api_server_goes_on_until_it_meets_its_successor(boot: Boot) -> None:
    leader, standby = await pair(boot, dns_zone(**CALM), failover_record())
    leader.cut_off()
    await standby.until(lambda: standby.leads)
    assert leader.leads
    await asyncio.sleep(60)
    before = epoch(leader)
    leader.down = set(ONE)  # its own vantage sees it so; the successor's does not
    await asyncio.sleep(600)
    assert leader.answers() == ONE
    assert epoch(leader) == before
    leader.reconnect()
    await standby.until(lambda: not leader.leads)
    await asyncio.sleep(60)
    assert ready(standby)


async def test_a_leader_that_is_alone_goes_on_while_the_api_server_is_away(boot: Boot) -> None:
    leader, standby = await pair(boot, dns_zone(**CALM), failover_record())
    leader.api.is_away = True
    await asyncio.sleep(30)
    leader.down = standby.down = set(ONE)
    assert await leader.until(lambda: leader.answers() == TWO) < 20
    assert leader.leads


async def test_leaders_that_take_turns_never_flap_what_is_published(boot: Boot) -> None:
    worlds = list(await pair(boot, dns_zone(**CALM), failover_record()))
    for turn in range(6):
        old, heir = worlds
        before = len(written(old))
        await takes_over(old, heir)
        await asyncio.sleep(20)
        assert written(heir)[before:] == []
        worlds = [heir, boot(identity=f"turn-{turn}")]
        await asyncio.sleep(10)
    assert worlds[0].answers() == ONE
    assert told(worlds[0], "Rerouted") == []


async def test_a_deletion_during_the_change_of_leaders_is_finished(boot: Boot) -> None:
    records = [failover_record(name, uid=f"u-{name}", deletionPolicy="Delete") for name in ("api", "www")]
    leader, standby = await pair(boot, dns_zone(), *records)
    leader.clouds.zone().guarded.clear()
    for provider in leader.clouds.providers:
        provider.latency = 30.0
    leader.api.delete(FR, "api")
    await asyncio.sleep(1)
    await leader.kill()
    for provider in leader.clouds.providers:
        provider.latency = 0.05
    await standby.until(lambda: (FR, "shop", "api") not in standby.api.objects, within=120)
    assert standby.answers() == set()
    assert standby.answers("www.example.org") == ONE


async def test_a_deletion_seen_before_the_term_is_finished_also_where_the_finalizer_was_younger_than_the_status(
    boot: Boot,
) -> None:
    leader, standby = await pair(boot, dns_zone(), failover_record())
    leader.clouds.zone().guarded.clear()
    leader.down = standby.down = set(ONE)
    await leader.until(lambda: leader.api.status()["summary"]["serving"] == "two")
    await asyncio.sleep(5)
    for raw in (failover_record(deletionPolicy="Delete"),):
        standby.api.apply(raw)
    await leader.until(lambda: leader.api.objects[FR, "shop", "api"]["metadata"].get("finalizers"))
    await leader.kill()
    standby.api.delete(FR, "api")
    await standby.until(lambda: standby.leads)
    await standby.until(lambda: standby.answers() == set())
    await standby.until(lambda: (FR, "shop", "api") not in standby.api.objects)


@pytest.mark.parametrize("kind", [FR, DZ, Kind.CLOUD_REGION], ids=lambda kind: str(kind.title))
async def test_a_status_wiped_after_a_restart_is_written_again(boot: Boot, kind: Kind) -> None:
    objects = {FR: ("shop", "api"), DZ: ("shop", "main"), Kind.CLOUD_REGION: ("", "aws-us-east-1")}
    world = boot(dns_zone(), failover_record(), cloud_region())
    await world.until(lambda: ready(world))
    await asyncio.sleep(30)
    await world.kill()
    again = boot()
    await asyncio.sleep(30)
    key = (kind, *objects[kind])
    wiped = copy.deepcopy(again.api.objects[key])
    wiped["status"] = {}
    again.api._store(key, wiped)
    await again.until(lambda: again.api.objects[key].get("status"), within=60)


# -- what conditions say ---------------------------------------------------------------------------------------------


async def test_a_zone_that_cannot_be_opened_is_not_said_to_be_unneeded(boot: Boot, clouds: Clouds) -> None:
    clouds.refusing.add("main")
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: world.api.condition("Ready", "main", DZ) == ("False", "CredentialsRefused"))
    assert world.api.condition("InForce", "main", DZ) != ("False", "NotNeeded")


async def test_the_lease_says_who_leads(boot: Boot) -> None:
    leader, standby = await pair(boot, dns_zone(), failover_record())
    assert leader.api.leases[LEASE]["spec"]["holderIdentity"] == "a"
    await takes_over(leader, standby)
    assert leader.api.leases[LEASE]["spec"]["holderIdentity"] == "b"


async def test_an_unexpected_error_in_a_look_up_does_not_end_the_audits(
    boot: Boot, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = False

    async def look_up(world: World, hostname: str) -> tuple[str, ...]:
        nonlocal failed
        failed, first = True, not failed
        if first:
            raise RuntimeError("a defect of ours")
        return ("192.0.2.53",)

    monkeypatch.setattr(World, "_look_up", look_up)
    monkeypatch.setattr(MemoryProvider, "describe", _named_servers)
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: failed)
    await world.until(lambda: world.api.condition("Ready")[0] == "True")  # the servers were looked up again, and asked
    assert not world.engine.zones.failure.done()


async def _named_servers(provider: MemoryProvider) -> ZoneFacts:
    return ZoneFacts("zone-1", ("ns1.example.net",), 60)
