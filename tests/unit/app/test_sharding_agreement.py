"""The regions that names may leave, kept by several replicas in one Lease."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from detour.app.handover import CONFLICT, GONE
from detour.app.sharding.agreement import UNUSED_FOR, Agreement
from detour.app.sharding.leases import Names, Told
from detour.app.sharding.neighbours import Others
from detour.engine.clock import Clock
from detour.engine.ports import ClusterError
from detour.model.record import ObjectKey
from detour.planning.safety.departures import Departures

ZONE = object()


class Store:
    """Leases as an API server keeps them, which may be away."""

    def __init__(self) -> None:
        self.leases: dict[str, Mapping[str, Any]] = {}
        self.is_away = False
        self.writes = 0

    async def read_lease(self, namespace: str, name: str) -> Mapping[str, Any]:
        await asyncio.sleep(0)
        if self.is_away:
            raise ClusterError("nobody answers", 0)
        if name not in self.leases:
            raise ClusterError("not found", GONE)
        return self.leases[name]

    async def create_lease(self, namespace: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        await asyncio.sleep(0)
        if body["metadata"]["name"] in self.leases:
            raise ClusterError("it exists", CONFLICT)
        return self._keep(body)

    async def replace_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        await asyncio.sleep(0)
        if body["metadata"]["resourceVersion"] != self.leases[name]["metadata"]["resourceVersion"]:
            raise ClusterError("it has changed", CONFLICT)
        return self._keep(body)

    def _keep(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self.writes += 1
        kept = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.writes)}}
        self.leases[body["metadata"]["name"]] = kept
        return kept


class Replica:
    """One replica's departures and its agreement, at a clock that stands still."""

    def __init__(self, store: Store, identity: str) -> None:
        self.now = 1_000.0
        self.departures = Departures(free_names=0)
        self.departures.keep_for(ZONE, 600.0)
        self.others = Others({"other": Told(2)}, shares=2)
        self.agreement = Agreement(
            store,
            namespace="detour",
            names=Names("detour"),
            identity=identity,
            clock=Clock(now=lambda: self.now, wall=lambda: self.now),
            departures=self.departures,
            others=self.others,
            free_names=0,
            is_first=lambda: True,
        )
        self.work = asyncio.ensure_future(self.agreement.run())

    def may_leave(self, region: str, record: str = "api", namespace: str = "shop", allowed: int = 1) -> bool:
        key = ObjectKey(namespace, record)
        blocked = self.departures.blocks(key, [region], allowed=allowed, has_other_place=True)
        if blocked is None:
            self.departures.leave(key, region, self.now, zone=ZONE)
        return blocked is None

    async def leaves(self, region: str, record: str = "api", namespace: str = "shop", allowed: int = 1) -> bool:
        """Try to leave, and once more when the replicas have had time to agree."""
        if self.may_leave(region, record, namespace, allowed):
            return True
        await asyncio.sleep(0.02)
        return self.may_leave(region, record, namespace, allowed)


@pytest.fixture
async def replicas() -> Any:
    store = Store()
    made = [Replica(store, name) for name in ("one", "two")]
    yield store, *made
    for each in made:
        each.work.cancel()


async def test_a_region_is_asked_for_once_and_free_for_all_replicas(replicas: Any) -> None:
    store, one, two = replicas
    assert not one.may_leave("east"), "nobody has agreed yet"
    assert await one.leaves("east")
    assert await one.leaves("east", "web")
    assert await two.leaves("east", "mail", "office")
    assert store.writes == 2


async def test_another_region_is_held_for_all_but_a_namespace_of_its_own(replicas: Any) -> None:
    _, one, two = replicas
    assert await one.leaves("east")
    assert not await two.leaves("west", "web")
    assert await two.leaves("west", "mail", "office") is True, "others' failures are none of its business"


async def test_two_that_ask_at_once_agree_on_one(replicas: Any) -> None:
    _, one, two = replicas
    found = await asyncio.gather(one.leaves("east", "a"), two.leaves("west", "b"))
    assert sorted(found) == [False, True]


async def test_who_can_ask_nobody_goes_by_what_it_knows_and_tells_it_afterwards(replicas: Any) -> None:
    store, one, two = replicas
    store.is_away = one.others.is_alone = True
    assert await one.leaves("east")
    assert not await one.leaves("west", "web"), "the limit holds for its own names"
    store.is_away = one.others.is_alone = False
    one.agreement.listed(None)
    await asyncio.sleep(0.02)
    assert not await two.leaves("west", "b")
    assert await two.leaves("east", "c")


async def test_a_region_is_taken_back_once_nobody_counts_it_and_not_while_somebody_asks(replicas: Any) -> None:
    _, one, two = replicas
    assert await one.leaves("east")
    one.departures.come_back(ObjectKey("shop", "api"), "east", zone=ZONE)
    await one.agreement.clear_up()
    one.now += UNUSED_FOR
    assert await two.leaves("east", "late", "office")
    await one.agreement.clear_up()
    assert not await one.leaves("west", "b", "garden", 0), "two has asked for the east since"
    two.departures.come_back(ObjectKey("office", "late"), "east", zone=ZONE)
    await one.agreement.clear_up()
    one.now += UNUSED_FOR
    await one.agreement.clear_up()
    assert await one.leaves("west", "b", "garden")


async def test_what_another_replica_counts_is_not_taken_back(replicas: Any) -> None:
    _, one, two = replicas
    assert await two.leaves("east")
    one.others.told = {"other": Told(2, left={"east": 1}, namespaces={"shop": ("east",)})}
    for _ in range(3):
        await one.agreement.clear_up()
        one.now += UNUSED_FOR
    assert not await one.leaves("west", "web")
    one.others.told, one.others.shares = {}, 2
    for _ in range(3):
        await one.agreement.clear_up()
        one.now += UNUSED_FOR
    assert not await one.leaves("west", "web"), "who ended without a word may still count it"
