"""What happened in a run, in order: the one thing that the invariants look at.

An event says what was changed, when and by whom, in words of the field. Nothing here knows how it came about, so a test
can write a history by hand, also one that the product would never make.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from detour.enactment.ledger import Ledger
from detour.model.record import ObjectKey, Record
from detour.model.rrset import RRKey, RRset
from detour_simulation.schedule import Fault

OUTSIDER = "outsider"
"""Who changes a zone without being one of our controllers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetChange:
    """One RRset before and after."""

    key: RRKey
    before: RRset | None
    after: RRset | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneChanged:
    """These sets changed in one step. `by` is a controller or OUTSIDER.

    `ledger` is the one that the writer's batch sets, `sent_at` when that batch was sent. `damage` tells that an
    outsider changed what Detour keeps, not a name of his own.
    """

    at: float
    zone: str
    by: str
    changes: tuple[SetChange, ...]
    ledger: Ledger | None = None
    sent_at: float = 0.0
    damage: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneRead:
    """A controller holds all that was in a zone when it `began_at` to read."""

    at: float
    zone: str
    by: str
    began_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A site's API server holds `record` from now on; None: its object `key` with `uid` is gone, or being deleted.

    `observed` says that the deletion is one that a watch, or a finalizer, lets a controller see. The record's zones
    are hosted zones; `astray` are DNSZones that it declares and that do not exist.
    """

    at: float
    site: str
    key: ObjectKey
    uid: str
    record: Record | None
    observed: bool = True
    astray: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A person pins a name to these values, those of an earlier revision; none: the pin is taken back."""

    at: float
    hostname: str
    values: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionDeclared:
    """A site's API server holds this state of a CloudRegion."""

    at: float
    site: str
    region: str
    drained: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryChanged:
    """The canary of a region works from now on, or does not, whatever its endpoints do."""

    at: float
    region: str
    works: bool

    @property
    def address(self) -> str:
        """What a story calls it."""
        return f"the canary of {self.region}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneDeclared:
    """A site's API server holds a DNSZone that is `frozen` from now on, or is not.

    `count` is how many DNSZones stand for that hosted zone now; None where that is not told.
    """

    at: float
    site: str
    zone: str
    frozen: bool
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentChanged:
    """The parent sends the world to the servers of a hosted zone from now on, or does no longer."""

    at: float
    zone: str
    named: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthChanged:
    """An address works from now on, or does not."""

    at: float
    address: str
    works: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindChanged:
    """A controller's vantage sees nothing from now on, or sees again; with `sees_dns` only its checks fail."""

    at: float
    controller: str
    blind: bool
    sees_dns: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessChanged:
    """A controller's process was started, ended, paused or resumed."""

    at: float
    controller: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJumped:
    """A controller's wall clock was set, far away from those of the others."""

    at: float
    controller: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDamaged:
    """A site's objects lost their status, or have an older one."""

    at: float
    site: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """A person approved what was held in a zone, or took it over."""

    at: float
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Befell:
    """A fault of the schedule begins: of which kind, where, and until when it lasts.

    What it does to zones, processes, endpoints and declarations is told by events of their own. Here it says what stood
    in the way of whoever wanted to do something.
    """

    at: float
    fault: Fault
    where: str
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A line for the story; no invariant reads it."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Broke:
    """A controller met an exception that is a defect of ours."""

    at: float
    controller: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Misreported:
    """A controller said that a name is in sync, and it was not (`text` says how)."""

    at: float
    controller: str
    zone: str
    hostname: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedTwice:
    """Two controllers that divide the zones both decide for a record, and both reach the API server."""

    at: float
    record: str
    controllers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdrawn:
    """The controllers that divide the zones use so much more than the quotas together: 1 is all of them."""

    at: float
    controllers: tuple[str, ...]
    used: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled:
    """After the quiet time something is not as it should be."""

    at: float
    text: str


Event = (
    ZoneChanged
    | ZoneRead
    | Declared
    | Pinned
    | RegionDeclared
    | ZoneDeclared
    | ParentChanged
    | HealthChanged
    | CanaryChanged
    | BlindChanged
    | ProcessChanged
    | ClockJumped
    | StatusDamaged
    | Approved
    | Befell
    | Told
    | Broke
    | Misreported
    | DecidedTwice
    | Overdrawn
    | Unsettled
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the invariants have to know of the run besides its events. Times in seconds.

    `one_by_one` are the zones whose provider has no transaction; `sites` names each controller's site; `detection` is
    the longest time from a failure to the decision about it while nothing is in the way; damage is noticed within
    `noticed_within`. Of a vantage that is doubted only when more than a share of its checks turn bad nothing strict
    can be asked: `doubts_at_once` tells that it is doubted at the first. `shares_markers` tells that several sites own
    names together, whichever wrote the marker. `parent_ttl` is how long caches keep where the parent sends the world;
    None where nobody can tell where it does. `are_clones` tells that all sites go by one name and share all objects,
    and none knows of another. `is_divided` tells that the controllers of a site divide the zones.
    `may_lack_votes` tells that of several vantages so many may be amiss that the others are no majority.
    `withdrawal` is the share of a record's endpoints that checks may take away within a minute, 1 for any.
    `has_canaries` tells that regions have canaries.
    """

    owner: str
    domain: str
    one_by_one: frozenset[str] = frozenset()
    sites: dict[str, str] = field(default_factory=dict)
    detection: float = 20.0
    regions_per_window: int = 1
    window: float = 600.0
    noticed_within: float = 630.0
    doubts_at_once: bool = True
    shares_markers: bool = False
    take_over_after: float = 90.0
    parent_ttl: float | None = None
    are_clones: bool = False
    is_divided: bool = False
    may_lack_votes: bool = False
    withdrawal: float = 1.0
    has_canaries: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A promise that was broken: which, when and how."""

    invariant: str
    at: float
    message: str


class History:
    """The events of one run."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.events: list[Event] = []

    def add(self, event: Event) -> None:
        """Write down what happened last."""
        self.events.append(event)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)
