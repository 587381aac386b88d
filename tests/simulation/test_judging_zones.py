"""The judges know when a name may leave a zone, whose it is, who is excused, and how many may be deleted."""

from collections.abc import Callable

import pytest

from detour.enactment.markers import Marker
from detour.model.record import DeletionPolicy, ObjectKey, Record, WhenAllUnhealthy
from detour.model.rrset import RRset
from detour_simulation.history import BlindChanged, Declared, ParentChanged, Told, ZoneDeclared
from detour_simulation.invariants import INVARIANTS

from .histories import KEY, ONE, OWNER, THREE, TWO, ZONE, Story, a_set, endpoint, marker, record

OTHER = "clouddns-2"
THERE = (ObjectKey("shop", OTHER),)
GONE = (a_set(ONE).key, marker().key)
RIVAL = ObjectKey("shop", "rival")
PLACES = (endpoint("one", ONE), endpoint("two", TWO, region="azure-westeurope", priority=2))


# -- leaving a zone ----------------------------------------------------------------------------------------------------


def in_one_of_two_zones(policy: DeletionPolicy = DeletionPolicy.DELETE) -> Story:
    """A record is published in ZONE; the parent names the servers of that no more from second 30 on."""
    story = Story(parent_ttl=8.0, sites={"a1": "a"}).declare(record(deletion_policy=policy)).claim(1.0).read(at=2.0)
    story.claim(1.0, zone=OTHER).write(3.0, marker(), a_set(ONE))
    return story.tell(ParentChanged(at=30.0, zone=ZONE, named=False))


def moved(story: Story, *, at: float = 50.0, arrives: bool = True, **changes: object) -> Story:
    """The record is declared in OTHER alone; it has arrived there 2 s later."""
    story.declare(record(zones=THERE, **changes), at=at)  # type: ignore[arg-type]  # the fields are checked by their use
    return story.write(at + 2, marker(), a_set(ONE), zone=OTHER) if arrives else story


def left_before_it_arrived() -> Story:
    return moved(in_one_of_two_zones(), arrives=False).write(60.0, *GONE)


def left_for_what_an_outsider_had_emptied_before() -> Story:
    story = in_one_of_two_zones().write(5.0, marker(), a_set(ONE), zone=OTHER).tamper(48.0, GONE[0], zone=OTHER)
    return moved(story, arrives=False).write(60.0, *GONE)


def left_while_the_world_is_sent_there() -> Story:
    return moved(in_one_of_two_zones().tell(ParentChanged(at=40.0, zone=ZONE, named=True))).write(60.0, *GONE)


def left_before_caches_had_forgotten() -> Story:
    story = in_one_of_two_zones().tell(ParentChanged(at=40.0, zone=ZONE, named=True))
    return moved(story).tell(ParentChanged(at=55.0, zone=ZONE, named=False)).write(60.0, *GONE)


def left_after_a_moment_that_no_look_saw() -> Story:
    story = moved(in_one_of_two_zones()).tell(ParentChanged(at=54.0, zone=ZONE, named=True))
    return story.tell(ParentChanged(at=56.0, zone=ZONE, named=False)).write(60.0, *GONE)


def left_though_another_dnszone_stands_for_it() -> Story:
    story = in_one_of_two_zones().tell(ZoneDeclared(at=10.0, site="a", zone=ZONE, frozen=False, count=2))
    return moved(story).write(60.0, *GONE)


def left_though_a_zone_is_missing() -> Story:
    story = in_one_of_two_zones()
    edited = record(zones=THERE)
    story.tell(Declared(at=50.0, site="a", key=KEY, uid="u-1", record=edited, astray=("mistyped",)))
    return story.write(52.0, marker(), a_set(ONE), zone=OTHER).write(60.0, *GONE)


def left_what_it_should_retain() -> Story:
    retain = DeletionPolicy.RETAIN
    return moved(in_one_of_two_zones(retain), deletion_policy=retain).write(60.0, *GONE)


def left_what_it_declares_again() -> Story:
    both = (ObjectKey("shop", ZONE), *THERE)
    return moved(in_one_of_two_zones()).declare(record(zones=both), at=55.0).write(65.0, *GONE)


def left_once_it_may() -> Story:
    return moved(in_one_of_two_zones()).write(60.0, *GONE)


def left_though_an_outsider_emptied_the_other_zone_meanwhile() -> Story:
    return moved(in_one_of_two_zones()).tamper(59.9, GONE[0], zone=OTHER).write(60.0, *GONE)


def left_just_as_it_was_declared_again() -> Story:
    both = (ObjectKey("shop", ZONE), *THERE)
    return moved(in_one_of_two_zones()).declare(record(zones=both), at=59.9).write(60.0, *GONE)


@pytest.mark.parametrize(
    "story",
    [
        left_before_it_arrived,
        left_for_what_an_outsider_had_emptied_before,
        left_while_the_world_is_sent_there,
        left_before_caches_had_forgotten,
        left_though_another_dnszone_stands_for_it,
        left_though_a_zone_is_missing,
        left_what_it_should_retain,
        left_what_it_declares_again,
    ],
    ids=lambda each: each.__name__,
)
def test_a_name_that_leaves_a_zone_too_early_is_seen(story: Callable[[], Story]) -> None:
    assert [each.at for each in story().violations("NeverEmpty")][:1] == [max(each.at for each in story().history)]


@pytest.mark.parametrize(
    "story",
    [
        left_once_it_may,
        left_though_an_outsider_emptied_the_other_zone_meanwhile,
        left_just_as_it_was_declared_again,
        left_after_a_moment_that_no_look_saw,
    ],
    ids=lambda each: each.__name__,
)
def test_a_name_that_leaves_a_zone_as_it_may_breaks_no_promise(story: Callable[[], Story]) -> None:
    names = set(INVARIANTS) - {"Serves"}  # what an outsider emptied is not repaired here
    assert [each for name in names for each in story().violations(name)] == []


# -- rivals ------------------------------------------------------------------------------------------------------------


def rival() -> Record:
    places = (endpoint("three", THREE, region="gcp"),)
    return record(*places, key=RIVAL, uid="u-2")


def rivals() -> Story:
    story = Story(sites={"a1": "a"}).declare(record()).claim(1.0).read(at=2.0).write(3.0, marker(), a_set(ONE))
    return story.declare(rival(), at=20.0, uid="u-2")


def marker_of_the_rival() -> RRset:
    return Marker(OWNER, RIVAL, "u-2").rrset("api.example.org")


def test_a_rival_that_takes_a_name_over_is_seen() -> None:
    assert rivals().write(40.0, marker_of_the_rival(), a_set(THREE)).violations("OneOwner")


def test_the_places_of_a_rival_are_seen() -> None:
    assert rivals().write(40.0, a_set(ONE, THREE)).violations("OneOwner")


def test_a_rival_may_have_a_name_whose_owner_is_gone() -> None:
    story = rivals().declare(None, at=30.0)
    assert not story.write(40.0, marker_of_the_rival(), a_set(THREE)).violations("OneOwner")


def test_who_has_a_name_is_judged_though_another_one_claims_it() -> None:
    story = rivals().fail(ONE, at=100.0).tell(Told(at=150.0, text="nothing happens"))
    assert story.violations("Serves")
    assert not rivals().tell(Told(at=150.0, text="nothing happens")).violations("Serves")


# -- whose checks fail -------------------------------------------------------------------------------------------------


def unchecked(*controllers: str, whole: WhenAllUnhealthy = WhenAllUnhealthy.KEEP_LAST) -> Story:
    story = Story(sites={"a1": "a", "a2": "a"}, regions_per_window=3).declare(record(when_all_unhealthy=whole))
    story.claim(1.0).read(at=2.0).write(3.0, marker(), a_set(ONE))
    return story.tell(*(BlindChanged(at=50.0, controller=each, blind=True, sees_dns=True) for each in controllers))


def test_a_move_by_whose_checks_all_fail_is_seen() -> None:
    assert unchecked("a1").write(60.0, a_set(TWO)).violations("FailsStatic")


def test_who_sees_nobody_work_lets_everybody_answer_where_that_is_declared() -> None:
    story = unchecked("a1", whole=WhenAllUnhealthy.SERVE_ALL).write(60.0, a_set(ONE, TWO))
    assert not story.violations("FailsStatic")


def test_a_leader_whose_checks_fail_has_to_make_way_for_one_that_sees() -> None:
    stuck = unchecked("a1").fail(ONE, at=60.0).tell(Told(at=130.0, text="nothing happens"))
    assert stuck.violations("Serves")
    nobody_sees = unchecked("a1", "a2").fail(ONE, at=60.0).tell(Told(at=130.0, text="nothing happens"))
    assert not nobody_sees.violations("Serves")


# -- deletions ---------------------------------------------------------------------------------------------------------


def deleted(count: int, *, of: int) -> Story:
    story = Story().claim(1.0)
    names = [f"n{number}.example.org" for number in range(of)]
    for number, name in enumerate(names):
        story.declare(record(hostname=name), uid=f"u-{number}")
        story.write(2.0 + number, marker(hostname=name, uid=f"u-{number}"), a_set(ONE, hostname=name))
    for number, name in enumerate(names[:count]):
        story.declare(None, at=80.0, uid=f"u-{number}")
        key, mark = a_set(ONE, hostname=name).key, marker(hostname=name, uid=f"u-{number}").key
        story.write(81.0 + number, key, mark)
    return story


@pytest.mark.parametrize(
    ("count", "of", "held"), [(3, 3, False), (4, 6, True), (3, 6, False), (11, 60, False), (13, 60, True)]
)
def test_of_a_small_zone_half_is_free_and_three_always_of_a_large_one_a_fifth(count: int, of: int, held: bool) -> None:
    assert bool(deleted(count, of=of).violations("DeletionsHeld")) is held
