"""Reading and writing the Leases by which replicas divide the zones."""

from collections.abc import Mapping
from typing import Any

import pytest

from detour.app.handover import CONFLICT, GONE
from detour.app.sharding.leasebook import REFUSED_FOR, LeaseBook
from detour.app.sharding.leases import Told
from detour.engine.clock import Clock
from detour.engine.ports import ClusterError
from detour.model.record import ObjectKey

A, B = ObjectKey("dns", "a"), ObjectKey("dns", "b")


class Store:
    """Leases as an API server keeps them. What is in `refused` it does not take, for a reason of its own."""

    def __init__(self) -> None:
        self.leases: dict[str, Mapping[str, Any]] = {}
        self.refused: set[str] = set()
        self.writes = 0
        self.on_list: Any = None

    async def read_lease(self, namespace: str, name: str) -> Mapping[str, Any]:
        return self._found(name)

    async def create_lease(self, namespace: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if body["metadata"]["name"] in self.leases:
            raise ClusterError("it exists", CONFLICT)
        return self._keep(body)

    async def replace_lease(self, namespace: str, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self._check(name, body["metadata"]["resourceVersion"])
        return self._keep(body)

    async def list_leases(self, namespace: str, selector: str) -> list[Mapping[str, Any]]:
        found = list(self.leases.values())
        if self.on_list is not None:
            await self.on_list()
        return found

    async def delete_lease(self, namespace: str, name: str, version: str) -> None:
        self._check(name, version)
        del self.leases[name]

    def _found(self, name: str) -> Mapping[str, Any]:
        if name not in self.leases:
            raise ClusterError("not found", GONE)
        return self.leases[name]

    def _check(self, name: str, version: str) -> None:
        if self._found(name)["metadata"]["resourceVersion"] != version:
            raise ClusterError("it has changed", CONFLICT)

    def _keep(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        name = body["metadata"]["name"]
        if name in self.refused:
            raise ClusterError("a webhook refuses it", 403)
        self.writes += 1
        kept = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.writes)}}
        self.leases[name] = kept
        return kept


class Replica:
    """One replica's book, at a clock that is set by hand."""

    def __init__(self, store: Store, identity: str) -> None:
        self.now = 0.0
        self.book = LeaseBook(
            store,
            namespace="detour",
            first="detour",
            identity=identity,
            clock=Clock(now=lambda: self.now, wall=lambda: self.now),
        )

    async def holders(self) -> dict[ObjectKey, str]:
        return {zone: lease.holder for zone, lease in (await self.book.read()).zones.items()}


@pytest.fixture
def store() -> Store:
    return Store()


async def test_a_zone_is_whose_lease_was_written_first(store: Store) -> None:
    one, two = Replica(store, "one_1"), Replica(store, "two_1")
    await one.book.read()
    await two.book.read()
    assert await one.book.write(A, "one_1")
    assert not await two.book.write(A, "two_1")
    assert await two.holders() == {A: "one_1"}


async def test_a_lease_that_cannot_be_written_is_left_alone_for_a_while_and_no_other(store: Store) -> None:
    one = Replica(store, "one_1")
    store.refused.add(one.book.names.of_zone(A))
    assert [await one.book.write(zone, "one_1") for zone in (A, B)] == [False, True]
    store.refused.clear()
    assert not await one.book.write(A, "one_1")
    one.now += REFUSED_FOR
    assert await one.book.write(A, "one_1")


async def test_a_list_that_began_before_a_write_does_not_undo_it(store: Store) -> None:
    one = Replica(store, "one_1")
    await one.book.write(A, "one_1")
    one.now += 1.0

    async def give() -> None:
        one.now += 1.0
        await one.book.write(A, "two_1")

    store.on_list = give
    assert await one.holders() == {A: "two_1"}
    store.on_list = None
    one.now += 1.0
    assert await one.holders() == {A: "two_1"}


async def test_a_replica_that_ends_says_so_though_a_renewal_was_under_way(store: Store) -> None:
    one, two = Replica(store, "one_1"), Replica(store, "two_1")
    await one.book.renew(Told())
    name = one.book.names.of_replica("one_1")
    await store.replace_lease(
        "detour",
        name,
        one.book.names.replica_body(None, "one_1", Told(), 1.0) | {"metadata": store.leases[name]["metadata"]},
    )
    await one.book.renew(Told(), has_ended=True)
    found = await two.book.read()
    assert (dict(found.replicas), list(found.ended)) == ({}, [name])


async def test_a_lease_that_has_changed_is_not_deleted(store: Store) -> None:
    one, two = Replica(store, "one_1"), Replica(store, "two_1")
    await one.book.write(A, "one_1")
    await two.book.read()
    await one.book.write(A, "two_1")
    await two.book.delete_zone(A)
    assert await one.holders() == {A: "two_1"}
    await two.book.read()
    await two.book.delete_zone(A)
    one.now += 1.0
    assert await one.holders() == {}
