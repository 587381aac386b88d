"""Delivery: one batch is sent, once, and what became of it is found out by reading.

sent ──► applied
  │
  ├── refused, or no answer ──► a doubt: read the ledger and the names ──► applied, not applied, or superseded
  │
  └── cancelled while waiting: the same doubt, for whoever goes on
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from detour.enactment.audit import Audit, Entry, Outcome, nobody_audits
from detour.enactment.contract import (
    Batch,
    BatchRefusedError,
    Change,
    OutcomeUnknownError,
    Provider,
    ProviderError,
    ZoneContents,
)
from detour.enactment.fence import Fence
from detour.enactment.settlement import Settlement, first_missing, first_undone
from detour.enactment.view import ZoneView
from detour.enactment.wishes import NameChange

SETTLED = {
    Settlement.APPLIED: Outcome.APPLIED,
    Settlement.UNCHANGED: Outcome.NOT_APPLIED,
    Settlement.EARLIER_APPLIED: Outcome.NOT_APPLIED,
    Settlement.SUPERSEDED: Outcome.SUPERSEDED,
    Settlement.LOST: Outcome.UNCLEAR,
}
"""What reading tells of a write whose outcome was unclear. One that is not applied yet may land after all: that shows
as a later write that is found not to apply, as an earlier one did."""

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 30.0
"""Seconds until the next batch after a lost answer: doubling from the first to the longest."""


@dataclass(slots=True)
class Tally:
    """Counts since the start, for metrics."""

    batches: int = 0
    refused: int = 0
    lost: int = 0
    throttled: int = 0
    errors: int = 0
    repairs: int = 0
    superseded: int = 0


@dataclass(frozen=True, slots=True)
class Doubt:
    """A batch whose outcome must be read; `lost` that no answer came, `error` what was said otherwise.

    `claims` says that it was to take the zone over, `write` is what the audit trail calls it.
    """

    batch: Batch
    work: Sequence[NameChange]
    lost: bool
    error: ProviderError
    claims: bool
    write: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What reading showed about a batch in doubt; `refused` is the name that the provider does not take."""

    settlement: Settlement
    doubt: Doubt
    refused: NameChange | None = None


class Delivery:
    """Sends the batches of one zone, never two at a time."""

    def __init__(self, fence: Fence, tally: Tally, *, clock: Callable[[], float], audit: Audit = nobody_audits) -> None:
        self._audit = audit
        self._fence = fence
        self._tally = tally
        self._clock = clock
        self._losses = 0
        self._life, self._writes = secrets.token_hex(4), 0
        self.doubt: Doubt | None = None
        self.names_per_batch: int | None = None
        self.pause_until = 0.0

    async def send(self, provider: Provider, batch: Batch, work: Sequence[NameChange]) -> ZoneContents | None:
        """Send `batch` once; return its sets as stored, or None where a doubt is left.

        Raises ProviderError where certainly nothing was applied.
        """
        claims = self._fence.held is None
        # Until an answer says otherwise the outcome is unknown: also when this task is cancelled while it waits.
        self._writes += 1
        write = f"{self._life}-{self._writes}"
        self.doubt = Doubt(batch, work, True, OutcomeUnknownError("the answer did not come"), claims, write)
        self._tally.batches += 1
        self._audit(Entry(write, batch, tuple(work)))
        try:
            stored = await provider.apply(batch)
        except (BatchRefusedError, OutcomeUnknownError) as error:
            self._audit(Entry(write, batch, tuple(work), Outcome.UNCLEAR, error.reason))
            lost = isinstance(error, OutcomeUnknownError)
            self._tally.lost += lost
            self._tally.refused += not lost
            self.doubt = Doubt(batch, work, lost or self._fence.unsettled, error, claims, write)
            return None
        except ProviderError as error:
            self.doubt = None if provider.limits.atomic else self.doubt
            outcome = Outcome.NOT_APPLIED if provider.limits.atomic else Outcome.UNCLEAR
            self._audit(Entry(write, batch, tuple(work), outcome, error.reason))
            raise
        self._audit(Entry(write, batch, tuple(work), Outcome.APPLIED))
        self.doubt = None
        self._losses = 0
        self._fence.accepted(stored)
        self.names_per_batch = None if self.names_per_batch is None else self.names_per_batch * 2
        return stored

    def settle(self, doubt: Doubt, view: ZoneView, *, atomic: bool) -> Finding:
        """Judge the batch in doubt by what was just read into `view`.

        Raises the provider's own error where it refuses even the ledger's move though nothing stood against it.
        """
        self.doubt = None
        settlement = self._fence.settle(view.get(self._fence.key), lost=doubt.lost)
        outcome, undone = SETTLED[settlement], None
        if outcome is Outcome.APPLIED and not atomic:
            undone = first_missing(doubt.work, view)
            outcome = outcome if undone is None else Outcome.PARTLY_APPLIED
        hostname = undone.hostname if undone is not None else None
        self._audit(Entry(doubt.write, doubt.batch, tuple(doubt.work), outcome, undone=hostname))
        refused = None
        match settlement:
            case Settlement.APPLIED if not (doubt.claims or doubt.lost or atomic):
                refused = first_undone(doubt.work, view)  # else an earlier request of ours may have moved the ledger
            case Settlement.UNCHANGED if isinstance(doubt.error, OutcomeUnknownError):
                self._losses += 1
                self.pause_until = self._clock() + min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._losses)
            case Settlement.UNCHANGED if _is_untouched(doubt.batch, view):
                refused = self._narrow(doubt)
            case _:
                pass
        return Finding(settlement, doubt, refused)

    def _narrow(self, doubt: Doubt) -> NameChange | None:
        """Nothing stood against the batch, and yet it was refused: look for the name that the provider dislikes."""
        if not doubt.work:
            raise doubt.error
        if len(doubt.work) > 1:
            self.names_per_batch = len(doubt.work) // 2
            return None
        return doubt.work[0]


def _is_untouched(batch: Batch, view: ZoneView) -> bool:
    return all(_is_met(change, view) for change in (batch.ledger, *batch.changes))


def _is_met(change: Change, view: ZoneView) -> bool:
    is_beside = change.beside is None or view.get(change.beside.rrset.key) == change.beside
    return is_beside and view.get(change.key) == change.old
