"""A region that fails as a whole is left though its endpoints answer, where others are fit, and not too soon."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from detour.kube.resources.memory import region_memory_in
from detour.model.objects import Kind

from .objects import changed, cloud_region, dns_zone, failover_record
from .test_engine_vantages import Probes, probes
from .world import Clouds, World

__all__ = ["probes"]

Boot = Callable[..., World]
EAST, NAMES = "aws-us-east-1", ("api.east.cloud", "db.east.cloud", "queue.east.cloud")
ONE, TWO = {"192.0.2.1"}, {"192.0.2.2"}
AFTER, HOLD_DOWN, SEEN = 20.0, 60.0, 15.0
"""Seconds: for which canaries fail before the region does, for which they pass before it is back, and to see either."""


def region(**spec: Any) -> dict[str, Any]:
    """Return a CloudRegion with three canaries."""
    usual = {
        "canaries": [{"name": each.partition(".")[0], "hostname": each} for each in NAMES],
        "canaryTiming": {"interval": "5s", "recheckInterval": "1s", "timeout": "1s", "fall": 2, "rise": 2},
        "failing": {"after": f"{AFTER:g}s", "holdDown": f"{HOLD_DOWN:g}s"},
    }
    return cloud_region(EAST, **{**usual, **spec})


def told(world: World) -> dict[str, Any]:
    return world.api.status(EAST, Kind.CLOUD_REGION, "")


def phase(world: World) -> str | None:
    return told(world).get("phase")


async def serving(boot: Boot, *others: dict[str, Any], record: dict[str, Any] | None = None, **spec: Any) -> World:
    world = boot(dns_zone(), record or failover_record(), region(**spec), *others)
    for number, name in enumerate(NAMES):
        world.names[name] = (f"198.51.100.{number}",)
    await world.until(lambda: world.answers() == ONE and phase(world) == "Healthy", 30.0)
    return world


def break_canaries(world: World, number: int = 2) -> None:
    for name in NAMES[:number]:
        world.names[name] = ()


def mend(world: World) -> None:
    for number, name in enumerate(NAMES):
        world.names[name] = (f"198.51.100.{number}",)


async def test_it_is_left_though_its_endpoints_answer_once_most_canaries_have_failed_for_long(boot: Boot) -> None:
    world = await serving(boot)
    break_canaries(world)
    await world.until(lambda: phase(world) == "Suspect", SEEN)
    assert world.answers() == ONE
    took = await world.until(lambda: phase(world) == "Failing", AFTER + SEEN)
    assert took >= AFTER - 2
    await world.until(lambda: world.answers() == TWO, 5.0)
    assert told(world)["endpointsOut"] is True
    assert "2 of 3 canaries fail (api; db)" in told(world)["message"]
    assert [each["verdict"] for each in told(world)["canaries"]] == ["Unhealthy", "Unhealthy", "Healthy"]
    await world.until(lambda: told(world)["records"] == 0, 5.0)


async def test_it_is_back_after_its_hold_down_and_not_before(boot: Boot) -> None:
    world = await serving(boot)
    break_canaries(world)
    await world.until(lambda: world.answers() == TWO, AFTER + SEEN)
    mend(world)
    await world.until(lambda: phase(world) == "Recovering", SEEN)
    took = await world.until(lambda: world.answers() == ONE, HOLD_DOWN + SEEN)
    assert took >= HOLD_DOWN - 2
    await world.until(lambda: phase(world) == "Healthy", 5.0)
    assert "endpointsOut" not in told(world)


async def test_one_canary_of_three_moves_nothing(boot: Boot) -> None:
    world = await serving(boot)
    break_canaries(world, 1)
    await asyncio.sleep(10 * AFTER)
    assert (phase(world), world.answers()) == ("Suspect", ONE)


async def test_a_name_that_leads_to_too_few_addresses_counts_as_failing(boot: Boot) -> None:
    canaries = [{"name": "api", "hostname": NAMES[0], "minAddresses": 3}]
    world = boot(dns_zone(), failover_record(), region(canaries=canaries))
    world.names[NAMES[0]] = ("198.51.100.1", "198.51.100.2", "198.51.100.3")
    await world.until(lambda: world.answers() == ONE and phase(world) == "Healthy", 30.0)
    world.names[NAMES[0]] = ("198.51.100.1", "198.51.100.2")
    await world.until(lambda: world.answers() == TWO, AFTER + SEEN)
    assert "api.east.cloud leads to 2 of at least 3 addresses" in told(world)["message"]


async def test_where_nobody_else_is_fit_the_name_stays_and_is_listed(boot: Boot) -> None:
    world = await serving(boot, cloud_region("azure-westeurope"))
    world.down = set(TWO)
    await world.until(lambda: world.api.status()["summary"]["healthy"] == "1/2", SEEN + 20)
    break_canaries(world)
    await world.until(lambda: phase(world) == "Failing", AFTER + SEEN)
    await asyncio.sleep(60.0)
    assert world.answers() == ONE
    assert told(world)["staying"] == ["shop/api"]
    assert (
        "1 record stays there, as no other endpoint of theirs is fit, or the change is held: shop/api"
        in told(world)["message"]
    )
    world.down.clear()
    await world.until(lambda: world.answers() == TWO, 60.0)
    await world.until(lambda: "staying" not in told(world), 5.0)


async def test_a_record_may_go_by_its_endpoints_alone(boot: Boot) -> None:
    world = await serving(boot, record=failover_record(regionFailover="Ignore"))
    break_canaries(world)
    await world.until(lambda: phase(world) == "Failing", AFTER + SEEN)
    await asyncio.sleep(60.0)
    assert world.answers() == ONE


async def test_it_stays_out_over_a_restart_that_has_not_seen_its_canaries_yet(boot: Boot) -> None:
    world = await serving(boot)
    break_canaries(world)
    await world.until(lambda: world.answers() == TWO, AFTER + SEEN)
    await world.until(lambda: region_memory_in(told(world)).was_out, 5.0)
    await world.kill()
    again = boot()
    again.names = dict.fromkeys(NAMES)  # type: ignore[arg-type]  # the resolver answers nothing
    await asyncio.sleep(120.0)
    assert again.answers() == TWO
    mend(again)
    took = await again.until(lambda: again.answers() == ONE, HOLD_DOWN + 2 * SEEN)
    assert took >= HOLD_DOWN - 2


async def test_where_a_person_has_to_send_a_record_back_its_region_does_not(boot: Boot) -> None:
    world = await serving(boot, record=failover_record(failback={"mode": "Manual"}))
    break_canaries(world)
    await world.until(lambda: world.answers() == TWO, AFTER + SEEN)
    mend(world)
    await world.until(lambda: phase(world) == "Healthy", HOLD_DOWN + 2 * SEEN)
    await asyncio.sleep(120.0)
    assert world.answers() == TWO
    raw = changed(failover_record(failback={"mode": "Manual"}), annotations={"detour.dev/failback": "1"})
    world.api.apply(raw)
    await world.until(lambda: world.answers() == ONE, SEEN)


async def test_a_resolver_that_does_not_answer_condemns_no_region(boot: Boot) -> None:
    world = await serving(boot)
    world.names = {}
    await asyncio.sleep(300.0)
    assert not told(world).get("endpointsOut")
    assert world.answers() == ONE


async def test_a_region_that_is_declared_no_more_takes_nothing_out(boot: Boot) -> None:
    world = await serving(boot)
    break_canaries(world)
    await world.until(lambda: world.answers() == TWO, AFTER + SEEN)
    world.api.delete(Kind.CLOUD_REGION, EAST, "")
    await world.until(lambda: world.answers() == ONE, 5.0)
    assert not world.engine._canaries._records.get(EAST)


async def test_a_region_that_fails_is_one_that_names_leave_for_the_safety_gate(boot: Boot) -> None:
    world = await serving(boot)
    break_canaries(world)
    await world.until(lambda: world.answers() == TWO, AFTER + SEEN)
    await world.until(lambda: world.api.status("main", Kind.DNS_ZONE, "shop").get("evacuations"), 5.0)
    zone = world.api.status("main", Kind.DNS_ZONE, "shop")
    assert [each["region"] for each in zone["evacuations"]] == [EAST]


async def test_the_last_region_in_service_keeps_its_endpoints(boot: Boot) -> None:
    world = await serving(boot, cloud_region("azure-westeurope", state="Drained"))
    break_canaries(world)
    await world.until(lambda: phase(world) == "Failing", AFTER + SEEN)
    assert told(world)["reason"] == "MinRegionsInService"
    assert world.answers() == ONE


async def test_the_vantages_decide_on_canaries_too(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    east, west = await probes(world, "east", "west")
    east.names = west.names = dict(world.names)
    await asyncio.sleep(30.0)
    break_canaries(world, 3)  # as this process sees it, alone
    await asyncio.sleep(5 * AFTER)
    assert (phase(world), world.answers()) == ("Healthy", ONE)
    east.names = dict(world.names)
    await world.until(lambda: world.answers() == TWO, AFTER + 3 * SEEN)


@pytest.mark.parametrize("namespaces", [1, 3])
async def test_endpoints_alone_move_nothing_unless_the_administrator_says_so(boot: Boot, namespaces: int) -> None:
    others = []
    for number in range(1, namespaces):
        raw = failover_record(f"r{number}", uid=f"u-{number}", hostname=f"r{number}.example.org")
        raw["spec"]["endpoints"][0]["addresses"] = [f"192.0.2.1{number}"]
        others.append(changed(raw, namespace=f"team-{number}"))
    everybody = dns_zone(allowedNamespaces={"from": "All"})
    spec = {"canaries": [], "failing": {"after": "20s", "endpointsAlone": "Failing"}}
    world = boot(everybody, failover_record(), region(**spec), *others)
    await world.until(lambda: world.answers() == ONE, 30.0)
    world.down = {"192.0.2.1"}
    if namespaces == 1:
        await world.until(lambda: phase(world) == "Failing", 60.0)
    else:
        await asyncio.sleep(120.0)
        assert phase(world) == "Healthy", "one of three teams"


async def test_a_drain_that_was_refused_stays_so_over_a_restart(boot: Boot) -> None:
    regions = [cloud_region(EAST, state="Drained"), cloud_region("azure-westeurope", state="Drained")]
    world = boot(dns_zone(), failover_record(), *regions)
    await world.until(lambda: world.answers() == TWO, 30.0)
    await world.until(lambda: phase(world) == "Drained", 5.0)
    await world.kill()
    again = boot(kinds=(Kind.CLOUD_REGION, Kind.DNS_ZONE, Kind.FAILOVER_RECORD, Kind.VANTAGE))
    await asyncio.sleep(60.0)
    assert again.engine._regions.drained() == {EAST}
    assert again.answers() == TWO


async def test_of_two_regions_that_fail_one_is_kept_also_after_a_restart(boot: Boot) -> None:
    other = region()
    other["metadata"] |= {"name": "azure-westeurope", "uid": "r-west"}
    other["spec"] = {**other["spec"], "canaries": [{"name": "api", "hostname": "api.west.cloud"}]}
    world = boot(dns_zone(), failover_record(), region(), other)
    world.names["api.west.cloud"] = ("198.51.100.9",)
    mend(world)
    await world.until(lambda: world.answers() == ONE and phase(world) == "Healthy", 30.0)
    break_canaries(world)
    await world.until(lambda: world.answers() == TWO, AFTER + SEEN)
    world.names["api.west.cloud"] = ()
    west = ("azure-westeurope", Kind.CLOUD_REGION, "")
    await world.until(lambda: world.api.status(*west).get("reason") == "MinRegionsInService", AFTER + SEEN)
    assert "its endpoints stay in DNS, as fewer than 1 region" in world.api.status(*west)["message"]
    assert "endpointsOut" not in world.api.status(*west)
    await world.kill()
    again = boot(kinds=(Kind.CLOUD_REGION, Kind.DNS_ZONE, Kind.FAILOVER_RECORD, Kind.VANTAGE))
    again.names = dict(world.names)
    await asyncio.sleep(3 * AFTER)
    assert again.answers() == TWO


async def test_canaries_that_never_passed_move_nothing(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record(), region())
    world.names = dict.fromkeys(NAMES, ())
    await world.until(lambda: world.answers() == ONE, 30.0)
    await asyncio.sleep(5 * AFTER)
    assert (phase(world), told(world)["reason"], world.answers()) == ("Suspect", "NeverPassed", ONE)


async def test_a_person_has_to_send_it_back_each_time(boot: Boot) -> None:
    manual = failover_record(failback={"mode": "Manual"})
    world = await serving(boot, record=manual)
    for number in ("1", "2"):
        break_canaries(world)
        await world.until(lambda: world.answers() == TWO, AFTER + SEEN)
        mend(world)
        await world.until(lambda: phase(world) == "Healthy", HOLD_DOWN + 2 * SEEN)
        await asyncio.sleep(60.0)
        assert world.answers() == TWO
        world.api.apply(changed(manual, annotations={"detour.dev/failback": number}))
        await world.until(lambda: world.answers() == ONE, SEEN)


async def test_records_are_counted_for_as_long_as_a_zone_shows_them(boot: Boot, clouds: Clouds) -> None:
    world = await serving(boot)
    await world.until(lambda: told(world)["records"] == 1, 5.0)
    clouds.providers[-1].latency = 60.0
    world.api.apply(cloud_region(EAST, state="Drained"))
    await world.until(lambda: phase(world) == "Drained", 5.0)
    await asyncio.sleep(20.0)
    assert (told(world)["records"], world.answers()) == (1, ONE)
    await world.until(lambda: told(world)["records"] == 0, 90.0)
    assert world.answers() == TWO
