"""`detour status`: what is counted, what is said of what is not well, and in which order."""

from detour.cli.overview import Replica, lines, overview
from detour.cli.told import Told, ago, clock, lasting
from detour.model.objects import Kind

from .statuses import record, region, zone

LEADER = Replica("detour-system/detour", "detour-0_1", "0.1.0", "")


def test_what_is_well_is_counted_and_nothing_else_is_said_of_it() -> None:
    told = overview([record(), record("www"), zone(), region()], [LEADER])
    assert told.is_well
    assert lines(told) == [
        "installation  0.1.0, led by detour-0_1 (detour-system/detour)",
        "sites         here writes 1 zone",
        "zones         1: 1 OK",
        "regions       1: 1 Healthy",
        "vantages      0",
        "records       2: 2 OK",
        "",
        "All is well.",
    ]


def test_the_worst_comes_first_with_its_reason() -> None:
    told = overview([record("a", state="FailedOver"), record("b", state="Down"), zone(state="Held"), record()])
    assert [(each.state, each.name) for each in told.not_well] == [
        ("Down", "shop/b"),
        ("Held", "shop/main"),
        ("FailedOver", "shop/a"),
    ]
    assert not told.is_well
    assert "it is Down" in "\n".join(lines(told))
    assert told.document()["records"] == {"FailedOver": 1, "Down": 1, "OK": 1}


def test_a_region_that_no_record_uses_is_counted_and_no_more() -> None:
    unused = region(phase="Unknown")
    told = overview([Told(unused.kind, {**unused.raw, "status": {**unused.status, "reason": "NoEndpoints"}})])
    assert (told.is_well, told.counted["regions"]) == (True, {"Unknown": 1})
    assert not overview([unused]).is_well


def test_what_the_operator_has_not_seen_is_not_well() -> None:
    told = overview([record(generation=2), Told(Kind.DNS_ZONE, {"metadata": {"name": "new", "generation": 1}})])
    assert {each.state for each in told.not_well} == {"Unseen"}
    assert "is it running?" in told.not_well[0].message


def test_many_that_are_not_well_are_cut_short_and_it_is_said_how_to_see_all() -> None:
    told = overview([record(f"r{each}", state="Down") for each in range(30)])
    assert lines(told)[-1] == "  and 10 more objects: `detour status --all` lists them"


def test_what_may_not_be_read_is_said_and_is_not_well() -> None:
    told = overview([record()], unread={"zones": "the API server answers 403 Forbidden"})
    assert not told.is_well
    assert "zones         cannot be read: the API server answers 403 Forbidden" in lines(told)
    assert lines(told)[-1] == "Nothing else is known to be wrong."


def test_a_status_of_any_shape_is_read() -> None:
    for status in (None, [], "x", {"observedGeneration": 1, "conditions": [None, 3], "endpoints": "x"}):
        told = Told(Kind.FAILOVER_RECORD, {"metadata": {"name": "api", "generation": 1}, "status": status})
        assert overview([told]).not_well
        assert told.condition("Ready") == {}


def test_times_are_told_as_people_do() -> None:
    assert [lasting(each) for each in (0.4, 119, 130, 900, 7300, 200_000)] == ["0s", "119s", "2m10s", "15m", "2h", "2d"]
    noon = 1_796_040_000.0
    assert ago("nonsense", noon) == "-"
    assert clock("2026-11-30T11:59:00Z", noon) == "11:59:00"
    assert clock("2026-11-29T11:59:00Z", noon) == "2026-11-29 11:59:00"
