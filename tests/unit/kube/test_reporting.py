"""What the writer of status takes for an echo of its own, and what for somebody else's hand."""

from typing import cast

from detour.kube.cluster import Cluster
from detour.kube.reporting.reporter import Reporter
from detour.model.objects import Kind, Subject
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
