"""The engine end to end, on zones in memory and virtual time: failover, restarts, deletions, conflicts."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from detour.enactment.ledger import parse_ledger
from detour.engine.moment import Moment
from detour.engine.recordkeeper import RecordKeeper
from detour.model.names import ledger_name, marker_name
from detour.model.objects import Kind
from detour.model.rrset import RRKey, RRset, RRType
from detour_simulation.memoryzone import Fault

from .objects import changed, cloud_region, dns_zone, failover_record
from .world import Clouds, World

Boot = Callable[..., World]
ONE, TWO, NEW = {"192.0.2.1"}, {"192.0.2.2"}, {"192.0.2.3"}
BOTH = ONE | TWO
FR = Kind.FAILOVER_RECORD
API = "api.example.org"
MARKER = RRKey(marker_name(API), RRType.TXT)


def ready(world: World, name: str = "api") -> bool:
    return world.api.condition("Ready", name)[0] == "True"


async def test_a_new_record_is_published_and_told(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: ready(world))
    assert world.answers() == ONE
    assert world.api.status()["summary"]["serving"] == "one"
    assert world.api.status()["zones"][0]["published"] is True


async def test_a_region_fails_and_its_names_move_and_come_back(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record(failback={"holdDown": "1m"}))
    await world.until(lambda: world.answers() == ONE)
    await world.until(lambda: ready(world))
    world.down = set(ONE)
    seconds = await world.until(lambda: world.answers() == TWO)
    assert seconds < 10 + 2 + 2 * 2 + 0.5  # interval + timeout + (fall - 1) rechecks, and one batch
    world.down = set()
    back = await world.until(lambda: world.answers() == ONE, within=120)
    assert 60 < back < 60 + 10 + 4 + 1
    await world.until(lambda: sum(reason == "Rerouted" for reason, _ in world.api.events) == 2)


async def test_everything_down_keeps_what_is_published(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: ready(world))
    world.down = set(TWO)
    await world.until(lambda: world.api.condition("Healthy")[1] == "SomeUnhealthy")
    world.down = set(BOTH)
    await asyncio.sleep(300)
    assert world.answers() == ONE


@pytest.mark.parametrize("verdicts", ["all down", "nothing known", "held down"])
async def test_a_restart_changes_nothing_in_dns(boot: Boot, clouds: Clouds, verdicts: str) -> None:
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: ready(world))
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO)
    world.down = set(BOTH) if verdicts == "all down" else set()
    await asyncio.sleep(60)
    assert world.answers() == TWO
    await world.kill()
    written = len(clouds.zone().sets), clouds.zone().rrset(RRKey(API, RRType.A))
    again = boot()
    again.down = set(BOTH) if verdicts == "all down" else set()
    again.lost = set(BOTH) if verdicts == "nothing known" else set()
    await asyncio.sleep(100)
    assert again.answers() == TWO
    assert (len(clouds.zone().sets), clouds.zone().rrset(RRKey(API, RRType.A))) == written
    changes = [change for write in clouds.providers[-1].writes for change in write.batch.changes]
    assert not changes


async def test_a_lost_status_does_not_disturb_what_is_published(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: ready(world))
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO)
    await world.kill()
    for raw in world.api.objects.values():
        raw["status"] = {}
    again = boot()
    again.down = set(ONE)
    await asyncio.sleep(120)
    assert again.answers() == TWO


async def test_checks_and_failover_go_on_while_the_api_server_is_away(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: ready(world))
    world.api.is_away = True
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO)
    assert world.api.status()["summary"]["serving"] == "one"
    world.api.is_away = False
    await world.until(lambda: world.api.status()["summary"]["serving"] == "two")


async def test_an_outside_edit_is_repaired_within_a_minute(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: ready(world))
    await asyncio.sleep(10)
    world.clouds.zone().put(RRset(API, RRType.A, 30, ("203.0.113.9",)))
    assert await world.until(lambda: world.answers() == ONE, within=61)
    world.clouds.zone().drop(RRKey(API, RRType.A))
    assert await world.until(lambda: world.answers() == ONE, within=61)
    await world.until(lambda: sum(reason == "Repaired" for reason, _ in world.api.events) == 2)
    await world.until(lambda: world.api.status()["lastIncident"]["reason"] == "Repaired")
    told = dict(world.api.status()["lastIncident"])
    await world.kill()
    again = boot()
    await asyncio.sleep(60)
    assert again.api.status()["lastIncident"] == told, "the next process keeps it"


async def test_a_deleted_record_with_the_policy_delete_takes_its_name_along(boot: Boot) -> None:
    """The status is written meanwhile, so what was declared last is not the newest version of it."""
    world = boot(dns_zone(), failover_record(deletionPolicy="Delete"), failover_record("www", uid="u-2"))
    await world.until(lambda: ready(world) and ready(world, "www"))
    await world.until(lambda: world.api.objects[FR, "shop", "api"]["metadata"].get("finalizers"))
    world.clouds.zone().guarded.discard(API)
    for provider in world.clouds.providers:
        provider.latency = 2.0
    world.api.delete(FR, "api")
    await world.until(lambda: (FR, "shop", "api") not in world.api.objects)
    assert world.answers() == set()
    assert world.clouds.zone().rrset(MARKER) is None
    assert world.answers("www.example.org") == ONE


async def test_a_deleted_record_with_the_policy_retain_leaves_its_name(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: ready(world))
    world.api.delete(FR, "api")
    await asyncio.sleep(700)
    assert world.answers() == ONE
    assert world.clouds.zone().rrset(MARKER) is not None


async def test_an_object_that_is_merely_absent_changes_nothing_in_dns(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record(deletionPolicy="Delete"))
    await world.until(lambda: ready(world))
    await asyncio.sleep(1)
    del world.api.objects[FR, "shop", "api"]
    world.list()
    await asyncio.sleep(700)
    assert world.answers() == ONE


async def test_a_zone_that_is_deleted_keeps_its_names(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record(deletionPolicy="Delete"))
    await world.until(lambda: ready(world))
    world.api.delete(Kind.DNS_ZONE, "main")
    await world.until(lambda: world.api.condition("Ready") == ("False", "ZoneMissing"))
    assert world.answers() == ONE


async def test_a_dry_run_decides_and_writes_nothing(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), failover_record(deletionPolicy="Delete"), dry_run=True)
    await world.until(lambda: "WouldPublish" in [each["reason"] for each in world.api.status().get("conditions", ())])
    await asyncio.sleep(60)
    assert not clouds.zone().sets
    assert not world.api.objects[FR, "shop", "api"]["metadata"].get("finalizers")


async def test_a_suspended_record_is_decided_and_not_written(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: ready(world))
    world.api.apply(failover_record(suspend=True))
    world.down = set(ONE)
    await asyncio.sleep(60)
    assert world.answers() == ONE
    assert world.api.condition("Published")[1] == "WouldPublish"
    world.api.apply(failover_record())
    await world.until(lambda: world.answers() == TWO)


async def test_two_records_for_one_name_are_told_apart(boot: Boot) -> None:
    rival = changed(failover_record("rival", uid="u-2", hostname=API), creationTimestamp="2026-11-23T20:00:01Z")
    rival["spec"]["endpoints"] = [{"name": "x", "region": "r", "addresses": ["192.0.2.3"]}]
    world = boot(dns_zone(), rival, failover_record())
    await world.until(lambda: ready(world))
    await world.until(lambda: world.api.condition("Ready", "rival") == ("False", "NameConflict"))
    assert world.answers() == ONE


async def test_the_second_record_takes_over_when_the_first_one_is_deleted(boot: Boot) -> None:
    rival = changed(failover_record("rival", uid="u-2", hostname=API), creationTimestamp="2026-11-23T20:00:01Z")
    rival["spec"]["endpoints"] = [{"name": "x", "region": "r", "addresses": ["192.0.2.3"]}]
    world = boot(dns_zone(), rival, failover_record(deletionPolicy="Delete"))
    await world.until(lambda: world.api.condition("Ready", "rival") == ("False", "NameConflict"))
    await world.until(lambda: world.api.objects[FR, "shop", "api"]["metadata"].get("finalizers"))
    world.api.delete(FR, "api")
    await world.until(lambda: ready(world, "rival"))
    assert world.answers() == NEW


async def test_a_drained_region_loses_its_traffic_and_gets_it_back(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record(), cloud_region())
    await world.until(lambda: ready(world))
    world.api.apply(cloud_region(state="Drained"))
    assert await world.until(lambda: world.answers() == TWO, within=5)
    world.api.apply(cloud_region())
    assert await world.until(lambda: world.answers() == ONE, within=5)


async def away_and_recovered(world: World) -> None:
    """The first endpoint fails and recovers, and the traffic stays where it went."""
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO)
    world.down = set()
    await asyncio.sleep(3600)
    assert world.answers() == TWO


def asking(value: str) -> dict[str, Any]:
    return changed(BY_HAND, annotations={"detour.dev/failback": value})


BY_HAND = failover_record(failback={"mode": "Manual"})


async def test_a_person_calls_the_traffic_back_once_with_each_value(boot: Boot) -> None:
    world = boot(dns_zone(), BY_HAND)
    await world.until(lambda: ready(world))
    for value in ("now", "2", "2026-11-28", "2026-11-28T15:00:00Z"):
        await away_and_recovered(world)
        world.api.apply(asking(value))
        await world.until(lambda: world.answers() == ONE)
        await world.until(lambda: world.api.status().get("commands") == {"failback": value})  # noqa: B023 - awaited here
    await world.until(lambda: sum(reason == "CommandDone" for reason, _ in world.api.events) == 4)


async def test_a_command_that_finds_nothing_to_bring_back_says_so_and_waits_for_nothing(boot: Boot) -> None:
    world = boot(dns_zone(), BY_HAND)
    await world.until(lambda: ready(world))
    world.down = ONE
    await world.until(lambda: world.answers() == TWO)
    world.api.apply(asking("3"))
    await world.until(lambda: any(reason == "CommandDone" for reason, _ in world.api.events))
    told = next(message for reason, message in world.api.events if reason == "CommandDone")
    assert "(priority 2 is healthy; one is unhealthy)" in told
    world.down = set()
    await asyncio.sleep(3600)
    assert world.answers() == TWO


async def test_a_command_that_git_puts_back_at_every_sync_is_acted_upon_once_also_after_a_restart(boot: Boot) -> None:
    world = boot(dns_zone(), BY_HAND)
    await world.until(lambda: ready(world))
    await away_and_recovered(world)
    world.api.apply(asking("7"))
    await world.until(lambda: world.answers() == ONE)
    await away_and_recovered(world)
    world.api.apply(changed(BY_HAND, annotations={}))
    await asyncio.sleep(10)
    world.api.apply(asking("7"))
    await asyncio.sleep(60)
    assert world.answers() == TWO, "it was removed, and put back"
    await world.kill()
    again = boot()
    await again.until(lambda: ready(again))
    again.api.apply(asking("7"))
    await asyncio.sleep(60)
    assert again.answers() == TWO, "the status tells the next process"
    again.api.apply(asking("8"))
    await again.until(lambda: again.answers() == ONE)


async def test_a_command_is_not_acted_upon_again_when_somebody_wipes_the_status(boot: Boot) -> None:
    world = boot(dns_zone(), BY_HAND)
    await world.until(lambda: ready(world))
    await away_and_recovered(world)
    world.api.apply(asking("7"))
    await world.until(lambda: world.answers() == ONE)
    await away_and_recovered(world)
    held = world.api.objects[FR, "shop", "api"]
    for wiped in ({}, {**held["status"], "commands": {}}):
        world.api.objects[FR, "shop", "api"]["status"] = wiped
        world.api.apply(asking("7"))
        await world.until(lambda: world.api.status().get("commands") == {"failback": "7"})
        await asyncio.sleep(60)
        assert world.answers() == TWO


async def test_a_command_that_was_declared_with_the_object_is_for_another_day(boot: Boot) -> None:
    world = boot(dns_zone(), asking("7"))
    await world.until(lambda: ready(world))
    assert world.api.status()["commands"] == {"failback": "7"}
    await away_and_recovered(world)
    world.api.apply(asking("7"))
    await asyncio.sleep(60)
    assert world.answers() == TWO


@pytest.mark.parametrize(
    ("annotation", "value", "told"),
    [
        ("failback", "tomorrow", "detour.dev/failback=tomorrow is not acted upon: give it a time or a number"),
        ("failback", "false", "detour.dev/failback=false is not acted upon"),
        ("failback", "", "is not acted upon"),
        ("fallback", "now", "detour.dev/fallback is unknown and means nothing: did you mean detour.dev/failback?"),
        ("take-over", "now", "means nothing on a FailoverRecord: it is for a DNSZone"),
        ("waltz", "now", "known here are detour.dev/failback, detour.dev/approve"),
    ],
)
async def test_an_annotation_that_means_nothing_is_said_and_not_acted_upon(
    boot: Boot, annotation: str, value: str, told: str
) -> None:
    world = boot(dns_zone(), BY_HAND)
    await world.until(lambda: ready(world))
    assert world.api.condition("Warning") == ("", "")
    await away_and_recovered(world)
    world.api.apply(changed(BY_HAND, annotations={f"detour.dev/{annotation}": value}))
    await world.until(lambda: world.api.condition("Warning") == ("True", "UnknownAnnotation"))
    message = next(each["message"] for each in world.api.status()["conditions"] if each["type"] == "Warning")
    assert told in message
    await world.until(lambda: any(reason == "UnknownAnnotation" for reason, _ in world.api.events))
    assert world.answers() == TWO
    world.api.apply(changed(BY_HAND, annotations={"example.org/dance": "now"}))
    await world.until(lambda: world.api.condition("Warning") == ("False", "None"))


async def test_an_annotation_that_means_nothing_on_a_zone_or_region_is_said_there(boot: Boot) -> None:
    odd = {"annotations": {"detour.dev/failback": "3"}}
    world = boot(changed(dns_zone(), **odd), changed(cloud_region(), **odd), failover_record())
    for name, kind in (("main", Kind.DNS_ZONE), ("aws-us-east-1", Kind.CLOUD_REGION)):
        namespace = "shop" if kind is Kind.DNS_ZONE else ""

        def warning(name: str = name, kind: Kind = kind, namespace: str = namespace) -> list[str]:
            conditions = world.api.status(name, kind, namespace).get("conditions", ())
            return [each["message"] for each in conditions if each["type"] == "Warning" and each["status"] == "True"]

        await world.until(warning)
        assert "detour.dev/failback means nothing on a" in warning()[0]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"zones": [{"name": "unheard-of"}]}, "ZoneMissing"),
        ({"zones": [{"name": "main", "namespace": "dns"}]}, "ZoneMissing"),
        ({"hostname": "api.example.com"}, "HostnameOutsideZone"),
    ],
)
async def test_what_only_the_operator_can_know_becomes_a_condition(
    boot: Boot, spec: dict[str, Any], reason: str
) -> None:
    world = boot(dns_zone(), failover_record(**spec))
    await world.until(lambda: world.api.condition("Ready") == ("False", reason))
    assert sum(told == reason for told, _ in world.api.events) <= 1


async def test_a_name_that_somebody_else_made_is_left_alone(boot: Boot, clouds: Clouds) -> None:
    foreign = RRset(API, RRType.A, 300, ("203.0.113.1",))
    clouds.zone().put(foreign)
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: world.api.condition("Ready") == ("False", "NameTaken"))
    assert clouds.zone().rrset(foreign.key) == foreign
    world.api.apply(failover_record(adopt=True))
    await world.until(lambda: ready(world))
    assert world.answers() == ONE


async def test_a_record_that_cannot_be_used_any_more_goes_on_as_it_was(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: ready(world))
    world.api.apply(failover_record(endpoints=[]))
    await world.until(lambda: world.api.condition("Ready") == ("False", "Invalid"))
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO)


async def test_an_endpoint_by_hostname_follows_its_addresses_and_survives_the_resolver(boot: Boot) -> None:
    by_name = failover_record(
        endpoints=[
            {"name": "one", "region": "aws-us-east-1", "hostname": "lb.example.net", "priority": 1},
            {"name": "two", "region": "azure-westeurope", "addresses": ["192.0.2.2"], "priority": 2},
        ]
    )
    world = boot(dns_zone(), by_name)
    world.names["lb.example.net"] = ("192.0.2.1",)
    await world.until(lambda: world.answers() == ONE)
    del world.names["lb.example.net"]  # SERVFAIL
    await asyncio.sleep(120)
    assert world.answers() == ONE
    world.names["lb.example.net"] = ()  # October 2025
    await world.until(lambda: world.answers() == TWO)


async def test_a_hostname_endpoint_keeps_its_place_over_a_restart_with_a_dead_resolver(boot: Boot) -> None:
    by_name = failover_record(endpoints=[{"name": "one", "region": "r", "hostname": "lb.example.net"}])
    world = boot(dns_zone(), by_name)
    world.names["lb.example.net"] = ("192.0.2.1",)
    await world.until(lambda: ready(world))
    await world.kill()
    for raw in world.api.objects.values():
        raw["status"] = {}
    again = boot()
    await asyncio.sleep(120)
    assert again.answers() == ONE


async def test_a_target_put_in_place_of_our_addresses_does_not_stop_the_other_records(boot: Boot) -> None:
    """An outsider's CNAME at one name, and a hostname that is not resolved yet: the decision on it must not break."""
    by_name = failover_record(endpoints=[{"name": "one", "region": "r", "hostname": "lb.example.net"}])
    world = boot(dns_zone(), by_name, failover_record("www", uid="u-2"))
    world.names["lb.example.net"] = ("192.0.2.1",)
    await world.until(lambda: ready(world) and ready(world, "www"))
    await world.kill()
    for raw in world.api.objects.values():
        raw["status"] = {}
    world.clouds.zone().drop(RRKey(API, RRType.A))
    world.clouds.zone().put(RRset(API, RRType.CNAME, 30, ("elsewhere.example.com",)))
    again = boot()
    again.down = set(ONE)
    await again.until(lambda: again.answers("www.example.org") == TWO)
    again.down = set()
    again.names["lb.example.net"] = ("192.0.2.1",)
    await again.until(lambda: again.answers() == ONE)


@pytest.mark.slow
async def test_a_region_with_many_records_moves_in_as_few_batches_as_can_be(boot: Boot, clouds: Clouds) -> None:
    clouds.limits = dataclasses.replace(clouds.limits, counts_values=True)
    records = [failover_record(f"n{place}", uid=f"u-{place}") for place in range(300)]
    world = boot(dns_zone(), *records)
    names = [f"n{place}.example.org" for place in range(300)]
    await world.until(lambda: all(world.answers(name) == ONE for name in names), within=120)
    await asyncio.sleep(60)
    before = len(clouds.providers[-1].applied)
    world.down = set(ONE)
    await world.until(lambda: all(world.answers(name) == TWO for name in names))
    assert len(clouds.providers[-1].applied) - before <= 2  # the first names do not wait for the last ones


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE, Fault.LOST_AFTER, Fault.LATE, Fault.THROTTLED])
async def test_a_failover_survives_a_provider_in_trouble(boot: Boot, fault: Fault) -> None:
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: ready(world))
    for provider in world.clouds.providers:
        provider.trouble(fault, 1.0, times=3)
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO)
    await asyncio.sleep(30)
    assert world.answers() == TWO
    await world.until(lambda: ready(world))


async def test_two_zones_hold_the_same_and_neither_waits_for_the_other(boot: Boot) -> None:
    two = failover_record(zones=[{"name": "main"}, {"name": "second"}])
    world = boot(dns_zone(), dns_zone("second", uid="z-2", route53={"zoneID": "Z0123456789"}), two)
    await world.until(lambda: ready(world))
    slow = next(each for each in world.clouds.providers if each.zone is world.clouds.zone("second"))
    slow.latency = 60.0
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO)
    assert world.answers(zone="second") == ONE
    await world.until(lambda: world.answers(zone="second") == TWO, within=400)


async def test_a_zone_deleted_with_its_ledger_remembered_is_claimed_above_it(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: world.api.status("main", Kind.DNS_ZONE).get("ledger", {}).get("generation"))
    await world.until(lambda: ready(world))
    await world.kill()
    ledger = RRKey(ledger_name("production", "example.org"), RRType.TXT)
    world.clouds.zone().drop(ledger)
    again = boot()
    await again.until(lambda: again.clouds.zone().rrset(ledger))
    found = parse_ledger(again.clouds.zone().rrset(ledger))
    assert found is not None
    assert found.generation.epoch == 2


async def test_a_record_that_breaks_the_planner_does_not_keep_the_others_where_they_are(
    boot: Boot, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = RecordKeeper.decide

    def decide_or_break(keeper: RecordKeeper, moment: Moment, **more: Any) -> Any:
        if keeper.record.key.name.startswith("broken"):
            raise RuntimeError("a defect that only this record brings to light")
        return decide(keeper, moment, **more)

    monkeypatch.setattr(RecordKeeper, "decide", decide_or_break)
    # Several, because the order in which due records are planned is nobody's promise.
    broken = [failover_record(f"broken-{each}", uid=f"b-{each}", hostname=f"b{each}.example.org") for each in range(6)]
    world = boot(dns_zone(), *broken, failover_record())
    await world.until(lambda: ready(world))
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO)


async def test_records_are_counted_by_readiness_as_they_come_change_and_go(boot: Boot) -> None:
    world = boot(dns_zone(), failover_record())
    assert world.engine.readiness() == {"True": 0, "False": 0, "Unknown": 1}
    await world.until(lambda: world.engine.readiness() == {"True": 1, "False": 0, "Unknown": 0})
    world.api.apply(failover_record("odd", zones=[{"name": "Not A Name"}]))
    await world.until(lambda: world.engine.readiness() == {"True": 1, "False": 1, "Unknown": 0})
    world.api.delete(Kind.FAILOVER_RECORD, "odd")
    await world.until(lambda: world.engine.readiness() == {"True": 1, "False": 0, "Unknown": 0})
