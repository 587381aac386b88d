"""Reading one's own earlier status: what makes sense is kept, the rest counts as not there."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detour.kube.resources.failoverrecord_status import FailoverRecordStatus
from detour.kube.translate import EndpointMemory, HistoryMemory, RecordMemory, ZoneMemory, record_memory
from detour.model.generation import Generation
from detour.model.health import Verdict
from detour.model.record import ObjectKey
from detour.model.timestamps import format_time, parse_time

STATUS: dict[str, Any] = {
    "observedGeneration": 3,
    "summary": {"serving": "virginia", "healthy": "1/1", "zones": "1/2"},
    "plan": {"revision": 12, "reason": "priority 1 is healthy", "decidedAt": "2026-11-23T20:00:00.125Z"},
    "serving": [{"name": "virginia", "region": "aws", "values": ["192.0.2.10"]}],
    "endpoints": [
        {
            "name": "virginia",
            "verdict": "Healthy",
            "since": "2026-11-23T20:00:00Z",
            "lastFailureAt": "2026-11-23T19:00:00Z",
            "reason": "",
            "message": "",
            "latencyMilliseconds": 4.5,
            "addresses": [{"address": "192.0.2.10", "verdict": "Healthy"}],
        }
    ],
    "zones": [
        {"name": "a", "namespace": "dns", "published": True, "generation": "7.42", "values": ["192.0.2.10"]},
        {"name": "b", "published": False},
    ],
    "history": [
        {"revision": 12, "values": ["192.0.2.10"], "reason": "r", "at": "2026-11-23T20:00:00Z"},
        {"revision": 11, "values": ["lb.example.net"]},
    ],
    "conditions": [],
}


def memory(status: object) -> RecordMemory:
    """What a record in the namespace shop remembers from this status."""
    return record_memory({"metadata": {"namespace": "shop"}, "status": status})


def test_a_whole_status_is_remembered() -> None:
    assert memory(STATUS) == RecordMemory(
        observed_generation=3,
        revision=12,
        plan_reason="priority 1 is healthy",
        decided_at=1795464000.125,
        serving=("virginia",),
        endpoints=(
            EndpointMemory(
                name="virginia",
                verdict=Verdict.HEALTHY,
                since=1795464000.0,
                failed_at=1795460400.0,
                latency=0.0045,
                addresses=(("192.0.2.10", Verdict.HEALTHY),),
            ),
        ),
        zones=(
            ZoneMemory(ObjectKey("dns", "a"), True, Generation(7, 42), ("192.0.2.10",)),
            ZoneMemory(ObjectKey("shop", "b")),
        ),
        history=(
            HistoryMemory(12, ("192.0.2.10",), "r", 1795464000.0),
            HistoryMemory(11, ("lb.example.net",)),
        ),
    )


def test_the_status_model_writes_what_is_remembered() -> None:
    model = FailoverRecordStatus.model_validate(STATUS)
    assert memory(model.model_dump(by_alias=True, exclude_none=True, mode="json")) == memory(STATUS)


def test_nothing_is_remembered_of_a_new_record() -> None:
    assert record_memory({}) == record_memory({"status": {}}) == RecordMemory()


def test_a_value_that_is_no_address_and_no_name_is_never_remembered() -> None:
    values = ["192.0.2.1", "192.0.2.1; evil", "a\nb", "", 7, None, "::ffff:192.0.2.1", "2001:db8::1"]
    kept = ("192.0.2.1", "2001:db8::1")
    remembered = memory({"zones": [{"name": "a", "values": values}], "history": [{"revision": 1, "values": values}]})
    assert remembered.zones[0].values == kept
    assert remembered.history == (HistoryMemory(1, kept),)


def test_an_empty_set_is_no_history() -> None:
    assert memory({"history": [{"revision": 1, "values": []}, {"revision": 2}]}).history == ()


def test_an_entry_that_makes_no_sense_does_not_spoil_its_neighbours() -> None:
    endpoints = [None, {"verdict": "Healthy"}, {"name": "a", "verdict": "Fine"}, {"name": "b", "verdict": "Unhealthy"}]
    assert memory({"endpoints": endpoints}).endpoints == (EndpointMemory("b", Verdict.UNHEALTHY),)


def test_until_when_an_endpoint_is_held_out_is_remembered() -> None:
    endpoint = {"name": "a", "verdict": "Healthy", "heldOutUntil": "2026-11-23T20:00:00Z"}
    (found,) = memory({"endpoints": [endpoint]}).endpoints
    assert found.held_out_until == parse_time("2026-11-23T20:00:00Z")


def test_generations_and_counters_out_of_bounds_are_ignored() -> None:
    for text in ("7", "7.", ".7", "-1.2", "1.2.3", "٣.٤", "1e3.1", "9" * 20 + ".1", 7.42, None):
        assert memory({"zones": [{"name": "a", "generation": text}]}).zones[0].generation is None
    for number in (-1, True, "12", 1.5, 2**63, None, float("nan"), float("inf")):
        assert memory({"plan": {"revision": number}}).revision == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    [*STATUS, "name", "verdict", "since", "published", "generation", "values", "revision", "at", "addresses", "address"]
)
NEARLY = st.recursive(
    JSON, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5), max_leaves=20
)


@pytest.mark.slow
@given(status=NEARLY, metadata=JSON)
@settings(max_examples=400, deadline=None)
def test_garbage_never_raises(status: Any, metadata: Any) -> None:
    assert isinstance(record_memory({"metadata": metadata, "status": status}), RecordMemory)


@given(st.integers(min_value=0, max_value=250_000_000_000_000))
def test_a_time_survives_writing_and_reading_to_the_millisecond(milliseconds: int) -> None:
    assert round(parse_time(format_time(milliseconds / 1000)) * 1000) == milliseconds
