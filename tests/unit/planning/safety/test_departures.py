"""How many names may leave failing regions at once: one region is free, the others together may lose but a few."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.model.record import ObjectKey
from detour.planning.safety.departures import FREE_NAMES, Blocked, Departures

WINDOW = 600.0
ZONE = "zone"


class Installation:
    """Departures with a clock, for names such as `shop/api`."""

    def __init__(self, managed: int = 0) -> None:
        self.now = 1000.0
        self.departures = Departures()
        self.departures.keep_for(self, WINDOW)
        for number in range(managed):
            self.departures.manage(ObjectKey("others", f"m{number}"))

    def blocks(
        self, name: str, *regions: str, allowed: int = 1, namespace: str = "shop", elsewhere: bool = False
    ) -> Blocked | None:
        self.departures.expire(self.now)
        key = ObjectKey(namespace, name)
        rest = self.departures.blocks(key, regions, allowed=allowed, has_other_place=elsewhere)
        return None if rest is None else self.departures.explain(rest, window=WINDOW)

    def leaves(self, name: str, region: str, *, allowed: int = 1, namespace: str = "shop") -> bool:
        """Let the name leave if it may; tell whether it did. One that may not waits."""
        key = ObjectKey(namespace, name)
        if self.blocks(name, region, allowed=allowed, namespace=namespace) is not None:
            return False
        self.departures.leave(key, region, self.now, zone=ZONE)
        return True

    def region_fails(self, region: str, names: int, *, namespace: str = "shop", rounds: int = 3) -> int:
        """Let so many names leave a region, those that are held again and again; return how many did."""
        left: set[str] = set()
        for _ in range(rounds):
            for number in range(names):
                name = f"{region}-{number}"
                if name not in left and self.leaves(name, region, namespace=namespace):
                    left.add(name)
        return len(left)


def test_everything_may_leave_one_region() -> None:
    assert Installation().region_fails("east", 500) == 500


def test_a_second_region_may_lose_ten_names() -> None:
    here = Installation()
    here.region_fails("east", 500)
    assert here.region_fails("west", 100) == FREE_NAMES


def test_of_many_managed_names_a_twentieth_may_leave_beside_the_free_region() -> None:
    here = Installation(managed=1000)
    here.region_fails("east", 500)
    assert here.region_fails("west", 100) == 50


@pytest.mark.parametrize("allowed", [1, 2, 3])
def test_as_many_regions_are_free_as_was_declared(allowed: int) -> None:
    here = Installation()
    found = [
        sum(here.leaves(f"r{region}-{name}", f"r{region}", allowed=allowed) for name in range(50))
        for region in range(allowed + 1)
    ]
    assert found == [50] * allowed + [FREE_NAMES]


def test_ten_small_regions_do_not_slip_by_under_a_large_one() -> None:
    here = Installation()
    here.region_fails("east", 500)
    assert sum(here.region_fails(f"small-{number}", 3) for number in range(10)) == FREE_NAMES


def test_small_departures_of_a_while_ago_do_not_hold_the_loss_of_a_large_region() -> None:
    here = Installation()
    assert here.region_fails("small", FREE_NAMES) == FREE_NAMES
    here.now += WINDOW / 2
    assert here.region_fails("east", 500) == 500


@pytest.mark.parametrize("odd", ["aws-us-esat-1", "pseudo"])
def test_a_region_of_one_record_holds_nobody(odd: str) -> None:
    here = Installation()
    assert here.leaves("lonely", odd)
    assert here.region_fails("east", 500) == 500


def test_what_a_hostile_tenant_does_in_regions_of_its_own_holds_nobody_elses() -> None:
    here = Installation()
    for number in range(40):
        here.region_fails(f"pseudo-{number}", 40, namespace="evil", rounds=1)
    assert here.region_fails("east", 500) == 500


def test_a_tenant_whose_names_are_in_both_regions_is_held_by_what_its_own_do() -> None:
    here = Installation()
    here.region_fails("east", 500)
    here.region_fails("west", FREE_NAMES)
    assert here.blocks("other", "west") is not None
    assert here.blocks("other", "west", namespace="apart") is None


def test_what_is_held_says_what_holds_it_and_until_when() -> None:
    here = Installation()
    here.region_fails("east", 500)
    here.region_fails("west", FREE_NAMES)
    blocked = here.blocks("one-more", "west")
    assert blocked is not None
    assert blocked.regions == (("west", FREE_NAMES),)
    assert len(blocked.names) == FREE_NAMES
    assert blocked.until == here.now + WINDOW


def test_the_window_passes() -> None:
    here = Installation()
    here.region_fails("east", 500)
    here.now += WINDOW + 1
    assert here.region_fails("west", 500) == 500


def test_a_name_that_comes_back_does_not_count_any_more() -> None:
    here = Installation()
    here.region_fails("east", 500)
    here.region_fails("west", FREE_NAMES)
    here.departures.come_back(ObjectKey("shop", "west-0"), "west", zone=ZONE)
    assert here.leaves("another", "west")


def test_a_record_that_is_deleted_counts_until_the_window_is_over() -> None:
    """It may be made anew at once: that would else let a second region go."""
    here = Installation()
    here.region_fails("east", 500)
    here.region_fails("west", FREE_NAMES)
    gone = ObjectKey("shop", "west-0")
    here.departures.manage(gone)
    here.departures.release(gone, zone=ZONE)
    assert not here.leaves("another", "west")
    here.departures.come_back(gone, "west", zone="another zone")
    assert here.leaves("another", "west")


def test_a_name_that_was_counted_goes_on_from_a_second_dead_place_to_a_third() -> None:
    here = Installation()
    here.region_fails("east", 500)
    here.region_fails("west", FREE_NAMES)
    assert here.blocks("east-7", "west") is not None, "no zone shows yet that it has left anything"
    here.departures.seen_gone(ObjectKey("shop", "east-7"), "east", here.now, zone=ZONE)
    assert here.blocks("east-7", "west") is None
    assert here.blocks("east-7", "west", elsewhere=True) is not None, "it still answers elsewhere: it can stay too"


def test_a_name_counts_until_it_is_back_in_every_zone_that_it_has_left() -> None:
    here = Installation()
    key = ObjectKey("shop", "api")
    here.leaves("api", "east")
    here.departures.leave(key, "east", here.now, zone="another")
    assert here.departures.come_back(key, "east", zone="a third") is None
    assert here.departures.come_back(key, "east", zone=ZONE) == here.now
    assert here.departures.count("east") == 1
    assert not here.departures.has_left(key, "east", zone=ZONE)
    assert here.departures.come_back(key, "east", zone="another") == here.now
    assert here.departures.count("east") == 0


def test_a_zone_that_has_the_name_no_more_keeps_nothing_counted() -> None:
    here = Installation()
    key = ObjectKey("shop", "api")
    here.departures.manage(key)  # in one zone
    here.departures.manage(key)  # and in another
    here.leaves("api", "east")
    here.departures.release(key, zone=ZONE)
    assert here.departures.count("east") == 1, "nobody has said yet that the name is there"
    here.departures.come_back(key, "east", zone="another")
    assert here.departures.count("east") == 0


def test_a_name_that_came_back_was_not_seen_to_leave_by_what_it_leaves_next() -> None:
    here = Installation()
    key = ObjectKey("shop", "api")
    here.region_fails("east", 500)
    here.region_fails("west", FREE_NAMES)
    here.departures.seen_gone(key, "east", here.now, zone=ZONE)
    here.departures.come_back(key, "east", zone=ZONE)
    here.leaves("api", "east")
    assert here.blocks("api", "west") is not None


def test_a_name_counts_once_in_however_many_zones_it_stands() -> None:
    here = Installation()
    here.region_fails("east", 500)
    assert here.leaves("api", "west")
    for _ in range(5):
        assert here.blocks("api", "west") is None
        here.departures.leave(ObjectKey("shop", "api"), "west", here.now, zone=ZONE)
    assert here.region_fails("west", 100) == FREE_NAMES - 1


def test_until_a_zone_shows_a_departure_its_window_does_not_begin() -> None:
    here = Installation()
    key = ObjectKey("shop", "api")
    here.leaves("api", "east")
    here.departures.begin(key, "east")
    here.now += WINDOW + 1
    here.departures.expire(here.now)
    assert here.departures.has_left(key, "east", zone=ZONE)
    here.departures.end(key, "east")
    here.now += WINDOW + 1
    here.departures.expire(here.now)
    assert not here.departures.has_left(key, "east", zone=ZONE)


def test_what_an_earlier_leader_wrote_counts_until_its_window_is_over() -> None:
    here = Installation()
    here.departures.remember("east", 500, here.now - 60)
    assert here.region_fails("west", 100) == FREE_NAMES
    here.now += WINDOW - 30
    assert here.region_fails("north", 500) == 500


@pytest.mark.parametrize(("east", "west"), [(12, 12), (15, 15), (15, 16), (16, 15)])
def test_once_the_rest_is_full_no_region_becomes_free_by_what_leaves_it(east: int, west: int) -> None:
    here = Installation()
    for region, names in (("east", east), ("west", west)):
        for number in range(names):  # a person approved these
            here.departures.leave(ObjectKey("shop", f"{region}-{number}"), region, here.now, zone=ZONE)
    may_leave = {region: here.leaves(f"more-{region}", region) for region in ("east", "west")}
    assert may_leave == {"east": east >= west, "west": west > east}, "of equals the one that failed first stays free"


@given(st.lists(st.tuples(st.sampled_from(["r1", "r2", "r3"]), st.integers(0, 30)), max_size=120), st.integers(1, 2))
def test_whatever_fails_the_rest_loses_no_more_than_its_share(failures: list[tuple[str, int]], allowed: int) -> None:
    here = Installation()
    left: dict[str, set[str]] = {}
    for region, number in failures:
        name = f"{region}-{number}"
        if here.leaves(name, region, allowed=allowed):
            left.setdefault(region, set()).add(name)
        sizes = sorted((len(names) for names in left.values()), reverse=True)
        assert sum(sizes[allowed:]) <= FREE_NAMES


def test_what_a_name_has_left_counts_no_more_where_another_process_decides_for_it() -> None:
    departures, api, other = Departures(), ObjectKey("shop", "api"), "other"
    departures.keep_for(ZONE, 600.0)
    departures.leave(api, "east", 10.0, zone=ZONE)
    departures.leave(api, "east", 10.0, zone=other)
    departures.hand_over(api, zone=ZONE)
    assert departures.left() == {"east": 1}, "it is still decided for in the other zone"
    departures.hand_over(api, zone=other)
    assert (departures.left(), departures.left_by_namespace()) == ({}, {})
