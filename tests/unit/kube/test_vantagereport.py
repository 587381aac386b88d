"""What a vantage writes is read as it was written; what a stolen token writes harms that vantage alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from detour.kube.lease import heartbeats_in
from detour.kube.resources.vantage import VantageStatus
from detour.kube.translate import DeclarationError
from detour.kube.vantagereport import report_body, report_from, report_name
from detour.model.health import Verdict
from detour.model.vantage import Finding, Latency, References, SignOfLife, VantageReport

REPORT = VantageReport(
    "probe-1_ab12",
    41,
    2,
    {b"12345678": Finding(Verdict.HEALTHY, 60.0, 2.5), b"abcdefgh": Finding(Verdict.UNHEALTHY, 1.5, 0.2)},
    1,
    References.PASSING,
    lateness=0.25,
    stretch=1.5,
    clock_offset=-0.75,
    latency=Latency(0.012, 0.05, 0.2),
)
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = (
    *("instance", "number", "checks", "findings", "references", "latenessMilliseconds", "stretchPercent"),
    *("clockOffsetMilliseconds", "latencyMilliseconds"),
)


def body(report: VantageReport = REPORT) -> dict[str, Any]:
    return report_body(report, version="0.9", at=1_700_000_000.0)


def test_what_was_written_is_read_again() -> None:
    assert report_from(body()) == REPORT
    assert report_name(body()) == ("probe-1_ab12", 41)


def test_it_is_what_the_schema_lets_through() -> None:
    VantageStatus.model_validate(body()["status"], strict=False)


@given(some.dictionaries(some.sampled_from(FIELDS), JSON, max_size=4))
def test_whatever_stands_there_is_a_report_or_one_error(changes: dict[str, Any]) -> None:
    item = body()
    item["status"]["report"] |= changes
    try:
        found = report_from(item)
    except DeclarationError:
        return
    assert isinstance(found.number, int)
    assert all(abs(each) < 1e16 for each in (found.lateness, found.stretch, found.clock_offset or 0.0))


@pytest.mark.parametrize("item", [{}, {"status": None}, {"status": {"report": 7}}, {"status": {"report": {}}}])
def test_where_there_is_none_there_is_no_name(item: dict[str, Any]) -> None:
    assert report_name(item) is None
    with pytest.raises(DeclarationError):
        report_from(item)


def test_references_of_which_nonsense_is_said_do_not_pass() -> None:
    item = body()
    item["status"]["report"]["references"] = "Certainly"
    assert report_from(item).references is References.FAILING


def lease(name: object = "elsewhere", number: object = "41", holder: object = "probe-1", renewed: object = "t") -> Any:
    return {
        "metadata": {
            "name": f"vantage-{name}",
            "labels": {"detour.dev/vantage": name},
            "annotations": {"detour.dev/report": number},
        },
        "spec": {"holderIdentity": holder, "renewTime": renewed},
    }


def test_whose_lease_it_is_its_name_says_which_no_token_can_change() -> None:
    stolen = lease("west")
    stolen["metadata"]["labels"]["detour.dev/vantage"] = "east"
    assert heartbeats_in([lease("east"), stolen]) == {"east": SignOfLife("probe-1", 41, "t")}


def test_heartbeats_are_read_off_their_leases() -> None:
    assert heartbeats_in([lease()]) == {"elsewhere": SignOfLife("probe-1", 41, "t")}


@pytest.mark.parametrize(
    "odd",
    [
        *({}, {"metadata": 1, "spec": []}, lease(name=None), lease(number="x"), lease(number="-1"), lease(number=None)),
        *(lease(number="9" * 99), lease(holder=None), lease(renewed=7)),
    ],
)
def test_a_lease_that_makes_no_sense_is_no_heartbeat_and_keeps_no_other_from_being_one(odd: Any) -> None:
    assert heartbeats_in([odd, lease("other")]) == {"other": SignOfLife("probe-1", 41, "t")}
