"""Whether the API server's data went back: only what is ordered tells."""

from hypothesis import given
from hypothesis import strategies as st

from detour.kube.versions import DataVersions


def test_what_watches_show_while_a_listing_runs_is_newer_and_proves_nothing() -> None:
    versions = DataVersions()
    began = versions.mark()
    versions.seen("1500", began)
    assert not versions.went_back(began, "1400")


def test_a_listing_that_is_older_than_what_was_seen_before_it_began_is_that_of_a_restored_etcd() -> None:
    versions = DataVersions()
    versions.seen("1500", versions.mark())
    assert versions.went_back(versions.mark(), "1400")


def test_a_restore_is_told_once_and_the_watches_from_before_it_count_no_more() -> None:
    versions = DataVersions()
    before = versions.mark()
    versions.seen("1500", before)
    first, second = versions.mark(), versions.mark()
    assert versions.went_back(first, "700")
    assert not versions.went_back(second, "700"), "it began before that was known"
    versions.seen("1501", before)  # still in the queue of a watch that is being stopped
    assert not versions.went_back(versions.mark(), "701")
    assert versions.went_back(versions.mark(), "650"), "a second restore is found as well"


def test_versions_that_are_no_numbers_tell_nothing() -> None:
    versions = DataVersions()
    versions.seen("", versions.mark())
    versions.seen("abc", versions.mark())
    assert not versions.went_back(versions.mark(), "abc")
    assert not versions.went_back(versions.mark(), "1")


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_data_that_only_grow_never_went_back_however_listings_and_watches_mix(steps: list[tuple[int, int]]) -> None:
    versions, version = DataVersions(), 0
    watch = versions.mark()
    for before, during in steps:
        version += before
        versions.seen(str(version), watch)
        began, listed = versions.mark(), version
        version += during
        versions.seen(str(version), watch)
        assert not versions.went_back(began, str(listed))
