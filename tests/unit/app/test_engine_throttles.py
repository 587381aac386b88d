"""What a zone's object says while its provider asks for patience."""

import asyncio

from detour.enactment.contract import ThrottledError, UnavailableError
from detour.twin.virtualtime import holds
from detour_simulation.memoryzone import Fault

from .gating import DZ, Boot, api, message, ready, www
from .objects import dns_zone
from .world import Clouds, World


def says(world: World, condition: str, name: str = "main") -> tuple[str, str]:
    return world.api.condition(condition, name, DZ)


async def test_a_zone_is_throttled_until_something_has_gone_well_not_only_while_it_pauses(
    boot: Boot, clouds: Clouds
) -> None:
    world = boot(dns_zone(), api())
    await world.until(lambda: ready(world))
    clouds.providers[-1].trouble(Fault.THROTTLED, 0.2, times=20)
    clouds.providers[-1].latency = 1.0  # the pause is over long before the next answer comes
    world.down = {"192.0.2.1"}
    await world.until(lambda: says(world, "Throttled") == ("True", "ProviderQuota"))
    assert await holds(lambda: says(world, "Throttled") == ("True", "ProviderQuota"), 20)
    assert clouds.providers[-1].troubles, "nobody was throttled to the end"
    await world.until(lambda: world.answers() == {"192.0.2.3"})
    await world.until(lambda: says(world, "Throttled") == ("False", "WithinQuota"), 5)


async def test_a_zone_that_was_read_and_is_throttled_is_not_said_to_be_unread(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), api())
    await world.until(lambda: ready(world))
    clouds.providers[-1].trouble(Fault.THROTTLED, 0.2, times=50)
    world.down = {"192.0.2.1"}
    await world.until(lambda: says(world, "Throttled")[0] == "True")
    assert says(world, "Ready") == ("True", "InForce")
    assert world.api.condition("Ready", "api") == ("False", "Throttled")


async def test_a_zone_that_is_throttled_before_it_was_read_says_so(boot: Boot, clouds: Clouds) -> None:
    clouds.throttled["main"] = ThrottledError("the account is asked for patience", 30.0)
    world = boot(dns_zone(), api())
    await world.until(lambda: says(world, "Throttled")[0] == "True")
    assert says(world, "Ready") == ("Unknown", "Throttled")
    assert "the zone is not in use yet: the account is asked for patience" in message(world, "Ready")
    clouds.throttled.clear()
    await world.until(lambda: ready(world), 120)
    assert says(world, "Throttled") == ("False", "WithinQuota")


async def test_all_zones_of_an_account_say_that_it_is_asked_for_patience_and_when_that_is_over(
    boot: Boot, clouds: Clouds
) -> None:
    other = www()
    other["spec"]["zones"] = [{"name": "other"}]
    world = boot(dns_zone(), dns_zone("other", uid="z-2"), api(), other)
    await world.until(lambda: ready(world, "api", "www"))
    (throttled,) = [each for each in clouds.providers if each.zone is clouds.zone("main")]
    throttled.trouble(Fault.THROTTLED, 20.0)
    world.down = {"192.0.2.1"}
    await world.until(lambda: says(world, "Throttled", "other")[0] == "True")
    assert says(world, "Ready", "other") == ("True", "InForce")
    await asyncio.sleep(25)
    assert says(world, "Throttled", "other") == ("False", "WithinQuota")
    assert says(world, "Throttled", "main") == ("False", "WithinQuota")


async def test_that_a_provider_asks_for_patience_hides_nothing_worse(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), api())
    await world.until(lambda: ready(world))
    provider = clouds.providers[-1]
    provider.reading_fails = UnavailableError("what is read fails")
    await world.until(lambda: says(world, "Ready") == ("False", "ProviderUnreachable"), 900)
    provider.trouble(Fault.THROTTLED, 5.0, times=200)
    world.down = {"192.0.2.1"}
    await world.until(lambda: says(world, "Throttled")[0] == "True")
    assert await holds(lambda: says(world, "Ready") == ("False", "ProviderUnreachable"), 20)
