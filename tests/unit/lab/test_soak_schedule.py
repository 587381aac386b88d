"""Schedules of a soak keep what is promised of them, whatever the seed."""

from itertools import pairwise

import pytest

from detour_lab.stories.soak import size_of
from detour_lab.stories.soak.schedule import Event, Kind, Places, Size, draw

ZONES = ("shop-route53", "shop-azure", "shop-google", "shop-bind")
REGIONS = ("aws-us-east-1", "azure-westeurope", "gcp-europe-west3")
PLACES = Places(
    zones=ZONES,
    regions=REGIONS,
    services=tuple(f"{region}/{service}" for region in REGIONS for service in ("api", "www")),
    names=tuple(f"{zone}/api.example.com" for zone in ZONES),
    replicas=2,
)
SIZES = {minutes: size_of(minutes) for minutes in (1, 5, 20)}
SEEDS = range(40)


def faults(seed: int, size: Size) -> list[Event]:
    return [each for each in draw(seed, size, PLACES) if each.is_fault]


def test_a_seed_gives_the_same_schedule_again_and_another_seed_another() -> None:
    assert draw(7, SIZES[20], PLACES) == draw(7, SIZES[20], PLACES)
    assert draw(7, SIZES[20], PLACES) != draw(8, SIZES[20], PLACES)


@pytest.mark.parametrize("minutes", SIZES)
def test_every_fault_is_over_when_the_quiet_begins(minutes: int) -> None:
    size = SIZES[minutes]
    for seed in SEEDS:
        assert max(each.until for each in faults(seed, size)) <= size.seconds - size.quiet


@pytest.mark.parametrize("minutes", [5, 20])
def test_at_least_two_faults_begin_in_every_minute_before_the_quiet(minutes: int) -> None:
    size = SIZES[minutes]
    assert size.quiet == 90.0
    for seed in SEEDS:
        moments = [each.at for each in faults(seed, size)]
        for begin in range(int(size.seconds - size.quiet) - 60 - 20):
            assert sum(begin <= at < begin + 60 for at in moments) >= 2, f"seed {seed}, from {begin} s on"


def test_twenty_minutes_have_every_kind_and_several_faults_at_once() -> None:
    for seed in SEEDS:
        drawn = faults(seed, SIZES[20])
        assert {each.kind for each in drawn} == {kind for kind in Kind if Event(0, kind, 0).is_fault}
        assert any(one.at < other.at < one.until for one in drawn for other in drawn)


def test_a_replica_a_control_plane_and_an_api_have_one_fault_at_a_time() -> None:
    operators = {Kind.KILL, Kind.PAUSE, Kind.CLOCK}
    control_plane = {Kind.API_SERVER_AWAY, Kind.ETCD_RESTORED}
    apis = {Kind.PROVIDER_ERROR, Kind.PROVIDER_HANG, Kind.LOST_ANSWERS}
    for seed in SEEDS:
        drawn = faults(seed, SIZES[20])
        _never_at_once([each for each in drawn if each.kind in operators])
        _never_at_once([each for each in drawn if each.kind in control_plane])
        for zone in ZONES:
            _never_at_once([each for each in drawn if each.kind in apis and each.target == zone])


def test_no_two_regions_fail_at_once_and_half_of_all_seeds_leave_one_failing() -> None:
    lasting = 0
    for seed in SEEDS:
        regions = [each for each in draw(seed, SIZES[20], PLACES) if each.kind is Kind.REGION]
        _never_at_once(regions)
        lasting += any(each.seconds == float("inf") for each in regions)
    assert len(SEEDS) / 5 < lasting < len(SEEDS) * 4 / 5


def test_a_soak_of_less_than_a_minute_is_refused() -> None:
    with pytest.raises(ValueError, match="give from 1 to 1440"):
        size_of(0.5)


def _never_at_once(events: list[Event]) -> None:
    for earlier, later in pairwise(events):
        assert earlier.until <= later.at, f"{earlier} and {later}"
