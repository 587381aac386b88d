"""A probe as a process: it watches FailoverRecords and CloudRegions, makes their checks, and reports what it finds."""

import asyncio
import logging
import random
import secrets
import signal
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from detour.app.declarations import LISTING_PERIOD, SETTLED_AFTER
from detour.app.heartbeat import Heartbeat
from detour.app.probe.assembly import WATCHED, ProbeAssembly, ProbePorts
from detour.app.probe.settings import ProbeSettings
from detour.app.web import HealthServer
from detour.checks.guard import NetworkGuard
from detour.checks.http import HTTPProber
from detour.checks.reference import References
from detour.checks.resolver import Resolution, Resolver
from detour.checks.run import run_check
from detour.enactment.keptgoing import kept_going
from detour.engine.clock import Clock
from detour.engine.metrics import Metrics
from detour.engine.ports import ClusterError
from detour.kube.cluster import Cluster
from detour.kube.kinds import Message
from detour.kube.watching import Watcher
from detour.model.checks import CheckResult, Target
from detour.model.objects import Kind

logger = logging.getLogger(__name__)

CHORES_PERIOD = 1.0


class Probe:
    """One probe. Raises ValueError from the constructor where a setting makes no sense."""

    def __init__(self, settings: ProbeSettings) -> None:
        self._settings = settings
        self._clock = clock = Clock()
        self._guard = NetworkGuard.from_text(settings.allow_networks, settings.deny_networks)
        self._resolver = Resolver(settings.resolver)
        self._prober = HTTPProber()
        self._metrics = metrics = Metrics(CollectorRegistry())
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=metrics.registry)
        self._cluster = Cluster(settings.kubeconfig, on_error=lambda call: metrics.kubernetes_errors.labels(call).inc())
        self._references = References(settings.reference_checks, clock.now)
        self._parts = ProbeAssembly(
            ProbePorts(
                self._cluster,
                read_config_map=self._cluster.read_config_map,
                check=self._check,
                resolve=self._resolve,
                references=self._references.pass_now if settings.reference_checks else None,
            ),
            name=settings.vantage,
            lease=settings.lease,
            instance=f"{socket.gethostname()}_{secrets.token_hex(4)}",
            clock=clock,
            randomness=random.SystemRandom(),
            metrics=metrics,
            checks_in_flight=settings.checks_in_flight,
        )
        self._web = HealthServer(settings.listen, metrics.registry, self._not_ready)

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT, or until something of ours breaks."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        watcher = self._watcher = Watcher(
            self._cluster,
            kubeconfig=self._settings.kubeconfig,
            namespaces=self._settings.namespaces,
            deliver=self._deliverer(loop),
            clock=self._clock.now,
            kinds=WATCHED,
        )
        await self._web.start()
        watcher.start()
        logger.info("the probe of vantage %s is up", self._settings.vantage)
        chores: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            **self._parts.work,
            "looking for what the watch missed": self._compare_again_and_again,
            "the chores": self._do_chores,
            "the heartbeat": Heartbeat(self._metrics.loop_lag.observe, self._worked).run,
        }
        if self._settings.reference_checks:
            chores["the reference checks"] = self._references.watch
        work = [asyncio.create_task(kept_going(what, each)) for what, each in chores.items()]
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([stopped, *work], return_when=asyncio.FIRST_COMPLETED)
            for each in work:
                if each.done():
                    each.result()
        finally:
            loop.run_in_executor(None, watcher.stop, 3.0)
            for task in (*work, stopped):
                task.cancel()
            await asyncio.gather(*work, stopped, return_exceptions=True)
            await self._web.stop()
            self._cluster.close()
            logger.info("stopped")

    def _worked(self, seconds: float) -> None:
        """A turn of the event loop took so many seconds of its own work."""
        self._metrics.loop_work.observe(seconds)
        self._parts.targets.scheduler.felt(seconds)

    def _deliverer(self, loop: asyncio.AbstractEventLoop) -> Callable[[Message], None]:
        def deliver(message: Message) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._parts.take, message)

        return deliver

    async def _compare_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(LISTING_PERIOD - SETTLED_AFTER)
            for look, pause in ((self._watcher.compare_all, SETTLED_AFTER), (self._watcher.settle, 0.0)):
                try:
                    await asyncio.to_thread(look)
                except ClusterError as error:
                    logger.debug("comparing: %s", error)
                await asyncio.sleep(pause)

    async def _do_chores(self) -> None:
        while True:
            await self._parts.do_chores()
            self._metrics.checks_overdue.set(self._parts.targets.scheduler.overdue)
            self._metrics.check_places.set(self._parts.targets.scheduler.places)
            self._metrics.check_stretch.set(self._parts.targets.scheduler.stretch)
            await asyncio.sleep(CHORES_PERIOD)

    async def _check(self, target: Target) -> CheckResult:
        return await run_check(target, guard=self._guard, http=self._prober, clock=self._clock.now)

    async def _resolve(self, hostname: str) -> Resolution:
        return await self._resolver.resolve(hostname)

    def _not_ready(self) -> str | None:
        if Kind.FAILOVER_RECORD not in self._parts.declarations.listed:
            return "FailoverRecords are not listed yet"
        return None if self._parts.writer.is_heard else "its report or its Lease cannot be written: see the log"
