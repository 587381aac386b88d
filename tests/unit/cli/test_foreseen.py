"""How people are told what would happen."""

from dataclasses import replace

from detour.cli.connection import Everything
from detour.cli.foreseen import (
    WHAT_IS_NOT_KNOWN,
    answering_from,
    document,
    regions_in,
    told_of_failure,
    told_of_plan,
    votes_in,
)
from detour.cli.told import Told
from detour.model.objects import Kind
from detour.model.record import ObjectKey
from detour.twin.foresight import Change, Foresight
from detour.twin.foresight import Told as Foretold
from detour.twin.twin import Standing

from .statuses import record, region

ZONE = ObjectKey("shop", "main")
OK = Standing("OK", "all is well", ("one",), {"shop/main": ("192.0.2.1",)})
MOVED = Standing("FailedOver", "served by two", ("two",), {"shop/main": ("192.0.2.2",)})
DOWN = Standing("Down", "nothing works", ("one",), {"shop/main": ("192.0.2.1",)})


def moved(name: str = "api") -> Foretold:
    return Foretold(ObjectKey("shop", name), OK, MOVED)


def test_who_moves_and_who_does_not_is_told_with_its_time_and_reason() -> None:
    change = Change(ZONE, "api.example.org", ("192.0.2.1",), ("192.0.2.2",), 4.26)
    stuck = Foretold(ObjectKey("shop", "alone"), OK, DOWN)
    told = list(told_of_failure(Foresight((change,), (moved(), stuck)), ["aws-us-east-1"], [record(), record("alone")]))
    assert told == [
        "If aws-us-east-1 failed as a whole: 2 records answer from there now.",
        "Would move:",
        "  shop/api: one -> two, 4.3 s after the failure",
        "Would not:",
        "  shop/alone: Down: nothing works",
        f"Seconds are those until it is decided and sent; {WHAT_IS_NOT_KNOWN}",
    ]


def test_who_answers_otherwise_and_still_with_nothing_that_works_has_not_moved() -> None:
    dead = replace(DOWN, values={"shop/main": ("192.0.2.1", "192.0.2.2")})
    found = Foresight((), (Foretold(ObjectKey("shop", "api"), OK, dead),))
    assert not found.moved()
    assert len(found.unmoved()) == 1


def test_where_nothing_changes_that_is_said() -> None:
    assert list(told_of_failure(Foresight((), ()), ["x"], [])) == [
        "If x failed as a whole: 0 records answer from there now.",
        "Nothing would change.",
    ]


def test_many_are_cut_short() -> None:
    many = Foresight((), tuple(moved(f"r{each}") for each in range(50)))
    assert "  and 20 more: --all lists them" in list(told_of_failure(many, ["x"], []))


def test_manifests_show_as_a_diff_of_each_zone() -> None:
    found = Foresight(
        (
            Change(ZONE, "a.example.org", (), ("192.0.2.1",)),
            Change(ZONE, "b.example.org", ("192.0.2.1",), ("192.0.2.2",)),
            Change(ZONE, "c.example.org", ("192.0.2.1",), ()),
        ),
        (Foretold(ObjectKey("shop", "a"), None, OK), moved("b")),
        unsettled=(Change(ZONE, "d.example.org", ("192.0.2.1",), ("192.0.2.2",)),),
        checks=(2, 3),
    )
    told = "\n".join(told_of_plan(found))
    for line in (
        "zone shop/main\n  + a.example.org  192.0.2.1",
        "  ~ b.example.org  192.0.2.1 -> 192.0.2.2",
        "  - c.example.org  192.0.2.1",
        "  shop/a: OK: all is well",
        "checks: 2 now, 3 then",
        "On its way already",
        "  shop/main: ~ d.example.org  192.0.2.1 -> 192.0.2.2",
    ):
        assert line in told
    assert [each["hostname"] for each in document(found)["changes"]] == [f"{each}.example.org" for each in "abc"]


def test_regions_votes_and_who_answers_are_read_from_the_objects() -> None:
    vantages = [
        Told(Kind.VANTAGE, {"metadata": {"name": name}, "spec": {"votes": votes}})
        for name, votes in (("a", 1), ("b", 2))
    ]
    everything = Everything((record(), region("gcp-europe-west3"), *vantages))
    assert regions_in(everything) == {"aws-us-east-1", "azure-westeurope", "gcp-europe-west3"}
    assert (votes_in(everything), votes_in(Everything(()))) == (4, 1)
    assert [each.name for each in answering_from(everything, ["aws-us-east-1"])] == ["api"]
    assert not answering_from(everything, ["azure-westeurope"])
