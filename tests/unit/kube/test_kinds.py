"""What is kept of an object that the API server shows."""

from typing import Any

import pytest
from tests.unit.app.objects import failover_record

from detour.kube.annotations import complaints
from detour.kube.kinds import slim
from detour.kube.metadata import FINALIZER, with_finalizer
from detour.kube.origins import origin_of
from detour.kube.translate import record_from, record_memory
from detour.model.objects import Kind

METADATA = {
    "labels": {"app": "shop"},
    "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
    "annotations": {
        "detour.dev/failback": "now",
        "detour.dev/failbak": "now",
        "kubectl.kubernetes.io/last-applied-configuration": "{...}",
    },
    "finalizers": [FINALIZER, "somebody.else/dns"],
    "deletionTimestamp": "2026-11-29T12:00:00Z",
}


def test_nothing_that_is_looked_at_is_left_out() -> None:
    status = {"observedGeneration": 3, "endpoints": [{"name": "one", "verdict": "Healthy"}]}
    raw: dict[str, Any] = {**failover_record(metadata=METADATA), "status": status}
    kept = slim(raw)
    assert record_from(kept, None) == record_from(raw, None)
    assert record_memory(kept) == record_memory(raw)
    assert complaints(Kind.FAILOVER_RECORD, kept) == complaints(Kind.FAILOVER_RECORD, raw) != ()
    assert with_finalizer(kept, wanted=False) == with_finalizer(raw, wanted=False)
    one, other = origin_of(kept), origin_of(raw)
    assert (one.created, one.generation, one.is_being_deleted) == (other.created, other.generation, True)
    assert one.has_finalizer


def test_what_nobody_looks_at_is_not_kept() -> None:
    kept = slim(failover_record(metadata=METADATA))
    assert not {"labels", "managedFields"} & kept["metadata"].keys()
    assert set(kept["metadata"]["annotations"]) == {"detour.dev/failback", "detour.dev/failbak"}


@pytest.mark.parametrize("raw", [{}, {"metadata": None}, {"metadata": []}, {"metadata": {"annotations": "text"}}, None])
def test_what_is_no_object_stays_as_it_is(raw: Any) -> None:
    assert slim(raw) == raw
