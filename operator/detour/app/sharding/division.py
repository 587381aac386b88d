"""How replicas divide the zones among themselves: by Leases, as `placement` says.

Every few seconds each replica renews its own Lease, reads all, and takes or gives away zones. Between an API server
that says "somebody else" and one that says nothing the difference is as for the election: after the first this replica
stops at once, after the second it goes on, and the fence of each zone stops it if somebody else has it meanwhile.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from detour.app.handover import CONFLICT, GONE, HANDOVER_PAUSE, LeaseStore
from detour.app.sharding.agreement import Agreement
from detour.app.sharding.leases import Listed, Names, Told, listed_in
from detour.app.sharding.neighbours import FORGOTTEN_AFTER, Neighbours, replica_of
from detour.app.sharding.placement import Gift, Replica, Scene, gifts, takes
from detour.app.sharding.share import Share
from detour.enactment.waiting import news_within
from detour.engine.clock import Clock
from detour.engine.ports import ClusterError
from detour.kube.lease import RENEW_PERIOD, Lease, lease_from
from detour.model.defects import told as told_of
from detour.model.objects import Kind
from detour.model.record import ObjectKey

logger = logging.getLogger(__name__)

SHORTEST_PAUSE = 0.5
"""Seconds between two looks at the Leases at least, whatever happens."""

EVENING_PAUSE = 30.0
"""Seconds between two units that a replica gives away only to even the work out."""

CLEARED_UP_AFTER = 20.0
"""Seconds for which the Lease of a replica that has ended stays, so that all others see that it has."""

BARRED_AFTER = 15.0
"""Seconds after which zones are given up to a process that was elected and divides none."""

WRITTEN_OUT_WITHIN = 6.0
"""Seconds for the batches in flight before a zone is another's."""

AT_ONCE = 8
"""Leases that are written at the same time."""


class LeasesStore(LeaseStore, Protocol):
    """Where many Leases are kept. Every method raises ClusterError."""

    async def list_leases(self, namespace: str, selector: str) -> list[Mapping[str, Any]]:
        """Return the Leases with a label, as they were at one moment."""
        ...

    async def delete_lease(self, namespace: str, name: str) -> None:
        """Delete a Lease."""
        ...


@dataclass(frozen=True, slots=True)
class ZoneLeadership:
    """Whether this replica writes one zone. Implements `Leadership`."""

    division: "Division"
    zone: ObjectKey

    @property
    def leads(self) -> bool:
        return self.division.leads(self.zone)

    def confirmed_since(self, at: float) -> bool:
        return self.leads and self.division.confirmed_at > at


class Division:
    """The part of one replica, `identity`, which no other process may ever use, in dividing the zones.

    `first` is the name of the Lease by which one replica is elected, in `namespace`; `elected` tells who was, and
    whether that is this one. `refresh` brings what is declared up to date, `written_out` waits for the end of what is
    being written in zones that were let go. `tell` gives what this replica tells the others; `on_lead` is called with
    zones that come to be led here, and `on_news` when what others tell has changed.
    """

    def __init__(
        self,
        store: LeasesStore,
        *,
        namespace: str,
        first: str,
        identity: str,
        clock: Clock,
        share: Share,
        agreement: Agreement,
        elected: Callable[[], tuple[str | None, bool]],
        tell: Callable[[], Told],
        refresh: Callable[[], Awaitable[None]] | None,
        written_out: Callable[[frozenset[ObjectKey]], Awaitable[None]],
        on_lead: Callable[[Iterable[ObjectKey]], None],
        on_news: Callable[[], None],
    ) -> None:
        self.identity = identity
        self.shares = self.counted = 1
        self.others: Mapping[str, Told] = {}
        self.confirmed_at = -math.inf
        self._store = store
        self._namespace = namespace
        self._names = Names(first)
        self._clock = clock
        self._share = share
        self._agreement = agreement
        self._elected = elected
        self._tell = tell
        self._refresh = refresh
        self._written_out = written_out
        self._on_lead = on_lead
        self._on_news = on_news
        self._news = asyncio.Event()
        self._changed = asyncio.Event()
        self._settling = asyncio.Lock()
        self._own: Lease | None = None
        self._neighbours = Neighbours(identity)
        self._ended_at: dict[str, float] = {}  # Leases of replicas that have ended, or stopped: since when seen so
        self._leases: dict[ObjectKey, Lease] = {}
        self._free_since: dict[ObjectKey, float] = {}
        self._mine: frozenset[ObjectKey] = frozenset()
        self._elsewhere: frozenset[ObjectKey] = frozenset()
        self._leading: set[ObjectKey] = set()
        self._giving: dict[ObjectKey, str] = {}
        self._gifts: set[asyncio.Task[None]] = set()
        self._barred_since: float | None = None
        self._evened_at = self._went_blind_at = -math.inf
        self._is_cut_off = False
        self._is_ending = False

    # -- what is known ---------------------------------------------------------------------------------------------

    def leads(self, zone: ObjectKey) -> bool:
        """Tell whether this replica should write a zone."""
        return zone in self._leading

    def leadership_of(self, zone: ObjectKey) -> ZoneLeadership:
        """Return whether this replica writes one zone, now and later."""
        return ZoneLeadership(self, zone)

    @property
    def zones_led(self) -> int:
        """How many zones this replica writes."""
        return len(self._leading)

    @property
    def replicas(self) -> int:
        """How many replicas live, as far as is known."""
        return 1 + len(self.others)

    @property
    def zones_of_nobody(self) -> int:
        """How many zones no replica has."""
        return len(self._free_since)

    @property
    def is_alone(self) -> bool:
        """Tell whether the API server says nothing, so that nobody knows what the others do."""
        return self._is_cut_off

    def tied_elsewhere(self, zone: ObjectKey) -> str | None:
        """Return the replica that has a zone, None where that is nobody or this one."""
        lease = self._leases.get(zone)
        return lease.holder if lease is not None and zone in self._elsewhere else None

    def elected_another(self) -> None:
        """Another replica was elected for what is of no zone, or this one."""
        self._assign()
        self.wake()

    def wake(self) -> None:
        """Look at the Leases soon: other zones belong together than before, or this replica was elected."""
        self._news.set()

    # -- the work --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Renew, read, take and give until cancelled."""
        while not self._is_ending:
            self._news.clear()
            try:
                await self._look()
            except ClusterError as error:
                self._note_silence(error)
            else:
                self._is_cut_off = False
            await asyncio.sleep(SHORTEST_PAUSE)
            await news_within(self._news, RENEW_PERIOD - SHORTEST_PAUSE)

    async def settle(self) -> None:
        """Show the engine what has come to be this replica's, and take away what is not, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._settle()

    async def resign(self) -> None:
        """Let the others have all zones at once, whose last batches are written. Best effort."""
        self._is_ending = True
        self._leading.clear()
        if self._own is not None:
            name, wall = self._names.of_replica(self.identity), self._clock.wall()
            body = self._names.replica_body(self._own, self.identity, self._tell(), wall, has_ended=True)
            with contextlib.suppress(ClusterError):
                await self._store.replace_lease(self._namespace, name, body)

    async def _look(self) -> None:
        told = self.counted
        await self._renew()
        looked_at = self._clock.now()
        listed = listed_in(await self._store.list_leases(self._namespace, self._names.selector))
        scene = self._take_in(listed, looked_at, told)
        self.confirmed_at = looked_at
        self._agreement.listed(listed.free)
        if len(self._share.listed) < len(Kind) or self._is_ending:
            return  # who knows only some of what is declared does not know what belongs together
        if self._barred_since is None:
            await self._take(scene)
            self._give(scene)
        await self._clear_up(listed)
        await self._agreement.clear_up()

    async def _renew(self) -> None:
        name, given = self._names.of_replica(self.identity), self._tell()
        for again in (True, False):
            body = self._names.replica_body(self._own, self.identity, given, self._clock.wall())
            try:
                if self._own is None:
                    found = await self._store.create_lease(self._namespace, body)
                else:
                    found = await self._store.replace_lease(self._namespace, name, body)
            except ClusterError as error:
                if error.status not in (GONE, CONFLICT) or not again:
                    raise
                self._own = await self._read_own(name)
            else:
                self._own = lease_from(found)
                return

    async def _read_own(self, name: str) -> Lease | None:
        try:
            return lease_from(await self._store.read_lease(self._namespace, name))
        except ClusterError as error:
            if error.status == GONE:
                return None
            raise

    # -- what the Leases say ---------------------------------------------------------------------------------------

    def _take_in(self, listed: Listed, now: float, told: int) -> Scene:
        """Take note of who lives and who has what; stop at once where somebody else has a zone of this replica's."""
        replicas = self._see_replicas(listed, now, told)
        living = {each.identity for each in replicas}
        self._leases = dict(listed.zones)
        holders = {zone: lease.holder for zone, lease in listed.zones.items() if lease.holder in living}
        for zone in listed.zones:
            if zone in holders:
                self._free_since.pop(zone, None)
        is_there = self._share.ties.exists
        mine = frozenset(zone for zone, holder in holders.items() if holder == self.identity and is_there(zone))
        self._elsewhere = frozenset(zone for zone, holder in holders.items() if holder != self.identity)
        if (lost := self._mine - mine) and not self._is_ending:
            named = ", ".join(sorted(str(each) for each in lost)[:3])
            logger.info("%d DNSZones are no longer this replica's: %s", len(lost), named)
        self._look_who_was_elected(listed, now)
        self._mine = mine if self._barred_since is None or now - self._barred_since < BARRED_AFTER else frozenset()
        self._leading &= self._mine
        self._assign()
        is_new = not listed.zones  # then everybody's patience with the others begins once the first zone is taken
        self._free_since = {zone: at for zone, at in self._free_since.items() if is_there(zone) and not is_new}
        units = self._share.ties.units()
        for unit in units:
            for zone in unit.zones:
                if zone not in holders:
                    self._free_since.setdefault(zone, now)
        return Scene(self.identity, now, replicas, units, holders, dict(self._free_since), self.counted, is_new)

    def _see_replicas(self, listed: Listed, now: float, told: int) -> list[Replica]:
        self._neighbours.see(listed, now)
        others, counted = self._neighbours.others, self._neighbours.counted
        shares = max(counted, told)  # a larger share is used once the others have been told of it
        is_news = (shares, others) != (self.shares, self.others)
        self.counted, self.shares, self.others = counted, shares, others
        if is_news:
            self._on_news()
        return self._neighbours.living(self._tell())

    def _look_who_was_elected(self, listed: Listed, now: float) -> None:
        """See whether a process leads that divides nothing: as one of another version, or with another setting."""
        holder, is_this = self._elected()
        known = {lease.holder for lease, _ in listed.replicas.values()}
        if is_this or not holder or holder in known:
            self._barred_since = None
        elif self._barred_since is None:
            self._barred_since = now
            logger.warning("%s was elected, and divides no zones: this replica takes none meanwhile", holder)

    def _assign(self) -> None:
        """Let the share know what it lost, now; what it gains it is told once that is up to date (`_settle`)."""
        _, is_first = self._elected()
        shown = self._share.had & (self._mine - self._giving.keys())
        self._share.assign(shown, self._elsewhere | self._giving.keys(), is_first=is_first)
        self._leading = {zone for zone in self._leading if self._share.has(zone)}
        self._changed.set()

    # -- gaining ---------------------------------------------------------------------------------------------------

    async def _take(self, scene: Scene) -> None:
        wanted = dict.fromkeys(takes(scene))
        for zone, lease in self._leases.items():  # those of the process before this one, of the same replica
            is_before = lease.holder != self.identity and replica_of(lease.holder) == replica_of(self.identity)
            if is_before and self._share.ties.exists(zone) and scene.is_admitted:
                wanted[zone] = None
        slots = asyncio.Semaphore(AT_ONCE)

        async def take(zone: ObjectKey) -> None:
            async with slots:
                if await self._write(zone, self.identity):
                    self._mine |= {zone}
                    self._free_since.pop(zone, None)

        await asyncio.gather(*map(take, wanted))
        if wanted:
            self._changed.set()

    async def _write(self, zone: ObjectKey, holder: str) -> bool:
        """Write into a zone's Lease who has it; False where somebody else was quicker."""
        lease, name = self._leases.get(zone), self._names.of_zone(zone)
        body = self._names.zone_body(zone, lease, holder, self._clock.wall())
        try:
            if lease is None:
                found = await self._store.create_lease(self._namespace, body)
            else:
                found = await self._store.replace_lease(self._namespace, name, body)
        except ClusterError as error:
            if error.status in (GONE, CONFLICT):
                return False
            raise
        self._leases[zone] = lease_from(found)
        return True

    async def _settle(self) -> None:
        async with self._settling:
            wanted = self._mine - self._giving.keys()
            if wanted - self._share.had and self._refresh is not None:
                try:
                    await self._refresh()
                except Exception as error:  # a defect of ours keeps nobody from leading on what is known
                    logger.error("what is declared could not be seen before zones are led: %s", told_of(error))
            _, is_first = self._elected()
            wanted = self._mine - self._giving.keys()
            self._share.assign(wanted, self._elsewhere | self._giving.keys(), is_first=is_first)
            await self._share.settle()
            led = {zone for zone in self._mine - self._giving.keys() if zone in wanted and self._share.has(zone)}
            gained = led - self._leading
            self._leading = led
            if gained:
                named = ", ".join(sorted(str(each) for each in gained)[:3])
                logger.info("this replica writes %d more DNSZones, %d in all: %s", len(gained), len(led), named)
                self._on_lead(gained)

    # -- giving ----------------------------------------------------------------------------------------------------

    def _give(self, scene: Scene) -> None:
        if self._giving:
            return
        for gift in gifts(scene):
            if gift.may_wait:
                if scene.now - self._evened_at < EVENING_PAUSE:
                    continue
                self._evened_at = scene.now
            elif not self._may_give_blindly(scene):
                continue
            self._giving.update(dict.fromkeys(gift.zones, gift.to))
            self._begin(gift)
        if self._giving:
            self._assign()

    def _may_give_blindly(self, scene: Scene) -> bool:
        """Tell whether to give zones away at once: for being blind not again and again, as sight may come and go."""
        own = next(each for each in scene.replicas if each.identity == self.identity)
        if own.sees or not any(each.sees for each in scene.replicas):
            return True
        if scene.now - self._went_blind_at < HANDOVER_PAUSE and self._went_blind_at != scene.now:
            return False
        self._went_blind_at = scene.now
        return True

    def _begin(self, gift: Gift) -> None:
        task = asyncio.ensure_future(self._carry_out(gift))
        self._gifts.add(task)
        task.add_done_callback(self._given)

    def _given(self, task: asyncio.Task[None]) -> None:
        self._gifts.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("zones could not be given to another replica: %s", told_of(error))
        self._changed.set()
        self._news.set()

    async def _carry_out(self, gift: Gift) -> None:
        """Stop writing zones, and let another replica have them once what was under way has ended."""
        named = ", ".join(sorted(map(str, gift.zones))[:3])
        logger.info("%d DNSZones go to replica %s: %s", len(gift.zones), gift.to, named)
        try:
            await self._settle()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WRITTEN_OUT_WITHIN):
                    await self._written_out(gift.zones)
            for zone in sorted(gift.zones):
                with contextlib.suppress(ClusterError):
                    if await self._write(zone, gift.to):
                        self._mine -= {zone}
        finally:
            for zone in gift.zones:
                self._giving.pop(zone, None)

    # -- the rest --------------------------------------------------------------------------------------------------

    async def _clear_up(self, listed: Listed) -> None:
        """Delete Leases that are nobody's any more: of zones that are gone, and of replicas that ended long ago."""
        now, is_elected = self._clock.now(), self._elected()[1]
        over = dict.fromkeys(listed.ended, CLEARED_UP_AFTER)
        over |= {name: FORGOTTEN_AFTER for name, (lease, _) in listed.replicas.items() if not self._lives(lease.holder)}
        self._ended_at = {name: self._ended_at.get(name, now) for name in over}
        names = [self._names.of_zone(zone) for zone in sorted(self._leases) if self._is_over(zone)]
        names += [name for name, at in self._ended_at.items() if is_elected and now - at >= over[name]]
        for name in names[:AT_ONCE]:
            try:
                await self._store.delete_lease(self._namespace, name)
            except ClusterError as error:
                if error.status != GONE:
                    raise

    def _lives(self, identity: str) -> bool:
        return identity == self.identity or identity in self.others

    def _is_over(self, zone: ObjectKey) -> bool:
        holder = self._leases[zone].holder
        return not self._share.ties.exists(zone) and (holder == self.identity or self._elected()[1])

    def _note_silence(self, error: ClusterError) -> None:
        self._neighbours.could_not_look()
        if not self._is_cut_off:
            self._is_cut_off = True
            told = "it goes on writing its zones: the ledgers stop it where another has them"
            logger.warning("the Leases of the zones cannot be read or renewed (%s): %s", error, told)
            self._on_news()
