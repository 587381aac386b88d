"""What a record decides, remembers and wishes, apart from the engine."""

import asyncio
import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from detour.enactment.wishes import WishReport
from detour.engine.clock import Clock
from detour.engine.history import HISTORY_LENGTH
from detour.engine.moment import Moment
from detour.engine.recordkeeper import LONGEST_WAIT, RecordKeeper
from detour.engine.zonekeeper import ZoneKeeper
from detour.health.damping import HOUR, held_out_until
from detour.health.endpoints import NOT_CHECKED_YET
from detour.kube.status.records import record_conditions, record_status
from detour.kube.status.recordstate import standing
from detour.kube.translate import record_from, record_memory
from detour.model.health import EndpointHealth, Evidence, Verdict
from detour.model.memory import EndpointMemory, HistoryMemory, RecordMemory, ZoneMemory
from detour.model.record import ObjectKey
from detour.model.rrset import RRset, address_sets
from detour.model.timestamps import timestamp
from detour.planning.decision import Basis

from .objects import failover_record

MAIN = ObjectKey("shop", "main")
ONE, TWO = "192.0.2.1", "192.0.2.2"
WALL = 1.7e9


class Zone:
    """Stands in for a zone's keeper."""

    values_per_set = 20
    in_force = True
    zone_id = "Z1"
    zone = SimpleNamespace(key=MAIN)

    def __init__(self, *published: str, owns: bool = True) -> None:
        self.sets: tuple[RRset, ...] = address_sets("api.example.org", 30, published)
        self.owns = owns

    def report(self, record: ObjectKey) -> WishReport:
        return WishReport(self.sets, in_sync=False, owns=self.owns, is_marked=self.owns)

    def admits(self, record: ObjectKey) -> bool:
        return True


def keeper(memory: RecordMemory | None = None, **spec: Any) -> RecordKeeper:
    loop = asyncio.get_running_loop()
    record = record_from(failover_record(**spec), None)
    return RecordKeeper(record, memory or RecordMemory(), Clock(now=loop.time, wall=lambda: WALL + loop.time()))


def decide(keeper: RecordKeeper, one: Verdict, two: Verdict, zone: Zone | None, *, is_behind: bool = False) -> Any:
    now = asyncio.get_running_loop().time()
    for name, address, verdict in (("one", ONE, one), ("two", TWO, two)):
        seen = Evidence(verdict is Verdict.HEALTHY, began_at=now, run_since=0.0, looked_at=now)
        evidence = ((address, seen),) if verdict is not Verdict.UNKNOWN else ()
        reason = NOT_CHECKED_YET if verdict is Verdict.UNKNOWN else ""
        seen_of = ((address, verdict),)
        health = EndpointHealth(verdict, 0.0, reason, addresses=seen_of, evidence=evidence, has_passed=True)
        keeper.healths = {**keeper.healths, name: health}
    zones = {MAIN: cast(ZoneKeeper, zone)} if zone else {}
    keeper.decide(Moment(now, frozenset(), is_behind=is_behind), zones=zones)
    sets = keeper.wish_for(MAIN, [MAIN]).sets
    return keeper.publish({MAIN: sets} if sets else {}, counts=True)


H, U, N = Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.UNKNOWN


async def test_before_a_zone_was_read_a_record_wishes_nothing_but_its_name() -> None:
    found = keeper()
    assert decide(found, H, H, None) is None
    wish = found.wish_for(MAIN, [MAIN])
    assert (wish.sets, wish.hostname) == (None, "api.example.org")


async def test_a_decision_becomes_a_wish_and_a_transition() -> None:
    found = keeper()
    first = decide(found, H, H, Zone())
    assert (first.before, first.after, first.is_first) == ((), (ONE,), True)
    assert found.wish_for(MAIN, [MAIN]).sets == address_sets("api.example.org", 30, (ONE,))
    assert decide(found, H, H, Zone(ONE)) is None
    moved = decide(found, U, H, Zone(ONE))
    assert (moved.before, moved.after, moved.is_first, moved.basis) == ((ONE,), (TWO,), False, Basis.CHOSEN)


async def test_what_stands_at_a_name_that_is_not_ours_is_not_kept() -> None:
    found = keeper()
    decide(found, U, U, Zone(TWO, owns=False))
    assert found.wish_for(MAIN, [MAIN]).sets == address_sets("api.example.org", 30, (ONE, TWO))


async def test_a_name_is_adopted_only_for_somebody_healthy_and_what_it_had_is_kept_in_the_history() -> None:
    adopting = keeper(adopt=True)
    for one, two in ((U, U), (U, N), (N, N)):
        decide(adopting, one, two, Zone("203.0.113.9", owns=False))
        assert adopting.wish_for(MAIN, [MAIN]).sets is None
    decide(adopting, H, U, Zone("203.0.113.9", owns=False))
    assert adopting.wish_for(MAIN, [MAIN]).sets == address_sets("api.example.org", 30, (ONE,))
    revisions = adopting.picture({}, dry_run=False, being_deleted=False).revisions
    assert [(each.values, each.was_there) for each in revisions] == [((ONE,), False), (("203.0.113.9",), True)]


async def test_revisions_grow_over_restarts_and_the_last_ten_are_kept() -> None:
    history = tuple(HistoryMemory(number, (TWO if number % 2 else ONE,), "", 1.0) for number in range(40, 28, -1))
    found = keeper(RecordMemory(revision=40, history=history))
    moved = decide(found, U, H, Zone(ONE))
    assert not moved.is_first
    revisions = found.picture({}, dry_run=False, being_deleted=False).revisions
    assert [each.number for each in revisions] == list(range(41, 41 - HISTORY_LENGTH, -1))


async def test_a_restart_with_the_same_outcome_is_no_new_revision() -> None:
    found = keeper(RecordMemory(revision=7, history=(HistoryMemory(7, (ONE,), "", 1.0),)))
    assert decide(found, H, H, Zone(ONE)) is None
    assert found.picture({}, dry_run=False, being_deleted=False).revisions[0].number == 7


@pytest.mark.parametrize("published", [True, False])
async def test_a_status_that_showed_the_name_as_published_is_proof(published: bool) -> None:
    found = keeper(RecordMemory(zones=(ZoneMemory(MAIN, published=published, zone_id="Z1"),)))
    assert found.wish_for(MAIN, [MAIN]).was_published is published
    assert found.wish_for(MAIN, [MAIN]).published_in == "Z1"
    found.left(MAIN)
    assert not found.wish_for(MAIN, [MAIN]).was_published


async def test_zones_that_are_declared_no_more_are_left_behind() -> None:
    old = ObjectKey("shop", "old")
    found = keeper(RecordMemory(zones=(ZoneMemory(old, published=True), ZoneMemory(MAIN, published=True))))
    assert found.zones_left_behind() == {old}
    found.left(old)
    assert found.zones_left_behind() == set()


async def test_a_new_record_waits_for_first_verdicts_and_says_so() -> None:
    found = keeper()
    assert decide(found, N, H, Zone()) is None
    assert "one" in (found.picture({}, dry_run=False, being_deleted=False).pending or "")
    assert found.decide_again_at is not None
    await asyncio.sleep(found.decide_again_at - asyncio.get_running_loop().time())
    assert decide(found, N, H, Zone()).after == (TWO,)


async def test_a_verdict_that_is_lost_does_not_move_what_this_process_decided() -> None:
    found = keeper()
    decide(found, U, H, Zone(ONE))
    assert decide(found, U, N, Zone(TWO)) is None
    assert found.wish_for(MAIN, [MAIN]).sets == address_sets("api.example.org", 30, (TWO,))


async def test_who_failed_again_under_another_leader_is_held_down_by_the_next() -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(10_000)
    addresses = (("192.0.2.1", Verdict.HEALTHY),)
    week_ago = EndpointMemory("one", Verdict.HEALTHY, since=WALL + 300, failed_at=WALL + 100, addresses=addresses)
    found = keeper(RecordMemory(endpoints=(week_ago,)))
    just_now = replace(week_ago, since=WALL + loop.time() - 2, failed_at=WALL + loop.time() - 5)
    found.recall(RecordMemory(endpoints=(just_now,)))
    assert found.healths["one"].since == loop.time()


async def test_two_names_of_one_zone_have_one_ruling_also_where_the_other_one_is_declared_first() -> None:
    found, twin = keeper(), ObjectKey("shop", "twin")
    zone = cast(ZoneKeeper, Zone(ONE))
    zones = {MAIN: zone, twin: zone}
    decide(found, Verdict.HEALTHY, Verdict.HEALTHY, Zone(ONE))
    found.serve(held={}, passed={MAIN: sets(ONE)})
    await asyncio.sleep(60)
    decide(found, Verdict.UNHEALTHY, Verdict.HEALTHY, Zone(ONE))
    found.serve(held={}, passed={MAIN: sets(TWO)})
    recovered = replace(found.healths["one"], verdict=Verdict.HEALTHY, failed_at=0.0)
    found.healths = {**found.healths, "one": recovered}
    for declared in ((twin, MAIN), (MAIN,)):
        found.update(replace(found.declared, zones=declared))
        found.decide(Moment(asyncio.get_running_loop().time(), frozenset()), zones=zones)
        assert found.decision is not None
        assert set(found.decision.rulings) == {MAIN}
        assert found.wish_for(MAIN, declared).sets == sets(TWO), "held down: it stays where it was moved to"


def sets(*values: str) -> tuple[RRset, ...]:
    return address_sets("api.example.org", 30, values)


async def test_records_that_are_alike_are_decided_for_once() -> None:
    loop = asyncio.get_running_loop()
    keepers = [keeper(hostname=f"{name}.example.org") for name in "abc"]
    moment = Moment(loop.time(), frozenset())
    for each in keepers:
        each.healths = {name: EndpointHealth(H, 0.0, addresses=((ONE, H),)) for name in ("one", "two")}
    for each in keepers[:2]:
        each.healths = keepers[0].healths
    for each in keepers:
        each.decide(moment, zones={MAIN: cast(ZoneKeeper, Zone())})
    assert len(moment.decided) == 2, "the third does not share what is believed of its endpoints"
    hostnames = [each.wish_for(MAIN, [MAIN]).sets[0].name for each in keepers]  # type: ignore[index]
    assert hostnames == ["a.example.org", "b.example.org", "c.example.org"]


async def test_first_verdicts_are_waited_for_longer_while_checks_come_late_but_not_for_ever() -> None:
    found, zone = keeper(), Zone()
    await asyncio.sleep(60)
    assert decide(found, N, H, zone, is_behind=True) is None, "the better endpoint had no turn yet"
    assert found.undecided is not None
    assert found.undecided.decide_again_at is not None
    assert found.undecided.decide_again_at > asyncio.get_running_loop().time()
    decided = decide(found, N, H, zone, is_behind=False)
    assert decided is not None
    assert decided.after == (TWO,)
    other = keeper()
    await asyncio.sleep(LONGEST_WAIT)
    assert decide(other, N, H, zone, is_behind=True) is not None


async def test_who_cannot_be_checked_is_not_waited_for_because_checks_come_late() -> None:
    found, zone = keeper(), Zone()
    await asyncio.sleep(60)
    now = asyncio.get_running_loop().time()
    lost = EndpointHealth(N, 0.0, "NameUnresolved", "the resolver does not answer")
    well = EndpointHealth(H, 0.0, addresses=((TWO, H),), evidence=((TWO, Evidence(True, now, 0.0, looked_at=now)),))
    found.healths = {"one": lost, "two": well}
    found.decide(Moment(now, frozenset(), is_behind=True), zones={MAIN: cast(ZoneKeeper, zone)})
    assert found.wish_for(MAIN, [MAIN]).sets == sets(TWO)


async def test_who_was_decided_for_waits_for_nobodys_turn() -> None:
    found = keeper()
    await asyncio.sleep(60)
    assert decide(found, H, N, Zone()) is not None, "checks are on time, and patience is over"
    found.serve(held={}, passed={MAIN: sets(ONE)})
    decide(found, U, N, Zone(), is_behind=True)  # it is not written yet
    assert found.undecided is None or "first verdicts" not in found.undecided.reason


async def test_who_comes_and_goes_is_told_to_be_held_out_and_still_is_after_a_restart() -> None:
    loop = asyncio.get_running_loop()
    found = keeper(failback={"holdDown": "0s", "maxChangesPerHour": 2})
    await asyncio.sleep(60)
    decide(found, H, H, Zone(TWO))
    changes = tuple(loop.time() - ago for ago in (30.0, 20.0, 10.0))
    found.healths = {**found.healths, "one": replace(found.healths["one"], failed_at=loop.time(), changes=changes)}
    picture = found.picture({}, dry_run=False, being_deleted=False)
    conditions = record_conditions(picture)
    status = record_status(picture, {}, WALL, conditions, standing(picture, conditions))
    told = {each["name"]: each for each in status["endpoints"]}
    assert told["one"]["reason"] == "ChangesTooOften"
    assert "has changed 3 times within an hour" in told["one"]["message"]
    assert "heldOutUntil" not in told["two"]
    again = keeper(record_memory({"status": status}), failback={"holdDown": "0s", "maxChangesPerHour": 2})
    ends = held_out_until(again.healths["one"].changes, 2, loop.time())
    assert ends is not None
    assert abs(ends - (changes[0] + HOUR)) < 2.0


async def test_a_pause_that_ends_between_two_looks_at_the_clock_is_decided_on_again() -> None:
    """Else nobody would look again: no check of an endpoint that goes on failing is news."""
    loop = asyncio.get_running_loop()
    until = math.floor(loop.time()) + 60.0
    found = keeper(healthCheck={"tcp": {"port": 443}, "pausedUntil": timestamp(WALL + until)})
    found.healths = {name: EndpointHealth(H, 0.0, addresses=((ONE, H),)) for name in ("one", "two")}
    await asyncio.sleep(until - loop.time() - 0.001)
    moment = Moment(loop.time(), frozenset(), wall=WALL + loop.time())
    assert found.is_paused(moment)
    await asyncio.sleep(0.002)
    found.decide(moment, zones={MAIN: cast(ZoneKeeper, Zone())})
    assert found.decide_again_at == pytest.approx(until)
    assert not found.is_paused(Moment(loop.time(), frozenset(), wall=WALL + loop.time()))
    assert found.decide_again_at != pytest.approx(until)


async def test_who_waits_goes_on_waiting_when_another_replica_comes_to_decide() -> None:
    found, now = keeper(failback={"maxChangesPerHour": 2}), asyncio.get_running_loop().time()
    found.healths = {name: EndpointHealth(H, 0.0, changes=(now,)) for name in ("one", "two")}
    told = EndpointMemory("one", Verdict.HEALTHY, 0.0, held_out_until=WALL + now + 600.0)
    found.recall(RecordMemory(endpoints=(told, EndpointMemory("two", Verdict.HEALTHY, 0.0))))
    assert held_out_until(found.healths["one"].changes, 2, now) == pytest.approx(now + 600.0)
    assert found.healths["two"].changes == (now,)


async def test_another_address_has_not_come_and_gone() -> None:
    found = keeper()
    found.healths = {name: EndpointHealth(H, 0.0, changes=(1.0,)) for name in ("one", "two")}
    first, second = found.declared.endpoints
    found.update(replace(found.declared, endpoints=(replace(first, addresses=("192.0.2.9",)), second)))
    assert [found.healths[name].changes for name in ("one", "two")] == [(), (1.0,)]
