"""Much work never holds the event loop up: it is done a few objects at a time, and others have their turn between."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.unit.app.gating import Boot
from tests.unit.app.objects import dns_zone, failover_record

from detour.app.heartbeat import PERIOD, Heartbeat
from detour.app.intake import Intake
from detour.enactment.contract import Batch, ZoneContents
from detour.engine.inbox import DeparturesChanged, Inbox, RecordChanged, Visible
from detour.engine.round import Round
from detour.kube.kinds import Listed, Message, Seen
from detour.model.objects import Kind
from detour.model.record import ObjectKey

ONE, TWO = {"192.0.2.1"}, {"192.0.2.2"}
KEYS = [ObjectKey("shop", f"n{number}") for number in range(7)]


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
    await intake.emptied()
    assert taken.told == list("abcde")
    assert max(after - before for before, after in zip([0, *taken.steps], taken.steps, strict=False)) <= 2


async def test_before_everything_was_listed_all_is_taken_in_the_order_of_its_coming() -> None:
    taken = Taken()
    intake = taken.intake()
    intake.put(listing(Kind.CLOUD_REGION, *"abc"), 1.0)
    intake.put(Seen(Kind.FAILOVER_RECORD, {"name": "record"}), 1.0)
    await intake.emptied()
    assert taken.told == ["a", "b", "c", "record"]


async def test_afterwards_news_do_not_wait_for_a_long_listing() -> None:
    taken = Taken()
    taken.listed = set(Kind)
    intake = taken.intake()
    intake.put(listing(Kind.FAILOVER_RECORD, *"abcdefgh"), 1.0)
    intake.put(Seen(Kind.FAILOVER_RECORD, {"name": "news"}), 2.0)
    await intake.emptied()
    assert taken.told.index("news") < 3


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
    beating = asyncio.create_task(Heartbeat(observed.put_nowait).run())
    await asyncio.sleep(0)
    late = 2 * PERIOD  # as if something had held the loop up
    assert await observed.get() >= PERIOD
    beating.cancel()
