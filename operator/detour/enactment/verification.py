"""Looking at what the world sees: the zone's authoritative servers, asked by DNS.

After a write every server is asked until it answers with the new sets. Apart from that each name is asked for every
`Periods.audit` seconds, at one server in turn. A difference is not yet damage: changes take a while to reach all
servers. So a difference only raises a suspicion, which the enactor settles by reading through the provider's API.
"""

import asyncio
import heapq
import itertools
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from detour.enactment.asking import Ask, NoAnswerError
from detour.enactment.periods import DEFAULT_PERIODS, Periods
from detour.enactment.waiting import news_within
from detour.model.rrset import RRset, RRType

FIRST_LOOK = 0.02
"""Seconds from an accepted write to the first question."""

LONGEST_WAIT = 2.0
"""Seconds between two looks at a name that is still propagating."""

SUSPICION_AFTER = 5.0
"""Seconds after a write before a difference is looked into: propagation takes a while."""

QUESTIONS_IN_FLIGHT = 64


class Witness(Protocol):
    """Who is told what was seen. Times in engine seconds."""

    def visible(self, hostname: str, at: float) -> None:
        """Every server answers for `hostname` as it should."""

    def differs(self, hostname: str, message: str, *, suspicious: bool) -> None:
        """A server answers otherwise, or not at all; `suspicious` asks for a look through the API."""


@dataclass(slots=True)
class _Watched:
    """A name under watch: what it should answer; `changed_at` is None once all servers have shown it."""

    hostname: str
    expected: tuple[RRset, ...]
    absent: tuple[RRType, ...]
    changed_at: float | None
    wait: float = FIRST_LOOK
    rounds: int = 0


@dataclass(order=True, slots=True)
class _Due:
    at: float
    place: int
    watched: _Watched = field(compare=False)


class Verifier:
    """Watches the names of one zone. `random` gives numbers from 0 to 1, to spread the audits."""

    def __init__(
        self,
        *,
        ask: Ask,
        clock: Callable[[], float],
        random: Callable[[], float],
        witness: Witness,
        periods: Periods = DEFAULT_PERIODS,
    ) -> None:
        self._audit_period = periods.audit
        self._ask = ask
        self._clock = clock
        self._random = random
        self._witness = witness
        self._servers: tuple[str, ...] = ()
        self._watched: dict[str, _Watched] = {}
        self._due: list[_Due] = []
        self._places = itertools.count()
        self._news = asyncio.Event()
        self._slots = asyncio.Semaphore(QUESTIONS_IN_FLIGHT)
        self._looking: set[asyncio.Task[None]] = set()

    def use(self, servers: Sequence[str]) -> None:
        """Ask these servers (`address:port`) from now on."""
        self._servers = tuple(servers)

    def watch(self, hostname: str, expected: tuple[RRset, ...], absent: tuple[RRType, ...], *, changed: bool) -> None:
        """Expect `hostname` to answer with these sets (its marker among them) and nothing of the types `absent`.

        `changed` asks all servers until they do; otherwise the name joins the audits.
        """
        present = self._watched.get(hostname)
        if present and not changed and (present.expected, present.absent) == (expected, absent):
            return
        now = self._clock()
        watched = _Watched(hostname, expected, absent, now if changed else None)
        self._watched[hostname] = watched
        self._schedule(watched, now + (FIRST_LOOK if changed else self._random() * self._audit_period))

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
        while self._due:
            first = self._due[0]
            if self._watched.get(first.watched.hostname) is not first.watched:
                heapq.heappop(self._due)
                continue
            if first.at > self._clock():
                return first.at - self._clock()
            heapq.heappop(self._due)
            task = asyncio.ensure_future(self._look(first.watched))
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)
        return None

    def _schedule(self, watched: _Watched, at: float) -> None:
        heapq.heappush(self._due, _Due(at, next(self._places), watched))
        self._news.set()

    async def _look(self, watched: _Watched) -> None:
        servers = self._servers
        if watched.changed_at is None and servers:
            watched.rounds += 1
            servers = (servers[(watched.rounds + zlib.crc32(watched.hostname.encode())) % len(servers)],)
        async with self._slots:
            differences = [found for server in servers if (found := await self._difference(server, watched))]
        if self._watched.get(watched.hostname) is not watched:
            return  # something newer is expected by now
        now = self._clock()
        if not differences and servers:
            watched.changed_at = None
            watched.wait = FIRST_LOOK
            self._witness.visible(watched.hostname, now)
            self._schedule(watched, now + self._audit_period)
            return
        settling = watched.changed_at is not None
        since = now - watched.changed_at if watched.changed_at is not None else 0.0
        message = differences[0] if differences else "no name server is known to ask"
        self._witness.differs(watched.hostname, message, suspicious=not settling or since > SUSPICION_AFTER)
        if not settling:
            watched.changed_at = now
        patient = since >= self._audit_period
        watched.wait = self._audit_period if patient else min(LONGEST_WAIT, watched.wait * 1.5)
        self._schedule(watched, now + watched.wait)

    async def _difference(self, server: str, watched: _Watched) -> str | None:
        """Return how `server` answers otherwise than expected, or None."""
        wanted: list[tuple[str, RRType, tuple[str, ...], int | None]] = []
        wanted += [(each.name, each.type, each.values, each.ttl) for each in watched.expected]
        wanted += [(watched.hostname, kind, (), None) for kind in watched.absent]
        for name, kind, values, ttl in wanted:
            try:
                found = await self._ask(server, name, kind.value)
            except NoAnswerError as error:
                return str(error)
            if _plain(kind, found.values) != tuple(sorted(values)):
                told = ", ".join(found.values) or "nothing"
                return f"{server} answers {told} for {name} {kind}, not {', '.join(values) or 'nothing'}"
            if ttl is not None and found.ttl not in (None, ttl):
                return f"{server} answers with a TTL of {found.ttl} s for {name} {kind}, not {ttl} s"
        return None


def _plain(kind: RRType, values: Sequence[str]) -> tuple[str, ...]:
    """Return the values of an answer as an RRset has them."""
    if kind is RRType.TXT:
        return tuple(sorted(value.strip('"') for value in values))
    return tuple(sorted(value.rstrip(".").lower() for value in values))
