"""Several vantages: a majority moves names, one that is blind, lies or has vanished moves none."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from detour.engine.vantages import OwnVantage
from detour.health.vantages import HEARTBEAT, NEW_FOR, STALE_AFTER
from detour.kube.vantagereport import report_body, report_from
from detour.model.health import Verdict
from detour.model.objects import Kind
from detour.model.timestamps import timestamp
from detour.model.vantage import Finding, VantageReport

from .elsewhere import Elsewhere
from .objects import changed, dns_zone, failover_record, vantage
from .world import World

Boot = Callable[..., World]
Probes = Callable[..., Awaitable[list[Elsewhere]]]
ONE, TWO = {"192.0.2.1"}, {"192.0.2.2"}
TOLD = 1.5
"""Seconds from a vantage's verdict until the operator acts on it, at most."""


@pytest.fixture
async def probes() -> AsyncIterator[Probes]:
    """Start probes that are heard, each with its Vantage."""
    started: list[Elsewhere] = []

    async def start(world: World, *names: str, **options: Any) -> list[Elsewhere]:
        for name in names:
            world.api.apply(vantage(name, region=f"region-{name}"))
        made = [Elsewhere(world, name, **options) for name in names]
        started.extend(made)
        for name in names:
            await world.until(lambda name=name: state(world, name) == "Trusted")
        return made

    yield start
    for each in started:
        await each.stop()


def told(world: World, name: str) -> dict[str, Any]:
    """Return the status of a Vantage."""
    return world.api.status(name, Kind.VANTAGE, "")


def state(world: World, name: str) -> str | None:
    return told(world, name).get("state")


def endpoint(world: World, name: str = "one") -> dict[str, Any]:
    """Return what a record's status says of one of its endpoints."""
    return next(each for each in world.api.status()["endpoints"] if each["name"] == name)


async def serving(boot: Boot, raw: dict[str, Any] | None = None, **options: Any) -> World:
    world = boot(dns_zone(), raw or failover_record(), **options)
    await world.until(lambda: world.api.condition("Ready")[0] == "True" and world.answers() == ONE)
    return world


async def test_a_vantage_that_loses_its_network_moves_nothing(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    east, _ = await probes(world, "east", "west")
    east.is_blind = True
    await asyncio.sleep(300.0)
    assert world.answers() == ONE
    assert endpoint(world)["verdict"] == "Healthy"
    assert state(world, "east") == "Suspected"


async def test_the_operators_own_loses_its_network_and_moves_nothing(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    await probes(world, "east", "west")
    world.is_blind = True
    await asyncio.sleep(300.0)
    assert world.answers() == ONE


async def test_what_two_of_three_see_moves_the_name_soon_after_the_second(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    east, west = await probes(world, "east", "west")
    for each in (east, west):
        each.down = ONE
    await world.until(lambda: all(told(world, each)["report"]["failing"] for each in ("east", "west")), 30.0)
    took = await world.until(lambda: world.answers() == TWO, 30.0)
    assert took <= TOLD
    await world.until(lambda: "east, west find it failing: 2 of 3 votes" in endpoint(world).get("message", ""))


async def test_one_that_is_not_alone_with_it_is_believed_though_all_its_checks_fail(boot: Boot, probes: Probes) -> None:
    """All of the few checks that there are fail, everywhere: that is an outage, and no reason for doubt."""
    world = await serving(boot)
    east, west = await probes(world, "east", "west")
    for down in (world, east, west):
        down.down = ONE
    await world.until(lambda: world.answers() == TWO, 30.0)
    assert state(world, "east") == state(world, "west") == "Trusted"


async def test_a_new_vantage_neither_votes_nor_counts(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    raw = vantage("late")
    raw["metadata"]["creationTimestamp"] = timestamp(world.clock.wall())
    world.api.apply(raw)
    late = Elsewhere(world, "late")
    late.down = ONE | TWO  # as its network is not set up yet
    await world.until(lambda: state(world, "late") == "New", 10.0)
    world.down = ONE
    await world.until(lambda: world.answers() == TWO, NEW_FOR)
    assert state(world, "late") == "New", "one that counts keeps the name where it is"
    late.down = set()
    await world.until(lambda: state(world, "late") == "Trusted", 2 * NEW_FOR)
    await late.stop()


async def test_a_vantage_that_has_died_counts_and_has_no_say(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    east, _ = await probes(world, "east", "west")
    await east.stop()
    took = await world.until(lambda: state(world, "east") == "Stale", 60.0)
    assert STALE_AFTER - HEARTBEAT <= took <= STALE_AFTER + HEARTBEAT
    assert told(world, "east")["lastHeard"]
    world.down = ONE
    await asyncio.sleep(60.0)
    assert world.answers() == ONE, "one vote of three"
    assert "east abstains: no sign of life" in endpoint(world)["message"]


async def test_it_has_its_say_again_once_it_is_heard(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    east, _ = await probes(world, "east", "west")
    east.connection.is_cut = True
    await world.until(lambda: state(world, "east") == "Stale", 60.0)
    east.down = world.down = ONE
    await asyncio.sleep(30.0)
    assert world.answers() == ONE
    east.connection.is_cut = False
    await world.until(lambda: world.answers() == TWO, 30.0)


async def test_a_vantage_that_was_never_heard_ends_no_failover(boot: Boot) -> None:
    world = await serving(boot)
    world.api.apply(vantage("planned"))
    await world.until(lambda: state(world, "planned") == "Unknown")
    world.down = ONE
    await world.until(lambda: world.answers() == TWO, 30.0)


async def test_in_its_own_region_a_vantage_has_no_say_and_on_others_it_has(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    east, west = await probes(world, "east", "west")
    world.api.apply(changed(vantage("east"), generation=2))  # in aws-us-east-1, as endpoint one
    await asyncio.sleep(5.0)
    east.down = west.down = ONE
    await asyncio.sleep(60.0)
    assert world.answers() == ONE, "west alone, of three"
    world.down = ONE
    await world.until(lambda: world.answers() == TWO, 30.0)


async def test_of_two_the_one_elsewhere_tells_that_the_other_ones_region_is_gone(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    world.api.apply(vantage("operator"))  # in aws-us-east-1, as endpoint one
    (west,) = await probes(world, "west")
    west.down = ONE
    await world.until(lambda: world.answers() == TWO, 30.0)


async def test_a_clock_that_is_wrong_is_a_reason_for_doubt(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    east, _ = await probes(world, "east", "west")
    east.clock_error = 30.0
    await world.until(lambda: told(world, "east").get("reason") == "ClockOff", 2 * HEARTBEAT + 60.0)
    east.down = world.down = ONE
    await asyncio.sleep(60.0)
    assert world.answers() == ONE


async def test_reference_checks_that_fail_are_a_reason_for_doubt(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    east, _ = await probes(world, "east", "west", has_references=True)
    east.is_blind = True
    await world.until(lambda: told(world, "east").get("reason") in ("ReferencesFail", "StandsAlone"), 60.0)
    await asyncio.sleep(30.0)
    assert world.answers() == ONE
    east.is_blind = False
    await world.until(lambda: state(world, "east") == "Trusted", 60.0)


async def test_the_record_says_how_many_votes_condemn(boot: Boot, probes: Probes) -> None:
    world = await serving(boot, failover_record(quorum={"unhealthy": "100%"}))
    east, west = await probes(world, "east", "west")
    east.down = west.down = ONE
    await asyncio.sleep(60.0)
    assert world.answers() == ONE
    world.api.apply(changed(failover_record(quorum={"unhealthy": 2}), generation=2))
    await world.until(lambda: world.answers() == TWO, 30.0)


async def test_without_the_api_server_its_own_vantage_decides_where_it_sees(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    await probes(world, "east", "west")
    world.api.is_away = True
    await asyncio.sleep(2 * STALE_AFTER)
    world.down = ONE
    await world.until(lambda: world.answers() == TWO, 30.0)


async def test_without_the_api_server_and_with_hold_nothing_moves(boot: Boot, probes: Probes) -> None:
    world = await serving(boot, failover_record(quorum={"whenNoQuorum": "Hold"}))
    await probes(world, "east", "west")
    world.api.is_away = True
    await asyncio.sleep(2 * STALE_AFTER)
    world.down = ONE
    await asyncio.sleep(120.0)
    assert world.answers() == ONE


async def test_without_the_api_server_a_blind_operator_moves_nothing(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    await probes(world, "east", "west")
    world.api.is_away = True
    await asyncio.sleep(2 * STALE_AFTER)
    world.is_blind = True
    await asyncio.sleep(300.0)
    assert world.answers() == ONE


async def test_an_operator_that_makes_no_checks_goes_by_the_others(boot: Boot, probes: Probes) -> None:
    world = boot(dns_zone(), failover_record(), own_vantage=OwnVantage(checks=False))
    east, west = await probes(world, "east", "west")
    await world.until(lambda: world.api.condition("Ready")[0] == "True" and world.answers() == ONE)
    for each in (east, west):
        each.down = ONE
    await world.until(lambda: world.answers() == TWO, 30.0)


async def test_a_restarted_operator_believes_a_report_once_its_writer_shows_that_it_lives(
    boot: Boot, probes: Probes
) -> None:
    world = await serving(boot)
    east, west = await probes(world, "east", "west")
    east.down = west.down = ONE
    await world.until(
        lambda: world.api.condition("FailedOver")[0] == "True" and world.api.condition("Ready")[0] == "True"
    )
    for each in (east, west):
        await each.stop()
    await world.kill()
    after = boot()
    after.list()
    await asyncio.sleep(60.0)
    assert after.answers() == TWO
    assert endpoint(after)["verdict"] == "Unhealthy", "without a quorum it stays as it was"
    assert state(after, "east") in ("Unknown", "Stale")


@pytest.mark.parametrize("lie", [Verdict.UNHEALTHY, Verdict.HEALTHY])
async def test_whatever_a_stolen_token_writes_moves_nothing(boot: Boot, probes: Probes, lie: Verdict) -> None:
    world = await serving(boot)
    east, west = await probes(world, "east", "west")
    if lie is Verdict.HEALTHY:
        east.down = west.down = world.down = ONE
        await world.until(lambda: world.answers() == TWO, 30.0)
    truth = world.answers()
    await west.stop()
    heard = report_from({"status": told(world, "west")})
    for number in range(60):
        findings = {key: Finding(lie, 600.0, 0.0) for key in heard.findings} | {b"whatever": Finding(lie, 0.0, 0.0)}
        report = VantageReport("thief", number, 10**6, findings)
        body = report_body(report, version="", at=0.0)
        body["status"] |= {"state": "Trusted", "conditions": [], "message": "believe me"}
        await west.connection.patch(Kind.VANTAGE, "", "west", body, status=True)
        await asyncio.sleep(1.0)
    assert world.answers() == truth
    assert state(world, "east") == "Trusted"
    assert told(world, "west")["message"] != "believe me"


async def test_an_endpoint_by_hostname_is_judged_by_what_each_finds_behind_the_name(boot: Boot, probes: Probes) -> None:
    by_name = [
        {"name": "one", "region": "aws-us-east-1", "hostname": "lb.example.net", "priority": 1},
        {"name": "two", "region": "azure-westeurope", "addresses": ["192.0.2.2"], "priority": 2},
    ]
    world = boot(dns_zone(), failover_record(endpoints=by_name))
    world.names = {"lb.example.net": ("192.0.2.1",)}
    await world.until(lambda: world.answers() == ONE)
    otherwise = {"lb.example.net": ("203.0.113.9",)}  # another address than here, as load balancers give
    east, west = await probes(world, "east", "west", names=otherwise)
    await asyncio.sleep(30.0)
    assert endpoint(world)["verdict"] == "Healthy"
    world.names["lb.example.net"] = ()
    await asyncio.sleep(60.0)
    assert world.answers() == ONE, "that the name leads nowhere is seen from here alone"
    east.down = west.down = {"203.0.113.9"}
    await world.until(lambda: world.answers() == TWO, 30.0)


async def test_one_report_a_second_is_written_at_most_and_none_while_nothing_changes(
    boot: Boot, probes: Probes
) -> None:
    world = await serving(boot)
    (east,) = await probes(world, "east")
    await asyncio.sleep(130.0)
    before = told(world, "east")["report"]["number"]
    await asyncio.sleep(50.0)
    assert told(world, "east")["report"]["number"] - before <= 1, "but one a minute"
    before, began_at = told(world, "east")["report"]["number"], asyncio.get_running_loop().time()
    for _ in range(300):
        east.down = ONE ^ east.down
        await asyncio.sleep(0.2)
    written = told(world, "east")["report"]["number"] - before
    assert 0 < written <= asyncio.get_running_loop().time() - began_at + 1


async def test_what_no_look_of_its_own_can_settle_is_not_looked_at_again_and_again(boot: Boot, probes: Probes) -> None:
    raw = failover_record()
    spare = {"name": "spare", "region": "x", "addresses": ["192.0.2.3"], "priority": 9, "state": "Drained"}
    raw["spec"]["endpoints"].append(spare)  # so that something passes everywhere
    world = await serving(boot, raw)
    east, west = await probes(world, "east", "west")
    await west.stop()
    await asyncio.sleep(2 * STALE_AFTER)
    east.down = ONE | TWO
    await world.until(lambda: endpoint(world, "two").get("reason") == "NoQuorum", 30.0)
    world.down = ONE
    await world.until(lambda: endpoint(world)["verdict"] == "Unhealthy", 30.0)

    def checks() -> float:
        found = [
            world.metrics.registry.get_sample_value("detour_checks_total", {"kind": "tcp", "result": each}) or 0.0
            for each in ("passed", "failed")
        ]
        return sum(found)

    before = checks()
    await asyncio.sleep(60.0)
    assert world.answers() == ONE, "one of three contradicts that the other place works, and one is gone"
    assert checks() - before <= 40, "three places, every ten seconds, and some looks more"


# -- what a reader of this found ---------------------------------------------------------------------------------------


async def test_an_operator_that_makes_no_checks_fails_over_after_a_restart_too(boot: Boot, probes: Probes) -> None:
    world = boot(dns_zone(), failover_record(), own_vantage=OwnVantage(checks=False))
    east, west = await probes(world, "east", "west")
    await world.until(lambda: world.api.condition("Ready")[0] == "True" and world.answers() == ONE)
    await world.kill()
    after = boot(own_vantage=OwnVantage(checks=False))
    await asyncio.sleep(30.0)
    east.down = west.down = ONE
    await after.until(lambda: after.answers() == TWO, 60.0)


@pytest.mark.parametrize("way", ["restart", "outage", "clocks"])
async def test_a_place_that_recovered_while_votes_were_missing_is_healthy_once_they_are_there(
    boot: Boot, probes: Probes, way: str
) -> None:
    world = await serving(boot, failover_record(quorum={"whenNoQuorum": "Hold"}))
    east, west = await probes(world, "east", "west")
    east.down = west.down = world.down = ONE
    await world.until(lambda: world.answers() == TWO and endpoint(world)["verdict"] == "Unhealthy", 30.0)
    await asyncio.sleep(5.0)
    match way:
        case "restart":
            await world.kill()
            east.down = west.down = set()
            await asyncio.sleep(30.0)
            world = boot()
        case "outage":
            world.api.is_away = True
            await asyncio.sleep(2 * STALE_AFTER)
            east.down = west.down = world.down = set()
            await asyncio.sleep(30.0)
            world.api.is_away = False
            world.list()
        case "clocks":
            east.clock_error, west.clock_error = 30.0, -30.0
            await world.until(lambda: {state(world, "east"), state(world, "west")} == {"Suspected"}, 90.0)
            east.down = west.down = world.down = set()
            await asyncio.sleep(30.0)
            east.clock_error = west.clock_error = 0.0
    await world.until(lambda: endpoint(world)["verdict"] == "Healthy", 90.0)


async def test_a_vantage_that_is_deleted_takes_its_word_along(boot: Boot, probes: Probes) -> None:
    world = await serving(boot, failover_record(quorum={"unhealthy": 1}))
    (east,) = await probes(world, "east")
    east.down = ONE
    await world.until(lambda: endpoint(world)["verdict"] == "Unhealthy", 30.0)
    await world.until(lambda: world.answers() == TWO, 30.0)
    world.api.delete(Kind.VANTAGE, "east", "")
    await world.until(lambda: endpoint(world)["verdict"] == "Healthy", 30.0)


async def test_an_address_that_only_one_can_check_is_judged_by_that_one(boot: Boot, probes: Probes) -> None:
    """Many a cluster has no IPv6: its probe must not keep an endpoint healthy that is down."""
    both = [
        {"name": "one", "region": "x", "addresses": ["192.0.2.1", "2001:db8::1"], "priority": 1},
        {"name": "two", "region": "y", "addresses": ["192.0.2.2"], "priority": 2},
    ]
    world = boot(dns_zone(), failover_record(endpoints=both))
    east, west = await probes(world, "east", "west", beyond_reach={"2001:db8::1"})
    first = {"192.0.2.1", "2001:db8::1"}
    await world.until(lambda: world.answers() == first)
    for each in (world, east, west):
        each.down = first
    await world.until(lambda: world.answers() == TWO, 60.0)


async def test_that_leases_may_not_be_read_is_not_that_the_api_server_is_away(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    await probes(world, "east", "west")
    world.api.leases_refused = True
    await world.until(lambda: state(world, "east") == "Stale", 60.0)
    world.down = ONE
    await asyncio.sleep(120.0)
    assert world.answers() == ONE, "one vote of three"


async def test_one_that_changes_its_mind_all_the_time_is_heard_no_more(boot: Boot, probes: Probes) -> None:
    world = await serving(boot)
    (east, _) = await probes(world, "east", "west")
    await west_lies_again_and_again(east, 70.0)
    await world.until(lambda: told(world, "east").get("reason") == "Unsteady", 10.0)
    version = world.api.objects[Kind.FAILOVER_RECORD, "shop", "api"]["metadata"]["resourceVersion"]
    await west_lies_again_and_again(east, 20.0)
    assert world.api.objects[Kind.FAILOVER_RECORD, "shop", "api"]["metadata"]["resourceVersion"] == version


async def west_lies_again_and_again(liar: Elsewhere, seconds: float) -> None:
    """Have a vantage say another thing each second, as no check could."""
    keys = [key for key, *_ in liar.parts.targets.says()]
    for number in range(int(seconds)):
        lie = Verdict.UNHEALTHY if number % 2 else Verdict.HEALTHY
        findings = {key: Finding(lie, 0.0, 0.0) for key in keys}
        body = report_body(VantageReport(f"liar{seconds}", number, 2, findings), version="", at=0.0)
        await liar.connection.patch(Kind.VANTAGE, "", liar.name, body, status=True)
        await asyncio.sleep(1.0)


async def test_an_outage_of_many_costs_about_as_much_with_others_as_alone(boot: Boot, probes: Probes) -> None:
    """Each failure of a large outage is doubted until a reference check passes: who votes must not change by that."""
    records = [
        failover_record(
            f"r{number}",
            uid=f"u-{number}",
            endpoints=[
                {"name": "one", "region": "x", "addresses": [f"192.0.2.{number}"], "priority": 1},
                {"name": "two", "region": "y", "addresses": [f"198.51.100.{number}"], "priority": 2},
            ],
        )
        for number in range(1, 41)
    ]
    world = boot(dns_zone(), *records)
    await world.until(lambda: len(world.clouds.zone().answers("r40.example.org")) == 1)
    east, west = await probes(world, "east", "west")
    changes = 0
    count = world.targets.vantages._on_voters

    def counted() -> None:
        nonlocal changes
        changes += 1
        count()

    world.targets.vantages._on_voters = counted  # who has a say, as the engine is told of it
    failing = {f"192.0.2.{number}" for number in range(1, 41)} | {f"198.51.100.{number}" for number in range(1, 21)}
    for each in (world, east, west):
        each.down = failing
    await asyncio.sleep(60.0)
    assert changes <= 12, "sixty places fail, one after the other"
