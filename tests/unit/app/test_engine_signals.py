"""Hints from outside move nothing; while one stands, Detour looks more often, and less of its own is enough."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from detour.engine.metrics import StateCollector
from detour.engine.signals import MISSES, READ_EVERY
from detour.health.signals import LONGEST_CLOSER_LOOK
from detour.kube.resources.memory import region_memory_in
from detour.model.signals import FeedSource, Incident, Incidents, QuerySource, Samples, Unreadable

from .objects import changed, cloud_region, dns_zone, failover_record
from .test_engine_regions import AFTER, EAST, NAMES, ONE, SEEN, TWO, break_canaries, mend, phase, region, told
from .test_engine_vantages import probes
from .world import World

__all__ = ["probes"]

Boot = Callable[..., World]
PAGE, QUERY = FeedSource("AWS"), QuerySource("main", "errors")
FINE = Incidents()
TROUBLE = Incidents((Incident("Increased Error Rates", frozenset({EAST})),))
SOONER = 5.0
"""Seconds for which one canary must fail while a signal stands."""

SIGNALS: dict[str, Any] = {"statusFeed": True, "failing": {"after": f"{SOONER:g}s"}}


def signals(world: World) -> dict[str, str]:
    return {each["name"]: each["state"] for each in told(world).get("signals", ())}


async def serving(boot: Boot, *others: dict[str, Any], options: dict[str, Any] | None = None, **given: Any) -> World:
    """Return a world in which all is well, and every source says so."""
    world = boot(
        dns_zone(), failover_record(), region(location=EAST, signals=SIGNALS | given), *others, **options or {}
    )
    mend(world)
    world.readings = {PAGE: FINE, QUERY: Samples((0.1,))}
    await world.until(lambda: world.answers() == ONE and phase(world) == "Healthy", 30.0)
    await world.until(lambda: "Unknown" not in signals(world).values(), 30.0)
    return world


async def test_a_status_page_alone_moves_nothing_and_is_told(boot: Boot) -> None:
    world = await serving(boot)
    assert signals(world) == {"status-feed": "Quiet"}
    world.readings[PAGE] = TROUBLE
    await world.until(lambda: phase(world) == "Suspect", READ_EVERY + 5)
    assert told(world)["reason"] == "SignalStands"
    assert told(world)["message"] == "AWS reports: Increased Error Rates; 3 of 3 canaries pass, none fails"
    await asyncio.sleep(2 * LONGEST_CLOSER_LOOK)
    assert world.answers() == ONE
    assert "endpointsOut" not in told(world)
    world.readings[PAGE] = FINE
    await world.until(lambda: phase(world) == "Healthy", READ_EVERY + 5)


async def test_with_one_a_single_canary_is_enough_and_sooner(boot: Boot) -> None:
    world = await serving(boot)
    world.readings[PAGE] = TROUBLE
    await world.until(lambda: signals(world) == {"status-feed": "Standing"}, READ_EVERY + 5)
    break_canaries(world, 1)
    took = await world.until(lambda: world.answers() == TWO, SOONER + SEEN)
    assert took >= SOONER
    assert "1 of 3 canaries fail (api" in told(world)["message"]
    assert told(world)["message"].count("AWS reports") == 1
    mend(world)
    await world.until(lambda: world.answers() == ONE, 200.0)


async def test_what_failed_by_one_stays_out_over_a_restart_while_its_canary_fails(boot: Boot) -> None:
    world = await serving(boot)
    world.readings[PAGE] = TROUBLE
    await world.until(lambda: signals(world) == {"status-feed": "Standing"}, READ_EVERY + 5)
    break_canaries(world, 1)
    await world.until(lambda: world.answers() == TWO, SOONER + SEEN)
    await world.until(lambda: told(world).get("failedBySignal"), 5.0)
    await world.kill()
    again = boot()
    mend(again)
    break_canaries(again, 1)
    again.readings = dict(world.readings)
    await asyncio.sleep(300.0)
    assert again.answers() == TWO
    mend(again)
    await again.until(lambda: again.answers() == ONE, 200.0)
    await again.until(lambda: "failedBySignal" not in told(again), 5.0)


async def test_addresses_that_a_canary_gets_later_are_looked_at_as_closely(boot: Boot) -> None:
    timing = {"interval": "60s", "recheckInterval": "1s", "timeout": "1s", "fall": 2, "rise": 2}
    many = [changed(failover_record(), name=f"other{number}", uid=f"u{number}") for number in range(30)]
    for number, each in enumerate(many):
        each["spec"]["hostname"] = f"other{number}.example.org"
        for place, endpoint in enumerate(each["spec"]["endpoints"]):
            endpoint |= {"region": "elsewhere", "addresses": [f"203.0.113.{2 * number + place}"]}
    declared = region(location=EAST, signals=SIGNALS, canaryTiming=timing)
    world = boot(dns_zone(), failover_record(), declared, *many)
    mend(world)
    world.readings = {PAGE: TROUBLE}
    await world.until(lambda: "closerLookUntil" in told(world), READ_EVERY + 60)
    world.names[NAMES[0]] = ("198.51.100.77",)
    await asyncio.sleep(90.0)
    before = world.checks["198.51.100.77"]
    await asyncio.sleep(100.0)
    assert world.checks["198.51.100.77"] - before > 20


async def test_one_that_cannot_be_read_is_unknown_which_is_neither_good_nor_bad(boot: Boot) -> None:
    world = await serving(boot)
    world.readings[PAGE] = TROUBLE
    await world.until(lambda: signals(world) == {"status-feed": "Standing"}, READ_EVERY + 5)
    world.readings[PAGE] = Unreadable("the status page of AWS answers with HTTP 503")
    took = await world.until(lambda: signals(world) == {"status-feed": "Unknown"}, (MISSES + 1) * READ_EVERY)
    assert took > (MISSES - 1) * READ_EVERY - 5  # one bad answer takes nothing back
    assert told(world)["signals"][0]["message"] == "the status page of AWS answers with HTTP 503"
    assert phase(world) == "Healthy"
    break_canaries(world, 1)
    await asyncio.sleep(10 * AFTER)
    assert world.answers() == ONE


async def test_while_it_stands_checks_of_the_region_are_made_more_often_for_half_an_hour(boot: Boot) -> None:
    elsewhere = failover_record("calm", hostname="calm.example.org")
    for endpoint in elsewhere["spec"]["endpoints"]:
        endpoint |= {"region": f"other-{endpoint['name']}", "addresses": [f"198.51.100.1{len(endpoint['name'])}"]}
    many = [changed(elsewhere, name=f"calm{number}") for number in range(3)]
    for number, each in enumerate(many):
        each["spec"]["hostname"] = f"calm{number}.example.org"
        for place, endpoint in enumerate(each["spec"]["endpoints"]):
            endpoint["addresses"] = [f"203.0.113.{10 * number + place}"]
    world = await serving(boot, *many)

    async def rate(address: str) -> float:
        before = world.checks[address]
        await asyncio.sleep(300.0)
        return (world.checks[address] - before) / 300.0

    async def load() -> float:
        before = world.checks.total()
        await asyncio.sleep(300.0)
        return (world.checks.total() - before) / 300.0

    usual, whole = await rate("192.0.2.1"), await load()
    world.readings[PAGE] = TROUBLE
    await world.until(lambda: "closerLookUntil" in told(world), READ_EVERY + 5)
    assert await rate("192.0.2.1") > 1.5 * usual
    assert await load() <= 2.05 * whole
    assert await rate("203.0.113.0") == pytest.approx(usual, rel=0.1)
    await world.until(lambda: "closerLookUntil" not in told(world), LONGEST_CLOSER_LOOK)
    await asyncio.sleep(30.0)
    assert signals(world) == {"status-feed": "Standing"}
    assert await rate("192.0.2.1") == pytest.approx(usual, rel=0.1)


async def test_a_query_is_a_signal_while_its_value_is_beyond_the_bound_for_long(boot: Boot) -> None:
    asked = {"name": "errors", "server": "main", "query": "errors", "above": 0.5, "for": "30s"}
    world = await serving(boot, statusFeed=False, prometheus=[asked])
    assert signals(world) == {"errors": "Quiet"}
    world.readings[QUERY] = Samples((0.7,))
    took = await world.until(lambda: signals(world) == {"errors": "Standing"}, 60.0)
    assert took >= 30.0
    assert "errors is above 0.5" in told(world)["message"]
    world.readings[QUERY] = Samples((0.2,))
    await world.until(lambda: signals(world) == {"errors": "Quiet"}, 20.0)


async def test_what_is_asked_no_more_is_told_no_more(boot: Boot) -> None:
    world = await serving(boot)
    world.readings[PAGE] = TROUBLE
    await world.until(lambda: phase(world) == "Suspect", READ_EVERY + 5)
    world.api.apply(region(location=EAST))
    await world.until(lambda: phase(world) == "Healthy" and "signals" not in told(world), 5.0)


# -- users' reports ----------------------------------------------------------------------------------------------------

REPORTS: dict[str, Any] = {"statusFeed": False, "userReports": {"times": 3, "clients": 10, "for": "1m"}}
LISTENING = {"takes_reports": True}


def report(world: World, clients: int, hostname: str = "api.example.org", first: int = 0) -> int:
    """Have so many clients report a name; return how many reports count."""
    reports = world.engine.signals.reports
    return sum(reports.reported(hostname, first + client) for client in range(clients))


async def keep_reporting(world: World, clients: int, seconds: float) -> None:
    for _ in range(int(seconds // 20)):
        report(world, clients)
        await asyncio.sleep(20.0)


async def test_users_who_report_are_a_signal_once_they_are_many_for_long(boot: Boot) -> None:
    world = await serving(boot, options=LISTENING, **REPORTS)
    await keep_reporting(world, 12, 40.0)
    assert signals(world) == {"user-reports": "Quiet"}
    await keep_reporting(world, 12, 40.0)
    assert signals(world) == {"user-reports": "Standing"}
    assert "12 users report trouble within 5 minutes" in told(world)["message"]
    assert (phase(world), world.answers()) == ("Suspect", ONE)
    await world.until(lambda: signals(world) == {"user-reports": "Quiet"}, 400.0)


async def test_a_few_who_report_again_and_again_are_none(boot: Boot) -> None:
    world = await serving(boot, options=LISTENING, **REPORTS)
    await keep_reporting(world, 9, 1200.0)
    assert signals(world) == {"user-reports": "Quiet"}


async def test_a_report_counts_for_the_region_that_was_published_then(boot: Boot) -> None:
    west = region(location="westeurope", signals=SIGNALS | REPORTS)
    west["metadata"]["name"] = "azure-westeurope"
    world = await serving(boot, west, options=LISTENING, **REPORTS)
    assert report(world, 5) == 5
    assert report(world, 5) == 0  # the same clients again
    assert report(world, 5, hostname="nobody.example.org") == 0
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO, 60.0)
    await asyncio.sleep(5.0)
    before = world.engine.signals.reports._regions[EAST].reports
    assert report(world, 5, first=100) == 5
    assert world.engine.signals.reports._regions[EAST].reports == before
    assert world.engine.signals.reports._regions["azure-westeurope"].reports == 5


async def test_what_is_usual_at_an_hour_is_kept_over_a_restart(boot: Boot) -> None:
    world = await serving(boot, options=LISTENING, **REPORTS)
    for _ in range(3 * 60):
        report(world, 20)
        await asyncio.sleep(60.0)
    kept = region_memory_in(told(world)).reported
    assert {count for hours in kept.values() for count in hours.values()} == {1200}
    await world.kill()
    again = boot(**LISTENING)
    assert again.engine.signals.reports.weeks(EAST) == kept
    await asyncio.sleep(3600.0)
    assert len(told(again)["reportsByHour"]) == len(kept)


async def test_where_nobody_takes_reports_that_is_told(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record(), region(location=EAST, signals=SIGNALS | REPORTS))
    mend(world)
    await world.until(lambda: signals(world) == {"user-reports": "Unknown"}, 30.0)
    assert "switch userReports on" in told(world)["signals"][0]["message"]
    assert report(world, 50) == 0


async def test_metrics_tell_which_stand_and_which_are_unknown(boot: Boot) -> None:
    asked = {"name": "errors", "server": "main", "query": "errors", "above": 0.5}
    world = await serving(boot, cloud_region("azure-westeurope"), prometheus=[asked])
    world.readings |= {PAGE: TROUBLE, QUERY: Unreadable("away")}
    await world.until(lambda: signals(world) == {"status-feed": "Standing", "errors": "Unknown"}, 200.0)
    collector = StateCollector(list, dict, leads=lambda: True, clock=lambda: 0.0, signals=world.engine.signals_standing)
    samples = {
        (each.name, each.labels.get("signal")): each.value for found in collector.collect() for each in found.samples
    }
    assert samples["detour_region_signal", "status-feed"] == 1.0
    assert samples["detour_region_signal_unknown", "status-feed"] == 0.0
    assert samples["detour_region_signal_unknown", "errors"] == 1.0
    assert ("detour_region_signal", "errors") not in samples
