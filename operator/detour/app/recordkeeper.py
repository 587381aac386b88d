"""One FailoverRecord at work: from its verdicts to a decision, and what there is to tell of it."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from detour.app.clock import Clock
from detour.app.contest import Contest, after_repair, contested
from detour.app.holds import ZoneGate
from detour.app.zonekeeper import ZoneKeeper
from detour.enactment.leaving import LeavingZone
from detour.enactment.wishes import NameChange, Refusal, Wish, WishReport
from detour.kube.picture import RecordPicture, Revision, ZonePicture, values_of
from detour.kube.resources.memory import RecordMemory
from detour.model.health import EndpointHealth, Verdict
from detour.model.record import ObjectKey, Record
from detour.model.rrset import RRset
from detour.planning.candidates import is_drained
from detour.planning.decision import Basis, Decision, Ruling, Undecided
from detour.planning.gate import Proposal
from detour.planning.grounds import NO_LOOKS, Looks
from detour.planning.planner import plan
from detour.planning.presence import Presence
from detour.planning.rotation import AT_REST
from detour.planning.situation import Situation, Standing

HISTORY_LENGTH = 10
SMALLEST_VALUE_LIMIT = 20
"""Values per set that every provider takes; used while a zone of the record has not been opened yet."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A decision that changed what is published."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    reason: str
    basis: Basis
    is_first: bool


class RecordKeeper:
    """Decides for one record. `memory` is its own earlier status, where the verdicts start from."""

    def __init__(self, record: Record, memory: RecordMemory, clock: Clock) -> None:
        self.record = self.declared = record
        self.leaving: dict[ObjectKey, LeavingZone] = {}
        self.memory = memory
        self.refusal: Refusal | None = None
        self.zone_refusals: dict[ObjectKey, Refusal] = {}
        self.healths: dict[str, EndpointHealth] = _remembered(memory, clock)
        self.decision: Decision | None = None
        self.undecided: Undecided | None = None
        self.decided_for: float | None = None
        self.replaced: frozenset[str] = frozenset()  # values of the declaration before that are checked, and work
        self._clock = clock
        self._recalled_at = clock.now()
        self._serving: dict[ObjectKey, frozenset[str]] = {}  # by zone: who was decided for there last
        self._on_the_way: dict[ObjectKey, frozenset[str]] = {}  # by zone: the values that were let through there last
        self._in_force: frozenset[ObjectKey] = frozenset()
        self._memory_is_unchecked = True
        self.has_followed = False  # it goes on from another leader, whose status it saw grow
        self._drained: frozenset[str] = frozenset()
        self._pin: tuple[str, Revision] | None = None
        self._found: tuple[str, ...] = ()  # what a name has that is about to be adopted
        self._drained_since: dict[str, float] = {}
        self._contests: dict[ObjectKey, Contest] = {}  # by zone, where the name was put right lately
        self.recall(memory)
        self._patience_until = clock.now() + _patience(record)

    def update(self, record: Record) -> None:
        """The declaration changed."""
        self.declared = record
        self.gather_zones()

    @property
    def declared_zones(self) -> tuple[ObjectKey, ...]:
        """The zones that the record declares, without those that it is leaving."""
        return self.declared.zones

    def gather_zones(self) -> None:
        """Serve the zones that the record declares, and those that it is leaving while its name stays there."""
        staying = sorted(zone for zone, each in self.leaving.items() if not each.is_asked)
        self.record = replace(self.declared, zones=(*self.declared.zones, *staying))

    def recall(self, memory: RecordMemory) -> None:
        """Go on from the history in a status: our own of an earlier run, or that of the leader before us.

        Who failed while another one led is held down from now on, as the clocks of two replicas may differ by hours.
        """
        before = {each.name: each.failed_at or 0.0 for each in self.memory.endpoints}
        self.memory, now = memory, self._clock.now()
        for each in memory.endpoints:
            known, has_failed = self.healths.get(each.name), (each.failed_at or 0.0) > before.get(each.name, 0.0)
            if known is not None and has_failed and (known.failed_at or 0.0) < self._recalled_at:
                self.healths[each.name] = replace(known, failed_at=now, since=now)
        self._recalled_at = now
        self._revisions: tuple[Revision, ...] = tuple(
            Revision(each.revision, each.values, each.reason, each.at or 0.0, each.was_there) for each in memory.history
        )[:HISTORY_LENGTH]
        self._last_revision = max((memory.revision, *(each.number for each in self._revisions)))
        self._last_values = self._revisions[0].values if self._revisions else ()
        self._last_wished: tuple[str, ...] = ()
        self._generations = {each.key: str(each.generation) for each in memory.zones if each.generation}
        # Who wrote here last owns the name, also while it was refused to him meanwhile.
        self._published_before = {
            each.key for each in memory.zones if each.published or each.generation or each.is_leaving
        }
        self._zone_ids = {each.key: each.zone_id for each in memory.zones if each.zone_id}
        self._known_values = {each.key: frozenset(each.values) for each in memory.zones if each.published}
        self._has_news = False
        self._is_without_memory = False

    def memory_is_outdated(self, zones: Mapping[ObjectKey, ZoneKeeper]) -> bool:
        """Tell, once, whether the status that we began with tells of other values than a zone holds.

        It may come from an old backup, so its verdicts are worth nothing either.
        """
        if not self._memory_is_unchecked:
            return False
        for each in self.memory.zones:
            keeper = zones.get(each.key)
            report = keeper.report(self.record.key) if keeper else None
            if report is not None and report.owns:
                self._memory_is_unchecked = False
                if each.published and set(each.values) != set(values_of(report.published)):
                    self._last_values = tuple(sorted(values_of(report.published))) or self._last_values
                    return True
        return False

    def memory_is_lost(self, zones: Mapping[ObjectKey, ZoneKeeper]) -> bool:
        """Tell, once, whether a zone holds this very object's name though the status that we began with is empty."""
        if not self._memory_is_unchecked or self.memory.zones:
            return False
        keepers = [zones[key] for key in self.record.zones if key in zones]
        reports = [report for each in keepers if (report := each.report(self.record.key)) is not None]
        self._memory_is_unchecked = not reports
        self._is_without_memory = any(each.is_marked and each.published for each in reports)
        return self._is_without_memory

    def decide(
        self,
        *,
        drained_regions: frozenset[str],
        zones: Mapping[ObjectKey, ZoneKeeper],
        remembered: frozenset[str] = frozenset(),
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
        self._in_force = in_force
        if not in_force:
            self.decision, self.undecided = None, Undecided("none of the record's zones is in force here yet")
            return
        published: dict[ObjectKey, tuple[RRset, ...]] = {}
        adopted: dict[ObjectKey, tuple[RRset, ...]] = {}
        limits = []
        for key in record.zones:
            keeper = zones.get(key)
            report = keeper.report(record.key) if keeper and key not in self.zone_refusals else None
            if report is not None:
                published[key] = report.published if report.owns or record.adopt else ()
                is_proved = key in self._published_before and self._zone_ids.get(key) == (keeper and keeper.zone_id)
                is_ours = report.is_marked or is_proved or report.refusal is not None
                if record.adopt and key in in_force and report.published and not is_ours:
                    adopted[key] = report.published
            limits.append((keeper.values_per_set if keeper else None) or SMALLEST_VALUE_LIMIT)
        pinned = self._pinned_revision()
        in_place = frozenset(value for sets in published.values() for value in values_of(sets))
        situation = Situation(
            record=record,
            healths={
                each.name: _doubted(self.healths[each.name], remembered & self._presence.checked_for(each, in_place))
                for each in record.endpoints
            },
            drained_regions=drained_regions,
            standings=self._standings(published),
            value_limit=min(limits),
            patience_until=self._patience_until,
            pinned=pinned.values if pinned else None,
            is_pinned_whole=pinned is not None and pinned.was_there,
            drained_since=self._note_drained(drained_regions),
            turning=self.decision.turning if self.decision else AT_REST,
        )
        outcome = plan(situation, self._clock.now())
        if isinstance(outcome, Undecided):
            self.undecided = outcome
            return
        refused = [zone for zone in adopted if zone in outcome.rulings and not self._may_adopt(outcome.rulings[zone])]
        remaining = outcome.without(refused)
        if remaining is None:
            waits = f"{record.hostname} is adopted once an endpoint is healthy; until then it stays as it is"
            self.decision, self.undecided = None, Undecided(waits)
            return
        self._found = tuple(
            sorted({value for zone, sets in adopted.items() if zone not in refused for value in values_of(sets)})
        )
        self.decision, self.undecided = remaining.after(self.decision), None
        self._drained = drained_regions

    def _standings(self, published: Mapping[ObjectKey, tuple[RRset, ...]]) -> dict[ObjectKey, Standing]:
        """Return how the record stands in each zone whose contents are known."""
        rulings = self.decision.rulings if self.decision else {}
        found = {}
        for zone, sets in published.items():
            decided = values_of(rulings[zone].sets) if zone in rulings and zone in self._serving else ()
            on_the_way = self._on_the_way.get(zone, frozenset())
            found[zone] = Standing(sets, self._serving.get(zone), frozenset(decided), on_the_way)
        return found

    def _may_adopt(self, ruling: Ruling) -> bool:
        """Tell whether what is decided is better than what stands at a name that is not ours yet."""
        if ruling.basis is Basis.PINNED:
            return True
        healthy = {name for name, each in self.healths.items() if each.verdict is Verdict.HEALTHY}
        return ruling.basis is Basis.CHOSEN and any(each.endpoint in healthy for each in ruling.serving)

    def _note_drained(self, regions: frozenset[str]) -> dict[str, float]:
        """Return since when each drained endpoint is known to be drained."""
        drained = [each.name for each in self.record.endpoints if is_drained(each, regions)]
        self._drained_since = {name: self._drained_since.get(name, self._clock.now()) for name in drained}
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
        after = tuple(sorted({value for sets in let_through.values() for value in values_of(sets)}))
        before = self._last_values
        if self.decision is None or not after or after == (before if counts else self._last_wished or before):
            return None
        if counts:
            if self._found and self._found != after and all(each.values != self._found for each in self._revisions):
                told = f"as {self.record.hostname} was before it was adopted"
                self._keep_revision(self._found, told, was_there=True)
            self._last_values = after
            self._has_news = True
            self._keep_revision(after, self.decision.reason)
        self._last_wished = after
        return Transition(before, after, self.decision.reason, self.decision.basis, is_first=not before)

    def _keep_revision(self, values: tuple[str, ...], reason: str, *, was_there: bool = False) -> None:
        self._last_revision += 1
        revision = Revision(self._last_revision, values, reason, self._clock.wall(), was_there)
        self._revisions = self._newest((revision, *self._revisions))

    def _newest(self, revisions: tuple[Revision, ...]) -> tuple[Revision, ...]:
        """Return as many revisions as history holds; the one that is pinned stays among them."""
        kept = list(revisions)
        while len(kept) > HISTORY_LENGTH:
            kept.remove(next(each for each in reversed(kept) if str(each.number) != self.record.pin))
        return tuple(kept)

    def proposal(self, zone: ObjectKey, gate: ZoneGate, after: tuple[RRset, ...], report: WishReport) -> Proposal:
        """Return what this record would change in a zone, for that zone's safety gate."""
        last = report.left if gate.freezes(self.record.key) else gate.last(self.record.key)
        before = last if last is not None else (report.published if report.owns else ())
        return self._presence.proposal(
            before,
            after,
            shown=report.published,
            known=self._known_in(zone, gate.safety.window),
            basis=self._basis_in(zone),
            is_ours=report.is_marked,
            is_unproven=self._is_unproven(before, after),
            may_land=report.may_land,
        )

    def _basis_in(self, zone: ObjectKey) -> Basis | None:
        if self.decision is None:
            return None
        ruling = self.decision.rulings.get(zone)
        return ruling.basis if ruling else self.decision.basis

    def _is_unproven(self, before: tuple[RRset, ...], after: tuple[RRset, ...]) -> bool:
        """Tell whether what an edit replaced still works, and nothing that is to come has been seen to."""
        pinned = self.decision is not None and self.decision.basis is Basis.PINNED
        if pinned or self.replaced.isdisjoint(values_of(before)):
            return False
        wanted = self._presence.endpoints_in(after)
        return not any(self.healths[each.name].verdict is Verdict.HEALTHY for each in wanted)

    def _known_in(self, zone: ObjectKey, window: float) -> dict[str, float]:
        """Return the values that a zone had within `window` seconds before we came to lead, by the status.

        With each goes when it left (engine seconds, infinite where it had not). Where the status was lost the zone may
        have had every value.
        """
        if self._is_without_memory:
            return {value: math.inf for each in self.record.endpoints for value in self._presence.values_of(each)}
        told = next((each for each in self.memory.zones if each.key == zone), None)
        if told is None or zone not in self._published_before:  # a change that is held is not published, and counts
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
        return Presence(self.record, self.healths, self._drained, self._clock.now())

    def serve(
        self, *, held: Mapping[ObjectKey, tuple[RRset, ...]], passed: Mapping[ObjectKey, tuple[RRset, ...]]
    ) -> None:
        """Take note of who serves, by zone: those decided for where that `passed`, and those in sets that are held.

        Whoever the safety gate keeps in place has not left there, and whoever it keeps out has not come.
        """
        rulings = self.decision.rulings if self.decision else {}
        for zone, sets in {**held, **passed}.items():
            if zone not in self._in_force:
                continue
            if zone in rulings and zone not in held:
                self._serving[zone] = frozenset(each.endpoint for each in rulings[zone].serving)
            else:
                self._serving[zone] = frozenset(each.name for each in self._presence.endpoints_in(sets))
            self._on_the_way[zone] = frozenset(values_of(sets))

    def _pinned_revision(self) -> Revision | None:
        """Return the pinned revision, None without a pin or such a revision."""
        if self.record.pin is None:
            return None
        if self._pin is None or self._pin[0] != self.record.pin:
            found = [each for each in self._revisions if str(each.number) == self.record.pin]
            self._pin = (self.record.pin, found[0]) if found else None
        return self._pin[1] if self._pin else None

    @property
    def pin_refusal(self) -> Refusal | None:
        """Why the pin of this record cannot be followed, or None."""
        pinned = self.decision is not None and self.decision.basis is Basis.PINNED
        if self.record.pin is None or self.decision is None or pinned:
            return None
        known = ", ".join(str(each.number) for each in self._revisions)
        if self._pin is None:
            why = f"status.history has no revision {self.record.pin!r}, it has {known or 'none yet'}"
        else:
            why = f"no value of revision {self.record.pin} is declared any more"
        return Refusal("PinInvalid", f"{why}: correct the annotation detour.dev/pin or remove it; health decides now")

    def _zones_in_force(self, zones: Mapping[ObjectKey, ZoneKeeper]) -> frozenset[ObjectKey]:
        """Return the zones that this process writes, and where it knows how the name stands and may have it."""
        return frozenset(
            key
            for key in self.record.zones
            if key not in self.zone_refusals
            and (keeper := zones.get(key))
            and keeper.in_force
            and (report := keeper.report(self.record.key))
            and not report.denied
        )

    @property
    def decide_again_at(self) -> float | None:
        """When to decide again if nothing happens before (engine seconds)."""
        outcome = self.undecided or self.decision
        times = [each.ends_at for each in self._contests.values()]
        if outcome is not None and outcome.decide_again_at is not None:
            times.append(outcome.decide_again_at)
        return min(times, default=None)

    def wish_for(self, zones: Sequence[ObjectKey]) -> Wish:
        """Return what this record wants in a zone, which has several names where several DNSZones stand for it."""
        record = self.record
        published = [zone for zone in zones if zone in self._published_before and zone in self._zone_ids]
        zone = next(iter(published), zones[0])
        decided = self.decision.sets if self.decision else {}
        sets = [decided[each] for each in zones if each in decided and each in self._in_force]
        return Wish(
            record=record.key,
            uid=record.uid,
            created=record.created,
            hostname=record.hostname,
            sets=next(iter(sets), None),
            adopt=record.adopt,
            adopt_from=record.adopt_from,
            suspended=record.suspend,
            was_published=bool(published),
            published_in=self._zone_ids.get(zone),
            known_values=self._known_values.get(zone),
            is_news=self._has_news or self.record.generation != self.memory.observed_generation,
        )

    def needs_zone_news(self, zones: Mapping[ObjectKey, ZoneKeeper]) -> bool:
        """Tell whether a zone came into force here, or left it, or was read and nothing is decided for it yet."""
        if self._zones_in_force(zones) != self._in_force:
            return True
        decided = self.decision.sets if self.decision else {}
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
        self._published_before.discard(zone)

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
            revisions=self._revisions,
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
        )

    def _warnings(self) -> tuple[Refusal, ...]:
        found = contested(self._contests.values(), self._clock.now())
        return () if found is None else (found,)

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
        )


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


def _remembered(memory: RecordMemory, clock: Clock) -> dict[str, EndpointHealth]:
    return {
        each.name: EndpointHealth(
            verdict=each.verdict,
            since=clock.from_the_wall(each.since) if each.since is not None else clock.now(),
            reason=each.reason,
            message=each.message,
            failed_at=clock.from_the_wall(each.failed_at) if each.failed_at is not None else None,
            latency=each.latency,
            addresses=each.addresses,
        )
        for each in memory.endpoints
    }


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
