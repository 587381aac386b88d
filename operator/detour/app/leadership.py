"""The leader election of one cluster: which of the operator's replicas should write.

The loop is our own: it uses the monotonic clock, bounds every request, and knows the difference between an API server
that says "somebody else" and one that says nothing. After the first the leader stops at once. After the second it goes
on: the fence in each zone stops it if somebody else was elected meanwhile.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from detour.app.handover import CONFLICT, GONE, Eyes, Handover, LeaseStore
from detour.engine.clock import Clock
from detour.engine.ports import ClusterError
from detour.kube.lease import RENEW_PERIOD, Lease, Move, Sighting, lease_body, lease_from, next_move, sight
from detour.model.defects import told

logger = logging.getLogger(__name__)


class Elector:
    """Stands for election with `identity`, which no other process may ever use. Implements `Leadership`.

    What precedes the last underscore of `identity`, if there is one, is the replica's name: a process of that name that
    still holds the Lease when this one starts is the one before it, and is succeeded at once.

    `on_change` is called whenever `leads` has changed. Who has the Lease leads once `refresh` has ended: what it knows
    of declarations may be old, as a watch whose API server died can be silent for minutes.
    """

    def __init__(
        self,
        store: LeaseStore,
        *,
        namespace: str,
        name: str,
        identity: str,
        clock: Clock,
        on_change: Callable[[], None],
        refresh: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.leads = False
        self._holds = False
        self._refresh = refresh
        self.holder: str | None = None
        self._store = store
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._clock = clock
        self._on_change = on_change
        self._sighting: Sighting | None = None
        self._confirmed_at = float("-inf")
        self._is_cut_off = False
        self._has_just_started = True
        self._doubt = ""
        self._handover = Handover(store, namespace=namespace, name=name, identity=identity, clock=clock)

    def look_through(self, eyes: Eyes) -> None:
        """Make way, from now on, for a replica that sees where this one does not."""
        self._handover.eyes = eyes

    def confirmed_since(self, at: float) -> bool:
        """Tell whether the Lease was taken or renewed by a request sent after `at` (engine seconds)."""
        return self._confirmed_at > at

    async def run(self) -> None:
        """Stand for election until cancelled."""
        while True:
            try:
                await self._look()
                await self._begin_term()
            except ClusterError as error:
                self._note_silence(error)
            else:
                self._is_cut_off = False
                first = self._sighting.lease if self._sighting else None
                await self._handover.look(first, leads=self.leads, give=self._give)
            await asyncio.sleep(RENEW_PERIOD)

    async def _begin_term(self) -> None:
        if self._holds and not self.leads and self._refresh is not None:
            try:
                await self._refresh()
            except Exception as error:  # a defect of ours keeps nobody from leading on what is known
                logger.error("what is declared could not be seen before this replica leads: %s", told(error))
            await self._look()  # it may have taken long, and somebody else may have the Lease by now
        if self._holds:
            self._set_leads(True)

    async def resign(self) -> None:
        """Give the Lease up, so that another replica need not wait for it to expire. Best effort."""
        lease = self._sighting.lease if self._sighting else None
        if not self._holds or lease is None:
            return
        self._holds = False
        self._set_leads(False)
        try:
            await self._give_up(lease)
        except ClusterError as error:
            logger.debug("the Lease could not be given up: %s", error)

    async def _give(self, successor: str) -> None:
        """Give the lead to another replica, by name: it has it at its next look."""
        lease = self._sighting.lease if self._sighting else None
        if self.leads and lease is not None:
            body = lease_body(self._name, lease, successor, self._clock.wall(), is_handover=True)
            self._see(lease_from(await self._store.replace_lease(self._namespace, self._name, body)))

    async def _give_up(self, lease: Lease) -> None:
        try:
            await self._replace(lease, holder="")
        except ClusterError as error:
            found = await self._read() if error.status == CONFLICT else None
            if found is None or found.holder != self._identity:
                raise
            await self._replace(found, holder="")  # a renewal of ours was still under way

    async def _look(self) -> None:
        """Make the next move. A leader first tries to renew what it holds, which tells it all there is to know."""
        sighting = self._sighting
        if sighting is None or self._move_for(sighting) is not Move.RENEW:
            sighting = self._see(await self._read())
        try:
            await self._make(self._move_for(sighting), sighting.lease)
            self._has_just_started = False
        except ClusterError as error:
            if error.status not in (GONE, CONFLICT):
                raise
            self._has_just_started = False
            # Somebody else was quicker, or deleted the Lease: what it says now decides.
            sighting = self._see(await self._read())
            if self._move_for(sighting) is Move.RENEW:
                await self._make(Move.RENEW, sighting.lease)

    def _move_for(self, sighting: Sighting) -> Move:
        return next_move(sighting, self._identity, self._clock.now(), has_just_started=self._has_just_started)

    async def _make(self, move: Move, lease: Lease | None) -> None:
        sent_at = self._clock.now()
        match move:
            case Move.WAIT:
                return
            case Move.CREATE:
                body = lease_body(self._name, None, self._identity, self._clock.wall())
                taken = lease_from(await self._store.create_lease(self._namespace, body))
            case Move.TAKE | Move.RENEW:
                assert lease is not None  # noqa: S101 - there is one to take or renew
                taken = await self._replace(lease, holder=self._identity)
        self._confirmed_at = sent_at
        self._see(taken)

    async def _replace(self, lease: Lease, *, holder: str) -> Lease:
        body = lease_body(self._name, lease, holder, self._clock.wall())
        return lease_from(await self._store.replace_lease(self._namespace, self._name, body))

    async def _read(self) -> Lease | None:
        try:
            return lease_from(await self._store.read_lease(self._namespace, self._name))
        except ClusterError as error:
            if error.status == GONE:
                return None
            raise

    def _see(self, found: Lease | None) -> Sighting:
        doubt = found.doubt if found else ""
        if doubt and doubt != self._doubt:
            who = found.holder if found else ""
            logger.warning("Lease %s/%s of %r has %s", self._namespace, self._name, who or "nobody", doubt)
        self._doubt = doubt
        self._sighting = sight(self._sighting, found, self._clock.now())
        self.holder = found.holder if found else None
        if found is not None:  # a Lease that somebody deleted says nothing of anybody else
            self._holds = found.holder == self._identity
        if not self._holds:
            self._set_leads(False)
        return self._sighting

    def _set_leads(self, leads: bool) -> None:
        if leads == self.leads:
            return
        self.leads = leads
        if leads:
            logger.info("this replica leads", extra={"event": "leads", "identity": self._identity})
        else:
            by_itself = self.holder in (None, "", self._identity)
            told = "it gives the lead up" if by_itself else f"{self.holder} does"
            level = logging.INFO if by_itself else logging.WARNING
            logger.log(level, "this replica leads no longer: %s", told, extra={"event": "leads-no-longer"})
        self._on_change()

    def _note_silence(self, error: ClusterError) -> None:
        if not self.leads:
            self._sighting = None  # who cannot look does not know for how long the Lease stood still
        if not self._is_cut_off:
            self._is_cut_off = True
            told = "it goes on writing: the ledgers stop it where another was elected" if self.leads else "it waits"
            logger.warning("the Lease cannot be read or renewed (%s): %s", error, told)
