"""Several clusters with the same declarations: one site is in force for a zone, the others stand by and say so."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from detour.enactment.ledger import parse_ledger
from detour.enactment.sites import Site
from detour.model.names import ledger_name
from detour.model.objects import Kind
from detour.model.rrset import RRKey, RRType
from detour_simulation.memoryzone import MemoryProvider

from .objects import changed, dns_zone, failover_record
from .world import ApiServer, Clouds, World

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


class Cluster:
    """One site: an API server of its own, with objects of its own UIDs, and the processes that run there."""

    def __init__(self, clouds: Clouds, name: str, rank: int, site: Site | None = None) -> None:
        self.clouds, self.name = clouds, name
        self.api = ApiServer()
        self.site = site or Site(name, rank=rank, renew_every=20.0, take_over_after=90.0)
        self.worlds: list[World] = []

    def declare(self, *objects: dict[str, Any]) -> None:
        for raw in objects:
            own = copy.deepcopy(raw)
            own["metadata"]["uid"] = f"{self.name}-{raw['metadata']['uid']}"
            self.api.apply(own)
            if raw["kind"] == "FailoverRecord":
                for zone in raw["spec"]["zones"]:
                    self.clouds.zone(zone["name"]).guarded.add(raw["spec"]["hostname"])

    def start(self, identity: str | None = None) -> World:
        self.worlds.append(World(self.clouds, self.api, site=self.site, identity=identity))
        return self.worlds[-1]

    async def lost(self) -> None:
        for world in self.worlds:
            await world.kill()


@pytest.fixture
async def cluster(clouds: Clouds) -> AsyncIterator[Callable[..., Cluster]]:
    made: list[Cluster] = []

    def begin(name: str, rank: int, *objects: dict[str, Any], site: Site | None = None) -> Cluster:
        made.append(Cluster(clouds, name, rank, site))
        made[-1].declare(*objects)
        return made[-1]

    yield begin
    for world in [world for each in made for world in each.worlds]:
        failure = world.engine.zones.failure
        assert not failure.done(), failure.exception()
        failure.cancel()
        await world.kill()
    assert not [emptied for zone in clouds.zones.values() for emptied in zone.emptied]


Begin = Callable[..., Cluster]


async def two_sites(cluster: Begin, *objects: dict[str, Any]) -> tuple[World, World]:
    """Start a site that comes into force, and one that stands by."""
    first = cluster("a", 0, *objects).start()
    await first.until(lambda: ready(first))
    second = cluster("b", 1, *objects).start()
    await second.until(lambda: second.api.condition("InForce", "main", DZ) == ("False", "Standby"))
    return first, second


async def test_a_standby_site_shows_what_the_other_publishes_and_alarms_nobody(cluster: Begin) -> None:
    first, second = await two_sites(cluster, dns_zone(), failover_record())
    await asyncio.sleep(300)
    assert first.api.condition("InForce", "main", DZ) == ("True", "ThisSite")
    assert second.api.condition("Ready") == ("True", "Standby")
    assert second.api.condition("Published") == ("True", "PublishedByAnotherSite")
    assert second.api.status()["zones"][0]["values"] == sorted(ONE)
    assert second.api.status("main", DZ)["ledger"]["site"] == "a"
    assert not second.clouds.providers[1].writes


async def test_a_site_that_is_lost_with_its_region_is_replaced_and_the_names_move(cluster: Begin) -> None:
    first, second = await two_sites(cluster, dns_zone(**CALM), failover_record())
    await asyncio.sleep(60)
    second.down = set(ONE)
    await first.kill()
    assert await second.until(lambda: second.answers() == TWO, within=200) < 150
    await second.until(lambda: second.api.condition("InForce", "main", DZ) == ("True", "ThisSite"))
    await second.until(lambda: second.api.condition("Ready") == ("True", "Serving"))


async def test_a_site_that_comes_back_becomes_the_standby(cluster: Begin) -> None:
    first, second = await two_sites(cluster, dns_zone(**CALM), failover_record())
    first.is_blind = True
    for provider in first.clouds.providers[:1]:
        provider.latency = 300.0  # its network is away
    await second.until(
        lambda: second.engine.zones.keepers and all(k.in_force for k in second.engine.zones.keepers.values()),
        within=200,
    )
    for provider in first.clouds.providers[:1]:
        provider.latency = 0.05
    first.is_blind = False
    await first.until(lambda: first.api.condition("InForce", "main", DZ) == ("False", "Standby"), within=700)
    await asyncio.sleep(600)
    assert epoch(first) == 2
    assert first.api.condition("Ready") == ("True", "Standby")
    assert first.answers() == ONE


async def test_the_annotation_moves_a_zone_by_hand_once(cluster: Begin) -> None:
    first, second = await two_sites(cluster, dns_zone(), failover_record())
    annotated = changed(dns_zone(uid="b-z-1"), annotations={"detour.dev/take-over": "now"})
    second.api.apply(annotated)
    assert await second.until(lambda: second.api.condition("InForce", "main", DZ) == ("True", "ThisSite")) < 20
    await second.until(lambda: second.api.status("main", DZ).get("commands") == {"takeOver": "now"})
    await first.until(lambda: first.api.condition("InForce", "main", DZ) == ("False", "Standby"), within=120)
    await asyncio.sleep(1200)
    assert epoch(first) == 2
    assert first.answers() == ONE


async def test_a_take_over_that_was_called_off_does_not_happen_later(cluster: Begin) -> None:
    """The provider was away, and the person removed the annotation again."""
    first, second = await two_sites(cluster, dns_zone(), failover_record())
    slow: MemoryProvider = second.clouds.providers[1]
    slow.latency = 30.0
    await asyncio.sleep(1)
    second.api.apply(changed(dns_zone(uid="b-z-1"), annotations={"detour.dev/take-over": "now"}))
    await asyncio.sleep(1)
    second.api.apply(dns_zone(uid="b-z-1"))
    await asyncio.sleep(1)
    slow.latency = 0.05
    await asyncio.sleep(600)
    assert epoch(first) == 1


async def test_a_replica_that_did_not_lead_at_a_take_over_does_not_repeat_it_later(cluster: Begin) -> None:
    site_b = cluster("b", 1, dns_zone(), failover_record())
    first = cluster("a", 0, dns_zone(), failover_record()).start()
    await first.until(lambda: ready(first))
    leader = site_b.start("b1")
    await leader.until(lambda: leader.leads)
    standby = site_b.start("b2")
    await leader.until(lambda: leader.api.condition("InForce", "main", DZ) == ("False", "Standby"))
    site_b.api.apply(changed(dns_zone(uid="b-z-1"), annotations={"detour.dev/take-over": "now"}))
    await leader.until(lambda: leader.api.condition("InForce", "main", DZ) == ("True", "ThisSite"))
    await first.until(lambda: first.api.condition("InForce", "main", DZ) == ("False", "Standby"), within=120)
    first.api.apply(changed(dns_zone(uid="a-z-1"), annotations={"detour.dev/take-over": "now"}))
    await first.until(lambda: first.api.condition("InForce", "main", DZ) == ("True", "ThisSite"), within=200)
    await asyncio.sleep(200)
    before = epoch(first)
    await leader.kill()
    await standby.until(lambda: standby.leads)
    await asyncio.sleep(60)
    assert epoch(first) == before


async def test_zones_may_be_in_force_at_different_sites(cluster: Begin) -> None:
    second_zone = dns_zone("second", uid="z-2", route53={"zoneID": "Z0123456789"}, **CALM)
    both = failover_record(zones=[{"name": "main"}, {"name": "second"}])
    first, second = await two_sites(cluster, dns_zone(**CALM), second_zone, both)
    moved = changed(
        dns_zone("second", uid="b-z-2", route53={"zoneID": "Z0123456789"}, **CALM),
        annotations={"detour.dev/take-over": "now"},
    )
    second.api.apply(moved)
    await second.until(lambda: second.api.condition("InForce", "second", DZ) == ("True", "ThisSite"))
    await first.until(lambda: first.api.condition("InForce", "second", DZ) == ("False", "Standby"), within=200)
    await asyncio.sleep(60)
    assert ready(first)
    assert ready(second)
    first.down = second.down = set(ONE)
    await first.until(lambda: first.answers() == TWO)
    await second.until(lambda: second.answers(zone="second") == TWO)
    await asyncio.sleep(60)
    assert ready(first)
    assert ready(second)


async def test_sites_with_different_declarations_do_not_flap_and_the_standby_names_the_difference(
    cluster: Begin,
) -> None:
    first = cluster("a", 0, dns_zone(), failover_record(), failover_record("only-a", uid="u-2")).start()
    await first.until(lambda: ready(first) and ready(first, "only-a"))
    second = cluster("b", 1, dns_zone(), failover_record(), failover_record("only-b", uid="u-3")).start()
    await second.until(lambda: second.api.condition("InForce", "main", DZ) == ("False", "Standby"))
    await asyncio.sleep(1800)
    assert epoch(first) == 1
    assert second.answers("only-b.example.org") == set()
    assert second.api.condition("Published", "only-b") == ("False", "NotPublishedThere")
    warned = next(each["message"] for each in second.api.status("main", DZ)["conditions"] if each["type"] == "Warning")
    assert "only-a.example.org" in warned
    assert "only-b.example.org" in warned


async def test_two_clusters_with_one_owner_and_the_chart_s_defaults_leave_the_zone_to_the_first(cluster: Begin) -> None:
    """Nobody gave either a name: each is told from the other by its own UID, also after a restart."""
    others = [{"name": "x", "region": "gcp-europe-west3", "addresses": ["192.0.2.7"]}]
    first = cluster("a", 0, dns_zone(), failover_record(), site=Site(""))
    keeper = first.start()
    await keeper.until(lambda: ready(keeper))
    intruder = cluster("b", 0, dns_zone(), failover_record(endpoints=others), site=Site("")).start()
    await intruder.until(lambda: intruder.api.condition("Ready", "main", DZ) == ("False", "HeldByAnotherSite"))
    await asyncio.sleep(1800)
    assert intruder.api.condition("Published") == ("False", "DeclaredOtherwise")
    assert not [each for provider in intruder.clouds.providers[1:] for each in provider.writes]
    assert epoch(keeper) == 1
    assert keeper.answers() == ONE
    await keeper.kill()
    again = first.start()
    await again.until(lambda: again.api.condition("InForce", "main", DZ) == ("True", "ThisSite") and epoch(again) == 2)


async def test_a_cluster_whose_uid_cannot_be_read_says_so_and_writes_nothing(cluster: Begin) -> None:
    nameless = cluster("a", 0, dns_zone(), failover_record(), site=Site(""))
    nameless.api.uid_refused = True
    world = nameless.start()
    await world.until(lambda: world.api.condition("Ready", "main", DZ) == ("False", "SiteUnknown"))
    assert not world.clouds.providers
    nameless.api.uid_refused = False
    await world.until(lambda: ready(world))


async def test_a_name_declared_otherwise_at_the_standby_is_named_as_a_difference(cluster: Begin) -> None:
    others = [{"name": "x", "region": "gcp-europe-west3", "addresses": ["192.0.2.7"]}]
    first = cluster("a", 0, dns_zone(), failover_record()).start()
    await first.until(lambda: ready(first))
    second = cluster("b", 1, dns_zone(), failover_record(endpoints=others)).start()
    await second.until(lambda: second.api.condition("InForce", "main", DZ) == ("False", "Standby"))
    await asyncio.sleep(300)
    assert second.api.condition("Published") == ("False", "DeclaredOtherwise")
    assert not ready(second)


async def test_a_site_that_takes_over_moves_names_before_it_writes_markers(cluster: Begin, clouds: Clouds) -> None:
    names = [f"n{place}" for place in range(40)]
    records = [failover_record(name, uid=f"u-{name}") for name in names]
    only = [
        {"name": "east", "region": "aws-us-east-1", "addresses": ["192.0.2.101"], "priority": 1},
        {"name": "west", "region": "azure-westeurope", "addresses": ["192.0.2.102"], "priority": 2},
    ]
    moving = failover_record("api", endpoints=only)
    first, second = await two_sites(cluster, dns_zone(**CALM), *records, moving)
    await asyncio.sleep(60)
    before = len(written(first))
    second.down = {"192.0.2.101"}
    await first.kill()
    await second.until(lambda: second.answers() == {"192.0.2.102"}, within=200)
    await asyncio.sleep(60)
    changed_names = written(second)[before:]
    assert changed_names[0] in (API, f"_detour.{API}")
    assert changed_names.index(API) <= 1


async def test_a_record_deleted_at_the_site_in_force_only_is_gone_and_the_standby_says_so(cluster: Begin) -> None:
    record = failover_record(deletionPolicy="Delete")
    first, second = await two_sites(cluster, dns_zone(), record, failover_record("www", uid="u-2"))
    first.clouds.zone().guarded.discard(API)
    await asyncio.sleep(30)
    first.api.delete(FR, "api")
    await first.until(lambda: (FR, "shop", "api") not in first.api.objects)
    assert first.answers() == set()
    await second.until(lambda: second.api.condition("Published") == ("False", "NotPublishedThere"), within=700)
    assert second.answers() == set()


async def test_a_record_deleted_at_the_standby_only_stays_and_its_object_goes(cluster: Begin) -> None:
    first, second = await two_sites(cluster, dns_zone(), failover_record(deletionPolicy="Delete"))
    await asyncio.sleep(30)
    second.api.delete(FR, "api")
    await second.until(lambda: (FR, "shop", "api") not in second.api.objects)
    await asyncio.sleep(700)
    assert first.answers() == ONE


async def test_a_deletion_that_waits_when_another_site_takes_over_lets_its_object_go(cluster: Begin) -> None:
    names = [f"n{place}" for place in range(12)]
    records = [failover_record(name, uid=f"u-{name}", deletionPolicy="Delete") for name in names]
    first, second = await two_sites(cluster, dns_zone(), failover_record(), *records)
    await first.until(lambda: all(ready(first, name) for name in names))
    for name in names:
        first.api.delete(FR, name)
    await first.until(lambda: first.api.condition("Held", "main", DZ) == ("True", "TooManyDeletions"))
    second.api.apply(changed(dns_zone(uid="b-z-1"), annotations={"detour.dev/take-over": "now"}))
    await first.until(lambda: first.api.condition("InForce", "main", DZ) == ("False", "Standby"), within=120)
    await first.until(lambda: not [key for key in first.api.objects if key[2] in names], within=120)
    assert all(second.answers(f"{name}.example.org") for name in names)
