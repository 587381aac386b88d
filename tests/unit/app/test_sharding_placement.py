"""Which replica takes which zones, and which it gives away."""

from collections import Counter
from dataclasses import replace

from detour.app.sharding.placement import (
    FIRST_LOOK_AROUND,
    JOINED,
    PATIENCE,
    Gift,
    Replica,
    Scene,
    Why,
    gifts,
    takes,
)
from detour.app.sharding.ties import Unit
from detour.model.record import ObjectKey

NOW = 1_000.0
NAMES = ("one", "two", "three")
REPLICAS = tuple(Replica(name, NOW - 200, shares=3) for name in NAMES)


def zone(place: int) -> ObjectKey:
    return ObjectKey("dns", f"z{place}")


def alone(place: int, names: int = 100) -> Unit:
    return Unit({zone(place): names})


def together(*names: int) -> Unit:
    return Unit({zone(place): each for place, each in enumerate(names)})


UNITS = tuple(alone(place) for place in range(30))


def scene(me: str = "one", **more: object) -> Scene:
    found = Scene(me, NOW, REPLICAS, UNITS, free_since=dict.fromkeys(map(zone, range(30)), NOW), counted=3)
    return replace(found, **more)  # type: ignore[arg-type]  # the fields are checked by the tests' use


def held(**by: range) -> dict[ObjectKey, str]:
    return {zone(place): name for name, places in by.items() for place in places}


def test_what_nobody_has_is_taken_by_one_each_and_evenly() -> None:
    taken = {name: takes(scene(name)) for name in NAMES}
    counts = Counter(each for found in taken.values() for each in found)
    assert set(counts.values()) == {1}
    assert len(counts) == len(UNITS)
    assert all(8 <= len(found) <= 12 for found in taken.values())


def test_who_does_not_take_what_is_its_own_is_waited_for() -> None:
    waited = dict.fromkeys(map(zone, range(30)), NOW - PATIENCE)
    later = dict.fromkeys(map(zone, range(30)), NOW - 2 * PATIENCE)
    assert (
        len(takes(scene())) < len(takes(scene(free_since=waited))) < len(takes(scene(free_since=later))) == len(UNITS)
    )


def test_zones_of_a_unit_go_to_who_has_most_of_it() -> None:
    unit = together(3, 3, 3)
    seen = scene(units=(unit,), holders={zone(0): "two"}, free_since=dict.fromkeys(map(zone, range(3)), 0.0))
    assert takes(seen) == []
    assert takes(replace(seen, me="two")) == [zone(1), zone(2)]


def test_who_joins_takes_nothing_before_the_others_leave_it_its_share() -> None:
    two = tuple(replace(each, shares=2) for each in REPLICAS[:2])
    joined = Replica("three", NOW, shares=3)
    assert takes(scene("three", replicas=(*two, joined))) == []
    three = tuple(replace(each, shares=3) for each in two)
    assert takes(scene("three", replicas=(*three, joined)))
    has_some = scene("three", replicas=(*two, joined), holders=held(three=range(1)))
    assert takes(has_some), "who uses its share may take more"


def test_the_first_replicas_of_all_wait_for_each_other() -> None:
    young = tuple(replace(each, since=NOW - FIRST_LOOK_AROUND + 1) for each in REPLICAS)
    assert takes(scene(replicas=young, is_new=True)) == []
    assert takes(scene(replicas=young, is_new=False))
    old = tuple(replace(each, since=NOW - FIRST_LOOK_AROUND) for each in REPLICAS)
    assert takes(scene(replicas=old, is_new=True))


def test_who_has_fewer_zones_of_a_unit_gives_them_to_who_has_more() -> None:
    unit = together(3, 3, 3)
    seen = scene(units=(unit,), holders={zone(0): "one", zone(1): "two", zone(2): "two"})
    assert gifts(seen) == [Gift(frozenset((zone(0),)), "two", Why.UNITE)]
    assert gifts(replace(seen, me="two")) == []
    large = replace(seen, units=(together(20_000, 0, 0),))
    assert [gifts(replace(large, me=name)) for name in ("one", "two")] == [
        [],
        [Gift(frozenset((zone(1), zone(2))), "one", Why.UNITE)],
    ], "names count, not zones"
    even = {zone(0): "one", zone(1): "two"}
    given = [gifts(replace(seen, me=name, holders=even)) for name in ("one", "two")]
    assert sorted(map(len, given)) == [0, 1], "of two that have as many, both know who gives"


def test_work_is_evened_out_by_who_has_most_one_unit_at_a_time() -> None:
    uneven = held(one=range(20), two=range(20, 30))
    (gift,) = gifts(scene(holders=uneven))
    assert (gift.to, len(gift.zones), gift.why) == ("three", 1, Why.EVEN)
    assert gifts(scene("two", holders=uneven)) == []
    assert gifts(scene(holders=held(one=range(11), two=range(11, 21), three=range(21, 30)))) == []
    newcomer = replace(REPLICAS[2], since=NOW - JOINED + 1)
    assert gifts(scene(holders=held(one=range(15), two=range(15, 30)), replicas=(*REPLICAS[:2], newcomer))) == []


def test_a_unit_as_large_as_all_the_rest_stays_where_it_is() -> None:
    large, small = alone(0, 10_000), alone(1, 10)
    seen = scene(units=(large, small), holders=held(one=range(1), two=range(1, 2)), replicas=REPLICAS[:2])
    assert gifts(seen) == []


def test_who_is_blind_takes_nothing_and_gives_all_to_those_who_see() -> None:
    blind = (replace(REPLICAS[0], sees=False), *REPLICAS[1:])
    assert takes(scene(replicas=blind)) == []
    found = gifts(scene(replicas=blind, holders=held(one=range(30))))
    assert sum(len(each.zones) for each in found) == len(UNITS)
    assert Counter(each.to for each in found) == {"two": 15, "three": 15}
    assert {each.why for each in found} == {Why.BLIND}
    all_blind = tuple(replace(each, sees=False) for each in REPLICAS)
    assert takes(scene(replicas=all_blind))
    assert gifts(scene(replicas=all_blind, holders=held(one=range(10), two=range(10, 20), three=range(20, 30)))) == []
