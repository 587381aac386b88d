"""The names of a zone that somebody cares for: who wishes what, what is dirty, and how each stands.

Dirty means: look again whether the zone holds what is wished. A name stays dirty until it does, or is refused.
"""

import heapq
import logging
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from detour.enactment.batches import BatchFiller
from detour.enactment.capacity import Capacity
from detour.enactment.census import Census
from detour.enactment.contract import Change, StoredSet
from detour.enactment.duenames import DueNames
from detour.enactment.managedname import ManagedName, Quarantine
from detour.enactment.markers import parse_marker
from detour.enactment.reconcile import Outcome, ZoneRules, is_marked_for, reconcile
from detour.enactment.registries import claimed_hostnames
from detour.enactment.sticking import Sticking
from detour.enactment.view import NameView, ZoneView
from detour.enactment.wishes import Explanation, NameChange, Urgency, Wish, WishReport
from detour.model.defects import told
from detour.model.generation import Generation
from detour.model.names import hostname_of_marker
from detour.model.record import ObjectKey
from detour.model.rrset import ANSWER_TYPES, RRset
from detour.model.shared import NONE
from detour.model.withdrawal import Withdrawal

logger = logging.getLogger(__name__)

EARLY = 2.0
LONGEST_EARLY = 64.0
"""Seconds to the second early try of a change that was refused, doubling up to the longest."""


LOOKS_AT_ONCE = 200
"""Names at which nothing is to do that are looked at before others have their turn on the event loop: some 15 ms."""

MOST_LOOKS = 500
"""The same, where a batch is being filled: a request for a few names costs as much as one for many."""


@dataclass(slots=True)
class Settled:
    """Whom to tell after a look at the dirty names, and at how many nothing is to be done for now."""

    records: list[ObjectKey] = field(default_factory=list)
    withdrawals: list[Withdrawal] = field(default_factory=list)
    looks: int = 0


class Names:
    """The wishes for one zone, by hostname. Tallies of how the names stand are kept, not counted."""

    def __init__(self, rules: ZoneRules, capacity: Capacity) -> None:
        self._rules = rules
        self.capacity = capacity
        self.zone_id: str | None = None  # the provider's own, once it is known
        self._names: dict[str, ManagedName] = {}
        self._hostnames: dict[ObjectKey, str] = {}
        self._withdrawn: dict[ObjectKey, set[str]] = {}  # by record, the names that it asked to be removed
        self._dirty = DueNames()
        self._pending: set[str] = set()
        self._quarantines: list[tuple[float, str]] = []  # a heap of when each ends
        self._sent: dict[str, None] = {}  # names of which something was sent, and nothing applied since
        self._look_again_at: set[str] = set()  # who found no room, until there may be some, or met an error of ours
        self._sticking = Sticking()
        self._census = Census()

    # -- wishes --------------------------------------------------------------------------------------------------

    def want(self, wish: Wish) -> bool:
        """Take over `wish`; False where nothing is new."""
        if self._hostnames.get(wish.record, wish.hostname) != wish.hostname:
            self.forget(wish.record)
        name = self._name(wish.hostname)
        if name.wishes.get(wish.record) == wish:
            return False
        self._hostnames[wish.record] = wish.hostname
        name.wishes[wish.record] = wish
        self._census.wanted(wish.hostname)
        name.quarantine = None
        self._mark(name, Urgency.FAILOVER)
        self._dirty.renew(name)
        return True

    def forget(self, record: ObjectKey) -> None:
        """Drop the wish of `record`; who else claims the name gets another look."""
        hostname = self._hostnames.pop(record, None)
        if hostname is None:
            return
        name = self._names[hostname]
        name.wishes.pop(record, None)
        if not name.wishes or record in (name.owner, name.outcome and name.outcome.owner):
            self._forget(name)  # who only claimed it besides takes nothing along
        if name.wishes:
            self._mark(name, Urgency.HOUSEKEEPING)
            return
        self._census.unwanted(hostname)
        name.unanswered = NONE
        if name.withdrawals:
            self._mark(name, Urgency.HOUSEKEEPING)  # nobody's claim stands before the deletion any more
        else:
            self._drop(name)

    def _name(self, hostname: str) -> ManagedName:
        name = self._names.get(hostname)
        if name is None:
            name = self._names[hostname] = ManagedName(hostname)
        return name

    def _forget(self, name: ManagedName) -> None:
        """Know nothing any more of what was done at a name."""
        name.forget()
        self._note(name)
        self._census.disowned(name.hostname)
        self._sticking.forget(name.hostname)

    def _drop(self, name: ManagedName) -> None:
        """Nobody asks for anything at a name any more."""
        self._clean(name)
        self.capacity.reserve(name.hostname, 0)
        del self._names[name.hostname]

    def withdraw(self, withdrawal: Withdrawal) -> None:
        """Drop the wish of a deleted record and remove its name."""
        self.forget(withdrawal.record)
        name = self._name(withdrawal.hostname)
        name.quarantine = None
        name.withdrawals[withdrawal.record] = withdrawal
        self._withdrawn.setdefault(withdrawal.record, set()).add(withdrawal.hostname)
        self._mark(name, Urgency.HOUSEKEEPING)

    def abandon(self, record: ObjectKey) -> None:
        """Let the name that `record` asked to be removed stay."""
        for hostname in sorted(self._withdrawn.get(record, ())):
            self._end_withdrawal(self._names[hostname], record)

    def _end_withdrawal(self, name: ManagedName, record: ObjectKey) -> None:
        del name.withdrawals[record]
        self._withdrawn[record].discard(name.hostname)
        if not self._withdrawn[record]:
            del self._withdrawn[record]
        if not name.is_wanted:
            self._drop(name)

    def takes(self, withdrawal: Withdrawal, view: ZoneView) -> bool:
        """Tell whether `withdrawal` would take anything away: only where the name's marker names its object."""
        marker = view.at(withdrawal.hostname).marker
        return is_marked_for(parse_marker(marker.rrset if marker else None), withdrawal, self._rules)

    def recall_withdrawals(self) -> list[Withdrawal]:
        """Give back the withdrawals that are not done: their names stay for now."""
        names = [
            self._names[each] for each in dict.fromkeys(host for found in self._withdrawn.values() for host in found)
        ]
        recalled = [each for name in names for each in name.withdrawals.values()]
        for name in names:
            for record in list(name.withdrawals):
                self._end_withdrawal(name, record)
        return recalled

    @property
    def has_wishes(self) -> bool:
        return bool(self._names)

    def hostname_of(self, record: ObjectKey) -> str | None:
        """Return the name that `record` wishes for, None where it wishes for none."""
        return self._hostnames.get(record)

    def concerns(self, name: str) -> bool:
        """Tell whether `name` is one under care, or may be a mark, of ours or of another tool on one under care."""
        return hostname_of_marker(name) is not None or any(each in self._names for each in claimed_hostnames(name))

    def is_above_any(self, name: str) -> bool:
        """Tell whether a name that somebody wishes for lies below `name`."""
        return self._census.is_above_any(name)

    def records(self) -> Iterable[ObjectKey]:
        return list(self._hostnames)

    def on_their_way(self) -> list[ObjectKey]:
        """Return the records of names of which something was sent, and nothing applied since."""
        self._sent = {each: None for each in self._sent if each in self._names and self._names[each].sent}
        return [record for each in self._sent for record in self._names[each].wishes]

    def undecide(self) -> None:
        """Forget what the wishes say of sets: who claims a name stays."""
        for name in self._names.values():
            for record, wish in name.wishes.items():
                name.wishes[record] = replace(wish, sets=None)
            name.settled = None
            name.sent = NONE

    # -- what is dirty -------------------------------------------------------------------------------------------

    @property
    def is_dirty(self) -> bool:
        return bool(self._dirty)

    @property
    def dirty_count(self) -> int:
        return len(self._dirty)

    @property
    def in_line_count(self) -> int:
        """Dirty names without those that are being read first."""
        return self._dirty.in_line_count

    @property
    def pending_count(self) -> int:
        """Hostnames for which a change is decided but not yet made."""
        return len(self._pending)

    @property
    def urgency(self) -> Urgency:
        """The urgency of the most urgent dirty name."""
        return self._dirty.urgency

    @property
    def next_retry(self) -> float | None:
        """When the next quarantine ends (engine seconds)."""
        while self._quarantines and not self._is_quarantined(*self._quarantines[0]):
            heapq.heappop(self._quarantines)
        return self._quarantines[0][0] if self._quarantines else None

    def _is_quarantined(self, until: float, hostname: str) -> bool:
        name = self._names.get(hostname)
        return name is not None and name.quarantine is not None and name.quarantine.until == until

    def reread(self, hostname: str, view: ZoneView | None = None) -> None:
        """Look again at `hostname`: it was read into `view`, or its batch failed."""
        if view is not None:
            self._sticking.read(hostname, view.at(hostname).answers)
            self._census.seen(hostname, is_ours=self._is_ours(view.at(hostname)))
        if (name := self._names.get(hostname)) is not None:
            self._mark(name, Urgency.REPAIR)

    def all_reread(self, view: ZoneView) -> Iterator[None]:
        """Look again at every name, after a full reading, with a pause after each; names come and go meanwhile."""
        self._look_again_at.clear()
        marked: set[str] = set()
        for hostname in view.marked_hostnames():
            if self._is_ours(view.at(hostname)):
                marked.add(hostname)
            yield
        self._census.all_seen(marked)
        for hostname, name in list(self._names.items()):
            yield
            if self._names.get(hostname) is not name:
                continue
            found = view.at(hostname)
            self._mark(name, Urgency.REPAIR)
            self._sticking.read(hostname, found.answers)
            marker = parse_marker(found.marker.rrset if found.marker else None)
            if marker and marker.owner == self._rules.owner and marker.record in name.wishes:
                self._own(name, marker.record)

    def whole_reread(self, view: ZoneView) -> Iterator[None]:
        """Take note of a full reading, by which some names are looked at again: all that were written have been read.

        So is everybody who met an error of ours, or found the zone full. With a pause after each name.
        """
        for hostname in self._sticking.unread():
            self._sticking.read(hostname, view.at(hostname).answers)
            yield
        self.look_again()

    def look_again(self) -> None:
        """Look again at who met an error of ours, or found the zone full."""
        for hostname in self._look_again_at:
            if (name := self._names.get(hostname)) is not None:
                self._mark(name, Urgency.REPAIR)
        self._look_again_at.clear()

    def quarantine(
        self,
        hostname: str,
        refusal: Explanation,
        *,
        now: float,
        pause: float,
        seen: NameView | None = None,
        has_changed: bool = False,
    ) -> None:
        """Leave `hostname` alone for `pause` seconds, or until somebody wishes something else for it.

        Where a change was refused to what was `seen` there it is tried again as soon as something else is, or (it
        `has_changed`) was by then; if that is refused as well, later each time (2 s, 4 s, ...), so that whoever changes
        the name at will sets no pace.
        """
        if (name := self._names.get(hostname)) is not None:
            early = now + min(pause, name.early_pause)
            self._set_aside(name, Quarantine(refusal, now + pause, seen and seen.kept(), early))
            if has_changed and name.quarantine is not None:
                self._try_early(name, name.quarantine)
            self._mark(name, Urgency.HOUSEKEEPING)

    def _try_early(self, name: ManagedName, quarantine: Quarantine) -> None:
        name.early_pause = min(LONGEST_EARLY, max(EARLY, 2 * name.early_pause))
        self._set_aside(name, replace(quarantine, until=quarantine.early, seen=None))

    def _set_aside(self, name: ManagedName, quarantine: Quarantine) -> None:
        name.quarantine = quarantine
        heapq.heappush(self._quarantines, (quarantine.until, name.hostname))

    def unanswered(self, change: NameChange) -> None:
        """Write the sets of `change` once more, where they still have the version that they had before it.

        Where sets are written one by one the ledger says nothing of each. A request whose answer was lost is on its
        way, on the condition of that version: it must meet another one (design, Fence: touch that set).
        """
        if (name := self._wished(change.hostname)) is not None:
            name.unanswered |= {each.old for each in change.changes if each.old}

    def _wished(self, hostname: str) -> ManagedName | None:
        """Return a name that somebody wishes for."""
        name = self._names.get(hostname)
        return name if name is not None and name.wishes else None

    def _mark(self, name: ManagedName, urgency: Urgency) -> None:
        if name.urgency is None or urgency < name.urgency:
            name.urgency = urgency
            self._dirty.put(name, urgency)
            self._note(name)
        else:
            self._dirty.take_up(name.hostname)  # who is still awaited is put aside once more

    def _clean(self, name: ManagedName) -> None:
        self._dirty.drop(name)
        name.urgency = None
        self._note(name)

    def _note(self, name: ManagedName) -> None:
        (self._pending.add if name.is_pending else self._pending.discard)(name.hostname)

    def _own(self, name: ManagedName, record: ObjectKey) -> None:
        name.owner = record
        self._census.owned(name.hostname)

    # -- what to do ----------------------------------------------------------------------------------------------

    def fill(
        self, filler: BatchFiller, view: ZoneView, *, now: float, writable: bool, awaited: Collection[str] = ()
    ) -> Settled:
        """Look at dirty names, the urgent ones first, until `filler` is full, or many; return whom to tell of news.

        Without `writable` (a dry run, or a zone not in force) nothing is filled and names are only judged. Those that
        are `awaited` stay dirty: they are being read.
        """
        self.end_quarantines(now)
        self.capacity.begin()
        settled = Settled()
        for name in self._dirty.in_turn():
            if name.hostname in awaited:
                self._dirty.put_aside(name)
                continue
            change = self._look_at(name, view)
            if change and writable and not self._is_suspended(name, change.record):
                if not filler.add(change):
                    self._dirty.first_again(name)
                    break
                if change.is_first:
                    self.capacity.plan(self._most_sets(name, change))
                continue
            self._settle(name, view, settled)
            settled.looks += 1
            if settled.looks >= (MOST_LOOKS if filler.taken else LOOKS_AT_ONCE):
                break
        return settled

    def _look_at(self, name: ManagedName, view: ZoneView) -> NameChange | None:
        """Judge one dirty name; return what is to be changed there."""
        found = view.at(name.hostname)
        outcome = self._fitting(name, self._judged(name, found, view), view)
        self._reserve(name, outcome.owner, found)
        self._census.seen(name.hostname, is_ours=self._is_ours(found))
        change = outcome.change and replace(
            outcome.change,
            urgency=max(name.urgency or Urgency.HOUSEKEEPING, outcome.change.urgency),
            is_repair=self._is_repair(name, outcome.change, found),
        )
        if change is None and outcome.owner is not None and name.wishes[outcome.owner].sets is not None:
            name.settled = found.answers
        name.outcome = replace(outcome, change=change)
        self._note(name)
        return change

    def _fitting(self, name: ManagedName, outcome: Outcome, view: ZoneView) -> Outcome:
        """Return `outcome`, or that a new name is refused because the zone has no room for it."""
        if outcome.change is None or not outcome.change.is_first:
            return outcome
        refusal = self.capacity.refusal(view.size, self._most_sets(name, outcome.change))
        if refusal is None:
            return outcome
        self._look_again_at.add(name.hostname)
        return Outcome(None, {**outcome.refusals, outcome.change.record: refusal})

    def _most_sets(self, name: ManagedName, change: NameChange) -> int:
        """Return how many sets a new name may come to need, its marker among them."""
        created = {each.key.type for each in change.changes if each.old is None}
        wish = name.wishes.get(change.record)
        return len(created | (wish.families if wish else frozenset()))

    def _reserve(self, name: ManagedName, owner: ObjectKey | None, found: NameView) -> None:
        """Keep room for what a failover may add at a name of ours."""
        wish = name.wishes.get(owner) if owner is not None and found.marker is not None else None
        self.capacity.reserve(name.hostname, len(wish.families - found.sets.keys()) if wish else 0)

    def _settle(self, name: ManagedName, view: ZoneView, settled: Settled) -> None:
        """Nothing is to be written at a name for now: tell who asks for it."""
        outcome = name.outcome
        self._clean(name)
        settled.records += name.wishes
        owner = outcome.owner if outcome else None
        undecided = owner is not None and name.wishes[owner].sets is None  # it takes the name over
        is_left_alone = owner is None and bool(name.wishes)  # refused: the deletion is not judged
        if outcome and not outcome.change and not (undecided or outcome.is_put_off):
            settled.withdrawals += self._settle_withdrawals(name, view if is_left_alone else None)

    def _settle_withdrawals(self, name: ManagedName, view: ZoneView | None) -> list[Withdrawal]:
        """Return the withdrawals of a name that are done; with a `view` those that would take anything away go on."""
        done = [each for each in name.withdrawals.values() if view is None or not self.takes(each, view)]
        for each in done:
            self._end_withdrawal(name, each.record)
        return done

    def _judged(self, name: ManagedName, found: NameView, view: ZoneView) -> Outcome:
        """Judge one name: a defect of ours that it brings to light must not keep the others where they are."""
        try:
            return self._judge(name, found, view)
        except Exception as error:
            hostname = name.hostname
            logger.error("%s could not be judged; it stays as it is: %s", hostname, told(error))
            why = f"{hostname} stays as it is: Detour met an error of its own ({type(error).__name__}), see its log"
            refusal = Explanation("InternalError", why)
            self._look_again_at.add(hostname)
            return Outcome(None, dict.fromkeys(name.wishes, refusal), is_put_off=True)

    def _judge(self, name: ManagedName, found: NameView, view: ZoneView) -> Outcome:
        if found.answers in name.sent:
            name.settled = found.answers  # its answer was lost, and it has landed all the same
        wishes = [self._as_reconciled(name, each, found) for each in name.wishes.values()]
        outcome = reconcile(
            name.hostname,
            wishes,
            _withdrawal_at(name, found),
            found=found,
            shadow=view.shadow_of(name.hostname, self._rules.domain),
            rules=self._rules,
        )
        outcome = _touching(outcome, name, view)
        if name.quarantine is not None and name.quarantine.seen not in (None, found):
            self._try_early(name, name.quarantine)
        if outcome.change and name.quarantine is not None:
            refusals = {**outcome.refusals, outcome.change.record: name.quarantine.refusal}
            return Outcome(None, refusals, outcome.owner, is_put_off=True)
        return outcome

    def _as_reconciled(self, name: ManagedName, wish: Wish, found: NameView) -> Wish:
        """Return a wish with what is known here: that its name is proved, what the provider keeps, what is frozen."""
        is_proved = self._is_proved(name, wish)
        sets = self._sticking.wished(wish.sets) if wish.sets else wish.sets
        if (is_proved, sets) != (wish.was_published, wish.sets):
            wish = replace(wish, was_published=is_proved, sets=sets)
        return _as_it_was(name, wish, found) if wish.is_frozen else wish

    def is_proved(self, change: NameChange) -> bool:
        """Tell whether the name of `change` is known to be its record's, whatever became of the marker."""
        name = self._names.get(change.hostname)
        wish = name.wishes.get(change.record) if name is not None else None
        return name is not None and wish is not None and self._is_proved(name, wish)

    def _is_proved(self, name: ManagedName, wish: Wish) -> bool:
        """Tell whether `wish` is of a record that is known to have published its name in this very zone."""
        if name.owner == wish.record:
            return True
        return wish.was_published and wish.published_in in (None, self.zone_id)

    def _is_repair(self, name: ManagedName, change: NameChange, found: NameView) -> bool:
        """Tell whether somebody else changed the name: it is not as we left it, or not as its status tells of it."""
        wish = name.wishes.get(change.record)
        if wish is None or self._sticking.explains(name.hostname, found.answers):
            return False
        if name.settled is not None:
            return found.answers != name.settled or (name.owner is not None and _is_unmarked(found))
        if wish.known_values is None:
            return False
        return not wish.is_news or {value for each in found.answers for value in each.values} != wish.known_values

    def _is_suspended(self, name: ManagedName, record: ObjectKey) -> bool:
        wish = name.wishes.get(record)
        return wish is not None and wish.suspended

    def end_quarantines(self, now: float) -> None:
        """Look again at the names whose quarantine is over at `now` (engine seconds)."""
        while self._quarantines and self._quarantines[0][0] <= now:
            until, hostname = heapq.heappop(self._quarantines)
            if self._is_quarantined(until, hostname):
                name = self._names[hostname]
                quarantine, name.quarantine = name.quarantine, None
                if quarantine and until > quarantine.early:
                    name.early_pause = 0.0
                self._mark(self._names[hostname], Urgency.HOUSEKEEPING)

    def sent(self, change: NameChange, view: ZoneView) -> None:
        """Take note that `change` is on its way: what it makes of the name is ours, whenever that shows."""
        name = self._names.get(change.hostname)
        if name is not None and change.record in name.wishes:
            name.sent |= {_made_by(change, view)}
            self._sent[change.hostname] = None

    def refused(self, changes: Iterable[NameChange]) -> None:
        """Take note that certainly nothing of `changes` is, or comes, in the zone."""
        for each in changes:
            if (name := self._names.get(each.hostname)) is not None:
                name.sent = NONE

    def applied(self, change: NameChange, generation: Generation | None, view: ZoneView) -> None:
        """Take note that `change` is in the zone, as `view` shows.

        The name gets one more look, which should find nothing to do.
        """
        found = view.at(change.hostname)
        self._census.seen(change.hostname, is_ours=self._is_ours(found))
        self._sent.pop(change.hostname, None)
        name = self._names.get(change.hostname)
        if name is None:
            return
        if any(each.new is None for each in change.changes):
            self.look_again()  # there is room now for who found none
        name.unanswered, name.sent, name.early_pause = NONE, NONE, 0.0
        if change.record in name.wishes:
            self._own(name, change.record)
            self._reserve(name, change.record, found)
            name.settled = stored = found.answers
            made = _made_by(change, view)
            self._sticking.wrote(change.hostname, name.wishes[change.record].sets or (), made)
            if stored != made:
                self._sticking.read(change.hostname, stored)  # the provider itself says what it made of it
            if generation is not None:
                name.generation = generation
        self._mark(name, change.urgency)

    # -- how things stand ----------------------------------------------------------------------------------------

    def report(
        self, record: ObjectKey, view: ZoneView | None, *, doubtful: bool, unsettled: bool, sending: bool
    ) -> WishReport | None:
        """Return how `record` stands, or None where it wishes nothing or was not looked at yet.

        While `unsettled`, or `sending`, what was sent last of its name may be in the zone or not; `doubtful` is all
        that the zone was read to hold.

        What stands at a name counts as published by the record only once its ownership was judged.
        """
        hostname = self._hostnames.get(record)
        name = self._names[hostname] if hostname is not None else None
        if name is None or name.outcome is None:
            return None
        outcome, wish = name.outcome, name.wishes[record]
        standing = view.at(name.hostname) if view else None
        published = standing.answers if standing else ()
        owns = outcome.owner == record
        wished = self._sticking.wished(wish.sets) if wish.sets is not None else None
        settled = wished is not None and _are_same(published, wished)
        withheld = outcome.change is not None and name.urgency is None
        marker = standing.marker if standing else None
        return WishReport(
            published=published,
            in_sync=owns and settled and not doubtful and not (unsettled and name.sent) and name.urgency is None,
            refusal=outcome.refusals.get(record),
            would_publish=wish.sets if withheld and wish.sets is not None else None,
            generation=name.generation,
            owns=owns,
            is_marked=name.owner is not None and (owns or _marks(marker, record)),
            marker=marker.rrset if marker else None,
            denied=outcome.denied == record,
            left=(name.settled or None) if owns else None,
            may_land=bool(name.sent) and (doubtful or unsettled or sending),
            is_due=name.urgency is not None,
        )

    def admits(self, record: ObjectKey) -> bool:
        """Tell whether the name of `record` was looked at, and is not denied to it."""
        hostname = self._hostnames.get(record)
        outcome = self._names[hostname].outcome if hostname is not None else None
        return outcome is not None and outcome.denied != record

    def wants_reading(self, hostname: str) -> bool:
        """Tell whether to see at once what became of the last write of `hostname`."""
        return self._sticking.wants_reading(hostname)

    def undone(self) -> None:
        """The ledger is not as we left it: what the names hold tells nothing of what became of our last writes."""
        self._sticking.forget_writes()

    def shown(self, hostname: str) -> None:
        """The name servers show `hostname` as it was written."""
        self._sticking.shown(hostname)

    def set_aside(self, now: float) -> None:
        """Leave alone for a while the names that the provider takes and does not keep as written."""
        for hostname, refusal, pause in self._sticking.news():
            self.quarantine(hostname, refusal, now=now, pause=pause)

    @property
    def owned_count(self) -> int:
        return self._census.owned_count

    def any_marked(self, view: ZoneView) -> bool:
        """Tell whether anything in the zone bears our owner's mark."""
        return any(self._is_ours(view.at(hostname)) for hostname in view.marked_hostnames())

    @property
    def unmarked(self) -> tuple[str, ...]:
        """The hostnames that somebody wishes for and that do not bear our owner's mark."""
        return self._census.missing

    @property
    def orphans(self) -> tuple[str, ...]:
        """The hostnames marked as ours that no record cares for."""
        return self._census.orphans

    def _is_ours(self, found: NameView) -> bool:
        marker = parse_marker(found.marker.rrset if found.marker else None)
        return marker is not None and marker.owner == self._rules.owner


def _withdrawal_at(name: ManagedName, found: NameView) -> Withdrawal | None:
    """Return the withdrawal of the name that counts: of several claimants, the marker's."""
    marker = parse_marker(found.marker.rrset if found.marker else None)
    named = name.withdrawals.get(marker.record) if marker is not None else None
    return named or next(iter(name.withdrawals.values()), None)


def _as_it_was(name: ManagedName, wish: Wish, found: NameView) -> Wish:
    """Return a wish that is frozen as one for what we left at the name; a name of ours that is empty is filled."""
    if name.owner is not None and name.settled:
        return replace(wish, sets=wish.sets and name.settled)
    is_emptied = not found.answers and name.owner is not None
    return wish if is_emptied else replace(wish, sets=None)


def _touching(outcome: Outcome, name: ManagedName, view: ZoneView) -> Outcome:
    """Return `outcome` with the sets that a request of ours may still change, as they are."""
    if not name.unanswered:
        return outcome
    before = name.unanswered = frozenset(each for each in name.unanswered if view.get(each.rrset.key) == each)
    if not before or outcome.owner is None or name.wishes[outcome.owner].sets is None:
        return outcome
    change = outcome.change or NameChange(name.hostname, outcome.owner, (), Urgency.REPAIR)
    written = {each.key for each in change.changes}
    touched = tuple(
        Change(stored, stored.rrset)
        for stored in sorted(before, key=lambda each: each.rrset.key)
        if stored.rrset.key not in written
    )
    return replace(outcome, change=replace(change, changes=touched + change.changes)) if touched else outcome


def _made_by(change: NameChange, view: ZoneView) -> tuple[RRset, ...]:
    """Return how the name answers once `change` is made, by what it says itself."""
    answers = {each.key: each for each in view.at(change.hostname).answers}
    for each in change.changes:
        if each.new is None:
            answers.pop(each.key, None)
        elif each.key.type in ANSWER_TYPES:
            answers[each.key] = each.new
    return tuple(sorted(answers.values(), key=lambda each: each.type))


def _are_same(published: tuple[RRset, ...], wished: tuple[RRset, ...]) -> bool:
    """Tell whether a name answers as wished; what it answers with is in the order of types."""
    return published == (wished if len(wished) == 1 else tuple(sorted(wished, key=lambda each: each.type)))


def _marks(marker: StoredSet | None, record: ObjectKey) -> bool:
    found = parse_marker(marker.rrset if marker else None)
    return found is not None and found.record == record


def _is_unmarked(found: NameView) -> bool:
    return parse_marker(found.marker.rrset if found.marker else None) is None
