"""How many records stand how: kept as they change, and the same as if they were counted anew."""

import asyncio
from collections import Counter
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from detour.engine.metrics import StateCollector
from detour.engine.tallies import RecordTallies, Tallied
from detour.model.objects import Kind
from detour.model.record import ObjectKey
from detour.model.states import RecordState

from .gating import EAST
from .objects import cloud_region, dns_zone, failover_record
from .world import World

Boot = Callable[..., World]
CALM = {"safety": {"panicThreshold": 100}}

KEYS = st.sampled_from([ObjectKey("shop", name) for name in "abc"])
PLACES = st.lists(st.sampled_from(["east", "west"]), unique=True).map(tuple)
ZONES = st.lists(st.sampled_from([ObjectKey("dns", "one"), ObjectKey("dns", "two")]), unique=True).map(tuple)
TALLIED = st.builds(Tallied, st.sampled_from(list(RecordState)), ZONES, PLACES, st.booleans())


@given(st.lists(st.tuples(KEYS, st.none() | TALLIED)))
def test_what_is_kept_is_what_would_be_counted(news: list[tuple[ObjectKey, Tallied | None]]) -> None:
    kept, known = RecordTallies(), dict[ObjectKey, Tallied]()
    for key, now in news:
        kept.note(key, now)
        if now is None:
            known.pop(key, None)
        else:
            known[key] = now
    assert +kept.by_state == Counter(each.state for each in known.values())
    assert kept.by_zone == Counter((zone, each.state) for each in known.values() for zone in each.zones)
    assert kept.by_region == Counter((region, each.state) for each in known.values() for region in each.regions)
    assert kept.without_spare == sum(each.lacks_spare for each in known.values())
    assert dict(kept.states()) == {key: each.state for key, each in known.items()}


def series(world: World, **options: int) -> str:
    engine, registry = world.engine, CollectorRegistry()
    registry.register(
        StateCollector(
            engine.zone_states,
            engine.readiness,
            leads=lambda: True,
            clock=lambda: 0.0,
            tallies=engine.tallies,
            phases=engine.region_phases,
            endpoints=engine.endpoints_by_region,
            overrides=engine.overrides.ages,
            **options,
        )
    )
    return generate_latest(registry).decode()


async def test_a_region_that_fails_shows_in_records_zones_and_regions(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), cloud_region(EAST), failover_record(), failover_record("www", uid="u-2"))
    await asyncio.sleep(60)
    told = series(world)
    for line in (
        'detour_records{state="OK"} 2.0',
        'detour_records_ready{ready="True"} 2.0',
        "detour_records_without_spare 0.0",
        'detour_record_state{namespace="shop",record="api",state="OK"} 1.0',
        f'detour_region_state{{region="{EAST}",state="Healthy"}} 1.0',
        f'detour_region_endpoints{{region="{EAST}",verdict="Healthy"}} 2.0',
    ):
        assert line in told
    world.down = {"192.0.2.1"}
    await asyncio.sleep(60)
    told = series(world)
    for line in (
        'detour_records{state="FailedOver"} 2.0',
        'detour_records{state="OK"} 0.0',
        "detour_records_without_spare 2.0",
        'detour_record_state{namespace="shop",record="api",state="FailedOver"} 1.0',
        'detour_zone_records{namespace="shop",state="FailedOver",zone="main"} 2.0',
        f'detour_region_records{{region="{EAST}",state="FailedOver"}} 2.0',
        f'detour_region_endpoints{{region="{EAST}",verdict="Unhealthy"}} 2.0',
    ):
        assert line in told
    assert 'record="api",state="OK"' not in told, "its present state only"


async def test_beyond_the_limit_no_record_has_a_series_of_its_own_and_the_tallies_stay(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), failover_record(), failover_record("www", uid="u-2"))
    await asyncio.sleep(60)
    assert "detour_record_state{" in series(world, record_series=2)
    told = series(world, record_series=1)
    assert "detour_record_state{" not in told
    assert 'detour_records{state="OK"} 2.0' in told


async def test_a_record_that_is_gone_counts_no_more(boot: Boot) -> None:
    world = boot(dns_zone(**CALM), failover_record())
    await asyncio.sleep(60)
    world.api.delete(Kind.FAILOVER_RECORD, "api")
    await asyncio.sleep(10)
    assert 'detour_records{state="OK"} 0.0' in series(world)
    assert "detour_zone_records{" not in series(world)
