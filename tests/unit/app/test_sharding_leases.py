"""What Leases tell is read with care: whoever may write one may write nonsense."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from detour.app.sharding.leases import (
    MOST_TOLD,
    Free,
    Listed,
    Names,
    Told,
    free_in,
    told_in,
)
from detour.model.record import ObjectKey

NAMES = Names("detour")
SHOP = ObjectKey("shop", "zone")


def test_what_a_replica_tells_is_read_as_it_was_told() -> None:
    told = Told(3, sees=False, managed=7, left={"r": 2}, namespaces={"shop": ("r",)}, endpoints={"r": {"Healthy": 5}})
    assert told_in(told.text()) == told


def test_what_is_too_much_to_tell_is_left_out_and_said_to_be() -> None:
    many = {f"namespace-{number}": ("aws-us-east-1",) for number in range(10_000)}
    told = Told(2, left={"aws-us-east-1": 10_000}, namespaces=many)
    assert len(told.text()) <= MOST_TOLD
    assert told_in(told.text()) == Told(2, left={"aws-us-east-1": 10_000}, namespaces=None)


def test_what_is_free_is_read_as_it_was_told() -> None:
    free = Free(("b", "a"), {"shop": ("a",)}, {("", "b"): 1, ("shop", "a"): 2})
    assert free_in(free.text()) == free


nonsense = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
words = st.sampled_from(["shares", "sees", "managed", "left", "namespaces", "endpoints", "regions", "asked"])


@given(st.dictionaries(words, nonsense) | nonsense, st.text(max_size=10))
def test_nonsense_counts_as_the_least(found: Any, text: str) -> None:
    for each in (text, json.dumps(found), found, None):
        told, free = told_in(each), free_in(each)
        assert told.shares >= 1
        assert all(number >= 0 for number in told.left.values())
        assert isinstance(free.regions, tuple)


@given(st.lists(st.dictionaries(st.sampled_from(["metadata", "spec", "kind"]), nonsense), max_size=4))
def test_nonsense_in_a_list_is_left_out(items: list[Any]) -> None:
    found = NAMES.listed(items)
    assert (dict(found.replicas), dict(found.zones)) == ({}, {})


def test_a_list_tells_replicas_from_zones_and_what_is_free() -> None:
    bodies = [
        NAMES.replica_body(None, "one_1", Told(2), 0.0),
        NAMES.zone_body(SHOP, None, "one_1", 0.0),
        NAMES.free_body(None, "one_1", Free(("r",)), 0.0),
    ]
    assert len({each["metadata"]["name"] for each in bodies}) == len(bodies)
    assert all(
        f"{key}={value}" == NAMES.selector for each in bodies for key, value in each["metadata"]["labels"].items()
    )
    odd = [{**each, "metadata": {**each["metadata"], "name": "another"}} for each in bodies]
    assert NAMES.listed(odd) == Listed({}, {}), "what is not named for what it is about"
    found = NAMES.listed(bodies)
    assert [(lease.holder, told) for lease, told in found.replicas.values()] == [("one_1", Told(2))]
    assert {zone: lease.holder for zone, lease in found.zones.items()} == {SHOP: "one_1"}
    assert found.free == Free(("r",))


def test_names_of_leases_are_names_of_kubernetes_whatever_they_are_about() -> None:
    long = Names("d" * 200)
    body = long.zone_body(ObjectKey("n" * 63, "z" * 253), None, "holder", 0.0)
    assert len(body["metadata"]["name"]) <= 253
    assert all(len(value) <= 63 for value in body["metadata"]["labels"].values())
