"""What people do: what each act says before it is done, what it changes, and when it is refused."""

from typing import Any

import pytest

from detour.cli import acts
from detour.cli.acts import Act, Asked, Create, Delete, Patch, RefusedError
from detour.cli.told import Told
from detour.model.objects import Kind
from detour.model.overrides import Action

from .statuses import endpoint, record, region, zone

DEAD = [endpoint("one", "192.0.2.1"), endpoint("two", "192.0.2.2", "Unhealthy", message="connection refused")]


NOW = 1_796_040_000.0
ASKED = Asked("alice", "upgrade", "2026-12-01T12:00:00Z", NOW)


def in_force(kind: Kind, name: str = "o", **spec: Any) -> Told:
    asked = {"requestedBy": "bob", "reason": "a test"}
    metadata = {"name": name, **({"namespace": "shop"} if kind is Kind.OVERRIDE else {})}
    return Told(kind, {"metadata": metadata, "spec": {**asked, **spec}, "status": {"state": "InForce"}})


def expired(told: Told) -> Told:
    return Told(told.kind, {**told.raw, "status": {"state": "Expired"}})


def made(act: Act) -> dict[str, Any]:
    """Return the spec of the one override that an act makes."""
    (create,) = act.changes
    assert isinstance(create, Create)
    spec = dict(create.body["spec"])
    assert {name: spec.pop(name) for name in ("requestedBy", "reason", "expiresAt")} == {
        "requestedBy": "alice",
        "reason": "upgrade",
        "expiresAt": "2026-12-01T12:00:00Z",
    }
    return spec


def test_a_drain_says_who_moves_and_who_cannot() -> None:
    stuck = record("alone", endpoints=DEAD)
    elsewhere = record("other", serving=[{"name": "two", "region": "azure-westeurope", "values": []}])
    act = acts.drain(region(), [record(), stuck, elsewhere], {}, ASKED, sets_minimum_aside=False)
    assert act.will == (
        "take region aws-us-east-1 out of service until 2026-12-01T12:00:00Z (upgrade): 2 records answer from there",
        "  shop/api moves",
        "  shop/alone stays: it is pinned, suspended, or no other endpoint of it is healthy and in service",
    )
    assert made(act) == {"action": "Drain", "region": "aws-us-east-1"}
    (create,) = act.changes
    assert isinstance(create, Create)
    assert create.body["kind"] == "ClusterOverride"
    assert create.body["metadata"] == {"name": "drain-aws-us-east-1-20261130t120000z"}


def test_a_drain_that_sets_the_least_number_of_regions_aside_says_so() -> None:
    act = acts.drain(region(), [], {}, ASKED, sets_minimum_aside=True)
    assert made(act)["setAside"] == ["MinRegionsInService"]


def test_a_drain_of_the_second_region_knows_that_the_first_is_out_already() -> None:
    regions = {"azure-westeurope": region("azure-westeurope", phase="Drained")}
    act = acts.drain(region(), [record(), record("www", state="Pinned")], regions, ASKED, sets_minimum_aside=False)
    assert [each.split(":")[0] for each in act.will[1:]] == ["  shop/api stays", "  shop/www stays"]


def test_a_pin_of_a_cname_minds_the_checks_of_its_target() -> None:
    told = record(endpoints=[endpoint("one", "192.0.2.1", "Unhealthy", message="connection refused")])
    spec = {**told.spec, "endpoints": [{"name": "one", "hostname": "lb.example.net"}]}
    status = {**told.status, "history": [{"revision": 1, "values": ["lb.example.net"]}]}
    with pytest.raises(RefusedError, match=r"lb\.example\.net \(connection refused\)"):
        acts.pin(Told(told.kind, {**told.raw, "spec": spec, "status": status}), ASKED, "1", force=False)


def test_an_undrain_ends_whatever_drains_the_region() -> None:
    ours = in_force(Kind.CLUSTER_OVERRIDE, action="Drain", region="aws-us-east-1")
    others = [in_force(Kind.CLUSTER_OVERRIDE, "p", action="Drain", region="west"), expired(ours)]
    act = acts.undrain(region(phase="Drained"), [ours, *others])
    assert act.changes == (Delete(Kind.CLUSTER_OVERRIDE, "", "o"),)
    assert act.will[-1] == "  override o of bob ends (a test)"
    act = acts.undrain(region(phase="Drained", state="Drained", reason="upgrade"), [])
    spec = {"state": "Active", "reason": None, "until": None, "setAside": None}
    assert act.changes == (Patch(Kind.CLOUD_REGION, "", "aws-us-east-1", {"spec": spec}),)
    with pytest.raises(RefusedError, match="is not drained"):
        acts.undrain(region(), others)


def test_a_pin_to_what_fails_needs_force() -> None:
    told = record(endpoints=DEAD)
    with pytest.raises(RefusedError, match=r"192\.0\.2\.2 \(connection refused\).*--force"):
        acts.pin(told, ASKED, "1", force=False)
    act = acts.pin(told, ASKED, "1", force=True)
    assert made(act) == {"action": "Pin", "record": "api", "revision": 1}
    assert any("fail their checks now" in each for each in act.will)
    with pytest.raises(RefusedError, match="has no revision 9: it has 2, 1"):
        acts.pin(told, ASKED, "9", force=True)


def test_a_rollback_pins_what_was_served_before_and_minds_its_checks_too() -> None:
    assert made(acts.rollback(record(), ASKED, force=False)) == {"action": "Pin", "record": "api", "revision": 1}
    with pytest.raises(RefusedError, match="--force"):
        acts.rollback(record(endpoints=DEAD), ASKED, force=False)
    with pytest.raises(RefusedError, match="no earlier revision"):
        acts.rollback(record(history=[]), ASKED, force=False)


def test_an_unpin_ends_the_pins_of_the_record() -> None:
    pins = [in_force(Kind.OVERRIDE, name, action="Pin", record="api", revision=1) for name in ("a", "b")]
    other = in_force(Kind.OVERRIDE, "c", action="Pin", record="www", revision=1)
    act = acts.unpin(record(), [*pins, other])
    assert act.changes == (Delete(Kind.OVERRIDE, "shop", "a"), Delete(Kind.OVERRIDE, "shop", "b"))
    with pytest.raises(RefusedError, match="is not pinned"):
        acts.unpin(record(), [other])


@pytest.mark.parametrize("action", [Action.DRAIN, Action.FORCE_UP, Action.FORCE_DOWN])
def test_an_endpoint_is_forced_and_let_go(action: Action) -> None:
    spec = {"action": action.value, "record": "api", "endpoint": "one"}
    assert made(acts.force(record(), ASKED, "one", action)) == spec
    assert acts.unforce(record(), [in_force(Kind.OVERRIDE, **spec)], "one").changes == (
        Delete(Kind.OVERRIDE, "shop", "o"),
    )
    with pytest.raises(RefusedError, match="has no endpoint three"):
        acts.force(record(), ASKED, "three", action)
    with pytest.raises(RefusedError, match="nobody has forced two"):
        acts.unforce(record(), [in_force(Kind.OVERRIDE, **spec)], "two")


def test_an_approval_lists_what_it_lets_through() -> None:
    held = {"count": 3, "digest": "abc", "changes": ["api: 192.0.2.1 -> 192.0.2.2", "www: 192.0.2.1 -> 192.0.2.2"]}
    act = acts.approve(zone(held=held))
    body = {"metadata": {"annotations": {"detour.dev/approve": "abc"}}}
    assert act.changes == (Patch(Kind.DNS_ZONE, zone().namespace, zone().name, body),)
    assert act.will[0].endswith("3 changes:")
    assert act.will[-1] == "  and 1 more, which the status does not list"
    with pytest.raises(RefusedError, match="nothing is held"):
        acts.approve(zone())


def test_a_zone_is_frozen_and_thawed_once() -> None:
    reference = {"name": zone().name, "namespace": zone().namespace}
    assert made(acts.freeze(zone(), [], ASKED)) == {"action": "Freeze", "zone": reference}
    frozen = in_force(Kind.CLUSTER_OVERRIDE, action="Freeze", zone=reference)
    with pytest.raises(RefusedError, match="frozen already"):
        acts.freeze(zone(), [frozen], ASKED)
    with pytest.raises(RefusedError, match="frozen already"):
        acts.freeze(zone(spec={"safety": {"frozen": True}}), [], ASKED)
    assert acts.thaw(zone(), [frozen]).changes == (Delete(Kind.CLUSTER_OVERRIDE, "", "o"),)
    act = acts.thaw(zone(spec={"safety": {"frozen": True}}), [])
    assert act.changes == (
        Patch(Kind.DNS_ZONE, zone().namespace, zone().name, {"spec": {"safety": {"frozen": False}}}),
    )
    with pytest.raises(RefusedError, match="not frozen"):
        acts.thaw(zone(), [expired(frozen)])


def test_a_record_is_suspended_and_resumed_once() -> None:
    assert made(acts.suspend(record(), [], ASKED)) == {"action": "Freeze", "record": "api"}
    frozen = in_force(Kind.OVERRIDE, action="Freeze", record="api")
    with pytest.raises(RefusedError, match="suspended already"):
        acts.suspend(record(), [frozen], ASKED)
    assert acts.resume(record(), [frozen]).changes == (Delete(Kind.OVERRIDE, "shop", "o"),)
    with pytest.raises(RefusedError, match="is not suspended"):
        acts.resume(record(), [])


def test_a_failback_names_who_waits() -> None:
    waiting = [endpoint("one", "192.0.2.1", returnsAt="2026-11-30T13:08:58Z")]
    act = acts.failback(record(endpoints=waiting), 1_796_040_000.0)
    assert "one need not wait any longer" in act.will[0]
    (patch,) = act.changes
    assert isinstance(patch, Patch)
    assert patch.body["metadata"]["annotations"]["detour.dev/failback"] == "2026-11-30T12:00:00Z"
