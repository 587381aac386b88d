"""One FailoverRecord at work: from its verdicts to a decision, and what there is to tell of it."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from detour.enactment.leaving import LeavingZone
from detour.enactment.markers import parse_marker
from detour.enactment.wishes import Explanation, NameChange, Wish, WishReport
from detour.engine.clock import Clock
from detour.engine.contest import Contest, after_repair, contested
from detour.engine.history import History, Transition
from detour.engine.moment import Moment
from detour.engine.pause import Pause
from detour.engine.pictures import RecordPicture, ZonePicture
from detour.engine.takenaway import TakenAway
from detour.engine.zonekeeper import ZoneKeeper
from detour.health.damping import HOUR, as_if_changed_at, held_out_until
from detour.health.endpoints import CHECKS_PAUSED, SLOW
from detour.model.endpoint import Endpoint, Forced
from detour.model.health import EndpointHealth, Verdict
from detour.model.memory import RecordMemory
from detour.model.overrides import Override, overruled
from detour.model.record import FailbackMode, ObjectKey, Publish, Record, RegionFailover
from detour.model.rrset import RRset, RRType, values_of
from detour.model.shared import NONE, shared
from detour.model.timestamps import timestamp
from detour.planning.alike import plan_once
from detour.planning.candidates import is_drained
from detour.planning.decision import Basis, Decision, Ruling, Undecided
from detour.planning.grounds import NO_LOOKS, Looks
from detour.planning.pace import UNLIMITED, WINDOW, Pace, is_paced
from detour.planning.rotation import AT_REST
from detour.planning.safety.presence import CLOCKS_APART, Presence
from detour.planning.safety.rules import Proposal
from detour.planning.selection import returns_at, usually_serving
from detour.planning.situation import Situation, Standing

SMALLEST_VALUE_LIMIT = 20
"""Values per set that every provider takes; used while a zone of the record has not been opened yet."""


NOTHING_KNOWN: Mapping[str, EndpointHealth] = MappingProxyType({})

BEAT = 0.25
"""Seconds: records that come within so many wait for their first verdicts until the same time."""

LATE_BEAT, LONGEST_WAIT = 15.0, 300.0
"""The same while there is more to check than can be, and the seconds that a record waits for them at most."""


class RecordKeeper:
    """Decides for one record. `memory` is its own earlier status, where the verdicts start from."""

    __slots__ = (
        "_clock",
        "_contests",
        "_decided_by",
        "_drained",
        "_drained_since",
        "_failed_back_at",
        "_failing_regions",
        "_found",
        "_generations",
        "_has_news",
        "_history",
        "_in_force",
        "_is_without_memory",
        "_known_values",
        "_memory_is_unchecked",
        "_on_the_way",
        "_patience_until",
        "_pause",
        "_published_before",
        "_recalled_at",
        "_serving",
        "_taken_away",
        "_zone_ids",
        "decided_for",
        "decision",
        "declared",
        "has_followed",
        "healths",
        "leaving",
        "memory",
        "overrides",
        "record",
        "refusal",
        "replaced",
        "undecided",
        "zone_refusals",
    )  # a dictionary for each of so many attributes takes more than all that they hold

    def __init__(self, record: Record, memory: RecordMemory, clock: Clock) -> None:
        self.record = self.declared = record
        self.leaving: dict[ObjectKey, LeavingZone] = {}
        self.overrides: tuple[Override, ...] = ()
        self.memory = memory
        self.refusal: Explanation | None = None
        self.zone_refusals: dict[ObjectKey, Explanation] = {}
        self.healths: Mapping[str, EndpointHealth] = _remembered(memory, clock, record.failback.most_changes)
        self.decision: Decision | None = None
        self.undecided: Undecided | None = None
        self.decided_for: float | None = None
        self.replaced: frozenset[str] = NONE  # values of the declaration before that are checked, and work
        self._clock = clock
        self._history = History(memory, clock)
        self._recalled_at = clock.now()
        self._serving: dict[ObjectKey, frozenset[str]] = {}  # by zone: who was decided for there last
        self._on_the_way: dict[ObjectKey, frozenset[str]] = {}  # by zone: the values that were let through there last
        self._in_force: frozenset[ObjectKey] = NONE
        self._memory_is_unchecked = True
        self.has_followed = False  # it goes on from another leader, whose status it saw grow
        self._drained: frozenset[str] = NONE
        self._failing_regions: frozenset[str] = NONE
        self._failed_back_at: float | None = None  # when a person last sent the record back
        self._found: tuple[str, ...] = ()  # what a name has that is about to be adopted
        self._drained_since: dict[str, float] = {}
        self._pause = Pause()
        self._taken_away: TakenAway | None = None  # where several endpoints serve
        self._contests: dict[ObjectKey, Contest] = {}  # by zone, where the name was put right lately
        self.recall(memory)
        self._patience_until = _on_the_beat(clock.now() + _patience(record))
        self._decided_by = clock.now() + LONGEST_WAIT

    def update(self, record: Record) -> None:
        """The declaration changed. How often an endpoint failed is forgotten where it, or its check, is another now."""
        same = {(each.name, each.addresses, each.hostname) for each in self.declared.endpoints}
        are_other_checks = (record.probe, record.more_checks) != (self.declared.probe, self.declared.more_checks)
        for each in record.endpoints:
            is_other = are_other_checks or (each.name, each.addresses, each.hostname) not in same
            if is_other and (known := self.healths.get(each.name)) is not None and known.changes:
                self.healths = {**self.healths, each.name: replace(known, changes=())}
        self.declared = record
        self.gather_zones()

    def overrule(self, overrides: tuple[Override, ...]) -> None:
        """These overrides are in force from now on, and no others."""
        self.overrides = overrides
        self.gather_zones()

    @property
    def declared_zones(self) -> tuple[ObjectKey, ...]:
        """The zones that the record declares, without those that it is leaving."""
        return self.declared.zones

    def gather_zones(self) -> None:
        """Serve the zones that the record declares, and those that it is leaving while its name stays there.

        What people override counts before what is declared.
        """
        record = overruled(self.declared, self.overrides)
        staying = sorted(zone for zone, each in self.leaving.items() if not each.is_asked)
        self.record = record if not staying else replace(record, zones=(*record.zones, *staying))

    def recall(self, memory: RecordMemory) -> None:
        """Go on from the history in a status: our own of an earlier run, or that of the leader before us.

        Who failed while another one led is held down from now on, as the clocks of two replicas may differ by hours.
        """
        before = {each.name: each.failed_at or 0.0 for each in self.memory.endpoints}
        self.memory, now = memory, self._clock.now()
        for each in memory.endpoints:
            known, has_failed = self.healths.get(each.name), (each.failed_at or 0.0) > before.get(each.name, 0.0)
            if known is not None and has_failed and (known.failed_at or 0.0) < self._recalled_at:
                known = replace(known, failed_at=now, since=now)
                self.healths = {**self.healths, each.name: known}
            if known is not None and each.held_out_until is not None:
                self.healths = {**self.healths, each.name: self._held_out_as(known, each.held_out_until)}
        self._recalled_at = now
        self._history.recall(memory)
        if memory.failed_back_at is not None:
            self._failed_back_at = self._clock.from_the_wall(memory.failed_back_at)
        self._generations = {each.key: str(each.generation) for each in memory.zones if each.generation}
        # Who wrote here last owns the name, also while it was refused to him meanwhile.
        self._published_before = shared(
            frozenset(each.key for each in memory.zones if each.published or each.generation or each.is_leaving)
        )
        self._zone_ids = {each.key: each.zone_id for each in memory.zones if each.zone_id}
        self._known_values = {each.key: shared(frozenset(each.values)) for each in memory.zones if each.published}
        self._has_news = False
        self._is_without_memory = False

    def _held_out_as(self, health: EndpointHealth, until: float) -> EndpointHealth:
        """Return a health by which the endpoint stays away as the one who decided before has said, if not longer."""
        most, now = self.record.failback.most_changes, self._clock.now()
        if held_out_until(health.changes, most, now) is not None:
            return health
        return replace(health, changes=as_if_changed_at(self._clock.from_the_wall(until - HOUR), most))

    def hold_down_anew(self) -> None:
        """Another replica decided until now: hold down from now on who failed and does not serve, as in `recall`."""
        now = self._clock.now()
        for each in self.memory.endpoints:
            known = self.healths.get(each.name)
            if known is not None and known.failed_at is not None and each.name not in self.memory.serving:
                self.healths = {**self.healths, each.name: replace(known, failed_at=now, since=now)}

    def memory_is_outdated(self, zones: Mapping[ObjectKey, ZoneKeeper]) -> bool:
        """Tell, once, whether the status that we began with tells of other values than a zone holds.

        It may come from an old backup, so its verdicts are worth nothing either. Only a zone that is in force here has
        been read since the one before us last wrote: what is known of another one may be older than the status.
        """
        if not self._memory_is_unchecked:
            return False
        for each in self.memory.zones:
            keeper = zones.get(each.key)
            report = keeper.report(self.record.key) if keeper and keeper.in_force else None
            if keeper is not None and report is not None and report.owns:
                self._memory_is_unchecked = False
                if each.published and set(each.values) != set(values_of(report.published)):
                    self._history.stands(keeper.zone.key, report.published)
                    return True
        return False

    def memory_is_lost(self, zones: Mapping[ObjectKey, ZoneKeeper]) -> bool:
        """Tell, once, whether a zone holds this very object's name though the status that we began with is empty.

        Where another site, or an object before this one, has published the name, no status was lost; nor is it known
        then what the zone had lately.
        """
        if not self._memory_is_unchecked or self._published_before:
            return False
        keepers = [zones[key] for key in self.record.zones if key in zones and zones[key].in_force]
        reports = [report for each in keepers if (report := each.report(self.record.key)) is not None]
        self._memory_is_unchecked = not reports
        published = [each for each in reports if each.is_marked and each.published]
        self._is_without_memory = bool(published)
        markers = [parse_marker(each.marker) for each in published]
        return not self.memory.zones and any(each is not None and each.uid == self.record.uid for each in markers)

    def is_paused(self, moment: Moment) -> bool:
        """Tell whether checks that fail count for nothing, for all that is decided at this moment."""
        return self._pause.is_on(self.declared.paused_until, moment.now, moment.wall)

    def decide(
        self,
        moment: Moment,
        *,
        zones: Mapping[ObjectKey, ZoneKeeper],
        remembered: frozenset[str] = NONE,
    ) -> None:
        """Plan anew.

        Only what is in force here is decided for; where it comes into force what the zone holds has its place, and
        nothing else. Verdicts of the addresses in `remembered` come from an earlier status: they keep out who is out,
        and remove nobody.
        """
        record = self.record
        self._forget_contests()
        in_force = self._zones_in_force(zones)
        going_on = frozenset() if record.suspend else self._in_force & in_force
        self._serving = {zone: each for zone, each in self._serving.items() if zone in going_on}
        self._on_the_way = {zone: each for zone, each in self._on_the_way.items() if zone in going_on}
        new_zones = in_force - self._in_force
        self._in_force = in_force
        if not in_force:
            self.decision, self.undecided = None, Undecided("none of the record's zones is in force here yet")
            return
        published: dict[ObjectKey, tuple[RRset, ...]] = {}
        ours: set[ObjectKey] = set()
        limits = []
        for name in record.zones:
            keeper = zones.get(name)
            limits.append((keeper.values_per_set if keeper else None) or SMALLEST_VALUE_LIMIT)
            report = keeper.report(record.key) if keeper and name not in self.zone_refusals else None
            if keeper is None or report is None:
                continue
            zone = keeper.zone.key
            published[zone] = report.published if report.owns or record.adopt else ()
            is_proved = name in self._published_before and self._zone_ids.get(name) == keeper.zone_id
            if report.is_marked or is_proved or report.refusal is not None:
                ours.add(zone)
        adopted = {
            zone: sets
            for zone, sets in published.items()
            if record.adopt and sets and zone in in_force and zone not in ours
        }
        if record.failback_now:
            self._failed_back_at = self._clock.now()
        self._note_failing_regions(moment)
        pinned = self._history.pinned(record.pin)
        situation = Situation(
            record=_once_a_zone(record, zones),
            healths=self._doubting(remembered, published),
            drained_regions=moment.drained,
            standings=self._standings(published),
            failback_at=self._failed_back_at,
            value_limit=min(limits),
            patience_until=self._patience_until,
            turns_until=min(_on_the_beat(moment.now, LATE_BEAT), self._decided_by) if moment.is_behind else 0.0,
            pinned=pinned.values if pinned else None,
            is_pinned_whole=pinned is not None and pinned.was_there,
            drained_since=self._note_drained(moment),
            turning=self.decision.turning if self.decision else AT_REST,
            pace=self._pace(moment, zones, published, new_zones=new_zones),
            failing_regions=moment.failing,
        )
        outcome = plan_once(situation, moment.now, moment.decided)
        if isinstance(outcome, Undecided):
            self.undecided = outcome
            return
        refused = [zone for zone in adopted if zone in outcome.rulings and not self._may_adopt(outcome.rulings[zone])]
        waits = f"{record.hostname} is adopted once an endpoint is healthy; until then it stays as it is"
        remaining = outcome.without(refused, waits)
        if isinstance(remaining, Undecided):
            self.decision = self.decision.of(remaining.zones) if self.decision else None
            self.undecided = remaining
            return
        self._found = tuple(
            sorted({value for zone, sets in adopted.items() if zone not in refused for value in values_of(sets)})
        )
        self.decision, self.undecided = remaining.after(self.decision), None
        self._drained = moment.drained
        self._failing_regions = NONE if record.region_failover is RegionFailover.IGNORE else moment.failing

    def _note_failing_regions(self, moment: Moment) -> None:
        """Who is in a region that fails as a whole has failed with it, where a person has to send such a one back."""
        is_asked = self.record.failback.mode is FailbackMode.MANUAL
        entered = shared(moment.failing - self._failing_regions)
        if entered and is_asked and self.record.region_failover is RegionFailover.FOLLOW:
            endpoints, healths = self.record.endpoints, self.healths
            self.healths = moment.once(
                (endpoints, healths, entered),
                lambda: moment.same(_failed_with(endpoints, healths, entered, moment.now)),
            )

    def regions_served(self, zones: Mapping[ObjectKey, ZoneKeeper]) -> tuple[frozenset[str], frozenset[str]]:
        """Return the regions of who answers, or is to, and those of them that it would leave and does not."""
        serving = NONE.union(*self._serving.values())
        decided = frozenset(each.region for each in self.record.endpoints if each.name in serving)
        reports = (keeper.report(self.record.key) for zone in self._in_force if (keeper := zones.get(zone)) is not None)
        presence = self._presence
        shown = {
            each.region
            for report in reports
            if report is not None and report.owns
            for each in presence.endpoints_in(report.published)
        }
        return shared(decided | shown), shared(decided & (self._drained | self._failing_regions))

    def _pace(
        self,
        moment: Moment,
        zones: Mapping[ObjectKey, ZoneKeeper],
        published: Mapping[ObjectKey, tuple[RRset, ...]],
        *,
        new_zones: frozenset[ObjectKey],
    ) -> Pace:
        """Return how fast checks may take endpoints away: as the strictest of the zones has it.

        What `new_zones` had lately and have no more counts, too.
        """
        if not is_paced(self.record):
            self._taken_away = None
            return UNLIMITED
        keepers = [keeper for name in self.record.zones if (keeper := zones.get(name)) is not None]
        share = min((each.gate.safety.withdrawal for each in keepers), default=1.0)
        if share >= 1.0:
            self._taken_away = None
            return UNLIMITED
        taken_away = self._taken_away = self._taken_away or TakenAway()
        taken_away.keep(self._in_force, (each.name for each in self.record.endpoints))
        for zone in new_zones:
            taken_away.begin(zone, self._left_before(zone, zones, moment.now))
        taken_away.found = {
            zone: frozenset(each.name for each in self._presence.endpoints_in(sets))
            for zone, sets in published.items()
            if zone not in self._serving
        }
        taken_away.see(partial(self._is_shown, zones), moment.now)
        return Pace(share, taken_away.lately(moment.now), moment.late_until)

    def _left_before(self, zone: ObjectKey, zones: Mapping[ObjectKey, ZoneKeeper], now: float) -> dict[str, float]:
        """Return the endpoints that left a zone before we came to lead, by the status, and when; at the latest now.

        It tells when that was decided, in whole seconds by another's clock.
        """
        left_at, presence = self._known_in((zone,), WINDOW), self._presence
        found = {}
        for each in self.record.endpoints:
            times = [left_at[value] for value in presence.values_of(each) if value in left_at]
            if times and not self._is_shown(zones, zone, each.name):
                found[each.name] = min(now, max(times) + CLOCKS_APART)
        return found

    def _is_shown(self, zones: Mapping[ObjectKey, ZoneKeeper], zone: ObjectKey, name: str) -> bool:
        """Tell whether a zone shows any value of an endpoint."""
        endpoint = next((each for each in self.record.endpoints if each.name == name), None)
        keeper = zones.get(zone)
        report = keeper.report(self.record.key) if keeper is not None else None
        if endpoint is None or report is None:
            return False
        return not self._presence.values_of(endpoint).isdisjoint(values_of(report.published))

    def sees_who_has_left(self, zones: Mapping[ObjectKey, ZoneKeeper]) -> bool:
        """Look whom the zones show no more; tell whether another endpoint may wait for that."""
        if self._taken_away is None:
            return False
        now = _on_the_beat(self._clock.now())  # those written together have left together, and are decided for so
        if not self._taken_away.see(partial(self._is_shown, zones), now):
            return False
        serving = NONE.union(*self._serving.values())
        return any(each.should_leave and name in serving for name, each in self.healths.items())

    def _standings(self, published: Mapping[ObjectKey, tuple[RRset, ...]]) -> dict[ObjectKey, Standing]:
        """Return how the record stands in each zone whose contents are known."""
        rulings = self.decision.rulings if self.decision else {}
        found = {}
        for zone, sets in published.items():
            decided = values_of(rulings[zone].sets) if zone in rulings and zone in self._serving else ()
            on_the_way = self._on_the_way.get(zone, NONE)
            in_force = zone in self._in_force
            found[zone] = Standing(sets, self._serving.get(zone), frozenset(decided), on_the_way, in_force=in_force)
        return found

    def _may_adopt(self, ruling: Ruling) -> bool:
        """Tell whether what is decided is better than what stands at a name that is not ours yet."""
        if ruling.basis is Basis.PINNED:
            return True
        healthy = {name for name, each in self.healths.items() if each.verdict is Verdict.HEALTHY}
        return ruling.basis is Basis.CHOSEN and any(each.endpoint in healthy for each in ruling.serving)

    def _doubting(
        self, remembered: frozenset[str], published: Mapping[ObjectKey, tuple[RRset, ...]]
    ) -> Mapping[str, EndpointHealth]:
        """Return the healths without what is only `remembered` of bad addresses."""
        if not remembered:
            return self.healths
        in_place = frozenset(value for sets in published.values() for value in values_of(sets))
        presence = self._presence
        return {
            each.name: _doubted(self.healths[each.name], remembered & presence.checked_for(each, in_place))
            for each in self.record.endpoints
        }

    def _note_drained(self, moment: Moment) -> dict[str, float]:
        """Return since when each drained endpoint is known to be drained."""
        drained = [each.name for each in self.record.endpoints if is_drained(each, moment.drained)]
        self._drained_since = {name: self._drained_since.get(name, moment.now) for name in drained}
        return self._drained_since

    @property
    def looks(self) -> Looks:
        """What has to be seen before more can be decided."""
        decided = self.undecided or self.decision
        return decided.looks if decided is not None else NO_LOOKS

    def repaired(self, zone: ObjectKey, change: NameChange) -> None:
        """Somebody else had changed the name in `zone`, and it was put back."""
        known, now = self._contests.get(zone), self._clock.now()
        self._contests[zone] = after_repair(known, zone, change, now=now, wall=self._clock.wall())

    def _forget_contests(self) -> None:
        now = self._clock.now()
        self._contests = {zone: each for zone, each in self._contests.items() if now < each.ends_at}

    def publish(self, let_through: Mapping[ObjectKey, tuple[RRset, ...]], *, counts: bool) -> Transition | None:
        """Take note of what passed the safety gate for each zone; return the transition if that is something new.

        It becomes a revision where it `counts`: not if nothing is to be written, as with a suspended record.
        """
        if self.decision is None or not let_through:
            return None
        pin = self.record.pin
        if counts and all(self._found != tuple(sorted(values_of(sets))) for sets in let_through.values()):
            self._history.found(self._found, f"as {self.record.hostname} was before it was adopted", pin=pin)
        transition = self._history.let_through(let_through, self.decision.rulings, pin=pin, counts=counts)
        self._has_news |= counts and transition is not None
        return transition

    def proposal(
        self, keeper: ZoneKeeper, names: Sequence[ObjectKey], after: tuple[RRset, ...], report: WishReport
    ) -> Proposal:
        """Return what this record would change in a zone, which it names so, for that zone's safety gate."""
        gate, basis = keeper.gate, self._basis_in(keeper.zone.key)
        last = report.left if gate.freezes(self.record.key) else gate.last(self.record.key)
        before = last if last is not None else (report.published if report.owns else ())
        return self._presence.proposal(
            before,
            after,
            shown=report.published,
            known=self._known_in(names, gate.safety.window),
            basis=basis,
            is_ours=report.is_marked,
            is_unproven=basis is not Basis.PINNED and self._is_unproven(before, after),
            may_land=report.may_land,
            is_due=report.is_due,
        )

    def _basis_in(self, zone: ObjectKey) -> Basis | None:
        ruling = self.decision.rulings.get(zone) if self.decision else None
        return ruling.basis if ruling else None

    def _is_unproven(self, before: tuple[RRset, ...], after: tuple[RRset, ...]) -> bool:
        """Tell whether what an edit replaced still works, and nothing that is to come has been seen to."""
        if self.replaced.isdisjoint(values_of(before)):
            return False
        wanted = self._presence.endpoints_in(after)
        return not any(self.healths[each.name].verdict is Verdict.HEALTHY for each in wanted)

    def _known_in(self, names: Collection[ObjectKey], window: float) -> dict[str, float]:
        """Return the values that a zone had within `window` seconds before we came to lead, by the status.

        With each goes when it left (engine seconds, infinite where it had not). Where the status was lost the zone may
        have had every value.
        """
        if self._is_without_memory:
            return {value: math.inf for each in self.record.endpoints for value in self._presence.values_of(each)}
        published = self._published_before.intersection(names)  # a change that is held is not published, and counts
        told = next((each for each in self.memory.zones if each.key in published), None)
        if told is None:
            return {}
        ahead = self._clock.wall() - self._clock.now()
        since, ended_at = self._clock.now() - window, math.inf
        known = dict.fromkeys(told.values, math.inf)
        for each in self.memory.history:  # the newest first, which is still in force
            if ended_at >= since:
                known = {**dict.fromkeys(each.values, ended_at), **known}
            ended_at = (each.at or 0.0) - ahead
        return known

    @property
    def _presence(self) -> Presence:
        return Presence(self.record, self.healths, self._drained, self._clock.now(), self._failing_regions)

    def serve(
        self,
        *,
        held: Mapping[ObjectKey, tuple[RRset, ...]],
        passed: Mapping[ObjectKey, tuple[RRset, ...]],
        is_written: bool = True,
    ) -> None:
        """Take note of who serves, by zone: those decided for where that `passed`, and those in sets that are held.

        Whoever the safety gate keeps in place has not left there, and whoever it keeps out has not come. Unless it
        `is_written` no zone will ever show it.
        """
        rulings = self.decision.rulings if self.decision else {}
        for zone, sets in {**held, **passed}.items():
            if zone not in self._in_force:
                continue
            before = self._serving.get(zone)
            if zone in rulings and zone not in held:
                self._serving[zone] = shared(frozenset(each.endpoint for each in rulings[zone].serving))
            else:
                self._serving[zone] = shared(frozenset(each.name for each in self._presence.endpoints_in(sets)))
            self._on_the_way[zone] = shared(frozenset(values_of(sets)))
            if self._taken_away is not None:
                before = self._taken_away.found.get(zone, NONE) if before is None else before
                found = self._leaving_by_checks(before - self._serving[zone])
                at = math.inf if is_written else _on_the_beat(self._clock.now())
                self._taken_away.leave(zone, found, at)
                self._taken_away.come_back(zone, self._serving[zone])

    def _leaving_by_checks(self, leaving: frozenset[str]) -> frozenset[str]:
        """Return who of these is taken away by checks: not by a person, nor because a region fails as a whole."""
        out = self._drained | self._failing_regions
        exempt = {each.name for each in self.record.endpoints if is_drained(each, out) or each.forced is Forced.DOWN}
        found = {name for name, each in self.healths.items() if each.should_leave}
        return (leaving & found) - exempt

    @property
    def pin_refusal(self) -> Explanation | None:
        """Why the pin of this record cannot be followed, or None."""
        pinned = self.decision is not None and self.decision.basis is Basis.PINNED
        if self.record.pin is None or self.decision is None or pinned:
            return None
        known = ", ".join(str(each.number) for each in self._history.revisions)
        if self._history.pinned(self.record.pin) is None:
            why = f"status.history has no revision {self.record.pin!r}, it has {known or 'none yet'}"
        else:
            why = f"no value of revision {self.record.pin} is declared any more"
        return Explanation(
            "PinInvalid", f"{why}: delete the override that pins it, and pin another one; health decides now"
        )

    def _zones_in_force(self, zones: Mapping[ObjectKey, ZoneKeeper]) -> frozenset[ObjectKey]:
        """Return the zones that this process writes, and where it knows how the name stands and may have it."""
        return shared(
            frozenset(
                keeper.zone.key
                for name in self.record.zones
                if name not in self.zone_refusals
                and (keeper := zones.get(name))
                and keeper.in_force
                and keeper.admits(self.record.key)
            )
        )

    @property
    def decide_again_at(self) -> float | None:
        """When to decide again if nothing happens before (engine seconds)."""
        outcome = self.undecided or self.decision
        times = [each.ends_at for each in self._contests.values()]
        if self._pause.look_again_at is not None:
            times.append(self._pause.look_again_at)
        if outcome is not None and outcome.decide_again_at is not None:
            times.append(outcome.decide_again_at)
        return min(times, default=None)

    def wish_for(self, zone: ObjectKey, names: Sequence[ObjectKey]) -> Wish:
        """Return what this record wants in a zone; it has several `names` where several DNSZones stand for it."""
        record = self.record
        published = [zone for zone in names if zone in self._published_before and zone in self._zone_ids]
        name = next(iter(published), names[0])
        ruling = self.decision.rulings.get(zone) if self.decision and zone in self._in_force else None
        return Wish(
            record=record.key,
            uid=record.uid,
            created=record.created,
            hostname=record.hostname,
            sets=ruling.sets if ruling else None,
            adopt=record.adopt,
            adopt_from=record.adopt_from,
            suspended=record.suspend,
            importance=record.importance,
            families=_families(record),
            was_published=bool(published),
            published_in=self._zone_ids.get(name),
            known_values=self._known_values.get(name),
            is_news=self._has_news or self.record.generation != self.memory.observed_generation,
        )

    @property
    def waits_for_a_zone(self) -> bool:
        """Tell whether nothing could be decided for zones that are in force here: what they show may be what lacks."""
        return self.undecided is not None and bool(self._in_force)

    def zones_have_changed(self, zones: Mapping[ObjectKey, ZoneKeeper]) -> bool:
        """Tell whether a zone came into force here, or left it, since the last decision."""
        return self._zones_in_force(zones) != self._in_force

    def needs_zone_news(self, zones: Mapping[ObjectKey, ZoneKeeper]) -> bool:
        """Tell whether a zone came into force here, or left it, or was read and nothing is decided for it yet."""
        if self.zones_have_changed(zones):
            return True
        decided = self.decision.rulings if self.decision else {}
        missing = [zone for zone in self._in_force if zone not in decided]
        return any((keeper := zones.get(zone)) and keeper.report(self.record.key) for zone in missing)

    def zones_left_behind(self, before: Iterable[ObjectKey] = ()) -> set[ObjectKey]:
        """Return the zones that hold, or may hold, this record's name but are not declared (any more)."""
        return ({*before, *self._published_before, *self.leaving}) - set(self.declared.zones)

    def is_known_in(self, zone: ObjectKey) -> bool:
        """Tell whether the status that we go on from says that the name is, or may be, in `zone`."""
        return zone in self._published_before

    def left(self, zone: ObjectKey) -> None:
        """The record is out of `zone` for good."""
        self._published_before = shared(self._published_before - {zone})

    def picture(self, zones: Mapping[ObjectKey, ZoneKeeper], *, dry_run: bool, being_deleted: bool) -> RecordPicture:
        """Return what there is to tell."""
        record = self.record
        wall = self._clock.on_the_wall
        healths = tuple(
            (endpoint.name, _on_the_wall(health, wall))
            for endpoint in record.endpoints
            if (health := self.healths.get(endpoint.name))
        )
        return RecordPicture(
            record=record,
            healths=healths,
            basis=self.decision.basis if self.decision else None,
            reason=self.decision.reason if self.decision else "",
            revisions=self._history.revisions,
            failed_back_at=self._clock.on_the_wall(self._failed_back_at) if self._failed_back_at is not None else None,
            zones=tuple(self._zone_picture(key, zones.get(key)) for key in self.declared.zones),
            leaving=tuple(
                (self._zone_picture(key, zones.get(key)), each.why) for key, each in sorted(self.leaving.items())
            ),
            dry_run=dry_run,
            refusal=self.refusal,
            pending=self.undecided.reason if self.undecided and self.decision is None else None,
            being_deleted=being_deleted,
            pin_refusal=self.pin_refusal,
            warnings=self._warnings(),
            held_out=tuple(self._held_out(wall)),
            returning=tuple(self._returning(wall)),
            overrides=self.overrides,
        )

    def _returning(self, wall: Callable[[float], float]) -> Iterator[tuple[str, float]]:
        """Give the endpoints that take their places again by themselves, and when by the wall clock."""
        record, now = self.record, self._clock.now()
        if record.failback.mode is FailbackMode.MANUAL or self.decision is None or self.decision.basis is Basis.PINNED:
            return
        serving = NONE.union(*self._serving.values())
        missing = usually_serving(record, self._drained) - serving
        for each in (endpoint for endpoint in record.endpoints if endpoint.name in missing):
            health = self.healths.get(each.name)
            if health is None or health.verdict is not Verdict.HEALTHY or each.region in self._failing_regions:
                continue
            at = returns_at(record, health, now)
            if at > now:
                yield each.name, wall(at)

    def _held_out(self, wall: Callable[[float], float]) -> Iterator[tuple[str, float]]:
        """Give the endpoints that wait as their verdict has changed too often, and until when by the wall clock."""
        failback, now = self.record.failback, self._clock.now()
        if failback.mode is FailbackMode.MANUAL or (self.decision and self.decision.basis is Basis.PINNED):
            return  # it is a person for whom they wait
        serving = frozenset[str]().union(*self._serving.values())
        for each in self.record.endpoints:
            health = self.healths.get(each.name)
            if health is None or health.verdict is not Verdict.HEALTHY or each.name in serving:
                continue
            until = held_out_until(health.changes, failback.most_changes, now)
            if until is not None and not is_drained(each, self._drained):
                yield each.name, wall(until)

    def _warnings(self) -> tuple[Explanation, ...]:
        found = (self._told_of_pause(), contested(self._contests.values(), self._clock.now()))
        return tuple(each for each in found if each is not None)

    def _told_of_pause(self) -> Explanation | None:
        if self._pause.until is None:
            return None
        until = timestamp(self._pause.until)
        return Explanation(
            CHECKS_PAUSED,
            f"checks that fail count for nothing until {until}, by spec.healthCheck.pausedUntil: what is served then"
            " goes on being served; remove the field to end this earlier",
        )

    def _zone_picture(self, key: ObjectKey, keeper: ZoneKeeper | None) -> ZonePicture:
        if refusal := self.zone_refusals.get(key):
            return ZonePicture(key, published=False, refusal=refusal)
        if keeper is None:
            return ZonePicture(key, published=False, message="the DNSZone is not known yet")
        report = keeper.report(self.record.key)
        held = keeper.gate.held(self.record.key) or keeper.gate.deletions.why_held(self.record.key)
        if report is None:
            return ZonePicture(
                key,
                published=False,
                held=held,
                refusal=keeper.trouble,
                message="the zone has not been read yet",
                standby=keeper.standby,
                zone_id=keeper.zone_id,
            )
        sight = keeper.sight(self.record.key)
        verified_at = sight.verified_at if sight and report.in_sync else None
        return ZonePicture(
            zone=key,
            published=report.in_sync and held is None,
            values=values_of(report.published) if report.owns else (),
            would_publish=values_of(report.would_publish) if report.would_publish else None,
            generation=str(report.generation) if report.generation else self._generations.get(key),
            verified_at=self._clock.on_the_wall(verified_at) if verified_at is not None else None,
            refusal=report.refusal or (None if report.in_sync or report.would_publish else keeper.trouble),
            message="" if keeper.standby else _message(in_sync=report.in_sync, seen=sight.message if sight else ""),
            standby=keeper.standby,
            held=held,
            zone_id=keeper.zone_id,
            trouble=keeper.trouble,
        )


def _once_a_zone(record: Record, zones: Mapping[ObjectKey, ZoneKeeper]) -> Record:
    """Return the record with each zone named once, by the DNSZone that is written: twins are one zone."""
    written = tuple(dict.fromkeys(keeper.zone.key if (keeper := zones.get(key)) else key for key in record.zones))
    return record if written == record.zones else replace(record, zones=written)


def _message(*, in_sync: bool, seen: str) -> str:
    return seen if in_sync else "the change is on its way to the provider"


def _on_the_wall(health: EndpointHealth, wall: Callable[[float], float]) -> EndpointHealth:
    return replace(
        health,
        since=wall(health.since),
        failed_at=_wall_or_none(health.failed_at, wall),
        confirmed_at=_wall_or_none(health.confirmed_at, wall),
    )


def _wall_or_none(at: float | None, wall: Callable[[float], float]) -> float | None:
    return None if at is None else wall(at)


def _remembered(memory: RecordMemory, clock: Clock, most_changes: int) -> Mapping[str, EndpointHealth]:
    if not memory.endpoints:
        return NOTHING_KNOWN  # the same for all who come anew, so that they stay alike
    return {
        each.name: EndpointHealth(
            verdict=each.verdict,
            since=clock.from_the_wall(each.since) if each.since is not None else clock.now(),
            reason=each.reason,
            message=each.message,
            failed_at=clock.from_the_wall(each.failed_at) if each.failed_at is not None else None,
            latency=each.latency,
            addresses=each.addresses,
            changes=as_if_changed_at(clock.from_the_wall(each.held_out_until - HOUR), most_changes)
            if each.held_out_until is not None
            else (),
            is_down=each.verdict is Verdict.UNHEALTHY,
            is_slow=each.reason == SLOW,
        )
        for each in memory.endpoints
    }


def _failed_with(
    endpoints: Iterable[Endpoint], healths: Mapping[str, EndpointHealth], regions: frozenset[str], now: float
) -> Mapping[str, EndpointHealth]:
    """Return healths in which the endpoints of these regions have failed by now."""
    failed = [each.name for each in endpoints if each.region in regions]
    return {**healths, **{name: replace(healths[name], failed_at=now) for name in failed}} if failed else healths


def _doubted(health: EndpointHealth, addresses: frozenset[str]) -> EndpointHealth:
    """Return `health` with Unknown in place of Unhealthy for these of its addresses."""
    bad = {address for address, verdict in health.addresses if verdict is Verdict.UNHEALTHY} & addresses
    if not bad:
        return health
    doubted = tuple((address, Verdict.UNKNOWN if address in bad else verdict) for address, verdict in health.addresses)
    verdict = Verdict.UNKNOWN if health.verdict is Verdict.UNHEALTHY else health.verdict
    return replace(health, verdict=verdict, addresses=doubted)


def _patience(record: Record) -> float:
    """Return the seconds within which every endpoint should have its first verdict."""
    timing = record.timing
    return 2.0 + max(timing.fall, timing.rise) * max(timing.recheck_interval, timing.timeout)


def _on_the_beat(at: float, beat: float = BEAT) -> float:
    """Return the next time, from `at` on, that records which came together share."""
    return math.ceil(at / beat) * beat


def _families(record: Record) -> frozenset[RRType]:
    """Return the types of the sets that a record may come to publish; a hostname may resolve to either family."""
    if record.publish is Publish.CNAME:
        return shared(frozenset({RRType.CNAME}))
    addresses = [address for each in record.endpoints for address in each.addresses]
    families = {RRType.AAAA if ":" in address else RRType.A for address in addresses}
    return shared(
        frozenset(families | ({RRType.A, RRType.AAAA} if any(each.hostname for each in record.endpoints) else set()))
    )
