"""What a reading of the ledger says about the batch before it, case by case."""

import itertools

import pytest

from detour.enactment.contract import Batch, Change, StoredSet, ZoneContents
from detour.enactment.fence import Fence
from detour.enactment.ledger import Ledger, parse_ledger
from detour.enactment.settlement import Settlement, first_undone, settle
from detour.enactment.view import ZoneView
from detour.enactment.wishes import NameChange, Urgency
from detour.model.generation import NEVER, Generation
from detour.model.rrset import RRset, RRType

from .writer import API, DOMAIN, ONE, OWNER, SITE, THREE, TWO, a_ledger, a_set, key


def fence(known: Generation = NEVER) -> Fence:
    claims = itertools.count(1)
    return Fence(owner=OWNER, domain=DOMAIN, site=SITE, known=known, random_claim=lambda: f"{next(claims):x}")


def result(batch: Batch) -> StoredSet:
    """Return the ledger that the batch leaves behind."""
    assert batch.ledger.new is not None
    return StoredSet(batch.ledger.new)


def holding(known: Generation = NEVER) -> tuple[Fence, StoredSet]:
    """Return a fence that holds the zone, and the ledger there."""
    held = fence(known)
    stored = result(held.claim(None))
    held.accepted(ZoneContents({held.key: stored}))
    return held, stored


def ledger_in(stored: StoredSet) -> Ledger:
    found = parse_ledger(stored.rrset)
    assert found is not None
    return found


TO_TWO = Change(StoredSet(a_set(API, ONE)), a_set(API, TWO))
TO_THREE = Change(StoredSet(a_set(API, ONE)), a_set(API, THREE))


def test_a_claim_is_conditional_on_the_ledger_it_was_made_over() -> None:
    found = StoredSet(a_ledger(3, 7))
    batch = fence().claim(found)
    assert batch.ledger.old == found
    assert ledger_in(result(batch)).generation == (4, 0)
    assert fence().claim(None).ledger.old is None


def test_a_batch_is_conditional_on_the_ledger_last_seen_and_moves_it_on() -> None:
    held, stored = holding()
    batch = held.batch([TO_TWO])
    assert batch.ledger.old == stored
    assert ledger_in(result(batch)).generation == (1, 1)
    assert batch.changes == (TO_TWO,)
    held.accepted(ZoneContents({held.key: result(batch)}))
    assert held.batch([TO_TWO]).ledger.old == result(batch)


def test_a_lost_batch_that_was_applied_is_recognised_by_its_own_digest() -> None:
    held, _ = holding()
    batch = held.batch([TO_TWO])
    assert held.settle(result(batch), lost=True) is Settlement.APPLIED
    assert held.generation == (1, 1)
    assert not held.unsettled


def test_a_lost_batch_that_is_not_there_may_still_come() -> None:
    held, stored = holding()
    held.batch([TO_TWO])
    assert held.settle(stored, lost=True) is Settlement.UNCHANGED
    assert held.unsettled
    assert held.generation == (1, 0)


def test_a_refused_batch_leaves_nothing_unsettled() -> None:
    held, stored = holding()
    held.batch([TO_TWO])
    assert held.settle(stored, lost=False) is Settlement.UNCHANGED
    assert not held.unsettled


def test_the_next_batch_settles_a_lost_one_by_being_conditional_on_the_same_ledger() -> None:
    held, stored = holding()
    first = held.batch([TO_TWO])
    held.settle(stored, lost=True)
    second = held.batch([TO_THREE])
    assert first.ledger.old == second.ledger.old == stored  # only one of them can ever be applied
    assert result(first) != result(second)
    held.accepted(ZoneContents({held.key: result(second)}))
    assert not held.unsettled


def test_an_earlier_lost_batch_that_landed_is_told_from_the_later_one() -> None:
    held, stored = holding()
    first = held.batch([TO_TWO])
    held.settle(stored, lost=True)
    held.batch([TO_THREE])
    assert held.settle(result(first), lost=True) is Settlement.EARLIER_APPLIED
    assert held.generation == (1, 1)
    assert held.batch([TO_THREE]).ledger.old == result(first)


def test_an_audit_notices_a_lost_batch_that_landed_meanwhile() -> None:
    held, stored = holding()
    first = held.batch([TO_TWO])
    held.settle(stored, lost=True)
    assert held.watch(result(first)) is Settlement.EARLIER_APPLIED
    assert not held.unsettled


def test_the_same_batch_sent_twice_is_the_same_batch() -> None:
    held, stored = holding()
    first = held.batch([TO_TWO])
    held.settle(stored, lost=True)
    held.batch([TO_TWO])
    assert held.settle(result(first), lost=True) is Settlement.APPLIED


@pytest.mark.parametrize("epoch", [1, 2, 50])
def test_a_foreign_claim_at_our_epoch_or_above_ends_our_hold(epoch: int) -> None:
    held, _ = holding()
    held.batch([TO_TWO])
    assert held.settle(StoredSet(a_ledger(epoch, 5)), lost=True) is Settlement.SUPERSEDED
    assert held.held is None
    assert held.generation is None
    assert not held.unsettled


DAMAGED = [
    None,
    StoredSet(RRset(f"{OWNER}._detour.{DOMAIN}", RRType.TXT, 5, ("garbled",))),
    StoredSet(a_ledger(3, 9)),
    StoredSet(a_ledger(4, 0)),
]


@pytest.mark.parametrize("found", DAMAGED, ids=["missing", "garbled", "lower", "lower epoch"])
def test_a_damaged_ledger_is_claimed_anew_above_what_was_known(found: StoredSet | None) -> None:
    held, _ = holding(known=Generation(4, 9))
    held.batch([TO_TWO])
    assert held.settle(found, lost=True) is Settlement.LOST
    assert held.held is None
    claim = held.claim(found)
    assert claim.ledger.old == found
    assert ledger_in(result(claim)).generation == (6, 0)


def test_our_own_ledger_from_a_backup_is_a_damaged_one() -> None:
    held, stored = holding()
    moved = held.batch([TO_TWO])
    held.accepted(ZoneContents({held.key: result(moved)}))
    assert held.watch(stored) is Settlement.LOST
    assert held.held is None


def test_a_new_claim_never_equals_an_old_one() -> None:
    held, stored = holding()
    held.release()
    again = result(held.claim(None))
    assert again != stored
    assert ledger_in(again).claim != ledger_in(stored).claim
    assert ledger_in(again).generation > ledger_in(stored).generation


def test_a_lost_claim_is_recognised_or_sent_again() -> None:
    applied = fence()
    batch = applied.claim(None)
    assert applied.settle(result(batch), lost=True) is Settlement.APPLIED
    assert applied.generation == (1, 0)
    missing = fence()
    missing.claim(None)
    assert missing.settle(None, lost=True) is Settlement.UNCHANGED
    assert missing.held is None


def test_an_earlier_claim_of_our_own_that_landed_late_is_no_rival() -> None:
    late = fence()
    first = late.claim(None)
    late.settle(None, lost=True)
    late.claim(None)
    assert late.settle(result(first), lost=False) is Settlement.UNCHANGED
    assert late.held is None
    assert ledger_in(result(late.claim(result(first)))).generation == (2, 0)


def test_a_claim_that_somebody_else_won_is_lost() -> None:
    beaten = fence()
    beaten.claim(None)
    assert beaten.settle(StoredSet(a_ledger(1)), lost=False) is Settlement.SUPERSEDED
    assert beaten.held is None


def test_what_was_known_is_never_forgotten() -> None:
    held, _ = holding(known=Generation(4, 9))
    held.know(Generation(2, 0))
    held.release()
    assert ledger_in(result(held.claim(None))).generation == (6, 0)


HELD = Ledger(SITE, "beef", Generation(5, 3), batch="11")
SENT = HELD.moved_on("22")


@pytest.mark.parametrize(
    ("sent", "found", "verdict"),
    [
        (SENT, SENT, Settlement.APPLIED),
        (SENT, HELD, Settlement.UNCHANGED),
        (None, HELD, Settlement.UNCHANGED),
        (SENT, HELD.moved_on("33"), Settlement.EARLIER_APPLIED),
        (None, HELD.moved_on("33"), Settlement.EARLIER_APPLIED),
        (SENT, Ledger(SITE, "beef", Generation(5, 2)), Settlement.LOST),
        (SENT, Ledger(SITE, "cafe", Generation(5, 0)), Settlement.SUPERSEDED),
        (SENT, Ledger(SITE, "cafe", Generation(5, 4), batch="22"), Settlement.SUPERSEDED),
        (SENT, Ledger(SITE, "cafe", Generation(6, 0)), Settlement.SUPERSEDED),
        (SENT, Ledger("elsewhere", "cafe", Generation(6, 0)), Settlement.SUPERSEDED),
        (SENT, Ledger(SITE, "cafe", Generation(4, 99)), Settlement.LOST),
        (SENT, None, Settlement.LOST),
    ],
)
def test_every_reading_has_one_meaning(sent: Ledger | None, found: Ledger | None, verdict: Settlement) -> None:
    assert settle(HELD, sent, found) is verdict


def name_change(name: str, *changes: Change) -> NameChange:
    return NameChange(f"{name}.{DOMAIN}", key(name), changes, Urgency.FAILOVER)


@pytest.mark.parametrize(
    ("at_a", "at_b", "at_c", "stopped_at"),
    [
        (TWO, ONE, ONE, "b"),
        (ONE, ONE, ONE, "a"),
        (TWO, TWO, TWO, None),
        (TWO, THREE, ONE, None),  # somebody else changed it, which explains the refusal
        (TWO, None, ONE, None),
    ],
)
def test_a_batch_written_one_by_one_stopped_at_its_first_undone_name(
    at_a: str | None, at_b: str | None, at_c: str | None, stopped_at: str | None
) -> None:
    names = {"a": at_a, "b": at_b, "c": at_c}
    olds = {name: StoredSet(a_set(f"{name}.{DOMAIN}", ONE), f"before-{name}") for name in names}
    work = [name_change(name, Change(olds[name], a_set(f"{name}.{DOMAIN}", TWO))) for name in names]
    found = {}
    for name, value in names.items():
        if value is not None:
            now = a_set(f"{name}.{DOMAIN}", value)
            found[now.key] = olds[name] if value == ONE else StoredSet(now, "after")
    stopped = first_undone(work, ZoneView(ZoneContents(found)))
    assert (stopped.hostname.split(".")[0] if stopped else None) == stopped_at


def test_a_set_touched_by_somebody_is_not_blamed_though_it_reads_the_same() -> None:
    """Its version is another one: that alone refuses a conditional write."""
    old = StoredSet(a_set(API, ONE), "v1")
    work = [name_change("api", Change(old, a_set(API, TWO)))]
    view = ZoneView(ZoneContents({old.rrset.key: StoredSet(old.rrset, "v2")}))
    assert first_undone(work, view) is None
