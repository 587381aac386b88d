"""What differs from what is known is noted, and settled once the object was read."""

from typing import Any

import pytest

from detour.kube.catalogue import Catalogue, Finding, Place

ONE = Place("shop", "one")


def raw(name: str = "one", version: int = 5, *, uid: str = "u-1", namespace: str = "shop") -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name, "uid": uid, "resourceVersion": str(version)}}


def known(*raws: dict[str, Any]) -> Catalogue:
    catalogue = Catalogue()
    catalogue.listed(raws, None)
    return catalogue


def doubts(catalogue: Catalogue, *shown: dict[str, Any], version: int = 100, **where: Any) -> list[Place]:
    catalogue.compare(shown, version=str(version), namespace=where.pop("namespace", None), **where)
    return catalogue.take_doubts()


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ([raw()], []),
        ([raw(version=7)], [ONE]),
        ([raw(uid="u-2")], [ONE]),
        ([], [ONE]),
        ([raw(), raw("two")], [Place("shop", "two")]),
    ],
    ids=["the same", "another version", "another object", "none", "one more"],
)
def test_who_differs_is_noted(shown: list[dict[str, Any]], expected: list[Place]) -> None:
    assert doubts(known(raw()), *shown) == expected


def test_who_is_known_in_a_newer_version_than_the_list_is_of_does_not_differ() -> None:
    assert doubts(known(raw(version=50)), raw(version=20), version=40) == []
    assert doubts(known(raw(version=50)), version=40) == [], "it came after the list"
    assert doubts(known(raw(version=50)), raw(version=20), version=60) == [ONE]


def test_a_page_says_nothing_of_what_lies_before_or_behind_it() -> None:
    catalogue = known(raw("a"), raw("c"), raw("e"), raw("x", namespace="desk"))
    assert doubts(catalogue, raw("x", namespace="desk"), raw("a"), until="shop/a") == []
    assert doubts(catalogue, after="shop/a", until="shop/d") == [Place("shop", "c")]
    assert doubts(catalogue, namespace="desk") == [Place("desk", "x"), Place("shop", "c")], "and who was noted stays so"
    assert doubts(catalogue, after="shop/d") == [Place("desk", "x"), Place("shop", "c"), Place("shop", "e")]


def test_who_is_shown_by_the_watch_meanwhile_is_in_doubt_no_more() -> None:
    catalogue = known(raw())
    catalogue.compare([raw(version=7)], version="9", namespace=None)
    catalogue.seen(raw(version=7))
    assert catalogue.take_doubts() == []


@pytest.mark.parametrize(
    ("found", "finding"),
    [
        (raw(version=7), Finding.MISSED),
        (raw(uid="u-2", version=2), Finding.MISSED),
        (raw(version=3), Finding.WENT_BACK),
        (raw(), Finding.NOTHING),
        (None, Finding.GONE),
    ],
    ids=["a newer state", "another object", "an older state", "the same", "none"],
)
def test_what_was_read_tells(found: dict[str, Any] | None, finding: Finding) -> None:
    catalogue = known(raw())
    catalogue.compare([raw(version=6)], version="9", namespace=None)
    assert catalogue.take_doubts() == [ONE]
    assert catalogue.settle(ONE, found) is finding
    assert catalogue.take_doubts() == []


def test_what_the_watch_has_shown_since_counts_more_than_what_was_read() -> None:
    catalogue = known(raw())
    catalogue.compare([raw(version=6)], version="9", namespace=None)
    catalogue.take_doubts()
    catalogue.seen(raw(version=8))
    assert catalogue.settle(ONE, raw(version=6)) is Finding.NOTHING
    assert catalogue.take_doubts() == []


def test_a_listing_of_some_namespaces_says_nothing_of_the_others() -> None:
    catalogue = known(raw(), raw("x", namespace="desk"))
    catalogue.listed([], frozenset({"shop"}))
    assert (catalogue.count("shop"), catalogue.count("desk"), catalogue.count(None)) == (0, 1, 1)


def test_the_objects_of_each_namespace_are_counted() -> None:
    catalogue = known(raw(), raw("x", namespace="desk"))
    for _ in range(2):
        catalogue.seen(raw("two"))
        catalogue.gone(raw("x", namespace="desk"))
    assert (catalogue.count("shop"), catalogue.count("desk"), catalogue.count(None)) == (2, 0, 2)
    catalogue.compare([raw("new", uid="u-2")], version="9", namespace="shop")
    assert catalogue.take_doubts() == [Place("shop", "new"), ONE, Place("shop", "two")]
    assert catalogue.settle(ONE, None) is Finding.GONE
    catalogue.settle(Place("shop", "new"), raw("new", uid="u-2"))
    assert (catalogue.count("shop"), catalogue.count(None)) == (2, 2)


def test_who_came_since_the_first_page_is_looked_for_the_next_time() -> None:
    catalogue = known(raw("a"), raw("c"))
    assert doubts(catalogue, raw("a"), until="shop/a") == []
    catalogue.seen(raw("b", version=7))
    assert doubts(catalogue, raw("c"), after="shop/a") == []
    assert doubts(catalogue, raw("a"), raw("c")) == [Place("shop", "b")]


def test_what_is_known_is_what_was_delivered_last_and_is_not_in_doubt() -> None:
    catalogue = known(raw())
    assert catalogue.knows(raw())
    assert not any(map(catalogue.knows, (raw(version=6), raw(uid="u-2"), raw("two"))))
    catalogue.compare([raw(version=7)], version="9", namespace=None)
    assert not catalogue.knows(raw())


def test_who_was_shown_otherwise_before_a_listing_is_not_known_for_sure_after_it() -> None:
    """Whoever took the listing in may have gone by the watch, which was to show the rest, and was cut off."""
    catalogue = known(raw())
    catalogue.seen(raw(version=6))
    catalogue.listed([raw(version=7), raw("two")], None)
    assert (catalogue.knows(raw(version=7)), catalogue.knows(raw("two"))) == (False, True)
    catalogue.seen(raw(version=7))
    assert catalogue.knows(raw(version=7))
    catalogue.listed([raw(version=8)], None)
    catalogue.listed([raw(version=8)], None)
    assert catalogue.knows(raw(version=8)), "a listing after that began when no watch had shown anything else"


@pytest.mark.parametrize("odd", [None, "text", {}, {"metadata": None}, {"metadata": {"name": 7}}])
def test_what_is_no_object_breaks_nothing(odd: Any) -> None:
    catalogue = known(raw())
    doubts(catalogue, odd, raw())
    catalogue.seen(odd)
    catalogue.gone(odd)
