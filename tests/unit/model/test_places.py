"""Endpoints, and who may use a zone."""

import pytest

from detour.model.checks import StatusRange
from detour.model.endpoint import Endpoint
from detour.model.zone import AllowedNamespaces, LabelRequirement, NamespacesFrom


def test_an_endpoint_has_addresses_or_a_hostname_but_never_both_or_neither() -> None:
    Endpoint("one", "here", addresses=("192.0.2.1",))
    Endpoint("one", "here", hostname="lb.example.net")
    with pytest.raises(ValueError, match="endpoint one"):
        Endpoint("one", "here")
    with pytest.raises(ValueError, match="endpoint one"):
        Endpoint("one", "here", addresses=("192.0.2.1",), hostname="lb.example.net")


def test_a_status_range_holds_both_its_ends() -> None:
    assert [status in StatusRange(200, 204) for status in (199, 200, 204, 205)] == [False, True, True, False]


LABELS = {"team": "shop", "stage": "live"}


@pytest.mark.parametrize(
    ("requirement", "allowed"),
    [
        (LabelRequirement("team", "In", ("shop", "desk")), True),
        (LabelRequirement("team", "In", ("desk",)), False),
        (LabelRequirement("absent", "In", ("shop",)), False),
        (LabelRequirement("team", "NotIn", ("shop",)), False),
        (LabelRequirement("team", "NotIn", ("desk",)), True),
        (LabelRequirement("absent", "NotIn", ("shop",)), True),
        (LabelRequirement("team", "Exists"), True),
        (LabelRequirement("absent", "Exists"), False),
        (LabelRequirement("team", "DoesNotExist"), False),
        (LabelRequirement("absent", "DoesNotExist"), True),
    ],
)
def test_a_selector_means_what_it_means_in_kubernetes(requirement: LabelRequirement, allowed: bool) -> None:
    chosen = AllowedNamespaces(NamespacesFrom.SELECTOR, (requirement,))
    assert chosen.permit(zone_namespace="dns", namespace="shop", labels=LABELS) is allowed


def test_every_line_of_a_selector_must_hold() -> None:
    both = (LabelRequirement("team", "Exists"), LabelRequirement("absent", "Exists"))
    chosen = AllowedNamespaces(NamespacesFrom.SELECTOR, both)
    assert not chosen.permit(zone_namespace="dns", namespace="shop", labels=LABELS)


@pytest.mark.parametrize(("namespace", "allowed"), [("dns", True), ("shop", False)])
def test_by_default_a_zone_serves_its_own_namespace_only(namespace: str, allowed: bool) -> None:
    assert AllowedNamespaces().permit(zone_namespace="dns", namespace=namespace, labels={}) is allowed


def test_a_zone_may_serve_all_namespaces() -> None:
    assert AllowedNamespaces(NamespacesFrom.ALL).permit(zone_namespace="dns", namespace="shop", labels={})
