"""How each fault is begun and ended on the stage.

Every one is a context manager: the fault is in force inside it, and over after it, however that is left.

    async with fire.fault(Event(0.0, Kind.PAUSE, 20.0, LEADER)):
        await asyncio.sleep(20.0)
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress

from detour_lab.clouds.clouds import AZURE, BIND, GOOGLE, ROUTE53
from detour_lab.controlplane import CommandError
from detour_lab.faults import ANY, Fault, FaultKind
from detour_lab.stage.operatorprocess import OperatorProcess
from detour_lab.stage.stage import RELEASE_NAMESPACE, Stage, leases_of
from detour_lab.stage.steppedclock import NOTICED_WITHIN
from detour_lab.stories.soak.schedule import LEADER, PROVIDER_KINDS, Event, Kind
from detour_lab.stories.soak.watch import EVERY_ZONE, Watch

HOUR = 3600
LONGEST_PAUSE = 30.0
"""Seconds that Detour may rest between two attempts. It rests longer each time, never much longer than it failed."""

WRITES: Mapping[str, Sequence[str]] = {
    ROUTE53: ("ChangeResourceRecordSets",),
    AZURE: ("RecordSets_CreateOrUpdate", "RecordSets_Delete"),
    GOOGLE: ("changes.create",),
    BIND: ("UPDATE",),
}
"""The operations that change a zone. Only their answers are lost: the rest can be read, and what happened be told."""

_MEANING = {
    Kind.PROVIDER_ERROR: FaultKind.SERVER_ERROR,
    Kind.PROVIDER_HANG: FaultKind.HANG,
    Kind.LOST_ANSWERS: FaultKind.RESET_AFTER,
}


class Fire:
    """The faults of one stage. `say` gets a line for whatever the schedule could not know, such as who leads."""

    def __init__(self, stage: Stage, watch: Watch, say: Callable[[str], None]) -> None:
        self._stage = stage
        self._watch = watch
        self._say = say
        self._control_plane = asyncio.Lock()
        self._last_leader = stage.operators[0].name

    @asynccontextmanager
    async def fault(self, event: Event) -> AsyncIterator[None]:
        """Put the fault into force; it is over when the block is left. Raises ValueError for weather."""
        match event.kind:
            case Kind.KILL | Kind.PAUSE | Kind.CLOCK:
                context = self._operator(event)
            case Kind.API_SERVER_AWAY:
                context = self._api_server_away()
            case Kind.ETCD_RESTORED:
                context = self._etcd_restored()
            case Kind.NAME_SERVERS_LAG:
                context = self._lag(event)
            case kind if kind in PROVIDER_KINDS:
                context = self._provider(event)
            case _:
                raise ValueError(f"{event.kind} is weather, not a fault")
        async with context:
            yield

    async def leader(self) -> OperatorProcess:
        """Return the operator that the Lease names, or named when it was last seen; the only one where there is one."""
        operators = {each.name: each for each in self._stage.operators}
        if len(operators) > 1:
            # Without an API server nobody can tell, and who led before still does.
            with suppress(CommandError):
                leases = await self._stage.read(leases_of(RELEASE_NAMESPACE))
                holders = [str(each["spec"].get("holderIdentity")).rpartition("_")[0] for each in leases]
                self._last_leader = next((each for each in holders if each in operators), self._last_leader)
        return operators[self._last_leader]

    async def _chosen(self, role: str) -> OperatorProcess:
        leader = await self.leader()
        return leader if role == LEADER else next(each for each in self._stage.operators if each is not leader)

    @asynccontextmanager
    async def _operator(self, event: Event) -> AsyncIterator[None]:
        operator = await self._chosen(event.target)
        self._say(f"   ({event.target} is {operator.name}, process {operator.pid})")
        alone = len(self._stage.operators) == 1
        with ExitStack() as notes:
            if event.target == LEADER and (alone or event.kind is Kind.CLOCK):
                # A wrong clock keeps nobody from leading, only from writing where requests are signed with the time.
                recovery = _rest(event) if event.kind is Kind.CLOCK else 0.0
                notes.enter_context(self._watch.hindered(EVERY_ZONE, recovery=recovery))
            elif event.target == LEADER:
                notes.enter_context(self._watch.leader_lost(comes_back=event.kind is Kind.PAUSE))
            match event.kind:
                case Kind.KILL:
                    await operator.kill()
                    try:
                        yield
                    finally:
                        await operator.start(wait_until_ready=False)
                case Kind.PAUSE:
                    operator.pause()
                    try:
                        yield
                    finally:
                        operator.resume()
                case _:
                    clock = self._stage.clocks[operator.name]
                    clock.move(HOUR)
                    try:
                        await asyncio.sleep(NOTICED_WITHIN + 0.2)
                        yield
                    finally:
                        clock.move(0)

    @asynccontextmanager
    async def _api_server_away(self) -> AsyncIterator[None]:
        async with self._control_plane:
            with self._watch.api_server_away():
                await asyncio.to_thread(self._stage.plane.stop_api_server)
                try:
                    yield
                finally:
                    await asyncio.to_thread(self._stage.plane.start_api_server)

    @asynccontextmanager
    async def _etcd_restored(self) -> AsyncIterator[None]:
        async with self._control_plane:
            snapshot = await asyncio.to_thread(self._stage.plane.snapshot_etcd)
            yield
            with self._watch.api_server_away():
                await asyncio.to_thread(self._stage.plane.restore_etcd, snapshot)

    @asynccontextmanager
    async def _provider(self, event: Event) -> AsyncIterator[None]:
        faults = self._stage.lab.api_faults(event.target)
        with self._watch.hindered(event.target, recovery=_rest(event)):
            operations = WRITES[event.target] if event.kind is Kind.LOST_ANSWERS else (ANY,)
            injected = [faults.inject(Fault(_MEANING[event.kind], each)) for each in operations]
            try:
                yield
            finally:
                for fault in injected:
                    faults.remove(fault)

    @asynccontextmanager
    async def _lag(self, event: Event) -> AsyncIterator[None]:
        self._stage.lab.set_lag(event.target, event.seconds / 2)
        try:
            yield
        finally:
            self._stage.lab.set_lag(event.target, 0.0)


def _rest(event: Event) -> float:
    """Return how many seconds after this fault the next attempt may come."""
    return min(event.seconds, LONGEST_PAUSE)
