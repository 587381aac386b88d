"""An operator put together of its parts: by the process, by the simulation and by tests, in one and the same way.

What differs between them is what the parts reach: `Ports`. Nothing runs before `work` is run.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from detour.app.declarations import Declarations, Declared
from detour.app.handover import Eyes, LeaseStore
from detour.app.intake import Intake
from detour.app.leadership import Elector
from detour.app.sharding.division import ZoneLeadership
from detour.app.sharding.replica import ReplicaPart, Sharing
from detour.checks.resolver import Resolution
from detour.engine.engine import Engine
from detour.engine.environment import Environment
from detour.engine.metrics import Metrics
from detour.engine.pictures import ZoneObjectPicture
from detour.engine.ports import ClusterError, is_away
from detour.engine.signals import nothing_read
from detour.engine.targets import Targets
from detour.engine.vantages import THE_OPERATOR, OwnVantage
from detour.health.vantages import HEARTBEAT
from detour.kube.cluster import Cluster
from detour.kube.kinds import Message
from detour.kube.metadata import MetadataWriter
from detour.kube.reporting.reporter import Reporter
from detour.kube.reporting.reporting import Reporting
from detour.model.checks import CheckResult, Target
from detour.model.objects import Kind, Subject
from detour.model.record import ObjectKey
from detour.model.signals import Reading, Source
from detour.model.vantage import SignOfLife

logger = logging.getLogger(__name__)

COMPONENT = "detour"
"""Who the events come from."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What an operator reaches beside its zones, whose ports are those of an `Environment`.

    `cluster` takes status, events and metadata. `check` runs one check, `resolve` looks a hostname up. `references`
    runs the reference checks that clear a suspected vantage; None asks the zones' authoritative servers. `heartbeats`
    reads those of all vantages, by their names, and may raise ClusterError; None where there are no others.
    `read_signal` reads a source of signals of regions, and never raises.
    """

    cluster: Cluster
    check: Callable[[Target], Awaitable[CheckResult]]
    resolve: Callable[[str], Awaitable[Resolution]]
    references: Callable[[], Awaitable[bool]] | None = None
    heartbeats: Callable[[], Awaitable[Mapping[str, SignOfLife]]] | None = None
    read_signal: Callable[[Source], Awaitable[Reading]] = nothing_read


@dataclass(frozen=True, slots=True)
class Election:
    """How a replica stands for election: at a Lease in `store`, with an `identity` that no other process ever has.

    `refresh` brings what is declared up to date before an elected replica leads. With `sharing` the replicas divide the
    zones, and who is elected leads the rest alone.
    """

    store: LeaseStore
    namespace: str
    name: str
    identity: str
    refresh: Callable[[], Awaitable[None]] | None = None
    sharing: Sharing | None = None


class Assembly:
    """The parts of one operator, connected. Without an `election` it leads."""

    def __init__(
        self,
        environment: Environment,
        ports: Ports,
        *,
        metrics: Metrics,
        checks_in_flight: int,
        election: Election | None = None,
        own_vantage: OwnVantage = THE_OPERATOR,
    ) -> None:
        self.clock = clock = environment.clock
        self._read_heartbeats = ports.heartbeats
        self.metrics = metrics
        self.elector = self._elector(election) if election is not None else None
        self.replica: ReplicaPart | None = None
        sharing = election.sharing if election is not None else None
        if sharing is not None:
            environment = replace(environment, leadership_of=self._leadership_of)
        elif self.elector is not None:
            environment = replace(environment, leadership=self.elector)
        self.leadership = environment.leadership
        self.targets = Targets(
            check=ports.check,
            resolve=ports.resolve,
            checks_in_flight=checks_in_flight,
            clock=clock,
            randomness=environment.randomness,
            metrics=metrics,
            on_news=self._decide,
            on_vantage=self._tell_of,
            own_vantage=own_vantage,
        )
        self.metadata = MetadataWriter(ports.cluster, clock=clock.now)
        self.reporting = Reporting(
            self.metadata,
            clock.wall,
            leadership=self.leadership,
            divided=self if sharing is not None else None,
        )
        self.reporter = Reporter(
            ports.cluster,
            component=COMPONENT,
            build=self.reporting.build,
            wall_clock=clock.wall,
            clock=clock.now,
            is_busy=self.is_busy,
            instance=election.identity if election is not None else "",
        )
        self.engine = Engine(
            environment=environment,
            targets=self.targets,
            reporting=self.reporting,
            clock=clock,
            metrics=metrics,
            references=ports.references,
            read_signal=ports.read_signal,
        )
        self.reporting.connect(self.reporter, self.engine)
        declared: Declared = self.engine
        if sharing is not None and election is not None and self.elector is not None:
            self.replica = ReplicaPart(
                sharing,
                elector=self.elector,
                engine=self.engine,
                namespace=election.namespace,
                first=election.name,
                identity=election.identity,
                clock=clock,
                metrics=metrics,
                free_names=environment.free_departures,
                at_once=environment.at_once,
            )
            declared = self.replica.share
        elif self.elector is not None:
            self.elector.look_through(Eyes(is_blind=self.engine.is_blind, sees=self.engine.sees))
        self.declarations = Declarations(declared, read_config_map=ports.cluster.read_config_map)
        self._intake = Intake(
            self.declarations.taking,
            listed=lambda: self.declarations.listed,
            on_step=self._tell_what_is_listed,
            at_once=environment.at_once,
        )

    def _elector(self, election: Election) -> Elector:
        return Elector(
            election.store,
            namespace=election.namespace,
            name=election.name,
            identity=election.identity,
            clock=self.clock,
            on_change=self._leadership_changed,
            refresh=election.refresh,
        )

    def is_busy(self) -> bool:
        """Tell whether many objects wait to be taken in, or names to be decided for or written."""
        return self._intake.is_busy or self.engine.is_busy

    def _leadership_changed(self) -> None:
        if self.replica is not None:
            self.replica.was_elected()
        else:
            self.engine.leadership_changed()

    def _leadership_of(self, zone: ObjectKey) -> ZoneLeadership:
        assert self.replica is not None  # noqa: S101 - no zone is kept before the parts are connected
        return self.replica.leadership_of(zone)

    def leads_for(self, subject: Subject) -> bool:
        """Tell whether this replica writes the status of an object (`Divided`)."""
        return self.replica is not None and self.replica.leads_for(subject)

    def may_tell(self, subject: Subject) -> bool:
        """Tell whether enough of an object is known to write its status (`Divided`)."""
        return self.replica is not None and self.replica.share.may_tell(subject)

    def told_of(self, zone: ObjectKey, picture: ZoneObjectPicture) -> ZoneObjectPicture:
        """Return a picture with who writes the zone, and which others with it (`Divided`)."""
        return picture if self.replica is None else self.replica.told_of(zone, picture)

    def _tell_of(self, vantage: Subject) -> None:
        self.reporting.mark(vantage)

    def _decide(self, records: Iterable[ObjectKey]) -> None:
        self.engine.decide(records)

    @property
    def selects_namespaces(self) -> bool:
        """Tell whether any zone needs the labels of namespaces."""
        share = self.replica.share if self.replica is not None else None
        return self.engine.zones.selects_namespaces or (share is not None and share.selects_namespaces)

    def namespaces_listed(self, labels: Mapping[str, dict[str, str]]) -> None:
        """Take over the labels of all namespaces, for zones that select by them."""
        if self.replica is not None:
            self.replica.share.namespaces_listed(labels)
        self.engine.namespaces_listed(labels)

    def take(self, message: Message) -> None:
        """Take in what is declared, when it is its turn."""
        self._intake.put(message, self.clock.now())

    async def taken(self) -> None:
        """Wait until everything is taken in that was declared by now."""
        await self._intake.taken()

    def _tell_what_is_listed(self) -> None:
        if self.replica is not None:
            self.replica.division.set_listed(len(self.declarations.listed) == len(Kind) and not self._intake.is_filling)
        self.engine.hold_off(self._intake.is_filling)
        self.engine.zones_listed = Kind.DNS_ZONE in self.declarations.listed
        self.engine.unread = self.declarations.unread

    @property
    def work(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What runs for as long as the operator does, by what it is."""
        work: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "checking": self.targets.run,
            "reading signals": self.engine.signals.run,
            "reporting": self.reporter.run,
            "writing metadata": self.metadata.run,
        }
        if self._read_heartbeats is not None:
            work["listening to vantages"] = partial(self._listen_to_vantages, self._read_heartbeats)
        if self.elector is not None:
            work["the election"] = self.elector.run
        return work if self.replica is None else {**work, **self.replica.work}

    async def _listen_to_vantages(self, read: Callable[[], Awaitable[Mapping[str, SignOfLife]]]) -> None:
        """Look for signs of life of other vantages, where there are any."""
        trouble = ""
        while True:
            await asyncio.sleep(HEARTBEAT / 2)
            if not self.engine.has_other_vantages:
                continue
            try:
                heartbeats = await read()
            except ClusterError as error:
                if is_away(error):
                    await self.engine.vantages_unheard()
                else:
                    self.engine.look_at_vantages()  # they become stale
                if str(error) != trouble:
                    logger.warning("the Leases of vantages cannot be read, so that none is heard: %s", error)
                trouble = str(error)
            else:
                trouble = ""
                self.engine.vantages_heard(heartbeats)

    async def say_goodbye(self, within: float) -> None:
        """Write the last status and give the Lease up, each within so many seconds; what runs was cancelled before."""
        last_words: list[Callable[[], Awaitable[object]]] = [self.reporter.flush]
        last_words += [self.elector.resign] if self.elector is not None else []
        last_words += [self.replica.division.resign] if self.replica is not None else []
        for each in last_words:
            try:
                await asyncio.wait_for(each(), within)
            except TimeoutError:
                continue
