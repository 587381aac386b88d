"""Much work never holds the event loop up: it is done a few objects at a time, and others have their turn between."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.unit.app.gating import EAST, NORTH, WEST, Boot, record
from tests.unit.app.objects import dns_zone, failover_record

from detour.app.bundles import Bundles, Reference
from detour.app.heartbeat import PERIOD, Heartbeat
from detour.app.intake import Intake
from detour.enactment.contract import Batch, ZoneContents
from detour.enactment.events import RecordChanged
from detour.engine.inbox import DeparturesChanged, Inbox, Visible
from detour.engine.round import Round
from detour.kube.kinds import Listed, Message, Seen
from detour.model.objects import Kind, Subject
from detour.model.record import ObjectKey

ONE, TWO = {"192.0.2.1"}, {"192.0.2.2"}
KEYS = [ObjectKey("shop", f"n{number}") for number in range(7)]


# -- what many records refer to ----------------------------------------------------------------------------------------


async def test_who_shares_a_bundle_of_authorities_is_told_of_it_a_few_at_a_time() -> None:
    told: list[Subject] = []
    most = before = 0

    async def read(_namespace: str, _name: str) -> dict[str, str]:
        return {"ca.crt": "text"}

    async def count() -> None:
        nonlocal most, before
        while len(told) < 100:
            most, before = max(most, len(told) - before), len(told)
            await asyncio.sleep(0)

    bundles = Bundles(read, on_news=told.append)
    subjects = [Subject(Kind.FAILOVER_RECORD, ObjectKey("shop", f"r{number}"), "uid") for number in range(100)]
    for each in subjects:
        assert bundles.want(each, Reference("shop", "authorities", "ca.crt")) is None
    counting = asyncio.create_task(count())
    await bundles.refresh(1.0)
    await counting
    assert told == subjects
    assert 0 < most <= 20


# -- rounds of decisions -----------------------------------------------------------------------------------------------


def test_every_record_is_planned_before_the_first_is_handed_on() -> None:
    told: list[tuple[str, ObjectKey]] = []
    steps = 0
    turn = Round(at_once=3)
    turn.begin(KEYS)
    while turn.is_under_way:
        before = len(told)
        turn.step(lambda key: not told.append(("plan", key)), lambda key: told.append(("hand on", key)))
        assert len(told) - before <= 3
        steps += 1
    assert told == [("plan", key) for key in KEYS] + [("hand on", key) for key in KEYS]
    assert steps == 5


def test_what_comes_to_nothing_is_not_handed_on() -> None:
    handed_on: list[ObjectKey] = []
    turn = Round()
    turn.begin(KEYS)
    while turn.is_under_way:
        turn.step(lambda key: key != KEYS[2], handed_on.append)
    assert handed_on == [key for key in KEYS if key != KEYS[2]]


def test_who_is_touched_before_it_is_handed_on_is_planned_anew_before_anything_more_is() -> None:
    told: list[tuple[str, ObjectKey]] = []
    turn = Round(at_once=len(KEYS) + 2)
    turn.begin(KEYS)
    turn.step(lambda key: not told.append(("plan", key)), lambda key: told.append(("hand on", key)))
    assert turn.plan_again([KEYS[0], KEYS[3], KEYS[6]]) == [KEYS[3], KEYS[6]]  # the first one was handed on
    assert turn.plan_again([KEYS[3]]) == []  # once in a round, or nobody would ever be handed on
    told.clear()
    while turn.is_under_way:
        turn.step(lambda key: not told.append(("plan", key)), lambda key: told.append(("hand on", key)))
    assert told[:2] == [("plan", KEYS[3]), ("plan", KEYS[6])]
    assert [key for what, key in told if what == "hand on"] == [KEYS[2], KEYS[4], KEYS[5], KEYS[3], KEYS[6]]


@pytest.mark.parametrize("at_once", [1, 1000])
async def test_who_takes_over_knows_of_the_evacuation_before_a_second_region_is_left(boot: Boot, at_once: int) -> None:
    """The leader before has left a region, and died before its status told of that. Many names are planned at once, or
    one after the other, while the zone comes into force."""
    left = [record(f"a{number}", (EAST, "192.0.2.1", 1), (NORTH, "192.0.2.3", 2)) for number in range(20)]
    failing = [record(f"b{number}", (WEST, "192.0.2.2", 1), (NORTH, "192.0.2.3", 2)) for number in range(25)]
    zone = dns_zone(safety={"panicThreshold": 100})
    before = boot(zone, *failing, *left, identity="before", free_departures=0)
    await before.until(lambda: before.leads)
    after = boot(identity="after", at_once=at_once, pause=0.02, free_departures=0)
    names = [each["spec"]["hostname"] for each in (*failing, *left)]
    await before.until(lambda: all(before.answers(name) for name in names), within=900)
    await asyncio.sleep(60)
    before.connection.is_mute = True
    before.down = after.down = {"192.0.2.1"}
    away = [each["spec"]["hostname"] for each in left]
    await before.until(lambda: all(before.answers(name) == {"192.0.2.3"} for name in away), within=900)
    await before.kill()
    after.down = {"192.0.2.1", "192.0.2.2"}
    after.clouds.providers[-1].latency = 0.32
    await after.until(lambda: after.leads)
    await asyncio.sleep(120)
    lost = [each for each in failing if "192.0.2.2" not in after.answers(each["spec"]["hostname"])]
    assert len(lost) <= 2


async def test_an_edit_in_the_middle_of_a_round_leaves_nothing_older_to_be_written(boot: Boot) -> None:
    """The last record is planned by then, to go where the edit says that it is no more, but not handed on yet."""
    names = [f"n{number}" for number in range(60)]
    records = {name: failover_record(name, uid=f"u-{name}") for name in names}
    world = boot(dns_zone(), *records.values(), at_once=1)
    await world.until(lambda: all(world.answers(f"{name}.example.org") == ONE for name in names), within=60)
    await asyncio.sleep(60)
    provider, batches = world.clouds.providers[-1], []
    apply, edited = provider.apply, elsewhere(records[names[-1]])

    async def edit_and_apply(batch: Batch) -> ZoneContents:
        if not batches:
            world.engine.decide(world.engine.record_keys())  # something that concerns them all, so it takes its time
            world.declarations.take(Seen(Kind.FAILOVER_RECORD, edited), world.clock.now())
        batches.append(batch)
        return await apply(batch)

    provider.apply = edit_and_apply
    world.cut_off()  # nothing else comes from the API server meanwhile
    provider.latency, world.down = 0.0, ONE
    await world.until(lambda: all(world.answers(f"{name}.example.org") == TWO for name in names[:-1]))
    assert len(batches) > 1, "the first names have to go before the last ones are handed on"
    await asyncio.sleep(30)
    last = f"{names[-1]}.example.org"
    written = [each.new for batch in batches for each in batch.changes if each.new and each.new.name == last]
    assert not any(TWO.intersection(each.values) for each in written)


def elsewhere(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with its second place at another address."""
    one, two = record["spec"]["endpoints"]
    endpoints = [one, {**two, "addresses": ["192.0.2.9"]}]
    metadata, spec = {**record["metadata"], "generation": 2}, {**record["spec"], "endpoints": endpoints}
    return {**record, "metadata": metadata, "spec": spec}


# -- taking in what the API server shows -------------------------------------------------------------------------------


class Taken:
    """Takes messages in, object by object."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.listed: set[Kind] = set()
        self.steps: list[int] = []

    def taking(self, message: Message, now: float) -> Iterator[None]:
        match message:
            case Seen(_, raw):
                self.told.append(raw["name"])
            case Listed(kind, raws):
                for raw in raws:
                    self.told.append(raw["name"])
                    yield
                self.listed.add(kind)

    def intake(self, at_once: int = 2) -> Intake:
        return Intake(
            self.taking,
            listed=lambda: self.listed,
            on_step=lambda: self.steps.append(len(self.told)),
            at_once=at_once,
        )


def listing(kind: Kind, *names: str) -> Listed:
    return Listed(kind, [{"name": name} for name in names], 1.0)


async def test_a_listing_is_taken_in_a_few_objects_at_a_time() -> None:
    taken = Taken()
    intake = taken.intake()
    intake.put(listing(Kind.FAILOVER_RECORD, *"abcde"), 1.0)
    await intake.taken()
    assert taken.told == list("abcde")
    assert max(after - before for before, after in zip([0, *taken.steps], taken.steps, strict=False)) <= 2


async def test_before_everything_was_listed_all_is_taken_in_the_order_of_its_coming() -> None:
    taken = Taken()
    intake = taken.intake()
    intake.put(listing(Kind.CLOUD_REGION, *"abc"), 1.0)
    intake.put(Seen(Kind.FAILOVER_RECORD, {"name": "record"}), 1.0)
    await intake.taken()
    assert taken.told == ["a", "b", "c", "record"]


async def test_news_never_overtake_older_news() -> None:
    """At the start a watch shows everything again, in line; what is seen afterwards is newer."""
    taken = Taken()
    intake = taken.intake(at_once=1)
    taken.listed = {Kind.CLOUD_REGION, Kind.DNS_ZONE}
    intake.put(listing(Kind.FAILOVER_RECORD, *"ab"), 1.0)
    intake.put(Seen(Kind.CLOUD_REGION, {"name": "drained"}), 1.0)
    await asyncio.sleep(0)
    taken.listed = set(Kind)
    intake.put(Seen(Kind.CLOUD_REGION, {"name": "active again"}), 2.0)
    await intake.taken()
    assert taken.told[-2:] == ["drained", "active again"]


async def test_a_listing_does_not_overtake_the_news_before_it() -> None:
    taken = Taken()
    taken.listed = set(Kind)
    intake = taken.intake(at_once=2)
    for name in "abcdef":
        intake.put(Seen(Kind.FAILOVER_RECORD, {"name": name}), 1.0)
    intake.put(listing(Kind.FAILOVER_RECORD, "listed"), 2.0)
    await intake.taken()
    assert taken.told == [*"abcdef", "listed"]


async def test_who_waits_waits_for_what_had_come_by_then_alone() -> None:
    taken = Taken()
    intake = taken.intake(at_once=1)
    intake.put(listing(Kind.CLOUD_REGION, *"ab"), 1.0)
    waiting = asyncio.create_task(intake.taken())
    await asyncio.sleep(0)
    intake.put(listing(Kind.DNS_ZONE, *"cdefgh"), 1.0)
    await waiting
    assert len(taken.told) < 8


async def test_afterwards_news_do_not_wait_for_a_long_listing() -> None:
    taken = Taken()
    taken.listed = set(Kind)
    intake = taken.intake()
    intake.put(listing(Kind.FAILOVER_RECORD, *"abcdefgh"), 1.0)
    intake.put(Seen(Kind.FAILOVER_RECORD, {"name": "news"}), 2.0)
    await intake.taken()
    assert taken.told.index("news") < 3


async def test_nothing_is_decided_while_what_is_declared_still_comes_in(boot: Boot) -> None:
    world = boot(dns_zone())
    world.engine.hold_off(True)
    world.api.apply(failover_record())
    await asyncio.sleep(60)
    assert not world.answers()
    world.engine.hold_off(False)
    await world.until(lambda: world.answers() == ONE)


# -- news of the zones -------------------------------------------------------------------------------------------------


def test_news_are_taken_in_their_order_and_as_many_as_asked_for() -> None:
    woken: list[None] = []
    inbox = Inbox(lambda: woken.append(None))
    zone = ObjectKey("dns", "main")
    events = [RecordChanged(KEYS[0]), Visible(zone, KEYS[1]), DeparturesChanged(), RecordChanged(KEYS[1])]
    for event in (*events, *events):
        inbox.put(event)
    assert inbox.take(2) == events[:2]
    inbox.put(events[0])  # taken before, so it is news again
    assert inbox.take(10) == [
        DeparturesChanged(),
        RecordChanged(KEYS[1]),
        Visible(zone, KEYS[1]),
        RecordChanged(KEYS[0]),
    ]
    assert inbox.is_empty


# -- how late the loop is ----------------------------------------------------------------------------------------------


async def test_the_heartbeat_tells_by_how_much_the_loop_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    late = 0.0
    now: Callable[[], float] = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + late)
    observed: asyncio.Queue[float] = asyncio.Queue()
    worked: asyncio.Queue[float] = asyncio.Queue()
    cpu = 7.0
    beating = asyncio.create_task(Heartbeat(observed.put_nowait, worked.put_nowait, cpu=lambda: cpu).run())
    await asyncio.sleep(0)
    late = 2 * PERIOD  # as if something had held the loop up
    cpu += PERIOD / 2
    assert await observed.get() >= PERIOD
    assert await worked.get() == pytest.approx(PERIOD / 2), "no more than that was its own work"
    late = 0.0
    cpu += 9.0
    await worked.get()
    assert await worked.get() == 0.0, "nor is work that nothing was late for"
    beating.cancel()
