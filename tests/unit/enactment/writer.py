"""An enactor at work on a zone in memory, with somebody who writes down what it says."""

import asyncio
import itertools
from collections.abc import Callable

from detour.enactment.budget import Budget, ZoneBudget
from detour.enactment.contract import ProviderLimits
from detour.enactment.enactor import Enactor, EnactorSettings
from detour.enactment.events import Applied, EnactorEvent, Incident, RecordChanged, Removed, StandingChanged
from detour.enactment.fence import Fence
from detour.enactment.leadership import SOLE_LEADER, Leadership
from detour.enactment.ledger import Ledger, parse_ledger
from detour.enactment.markers import Marker
from detour.enactment.sites import Site
from detour.enactment.wishes import Explanation, NameChange, Wish, WishReport
from detour.model.generation import NEVER, Generation
from detour.model.names import ledger_name
from detour.model.record import ObjectKey
from detour.model.rrset import RRKey, RRset, RRType, address_sets
from detour.model.withdrawal import Withdrawal
from detour.twin.virtualtime import until
from detour_simulation.memoryzone import NO_QUOTA, MemoryProvider, MemoryZone

DOMAIN = "example.org"
OWNER = "production"
SITE = "here"
LEDGER = RRKey(ledger_name(OWNER, DOMAIN), RRType.TXT)
API = f"api.{DOMAIN}"
ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
SIX = "2001:db8::1"

_claims = itertools.count(1)


def key(name: str) -> ObjectKey:
    """Return the key of a record in the namespace `shop`."""
    return ObjectKey("shop", name)


def wish(name: str, *values: str, created: float = 1.0, **changes: object) -> Wish:
    """Return a wish of record `name` for the hostname of that label; a value with letters is a CNAME's target."""
    hostname = f"{name}.{DOMAIN}"
    if values and not values[0][0].isdigit():
        sets: tuple[RRset, ...] | None = (RRset(hostname, RRType.CNAME, 30, values),)
    else:
        sets = address_sets(hostname, 30, values) or None
    given = {"record": key(name), "uid": f"uid-{name}", "hostname": hostname, "sets": sets, "created": created}
    return Wish(**{**given, **changes})  # type: ignore[arg-type]  # the fields are checked by the tests' use


def a_set(hostname: str, *values: str, ttl: int = 30) -> RRset:
    """Return an A set."""
    return RRset(hostname, RRType.A, ttl, values)


def marker_of(name: str, *, owner: str = OWNER, uid: str | None = None) -> RRset:
    """Return the marker of record `name` at the hostname of that label."""
    return Marker(owner, key(name), uid or f"uid-{name}").rrset(f"{name}.{DOMAIN}")


def a_ledger(epoch: int, sequence: int = 0, *, site: str = SITE, claim: str = "feed", renew: int = 0) -> RRset:
    """Return a ledger that somebody else wrote; with `renew` that one moves it on every so many seconds."""
    return Ledger(site, claim, Generation(epoch, sequence), renew).rrset(OWNER, DOMAIN)


class Notes:
    """Writes down what an enactor says. `most_in_a_turn` is how many records one turn of the event loop told of."""

    def __init__(self) -> None:
        self.records: list[ObjectKey] = []
        self.most_in_a_turn = self._in_this_turn = 0
        self.zone_news = 0
        self.accepted_changes: list[NameChange] = []
        self.withdrawals: list[Withdrawal] = []
        self.incidents: list[Explanation] = []

    def take(self, event: EnactorEvent) -> None:
        match event:
            case RecordChanged(record):
                self.record_changed(record)
            case StandingChanged():
                self.zone_news += 1
            case Applied(change):
                self.accepted_changes.append(change)
            case Removed(withdrawal):
                self.withdrawals.append(withdrawal)
            case Incident(what):
                self.incidents.append(what)

    def record_changed(self, record: ObjectKey) -> None:
        self.records.append(record)
        if not self._in_this_turn:
            asyncio.get_running_loop().call_soon(self._turn)
        self._in_this_turn += 1

    def _turn(self) -> None:
        self.most_in_a_turn = max(self.most_in_a_turn, self._in_this_turn)
        self._in_this_turn = 0


class Writer:
    """An enactor with its provider, running as a task of its own."""

    def __init__(
        self,
        zone: MemoryZone | None = None,
        *,
        limits: ProviderLimits = NO_QUOTA,
        budget: Budget | None = None,
        site: str | Site = SITE,
        known: Generation = NEVER,
        dry_run: bool = False,
        leadership: Leadership = SOLE_LEADER,
        provider: type[MemoryProvider] = MemoryProvider,
    ) -> None:
        site = Site(site) if isinstance(site, str) else site
        clock = asyncio.get_running_loop().time
        self.zone = zone if zone is not None else MemoryZone(versions=not limits.atomic)
        self.provider = provider(self.zone, limits)
        self.notes = Notes()
        self.budget = budget or Budget(limits, clock)
        self.fence = Fence(
            owner=OWNER,
            domain=DOMAIN,
            site=site.name,
            renew=round(site.renew_every),
            known=known,
            random_claim=lambda: f"{next(_claims):016x}",
        )
        self.zone_budget = ZoneBudget(self.budget, limits)
        self.enactor = Enactor(
            EnactorSettings(OWNER, DOMAIN, site, dry_run=dry_run),
            provider=self.provider,
            budget=self.zone_budget,
            fence=self.fence,
            leadership=leadership,
            clock=clock,
            random=lambda: 0.5,
            emit=self.notes.take,
        )
        self.task = asyncio.create_task(self.enactor.run())

    def want(self, *wishes: Wish) -> None:
        """Hand in wishes; their names must never go without an answer from now on."""
        for each in wishes:
            self.zone.guarded.add(each.hostname)
            self.enactor.want(each)

    def report(self, name: str) -> WishReport:
        """Return how a record stands."""
        report = self.enactor.report(key(name))
        assert report is not None
        return report

    def in_sync(self, *names: str) -> bool:
        """Tell whether these records stand as wished."""
        return all((report := self.enactor.report(key(name))) and report.in_sync for name in names)

    def refusal(self, name: str) -> str | None:
        """Return the reason of a record's refusal."""
        report = self.enactor.report(key(name))
        return report.refusal.reason if report and report.refusal else None

    @property
    def ledger(self) -> Ledger:
        """The ledger in the zone, which must be there."""
        found = parse_ledger(self.zone.rrset(LEDGER))
        assert found is not None
        return found

    async def until(self, condition: Callable[[], object], within: float = 30.0) -> float:
        """Wait until `condition` holds, and return the (virtual) seconds that took."""
        took = await until(lambda: self.task.done() or condition(), within)
        if self.task.done():
            await self.task
            raise AssertionError("the enactor has ended")
        return took

    async def settled(self, *names: str, within: float = 30.0) -> float:
        """Wait until these records stand as wished."""
        return await self.until(lambda: self.in_sync(*names), within)

    async def publish(self, *wishes: Wish) -> None:
        """Want and wait until it is so."""
        self.want(*wishes)
        await self.settled(*(each.record.name for each in wishes))

    async def stop(self, within: float = 10.0) -> None:
        """Stop the enactor as the operator does."""
        self.enactor.stop()
        await asyncio.wait_for(self.task, within)
