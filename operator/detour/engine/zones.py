"""All DNSZones: each gets a keeper, but of several that stand for the same zone only one is written (see `twins`).

Which zone a DNSZone stands for is what its provider says: not how the object spells it, nor with which credentials.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, replace

from detour.enactment.capacity import nearly_full
from detour.enactment.keptgoing import kept_going
from detour.enactment.wishes import Explanation, ZoneReport
from detour.engine.environment import Environment
from detour.engine.inbox import DeparturesChanged, Inbox, RegionsAgreed, WrittenOtherwise
from detour.engine.metrics import ZoneState
from detour.engine.pictures import ZoneObjectPicture
from detour.engine.ports import Origin
from detour.engine.twins import Twins
from detour.engine.zonekeeper import DUPLICATE_ZONE, Identity, ZoneKeeper
from detour.model.generation import NEVER
from detour.model.memory import DNSZoneMemory
from detour.model.names import canonical
from detour.model.objects import Subject
from detour.model.record import ObjectKey
from detour.model.withdrawal import Withdrawal
from detour.model.zone import NamespacesFrom, Zone
from detour.planning.safety.departures import Departures
from detour.planning.safety.held import Holds

logger = logging.getLogger(__name__)

NEGATIVE_TTL_WARNING = 60
"""Seconds. Resolvers that keep an empty answer longer make every mistake of anybody last longer (RFC 2308)."""


@dataclass(slots=True)
class _Declared:
    subject: Subject
    zone: Zone
    origin: Origin


class Zones:
    """Starts and stops the keepers.

    `keepers` has the one of each DNSZone, `serving` the one that writes for it: another one's, where both stand for
    the same zone.
    """

    def __init__(
        self,
        environment: Environment,
        inbox: Inbox,
        *,
        record_exists: Callable[[ObjectKey], bool],
        memory_of: Callable[[Origin], DNSZoneMemory],
    ) -> None:
        self.keepers: dict[ObjectKey, ZoneKeeper] = {}
        self.serving: dict[ObjectKey, ZoneKeeper] = {}
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._environment = environment
        self._provider_of = environment.providers.name_of
        self._inbox = inbox
        self._record_exists = record_exists
        self._memory_of = memory_of
        self._declared: dict[ObjectKey, _Declared] = {}
        self._frozen_by: dict[ObjectKey, str] = {}
        self.departures = Departures(environment.free_departures, on_change=self._departures_changed)
        self.departures.on_agreed = self._regions_agreed
        self._twins = Twins(environment.clock.now)
        self._deleted: dict[ObjectKey, tuple[int, float]] = {}  # of DNSZones that are gone: deletions, and the last
        self._had_worked: set[ObjectKey] = set()  # before this process began, by their status
        self._tasks: dict[asyncio.Task[None], ZoneKeeper] = {}

    def declare(self, subject: Subject, zone: Zone, origin: Origin) -> None:
        """A DNSZone is new or changed."""
        frozen_by = self._frozen_by.get(zone.key)
        if frozen_by is not None:
            zone = replace(zone, safety=replace(zone.safety, frozen=True, frozen_by=frozen_by))
        declared = self._declared[zone.key] = _Declared(subject, zone, origin)
        if keeper := self.keepers.get(zone.key):
            keeper.update(zone)
        else:
            self._start(declared)

    def freeze(self, key: ObjectKey, by: str | None) -> None:
        """A person has a DNSZone frozen by an override, told of in `by`; None: nobody has. It counts once declared."""
        if by is None:
            self._frozen_by.pop(key, None)
        else:
            self._frozen_by[key] = by

    def remove(self, key: ObjectKey) -> ObjectKey | None:
        """A DNSZone is gone: nothing more is written there, nothing is removed.

        Return the DNSZone that stands for the same zone and is asked to remove what was to go there, if there is one.
        """
        self._declared.pop(key, None)
        self._had_worked.discard(key)
        self._note_work([key])
        first, heirs = self._twins.first_for(key), self._twins.of(key)
        left: list[Withdrawal] = []
        if keeper := self.keepers.pop(key, None):
            self._deleted[key] = keeper.deletions_made()
            left = keeper.give_up()
            keeper.stop()
        self.serving.pop(key, None)
        if self._twins.remove(key):
            self._look_for_twins()
        if first != key:
            return first
        if not heirs:
            return None
        self._hand_on(left, self._deleted.pop(key, (0, 0.0)), self.serving[heirs[0]])
        return heirs[0]

    def taken_over(self, key: ObjectKey) -> Origin:
        """A person's command to take the zone over was acted upon; return the object that bears it."""
        found = self._declared[key]
        self._declared[key] = replace(found, zone=replace(found.zone, take_over_now=False))
        if keeper := self.keepers.get(key):
            keeper.update(self._declared[key].zone)
        return found.origin

    def declared(self, key: ObjectKey) -> Zone | None:
        """Return a DNSZone as declared."""
        found = self._declared.get(key)
        return found.zone if found else None

    def twin_of(self, key: ObjectKey) -> Explanation | None:
        """Return why a DNSZone does not count beside one that came first for the same zone, or None where it does."""
        first = self._twins.first_for(key)
        if first == key:
            return None
        return Explanation(
            DUPLICATE_ZONE,
            f"DNSZone {first}, which came first, stands for the same zone at the same provider, and is written for "
            f"both where it permits the record's namespace: use that one, and delete {key}",
        )

    def written_as(self, key: ObjectKey) -> ObjectKey:
        """Return the DNSZone that is written for `key`: another one, where both stand for the same zone."""
        return self._twins.first_for(key)

    def names_of(self, key: ObjectKey) -> list[ObjectKey]:
        """Return every DNSZone for which `key` is written."""
        return [key, *self._twins.of(key)]

    def namesakes_of(self, key: ObjectKey) -> list[ObjectKey]:
        """Return the other DNSZones that are known to stand for the same zone at the same provider."""
        return self._twins.namesakes_of(key)

    def subject(self, key: ObjectKey) -> Subject | None:
        """Return the object of a DNSZone."""
        found = self._declared.get(key)
        return found.subject if found else None

    @property
    def selects_namespaces(self) -> bool:
        """Tell whether any zone needs the labels of namespaces."""
        return any(each.zone.allowed.source is NamespacesFrom.SELECTOR for each in self._declared.values())

    def picture(self, key: ObjectKey) -> ZoneObjectPicture | None:
        """Return what there is to tell of a DNSZone."""
        found = self._declared.get(key)
        if found is None:
            return None
        report, keeper = self._report(key), self.keepers.get(key)
        return ZoneObjectPicture(
            zone=found.zone,
            provider=self._provider_of(found.zone.settings),
            report=report,
            warnings=(*_silence(keeper), *_warnings(report), *self._delegation_warnings(found.zone, report)),
            holds=self._on_the_wall(keeper.gate.holds()) if keeper else Holds(),
            evacuated=tuple(
                (region, names, self._environment.clock.on_the_wall(at))
                for region, (names, at) in sorted(keeper.gate.evacuated().items() if keeper else ())
            ),
            deleted=self._deletions_on_the_wall(keeper),
            oldest_look=report.oldest_look and self._environment.clock.on_the_wall(report.oldest_look),
        )

    def _deletions_on_the_wall(self, keeper: ZoneKeeper | None) -> tuple[int, float] | None:
        names, at = keeper.deletions_made() if keeper is not None else (0, 0.0)
        return (names, self._environment.clock.on_the_wall(at)) if names else None

    def _on_the_wall(self, holds: Holds) -> Holds:
        """Return what is held with the time that a person's clock shows."""
        if holds.blocked is None:
            return holds
        until = self._environment.clock.on_the_wall(holds.blocked.until) if holds.blocked.until else 0.0
        return replace(holds, blocked=replace(holds.blocked, until=until))

    def states(self) -> Iterable[ZoneState]:
        """Give the state of every zone, for metrics."""
        for key, each in self._declared.items():
            keeper = self.keepers.get(key)
            yield (
                key,
                self._provider_of(each.zone.settings),
                self._report(key),
                keeper.tally if keeper else None,
            )

    def leadership_changed(self) -> None:
        """This process leads now, or does no longer."""
        self.led(self.keepers)

    def led(self, zones: Iterable[ObjectKey]) -> None:
        """This process writes these DNSZones now, or does no longer."""
        for zone in zones:
            if keeper := self.keepers.get(zone):
                keeper.leadership_changed()

    async def written_out(self, zones: Container[ObjectKey]) -> None:
        """Wait until nothing is on its way any more to DNSZones that are not kept here any more."""
        kept = set(self.keepers.values())
        ending = [task for task, each in self._tasks.items() if each.zone.key in zones and each not in kept]
        if ending:
            await asyncio.wait(ending)

    async def stop(self) -> None:
        """Let every keeper finish the batch in flight."""
        for keeper in self._tasks.values():
            keeper.stop()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _report(self, key: ObjectKey) -> ZoneReport:
        if keeper := self.keepers.get(key):
            return keeper.zone_report()
        return ZoneReport(ready=False, trouble=self.twin_of(key))

    def _delegation_warnings(self, zone: Zone, report: ZoneReport) -> Iterable[Explanation]:
        """Say where the world is sent elsewhere, or to several providers that do not sign alike.

        Only what a resolver positively knows counts, and only servers that the provider names by host.
        """
        keeper = self.keepers.get(zone.key)
        delegation = keeper.delegation if keeper else None
        if delegation is None:
            return
        assigned = {canonical(each) for each in report.name_servers if ":" not in each}
        if assigned and not assigned.intersection(delegation.name_servers):
            yield Explanation(
                "NotDelegated",
                f"the world is sent to {', '.join(delegation.name_servers[:4])} for {zone.domain}, and to none of the "
                f"servers of this zone ({', '.join(sorted(assigned)[:4])}): correct the delegation at the parent",
            )
        others = [each for each in self._declared.values() if each.zone.domain == zone.domain and each.zone != zone]
        if delegation.is_signed and others:
            yield Explanation(
                "SignedAtSeveral",
                f"{zone.domain} is signed with DNSSEC and kept at {len(others) + 1} providers: resolvers that validate "
                "need all of them to sign with keys known to each (RFC 8901)",
            )

    def _departures_changed(self) -> None:
        self._inbox.put(DeparturesChanged())

    def _regions_agreed(self) -> None:
        self._inbox.put(RegionsAgreed())

    def _start(self, declared: _Declared) -> None:
        memory = self._memory_of(declared.origin)
        if memory.generation != NEVER:
            self._had_worked.add(declared.zone.key)
        keeper = ZoneKeeper(
            declared.zone,
            self._environment,
            self._inbox,
            known=memory.generation,
            departures=self.departures,
            record_exists=self._record_exists,
            admit=self._admit,
        )
        self.keepers[declared.zone.key] = self.serving[declared.zone.key] = keeper
        self._remember(memory, keeper)
        keeper.gate.deletions.remember(*self._deleted.pop(declared.zone.key, (0, 0.0)))
        task = asyncio.create_task(kept_going(f"the keeper of DNSZone {declared.zone.key}", keeper.run))
        self._tasks[task] = keeper
        task.add_done_callback(self._ended)

    def _admit(self, key: ObjectKey, identity: Identity | None) -> Explanation | None:
        """Take note of which zone a DNSZone stands for; return why it is not to be written, where another one is."""
        self._note_work([key])
        if key in self._declared and self._twins.stands_for(key, identity):
            if key in self._had_worked and identity is not None:
                self._had_worked.discard(key)  # after an hour without work that counts no more
                self._twins.at_work(key, since=-math.inf)
            self._look_for_twins()
        return self.twin_of(key)

    def _note_work(self, keys: Iterable[ObjectKey]) -> None:
        """Take note of which of these DNSZones are at work."""
        for key in keys:
            if (keeper := self.keepers.get(key)) is not None and keeper.in_force:
                self._twins.at_work(key)

    def _look_for_twins(self) -> None:
        """See to it that of the DNSZones that stand for one zone at a provider only the first is written."""
        self._note_work(self._twins.namesakes)
        changed = self._twins.look(lambda key: self._declared[key].origin.created)
        before = {key: self.serving[key] for key in changed if key in self.serving}
        for key in changed:
            if (own := self.keepers.get(key)) is not None:
                self.serving[key] = self.keepers.get(self.written_as(key), own)
        for key in changed:
            if keeper := self.keepers.get(key):
                if self.serving[key] is not keeper:
                    made = keeper.deletions_made()
                    self._hand_on(keeper.give_up(), made, self.serving[key])
                keeper.look_at_twins()
        if changed:
            self._inbox.put(WrittenOtherwise(before))

    def _hand_on(self, left: Iterable[Withdrawal], made: tuple[int, float], heir: ZoneKeeper) -> None:
        heir.gate.deletions.remember(*made)
        for withdrawal in left:
            heir.withdraw(withdrawal)

    def recall(self, subject: Subject, origin: Origin) -> None:
        """Go on from what the leader before us wrote on a DNSZone."""
        if keeper := self.keepers.get(subject.key):
            memory = self._memory_of(origin)
            self._remember(memory, keeper)
            keeper.gate.begin_term()
            if memory.generation != NEVER:
                self._twins.at_work(subject.key)

    def all_recalled(self) -> None:
        """What the leader before us wrote is known: who came first under it still does."""
        self._look_for_twins()

    def _remember(self, memory: DNSZoneMemory, keeper: ZoneKeeper) -> None:
        """Count what the leader before us wrote of regions that names have left, and of names that it deleted."""
        if memory.deletions is not None:
            names, at = memory.deletions
            keeper.gate.deletions.remember(names, self._environment.clock.from_the_wall(at))
        for region, names, at in memory.evacuations:
            self.departures.remember(region, names, self._environment.clock.from_the_wall(at))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) and not self.failure.done():
            self.failure.set_exception(error)


def _silence(keeper: ZoneKeeper | None) -> Iterable[Explanation]:
    """Say that the name servers do not answer from here: before everything else seems to fail too."""
    if keeper is None or not keeper.server_watch.is_silent:
        return
    servers = ", ".join(keeper.server_watch.servers[:4])
    yield Explanation(
        "NameServersSilent",
        f"none of this zone's name servers ({servers}) answers from here: permit UDP and TCP to port 53, or name "
        "servers that can be reached in spec.verification.nameServers; until then what is published cannot be "
        "verified, and these servers are no reference checks",
    )


def _warnings(report: ZoneReport) -> tuple[Explanation, ...]:
    found = []
    if report.negative_ttl is not None and report.negative_ttl > NEGATIVE_TTL_WARNING:
        found.append(
            Explanation(
                "LongNegativeTTL",
                f"resolvers keep an empty answer of this zone for {report.negative_ttl} s (RFC 2308): lower the SOA's "
                f"minimum to {NEGATIVE_TTL_WARNING} s or less",
            )
        )
    if report.standby is not None:
        found += _differences(report)
    if (full := nearly_full(report.sets, report.sets_limit)) is not None:
        found.append(full)
    if report.orphans and not report.standby:
        shown = ", ".join(report.orphans[:3])
        found.append(
            Explanation(
                "OrphanedNames",
                f"{len(report.orphans)} names were published by records that are gone ({shown}): declare them again "
                "under the same name, or delete the names and their markers by hand",
            )
        )
    return tuple(found)


def _differences(report: ZoneReport) -> list[Explanation]:
    """Say which names the site in force has and this one has not, and the other way round."""
    sides = (
        (report.orphans, f"{len(report.orphans)} names of site {report.site!r}, in force here, are not declared here"),
        (report.missing, f"{len(report.missing)} names declared here are not published by site {report.site!r}"),
    )
    cure = "give both clusters the same FailoverRecords, or each an owner of its own"
    return [
        Explanation("DeclarationsDiffer", f"{told} ({', '.join(names[:3])}): {cure}") for names, told in sides if names
    ]
