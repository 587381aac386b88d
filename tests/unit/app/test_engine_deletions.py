"""Mass deletions: held before the first name goes, through restarts, until a person approves or calls them off."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from detour.kube.kinds import Kind

from .objects import changed, dns_zone, failover_record
from .world import Clouds, World

Boot = Callable[..., World]
FR, DZ = Kind.FAILOVER_RECORD, Kind.DNS_ZONE
EAST, WEST, NORTH = "aws-us-east-1", "azure-westeurope", "gcp-europe-west3"
ZONES_FIRST, RECORDS_FIRST = (DZ, FR, Kind.CLOUD_REGION), (FR, DZ, Kind.CLOUD_REGION)
WINDOW = 600.0
"""Panic out of the way, for tests of the other protections."""


def record(name: str, *endpoints: tuple[str, str, int], uid: str = "", **spec: Any) -> dict[str, Any]:
    """Return a FailoverRecord with endpoints of (region, address, priority)."""
    listed = [
        {"name": f"e{place}", "region": region, "addresses": [address], "priority": priority}
        for place, (region, address, priority) in enumerate(endpoints)
    ]
    return failover_record(name, uid=uid or f"u-{name}", endpoints=listed, **spec)


def api() -> dict[str, Any]:
    return record("api", (EAST, "192.0.2.1", 1), (NORTH, "192.0.2.3", 2))


def www() -> dict[str, Any]:
    return record("www", (WEST, "192.0.2.2", 1), (NORTH, "192.0.2.4", 2))


def frozen(world: World, name: str = "main") -> tuple[str, str]:
    return world.api.condition("Frozen", name, DZ)


def message(world: World, type: str, name: str = "main", kind: Kind = DZ) -> str:
    found = [each for each in world.api.status(name, kind).get("conditions", ()) if each["type"] == type]
    return str(found[0]["message"]) if found else ""


def ready(world: World, *names: str) -> bool:
    return all(world.api.condition("Ready", name)[0] == "True" for name in names or ("api",))


def annotate(world: World, raw: dict[str, Any], **annotations: str) -> None:
    """Set `detour.dev/` annotations (underscores become dashes)."""
    given = {f"detour.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
    world.api.apply(changed(raw, annotations=given))


def digest(world: World) -> str:
    return str(world.api.status("main", DZ)["held"]["digest"])


def many(number: int, **spec: Any) -> list[dict[str, Any]]:
    return [
        record(f"n{place}", (EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 2), deletionPolicy="Delete", **spec)
        for place in range(number)
    ]


async def delete_all(world: World, clouds: Clouds, number: int) -> None:
    await world.until(
        lambda: (
            all(each["metadata"].get("finalizers") for (kind, _, _), each in world.api.objects.items() if kind is FR)
            and all(world.answers(f"n{place}.example.org") for place in range(number))
        )
    )
    await asyncio.sleep(30)
    clouds.zone().guarded.clear()
    for place in range(number):
        world.api.delete(FR, f"n{place}")
    await world.until(lambda: frozen(world) == ("True", "TooManyDeletions"))
    await asyncio.sleep(10)


def standing(world: World, number: int) -> int:
    return sum(bool(world.answers(f"n{place}.example.org")) for place in range(number))


async def test_a_mass_deletion_takes_nothing_and_waits_for_a_person(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), *many(25))
    await delete_all(world, clouds, 25)
    assert standing(world, 25) == 25
    await asyncio.sleep(2 * WINDOW)
    assert standing(world, 25) == 25
    assert world.api.status("main", DZ)["held"]["count"] == 25
    annotate(world, dns_zone(), approve=digest(world))
    await world.until(lambda: standing(world, 25) == 0)
    await world.until(lambda: not [key for key in world.api.objects if key[0] is FR])
    await world.until(lambda: frozen(world) == ("False", "NothingHeld"))


async def test_a_restart_during_a_mass_deletion_deletes_nothing_more(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), *many(25))
    await delete_all(world, clouds, 25)
    for _ in range(2):
        await world.kill()
        world = boot(kinds=ZONES_FIRST)
        await asyncio.sleep(60)
        assert standing(world, 25) == 25


@pytest.mark.parametrize("kinds", [ZONES_FIRST, RECORDS_FIRST], ids=["zones listed first", "records listed first"])
async def test_a_deletion_under_way_is_finished_after_a_restart(
    boot: Boot, clouds: Clouds, kinds: tuple[Kind, ...]
) -> None:
    """The watches of the kinds deliver in any order."""
    world = boot(dns_zone(), *many(2))
    await world.until(lambda: ready(world, "n0", "n1"))
    clouds.zone().guarded.clear()
    for provider in clouds.providers:
        provider.latency = 60.0
    world.api.delete(FR, "n0")
    await asyncio.sleep(1)
    await world.kill()
    again = boot(kinds=kinds)
    await again.until(lambda: (FR, "shop", "n0") not in again.api.objects)
    assert again.answers("n0.example.org") == set()
    assert again.answers("n1.example.org")


async def test_a_held_deletion_is_called_off_by_the_policy_retain(boot: Boot, clouds: Clouds) -> None:
    world = boot(dns_zone(), *many(12))
    await delete_all(world, clouds, 12)
    held = sorted(name for kind, _, name in world.api.objects if kind is FR)
    assert len(held) == 12
    for name in held:
        spared = record(name, (EAST, "192.0.2.1", 1), (WEST, "192.0.2.2", 2), deletionPolicy="Retain")
        spared["metadata"]["deletionTimestamp"] = "2026-11-23T21:00:00Z"
        world.api.apply(spared)
    await world.until(lambda: not [key for key in world.api.objects if key[0] is FR])
    assert all(world.answers(f"{name}.example.org") for name in held)
