"""What a reading of the ledger says about a batch whose answer was unclear."""

import enum
from collections.abc import Sequence

from detour.enactment.contract import StoredSet
from detour.enactment.ledger import Ledger
from detour.enactment.view import ZoneView
from detour.enactment.wishes import NameChange
from detour.model.rrset import RRset


class Settlement(enum.Enum):
    """What happened to the batch, and to us."""

    UNCHANGED = "not applied, or not applied yet: the next batch is conditional on the same ledger and settles it"
    APPLIED = "applied"
    EARLIER_APPLIED = "an earlier lost batch of ours landed after all"
    SUPERSEDED = "another writer holds the zone"
    LOST = "the ledger is missing, garbled or older than what we wrote"


def settle(held: Ledger, sent: Ledger | None, found: Ledger | None) -> Settlement:
    """Compare the ledger `found` in the zone with the one we `held` and the one that our batch `sent`."""
    if found is None:
        return Settlement.LOST
    if sent is not None and found == sent:
        return Settlement.APPLIED
    if found == held:
        return Settlement.UNCHANGED
    if found.claim == held.claim:
        return Settlement.EARLIER_APPLIED if found.generation > held.generation else Settlement.LOST
    return Settlement.SUPERSEDED if found.generation.epoch >= held.generation.epoch else Settlement.LOST


def first_missing(work: Sequence[NameChange], view: ZoneView) -> NameChange | None:
    """Return the first name that does not stand as a batch was to make it, whoever is to blame for that."""
    return next((each for each in work if any(_plain(view.get(one.key)) != one.new for one in each.changes)), None)


def first_undone(work: Sequence[NameChange], view: ZoneView) -> NameChange | None:
    """Return the name at which a refused batch stopped after its ledger had moved, if nothing stood against it there.

    Only where sets are written one by one: there everything before the refused one is done, and nothing after it. A
    set that is neither as before nor as wished was changed by somebody else, which explains the refusal.
    """
    for each in work:
        states = [(view.get(change.key), change) for change in each.changes]
        if all(_plain(found) == change.new for found, change in states):
            continue
        met = all(
            (found == change.old or _plain(found) == change.new)
            and (change.beside is None or _plain(view.get(change.beside.rrset.key)) == change.beside.rrset)
            for found, change in states
        )
        return each if met else None
    return None


def _plain(stored: StoredSet | None) -> RRset | None:
    return stored.rrset if stored else None
