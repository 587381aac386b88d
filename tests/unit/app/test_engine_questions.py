"""What name servers are asked while nothing happens: as much as it may cost, or as is needed."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from detour.enactment.contract import ProviderLimits
from detour.enactment.periods import DEFAULT_PERIODS
from detour.engine.serverwatch import SAMPLED_PER_SECOND
from detour.model.objects import Kind
from detour.model.record import ObjectKey
from detour_simulation.memoryzone import NO_QUOTA

from .objects import dns_zone, failover_record
from .world import Clouds, World

Boot = Callable[..., World]
BILLED = replace(NO_QUOTA, bills_questions=True)
NAMES = 20
PER_DAY = 8_640
HOURS = 5 * 3600


async def asked_in_hours(boot: Boot, clouds: Clouds, limits: ProviderLimits) -> int:
    """Publish some names, and return how many questions are asked in the hours after that."""
    clouds.limits = limits
    records = [failover_record(f"n{number}", uid=f"u-{number}") for number in range(NAMES)]
    world = boot(dns_zone(), *records, questions_per_day=PER_DAY)
    await world.until(lambda: all(world.api.condition("Ready", f"n{number}")[0] == "True" for number in range(NAMES)))
    asked, ask = 0, world.clouds.ask

    async def counted(server: str, name: str, rrtype: str) -> object:
        nonlocal asked
        asked += 1
        return await ask(server, name, rrtype)

    world.clouds.ask = counted  # type: ignore[method-assign,assignment]
    await asyncio.sleep(HOURS)
    world.down = {"192.0.2.1"}
    await world.until(lambda: world.answers("n7.example.org") == {"192.0.2.2"})
    await world.until(lambda: "192.0.2.2" in str(world.api.status("n7")) and world.api.condition("Ready", "n7")[0])
    return asked


async def test_servers_that_bill_for_it_are_asked_within_the_budget(boot: Boot, clouds: Clouds) -> None:
    asked = await asked_in_hours(boot, clouds, BILLED)
    assert 0.5 < asked / (PER_DAY * HOURS / 86_400) < 1.5


async def test_others_are_asked_for_every_name_in_every_period(boot: Boot, clouds: Clouds) -> None:
    asked = await asked_in_hours(boot, clouds, NO_QUOTA)
    assert asked > 0.9 * 3 * NAMES * HOURS / DEFAULT_PERIODS.audit


async def test_where_the_zone_tells_of_changes_names_are_asked_for_as_a_sample(boot: Boot, clouds: Clouds) -> None:
    zone, many = ObjectKey("shop", "main"), 100_000
    world = boot(dns_zone(), failover_record())
    await world.until(lambda: world.answers() == {"192.0.2.1"})
    watch = world.engine.zones.keepers[zone].server_watch
    assert watch.period(many) == DEFAULT_PERIODS.audit
    clouds.zone().account = []
    await asyncio.sleep(1.2 * DEFAULT_PERIODS.reading)
    assert watch.period(many) == many / SAMPLED_PER_SECOND
    assert watch.period(7) == DEFAULT_PERIODS.audit
    clouds.zone().account = None
    await asyncio.sleep(4 * DEFAULT_PERIODS.changes)
    assert watch.period(many) == DEFAULT_PERIODS.audit


async def test_a_zone_says_how_soon_damage_is_noticed_and_how_old_the_oldest_look_is(
    boot: Boot, clouds: Clouds
) -> None:
    clouds.limits = replace(BILLED, reading_requests_per_second=1.0)
    world = boot(dns_zone(), failover_record(), questions_per_day=20_000)
    await world.until(lambda: world.answers() == {"192.0.2.1"})
    await world.until(lambda: verification(world).get("noticedWithinSeconds") == 30)
    clouds.zone().account = []
    await world.until(lambda: verification(world).get("noticedWithinSeconds") == 10, within=3000)
    before, version = verification(world)["oldestLook"], version_of(world)
    await asyncio.sleep(3 * 3600)
    assert verification(world)["oldestLook"] > before
    assert version_of(world) - version <= 3 * 6 + 1, "nobody is told more often than every ten minutes"


def version_of(world: World) -> int:
    """Return the version of the DNSZone, which counts the writes of all objects."""
    return int(world.api.objects[Kind.DNS_ZONE, "shop", "main"]["metadata"]["resourceVersion"])


def verification(world: World) -> dict[str, Any]:
    """Return what the status of the DNSZone says of how it is looked at."""
    found: dict[str, Any] = world.api.status("main", Kind.DNS_ZONE).get("verification", {})
    return found
