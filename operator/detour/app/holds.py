"""The safety gate of one zone at work: it remembers what was let through, what is held, and what a person approved.

A change that is held stays undone: what was let through before is written, and put back where somebody changes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from detour.enactment.wishes import Withdrawal
from detour.kube.picture import HeldChange, Holds, values_of
from detour.model.record import ObjectKey
from detour.model.rrset import RRset
from detour.model.zone import Safety
from detour.planning.gate import (
    Departure,
    HoldReason,
    Proposal,
    ZoneSituation,
    deletions_allowed,
    evacuated_regions,
    held_digest,
    hold,
)


@dataclass(frozen=True, slots=True)
class _Held:
    reason: HoldReason
    line: str
    after: tuple[RRset, ...] = ()
    withdrawal: Withdrawal | None = None


class ZoneGate:
    """Lets changes of one zone through, or holds them. `clock` gives engine seconds.

    `evacuated` are regions with the time at which an earlier leader evacuated them.
    """

    def __init__(self, safety: Safety, *, clock: Callable[[], float], evacuated: Mapping[str, float]) -> None:
        self.safety = safety
        self.is_suspected = False
        self._clock = clock
        self._evacuated = dict(evacuated)
        self._let_through: dict[ObjectKey, tuple[RRset, ...]] = {}
        self._serving: dict[ObjectKey, frozenset[str]] = {}
        self._departures: list[Departure] = []
        self._held: dict[ObjectKey, _Held] = {}
        self._approved: dict[ObjectKey, _Held] = {}
        self._deletions: dict[ObjectKey, float] = {}

    # -- changes ---------------------------------------------------------------------------------------------------

    def last(self, record: ObjectKey) -> tuple[RRset, ...] | None:
        """Return the sets of `record` that were let through last."""
        return self._let_through.get(record)

    def submit(self, proposal: Proposal) -> tuple[RRset, ...]:
        """Return the sets to write: those proposed, or where that has to wait, those before (which may be none)."""
        key = proposal.record
        self._deletions.pop(key, None)
        reason = self._reason_to_hold(proposal)
        approved = self._approved.get(key)
        if reason is not None and not (approved and approved.after == proposal.after):
            self._held[key] = _Held(reason, _change_line(proposal), proposal.after)
            self._serving[key] = proposal.regions_before
            return proposal.before
        self._held.pop(key, None)
        if proposal.after != proposal.before:
            now = self._clock()
            self._departures += [Departure(key, region, now) for region in sorted(proposal.evacuates)]
        self._let_through[key] = proposal.after
        self._serving[key] = proposal.regions_after
        return proposal.after

    def _reason_to_hold(self, proposal: Proposal) -> HoldReason | None:
        if proposal.after == proposal.before:
            return None
        self._forget_old()
        situation = ZoneSituation(
            self._serving, tuple(self._departures), frozenset(self._evacuated), is_suspected=self.is_suspected
        )
        return hold(proposal, situation, self.safety)

    def forget(self, record: ObjectKey) -> None:
        """The record wants nothing here any more."""
        for kept in (self._let_through, self._serving, self._held, self._approved):
            kept.pop(record, None)

    def begin_term(self, evacuated: Mapping[str, float]) -> None:
        """The zone comes into force here: what was let through before does not count, nor what is held."""
        self._evacuated.update(evacuated)
        self._let_through.clear()
        self._held = {key: each for key, each in self._held.items() if each.withdrawal is not None}

    # -- deletions -------------------------------------------------------------------------------------------------

    def admits_deletion(self, withdrawal: Withdrawal, owned: int) -> bool:
        """Tell whether a name may be deleted now; otherwise it is held until a person approves.

        `owned` is how many names of the zone are ours at present, those asked to be deleted before not counted.
        """
        key = withdrawal.record
        self._forget_old()
        self.forget(key)
        allowed = deletions_allowed(owned + len(self._deletions))
        self._deletions.setdefault(key, self._clock())
        line = f"delete {withdrawal.hostname}"
        if self.safety.frozen:
            self._held[key] = _Held(HoldReason.FREEZE, line, withdrawal=withdrawal)
            return False
        if len(self._deletions) > allowed:
            self._held[key] = _Held(HoldReason.DELETIONS, line, withdrawal=withdrawal)
            return False
        return True

    def declared_again(self, record: ObjectKey) -> None:
        """A record whose deletion was held is there again: its name stays."""
        held = self._held.get(record)
        if held is not None and held.withdrawal is not None:
            del self._held[record]
            self._deletions.pop(record, None)

    # -- what is held ----------------------------------------------------------------------------------------------

    def approve(self, digest: str) -> list[Withdrawal] | None:
        """Let through what is held, if that is what `digest` stands for; return the deletions among it, else None."""
        if not self._held or digest != self.holds().digest:
            return None
        self._approved, self._held = self._held, {}
        return [each.withdrawal for each in self._approved.values() if each.withdrawal is not None]

    def unfrozen_deletions(self) -> list[Withdrawal]:
        """Return, once, the deletions that only a freeze kept, where it is over."""
        if self.safety.frozen:
            return []
        freed = [key for key, each in self._held.items() if each.withdrawal and each.reason is HoldReason.FREEZE]
        return [each.withdrawal for key in freed if (each := self._held.pop(key)).withdrawal is not None]

    def held(self, record: ObjectKey) -> HoldReason | None:
        """Return why the newest change of `record` is held, or None."""
        found = self._held.get(record)
        return found.reason if found else None

    def held_records(self) -> list[ObjectKey]:
        """Return the records with a change that is held; deletions are not among them."""
        return [key for key, each in self._held.items() if each.withdrawal is None]

    def holds(self) -> Holds:
        """Return all that is held."""
        changes = tuple(HeldChange(each.reason, each.line) for each in self._held.values())
        return Holds(changes, held_digest(each.line for each in changes) if changes else "")

    def evacuated(self) -> dict[str, float]:
        """Return the regions evacuated within the window, and when (engine seconds)."""
        self._forget_old()
        found = dict(self._evacuated)
        regions = evacuated_regions(ZoneSituation(self._serving, tuple(self._departures)))
        for each in self._departures:
            if each.region in regions:
                found[each.region] = max(each.at, found.get(each.region, 0.0))
        return found

    def _forget_old(self) -> None:
        since = self._clock() - self.safety.window
        self._departures = [each for each in self._departures if each.at >= since]
        self._evacuated = {region: at for region, at in self._evacuated.items() if at >= since}
        held = {key for key, each in self._held.items() if each.withdrawal is not None}
        self._deletions = {key: at for key, at in self._deletions.items() if at >= since or key in held}


def _change_line(proposal: Proposal) -> str:
    before, after = (", ".join(values_of(sets)) for sets in (proposal.before, proposal.after))
    return f"{proposal.hostname}: {before or 'nothing'} -> {after}"
