"""What the checks say: targets and hostnames under observation, with the streak of each.

Records share targets: equal checks run once. The owner of the records is told which of them have news. A check that
contradicts what was believed has the record's other targets looked at too, at once: a move needs to know both places.
"""

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from detour.checks.failures import Reason
from detour.checks.periodic import STANDSTILL, Periodic
from detour.checks.resolver import Resolution, ResolutionOutcome, with_enough
from detour.checks.run import what_is_checked
from detour.checks.scheduler import LATE, CheckScheduler
from detour.engine.checktargets import checks_of, elsewhere_target, target_of, targets_at
from detour.engine.clock import Clock
from detour.engine.metrics import Metrics
from detour.engine.moment import Moment
from detour.engine.recordtargets import RecordTargets
from detour.engine.sight import Sight
from detour.engine.turnedbad import TurnedBad
from detour.engine.vantages import THE_OPERATOR, OwnVantage, Vantages
from detour.engine.votes import CheckIndex, Votes
from detour.health.combined import Part, combined
from detour.health.endpoints import NAME_UNRESOLVED, SLOW, endpoint_health
from detour.health.resolution import ResolvedName, Sighting, answered, answered_empty, unanswered
from detour.health.thresholds import Streak, afresh, is_in_question, is_out_of_reach, next_delay, observe
from detour.health.vantages import LATE as TOO_LATE
from detour.model.checks import (
    NOWHERE,
    CheckResult,
    CheckRole,
    CheckTiming,
    DNSCheck,
    ExternalCheck,
    HTTPCheck,
    Target,
    TCPCheck,
)
from detour.model.endpoint import Endpoint
from detour.model.health import EndpointHealth, Verdict
from detour.model.memory import EndpointMemory
from detour.model.objects import Subject
from detour.model.record import ObjectKey, Record
from detour.model.rrset import address_type
from detour.model.shared import NONE, shared
from detour.model.vantage import CheckKey
from detour.planning.grounds import Looks
from detour.planning.trial import Replaced, replaced_before, replaced_by, time_on_trial

logger = logging.getLogger(__name__)

LOOKUPS_IN_FLIGHT = 64

SETTLED = 60.0
"""Seconds by which a process that starts knows what is declared, and has checked all of it."""


@dataclass(frozen=True, slots=True)
class _NameKey:
    hostname: str
    timing: CheckTiming


@dataclass(slots=True)
class _Name:
    state: ResolvedName
    canonical_names: tuple[str, ...] = ()
    users: dict[ObjectKey, None] = field(default_factory=dict)  # in the order of their coming, the same in each run


@dataclass(slots=True)
class _Watched:
    streak: Streak
    users: dict[ObjectKey, None] = field(default_factory=dict)  # in the order of their coming, the same in each run
    is_remembered: bool = False  # the verdict is that of an earlier status, and was not found here yet


class Targets:
    """Runs the checks and look-ups that records need, and keeps what they showed.

    `on_news` gets the keys of the records whose endpoints have news; `cause_at` of a record is when the check
    ended that last changed a verdict of one of its targets (engine seconds). `on_vantage` gets the vantages of which
    there is news to tell. Whether it asks for verdicts that are made elsewhere is `asks_elsewhere`.
    """

    def __init__(
        self,
        *,
        check: Callable[[Target], Awaitable[CheckResult]],
        resolve: Callable[[str], Awaitable[Resolution]],
        checks_in_flight: int,
        clock: Clock,
        randomness: random.Random,
        metrics: Metrics,
        on_news: Callable[[Iterable[ObjectKey]], None],
        on_vantage: Callable[[Subject], None] = lambda _: None,
        own_vantage: OwnVantage = THE_OPERATOR,
        asks_elsewhere: bool = True,
    ) -> None:
        self._clock = clock
        self._asks_elsewhere = asks_elsewhere
        self._metrics = metrics
        self._on_news = on_news
        self._records: dict[ObjectKey, Record] = {}
        self._targets: dict[Target, _Watched] = {}
        self._names: dict[_NameKey, _Name] = {}
        self._targets_of: dict[ObjectKey, tuple[Target, ...]] = {}
        self._replaced: dict[ObjectKey, Replaced] = {}
        self._awaited = RecordTargets()
        self._elsewhere = 0  # targets that are verdicts that are made elsewhere
        self._looked_closer: frozenset[str] = NONE
        self._closer = RecordTargets()  # who has targets that are looked at more closely
        self._cause_at: dict[ObjectKey, float] = {}
        self._turned_bad = TurnedBad[Target]()
        self._sight = Sight(clock.now)
        self._to_schedule: dict[Target, None] = {}  # that have come or gone since the scheduler was told
        self._index: CheckIndex | None = None  # only where others say anything
        self._undecided: dict[ObjectKey, None] = {}  # whose vantages have no quorum of some address
        self._was_alone = True
        self._late_until = -math.inf
        self._began_at = clock.now()
        self.vantages = Vantages(
            clock,
            own=own_vantage,
            on_news=on_vantage,
            on_change=self._others_say,
            on_voters=self._voters_changed,
            on_looks=self._looked,
            own_says=self._says,
            own_counts=self._counts,
        )
        self.scheduler = CheckScheduler(
            check,
            on_result=self._checked,
            in_flight=checks_in_flight,
            random=randomness,
            is_in_question=self._is_in_question,
        )
        self._resolutions: Periodic[_NameKey, Resolution] = Periodic(
            lambda key: resolve(key.hostname), on_result=self._resolved, in_flight=LOOKUPS_IN_FLIGHT, random=randomness
        )

    async def run(self) -> None:
        """Check and resolve until cancelled."""
        await asyncio.gather(self.scheduler.run(), self._resolutions.run())

    # -- which records ---------------------------------------------------------------------------------------------

    def watch(self, record: Record, memory: Iterable[EndpointMemory] = (), *, published: Collection[str] = ()) -> None:
        """Observe the endpoints of `record`; what `memory` says of those not observed yet is where they start.

        `published` are the values that it published last before this process began, by its status.
        """
        before = self._records.get(record.key)
        self._records[record.key] = record
        if self._index is not None:
            self._index.name(record, before)
        remembered = {each.name: each for each in memory}
        keys = dict.fromkeys(_name_key(record, each.hostname) for each in record.endpoints if each.hostname)
        for key in [each for each in keys if each not in self._names]:
            self._names[key] = _Name(ResolvedName())
            self._resolutions.add(key, within=min(1.0, key.timing.recheck_interval))
        for key in keys:
            self._names[key].users[record.key] = None
        for endpoint in record.endpoints:
            if endpoint.name in remembered:
                self._restore(record, endpoint, remembered[endpoint.name])
        if before is not None:
            self._keep_replaced(before, record)
        else:
            known = {address for each in record.endpoints for address in self._addresses(record, each)}
            self._put_on_trial(record, replaced_before(record, published, known))
        self._retarget(record)
        if before is not None:
            self._drop_names(before, keeping=set(keys))

    def forget(self, key: ObjectKey) -> None:
        """Observe nothing for this record any more."""
        record = self._records.pop(key, None)
        self._cause_at.pop(key, None)
        self._replaced.pop(key, None)
        self._awaited.set(key, ())
        self._look_closer(key, ())
        self._undecided.pop(key, None)
        if record is not None:
            if self._index is not None:
                self._index.unname(record)
            self._release(key, keeping=())
            self._drop_names(record, keeping=set())

    def _drop_names(self, record: Record, keeping: set[_NameKey]) -> None:
        for key in {_name_key(record, each.hostname) for each in record.endpoints if each.hostname} - keeping:
            name = self._names.get(key)
            if name is None:
                continue
            name.users.pop(record.key, None)
            if not name.users:
                del self._names[key]
                self._resolutions.discard(key)

    def _restore(self, record: Record, endpoint: Endpoint, memory: EndpointMemory) -> None:
        now = self._clock.now()
        since = self._clock.from_the_wall(memory.since) if memory.since is not None else now
        if endpoint.hostname is not None:
            name = self._names[_name_key(record, endpoint.hostname)]
            if not name.state.seen:
                fall = record.timing.fall
                name.state = ResolvedName(
                    seen=tuple(Sighting(address, now, now) for address, _ in memory.addresses),
                    failures=fall if memory.reason == NAME_UNRESOLVED else 0,
                    message=memory.message,
                )
        known = dict(memory.addresses)
        # Which of several checks it was that failed nobody knows any more: that it passed all that it had to is known.
        checks = {each.probe for each in checks_of(record) if each.role is CheckRole.REQUIRED and not each.is_elsewhere}
        addresses = self._addresses(record, endpoint)
        for target in targets_at(record, endpoint, addresses):
            verdict = known.get(target.address, Verdict.UNKNOWN)
            if record.more_checks and (verdict is not Verdict.HEALTHY or target.probe not in checks):
                continue
            if target not in self._targets and verdict is not Verdict.UNKNOWN:
                confirmed_at = memory.confirmed_at
                streak = Streak(
                    verdict,
                    since,
                    reason=memory.reason,
                    message=memory.message,
                    latency=memory.latency,
                    confirmed_at=self._clock.from_the_wall(confirmed_at) if confirmed_at is not None else None,
                    has_passed=verdict is Verdict.HEALTHY or memory.latency is not None,
                    is_slow=memory.reason == SLOW,
                )
                self._targets[target] = _Watched(streak, is_remembered=True)
                if verdict is Verdict.UNHEALTHY:
                    self._turned_bad.note(target, since)  # it may be this vantage that failed, and still does

    def doubt(self, record: Record) -> None:
        """Take no verdict of this record from an earlier status: what was not checked often enough here is Unknown."""
        for target in self._targets_of.get(record.key, ()):
            if self._targets[target].is_remembered:
                self._targets[target].streak = self._withdrawn(self._targets[target].streak)

    def remembered(self, record: Record, healths: Mapping[str, EndpointHealth]) -> frozenset[str]:
        """Return the addresses of this record whose verdict still rests on an earlier status.

        What a quorum of vantages says of them by its `healths` does not, whatever this process has checked.
        """
        targets = self._targets_of.get(record.key, ())
        found = frozenset(each.address for each in targets if self._targets[each].is_remembered) - {NOWHERE}
        if not found or self.vantages.is_alone:
            return found
        return found & {address for each in healths.values() for address in each.undecided}

    def doubt_since(self, at: float) -> None:
        """Take no bad verdict formed since `at` (engine seconds): this vantage could not see. They become Unknown."""
        for watched in self._targets.values():
            if watched.streak.verdict is Verdict.UNHEALTHY and watched.streak.since >= at:
                watched.streak = self._withdrawn(watched.streak)
        self._on_news(tuple(self._records))

    def _withdrawn(self, streak: Streak) -> Streak:
        return Streak(Verdict.UNKNOWN, self._clock.now(), has_passed=streak.has_passed)

    # -- what an edit replaced -------------------------------------------------------------------------------------

    def replaced_that_works(self, key: ObjectKey) -> frozenset[str]:
        """Return the values that an edit of a record replaced and that still work, while the new are on trial.

        These are addresses, and hostnames that lead to one.
        """
        replaced = self._replaced.get(key)
        if replaced is None:
            return NONE
        healthy = [
            (target.address, hostname)
            for target, hostname in replaced.targets.items()
            if (watched := self._targets.get(target)) and replaced.works(watched.streak.verdict)
        ]
        return frozenset(value for pair in healthy for value in pair if value is not None)

    def _keep_replaced(self, before: Record, record: Record) -> None:
        """Go on checking what an edit replaces, where it leaves nothing of it: until the new places have verdicts."""
        checked = {
            Target(address, before.probe, before.timing): endpoint.hostname
            for endpoint in before.endpoints
            for address in self._addresses(before, endpoint)
        }
        self._put_on_trial(record, replaced_by(record, before, checked, self._replaced.get(record.key)))

    def _put_on_trial(self, record: Record, found: Replaced | None) -> None:
        """Go on checking what was replaced until the new places have had their time."""
        known = self._replaced.pop(record.key, None)
        if found is None:
            return
        self._replaced[record.key] = found
        if found is not known:
            wait = time_on_trial(record.timing)
            asyncio.get_running_loop().call_later(wait, self._let_go, record.key, found)

    def _let_go(self, key: ObjectKey, replaced: Replaced) -> None:
        if self._replaced.get(key) is replaced:
            del self._replaced[key]
            self._retarget(self._records[key])
            self._on_news((key,))

    # -- targets ---------------------------------------------------------------------------------------------------

    def _retarget(self, record: Record) -> None:
        wanted = dict.fromkeys(
            target
            for endpoint in record.endpoints
            for target in targets_at(record, endpoint, self._addresses(record, endpoint))
        )
        if replaced := self._replaced.get(record.key):
            wanted |= dict.fromkeys(replaced.targets)
        for target in wanted:
            if target not in self._targets:
                self._targets[target] = _Watched(Streak(Verdict.UNKNOWN, self._clock.now()))
                self._elsewhere += target.is_elsewhere
            if self._index is not None and not target.is_elsewhere:
                self._index.key(target)
            if not self._targets[target].users:
                self._reschedule(target)
            self._targets[target].users[record.key] = None
        self._release(record.key, keeping=wanted)
        self.look_closer(record, self._looked_closer)
        stays = all(each.hostname is None for each in record.endpoints)  # what a hostname turns over is not kept
        self._targets_of[record.key] = shared(tuple(wanted)) if stays else tuple(wanted)

    def _release(self, key: ObjectKey, keeping: Collection[Target]) -> None:
        for target in [each for each in self._targets_of.pop(key, ()) if each not in keeping]:
            watched = self._targets.get(target)
            if watched is not None:
                watched.users.pop(key, None)
                if not watched.users:
                    del self._targets[target]
                    self._elsewhere -= target.is_elsewhere
                    self._reschedule(target)
                    self._turned_bad.forget(target)
                    self._sight.forget(target)
                    if self._index is not None:
                        self._index.forget(target)

    def _reschedule(self, target: Target) -> None:
        if not (self._asks_elsewhere if target.is_elsewhere else self.vantages.checks_here):
            return
        if not self._to_schedule:
            asyncio.get_running_loop().call_soon(self._update_scheduler)
        self._to_schedule[target] = None

    def _update_scheduler(self) -> None:
        changed, self._to_schedule = self._to_schedule, {}
        for target in changed:
            if (watched := self._targets.get(target)) is None:
                self.scheduler.discard(target)
            else:
                self.scheduler.add(target, is_unknown=watched.streak.verdict is Verdict.UNKNOWN)
        self._metrics.targets.set(len(self._targets))

    # -- what they showed ------------------------------------------------------------------------------------------

    def health(
        self, record: Record, previous: Mapping[str, EndpointHealth], moment: Moment, *, is_paused: bool = False
    ) -> Mapping[str, EndpointHealth]:
        """Return the health of every endpoint of `record`, on top of what was believed before.

        While it `is_paused` checks that fail count for nothing.
        Records that share their endpoints, checks and what was believed before get the same object.
        """
        checks = (record.probe, record.timing, record.more_checks)
        inputs = (record.endpoints, *checks, record.quorum, previous, is_paused)
        return moment.once(inputs, lambda: moment.same(self._health(record, previous, moment.now, is_paused=is_paused)))

    def _health(
        self, record: Record, previous: Mapping[str, EndpointHealth], now: float, *, is_paused: bool
    ) -> Mapping[str, EndpointHealth]:
        healths = {}
        for endpoint in record.endpoints:
            before = previous.get(endpoint.name)
            streaks, name = self._found(record, endpoint, before, now)
            healths[endpoint.name] = endpoint_health(
                before, streaks, name, fall=record.timing.fall, now=now, is_paused=is_paused
            )
        return healths

    def _found(
        self, record: Record, endpoint: Endpoint, before: EndpointHealth | None, now: float
    ) -> tuple[list[tuple[str, Streak]], ResolvedName | None]:
        """Return what is believed of an endpoint's addresses, and of its hostname."""
        if record.more_checks:
            return self._found_by_several(record, endpoint, before, now)
        own = [
            (address, watched)
            for address in self._addresses(record, endpoint)
            if (watched := self._targets.get(Target(address, record.probe, record.timing)))
        ]
        name = self._name_state(record, endpoint)
        if self._index is None or self.vantages.is_alone:
            return [(address, watched.streak) for address, watched in own], name
        votes = Votes(self.vantages, self._index)
        found = [(address, watched.streak, watched.is_remembered) for address, watched in own]
        believed = dict(before.addresses) if before is not None else {}
        judged = votes.of_addresses(record, endpoint, probe=record.probe, own=found, believed=believed, now=now)
        return judged, votes.of_name(record, endpoint, name, before, now)

    def _found_by_several(
        self, record: Record, endpoint: Endpoint, before: EndpointHealth | None, now: float
    ) -> tuple[list[tuple[str, Streak]], ResolvedName | None]:
        """Return what several checks make of an endpoint's addresses together, and what is believed of its hostname."""
        addresses = self._addresses(record, endpoint)
        votes = None if self._index is None or self.vantages.is_alone else Votes(self.vantages, self._index)
        parts: dict[str, list[Part]] = {address: [] for address in addresses}
        for check in checks_of(record):
            watched = {
                address: known
                for address in addresses
                if (known := self._targets.get(target_of(record, endpoint, check, address)))
            }
            streaks = {address: each.streak for address, each in watched.items()}
            if votes is not None and isinstance(check.probe, (HTTPCheck, TCPCheck, DNSCheck)):
                own = [(address, each.streak, each.is_remembered) for address, each in watched.items()]
                known_before = before.checks if before is not None else ()
                believed = {each.address: each.verdict for each in known_before if each.name == check.name}
                streaks = dict(
                    votes.of_addresses(record, endpoint, probe=check.probe, own=own, believed=believed, now=now)
                )
            for address in addresses:
                streak = streaks.get(address) or Streak(Verdict.UNKNOWN, now)
                parts[address].append(Part(check.name, check.role, streak))
        at_least = record.more_checks.at_least
        found = [(address, combined(address, parts[address], at_least)) for address in addresses]
        name = self._name_state(record, endpoint)
        return found, name if votes is None else votes.of_name(record, endpoint, name, before, now)

    # -- what other vantages say -----------------------------------------------------------------------------------

    def _others_say(self, keys: Iterable[CheckKey]) -> None:
        """Other vantages say something else of these checks: tell whose they are, and look too where they fail."""
        if self._index is None:
            return
        now = self._clock.now()
        touched: dict[ObjectKey, None] = {}
        for key in keys:
            target = self._index.target(key)
            if target is None:
                continue
            touched |= dict.fromkeys(self._index.named_by(target))
            watched = self._targets.get(target)
            if watched is None:
                continue
            touched |= watched.users
            is_calm = watched.streak.verdict is Verdict.HEALTHY and not is_in_question(watched.streak)
            if is_calm and self.vantages.condemns(key):  # what is in question has a pace of its own
                self.scheduler.hasten(target, unless_since=now - target.timing.recheck_interval)
        for record in touched:
            self._cause_at[record] = now
        self._on_news(tuple(touched))

    def _voters_changed(self) -> None:
        """Others have a say than before: that matters where not all say the same."""
        if self._index is None and not self.vantages.is_alone:
            self._index, self._was_alone = CheckIndex(self._targets, self._records.values()), False
            self._on_news(tuple(self._records))
            return
        if self.vantages.is_alone is not self._was_alone:
            self._was_alone = self.vantages.is_alone
            self._on_news(tuple(self._records))
            return
        self._on_news(tuple({**self._users_of(self._turned_bad), **self._undecided}))
        self._others_say(self.vantages.contested())

    def _users_of(self, targets: Iterable[Target]) -> dict[ObjectKey, None]:
        watched = (self._targets.get(target) for target in targets)
        return {key: None for each in watched if each is not None for key in each.users}

    def _looked(self, keys: Container[CheckKey]) -> None:
        """A vantage has looked at these checks again: tell who waits for that."""
        if self._index is not None:
            waits = [target for target in self._awaited if self._index.key(target) in keys]
            self._on_news(tuple(dict.fromkeys(key for target in waits for key in self._awaited.having(target))))

    def count_own_before(self, at: float) -> None:
        """What this process has seen fail since `at` (engine seconds) waits for its reference checks, as it is much."""
        before, self.vantages.own_counts_before = self.vantages.own_counts_before, at
        if before != at:
            self._on_news(tuple(self._users_of(self._turned_bad.since(min(before, at)))))

    def note_undecided(self, record: ObjectKey, healths: Mapping[str, EndpointHealth]) -> None:
        """Keep whether vantages lack a quorum of any of a record's addresses: it is looked at when others vote."""
        if any(each.undecided for each in healths.values()):
            self._undecided[record] = None
        else:
            self._undecided.pop(record, None)

    def tell_others(self) -> None:
        """Keep by what keys the checks of this process are known to others, from now on."""
        if self._index is None:
            self._index = CheckIndex(self._targets, self._records.values())

    def says(self) -> Iterator[tuple[CheckKey, Streak, bool]]:
        """Give what this process says of each of its checks, under the keys by which others know them.

        With each whether it is out of reach: it never passed, and cannot be made from here.
        """
        if self._index is not None:
            for target, watched in self._targets.items():
                if target.is_elsewhere:
                    continue
                yield self._index.key(target), watched.streak, is_out_of_reach(watched.streak, target.timing)

    def says_by_name(self) -> Iterator[tuple[CheckKey, EndpointHealth]]:
        """Give what it says of each check of a hostname, whatever addresses that leads to, as `says` does."""
        if self._index is not None:
            for named in self._index.names():
                name = self._names.get(_NameKey(named.address, named.timing))
                state = name.state if name is not None else ResolvedName()
                streaks = [
                    (address, watched.streak)
                    for address in state.addresses
                    if (watched := self._targets.get(Target(address, named.probe, named.timing)))
                ]
                health = endpoint_health(None, streaks, state, fall=named.timing.fall, now=self._clock.now())
                yield self._index.key(named), health

    def _counts(self) -> tuple[int, int]:
        elsewhere = self._elsewhere if self._asks_elsewhere else 0
        return len(self.scheduler) - elsewhere, len(self._turned_bad)

    def _says(self, key: CheckKey) -> Verdict:
        """Return what this process's own checks say of the one that a key means."""
        target = self._index.target(key) if self._index is not None else None
        watched = self._targets.get(target) if target is not None else None
        return Verdict.UNKNOWN if watched is None or watched.is_remembered else watched.streak.verdict

    def bad_share(self, window: float) -> float:
        """Return the share of all targets that turned Unhealthy within `window` seconds and have not recovered."""
        return self._turned_bad.count(self._clock.now() - window) / max(1, len(self._targets) - self._elsewhere)

    def newest_bad(self) -> float:
        """Return when the last target turned Unhealthy (engine seconds)."""
        return self._turned_bad.newest

    @property
    def is_behind(self) -> bool:
        """Tell whether checks and look-ups of which nothing is known yet come late."""
        return max(self.scheduler.urgent_lateness, self._resolutions.lateness) > LATE

    @property
    def late_until(self) -> float:
        """Until when checks came late by which this process decides alone (engine seconds); before all time if never.

        What failed meanwhile may have failed for want of CPU.
        """
        self._note_lateness()
        return self._late_until if self.vantages.decides_alone else -math.inf

    def _note_lateness(self) -> None:
        if self.scheduler.urgent_lateness > TOO_LATE:
            self._late_until = self._clock.now()

    def is_blind(self) -> bool:
        """Tell whether nothing has passed for a while, and all that told anything has failed since."""
        return self._sight.is_blind(
            lambda: sum(
                each.streak.evidence is not None and not target.is_elsewhere for target, each in self._targets.items()
            )
        )

    def has_ever_seen(self) -> bool:
        """Tell whether any check has passed since this process began."""
        return self._sight.has_ever_seen

    def has_seen(self) -> bool:
        """Tell whether a check passed lately."""
        return self._sight.has_seen()

    def look(self, record: Record, looks: Looks) -> None:
        """Check at once what a decision on `record` wants to be seen, and give news of what it awaits."""
        if not looks.awaited and record.key not in self._awaited:
            return
        targets = self._targets_of.get(record.key, ())
        awaited = looks.awaited | {NOWHERE} if looks.awaited else looks.awaited
        self._awaited.set(record.key, (each for each in targets if each.address in awaited))
        if looks.wanted and self._to_schedule:
            self._update_scheduler()
        wanted = {**looks.wanted, NOWHERE: max(looks.wanted.values())} if looks.wanted else {}
        for target in targets if self.vantages.checks_here else ():
            since = wanted.get(target.address)
            if since is None or is_in_question(self._targets[target].streak):  # which is rechecked at its own pace
                continue
            seen = self._targets[target].streak.evidence
            if seen is None or seen.looked_at < since:  # else it is other vantages that have not looked
                self.scheduler.hasten(target, unless_since=since)
        for endpoint in record.endpoints if looks.wanted else ():
            name = self._name_state(record, endpoint)
            if endpoint.hostname is None or name is None or name.emptiness is None:
                continue
            if times := [looks.wanted[each] for each in name.addresses if each in looks.wanted]:
                self._resolutions.hasten(_name_key(record, endpoint.hostname), unless_since=max(times))

    def look_closer(self, record: Record, regions: frozenset[str]) -> None:
        """Have the targets of a record's endpoints in these regions checked more often, and no others of its."""
        self._looked_closer = regions
        if regions or record.key in self._closer:
            within = (each for each in record.endpoints if each.region in regions)
            targets = (found for each in within for found in targets_at(record, each, self._addresses(record, each)))
            self._look_closer(record.key, [each for each in targets if each in self._targets])

    def _look_closer(self, record: ObjectKey, targets: Iterable[Target]) -> None:
        before = self._closer.of(record)
        self._closer.set(record, targets)
        for target in self._closer.of(record):
            self.scheduler.look_closer(target)
        for target in before:
            if not self._closer.having(target):
                self.scheduler.look_no_closer(target)

    def _look_beside(self, key: _NameKey) -> None:
        """A hostname leads nowhere of a sudden: look up the other ones of its records, and at what they lead to."""
        now, users = self._clock.now(), sorted(self._names[key].users)
        others = dict.fromkeys(
            _name_key(self._records[user], each.hostname)
            for user in users
            for each in self._records[user].endpoints
            if each.hostname
        )
        for other in others:
            if other != key:
                self._resolutions.hasten(other, unless_since=now)
        self._look_at(users, Verdict.HEALTHY)

    def _look_at(self, records: Iterable[ObjectKey], verdict: Verdict) -> None:
        """Look at the targets of these records, as far as they are believed to be `verdict`.

        Those in question have a pace of their own.
        """
        now = self._clock.now()
        kept = {id(targets): targets for key in records if (targets := self._targets_of.get(key))}  # shared by many
        for target in dict.fromkeys(target for targets in kept.values() for target in targets):
            streak = self._targets[target].streak
            told = streak.evidence
            if streak.verdict is verdict and (told is None or told.passed is (verdict is Verdict.HEALTHY)):
                self.scheduler.hasten(target, unless_since=now)

    def hear_elsewhere(self, check: ExternalCheck) -> None:
        """A verdict that is made elsewhere may be another now."""
        self.scheduler.hasten(elsewhere_target(check))

    def cause_at(self, key: ObjectKey) -> float | None:
        """Return when the check ended that last changed a verdict of this record, or None."""
        return self._cause_at.get(key)

    def loop_in(self, record: Record) -> str | None:
        """Return the endpoint hostname that is the record's own name or leads back to it, or None."""
        for endpoint in record.endpoints:
            if endpoint.hostname is None:
                continue
            name = self._names.get(_name_key(record, endpoint.hostname))
            if endpoint.hostname == record.hostname or (name and record.hostname in name.canonical_names):
                return endpoint.hostname
        return None

    def _addresses(self, record: Record, endpoint: Endpoint) -> tuple[str, ...]:
        state = self._name_state(record, endpoint)
        return endpoint.addresses if state is None else state.addresses

    def _name_state(self, record: Record, endpoint: Endpoint) -> ResolvedName | None:
        if endpoint.hostname is None:
            return None
        name = self._names.get(_name_key(record, endpoint.hostname))
        return name.state if name else ResolvedName()

    def _checked(self, target: Target, result: CheckResult, started: float) -> float:
        result = self._heard(target, result, started)
        self._metrics.check_ended(target, result)
        watched = self._targets.get(target)
        if watched is None:
            return target.timing.interval
        before, told = watched.streak, watched.streak.evidence
        if told is not None and told.looked_at < self.scheduler.stood_still_until:
            before = afresh(before)
        if not result.passed:
            self._note_lateness()
        watched.streak = observe(before, result, target.timing, self._clock.now(), began_at=started)
        if result.passed is not None:
            self._learned(target, before, passed=result.passed)
        if watched.is_remembered and _is_own(watched.streak, before, target.timing):
            watched.is_remembered = False
            self._on_news(tuple(watched.users))  # what it says counts from now on
        if watched.streak.verdict is not before.verdict:
            self._metrics.verdicts.labels(watched.streak.verdict.value).inc()
            if watched.streak.verdict is Verdict.HEALTHY:
                self._turned_bad.forget(target)
            if watched.streak.verdict is Verdict.UNHEALTHY and not target.is_elsewhere:
                self._turned_bad.note(target, -math.inf if self._is_a_newcomer(before) else self._clock.now())
            logger.info(
                "%s turns %s%s",
                what_is_checked(target),
                watched.streak.verdict,
                f": {watched.streak.message}" if watched.streak.message else "",
                extra={"event": "verdict", "target": target.address, "verdict": watched.streak.verdict.value},
            )
            for key in watched.users:
                self._cause_at[key] = self._clock.now()
            self._on_news(tuple(watched.users))
        elif watched.streak.failures == 1 and before.verdict is Verdict.HEALTHY:
            logger.info(
                "%s fails its first check: %s",
                what_is_checked(target),
                result.message,
                extra={"event": "first-failure", "target": target.address},
            )
        elif _told(watched.streak) != _told(before):
            self._on_news(tuple(watched.users))
        if watched.is_remembered and watched.streak.failures:
            return target.timing.recheck_interval
        return next_delay(watched.streak, target.timing)

    def _is_a_newcomer(self, streak: Streak) -> bool:
        """Tell whether a target has come lately and has never passed: that it fails says nothing of this vantage.

        What there was as it began counts: it may be blind since then.
        """
        return not streak.has_passed and streak.since > self._began_at + SETTLED

    def _is_in_question(self, target: Target) -> bool:
        watched = self._targets.get(target)
        if watched is None:
            return False
        return is_in_question(watched.streak) or (watched.is_remembered and bool(watched.streak.failures))

    def _learned(self, target: Target, before: Streak, *, passed: bool) -> None:
        """Take note of a result that told something; where it contradicts what is believed, look at the others too."""
        if not target.is_elsewhere:
            self._sight.saw(target, passed=passed)
        self._on_news(self._awaited.having(target))
        verdict, told = self._targets[target].streak.verdict, Verdict.HEALTHY if passed else Verdict.UNHEALTHY
        if verdict is before.verdict and verdict is not told:
            others = Verdict.UNHEALTHY if passed else Verdict.HEALTHY  # itself is in question now
            self._look_at(self._targets[target].users, others)

    def _heard(self, target: Target, result: CheckResult, started: float) -> CheckResult:
        """Return the result, or that nothing was learned where this process stood still while the target answered."""
        took = self._clock.now() - started
        stood_still = started < self.scheduler.stood_still_until or took > target.timing.timeout + STANDSTILL
        if result.passed is not False or not stood_still:
            return result
        told = f"this process stood still while it checked {what_is_checked(target)}, so nothing was learned of it"
        return CheckResult(None, Reason.LOCAL_ERROR, told, took)

    def _resolved(self, key: _NameKey, resolution: Resolution, started: float) -> float:
        name = self._names.get(key)
        if name is None:
            return resolution.ttl
        resolution = with_enough(resolution, key.hostname, key.timing.minimum_addresses)
        before, led_through = name.state, name.canonical_names
        delay = resolution.ttl
        if resolution.canonical_names or resolution.outcome is not ResolutionOutcome.FAILED:
            name.canonical_names = resolution.canonical_names
        match resolution.outcome:
            case ResolutionOutcome.ANSWERED:
                # Of a family that got no answer nothing was learned, so what was known of it stays.
                kept = tuple(each for each in before.addresses if address_type(each) in resolution.unanswered)
                name.state = answered(before, (*resolution.addresses, *kept), self._clock.now())
            case ResolutionOutcome.NO_ADDRESSES:
                if before.emptiness is None:
                    self._look_beside(key)
                name.state = answered_empty(before, resolution.message, began_at=started, now=self._clock.now())
                delay = key.timing.recheck_interval if name.state.empties < key.timing.fall else resolution.ttl
            case ResolutionOutcome.FAILED:
                name.state = unanswered(before, resolution.message)
                delay = max(1.0, key.timing.recheck_interval)
        fall = key.timing.fall
        if (name.state.addresses, name.state.fading) != (before.addresses, before.fading):
            for user in name.users:
                self._retarget(self._records[user])
            self._on_news(tuple(name.users))
        elif _weight(name.state, fall) != _weight(before, fall):
            for user in name.users:
                self._cause_at[user] = self._clock.now()
            self._on_news(tuple(name.users))
        elif name.canonical_names != led_through:
            self._on_news(tuple(name.users))
        elif name.state.emptiness is not None:
            self._on_news(each for each in name.users if each in self._awaited)
        return delay


def _is_own(streak: Streak, before: Streak, timing: CheckTiming) -> bool:
    """Tell whether a verdict was found by checks of this process."""
    return streak.verdict is not before.verdict or streak.failures >= timing.fall or streak.passes >= timing.rise


def _weight(state: ResolvedName, fall: int) -> tuple[bool, bool]:
    """Return what of a name's state decides: whether it is empty, or unresolved, often enough to count."""
    return state.empties >= fall, state.failures >= fall


def _told(streak: Streak) -> tuple[str, str, bool]:
    return streak.reason, streak.message, streak.is_slow


def _name_key(record: Record, hostname: str) -> _NameKey:
    return _NameKey(hostname, record.timing)
