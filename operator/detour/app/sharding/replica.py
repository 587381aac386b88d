"""The parts of one replica that have to do with the others, connected."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from typing import Any

from detour.app.leadership import Elector
from detour.app.sharding.agreement import Agreement
from detour.app.sharding.division import Division, ZoneLeadership
from detour.app.sharding.leasebook import LeaseBook, LeasesStore
from detour.app.sharding.leases import Names, Told
from detour.app.sharding.neighbours import Others, replica_of
from detour.app.sharding.share import Share
from detour.app.sharding.ties import Standing
from detour.engine.clock import Clock
from detour.engine.engine import Engine
from detour.engine.metrics import Metrics
from detour.engine.pictures import ZoneObjectPicture
from detour.engine.ports import Origin
from detour.kube.origins import is_unacted, standing_told_of, zones_told_of
from detour.kube.resources.dnszone_status import TIES_NAMED, TIES_TOLD
from detour.model.health import Verdict
from detour.model.objects import Subject
from detour.model.record import ObjectKey


@dataclass(frozen=True, slots=True)
class Sharing:
    """How a replica divides the zones with others. `divide` takes in how many shares the quotas are divided.

    `refresh` brings what is declared up to date before zones come here.
    """

    store: LeasesStore
    divide: Callable[[int], None]
    refresh: Callable[[], Awaitable[None]] | None = None


class KubernetesStatuses:
    """What the statuses of objects tell of ties between zones. Implements `Statuses`."""

    def zones_in(self, origin: Origin) -> Iterable[ObjectKey]:
        return zones_told_of(origin)

    def standing_in(self, origin: Origin) -> Standing | None:
        found = standing_told_of(origin)
        return None if found is None else Standing(*found)

    def is_unacted(self, origin: Origin) -> bool:
        return is_unacted(origin)


class ReplicaPart:
    """One replica among several, whose `free_names` may leave regions beside the free ones.

    `share` is told what is declared.
    """

    def __init__(
        self,
        sharing: Sharing,
        *,
        elector: Elector,
        engine: Engine,
        namespace: str,
        first: str,
        identity: str,
        clock: Clock,
        metrics: Metrics,
        free_names: float,
        at_once: int,
    ) -> None:
        self._metrics = metrics
        self._elector = elector
        self._clock = clock
        self._engine = engine
        self._divide = sharing.divide
        self.share = Share(engine, statuses=KubernetesStatuses(), on_change=self._wake, at_once=at_once)
        engine.declared_elsewhere = self.share.declared
        self.others = Others()
        self.agreement = Agreement(
            sharing.store,
            namespace=namespace,
            names=Names(first),
            identity=identity,
            clock=clock,
            departures=engine.zones.departures,
            others=self.others,
            free_names=free_names,
            is_first=self._is_first,
        )
        self.division = Division(
            LeaseBook(sharing.store, namespace=namespace, first=first, identity=identity, clock=clock),
            identity=identity,
            others=self.others,
            clock=clock,
            share=self.share,
            agreement=self.agreement,
            elected=self._elected,
            tell=self._tell,
            refresh=sharing.refresh,
            written_out=engine.zones.written_out,
            on_lead=engine.zones_led,
            on_news=self._others_have_changed,
        )

    def leadership_of(self, zone: ObjectKey) -> ZoneLeadership:
        """Return whether this replica writes one zone, now and later."""
        return self.division.leadership_of(zone)

    def leads_for(self, subject: Subject) -> bool:
        """Tell whether this replica writes the status of an object."""
        return self.share.leads(subject)

    def told_of(self, zone: ObjectKey, picture: ZoneObjectPicture) -> ZoneObjectPicture:
        """Return a picture with who writes the zone, and which others with it."""
        ties = self.share.ties.tied_to(zone, TIES_NAMED)[:TIES_TOLD]
        return replace(picture, replica=replica_of(self.division.identity), ties=tuple(ties))

    def was_elected(self) -> None:
        """This replica has come to lead what is of no zone, or does no longer."""
        self.division.elected_another()
        if self._elector.leads:
            self._engine.regions_led()

    @property
    def work(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What runs for as long as the operator does, by what it is."""
        return {
            "dividing the zones": self.division.run,
            "taking the zones over": self.division.settle,
            "agreeing on what may be left": self.agreement.run,
        }

    def _wake(self) -> None:
        self.division.wake()

    def _is_first(self) -> bool:
        return self._elector.leads

    def _elected(self) -> tuple[str | None, bool]:
        return self._elector.holder, self._elector.leads

    def _tell(self) -> Told:
        self._metrics.replicas.set(self.others.replicas)
        self._metrics.zones_without_replica.set(self.division.zones_of_nobody)
        departures = self._engine.zones.departures
        departures.expire(self._clock.now())  # also where no zone is left here that would
        return Told(
            shares=self.others.counted,
            sees=not self._engine.is_blind(),
            managed=departures.managed,
            left=departures.left(),
            namespaces=departures.left_by_namespace(),
            endpoints={
                region: {str(verdict): number for verdict, number in counts.items()}
                for region, counts in self._engine.endpoints_by_region().items()
            },
        )

    def _others_have_changed(self) -> None:
        self._divide(self.others.shares)
        self.agreement.divide()
        told: Iterable[Told] = self.others.told.values()
        self._engine.count_elsewhere(
            {
                region: {verdict: counts[verdict] for verdict in Verdict if counts.get(verdict)}
                for region, counts in each.endpoints.items()
            }
            for each in told
        )
