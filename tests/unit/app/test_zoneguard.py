"""Records and DNSZones deleted in any order: what is to go from DNS goes, and everything ends."""

import asyncio
from collections.abc import Callable

import pytest

from detour.enactment.contract import UnavailableError
from detour.engine.zoneguard import GRACE, RELEASE_AFTER, Needs, must_stay
from detour.kube.metadata import FINALIZER
from detour.model.objects import Kind
from detour_simulation.memoryzone import Fault

from .objects import changed, dns_zone, failover_record
from .world import Clouds, World

Boot = Callable[..., World]
FR, DZ = Kind.FAILOVER_RECORD, Kind.DNS_ZONE
ONE = {"192.0.2.1"}
RETAINED = failover_record()
REMOVED = failover_record(deletionPolicy="Delete")


@pytest.mark.parametrize(
    ("needs", "deleted_for", "stays"),
    [
        (Needs(0, 0), None, False),
        (Needs(1, 0), None, True),
        (Needs(0, 1), None, True),
        (Needs(0, 0), 0.0, False),
        (Needs(5, 0), GRACE - 1, True),
        (Needs(5, 0), GRACE, False),
        (Needs(5, 1), GRACE, True),
        (Needs(0, 1), RELEASE_AFTER - 1, True),
        (Needs(9, 9), RELEASE_AFTER, False),
    ],
)
def test_a_zone_stays_for_those_who_need_it_and_never_for_ever(
    needs: Needs, deleted_for: float | None, stays: bool
) -> None:
    assert must_stay(needs, deleted_for) is stays


def ready(world: World) -> bool:
    return world.api.condition("Ready") == ("True", "Serving")


def finalizers(world: World) -> list[str]:
    found: list[str] = world.api.objects[DZ, "shop", "main"]["metadata"].get("finalizers", [])
    return found


def exist(world: World) -> set[str]:
    return {kind.title for kind, _, _ in world.api.objects}


def away(clouds: Clouds, is_away: bool = True) -> None:
    """Let the provider of every zone answer nothing, or answer again."""
    for provider in clouds.providers:
        provider.reading_fails = UnavailableError("the provider refuses connections") if is_away else None
        provider.troubles.clear()
        if is_away:
            provider.trouble(Fault.UNAVAILABLE, times=10_000)


def delete(world: World, *kinds: Kind) -> None:
    for kind in kinds:
        world.api.delete(kind, "main" if kind is DZ else "api")


async def test_a_zone_bears_the_finalizer_only_while_a_record_is_to_be_removed_from_it_one_day(boot: Boot) -> None:
    world = boot(dns_zone(), RETAINED)
    await world.until(lambda: ready(world))
    await asyncio.sleep(5)
    assert finalizers(world) == []
    world.api.apply(REMOVED)
    await world.until(lambda: finalizers(world) == [FINALIZER])
    world.api.apply(RETAINED)
    await world.until(lambda: finalizers(world) == [])


async def test_a_record_that_may_not_use_a_zone_does_not_hold_it(boot: Boot) -> None:
    world = boot(dns_zone(), changed(REMOVED, namespace="elsewhere"))
    world.api.apply(failover_record("web", uid="u-2", deletionPolicy="Delete"))
    foreign = failover_record("web", uid="u-2", deletionPolicy="Delete", zones=[{"name": "main", "namespace": "shop"}])
    world.api.delete(FR, "web")
    world.api.apply(changed(foreign, namespace="elsewhere"))
    await asyncio.sleep(30)
    assert finalizers(world) == []


@pytest.mark.parametrize("kinds", [(DZ, FR), (FR, DZ)])
@pytest.mark.parametrize("apart", [0.0, 0.3, 5.0, 20.0])
async def test_a_record_and_its_zone_deleted_in_any_order_are_cleaned_up_and_gone(
    boot: Boot, clouds: Clouds, kinds: tuple[Kind, Kind], apart: float
) -> None:
    world = boot(dns_zone(), REMOVED)
    await world.until(lambda: ready(world) and finalizers(world) == [FINALIZER])
    clouds.zone().guarded.clear()
    first, second = kinds
    delete(world, first)
    await asyncio.sleep(apart)
    if any(kind is second for kind, _, _ in world.api.objects):
        delete(world, second)
    await world.until(lambda: not world.api.objects, within=120)
    assert world.answers() == set()


async def test_with_the_provider_away_a_deletion_waits_and_ends_when_it_is_back(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), REMOVED)
    await world.until(lambda: ready(world) and finalizers(world) == [FINALIZER])
    clouds.zone().guarded.clear()
    away(clouds)
    delete(world, DZ, FR)
    await asyncio.sleep(200)
    assert exist(world) == {"DNSZone", "FailoverRecord"}
    away(clouds, is_away=False)
    await world.until(lambda: not world.api.objects, within=300)
    assert world.answers() == set()


async def test_with_the_provider_away_for_good_a_deletion_ends_all_the_same_and_says_what_stays(
    boot: Boot, clouds: Clouds
) -> None:
    world = boot(dns_zone(), REMOVED)
    await world.until(lambda: ready(world) and finalizers(world) == [FINALIZER])
    away(clouds)
    delete(world, DZ, FR)
    await world.until(lambda: world.api.condition("Warning", "main", DZ) == ("True", "BeingDeleted"))
    await world.until(lambda: not world.api.objects, within=RELEASE_AFTER + 60)
    assert world.answers() == ONE
    await world.until(lambda: any(reason == "LeftBehind" for reason, _ in world.api.events))


async def test_a_zone_that_is_deleted_alone_goes_and_its_records_say_what_that_means(boot: Boot) -> None:
    world = boot(dns_zone(), REMOVED)
    await world.until(lambda: ready(world) and finalizers(world) == [FINALIZER])
    delete(world, DZ)
    await asyncio.sleep(GRACE / 2)
    assert exist(world) == {"DNSZone", "FailoverRecord"}, "somebody may be about to delete the record too"
    world.down = set(ONE)
    await world.until(lambda: world.answers() == {"192.0.2.2"})
    world.down = set()
    await world.until(lambda: exist(world) == {"FailoverRecord"}, within=GRACE)
    await world.until(lambda: world.api.condition("Published") == ("False", "ZoneMissing"))
    message = next(each["message"] for each in world.api.status()["conditions"] if each["type"] == "Published")
    assert "stays as it is, and follows no failure" in message
    world.api.delete(FR, "api")
    await world.until(lambda: not world.api.objects)


async def test_a_zone_of_retained_records_goes_at_once(boot: Boot) -> None:
    world = boot(dns_zone(), RETAINED)
    await world.until(lambda: ready(world))
    delete(world, DZ)
    await world.until(lambda: exist(world) == {"FailoverRecord"}, within=5)
    await world.until(lambda: world.api.condition("Published") == ("False", "ZoneMissing"))
    assert world.answers() == ONE


async def test_a_zone_that_cannot_be_read_any_more_is_let_go_all_the_same(boot: Boot) -> None:
    world = boot(dns_zone(), REMOVED)
    await world.until(lambda: ready(world) and finalizers(world) == [FINALIZER])
    world.api.apply(dns_zone(route53=None, unheardOf={}))
    await world.until(lambda: world.api.condition("Ready", "main", DZ) == ("False", "Invalid"))
    delete(world, DZ)
    await world.until(lambda: exist(world) == {"FailoverRecord"}, within=GRACE + 30)


async def test_a_deletion_that_was_under_way_ends_after_a_restart(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), REMOVED)
    await world.until(lambda: ready(world) and finalizers(world) == [FINALIZER])
    clouds.zone().guarded.clear()
    away(clouds)
    delete(world, DZ, FR)
    await asyncio.sleep(30)
    await world.kill()
    again = boot()  # the provider is back as well
    await again.until(lambda: not again.api.objects, within=RELEASE_AFTER + 60)
    assert again.answers() == set()


async def test_more_deletions_than_the_gate_lets_through_wait_for_a_person_and_end_without_one(
    boot: Boot, clouds: Clouds
) -> None:
    names = [f"n{number}" for number in range(12)]
    records = [failover_record(name, uid=f"u-{name}", deletionPolicy="Delete") for name in names]
    world = boot(dns_zone(), *records)
    await world.until(lambda: all(world.api.condition("Ready", name) == ("True", "Serving") for name in names))
    for name in names:
        world.api.delete(FR, name)
    delete(world, DZ)
    await world.until(lambda: world.api.condition("Held", "main", DZ) == ("True", "TooManyDeletions"))
    await asyncio.sleep(RELEASE_AFTER / 2)
    assert len(world.api.objects) == 13, "there is time for an approval"
    await world.until(lambda: not world.api.objects, within=RELEASE_AFTER)
    assert all(world.answers(f"{name}.example.org") == ONE for name in names), "nothing went that nobody approved"
