"""What a reading of the ledger says about a batch whose answer was unclear."""

import enum

from detour.enactment.ledger import Ledger


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
