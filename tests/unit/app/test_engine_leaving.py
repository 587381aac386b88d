"""An edit of spec.zones is no deletion: a name leaves a zone only once it is elsewhere and nobody is sent there."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from detour.checks.resolver import Delegation
from detour.enactment.contract import Batch, UnavailableError, ZoneContents, ZoneFacts
from detour.engine.ports import ClusterError
from detour.engine.serverwatch import NameShown
from detour.engine.zonekeeper import ZoneKeeper
from detour.model.objects import Kind
from detour.model.rrset import RRset, RRType
from detour.twin.virtualtime import holds
from detour_simulation.memoryzone import Fault, MemoryProvider, MemoryZone

from .objects import dns_zone, failover_record
from .world import Clouds, World

Boot = Callable[..., World]
DZ = Kind.DNS_ZONE
API = "api.example.org"
ONE, TWO = {"192.0.2.1"}, {"192.0.2.2"}
DELETE = {"deletionPolicy": "Delete"}


def other_zone(name: str = "other", **spec: Any) -> dict[str, Any]:
    return dns_zone(name, uid=f"z-{name}", route53={"zoneID": f"Z{name.upper()}"}, **spec)


def in_zones(*names: str, **spec: Any) -> dict[str, Any]:
    return failover_record(zones=[{"name": name} for name in names], **DELETE, **spec)


def ready(world: World) -> bool:
    return world.api.condition("Ready")[0] == "True"


def leaving(world: World) -> tuple[str, str]:
    """Return reason and message of the condition Leaving, empty where there is none."""
    conditions = {each["type"]: each for each in world.api.status()["conditions"]}
    found = conditions.get("Leaving", {"reason": "", "message": ""})
    return found["reason"], found["message"]


async def stays(world: World, seconds: float, zone: str = "main") -> None:
    """See to it that the name answers in a zone for so long."""
    assert await holds(lambda: world.answers(zone=zone), seconds), f"{API} is gone from {zone}"


async def goes(world: World, clouds: Clouds, zone: str = "main", within: float = 60.0) -> None:
    """Wait until the name is gone from a zone, as it is meant to."""
    clouds.zone(zone).guarded.discard(API)
    await world.until(lambda: not clouds.zone(zone).answers(API), within=within)


async def test_a_name_leaves_a_zone_once_it_has_arrived_in_the_other(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), other_zone(), in_zones("main"))
    await world.until(lambda: ready(world))
    world.api.apply(in_zones("other"))
    await goes(world, clouds)
    assert world.answers(zone="other") == ONE
    await world.until(lambda: [each["name"] for each in world.api.status()["zones"]] == ["other"])
    assert leaving(world) == ("", "")


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ({"name": "mian"}, "does not exist"),
        ({"name": "closed", "namespace": "elsewhere"}, "takes no records from namespace shop"),
        ({"name": "taken"}, "exists and bears no mark"),
        ({"name": "foreign"}, "is not within example.net"),
        ({"name": "away"}, "has not been read yet"),
    ],
    ids=["a typing mistake", "a zone that refuses it", "a name that is taken", "another domain", "a zone that is away"],
)
async def test_a_name_does_not_leave_before_it_has_arrived(
    boot: Boot, clouds: Clouds, target: dict[str, str], told: str
) -> None:
    closed = other_zone("closed")
    closed["metadata"]["namespace"] = "elsewhere"
    clouds.zone("taken").put(RRset(API, RRType.A, 60, ("203.0.113.9",)))
    clouds.refusing.add("away")
    zones = (dns_zone(), other_zone("taken"), other_zone("foreign", domain="example.net"), closed, other_zone("away"))
    world = boot(*zones, in_zones("main"))
    await world.until(lambda: world.api.condition("Published")[0] == "True")
    world.api.apply({**in_zones("main"), "spec": {**in_zones("main")["spec"], "zones": [target]}})
    await stays(world, 60)
    reason, message = leaving(world)
    assert reason == "NotThereYet"
    assert told in message
    assert "detour.dev/approve=" in message


async def test_a_name_goes_on_following_failures_in_a_zone_that_it_may_not_leave_yet(boot: Boot) -> None:
    world = boot(dns_zone(), in_zones("main"))
    await world.until(lambda: ready(world))
    world.api.apply(in_zones("mian"))
    await asyncio.sleep(5)
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO)


async def test_a_person_can_approve_that_a_name_leaves(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), in_zones("main"))
    await world.until(lambda: ready(world))
    world.api.apply(in_zones("mian"))
    await world.until(lambda: leaving(world)[0] == "NotThereYet")
    digest = leaving(world)[1].split("detour.dev/approve=")[1].rstrip("`")
    world.api.apply(in_zones("mian", metadata={"annotations": {"detour.dev/approve": "0" * 12}}))
    await stays(world, 10)
    world.api.apply(in_zones("mian", metadata={"annotations": {"detour.dev/approve": digest}}))
    await goes(world, clouds)


@pytest.mark.parametrize("meanwhile", ["nothing", "a restart", "another leader", "declared again"])
async def test_a_zone_that_is_away_is_left_once_it_is_back(boot: Boot, clouds: Clouds, meanwhile: str) -> None:
    world = boot(dns_zone(), other_zone(), in_zones("main"), identity="a_1")
    await world.until(lambda: ready(world))
    if meanwhile == "another leader":
        boot(identity="b_1")
    await asyncio.sleep(5)
    away = [True]

    def cut_off(provider: MemoryProvider) -> None:
        original = provider.apply

        async def apply(batch: Batch) -> ZoneContents:
            if away[0]:
                raise UnavailableError("away")
            return await original(batch)

        provider.apply = apply  # type: ignore[method-assign]
        provider.reading_fails = UnavailableError("away")

    for provider in [each for each in clouds.providers if each.zone is clouds.zone("main")]:
        cut_off(provider)
    world.api.apply(in_zones("other"))
    await world.until(lambda: world.answers(zone="other") == ONE)
    await asyncio.sleep(20)
    if meanwhile in ("a restart", "another leader"):
        await world.kill()
    if meanwhile == "a restart":
        world = boot(identity="a_2")
    if meanwhile == "declared again":
        world.api.apply(in_zones("main"))
        await asyncio.sleep(20)
        clouds.zone("other").guarded.discard(API)
    away[0] = False
    for provider in clouds.providers:
        provider.reading_fails = None
    if meanwhile == "declared again":
        await stays(world, 120)
        assert world.answers() == ONE
    else:
        await goes(world, clouds, within=1300)
        assert world.answers(zone="other") == ONE


async def test_a_deletion_waits_for_no_other_zone(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), in_zones("main", "mian"))
    await world.until(lambda: world.answers() == ONE)
    world.api.delete(Kind.FAILOVER_RECORD, "api")
    await goes(world, clouds)


async def test_a_record_that_is_seen_edited_and_deleted_in_one_go_leaves_its_old_zone_too(
    boot: Boot, clouds: Clouds
) -> None:
    world = boot(dns_zone(), other_zone(), in_zones("main"))
    await world.until(lambda: world.answers() == ONE)
    watchers, world.api.watchers = world.api.watchers, []
    world.api.apply(in_zones("other"))
    await asyncio.sleep(0)  # nobody hears of it
    world.api.watchers = watchers
    world.api.delete(Kind.FAILOVER_RECORD, "api")
    await goes(world, clouds)


# -- the same zone under two names -------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [{}, {"route53": {"zoneID": "Z123"}}], ids=["spelt alike", "spelt otherwise"])
async def test_a_dnszone_is_renamed_without_a_gap(boot: Boot, clouds: Clouds, spec: dict[str, Any]) -> None:
    clouds.zones["new"] = clouds.zone("main")
    world = boot(dns_zone(), in_zones("main"))
    await world.until(lambda: ready(world))
    new = dns_zone("new", uid="z-2", **spec)
    new["metadata"]["creationTimestamp"] = "2026-11-24T20:00:00Z"
    world.api.apply(new)
    await stays(world, 5)
    world.api.apply(in_zones("new"))
    await stays(world, 60)
    assert world.api.condition("Ready", "new", DZ)[1] == "DuplicateZone"
    world.api.delete(DZ, "main")
    await stays(world, 60)
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO)
    assert world.api.condition("Ready", "new", DZ)[0] == "True"


async def test_a_name_stays_where_another_dnszone_stood_for_the_zone_when_it_could_be_opened_last(
    boot: Boot, clouds: Clouds
) -> None:
    clouds.zones["new"] = clouds.zone("main")
    world = boot(dns_zone(), other_zone(), dns_zone("new", uid="z-2", route53={"zoneID": "Z123"}), in_zones("main"))
    await world.until(lambda: ready(world) and world.api.condition("Ready", "new", DZ)[1] == "DuplicateZone")
    clouds.refusing.add("new")
    await world.until(lambda: world.api.condition("Ready", "new", DZ)[1] != "DuplicateZone")
    world.api.apply(in_zones("other"))
    await stays(world, 120)
    assert leaving(world)[0] == "SameHostedZone"
    world.api.delete(DZ, "new")
    await goes(world, clouds)


async def test_two_dnszones_for_one_zone_are_written_by_one(boot: Boot, clouds: Clouds) -> None:
    clouds.zones["new"] = clouds.zone("main")
    www = failover_record("www", uid="u-2", zones=[{"name": "new"}])
    world = boot(dns_zone(), dns_zone("new", uid="z-2", route53={"zoneID": "Z123"}), failover_record(), www)
    await world.until(lambda: world.answers("www.example.org") == ONE and world.answers() == ONE)
    await asyncio.sleep(60)
    writes = sum(len(each.writes) for each in clouds.providers)
    await asyncio.sleep(600)
    assert sum(len(each.writes) for each in clouds.providers) == writes
    world.down = set(ONE)
    await world.until(lambda: world.answers("www.example.org") == TWO and world.answers() == TWO)


async def test_an_older_dnszone_lends_its_credentials_to_nobody_it_does_not_permit(boot: Boot, clouds: Clouds) -> None:
    clouds.zones["theirs"] = clouds.zone("main")
    theirs = dns_zone("theirs", uid="z-2", route53={"zoneID": "Z123"})
    theirs["metadata"] |= {"namespace": "elsewhere", "creationTimestamp": "2026-11-24T20:00:00Z"}
    www = failover_record("www", uid="u-2", zones=[{"name": "theirs"}], metadata={"namespace": "elsewhere"})
    world = boot(dns_zone(), theirs, failover_record(), www)
    await world.until(lambda: ready(world))
    await asyncio.sleep(60)
    assert world.answers("www.example.org") == set()
    assert world.api.condition("Published", "www", Kind.FAILOVER_RECORD, namespace="elsewhere")[1] == "DuplicateZone"


async def test_one_domain_in_two_accounts_is_no_duplicate(boot: Boot) -> None:
    prod = dns_zone("prod", credentialsSecretRef={"name": "prod-account"})
    staging = dns_zone("staging", uid="z-2", credentialsSecretRef={"name": "staging-account"})
    world = boot(prod, staging, failover_record(zones=[{"name": "prod"}, {"name": "staging"}]))
    await world.until(lambda: ready(world))
    assert world.answers(zone="prod") == world.answers(zone="staging") == ONE


# -- another zone under the same name ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["another ID", "another account", "made anew"])
async def test_what_proves_that_we_published_is_bound_to_the_providers_zone(
    boot: Boot, clouds: Clouds, how: str
) -> None:
    world = boot(dns_zone(route53={"zoneID": "Z1"}, credentialsSecretRef={"name": "account"}), failover_record())
    await world.until(lambda: ready(world))
    await world.kill()
    again = boot()  # its status says now that the name is published in DNSZone main
    await again.until(lambda: ready(again))
    await asyncio.sleep(20)
    second = MemoryZone()
    second.put(RRset(API, RRType.A, 300, ("203.0.113.9",)))  # somebody else's name there
    clouds.zones["main"] = second
    if how == "another ID":
        again.api.apply(dns_zone(route53={"zoneID": "Z2"}, credentialsSecretRef={"name": "account"}))
    elif how == "another account":
        again.secret["key"] = "another"
    else:
        for provider in clouds.providers:
            provider.zone = second
        again.engine.zones.keepers[next(iter(again.engine.zones.keepers))]._enactor._reader.look_for_zone()
    await asyncio.sleep(120)
    assert second.answers(API) == {"203.0.113.9"}
    assert again.api.condition("Published")[1] == "NameTaken"


# -- the parent --------------------------------------------------------------------------------------------------------


class Parent:
    """Where the world is sent for example.org, None where it cannot be asked."""

    def __init__(self) -> None:
        self.servers: tuple[str, ...] | None = ("ns-main.example.net", "ns-other.example.net")
        self.below: dict[str, tuple[str, ...]] = {}
        self.ttl = 3600.0
        self.takes = self.opening_takes = 0.0

    async def delegation(self, world: World, domain: str) -> Delegation | None:
        await asyncio.sleep(self.takes)
        servers = self.below.get(domain, self.servers)
        return Delegation(servers, False, self.ttl) if servers else None


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch, clouds: Clouds) -> Parent:
    """Let both zones have servers with names, and a parent."""
    found = Parent()

    async def describe(provider: MemoryProvider) -> ZoneFacts:
        await asyncio.sleep(found.opening_takes)
        name = "main" if provider.zone is clouds.zone("main") else "other"
        return ZoneFacts(provider.zone.zone_id, (f"ns-{name}.example.net",), 60)

    async def delegation_of(world: World, domain: str) -> Delegation | None:
        return await found.delegation(world, domain)

    monkeypatch.setattr(MemoryProvider, "describe", describe)
    monkeypatch.setattr(World, "_no_delegation", delegation_of)
    return found


@pytest.mark.parametrize("servers", [("ns-main.example.net",), None], ids=["it names them", "it cannot be asked"])
async def test_a_name_stays_while_the_parent_sends_the_world_to_the_zone(
    boot: Boot, clouds: Clouds, parent: Parent, servers: tuple[str, ...] | None
) -> None:
    parent.servers = servers
    world = boot(dns_zone(), other_zone(), in_zones("main", "other"))
    await world.until(lambda: ready(world))
    world.api.apply(in_zones("other"))
    await stays(world, 1300)
    reason, message = leaving(world)
    assert reason == "StillDelegated"
    digest = message.split("detour.dev/approve=")[1].rstrip("`")
    world.api.apply(in_zones("other", metadata={"annotations": {"detour.dev/approve": digest}}))
    await goes(world, clouds)


async def test_a_name_stays_while_nobody_has_looked_yet_whom_the_parent_names(
    boot: Boot, clouds: Clouds, parent: Parent
) -> None:
    world = boot(dns_zone(), other_zone(), in_zones("main", "other"))
    await world.until(lambda: ready(world))
    world.api.apply(in_zones("other"))
    await stays(world, 30)
    await world.kill()
    parent.takes, parent.opening_takes = 60.0, 1.0
    again = boot()
    await stays(again, 300)
    assert leaving(again)[0] == "StillDelegated"


async def test_whom_the_parent_names_is_looked_at_once_the_zone_is_open(
    boot: Boot, clouds: Clouds, parent: Parent
) -> None:
    """Which servers to ask is declared, so nothing else waits for the provider to name its own."""
    named, parent.opening_takes = {"verification": {"nameServers": ["192.0.2.53:53"]}}, 1.0
    parent.servers, parent.ttl = ("ns-other.example.net",), 60.0
    world = boot(dns_zone(**named), other_zone(**named), in_zones("main", "other"))
    await world.until(lambda: ready(world))
    world.api.apply(in_zones("other"))
    await goes(world, clouds, within=120)


@pytest.mark.slow
async def test_a_name_leaves_once_caches_have_forgotten_the_delegation(
    boot: Boot, clouds: Clouds, parent: Parent
) -> None:
    world = boot(dns_zone(), other_zone(), in_zones("main", "other"))
    await world.until(lambda: ready(world))
    await asyncio.sleep(10)
    world.api.apply(in_zones("other"))
    await stays(world, 60)
    parent.servers = ("ns-other.example.net",)
    await stays(world, 3600)
    await goes(world, clouds, within=1300)


async def test_a_name_leaves_by_what_is_heard_of_it_in_the_zone_that_it_leaves(
    boot: Boot, clouds: Clouds, parent: Parent
) -> None:
    parent.ttl, parent.servers = 30.0, ("ns-other.example.net",)
    world = boot(dns_zone(), other_zone(), in_zones("main", "other"))
    await world.until(lambda: ready(world))
    server_watch = next(each for key, each in world.engine.zones.keepers.items() if key.name == "main").server_watch
    world.api.apply(in_zones("other"))
    clouds.zone("main").guarded.discard(API)
    for _ in range(240):
        server_watch._emit(NameShown(API))  # the last thing that was waited for may have come true by then
        await asyncio.sleep(0.25)
    assert not clouds.zone("main").answers(API)
    assert world.answers(zone="other") == ONE


async def test_a_name_stays_where_the_parent_came_back_to_the_zone_since_it_was_looked_at(
    boot: Boot, clouds: Clouds, parent: Parent
) -> None:
    parent.ttl = 30.0
    world = boot(dns_zone(), other_zone(), in_zones("main", "other"))
    await world.until(lambda: ready(world))
    parent.servers = ("ns-other.example.net",)
    await asyncio.sleep(700)  # it is looked at every 10 min
    parent.servers = ("ns-main.example.net", "ns-other.example.net")
    world.api.apply(in_zones("other"))
    await stays(world, 1300)
    assert leaving(world)[0] == "StillDelegated"


async def test_a_name_leaves_a_zone_whose_parent_names_it_once_the_world_looks_for_it_in_one_below(
    boot: Boot, clouds: Clouds, parent: Parent
) -> None:
    below = "eu.example.org"
    edited = {"hostname": f"api.{below}"}
    world = boot(dns_zone(), other_zone(domain=below), in_zones("main", "other", **edited))
    parent.below[below] = ()  # example.org does not name it yet
    await world.until(lambda: ready(world))
    world.api.apply(in_zones("other", **edited))
    await asyncio.sleep(600)
    assert clouds.zone("main").answers(f"api.{below}")
    assert leaving(world)[0] == "StillDelegated"
    parent.below[below] = ("ns-other.example.net",)
    clouds.zone("main").guarded.clear()
    await world.until(lambda: not clouds.zone("main").answers(f"api.{below}"), within=1300)


# -- what was asked and is not done yet --------------------------------------------------------------------------------


def keeper_of(world: World, name: str) -> ZoneKeeper:
    return next(keeper for key, keeper in world.engine.zones.keepers.items() if key.name == name)


def refuse_writes(clouds: Clouds, zone: str = "main") -> None:
    """Let the provider of a zone refuse every connection for a write."""
    for provider in [each for each in clouds.providers if each.zone is clouds.zone(zone)]:
        provider.trouble(Fault.UNAVAILABLE, times=100_000)


def take_writes(clouds: Clouds) -> None:
    for provider in clouds.providers:
        provider.troubles.clear()


async def asked_to_leave(boot: Boot, clouds: Clouds, parent: Parent) -> World:
    """Return a world in which the name is to go from `main`, and `main` does not take it yet."""
    parent.servers, parent.ttl = ("ns-other.example.net",), 60.0
    world = boot(dns_zone(), other_zone(), in_zones("main", "other"))
    await world.until(lambda: ready(world))
    await asyncio.sleep(120)
    refuse_writes(clouds)
    world.api.apply(in_zones("other"))
    await world.until(lambda: keeper_of(world, "main").tally.errors)
    return world


@pytest.mark.parametrize("what", ["the parent names it again", "the other zone is gone", "the policy is Retain"])
async def test_a_name_that_was_to_leave_is_called_back_where_it_may_not_any_more(
    boot: Boot, clouds: Clouds, parent: Parent, what: str
) -> None:
    world = await asked_to_leave(boot, clouds, parent)
    if what == "the parent names it again":
        parent.servers = ("ns-main.example.net", "ns-other.example.net")
        keeper_of(world, "main").server_watch.look_up_again()
    elif what == "the other zone is gone":
        world.api.delete(DZ, "other")
        world.api.objects[DZ, "shop", "other"]["metadata"]["finalizers"] = []
        world.api.delete(DZ, "other")
    else:
        world.api.apply({**in_zones("other"), "spec": {**in_zones("other")["spec"], "deletionPolicy": "Retain"}})
    await stays(world, 15)
    take_writes(clouds)
    await stays(world, 600)


async def test_a_name_that_was_to_leave_does_once_the_provider_takes_it(
    boot: Boot, clouds: Clouds, parent: Parent
) -> None:
    world = await asked_to_leave(boot, clouds, parent)
    await stays(world, 15)
    take_writes(clouds)
    await goes(world, clouds)


async def test_a_new_leader_does_not_serve_a_zone_again_that_was_left_before_its_term(
    boot: Boot, clouds: Clouds
) -> None:
    leader = boot(dns_zone(), other_zone(), in_zones("main"), identity="a")
    await leader.until(lambda: leader.leads)
    standby = boot(identity="b")
    await leader.until(lambda: ready(leader))
    await asyncio.sleep(5)
    leader.api.apply(in_zones("other"))
    await goes(leader, clouds)
    await asyncio.sleep(60)
    await leader.kill()
    assert await holds(lambda: not standby.answers(zone="main"), 180)
    assert standby.leads
    assert keeper_of(standby, "other").in_force
    assert standby.answers(zone="other") == ONE
    assert leaving(standby) == ("", "")


async def test_a_parent_that_cannot_be_compared_with_the_zones_own_servers_keeps_the_name(
    boot: Boot, clouds: Clouds, parent: Parent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider names the servers by address, and none of them says what the zone calls them."""
    named_by_address = MemoryProvider.describe

    async def describe(provider: MemoryProvider) -> ZoneFacts:
        facts = await named_by_address(provider)
        return replace(facts, name_servers=("192.0.2.53:53",)) if provider.zone is clouds.zone("main") else facts

    monkeypatch.setattr(MemoryProvider, "describe", describe)
    parent.servers = ("ns-other.example.net",)
    world = boot(dns_zone(), other_zone(), in_zones("main", "other"))
    world.is_silent_about = {"NS"}
    await world.until(lambda: ready(world))
    world.api.apply(in_zones("other"))
    await stays(world, 1300)
    assert leaving(world)[0] == "StillDelegated"


async def test_a_zone_that_is_declared_again_while_its_secret_is_away_keeps_the_name(
    boot: Boot, clouds: Clouds
) -> None:
    """The removal was under way when the Secret went: what is wanted since counts, not what was."""
    secret = {"credentialsSecretRef": {"name": "account"}}
    world = boot(dns_zone(**secret), other_zone(), in_zones("main", "other"))
    await world.until(lambda: ready(world))
    refuse_writes(clouds)
    world.api.apply(in_zones("other"))
    await world.until(lambda: keeper_of(world, "main").tally.errors)
    world.secret_error = ClusterError("not found", 404)
    await world.until(lambda: world.api.condition("Ready", "main", DZ)[1] == "SecretMissing")
    world.api.apply(in_zones("main", "other"))
    await asyncio.sleep(60)
    world.secret_error = None
    await stays(world, 120)
