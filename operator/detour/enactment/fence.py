"""The fence of one zone as its writer holds it: which ledger is ours, and what became of the last batch."""

import secrets
from collections.abc import Callable, Sequence

from detour.enactment.contract import Batch, Change, StoredSet, ZoneContents
from detour.enactment.ledger import Ledger, batch_digest, next_claim, parse_ledger
from detour.enactment.settlement import Settlement, settle
from detour.model.generation import NEVER, Generation
from detour.model.names import ledger_name
from detour.model.rrset import RRKey, RRType


class Fence:
    """Claims a zone and makes its batches conditional.

    `known` is the highest generation of this zone that anything of ours remembers; a claim goes above it.
    `renew` is how often this site moves the ledgers of its zones on, in seconds, for others to know (0: never).
    `random_claim` gives a fresh hexadecimal text each time.
    """

    def __init__(
        self,
        *,
        owner: str,
        domain: str,
        site: str,
        renew: int = 0,
        known: Generation = NEVER,
        random_claim: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self.key = RRKey(ledger_name(owner, domain), RRType.TXT)
        self.held: Ledger | None = None
        self.unsettled = False
        self._owner = owner
        self._domain = domain
        self._site = site
        self._renew = renew
        self._known = known
        self._random_claim = random_claim
        self._stored: StoredSet | None = None
        self._sent: Ledger | None = None
        self._claimed_over: StoredSet | None = None
        self._claims: set[str] = set()

    @property
    def generation(self) -> Generation | None:
        """The generation in force under our claim, or None while we hold none."""
        return self.held.generation if self.held else None

    def what_is_odd(self, stored: StoredSet | None) -> str | None:
        """Return what a person should know of the ledger that is about to be claimed over, None where it is in order.

        Only where the zone is known to have had one of ours.
        """
        found = parse_ledger(stored.rrset if stored else None)
        if found is None:
            return f"the ledger {self.key.name} {'is unreadable' if stored else 'was deleted'}"
        if found.claim in self._claims or self._known == NEVER:
            return None
        if found.generation.epoch > self._known.epoch + 1:
            return f"the ledger {self.key.name} says {found.generation}, far above {self._known}, the last one known"
        if found.generation < self._known:
            return f"the ledger {self.key.name} says {found.generation}, which is older than {self._known}"
        return None

    def know(self, generation: Generation) -> None:
        """Remember that `generation` has existed."""
        self._known = max(self._known, generation)

    def claim(self, stored: StoredSet | None) -> Batch:
        """Return the batch that takes the zone over, on condition that its ledger still is `stored`."""
        found = parse_ledger(stored.rrset if stored else None)
        self.held = None
        self._claimed_over = stored
        self._sent = next_claim(found, self._known, site=self._site, claim=self._random_claim(), renew=self._renew)
        self._claims.add(self._sent.claim)
        return Batch(Change(stored, self._sent.rrset(self._owner, self._domain)))

    def batch(self, changes: Sequence[Change]) -> Batch:
        """Return the batch that makes `changes` under our claim. Only while `held`."""
        assert self.held is not None  # noqa: S101 - the enactor writes only while it holds the zone
        pairs = [(change.old.rrset if change.old else None, change.new) for change in changes]
        self._sent = self.held.moved_on(batch_digest(self.held.moved_on("-"), pairs))
        return Batch(Change(self._stored, self._sent.rrset(self._owner, self._domain)), tuple(changes))

    def accepted(self, stored: ZoneContents) -> None:
        """Take note that the batch last made was applied and left the ledger as in `stored`."""
        self._hold(self._sent, stored.sets[self.key])

    def settle(self, stored: StoredSet | None, *, lost: bool) -> Settlement:
        """Judge the batch last made by a reading of the ledger; `lost` says that its answer never came.

        A reading that still shows the old ledger does not prove that a lost batch will not land: the fence stays
        unsettled until a later batch of ours was applied.
        """
        found = parse_ledger(stored.rrset if stored else None)
        if self.held is None:
            if found is not None and found == self._sent:
                self._hold(found, stored)
                return Settlement.APPLIED
            if stored == self._claimed_over or (found is not None and found.claim in self._claims):
                return Settlement.UNCHANGED  # an earlier claim of ours that landed late is no rival
            if found is not None and self._sent is not None and found.generation < self._sent.generation:
                return Settlement.UNCHANGED  # it was there before, and not shown to us: it has taken nothing from us
            return Settlement.SUPERSEDED if found is not None else Settlement.LOST
        verdict = settle(self.held, self._sent, found)
        match verdict:
            case Settlement.APPLIED | Settlement.EARLIER_APPLIED:
                self._hold(found, stored)
            case Settlement.UNCHANGED:
                self._stored = stored
                self.unsettled = self.unsettled or lost
            case Settlement.SUPERSEDED | Settlement.LOST:
                self.know(found.generation if found else NEVER)
                self.release()
        return verdict

    def watch(self, stored: StoredSet | None) -> Settlement:
        """Judge a reading of the ledger made while no batch is in doubt."""
        self._sent = None
        return self.settle(stored, lost=False)

    def release(self) -> None:
        """Stand down: what we knew is remembered, but nothing can be written before a new claim."""
        if self.held is not None:
            self.know(self.held.generation)
        self.held = None
        self._stored = None
        self.unsettled = False

    def _hold(self, ledger: Ledger | None, stored: StoredSet | None) -> None:
        self.held = ledger
        self._stored = stored
        self.unsettled = False
        if ledger is not None:
            self.know(ledger.generation)
