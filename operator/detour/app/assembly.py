"""An operator put together of its parts: by the process, by the simulation and by tests, in one and the same way.

What differs between them is what the parts reach: `Ports`. Nothing runs before `work` is run.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from typing import Any

from detour.app.declarations import Declarations
from detour.app.handover import Eyes, LeaseStore
from detour.app.intake import Intake
from detour.app.leadership import Elector
from detour.checks.resolver import Resolution
from detour.engine.engine import Engine
from detour.engine.environment import Environment
from detour.engine.metrics import Metrics
from detour.engine.targets import Targets
from detour.kube.cluster import Cluster
from detour.kube.kinds import Message
from detour.kube.metadata import MetadataWriter
from detour.kube.reporting.reporter import Reporter
from detour.kube.reporting.reporting import Reporting
from detour.model.checks import CheckResult, Target
from detour.model.objects import Kind
from detour.model.record import ObjectKey

COMPONENT = "detour"
"""Who the events come from."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What an operator reaches beside its zones, whose ports are those of an `Environment`.

    `cluster` takes status, events and metadata. `check` runs one check, `resolve` looks a hostname up. `references`
    runs the reference checks that clear a suspected vantage; None asks the zones' authoritative servers.
    """

    cluster: Cluster
    check: Callable[[Target], Awaitable[CheckResult]]
    resolve: Callable[[str], Awaitable[Resolution]]
    references: Callable[[], Awaitable[bool]] | None = None


@dataclass(frozen=True, slots=True)
class Election:
    """How a replica stands for election: at a Lease in `store`, with an `identity` that no other process ever has.

    `refresh` brings what is declared up to date before an elected replica leads.
    """

    store: LeaseStore
    namespace: str
    name: str
    identity: str
    refresh: Callable[[], Awaitable[None]] | None = None


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
    ) -> None:
        self.clock = clock = environment.clock
        self.metrics = metrics
        self.elector = self._elector(election) if election is not None else None
        if self.elector is not None:
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
        )
        self.metadata = MetadataWriter(ports.cluster, clock=clock.now)
        self.reporting = Reporting(self.metadata, clock.wall, leadership=self.leadership)
        self.reporter = Reporter(
            ports.cluster,
            component=COMPONENT,
            build=self.reporting.build,
            wall_clock=clock.wall,
            clock=clock.now,
            is_busy=self.is_busy,
        )
        self.engine = Engine(
            environment=environment,
            targets=self.targets,
            reporting=self.reporting,
            clock=clock,
            metrics=metrics,
            references=ports.references,
        )
        self.reporting.connect(self.reporter, self.engine)
        if self.elector is not None:
            self.elector.look_through(Eyes(is_blind=self.engine.is_blind, sees=self.engine.sees))
        self.declarations = Declarations(self.engine, read_config_map=ports.cluster.read_config_map)
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
        self.engine.leadership_changed()

    def _decide(self, records: Iterable[ObjectKey]) -> None:
        self.engine.decide(records)

    def take(self, message: Message) -> None:
        """Take in what is declared, when it is its turn."""
        self._intake.put(message, self.clock.now())

    async def taken(self) -> None:
        """Wait until everything is taken in that was declared by now."""
        await self._intake.taken()

    def _tell_what_is_listed(self) -> None:
        self.engine.hold_off(self._intake.is_filling)
        self.engine.zones_listed = Kind.DNS_ZONE in self.declarations.listed
        self.engine.unread = self.declarations.unread

    @property
    def work(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What runs for as long as the operator does, by what it is."""
        work: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "checking": self.targets.run,
            "reporting": self.reporter.run,
            "writing metadata": self.metadata.run,
        }
        return work if self.elector is None else {**work, "the election": self.elector.run}

    async def say_goodbye(self, within: float) -> None:
        """Write the last status and give the Lease up, each within so many seconds; what runs was cancelled before."""
        for last in (self.reporter.flush(), *([self.elector.resign()] if self.elector else [])):
            try:
                await asyncio.wait_for(last, within)
            except TimeoutError:
                continue
