"""What keeps a name in a zone that its record does not declare any more."""

import pytest

from detour.enactment.leaving import (
    NOT_THERE_YET,
    SAME_HOSTED_ZONE,
    STILL_DELEGATED,
    SUSPENDED,
    UNKNOWN_TTL,
    Arrival,
    ParentView,
    leaving_digest,
    reason_to_stay,
)
from detour.model.record import ObjectKey

LEFT, OTHER, THIRD = (ObjectKey("shop", name) for name in ("left", "other", "third"))
THERE = Arrival(OTHER, None)
AWAY = ParentView(applies=True, sends_here=False, first_away_at=0.0, ttl=600.0)


def why(now: float = 1000.0, **given: object) -> str | None:
    """Return the reason to stay, if everything else is as it should be."""
    usual = {
        "arrivals": [THERE],
        "same_zone": None,
        "parent": AWAY,
        "is_suspended": False,
        "is_approved": False,
    }
    found = reason_to_stay(LEFT, now=now, **{**usual, **given})  # type: ignore[arg-type]  # checked by their use
    return found.reason if found else None


def test_a_name_leaves_once_it_has_arrived_and_nobody_is_sent_here() -> None:
    assert why() is None


@pytest.mark.parametrize("trouble", ["it does not exist", ""])
def test_a_name_stays_while_one_of_the_declared_zones_lacks_it(trouble: str) -> None:
    assert why(arrivals=[THERE, Arrival(THIRD, trouble)]) == NOT_THERE_YET


def test_a_name_stays_where_another_object_stands_for_the_same_zone_whoever_approves() -> None:
    assert why(same_zone=OTHER) == SAME_HOSTED_ZONE
    assert why(same_zone=OTHER, is_approved=True) == SAME_HOSTED_ZONE


def test_a_record_that_is_suspended_leaves_nothing() -> None:
    assert why(is_suspended=True, is_approved=True) == SUSPENDED


@pytest.mark.parametrize(
    "parent",
    [
        ParentView(applies=True, sends_here=True),
        ParentView(applies=True, sends_here=None),
        ParentView(applies=True, sends_here=False, first_away_at=500.0, ttl=600.0),
        ParentView(applies=True, sends_here=False, first_away_at=1000.0, ttl=0.0),
    ],
    ids=["it does", "it could not be asked", "caches may", "just now"],
)
def test_a_name_stays_while_the_parent_sends_the_world_here(parent: ParentView) -> None:
    assert why(parent=parent) == STILL_DELEGATED
    assert why(parent=parent, is_approved=True) is None


def test_a_zone_that_no_parent_can_name_is_left_without_asking_one() -> None:
    assert why(parent=ParentView()) is None


def test_what_the_parent_says_is_remembered_for_the_ttl_of_the_set_that_named_us() -> None:
    ours = ["ns1.example.net"]
    view = ParentView().seen(["ns1.example.net", "ns2.example.com"], ours=ours, ttl=3600.0, now=0.0)
    view = view.seen(["ns1.example.net"], ours=ours, ttl=900.0, now=10.0)  # the same set, as a cache counts it down
    assert view.keeps(LEFT, 10.0) is not None
    view = view.seen(["ns2.example.com"], ours=ours, ttl=60.0, now=20.0)
    assert view.keeps(LEFT, 20.0 + 3600.0) is not None
    assert view.keeps(LEFT, 20.0 + 3600.1) is None
    view = view.seen(None, ours=ours, ttl=UNKNOWN_TTL, now=4000.0)
    assert view.keeps(LEFT, 4000.0) is not None, "it cannot be asked now"
    view = view.seen(["ns2.example.com"], ours=ours, ttl=60.0, now=4010.0)
    assert view.keeps(LEFT, 4010.0) is None, "and had stopped long before"
    view = view.seen(["ns1.example.net"], ours=ours, ttl=60.0, now=4020.0)
    assert view.keeps(LEFT, 9000.0) is not None, "it names us again"


def test_a_parent_that_never_named_us_is_believed_after_the_ttl_of_what_it_names() -> None:
    view = ParentView().seen(["ns2.example.com"], ours=["ns1.example.net"], ttl=60.0, now=0.0)
    assert view.keeps(LEFT, 59.0) is not None
    assert view.keeps(LEFT, 61.0) is None


def test_a_digest_stands_for_a_name_and_the_zones_that_it_leaves() -> None:
    digest = leaving_digest("api.example.org", [LEFT, OTHER])
    assert digest == leaving_digest("api.example.org", [OTHER, LEFT])
    assert digest != leaving_digest("api.example.org", [LEFT])
    assert digest != leaving_digest("www.example.org", [LEFT, OTHER])


def test_a_look_that_failed_takes_nothing_from_what_was_seen_before() -> None:
    ours = ["ns1.example.net"]
    view = ParentView().seen(ours, ours=ours, ttl=172800.0, now=0.0)
    view = view.seen(None, ours=ours, ttl=UNKNOWN_TTL, now=10.0)
    view = view.seen(["ns2.example.com"], ours=ours, ttl=300.0, now=20.0)
    assert view.keeps(LEFT, 20.0 + 172800.0) is not None
    assert view.keeps(LEFT, 20.0 + 172800.1) is None


def test_before_the_first_look_a_name_stays() -> None:
    assert why(parent=ParentView(applies=True)) == STILL_DELEGATED


def test_that_caches_have_forgotten_the_servers_has_to_be_seen_since() -> None:
    """The parent may have named them again after the last look."""
    seen = AWAY.seen(["ns2.example.com"], ours=["ns1.example.net"], ttl=60.0, now=595.0)
    assert seen.keeps(ObjectKey("shop", "main"), 601.0) is None
    assert not seen.is_fresh(601.0)
    assert seen.seen(["ns2.example.com"], ours=["ns1.example.net"], ttl=60.0, now=601.0).is_fresh(602.0)
