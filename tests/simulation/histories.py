"""Histories written by hand, in a few words."""

from collections.abc import Sequence
from dataclasses import replace

from detour.enactment.ledger import Ledger
from detour.enactment.markers import Marker
from detour.model.checks import CheckTiming, TCPCheck
from detour.model.endpoint import Endpoint
from detour.model.generation import Generation
from detour.model.record import DeletionPolicy, Failback, FailbackMode, ObjectKey, Publish, Record, WhenAllUnhealthy
from detour.model.rrset import RRKey, RRset, RRType
from detour_simulation.history import (
    OUTSIDER,
    Declared,
    Event,
    HealthChanged,
    History,
    SetChange,
    Terms,
    Violation,
    ZoneChanged,
    ZoneRead,
)
from detour_simulation.invariants import INVARIANTS

DOMAIN = "example.org"
OWNER = "production"
API = f"api.{DOMAIN}"
ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
KEY = ObjectKey("shop", "api")
ZONE = "route53-1"
AZURE = "azuredns-1"


class Story:
    """A history that is told event by event; `a1` and `a2` are controllers of site a, `b1` of site b."""

    def __init__(self, **terms: object) -> None:
        sites = {"a1": "a", "a2": "a", "b1": "b"}
        known = Terms(owner=OWNER, domain=DOMAIN, sites=sites, one_by_one=frozenset({AZURE}))
        self.history = History(replace(known, **terms))  # type: ignore[arg-type]  # the fields are checked by their use
        self.sets: dict[tuple[str, RRKey], RRset] = {}
        self.ledgers: dict[str, Ledger] = {}

    def tell(self, *events: Event) -> "Story":
        """Add events."""
        for each in events:
            self.history.add(each)
        return self

    def declare(
        self, record: Record | None = None, *, at: float = 0.0, uid: str = "u-1", observed: bool = True
    ) -> "Story":
        """Declare a record, or its deletion."""
        key = record.key if record else KEY
        return self.tell(Declared(at=at, site="a", key=key, uid=uid, record=record, observed=observed))

    def fail(self, *addresses: str, at: float, works: bool = False) -> "Story":
        """Let addresses fail, or work again."""
        return self.tell(*(HealthChanged(at=at, address=each, works=works) for each in addresses))

    def read(self, *, at: float, by: str = "a1", zone: str = ZONE) -> "Story":
        """Let a controller have read the zone."""
        return self.tell(ZoneRead(at=at, zone=zone, by=by, began_at=at))

    def claim(
        self, at: float, *, by: str = "a1", epoch: int = 1, claim: str = "", site: str = "a", zone: str = ZONE
    ) -> "Story":
        """Let a controller claim the zone."""
        ledger = Ledger(site, claim or f"{by}{epoch}".encode().hex(), Generation(epoch, 0), 5)
        return self._write(at, by, zone, [], ledger=ledger, sent_at=at)

    def write(
        self,
        at: float,
        *rrsets: RRset | RRKey,
        by: str = "a1",
        zone: str = ZONE,
        sent_at: float | None = None,
        ledger: Ledger | None = None,
        moves_ledger: bool = True,
    ) -> "Story":
        """Let a controller write sets, or delete those of which only the key is given, with the next generation."""
        held = ledger or self.ledgers[zone]
        moved = ledger or replace(held, generation=Generation(held.generation.epoch, held.generation.sequence + 1))
        sent = at if sent_at is None else sent_at
        return self._write(at, by, zone, rrsets, ledger=moved, sent_at=sent, moves_ledger=moves_ledger)

    def tamper(self, at: float, *rrsets: RRset | RRKey, zone: str = ZONE, damage: bool = True) -> "Story":
        """Let an outsider write or delete sets."""
        changes = self._changes(zone, rrsets)
        return self.tell(ZoneChanged(at=at, zone=zone, by=OUTSIDER, changes=changes, damage=damage))

    def _write(
        self,
        at: float,
        by: str,
        zone: str,
        rrsets: Sequence[RRset | RRKey],
        *,
        ledger: Ledger,
        sent_at: float,
        moves_ledger: bool = True,
    ) -> "Story":
        written = [ledger.rrset(OWNER, DOMAIN), *rrsets] if moves_ledger else rrsets
        if moves_ledger:
            self.ledgers[zone] = ledger
        changes = self._changes(zone, written)
        return self.tell(ZoneChanged(at=at, zone=zone, by=by, changes=changes, ledger=ledger, sent_at=sent_at))

    def _changes(self, zone: str, rrsets: Sequence[RRset | RRKey]) -> tuple[SetChange, ...]:
        changes = []
        for each in rrsets:
            key = each.key if isinstance(each, RRset) else each
            after = each if isinstance(each, RRset) else None
            changes.append(SetChange(key=key, before=self.sets.get((zone, key)), after=after))
            if after is None:
                self.sets.pop((zone, key), None)
            else:
                self.sets[zone, key] = after
        return tuple(changes)

    def violations(self, invariant: str) -> list[Violation]:
        """Return what an invariant has to say."""
        return list(INVARIANTS[invariant](self.history))


def record(*endpoints: Endpoint, hostname: str = API, adopt: bool = False, **changes: object) -> Record:
    """Return a FailoverRecord of two endpoints in two regions."""
    made = Record(
        key=KEY,
        uid="u-1",
        created=0.0,
        generation=1,
        hostname=hostname,
        zones=(ObjectKey("shop", ZONE),),
        ttl=30,
        publish=Publish.ADDRESS,
        endpoints=endpoints or (endpoint("one", ONE), endpoint("two", TWO, region="azure-westeurope", priority=2)),
        probe=TCPCheck(443),
        timing=CheckTiming(6.0, 1.0, 1.0, 2, 2),
        deletion_policy=DeletionPolicy.DELETE,
        failback=Failback(FailbackMode.AUTOMATIC, 10.0),
        when_all_unhealthy=WhenAllUnhealthy.KEEP_LAST,
        adopt=adopt,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the fields are checked by their use


def endpoint(name: str, *addresses: str, region: str = "aws-us-east-1", priority: int = 1) -> Endpoint:
    """Return an endpoint."""
    return Endpoint(name=name, region=region, addresses=addresses, priority=priority)


def a_set(*values: str, hostname: str = API, ttl: int = 30) -> RRset:
    """Return an A set."""
    return RRset(hostname, RRType.A, ttl, values)


def marker(owner: str = OWNER, *, hostname: str = API, uid: str = "u-1") -> RRset:
    """Return a marker."""
    return Marker(owner, KEY, uid).rrset(hostname)
