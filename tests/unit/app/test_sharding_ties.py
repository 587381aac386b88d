"""Which zones have to be in one hand."""

from hypothesis import given
from hypothesis import strategies as st

from detour.app.sharding.ties import Standing, Ties
from detour.model.record import ObjectKey

ZONES = [ObjectKey("dns", each) for each in "abcdef"]
A, B, C, D, E, F = ZONES


def record(name: str) -> ObjectKey:
    return ObjectKey("shop", name)


def apart(*zones: ObjectKey) -> Ties:
    ties = Ties()
    for zone in zones:
        ties.declare(zone, Standing("route53", zone.name))
    return ties


def units(ties: Ties) -> set[frozenset[ObjectKey]]:
    return {each.zones for each in ties.units()}


def test_zones_that_share_a_record_are_one_unit_also_through_others() -> None:
    ties = apart(A, B, C, D)
    ties.keep(record("ab"), (A, B))
    ties.keep(record("bc"), (B, C))
    ties.keep(record("d"), (D,))
    assert units(ties) == {frozenset((A, B, C)), frozenset((D,))}
    assert [(each.place, each.names) for each in ties.units()] == [(A, 4), (D, 1)]
    ties.keep(record("bc"), (C,))
    assert units(ties) == {frozenset((A, B)), frozenset((C,)), frozenset((D,))}
    ties.drop(record("ab"))
    assert units(ties) == {frozenset((each,)) for each in (A, B, C, D)}


def test_a_zone_that_is_not_there_is_no_unit_and_ties_others_as_soon_as_it_is() -> None:
    ties = apart(A)
    ties.keep(record("ab"), (A, B))
    assert units(ties) == {frozenset((A,))}
    version = ties.version
    ties.declare(B, Standing("route53", "b"))
    assert ties.version != version
    assert units(ties) == {frozenset((A, B))}
    ties.remove(B)
    assert units(ties) == {frozenset((A,))}


def test_a_zone_that_is_not_there_ties_no_others_together() -> None:
    ties = apart(A, C)
    ties.keep(record("ab"), (A, B))
    ties.keep(record("bc"), (B, C))
    assert units(ties) == {frozenset((A,)), frozenset((C,))}


def test_zones_that_stand_for_one_are_one_unit_once_that_is_known() -> None:
    ties = Ties()
    ties.declare(A, Standing("route53", "Z1"))
    ties.declare(B, Standing("clouddns", "Z1"))
    ties.declare(C, None)
    assert units(ties) == {frozenset((each,)) for each in (A, B, C)}
    assert [ties.is_known(each) for each in (A, C)] == [True, False]
    ties.declare(C, Standing("route53", "Z1"))
    assert units(ties) == {frozenset((A, C)), frozenset((B,))}
    assert ties.twins_of(A) == {A, C}


def test_only_what_changes_the_units_makes_another_version() -> None:
    ties = apart(A, B)
    ties.keep(record("one"), (A, B))
    version = ties.version
    assert ties.keep(record("two"), (A, B))
    ties.drop(record("two"))
    assert not ties.keep(record("one"), (B, A))
    ties.declare(A, Standing("route53", "a"))
    assert ties.version == version


def test_a_zone_tells_what_ties_it_to_which() -> None:
    ties = apart(A, B, C)
    for name in "uvwx":
        ties.keep(record(name), (A, B))
    ties.keep(record("y"), (A, B, C))
    ties.declare(D, Standing("route53", "a"))
    found = {zone: [each.name for each in records] for zone, records in ties.tied_to(A, 3)}
    assert found == {B: ["u", "v", "w"], C: ["y"], D: []}


edits = st.lists(st.tuples(st.integers(0, 8), st.lists(st.sampled_from(ZONES), max_size=3)), max_size=40)


@given(edits)
def test_units_are_the_connected_zones_whatever_came_before(found: list[tuple[int, list[ObjectKey]]]) -> None:
    ties = apart(*ZONES)
    records: dict[int, list[ObjectKey]] = {}
    for number, zones in found:
        if zones:
            records[number] = zones
            ties.keep(record(str(number)), zones)
        else:
            records.pop(number, None)
            ties.drop(record(str(number)))
    expected = {zone: {zone} for zone in ZONES}
    for _ in ZONES:
        for zones in records.values():
            together = set[ObjectKey]().union(*(expected[zone] for zone in zones))
            for zone in together:
                expected[zone] = expected[zone] | together
    assert units(ties) == {frozenset(each) for each in expected.values()}
    assert sum(each.names for each in ties.units()) == sum(len(set(zones)) for zones in records.values())
