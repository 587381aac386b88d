"""A Lease, and what its candidates make of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detour.kube.lease import (
    LEASE_SECONDS,
    LONGEST_LEASE,
    MOST_TRANSITIONS,
    RENEW_PERIOD,
    Lease,
    Move,
    Sighting,
    lease_body,
    lease_from,
    next_move,
    sight,
)

OURS = Lease("us", 10.0, 3, "7")
THEIRS = Lease("them", 10.0, 3, "7")
GIVEN_UP = Lease("", 10.0, 3, "7")


@pytest.mark.parametrize(
    ("lease", "age", "move"),
    [
        (None, 0.0, Move.CREATE),
        (OURS, 0.0, Move.RENEW),
        (OURS, 3600.0, Move.RENEW),
        (GIVEN_UP, 0.0, Move.TAKE),
        (THEIRS, 0.0, Move.WAIT),
        (THEIRS, 9.9, Move.WAIT),
        (THEIRS, 10.0, Move.TAKE),
    ],
)
def test_what_a_candidate_does_about_the_lease_that_it_sees(lease: Lease | None, age: float, move: Move) -> None:
    assert next_move(Sighting(lease, 100.0), "us", 100.0 + age) is move


@pytest.mark.parametrize(
    ("holder", "identity", "move"),
    [
        ("detour-5f-x_8a01", "detour-5f-x_c977", Move.TAKE),
        ("detour-5f-y_8a01", "detour-5f-x_c977", Move.WAIT),
        ("detour_5f", "detour", Move.WAIT),
        ("them", "us", Move.WAIT),
        ("_8a01", "_c977", Move.WAIT),
    ],
)
def test_a_process_succeeds_the_one_before_it_of_its_replica_at_its_first_look_only(
    holder: str, identity: str, move: Move
) -> None:
    seen = Sighting(Lease(holder, 10.0, 3, "7"), 100.0)
    assert next_move(seen, identity, 100.0, has_just_started=True) is move
    assert next_move(seen, identity, 109.0) is Move.WAIT


def test_a_lease_lasts_as_long_as_its_holder_said_and_not_as_long_as_ours_would() -> None:
    patient = Lease("them", 60.0, 3, "7")
    assert next_move(Sighting(patient, 0.0), "us", 59.0) is Move.WAIT
    assert next_move(Sighting(patient, 0.0), "us", 60.0) is Move.TAKE


def test_a_leader_may_miss_two_renewals_before_others_take_its_lease() -> None:
    assert LEASE_SECONDS >= 3 * RENEW_PERIOD


@given(st.lists(st.tuples(st.floats(0.1, 30.0), st.booleans()), min_size=1))
def test_a_lease_counts_as_unchanged_only_since_it_was_last_seen_to_change(steps: list[tuple[float, bool]]) -> None:
    now, version, changed_at = 0.0, 0, 0.0
    seen = sight(None, Lease("them", 10.0, 0, "0"), now)
    for pause, renewed in steps:
        now += pause
        if renewed:
            version, changed_at = version + 1, now
        seen = sight(seen, Lease("them", 10.0, 0, str(version)), now)
        assert seen.since == changed_at


def test_a_lease_that_was_deleted_and_made_anew_begins_anew() -> None:
    seen = sight(sight(sight(None, THEIRS, 0.0), None, 9.0), THEIRS, 9.5)
    assert next_move(seen, "us", 15.0) is Move.WAIT


def test_the_object_that_is_written_reads_back_as_what_was_meant() -> None:
    body = lease_body("leader", None, "us", 1_700_000_000.25)
    found = lease_from(body)
    assert (found.holder, found.seconds, found.transitions) == ("us", LEASE_SECONDS, 1)
    assert body["spec"]["acquireTime"] == body["spec"]["renewTime"] == "2023-11-14T22:13:20.250000Z"


def test_a_renewal_keeps_the_count_of_holders_and_a_change_of_holder_raises_it() -> None:
    assert lease_body("leader", OURS, "us", 0.0)["spec"]["leaseTransitions"] == 3
    assert lease_body("leader", THEIRS, "us", 0.0)["spec"]["leaseTransitions"] == 4
    assert "acquireTime" in lease_body("leader", THEIRS, "us", 0.0)["spec"]


def test_who_writes_a_lease_says_which_version_it_was_built_on_and_which_release_it_is() -> None:
    metadata = lease_body("leader", THEIRS, "us", 0.0)["metadata"]
    assert (metadata["name"], metadata["resourceVersion"]) == ("leader", "7")
    assert metadata["labels"] == {"detour.dev/leader": "true"}
    assert metadata["annotations"]["detour.dev/version"]


def test_a_renewal_still_says_since_when_it_is_held() -> None:
    """A replace that leaves a field out removes it (coordination.k8s.io/v1: acquireTime)."""
    taken = lease_body("leader", None, "us", 1_700_000_000.0)
    renewed = lease_body("leader", lease_from(taken), "us", 1_700_000_003.0)
    assert renewed["spec"]["acquireTime"] == taken["spec"]["acquireTime"]
    assert renewed["spec"]["renewTime"] > taken["spec"]["renewTime"]


@pytest.mark.parametrize(
    "item", [{}, {"spec": None}, {"spec": {}}, {"metadata": None, "spec": {"holderIdentity": None}}]
)
def test_a_lease_without_a_holder_counts_as_given_up(item: dict[str, object]) -> None:
    found = lease_from(item)
    assert (found.holder, found.seconds) == ("", LEASE_SECONDS)
    assert next_move(Sighting(found, 0.0), "us", 0.0) is Move.TAKE


YEARS = 10 * 365 * 86_400


@pytest.mark.parametrize(
    ("given", "believed"),
    [
        (YEARS, LONGEST_LEASE),
        (10**400, LONGEST_LEASE),
        (float("inf"), LONGEST_LEASE),
        (61, LONGEST_LEASE),
        *[(each, LEASE_SECONDS) for each in (0, -1, -YEARS, float("nan"), "ten", True, [], {})],
    ],
)
def test_a_duration_that_makes_no_sense_is_not_believed_and_that_is_said(given: object, believed: float) -> None:
    found = lease_from(
        {"metadata": {"resourceVersion": "7"}, "spec": {"holderIdentity": "x", "leaseDurationSeconds": given}}
    )
    assert found.seconds == believed
    assert "it counts as" in found.doubt
    assert next_move(Sighting(found, 0.0), "us", LONGEST_LEASE) is Move.TAKE


@pytest.mark.parametrize("given", [None, 1, 10, 15.5, 60])
def test_an_ordinary_duration_or_none_is_no_reason_for_doubt(given: object) -> None:
    found = lease_from({"spec": {"holderIdentity": "x", "leaseDurationSeconds": given}})
    assert (found.seconds, found.doubt) == (given or LEASE_SECONDS, "")


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.lists(st.none(), max_size=2)
)
FIELDS = ("holderIdentity", "leaseDurationSeconds", "leaseTransitions", "acquireTime", "renewTime")


@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING) | ANYTHING, ANYTHING)
def test_whatever_a_lease_holds_it_is_read_and_can_be_taken_with_what_the_api_server_accepts(
    spec: object, metadata: object
) -> None:
    found = lease_from({"spec": spec, "metadata": metadata})
    assert 0 < found.seconds <= LONGEST_LEASE
    taken = lease_body("leader", found, "us", 1_700_000_000.0)["spec"]
    assert taken["holderIdentity"] == "us"
    assert taken["leaseDurationSeconds"] == LEASE_SECONDS
    assert 0 <= taken["leaseTransitions"] <= MOST_TRANSITIONS
    assert lease_from({"spec": taken}).acquired == taken["acquireTime"]


def test_a_count_of_holders_at_its_highest_goes_on() -> None:
    worn = lease_from({"spec": {"holderIdentity": "x", "leaseTransitions": MOST_TRANSITIONS}})
    assert lease_body("leader", worn, "us", 0.0)["spec"]["leaseTransitions"] == MOST_TRANSITIONS
