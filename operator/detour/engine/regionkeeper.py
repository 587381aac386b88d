"""All CloudRegions: who is drained, who is failing, and how each fares by its canaries and its endpoints.

A drain with an end ends at the first of two moments: when the wall clock shows that time, or when as much time has
passed as was left when the end was declared. So a clock that is set back keeps no drain alive, and one that is set
right after a wrong start, or that ran on while the machine was suspended, ends it in time. A drain that is over stays
over, also for the next process, which reads that in status; whoever wants another one gives another end.

So many regions stay in service, of those that records name, as the installation asks for: a drain that would leave
fewer is not followed unless it says that it sets this rule aside, and a region that fails then keeps its endpoints.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from detour.engine.clock import Clock
from detour.engine.pictures import RegionPicture
from detour.engine.regionevidence import Placed, RegionEvidence
from detour.health.regions import CanaryFinding, Course, EndpointCounts, Judgement, RegionPhase, forced, judged
from detour.health.reports import Weeks
from detour.health.signals import NOT_CLOSER, CloserLook, SignalFinding, SignalState, looked_closer
from detour.model.endpoint import AdminState
from detour.model.health import Verdict
from detour.model.memory import NO_REGION_MEMORY, RegionMemory
from detour.model.objects import Subject
from detour.model.overrides import Action, Override
from detour.model.record import ObjectKey
from detour.model.region import Region, SafetyRule
from detour.model.shared import NONE

SAME = 1.0
"""Seconds: ends of a drain that differ by less are one, as a status has whole seconds."""

NAMES_TOLD = 10

UNJUDGED = Judgement(RegionPhase.UNKNOWN, "NotCheckedYet", "nothing is known of it yet")


@dataclass(slots=True)
class _Known:
    """`ends_at` (engine seconds) is when the drain is over at the latest, None where it has no end.

    A drain that `is_followed` stays so until it ends. `since` is when its phase began, in seconds since the Unix epoch.
    Of its canaries those that `passed` once are believed when they fail. `times` has those of the engine's clock that
    were told, by the wall's: once told they stay, though the two run apart.
    """

    subject: Subject
    region: Region
    since: float
    ends_at: float | None
    has_ended: bool
    is_followed: bool
    judgement: Judgement = UNJUDGED
    phase: RegionPhase = RegionPhase.UNKNOWN
    findings: tuple[CanaryFinding, ...] = ()
    signals: tuple[SignalFinding, ...] = ()
    closer_look: CloserLook = NOT_CLOSER
    times: dict[float, float] = field(default_factory=dict)
    passed: frozenset[str] = NONE
    overrides: tuple[Override, ...] = ()

    @property
    def _is_drain_declared(self) -> bool:
        return self.region.state is AdminState.DRAINED and not self.has_ended

    @property
    def is_drain_wanted(self) -> bool:
        """Tell whether a person wants the region out now: it is declared so, or an override says so."""
        return self._is_drain_declared or any(each.action is Action.DRAIN for each in self.overrides)

    @property
    def sets_minimum_aside(self) -> bool:
        """Tell whether the drain is to be followed however few regions stay in service."""
        declared = self.region.sets_aside if self._is_drain_declared else NONE  # not one that is over
        rules = declared.union(*(each.sets_aside for each in self.overrides))
        return SafetyRule.MIN_REGIONS_IN_SERVICE in rules


@dataclass(slots=True)
class _Served:
    """The records that answer with places of a region; those `stuck` have no other place that is fit."""

    records: dict[ObjectKey, None] = field(default_factory=dict)
    stuck: dict[ObjectKey, None] = field(default_factory=dict)


class RegionKeeper:
    """Judges regions. `on_news` gets whose status has news, `on_effect` the regions whose endpoints are in or out now.

    `findings` tells of the canaries of a region, `signals` of its signals, `reports` of what users reported, and
    `ring` gets when to judge one again; `on_closer_look` gets a region that is looked at more closely from now on, or
    not any more. At least `in_service` regions stay in service; `in_use` has those that records name, and
    `is_use_known` tells whether these are all.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        on_news: Callable[[Subject], None],
        on_effect: Callable[[Iterable[str]], None] = lambda _: None,
        findings: Callable[[str], tuple[CanaryFinding, ...]] = lambda _: (),
        signals: Callable[[str], tuple[SignalFinding, ...]] = lambda _: (),
        reports: Callable[[str], Weeks] = lambda _: {},
        ring: Callable[[str, float | None], None] = lambda region, at: None,
        on_closer_look: Callable[[str], None] = lambda _: None,
        in_use: Callable[[], Collection[str]] = lambda: (),
        is_use_known: Callable[[], bool] = lambda: True,
        in_service: int = 1,
    ) -> None:
        self._clock = clock
        self._on_news = on_news
        self._on_effect = on_effect
        self._findings = findings
        self._signals = signals
        self._reports = reports
        self._ring = ring
        self._on_closer_look = on_closer_look
        self._in_use = in_use
        self._is_use_known = is_use_known
        self._in_service = in_service
        self._known: dict[str, _Known] = {}
        self._overrides: dict[str, tuple[Override, ...]] = {}
        self._counts: dict[str, Counter[Verdict]] = {}
        self._counted: dict[ObjectKey, tuple[Placed, ...]] = {}
        self._elsewhere: dict[str, Counter[Verdict]] = {}
        self._evidence = RegionEvidence()
        self._served: dict[str, _Served] = {}
        self._served_in: dict[ObjectKey, tuple[frozenset[str], frozenset[str]]] = {}
        self._drained: frozenset[str] = NONE
        self._failing: frozenset[str] = NONE
        self._looked_closer: frozenset[str] = NONE

    # -- endpoints -------------------------------------------------------------------------------------------------

    def count_elsewhere(self, tallies: Iterable[Mapping[str, Mapping[Verdict, int]]]) -> None:
        """Other processes count the endpoints of the records that they decide for: so many of each region."""
        found: dict[str, Counter[Verdict]] = {}
        for tally in tallies:
            for region, counts in tally.items():
                found.setdefault(region, Counter()).update(counts)
        before, self._elsewhere = self._elsewhere, found
        for region in {*before, *found}:
            if before.get(region) != found.get(region):
                self.judge(region)

    def counted_here(self) -> dict[str, Mapping[Verdict, int]]:
        """Return how many endpoints of the records that are decided for here each region has, by verdict."""
        return {region: +counts for region, counts in self._counts.items()}

    def note(self, record: ObjectKey, endpoints: Iterable[Placed]) -> set[str]:
        """Count the endpoints of a record, in place of those counted before; return the regions that this changes."""
        after = tuple(endpoints)
        before = self._counted.pop(record, ())
        if after:
            self._counted[record] = after
        if before == after:
            return set()
        touched = self._evidence.take(record.namespace, before, after)
        for each in after:
            self._counts.setdefault(each.region, Counter())[each.verdict] += 1
        for each in before:
            self._counts[each.region][each.verdict] -= 1
            if not +self._counts[each.region]:
                del self._counts[each.region]
        found, gone = (Counter((each.region, each.verdict) for each in placed) for placed in (after, before))
        return touched | {region for region, _ in (found - gone) + (gone - found)}

    def note_served(self, record: ObjectKey, regions: frozenset[str], stuck_in: frozenset[str] = NONE) -> set[str]:
        """A record answers with places of these regions; return those of which there is news.

        It is `stuck_in` those that it would leave, as no other place is fit.
        """
        before = self._served_in.get(record, (NONE, NONE))
        if before == (regions, stuck_in):
            return set()
        if regions:
            self._served_in[record] = (regions, stuck_in)
        else:
            del self._served_in[record]
        for region in before[0] - regions:
            del self._served[region].records[record]
        for region in before[1] - stuck_in:
            del self._served[region].stuck[record]
        for region in before[0] - regions:
            if not self._served[region].records:
                del self._served[region]
        for region in regions - before[0]:
            self._served.setdefault(region, _Served()).records[record] = None
        for region in stuck_in - before[1]:
            self._served[region].stuck[record] = None
        return {*(before[0] ^ regions), *(before[1] ^ stuck_in)}

    def _endpoints(self, region: str) -> EndpointCounts:
        counts = self._counts.get(region, Counter()) + self._elsewhere.get(region, Counter())
        namespaces, failing = self._evidence.votes(region)
        return EndpointCounts(
            counts[Verdict.HEALTHY], counts[Verdict.UNHEALTHY], counts[Verdict.UNKNOWN], namespaces, failing
        )

    # -- what is declared ------------------------------------------------------------------------------------------

    def declare(self, subject: Subject, region: Region, memory: RegionMemory = NO_REGION_MEMORY) -> None:
        """A CloudRegion is new or changed; `memory` is what its status tells."""
        now = self._clock.wall()
        before = self._known.get(region.name)
        course = Course(memory.was_out, is_signalled=memory.was_signalled)
        known = _Known(
            subject,
            region,
            before.since if before else now,
            ends_at=None if region.until is None else self._clock.now() + region.until - now,
            has_ended=region.until is not None
            and memory.drain_ended is not None
            and abs(region.until - memory.drain_ended) < SAME,
            is_followed=before.is_followed if before else memory.was_drained,
            judgement=before.judgement if before else replace(UNJUDGED, course=course),
            phase=before.phase if before else RegionPhase.UNKNOWN,
            closer_look=before.closer_look if before else NOT_CLOSER,
            passed=before.passed if before else memory.passed,
            overrides=self._overrides.get(region.name, ()),
        )
        if before is None and memory.was_out:
            self._failing |= {region.name}
        if before is not None:  # one that is another check now has not passed yet
            same = {each.name for each in set(region.canaries) & set(before.region.canaries)}
            known.passed &= same
        if before is not None and before.region.until == region.until:
            known.ends_at, known.has_ended = before.ends_at, before.has_ended
        self._known[region.name] = known
        self._end_drain(known)
        self.judge(region.name)

    def overrule(self, name: str, overrides: tuple[Override, ...]) -> None:
        """These overrides of a region are in force from now on, and no others."""
        self._overrides[name] = overrides
        if not overrides:
            del self._overrides[name]
        if (known := self._known.get(name)) is not None:
            if forced(known.overrides) is not None:  # what a person made of it is nothing that it has been through
                known.judgement = UNJUDGED
            known.overrides = overrides
            self.judge(name)

    @property
    def names(self) -> Collection[str]:
        """The regions that are declared."""
        return self._known.keys()

    def remove(self, name: str) -> None:
        """A CloudRegion is gone: nothing takes its endpoints out any more."""
        self._known.pop(name, None)
        self._looked_closer -= {name}
        self._ring(name, None)
        self._find_effects()

    # -- who is out ------------------------------------------------------------------------------------------------

    def drained(self) -> frozenset[str]:
        """Return the names of the regions that are drained now: the same object until that changes."""
        for known in self._known.values():
            if known.ends_at is not None and not known.has_ended:
                self._end_drain(known)
        self._find_effects()
        return self._drained

    def failing(self) -> frozenset[str]:
        """Return the names of the regions whose endpoints are out because they fail: the same object, too."""
        return self._failing

    def _find_effects(self) -> None:
        """Work out which regions are out, of those that should be, so that enough stay in service.

        Who is out already stays so; of others the first by name goes first, the same in every process.
        """
        wanted = {name: known for name, known in self._known.items() if known.is_drain_wanted}
        fails = {name for name, known in self._known.items() if known.judgement.course.is_out}
        for name, known in self._known.items():
            known.is_followed = known.is_followed and name in wanted
        if not (wanted or fails or self._drained or self._failing):
            return
        failing = self._failing & fails
        drained = {name for name, known in wanted.items() if known.is_followed or known.sets_minimum_aside}
        for name in sorted(wanted.keys() - drained):
            if self._may_go(name, drained | failing):
                drained.add(name)
        for name in drained:
            known = self._known[name]
            known.is_followed = known.is_followed or self._is_in_use(name)  # else it may be the last one by then
        for name in sorted(fails - failing):
            if self._may_go(name, drained | failing):
                failing |= {name}
        self._take_effect(frozenset(drained), frozenset(failing))

    def _take_effect(self, drained: frozenset[str], failing: frozenset[str]) -> None:
        changed = (drained ^ self._drained) | (failing ^ self._failing)
        self._drained = drained if drained != self._drained else self._drained
        self._failing = failing if failing != self._failing else self._failing
        for name in changed & self._known.keys():
            self._settle_phase(self._known[name])
        if changed:
            self._on_effect(sorted(changed))

    def _may_go(self, region: str, out: Collection[str]) -> bool:
        """Tell whether enough regions stay in service without this one; one that nobody uses may always go."""
        if not self._is_use_known():
            return False
        if not self._is_in_use(region):
            return True
        others = {*self._in_use(), *self._elsewhere} - {*out, region}
        return sum(map(self._can_serve, others)) >= self._in_service

    def _is_in_use(self, region: str) -> bool:
        return region in self._in_use() or region in self._elsewhere

    def _can_serve(self, region: str) -> bool:
        """Tell whether a region is one to count on: a slip of the pen is not declared, and nothing works there."""
        return region in self._known or self._endpoints(region).healthy > 0

    def drain_ends_in(self, name: str) -> float | None:
        """Return the seconds until a region's drain is over at the latest, None where none with an end is in force."""
        known = self._known.get(name)
        if known is None or known.ends_at is None:
            return None
        self._end_drain(known)
        return None if known.has_ended else max(0.0, known.ends_at - self._clock.now())

    def _end_drain(self, known: _Known) -> None:
        until, ends_at = known.region.until, known.ends_at
        if until is not None and ends_at is not None:
            known.has_ended = known.has_ended or self._clock.now() >= ends_at or self._clock.wall() >= until

    # -- judging ---------------------------------------------------------------------------------------------------

    def judge(self, name: str) -> None:
        """Look at a region anew; a name without a CloudRegion is ignored."""
        known = self._known.get(name)
        if known is None:
            return
        self._end_drain(known)
        known.findings = tuple(
            replace(each, has_passed=each.has_passed or each.name in known.passed) for each in self._findings(name)
        )
        known.passed = frozenset(each.name for each in known.findings if each.has_passed)
        known.signals = self._signals(name)
        known.judgement = forced(known.overrides) or judged(
            known.findings,
            self._endpoints(name),
            known.region.failing,
            known.judgement.course,
            self._clock.now(),
            signals=known.signals,
            signalled=known.region.signalled,
        )
        self._look_closer(known)
        self._find_effects()
        self._settle_phase(known)
        times = (known.judgement.look_at, known.closer_look.ends_at, *(each.look_at for each in known.signals))
        self._ring(name, min((each for each in times if each is not None), default=None))

    @property
    def looked_closer(self) -> frozenset[str]:
        """The regions whose checks are made more often just now: the same object until that changes."""
        return self._looked_closer

    def _look_closer(self, known: _Known) -> None:
        stands = any(each.stands for each in known.signals)
        known.closer_look = looked_closer(known.closer_look, stands=stands, now=self._clock.now())
        name = known.region.name
        if known.closer_look.is_on is not (name in self._looked_closer):
            self._looked_closer ^= {name}
            self._on_closer_look(name)

    def _settle_phase(self, known: _Known) -> None:
        """Note the phase that follows from what is in force now, and that there is news of it."""
        phase = RegionPhase.DRAINED if known.region.name in self._drained else known.judgement.phase
        if phase is not known.phase:
            known.since, known.phase = self._clock.wall(), phase
        self._on_news(known.subject)

    def judge_all(self) -> None:
        """Look at every region anew."""
        for name in list(self._known):
            self.judge(name)

    def signals_standing(self) -> dict[tuple[str, str], bool | None]:
        """Tell of each signal, by region and name, whether it stands; None where nothing is known."""
        return {
            (name, each.name): None if each.state is SignalState.UNKNOWN else each.stands
            for name, known in self._known.items()
            for each in known.signals
        }

    def phases(self) -> dict[str, RegionPhase]:
        """Return the phase of each region that is declared."""
        return {name: known.phase for name, known in self._known.items()}

    def picture(self, name: str) -> RegionPicture | None:
        """Return what there is to tell of a region."""
        known = self._known.get(name)
        if known is None:
            return None
        served, ends_at = self._served.get(name, _Served()), known.closer_look.ends_at
        is_refused = known.is_drain_wanted and name not in self._drained
        is_kept = known.judgement.course.is_out and name not in self._failing and name not in self._drained
        return RegionPicture(
            known.region,
            known.judgement,
            known.phase,
            self._endpoints(name),
            known.findings,
            known.since,
            is_out=name in self._failing,
            drain_ended=known.region.until if known.has_ended else None,
            records=len(served.records),
            stuck=tuple(str(each) for each in list(served.stuck)[:NAMES_TOLD]),
            stuck_count=len(served.stuck),
            needed_in_service=self._in_service if is_refused or is_kept else None,
            signals=tuple(replace(each, since=self._on_the_wall(known, each.since)) for each in known.signals),
            closer_look_until=None if ends_at is None else self._on_the_wall(known, ends_at),
            reports=self._reports(name),
            overrides=known.overrides,
        )

    def _on_the_wall(self, known: _Known, at: float) -> float:
        if at not in known.times:
            ends_at = known.closer_look.ends_at
            told = {each.since for each in known.signals} | ({ends_at} if ends_at is not None else set())
            known.times = {each: wall for each, wall in known.times.items() if each in told}
            known.times[at] = self._clock.on_the_wall(at)
        return known.times[at]
