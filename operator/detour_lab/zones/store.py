"""One zone's data, shared by an emulated DNS API and the name server that serves it.

A commit is atomic. What the API sees changes at once; what the name server answers follows `lag` seconds later, as
with the real services. Every commit is kept in `log` with its time and author, so that a test can tell who wrote what.
"""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from detour_lab.zones.setindex import SetIndex

SetKey = tuple[str, str]
"""Canonical name (lower-case, no trailing dot, `*` for a wildcard) and type in capitals."""

LOG_LENGTH = 100_000


@dataclass(frozen=True, slots=True)
class RecordSet:
    """A set as stored: `values` in zone-file presentation form (TXT quoted, names absolute with a trailing dot).

    `extra` holds what only one API knows (metadata, SetIdentifier, routingPolicy); `etag` changes with every write.
    """

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]
    etag: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> SetKey:
        return (self.name, self.type)


@dataclass(frozen=True, slots=True)
class Commit:
    """One atomic change: what went, what came, when (`time.monotonic` seconds) and by whose hand.

    The name server shows it from `visible_at` on, on the same clock.
    """

    number: int
    at: float
    by: str
    removed: tuple[RecordSet, ...]
    added: tuple[RecordSet, ...]
    visible_at: float


class ZoneStore:
    """The sets of one zone. Not thread-safe: it belongs to one event loop.

    `counts_commits` False leaves the serial of the SOA as it is, as Route 53 (developer guide, "SOA record") and Azure
    DNS ("Overview of DNS zones and records", SOA records) do: a serial tells nobody there that a zone has changed.
    """

    def __init__(
        self,
        domain: str,
        *,
        name_servers: tuple[str, ...] = ("ns1.lab.invalid", "ns2.lab.invalid"),
        negative_ttl: int = 30,
        counts_commits: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.domain = domain
        self.lag = 0.0
        self.log: deque[Commit] = deque(maxlen=LOG_LENGTH)
        self._clock = clock
        self._numbers = itertools.count(1)
        self._newest = SetIndex(counts_commits=counts_commits)
        self._served = SetIndex(counts_commits=counts_commits)
        self._waiting: deque[Commit] = deque()
        hosts = tuple(f"{host}." for host in name_servers)
        soa = f"{hosts[0]} hostmaster.{domain}. 1 7200 900 1209600 {negative_ttl}"
        apex = (RecordSet(domain, "SOA", negative_ttl, (soa,)), RecordSet(domain, "NS", 172800, hosts))
        self.commit(added=apex, by="zone creation")

    @property
    def serial(self) -> int:
        """The number of the newest commit; the name server counts the SOA's serial on with it."""
        return self.log[-1].number

    def now(self) -> float:
        """Return the time by which commits are dated."""
        return self._clock()

    def get(self, name: str, rrtype: str) -> RecordSet | None:
        """Return the newest state of a set, whether the name server serves it already or not."""
        return self._newest.sets.get((name, rrtype))

    def at_name(self, name: str) -> list[RecordSet]:
        """Return every set at exactly `name`."""
        return list(self._newest.at_name(name).values())

    def all(self) -> list[RecordSet]:
        """Return every set, in no particular order."""
        return list(self._newest.sets.values())

    def commit(
        self, *, removed: Iterable[SetKey] = (), added: Iterable[RecordSet] = (), by: str
    ) -> tuple[RecordSet, ...]:
        """Remove and add sets in one step and return the added ones with their new etags.

        An added set takes the place of one with its key. Raises KeyError where a removed set does not exist; nothing
        has changed then. Preconditions are the API's business, checked before.
        """
        number = next(self._numbers)
        gone = tuple(self._newest.sets[key] for key in removed)
        tagged = tuple(
            RecordSet(each.name, each.type, each.ttl, each.values, f"{number:08x}-{place}", each.extra)
            for place, each in enumerate(added)
        )
        now = self._clock()
        # In order, also where the lag has become shorter in between.
        visible_at = max(now + self.lag, self._waiting[-1].visible_at if self._waiting else now)
        commit = Commit(number, now, by, gone, tagged, visible_at)
        self._newest.apply(commit.number, commit.removed, commit.added)
        self.log.append(commit)
        self._waiting.append(commit)
        return tagged

    def served(self) -> Mapping[SetKey, RecordSet]:
        """Return what the name server answers from now: every commit older than its lag."""
        return self.served_index().sets

    def served_index(self) -> SetIndex:
        """Return what `served` does, found by name. It is live: read it anew for each answer."""
        while self._waiting and self._waiting[0].visible_at <= self._clock():
            commit = self._waiting.popleft()
            self._served.apply(commit.number, commit.removed, commit.added)
        return self._served

    def newest_index(self) -> SetIndex:
        """Return the state after the newest commit, found by name: what an API, an UPDATE or a transfer reads."""
        return self._newest

    def is_served(self, number: int) -> bool:
        """Tell whether commit `number` has reached the name server (Route 53's INSYNC)."""
        self.served()
        return not self._waiting or self._waiting[0].number > number
