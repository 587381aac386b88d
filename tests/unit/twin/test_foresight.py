"""What a twin foresees is what then happens: the same engine, over a copy of what there is.

Two hundred changes are foreseen first and made then: regions fail, records and zones are edited, pinned, drained, after
histories of every kind.
"""

import asyncio
import copy
import random
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from detour.model.objects import Kind, RawObject
from detour.model.record import ObjectKey
from detour.twin.foresight import Copy, Foresight, if_applied, if_regions_fail

from ..app.gating import EAST, NORTH, WEST  # noqa: TID252 - the root is on no path
from ..app.objects import cloud_region, dns_zone, failover_record, override  # noqa: TID252 - as above
from ..app.world import Clouds, World  # noqa: TID252 - as above

Boot = Callable[..., World]
T = TypeVar("T")

REGIONS = (EAST, WEST, NORTH)
ZONES = ("main", "second")
BATCHES, EACH = 8, 25
QUIET = {"safety": {"panicThreshold": 100}}


def beside(foresee: Callable[[], T]) -> T:
    """Run a twin, which has a clock and a loop of its own, in a thread of its own."""
    found: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            found.append(foresee())
        except BaseException as error:  # told in the thread that waits
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return found[0]


def raws_of(world: World) -> list[tuple[Kind, RawObject]]:
    return [(key[0], copy.deepcopy(raw)) for key, raw in world.api.objects.items()]


def copied(world: World) -> Copy:
    return Copy(raws_of(world), wall=world.clock.wall())


def address(region: str, number: int) -> str:
    return f"192.0.{2 + REGIONS.index(region)}.{number}"


def made_record(dice: random.Random, number: int) -> dict[str, Any]:
    regions = dice.sample(REGIONS, dice.randint(1, 3))
    endpoints = [
        {"name": f"e{place}", "region": region, "addresses": [address(region, number)], "priority": dice.randint(1, 3)}
        for place, region in enumerate(regions)
    ]
    more: dict[str, Any] = {
        "failback": {"holdDown": "2h"}
    }  # so that nothing is due within the minutes that are compared
    if dice.random() < 0.3:
        more["strategy"] = "MultiValue"
    elif dice.random() < 0.3:
        more["minServing"] = dice.randint(1, len(endpoints))
    if dice.random() < 0.3:
        more["failback"] = {"holdDown": dice.choice(["0s", "2h"])}
    if dice.random() < 0.2:
        more["failback"] = {"mode": "Manual"}  # else what changes is a matter of minutes
    if dice.random() < 0.2:
        more["whenAllUnhealthy"] = "ServeAll" if more.get("publish") != "CNAME" else "KeepLast"
    zones = [{"name": each} for each in dice.sample(ZONES, dice.randint(1, 2))]
    return failover_record(f"r{number}", uid=f"u-{number}", endpoints=endpoints, zones=zones, **more)


def edited(dice: random.Random, raw: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a record after one edit."""
    made = copy.deepcopy(raw)
    spec = made["spec"]
    match dice.randrange(5):
        case 0:
            spec["endpoints"][0]["state"] = "Drained"
        case 1:
            spec["suspend"] = not spec.get("suspend", False)
        case 2:
            for each in spec["endpoints"]:
                each["priority"] = dice.randint(1, 3)
        case 3:
            region = dice.choice(REGIONS)
            new = {"name": "new", "region": region, "addresses": [address(region, 200 + number)], "priority": 1}
            spec["endpoints"].append(new)
        case 4:
            spec["strategy"] = "MultiValue"
            spec.pop("minServing", None)
    return made


def made_override(dice: random.Random, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return something that a person sets above the verdicts."""
    record = dice.choice(records)
    name, endpoint = record["metadata"]["name"], dice.choice(record["spec"]["endpoints"])["name"]
    match dice.randrange(5):
        case 0:
            return override(action=dice.choice(["Drain", "ForceDown", "ForceUp"]), region=dice.choice(REGIONS))
        case 1:
            return override(action="Freeze", zone={"namespace": "shop", "name": dice.choice(ZONES)})
        case 2:
            return override(action="Pin", record=name, revision=dice.choice([1, 2, 9]))
        case 3:
            return override(action="Freeze", record=name)
    return override(action=dice.choice(["Drain", "ForceDown", "ForceUp"]), record=name, endpoint=endpoint)


def kind_of(raw: dict[str, Any]) -> Kind:
    return Kind.OVERRIDE if raw["kind"] == "Override" else Kind.CLUSTER_OVERRIDE


async def with_a_past(dice: random.Random, world: World, records: list[dict[str, Any]]) -> None:
    """Let something happen before, so that statuses have verdicts, histories, hold-downs, and counts to remember."""
    for _ in range(dice.randint(0, 2)):
        world.down = {
            address(each["region"], int(raw["metadata"]["name"][1:]))
            for raw in records
            for each in raw["spec"]["endpoints"]
            if dice.random() < 0.3
        }
        await asyncio.sleep(dice.choice([30, 60, 200]))
        if dice.random() < 0.6:
            world.down = set()
            await asyncio.sleep(dice.choice([20, 70, 400]))
    await asyncio.sleep(70)


def answers_of(world: World) -> dict[str, dict[str, tuple[str, ...]]]:
    found = {}
    for name, zone in world.clouds.zones.items():
        names = {key.name for key in zone.sets if not key.name.startswith("_")}
        found[name] = {each: tuple(sorted(zone.answers(each))) for each in names if zone.answers(each)}
    return found


def foreseen_answers(
    before: dict[str, dict[str, tuple[str, ...]]], found: Foresight
) -> dict[str, dict[str, tuple[str, ...]]]:
    after = copy.deepcopy(before)
    for each in (*found.unsettled, *found.changes):
        names = after.setdefault(each.zone.name, {})
        names.pop(each.hostname, None)
        if each.now:
            names[each.hostname] = each.now
    return after


async def play(dice: random.Random, world: World, records: list[dict[str, Any]]) -> None:
    """Foresee one change, make it, and compare."""
    await with_a_past(dice, world, records)
    before = answers_of(world)
    if dice.random() < 0.4:
        region = dice.choice(REGIONS)
        found = beside(lambda: if_regions_fail(copied(world), [region]))
        world.down |= {address(region, number) for number in range(256)}
        what = f"{region} fails"
    elif dice.random() < 0.3:
        raw = made_override(dice, records)
        found = beside(lambda: if_applied(copied(world), [(kind_of(raw), raw)]))
        world.api.apply(raw)
        what = f"override {raw['spec']}"
    elif dice.random() < 0.25:
        raw = cloud_region(dice.choice(REGIONS), state="Drained")
        found = beside(lambda: if_applied(copied(world), [(Kind.CLOUD_REGION, raw)]))
        world.api.apply(raw)
        what = f"{raw['metadata']['name']} is drained"
    else:
        number = dice.randrange(len(records) + 1)
        new = made_record(dice, 100) if number == len(records) else edited(dice, records[number], number)
        found = beside(lambda: if_applied(copied(world), [(Kind.FAILOVER_RECORD, new)]))
        world.api.apply(new)
        what = f"{new['metadata']['name']} becomes {new['spec']}, {new['metadata'].get('annotations')}"
    await asyncio.sleep(120)
    assert answers_of(world) == foreseen_answers(before, found), what
    for told in found.records:
        status = world.api.status(told.record.name)
        assert told.now is not None
        assert told.now.state == status["state"], (what, told.now.message, status["message"])


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES))
async def test_what_is_foreseen_is_what_then_happens(batch: int) -> None:
    for number in range(EACH):
        dice = random.Random(batch * 1000 + number)
        records = [made_record(dice, each) for each in range(dice.randint(2, 6))]
        zones = [dns_zone(each, uid=f"z-{each}", **QUIET) for each in ZONES]
        regions = [cloud_region(each) for each in REGIONS if dice.random() < 0.5]
        from ..app.apiserver import ApiServer  # noqa: PLC0415, TID252 - as above

        api = ApiServer()
        for raw in (*regions, *zones, *records):
            api.apply(raw)
        world = World(Clouds(), api)
        try:
            await play(dice, world, records)
        except AssertionError as error:
            raise AssertionError(f"seed {batch * 1000 + number}: {error}") from error
        finally:
            world.engine.zones.failure.cancel()
            await world.kill()


async def test_a_region_that_fails_is_left_where_another_place_is_fit_and_it_is_said_how_soon(boot: Boot) -> None:
    alone = failover_record("alone", uid="u-9", endpoints=[{"name": "one", "region": EAST, "addresses": ["192.0.2.9"]}])
    world = boot(dns_zone(**QUIET), failover_record(), alone)
    await asyncio.sleep(60)
    found = beside(lambda: if_regions_fail(copied(world), [EAST]))
    assert [str(each.record) for each in found.moved()] == ["shop/api"]
    assert [(str(each.record), each.now.state) for each in found.unmoved() if each.now] == [("shop/alone", "Down")]
    (change,) = found.changes
    assert (change.before, change.now) == (("192.0.2.1",), ("192.0.2.2",))
    assert change.after is not None
    assert 0 < change.after < 60
    assert world.answers() == {"192.0.2.1"}, "nothing was written"


async def test_what_few_vantages_see_moves_nothing(boot: Boot) -> None:
    world = boot(dns_zone(**QUIET), failover_record())
    await asyncio.sleep(60)
    assert not beside(lambda: if_regions_fail(copied(world), [EAST], seen_by=1, votes=3)).changes
    assert beside(lambda: if_regions_fail(copied(world), [EAST], seen_by=2, votes=3)).changes


async def test_a_name_that_is_somebody_elses_is_foreseen_to_be_refused(boot: Boot) -> None:
    from detour.model.rrset import RRset, RRType  # noqa: PLC0415 - for this one alone

    world = boot(dns_zone(**QUIET), failover_record())
    await asyncio.sleep(60)
    new = failover_record("new", uid="u-9")
    theirs = RRset("new.example.org", RRType.A, 60, ("203.0.113.1",))
    start = Copy(raws_of(world), wall=world.clock.wall(), found=((ObjectKey("shop", "main"), theirs),))
    found = beside(lambda: if_applied(start, [(Kind.FAILOVER_RECORD, new)]))
    assert not found.changes
    (told,) = found.records
    assert told.now is not None
    assert told.now.state == "Refused"
    assert "exists" in told.now.message


async def test_what_would_be_held_is_said(boot: Boot) -> None:
    names = [failover_record(f"e{each}", uid=f"u-e{each}") for each in range(12)]
    west = [
        failover_record(
            f"w{each}",
            uid=f"u-w{each}",
            endpoints=[
                {"name": "one", "region": WEST, "addresses": ["192.0.2.3"], "priority": 1},
                {"name": "two", "region": NORTH, "addresses": ["192.0.2.4"], "priority": 2},
            ],
        )
        for each in range(12)
    ]
    for raw in names:
        raw["spec"]["endpoints"][1]["region"] = NORTH
    world = boot(dns_zone(**QUIET), *names, *west)
    await asyncio.sleep(60)
    world.down = {"192.0.2.1"}
    await asyncio.sleep(120)
    found = beside(lambda: if_regions_fail(copied(world), [WEST]))
    assert len(found.moved()) == 10, "as many as may leave beside the region that is free"
    held = [each for each in found.unmoved() if each.now is not None and "safety gate holds" in each.now.message]
    assert len(held) == 2


async def test_a_pin_that_a_manifest_does_not_name_stays(boot: Boot) -> None:
    world = boot(dns_zone(**QUIET), failover_record())
    await asyncio.sleep(60)
    world.down = {"192.0.2.1"}
    await asyncio.sleep(60)
    world.api.apply(override("pin", action="Pin", revision=2))
    world.down = set()
    await asyncio.sleep(600)
    assert world.answers() == {"192.0.2.2"}
    assert not beside(lambda: if_applied(copied(world), [(Kind.FAILOVER_RECORD, failover_record())])).changes
