"""What the world sees of one zone: each name's answers, the ledger as the name servers show it, and who these are.

What differs is only suspected here. The enactor reads it through the provider's API and decides.
"""

import asyncio
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from detour.checks.resolver import Delegation
from detour.enactment.asking import Answer, NoAnswerError
from detour.enactment.cancellation import is_of_a_library
from detour.enactment.enactor import Enactor
from detour.enactment.keptgoing import kept_going
from detour.enactment.leaving import UNKNOWN_TTL, ParentView
from detour.enactment.questionbudget import QuestionBudget
from detour.enactment.takeover import LOOK_PERIOD
from detour.enactment.verification import Verifier
from detour.enactment.waiting import news_within
from detour.enactment.wishes import WishReport
from detour.engine.environment import Environment
from detour.engine.nameservers import LOOK_UP_RETRY, NameServers
from detour.engine.pictures import LOOKS_TOLD_EVERY
from detour.model.names import canonical, ledger_name
from detour.model.rrset import RRset, RRType
from detour.model.zone import Zone

REFUSED_AT_ONCE = 20
"""Names that are refused to us and looked at again in one audit: somebody may have made room."""


SAMPLED_PER_SECOND = 10.0
"""Names that are looked at by DNS in a second where damage is told of by the zone's own account of changes."""

UNREACHED_TOLD = 3
"""Servers that are named in one message."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the authoritative servers showed of a name last: since when it is right, or how it differs.

    `message` of a name that is right says which servers could not be asked.
    """

    verified_at: float | None
    message: str = ""


@dataclass(frozen=True, slots=True)
class NameShown:
    """All servers show a name as it was written."""

    hostname: str


@dataclass(frozen=True, slots=True)
class NameDiffers:
    """Something else was seen of a name than before."""

    hostname: str


@dataclass(frozen=True, slots=True)
class ServersChanged:
    """The world is sent elsewhere than before, or the servers fell silent, or answer again."""


SightEvent = NameShown | NameDiffers | ServersChanged
SERVERS_CHANGED = ServersChanged()


class ServerWatch:
    """Looks at one zone, and gives out what it sees (`emit`). Implements the verifier's Witness and Pace.

    Who keeps the zone sets its present declaration (`zone`) and its `enactor`, None where none writes, and whether
    somebody pays for each question (`is_billed`).
    """

    def __init__(self, zone: Zone, environment: Environment, *, emit: Callable[[SightEvent], None]) -> None:
        self.zone = zone
        self.enactor: Enactor | None = None
        self.is_billed = False
        self._environment = environment
        self._emit = emit
        self._expected: dict[str, tuple[RRset, ...]] = {}
        self._refused: dict[str, None] = {}
        self._sights: dict[str, Sight] = {}
        self._look_up_again = asyncio.Event()
        self.parent = ParentView(applies=True)  # nothing is known before the first look
        self._own_names: list[str] = []
        self._heard_at: float | None = None  # the last answer of any server, and the first question since without one
        self._unheard_since: float | None = None
        self._told: tuple[bool, int] = (False, 0)  # whether the servers are silent, and when the oldest look was
        self._name_servers = NameServers(
            ask=self._ask, look_up=environment.look_up, delegation_of=environment.delegation_of
        )
        self._verifier = Verifier(
            ask=self._ask,
            clock=environment.clock.now,
            random=environment.randomness.random,
            witness=self,
            pace=self,
            periods=environment.periods,
            is_busy=self._is_being_written,
        )

    def _is_being_written(self) -> bool:
        """Tell whether many names of the zone wait to be written."""
        enactor = self.enactor
        return enactor is not None and enactor.is_busy

    @property
    def delegation(self) -> Delegation | None:
        """Where the world is sent for the zone's domain, None where that is not known."""
        return self._name_servers.delegation

    def sight(self, hostname: str) -> Sight | None:
        """Return what the authoritative servers showed of a name last."""
        return self._sights.get(hostname)

    @property
    def knows_servers(self) -> bool:
        """Tell whether it is known which servers to ask."""
        return bool(self._name_servers.servers)

    async def servers_answer(self) -> bool:
        """Tell whether any of the zone's authoritative servers can be reached from here."""
        return await self._name_servers.any_answers(self.zone.domain)

    async def _ask(self, server: str, name: str, rrtype: str) -> Answer:
        """Ask; a cancellation that the library let escape is no answer."""
        asked_at = self._environment.clock.now()
        if (budget := self._budget) is not None:
            budget.asked()
        try:
            answer = await self._environment.ask(server, name, rrtype)
        except asyncio.CancelledError:
            if not is_of_a_library():
                raise
            raise NoAnswerError(f"the question to {server} for {name} ended as if it had been cancelled") from None
        except NoAnswerError:
            if self._unheard_since is None:
                self._unheard_since = asked_at
            raise
        self._heard_at, self._unheard_since = self._environment.clock.now(), None
        return answer

    @property
    def heard_at(self) -> float | None:
        """When a name server of the zone last answered anything (engine seconds), None where none ever has."""
        return self._heard_at

    @property
    def is_silent(self) -> bool:
        """Tell whether every question to any of the servers has gone without an answer for an audit period."""
        if self._unheard_since is None:
            return False
        return self._environment.clock.now() - self._unheard_since >= self._environment.periods.audit

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers that are asked, as `address:port`."""
        return self._name_servers.servers

    # -- what to look at -------------------------------------------------------------------------------------------

    def expect(self, hostname: str, report: WishReport) -> None:
        """Expect the name to answer as it stands in the zone, where it is as it should be."""
        expected = (*report.published, *([report.marker] if report.marker else []))
        changed = self._expected.get(hostname) != expected
        self._expected[hostname] = expected
        self._count()
        self._refused.pop(hostname, None)
        if changed:
            self._sights[hostname] = Sight(None, "the authoritative servers have not been asked yet")
        present = {each.type for each in report.published}
        absent: Iterable[RRType] = () if RRType.CNAME in present else (RRType.A, RRType.AAAA)
        if not present:
            absent = (*absent, RRType.CNAME)  # a standby waits for whatever the site in force will publish
        self._verifier.watch(hostname, expected, tuple(each for each in absent if each not in present), changed=changed)

    def wrote(self, hostname: str) -> None:
        """The name was just written."""
        self._verifier.wrote(hostname)

    def refused(self, hostname: str) -> None:
        """The name is not ours to write: look now and then whether it has become so."""
        self.forget(hostname)
        self._refused[hostname] = None

    def forget(self, hostname: str) -> None:
        """Expect nothing of the name any more."""
        self._expected.pop(hostname, None)
        self._refused.pop(hostname, None)
        self._sights.pop(hostname, None)
        self._verifier.forget(hostname)
        self._count()

    # -- at what pace ----------------------------------------------------------------------------------------------

    @property
    def _budget(self) -> QuestionBudget | None:
        return self._environment.questions if self.is_billed else None

    def _count(self) -> None:
        if self._environment.questions is not None:
            self._environment.questions.note(self, len(self._expected) if self.is_billed else 0)

    def period(self, names: int) -> float:
        """Return the seconds between two looks at each name.

        Where each question costs money they are what the budget leaves; where the zone's own account of changes tells
        of damage they are a sample.
        """
        enactor, audit = self.enactor, self._environment.periods.audit
        if (budget := self._budget) is not None:
            return max(audit, budget.period)
        if enactor is not None and enactor.hears_of_changes:
            return max(audit, names / SAMPLED_PER_SECOND)
        return audit

    def delay(self) -> float:
        """Return the seconds until the next audit may be made."""
        return self._budget.delay() if self._budget is not None else 0.0

    @property
    def noticed_within(self) -> float:
        """Seconds within which an audit notices damage at any name."""
        return self.period(len(self._expected)) if self.knows_servers and not self.is_silent else math.inf

    @property
    def oldest_look(self) -> float | None:
        """Since when (engine seconds) a name was not looked at that stands as it should; of all such the longest."""
        return self._verifier.oldest_look

    # -- looking ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look until cancelled. What one look breaks by ends no other."""
        where = self.zone.key
        work = (
            ("verification", self._verifier.run),
            ("the search for name servers", self._follow_name_servers),
            ("the watch of another site", self._watch_other_site),
            ("the audit", self._audit),
        )
        await asyncio.gather(*(kept_going(f"{what} of DNSZone {where}", each) for what, each in work))

    async def _follow_name_servers(self) -> None:
        """Tell the verifier whom to ask."""
        while True:
            self._look_up_again.clear()  # whoever asks from now on may have news that this look misses
            enactor, zone, before = self.enactor, self.zone, self.delegation
            assigned = enactor.name_servers if enactor else ()
            try:
                pause = await self._name_servers.refresh(
                    zone.domain, declared=zone.verification_servers, assigned=assigned
                )
            except asyncio.CancelledError:
                if not is_of_a_library():
                    raise
                pause = LOOK_UP_RETRY
            await self._look_at_parent(zone, assigned)
            if self._name_servers.servers:
                self._verifier.use(self._name_servers.servers, self._name_servers.hosts)
            if self.delegation != before:
                self._emit(SERVERS_CHANGED)
            if self._heard_at is None:
                await self.servers_answer()  # whether they can be reached from here counts when nothing else can
            await news_within(self._look_up_again, pause)

    async def _look_at_parent(self, zone: Zone, assigned: tuple[str, ...]) -> None:
        """Keep whether the world is sent to the zone's servers."""
        delegation = self.delegation
        if not assigned:
            return  # the zone is not open yet
        ours = [canonical(each) for each in assigned if ":" not in each]
        if not ours and delegation is not None:  # servers that are named by address: ask them what the zone calls them
            self._own_names = await self._name_servers.own_names(zone.domain) or self._own_names
            if not self._own_names:
                self.parent = replace(self.parent, applies=True, sends_here=None)
                return
        ours = ours or self._own_names
        self.parent = self.parent.seen(
            delegation.name_servers if delegation else None,
            ours=ours,
            ttl=delegation.ttl if delegation else UNKNOWN_TTL,
            now=self._environment.clock.now(),
        )

    def look_up_again(self) -> None:
        """The servers were declared anew, or where the world is sent matters now."""
        self._look_up_again.set()

    async def _watch_other_site(self) -> None:
        """While another site keeps the zone, look at its ledger as the world sees it."""
        site = self._environment.site
        if not site.has_others:
            return
        name = ledger_name(self._environment.owner, self.zone.domain)
        while True:
            enactor = self.enactor
            if enactor is not None and enactor.takeover.watched is not None:
                await self._name_servers.watch_ledger(name, enactor.takeover)
            await asyncio.sleep(min(LOOK_PERIOD, site.renew_every / 4))

    async def _audit(self) -> None:
        """Look, every audit period, at what no name's own audit shows: our ledger, and names that are refused to us.

        Who does not write the zone asks whether its servers answer, to know of a moment at which they do not any more.
        """
        name = ledger_name(self._environment.owner, self.zone.domain)
        while True:
            await asyncio.sleep(self._environment.periods.audit)
            told = (self.is_silent, _told(self.oldest_look))
            if told != self._told:
                self._told = told
                self._emit(SERVERS_CHANGED)
            enactor = self.enactor
            if enactor is None or not enactor.in_force:
                await self.servers_answer()
                continue
            shown = await self._name_servers.shown_ledger(name)
            if shown is not None:
                enactor.ledger_shown(shown[1])
            for hostname in list(self._refused)[:REFUSED_AT_ONCE]:
                del self._refused[hostname]  # it comes back, at the end, if it still is
                enactor.suspect(hostname)

    # -- from the verifier (Witness) -------------------------------------------------------------------------------

    def visible(self, hostname: str, at: float) -> None:
        """Keep since when a name is right."""
        if (enactor := self.enactor) is not None:
            enactor.shown(hostname)
        sight = self._sights.get(hostname)
        if sight is None or sight.verified_at is None:
            self._sights[hostname] = Sight(at, _not_asked(self._verifier.unreached))
            self._emit(NameShown(hostname))

    def differs(self, hostname: str, message: str, *, suspicious: bool) -> None:
        """Keep how a name differs, and have it read through the API where that is not just propagation."""
        if suspicious:
            seen = Sight(None, message)
            if self._sights.get(hostname) != seen:
                self._sights[hostname] = seen
                self._emit(NameDiffers(hostname))
            if (enactor := self.enactor) is not None and self._verifier.look_into(hostname):
                enactor.suspect(hostname)


def _not_asked(unreached: tuple[str, ...]) -> str:
    if not unreached:
        return ""
    rest = len(unreached) - UNREACHED_TOLD
    more = f"; and {rest} more" if rest > 0 else ""
    return f"the servers that can be reached agree; not reached: {'; '.join(unreached[:UNREACHED_TOLD])}{more}"


def _told(oldest_look: float | None) -> int:
    """Return a number that changes as often as people are told of the oldest look."""
    return math.floor((oldest_look or 0.0) / LOOKS_TOLD_EVERY)
