"""The names of a zone that somebody cares for: who wishes what, what is dirty, and how each stands.

Dirty means: look again whether the zone holds what is wished. A name stays dirty until it does, or is refused.
"""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from detour.enactment.batches import BatchFiller
from detour.enactment.contract import Change, StoredSet
from detour.enactment.markers import parse_marker
from detour.enactment.reconcile import Outcome, ZoneRules, is_marked_for, reconcile
from detour.enactment.sticking import Sticking
from detour.enactment.view import NameView, ZoneView
from detour.enactment.wishes import NameChange, Refusal, Urgency, Wish, WishReport, Withdrawal
from detour.model.defects import told
from detour.model.generation import Generation
from detour.model.record import ObjectKey
from detour.model.rrset import ANSWER_TYPES, RRset

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Settled:
    """Whom to tell after a look at the dirty names."""

    records: list[ObjectKey] = field(default_factory=list)
    withdrawals: list[Withdrawal] = field(default_factory=list)


@dataclass(slots=True)
class _Quarantined:
    refusal: Refusal
    until: float


class Names:
    """The wishes for one zone, by hostname."""

    def __init__(self, rules: ZoneRules) -> None:
        self._rules = rules
        self.zone_id: str | None = None  # the provider's own, once it is known
        self._wishes: dict[str, dict[ObjectKey, Wish]] = {}
        self._hostnames: dict[ObjectKey, str] = {}
        self._withdrawals: dict[str, dict[ObjectKey, Withdrawal]] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._quarantine: dict[str, _Quarantined] = {}
        self._owned: dict[str, ObjectKey] = {}  # by hostname, the record that the marker names
        self._generations: dict[str, Generation] = {}
        self._settled: dict[str, tuple[RRset, ...]] = {}
        self._sent: dict[str, set[tuple[RRset, ...]]] = {}
        self._dirty: dict[str, Urgency] = {}
        self._unanswered: dict[str, set[StoredSet]] = {}
        self._sticking = Sticking()

    # -- wishes --------------------------------------------------------------------------------------------------

    def want(self, wish: Wish) -> bool:
        """Take over `wish`; False where nothing is new."""
        if self._hostnames.get(wish.record, wish.hostname) != wish.hostname:
            self.forget(wish.record)
        claims = self._wishes.setdefault(wish.hostname, {})
        if claims.get(wish.record) == wish:
            return False
        self._hostnames[wish.record] = wish.hostname
        claims[wish.record] = wish
        self._quarantine.pop(wish.hostname, None)
        self._mark(wish.hostname, Urgency.FAILOVER)
        return True

    def forget(self, record: ObjectKey) -> None:
        """Drop the wish of `record`; who else claims the name gets another look."""
        hostname = self._hostnames.pop(record, None)
        if hostname is None:
            return
        self._wishes[hostname].pop(record, None)
        outcome = self._outcomes.get(hostname)
        if not self._wishes[hostname] or self._owned.get(hostname) == record or (outcome and outcome.owner == record):
            self._forget_name(hostname)  # who only claimed it besides takes nothing along
        if self._wishes[hostname]:
            self._mark(hostname, Urgency.HOUSEKEEPING)
        else:
            del self._wishes[hostname]
            self._unanswered.pop(hostname, None)
            if hostname in self._withdrawals:
                self._mark(hostname, Urgency.HOUSEKEEPING)  # nobody's claim stands before the deletion any more
            else:
                self._dirty.pop(hostname, None)

    def _forget_name(self, hostname: str) -> None:
        """Know nothing any more of what was done at a name."""
        self._outcomes.pop(hostname, None)
        self._owned.pop(hostname, None)
        self._generations.pop(hostname, None)
        self._settled.pop(hostname, None)
        self._sent.pop(hostname, None)
        self._sticking.forget(hostname)

    def withdraw(self, withdrawal: Withdrawal) -> None:
        """Drop the wish of a deleted record and remove its name."""
        self.forget(withdrawal.record)
        self._quarantine.pop(withdrawal.hostname, None)
        self._withdrawals.setdefault(withdrawal.hostname, {})[withdrawal.record] = withdrawal
        self._mark(withdrawal.hostname, Urgency.HOUSEKEEPING)

    def abandon(self, record: ObjectKey) -> None:
        """Let the name that `record` asked to be removed stay."""
        for hostname in [name for name, found in self._withdrawals.items() if record in found]:
            del self._withdrawals[hostname][record]
            if not self._withdrawals[hostname]:
                del self._withdrawals[hostname]

    def takes(self, withdrawal: Withdrawal, view: ZoneView) -> bool:
        """Tell whether `withdrawal` would take anything away: only where the name's marker names its object."""
        marker = view.at(withdrawal.hostname).marker
        return is_marked_for(parse_marker(marker.rrset if marker else None), withdrawal, self._rules)

    def recall_withdrawals(self) -> list[Withdrawal]:
        """Give back the withdrawals that are not done: their names stay for now."""
        recalled = [each for found in self._withdrawals.values() for each in found.values()]
        self._withdrawals.clear()
        return recalled

    @property
    def has_wishes(self) -> bool:
        return bool(self._wishes or self._withdrawals)

    def hostname_of(self, record: ObjectKey) -> str | None:
        """Return the name that `record` wishes for, None where it wishes for none."""
        return self._hostnames.get(record)

    def records(self) -> Iterable[ObjectKey]:
        return list(self._hostnames)

    def undecide(self) -> None:
        """Forget what the wishes say of sets: who claims a name stays."""
        for claims in self._wishes.values():
            for record, wish in claims.items():
                claims[record] = replace(wish, sets=None)
        self._settled.clear()
        self._sent.clear()

    # -- what is dirty -------------------------------------------------------------------------------------------

    @property
    def is_dirty(self) -> bool:
        return bool(self._dirty)

    @property
    def dirty_count(self) -> int:
        return len(self._dirty)

    @property
    def pending_count(self) -> int:
        """Hostnames for which a change is decided but not yet made."""
        return sum(1 for hostname in self._dirty if (found := self._outcomes.get(hostname)) and found.change)

    @property
    def urgency(self) -> Urgency:
        """The urgency of the most urgent dirty name."""
        return min(self._dirty.values(), default=Urgency.HOUSEKEEPING)

    @property
    def next_retry(self) -> float | None:
        """When the next quarantine ends (engine seconds)."""
        return min((each.until for each in self._quarantine.values()), default=None)

    def reread(self, hostname: str, view: ZoneView | None = None) -> None:
        """Look again at `hostname`: it was read into `view`, or its batch failed."""
        if view is not None:
            self._sticking.read(hostname, view.at(hostname).answers)
        if hostname in self._wishes or hostname in self._withdrawals:
            self._mark(hostname, Urgency.REPAIR)

    def all_reread(self, view: ZoneView) -> None:
        """Look again at every name, after a full reading."""
        for hostname in (*self._wishes, *self._withdrawals):
            self._mark(hostname, Urgency.REPAIR)
            self._sticking.read(hostname, view.at(hostname).answers)
        for hostname in self._wishes:
            marker = view.at(hostname).marker
            found = parse_marker(marker.rrset if marker else None)
            if found and found.owner == self._rules.owner and found.record in self._wishes[hostname]:
                self._owned[hostname] = found.record

    def quarantine(self, hostname: str, refusal: Refusal, until: float) -> None:
        """Leave `hostname` alone `until` then (engine seconds), or until somebody wishes something else for it."""
        self._quarantine[hostname] = _Quarantined(refusal, until)
        self._mark(hostname, Urgency.HOUSEKEEPING)

    def unanswered(self, change: NameChange) -> None:
        """Write the sets of `change` once more, where they still have the version that they had before it.

        Where sets are written one by one the ledger says nothing of each. A request whose answer was lost is on its
        way, on the condition of that version: it must meet another one (design, Fence: touch that set).
        """
        if change.hostname in self._wishes:
            self._unanswered.setdefault(change.hostname, set()).update(each.old for each in change.changes if each.old)

    def _mark(self, hostname: str, urgency: Urgency) -> None:
        self._dirty[hostname] = min(urgency, self._dirty.get(hostname, urgency))

    # -- what to do ----------------------------------------------------------------------------------------------

    def fill(
        self, filler: BatchFiller, view: ZoneView, *, now: float, writable: bool, awaited: Collection[str] = ()
    ) -> Settled:
        """Look at dirty names, the urgent ones first, until `filler` is full; return whom to tell of news.

        Without `writable` (a dry run, or a zone not in force) nothing is filled and every name is judged. Names that
        are `awaited` stay dirty: they are being read.
        """
        self.end_quarantines(now)
        settled = Settled()
        for hostname in sorted(self._dirty, key=self._dirty.__getitem__):
            if hostname in awaited:
                continue
            urgency = self._dirty[hostname]
            outcome = self._judged(hostname, view)
            change = outcome.change and replace(
                outcome.change,
                urgency=max(urgency, outcome.change.urgency),
                is_repair=self._is_repair(hostname, outcome.change, view.at(hostname)),
            )
            if change is None and outcome.owner is not None and self._wishes[hostname][outcome.owner].sets is not None:
                self._settled[hostname] = view.at(hostname).answers
            self._outcomes[hostname] = replace(outcome, change=change)
            if change and writable and not self._is_suspended(hostname, change.record):
                if not filler.add(change):
                    break
                continue
            del self._dirty[hostname]
            settled.records += self._wishes.get(hostname, {})
            owner = outcome.owner
            undecided = owner is not None and self._wishes[hostname][owner].sets is None  # it takes the name over
            is_left_alone = owner is None and bool(self._wishes.get(hostname))  # refused: the deletion is not judged
            if not change and not (undecided or outcome.is_put_off):
                settled.withdrawals += self._settle_withdrawals(hostname, view if is_left_alone else None)
        return settled

    def _settle_withdrawals(self, hostname: str, view: ZoneView | None) -> list[Withdrawal]:
        """Return the withdrawals of a name that are done; with a `view` those that would take anything away go on."""
        asked = self._withdrawals.pop(hostname, {})
        kept = {record: each for record, each in asked.items() if view is not None and self.takes(each, view)}
        if kept:
            self._withdrawals[hostname] = kept
        return [each for record, each in asked.items() if record not in kept]

    def _judged(self, hostname: str, view: ZoneView) -> Outcome:
        """Judge one name: a defect of ours that it brings to light must not keep the others where they are."""
        try:
            return self._judge(hostname, view)
        except Exception as error:
            logger.error("%s could not be judged; it stays as it is: %s", hostname, told(error))
            why = f"{hostname} stays as it is: Detour met an error of its own ({type(error).__name__}), see its log"
            refusal = Refusal("InternalError", why)
            return Outcome(None, dict.fromkeys(self._wishes.get(hostname, {}), refusal), is_put_off=True)

    def _judge(self, hostname: str, view: ZoneView) -> Outcome:
        wishes = list(self._wishes.get(hostname, {}).values())
        wishes = [replace(each, was_published=self._is_proved(each)) for each in wishes]
        found = view.at(hostname)
        if found.answers in self._sent.get(hostname, ()):
            self._settled[hostname] = found.answers  # its answer was lost, and it has landed all the same
        wishes = [replace(each, sets=self._sticking.wished(each.sets)) if each.sets else each for each in wishes]
        wishes = [self._as_it_was(each, found) if each.is_frozen else each for each in wishes]
        outcome = reconcile(
            hostname,
            wishes,
            self._withdrawal_at(hostname, found),
            found=found,
            shadow=view.shadow_of(hostname, self._rules.domain),
            rules=self._rules,
        )
        outcome = self._touching(outcome, hostname, view)
        if outcome.change and (quarantined := self._quarantine.get(hostname)):
            refusals = {**outcome.refusals, outcome.change.record: quarantined.refusal}
            return Outcome(None, refusals, outcome.owner, is_put_off=True)
        return outcome

    def _withdrawal_at(self, hostname: str, found: NameView) -> Withdrawal | None:
        """Return the withdrawal of the name that counts: of several claimants, the marker's."""
        asked = self._withdrawals.get(hostname, {})
        marker = parse_marker(found.marker.rrset if found.marker else None)
        named = asked.get(marker.record) if marker is not None else None
        return named or next(iter(asked.values()), None)

    def is_proved(self, change: NameChange) -> bool:
        """Tell whether the name of `change` is known to be its record's, whatever became of the marker."""
        wish = self._wishes.get(change.hostname, {}).get(change.record)
        return wish is not None and self._is_proved(wish)

    def _is_proved(self, wish: Wish) -> bool:
        """Tell whether `wish` is of a record that is known to have published its name in this very zone."""
        if self._owned.get(wish.hostname) == wish.record:
            return True
        return wish.was_published and wish.published_in in (None, self.zone_id)

    def _as_it_was(self, wish: Wish, found: NameView) -> Wish:
        """Return a wish that is frozen as one for what we left at the name; a name of ours that is empty is filled."""
        if wish.hostname in self._owned and (left := self._settled.get(wish.hostname)):
            return replace(wish, sets=wish.sets and left)
        is_emptied = not found.answers and wish.hostname in self._owned
        return wish if is_emptied else replace(wish, sets=None)

    def _touching(self, outcome: Outcome, hostname: str, view: ZoneView) -> Outcome:
        """Return `outcome` with the sets that a request of ours may still change, as they are."""
        before = {each for each in self._unanswered.pop(hostname, ()) if view.get(each.rrset.key) == each}
        if before:
            self._unanswered[hostname] = before
        if not before or outcome.owner is None or self._wishes[hostname][outcome.owner].sets is None:
            return outcome
        change = outcome.change or NameChange(hostname, outcome.owner, (), Urgency.REPAIR)
        written = {each.key for each in change.changes}
        touched = tuple(
            Change(stored, stored.rrset)
            for stored in sorted(before, key=lambda each: each.rrset.key)
            if stored.rrset.key not in written
        )
        return replace(outcome, change=replace(change, changes=touched + change.changes)) if touched else outcome

    def _is_repair(self, hostname: str, change: NameChange, found: NameView) -> bool:
        """Tell whether somebody else changed the name: it is not as we left it, or not as its status tells of it."""
        wish = self._wishes.get(hostname, {}).get(change.record)
        if wish is None or self._sticking.explains(hostname, found.answers):
            return False
        if hostname in self._settled:
            return found.answers != self._settled[hostname] or (hostname in self._owned and _is_unmarked(found))
        if wish.known_values is None:
            return False
        return not wish.is_news or {value for each in found.answers for value in each.values} != wish.known_values

    def _is_suspended(self, hostname: str, record: ObjectKey) -> bool:
        wish = self._wishes.get(hostname, {}).get(record)
        return wish is not None and wish.suspended

    def end_quarantines(self, now: float) -> None:
        """Look again at the names whose quarantine is over at `now` (engine seconds)."""
        for hostname in [name for name, each in self._quarantine.items() if each.until <= now]:
            del self._quarantine[hostname]
            self._mark(hostname, Urgency.HOUSEKEEPING)

    def sent(self, change: NameChange, view: ZoneView) -> None:
        """Take note that `change` is on its way: what it makes of the name is ours, whenever that shows."""
        if change.record in self._wishes.get(change.hostname, {}):
            self._sent.setdefault(change.hostname, set()).add(_made_by(change, view))

    def applied(self, change: NameChange, generation: Generation | None, view: ZoneView) -> None:
        """Take note that `change` is in the zone, as `view` shows.

        The name gets one more look, which should find nothing to do.
        """
        self._unanswered.pop(change.hostname, None)
        self._sent.pop(change.hostname, None)
        if change.record in self._wishes.get(change.hostname, {}):
            self._owned[change.hostname] = change.record
            self._settled[change.hostname] = stored = view.at(change.hostname).answers
            wish = self._wishes[change.hostname].get(change.record)
            made = _made_by(change, view)
            self._sticking.wrote(change.hostname, (wish.sets if wish else None) or (), made)
            if stored != made:
                self._sticking.read(change.hostname, stored)  # the provider itself says what it made of it
            if generation is not None:
                self._generations[change.hostname] = generation
        self._mark(change.hostname, change.urgency)

    # -- how things stand ----------------------------------------------------------------------------------------

    def report(self, record: ObjectKey, view: ZoneView | None, *, unsettled: bool) -> WishReport | None:
        """Return how `record` stands, or None where it wishes nothing or was not looked at yet.

        What stands at a name counts as published by the record only once its ownership was judged.
        """
        hostname = self._hostnames.get(record)
        outcome = self._outcomes.get(hostname) if hostname is not None else None
        if hostname is None or outcome is None:
            return None
        wish = self._wishes[hostname][record]
        standing = view.at(hostname) if view else None
        published = standing.answers if standing else ()
        owns = outcome.owner == record
        wished = self._sticking.wished(wish.sets) if wish.sets is not None else None
        settled = wished is not None and published == tuple(sorted(wished, key=lambda each: each.type))
        withheld = outcome.change is not None and hostname not in self._dirty
        marker = standing.marker if standing else None
        found = parse_marker(marker.rrset if marker else None)
        marks = found.record if found else None
        return WishReport(
            published=published,
            in_sync=owns and settled and not unsettled and hostname not in self._dirty,
            refusal=outcome.refusals.get(record),
            would_publish=wish.sets if withheld and wish.sets is not None else None,
            generation=self._generations.get(hostname),
            owns=owns,
            is_marked=hostname in self._owned and (owns or marks == record),
            marker=marker.rrset if marker else None,
            denied=outcome.denied == record,
            left=(self._settled.get(hostname) or None) if owns else None,
        )

    def wants_reading(self, hostname: str) -> bool:
        """Tell whether to see at once what became of the last write of `hostname`."""
        return self._sticking.wants_reading(hostname)

    def shown(self, hostname: str) -> None:
        """The name servers show `hostname` as it was written."""
        self._sticking.shown(hostname)

    def set_aside(self, now: float) -> None:
        """Leave alone for a while the names that the provider takes and does not keep as written."""
        for hostname, refusal, pause in self._sticking.news():
            self.quarantine(hostname, refusal, now + pause)

    @property
    def owned_count(self) -> int:
        return len(self._owned)

    def any_marked(self, view: ZoneView) -> bool:
        """Tell whether anything in the zone bears our owner's mark."""
        return any(self._marks_ours(hostname, view) for hostname in view.marked_hostnames())

    def unmarked(self, view: ZoneView) -> tuple[str, ...]:
        """Return the hostnames that somebody wishes for and that do not bear our owner's mark."""
        return tuple(sorted(name for name in self._wishes if not self._marks_ours(name, view)))

    def orphans(self, view: ZoneView) -> tuple[str, ...]:
        """Return the hostnames marked as ours that no record cares for."""
        return tuple(
            sorted(
                hostname
                for hostname in view.marked_hostnames()
                if hostname not in self._wishes and self._marks_ours(hostname, view)
            )
        )

    def _marks_ours(self, hostname: str, view: ZoneView) -> bool:
        marker = view.at(hostname).marker
        found = parse_marker(marker.rrset if marker else None)
        return found is not None and found.owner == self._rules.owner


def _made_by(change: NameChange, view: ZoneView) -> tuple[RRset, ...]:
    """Return how the name answers once `change` is made, by what it says itself."""
    answers = {each.key: each for each in view.at(change.hostname).answers}
    for each in change.changes:
        if each.new is None:
            answers.pop(each.key, None)
        elif each.key.type in ANSWER_TYPES:
            answers[each.key] = each.new
    return tuple(sorted(answers.values(), key=lambda each: each.type))


def _is_unmarked(found: NameView) -> bool:
    return parse_marker(found.marker.rrset if found.marker else None) is None
