"""Records that share every input of a decision are decided for once, and no others."""

import dataclasses
from collections.abc import Hashable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from detour.model.checks import CheckRole, MoreChecks, NamedCheck, TCPCheck
from detour.model.endpoint import AdminState
from detour.model.record import (
    DeletionPolicy,
    Failback,
    Importance,
    ObjectKey,
    Publish,
    Quorum,
    Record,
    RegionFailover,
    Strategy,
    TierNeeds,
    WhenAllUnhealthy,
)
from detour.model.rrset import RRset, RRType
from detour.planning.alike import Outcome, grounds_of, plan_once
from detour.planning.decision import Decision
from detour.planning.pace import Pace
from detour.planning.planner import plan
from detour.planning.rotation import Turning
from detour.planning.situation import Situation, Standing

from .situations import NOW, ZONES, situations

THOROUGHLY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])

OTHER = "other.example.org"

IDENTITY: dict[str, Any] = {
    "key": ObjectKey("shop", "other"),
    "uid": "uid-2",
    "created": 2.0,
    "generation": 7,
    "hostname": OTHER,
    "more_checks": MoreChecks((NamedCheck("gateway", CheckRole.REQUIRED, TCPCheck(443)),)),
    "deletion_policy": DeletionPolicy.DELETE,
    "importance": Importance.HIGH,
    "suspend": True,
    "adopt": True,
    "adopt_from": "external-dns",
    "failback_now": True,
    "approved": "digest",
    "paused_until": 1.8e9,  # what it makes of failures are the healths
    "progress_deadline": 60.0,
    "quorum": Quorum(number=2),  # as what it makes of votes
}
"""What of a record the planner does not ask for but to name the sets."""

RULES: dict[str, Any] = {
    "zones": (*ZONES, ObjectKey("dns", "fourth")),
    "ttl": 31,
    "publish": Publish.CNAME,
    "strategy": Strategy.MULTI_VALUE,
    "minimum_serving": 9,
    "when_all_unhealthy": WhenAllUnhealthy.SERVE_ALL,
    "failback": Failback(hold_down=1.5),
    "region_failover": RegionFailover.IGNORE,
    "tier_needs": TierNeeds(2),
    "degraded_ttl": 12,
    "pin": "17",
}
"""Another value for each field of a record that decides; beside them `endpoints`, `probe` and `timing`."""

STANDINGS: dict[str, Any] = {
    "published": (RRset(OTHER, RRType.A, 30, ("198.51.100.9",)),),
    "serving": frozenset({"somebody"}),
    "decided": frozenset({"198.51.100.9"}),
    "on_the_way": frozenset({"198.51.100.9"}),
    "in_force": False,
}
SITUATION: dict[str, Any] = {
    "value_limit": 1,
    "patience_until": NOW + 1.5,
    "turns_until": NOW + 2.5,
    "pinned": ("198.51.100.9",),
    "is_pinned_whole": True,
    "failback_at": 3.5,
    "drained_since": {"somebody": 4.5},
    "turning": Turning(5.5, 6.5),
    "failing_regions": frozenset({"somewhere"}),
    "pace": Pace(0.25, {ZONES[0]: {"somebody": NOW - 5.5}}, NOW - 6.5),
}


def renamed(situation: Situation) -> Situation:
    """Return the situation of another record that is like it."""
    standings = {
        zone: dataclasses.replace(
            each,
            published=each.published
            and tuple(
                dataclasses.replace(rrset, name=OTHER) if rrset.name == situation.record.hostname else rrset
                for rrset in each.published
            ),
        )
        for zone, each in situation.standings.items()
    }
    return dataclasses.replace(situation, record=dataclasses.replace(situation.record, **IDENTITY), standings=standings)


@THOROUGHLY
@given(situations())
def test_a_record_that_is_like_another_gets_what_it_would_get_alone(situation: Situation) -> None:
    known: dict[Hashable, tuple[Situation, Outcome]] = {}
    assert plan_once(situation, NOW, known) == plan(situation, NOW)
    other = renamed(situation)
    assert plan_once(other, NOW, known) == plan(other, NOW)
    assert len(known) == 1, "it was worked out once"


def all_else() -> Iterator[Any]:
    """Give by name how to change each input of a decision."""
    for name, value in RULES.items():
        yield pytest.param("record", name, value, id=f"record.{name}")
    for name, value in STANDINGS.items():
        yield pytest.param("standing", name, value, id=f"standing.{name}")
    for name, value in SITUATION.items():
        yield pytest.param("situation", name, value, id=name)


@pytest.mark.parametrize(("of", "name", "value"), list(all_else()))
def test_whatever_else_differs_is_decided_for_anew(of: str, name: str, value: Any) -> None:
    @THOROUGHLY
    @given(situations())
    def holds(situation: Situation) -> None:
        record, standings = situation.record, dict(situation.standings)
        if of == "standing":
            assume(standings)
            zone, standing = next(iter(standings.items()))
            standings[zone] = dataclasses.replace(standing, **{name: value})
            assume(standings[zone] != standing)
            other = dataclasses.replace(situation, standings=standings)
        elif of == "record":
            assume(getattr(record, name) != value)
            other = dataclasses.replace(situation, record=dataclasses.replace(record, **{name: value}))
        else:
            assume(getattr(situation, name) != value)
            other = dataclasses.replace(situation, **{name: value})
        assert grounds_of(other, NOW) != grounds_of(situation, NOW)

    holds()


def test_every_field_is_one_of_those_that_decide_or_is_known_not_to() -> None:
    of_record = {each.name for each in dataclasses.fields(Record)}
    assert of_record == IDENTITY.keys() | RULES.keys() | {"endpoints", "timing", "probe"}
    assert {each.name for each in dataclasses.fields(Standing)} == STANDINGS.keys()
    by_identity = {"record", "healths", "drained_regions", "standings"}
    assert {each.name for each in dataclasses.fields(Situation)} == SITUATION.keys() | by_identity


@THOROUGHLY
@given(situations())
def test_other_endpoints_healths_or_drained_regions_are_other_grounds(situation: Situation) -> None:
    record = situation.record
    drained = tuple(dataclasses.replace(each, state=AdminState.DRAINED) for each in record.endpoints)
    others = (
        dataclasses.replace(situation, record=dataclasses.replace(record, endpoints=drained)),
        dataclasses.replace(situation, healths=dict(situation.healths)),
        dataclasses.replace(situation, drained_regions=frozenset({"moon"})),
    )
    for each in others:
        assert grounds_of(each, NOW) != grounds_of(situation, NOW)


def test_what_nobody_decided_is_told_of_all_alike() -> None:
    @THOROUGHLY
    @given(situations())
    def holds(situation: Situation) -> None:
        unread = dataclasses.replace(situation, standings={})
        known: dict[Hashable, tuple[Situation, Outcome]] = {}
        assert not isinstance(plan_once(unread, NOW, known), Decision)
        assert plan_once(renamed(unread), NOW, known) == plan(unread, NOW)

    holds()
