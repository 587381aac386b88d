"""Changing the metadata of objects: our finalizer, and annotations that have served their purpose."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

from detour.engine.ports import ClusterError
from detour.kube.cluster import Cluster
from detour.kube.turns import Turns
from detour.model.defects import told
from detour.model.objects import RawObject, Subject

logger = logging.getLogger(__name__)

FINALIZER = "detour.dev/dns"
"""Keeps a FailoverRecord with deletionPolicy Delete until its names are gone from DNS, and a DNSZone that it needs."""

PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds until a patch that the API server did not take is sent again: doubling from the first to the longest."""


def has_finalizer(raw: RawObject) -> bool:
    """Tell whether the object bears our finalizer."""
    return FINALIZER in (raw.get("metadata", {}).get("finalizers") or ())


def with_finalizer(raw: RawObject, wanted: bool) -> Mapping[str, Any]:
    """Return the patch that adds or removes our finalizer, on condition that the object is as in `raw`."""
    metadata = raw.get("metadata", {})
    others = [each for each in metadata.get("finalizers") or () if each != FINALIZER]
    wished = [*others, FINALIZER] if wanted else others
    return {"metadata": {"finalizers": wished, "resourceVersion": metadata.get("resourceVersion")}}


def without_annotation(name: str) -> Mapping[str, Any]:
    """Return the patch that removes an annotation."""
    return {"metadata": {"annotations": {name: None}}}


def _merged(before: Mapping[str, Any], after: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return one patch in place of two for the same object: what the later says counts."""
    old, new = before["metadata"], after["metadata"]
    annotations = {**old.get("annotations", {}), **new.get("annotations", {})}
    return {"metadata": {**old, **new, **({"annotations": annotations} if annotations else {})}}


class MetadataWriter:
    """Sends patches until they are taken, refused, or replaced by newer ones for the same object."""

    def __init__(self, cluster: Cluster, *, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._patches: dict[Subject, Mapping[str, Any]] = {}
        self._turns: Turns[Subject] = Turns(first=PAUSE, longest=LONGEST_PAUSE, clock=clock)
        self._news = asyncio.Event()

    def patch(self, subject: Subject, body: Mapping[str, Any]) -> None:
        """Send `body`, made anew where the object is newer, as after any write of its status."""
        before = self._patches.get(subject)
        self._patches[subject] = _merged(before, body) if before else body
        self._news.set()

    @property
    def has_unsent(self) -> bool:
        """Tell whether a patch still waits to be taken."""
        return bool(self._patches)

    async def run(self) -> None:
        """Send patches until cancelled. What goes wrong with one object costs that object its turn."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), self._turns.next_in(self._patches))
            self._news.clear()
            for subject, body in list(self._patches.items()):
                if not self._turns.is_due(subject):
                    continue
                if not await self._try(subject, body):
                    if self._patches.get(subject) is body:
                        self._turns.failed(subject)
                    continue
                self._turns.went_well(subject)
                if self._patches.get(subject) is body:
                    del self._patches[subject]

    async def _try(self, subject: Subject, body: Mapping[str, Any]) -> bool:
        try:
            return await self._send(subject, body)
        except Exception as error:
            logger.error("%s %s cannot be patched: %s", subject.kind.title, subject.key, told(error))
            return False

    async def _send(self, subject: Subject, body: Mapping[str, Any]) -> bool:
        try:
            await self._cluster.patch(subject.kind, *subject.key, body, status=False)
        except ClusterError as error:
            if error.status == 409:
                return await self._renew(subject, body)
            if 400 <= error.status < 500 and error.status != 429:
                if error.status != 404:
                    logger.error("%s %s cannot be patched: %s", subject.kind.title, subject.key, error)
                return True
            return False
        return True

    async def _renew(self, subject: Subject, body: Mapping[str, Any]) -> bool:
        """Put `body`, unless it was replaced meanwhile, on top of the object as it is now; True where it is settled."""
        try:
            found = await self._cluster.read_object(subject.kind, *subject.key)
        except ClusterError as error:
            return error.status == 404
        metadata = found.get("metadata", {})
        wanted = FINALIZER in body["metadata"].get("finalizers", ())
        rest = {key: value for key, value in body["metadata"].items() if key == "annotations"}
        if metadata.get("uid") != subject.uid or (has_finalizer(found) is wanted and not rest):
            return True
        if self._patches.get(subject) is body:
            self._patches[subject] = _merged({"metadata": rest}, with_finalizer(found, wanted))
            self._news.set()
        return False
