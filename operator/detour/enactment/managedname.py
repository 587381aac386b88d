"""Everything that is known of one hostname of a zone, in one object."""

from dataclasses import dataclass, field

from detour.enactment.contract import StoredSet
from detour.enactment.reconcile import Outcome
from detour.enactment.view import NameView
from detour.enactment.wishes import Explanation, Urgency, Wish
from detour.model.generation import Generation
from detour.model.record import Importance, ObjectKey
from detour.model.rrset import RRset
from detour.model.shared import NONE
from detour.model.withdrawal import Withdrawal

Answers = tuple[RRset, ...]


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Why a name is left alone, and until when: from `early` on until it stands otherwise than `seen`, else `until`.

    Both in engine seconds.
    """

    refusal: Explanation
    until: float
    seen: NameView | None = None
    early: float = 0.0


@dataclass(slots=True, eq=False)
class ManagedName:
    """One hostname that somebody cares for.

    `wishes` are what records want there, `withdrawals` what was asked to be removed. `urgency` is that of another look
    at it, None while it is clean; `outcome` is what the last look said. `owner` is the record that the marker in the
    zone names, `generation` the ledger's when this process last wrote the name. `settled` is how it was left, `sent`
    what writes on their way make of it, `unanswered` the sets that a request may still change. A change that is refused
    is tried again after `early_pause` seconds once the name stands otherwise.
    """

    hostname: str
    wishes: dict[ObjectKey, Wish] = field(default_factory=dict)
    withdrawals: dict[ObjectKey, Withdrawal] = field(default_factory=dict)
    urgency: Urgency | None = None
    outcome: Outcome | None = None
    quarantine: Quarantine | None = None
    owner: ObjectKey | None = None
    generation: Generation | None = None
    settled: Answers | None = None
    sent: frozenset[Answers] = NONE
    unanswered: frozenset[StoredSet] = NONE
    early_pause: float = 0.0

    @property
    def importance(self) -> Importance:
        """The importance of the most important record that wants the name; to remove one is not important."""
        found = {each.importance for each in self.wishes.values()}
        return next((each for each in Importance if each in found), Importance.LOW)

    @property
    def namespace(self) -> str:
        """The namespace of who asks for anything here, of several the first."""
        return next((record.namespace for record in (*self.wishes, *self.withdrawals)), "")

    @property
    def is_wanted(self) -> bool:
        """Tell whether anybody still asks for anything here."""
        return bool(self.wishes or self.withdrawals)

    @property
    def is_pending(self) -> bool:
        """Tell whether a change is decided but not yet made."""
        return self.urgency is not None and self.outcome is not None and self.outcome.change is not None

    def forget(self) -> None:
        """Know nothing any more of what was done here."""
        self.outcome = self.owner = self.generation = self.settled = None
        self.sent = NONE
