"""Each invariant fires on a history that breaks its promise, and is silent where the promise is kept."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from detour.enactment.ledger import Ledger
from detour.enactment.markers import Marker
from detour.model.checks import CheckTiming
from detour.model.endpoint import AdminState
from detour.model.generation import Generation
from detour.model.record import Failback, FailbackMode, ObjectKey, Strategy, WhenAllUnhealthy
from detour.model.rrset import RRset, RRType
from detour_simulation.history import (
    Approved,
    Befell,
    BlindChanged,
    Broke,
    CanaryChanged,
    DecidedTwice,
    Misreported,
    Overdrawn,
    ProcessChanged,
    RegionDeclared,
    Told,
    Unsettled,
    ZoneDeclared,
)
from detour_simulation.invariants import INVARIANTS
from detour_simulation.invariants.generations import undone_at_azure
from detour_simulation.schedule import Fault

from .histories import AZURE, ONE, OWNER, THREE, TWO, ZONE, Story, a_set, endpoint, marker, record

GONE = a_set(ONE).key
LEDGER_KEY = Ledger("a", "f", Generation(1, 0)).rrset(OWNER, "example.org").key


WEB = "web.example.org"
WEB_KEY = ObjectKey("shop", "web")
WEB_PLACES = (endpoint("two", TWO, region="azure-westeurope"), endpoint("three", THREE, region="gcp", priority=2))


def published(**terms: object) -> Story:
    """Return the story of a record that a1 has published, pointing to ONE."""
    return Story(**terms).declare(record()).claim(1.0).read(at=2.0).write(3.0, marker(), a_set(ONE))


def old_ledger(story: Story, zone: str = ZONE) -> Ledger:
    """Return the next ledger of the claim that is in force now."""
    held = story.ledgers[zone]
    return replace(held, generation=Generation(held.generation.epoch, held.generation.sequence + 1))


def emptied() -> Story:
    return published().write(9.0, GONE)


def emptied_set_by_set() -> Story:
    story = Story().declare(record()).claim(1.0, zone=AZURE).write(2.0, marker(), a_set(ONE), zone=AZURE)
    return story.write(9.0, GONE, zone=AZURE)


def deleted_without_an_observed_deletion() -> Story:
    return published().declare(None, at=5.0, observed=False).write(9.0, GONE, marker().key)


def deleted_for_an_object_that_is_not_the_one_in_the_marker() -> Story:
    return published().declare(record(), at=4.0, uid="u-2").declare(None, at=5.0, uid="u-2").write(9.0, GONE)


def ledger_moved_back() -> Story:
    story = published()
    return story.write(9.0, a_set(TWO), ledger=replace(story.ledgers[ZONE], generation=Generation(1, 1)))


def ledger_left_behind() -> Story:
    return published().write(9.0, a_set(TWO), moves_ledger=False)


def older_plan_over_a_newer_one() -> Story:
    story = published()
    late = old_ledger(story)
    story.claim(5.0, by="a2", epoch=2).write(6.0, a_set(TWO), by="a2")
    return story.write(7.0, a_set(ONE), ledger=late, sent_at=4.0)


def two_controllers_in_one_epoch() -> Story:
    story = published()
    return story.write(9.0, a_set(TWO), by="a2")


def two_claims_in_one_epoch() -> Story:
    return published().claim(9.0, epoch=1, claim="beef")


def taken_back_from_a_clone_at_once() -> Story:
    story = Story(are_clones=True).claim(1.0).claim(50.0, by="b1", epoch=2)
    return story.claim(60.0, epoch=3)


def taken_back_from_a_clone_as_soon_as_before() -> Story:
    story = Story(are_clones=True).claim(1.0).claim(50.0, by="b1", epoch=2).claim(71.0, epoch=3)
    return story.claim(93.0, by="b1", epoch=4).claim(115.0, epoch=5)


def taken_from_a_site_that_lives() -> Story:
    return published().write(50.0).claim(60.0, by="b1", epoch=2, site="b")


def frozen(story: Story, *, at: float) -> Story:
    return story.tell(ZoneDeclared(at=at, site="a", zone=ZONE, frozen=True))


def moved_in_a_frozen_zone() -> Story:
    return frozen(published(), at=5.0).write(9.0, a_set(TWO))


def created_in_a_frozen_zone() -> Story:
    return frozen(Story().declare(record()).claim(1.0), at=5.0).write(9.0, marker(), a_set(ONE))


def deleted_in_a_frozen_zone() -> Story:
    return frozen(published(), at=5.0).declare(None, at=6.0).write(9.0, GONE, marker().key)


def foreign_name_changed() -> Story:
    return (
        published()
        .tamper(4.0, a_set(THREE, hostname="www.example.org"), damage=False)
        .read(at=5.0)
        .write(9.0, a_set(ONE, hostname="www.example.org"))
    )


def unmarked_name_overwritten() -> Story:
    story = Story().tamper(0.5, a_set(THREE), damage=False).declare(record(), at=1.0).claim(2.0).read(at=3.0)
    return story.write(9.0, marker(), a_set(ONE))


def others_marker_overwritten() -> Story:
    return published().tamper(4.0, marker("other-team")).read(at=5.0).write(9.0, marker())


def set_changed_unseen() -> Story:
    return published().tamper(4.5, a_set(THREE)).write(5.0, a_set(TWO), sent_at=4.0)


def given_to_a_rival() -> Story:
    rival = ObjectKey("shop", "rival")
    story = published().declare(record(key=rival), at=5.0, uid="u-2")
    return story.write(20.0, Marker(OWNER, rival, "u-2").rrset("api.example.org"), a_set(TWO))


def two_regions_evacuated() -> Story:
    """One name leaves one region, another name another one."""
    story = Story().declare(record()).declare(record(*WEB_PLACES, hostname=WEB, key=WEB_KEY), uid="u-2").claim(1.0)
    story.write(2.0, marker(), a_set(ONE)).write(3.0, marker(hostname=WEB, uid="u-2"), a_set(TWO, hostname=WEB))
    story.fail(ONE, at=10.0).write(12.0, a_set(TWO))
    return story.fail(TWO, at=20.0).write(22.0, a_set(THREE, hostname=WEB))


def two_regions_evacuated_in_two_zones() -> Story:
    other = "clouddns-2"
    web = record(*WEB_PLACES, hostname=WEB, key=WEB_KEY, zones=(ObjectKey("shop", other),))
    story = Story().declare(record()).declare(web, uid="u-2").claim(1.0).claim(1.0, zone=other)
    story.write(2.0, marker(), a_set(ONE))
    story.write(3.0, marker(hostname=WEB, uid="u-2"), a_set(TWO, hostname=WEB), zone=other)
    story.fail(ONE, at=10.0).write(12.0, a_set(TWO))
    return story.fail(TWO, at=20.0).write(22.0, a_set(THREE, hostname=WEB), zone=other)


def many_deleted() -> Story:
    story = Story().claim(1.0)
    names = [f"n{number}.example.org" for number in range(12)]
    for number, name in enumerate(names):
        story.declare(record(hostname=name), uid=f"u-{number}")
        story.write(2.0 + number, marker(hostname=name, uid=f"u-{number}"), a_set(ONE, hostname=name))
    for number, name in enumerate(names):
        story.declare(None, at=30.0, uid=f"u-{number}")
        story.write(31.0 + number, a_set(ONE, hostname=name).key)
    return story


def changed_without_a_cause() -> Story:
    return published().write(100.0, a_set(TWO))


def changed_while_blind() -> Story:
    story = published().tell(BlindChanged(at=100.0, controller="a1", blind=True))
    return story.fail(ONE, at=101.0).write(104.0, a_set(TWO))


def changed_while_nobody_was_healthy() -> Story:
    story = published().fail(ONE, TWO, at=100.0).write(104.0, a_set(ONE, ttl=31))
    return story.write(200.0, a_set(TWO))


def returned_before_its_time() -> Story:
    story = published().fail(ONE, at=100.0).write(102.0, a_set(TWO)).fail(ONE, at=105.0, works=True)
    return story.write(108.0, a_set(ONE))


def returned_without_being_asked() -> Story:
    manual = record(failback=Failback(FailbackMode.MANUAL))
    story = Story().declare(manual).claim(1.0).write(3.0, marker(), a_set(ONE))
    story.fail(ONE, at=100.0).write(102.0, a_set(TWO)).fail(ONE, at=105.0, works=True)
    return story.write(900.0, a_set(ONE))


def comes_and_goes(times: int) -> Story:
    """Return the story of ONE that fails for half a minute, so many times, and is left each time."""
    calm = record(failback=Failback(FailbackMode.AUTOMATIC, 0.0, most_changes=2))
    story = Story().declare(calm).claim(1.0).write(3.0, marker(), a_set(ONE))
    for start in range(100, 100 + 100 * times, 100):
        story.fail(ONE, at=start).write(start + 10.0, a_set(TWO)).fail(ONE, at=start + 30.0, works=True)
        if start < 100 * times:
            story.write(start + 50.0, a_set(ONE))
    return story


def brought_back_though_it_comes_and_goes() -> Story:
    return comes_and_goes(2).write(250.0, a_set(ONE))


FOUR = tuple(endpoint(f"place-{last}", f"192.0.2.{last}") for last in range(1, 5))


def balanced(*published: int, withdrawal: float = 0.25) -> Story:
    """Return the story of a record of four places that all serve, of which one may leave within a minute."""
    story = Story(withdrawal=withdrawal).declare(record(*FOUR, strategy=Strategy.MULTI_VALUE)).claim(1.0)
    return story.write(3.0, marker(), these(*published or (1, 2, 3, 4)))


def these(*places: int) -> RRset:
    return a_set(*(FOUR[number - 1].addresses[0] for number in places))


def two_are_taken_away_at_once() -> Story:
    return balanced().write(100.0, these(3, 4))


def two_are_taken_away_within_a_minute() -> Story:
    return balanced().write(100.0, these(2, 3, 4)).write(150.0, these(3, 4))


FIRST, SECOND = (each.addresses[0] for each in FOUR[:2])


def one_is_taken_away_each_minute() -> Story:
    return balanced().fail(FIRST, SECOND, at=98.0).write(100.0, these(2, 3, 4)).write(161.0, these(3, 4))


def one_is_taken_away_as_another_is_back() -> Story:
    story = balanced().fail(FIRST, at=98.0).write(100.0, these(2, 3, 4)).fail(FIRST, at=105.0, works=True)
    return story.fail(SECOND, at=120.0).write(130.0, these(1, 3, 4))


def a_person_takes_two_out() -> Story:
    drained = [replace(each, state=AdminState.DRAINED) if each in FOUR[:2] else each for each in FOUR]
    return balanced().declare(record(*drained, strategy=Strategy.MULTI_VALUE), at=99.0).write(100.0, these(3, 4))


def two_leave_where_there_is_no_limit() -> Story:
    return balanced(withdrawal=1.0).fail(FIRST, SECOND, at=98.0).write(100.0, these(3, 4))


THREE_REGIONS = (
    endpoint("one", ONE),
    endpoint("two", TWO, region="azure-westeurope", priority=2),
    endpoint("three", THREE, region="gcp", priority=3),
)


def in_tiers(**changes: object) -> Story:
    """Return the story of a record of three tiers that a1 has published, pointing to ONE."""
    declared = record(*THREE_REGIONS, **changes)  # type: ignore[arg-type]  # the fields are checked by their use
    alone = {"a1": "a", "a2": "a"}
    return (
        Story(regions_per_window=3, sites=alone)
        .declare(declared)
        .claim(1.0)
        .read(at=2.0)
        .write(3.0, marker(), a_set(ONE))
    )


def until(story: Story, at: float) -> Story:
    """Let time pass."""
    return story.tell(Told(at=at, text="nothing happens"))


def stays_with_the_dead() -> Story:
    return until(in_tiers().fail(ONE, at=100.0), 115.0)


def stays_with_the_drained() -> Story:
    drained = replace(THREE_REGIONS[0], state=AdminState.DRAINED)
    return until(in_tiers().declare(record(drained, *THREE_REGIONS[1:]), at=100.0), 110.0)


def stays_in_a_drained_region() -> Story:
    drained = RegionDeclared(at=100.0, site="a", region="aws-us-east-1", drained=True)
    return until(in_tiers().tell(drained), 110.0)


def stays_in_a_region_that_fails() -> Story:
    return until(in_tiers().tell(CanaryChanged(at=50.0, region="aws-us-east-1", works=False)), 200.0)


def never_fails_back() -> Story:
    story = in_tiers().fail(ONE, at=100.0).write(102.0, a_set(TWO)).fail(ONE, at=120.0, works=True)
    return until(story, 150.0)


def prefers_a_lower_tier() -> Story:
    return until(in_tiers().write(5.0, a_set(TWO)), 50.0)


def serves_too_few() -> Story:
    return until(in_tiers(minimum_serving=2), 50.0)


def serves_one_of_all() -> Story:
    story = in_tiers(when_all_unhealthy=WhenAllUnhealthy.SERVE_ALL)
    return until(story.fail(ONE, TWO, THREE, at=100.0), 130.0)


def stays_empty_in_the_dark() -> Story:
    return until(in_tiers().fail(ONE, TWO, THREE, at=100.0).tamper(110.0, GONE), 900.0)


def keeps_an_old_ttl() -> Story:
    return until(in_tiers().declare(record(*THREE_REGIONS, ttl=99), at=100.0), 150.0)


def stays_with_the_dead_though_the_provider_came_back() -> Story:
    away = Befell(at=99.0, fault=Fault.PROVIDER_AWAY, where=ZONE, until=110.0)
    return until(in_tiers().tell(away).fail(ONE, at=100.0), 150.0)


def left_at_the_first_failing_check() -> Story:
    story = in_tiers(timing=CheckTiming(6.0, 1.0, 1.0, 3, 3)).fail(ONE, at=100.0)
    return story.write(101.0, a_set(TWO))


def back_at_the_first_passing_check() -> Story:
    story = in_tiers(timing=CheckTiming(6.0, 1.0, 1.0, 3, 3), failback=Failback(FailbackMode.AUTOMATIC, 0.0))
    story.fail(ONE, at=100.0).write(104.0, a_set(TWO)).fail(ONE, at=150.0, works=True)
    return story.write(150.5, a_set(ONE))


def moved_to_a_dead_place() -> Story:
    story = in_tiers().fail(TWO, at=50.0).fail(ONE, at=100.0)
    return story.write(103.0, a_set(TWO))


def moved_to_a_place_that_had_failed_first() -> Story:
    started = ProcessChanged(at=99.0, controller="a1", state="started")
    return in_tiers().tell(started).fail(TWO, at=100.0).fail(ONE, at=101.0).write(103.0, a_set(TWO))


def suspended(at: float) -> Story:
    return in_tiers().declare(record(*THREE_REGIONS, suspend=True), at=at)


def moved_while_suspended() -> Story:
    return suspended(50.0).fail(ONE, at=100.0).write(103.0, a_set(TWO))


def said_to_be_in_sync() -> Story:
    return published().tell(Misreported(at=9.0, controller="a1", zone=ZONE, hostname="api", text="it holds nothing"))


def an_exception_of_ours() -> Story:
    return published().tell(Broke(at=9.0, controller="a1", text="KeyError('x')"))


def decided_twice_for_long() -> Story:
    story = published()
    for second in range(16):
        story = story.tell(DecidedTwice(at=9.0 + second, record="api", controllers=("a1", "a2")))
    return story


def more_than_the_quotas() -> Story:
    return published().tell(Overdrawn(at=9.0, controllers=("a1", "a2"), used=1.5))


def never_came_to_rest() -> Story:
    return published().tell(Unsettled(at=9.0, text="api holds nothing"))


BAD: dict[str, list[Callable[[], Story]]] = {
    "OneDecider": [decided_twice_for_long],
    "WithinQuotas": [more_than_the_quotas],
    "NeverEmpty": [
        emptied,
        emptied_set_by_set,
        deleted_without_an_observed_deletion,
        deleted_for_an_object_that_is_not_the_one_in_the_marker,
    ],
    "NeverStale": [ledger_moved_back, ledger_left_behind, older_plan_over_a_newer_one],
    "OneWriter": [two_controllers_in_one_epoch, two_claims_in_one_epoch, older_plan_over_a_newer_one],
    "Undisturbed": [taken_from_a_site_that_lives],
    "KeepsAway": [taken_back_from_a_clone_at_once, taken_back_from_a_clone_as_soon_as_before],
    "OnlyOurs": [foreign_name_changed, unmarked_name_overwritten, others_marker_overwritten],
    "AsSeen": [set_changed_unseen],
    "OneOwner": [given_to_a_rival],
    "StaysFrozen": [moved_in_a_frozen_zone, created_in_a_frozen_zone, deleted_in_a_frozen_zone],
    "BlastRadius": [two_regions_evacuated, two_regions_evacuated_in_two_zones],
    "DeletionsHeld": [many_deleted],
    "FailsStatic": [changed_without_a_cause, changed_while_blind, changed_while_nobody_was_healthy],
    "HoldsDown": [returned_before_its_time, returned_without_being_asked],
    "StaysAway": [brought_back_though_it_comes_and_goes],
    "WithdrawsSlowly": [two_are_taken_away_at_once, two_are_taken_away_within_a_minute],
    "Patient": [left_at_the_first_failing_check, back_at_the_first_passing_check],
    "NeverToTheDead": [moved_to_a_dead_place, moved_to_a_place_that_had_failed_first],
    "StaysSuspended": [moved_while_suspended],
    "Serves": [
        stays_with_the_dead,
        stays_with_the_drained,
        stays_in_a_drained_region,
        stays_in_a_region_that_fails,
        never_fails_back,
        prefers_a_lower_tier,
        serves_too_few,
        serves_one_of_all,
        stays_empty_in_the_dark,
        keeps_an_old_ttl,
        stays_with_the_dead_though_the_provider_came_back,
    ],
    "Truthful": [said_to_be_in_sync],
    "NoDefects": [an_exception_of_ours],
    "Converges": [never_came_to_rest],
}


@pytest.mark.parametrize(
    ("invariant", "story"),
    [(name, each) for name, stories in BAD.items() for each in stories],
    ids=lambda value: str(getattr(value, "__name__", value)),
)
def test_an_invariant_fires_on_a_history_that_breaks_it(invariant: str, story: Callable[[], Story]) -> None:
    assert [each.invariant for each in story().violations(invariant)][:1] == [invariant]


def test_every_invariant_is_shown_to_fire() -> None:
    assert set(BAD) == set(INVARIANTS)


def failed_over() -> Story:
    return published().fail(ONE, at=100.0).write(102.0, a_set(TWO))


def failed_back_after_hold_down() -> Story:
    return failed_over().fail(ONE, at=110.0, works=True).write(130.0, a_set(ONE))


def came_back_once() -> Story:
    return comes_and_goes(1).write(150.0, a_set(ONE))


def came_back_after_a_failure_that_ended_as_the_process_began() -> Story:
    """Who starts half a second before ONE recovers has not seen it fail, and so counts one change less."""
    calm = record(failback=Failback(FailbackMode.AUTOMATIC, 0.0, most_changes=2))
    story = Story().declare(calm).claim(1.0).write(3.0, marker(), a_set(TWO)).fail(ONE, at=100.0)
    story.tell(ProcessChanged(at=129.5, controller="a1", state="started")).fail(ONE, at=130.0, works=True)
    story.write(150.0, a_set(ONE)).fail(ONE, at=200.0).write(210.0, a_set(TWO)).fail(ONE, at=230.0, works=True)
    return story.write(250.0, a_set(ONE))


def came_back_when_it_was_calm() -> Story:
    return comes_and_goes(2).write(4000.0, a_set(ONE))


def came_back_as_nobody_else_works() -> Story:
    return comes_and_goes(2).fail(TWO, at=235.0).write(250.0, a_set(ONE))


def taken_over() -> Story:
    return published().claim(30.0, by="a2", epoch=2).fail(ONE, at=31.0).write(33.0, a_set(TWO), by="a2")


def taken_over_by_another_site() -> Story:
    return published(take_over_after=20.0).claim(30.0, by="b1", epoch=2, site="b")


def taken_over_because_a_person_said_so() -> Story:
    return published().tell(Approved(at=4.0, zone=ZONE)).claim(5.0, by="b1", epoch=2, site="b")


def repaired() -> Story:
    return published().tamper(50.0, GONE).read(at=55.0).write(60.0, a_set(ONE))


def ledger_put_back() -> Story:
    return published().tamper(50.0, LEDGER_KEY).claim(60.0, epoch=2)


def repaired_in_a_frozen_zone() -> Story:
    return frozen(published().tamper(4.0, a_set(THREE)), at=5.0).read(at=8.0).write(9.0, a_set(ONE))


def moved_after_a_freeze() -> Story:
    story = frozen(failed_over(), at=105.0).fail(ONE, at=110.0, works=True)
    return story.tell(ZoneDeclared(at=129.0, site="a", zone=ZONE, frozen=False)).write(130.0, a_set(ONE))


def moved_in_a_frozen_zone_because_a_person_said_so() -> Story:
    story = frozen(published(), at=50.0).fail(ONE, at=100.0)
    return story.tell(Approved(at=101.0, zone=ZONE)).write(102.0, a_set(TWO))


def deleted_by_a_person() -> Story:
    return published().declare(None, at=5.0).write(9.0, GONE, marker().key)


def adopted() -> Story:
    story = Story().tamper(0.5, a_set(THREE), damage=False).declare(record(adopt=True), at=1.0).claim(2.0).read(at=3.0)
    return story.write(9.0, marker(), a_set(ONE))


def stays_while_the_provider_is_away() -> Story:
    away = Befell(at=99.0, fault=Fault.PROVIDER_AWAY, where=ZONE, until=130.0)
    return until(in_tiers().tell(away).fail(ONE, at=100.0), 140.0)


def stays_while_the_vantage_is_blind() -> Story:
    return until(in_tiers().tell(BlindChanged(at=99.0, controller="a1", blind=True)).fail(ONE, at=100.0), 200.0)


def stays_while_no_process_runs() -> Story:
    ended = [ProcessChanged(at=99.0, controller=each, state="ended") for each in ("a1", "a2")]
    return until(in_tiers().tell(*ended).fail(ONE, at=100.0), 200.0)


def stays_while_it_is_frozen() -> Story:
    return until(frozen(in_tiers(), at=50.0).fail(ONE, at=100.0), 200.0)


def stays_while_it_is_suspended() -> Story:
    return until(suspended(50.0).fail(ONE, at=100.0), 200.0)


def stays_where_nobody_is_up() -> Story:
    return until(in_tiers().fail(ONE, TWO, THREE, at=100.0), 200.0)


def left_a_region_that_fails() -> Story:
    story = in_tiers().tell(CanaryChanged(at=50.0, region="aws-us-east-1", works=False)).write(65.0, a_set(TWO))
    story.tell(CanaryChanged(at=100.0, region="aws-us-east-1", works=True)).write(115.0, a_set(ONE))
    return until(story, 200.0)


def leaves_what_is_anothers() -> Story:
    return until(in_tiers().tamper(50.0, marker("other-team")).fail(ONE, at=100.0), 200.0)


def third_place_when_the_second_dies_too() -> Story:
    story = in_tiers().fail(ONE, at=10.0).write(12.0, a_set(TWO))
    return story.fail(TWO, at=20.0).write(22.0, a_set(THREE))


def goes_on_from_where_an_outsider_left_it() -> Story:
    """The place that failed was gone by an outsider's hand before we could leave it: the next is no new evacuation."""
    places = [replace(each, priority=1) for each in WEB_PLACES]
    story = Story().declare(record()).declare(record(*places, hostname=WEB, key=WEB_KEY), uid="u-2").claim(1.0)
    web = a_set(TWO, hostname=WEB)
    story.write(2.0, marker(), a_set(ONE)).write(3.0, marker(hostname=WEB, uid="u-2"), a_set(TWO, THREE, hostname=WEB))
    story.fail(TWO, at=10.0).tamper(10.5, web.key).write(13.0, a_set(THREE, hostname=WEB))
    story.fail(TWO, at=20.0, works=True).fail(ONE, at=28.0).write(31.0, a_set(TWO))
    return story.fail(THREE, at=40.0).write(42.0, web)


def moved_to_a_place_that_failed_a_moment_later() -> Story:
    return in_tiers().fail(ONE, at=100.0).fail(TWO, at=101.0).write(103.0, a_set(TWO))


def left_after_failures_with_a_moment_between_that_no_check_saw() -> Story:
    story = in_tiers(timing=CheckTiming(6.0, 1.0, 1.0, 3, 3)).fail(ONE, at=100.0).fail(ONE, at=100.9, works=True)
    return story.fail(ONE, at=101.1).write(102.4, a_set(TWO))


def left_while_it_is_held_down() -> Story:
    return in_tiers().fail(ONE, at=100.0).fail(ONE, at=112.0, works=True).write(121.5, a_set(TWO))


def moved_on_when_all_that_answered_had_died() -> Story:
    places = (endpoint("one", ONE), endpoint("three", THREE, region="gcp"))
    last = endpoint("two", TWO, region="azure-westeurope", priority=2)
    declared = record(*places, last, when_all_unhealthy=WhenAllUnhealthy.SERVE_ALL)
    story = Story(regions_per_window=1).declare(declared).claim(1.0).read(at=2.0)
    story.write(3.0, marker(), a_set(ONE, THREE))
    story.fail(ONE, TWO, THREE, at=20.0).write(24.0, a_set(ONE, TWO, THREE)).fail(ONE, TWO, THREE, at=24.5, works=True)
    story.write(29.9, a_set(ONE, THREE))
    return story.fail(ONE, at=34.0).fail(THREE, at=35.9).write(37.4, a_set(TWO))


def held_by_the_limit_of_regions() -> Story:
    declared = record(*THREE_REGIONS)
    alone = {"a1": "a", "a2": "a"}
    story = (
        Story(regions_per_window=1, sites=alone)
        .declare(declared)
        .claim(1.0)
        .read(at=2.0)
        .write(3.0, marker(), a_set(ONE))
    )
    story.fail(ONE, at=100.0).write(103.0, a_set(TWO)).fail(TWO, at=110.0)
    return until(story, 600.0)


@pytest.mark.parametrize(
    "story",
    [
        stays_while_the_provider_is_away,
        stays_while_the_vantage_is_blind,
        stays_while_no_process_runs,
        stays_while_it_is_frozen,
        stays_while_it_is_suspended,
        stays_where_nobody_is_up,
        leaves_what_is_anothers,
        left_a_region_that_fails,
        held_by_the_limit_of_regions,
        moved_on_when_all_that_answered_had_died,
        left_while_it_is_held_down,
        left_after_failures_with_a_moment_between_that_no_check_saw,
        moved_to_a_place_that_failed_a_moment_later,
        third_place_when_the_second_dies_too,
        goes_on_from_where_an_outsider_left_it,
        in_tiers,
        published,
        failed_over,
        failed_back_after_hold_down,
        one_is_taken_away_each_minute,
        one_is_taken_away_as_another_is_back,
        a_person_takes_two_out,
        two_leave_where_there_is_no_limit,
        came_back_once,
        came_back_after_a_failure_that_ended_as_the_process_began,
        came_back_when_it_was_calm,
        came_back_as_nobody_else_works,
        taken_over,
        taken_over_by_another_site,
        taken_over_because_a_person_said_so,
        repaired,
        repaired_in_a_frozen_zone,
        moved_after_a_freeze,
        moved_in_a_frozen_zone_because_a_person_said_so,
        ledger_put_back,
        deleted_by_a_person,
        adopted,
    ],
    ids=lambda value: value.__name__,
)
def test_no_invariant_fires_where_all_is_as_it_should_be(story: Callable[[], Story]) -> None:
    told = story()
    assert [each for name in INVARIANTS for each in told.violations(name)] == []


def test_a_late_set_of_an_older_plan_at_azure_is_counted_and_is_no_violation() -> None:
    story = Story().declare(record()).claim(1.0, zone=AZURE).write(2.0, marker(), a_set(ONE), zone=AZURE)
    late = old_ledger(story, AZURE)
    story.claim(5.0, by="a2", epoch=2, zone=AZURE).write(6.0, a_set(TWO), by="a2", zone=AZURE)
    story.write(7.0, a_set(ONE), zone=AZURE, ledger=late, moves_ledger=False, sent_at=6.5)
    assert undone_at_azure(story.history) == 1
    assert story.violations("NeverStale") == []


def test_the_type_of_a_set_is_part_of_what_is_compared() -> None:
    story = published().tamper(4.5, replace(a_set(ONE), type=RRType.A, ttl=99))
    assert story.write(5.0, a_set(TWO), sent_at=4.0).violations("AsSeen")
