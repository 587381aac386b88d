"""Records are found by zone and by region without a look at the others."""

from detour.engine.clock import Clock
from detour.engine.known import KnownRecord, KnownRecords
from detour.engine.ports import Origin
from detour.engine.recordkeeper import RecordKeeper
from detour.kube.translate import record_from
from detour.model.memory import RecordMemory
from detour.model.objects import Kind, Subject
from detour.model.record import ObjectKey, Record

from .objects import failover_record

EAST, WEST = "aws-us-east-1", "gcp-europe-west3"


def record(name: str, zones: list[str], *regions: str) -> Record:
    endpoints = [
        {"name": f"e{number}", "region": region, "addresses": ["192.0.2.1"]} for number, region in enumerate(regions)
    ]
    raw = failover_record(zones=[{"name": each} for each in zones], endpoints=endpoints)
    raw["metadata"]["name"] = name
    return record_from(raw, None)


def known(declared: Record) -> KnownRecord:
    subject = Subject(Kind.FAILOVER_RECORD, declared.key, declared.uid)
    return KnownRecord(subject, Origin(), RecordKeeper(declared, RecordMemory(), Clock()))


def names(keys: list[ObjectKey]) -> list[str]:
    return [each.name for each in keys]


def test_a_record_is_found_by_its_zones_and_its_regions_until_it_goes() -> None:
    records = KnownRecords()
    one, two = record("one", ["a", "b"], EAST), record("two", ["b"], EAST, WEST)
    a, b = one.zones
    assert records.keep(one.key, known(one))
    second = known(two)
    assert records.keep(two.key, second), "a region is new"
    assert not records.keep(two.key, second), "nothing is new"
    assert names(records.in_zones([a])) == ["one"]
    assert names(records.in_zones([a, b])) == ["one", "two"]
    assert names(records.in_region(WEST)) == ["two"]
    assert sorted(records.regions) == [EAST, WEST]
    assert records.drop(two.key), "its second region goes with it"
    assert names(records.in_zones([b])) == ["one"]
    assert records.in_region(WEST) == []
    assert sorted(records.regions) == [EAST]


def test_an_edited_record_is_found_where_it_was_and_where_it_is() -> None:
    """What it leaves behind in a zone has to be looked at there; its endpoints are where they are."""
    records = KnownRecords()
    before, after = record("one", ["a"], EAST), record("one", ["b"], WEST)
    kept = known(before)
    records.keep(before.key, kept)
    kept.keeper.update(after)
    assert records.keep(after.key, kept)
    assert names(records.in_zones(before.zones)) == names(records.in_zones(after.zones)) == ["one"]
    assert records.in_region(EAST) == []
    assert names(records.in_region(WEST)) == ["one"]


def test_a_record_that_comes_anew_leaves_nothing_of_the_one_before_it() -> None:
    records = KnownRecords()
    before, after = record("one", ["a"], EAST), record("one", ["b"], WEST)
    records.keep(before.key, known(before))
    assert records.keep(after.key, known(after))
    assert records.in_zones(before.zones) == []
    assert list(records.regions) == [WEST]
