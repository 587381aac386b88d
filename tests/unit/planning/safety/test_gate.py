"""The safety gate of one zone over time: what it remembers, what it holds, and what an approval is good for."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from detour.model.record import ObjectKey
from detour.model.rrset import RRset, address_sets
from detour.model.withdrawal import Withdrawal
from detour.model.zone import Safety
from detour.planning.safety.deletions import GATHERING_TIME, Deletions
from detour.planning.safety.departures import Departures
from detour.planning.safety.gate import ZoneGate
from detour.planning.safety.rules import HoldReason, Proposal

WINDOW = 600.0
ADDRESSES = {"east": "192.0.2.1", "west": "192.0.2.2", "north": "192.0.2.3"}


class Gate:
    """A gate with a clock, and with records that say where they are and want to be.

    While its provider `is_slow` nothing that is let through arrives.
    """

    def __init__(self, safety: Safety | None = None, evacuated: dict[str, tuple[int, float]] | None = None) -> None:
        self.now = 10_000.0
        departures = Departures(free_names=0)  # one name is as good as eleven here
        for region, (names, at) in (evacuated or {}).items():
            departures.remember(region, names, at)
        self.zone = ZoneGate(safety or Safety(), clock=lambda: self.now, departures=departures)
        self.at: dict[str, str] = {}
        self.is_slow = False
        self.elsewhere: set[str] = set()  # names whose marker names another object

    def move(self, name: str, to: str, *, failing: str = "", **more: bool) -> bool:
        """Propose that `name` goes to the regions `to`; True where it did."""
        before = self.at.get(name, "")
        wanted = sets(name, to.split())
        passed = self.zone.submit(
            Proposal(
                record=key(name),
                hostname=f"{name}.example.org",
                before=sets(name, before.split()),
                after=wanted,
                regions_before=frozenset(before.split()),
                regions_after=frozenset(to.split()),
                failing=frozenset(failing.split()),
                regions_shown=frozenset(before.split()),
                values_in={each: frozenset({ADDRESSES[each]}) for each in before.split()},
                **more,
            )
        )
        values = {value for each in passed for value in each.values}
        self.at[name] = " ".join(region for region, address in ADDRESSES.items() if address in values)
        assert values == {ADDRESSES[each] for each in self.at[name].split()}, "a gate makes nothing up"
        if not self.is_slow:
            self.zone.arrived(key(name))
        return passed == wanted

    def delete(self, *names: str) -> None:
        """Ask for the deletion of these names."""
        for name in names:
            self.zone.deletions.ask(Withdrawal(key(name), f"uid-{name}", f"{name}.example.org"))

    def due(self, owned: int) -> list[str]:
        """Return the names that may be deleted now, once the gathering is over, of a zone with so many others."""
        self.now += GATHERING_TIME
        found = self.zone.deletions.take_due(
            owned=owned, safety=self.zone.safety, takes=lambda each: each.record.name not in self.elsewhere
        )
        return [each.record.name for each in found]

    @property
    def digest(self) -> str:
        return self.zone.holds().digest

    @property
    def reasons(self) -> list[HoldReason]:
        return [each.reason for each in self.zone.holds().changes]


def key(name: str) -> ObjectKey:
    return ObjectKey("shop", name)


def sets(name: str, regions: Iterable[str]) -> tuple[RRset, ...]:
    return address_sets(f"{name}.example.org", 30, [ADDRESSES[each] for each in regions])


def names(number: int, start: int = 0) -> list[str]:
    return [f"n{place}" for place in range(start, start + number)]


def two_regions_down(gate: Gate) -> None:
    """East has failed and was left; www is in west, which fails now."""
    gate.move("api", "east")
    gate.move("www", "west")
    assert gate.move("api", "north", failing="east")
    assert not gate.move("www", "north", failing="west")


def test_what_departures_hold_is_due_when_they_say_something_else_of_it_and_not_with_every_name_that_leaves() -> None:
    gate = Gate()
    gate.at = {"api": "east north", "app": "east north", "www": "west north"}
    assert gate.move("api", "north", failing="east")
    assert not gate.move("www", "north", failing="west")
    assert gate.move("app", "north", failing="east")
    assert gate.zone.due() == []
    assert gate.move("api", "east north")
    assert gate.zone.due() == []
    assert gate.move("app", "east north")
    assert gate.zone.due() == [key("www")]
    assert gate.zone.due() == []


def test_the_second_region_goes_once_the_window_of_the_first_is_over() -> None:
    gate = Gate()
    two_regions_down(gate)
    gate.now += WINDOW - 1
    assert not gate.move("www", "north", failing="west")
    gate.now += 2
    assert gate.move("www", "north", failing="west")
    assert not gate.zone.holds().changes


def test_a_hold_ends_when_the_change_is_not_wanted_any_more() -> None:
    gate = Gate()
    two_regions_down(gate)
    assert gate.reasons == [HoldReason.REGIONS]
    assert gate.move("www", "west")
    assert not gate.zone.holds().changes
    assert gate.digest == ""


def test_a_record_that_goes_takes_its_hold_along() -> None:
    gate = Gate()
    two_regions_down(gate)
    gate.zone.forget(key("www"))
    assert not gate.zone.holds().changes


def test_several_holds_have_one_digest_that_stands_for_all_of_them() -> None:
    gate = Gate(Safety(frozen=True))
    gate.at = {"api": "east", "www": "west"}
    assert not gate.move("api", "north")
    one = gate.digest
    assert not gate.move("www", "north")
    assert gate.digest not in ("", one)
    assert gate.zone.approve(one) is None
    assert gate.zone.approve(gate.digest) == []
    assert gate.move("api", "north")
    assert gate.move("www", "north")


@pytest.mark.parametrize("digest", ["", "0" * 12, "now", "*"])
def test_a_digest_that_is_not_the_one_approves_nothing(digest: str) -> None:
    gate = Gate()
    two_regions_down(gate)
    assert gate.zone.approve(digest) is None
    assert not gate.move("www", "north", failing="west")


def test_an_approval_is_for_exactly_what_was_held() -> None:
    gate = Gate(Safety(frozen=True))
    gate.at["api"] = "east"
    assert not gate.move("api", "west")
    assert gate.zone.approve(gate.digest) == []
    assert not gate.move("api", "north"), "the plan has changed since"
    assert not gate.move("api", "west"), "and this is another one again"


def test_an_approval_of_what_was_held_before_is_none_of_what_is_held_now() -> None:
    gate = Gate(Safety(frozen=True))
    gate.at["api"] = "east"
    assert not gate.move("api", "west")
    late = gate.digest
    assert gate.move("api", "east")
    gate.now += 3600
    assert not gate.move("api", "west")
    assert gate.zone.approve(late) is None


def test_an_approval_is_good_for_one_time() -> None:
    """A person approved it in one night's situation; weeks later the same change needs its own approval."""
    gate = Gate()
    two_regions_down(gate)
    gate.zone.approve(gate.digest)
    assert gate.move("www", "north", failing="west")
    gate.now += 30 * 86400.0
    assert gate.move("www", "west")
    assert gate.move("api", "east")
    assert gate.move("api", "north", failing="east")
    assert not gate.move("www", "north", failing="west")


def test_an_approval_in_one_freeze_is_none_in_the_next() -> None:
    gate = Gate(Safety(frozen=True))
    gate.at["api"] = "east"
    assert not gate.move("api", "west", failing="east")
    assert gate.zone.approve(gate.digest) == []
    assert gate.move("api", "west", failing="east")
    gate.zone.safety = Safety()
    assert gate.move("api", "east")
    gate.zone.safety = Safety(frozen=True)
    assert not gate.move("api", "west", failing="east")


def test_of_two_regions_that_fail_at_once_under_one_name_one_is_left_now_and_the_other_after_the_window() -> None:
    """MultiValue, or minServing 2: the same sweep finds both down. What goes by itself, says the condition, must go."""
    gate = Gate()
    gate.move("api", "east west north")
    gate.move("api", "north", failing="east west")
    assert len(gate.at["api"].split()) == 2
    assert gate.reasons == [HoldReason.REGIONS]
    staying = gate.at["api"].replace("north", "").strip()
    gate.now += WINDOW + 1
    assert gate.move("api", "north", failing=staying)
    assert not gate.zone.holds().changes


def test_the_window_begins_when_the_provider_has_taken_it() -> None:
    """A provider that is away for longer than the window would take the moves of two regions at once."""
    gate = Gate()
    gate.move("api", "east")
    gate.move("www", "west")
    gate.is_slow = True
    assert gate.move("api", "north", failing="east")
    gate.now += 10 * WINDOW
    assert not gate.move("www", "north", failing="west")
    gate.zone.arrived(key("api"))
    gate.now += WINDOW - 1
    assert not gate.move("www", "north", failing="west")
    gate.now += 2
    assert gate.move("www", "north", failing="west")


def test_what_an_earlier_leader_evacuated_counts_until_its_window_is_over() -> None:
    gate = Gate(evacuated={"east": (1, 10_000.0 - WINDOW + 60)})
    gate.at["www"] = "west"
    assert not gate.move("www", "north", failing="west")
    gate.now += 61
    assert gate.move("www", "north", failing="west")


def test_what_is_evacuated_is_told_for_the_next_leader() -> None:
    gate = Gate()
    two_regions_down(gate)
    assert gate.zone.evacuated() == {"east": (1, 10_000.0)}
    heir = Gate(evacuated=gate.zone.evacuated())
    heir.at = dict(gate.at)
    assert not heir.move("www", "north", failing="west")


def test_a_new_term_keeps_held_deletions_and_looks_at_changes_anew() -> None:
    gate = Gate()
    two_regions_down(gate)
    gate.delete(*names(11))
    assert gate.due(owned=9) == []
    gate.zone.begin_term()
    assert set(gate.reasons) == {HoldReason.DELETIONS}
    assert gate.zone.last(key("api")) is None


def test_an_approval_of_an_earlier_term_is_none_in_the_next() -> None:
    gate = Gate()
    two_regions_down(gate)
    gate.zone.approve(gate.digest)
    gate.zone.begin_term()
    assert not gate.move("www", "north", failing="west")


def test_ten_names_may_be_deleted_and_of_eleven_none_goes() -> None:
    gate = Gate()
    gate.delete(*names(10))
    assert gate.due(owned=20) == names(10)
    gate = Gate()
    gate.delete(*names(11))
    assert gate.due(owned=20) == []
    assert gate.reasons == [HoldReason.DELETIONS] * 11


def test_a_fifth_of_many_may_go_at_once() -> None:
    gate = Gate()
    gate.delete(*names(200))
    assert len(gate.due(owned=800)) == 200
    gate.delete(*names(1, 200))
    assert gate.due(owned=799) == []


def test_deletions_that_were_held_for_long_count_from_when_they_are_made() -> None:
    gate = Gate(Safety(frozen=True))
    gate.delete(*names(10))
    assert gate.due(owned=30) == []
    gate.now += WINDOW + 1
    gate.zone.safety = Safety()
    assert len(gate.due(owned=30)) == 10
    gate.delete(*names(10, 10))
    assert gate.due(owned=20) == []


def test_a_held_deletion_that_takes_nothing_any_more_is_held_no_more() -> None:
    gate = Gate()
    gate.delete(*names(12))
    assert gate.due(owned=8) == []
    gate.elsewhere = set(names(12))
    assert sorted(gate.due(owned=8)) == sorted(names(12))


def test_what_another_zone_of_ours_deleted_counts_for_who_goes_on_with_it() -> None:
    gate, heir = Gate(), Gate()
    gate.delete(*names(10))
    assert len(gate.due(owned=30)) == 10
    heir.now = gate.now
    heir.zone.deletions.remember(*gate.zone.deletions.made(gate.now - WINDOW))
    heir.delete(*names(10, 10))
    assert heir.due(owned=20) == []
    heir.now += WINDOW + 1
    assert len(heir.due(owned=20)) == 10


def test_deletions_are_made_once() -> None:
    gate = Gate()
    gate.delete("api")
    assert gate.due(owned=5) == ["api"]
    assert gate.due(owned=5) == []
    assert not gate.zone.deletions.are_waiting


def test_a_deletion_that_is_asked_for_again_is_counted_once_while_it_waits() -> None:
    gate = Gate()
    gate.delete(*names(10), *names(10))
    assert len(gate.due(owned=20)) == 10


def test_a_name_that_comes_and_goes_can_be_deleted_every_time() -> None:
    gate = Gate()
    for _ in range(5):
        gate.delete("api")
        assert gate.due(owned=0) == ["api"]
        gate.now += 10


def test_deletions_some_at_a_time_are_no_mass_deletion() -> None:
    gate = Gate()
    for name in names(50):
        gate.delete(name)
        assert gate.due(owned=20) == [name]
        gate.now += 65


def test_deletions_that_trickle_in_are_counted_over_the_window() -> None:
    gate = Gate()
    gone = 0
    for name in names(30):
        gate.delete(name)
        gone += len(gate.due(owned=30 - gone))
        gate.now += 5
    assert gone == 10


def test_held_deletions_stay_held_when_the_window_is_over() -> None:
    gate = Gate()
    gate.delete(*names(12))
    assert gate.due(owned=8) == []
    gate.now += 10 * WINDOW
    assert gate.due(owned=8) == []
    assert len(gate.reasons) == 12


def test_an_approval_gives_the_held_deletions_once() -> None:
    gate = Gate()
    gate.delete(*names(12))
    gate.due(owned=8)
    approved = gate.zone.approve(gate.digest)
    assert approved is not None
    assert [each.record.name for each in approved] == names(12)
    assert not gate.zone.holds().changes
    assert gate.due(owned=8) == []


def test_who_asks_for_names_that_are_not_his_own_holds_nobodys_deletion() -> None:
    """A namespace of duplicates is dropped: their names are marked as another record's, and stay."""
    gate = Gate()
    gate.elsewhere = set(names(30))
    gate.delete(*names(30), "api")
    assert sorted(gate.due(owned=20)) == sorted([*names(30), "api"])
    assert not gate.zone.deletions.are_waiting
    gate.delete(*names(11, 100))
    assert gate.due(owned=8) == [], "nor do they make room for others"


def test_a_deletion_that_takes_nothing_waits_for_nothing() -> None:
    gate = Gate(Safety(frozen=True))
    gate.elsewhere = {"api"}
    gate.delete("api", "www")
    assert gate.due(owned=5) == ["api"]


def test_a_name_that_is_declared_again_is_not_deleted_and_makes_room() -> None:
    gate = Gate()
    gate.delete(*names(12))
    gate.due(owned=8)
    for name in names(2):
        gate.zone.deletions.keep(key(name))
    assert gate.due(owned=10) == names(10, 2)


def test_a_change_that_is_held_is_no_deletion_and_being_declared_does_not_end_it() -> None:
    gate = Gate()
    two_regions_down(gate)
    gate.zone.deletions.keep(key("www"))
    assert gate.reasons == [HoldReason.REGIONS]


def test_a_freeze_keeps_deletions_and_its_end_frees_them_once() -> None:
    gate = Gate(Safety(frozen=True))
    gate.delete("api")
    assert gate.due(owned=5) == []
    assert gate.reasons == [HoldReason.FREEZE]
    gate.zone.safety = Safety()
    assert gate.due(owned=5) == ["api"]
    assert gate.due(owned=5) == []


def test_a_mass_deletion_in_a_freeze_is_still_one_after_it() -> None:
    gate = Gate(Safety(frozen=True))
    gate.delete(*names(30))
    gate.due(owned=0)
    gate.zone.safety = Safety()
    gate.now += 10 * WINDOW
    assert gate.due(owned=0) == []


@pytest.mark.parametrize("reason", ["freeze", "panic"])
def test_what_was_let_through_last_is_put_back_also_while_nothing_may_change(reason: str) -> None:
    gate = Gate()
    gate.move("api", "east")
    gate.zone.safety = Safety(frozen=reason == "freeze")
    gate.zone.is_suspected = reason == "panic"
    assert gate.move("api", "east"), "nothing new is asked: the enactor repairs what it was given"
    assert not gate.zone.holds().changes


def test_what_has_left_a_zone_that_is_given_up_counts_until_the_window_is_over_or_another_one_shows_it_back() -> None:
    """Another DNSZone may write the hosted zone from now on."""
    now, departures = 10_000.0, Departures(free_names=0)
    gates = [ZoneGate(Safety(), clock=lambda: now, departures=departures) for _ in range(3)]
    propose(gates[0], "east", "north", "east", "east")
    gates[0].arrived(key("api"))
    gates[0].close()
    assert departures.count("east") == 1
    propose(gates[1], "north", "east", "", "north")
    gates[1].arrived(key("api"))
    assert departures.count("east") == 0

    propose(gates[1], "east", "north", "east", "east")
    gates[1].arrived(key("api"))
    gates[1].close()
    now += WINDOW + 1
    departures.expire(now)
    assert departures.count("east") == 0


def test_the_longest_window_of_all_zones_holds_for_each_and_goes_with_its_zone() -> None:
    now, departures = 10_000.0, Departures(free_names=1)
    short, long = (
        ZoneGate(Safety(window=window), clock=lambda: now, departures=departures) for window in (WINDOW, 3600.0)
    )

    def leaves(name: str, place: str) -> bool:
        here, there = frozenset({place}), frozenset({"north"})
        before, after = sets(name, [place]), sets(name, ["north"])
        asked = Proposal(key(name), name, before, after, here, there, here, regions_shown=here)
        has_left = short.submit(asked) == after
        if has_left:
            short.arrived(key(name))
        return has_left

    assert [leaves("a1", "east"), leaves("a2", "east"), leaves("b1", "west")] == [True] * 3
    assert not leaves("b2", "west")
    held = short.holds()
    assert held.blocked is not None
    assert held.blocked.until == now + 3600.0
    now += WINDOW + 100
    assert short.evacuated() == {"east": (2, 10_000.0), "west": (1, 10_000.0)}, "the next leader is to count them"
    assert not leaves("b2", "west")
    long.close()
    assert leaves("b2", "west")


@pytest.mark.parametrize("leader_changes", [False, True])
def test_a_name_that_was_moved_goes_on_from_its_second_dead_place_also_after_the_lease_was_lost_meanwhile(
    *, leader_changes: bool
) -> None:
    now, east, north, west = 10_000.0, sets("api", ["east"]), sets("api", ["north"]), sets("api", ["west"])
    departures = Departures(free_names=1)
    departures.remember("south", 5, now)
    gate = ZoneGate(Safety(), clock=lambda: now, departures=departures)

    def moves(before: tuple[RRset, ...], after: tuple[RRset, ...], place: str, to: str, **more: Any) -> bool:
        regions = {"regions_before": frozenset({place} - {""}), "regions_after": frozenset({to})}
        return gate.submit(Proposal(key("api"), "api.example.org", before, after, **regions, **more)) == after

    no_place: frozenset[str] = frozenset()
    assert moves((), east, "", "east", failing=no_place)
    shown = {"regions_shown": frozenset({"east"})}
    assert moves(east, north, "east", "north", failing=frozenset({"east"}), **shown)
    if leader_changes:
        gate.begin_term()
    stands = {"absent": {"east": now}, "regions_shown": frozenset({"north"})}
    assert moves(north, north, "north", "north", failing=no_place, **stands)
    assert moves(north, west, "north", "west", failing=frozenset({"north"}), **stands)


def test_a_freeze_takes_back_no_departure_that_the_zone_shows() -> None:
    departures = Departures(free_names=100)
    gate = ZoneGate(Safety(), clock=lambda: 10_000.0, departures=departures)
    propose(gate, "east west north", "west north", "east", "east west north")
    propose(gate, "west north", "north", "west", "east west north")
    gate.safety = Safety(frozen=True)
    propose(gate, "west north", "north", "west", "west north")  # the first has landed meanwhile
    assert departures.has_left(key("api"), "east", zone=gate)
    assert not departures.has_left(key("api"), "west", zone=gate)


def test_a_region_counts_as_left_until_the_zone_shows_that_the_name_is_back() -> None:
    departures = Departures(free_names=0)
    gate = ZoneGate(Safety(), clock=lambda: 10_000.0, departures=departures)
    propose(gate, "east north", "north", "east", "east north")
    gate.arrived(key("api"))
    propose(gate, "north", "east north", "", "north")
    assert departures.has_left(key("api"), "east", zone=gate), "the zone does not show it yet"
    gate.arrived(key("api"), stands=False)
    assert departures.has_left(key("api"), "east", zone=gate), "it is not to be had there"
    gate.arrived(key("api"))
    assert not departures.has_left(key("api"), "east", zone=gate)


def propose(gate: ZoneGate, before: str, after: str, failing: str, shown: str) -> None:
    """Propose to a gate that a name of these regions goes to others, while the zone shows it in `shown`."""
    places = [frozenset(each.split()) for each in (before, after, failing, shown)]
    known, wanted = (sets("api", each.split()) for each in (before, after))
    values = {each: frozenset({ADDRESSES[each]}) for each in before.split()}
    gate.submit(
        Proposal(
            *(key("api"), "api.example.org", known, wanted, *places[:3]), values_in=values, regions_shown=places[3]
        )
    )


def test_a_removal_that_is_given_back_replaces_no_later_one_of_the_same_name() -> None:
    deletions = Deletions(lambda: 0.0)
    first, second = (Withdrawal(key("api"), uid, "api.example.org") for uid in ("u-1", "u-2"))
    deletions.ask(first)
    deletions.take_due(owned=100, safety=Safety(), takes=lambda _: False)
    deletions.ask(second)
    deletions.ask_again(first)
    assert deletions.recall() == [second]


def test_a_place_that_was_let_through_and_fails_before_it_is_written_is_not_brought_in_for_the_limit() -> None:
    departures = Departures(free_names=0)
    departures.remember("south", 5, 10_000.0)
    gate = ZoneGate(Safety(max_regions_evacuated=2), clock=lambda: 10_000.0, departures=departures)
    propose(gate, "east", "west north", "east", "east")
    propose(gate, "west north", "north", "west", "east")  # the zone does not show what was let through
    assert gate.last(key("api")) == sets("api", ["north"])


def test_a_place_that_a_name_left_without_counting_does_not_count_when_it_is_found_to_be_gone() -> None:
    now = 10_000.0
    departures = Departures(free_names=0)
    gate = ZoneGate(Safety(), clock=lambda: now, departures=departures)
    propose(gate, "east", "north", "east", "east")
    gate.arrived(key("api"))
    propose(gate, "north", "west", "north", "north")  # out of its second dead place
    gate.arrived(key("api"))
    absent = {"east": now, "north": now}
    proposal = Proposal(
        *(key("api"), "api.example.org", sets("api", ["west"]), sets("api", ["west"])),
        *(frozenset({"west"}), frozenset({"west"}), frozenset()),
        absent=absent,
        regions_shown=frozenset({"west"}),
    )
    gate.survey(proposal)
    assert [departures.count(each) for each in ("east", "north")] == [1, 0]

    propose(gate, "west", "north west", "", "west")
    gate.arrived(key("api"))
    gate.survey(proposal)
    assert departures.count("north") == 1, "it had come back there since"


def test_a_place_that_a_name_was_let_out_of_before_the_zone_showed_it_counts_once_it_does() -> None:
    departures = Departures(free_names=0)
    gate = ZoneGate(Safety(), clock=lambda: 10_000.0, departures=departures)
    before, after = sets("api", ["east", "north"]), sets("api", ["north"])
    places = (frozenset({"east", "north"}), frozenset({"north"}), frozenset({"east"}))
    values = {"east": frozenset({ADDRESSES["east"]}), "north": frozenset({ADDRESSES["north"]})}
    emptied = Proposal(key("api"), "api.example.org", before, after, *places, values_in=values)  # by an outsider
    assert gate.submit(emptied) == after
    gate.shows(key("api"), [ADDRESSES["north"]])
    assert departures.count("east") == 0

    gate.shows(key("api"), [ADDRESSES["north"], ADDRESSES["east"]])  # a repair was on its way
    gate.arrived(key("api"))
    assert departures.was_seen_gone(key("api"), "east", zone=gate)

    gate.forget(key("api"))
    departures.come_back(key("api"), "east", zone=gate)
    assert gate.submit(emptied) == after
    gate.arrived(key("api"))
    gate.shows(key("api"), [ADDRESSES["east"]])
    assert departures.count("east") == 0, "it has left in between: what shows it now is no write of ours"


@pytest.mark.parametrize("may_land", [False, True])
def test_a_place_that_a_write_on_its_way_brings_back_is_left_like_one_that_the_zone_shows(*, may_land: bool) -> None:
    """The zone's set was damaged while a departure is held, and is being put back."""
    departures = Departures(free_names=0)
    departures.remember("south", 5, 10_000.0)
    gate = ZoneGate(Safety(), clock=lambda: 10_000.0, departures=departures)
    before, after = sets("api", ["east", "north"]), sets("api", ["north"])
    places = (frozenset({"east", "north"}), frozenset({"north"}), frozenset({"east"}))
    proposal = Proposal(key("api"), "api.example.org", before, after, *places, may_land=may_land)
    assert gate.submit(replace(proposal, regions_shown=frozenset({"east", "north"}), may_land=False)) == before
    assert gate.submit(proposal) == (before if may_land else after)
    gate.forget(key("api"))
    assert gate.submit(proposal) == after, "what was let through, and has not been shown, is no place to keep"


def test_what_is_wished_while_a_departure_is_held_counts_as_let_through_after_a_freeze() -> None:
    departures = Departures(free_names=0)
    departures.remember("south", 5, 10_000.0)
    gate = ZoneGate(Safety(frozen=True), clock=lambda: 10_000.0, departures=departures)
    propose(gate, "east north", "north", "east", "east north")
    assert gate.last(key("api")) is None, "what a freeze stopped is decided anew when it ends"
    gate.safety = Safety()
    propose(gate, "east north", "north", "east", "east north")
    assert gate.last(key("api")) == sets("api", ["east", "north"]), "to be put back is no place that was left"


@pytest.mark.parametrize("was_written", [False, True])
def test_a_departure_that_a_freeze_stopped_counts_only_where_it_had_been_written(*, was_written: bool) -> None:
    departures = Departures(free_names=0)
    gate = ZoneGate(Safety(), clock=lambda: 10_000.0, departures=departures)
    propose(gate, "east north", "north", "east", "east north")
    gate.safety = Safety(frozen=True)
    propose(gate, "east north", "north", "east", "east north")  # the answer to the write is on its way
    assert departures.count("east") == 0
    gate.shows(key("api"), [ADDRESSES["north"], *([] if was_written else [ADDRESSES["east"]])])
    assert departures.count("east") == was_written


def test_a_place_that_a_name_left_for_a_person_does_not_count_when_it_fails_later() -> None:
    departures = Departures(free_names=0)
    gate = ZoneGate(Safety(), clock=lambda: 10_000.0, departures=departures)
    propose(gate, "east", "north", "", "east")  # drained
    gate.arrived(key("api"))
    north = frozenset({"north"})
    stands = (key("api"), "api.example.org", sets("api", north), sets("api", north), north, north, frozenset[str]())
    gate.survey(Proposal(*stands, absent={"east": 10_000.0}, regions_shown=north))
    assert departures.count("east") == 0
