"""One operator process, with everything that is pure or decides something, and the outside by contract.

Real are the declarations, the engine, its zones with fence, enactor and verifier, the leader election, status and
events. Simulated are what they reach by network: the API server, the DNS providers, the name servers, the endpoints.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import cast

from prometheus_client import CollectorRegistry

from detour.app.assembly import Assembly, Election, Ports
from detour.app.declarations import LISTING_PERIOD, SETTLED_AFTER
from detour.app.leadership import Elector
from detour.app.providers import PROVIDERS
from detour.app.sharding.replica import Sharing
from detour.checks.resolver import Delegation, Resolution, ResolutionOutcome
from detour.enactment.accounts import Accounts
from detour.enactment.asking import Answer, NoAnswerError
from detour.enactment.contract import Pace, Provider, ProviderLimits, Secret
from detour.enactment.periods import Periods
from detour.enactment.questionbudget import QuestionBudget
from detour.enactment.sites import Site
from detour.engine.clock import Clock
from detour.engine.clustersite import ClusterSite
from detour.engine.environment import Environment
from detour.engine.metrics import Metrics
from detour.engine.ports import ClusterError
from detour.kube.catalogue import Catalogue, Finding, Place
from detour.kube.cluster import Cluster
from detour.kube.kinds import DeletionSeen, Message, Missing, Seen
from detour.kube.lease import VANTAGE, heartbeats_in
from detour.model.checks import CheckResult, Target
from detour.model.names import canonical
from detour.model.objects import Kind
from detour.model.rrset import RRKey, RRType
from detour.model.signals import Incident, Incidents, Reading, Source, Unreadable
from detour.model.vantage import SignOfLife
from detour.model.zone import AzureDNSSettings, GoogleCloudDNSSettings, RFC2136Settings, Zone
from detour.providers import registry
from detour.twin.loop import START, VirtualLoop, VirtualProcess
from detour_simulation.apiserver import WALL, ApiServer, Connection, Watch
from detour_simulation.azure import OneByOneProvider
from detour_simulation.canaries import PAGE_EVERY
from detour_simulation.hosted import Parent, hosted_zone, server_of
from detour_simulation.providers import AtomicProvider
from detour_simulation.schedule import Looks
from detour_simulation.weather import Caller, CallFailedError, Network
from detour_simulation.zones import SimulatedZone

WATCH_AGAIN = 1.0
"""Seconds until a watch that ended is begun anew."""

LISTED_WITHIN = 5.0
"""Seconds for which who was elected waits to see what is declared, as the operator does."""

LEASE = ("detour-system", "detour")
APEX_TYPES = ("SOA", "NS")
CHECK_TIME = 0.01
STEPS = ((40, 0.0), (1, 0.0), (2, 0.01))
"""Objects that a process takes in or decides for before others have their turn, and the seconds for that, by the seed.

So a few names take as long as many do in reality, and what others do meanwhile overlaps with that.
"""

QUESTION_TIME = 0.002


class Surroundings:
    """What every process of a run reaches. `failing` are the addresses that do not work, `names` what resolves.

    `parent` is None where nobody can tell where the world is sent.
    """

    def __init__(self, *, loop: VirtualLoop, network: Network, looks: Looks, owner: str) -> None:
        self.loop = loop
        self.network = network
        self.looks = looks
        self.owner = owner
        self.zones: dict[str, SimulatedZone] = {}
        self.failing: set[str] = set()
        self.names: dict[str, tuple[str, ...]] = {}
        self.canaries: dict[str, tuple[str, ...]] = {}  # what the names of regions lead to
        self.spoken_of: dict[str, int] = {}  # by region: how many faults have the status page of its cloud speak of it
        self.page_away = 0  # how many have it unreadable
        self.blind: dict[str, int] = {}
        self.unchecked: dict[str, int] = {}
        self.lying: dict[str, int] = {}  # by vantage: how many faults have it say the contrary of what it sees
        self.inward: dict[str, int] = {}  # by region: how many have the vantages in it, and no others, see it fail
        self.regions_of: dict[str, str] = {}  # by address: the region of its endpoint
        self.clock_errors: dict[str, float] = {}  # by vantage: seconds by which its wall clock is off
        self.parent: Parent | None = None

    async def read_signal(self, source: Source) -> Reading:
        """Return what a source of signals says: the one page that there is."""
        await asyncio.sleep(0.05)
        if self.page_away:
            return Unreadable("HTTP 503")
        spoken_of = frozenset(region for region, faults in self.spoken_of.items() if faults)
        return Incidents((Incident("Increased Error Rates", spoken_of),) if spoken_of else ())

    def leads_to(self, hostname: str) -> tuple[str, ...] | None:
        """Return the addresses of a name, None where there is no such name."""
        return self.names.get(hostname) or self.canaries.get(hostname)

    def fails_for(self, vantage: str, region: str, address: str) -> bool:
        """Tell whether a check from a vantage in `region` (empty: in none) says that an address fails."""
        fails = address in self.failing or bool(region and self._is_inward(region, address))
        return not fails if self.lying.get(vantage) else fails

    def _is_inward(self, region: str, address: str) -> bool:
        return self.inward.get(region, 0) > 0 and self.regions_of.get(address) == region


class Controller:
    """One operator process. It begins with `start` and ends with `crash` or `stop`; a new one is made to start again.

    `rate` is how fast its clock runs, `wall_offset` (seconds) by how much its wall clock is off.
    """

    def __init__(
        self,
        name: str,
        *,
        surroundings: Surroundings,
        server: ApiServer,
        site: Site,
        seed: int,
        rate: float,
        wall_offset: float,
        has_rivals: bool,
        shares_zones: bool = False,
        has_vantages: bool = False,
    ) -> None:
        self.name = name
        self.process = VirtualProcess(name, rate)
        self.wall_offset = wall_offset
        self.elector: Elector | None = None
        self._surroundings = surroundings
        self._loop = surroundings.loop
        self._at_once, self._pause = STEPS[seed % len(STEPS)]
        self._randomness = random.Random(f"{seed} {name}")
        self.caller = Caller(name, random.Random(f"{seed} calls of {name}"), self.crash)
        self._server = server
        self._site = site
        self._has_rivals = has_rivals
        self._shares_zones = shares_zones
        self._has_vantages = has_vantages
        self._watch: Watch | None = None
        self._catalogues = {kind: Catalogue() for kind in Kind}
        self._behind_until = 0.0
        self._work: list[asyncio.Task[None]] = []
        self._is_stopping = False
        self.on_defect: Callable[[BaseException | None], None] = lambda error: None

    @property
    def is_alive(self) -> bool:
        return not self.process.ended

    @property
    def is_blind(self) -> bool:
        """Tell whether every check and every DNS question of this process fails."""
        return self._surroundings.blind.get(self.caller.name, 0) > 0

    @property
    def is_unchecked(self) -> bool:
        """Tell whether every check of this process fails, though its DNS questions do not."""
        return self._surroundings.unchecked.get(self.caller.name, 0) > 0

    @property
    def is_deaf(self) -> bool:
        """Tell whether this process hears nothing of what is declared."""
        return self._watch is None or self._watch.is_deaf

    def fall_behind(self, seconds: float) -> None:
        """Hear nothing of what is declared for so long, as a watch whose connection is dead; lists are answered."""
        self._behind_until = max(self._behind_until, self._loop.now + seconds)
        if self._watch is not None:
            self._watch.is_deaf = True
        self._loop.later(seconds, self._hear_again)

    def catch_up(self) -> None:
        """Hear again of what is declared."""
        self._behind_until = 0.0
        self._hear_again()

    def _hear_again(self) -> None:
        if self._watch is not None and self._watch.is_deaf and self._loop.now >= self._behind_until:
            self._watch.end()

    def lose_watch(self) -> None:
        """Let the connection of its watch break."""
        if self._watch is not None:
            self._watch.end()

    def start(self) -> None:
        """Begin to run."""
        self.process.context.run(self._assemble)

    def crash(self) -> None:
        """End at once, whatever is under way; requests that were sent still land."""
        self._loop.end(self.process)
        self.lose_watch()

    async def stop(self) -> None:
        """End in order, as the operator does on SIGTERM."""
        self._is_stopping = True
        for task in self._work:
            task.cancel()
        try:
            await asyncio.wait_for(self.engine.zones.stop(), 8.0)
            await self.parts.say_goodbye(1.0)
        except TimeoutError:
            pass
        finally:
            self.crash()

    def _assemble(self) -> None:
        around = self._surroundings
        connection = Connection(self._server, self.caller, around.network)
        self.clock = Clock(now=self._loop.time, wall=lambda: WALL + self.wall_offset + self._loop.time() - START)
        self.accounts = Accounts(self.clock.now)
        looks = around.looks
        per_day = looks.questions_per_day
        self._questions = QuestionBudget(per_day, self.clock.now) if per_day else None
        environment = Environment(
            owner=around.owner,
            site=self._site,
            named_site=ClusterSite(self._site, connection.namespace_uid),
            dry_run=False,
            clock=self.clock,
            randomness=self._randomness,
            read_secret=connection.read_secret,
            look_up=_look_up,
            delegation_of=self._delegation_of,
            ask=self._ask,
            budget_of=self.accounts.budget_of,
            providers=replace(PROVIDERS, limits_of=_limits_of, open_zone=self._open_zone),
            periods=Periods(looks.audit, looks.reading, looks.changes),
            questions=self._questions,
            free_departures=0,  # a world of few names: one is as good as eleven
            read_signals_every=PAGE_EVERY,
            regions_in_service=0,  # nor many regions: people may drain all of them
            at_once=self._at_once,
            pause=self._pause,
        )
        election = None
        if self._has_rivals:
            identity = self.name.replace("#", "_")
            refresh = partial(self._refresh, connection)
            sharing = Sharing(connection, divide=self._divide, refresh=refresh) if self._shares_zones else None
            election = Election(connection, *LEASE, identity, None if sharing else refresh, sharing)
        parts = Assembly(
            environment,
            Ports(
                cast(Cluster, connection),
                check=self._check,
                resolve=self._resolve,
                heartbeats=partial(_heartbeats, connection) if self._has_vantages else None,
                read_signal=self._surroundings.read_signal,
            ),
            metrics=Metrics(CollectorRegistry()),
            checks_in_flight=1000,
            election=election,
        )
        self.parts, self.elector, self.engine, self.targets = parts, parts.elector, parts.engine, parts.targets
        self.declarations, self.reporter = parts.declarations, parts.reporter
        follows = (self._follow(connection), self._compare_again_and_again(connection))
        self._work = [asyncio.ensure_future(each) for each in (*(run() for run in parts.work.values()), *follows)]
        for task in (*self._work, self.engine.zones.failure):
            task.add_done_callback(self._ended)

    def _divide(self, shares: int) -> None:
        self.accounts.divide(shares)
        if self._questions is not None:
            self._questions.divide(shares)

    def _ended(self, work: asyncio.Future[None]) -> None:
        """Something that must run for ever has ended: the operator ends with it, and is started again."""
        if not self._is_stopping and self.is_alive:
            self.on_defect(None if work.cancelled() else work.exception())

    # -- declarations ----------------------------------------------------------------------------------------------

    async def _follow(self, connection: Connection) -> None:
        """Watch the API server, beginning anew whenever the connection broke."""
        while True:
            try:
                await self._list(connection)
            except ClusterError:
                await asyncio.sleep(WATCH_AGAIN)
                continue
            ended = asyncio.Event()
            self._watch = Watch(
                self._server,
                partial(self._hand_in, self._take),
                partial(self._hand_in, ended.set),
            )
            for kind in Kind:  # as kopf's own listing does
                for raw in self._server.listed(kind):
                    self._take(Seen(kind, raw))
            await ended.wait()
            await asyncio.sleep(WATCH_AGAIN)

    def _hand_in(self, callback: Callable[..., None], *arguments: object) -> None:
        """Let something that comes from outside happen in this process."""
        self.process.context.run(self._loop.call_soon, callback, *arguments)

    async def _list(self, connection: Connection) -> None:
        async for listed in connection.list_all(self.clock.now):
            self._catalogues[listed.kind].listed(listed.raws, None)
            self._take(listed)

    async def _refresh(self, connection: Connection) -> None:
        with contextlib.suppress(ClusterError, TimeoutError):
            async with asyncio.timeout(LISTED_WITHIN):
                await self._list(connection)
                await self.parts.taken()

    async def _compare_again_and_again(self, connection: Connection) -> None:
        while True:
            await asyncio.sleep(LISTING_PERIOD - SETTLED_AFTER)
            self.parts.declarations.try_again(self.clock.now())
            with contextlib.suppress(ClusterError):
                version = self._server.version  # of what changes while it is listed nothing is said
                async for listed in connection.list_all(self.clock.now):
                    self._catalogues[listed.kind].compare(listed.raws, version=version, namespace=None)
            await asyncio.sleep(SETTLED_AFTER)
            with contextlib.suppress(ClusterError):
                for kind, catalogue in self._catalogues.items():
                    for place in catalogue.take_doubts():
                        await self._settle(connection, kind, catalogue, place)

    async def _settle(self, connection: Connection, kind: Kind, catalogue: Catalogue, place: Place) -> None:
        """Read who differed from what is known, as `Watcher.settle` does."""
        began_at, found = self.clock.now(), None
        try:
            found = await connection.read_object(kind, *place)
        except ClusterError as error:
            if error.status != 404:
                raise
        before = catalogue.at(place)
        finding = catalogue.settle(place, found)
        if finding is Finding.WENT_BACK:
            await self._list(connection)
        elif finding is Finding.MISSED and found is not None:
            self.parts.take(Seen(kind, found))
        elif finding is Finding.GONE and before is not None:
            self.parts.take(Missing(kind, *place, before.uid, began_at))

    def _take(self, message: Message) -> None:
        match message:
            case Seen(kind, raw):
                self._catalogues[kind].seen(raw)
            case DeletionSeen(kind, raw):
                self._catalogues[kind].gone(raw)
            case _:
                pass
        self.parts.take(message)

    # -- what it reaches -------------------------------------------------------------------------------------------

    async def _check(self, target: Target) -> CheckResult:
        self._surroundings.network.steps += 1
        await asyncio.sleep(CHECK_TIME)
        if self.is_blind or self.is_unchecked or self._surroundings.fails_for(self.caller.name, "", target.address):
            return CheckResult(False, "Timeout", "no answer in time", target.timing.timeout)
        return CheckResult(True, "", "", CHECK_TIME)

    async def _resolve(self, hostname: str) -> Resolution:
        await asyncio.sleep(CHECK_TIME)
        return resolved(None if self.is_blind or self.is_unchecked else self._surroundings.leads_to(hostname))

    async def _ask(self, server: str, name: str, rrtype: str) -> Answer:
        if self.is_blind:
            await asyncio.sleep(1.0)
            raise NoAnswerError(f"{server} does not answer")
        zone = self._surroundings.zones[server.partition(":")[0]]

        def answer() -> Answer:
            if rrtype == "NS":
                return Answer((f"{server_of(zone.name)}.",))
            if rrtype not in RRType.__members__:
                return Answer(("the zone's own",)) if rrtype in APEX_TYPES else Answer()
            asked = canonical(name)
            found = zone.shown(RRKey(asked, RRType(rrtype)))
            if found is None and not zone.has_name(asked):  # RFC 4592: who has no name of his own gets the wildcard's
                found = zone.shown(RRKey(f"*.{asked.partition('.')[2]}", RRType(rrtype)))
            return Answer(_presented(found.values, found.type), found.ttl) if found else Answer()

        try:
            return await self._surroundings.network.call(self.caller, f"dns-{zone.name}", answer, latency=QUESTION_TIME)
        except CallFailedError as error:
            raise NoAnswerError(f"{server} does not answer ({error})") from None

    async def _delegation_of(self, domain: str) -> Delegation | None:
        parent = self._surroundings.parent
        return None if parent is None or self.is_blind else parent.delegation()

    async def _open_zone(self, zone: Zone, *, secret: Secret | None, pace: Pace) -> Provider:
        around = self._surroundings
        limits = registry.limits_for(zone)
        simulated = around.zones[hosted_zone(zone.key.name)]
        if isinstance(zone.settings, AzureDNSSettings):
            return OneByOneProvider(
                simulated,
                domain=zone.domain,
                settings=zone.settings,
                limits=limits,
                pace=pace,
                caller=self.caller,
                network=around.network,
                loop=self._loop,
            )
        return AtomicProvider(
            simulated,
            limits=limits,
            pace=pace,
            caller=self.caller,
            network=around.network,
            loop=self._loop,
            snapshot=isinstance(zone.settings, RFC2136Settings),
            keeps_account=isinstance(zone.settings, RFC2136Settings | GoogleCloudDNSSettings),
            secret=secret,
        )


def _presented(values: tuple[str, ...], rrtype: RRType) -> tuple[str, ...]:
    """Return values as a name server shows them."""
    if rrtype is RRType.TXT:
        return tuple(f'"{value}"' for value in values)
    return tuple(f"{value}." for value in values) if rrtype is RRType.CNAME else values


def resolved(addresses: tuple[str, ...] | None) -> Resolution:
    """Return what a resolver says of a name that leads to these addresses, None where it says nothing."""
    if addresses is None:
        return Resolution(ResolutionOutcome.FAILED, (), 5.0, message="SERVFAIL")
    return Resolution(ResolutionOutcome.ANSWERED if addresses else ResolutionOutcome.NO_ADDRESSES, addresses, 5.0)


async def _heartbeats(connection: Connection) -> Mapping[str, SignOfLife]:
    return heartbeats_in(await connection.list_leases(LEASE[0], VANTAGE))


async def _limits_of(zone: Zone) -> ProviderLimits:
    return registry.limits_for(zone)


async def _look_up(hostname: str) -> tuple[str, ...]:
    return (hostname,)
