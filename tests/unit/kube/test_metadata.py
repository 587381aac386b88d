"""Patches of metadata reach their object although its status is written all the time."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, cast

from detour.engine.ports import ClusterError
from detour.kube.cluster import Cluster
from detour.kube.metadata import FINALIZER, MetadataWriter, has_finalizer, with_finalizer
from detour.model.objects import Kind, RawObject, Subject
from detour.model.record import ObjectKey

SUBJECT = Subject(Kind.FAILOVER_RECORD, ObjectKey("shop", "api"), "uid-1")
ANOTHERS = "example.com/another"


class OneObject:
    """A cluster with one object, which refuses patches made for an older version of it."""

    def __init__(self) -> None:
        self.raw: dict[str, Any] = {"metadata": {"uid": "uid-1", "resourceVersion": "7", "finalizers": [ANOTHERS]}}
        self.changed = asyncio.Event()

    async def patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, status: bool) -> None:
        if body["metadata"]["resourceVersion"] != self.raw["metadata"]["resourceVersion"]:
            raise ClusterError("the API server answers 409 Conflict", 409)
        self.raw["metadata"] |= body["metadata"]
        self.changed.set()

    async def read_object(self, kind: Kind, namespace: str, name: str) -> RawObject:
        return self.raw


async def test_a_finalizer_is_set_although_the_object_is_newer_than_what_was_seen_of_it() -> None:
    cluster = OneObject()
    seen: RawObject = {"metadata": {"resourceVersion": "6", "finalizers": []}}
    writer = MetadataWriter(cast(Cluster, cluster), clock=time.monotonic)
    writer.patch(SUBJECT, with_finalizer(seen, wanted=True))
    running = asyncio.create_task(writer.run())
    await asyncio.wait_for(cluster.changed.wait(), 10)
    running.cancel()
    assert has_finalizer(cluster.raw)
    assert cluster.raw["metadata"]["finalizers"] == [ANOTHERS, FINALIZER], "another's finalizer is left alone"


async def test_an_object_made_anew_under_the_name_is_left_alone() -> None:
    cluster = OneObject()
    cluster.raw["metadata"]["uid"] = "uid-2"
    writer = MetadataWriter(cast(Cluster, cluster), clock=time.monotonic)
    writer.patch(SUBJECT, with_finalizer({"metadata": {"resourceVersion": "6"}}, wanted=True))
    running = asyncio.create_task(writer.run())
    await asyncio.sleep(0)
    await asyncio.wait_for(_settled(writer), 10)
    running.cancel()
    assert cluster.raw["metadata"]["finalizers"] == [ANOTHERS]


async def _settled(writer: MetadataWriter) -> None:
    while writer.has_unsent:  # noqa: ASYNC110 - it tells nobody when it is done
        await asyncio.sleep(0.01)
