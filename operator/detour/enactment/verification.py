"""Looking at what the world sees: the zone's authoritative servers, asked by DNS.

After a write every server is asked until it answers with the new sets. Apart from that each name is asked for from time
to time (see `Pace`), at one server in turn. A difference is not yet damage: changes take a while to reach all
servers. So a difference only raises a suspicion, which the enactor settles by reading through the provider's API: what
is new at once, what stays the same after ever longer pauses.

A server that has several addresses has shown what it holds once one of them has. Addresses that this host has no route
to are not asked, and a name is visible when the servers that can be reached agree, one at least.
"""

import asyncio
import heapq
import itertools
import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from detour.enactment.answering import Ages, Comparison, Difference, Kind, Showing, compared
from detour.enactment.asking import Ask, NoAnswerError, UnreachableError
from detour.enactment.periods import DEFAULT_PERIODS, Periods
from detour.enactment.waiting import news_within, together
from detour.model.defects import told
from detour.model.rrset import RRset, RRType
from detour.model.shared import NONE

logger = logging.getLogger(__name__)

FIRST_LOOK = 0.02
"""Seconds from an accepted write to the first question."""

LONGEST_WAIT = 2.0
"""Seconds between two looks at a name that is still propagating."""

SUSPICION_AFTER = 5.0
"""Seconds after a write before a difference is looked into: propagation takes a while."""

QUESTIONS_IN_FLIGHT = 64

LOOKS_AT_ONCE = 256
"""Looks at what was written that are under way at a time: to begin thousands in one go would hold up all else."""

LOOKS_WHILE_WRITING = 2
"""Looks that are under way at a time while many names wait to be written: to move them comes first."""

AUDITS_AT_ONCE = 64
"""Looks that are under way at a time, of those that go by the pace."""

UNREACHED_FOR = 60.0
"""Seconds for which an address that could not be reached is left alone, where its server was reached otherwise."""

FIRST_PAUSE = 60.0
PAUSE_GROWTH = 2.0
"""Seconds until a difference that was looked into and stays the same is looked into again, and the growth of that."""


class Pace(Protocol):
    """How often names that stand as they should are looked at."""

    def period(self, names: int) -> float:
        """Return the seconds between two looks at each of so many names of the zone."""

    def delay(self) -> float:
        """Return the seconds until such a look may be taken, 0 where that is now."""


@dataclass(frozen=True, slots=True)
class Steady:
    """The pace of servers that may be asked as often as we like: each name every so many seconds."""

    seconds: float

    def period(self, names: int) -> float:
        del names
        return self.seconds

    def delay(self) -> float:
        return 0.0


class Witness(Protocol):
    """Who is told what was seen. Times in engine seconds."""

    def visible(self, hostname: str, at: float) -> None:
        """Every server answers for `hostname` as it should."""

    def differs(self, hostname: str, message: str, *, suspicious: bool) -> None:
        """A server answers otherwise, or not at all; `suspicious` asks for a look through the API."""


@dataclass(slots=True)
class _Watched:
    """A name under watch: what it should answer; `changed_at` is None once all servers have shown it.

    `since` says when it was looked at last, or began to be watched.
    """

    hostname: str
    expected: tuple[RRset, ...]
    absent: tuple[RRType, ...]
    changed_at: float | None
    since: float
    wait: float = FIRST_LOOK
    rounds: int = 0
    shown: frozenset[str] = NONE
    looked_into: frozenset[str] = NONE
    pause: float = 0.0
    look_again_at: float = 0.0

    def saw(self, differences: Sequence[Difference]) -> None:
        """This is how the servers that answered differ; none of them where they are silent at most."""
        self.shown = frozenset(each.evidence for each in differences if each.kind is not Kind.SILENCE)
        if not self.shown:
            self.looked_into = NONE  # who answered at all answered right: whatever shows next is news

    def look_into(self, now: float, longest: float) -> bool:
        """Tell whether what differs is news, or has stood for long enough, and count it as looked into."""
        if not self.shown - self.looked_into and now < self.look_again_at:
            return False
        self.looked_into |= self.shown
        self.pause = min(longest, max(FIRST_PAUSE, self.pause * PAUSE_GROWTH))
        self.look_again_at = now + self.pause
        return True

    def is_right(self) -> None:
        """Everything is as it should be: whatever comes next is news."""
        self.changed_at = None
        self.wait = FIRST_LOOK
        self.looked_into = NONE
        self.pause = self.look_again_at = 0.0


@dataclass(order=True, slots=True)
class _Due:
    at: float
    place: int
    watched: _Watched = field(compare=False)


class Verifier:
    """Watches the names of one zone. `random` gives numbers from 0 to 1, to spread the audits.

    Looks at what was written, or differs, wait for nothing, but that they are few while the writer `is_busy`; those at
    names that stand as they should are audits, and go by `pace`.
    """

    def __init__(
        self,
        *,
        ask: Ask,
        clock: Callable[[], float],
        random: Callable[[], float],
        witness: Witness,
        pace: Pace | None = None,
        periods: Periods = DEFAULT_PERIODS,
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._is_busy = is_busy
        self._gives_way = False
        self._pace = pace or Steady(periods.audit)
        self._audit_period = periods.audit
        self._longest_pause = max(periods.reading, periods.audit)
        self._ask = ask
        self._clock = clock
        self._random = random
        self._witness = witness
        self._hosts: tuple[tuple[str, ...], ...] = ()
        self._unreached: dict[str, tuple[float, str]] = {}
        self._ages = Ages()
        self._watched: dict[str, _Watched] = {}
        self._due: list[_Due] = []
        self._audits: list[_Due] = []
        self._audits_under_way = 0
        self._places = itertools.count()
        self._news = asyncio.Event()
        self._slots = asyncio.Semaphore(QUESTIONS_IN_FLIGHT)
        self._looking: set[asyncio.Task[None]] = set()

    def use(self, servers: Sequence[str], hosts: Mapping[str, str] | None = None) -> None:
        """Ask these servers (`address:port`) from now on; `hosts` names the host of those that may share one."""
        by_host: dict[str, list[str]] = {}
        for each in servers:
            by_host.setdefault((hosts or {}).get(each, each), []).append(each)
        self._hosts = tuple(tuple(addresses) for addresses in by_host.values())
        self._unreached = {each: found for each, found in self._unreached.items() if each in servers}

    @property
    def unreached(self) -> tuple[str, ...]:
        """Say for each address that is not asked why: there is no route to it, or it is silent beside another."""
        return tuple(why for _, (_, why) in sorted(self._unreached.items()))

    def watch(self, hostname: str, expected: tuple[RRset, ...], absent: tuple[RRType, ...], *, changed: bool) -> None:
        """Expect `hostname` to answer with these sets (its marker among them) and nothing of the types `absent`.

        `changed` asks all servers until they do; otherwise the name joins the audits.
        """
        present = self._watched.get(hostname)
        if present and not changed and (present.expected, present.absent) == (expected, absent):
            return
        now = self._clock()
        watched = _Watched(hostname, expected, absent, now if changed else None, now)
        self._watched[hostname] = watched
        if changed:
            self._schedule(self._due, watched, now + FIRST_LOOK)
        else:
            self._schedule(self._audits, watched, now + self._random() * self._period)

    @property
    def _period(self) -> float:
        return self._pace.period(len(self._watched))

    @property
    def oldest_look(self) -> float | None:
        """Since when a name that stands as it should was not looked at; of all such the longest, None for none."""
        while self._audits and not self._is_watched(self._audits[0].watched):
            heapq.heappop(self._audits)
        return self._audits[0].watched.since if self._audits else None

    def _is_watched(self, watched: _Watched) -> bool:
        return self._watched.get(watched.hostname) is watched

    def wrote(self, hostname: str) -> None:
        """The name was written: what differs from now on is news, also where it looks as before."""
        if watched := self._watched.get(hostname):
            self.watch(hostname, watched.expected, watched.absent, changed=True)

    def look_into(self, hostname: str) -> bool:
        """Tell whether what differs at `hostname` is to be read through the API now, and count it as read.

        So it is when it is news, and then after ever longer pauses: a server that stays silent, or behind, is no reason
        to ask an API for ever.
        """
        watched = self._watched.get(hostname)
        return watched is None or watched.look_into(self._clock(), self._longest_pause)

    def forget(self, hostname: str) -> None:
        """Expect nothing of `hostname` any more."""
        self._watched.pop(hostname, None)

    async def run(self) -> None:
        """Look at names as they fall due, until cancelled."""
        try:
            while True:
                self._news.clear()
                delay = self._start_due()
                await news_within(self._news, delay)
        finally:
            for task in self._looking:
                task.cancel()

    def _start_due(self) -> float | None:
        """Begin the looks whose time has come; return the seconds until the next one."""
        self._gives_way = False
        while (delay := self._delay_of(self._due)) == 0.0:
            looking = len(self._looking)
            if looking >= LOOKS_AT_ONCE or (looking >= LOOKS_WHILE_WRITING and self._is_busy()):
                self._gives_way = True  # the end of one is news
                return None
            self._begin(heapq.heappop(self._due).watched)
        while (until_audit := self._delay_of(self._audits)) == 0.0:
            if self._audits_under_way >= AUDITS_AT_ONCE:
                return delay  # the end of one is news
            if (until_audit := self._pace.delay()) > 0.0:
                break
            self._audits_under_way += 1
            self._begin(heapq.heappop(self._audits).watched, then=self._audit_ended)
        return min((each for each in (delay, until_audit) if each is not None), default=None)

    def _delay_of(self, queue: list[_Due]) -> float | None:
        while queue and not self._is_watched(queue[0].watched):
            heapq.heappop(queue)
        return max(0.0, queue[0].at - self._clock()) if queue else None

    def _begin(self, watched: _Watched, then: Callable[[], None] = lambda: None) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            self._looking.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                logger.error("%s could not be looked at; it is tried again: %s", watched.hostname, told(error))
                self._schedule(self._audits, watched, self._clock() + self._audit_period)
            if self._gives_way:
                self._news.set()
            then()

        task = asyncio.ensure_future(self._look(watched))
        self._looking.add(task)
        task.add_done_callback(ended)

    def _audit_ended(self) -> None:
        self._audits_under_way -= 1
        self._news.set()

    def _schedule(self, queue: list[_Due], watched: _Watched, at: float) -> None:
        heapq.heappush(queue, _Due(at, next(self._places), watched))
        self._news.set()

    async def _look(self, watched: _Watched) -> None:
        if watched.changed_at is None:
            found = await self._at_one_host(watched)
        else:
            found = await together([self._at_host(each, watched) for each in self._hosts])
        if self._watched.get(watched.hostname) is not watched:
            return  # something newer is expected by now
        now = watched.since = self._clock()
        differences = [each for shown in found for each in shown.differences]
        if not differences and any(shown.is_reached for shown in found):
            watched.is_right()
            self._witness.visible(watched.hostname, now)
            self._schedule(self._audits, watched, now + self._period)
            return
        settling = watched.changed_at is not None
        since = now - watched.changed_at if watched.changed_at is not None else 0.0
        if not differences:
            differences = [Difference(_nobody(found), "nobody", Kind.SILENCE)]
        is_ageing = all(each.kind is Kind.LOWER_TTL for each in differences)
        suspicious = since > SUSPICION_AFTER or not (settling or is_ageing)
        watched.saw(differences)
        self._witness.differs(watched.hostname, differences[0].message, suspicious=suspicious)
        if not settling:
            watched.changed_at = now
        patient = since >= self._audit_period
        watched.wait = self._period if patient else min(LONGEST_WAIT, watched.wait * 1.5)
        self._schedule(self._audits if patient else self._due, watched, now + watched.wait)

    async def _at_one_host(self, watched: _Watched) -> list[Showing]:
        """Return what one server shows, in turn the next one that there is a route to."""
        found: list[Showing] = []
        for _ in self._hosts:
            watched.rounds += 1
            place = (watched.rounds + zlib.crc32(watched.hostname.encode())) % len(self._hosts)
            found = [await self._at_host(self._hosts[place], watched)]
            if not found[0].has_no_route:
                break
        return found

    async def _at_host(self, addresses: tuple[str, ...], watched: _Watched) -> Showing:
        """Return what one server shows, asked at those of its addresses that can be reached."""
        now = self._clock()
        asked = [each for each in addresses if self._unreached.get(each, (0.0, ""))[0] <= now] or list(addresses)
        found = dict(zip(asked, await together([self._at(each, watched) for each in asked]), strict=True))
        is_reached = any(shown.is_reached for shown in found.values())
        for address, shown in found.items():
            self._unreached.pop(address, None)
            if shown.has_no_route or (is_reached and not shown.is_reached):
                self._unreached[address] = (now + UNREACHED_FOR, shown.silence)
        reached = [each for each in found.values() if each.is_reached]
        if reached:
            return Showing(True, tuple(each for shown in reached for each in shown.differences))
        if all(shown.has_no_route for shown in found.values()):
            return Showing(False, has_no_route=True, silence=next(iter(found.values())).silence)
        return Showing(False, tuple(each for shown in found.values() for each in shown.differences))

    async def _at(self, server: str, watched: _Watched) -> Showing:
        """Return what `server` shows of the name."""
        wanted: list[tuple[str, RRType, tuple[str, ...], int | None]] = []
        wanted += [(each.name, each.type, each.values, each.ttl) for each in watched.expected]
        wanted += [(watched.hostname, kind, (), None) for kind in watched.absent]
        for name, kind, values, ttl in wanted:
            try:
                async with self._slots:
                    answer = await self._ask(server, name, kind.value)
            except UnreachableError as error:
                return Showing(False, has_no_route=True, silence=str(error))
            except NoAnswerError as error:
                return Showing(False, (Difference(str(error), server, Kind.SILENCE),), silence=str(error))
            comparison = Comparison(server, name, kind, values, ttl)
            difference = compared(comparison, answer)
            if difference is None or self._is_old(comparison, answer.ttl, difference):
                continue
            return Showing(True, (difference,))
        return Showing(True)

    def _is_old(self, comparison: Comparison, ttl: int | None, difference: Difference) -> bool:
        """Tell whether nothing differs but the age of what a cache before the server answers with."""
        if difference.kind is not Kind.LOWER_TTL or ttl is None:
            return False
        return self._ages.are_shown_by(comparison, ttl, self._clock())


def _nobody(found: Sequence[Showing]) -> str:
    if not found:
        return "no name server is known to ask"
    return f"none of the zone's name servers can be reached from here: {found[0].silence}"
