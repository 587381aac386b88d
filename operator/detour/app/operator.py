"""The operator as a process: everything is made here, wired, run, and stopped in order."""

import asyncio
import contextlib
import ipaddress
import logging
import random
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from detour.app import auditfile
from detour.app.assembly import Assembly, Election, Ports
from detour.app.declarations import LISTING_PERIOD, SETTLED_AFTER
from detour.app.garbage import GarbageCollection
from detour.app.heartbeat import Heartbeat
from detour.app.providers import PROVIDERS
from detour.app.settings import Settings
from detour.app.sharding.replica import Sharing
from detour.app.web import HealthServer
from detour.checks.guard import NetworkGuard
from detour.checks.http import HTTPProber
from detour.checks.reference import References
from detour.checks.resolver import Resolution, Resolver
from detour.checks.run import run_check
from detour.enactment.accounts import Accounts
from detour.enactment.keptgoing import kept_going
from detour.enactment.periods import Periods
from detour.enactment.questionbudget import QuestionBudget
from detour.enactment.questions import Questions
from detour.engine.clock import Clock
from detour.engine.clustersite import ClusterSite
from detour.engine.environment import Environment
from detour.engine.metrics import Metrics, StateCollector
from detour.engine.ports import ClusterError
from detour.engine.vantages import OwnVantage
from detour.kube.cluster import Cluster
from detour.kube.kinds import Message
from detour.kube.lease import VANTAGE, heartbeats_in
from detour.kube.watching import Watcher
from detour.model.checks import CheckResult, Elsewhere, ExternalCheck, PrometheusCheck, Target
from detour.model.defects import told
from detour.model.objects import Kind
from detour.model.vantage import SignOfLife
from detour.providers import registry
from detour.providers.endpoints import PermittedEndpoints
from detour.signals.beacons import BeaconServer
from detour.signals.fetching import Fetcher
from detour.signals.reading import SignalReader

logger = logging.getLogger(__name__)

CHORES_PERIOD = 1.0
STOP_WITHIN = 6.0
"""Seconds for the batches in flight at the end; a pod is killed a little later."""

LISTED_WITHIN = 5.0
"""Seconds for which a replica that was elected waits to see what is declared; then it leads on what it knows."""

LAST_WORDS_WITHIN = 1.0
"""Seconds for the last status, and for giving the Lease up."""


class Operator:
    """One operator. Raises ValueError from the constructor where a setting makes no sense."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = Clock()
        self._guard = NetworkGuard.from_text(settings.allow_networks, settings.deny_networks)
        self._resolver = Resolver(settings.resolver)
        self._prober = HTTPProber()
        self._accounts = Accounts(self._clock.now)
        self._metrics = Metrics(CollectorRegistry())
        self._cluster = Cluster(
            settings.kubeconfig,
            on_call=lambda call: self._metrics.kubernetes_requests.labels(call).inc(),
            on_error=lambda call: self._metrics.kubernetes_errors.labels(call).inc(),
        )
        ProcessCollector(registry=self._metrics.registry)
        PlatformCollector(registry=self._metrics.registry)
        GCCollector(registry=self._metrics.registry)
        randomness = random.SystemRandom()
        self._election = Cluster(settings.kubeconfig)  # connections of its own: other calls may be slow to fail
        self._questions = Questions()
        per_day = settings.questions_per_day
        self._questions_per_day = QuestionBudget(per_day, self._clock.now) if per_day else None
        permitted = PermittedEndpoints.from_text(settings.permitted_endpoints)
        environment = Environment(
            owner=settings.owner,
            site=settings.site,
            named_site=ClusterSite(settings.site, self._cluster.namespace_uid),
            dry_run=settings.dry_run,
            clock=self._clock,
            randomness=randomness,
            read_secret=self._cluster.read_secret,
            look_up=self._look_up,
            delegation_of=self._resolver.delegation,
            ask=self._questions.ask,
            budget_of=self._accounts.budget_of,
            providers=replace(PROVIDERS, open_zone=partial(registry.open_zone, permitted=permitted)),
            periods=Periods(audit=settings.audit_every, reading=settings.read_every),
            questions=self._questions_per_day,
            regions_in_service=settings.regions_in_service,
            read_signals_every=settings.read_signals_every,
            takes_reports=settings.reports_listen is not None,
            audit=auditfile.keeper(settings.audit) if settings.audit else None,
            requesters_verified=settings.requesters_verified,
        )
        self._fetcher = Fetcher(self._guard, self._resolver.resolve)
        self._signals = SignalReader(
            self._fetcher,
            feeds=dict(settings.status_feeds),
            servers=settings.prometheus_servers,
            tokens=Path(settings.prometheus_tokens) if settings.prometheus_tokens else None,
        )
        self._references = References(settings.reference_checks, self._clock.now)
        self._parts = Assembly(
            environment,
            Ports(
                self._cluster,
                check=self._check,
                resolve=self._resolve,
                references=self._references.pass_now if settings.reference_checks else None,
                heartbeats=self._heartbeats,
                read_signal=self._signals.read,
            ),
            metrics=self._metrics,
            checks_in_flight=settings.checks_in_flight,
            election=self._stand_for(settings),
            own_vantage=OwnVantage(settings.vantage, checks=not settings.no_checks),
        )
        engine, declarations = self._parts.engine, self._parts.declarations
        leadership = self._parts.elector or self._parts.leadership
        self._metrics.registry.register(
            StateCollector(
                engine.zone_states,
                engine.readiness,
                unread=lambda: declarations.unread,
                vantages=engine.vantages_trusted,
                signals=engine.signals_standing,
                leads=lambda: leadership.leads,
                clock=self._clock.now,
                tallies=engine.tallies,
                phases=engine.region_phases,
                endpoints=engine.endpoints_by_region,
                overrides=engine.overrides.ages,
                record_series=settings.record_series,
            )
        )
        self._web = HealthServer(settings.listen, self._metrics.registry, self._not_ready)

    def _stand_for(self, settings: Settings) -> Election | None:
        if settings.lease is None:
            return None
        namespace, name = settings.lease
        if settings.sharding:
            sharing = Sharing(self._election, divide=self._divide, refresh=self._catch_up)
            return Election(self._election, namespace, name, settings.identity, sharing=sharing)
        return Election(self._election, namespace, name, settings.identity, self._list_before_leading)

    def _divide(self, shares: int) -> None:
        """Go on with one of so many shares of what the installation may use."""
        self._accounts.divide(shares)
        if self._questions_per_day is not None:
            self._questions_per_day.divide(shares)

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
        )
        await self._web.start()
        watcher.start()
        logger.info("operator %r is up%s", self._settings.owner, " (dry run)" if self._settings.dry_run else "")
        chores: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            **self._parts.work,
            "looking for what the watches missed": self._compare_again_and_again,
            "the chores": self._do_chores,
            "the heartbeat": Heartbeat(self._metrics.loop_lag.observe, self._worked).run,
            "collecting garbage": GarbageCollection(self._parts.is_busy).run,
        }
        if self._settings.reports_listen is not None:
            proxies = [ipaddress.ip_network(each) for each in self._settings.reports_proxies]
            beacons = BeaconServer(self._settings.reports_listen, proxies=proxies, report=self._reported)
            chores["taking users' reports"] = beacons.run
        if self._settings.reference_checks:
            chores["the reference checks"] = self._references.watch
        work = [asyncio.create_task(kept_going(what, each)) for what, each in chores.items()]
        stopped = asyncio.create_task(stop.wait())
        try:
            ends: list[asyncio.Future[Any]] = [stopped, self._parts.engine.zones.failure, *work]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for each in (self._parts.engine.zones.failure, *work):
                if each.done():
                    each.result()
        finally:
            await self._end(watcher, [*work, stopped])

    def _worked(self, seconds: float) -> None:
        """A turn of the event loop took so many seconds of its own work."""
        self._metrics.loop_work.observe(seconds)
        self._parts.targets.scheduler.felt(seconds)

    async def _end(self, watcher: Watcher, work: Sequence[asyncio.Task[Any]]) -> None:
        logger.info("stopping: finishing the batches in flight")
        asyncio.get_running_loop().run_in_executor(None, watcher.stop, 3.0)
        for task in work:
            task.cancel()
        try:
            await asyncio.wait_for(self._parts.engine.zones.stop(), STOP_WITHIN)
        except TimeoutError:
            told = "zones were still being read or written after %g s: what is open is settled at the next start"
            logger.warning(told, STOP_WITHIN)
        await self._parts.say_goodbye(LAST_WORDS_WITHIN)
        await self._web.stop()
        await self._fetcher.close()
        self._questions.close()
        self._cluster.close()
        self._election.close()
        logger.info("stopped")

    def _deliverer(self, loop: asyncio.AbstractEventLoop) -> Callable[[Message], None]:
        def deliver(message: Message) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._parts.take, message)

        return deliver

    async def _list_before_leading(self) -> None:
        """See what is declared now, as far as that can be had within a moment."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LISTED_WITHIN):
                await self._list()
                await self._parts.taken()

    async def _catch_up(self) -> None:
        """See what the watches have missed, as far as that can be had within a moment."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LISTED_WITHIN):
                try:
                    await asyncio.to_thread(self._watcher.catch_up)
                except ClusterError as error:
                    logger.debug("catching up: %s", error)
                await self._parts.taken()

    async def _list(self) -> None:
        try:
            await asyncio.to_thread(self._watcher.list_all)
        except ClusterError as error:
            logger.debug("listing: %s", error)

    async def _compare_again_and_again(self) -> None:
        watcher = self._watcher
        while True:
            await asyncio.sleep(LISTING_PERIOD - SETTLED_AFTER)
            for look, pause in ((watcher.compare_all, SETTLED_AFTER), (watcher.settle, 0.0)):
                try:
                    await asyncio.to_thread(look)
                except ClusterError as error:
                    logger.debug("comparing: %s", error)
                await asyncio.sleep(pause)

    async def _do_chores(self) -> None:
        """Read what is neither watched nor listed: ConfigMaps with authorities, labels of namespaces."""
        rounds = 0
        while True:
            for chore in (self._read_bundles, self._read_namespaces, self._try_declarations_again):
                try:
                    await chore(rounds)
                except Exception as error:
                    what = "reading what records and zones refer to"
                    logger.error("%s met an error of Detour's own; it goes on: %s", what, told(error))
            self._metrics.checks_overdue.set(self._parts.targets.scheduler.overdue)
            self._metrics.check_places.set(self._parts.targets.scheduler.places)
            self._metrics.check_stretch.set(self._parts.targets.scheduler.stretch)
            rounds += 1
            await asyncio.sleep(CHORES_PERIOD)

    async def _heartbeats(self) -> Mapping[str, SignOfLife]:
        return heartbeats_in(await self._election.list_leases(self._settings.vantage_leases, VANTAGE))

    async def _read_bundles(self, _: int) -> None:
        if self._parts.declarations.bundles.are_due(self._clock.now()):
            await self._parts.declarations.bundles.refresh(self._clock.now())

    async def _read_namespaces(self, rounds: int) -> None:
        if self._parts.selects_namespaces and rounds % 5 == 0:
            try:
                self._parts.namespaces_listed(await self._cluster.namespace_labels())
            except ClusterError as error:
                logger.debug("namespaces: %s", error)

    async def _try_declarations_again(self, _: int) -> None:
        self._parts.declarations.try_again(self._clock.now())

    def _reported(self, hostname: str, client: int) -> None:
        counts = self._parts.engine.signals.reports.reported(hostname, client)
        self._metrics.user_reports.labels("counted" if counts else "dropped").inc()

    async def _check(self, target: Target) -> CheckResult:
        return await run_check(
            target, guard=self._guard, http=self._prober, clock=self._clock.now, elsewhere=self._ask_elsewhere
        )

    async def _ask_elsewhere(self, check: Elsewhere) -> CheckResult:
        match check:
            case PrometheusCheck():
                return await self._signals.verdict(check)
            case ExternalCheck():
                return self._parts.engine.external.verdict(check)

    async def _resolve(self, hostname: str) -> Resolution:
        return await self._resolver.resolve(hostname)

    async def _look_up(self, hostname: str) -> tuple[str, ...]:
        return (await self._resolver.resolve(hostname)).addresses

    def _not_ready(self) -> str | None:
        missing = [kind for kind in Kind if kind not in self._parts.declarations.listed]
        if not missing:
            return None
        why = {each: told for kind in missing for each, told in self._parts.declarations.unread.get(kind, {}).items()}
        told = "".join(f"; {f'namespace {each}: ' if each else ''}{reason}" for each, reason in why.items())
        return f"not listed yet: {', '.join(kind.title for kind in missing)}{told}"
