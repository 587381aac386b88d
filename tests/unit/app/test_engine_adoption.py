"""Whose a name is: adopting takes nothing from a record that exists or from another tool unasked, and loses nothing."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from detour.engine.contest import QUIET, REPEATED
from detour.model.objects import Kind
from detour.model.rrset import RRKey, RRset, RRType

from .gating import EAST, message, record, told
from .objects import changed, dns_zone, failover_record, override
from .world import Clouds, World

Boot = Callable[..., World]
FR, DZ = Kind.FAILOVER_RECORD, Kind.DNS_ZONE
API = "api.example.org"
ONE, TWO = {"192.0.2.1"}, {"192.0.2.2"}
THEIRS = "203.0.113.66"
EXTERNAL = "heritage=external-dns,external-dns/owner=shop-ingress,external-dns/resource=ingress/shop/api"


def ready(world: World) -> bool:
    return world.api.condition("Ready")[0] == "True"


def thief(**spec: Any) -> dict[str, Any]:
    """Return a younger record of another namespace that would adopt the name."""
    raw = record("thief", (EAST, THEIRS, 1), adopt=True, hostname=API, zones=[{"name": "main", "namespace": "shop"}])
    raw["spec"] |= spec
    return changed(raw, namespace="other-team", creationTimestamp="2026-11-25T20:00:00Z")


def open_zone() -> dict[str, Any]:
    return dns_zone(allowedNamespaces={"from": "All"})


async def test_adopting_with_nobody_healthy_keeps_what_works_there(boot: Boot, clouds: Clouds) -> None:
    clouds.zone().put(RRset(API, RRType.A, 60, ("203.0.113.9",)))
    world = boot(dns_zone(), failover_record(adopt=True))
    world.down = ONE | TWO  # the path of the check is misspelt, say
    await asyncio.sleep(120)
    assert world.answers() == {"203.0.113.9"}
    assert "until then it stays as it is" in message(world, "Published", "api", FR)
    world.down = set()
    await world.until(lambda: world.answers() and world.answers() <= ONE | TWO)


async def test_what_was_there_before_stands_in_the_history_and_can_be_given_back(boot: Boot, clouds: Clouds) -> None:
    clouds.zone().put(RRset(API, RRType.A, 60, ("203.0.113.9",)))
    world = boot(dns_zone(), failover_record(adopt=True))
    await world.until(lambda: ready(world))
    history = world.api.status()["history"]
    before = next(each for each in history if each.get("wasThere"))
    assert before["values"] == ["203.0.113.9"]
    await world.until(lambda: told(world, "Adopted"))
    assert "203.0.113.9 (A, TTL 60 s)" in told(world, "Adopted")[0]
    await world.kill()
    again = boot()
    await again.until(lambda: ready(again))
    again.api.apply(override(action="Pin", revision=before["revision"]))
    await again.until(lambda: again.answers() == {"203.0.113.9"})


@pytest.mark.parametrize("restart", [False, True])
async def test_adopting_takes_no_name_from_a_record_that_is_only_invalid_now(boot: Boot, restart: bool) -> None:
    world = boot(open_zone(), failover_record())
    await world.until(lambda: ready(world))
    world.api.apply(thief())
    await asyncio.sleep(60)
    assert world.answers() == ONE
    broken = failover_record()
    broken["spec"]["healthCheck"] = {"https": {"path": "/", "caBundleRef": {"name": "gone", "key": "ca.crt"}}}
    world.api.apply(broken)
    if restart:
        await world.kill()
        world = boot()
    await asyncio.sleep(90)
    assert world.answers() == ONE


async def test_a_record_that_is_replaced_keeps_its_name_from_one_that_would_adopt_it(boot: Boot) -> None:
    world = boot(open_zone(), failover_record(), thief())
    await world.until(lambda: world.answers() == ONE)
    await asyncio.sleep(30)
    world.api.delete(FR, "api")
    await asyncio.sleep(1)
    world.api.apply(failover_record(uid="u-9"))
    await asyncio.sleep(120)
    assert world.answers() == ONE


async def test_a_name_whose_record_is_gone_for_good_can_be_adopted(boot: Boot) -> None:
    world = boot(open_zone(), failover_record())
    await world.until(lambda: ready(world))
    world.api.delete(FR, "api")
    await asyncio.sleep(60)
    world.api.apply(thief())
    await world.until(lambda: world.answers() == {THEIRS}, within=90)


async def test_a_fresh_duplicate_tells_of_no_lost_status_and_of_no_set_that_it_published(boot: Boot) -> None:
    world = boot(open_zone(), failover_record())
    await world.until(lambda: ready(world))
    world.api.apply(changed(thief(adopt=False), name="copy"))
    await asyncio.sleep(60)
    status = world.api.status("copy", FR, "other-team")
    assert status["history"] == []
    assert "lastIncident" not in status
    assert world.api.condition("Published", "copy", FR, "other-team")[1] == "NameConflict"


# -- external-dns ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["a-api.example.org", API, "cname-api.example.org", "extdns-a-api.example.org"])
async def test_a_name_of_external_dns_is_not_adopted_unasked(boot: Boot, clouds: Clouds, mark: str) -> None:
    clouds.zone().put(RRset(API, RRType.A, 60, ("203.0.113.9",)), RRset(mark, RRType.TXT, 300, (EXTERNAL,)))
    world = boot(dns_zone(), failover_record(adopt=True))
    await world.until(lambda: world.api.condition("Published")[1] == "OwnedByExternalDNS")
    why = message(world, "Published", "api", FR)
    assert "external-dns, owner shop-ingress, claims this name" in why
    assert """-p '{"spec":{"adopt":{"from":"external-dns"}}}'""" in why
    await asyncio.sleep(60)
    assert world.answers() == {"203.0.113.9"}


async def test_a_name_is_taken_over_from_external_dns_together_with_its_mark(boot: Boot, clouds: Clouds) -> None:
    mark = RRKey("a-api.example.org", RRType.TXT)
    clouds.zone().put(
        RRset(API, RRType.A, 60, ("203.0.113.9",)),
        RRset(mark.name, RRType.TXT, 300, (EXTERNAL,)),
        RRset(API, RRType.TXT, 300, (EXTERNAL, "v=spf1 -all")),
    )
    world = boot(dns_zone(), failover_record(adopt={"from": "external-dns"}))
    await world.until(lambda: world.answers() == ONE)
    assert clouds.zone().rrset(mark) is None
    kept = clouds.zone().rrset(RRKey(API, RRType.TXT))
    assert kept is not None
    assert kept.values == ("v=spf1 -all",)
    adopting = [
        batch
        for provider in clouds.providers
        for batch in provider.applied
        if any(change.key.name == API and change.key.type is RRType.A for change in batch.changes)
    ]
    assert mark in {change.key for change in adopting[0].changes}, "in the same batch"


async def test_who_changes_a_name_again_and_again_is_named_after_what_is_beside_it(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: ready(world))
    clouds.zone().put(RRset("a-api.example.org", RRType.TXT, 300, (EXTERNAL,)))
    await asyncio.sleep(700)  # the whole zone is read every 10 minutes
    clouds.zone().put(RRset(API, RRType.A, 300, ("203.0.113.9",)))
    await world.until(lambda: world.answers() == ONE)
    await world.until(lambda: told(world, "Repaired"))
    assert "external-dns, owner shop-ingress, claims this name" in told(world, "Repaired")[-1]


async def test_a_name_that_is_changed_again_and_again_is_contested_until_it_was_left_alone(
    boot: Boot, clouds: Clouds
) -> None:
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: ready(world))
    clouds.zone().put(RRset("a-api.example.org", RRType.TXT, 300, (EXTERNAL,)))
    await asyncio.sleep(700)
    for times in range(1, 6):
        clouds.zone().put(RRset(API, RRType.A, 300, ("203.0.113.9",)))
        await world.until(lambda: world.answers() == ONE)
        await asyncio.sleep(60)
        assert (world.api.condition("Warning") == ("True", "Contested")) is (times >= REPEATED)
    warning = message(world, "Warning", "api", FR)
    assert f"{API} in zone shop/main was changed by somebody else and put back 5 times since 20" in warning
    assert "when it had A 203.0.113.9 in place of 192.0.2.1; external-dns, owner shop-ingress, claims" in warning
    assert "take the name out of whatever else writes it" in warning
    assert world.api.condition("Ready") == ("True", "Serving")
    await asyncio.sleep(QUIET - 120)
    assert world.api.condition("Warning") == ("True", "Contested")
    await world.until(lambda: world.api.condition("Warning") == ("False", "None"), within=120)


async def test_edits_that_lie_far_apart_are_no_contest(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: ready(world))
    for _ in range(2 * REPEATED):
        clouds.zone().put(RRset(API, RRType.A, 300, ("203.0.113.9",)))
        await world.until(lambda: world.answers() == ONE)
        await asyncio.sleep(QUIET + 60)
    assert told(world, "Repaired")
    assert world.api.condition("Warning") == ("", "")


# -- ends --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [("aaa", "bbb"), ("bbb", "aaa")])
async def test_two_claimants_of_one_name_that_are_deleted_together_end(
    boot: Boot, clouds: Clouds, order: tuple[str, str]
) -> None:
    mine = record("aaa", (EAST, "192.0.2.1", 1), hostname=API, deletionPolicy="Delete")
    other = record("bbb", (EAST, THEIRS, 1), hostname=API, deletionPolicy="Delete")
    world = boot(dns_zone(), mine, changed(other, creationTimestamp="2026-11-24T20:00:00Z"))
    await world.until(lambda: world.answers() == ONE)
    await asyncio.sleep(10)
    clouds.zone().guarded.discard(API)
    for name in order:
        world.api.delete(FR, name)
    await world.until(lambda: not any(key[0] is FR for key in world.api.objects), within=900)
    assert world.answers() == set()


async def test_a_record_whose_zone_is_deleted_and_made_anew_meanwhile_ends(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), failover_record(deletionPolicy="Delete"))
    await world.until(lambda: ready(world))
    await asyncio.sleep(2)
    clouds.zone().guarded.discard(API)
    world.api.delete(FR, "api")
    await asyncio.sleep(1)
    world.api.delete(DZ, "main")
    await asyncio.sleep(1)
    if (DZ, "shop", "main") not in world.api.objects:
        world.api.apply(dns_zone(uid="z-9"))
    await world.until(lambda: (FR, "shop", "api") not in world.api.objects, within=300)
