"""What the writer of status takes for an echo of its own, and what for somebody else's hand."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from detour.engine.ports import ClusterError
from detour.kube.cluster import Cluster
from detour.kube.metadata import MetadataWriter
from detour.kube.origins import origin_of
from detour.kube.reporting.events import EVENTS_KEPT
from detour.kube.reporting.quietstart import was_well
from detour.kube.reporting.reporter import REST, WRITES_IN_FLIGHT, Reporter
from detour.kube.reporting.reporting import Pictures, Reporting
from detour.model.objects import Kind, RawObject, Subject
from detour.model.record import ObjectKey

RECORD = Subject(Kind.FAILOVER_RECORD, ObjectKey("shop", "api"), "u-1")


def reporter(now: float) -> Reporter:
    nobody = cast(Cluster, None)
    return Reporter(nobody, component="x", build=lambda *_: None, wall_clock=lambda: 0.0, clock=lambda: now)


async def test_a_status_set_back_after_we_found_it_is_written_again_though_its_version_is_older() -> None:
    found = reporter(now=5.0)
    found.adopt(RECORD, {"summary": "new"}, "100")
    found.seen(RECORD, {"summary": "old"}, "50", listed_at=6.0)
    assert found.status_of(RECORD) == {"summary": "old"}


async def test_an_echo_of_an_earlier_version_is_none() -> None:
    found = reporter(now=5.0)
    found.adopt(RECORD, {"summary": "new"}, "100")
    found.seen(RECORD, {"summary": "old"}, "50", listed_at=None)
    assert found.status_of(RECORD) == {"summary": "new"}


async def test_the_last_word_of_the_leader_before_us_is_overwritten_in_silence_and_a_wiped_status_is_told() -> None:
    found = reporter(now=5.0)
    found.adopt(RECORD, {"summary": "one"}, "100")
    assert not found.seen(RECORD, {"summary": "its last"}, "101", listed_at=None)
    assert found.seen(RECORD, {}, "102", listed_at=None)


class Slow:
    """An API server that takes a moment for each patch, and counts how many it has at once."""

    def __init__(self) -> None:
        self.patched: list[str] = []
        self.most = self._now = 0

    async def patch(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, status: bool) -> RawObject:
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(0.001)
        self._now -= 1
        self.patched.append(name)
        return {"metadata": {"resourceVersion": "1"}}


@pytest.mark.parametrize(("is_busy", "at_once"), [(True, 1), (False, 6)])
async def test_while_names_wait_to_be_changed_one_status_is_written_at_a_time(is_busy: bool, at_once: int) -> None:
    cluster, loop = Slow(), asyncio.get_running_loop()
    writer = Reporter(
        cast(Cluster, cluster),
        component="x",
        build=lambda subject, _: {"summary": "new"},
        wall_clock=lambda: 0.0,
        clock=loop.time,
        is_busy=lambda: is_busy,
    )
    names = [f"n{number}" for number in range(10)]
    for name in names:
        writer.mark(Subject(Kind.FAILOVER_RECORD, ObjectKey("shop", name), name))
    began = loop.time()
    await writer.flush()
    assert sorted(cluster.patched) == sorted(names)
    assert cluster.most == at_once
    assert (loop.time() - began >= 9 * REST) is is_busy, "and between two of them there is time for the names"


async def test_a_flush_that_is_cut_short_forgets_nobody() -> None:
    cluster, names = Slow(), [f"n{number}" for number in range(20)]
    writer = Reporter(
        cast(Cluster, cluster),
        component="x",
        build=lambda subject, _: {"summary": "new"},
        wall_clock=lambda: 0.0,
        clock=lambda: 5.0,
    )
    for name in names:
        writer.mark(Subject(Kind.FAILOVER_RECORD, ObjectKey("shop", name), name))
    cut = asyncio.create_task(writer.flush())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    cut.cancel()
    await asyncio.gather(cut, return_exceptions=True)
    await writer.flush()
    assert sorted(cluster.patched) == sorted(names)


SEEN = {
    "zones": [{"name": "z", "verifiedAt": "2026-11-29T10:00:00Z"}],
    "since": "2026-11-29T10:00:00Z",
    "commands": {"failback": "2026-11-29T10:00:00Z"},
    "text": "as is",
}


@pytest.mark.parametrize(
    ("status", "is_news"),
    [
        (SEEN, False),
        ({**SEEN, "zones": [{"name": "z", "verifiedAt": "2026-11-29T11:11:11Z"}]}, False),
        ({**SEEN, "zones": [{"name": "z"}]}, True),
        ({**SEEN, "since": "2026-11-29T09:59:59Z"}, False),
        ({**SEEN, "since": "2026-11-29T10:00:09Z"}, True),
        ({**SEEN, "text": "otherwise"}, True),
        ({**SEEN, "commands": {"failback": "2026-11-29T10:00:01Z"}}, True),
        ({**SEEN, "more": "text"}, True),
    ],
)
async def test_a_status_is_written_for_what_a_person_reads(status: Mapping[str, Any], is_news: bool) -> None:
    """After a restart each name is seen anew, and clocks that were set right tell times otherwise."""
    cluster = Slow()
    writer = Reporter(
        cast(Cluster, cluster),
        component="x",
        build=lambda subject, _: dict(status),
        wall_clock=lambda: 0.0,
        clock=lambda: 5.0,
    )
    writer.adopt(RECORD, SEEN, "1")
    writer.mark(RECORD)
    await writer.flush()
    assert bool(cluster.patched) is is_news


async def test_statuses_without_news_are_built_by_turns() -> None:
    built = 0

    def build(*_: object) -> dict[str, Any]:
        nonlocal built
        built += 1
        return {}

    nobody = cast(Cluster, None)
    writer = Reporter(nobody, component="x", build=build, wall_clock=lambda: 0.0, clock=lambda: 5.0)
    for number in range(200):
        writer.mark(Subject(Kind.FAILOVER_RECORD, ObjectKey("shop", f"n{number}"), f"u{number}"))
    flush = asyncio.create_task(writer.flush())
    most = before = 0
    while not flush.done():
        await asyncio.sleep(0)
        most, before = max(most, built - before), built
    assert built == 200
    assert most <= 2 * WRITES_IN_FLIGHT


class Noting(Slow):
    """Notes also which events are created, in one line with the patches."""

    refused = 0

    async def create_event(self, namespace: str, body: Mapping[str, Any]) -> None:
        await asyncio.sleep(0.001)
        if self.refused:
            self.refused -= 1
            raise ClusterError("too many requests", 429)
        self.patched.append(f"{body['reason']} {body['involvedObject']['name']}")


def noting_reporter(cluster: Slow) -> Reporter:
    return Reporter(
        cast(Cluster, cluster),
        component="x",
        build=lambda subject, _: {"summary": "new"},
        wall_clock=lambda: 0.0,
        clock=asyncio.get_running_loop().time,
    )


def record_of(number: int) -> Subject:
    return Subject(Kind.FAILOVER_RECORD, ObjectKey("shop", f"n{number}"), f"u{number}")


async def test_events_about_records_come_after_statuses_and_those_about_zones_before() -> None:
    cluster = Noting()
    writer = noting_reporter(cluster)
    for number in range(60):
        writer.mark(record_of(number))
        writer.events.tell(record_of(number), "Decided", "told")
    writer.events.tell(record_of(7), "StatusRefused", "told", warning=True)
    writer.events.tell(Subject(Kind.DNS_ZONE, ObjectKey("dns", "main"), "z"), "Ready", "told")
    await asyncio.gather(writer.flush(), writer.events.flush())
    order = cluster.patched
    statuses = [order.index(f"n{number}") for number in range(60)]
    decided = [order.index(f"Decided n{number}") for number in range(60)]
    assert order.index("Ready main") < 12, "whoever waits for a zone need not wait for sixty records"
    assert sorted(statuses)[-7] < order.index("StatusRefused n7") < min(decided)
    assert decided == sorted(decided), "in the order in which they were told"


async def test_where_too_many_events_come_at_once_the_oldest_are_left_out_and_that_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = Noting()
    writer = noting_reporter(cluster)
    writer.events.tell(Subject(Kind.DNS_ZONE, ObjectKey("dns", "main"), "z"), "Ready", "told")
    for number in range(EVENTS_KEPT + 3):
        writer.events.tell(record_of(number), "Decided", "told")
    assert await writer.events.flush()
    assert len(cluster.patched) == EVENTS_KEPT + 1
    assert cluster.patched[:2] == ["Ready main", "Decided n3"]
    assert "events that were left out, as too many came at once: 3" in caplog.text


async def test_an_event_about_a_record_waits_for_statuses_a_second_at_most() -> None:
    cluster = Noting()
    writer = noting_reporter(cluster)
    loop = asyncio.get_running_loop()
    for number in range(30_000):
        writer.mark(record_of(number))
    writer.events.tell(record_of(0), "Decided", "told")
    writing, began = asyncio.create_task(writer.flush()), loop.time()
    await asyncio.sleep(0.01)  # it has begun
    await writer.events.flush()
    assert 0.9 <= loop.time() - began <= 1.5
    assert not writing.done(), "there were statuses for longer"
    writing.cancel()


async def test_an_event_that_was_not_taken_is_tried_again_before_those_that_give_way() -> None:
    """What a zone has to tell does not wait until all statuses are written."""
    cluster = Noting()
    cluster.refused = 1
    writer = noting_reporter(cluster)
    for number in range(20_000):
        writer.mark(record_of(number))
    for number in range(9):
        writer.events.tell(record_of(number), "Decided", "told")
    writer.events.tell(Subject(Kind.DNS_ZONE, ObjectKey("dns", "main"), "z"), "Ready", "told")
    writing = asyncio.create_task(writer.flush())
    await asyncio.sleep(0.01)
    await writer.events.flush()
    told = [each for each in cluster.patched if " " in each]
    assert "Ready main" in told[:3], told
    writing.cancel()


async def test_a_status_without_news_costs_no_rest() -> None:
    cluster, loop = Slow(), asyncio.get_running_loop()
    writer = Reporter(
        cast(Cluster, cluster),
        component="x",
        build=lambda *_: None,
        wall_clock=lambda: 0.0,
        clock=loop.time,
        is_busy=lambda: True,
    )
    for number in range(200):
        writer.mark(record_of(number))
    await asyncio.wait_for(writer.flush(), 100 * REST)
    assert not cluster.patched


def test_what_is_kept_of_an_object_tells_with_its_status_that_it_was_well() -> None:
    """As where a record comes back to a replica that let it go: it is as quiet as after a restart."""
    metadata = {"name": "api", "namespace": "shop", "uid": "u-1", "generation": 3, "resourceVersion": "7"}
    ready = {"type": "Ready", "status": "True", "observedGeneration": 3}
    origin = origin_of({"metadata": metadata, "status": {"conditions": [ready]}, "spec": {"hostname": "x"}})
    reporting = Reporting(cast(MetadataWriter, None), wall_clock=lambda: 0.0)
    writer = reporter(now=5.0)
    reporting.connect(writer, cast(Pictures, None))
    writer.adopt(RECORD, origin.shown["status"], "7")
    kept = reporting.kept(origin)
    assert "status" not in kept.shown
    assert was_well(Kind.FAILOVER_RECORD, reporting.with_status(RECORD, kept).shown)


@pytest.mark.parametrize(
    ("before", "after", "is_news"),
    [
        ("held down until 2026-11-30T22:12:54Z", "held down until 2026-11-30T22:12:53Z", False),
        ("held down until 2026-11-30T22:12:54Z", "held down until 2026-11-30T22:12:59Z", True),
        ("held down until 2026-11-30T22:12:54Z", "waits until 2026-11-30T22:12:54Z", True),
        ("a 2026-11-30T22:12:54Z", "a 2026-11-30T22:12:54Z and 2026-11-30T22:12:54Z", True),
    ],
)
async def test_a_sentence_whose_times_are_the_same_moments_is_no_news(before: str, after: str, is_news: bool) -> None:
    """After a restart they are told by another clock, to the second: thousands of statuses would be written."""
    found = reporter(now=5.0)
    found.adopt(RECORD, {"message": before}, "100")
    found.seen(RECORD, {"message": after}, "101", listed_at=None)
    assert (found.status_of(RECORD) == {"message": after}) is is_news
