"""The limit on regions that names leave because they fail, kept by several replicas together.

What names have left is counted by each replica for its own. Which regions are free to be left stands in one Lease, for
all replicas: who needs one more adds it there, as long as the zone's limit has room, and the API server lets only one
replica do so at a time. A few names may leave other regions as well: of these each replica has its share. A region is
free until nobody counts a name that has left it.

While the API server does not answer nobody can ask. Then a replica goes by what it knew last, and lets its own names
leave what fails, up to the same limit: an outage of the API server must not hold up every failover.
"""

import asyncio
import enum
import logging
from collections.abc import Callable, Iterable

from detour.app.handover import CONFLICT, GONE, LeaseStore
from detour.app.sharding.leases import Free, Names, free_of
from detour.app.sharding.neighbours import Others
from detour.engine.clock import Clock
from detour.engine.ports import ClusterError
from detour.kube.lease import Lease, lease_from
from detour.model.defects import told as told_of
from detour.planning.safety.departures import ANY_NUMBER, FREE_SHARE, Agreed, Departures, Wanted

logger = logging.getLogger(__name__)

TRIES = 20
"""Attempts to be the one who writes the Lease: each fails only where another replica was quicker."""

UNUSED_FOR = 20.0
"""Seconds for which nobody counts a name that has left a region, or asks for it, before it is free no more."""

ASKED_FOR = 8.0
"""Seconds for which a region is this replica's to leave after it asked, where no name of its own has left it: less than
UNUSED_FOR by more than a replica takes to tell the others what it counts."""

ASK_AGAIN_AFTER = 2.0
"""Seconds until what was not to be had is asked for again, where nothing has changed."""

MOST_WRITTEN = 200_000
"""Characters of what is free at most: a Lease has 256 KiB of annotations."""


BAD_REQUEST, SERVER_ERROR = 400, 500


class Outcome(enum.Enum):
    """What became of a change of the Lease."""

    WRITTEN = "it stands there, as far as there is room"
    REFUSED = "the API server does not take it, or others were quicker each time"
    NOBODY = "nobody answers"


class Agreement:
    """Keeps `departures` to what all replicas have agreed upon; `free_names` are an installation's."""

    def __init__(
        self,
        store: LeaseStore,
        *,
        namespace: str,
        names: Names,
        identity: str,
        clock: Clock,
        departures: Departures,
        others: Others,
        free_names: float,
        is_first: Callable[[], bool],
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._names = names
        self._identity = identity
        self._clock = clock
        self._departures = departures
        self._free_names = free_names
        self._is_first = is_first
        self._others = others
        self._free = Free()
        self._own: set[Wanted] = set()  # what this replica allowed itself while nobody could be asked
        self._asked_at: dict[tuple[str, str], float] = {}
        self._unused_since: dict[tuple[tuple[str, str], int], float] = {}
        self._had_no_room: tuple[Free, frozenset[Wanted], float] = (Free(), frozenset(), 0.0)
        self._news = asyncio.Event()
        departures.on_want = self._news.set
        departures.agree(Agreed())

    async def run(self) -> None:
        """Ask for regions as names wait for them, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            if self._own and not self._others.is_alone:
                await self._tell_own()
            if wanted := self._departures.take_wanted() - self._without_room():
                await self._ask(wanted)

    def _without_room(self) -> frozenset[Wanted]:
        """Return what was asked for a moment ago, when there was no room, unless something has changed since."""
        free, wanted, at = self._had_no_room
        is_same = (free.regions, free.namespaces) == (self._free.regions, self._free.namespaces)
        return wanted if is_same and self._clock.now() - at < ASK_AGAIN_AFTER else frozenset()

    # -- what is agreed --------------------------------------------------------------------------------------------

    def listed(self, free: Free | None) -> None:
        """The Leases were read: these regions are free."""
        self._free = free or Free()
        self.divide()
        if self._own:
            self._news.set()

    def divide(self) -> None:
        """Go by how many replicas there are, and by what they tell."""
        managed = self._departures.managed + sum(each.managed for each in self._others.told.values())
        free = _with(self._free, self._own)
        names = max(self._free_names, FREE_SHARE * managed) / self._others.shares
        self._departures.agree(Agreed(free.regions, free.namespaces, self._still_asked(), names))

    def _still_asked(self) -> frozenset[tuple[str, str]]:
        """Return what this replica has asked for, and needs, or may be about to."""
        now = self._clock.now()
        used = {("", region) for region in self._departures.left()}
        used |= {(name, each) for name, found in self._departures.left_by_namespace().items() for each in found}
        self._asked_at = {
            each: now if each in used else at
            for each, at in self._asked_at.items()
            if each in used or now - at < ASKED_FOR
        }
        return frozenset(self._asked_at)

    async def _tell_own(self) -> None:
        """Tell the others what this replica allowed itself, whether or not there is room."""
        own = frozenset(Wanted(each.namespace, each.region, ANY_NUMBER) for each in self._own)
        if await self._write(lambda free: _with(free, own)) is Outcome.WRITTEN:
            self._own.clear()
            self.divide()

    async def _ask(self, wanted: Iterable[Wanted]) -> None:
        outcome = Outcome.NOBODY if self._others.is_alone else await self._write(lambda free: _with(free, wanted))
        if outcome is Outcome.NOBODY:
            before = _with(self._free, self._own)
            after = _with(before, wanted)
            self._own |= {each for each in wanted if _has(after, each) and not _has(before, each)}
        else:
            after = self._free
        now = self._clock.now()
        had = {each for each in wanted if _has(after, each)}
        if outcome is not Outcome.REFUSED:
            self._asked_at.update(((each.namespace, each.region), now) for each in had)
        self._had_no_room = (self._free, frozenset(wanted) - had, now)
        self.divide()

    async def _write(self, change: Callable[[Free], Free]) -> "Outcome":
        """Change what is free."""
        for _ in range(TRIES):
            try:
                lease, found = await self._read()
                self._free = found
                if (after := change(found)) == found or len(after.text()) > MOST_WRITTEN:
                    return Outcome.WRITTEN
                body = self._names.free_body(lease, self._identity, after, self._clock.wall())
                if lease is None:
                    await self._store.create_lease(self._namespace, body)
                else:
                    await self._store.replace_lease(self._namespace, self._names.of_free_regions, body)
            except ClusterError as error:
                if error.status in (GONE, CONFLICT):
                    continue  # another replica was quicker
                is_answer = BAD_REQUEST <= error.status < SERVER_ERROR
                logger.warning("which regions names may leave could not be agreed upon: %s", error)
                return Outcome.REFUSED if is_answer else Outcome.NOBODY
            except Exception as error:  # a defect of ours lets no name leave, and ends no loop
                logger.error("which regions are free could not be found out: %s", told_of(error))
                return Outcome.REFUSED
            self._free = after
            return Outcome.WRITTEN
        return Outcome.REFUSED

    async def _read(self) -> tuple[Lease | None, Free]:
        try:
            item = await self._store.read_lease(self._namespace, self._names.of_free_regions)
        except ClusterError as error:
            if error.status == GONE:
                return None, Free()
            raise
        return lease_from(item), free_of(item)

    # -- what is not needed any more -------------------------------------------------------------------------------

    async def clear_up(self) -> None:
        """Take back what nobody needs any more: who was elected does, while everybody tells what they count."""
        others = self._others
        if not self._is_first() or others.replicas < others.shares or not (self._free.regions or self._free.namespaces):
            self._unused_since.clear()
            return
        told = list(others.told.values())
        used = {("", region) for each in told for region, number in each.left.items() if number}
        used |= {("", region) for region in self._departures.left()}
        by_namespace = [each.namespaces for each in told] + [self._departures.left_by_namespace()]
        used |= {(name, region) for each in by_namespace if each for name, found in each.items() for region in found}
        there = [("", region) for region in self._free.regions]
        if all(each is not None for each in by_namespace):
            there += [(name, region) for name, found in self._free.namespaces.items() for region in found]
        now, asked = self._clock.now(), self._free.asked
        unused = [(each, asked.get(each, 0)) for each in there if each not in used]
        self._unused_since = {each: self._unused_since.get(each, now) for each in unused}
        over = {each for each, since in self._unused_since.items() if now - since >= UNUSED_FOR}
        if over and await self._write(lambda free: _without(free, over)) is Outcome.WRITTEN:
            self.divide()


def _with(free: Free, wanted: Iterable[Wanted]) -> Free:
    """Return what is free once this is wanted, as far as there is room, and that it was asked for."""
    regions, namespaces = list(free.regions), {name: list(found) for name, found in free.namespaces.items()}
    asked = dict(free.asked)
    for each in sorted(wanted, key=lambda each: (-each.allowed, each)):  # what was left comes before what may be
        found = namespaces.setdefault(each.namespace, []) if each.namespace else regions
        if each.region not in found and len(found) < each.allowed:
            found.append(each.region)
        if each.region in found:
            key = (each.namespace, each.region)
            asked[key] = asked.get(key, 0) + 1
    return Free(tuple(regions), {name: tuple(found) for name, found in namespaces.items() if found}, asked)


def _has(free: Free, wanted: Wanted) -> bool:
    return wanted.region in (free.namespaces.get(wanted.namespace, ()) if wanted.namespace else free.regions)


def _without(free: Free, over: set[tuple[tuple[str, str], int]]) -> Free:
    """Return what is free without what nobody has asked for since."""
    ended = {each for each, number in over if free.asked.get(each, 0) == number}
    regions = tuple(each for each in free.regions if ("", each) not in ended)
    namespaces = {
        name: tuple(each for each in found if (name, each) not in ended) for name, found in free.namespaces.items()
    }
    asked = {each: number for each, number in free.asked.items() if each not in ended}
    return Free(regions, {name: found for name, found in namespaces.items() if found}, asked)
