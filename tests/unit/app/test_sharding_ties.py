"""Which zones have to be in one hand."""

from hypothesis import given
from hypothesis import strategies as st

from detour.app.sharding.ties import Standing, Ties, standing_of
from detour.model.record import ObjectKey
from detour.model.zone import (
    AzureDNSSettings,
    GoogleCloudDNSSettings,
    ProviderSettings,
    RFC2136Settings,
    Route53Settings,
    Zone,
)

ZONES = [ObjectKey("dns", each) for each in "abcdef"]
A, B, C, D, E, F = ZONES


def record(name: str) -> ObjectKey:
    return ObjectKey("shop", name)


def apart(*zones: ObjectKey) -> Ties:
    ties = Ties()
    for zone in zones:
        ties.declare(zone, Standing(zone.name, None))
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
    ties.declare(B, Standing("b", None))
    assert ties.version != version
    assert units(ties) == {frozenset((A, B))}
    ties.remove(B)
    assert units(ties) == {frozenset((A,))}


def test_zones_that_may_be_one_are_one_unit() -> None:
    ties = Ties()
    ties.declare(A, Standing("example.org", "Z1"))
    ties.declare(B, Standing("example.org", "Z2"))
    assert units(ties) == {frozenset((A,)), frozenset((B,))}
    ties.declare(C, Standing("example.org", None))
    assert units(ties) == {frozenset((A, B, C))}
    assert ties.twins_of(A) == {A, C}
    ties.declare(C, None)
    assert ties.twins_of(C) == {C}, "of what cannot be read nobody knows what it stands for"


def test_only_what_changes_the_units_makes_another_version() -> None:
    ties = apart(A, B)
    ties.keep(record("one"), (A, B))
    version = ties.version
    assert ties.keep(record("two"), (A, B))
    ties.drop(record("two"))
    assert not ties.keep(record("one"), (B, A))
    ties.declare(A, Standing("a", None))
    assert ties.version == version


def test_a_zone_tells_what_ties_it_to_which() -> None:
    ties = apart(A, B, C)
    ties.keep(record("x"), (A, B))
    ties.keep(record("y"), (A, B, C))
    ties.declare(D, Standing("a", None))
    found = {zone: sorted(each.name for each in records) for zone, records in ties.tied_to(A).items()}
    assert found == {B: ["x", "y"], C: ["y"], D: []}


def settings(zone: str | None = None) -> list[ProviderSettings]:
    return [
        Route53Settings(zone_id=zone),
        AzureDNSSettings("subscription", zone or "group"),
        GoogleCloudDNSSettings("project", managed_zone=zone),
        RFC2136Settings(zone or "192.0.2.53:53"),
    ]


def test_providers_keep_zones_of_one_domain_apart() -> None:
    standing = [standing_of(Zone(A, "uid", 1, "example.org", each)) for each in settings()]
    assert not any(one.may_be(other) for one in standing for other in standing if one is not other)
    for each in settings("this"):
        other = type(each)
        same = [
            standing_of(Zone(A, "uid", 1, "example.org", found)) for found in settings("this") if type(found) is other
        ]
        assert standing_of(Zone(B, "uid", 1, "example.org", each)).may_be(same[0])


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
