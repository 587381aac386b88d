"""Objects that nobody could have applied stand in the API server: the others are served as if they were not there."""

import asyncio
import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from detour.model.objects import Kind

from .objects import changed, cloud_region, dns_zone, external_verdict, failover_record, override, vantage
from .world import World

Boot = Callable[..., World]
ONE, TWO = {"192.0.2.1"}, {"192.0.2.2"}
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**70, 1e308, "", "x" * 5000, "\ud800", "\x00", "2026-13-99T99:99:99Z"),
    *([], {}, [None], [[]], {"a": {"b": [1, {"c": None}]}}, [{"name": None}], [{"type": "Ready"}], {"": ""}),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the path to every value within an object."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*path, key))


def odd_objects(count: int, seed: int) -> Iterator[tuple[Kind, dict[str, Any]]]:
    """Give objects with something odd in one to three places, each under a name of its own."""
    chance = random.Random(seed)
    status = {
        "observedGeneration": 1,
        "conditions": [{"type": "Ready", "status": "True"}],
        "commands": {"failback": "1"},
    }
    more = {
        Kind.FAILOVER_RECORD: {"zones": [{"name": "main", "values": ["192.0.2.1"]}], "history": [{"revision": 1}]},
        Kind.DNS_ZONE: {"ledger": {"generation": "1.1"}, "evacuations": [{"region": "x", "at": "y"}]},
        Kind.CLOUD_REGION: {"phase": "Healthy", "since": "z", "drainEnded": "w"},
        Kind.VANTAGE: {"state": "Trusted", "since": "z", "report": {"checks": 3}},
        Kind.EXTERNAL_VERDICT: {},
        Kind.OVERRIDE: {"state": "InForce", "endedAt": "z"},
        Kind.CLUSTER_OVERRIDE: {"state": "Expired", "endedAt": "2026-11-23T20:00:00Z"},
    }
    for number in range(count):
        name = f"odd{number}"
        record = failover_record(name, uid=f"u-{name}", deletionPolicy="Delete")
        zone = dns_zone(name, uid=f"z-{name}", domain=f"{name}.test")
        ours, everybody_s = (
            override(name, action="Pin", record=name, revision=1),
            override(name, action="Drain", region=name),
        )
        raws = (record, zone, cloud_region(name), vantage(name), external_verdict(name), ours, everybody_s)
        kind, raw = chance.choice(list(zip(Kind, raws, strict=True)))
        raw = {**changed(raw, annotations={"detour.dev/failback": "1"}), "status": {**status, **more[kind]}}
        for _ in range(chance.randint(1, 3)):
            path = chance.choice([each for each in places(raw) if each not in (("metadata",), ("metadata", "name"))])
            node = raw
            for step in path[:-1]:
                node = node[step]
            try:
                node[path[-1]] = copy.deepcopy(chance.choice(ODD_VALUES))
            except (KeyError, IndexError, TypeError):
                continue
        yield kind, raw


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
async def test_odd_objects_stand_beside_others_and_stop_none_of_them(boot: Boot, seed: int) -> None:
    world = boot(dns_zone(), failover_record(), cloud_region())
    for kind, raw in odd_objects(40, seed):
        namespace = "shop" if kind.is_namespaced else ""
        world.api.objects[kind, namespace, raw["metadata"]["name"]] = raw
    world.list()
    await world.until(lambda: world.answers() == ONE)
    await asyncio.sleep(60)
    world.list()
    world.down = set(ONE)
    await world.until(lambda: world.answers() == TWO, within=30)
    await world.until(lambda: world.api.condition("FailedOver") == ("True", "OnLowerPriority"), within=60)
    assert all(not task.done() for task in world._work), "nothing of the process ended"
    assert world.api.status("main", Kind.DNS_ZONE)
