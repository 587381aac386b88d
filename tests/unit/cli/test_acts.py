"""What people do: what each act says before it is done, what it changes, and when it is refused."""

import pytest

from detour.cli import acts
from detour.cli.acts import RefusedError
from detour.cli.told import Told

from .statuses import endpoint, record, region, zone

DEAD = [endpoint("one", "192.0.2.1"), endpoint("two", "192.0.2.2", "Unhealthy", message="connection refused")]


def annotated(**annotations: str) -> Told:
    told = record()
    return Told(told.kind, {**told.raw, "metadata": {**told.raw["metadata"], "annotations": annotations}})


def test_a_drain_says_who_moves_and_who_cannot() -> None:
    stuck = record("alone", endpoints=DEAD)
    elsewhere = record("other", serving=[{"name": "two", "region": "azure-westeurope", "values": []}])
    act = acts.drain(region(), [record(), stuck, elsewhere], {}, reason="upgrade", until=None, override=False)
    assert act.will == (
        "take region aws-us-east-1 out of service: 2 records answer from there",
        "  shop/api moves",
        "  shop/alone stays: it is pinned, suspended, or no other endpoint of it is healthy and in service",
    )
    assert act.patch == {"spec": {"state": "Drained", "reason": "upgrade", "until": None, "overrides": None}}


def test_a_drain_that_overrides_the_least_number_of_regions_says_so() -> None:
    act = acts.drain(region(), [], {}, reason="", until="2026-11-30T18:00:00Z", override=True)
    assert act.patch["spec"]["overrides"] == ["MinRegionsInService"]
    assert act.patch["spec"]["until"] == "2026-11-30T18:00:00Z"


def test_a_drain_of_the_second_region_knows_that_the_first_is_out_already() -> None:
    regions = {"azure-westeurope": region("azure-westeurope", phase="Drained")}
    act = acts.drain(
        region(), [record(), record("www", state="Pinned")], regions, reason="", until=None, override=False
    )
    assert [each.split(":")[0] for each in act.will[1:]] == ["  shop/api stays", "  shop/www stays"]


def test_a_drain_that_is_told_anew_keeps_what_is_not_given() -> None:
    drained = region(phase="Drained", state="Drained", overrides=["MinRegionsInService"])
    act = acts.drain(drained, [], {}, reason="longer", until=None, override=False)
    assert act.patch == {"spec": {"state": "Drained", "reason": "longer"}}


def test_a_pin_of_a_cname_minds_the_checks_of_its_target() -> None:
    told = record(endpoints=[endpoint("one", "192.0.2.1", "Unhealthy", message="connection refused")])
    spec = {**told.spec, "endpoints": [{"name": "one", "hostname": "lb.example.net"}]}
    status = {**told.status, "history": [{"revision": 1, "values": ["lb.example.net"]}]}
    with pytest.raises(RefusedError, match=r"lb\.example\.net \(connection refused\)"):
        acts.pin(Told(told.kind, {**told.raw, "spec": spec, "status": status}), "1", force=False)


def test_an_undrain_takes_back_what_a_drain_has_set() -> None:
    act = acts.undrain(region(phase="Drained", state="Drained", reason="upgrade"))
    assert act.patch == {"spec": {"state": "Active", "reason": None, "until": None, "overrides": None}}
    with pytest.raises(RefusedError, match="is not drained"):
        acts.undrain(region())


def test_a_pin_to_what_fails_needs_force() -> None:
    told = record(endpoints=DEAD)
    with pytest.raises(RefusedError, match=r"192\.0\.2\.2 \(connection refused\).*--force"):
        acts.pin(told, "1", force=False)
    act = acts.pin(told, "1", force=True)
    assert act.patch == {"metadata": {"annotations": {"detour.dev/pin": "1"}}}
    assert any("fail their checks now" in each for each in act.will)
    with pytest.raises(RefusedError, match="has no revision 9: it has 2, 1"):
        acts.pin(told, "9", force=True)


def test_a_rollback_pins_what_was_served_before_and_minds_its_checks_too() -> None:
    assert acts.rollback(record(), force=False).patch == {"metadata": {"annotations": {"detour.dev/pin": "1"}}}
    with pytest.raises(RefusedError, match="--force"):
        acts.rollback(record(endpoints=DEAD), force=False)
    with pytest.raises(RefusedError, match="no earlier revision"):
        acts.rollback(record(history=[]), force=False)


def test_an_unpin_takes_the_annotation_off() -> None:
    assert acts.unpin(annotated(**{"detour.dev/pin": "1"})).patch == {
        "metadata": {"annotations": {"detour.dev/pin": None}}
    }
    with pytest.raises(RefusedError, match="is not pinned"):
        acts.unpin(record())


def test_an_approval_lists_what_it_lets_through() -> None:
    held = {"count": 3, "digest": "abc", "changes": ["api: 192.0.2.1 -> 192.0.2.2", "www: 192.0.2.1 -> 192.0.2.2"]}
    act = acts.approve(zone(held=held))
    assert act.patch == {"metadata": {"annotations": {"detour.dev/approve": "abc"}}}
    assert act.will[0].endswith("3 changes:")
    assert act.will[-1] == "  and 1 more, which the status does not list"
    with pytest.raises(RefusedError, match="nothing is held"):
        acts.approve(zone())


def test_a_zone_is_frozen_and_thawed_once() -> None:
    assert acts.freeze(zone(), frozen=True).patch == {"spec": {"safety": {"frozen": True}}}
    with pytest.raises(RefusedError, match="not frozen"):
        acts.freeze(zone(), frozen=False)
    with pytest.raises(RefusedError, match="frozen already"):
        acts.freeze(zone(spec={"safety": {"frozen": True}}), frozen=True)


def test_a_record_is_suspended_and_resumed_once() -> None:
    assert acts.suspend(record(), suspended=True).patch == {"spec": {"suspend": True}}
    with pytest.raises(RefusedError, match="is not suspended"):
        acts.suspend(record(), suspended=False)


def test_a_failback_names_who_waits() -> None:
    waiting = [endpoint("one", "192.0.2.1", returnsAt="2026-11-30T13:08:58Z")]
    act = acts.failback(record(endpoints=waiting), 1_796_040_000.0)
    assert "one need not wait any longer" in act.will[0]
    assert act.patch["metadata"]["annotations"]["detour.dev/failback"] == "2026-11-30T12:00:00Z"
