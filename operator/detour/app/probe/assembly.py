"""How the parts of a probe are connected, for the process, the simulation and the tests alike."""

import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from detour.app.declarations import Declarations
from detour.app.intake import Intake
from detour.app.probe.declared import Checked
from detour.app.probe.findings import Findings, Latencies
from detour.app.probe.writer import Place, Writer
from detour.checks.resolver import Resolution
from detour.engine.clock import Clock
from detour.engine.metrics import Metrics
from detour.engine.round import AT_ONCE
from detour.engine.suspicion import Suspicion
from detour.engine.targets import Targets
from detour.health.vantages import PANIC_SHARE, PANIC_WINDOW
from detour.kube.kinds import Message
from detour.model.checks import CheckResult, Target
from detour.model.objects import Kind
from detour.model.record import ObjectKey
from detour.model.vantage import References, VantageReport

WATCHED = (Kind.FAILOVER_RECORD, Kind.CLOUD_REGION)
"""What a probe needs to know of."""


@dataclass(frozen=True, slots=True)
class ProbePorts:
    """What a probe reaches: the API server by `place`, with `read_config_map` (namespace, name), and the endpoints.

    `references` runs its reference checks; None where it has none.
    """

    place: Place
    read_config_map: Callable[[str, str], Awaitable[Mapping[str, str]]]
    check: Callable[[Target], Awaitable[CheckResult]]
    resolve: Callable[[str], Awaitable[Resolution]]
    references: Callable[[], Awaitable[bool]] | None = None


class ProbeAssembly:
    """The parts of one probe, connected. It reports for the vantage `name` in `lease` (namespace and name)."""

    def __init__(
        self,
        ports: ProbePorts,
        *,
        name: str,
        lease: tuple[str, str],
        instance: str,
        clock: Clock,
        randomness: random.Random,
        metrics: Metrics,
        checks_in_flight: int,
    ) -> None:
        self._clock = clock
        self._check = ports.check
        self._has_references = ports.references is not None
        self._latencies = Latencies()
        self.targets = Targets(
            check=self._checked,
            resolve=ports.resolve,
            checks_in_flight=checks_in_flight,
            clock=clock,
            randomness=randomness,
            metrics=metrics,
            on_news=self._wake,
            asks_elsewhere=False,
        )
        self._findings = Findings(self.targets)
        self._suspicion = Suspicion(
            bad_share=self.targets.bad_share,
            newest=self.targets.newest_bad,
            references=ports.references or self._sees,
            on_change=self._wake,
            doubt=self.targets.doubt_since,
            clock=clock.now,
        )
        self.writer = Writer(ports.place, name=name, lease=lease, instance=instance, clock=clock, look=self._look)
        self.declarations = Declarations(Checked(self.targets, clock), read_config_map=ports.read_config_map)
        self._intake = Intake(
            self.declarations.taking,
            listed=lambda: self.declarations.listed,
            on_step=self._wake,
            at_once=AT_ONCE,
            kinds=len(WATCHED),
        )

    def take(self, message: Message) -> None:
        """Take in what is declared, when it is its turn."""
        self._intake.put(message, self._clock.now())

    async def do_chores(self) -> None:
        """Read what is neither watched nor listed, and try again what could not be taken in."""
        now = self._clock.now()
        if self.declarations.bundles.are_due(now):
            await self.declarations.bundles.refresh(now)
        self.declarations.try_again(now)

    @property
    def work(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What runs for as long as the probe does, by what it is."""
        return {
            "checking": self.targets.run,
            "reporting": self.writer.report,
            "giving signs of life": self.writer.beat,
        }

    async def _checked(self, target: Target) -> CheckResult:
        result = await self._check(target)
        if result.passed:
            self._latencies.note(result.latency)
        return result

    async def _sees(self) -> bool:
        """Tell whether anything passes, in the place of reference checks where there are none."""
        return self.targets.has_seen()

    def _look(self) -> VantageReport:
        """Return what there is to report now."""
        now, scheduler = self._clock.now(), self.targets.scheduler
        is_doubted = self._suspicion.covers(PANIC_SHARE, PANIC_WINDOW) or self.targets.is_blind()
        findings, checks, failing = self._findings.taken(now)
        passing = References.PASSING if self._has_references else References.NONE
        return VantageReport(
            instance="",
            number=0,
            checks=checks,
            failing=failing,
            findings=findings,
            references=References.FAILING if is_doubted else passing,  # also while it is found out
            lateness=scheduler.urgent_lateness,
            stretch=scheduler.stretch,
            latency=self._latencies.summary(),
        )

    def _wake(self, _: Iterable[ObjectKey] = ()) -> None:
        self.writer.wake()
