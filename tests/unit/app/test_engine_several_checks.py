"""Endpoints with several checks, some of which are verdicts that are made elsewhere."""

import asyncio
from collections.abc import Callable
from typing import Any

from detour.model.checks import CheckResult, PrometheusCheck, TCPCheck
from detour.model.objects import Kind
from detour.model.timestamps import timestamp

from .apiserver import WALL
from .objects import changed, dns_zone, external_verdict, failover_record
from .world import World

Boot = Callable[..., World]
ONE, TWO = {"192.0.2.1"}, {"192.0.2.2"}
SOON = 20.0
"""Seconds in which a verdict comes about, and DNS follows."""


def record(*checks: dict[str, Any], at_least: int = 1, **spec: Any) -> dict[str, Any]:
    """Return a record with these checks beside its first, which is a connection to port 443."""
    return failover_record(healthChecks={"checks": list(checks), "atLeast": at_least}, **spec)


GATEWAY = {"name": "gateway", "tcp": {"port": 8443}}


def found(world: World, endpoint: int = 0) -> dict[str, str]:
    """Return what the status says of each check of an endpoint."""
    return {each["name"]: each["verdict"] for each in world.api.status()["endpoints"][endpoint].get("checks", ())}


async def serving(boot: Boot, *objects: dict[str, Any]) -> World:
    world = boot(dns_zone(), *objects)
    await world.until(lambda: world.answers() == ONE and set(found(world).values()) == {"Healthy"}, 60.0)
    return world


async def test_a_gateway_that_fails_takes_its_endpoint_along_and_back(boot: Boot) -> None:
    world = await serving(boot, record(GATEWAY))
    world.ports_down.add(("192.0.2.1", 8443))
    await world.until(lambda: world.answers() == TWO, SOON)
    await world.until(lambda: found(world) == {"healthCheck": "Healthy", "gateway": "Unhealthy"}, 5.0)
    told = world.api.status()["endpoints"][0]
    assert (told["verdict"], told["message"]) == ("Unhealthy", "gateway: connection refused")
    world.ports_down.clear()
    await world.until(lambda: world.answers() == ONE, 400.0)


async def test_what_is_observed_is_shown_and_decides_nothing(boot: Boot) -> None:
    world = await serving(boot, record({**GATEWAY, "role": "Observed"}))
    world.ports_down.add(("192.0.2.1", 8443))
    await world.until(lambda: found(world)["gateway"] == "Unhealthy", SOON)
    await asyncio.sleep(120.0)
    assert world.answers() == ONE
    assert world.api.status()["endpoints"][0]["verdict"] == "Healthy"


async def test_of_the_counted_ones_so_many_must_pass(boot: Boot) -> None:
    counted = [{"name": f"c{port}", "role": "Counted", "tcp": {"port": port}} for port in (1, 2, 3)]
    world = await serving(boot, record(*counted, at_least=2))
    world.ports_down.add(("192.0.2.1", 1))
    await world.until(lambda: found(world)["c1"] == "Unhealthy", SOON)
    await asyncio.sleep(60.0)
    assert world.answers() == ONE
    world.ports_down.add(("192.0.2.1", 2))
    await world.until(lambda: world.answers() == TWO, SOON)


async def test_a_place_is_gained_only_if_all_its_checks_pass(boot: Boot) -> None:
    world = await serving(boot, record(GATEWAY))
    world.ports_down.add(("192.0.2.2", 8443))
    await world.until(lambda: found(world, 1)["gateway"] == "Unhealthy", SOON)
    world.down = {"192.0.2.1"}
    await asyncio.sleep(120.0)
    assert world.answers() == ONE  # nobody is healthy
    world.ports_down.clear()
    await world.until(lambda: world.answers() == TWO, 60.0)


async def test_a_restart_starts_from_what_was_believed(boot: Boot) -> None:
    world = await serving(boot, record(GATEWAY))
    world.ports_down.add(("192.0.2.1", 8443))
    await world.until(lambda: world.answers() == TWO, SOON)
    await asyncio.sleep(5.0)
    await world.kill()
    again = boot()
    again.ports_down.add(("192.0.2.1", 8443))
    await asyncio.sleep(60.0)
    assert again.answers() == TWO


async def test_an_edit_that_adds_a_check_that_fails_moves_away(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: world.answers() == ONE, 30.0)
    world.ports_down.add(("192.0.2.1", 8443))
    world.api.apply(changed(record(GATEWAY), generation=2))
    await world.until(lambda: world.answers() == TWO, SOON + 10)
    world.api.apply(changed(failover_record(), generation=3))
    await world.until(lambda: "checks" not in world.api.status()["endpoints"][0], 10.0)
    assert not [each for each in world.targets._targets if each.address and each.probe != TCPCheck(443)]


# -- verdicts that are made elsewhere ----------------------------------------------------------------------------------

SYNTHETIC = {"name": "synthetic", "external": {"name": "checkout-$endpoint"}}


def verdict(endpoint: str, said: str = "Healthy", *, left: float = 600.0, **spec: Any) -> dict[str, Any]:
    """Return what a program says of an endpoint now, for so many seconds."""
    now = WALL + asyncio.get_running_loop().time()
    return external_verdict(f"checkout-{endpoint}", verdict=said, expiresAt=timestamp(now + left), **spec)


def names(raw: dict[str, Any]) -> list[str]:
    return [each["name"] for each in raw["spec"]["endpoints"]]


async def told_of(boot: Boot, raw: dict[str, Any], *, left: float) -> World:
    """Return a world in which good verdicts were seen to be written, which say that they count for so many seconds."""
    world = boot(dns_zone(), raw)
    for each in names(raw):
        world.api.apply(verdict(each, left=left))
    await world.until(lambda: world.answers() == ONE and set(found(world).values()) == {"Healthy"}, 60.0)
    return world


async def test_an_external_verdict_counts_at_once_and_until_it_expires(boot: Boot) -> None:
    raw = record(SYNTHETIC)
    first, _ = names(raw)
    world = await told_of(boot, raw, left=10_000.0)
    world.api.apply(changed(verdict(first, "Unhealthy", left=60.0, message="3 of 5 fail"), generation=2))
    took = await world.until(lambda: world.answers() == TWO, SOON)
    assert took < 5.0
    await world.until(lambda: found(world)["synthetic"] == "Unhealthy", 5.0)
    told = world.api.status()["endpoints"][0]
    assert told["message"] == f"synthetic: ExternalVerdict shop/checkout-{first} says so: 3 of 5 fail"
    await world.until(lambda: found(world)["synthetic"] == "Unknown", 90.0)
    assert world.api.status()["endpoints"][0]["verdict"] == "Unknown"
    world.api.apply(changed(verdict(first), generation=3))
    await world.until(lambda: world.answers() == ONE, 400.0)


async def test_however_late_one_says_that_it_expires_it_counts_for_ten_minutes(boot: Boot) -> None:
    world = await told_of(boot, record(SYNTHETIC), left=1e6)
    await asyncio.sleep(500.0)
    assert found(world)["synthetic"] == "Healthy"
    await world.until(lambda: found(world)["synthetic"] == "Unknown", 150.0)
    assert "has expired" in world.api.status()["endpoints"][0]["message"]
    assert world.answers() == ONE  # who is Unknown keeps his place


async def test_one_that_is_missing_or_gone_is_unknown_and_moves_nothing(boot: Boot) -> None:
    raw = record(SYNTHETIC)
    first, _ = names(raw)
    world = await told_of(boot, raw, left=1e6)
    world.api.delete(Kind.EXTERNAL_VERDICT, f"checkout-{first}")
    await world.until(lambda: found(world)["synthetic"] == "Unknown", 15.0)
    await asyncio.sleep(60.0)
    assert world.answers() == ONE
    assert f"there is no ExternalVerdict shop/checkout-{first}" in world.api.status()["endpoints"][0]["message"]


async def test_one_that_makes_no_sense_leaves_what_was_said_before(boot: Boot) -> None:
    raw = record(SYNTHETIC)
    first, second = names(raw)
    world = await serving(boot, raw, verdict(first), verdict(second))
    odd = changed(verdict(first), generation=2)
    odd["spec"]["verdict"] = "Splendid"
    world.api.apply(odd)
    await asyncio.sleep(60.0)
    assert found(world)["synthetic"] == "Healthy"
    assert "status" not in odd
    await world.until(lambda: found(world)["synthetic"] == "Unknown", 700.0)
    assert "what it says now cannot be used" in world.api.status()["endpoints"][0]["message"]


async def test_a_query_is_asked_for_each_endpoint_by_its_name_and_region(boot: Boot) -> None:
    asked: set[str] = set()

    async def elsewhere(check: object) -> CheckResult:
        assert isinstance(check, PrometheusCheck)
        asked.add(check.query)
        return CheckResult(not ("virginia" in check.query and bad), "SaidElsewhere" if bad else "", "", 0.0)

    bad = False
    query = {"server": "main", "query": 'errors{endpoint="$endpoint",region="$region"}', "above": 0.5}
    raw = record({"name": "errors", "prometheus": query})
    raw["spec"]["endpoints"][0]["name"] = "virginia"
    world = boot(dns_zone(), raw)
    world.elsewhere = elsewhere
    await world.until(lambda: world.answers() == ONE and found(world).get("errors") == "Healthy", 60.0)
    regions = [each["region"] for each in raw["spec"]["endpoints"]]
    assert asked == {
        f'errors{{endpoint="{name}",region="{region}"}}' for name, region in zip(names(raw), regions, strict=True)
    }
    bad = True
    await world.until(lambda: world.answers() == TWO, 60.0)


async def test_what_fails_elsewhere_casts_no_doubt_on_this_vantage(boot: Boot) -> None:
    async def elsewhere(_: object) -> CheckResult:
        return CheckResult(False, "SaidElsewhere", "it is bad", 0.0)

    query = {"server": "main", "query": "errors", "above": 0.5}
    world = boot(dns_zone(), record({"name": "errors", "role": "Observed", "prometheus": query}))
    world.elsewhere = elsewhere
    await world.until(lambda: world.answers() == ONE and found(world).get("errors") == "Unhealthy", 60.0)
    assert world.targets.bad_share(600.0) == 0.0
    assert not world.targets.is_blind()
    world.down = {"192.0.2.1"}
    await world.until(lambda: world.answers() == TWO, SOON)


async def test_one_that_is_old_counts_for_nothing_after_a_restart(boot: Boot) -> None:
    raw = record(SYNTHETIC)
    first, _ = names(raw)
    world = await told_of(boot, raw, left=1e7)
    await world.kill()
    await asyncio.sleep(86_400.0)
    again = boot()
    await again.until(lambda: found(again).get("synthetic") == "Unknown", 60.0)
    assert again.answers() == ONE
    again.api.apply(changed(verdict(first, "Unhealthy", left=300.0), generation=2))
    await again.until(lambda: found(again)["synthetic"] == "Unhealthy", 10.0)


async def test_another_annotation_renews_no_verdict(boot: Boot) -> None:
    raw = record(SYNTHETIC)
    first, _ = names(raw)
    world = await told_of(boot, raw, left=1e6)
    said = world.api.objects[Kind.EXTERNAL_VERDICT, "shop", f"checkout-{first}"]
    await asyncio.sleep(550.0)
    world.api.apply(changed(said, annotations={"detour.dev/x": "y"}))
    await world.until(lambda: found(world)["synthetic"] == "Unknown", 100.0)


async def test_a_verdict_of_another_endpoint_is_no_memory_of_a_shared_check(boot: Boot) -> None:
    async def elsewhere(_: object) -> CheckResult:
        return CheckResult(True, "", "", 0.0)

    query = {"server": "main", "query": "errors", "above": 0.5}
    raw = record({"name": "errors", "prometheus": query}, whenAllUnhealthy="ServeAll")
    world = boot(dns_zone(), raw)
    world.elsewhere = elsewhere
    await world.until(lambda: world.answers() == ONE and found(world).get("errors") == "Healthy", 60.0)
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO, SOON)
    await asyncio.sleep(5.0)
    await world.kill()
    again = boot()
    again.elsewhere, again.down = elsewhere, set(ONE)
    for _ in range(60):
        await asyncio.sleep(1.0)
        assert again.answers() == TWO


async def test_verdicts_made_elsewhere_do_not_hide_that_all_checks_fail(boot: Boot) -> None:
    external = [{"name": f"e{number}", "role": "Observed", "external": {"name": f"x{number}"}} for number in range(8)]
    world = await boot_serving(boot, record(*external))
    world.is_blind = True
    await world.until(lambda: world.targets.bad_share(600.0) == 1.0, SOON)
    await asyncio.sleep(60.0)
    assert world.answers() == ONE


async def boot_serving(boot: Boot, raw: dict[str, Any]) -> World:
    world = boot(dns_zone(), raw)
    await world.until(lambda: world.answers() == ONE, 60.0)
    return world
