"""Who of the other replicas lives, by the Leases that they renew."""

from detour.app.sharding.leases import Listed, Told
from detour.app.sharding.neighbours import FORGOTTEN_AFTER, Neighbours
from detour.kube.lease import LEASE_SECONDS, Lease

NONE = Listed({}, {})


def listed(*found: tuple[str, str], ended: tuple[str, ...] = ()) -> Listed:
    """Return a list of replicas, each with the version of its Lease; Leases are named like their holders."""
    replicas = {holder: (Lease(holder, LEASE_SECONDS, 1, version), Told(2)) for holder, version in found}
    return Listed(replicas, {}, dict.fromkeys(ended, Lease("", LEASE_SECONDS, 1, "")))


def living(neighbours: Neighbours) -> list[str]:
    return sorted(each.identity for each in neighbours.living(Told()))


def test_who_renews_lives_and_who_stops_is_missed_and_counts_for_a_while() -> None:
    me = Neighbours("me_1")
    for second in range(0, 30, 3):
        me.see(listed(("a_1", str(second)), ("b_1", "1")), float(second))
    assert living(me) == ["a_1", "me_1"]
    assert me.counted == 3
    for second in range(int(FORGOTTEN_AFTER), 3 * int(FORGOTTEN_AFTER), 3):
        me.see(listed(("a_1", str(second)), ("b_1", "1")), float(second))
        assert (living(me), me.counted, me.forgotten) == (["a_1", "me_1"], 2, ["b_1"]), "also while its Lease is there"
    me.see(listed(("a_1", "y")), 1_000.0)
    assert me.forgotten == []


def test_who_says_that_it_has_ended_is_forgotten_at_once() -> None:
    me = Neighbours("me_1")
    me.see(listed(("a_1", "1")), 0.0)
    me.see(listed(ended=("a_1",)), 3.0)
    assert (living(me), me.counted) == (["me_1"], 1)


def test_a_lease_that_somebody_deletes_ends_no_replica() -> None:
    me = Neighbours("me_1")
    me.see(listed(("a_1", "1")), 0.0)
    me.see(NONE, 3.0)
    assert (living(me), me.counted) == (["a_1", "me_1"], 2)
    me.see(listed(("a_1", "2")), 6.0)
    me.see(NONE, 6.0 + LEASE_SECONDS)
    assert (living(me), me.counted) == (["me_1"], 2)


def test_a_replica_that_was_started_again_counts_once() -> None:
    me = Neighbours("me_2")
    me.see(listed(("a_1", "1"), ("me_1", "1")), 0.0)
    assert (living(me), me.counted) == (["a_1", "me_2"], 2), "the process before this one has ended"
    for second in range(3, 33, 3):
        me.see(listed(("a_1", "1"), ("a_2", str(second))), float(second))
    assert (living(me), me.counted) == (["a_2", "me_2"], 2)


def test_who_could_not_look_does_not_know_for_how_long_a_lease_stood_still() -> None:
    me = Neighbours("me_1")
    me.see(listed(("a_1", "1")), 0.0)
    me.could_not_look()
    me.see(listed(("a_1", "1")), 60.0)
    assert living(me) == ["a_1", "me_1"], "it may not have been able to renew either"
    me.see(listed(("a_1", "1")), 60.0 + LEASE_SECONDS)
    assert living(me) == ["me_1"]


def test_a_replica_is_as_old_as_it_was_seen_first() -> None:
    me = Neighbours("me_1")
    me.see(listed(("a_1", "1")), 5.0)
    me.see(listed(("a_1", "2")), 50.0)
    assert {each.identity: each.since for each in me.living(Told())} == {"a_1": 5.0, "me_1": 5.0}
