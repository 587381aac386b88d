"""How replicas divide the zones among themselves: by Leases, as `placement` says.

Every few seconds each replica renews its own Lease, reads all, and takes or gives away zones. Between an API server
that says "somebody else" and one that says nothing the difference is as for the election: after the first this replica
stops at once, after the second it goes on, and the fence of each zone stops it if somebody else has it meanwhile.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass

from detour.app.handover import HANDOVER_PAUSE
from detour.app.sharding.agreement import Agreement
from detour.app.sharding.leasebook import LeaseBook
from detour.app.sharding.leases import Listed, Told
from detour.app.sharding.neighbours import FORGOTTEN_AFTER, Neighbours, Others, replica_of
from detour.app.sharding.placement import Gift, Replica, Scene, Why, gifts, takes
from detour.app.sharding.share import Share
from detour.enactment.waiting import news_within
from detour.engine.clock import Clock
from detour.engine.ports import ClusterError
from detour.kube.lease import RENEW_PERIOD
from detour.model.defects import told as told_of
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

TAKING_FOR = 2.0
"""Seconds for which zones are taken in one look: a replica must renew its own Lease in between."""

SUCCEEDS_FOR = 15.0
"""Seconds after its start in which a process takes the zones of the one before it, of the same replica."""

AT_ONCE = 8
"""Leases that are written at the same time."""


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

    `others` is where this notes what is known of the other replicas. `elected` tells who was elected for what is of no
    zone, and whether that is this replica. `refresh` brings what is declared up to date, `written_out` waits for the
    end of what is being written in zones that were let go. `tell` gives what this replica tells the others; `on_lead`
    is called with zones that come to be led here, and `on_news` when what others tell has changed.
    """

    def __init__(
        self,
        book: LeaseBook,
        *,
        identity: str,
        others: Others,
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
        self.confirmed_at = -math.inf
        self._book = book
        self._clock = clock
        self._others = others
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
        self._neighbours = Neighbours(identity)
        self._ended_at: dict[str, float] = {}  # Leases of replicas that have ended: since when seen so
        self._unknown_since: dict[ObjectKey, float] = {}  # Leases of DNSZones that this replica does not know
        self._free_since: dict[ObjectKey, float] = {}
        self._mine: frozenset[ObjectKey] = frozenset()
        self._of_others: frozenset[ObjectKey] = frozenset()
        self._leading: set[ObjectKey] = set()
        self._giving: dict[ObjectKey, str] = {}
        self._gifts: set[asyncio.Task[None]] = set()
        self._began_at = clock.now()
        self._barred_since: float | None = None
        self._evened_at = self._went_blind_at = -math.inf
        self._is_listed = self._is_ending = False

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
    def zones_of_nobody(self) -> int:
        """How many zones no replica has, as far as is known."""
        return sum(zone not in self._mine and zone not in self._of_others for zone in self._share.ties.zones())

    def set_listed(self, is_listed: bool) -> None:
        """Everything that is declared was seen once: who knows only some of it does not know what belongs together."""
        if is_listed and not self._is_listed:
            self.wake()
        self._is_listed = is_listed

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
        with contextlib.suppress(ClusterError):
            await self._book.renew(self._tell(), has_ended=True)

    async def _look(self) -> None:
        """Look at all Leases, and do what follows. Raises ClusterError where nobody answers."""
        told = self._others.counted
        await self._book.renew(self._tell())
        looked_at = self._clock.now()
        listed = await self._book.read()
        self._others.is_alone = False
        scene = self._take_in(listed, looked_at, told)
        self.confirmed_at = looked_at
        self._agreement.listed(listed.free)
        if self._is_listed and not self._is_ending:
            if self._barred_since is None:
                await self._take(scene)
                self._give(scene)
            await self._clear_up(listed)
            await self._agreement.clear_up()

    # -- what the Leases say ---------------------------------------------------------------------------------------

    def _take_in(self, listed: Listed, now: float, told: int) -> Scene:
        """Take note of who lives and who has what; stop at once where somebody else has a zone of this replica's."""
        replicas = self._see_replicas(listed, now, told)
        living = {each.identity for each in replicas}
        exists = self._share.ties.exists
        holders = {zone: lease.holder for zone, lease in listed.zones.items() if lease.holder in living}
        mine = frozenset(zone for zone, holder in holders.items() if holder == self.identity and exists(zone))
        self._of_others = frozenset(zone for zone, holder in holders.items() if holder != self.identity)
        if (lost := self._mine - mine) and not self._is_ending:
            logger.info("another replica has %s of this one's: %s", _number(lost), _named(lost))
        self._look_who_was_elected(listed, now)
        self._mine = mine if self._barred_since is None or now - self._barred_since < BARRED_AFTER else frozenset()
        self._assign()
        is_new = not listed.zones  # then everybody's patience with the others begins once the first zone is taken
        units = self._share.ties.units()
        free = [zone for unit in units for zone in unit.names_of if zone not in holders]
        self._free_since = {zone: now if is_new else self._free_since.get(zone, now) for zone in free}
        return Scene(self.identity, now, replicas, units, holders, self._free_since, self._others.counted, is_new)

    def _see_replicas(self, listed: Listed, now: float, told: int) -> list[Replica]:
        self._neighbours.see(listed, now)
        others, found, counted = self._others, self._neighbours.others, self._neighbours.counted
        shares = max(counted, told)  # a larger share is used once the others have been told of it
        is_news = (shares, found) != (others.shares, others.told)
        others.counted, others.shares, others.told = counted, shares, found
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
        kept = self._share.had & (self._mine - self._giving.keys())
        self._share.assign(kept, self._of_others.union(self._giving), is_first=is_first)
        self._leading = {zone for zone in self._leading if zone in kept and self._share.may_write(zone)}
        self._changed.set()

    def _note_silence(self, error: ClusterError) -> None:
        self._neighbours.could_not_look()
        if not self._others.is_alone:
            self._others.is_alone = True
            told = "it goes on writing its zones: the ledgers stop it where another has them"
            logger.warning("the Leases of the zones cannot be read or renewed (%s): %s", error, told)
            self._on_news()

    # -- gaining ---------------------------------------------------------------------------------------------------

    async def _take(self, scene: Scene) -> None:
        until = self._clock.now() + TAKING_FOR
        wanted = [*takes(scene), *self._left_by_the_one_before(scene)]
        slots = asyncio.Semaphore(AT_ONCE)

        async def take(zone: ObjectKey) -> None:
            async with slots:
                if self._clock.now() < until and await self._book.write(zone, self.identity):
                    self._mine |= {zone}
                    self._free_since.pop(zone, None)

        await asyncio.gather(*map(take, dict.fromkeys(wanted)))
        if wanted:
            self._changed.set()
            self.wake()

    def _left_by_the_one_before(self, scene: Scene) -> list[ObjectKey]:
        """Return the zones of the process before this one, of the same replica: that one has ended."""
        if scene.now - self._began_at > SUCCEEDS_FOR or not scene.is_admitted:
            return []
        return [
            zone
            for zone, lease in self._book.zones.items()
            if lease.holder != self.identity
            and replica_of(lease.holder) == replica_of(self.identity)
            and self._share.ties.exists(zone)
        ]

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
            self._share.assign(wanted, self._of_others.union(self._giving), is_first=is_first)
            await self._share.settle(self._lead)
            self._lead()

    def _lead(self) -> None:
        """Write what is this replica's from now on."""
        had = self._share.had & (self._mine - self._giving.keys())
        led = {zone for zone in had if self._share.may_write(zone)}
        gained, self._leading = led - self._leading, led
        if gained:
            logger.info("this replica writes %s more, %d in all: %s", _number(gained), len(led), _named(gained))
            self._on_lead(gained)

    # -- giving ----------------------------------------------------------------------------------------------------

    def _give(self, scene: Scene) -> None:
        if self._giving:
            return
        for gift in gifts(scene):
            if self._may_give(gift.why, scene.now):
                self._giving.update(dict.fromkeys(gift.zones, gift.to))
                self._begin(gift)
        if self._giving:
            self._assign()

    def _may_give(self, why: Why, now: float) -> bool:
        """Tell whether the time has come: sight may come and go, and evening out is done slowly."""
        if why is Why.BLIND:
            if now - self._went_blind_at < HANDOVER_PAUSE and self._went_blind_at != now:
                return False
            self._went_blind_at = now
        if why is Why.EVEN:
            if now - self._evened_at < EVENING_PAUSE:
                return False
            self._evened_at = now
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
        self.wake()

    async def _carry_out(self, gift: Gift) -> None:
        """Stop writing zones, and let another replica have them once what was under way has ended."""
        logger.info("giving %s to %s, as %s: %s", _number(gift.zones), gift.to, gift.why.value, _named(gift.zones))
        try:
            await self._settle()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WRITTEN_OUT_WITHIN):
                    await self._written_out(gift.zones)
            for zone in sorted(gift.zones):
                lease = self._book.zones.get(zone)
                if lease is not None and lease.holder == self.identity and await self._book.write(zone, gift.to):
                    self._mine -= {zone}
                    self._of_others |= {zone}
        finally:
            for zone in gift.zones:
                self._giving.pop(zone, None)

    # -- the rest --------------------------------------------------------------------------------------------------

    async def _clear_up(self, listed: Listed) -> None:
        """Delete Leases that are nobody's any more: of zones that are gone, and of replicas that have ended."""
        now, is_elected = self._clock.now(), self._elected()[1]
        unknown = [zone for zone in self._book.zones if not self._share.ties.exists(zone)]
        self._unknown_since = {zone: self._unknown_since.get(zone, now) for zone in unknown}
        for zone, since in list(self._unknown_since.items())[:AT_ONCE]:
            holder = self._book.zones[zone].holder
            is_free = zone not in self._of_others and is_elected and now - since >= FORGOTTEN_AFTER
            if holder == self.identity or is_free:
                await self._book.delete_zone(zone)
        ended = {name: lease for name, lease in listed.ended.items() if is_elected}
        self._ended_at = {name: self._ended_at.get(name, now) for name in ended}
        over = {name: lease for name, lease in ended.items() if now - self._ended_at[name] >= CLEARED_UP_AFTER}
        if is_elected:
            over |= {name: listed.replicas[name][0] for name in self._neighbours.forgotten if name in listed.replicas}
        for name, lease in list(over.items())[:AT_ONCE]:
            await self._book.delete(name, lease)


def _number(zones: Collection[ObjectKey]) -> str:
    return f"{len(zones)} DNSZone{'s' if len(zones) > 1 else ''}"


def _named(zones: Iterable[ObjectKey]) -> str:
    found = sorted(map(str, zones))
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
