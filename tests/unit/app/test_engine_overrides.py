"""What people override: it counts from when it is seen until it ends, over restarts and for others too."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from detour.model.objects import Kind
from detour.model.overrides import Action

from .objects import BEGINNING, changed, cloud_region, dns_zone, failover_record, override
from .test_tallies import series
from .world import World

Boot = Callable[..., World]
FR, DZ = Kind.FAILOVER_RECORD, Kind.DNS_ZONE
EAST, WEST = "aws-us-east-1", "azure-westeurope"
ONE, TWO = {"192.0.2.1"}, {"192.0.2.2"}
CALM: dict[str, Any] = {"safety": {"panicThreshold": 100, "maxRegionsEvacuated": 100}}
QUICK: dict[str, Any] = {"failback": {"holdDown": "1s"}}


def of_override(world: World, name: str = "o") -> dict[str, Any]:
    return world.api.status(name, Kind.OVERRIDE)


def of_cluster_override(world: World, name: str = "o") -> dict[str, Any]:
    return world.api.status(name, Kind.CLUSTER_OVERRIDE, "")


async def begun(boot: Boot, *others: dict[str, Any], **options: Any) -> World:
    world = boot(dns_zone(**CALM), failover_record(**QUICK), cloud_region(EAST), *others, **options)
    await world.until(lambda: world.answers() == ONE and world.api.condition("Ready")[0] == "True")
    return world


@pytest.mark.parametrize("action", ["Drain", "ForceDown"])
async def test_an_endpoint_leaves_at_once_and_comes_back_when_the_override_is_deleted(boot: Boot, action: str) -> None:
    world = await begun(boot)
    world.api.apply(override(action=action, endpoint="one"))
    assert await world.until(lambda: world.answers() == TWO) < 5
    await world.until(lambda: world.api.status()["state"] == "FailedOver")
    (told,) = world.api.status()["overrides"]
    assert (told["name"], told["action"], told["endpoint"], told["requestedBy"]) == ("o", action, "one", "alice")
    await world.until(lambda: of_override(world)["state"] == "InForce")
    assert of_override(world)["requestedByVerified"] is False
    world.api.delete(Kind.OVERRIDE, "o")
    assert await world.until(lambda: world.answers() == ONE) < 5
    await world.until(lambda: "overrides" not in world.api.status())


async def test_what_is_forced_up_answers_only_where_nobody_passes(boot: Boot) -> None:
    world = await begun(boot)
    world.api.apply(override(action="ForceUp", endpoint="two"))
    world.down = ONE | TWO
    await world.until(lambda: world.answers() == TWO)
    await world.until(lambda: world.api.status()["state"] == "Down")
    assert "forced up by a person" in world.api.status()["message"]
    world.down = TWO
    await world.until(lambda: world.answers() == ONE)


async def test_an_override_ends_by_itself_also_for_the_next_process(boot: Boot) -> None:
    world = await begun(boot)
    world.api.apply(override(action="Drain", endpoint="one", created=world.clock.wall(), lasts=200.0))
    await world.until(lambda: world.answers() == TWO)
    assert 100 < await world.until(lambda: world.answers() == ONE, within=300) < 205
    await world.until(lambda: of_override(world)["state"] == "Expired")
    ended = of_override(world)["endedAt"]
    await world.kill()
    again = boot()
    await asyncio.sleep(60)
    assert again.answers() == ONE
    assert of_override(again)["endedAt"] == ended
    assert of_override(again)["state"] == "Expired"


async def test_an_override_ends_while_the_api_server_is_away(boot: Boot) -> None:
    world = await begun(boot)
    world.api.apply(override(action="Drain", endpoint="one", created=world.clock.wall(), lasts=200.0))
    await world.until(lambda: world.answers() == TWO)
    world.api.is_away = True
    assert 100 < await world.until(lambda: world.answers() == ONE, within=300) < 205


async def test_one_that_lasts_for_too_long_is_not_followed_and_says_so(boot: Boot) -> None:
    world = await begun(boot)
    world.api.apply(override(action="Drain", endpoint="one", lasts=8 * 86400.0))
    await world.until(lambda: of_override(world).get("state") == "Refused")
    assert "more than 7 days" in of_override(world)["message"]
    assert world.answers() == ONE


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"record": "ipa"}, "there is no FailoverRecord shop/ipa"),
        ({"endpoint": "three"}, "has no endpoint three: it has one, two"),
    ],
)
async def test_an_override_of_what_is_not_there_waits_for_it_and_says_so(
    boot: Boot, spec: dict[str, str], told: str
) -> None:
    world = await begun(boot)
    world.api.apply(override(action="Drain", **{"endpoint": "one", **spec}))
    await world.until(lambda: of_override(world).get("state") == "Waiting")
    assert told in of_override(world)["message"]
    assert world.answers() == ONE


async def test_an_override_that_came_first_counts_once_its_record_is_there(boot: Boot) -> None:
    world = await begun(boot)
    later = failover_record("later", uid="u-2", **QUICK)
    world.api.apply(override(action="Drain", record="later", endpoint="one"))
    await world.until(lambda: of_override(world).get("state") == "Waiting")
    world.api.apply(later)
    await world.until(lambda: world.answers("later.example.org") == TWO)
    await world.until(lambda: of_override(world)["state"] == "InForce")


async def test_an_override_reaches_no_record_of_another_namespace(boot: Boot) -> None:
    world = await begun(boot)
    stranger = override(action="Drain", endpoint="one")
    stranger["metadata"]["namespace"] = "elsewhere"
    world.api.apply(stranger)
    await world.until(lambda: world.api.status("o", Kind.OVERRIDE, "elsewhere").get("state") == "Waiting")
    assert world.answers() == ONE


async def test_a_freeze_goes_before_a_pin_that_before_a_drain_and_that_before_verdicts(boot: Boot) -> None:
    world = await begun(boot)
    world.api.apply(override("drain", action="Drain", endpoint="one"))
    await world.until(lambda: world.answers() == TWO)
    await world.until(lambda: len(world.api.status()["history"]) == 2)
    world.api.apply(override("pin", action="Pin", revision=1))
    await world.until(lambda: world.answers() == ONE)
    world.api.apply(override("freeze", action="Freeze"))
    await world.until(lambda: world.api.status()["state"] == "Suspended")
    world.api.delete(Kind.OVERRIDE, "pin")
    await asyncio.sleep(30)
    assert world.answers() == ONE
    world.api.delete(Kind.OVERRIDE, "freeze")
    await world.until(lambda: world.answers() == TWO)
    world.down = TWO
    await asyncio.sleep(60)
    assert world.answers() == TWO, "who is drained takes no traffic, and the name is never empty"


@pytest.mark.parametrize(("action", "phase"), [("Drain", "Drained"), ("ForceDown", "Failing")])
async def test_a_region_is_left_while_a_person_says_so(boot: Boot, action: str, phase: str) -> None:
    world = await begun(boot, cloud_region(WEST))
    world.api.apply(override(action=action, region=EAST))
    assert await world.until(lambda: world.answers() == TWO) < 5
    await world.until(lambda: world.api.status(EAST, Kind.CLOUD_REGION, "").get("phase") == phase)
    assert "override o (alice: a test)" in world.api.status(EAST, Kind.CLOUD_REGION, "")["message"]
    await world.until(lambda: of_cluster_override(world)["state"] == "InForce")
    world.api.delete(Kind.CLUSTER_OVERRIDE, "o", "")
    await world.until(lambda: world.answers() == ONE, within=30)


async def test_a_region_is_drained_if_either_says_so(boot: Boot) -> None:
    world = await begun(boot, cloud_region(WEST))
    world.api.apply(cloud_region(EAST, state="Drained"))
    world.api.apply(override(action="Drain", region=EAST))
    await world.until(lambda: world.answers() == TWO)
    world.api.apply(cloud_region(EAST))
    await asyncio.sleep(30)
    assert world.answers() == TWO
    world.api.delete(Kind.CLUSTER_OVERRIDE, "o", "")
    await world.until(lambda: world.answers() == ONE, within=30)


async def test_a_drain_of_the_last_region_needs_the_rule_set_aside(boot: Boot) -> None:
    world = await begun(boot, cloud_region(WEST))
    world.api.apply(override("first", action="Drain", region=WEST))
    await world.until(lambda: world.api.status(WEST, Kind.CLOUD_REGION, "").get("phase") == "Drained")
    world.api.apply(override("second", action="Drain", region=EAST))
    await world.until(lambda: "is not followed" in str(world.api.status(EAST, Kind.CLOUD_REGION, "").get("message")))
    world.api.apply(override("third", action="Drain", region=EAST, setAside=["MinRegionsInService"]))
    await world.until(lambda: world.api.status(EAST, Kind.CLOUD_REGION, "").get("phase") == "Drained")


async def test_a_declared_drain_that_is_over_sets_no_rule_aside_for_another(boot: Boot) -> None:
    over = cloud_region(EAST, state="Drained", until="2020-01-01T00:00:00Z", setAside=["MinRegionsInService"])
    world = await begun(boot, cloud_region(WEST), over)
    world.api.apply(override("first", action="Drain", region=WEST))
    await world.until(lambda: world.api.status(WEST, Kind.CLOUD_REGION, "").get("phase") == "Drained")
    world.api.apply(override("second", action="Drain", region=EAST))
    await world.until(lambda: "is not followed" in str(world.api.status(EAST, Kind.CLOUD_REGION, "").get("message")))
    assert world.answers() == ONE


async def test_a_region_that_is_forced_up_does_not_fail_whatever_its_canaries_say(boot: Boot) -> None:
    canaries = [{"name": each, "hostname": f"{each}.example.net", "tcp": {"port": 443}} for each in ("a", "b")]
    timing = {"interval": "10s", "recheckInterval": "1s", "timeout": "1s", "fall": 1, "rise": 1}
    region = cloud_region(EAST, canaries=canaries, canaryTiming=timing, failing={"after": "5s"})
    world = await begun(boot, cloud_region(WEST))
    world.api.apply(override(action="ForceUp", region=EAST))
    world.api.apply(region)
    await asyncio.sleep(60)
    assert world.api.status(EAST, Kind.CLOUD_REGION, "")["reason"] == "Overridden"
    assert world.api.status(EAST, Kind.CLOUD_REGION, "")["phase"] == "Healthy"
    assert world.answers() == ONE


async def test_a_zone_is_frozen_and_thawed_by_an_object(boot: Boot) -> None:
    world = await begun(boot)
    world.api.apply(override(action="Freeze", zone={"namespace": "shop", "name": "main"}))
    await world.until(lambda: world.api.condition("Frozen", "main", DZ) == ("True", "FrozenByUser"))
    world.down = ONE
    await world.until(lambda: world.api.status("main", DZ).get("held"))
    told = next(each for each in world.api.status("main", DZ)["conditions"] if each["type"] == "Frozen")
    assert "override o (alice: a test)" in told["message"]
    await asyncio.sleep(60)
    assert world.answers() == ONE
    world.api.apply(dns_zone(**CALM, budget={"requestsPerSecond": 4}))
    await asyncio.sleep(30)
    assert world.answers() == ONE, "an edit of the zone thaws it not"
    world.api.delete(Kind.CLUSTER_OVERRIDE, "o", "")
    await world.until(lambda: world.answers() == TWO)


async def test_where_the_policy_is_there_who_asked_is_told_as_proved(boot: Boot) -> None:
    world = await begun(boot, requesters_verified=True)
    world.api.apply(override(action="Drain", endpoint="two"))
    await world.until(lambda: of_override(world).get("requestedByVerified") is True)


async def test_the_metrics_tell_how_many_there_are_and_how_old(boot: Boot) -> None:
    world = await begun(boot)
    world.api.apply(override(action="Drain", endpoint="two"))
    await asyncio.sleep(100)
    count, oldest = world.engine.overrides.ages()[Action.DRAIN]
    assert count == 1
    assert oldest == pytest.approx(world.clock.wall() - BEGINNING)
    assert 'detour_overrides{action="Drain"} 1.0' in series(world)
    world.api.delete(Kind.OVERRIDE, "o")
    await asyncio.sleep(5)
    assert not world.engine.overrides.ages()


async def test_an_override_of_what_has_gone_waits_for_it(boot: Boot) -> None:
    world = await begun(boot)
    world.api.apply(override(action="Drain", endpoint="one"))
    await world.until(lambda: of_override(world).get("state") == "InForce")
    world.api.delete(FR, "api")
    await world.until(lambda: of_override(world)["state"] == "Waiting")


async def test_an_override_that_is_made_anew_under_its_name_counts_as_it_is_now(boot: Boot) -> None:
    world = await begun(boot)
    world.api.apply(override(action="Drain", endpoint="one"))
    await world.until(lambda: world.answers() == TWO)
    del world.api.objects[Kind.OVERRIDE, "shop", "o"]  # while nobody watched
    world.api.apply(changed(override(action="Drain", endpoint="two"), uid="o-2"))
    await world.until(lambda: world.answers() == ONE)
    await world.until(lambda: of_override(world).get("state") == "InForce")
    assert [each["endpoint"] for each in world.api.status()["overrides"]] == ["two"]


async def test_the_next_leader_goes_on_with_what_is_in_force(boot: Boot) -> None:
    first = boot(dns_zone(**CALM), failover_record(**QUICK), cloud_region(EAST), identity="first_1")
    await first.until(lambda: first.answers() == ONE)
    second = boot(identity="second_1")
    first.api.apply(override(action="Drain", endpoint="one"))
    await first.until(lambda: first.answers() == TWO and of_override(first).get("state") == "InForce")
    await first.kill()
    await second.until(lambda: second.leads, within=120)
    await asyncio.sleep(60)
    assert second.answers() == TWO
    second.api.delete(Kind.OVERRIDE, "o")
    await second.until(lambda: second.answers() == ONE)
